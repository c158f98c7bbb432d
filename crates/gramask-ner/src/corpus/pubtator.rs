//! PubTator: a title line, an abstract line, then one line per mention; documents are set apart by empty lines.
//!
//! ```text
//! 227508|t|Naloxone reverses the antihypertensive effect of clonidine.
//! 227508|a|In unanesthetized, spontaneously hypertensive rats ...
//! 227508   0   8   Naloxone   Chemical   D009270
//! 227508   CID   D008750   D007022
//! ```
//!
//! The fields of a mention are separated by tabs. Offsets count characters of title, one separator, abstract. The separator is read as a line break, so that the
//! border stays known: [`sentences`](crate::sentences) cuts there. Relation lines (third line above) are not mentions.

use std::path::Path;

use super::ReadError;
use super::collect::{Collector, Mention, Place};
use crate::{Document, Entity, Fragment, Text};

const EXPECTED: &str = "ID|t|TITLE, ID|a|ABSTRACT, ID<TAB>START<TAB>END<TAB>MENTION<TAB>LABEL or a relation line";

/// The document under construction.
struct Open<'a> {
    id: &'a str,
    line: usize,
    title: &'a str,
    abstract_: Option<&'a str>,
    /// The text, once the first mention asks for it.
    text: Option<Text>,
    entities: Vec<Entity>,
}

impl Open<'_> {
    /// The text; complete, as all text lines come before the first mention.
    fn text(&mut self) -> &Text {
        let (title, abstract_) = (self.title, self.abstract_);
        self.text.get_or_insert_with(|| match abstract_ {
            Some(rest) if !rest.is_empty() => Text::new(format!("{title}\n{rest}")),
            _ => Text::new(title),
        })
    }
}

/// Reads `content`, the text of `file`, into `out`.
pub(super) fn read(file: &Path, content: &str, out: &mut Collector<'_>) -> Result<(), ReadError> {
    let mut open: Option<Open<'_>> = None;
    for (number, line) in content.lines().enumerate() {
        let line = line.trim_end_matches('\r');
        let document = open.as_ref().map(|open| open.id);
        let place = Place { file, line: number + 1, document };
        if line.is_empty() {
            close(file, &mut open, out)?;
        } else if let Some((id, part, text)) = text_line(line) {
            match (&mut open, part) {
                (_, "t") => {
                    close(file, &mut open, out)?;
                    open = Some(Open {
                        id,
                        line: number + 1,
                        title: text,
                        abstract_: None,
                        text: None,
                        entities: Vec::new(),
                    });
                }
                (Some(doc), _) if doc.id == id && doc.abstract_.is_none() && doc.text.is_none() => {
                    doc.abstract_ = Some(text);
                }
                _ => out.corrupt(
                    place,
                    format!("an abstract of {id:?} out of place"),
                    "one abstract line right behind the title line of the same ID",
                )?,
            }
        } else {
            annotation(place, line, open.as_mut(), out)?;
        }
    }
    close(file, &mut open, out)
}

fn close(file: &Path, open: &mut Option<Open<'_>>, out: &mut Collector<'_>) -> Result<(), ReadError> {
    let Some(mut doc) = open.take() else { return Ok(()) };
    doc.text();
    let text = doc.text.take().unwrap_or_default();
    let place = Place { file, line: doc.line, document: Some(doc.id) };
    out.document(place, Document { id: doc.id.to_owned(), text, entities: doc.entities, offset: 0 })
}

/// `ID|t|...` or `ID|a|...`, split.
fn text_line(line: &str) -> Option<(&str, &str, &str)> {
    let (id, rest) = line.split_once('|')?;
    let (part, text) = rest.split_once('|')?;
    (!id.is_empty() && !id.contains('\t') && (part == "t" || part == "a")).then_some((id, part, text))
}

fn annotation<'a>(
    place: Place<'_>,
    line: &'a str,
    open: Option<&mut Open<'a>>,
    out: &mut Collector<'_>,
) -> Result<(), ReadError> {
    let fields: Vec<&str> = line.split('\t').collect();
    let Some(doc) = open else {
        return out.corrupt(place, format!("{} before any title line", quote(line)), "ID|t|TITLE first");
    };
    if fields.len() >= 3 && fields[0] != doc.id {
        let found = format!("an annotation of document {:?}", fields[0]);
        return out.corrupt(place, found, format!("one of document {:?}, whose block this is", doc.id));
    }
    let relation = |name: &str| !name.is_empty() && name.chars().all(|c| c.is_alphabetic() || c == '_' || c == '-');
    if fields.len() >= 4 && relation(fields[1]) && fields[2].parse::<usize>().is_err() {
        return Ok(());
    }
    if fields.len() < 5 {
        let found = format!("{} with {} tab-separated fields", quote(line), fields.len());
        return out.corrupt(place, found, EXPECTED);
    }
    let (Ok(start), Ok(end)) = (fields[1].parse(), fields[2].parse()) else {
        let found = format!("the offsets {:?} and {:?}", fields[1], fields[2]);
        return out.corrupt(place, found, "two whole numbers, in characters");
    };
    if fields[4].is_empty() {
        return out.corrupt(place, "an empty label", EXPECTED);
    }
    let mention = Mention { label: fields[4], fragments: vec![Fragment::new(start, end)], annotated: Some(fields[3]) };
    doc.text();
    let Open { text, entities, .. } = doc;
    out.mention(place, text.get_or_insert_default(), mention, entities)
}

/// A line for an error message, not too long.
fn quote(line: &str) -> String {
    let short: String = line.chars().take(60).collect();
    if short.len() < line.len() { format!("{short:?}...") } else { format!("{short:?}") }
}

/// Whether the first non-empty line looks like PubTator.
pub(super) fn sniff(content: &str) -> bool {
    content.lines().find(|line| !line.is_empty()).is_some_and(|line| text_line(line).is_some())
}
