//! JSON lines: one document per line.
//!
//! ```text
//! {"id":"1","text":"aspirin use","entities":[{"label":"Chemical","fragments":[[0,7]],"text":"aspirin"}]}
//! {"id":2,"text":"aspirin use","entities":[{"label":"Chemical","start":0,"end":7}]}
//! {"id":3,"text":"aspirin use","label":[[0,7,"Chemical"]]}
//! {"id":4,"text":"aspirin use","entities":[{"id":9,"label":"Chemical","start_offset":0,"end_offset":7}]}
//! ```
//!
//! The third and fourth line are as Doccano exports them, without and with relations. `"id"` is a string or a whole number. An
//! entity's `"text"`, the fragments' surfaces with a space between, is optional, and is checked if it is given. `"offset"` (see
//! [`Document`]) is optional. Offsets count characters. Other fields are passed over. But a line without `"entities"` and without
//! `"label"` is a problem, because its gold entities may be in a field that this reader does not know.

use std::io::{self, Write};
use std::path::Path;

use serde::Serialize;
use serde_json::{Map, Value};

use super::collect::{Collector, Mention, Place};
use super::{ProblemKind, ReadError};
use crate::{Document, Fragment, Text, quoted};

const LINE: &str = r#"{"id":ID,"text":TEXT,"entities":[{"label":LABEL,"fragments":[[START,END]]}]}"#;
const ENTITY: &str = r#"{"label":LABEL,"fragments":[[START,END]]}, or "start" and "end""#;

/// What was found, and what would be right.
type Wrong = (String, &'static str);

/// An entity as a line states it.
struct Annotation {
    label: String,
    fragments: Vec<Fragment>,
    text: Option<String>,
}

/// Reads `content`, the text of `file`, into `out`.
pub(super) fn read(file: &Path, content: &str, out: &mut Collector<'_>) -> Result<(), ReadError> {
    for (number, line) in content.lines().enumerate() {
        if line.trim_ascii().is_empty() {
            continue;
        }
        let place = Place { file, line: number + 1, document: None };
        let fields: Map<String, Value> = match serde_json::from_str(line) {
            Ok(fields) => fields,
            Err(error) => {
                out.corrupt(place, format!("no JSON object at column {} ({error})", error.column()), LINE)?;
                continue;
            }
        };
        match document(place, &fields, out)? {
            Ok(()) => {}
            Err((found, expected)) => out.corrupt(place, found, expected)?,
        }
    }
    Ok(())
}

/// Reads one document; the inner error is about the line as a whole.
fn document(
    place: Place<'_>,
    fields: &Map<String, Value>,
    out: &mut Collector<'_>,
) -> Result<Result<(), Wrong>, ReadError> {
    let (id, text, offset, annotations) = match parts(fields) {
        Ok(parts) => parts,
        Err(wrong) => return Ok(Err(wrong)),
    };
    let place = Place { document: Some(&id), ..place };
    let text = Text::new(text);
    let mut entities = Vec::new();
    for annotation in annotations {
        match annotation {
            Ok(Annotation { label, fragments, text: annotated }) => {
                let mention = Mention { label: &label, fragments, annotated: annotated.as_deref() };
                out.mention(place, &text, mention, &mut entities)?;
            }
            Err((found, expected)) => out.corrupt(place, found, expected)?,
        }
    }
    out.document(place, Document { id: id.clone(), text, entities, offset })?;
    Ok(Ok(()))
}

type Parts<'a> = (String, &'a str, usize, Vec<Result<Annotation, Wrong>>);

/// Identifier, text, offset and annotations of a line.
fn parts(fields: &Map<String, Value>) -> Result<Parts<'_>, Wrong> {
    let id = match fields.get("id") {
        Some(Value::String(id)) => id.clone(),
        Some(Value::Number(id)) if id.is_i64() || id.is_u64() => id.to_string(),
        Some(other) => return Err((format!("the identifier {other}"), r#""id": a string or a whole number"#)),
        None => return Err((format!("no field \"id\" among {}", names(fields)), LINE)),
    };
    let text = match fields.get("text") {
        Some(Value::String(text)) => text,
        Some(other) => return Err((format!("the text {other}"), r#""text": a string"#)),
        None => return Err((format!("no field \"text\" among {}", names(fields)), LINE)),
    };
    let offset = match fields.get("offset") {
        None => 0,
        Some(offset) => whole(offset).ok_or((format!("the offset {offset}"), r#""offset": a whole number"#))?,
    };
    let annotations = match (fields.get("entities"), fields.get("label")) {
        (Some(Value::Array(entities)), None) => entities.iter().map(entity).collect(),
        (None, Some(Value::Array(labels))) => labels.iter().map(doccano).collect(),
        (Some(_), Some(_)) => {
            return Err(("both fields \"entities\" and \"label\"".to_owned(), "the entities in one of them"));
        }
        (Some(other), None) => return Err((format!("\"entities\": {other}"), r#""entities": a list"#)),
        (None, Some(other)) => {
            return Err((format!("\"label\": {other}"), r#""label": [[START,END,LABEL]], as Doccano writes it"#));
        }
        (None, None) => {
            let found = format!("no field \"entities\" among {}", names(fields));
            return Err((found, r#""entities", which is [] for a document without any"#));
        }
    };
    Ok((id, text, offset, annotations))
}

/// The names of the fields, for a message.
fn names(fields: &Map<String, Value>) -> String {
    let names: Vec<String> = fields.keys().map(|name| quoted(name)).collect();
    if names.is_empty() { "no fields".to_owned() } else { names.join(", ") }
}

fn whole(value: &Value) -> Option<usize> {
    value.as_u64().and_then(|number| usize::try_from(number).ok())
}

/// An entity that is an object.
fn entity(value: &Value) -> Result<Annotation, Wrong> {
    let wrong = |what: &str| (format!("an entity {what}: {value}"), ENTITY);
    let Some(Value::String(label)) = value.get("label") else { return Err(wrong("whose label is not a string")) };
    let text = match value.get("text") {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) => Some(text.clone()),
        Some(_) => return Err(wrong("whose text is not a string")),
    };
    let ends = |start: &str, end: &str| match (value.get(start), value.get(end)) {
        (None, None) => Ok(None),
        (Some(start), Some(end)) => match (whole(start), whole(end)) {
            (Some(start), Some(end)) => Ok(Some(vec![Fragment::new(start, end)])),
            _ => Err(wrong("whose offsets are not whole numbers")),
        },
        _ => Err(wrong("without offsets")),
    };
    let listed = match value.get("fragments") {
        None => None,
        Some(list) => Some(pairs(list).ok_or_else(|| wrong("whose fragments are not pairs of whole numbers"))?),
    };
    let given = [listed, ends("start", "end")?, ends("start_offset", "end_offset")?];
    let mut given = given.into_iter().flatten();
    match (given.next(), given.next()) {
        (Some(fragments), None) => Ok(Annotation { label: label.clone(), fragments, text }),
        (None, _) => Err(wrong("without offsets")),
        (Some(_), Some(_)) => Err(wrong("with offsets in two ways")),
    }
}

fn pairs(list: &Value) -> Option<Vec<Fragment>> {
    let pair = |pair: &Value| match pair.as_array()?.as_slice() {
        [start, end] => Some(Fragment::new(whole(start)?, whole(end)?)),
        _ => None,
    };
    list.as_array()?.iter().map(pair).collect()
}

/// An entity in Doccano's field `label`: `[START,END,LABEL]`.
fn doccano(value: &Value) -> Result<Annotation, Wrong> {
    let parts = value.as_array().map(Vec::as_slice);
    if let Some([start, end, Value::String(label)]) = parts
        && let (Some(start), Some(end)) = (whole(start), whole(end))
    {
        return Ok(Annotation { label: label.clone(), fragments: vec![Fragment::new(start, end)], text: None });
    }
    Err((format!("in field \"label\" the entity {value}"), "[START,END,LABEL], as Doccano writes it"))
}

/// A line as it is written.
#[derive(Serialize)]
struct Line<'a> {
    id: &'a str,
    text: &'a str,
    #[serde(skip_serializing_if = "is_zero")]
    offset: usize,
    entities: Vec<WrittenEntity<'a>>,
}

#[derive(Serialize)]
struct WrittenEntity<'a> {
    label: &'a str,
    fragments: Vec<(usize, usize)>,
    text: String,
}

fn is_zero(offset: &usize) -> bool {
    *offset == 0
}

/// Writes documents as JSON lines; [`Corpus::read`](super::Corpus::read) gives the same documents back.
///
/// Each entity's surface is written too, so that a later change of the text is noticed. An entity with a fragment outside
/// the text is an error of kind `InvalidData`.
///
/// ```
/// use gramask_ner::{Document, Entity, corpus::write_jsonl};
/// let document = Document::new("7", "β-carotene").with_entities(vec![Entity::new("Chemical", 0, 10)]);
/// let mut out = Vec::new();
/// write_jsonl(&mut out, [&document])?;
/// assert_eq!(String::from_utf8_lossy(&out).trim_end(),
///     r#"{"id":"7","text":"β-carotene","entities":[{"label":"Chemical","fragments":[[0,10]],"text":"β-carotene"}]}"#);
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn write_jsonl<'a>(mut out: impl Write, documents: impl IntoIterator<Item = &'a Document>) -> io::Result<()> {
    for document in documents {
        let mut entities = Vec::new();
        for entity in &document.entities {
            let surfaces: Option<Vec<&str>> = entity.fragments.iter().map(|&f| document.text.slice(f)).collect();
            let Some(surfaces) = surfaces else {
                let kind =
                    ProblemKind::BadFragments { fragments: entity.fragments.clone(), length: document.text.len() };
                return Err(io::Error::new(io::ErrorKind::InvalidData, format!("document {}: {kind}", document.id)));
            };
            entities.push(WrittenEntity {
                label: &entity.label,
                fragments: entity.fragments.iter().map(|f| (f.start, f.end)).collect(),
                text: surfaces.join(" "),
            });
        }
        let line = Line { id: &document.id, text: document.text.as_str(), offset: document.offset, entities };
        serde_json::to_writer(&mut out, &line)?;
        out.write_all(b"\n")?;
    }
    Ok(())
}
