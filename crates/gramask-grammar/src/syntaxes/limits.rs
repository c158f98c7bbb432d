//! What is too large to compile, refused with the limit.

use super::error::Fault;
use crate::notation::ast::Span;
use crate::notation::{MAX_DEPTH, MAX_REPEAT};

/// How many rules a grammar may have at most.
pub(super) const MAX_RULES: usize = 10_000;

/// Rules beyond the limit.
pub(super) fn rules(mut names: impl ExactSizeIterator<Item = Span>) -> Vec<Fault> {
    let given = names.len();
    let beyond = names.nth(MAX_RULES);
    beyond
        .map(|span| Fault::new(span, format!("there are {given} rules; the limit is {MAX_RULES}")))
        .into_iter()
        .collect()
}

/// A repeat beyond the limit.
pub(super) fn repeat(min: u32, max: Option<u32>, span: Span) -> Option<Fault> {
    let times = max.unwrap_or(min);
    (times > MAX_REPEAT).then(|| repeat_fault(&times.to_string(), span))
}

/// A repeat with this number.
pub(super) fn repeat_fault(given: &str, span: Span) -> Fault {
    Fault::new(span, format!("a repeat of {given} is over the limit of {MAX_REPEAT}"))
        .help("`*` and `+` repeat without bound")
}

/// Brackets that are opened inside `depth` others.
pub(super) fn depth(depth: usize, span: Span) -> Result<(), Fault> {
    if depth < MAX_DEPTH {
        return Ok(());
    }
    Err(Fault::new(span, format!("brackets nest deeper than {MAX_DEPTH}"))
        .help("give the inner part a rule of its own"))
}
