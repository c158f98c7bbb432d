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
    pub(super) fn new(source: &str, span: Span) -> Self {
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
        match &self.place {
            // The name that was asked for is in the message.
            None if matches!(self.problem, Problem::UnknownFormat { .. }) => write!(f, "{}", self.problem)?,
            None => write!(f, "{}: {}", self.file, self.problem)?,
            Some(Place { line, column, text, width }) => {
                writeln!(f, "{}:{line}:{column}: {}", self.file, self.problem)?;
                let margin = " ".repeat(line.to_string().len());
                // Tabs are kept, so that the caret stands under its place however wide they are shown.
                let before: String =
                    text.chars().take(column - 1).map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
                writeln!(f, "{}", format!("  {line} | {text}").trim_end())?;
                write!(f, "  {margin} | {before}{}", "^".repeat(*width))?;
            }
        }
        match self.problem.help() {
            Some(help) if self.place.is_some() => write!(f, "\n    help: {help}"),
            Some(help) => write!(f, "\n  help: {help}"),
            None => Ok(()),
        }
    }
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
        for (index, error) in self.errors.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            write!(f, "{error}")?;
        }
        Ok(())
    }
}

impl std::error::Error for FormatErrors {}

impl From<FormatError> for FormatErrors {
    fn from(error: FormatError) -> Self {
        FormatErrors { errors: vec![error] }
    }
}

/// The candidate that is fewest edits from `name`, if that is at most a third of its length (but one edit always).
pub(crate) fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (name.chars().count() / 3).max(1);
    let distances = candidates.into_iter().map(|candidate| (edits(name, candidate), candidate));
    distances.filter(|(distance, _)| *distance <= limit).min_by_key(|(distance, _)| *distance).map(|(_, near)| near)
}

/// Levenshtein's distance in characters, whatever their case, where a swap of neighbours counts as one edit.
fn edits(left: &str, right: &str) -> usize {
    let characters = |text: &str| text.to_lowercase().chars().collect::<Vec<char>>();
    let (left, right) = (characters(left), characters(right));
    let mut rows = vec![(0..=right.len()).collect::<Vec<usize>>()];
    for i in 1..=left.len() {
        let mut row = vec![i];
        for j in 1..=right.len() {
            let same = usize::from(left[i - 1] != right[j - 1]);
            let mut best = (rows[i - 1][j - 1] + same).min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && left[i - 1] == right[j - 2] && left[i - 2] == right[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[left.len()][right.len()]
}
