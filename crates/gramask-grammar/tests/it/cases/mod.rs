//! The cases in `testdata/*.toml`, each run through every implementation that can answer it.
//!
//! | file | implementations |
//! |---|---|
//! | `masks.toml` | engine, oracle |
//! | `reading.toml` | reader, engine, oracle, repair |
//! | `writing.toml` | writer, reader, engine, oracle, repair |
//! | `repair.toml` | repair, the lenient reader |

pub mod masks;
mod reading;
mod repair;
mod writing;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use gramask_grammar::{Constraint, Level, Oracle, Program, Token, Vocabulary};
use gramask_ner::Text;
use serde::de::DeserializeOwned;

/// A file of cases.
fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata").join(name)
}

/// The cases of a file.
fn load<T: DeserializeOwned>(name: &str) -> T {
    let text = std::fs::read_to_string(path(name)).unwrap_or_else(|error| panic!("testdata/{name}: {error}"));
    toml::from_str(&text).unwrap_or_else(|error| panic!("testdata/{name}: {error}"))
}

/// A token for each byte, and an end token.
fn bytes() -> Arc<Vocabulary> {
    let mut tokens: Vec<Token> = (0..=255u8).map(|byte| Token::new([byte])).collect();
    tokens.push(Token::special("<end>"));
    Vocabulary::new(tokens, vec![256]).unwrap()
}

/// Whether engine and oracle, which must agree, accept a whole output.
fn accepts(program: &Arc<Program>, document: &str, level: Level, output: &str) -> bool {
    let (text, vocabulary) = (Text::new(document), bytes());
    let constraint = Constraint::new(Arc::clone(program), &text, level, Arc::clone(&vocabulary));
    let mut constraint = constraint.unwrap_or_else(|error| panic!("{error}"));
    let start = constraint.start();
    let engine = constraint.advance_bytes(start, output.as_bytes()).is_some_and(|state| constraint.accepts(state));
    let mut oracle = Oracle::new(Arc::clone(program), &text, level, vocabulary).unwrap();
    let naive = oracle.advance(output.as_bytes()) && oracle.accepts();
    assert_eq!(engine, naive, "engine and oracle differ at {level}: {output:?} about {document:?}");
    engine
}
