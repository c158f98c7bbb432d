//! JSON lines: one document per line.
//!
//! ```text
//! {"id":"1","text":"aspirin use","entities":[{"label":"Chemical","fragments":[[0,7]],"text":"aspirin"}]}
//! ```
//!
//! An entity may also give `"start"` and `"end"` in place of `"fragments"`. Its `"text"`, the fragments' surfaces with a
//! space between, is optional and checked where it stands. `"offset"` (see [`Document`]) is optional. Offsets count
//! characters. Other fields are passed over.

use std::io::{self, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::collect::{Collector, Mention, Place};
use super::{ProblemKind, ReadError};
use crate::{Document, Fragment, Text};

#[derive(Serialize, Deserialize)]
struct Line {
    id: String,
    text: String,
    #[serde(default, skip_serializing_if = "is_zero")]
    offset: usize,
    #[serde(default)]
    entities: Vec<Annotation>,
}

#[derive(Serialize, Deserialize)]
struct Annotation {
    label: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    fragments: Option<Vec<(usize, usize)>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    start: Option<usize>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    end: Option<usize>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    text: Option<String>,
}

fn is_zero(offset: &usize) -> bool {
    *offset == 0
}

impl Annotation {
    fn fragments(&self) -> Option<Vec<Fragment>> {
        match (&self.fragments, self.start, self.end) {
            (Some(fragments), None, None) => Some(fragments.iter().map(|&(s, e)| Fragment::new(s, e)).collect()),
            (None, Some(start), Some(end)) => Some(vec![Fragment::new(start, end)]),
            _ => None,
        }
    }
}

/// Reads `content`, the text of `file`, into `out`.
pub(super) fn read(file: &Path, content: &str, out: &mut Collector<'_>) -> Result<(), ReadError> {
    for (number, line) in content.lines().enumerate() {
        if line.trim().is_empty() {
            continue;
        }
        let place = Place { file, line: number + 1, document: None };
        let Line { id, text, offset, entities: annotations } = match serde_json::from_str(line) {
            Ok(line) => line,
            Err(error) => {
                let found = format!("invalid JSON or a field amiss at column {} ({error})", error.column());
                out.corrupt(
                    place,
                    found,
                    r#"{"id":ID,"text":TEXT,"entities":[{"label":LABEL,"fragments":[[START,END]]}]}"#,
                )?;
                continue;
            }
        };
        let place = Place { document: Some(&id), ..place };
        let text = Text::new(text);
        let mut entities = Vec::new();
        for annotation in &annotations {
            let Some(fragments) = annotation.fragments() else {
                let found = format!("an entity {:?} without offsets, or with them twice", annotation.label);
                out.corrupt(place, found, r#"either "fragments" or "start" and "end""#)?;
                continue;
            };
            let mention = Mention { label: &annotation.label, fragments, annotated: annotation.text.as_deref() };
            out.mention(place, &text, mention, &mut entities)?;
        }
        out.document(place, Document { id: id.clone(), text, entities, offset })?;
    }
    Ok(())
}

/// Writes documents as JSON lines; [`Corpus::read`](super::Corpus::read) gives the same documents back.
///
/// Each entity's surface is written too, so that a later change of the text is noticed. Entities whose fragments lie
/// outside the text are an error of kind `InvalidData`.
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
            entities.push(Annotation {
                label: entity.label.clone(),
                fragments: Some(entity.fragments.iter().map(|f| (f.start, f.end)).collect()),
                start: None,
                end: None,
                text: Some(surfaces.join(" ")),
            });
        }
        let line = Line {
            id: document.id.clone(),
            text: document.text.as_str().to_owned(),
            offset: document.offset,
            entities,
        };
        serde_json::to_writer(&mut out, &line)?;
        out.write_all(b"\n")?;
    }
    Ok(())
}
