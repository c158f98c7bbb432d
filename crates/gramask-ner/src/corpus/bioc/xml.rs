//! BioC in XML.

use std::path::Path;

use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, XmlVersion};

use super::super::ReadError;
use super::super::collect::{Collector, Place};
use super::{Annotation, Stated, Stretch};
use crate::quoted;

/// Reads `content`, the text of `file`, into `out`.
pub(in super::super) fn read(file: &Path, content: &str, out: &mut Collector<'_>) -> Result<(), ReadError> {
    let mut reader = Reader::from_str(content);
    let mut lines = Lines { content, at: 0, line: 1 };
    let mut state = State::default();
    loop {
        let line = lines.at(reader.buffer_position() as usize);
        let place = Place { file, line, document: None };
        // Nothing after malformed XML can be read, so it is an error even where problems are passed over.
        let refuse = |found: String| Err(place.refuse(found, "well-formed XML in BioC"));
        match reader.read_event() {
            Err(error) => return refuse(format!("malformed XML ({error})")),
            Ok(Event::Eof) => {
                return match state.open.last() {
                    Some(name) => refuse(format!("the end of the file inside <{name}>")),
                    None => Ok(()),
                };
            }
            Ok(Event::Start(tag)) => {
                let name = tag.name().as_ref().to_owned();
                if let Err(found) = state.start(&name, &tag, line) {
                    return refuse(found);
                }
                state.open.push(name);
            }
            Ok(Event::Empty(tag)) => {
                let name = tag.name().as_ref().to_owned();
                if let Err(found) = state.start(&name, &tag, line) {
                    return refuse(found);
                }
                state.end(&name, place, out)?;
            }
            Ok(Event::End(_)) => {
                if let Some(name) = state.open.pop() {
                    state.end(&name, place, out)?;
                }
            }
            Ok(Event::Text(text)) => state.text += &text.xml10_content(),
            Ok(Event::CData(text)) => state.text += &text.xml10_content(),
            Ok(Event::GeneralRef(reference)) => match (&*reference, reference.resolve_char_ref()) {
                (_, Ok(Some(c))) => state.text.push(c),
                ("amp", _) => state.text.push('&'),
                ("lt", _) => state.text.push('<'),
                ("gt", _) => state.text.push('>'),
                ("quot", _) => state.text.push('"'),
                ("apos", _) => state.text.push('\''),
                (name, _) => return refuse(format!("the unknown entity &{name};")),
            },
            Ok(_) => {}
        }
    }
}

/// Counts lines up to ever later bytes.
struct Lines<'a> {
    content: &'a str,
    at: usize,
    line: usize,
}

impl Lines<'_> {
    fn at(&mut self, byte: usize) -> usize {
        self.line += self.content.as_bytes()[self.at..byte].iter().filter(|&&b| b == b'\n').count();
        self.at = byte;
        self.line
    }
}

/// What has been read of the open elements.
#[derive(Default)]
struct State {
    /// The names of the open elements.
    open: Vec<String>,
    /// The text since the last tag.
    text: String,
    document: Stated,
    document_line: usize,
    passage: Option<Part>,
    sentences: Vec<Stretch>,
    sentence: Option<Part>,
    annotation: Option<Annotation>,
    /// Whether the open infon is the label.
    is_label: bool,
}

/// A passage or a sentence under construction.
#[derive(Default)]
struct Part {
    line: usize,
    offset: Option<usize>,
    text: Option<String>,
}

impl State {
    fn start(&mut self, name: &str, tag: &BytesStart<'_>, line: usize) -> Result<(), String> {
        self.text.clear();
        match name {
            "document" => {
                self.document = Stated::default();
                self.document_line = line;
            }
            "passage" => self.passage = Some(Part { line, ..Part::default() }),
            "sentence" => self.sentence = Some(Part { line, ..Part::default() }),
            "annotation" => self.annotation = Some(Annotation { line, ..Annotation::default() }),
            "infon" => self.is_label = attribute(tag, "key")?.as_deref() == Some("type"),
            "location" => {
                let number = |name: &str| {
                    let value = attribute(tag, name)?.ok_or_else(|| format!("a <location> without \"{name}\""))?;
                    value.trim().parse().map_err(|_| format!("a <location> whose {name} is {}", quoted(&value)))
                };
                let location = (number("offset")?, number("length")?);
                if let Some(annotation) = &mut self.annotation {
                    annotation.locations.push(location);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn end(&mut self, name: &str, place: Place<'_>, out: &mut Collector<'_>) -> Result<(), ReadError> {
        let text = std::mem::take(&mut self.text);
        let parent = self.open.last().map_or("", String::as_str);
        match (name, parent) {
            ("id", "document") => self.document.id = text.trim().to_owned(),
            ("infon", "annotation") if self.is_label => {
                if let Some(annotation) = &mut self.annotation {
                    annotation.label = Some(text);
                }
            }
            ("text", "annotation") => {
                if let Some(annotation) = &mut self.annotation {
                    annotation.text = Some(text);
                }
            }
            ("offset" | "text", "passage" | "sentence") => {
                let part = if parent == "passage" { &mut self.passage } else { &mut self.sentence };
                let Some(part) = part else { return Ok(()) };
                if name == "text" {
                    part.text = Some(text);
                } else {
                    match text.trim().parse() {
                        Ok(offset) => part.offset = Some(offset),
                        Err(_) => out.corrupt(place, format!("the offset {}", quoted(&text)), "a whole number")?,
                    }
                }
            }
            ("annotation", _) => self.document.annotations.extend(self.annotation.take()),
            ("sentence", _) => {
                let stretch = self.sentence.take().and_then(|part| part.stretch(self.sentences.is_empty()));
                self.sentences.extend(stretch);
            }
            ("passage", _) => {
                let sentences = std::mem::take(&mut self.sentences);
                match self.passage.take().and_then(|part| part.stretch(true)) {
                    Some(stretch) => self.document.stretches.push(stretch),
                    None => self.document.stretches.extend(sentences),
                }
            }
            ("document", _) => {
                let document = std::mem::take(&mut self.document);
                if document.id.is_empty() {
                    return out.corrupt(place, "a document without an identifier", "<id> with text");
                }
                return document.finish(Place { line: self.document_line, ..place }, out);
            }
            _ => {}
        }
        Ok(())
    }
}

impl Part {
    fn stretch(self, fresh: bool) -> Option<Stretch> {
        Some(Stretch { line: self.line, offset: self.offset.unwrap_or(0), text: self.text?, fresh })
    }
}

/// The value of an attribute; the error is what was found.
fn attribute(tag: &BytesStart<'_>, name: &str) -> Result<Option<String>, String> {
    let damaged = |error: String| format!("a damaged attribute \"{name}\" ({error})");
    match tag.try_get_attribute(name).map_err(|error| damaged(error.to_string()))? {
        None => Ok(None),
        Some(attribute) => {
            let value = attribute.normalized_value(XmlVersion::Explicit1_0);
            Ok(Some(value.map_err(|error| damaged(error.to_string()))?.into_owned()))
        }
    }
}
