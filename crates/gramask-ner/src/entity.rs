//! Entities, fragments and schemas.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A stretch `start..end` of a document, half-open, in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Fragment {
    /// The first character.
    pub start: usize,
    /// One past the last character.
    pub end: usize,
}

impl Fragment {
    /// The fragment `start..end`.
    pub fn new(start: usize, end: usize) -> Self {
        Fragment { start, end }
    }

    /// Whether the two share a character.
    pub fn overlaps(&self, other: &Fragment) -> bool {
        self.start < other.end && other.start < self.end
    }
}

impl fmt::Display for Fragment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..{}", self.start, self.end)
    }
}

/// A label and the fragments that bear it, left to right; a discontinuous entity has more than one.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Entity {
    /// The label, as in the schema.
    pub label: String,
    /// The fragments, in text order, not overlapping.
    pub fragments: Vec<Fragment>,
}

impl Entity {
    /// A contiguous entity.
    pub fn new(label: impl Into<String>, start: usize, end: usize) -> Self {
        Entity { label: label.into(), fragments: vec![Fragment::new(start, end)] }
    }

    /// An entity of several fragments, which are put in text order.
    pub fn discontinuous(label: impl Into<String>, mut fragments: Vec<Fragment>) -> Self {
        fragments.sort();
        Entity { label: label.into(), fragments }
    }

    /// The first character of the first fragment (0 where there is none).
    pub fn start(&self) -> usize {
        self.fragments.first().map_or(0, |fragment| fragment.start)
    }

    /// One past the last character of the last fragment (0 where there is none).
    pub fn end(&self) -> usize {
        self.fragments.last().map_or(0, |fragment| fragment.end)
    }

    /// The stretch from the first character to the last.
    pub fn extent(&self) -> Fragment {
        Fragment::new(self.start(), self.end())
    }
}

impl fmt::Display for Entity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.label)?;
        for (i, fragment) in self.fragments.iter().enumerate() {
            write!(f, "{}{fragment}", if i == 0 { " " } else { ";" })?;
        }
        Ok(())
    }
}

/// The ordered entity labels of a corpus.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schema {
    labels: Vec<String>,
}

impl Schema {
    /// A schema of these labels, in this order; a label that comes again is left out.
    pub fn new<S: Into<String>>(labels: impl IntoIterator<Item = S>) -> Self {
        let mut schema = Schema { labels: Vec::new() };
        for label in labels {
            let label = label.into();
            if schema.index(&label).is_none() {
                schema.labels.push(label);
            }
        }
        schema
    }

    /// The labels, in order.
    pub fn labels(&self) -> &[String] {
        &self.labels
    }

    /// How many labels there are.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there is no label.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// The place of a label in the order.
    pub fn index(&self, label: &str) -> Option<usize> {
        self.labels.iter().position(|known| known == label)
    }

    /// Sorts entities in document order: by start, then longer first, then by label in schema order, then by fragments.
    pub fn sort(&self, entities: &mut [Entity]) {
        entities.sort_by(|a, b| self.key(a).cmp(&self.key(b)));
    }

    fn key<'a>(&self, entity: &'a Entity) -> (usize, std::cmp::Reverse<usize>, usize, &'a [Fragment]) {
        let label = self.index(&entity.label).unwrap_or(usize::MAX);
        (entity.start(), std::cmp::Reverse(entity.end()), label, &entity.fragments)
    }
}
