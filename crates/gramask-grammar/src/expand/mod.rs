//! A format over one document as a plain grammar, for other engines.
//!
//! Once schema and document are fixed, a format needs no `@terminals`, and ordinary grammars can describe its outputs.
//! [`expand`] makes such a grammar. [`Plain`] prints it as Lark for llguidance, as the EBNF of XGrammar, as KBNF, and as a
//! regular expression where it is regular. So other engines can be asked for the same masks and timed on the same languages.
//!
//! The expansion follows `docs/formats-meaning.md` and shares no code with the automaton that makes masks, except for the
//! escapes and the delimiters. An open entity is the plain set of tuples that agree with what was written. There is no search
//! and no cache. That is slow, fit for documents of a few dozen words, and easy to trust.
//!
//! ```
//! use gramask_grammar::{ExpandLimits, Format, Level, Program, expand};
//! use gramask_ner::{Schema, Text};
//!
//! let format = Format::named("json-grouped")?;
//! let program = Program::compile(&format, &Schema::new(["Drug"]))?;
//! let plain = expand(&program, &Text::new("IL-2"), Level::Grounded, ExpandLimits::default())?;
//! assert!(plain.approximations().is_empty());
//! assert!(plain.to_regex(10_000)?.contains("IL"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod acyclic;
mod classes;
mod ebnf;
mod entity;
mod lark;
mod lexemes;
mod merge;
mod plain;
mod regex;
mod steps;
mod table;
mod tidy;

use std::sync::Arc;

use gramask_ner::Text;

use crate::Level;
use crate::program::Program;
use crate::source::Source;

pub use plain::{Alternative, Characters, Piece, Plain};

/// How large an expansion may become, and what it counts exactly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExpandLimits {
    /// Rules at most, before equal ones are merged.
    pub rules: usize,
    /// At level `syntax` an output has allowances that a plain grammar can only count by having a rule for each number
    /// left: the characters of all copied text, the units that `@skip` passes, the entities. An allowance up to this
    /// number is counted, unless the format nests; a larger one is left out and is one of [`Plain::approximations`].
    pub counted: u32,
}

impl Default for ExpandLimits {
    fn default() -> Self {
        ExpandLimits { rules: 200_000, counted: 64 }
    }
}

/// What a plain grammar leaves out: it accepts more than the format where that allowance would be used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)] // the messages explain the fields
pub enum Approximation {
    /// The characters of all copied text together.
    #[error("copied text may be longer than {0} characters")]
    Copied(u32),
    /// The characters of one mention, where its delimiters need an automaton.
    #[error("a mention may be longer than {0} characters")]
    Mention(u32),
    /// The units that `@skip` passes.
    #[error("there may be more than {0} units")]
    Units(u32),
    /// The entities.
    #[error("there may be more than {0} entities")]
    Entities(u32),
}

/// Why there is no plain grammar.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)] // the messages explain the fields
pub enum ExpandError {
    /// Level `none` has every output.
    #[error("level `none` has no grammar: take `syntax` or `grounded`")]
    NoLevel,
    /// A character that the format's escape can't write.
    #[error("format `{format}`: character {offset} of the document, {character:?}, can't be written in this format")]
    Character {
        format: String,
        /// In characters of the document.
        offset: usize,
        character: char,
    },
    /// No output is valid for this document.
    #[error("format `{format}`: no output at level {level} is valid for this document")]
    NoOutput { format: String, level: Level },
    /// More rules than allowed.
    #[error(
        "format `{format}`: the plain grammar has more than {limit} rules; take a shorter document or a higher limit"
    )]
    Rules {
        format: String,
        /// How many there may be.
        limit: usize,
    },
}

/// Why a plain grammar can't be printed in some notation.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)] // the messages explain the fields
pub enum PrintError {
    /// A format that nests is no regular language.
    #[error("the format nests, so that its language is not regular: print it as a grammar")]
    NotRegular,
    /// A notation that has no regular expressions.
    #[error("the format has the regular expression /{pattern}/, which this notation can't hold")]
    Regex { pattern: String },
    /// A regular expression can't share its parts and becomes too long.
    #[error("the expression has more than {limit} characters; take a shorter document, a higher limit, or a grammar")]
    TooLong {
        /// How many there may be.
        limit: usize,
    },
}

/// Writes down the language of a format over one document at `syntax` or `grounded`.
///
/// # Errors
/// Where the document has no output at all, or the grammar more rules than `limits` allow.
pub fn expand(program: &Arc<Program>, text: &Text, level: Level, limits: ExpandLimits) -> Result<Plain, ExpandError> {
    let name = || program.format().name.clone();
    if level == Level::None {
        return Err(ExpandError::NoLevel);
    }
    let directives = &program.format().grammar.directives;
    let source = Source::new(text, &directives.escape, directives.boundaries)
        .map_err(|(offset, character)| ExpandError::Character { format: name(), offset, character })?;
    let mut steps = steps::Steps::new(program, &source, text, level, limits.counted);
    let table = table::Table::fill(&mut steps, limits.rules)
        .ok_or_else(|| ExpandError::Rules { format: name(), limit: limits.rules })?;
    let rules = table.rules(limits.rules).ok_or_else(|| ExpandError::Rules { format: name(), limit: limits.rules })?;
    let rules = tidy::tidy(rules).ok_or_else(|| ExpandError::NoOutput { format: name(), level })?;
    Ok(Plain { title: format!("format {}, level {level}", name()), rules, approximations: steps.approximations })
}
