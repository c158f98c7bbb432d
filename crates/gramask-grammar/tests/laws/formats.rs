//! The formats under test: those that come with Gramask, and some that use the rest of the notation.

use std::sync::Arc;

use gramask_grammar::{Format, Program};
use gramask_ner::Schema;

include!("sources.rs");

/// All names, the built-in formats first.
pub fn names() -> Vec<&'static str> {
    Format::builtin()
        .chain(TEST_FORMATS.iter().map(|(name, _)| *name))
        .collect()
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
    let format = format(name);
    let labels = if format.grammar.directives.pass_label {
        &labels[..1]
    } else {
        labels
    };
    Program::compile(&format, &Schema::new(labels.iter().copied())).unwrap()
}

/// Formats without an escape, in which some text can't be written.
pub fn is_raw(name: &str) -> bool {
    matches!(name, "raw-lines" | "at-signs")
}

/// Formats whose escape has no way to write some characters.
pub fn refuses_some(name: &str) -> bool {
    matches!(name, "inline-xml" | "markdown-table")
}
