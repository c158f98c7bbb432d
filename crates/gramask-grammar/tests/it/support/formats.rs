//! The formats under test: those that come with Gramask, and some that use the rest of the notation.

use std::sync::Arc;

use gramask_grammar::{Format, Program};
use gramask_ner::Schema;

include!("sources.rs");

/// All names, the built-in formats first.
pub fn names() -> Vec<&'static str> {
    Format::builtin().chain(TEST_FORMATS.iter().map(|(name, _)| *name)).collect()
}

/// The format of this name.
pub fn format(name: &str) -> Format {
    match TEST_FORMATS.iter().find(|(known, _)| *known == name) {
        Some((name, source)) => Format::parse(*name, *source).unwrap(),
        None => Format::named(name).unwrap(),
    }
}

/// The format compiled for a schema, or for its first label where it takes one a pass.
pub fn program(name: &str, labels: &[&str]) -> Arc<Program> {
    passes(name, labels).swap_remove(0)
}

/// The format compiled for a schema; where it takes one label a pass, for each of them.
pub fn passes(name: &str, labels: &[&str]) -> Vec<Arc<Program>> {
    let format = format(name);
    let each = if format.grammar.directives.pass_label { 1 } else { labels.len() };
    let compile = |labels: &[&str]| Program::compile(&format, &Schema::new(labels.iter().copied())).unwrap();
    labels.chunks(each).map(compile).collect()
}

/// One format in `each`, others for another `seed`.
pub fn some(seed: u64, each: usize) -> impl Iterator<Item = &'static str> {
    names().into_iter().skip((seed % each as u64) as usize).step_by(each)
}

/// Formats without an escape, in which some text can't be written.
pub fn is_raw(name: &str) -> bool {
    matches!(name, "raw-lines" | "at-signs")
}

/// Formats whose escape has no way to write some characters.
pub fn refuses_some(name: &str) -> bool {
    matches!(name, "inline-xml" | "markdown-table")
}
