//! Shows problems with their places.

use std::fmt;

use super::ast::Span;
use super::problem::Problem;

/// A problem and the place it has in a source.
pub(super) type Located = (Span, Problem);

/// Where something stands, for messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1, in characters.
    pub column: usize,
    /// The text of that line.
    pub text: String,
    /// How many characters are meant, at least 1, all on this line.
    pub width: usize,
}

impl Place {
    /// The place of one byte in bytes that need not be UTF-8; what is not is shown as `\u{fffd}`.
    pub(crate) fn of_byte(bytes: &[u8], at: usize) -> Self {
        let before = String::from_utf8_lossy(&bytes[..at]).into_owned();
        let after = String::from_utf8_lossy(&bytes[at..]);
        Place::new(&(before.clone() + &after), Span::new(before.len(), before.len() + 1))
    }

    /// The place of `span` in `source`.
    pub(crate) fn new(source: &str, span: Span) -> Self {
        let start = floor(source, span.start);
        let line_start = source[..start].rfind('\n').map_or(0, |at| at + 1);
        let line_end = source[start..].find('\n').map_or(source.len(), |at| start + at);
        let end = floor(source, span.end).clamp(start, line_end);
        Place {
            line: line_number(source, start),
            column: source[line_start..start].chars().filter(|&c| c != '\u{feff}').count() + 1,
            text: source[line_start..line_end].trim_end_matches('\r').trim_start_matches('\u{feff}').to_owned(),
            width: source[start..end].chars().count().max(1),
        }
    }
}

/// The number, from 1, of the line that holds this byte.
pub(super) fn line_number(source: &str, at: usize) -> usize {
    source.as_bytes()[..at.min(source.len())].iter().filter(|&&byte| byte == b'\n').count() + 1
}

fn floor(source: &str, at: usize) -> usize {
    (0..=at.min(source.len())).rev().find(|&at| source.is_char_boundary(at)).unwrap_or(0)
}

/// One thing that is wrong with a format file.
///
/// Displayed as
/// ```text
/// json-list.gram:3:11: unknown terminal `@txt`
///   3 | entity: "\"" @txt "\""
///     |              ^^^^
///     help: did you mean `@text`? ...
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormatError {
    /// The file, or the name of the format.
    pub file: String,
    /// Where in it; none where the whole file is meant.
    pub place: Option<Place>,
    /// What is wrong.
    pub problem: Problem,
}

impl fmt::Display for FormatError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The name that was asked for is in the message.
        let named = matches!(self.problem, Problem::UnknownFormat { .. });
        let file = Some(self.file.as_str()).filter(|_| !named);
        show(f, file, self.place.as_ref(), &self.problem, self.problem.help().as_deref())
    }
}

/// Writes an error: file, place and message, the text of the line with the place marked, and the help.
pub(crate) fn show(
    f: &mut fmt::Formatter<'_>,
    file: Option<&str>,
    place: Option<&Place>,
    message: &dyn fmt::Display,
    help: Option<&str>,
) -> fmt::Result {
    match (place, file) {
        (None, None) => write!(f, "{message}")?,
        (None, Some(file)) => write!(f, "{file}: {message}")?,
        (Some(Place { line, column, text, width }), file) => {
            writeln!(f, "{}:{line}:{column}: {message}", file.unwrap_or_default())?;
            let margin = " ".repeat(line.to_string().len());
            // Tabs are kept, so that the caret stands under its place however wide they are shown.
            let before: String = text.chars().take(column - 1).map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
            writeln!(f, "{}", format!("  {line} | {text}").trim_end())?;
            write!(f, "  {margin} | {before}{}", "^".repeat(*width))?;
        }
    }
    match help {
        Some(help) if place.is_some() => write!(f, "\n    help: {help}"),
        Some(help) => write!(f, "\n  help: {help}"),
        None => Ok(()),
    }
}

/// Writes errors, each on lines of its own.
pub(crate) fn show_all(f: &mut fmt::Formatter<'_>, errors: &[impl fmt::Display]) -> fmt::Result {
    for (index, error) in errors.iter().enumerate() {
        if index > 0 {
            writeln!(f)?;
        }
        write!(f, "{error}")?;
    }
    Ok(())
}

impl std::error::Error for FormatError {}

/// All that is wrong with a format file, in the order of the file; never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormatErrors {
    /// The errors.
    pub errors: Vec<FormatError>,
}

impl fmt::Display for FormatErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        show_all(f, &self.errors)
    }
}

impl std::error::Error for FormatErrors {}

impl From<FormatError> for FormatErrors {
    fn from(error: FormatError) -> Self {
        FormatErrors { errors: vec![error] }
    }
}
