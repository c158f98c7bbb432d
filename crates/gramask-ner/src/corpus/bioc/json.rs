//! BioC in JSON.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use super::super::ReadError;
use super::super::collect::{Collector, Place};
use super::{Annotation, Stated, Stretch};

#[derive(Deserialize)]
struct Document {
    id: Value,
    passages: Vec<Passage>,
}

#[derive(Deserialize)]
struct Passage {
    offset: usize,
    #[serde(default)]
    text: Option<String>,
    #[serde(default)]
    annotations: Vec<Marked>,
    #[serde(default)]
    sentences: Vec<Passage>,
}

#[derive(Deserialize)]
struct Marked {
    #[serde(default)]
    infons: BTreeMap<String, Value>,
    #[serde(default)]
    text: Option<String>,
    #[serde(default)]
    locations: Vec<Location>,
}

#[derive(Deserialize)]
struct Location {
    offset: usize,
    length: usize,
}

const EXPECTED: &str = "a BioC collection, {\"documents\":[{\"id\":ID,\"passages\":[...]}]}, or one document per line";

/// Reads `content`, the text of `file`, into `out`.
///
/// A file holds a collection, a list of documents, or documents one after another, as PubTator exports them.
pub(in super::super) fn read(file: &Path, content: &str, out: &mut Collector<'_>) -> Result<(), ReadError> {
    let stream = serde_json::Deserializer::from_str(content).into_iter::<Value>();
    for value in stream {
        let value = match value {
            Ok(value) => value,
            Err(error) => {
                let place = Place { file, line: error.line().max(1), document: None };
                // Nothing after this place can be read, so this is an error even where problems are passed over.
                return Err(place.refuse(format!("no JSON at column {} ({error})", error.column()), EXPECTED));
            }
        };
        let documents = match value {
            Value::Array(documents) => documents,
            Value::Object(mut fields) => match fields.remove("documents").or_else(|| fields.remove("PubTator3")) {
                Some(Value::Array(documents)) => documents,
                Some(other) => vec![other],
                None => vec![Value::Object(fields)],
            },
            other => vec![other],
        };
        for value in documents {
            document(file, content, value, out)?;
        }
    }
    Ok(())
}

fn document(file: &Path, content: &str, value: Value, out: &mut Collector<'_>) -> Result<(), ReadError> {
    let id = match value.get("id") {
        Some(Value::String(id)) => Some(id.clone()),
        Some(Value::Number(id)) if id.is_i64() || id.is_u64() => Some(id.to_string()),
        _ => None,
    };
    // Values do not know their line, so the line of the identifier stands for that of the document.
    let quoted = |id: &String| Value::String(id.clone()).to_string();
    let at = id.as_ref().and_then(|id| content.find(&quoted(id)).or_else(|| content.find(id.as_str())));
    let line = 1 + at.map_or(0, |at| content[..at].matches('\n').count());
    let place = Place { file, line, document: id.as_deref() };
    let stated: Document = match serde_json::from_value(value) {
        Ok(stated) => stated,
        Err(error) => return out.corrupt(place, format!("no BioC document ({error})"), EXPECTED),
    };
    let Some(id) = id.clone() else {
        return out.corrupt(place, format!("the identifier {}", stated.id), "a string or a whole number");
    };
    let mut document = Stated { id, ..Stated::default() };
    for passage in stated.passages {
        passage.add(line, true, &mut document);
    }
    document.finish(place, out)
}

impl Passage {
    fn add(self, line: usize, fresh: bool, document: &mut Stated) {
        let whole = self.text.is_some();
        if let Some(text) = self.text {
            document.stretches.push(Stretch { line, offset: self.offset, text, fresh });
        }
        for (number, mut sentence) in self.sentences.into_iter().enumerate() {
            if whole {
                sentence.text = None;
            }
            sentence.add(line, fresh && number == 0, document);
        }
        for marked in self.annotations {
            let label = marked.infons.get("type").and_then(Value::as_str).map(str::to_owned);
            let locations = marked.locations.iter().map(|location| (location.offset, location.length)).collect();
            document.annotations.push(Annotation { line, label, locations, text: marked.text });
        }
    }
}
