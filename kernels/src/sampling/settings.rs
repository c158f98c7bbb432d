//! How a token is drawn.

use super::error::SamplingError;
use super::fixed_point::{self, least_weight, share, units_per_logit};

/// How a token is drawn among those allowed. The filters apply in the order of the fields, each to the tokens that the previous
/// filter kept.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Drawing {
    /// Logits are divided by it; above 0.
    pub temperature: f32,
    /// Only the `top_k` tokens of the highest logits stay; 0 is all. Of equal logits the lower tokens stay.
    pub top_k: usize,
    /// Only the smallest set of the likeliest tokens whose probability reaches `top_p` stays; 1 is all.
    pub top_p: f32,
    /// Only tokens at least `min_p` times as likely as the likeliest stay; 0 is all.
    pub min_p: f32,
    /// Every draw is a function of the seed and of its place alone.
    pub seed: u64,
}

impl Drawing {
    /// From the model's own distribution.
    pub const fn plain(seed: u64) -> Self {
        Drawing { temperature: 1.0, top_k: 0, top_p: 1.0, min_p: 0.0, seed }
    }

    /// Checks the ranges.
    ///
    /// # Errors
    /// [`SamplingError::Drawing`] for the first that is outside its range.
    pub fn validate(&self) -> Result<(), SamplingError> {
        let wrong = |name, value, right| SamplingError::Drawing { name, value, right };
        if !(self.temperature > 0.0 && self.temperature.is_finite()) {
            return Err(wrong("temperature", self.temperature, "a positive finite number"));
        }
        if !(self.top_p > 0.0 && self.top_p <= 1.0) {
            return Err(wrong("top_p", self.top_p, "above 0 and at most 1"));
        }
        if !(self.min_p >= 0.0 && self.min_p <= 1.0) {
            return Err(wrong("min_p", self.min_p, "at least 0 and at most 1"));
        }
        Ok(())
    }
}

/// The same settings as whole numbers, which all devices compute with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct FixedPoint {
    /// See [`units_per_logit`].
    pub units_per_logit: f32,
    /// At most so many tokens stay; `u32::MAX`: all.
    pub most: u32,
    /// The share that the likeliest tokens must reach, in units of 2^-32; `None`: all stay.
    pub share: Option<u32>,
    /// The least weight that stays.
    pub least_weight: u64,
    pub seed: u64,
}

impl FixedPoint {
    /// Of validated settings.
    pub fn new(drawing: &Drawing) -> Self {
        let most = u32::try_from(drawing.top_k).unwrap_or(u32::MAX);
        FixedPoint {
            units_per_logit: units_per_logit(drawing.temperature),
            most: if most == 0 { u32::MAX } else { most },
            share: (drawing.top_p < 1.0).then(|| share(drawing.top_p)),
            least_weight: least_weight(drawing.min_p),
            seed: drawing.seed,
        }
    }

    /// The weight of a logit.
    pub fn weight(&self, logit: f32, max: f32) -> u64 {
        fixed_point::weight(logit, max, self.units_per_logit)
    }
}
