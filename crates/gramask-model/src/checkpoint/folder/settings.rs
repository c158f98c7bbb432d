//! Settings of one object of a `config.json`.

use crate::checkpoint::{CheckpointError, Family};
use serde_json::Value;
use std::path::Path;

/// Larger than any real dimension, and small enough that products of two don't overflow.
const LARGEST: u64 = 1 << 28;

/// Reads settings of one JSON object.
#[derive(Clone, Copy)]
pub(super) struct Settings<'a> {
    pub path: &'a Path,
    /// What the keys of this object are prefixed with in messages.
    pub prefix: &'a str,
    pub object: &'a Value,
    /// Whose defaults apply.
    pub family: Option<Family>,
}

impl<'a> Settings<'a> {
    /// A setting; null counts as absent.
    pub fn get(&self, key: &str) -> Option<&'a Value> {
        self.object.get(key).filter(|value| !value.is_null())
    }

    pub fn bad(&self, key: &str, found: impl ToString, expected: impl Into<String>) -> CheckpointError {
        CheckpointError::BadSetting {
            path: self.path.to_owned(),
            key: format!("{}{key}", self.prefix),
            found: found.to_string(),
            expected: expected.into(),
        }
    }

    pub fn missing(&self, key: &str, expected: &str) -> CheckpointError {
        CheckpointError::MissingSetting {
            path: self.path.to_owned(),
            key: format!("{}{key}", self.prefix),
            expected: expected.to_owned(),
        }
    }

    pub fn optional_count(&self, key: &str) -> Result<Option<usize>, CheckpointError> {
        match self.get(key) {
            None => Ok(self.family.and_then(|family| default_count(family, key))),
            Some(value) => match value.as_u64() {
                Some(number) if (1..=LARGEST).contains(&number) => Ok(Some(number as usize)),
                _ => Err(self.bad(key, value, format!("a whole number from 1 to {LARGEST}"))),
            },
        }
    }

    pub fn count(&self, key: &str) -> Result<usize, CheckpointError> {
        self.optional_count(key)?.ok_or_else(|| self.missing(key, "a whole number"))
    }

    pub fn optional_float(&self, key: &str) -> Result<Option<f64>, CheckpointError> {
        match self.get(key) {
            None => Ok(None),
            Some(value) => match value.as_f64() {
                Some(number) if number.is_finite() && number > 0.0 => Ok(Some(number)),
                _ => Err(self.bad(key, value, "a positive number")),
            },
        }
    }

    pub fn float(&self, key: &str) -> Result<f64, CheckpointError> {
        self.optional_float(key)?.ok_or_else(|| self.missing(key, "a positive number"))
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
