//! Plain grammars: context-free grammars over bytes that refer to no document.
//!
//! A [`PlainGrammar`] is what all syntaxes for grammars are translated to, and what the engine for recursion compiles. It has
//! rules, and a rule has an [`Expr`]. Terminals are bytes, regular languages ([`Regex`]) and special tokens of the vocabulary.
//!
//! ```text
//! notation, Lark, GBNF, regex, JSON Schema ─ PlainGrammar ─ engine (and oracle)
//! ```

#[cfg(test)]
pub(crate) mod enumerate;
mod expr;

pub(crate) use expr::{Builder, Expr, PlainGrammar, PlainGrammarError, RuleId};
