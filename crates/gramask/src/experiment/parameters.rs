//! The parameters of strategies: defaults and ranges.
//!
//! Ranges are checked where a value is read, so that an error has the value's place in the file.

use serde::{Deserialize, Deserializer, Serialize};

/// The parameters of a strategy that takes none: `{}`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoParameters {}

/// The parameters of `retry`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RetryParameters {
    /// At most so many outputs, 1 to 64.
    #[serde(deserialize_with = "tries")]
    pub n: usize,
    /// The temperature of the second output and the later ones, above 0 and at most 10; the first has the experiment's.
    #[serde(deserialize_with = "warmth")]
    pub temperature: f64,
}

/// The parameters of `jump`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct JumpParameters {
    /// Whether forced tokens are scored, too: that takes time, and tells the importance weight.
    pub scored: bool,
}

/// The parameters of `draft`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DraftParameters {
    /// At most so many tokens are proposed at once, 1 to 128.
    #[serde(deserialize_with = "most")]
    pub most: usize,
}

/// The parameters of `beam`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BeamParameters {
    /// So many versions of the output are kept, 1 to 64.
    #[serde(deserialize_with = "width")]
    pub k: usize,
    /// Scores are divided by the length to this power, 0 to 10; 0 compares plain log-probabilities.
    #[serde(deserialize_with = "alpha")]
    pub alpha: f64,
    /// Whether the search goes on until no longer output can score more, which is mostly until the budget is used up; else it
    /// ends when none would score more if it ended where it is.
    pub exact: bool,
}

/// The parameters of `aligned-asap`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AsapParameters {
    /// So many outputs are sampled, the last of which counts, 1 to 4096.
    #[serde(deserialize_with = "iterations")]
    pub iterations: usize,
    /// The temperature of the samples, above 0 and at most 10.
    #[serde(deserialize_with = "warmth")]
    pub temperature: f64,
}

/// The parameters of `aligned-smc`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SmcParameters {
    /// So many outputs are followed at once, 1 to 256.
    #[serde(deserialize_with = "particles")]
    pub particles: usize,
    /// The temperature of the samples, above 0 and at most 10.
    #[serde(deserialize_with = "warmth")]
    pub temperature: f64,
    /// They are drawn anew where the effective number of particles falls below this share, 0 (never) to 1.
    #[serde(deserialize_with = "resample")]
    pub resample: f64,
}

/// The parameters of `free-then-masked`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FreeParameters {
    /// The text behind which the answer begins; not empty.
    #[serde(deserialize_with = "trigger")]
    pub trigger: String,
    /// At most so many tokens before the trigger, 1 to 4096; then the trigger is written for the model.
    #[serde(deserialize_with = "free")]
    pub free: usize,
}

impl Default for RetryParameters {
    fn default() -> Self {
        RetryParameters { n: 4, temperature: 0.7 }
    }
}

impl Default for DraftParameters {
    fn default() -> Self {
        DraftParameters { most: 24 }
    }
}

impl Default for BeamParameters {
    fn default() -> Self {
        BeamParameters { k: 4, alpha: 1.0, exact: false }
    }
}

impl Default for AsapParameters {
    fn default() -> Self {
        AsapParameters { iterations: 8, temperature: 1.0 }
    }
}

impl Default for SmcParameters {
    fn default() -> Self {
        SmcParameters { particles: 8, temperature: 1.0, resample: 0.5 }
    }
}

impl Default for FreeParameters {
    fn default() -> Self {
        FreeParameters { trigger: "Answer:".into(), free: 64 }
    }
}

/// A whole number within its range. The error's place in the file is the value's.
fn count<'de, D: Deserializer<'de>>(from: D, name: &str, most: usize, what: &str) -> Result<usize, D::Error> {
    // Signed, so that a negative number is answered in the same words.
    let value = i64::deserialize(from)?;
    match usize::try_from(value) {
        Ok(value) if (1..=most).contains(&value) => Ok(value),
        _ => Err(serde::de::Error::custom(format!("`{name}` is {value}, but must be 1 to {most}: {what}"))),
    }
}

/// A number between `least` and `most`; `least` itself only where `with_least`.
fn number<'de, D: Deserializer<'de>>(
    from: D,
    name: &str,
    (least, with_least, most): (f64, bool, f64),
    what: &str,
) -> Result<f64, D::Error> {
    let value = f64::deserialize(from)?;
    let enough = if with_least { value >= least } else { value > least };
    if enough && value <= most {
        return Ok(value);
    }
    let from = if with_least { "at least" } else { "above" };
    Err(serde::de::Error::custom(format!("`{name}` is {value}, but must be {from} {least} and at most {most}: {what}")))
}

fn tries<'de, D: Deserializer<'de>>(from: D) -> Result<usize, D::Error> {
    count(from, "n", 64, "so many outputs are tried at most")
}

fn most<'de, D: Deserializer<'de>>(from: D) -> Result<usize, D::Error> {
    count(from, "most", 128, "so many tokens are proposed at once at most")
}

fn width<'de, D: Deserializer<'de>>(from: D) -> Result<usize, D::Error> {
    count(from, "k", 64, "so many versions of the output are kept")
}

fn iterations<'de, D: Deserializer<'de>>(from: D) -> Result<usize, D::Error> {
    count(from, "iterations", 4096, "so many outputs are sampled for each document")
}

fn particles<'de, D: Deserializer<'de>>(from: D) -> Result<usize, D::Error> {
    count(from, "particles", 256, "so many outputs are followed at once")
}

fn free<'de, D: Deserializer<'de>>(from: D) -> Result<usize, D::Error> {
    count(from, "free", 4096, "so many tokens may come before the trigger")
}

fn warmth<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
    let what = "1 samples from the model's own distribution, and 0 would give the same output each time";
    number(from, "temperature", (0.0, false, 10.0), what)
}

fn alpha<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
    let what = "the power of the length that scores are divided by; 0 leaves them as they are";
    number(from, "alpha", (0.0, true, 10.0), what)
}

fn resample<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
    let what = "the share of effective particles below which they are drawn anew";
    number(from, "resample", (0.0, true, 1.0), what)
}

fn trigger<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    let text = String::deserialize(from)?;
    match text.is_empty() {
        false => Ok(text),
        true => Err(serde::de::Error::custom(
            "`trigger` is empty, but must be the text behind which the answer begins, such as \"Answer:\"",
        )),
    }
}
