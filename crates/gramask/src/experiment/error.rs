//! Errors of experiment files, with the place.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use thiserror::Error;

/// An experiment file that cannot be used.
#[derive(Debug, Error)]
#[allow(missing_docs, reason = "the messages name the fields")]
pub enum ExperimentError {
    /// The file cannot be read.
    #[error("cannot read the experiment file {}: {source}; `gramask run quickstart` starts the one that is in the program", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    /// Something in the file is wrong.
    #[error("{place}")]
    Wrong { place: Box<Place> },
}

impl ExperimentError {
    /// What is wrong at a byte range of a file's text.
    pub(crate) fn wrong(path: &Path, source: &str, span: Range<usize>, message: impl Into<String>) -> ExperimentError {
        ExperimentError::Wrong { place: Box::new(Place::new(path, source, span, message)) }
    }
}

/// The text of an experiment file or a tuning file.
pub(crate) fn read_text(path: &Path) -> Result<String, ExperimentError> {
    std::fs::read_to_string(path).map_err(|source| ExperimentError::Read { path: path.to_path_buf(), source })
}

/// The values of such a file as they are written.
pub(crate) fn read_toml<T: DeserializeOwned>(path: &Path, source: &str) -> Result<T, ExperimentError> {
    toml::from_str(source).map_err(|error: toml::de::Error| {
        let message = error.message().replace('\n', " ");
        ExperimentError::wrong(path, source, error.span().unwrap_or(0..0), message)
    })
}

/// A place in a file, with what is wrong there and what would be right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub file: PathBuf,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// What is wrong, and what would be right.
    pub message: String,
    /// The line's text.
    text: String,
    /// How many characters to underline.
    width: usize,
}

impl Place {
    /// The place of a byte range of a file's text.
    pub fn new(file: &Path, source: &str, span: Range<usize>, message: impl Into<String>) -> Self {
        let start = floor(source, span.start.min(source.len()));
        let end = floor(source, span.end.clamp(start, source.len()));
        let line_start = source[..start].rfind('\n').map_or(0, |newline| newline + 1);
        let line_end = source[start..].find('\n').map_or(source.len(), |newline| start + newline);
        Place {
            file: file.to_path_buf(),
            line: source[..start].matches('\n').count() + 1,
            column: source[line_start..start].chars().count() + 1,
            message: message.into(),
            text: source[line_start..line_end].trim_end().to_string(),
            width: source[start..end.min(line_end).max(start)].chars().count().max(1),
        }
    }
}

/// The character boundary at or before a byte.
fn floor(source: &str, mut byte: usize) -> usize {
    while !source.is_char_boundary(byte) {
        byte -= 1;
    }
    byte
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Place { file, line, column, message, text, width } = self;
        let margin = " ".repeat(line.to_string().len());
        writeln!(f, "{}:{line}:{column}: {message}", file.display())?;
        writeln!(f, "{margin} |")?;
        writeln!(f, "{line} | {text}")?;
        write!(f, "{margin} | {}{}", " ".repeat(column - 1), "^".repeat(*width))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_shows_its_line_with_carets() {
        let source = "a = 1\nβ = \"wrong\"\n";
        let start = source.find("\"wrong").unwrap();
        let place = Place::new("x.toml".as_ref(), source, start..start + 7, "no such thing");
        assert_eq!(place.to_string(), "x.toml:2:5: no such thing\n  |\n2 | β = \"wrong\"\n  |     ^^^^^^^");
        // A range that goes beyond the file or its line does no harm.
        assert_eq!(Place::new("x".as_ref(), source, 100..200, "m").line, 3);
        assert!(Place::new("x".as_ref(), source, 0..99, "m").to_string().ends_with("^^^^^"));
    }
}
