//! Documents, entities, corpora, schemas and metrics of named entity recognition. Knows no model.

mod document;
mod entity;
mod text;

pub use document::Document;
pub use entity::{Entity, Fragment, Schema};
pub use text::Text;
