//! Which columns of a CoNLL file hold the word and the tag.

use std::path::Path;

use super::super::{Columns, ReadError};
use super::table::Table;
use super::tags::Tag;
use crate::quoted;

/// The columns of a file, or `None` for a file without rows.
///
/// Without the option `columns` two kinds of files are accepted, word first and tag last:
/// - files of two columns, unless all of the first column are tags;
/// - files of four columns with a `-DOCSTART-` line, as in CoNLL-2003, if all of the last column are tags.
///
/// # Errors
/// Any other file, and columns that are not there.
pub(super) fn choose(file: &Path, table: &Table<'_>, given: Option<Columns>) -> Result<Option<Columns>, ReadError> {
    let Some(first) = table.rows().next() else { return Ok(None) };
    let width = first.fields.len();
    if let Some(columns) = given {
        return match columns.word().max(columns.tag()) <= width {
            true => Ok(Some(columns)),
            false => Err(ReadError::NoSuchColumns { file: file.to_owned(), line: first.line, found: width, columns }),
        };
    }
    let tags = |column: &usize| table.rows().all(|row| Tag::parse(row.fields[column - 1]).is_some());
    let tags: Vec<usize> = (1..=width).filter(tags).collect();
    let why = match width {
        1 => "there is one column".to_owned(),
        2 if !tags.contains(&1) => return Ok(Columns::new(1, 2).ok()),
        4 if table.docstart && tags.contains(&4) && !tags.contains(&1) => return Ok(Columns::new(1, 4).ok()),
        2 => format!("all of column 1 ({} first) can be tags", quoted(first.fields[0])),
        _ => {
            let numbered = |(n, field): (usize, &&str)| format!("{n} {}", quoted(field));
            let fields: Vec<String> = (1..).zip(&first.fields).map(numbered).collect();
            format!("there are {width} columns ({})", fields.join(", "))
        }
    };
    let example = match (width, tags.as_slice()) {
        (1, _) => "after separating word and tag by a tab".to_owned(),
        (2, [1]) => "such as columns = { word = 2, tag = 1 } (--columns word=2,tag=1)".to_owned(),
        (_, [.., last]) => {
            let word = if *last == 1 { 2 } else { 1 };
            format!("such as columns = {{ word = {word}, tag = {last} }} (--columns word={word},tag={last})")
        }
        _ => format!("such as columns = {{ word = 1, tag = {width} }} (--columns word=1,tag={width})"),
    };
    Err(ReadError::UnknownColumns { file: file.to_owned(), line: first.line, why, example })
}
