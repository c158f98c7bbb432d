//! The strategies, each in a file of its own.
//!
//! To add one, write its file with a `DEFINITION`, and add it to [`ALL`].

mod asap;
mod beam;
mod draft;
mod free_then_masked;
mod jump;
mod lazy;
mod log_mass;
mod masked;
mod repair;
mod retry;
mod smc;
mod unconstrained;

pub use asap::Asap;
pub use beam::{Beam, BeamStop, NoConstraint};
pub use draft::{Draft, Drafts};
pub use free_then_masked::FreeThenMasked;
pub use jump::Jump;
pub use lazy::Lazy;
pub use masked::Masked;
pub use retry::Retry;
pub use smc::Smc;
pub use unconstrained::Unconstrained;

use crate::registry::StrategyDefinition;

/// All strategies, in the order in which they are run and shown.
pub(crate) const ALL: &[&StrategyDefinition] = &[
    &unconstrained::DEFINITION,
    &repair::DEFINITION,
    &retry::DEFINITION,
    &masked::DEFINITION,
    &lazy::DEFINITION,
    &jump::DEFINITION,
    &draft::DEFINITION,
    &beam::DEFINITION,
    &asap::DEFINITION,
    &smc::DEFINITION,
    &free_then_masked::DEFINITION,
];
