//! Grammars as people write them, in `testdata/grammars` and here: with white space anywhere, without entities or labels, with
//! recursion and large repeats.
//!
//! `engine` has the engine of plain grammars, and `speed` times it. `regexes` compares masks with derivatives of regexes, which share no code with the automata.

mod engine;
mod regexes;
mod sizes;
mod speed;
mod writing;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use gramask_grammar::{Constraint, Format, FormatErrors, Level, Oracle, Program, Token, Vocabulary};
use gramask_ner::{Schema, Text};

/// A grammar of `testdata/grammars`.
fn file(name: &str) -> Result<Format, FormatErrors> {
    Format::load(path(name))
}

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/grammars").join(name)
}

/// A grammar compiled without a label.
fn plain(source: &str) -> Arc<Program> {
    let format = Format::parse("plain", source).unwrap_or_else(|errors| panic!("{errors}"));
    Program::compile(&format, &Schema::new::<&str>([])).unwrap()
}

/// A token for each byte, some longer ones, and an end token.
fn vocabulary(longer: &[&str]) -> Arc<Vocabulary> {
    let mut tokens: Vec<Token> = (0..=255u8).map(|byte| Token::new([byte])).collect();
    tokens.extend(longer.iter().map(|token| Token::new(token.as_bytes())));
    tokens.push(Token::special("<end>"));
    let end = tokens.len() as u32 - 1;
    Vocabulary::new(tokens, vec![end]).unwrap()
}

/// The program's constraint for an empty document at `syntax`.
fn constraint(program: &Arc<Program>) -> Constraint {
    Constraint::new(Arc::clone(program), &Text::new(""), Level::Syntax, vocabulary(&[])).unwrap()
}

/// Whether engine and oracle, which must agree, accept an output.
fn accepts(program: &Arc<Program>, output: &str) -> bool {
    let mut constraint = constraint(program);
    let start = constraint.start();
    let engine = constraint.advance_bytes(start, output.as_bytes()).is_some_and(|state| constraint.accepts(state));
    let mut oracle = Oracle::new(Arc::clone(program), &Text::new(""), Level::Syntax, vocabulary(&[])).unwrap();
    assert_eq!(oracle.advance(output.as_bytes()) && oracle.accepts(), engine, "{output:?}");
    engine
}
