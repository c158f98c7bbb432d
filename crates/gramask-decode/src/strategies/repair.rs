//! Plain decoding whose output is repaired before it is read.
//!
//! The tokens are those of [`Unconstrained`]. The repair itself needs the format and the document, and belongs to the
//! evaluation of the output: see [`gramask_grammar::Program::repair`].

use super::Unconstrained;
use crate::registry::{Levels, StrategyDefinition};

/// `repair`, as the program knows it.
pub(super) const DEFINITION: StrategyDefinition = StrategyDefinition {
    name: "repair",
    levels: Levels::Unconstrained,
    summary: "plain decoding; the output is repaired as well as can be ([repair.md](repair.md)) and then read",
    cost: "as `unconstrained`, and a few milliseconds",
    repairs: true,
    build: |_, _| Ok(Box::new(Unconstrained)),
    ..StrategyDefinition::COMMON
};
