//! The lines of a CoNLL file: rows with their columns, comments, headers and blank lines.

use std::path::Path;

use super::super::ReadError;
use super::super::collect::{Collector, Place};
use super::tags::Tag;
use crate::quoted;

/// A file as rows.
pub(super) struct Table<'a> {
    /// Rows of equal length, and what separates sentences and documents.
    pub items: Vec<Item<'a>>,
    /// Whether there is a `-DOCSTART-` line, which only the four columns of CoNLL-2003 have in rows of that length.
    pub docstart: bool,
}

impl<'a> Table<'a> {
    /// The rows.
    pub fn rows(&self) -> impl Iterator<Item = &Row<'a>> {
        self.items.iter().filter_map(|item| match item {
            Item::Row(row) => Some(row),
            _ => None,
        })
    }
}

/// A line of a file that means something.
pub(super) enum Item<'a> {
    /// A word.
    Row(Row<'a>),
    /// The end of a sentence.
    Break,
    /// The end of a sentence, and the identifier of the document that begins (`###MEDLINE:95369245`).
    Document(&'a str),
}

/// A line with a word.
pub(super) struct Row<'a> {
    /// The line, from 1.
    pub line: usize,
    /// The columns, without spaces at their ends.
    pub fields: Vec<&'a str>,
}

/// What separates the columns of a file.
#[derive(Clone, Copy, PartialEq)]
enum Separator {
    /// One tab.
    Tab,
    /// One or more ASCII spaces.
    Spaces,
}

impl Separator {
    /// A tab, if the first row has one.
    fn of(content: &str) -> Separator {
        let row = |line: &&str| {
            !is_blank(line) && !line.starts_with("-DOCSTART-") && (!line.starts_with('#') || line.contains('\t'))
        };
        match content.lines().find(row) {
            Some(line) if line.contains('\t') => Separator::Tab,
            _ => Separator::Spaces,
        }
    }

    /// The columns of a line.
    fn split(self, line: &str) -> Vec<&str> {
        match self {
            Separator::Tab => line.split('\t').map(|field| field.trim_matches([' ', '\r'])).collect(),
            Separator::Spaces => line.split([' ', '\r']).filter(|field| !field.is_empty()).collect(),
        }
    }

    fn in_words(self) -> &'static str {
        match self {
            Separator::Tab => "separated by tabs",
            Separator::Spaces => "separated by spaces",
        }
    }
}

fn is_blank(line: &str) -> bool {
    line.trim_matches([' ', '\t', '\r']).is_empty()
}

/// A `###MEDLINE:ID` line's identifier.
fn header(line: &str) -> Option<&str> {
    let id = line.strip_prefix("###MEDLINE:")?.trim_ascii();
    (!id.is_empty() && !id.contains(['\t', ' '])).then_some(id)
}

/// What a line that begins with `#` is.
enum Hash {
    Comment,
    Row,
    Unsure,
}

/// Tells a comment from a row. A comment stands before the first word of a sentence and begins with `#`.
/// - In a file with tabs a comment has no tab.
/// - In a file with spaces a comment begins with `# `, and has another number of columns than the rows, or no tag in the
///   column of the tag. In a file of two columns, `# O` is the word `#`; with more columns such a line is refused.
fn hash(line: &str, separator: Separator, width: Option<usize>, tag: Option<usize>) -> Hash {
    if separator == Separator::Tab {
        return if line.contains('\t') { Hash::Row } else { Hash::Comment };
    }
    if !line.starts_with("# ") && line != "#" {
        return Hash::Row;
    }
    let fields = separator.split(line);
    if width != Some(fields.len()) {
        return Hash::Comment;
    }
    let tagged = fields.get(tag.unwrap_or(fields.len()) - 1).is_some_and(|field| Tag::parse(field).is_some());
    match (tagged, fields.len()) {
        (false, _) => Hash::Comment,
        (true, 2) => Hash::Row,
        (true, _) => Hash::Unsure,
    }
}

/// Reads the lines of a file. All rows have as many columns as the first one; others are problems.
pub(super) fn read<'a>(file: &Path, content: &'a str, out: &mut Collector<'_>) -> Result<Table<'a>, ReadError> {
    let separator = Separator::of(content);
    let is_word = |line: &&str| !is_blank(line) && !line.starts_with("-DOCSTART-") && !line.starts_with('#');
    let width = content.lines().find(is_word).map(|line| separator.split(line).len());
    let tag = out.options().columns.map(|columns| columns.tag());
    let mut table = Table { items: Vec::new(), docstart: false };
    let mut first: Option<(usize, usize)> = None;
    let mut inside = false;
    for (number, line) in content.lines().enumerate() {
        let place = Place { file, line: number + 1, document: None };
        if is_blank(line) || line.starts_with("-DOCSTART-") {
            table.docstart |= line.starts_with("-DOCSTART-");
            table.items.push(Item::Break);
            inside = false;
            continue;
        }
        if let Some(id) = header(line) {
            table.items.push(Item::Document(id));
            inside = false;
            continue;
        }
        if line.starts_with('#') && !inside {
            match hash(line, separator, width, tag) {
                Hash::Comment => continue,
                Hash::Row => {}
                Hash::Unsure => {
                    let found = format!("{}, which is a comment or the word \"#\"", quoted(line));
                    out.corrupt(place, found, "a comment with another number of words, or columns separated by tabs")?;
                    continue;
                }
            }
        }
        inside = true;
        let fields = separator.split(line);
        let &mut (first_line, first_width) = first.get_or_insert((place.line, fields.len()));
        if fields.len() == first_width {
            table.items.push(Item::Row(Row { line: place.line, fields }));
        } else {
            let found = format!("{} with {}", quoted(line), columns(fields.len()));
            let expected = format!("{} {}, as in line {first_line}", columns(first_width), separator.in_words());
            out.corrupt(place, found, expected)?;
        }
    }
    Ok(table)
}

fn columns(count: usize) -> String {
    if count == 1 { "1 column".to_owned() } else { format!("{count} columns") }
}

/// Whether the first lines are rows of equal length with a column of tags.
pub(in super::super) fn sniff(content: &str) -> bool {
    let separator = Separator::of(content);
    let word = |line: &&str| !is_blank(line) && !line.starts_with("-DOCSTART-") && !line.starts_with('#');
    let rows: Vec<Vec<&str>> = content.lines().filter(word).take(50).map(|line| separator.split(line)).collect();
    let Some(width) = rows.first().map(Vec::len) else { return false };
    let tags = |column: usize| rows.iter().all(|row| Tag::parse(row[column]).is_some());
    width >= 2 && rows.iter().all(|row| row.len() == width) && (0..width).any(tags)
}
