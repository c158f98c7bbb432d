//! Documents.

use crate::{Entity, Text};

/// The input text, cut into words, with its gold entities where known.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    /// The corpus's identifier of the document; a sentence's is `ABSTRACT:NUMBER`.
    pub id: String,
    /// The text.
    pub text: Text,
    /// The gold entities, offsets in characters of `text`.
    pub entities: Vec<Entity>,
    /// Where the text stands in the document that it was cut from, in characters; 0 for a whole document.
    pub offset: usize,
}

impl Document {
    /// A document without gold entities.
    pub fn new(id: impl Into<String>, text: impl Into<String>) -> Self {
        Document { id: id.into(), text: Text::new(text), entities: Vec::new(), offset: 0 }
    }

    /// The same document with gold entities.
    pub fn with_entities(mut self, entities: Vec<Entity>) -> Self {
        self.entities = entities;
        self
    }
}
