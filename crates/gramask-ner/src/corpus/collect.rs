//! What all readers share: comparing entities with the text, duplicates, labels, and what happens at a problem.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;

use super::{Corpus, OnProblem, Options, Problem, ProblemKind, ReadError, Unit};
use crate::{Document, Entity, Fragment, Schema, Text};

/// A place in a corpus, with which a problem is reported.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub file: &'a Path,
    /// From 1.
    pub line: usize,
    pub document: Option<&'a str>,
}

impl Place<'_> {
    /// The error that nothing after this place can be read.
    pub fn refuse(&self, found: impl Into<String>, expected: impl Into<String>) -> ReadError {
        let kind = ProblemKind::Corrupt { found: found.into(), expected: expected.into() };
        ReadError::Problem(Box::new(self.problem(kind)))
    }

    fn problem(&self, kind: ProblemKind) -> Problem {
        Problem { file: self.file.to_owned(), line: self.line, document: self.document.map(str::to_owned), kind }
    }
}

/// An annotation as a file states it, before it is compared with the text.
pub(super) struct Mention<'a> {
    pub label: &'a str,
    /// In the file's order.
    pub fragments: Vec<Fragment>,
    /// The annotated string, where the form has one: the fragments' surfaces in the file's order, a space between.
    pub annotated: Option<&'a str>,
}

/// Gathers documents and problems.
pub(super) struct Collector<'o> {
    options: &'o Options,
    documents: Vec<Document>,
    /// Identifier to index in `documents`.
    seen: HashMap<String, usize>,
    labels: BTreeSet<String>,
    /// The labels of the file, before renaming.
    written_labels: BTreeSet<String>,
    problems: Vec<Problem>,
}

impl<'o> Collector<'o> {
    pub fn new(options: &'o Options) -> Self {
        Collector {
            options,
            documents: Vec::new(),
            seen: HashMap::new(),
            labels: BTreeSet::new(),
            written_labels: BTreeSet::new(),
            problems: Vec::new(),
        }
    }

    /// How the corpus is read.
    pub fn options(&self) -> &'o Options {
        self.options
    }

    /// Records a problem, or stops at it. A note is recorded in any case.
    pub fn problem(&mut self, place: Place<'_>, kind: ProblemKind) -> Result<(), ReadError> {
        let problem = place.problem(kind);
        match self.options.on_problem {
            OnProblem::Stop if !problem.kind.is_note() => Err(ReadError::Problem(Box::new(problem))),
            _ => {
                self.problems.push(problem);
                Ok(())
            }
        }
    }

    /// A line that is not of the file's form.
    pub fn corrupt(
        &mut self,
        place: Place<'_>,
        found: impl Into<String>,
        expected: impl Into<String>,
    ) -> Result<(), ReadError> {
        self.problem(place, ProblemKind::Corrupt { found: found.into(), expected: expected.into() })
    }

    /// Compares a mention with the text and adds its entity to `entities`.
    pub fn mention(
        &mut self,
        place: Place<'_>,
        text: &Text,
        mention: Mention<'_>,
        entities: &mut Vec<Entity>,
    ) -> Result<(), ReadError> {
        let Mention { label, fragments, annotated } = mention;
        let surfaces: Option<Vec<&str>> = fragments.iter().map(|&fragment| text.slice(fragment)).collect();
        let mut sorted = fragments.clone();
        sorted.sort();
        let overlapping = sorted.windows(2).any(|pair| pair[0].overlaps(&pair[1]));
        let surfaces = match surfaces {
            Some(surfaces) if !surfaces.is_empty() && !overlapping => surfaces,
            _ => {
                return self.problem(place, ProblemKind::BadFragments { fragments, length: text.len() });
            }
        };
        if let Some(annotated) = annotated {
            let found = surfaces.join(" ");
            if !same(annotated, &found) {
                let kept = same(annotated.trim(), found.trim());
                let annotated = annotated.to_owned();
                self.problem(place, ProblemKind::Mismatch { fragments, annotated, found, kept })?;
                if !kept {
                    return Ok(());
                }
            }
        }
        if !self.written_labels.contains(label) {
            self.written_labels.insert(label.to_owned());
        }
        let label = self.options.rename.get(label).map_or(label, String::as_str);
        if label.trim().is_empty() {
            return self.corrupt(place, "an empty label", "the name of a label");
        }
        if let Some(schema) = &self.options.schema
            && schema.index(label).is_none()
        {
            let kind = ProblemKind::UnknownLabel { label: label.to_owned(), known: schema.labels().to_vec() };
            return self.problem(place, kind);
        }
        let entity = Entity { label: label.to_owned(), fragments: sorted };
        if entities.contains(&entity) {
            return self.problem(place, ProblemKind::DuplicateEntity { entity: entity.to_string() });
        }
        entities.push(entity);
        Ok(())
    }

    /// Takes a finished document. A second one with the same identifier is left out where it says the same, else it
    /// gets an identifier of its own: no document is lost and identifiers stay unique.
    pub fn document(&mut self, place: Place<'_>, mut document: Document) -> Result<(), ReadError> {
        if let Some(&first) = self.seen.get(&document.id) {
            let first = &self.documents[first];
            let same = first.text == document.text && first.entities == document.entities;
            let kept_as = (!same).then(|| {
                let fresh = |n: &usize| !self.seen.contains_key(&format!("{}#{n}", document.id));
                let number = (2..).find(fresh).unwrap_or(usize::MAX);
                format!("{}#{number}", document.id)
            });
            let entities = document.entities.len();
            self.problem(place, ProblemKind::DuplicateDocument { entities, kept_as: kept_as.clone() })?;
            match kept_as {
                Some(id) => document.id = id,
                None => return Ok(()),
            }
        }
        self.labels.extend(document.entities.iter().map(|entity| entity.label.clone()));
        self.seen.insert(document.id.clone(), self.documents.len());
        self.documents.push(document);
        Ok(())
    }

    /// How many documents there are so far.
    pub fn len(&self) -> usize {
        self.documents.len()
    }

    /// The corpus, entities in document order. `place` is the beginning of its file or folder.
    pub fn finish(mut self, place: Place<'_>, name: String, unit: Unit) -> (Corpus, Vec<Problem>) {
        for label in self.options.rename.keys().filter(|label| !self.written_labels.contains(*label)) {
            let known = self.written_labels.iter().cloned().collect();
            self.problems.push(place.problem(ProblemKind::UnusedRename { label: label.clone(), known }));
        }
        let schema = self.options.schema.clone().unwrap_or_else(|| Schema::new(self.labels));
        let mut documents = self.documents;
        for document in &mut documents {
            schema.sort(&mut document.entities);
        }
        (Corpus { name, schema, unit, documents }, self.problems)
    }
}

/// Whether two strings are the same, all white space being alike: forms write a line break in a mention as a space.
fn same(a: &str, b: &str) -> bool {
    let plain = |c: char| if c.is_whitespace() { ' ' } else { c };
    a.chars().map(plain).eq(b.chars().map(plain))
}
