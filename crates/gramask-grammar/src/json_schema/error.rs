//! Why a JSON Schema is refused.

use std::fmt::Write;

/// A JSON Schema that can't be enforced: where, which keyword, why, and what would be right.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.shown())]
pub struct JsonSchemaError {
    /// The JSON Pointer to the keyword, or to the schema, from the root of the document. Empty for the root.
    pub pointer: String,
    /// The kind of fault.
    pub kind: JsonSchemaErrorKind,
    /// What is wrong, and what would be right.
    pub reason: String,
}

/// What is wrong with a JSON Schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum JsonSchemaErrorKind {
    /// The text is not JSON.
    Json,
    /// A keyword has a value that JSON Schema does not allow, or a reference leads nowhere.
    Invalid,
    /// It is a JSON Schema, and no grammar enforces it exactly.
    Unsupported,
    /// It takes more states, rules or steps than the limit.
    TooLarge,
    /// No instance is valid.
    NoInstance,
}

impl JsonSchemaError {
    pub(super) fn new(kind: JsonSchemaErrorKind, pointer: impl Into<String>, reason: impl Into<String>) -> Self {
        JsonSchemaError { pointer: pointer.into(), kind, reason: reason.into() }
    }

    pub(super) fn unsupported(pointer: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::new(JsonSchemaErrorKind::Unsupported, pointer, reason)
    }

    pub(super) fn invalid(pointer: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::new(JsonSchemaErrorKind::Invalid, pointer, reason)
    }

    /// The keyword that the pointer leads to: its last part.
    pub fn keyword(&self) -> &str {
        self.pointer.rsplit('/').next().unwrap_or_default()
    }

    fn shown(&self) -> String {
        let mut text = match self.kind {
            JsonSchemaErrorKind::Json => "the JSON Schema is not JSON".to_owned(),
            JsonSchemaErrorKind::Invalid => "the JSON Schema is not valid".to_owned(),
            JsonSchemaErrorKind::Unsupported => "the JSON Schema can't be enforced".to_owned(),
            JsonSchemaErrorKind::TooLarge => "the JSON Schema is too large".to_owned(),
            JsonSchemaErrorKind::NoInstance => "the JSON Schema allows no instance".to_owned(),
        };
        if !self.pointer.is_empty() {
            let _ = write!(text, " at `{}`", self.pointer);
        }
        let _ = write!(text, ": {}", self.reason);
        text
    }
}

/// A JSON Pointer with one more part.
pub(super) fn join(pointer: &str, part: &str) -> String {
    format!("{pointer}/{}", part.replace('~', "~0").replace('/', "~1"))
}
