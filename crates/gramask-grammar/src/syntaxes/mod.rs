//! Grammars as people write them, translated to plain grammars.
//!
//! | syntax | file | module |
//! |---|---|---|
//! | the project's own notation, without `@terminals` | `.gram` | `notation` |
//! | Lark, in the dialect of llguidance | `.lark` | `lark` |
//! | GBNF, of llama.cpp | `.gbnf` | `gbnf` |
//! | a regular expression, a choice of texts | | `texts` |
//!
//! Each takes a source and gives a [`PlainGrammar`](crate::plain::PlainGrammar) with the faults and warnings in their places.
//! [`Grammar`] is the entry point.

mod cursor;
mod error;
mod facts;
mod gbnf;
mod grammar;
mod lark;
mod limits;
mod notation;
mod regexes;
#[cfg(test)]
mod tests;
mod texts;
mod translated;

pub use error::{GrammarError, GrammarErrorKind, GrammarErrors};
pub use facts::PlainFacts;
pub use grammar::{Grammar, GrammarSyntax};
pub(crate) use notation::plain;
