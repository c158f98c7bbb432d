//! Settings of a model's shape, read with checks. `config.json` and GGUF's metadata keep them in different ways.

use std::path::Path;

use super::CheckpointError;

/// Larger than any real dimension, and small enough that products of two don't overflow.
const LARGEST: u64 = 1 << 28;

/// A value as far as it is a number.
pub(super) struct Number {
    /// The value as messages show it.
    pub shown: String,
    /// The value, if it is a whole number from 0.
    pub whole: Option<u64>,
    /// The value, if it is a number.
    pub float: Option<f64>,
}

/// Settings of a file, by key.
pub(super) trait Settings {
    /// The file.
    fn path(&self) -> &Path;

    /// A key as the file writes it in full.
    fn full_key(&self, key: &str) -> String;

    /// A setting that is present.
    fn number(&self, key: &str) -> Option<Number>;

    /// The count of a setting that is absent.
    fn default_count(&self, _key: &str) -> Option<usize> {
        None
    }

    fn bad(&self, key: &str, found: impl ToString, expected: impl Into<String>) -> CheckpointError {
        CheckpointError::BadSetting {
            path: self.path().to_owned(),
            key: self.full_key(key),
            found: found.to_string(),
            expected: expected.into(),
        }
    }

    fn missing(&self, key: &str, expected: &str) -> CheckpointError {
        CheckpointError::MissingSetting {
            path: self.path().to_owned(),
            key: self.full_key(key),
            expected: expected.to_owned(),
        }
    }

    /// A positive whole number, if it is set.
    fn optional_count(&self, key: &str) -> Result<Option<usize>, CheckpointError> {
        match self.number(key) {
            None => Ok(self.default_count(key)),
            Some(Number { whole: Some(number), .. }) if (1..=LARGEST).contains(&number) => Ok(Some(number as usize)),
            Some(Number { shown, .. }) => Err(self.bad(key, shown, format!("a whole number from 1 to {LARGEST}"))),
        }
    }

    fn count(&self, key: &str) -> Result<usize, CheckpointError> {
        self.optional_count(key)?.ok_or_else(|| self.missing(key, "a whole number"))
    }

    /// A positive number, if it is set.
    fn optional_float(&self, key: &str) -> Result<Option<f64>, CheckpointError> {
        match self.number(key) {
            None => Ok(None),
            Some(Number { float: Some(number), .. }) if number.is_finite() && number > 0.0 => Ok(Some(number)),
            Some(Number { shown, .. }) => Err(self.bad(key, shown, "a positive number")),
        }
    }

    fn float(&self, key: &str) -> Result<f64, CheckpointError> {
        self.optional_float(key)?.ok_or_else(|| self.missing(key, "a positive number"))
    }
}
