//! Settings of one object of a `config.json`.

use std::path::Path;

use serde_json::Value;

use crate::checkpoint::settings::{Number, Settings};
use crate::checkpoint::{CheckpointError, Family};

/// Reads settings of one JSON object.
#[derive(Clone, Copy)]
pub(super) struct Object<'a> {
    pub path: &'a Path,
    /// What the keys of this object are prefixed with in messages.
    pub prefix: &'a str,
    pub object: &'a Value,
    /// Whose defaults apply.
    pub family: Option<Family>,
}

impl<'a> Object<'a> {
    /// A setting; null counts as absent.
    pub fn get(&self, key: &str) -> Option<&'a Value> {
        self.object.get(key).filter(|value| !value.is_null())
    }

    pub fn optional_flag(&self, key: &str) -> Result<Option<bool>, CheckpointError> {
        match self.get(key) {
            None => Ok(None),
            Some(value) => value.as_bool().map(Some).ok_or_else(|| self.bad(key, value, "true or false")),
        }
    }

    pub fn flag(&self, key: &str) -> Result<bool, CheckpointError> {
        Ok(self.optional_flag(key)?.unwrap_or(false))
    }
}

impl Settings for Object<'_> {
    fn path(&self) -> &Path {
        self.path
    }

    fn full_key(&self, key: &str) -> String {
        format!("{}{key}", self.prefix)
    }

    fn number(&self, key: &str) -> Option<Number> {
        let value = self.get(key)?;
        Some(Number { shown: value.to_string(), whole: value.as_u64(), float: value.as_f64() })
    }

    fn default_count(&self, key: &str) -> Option<usize> {
        default_count(self.family?, key)
    }
}

/// The numbers that transformers takes where a `config.json` does not have them. Files of Gemma 3 leave out most; other
/// families must give what decides their shape.
fn default_count(family: Family, key: &str) -> Option<usize> {
    Some(match (family, key) {
        (Family::Gemma3, "vocab_size") => 262_208,
        (Family::Gemma3, "hidden_size") => 2304,
        (Family::Gemma3, "intermediate_size") => 9216,
        (Family::Gemma3, "num_hidden_layers") => 26,
        (Family::Gemma3, "num_attention_heads") => 8,
        (Family::Gemma3, "num_key_value_heads") => 4,
        (Family::Gemma3, "head_dim") => 256,
        (Family::Gemma3, "max_position_embeddings") => 131_072,
        (Family::Gemma3, "sliding_window_pattern") => 6,
        (Family::Gemma3 | Family::Qwen2 | Family::Qwen3, "sliding_window") => 4096,
        _ => return None,
    })
}
