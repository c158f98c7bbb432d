//! JSON Schema as a plain grammar.
//!
//! ```text
//! text ─ Value ─ Document ─ keywords ─ Shape ─ and, or, not ─ Shape ─ rules ─ PlainGrammar
//! ```
//!
//! - `value` reads the text, with all digits of its numbers and its members in order. `document` finds the schemas in it, and
//!   where references lead.
//! - `keywords`, `collections` and `applicators` turn the keywords of a schema into a [`shape`]: for each type of JSON the
//!   values that are allowed. `combine` makes intersections, unions and complements of shapes, `empty` tells which are empty.
//! - Strings and numbers are regular languages (`strings`, `pattern`, `format`, `numbers`), so that all combinations of them
//!   are exact. `encode` turns the characters of strings into JSON's text.
//! - `emit` writes the rules. A part of a schema becomes a rule when it is reached, so that recursion needs no care.
//!
//! Nothing is ignored that decides which instances are valid. What no grammar enforces exactly is an error with the JSON
//! Pointer of its keyword. `docs/json-schema.md` lists the keywords, and how instances are written.

mod applicators;
mod collections;
mod combine;
mod compiler;
mod decimal;
mod document;
mod emit;
mod emit_arrays;
mod emit_objects;
mod empty;
mod encode;
mod error;
mod format;
mod keywords;
mod numbers;
mod pattern;
mod shape;
mod strings;
#[cfg(test)]
mod tests;
mod uri;
mod value;

pub use document::Draft;
pub use error::{JsonSchemaError, JsonSchemaErrorKind};

use crate::plain::PlainGrammar;
use compiler::Compiler;
use value::Value;

/// A JSON Schema, read and not yet compiled.
#[derive(Clone, Debug)]
pub struct JsonSchema {
    root: Value,
}

/// The white space of an output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Whitespace {
    /// None at all.
    #[default]
    Compact,
    /// So many characters at most wherever JSON allows it, so that an output always ends.
    Any {
        /// The greatest number of characters in one place.
        most: u32,
    },
}

/// What `format` means. JSON Schema leaves it open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Formats {
    /// A format that JSON Schema defines is enforced or refused. Others are annotations.
    #[default]
    Enforce,
    /// All formats are annotations.
    Annotate,
}

/// What is done about a keyword that JSON Schema does not define.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Unknown {
    /// It is an annotation, as the standard says, and [`JsonSchemaGrammar::warnings`] names it.
    #[default]
    Ignore,
    /// It is an error, unless its name begins with `x-`.
    Refuse,
}

/// How a JSON Schema is compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct JsonSchemaOptions {
    /// The version of JSON Schema, where the document names none in `$schema`.
    pub draft: Draft,
    /// The white space of an output.
    pub whitespace: Whitespace,
    /// What `format` means.
    pub formats: Formats,
    /// What is done about unknown keywords.
    pub unknown: Unknown,
    /// How many steps the automata of strings and numbers may take together.
    pub steps: usize,
}

use JsonSchemaOptions as Options;

impl Default for JsonSchemaOptions {
    fn default() -> JsonSchemaOptions {
        JsonSchemaOptions {
            draft: Draft::V2020,
            whitespace: Whitespace::default(),
            formats: Formats::default(),
            unknown: Unknown::default(),
            steps: 4_000_000,
        }
    }
}

/// Something of a JSON Schema that is ignored, and may have been meant otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// The JSON Pointer to the keyword.
    pub pointer: String,
    /// What is ignored.
    pub reason: String,
}

/// A compiled JSON Schema.
#[derive(Clone, Debug)]
pub struct JsonSchemaGrammar {
    /// The texts of the instances that are valid.
    pub(crate) grammar: PlainGrammar,
    /// What is ignored.
    pub warnings: Vec<Warning>,
}

/// Whether two texts of JSON have equal values, as JSON Schema defines it: numbers by their value, members in any order. None where
/// one of them is not JSON.
///
/// ```
/// use gramask_grammar::json_schema::json_equal;
/// assert_eq!(json_equal(r#"{"a": 1, "b": [2]}"#, r#"{"b":[2.0],"a":1e0}"#), Some(true));
/// assert_eq!((json_equal("[1]", "[2]"), json_equal("[1]", "[1")), (Some(false), None));
/// ```
pub fn json_equal(one: &str, other: &str) -> Option<bool> {
    Some(value::parse(one).ok()?.equals(&value::parse(other).ok()?))
}

impl JsonSchema {
    /// Reads the text of a JSON Schema.
    ///
    /// # Errors
    /// A text that is not JSON, or that has a member twice.
    pub fn parse(text: &str) -> Result<JsonSchema, JsonSchemaError> {
        let root = value::parse(text).map_err(|error| {
            let reason = format!("{} (line {}, column {})", error.message, error.line, error.column);
            JsonSchemaError::new(JsonSchemaErrorKind::Json, "", reason)
        })?;
        Ok(JsonSchema { root })
    }

    /// The grammar of the instances that are valid.
    ///
    /// # Errors
    /// A schema that is not valid, that allows no instance, that no grammar enforces, or that takes too many steps.
    pub fn grammar(&self, options: &JsonSchemaOptions) -> Result<JsonSchemaGrammar, JsonSchemaError> {
        let mut compiler = Compiler::new(&self.root, *options)?;
        let grammar = emit::emit(&mut compiler)?;
        // A schema can be read twice.
        let mut warnings = compiler.warnings;
        warnings.sort_by(|a, b| a.pointer.cmp(&b.pointer));
        warnings.dedup();
        Ok(JsonSchemaGrammar { grammar, warnings })
    }
}
