//! PubTator: a title line, an abstract line, then one line per mention.
//!
//! ```text
//! 227508|t|Naloxone reverses the antihypertensive effect of clonidine.
//! 227508|a|In unanesthetized, spontaneously hypertensive rats ...
//! 227508   0   8   Naloxone   Chemical   D009270
//! 227508   CID   D008750   D007022
//! ```
//!
//! Tabs separate the fields of a mention. Offsets count the characters of the title, one separator and the abstract. The
//! separator is read as a line break, so that [`sentences`](crate::sentences) cuts there. Blank lines mean nothing,
//! because each line names its document. The last line of the example is a relation, and relations are passed over.

use std::path::Path;

use super::ReadError;
use super::collect::{Collector, Mention, Place};
use crate::{Document, Entity, Fragment, Text, quoted};

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
        if line.trim_ascii().is_empty() {
            continue;
        }
        if let Some((id, part, text)) = text_line(line) {
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
                    format!("an abstract of {} out of place", quoted(id)),
                    "one abstract line right after the title line of the same ID",
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
        let found = format!("an annotation of document {}", quoted(fields[0]));
        return out.corrupt(place, found, format!("one of document {}, whose block this is", quoted(doc.id)));
    }
    if fields.len() >= 4 && is_relation(&fields, doc.text()) {
        return Ok(());
    }
    if fields.len() < 5 {
        let found = format!("{} with {} tab-separated fields", quote(line), fields.len());
        return out.corrupt(place, found, EXPECTED);
    }
    let (Ok(start), Ok(end)) = (fields[1].parse(), fields[2].parse()) else {
        let found = format!("the offsets {} and {}", quoted(fields[1]), quoted(fields[2]));
        return out.corrupt(place, found, "two whole numbers, in characters");
    };
    let mention = Mention { label: fields[4], fragments: vec![Fragment::new(start, end)], annotated: Some(fields[3]) };
    doc.text();
    let Open { text, entities, .. } = doc;
    out.mention(place, text.get_or_insert_default(), mention, entities)
}

/// Whether the fields are those of a relation: its type stands where a mention has its first offset.
///
/// The type may hold any characters (`CID`, `CPR:3`), and the arguments may be numbers (Gene identifiers). So a relation
/// is told from a mention with a damaged offset by the text: the fields are those of a mention where the fourth is the
/// text that ends at the offset in the third, or where both offsets are damaged numbers and the fourth is in the text.
fn is_relation(fields: &[&str], text: &Text) -> bool {
    if !fields[1].chars().any(char::is_alphabetic) || fields[3].is_empty() {
        return false;
    }
    let damaged = |field: &str| field.contains(|c: char| c.is_ascii_digit());
    let length = fields[3].chars().count();
    let mention = match fields[2].parse::<usize>() {
        Ok(end) => end.checked_sub(length).and_then(|start| text.slice(Fragment::new(start, end))) == Some(fields[3]),
        Err(_) => damaged(fields[1]) && damaged(fields[2]) && text.as_str().contains(fields[3]),
    };
    !(mention && fields.len() >= 5)
}

/// A line for an error message, not too long.
fn quote(line: &str) -> String {
    let short: String = line.chars().take(60).collect();
    quoted(&short) + if short.len() < line.len() { "..." } else { "" }
}

/// Whether the first line that is not blank looks like PubTator.
pub(super) fn sniff(content: &str) -> bool {
    content.lines().find(|line| !line.trim_ascii().is_empty()).is_some_and(|line| text_line(line).is_some())
}
