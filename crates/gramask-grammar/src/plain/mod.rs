//! Plain grammars: context-free grammars over bytes that refer to no document.
//!
//! A [`PlainGrammar`] is what all syntaxes for grammars are translated to, and what the engine for recursion compiles. It has
//! rules, and a rule has an [`Expr`]. Terminals are bytes, regular languages ([`Regex`](crate::regex::Regex)) and special tokens
//! of the vocabulary.
//!
//! ```text
//! notation, Lark, GBNF, regex, JSON Schema ─ PlainGrammar ─┬─ Network ─ Machine ─ masks     the engine
//!                                                          └─ PlainOracle                   what it is compared with
//! ```

mod compiled;
mod engine;
#[cfg(test)]
pub(crate) mod enumerate;
mod expr;
mod machine;
mod masks;
mod network;
mod oracle;
mod shortest;
mod stacks;
#[cfg(test)]
mod tests;
mod text;
mod walk;

pub use compiled::CompiledGrammar;
pub(crate) use engine::PlainEngine;
pub(crate) use expr::{Builder, Expr, PlainGrammar, RuleId};
pub(crate) use masks::{Parts, PlainShared};
pub(crate) use network::Network;
pub use network::{NetworkError, NetworkLimits};
pub use oracle::PlainOracle;
pub(crate) use text::TextStore;
