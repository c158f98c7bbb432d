//! CoNLL: one word per line with its tag in a column, sentences separated by blank lines.
//!
//! ```text
//! Doses      O
//! of         O
//! naloxone   B-Chemical
//! ```
//!
//! - [`table`](self::table): lines, columns, comments and headers. Only a tab or ASCII spaces separate columns.
//! - [`columns`](self::columns): which columns hold the word and the tag.
//! - [`tags`](self::tags): tag schemes (IOB2, IOB1, BIOES, BILOU) and the mentions that they stand for.
//! - [`detokenise`](self::detokenise): words have no offsets, so a text is made from them, always the same one.
//!
//! Identifiers are `STEM:NUMBER`, the file's stem and the sentence's number. After a `###MEDLINE:ID` line they are
//! `ID:NUMBER`.

mod columns;
pub mod detokenise;
mod table;
mod tags;

use std::collections::HashMap;
use std::path::Path;

use self::detokenise::detokenise;
use self::table::{Item, Row};
use self::tags::{Letter, Mentions, Scheme, Tag};
use super::collect::{Collector, Mention, Place};
use super::{Columns, ReadError};
use crate::{Document, Fragment, Text, quoted};

pub(super) use self::table::sniff;

/// The label of mentions whose tags have none (`B`, `I`), where the options give no schema of one label.
const BARE: &str = "Entity";

/// Reads `content`, the text of `file`, into `out`.
pub(super) fn read(file: &Path, content: &str, out: &mut Collector<'_>) -> Result<(), ReadError> {
    let table = table::read(file, content, out)?;
    let Some(columns) = columns::choose(file, &table, out.options().columns)? else {
        return Ok(());
    };
    let tags: Vec<Option<Tag<'_>>> = table.rows().map(|row| Tag::parse(row.fields[columns.tag() - 1])).collect();
    let schema = out.options().schema.as_ref().map(crate::Schema::labels);
    let bare = match schema {
        Some([label]) => label.clone(),
        _ => BARE.to_owned(),
    };
    let stem = file.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
    let reader = Reader { file, columns, alphabet: Alphabet::of(&tags), scheme: Scheme::of(&table, &tags), bare };
    let mut numbers: HashMap<String, usize> = HashMap::new();
    let mut group = stem;
    let mut sentence: Vec<(&Row<'_>, Option<Tag<'_>>)> = Vec::new();
    let mut tags = tags.into_iter();
    for item in &table.items {
        match item {
            Item::Row(row) => sentence.push((row, tags.next().flatten())),
            Item::Break | Item::Document(_) => {
                reader.sentence(&group, &mut numbers, &std::mem::take(&mut sentence), out)?;
                if let Item::Document(id) = item {
                    group = (*id).to_owned();
                }
            }
        }
    }
    reader.sentence(&group, &mut numbers, &sentence, out)
}

/// What the tags of a file have in common. A tag that differs is a problem.
struct Alphabet {
    bare: bool,
    letters: &'static [Letter],
}

impl Alphabet {
    /// The first tag that is not `O` decides whether tags have labels; the first end tag decides between BIOES and BILOU.
    fn of(tags: &[Option<Tag<'_>>]) -> Alphabet {
        let found = || tags.iter().flatten().filter(|tag| tag.letter != Letter::Outside);
        let bilou = found().find(|tag| tag.letter.is_closing()).is_some_and(|tag| tag.letter.is_bilou());
        Alphabet {
            bare: found().next().is_some_and(|tag| tag.label.is_empty()),
            letters: if bilou { Letter::BILOU } else { Letter::BIOES },
        }
    }

    /// What is wrong with a tag.
    fn refuse(&self, tag: &Tag<'_>) -> Option<&'static str> {
        if tag.letter == Letter::Outside {
            None
        } else if !self.letters.contains(&tag.letter) {
            Some("the end tags of one scheme, BIOES or BILOU")
        } else if tag.label.is_empty() != self.bare {
            Some(if self.bare { "a tag without a label, as the others" } else { "a tag with a label, as the others" })
        } else {
            None
        }
    }
}

/// What one file is read with.
struct Reader<'f> {
    file: &'f Path,
    columns: Columns,
    alphabet: Alphabet,
    scheme: Scheme,
    /// The label of bare tags.
    bare: String,
}

impl Reader<'_> {
    /// Reads the rows of one sentence.
    fn sentence(
        &self,
        group: &str,
        numbers: &mut HashMap<String, usize>,
        rows: &[(&Row<'_>, Option<Tag<'_>>)],
        out: &mut Collector<'_>,
    ) -> Result<(), ReadError> {
        let mut words: Vec<&str> = Vec::new();
        let mut mentions = Mentions::new(self.scheme);
        for (row, tag) in rows {
            let place = Place { file: self.file, line: row.line, document: None };
            let (word, written) = (row.fields[self.columns.word() - 1], row.fields[self.columns.tag() - 1]);
            let wrong = match tag {
                None => Some((
                    format!("the tag {}", quoted(written)),
                    "O, B-LABEL or I-LABEL, or the tags of BIOES or BILOU",
                )),
                Some(tag) => {
                    self.alphabet.refuse(tag).map(|expected| (format!("the tag {}", quoted(written)), expected))
                }
            };
            let wrong = wrong.or_else(|| word.is_empty().then(|| ("an empty word".to_owned(), "a word and its tag")));
            match (wrong, tag) {
                (None, Some(tag)) => {
                    mentions.push(place, *tag, words.len(), out)?;
                    words.push(word);
                }
                (Some((found, expected)), _) => {
                    out.corrupt(place, found, expected)?;
                    mentions.interrupt();
                }
                (None, None) => {}
            }
        }
        let (Some((first, _)), Some((last, _))) = (rows.first(), rows.last()) else { return Ok(()) };
        mentions.close(Place { file: self.file, line: last.line, document: None }, out)?;
        if words.is_empty() {
            return Ok(());
        }
        let number = numbers.entry(group.to_owned()).or_default();
        *number += 1;
        let id = format!("{group}:{number}");
        let (string, spans) = detokenise(&words);
        let text = Text::new(string);
        let place = Place { file: self.file, line: first.line, document: Some(&id) };
        let mut entities = Vec::new();
        for (label, words) in mentions.found() {
            let label = if label.is_empty() { self.bare.as_str() } else { label };
            let fragment = Fragment::new(spans[words.start].start, spans[words.end - 1].end);
            let mention = Mention { label, fragments: vec![fragment], annotated: None };
            out.mention(place, &text, mention, &mut entities)?;
        }
        out.document(place, Document { id: id.clone(), text, entities, offset: 0 })
    }
}
