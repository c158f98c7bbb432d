//! Parses outputs with parsers that share no code with this crate.
//!
//! A constraint and a reader that come from one grammar file can be wrong in the same way. So every constrained output is
//! parsed once more, by a well-known crate for the syntax that the format names:
//!
//! | `%syntax` | crate | what it must be |
//! |---|---|---|
//! | `json`, `jsonl` | `serde_json` | one JSON value, or one on each line |
//! | `xml` | `quick-xml` | XML content: well-formed between the tags of a root element |
//! | `python` | `tree-sitter-python` | one literal, or one assigned to a name; calls with keywords count as literals |
//! | `csv` | `csv` | records with equally many fields, quoted as in RFC 4180 |
//! | `yaml` | `saphyr-parser` | one document, no mapping with a key twice |
//! | `markdown` | `pulldown-cmark` | GitHub Flavored Markdown without HTML, every row of a table with all its cells |
//!
//! A format without `%syntax` has a language of its own, for which there is no independent parser.
//!
//! ```
//! use gramask_grammar::{Format, syntax_check};
//!
//! let format = Format::named("json-list")?;
//! let reads = |output| syntax_check::check(&format, output).map(|checked| checked.is_ok());
//! assert_eq!((reads("[]"), reads("[")), (Some(true), Some(false)));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod csv_records;
mod markdown;
mod python;
mod xml;
mod yaml;

use serde_json::Value;

use crate::Format;
use crate::notation::ast::Syntax;

/// An output that an independent parser refuses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is not {}: {message}", syntax.name())]
pub struct SyntaxError {
    /// The syntax that the format names.
    pub syntax: Syntax,
    /// What the parser says.
    pub message: String,
}

/// Parses an output of a format; `None` where the format names no syntax.
pub fn check(format: &Format, output: &str) -> Option<Result<(), SyntaxError>> {
    let syntax = format.grammar.directives.syntax?;
    Some(parse(syntax, output).map(|_| ()))
}

/// Parses an output, and returns its content as a JSON value.
///
/// - JSON Lines and CSV become an array of values or of arrays of strings.
/// - In YAML every scalar is a string.
/// - In Python, tuples are arrays, and `x = A(b="c")` is `{"x":{"A":{"b":"c"}}}`.
/// - In XML and Markdown, content is an array of strings and of elements `{"NAME":[CONTENT]}`. Markdown's elements are
///   `table`, `row` and `cell`; every other one is `markup`.
///
/// # Errors
/// When the output is not of the syntax.
pub fn parse(syntax: Syntax, output: &str) -> Result<Value, SyntaxError> {
    let parsed = match syntax {
        Syntax::Json => json(output),
        Syntax::Jsonl => json_lines(output),
        Syntax::Xml => xml::content(output),
        Syntax::Python => python::literal(output),
        Syntax::Csv => csv_records::records(output),
        Syntax::Yaml => yaml::document(output),
        Syntax::Markdown => markdown::document(output),
    };
    parsed.map_err(|message| SyntaxError { syntax, message })
}

/// How deeply values may be nested. `serde_json` has a limit of about this size, and so has Python's own parser.
const DEEPEST: usize = 100;

fn json(output: &str) -> Result<Value, String> {
    serde_json::from_str(output).map_err(|error| error.to_string())
}

/// A value on each line; an empty output has no line.
fn json_lines(output: &str) -> Result<Value, String> {
    let lines = output.split('\n').filter(|_| !output.is_empty()).enumerate();
    let value = |(number, line): (usize, &str)| json(line).map_err(|error| format!("line {}: {error}", number + 1));
    lines.map(value).collect()
}

#[cfg(test)]
mod tests;
