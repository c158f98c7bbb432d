//! `writing.toml`: what the writer writes, which every other implementation accepts.
//!
//! With `GRAMASK_BLESS=1` the outputs are written anew; look at the difference before you believe it.

use std::fmt::Write;

use gramask_grammar::{Edits, Level, Program};
use gramask_ner::{Entity, Fragment, Text};
use serde::Deserialize;

use super::{accepts, load, path};
use crate::support::formats;

#[derive(Deserialize)]
struct File {
    document: Vec<Document>,
    case: Vec<Case>,
}

#[derive(Deserialize)]
struct Document {
    name: String,
    text: String,
    labels: Vec<String>,
    /// As the label, and each fragment's first and last character.
    entities: Vec<(String, Vec<(usize, usize)>)>,
}

#[derive(Deserialize)]
struct Case {
    format: String,
    document: String,
    /// One output for each pass.
    outputs: Vec<String>,
    /// Entities that the format can't express, with the reason.
    #[serde(default)]
    unexpressed: Vec<String>,
}

impl Document {
    fn entities(&self) -> Vec<Entity> {
        let fragments = |at: &[(usize, usize)]| at.iter().map(|(start, end)| Fragment::new(*start, *end)).collect();
        self.entities.iter().map(|(label, at)| Entity::discontinuous(label.as_str(), fragments(at))).collect()
    }

    /// What the writer makes of the document.
    fn written(&self, format: &str) -> Case {
        let labels: Vec<&str> = self.labels.iter().map(String::as_str).collect();
        let (text, entities) = (Text::new(self.text.as_str()), self.entities());
        let passes = formats::passes(format, &labels);
        let outputs = passes.iter().map(|program| program.write(&text, &entities).unwrap().text).collect();
        let unexpressed = Program::unexpressed(&passes, &text, &entities).unwrap();
        let unexpressed = unexpressed.iter().map(|(entity, reason)| format!("{entity}: {reason}")).collect();
        Case { format: format.to_owned(), document: self.name.clone(), outputs, unexpressed }
    }
}

/// The file again, with the outputs of today's writer.
fn bless() {
    let file = path("writing.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let mut text = text.split("\n[[case]]").next().unwrap().trim_end().to_owned() + "\n";
    let documents: File = toml::from_str(&format!("case = []\n{text}")).unwrap();
    for format in gramask_grammar::Format::builtin() {
        for document in &documents.document {
            let case = document.written(format);
            let quoted = |texts: &[String]| texts.iter().map(|text| format!("{text:?}")).collect::<Vec<_>>().join(", ");
            let _ = write!(text, "\n[[case]]\nformat = {format:?}\ndocument = {:?}\n", case.document);
            let _ = writeln!(text, "outputs = [{}]", quoted(&case.outputs));
            if !case.unexpressed.is_empty() {
                let _ = writeln!(text, "unexpressed = [{}]", quoted(&case.unexpressed));
            }
        }
    }
    std::fs::write(file, text).unwrap();
}

#[test]
fn every_implementation_agrees_with_the_writer() {
    if std::env::var_os("GRAMASK_BLESS").is_some() {
        bless();
    }
    let file: File = load("writing.toml");
    assert_eq!(file.case.len(), gramask_grammar::Format::builtin().count() * file.document.len());
    for case in &file.case {
        let document = file.document.iter().find(|document| document.name == case.document);
        let document = document.unwrap_or_else(|| panic!("no document `{}`", case.document));
        let place = format!("{} of {}", case.format, case.document);
        let written = document.written(&case.format);
        assert_eq!((&written.outputs, &written.unexpressed), (&case.outputs, &case.unexpressed), "{place}");

        let labels: Vec<&str> = document.labels.iter().map(String::as_str).collect();
        let text = Text::new(document.text.as_str());
        let mut read = Vec::new();
        for (program, output) in formats::passes(&case.format, &labels).iter().zip(&case.outputs) {
            let reading = program.read(&text, output.as_bytes()).unwrap_or_else(|error| panic!("{place}: {error}"));
            assert_eq!(reading.problems, [], "{place}");
            for level in [Level::Syntax, Level::Grounded] {
                assert!(accepts(program, &document.text, level, output), "{place} at {level}: {output:?}");
            }
            let repaired = program.repair(&text, output.as_bytes());
            assert_eq!((&repaired.text, &repaired.entities), (output, &reading.entities), "{place}");
            assert_eq!(repaired.edits, Edits::default(), "{place}");
            read.extend(reading.entities);
        }
        // All of them read back, but those that the format can't express.
        let missing: Vec<String> =
            document.entities().iter().filter(|entity| !read.contains(entity)).map(Entity::to_string).collect();
        let unexpressed = |entity: &String| case.unexpressed.iter().any(|said| said.starts_with(&format!("{entity}:")));
        assert!(missing.iter().all(unexpressed), "{place}: {missing:?} are lost");
    }
}
