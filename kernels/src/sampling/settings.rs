//! How a token is drawn: the settings.

use serde::{Deserialize, Serialize};

use super::error::InvalidSampling;
use super::fixed_point::{self, least_weight, share, units_per_logit};

/// How a token is chosen among those allowed.
///
/// The filters apply in this order: grammar mask, temperature, top-k, top-p, min-p. The default is greedy: the token of
/// the highest logit, of equal ones the lowest.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Sampling {
    /// Logits are divided by it; 0 is greedy, and the other settings then do nothing.
    pub temperature: f32,
    /// Only the `top_k` tokens of the highest logits stay; 0 is all. Of equal logits the lower tokens stay.
    pub top_k: usize,
    /// Only the smallest set of the likeliest tokens whose probability reaches `top_p` stays; 1 is all.
    /// (Holtzman et al., "The Curious Case of Neural Text Degeneration", ICLR 2020, section 3.1.)
    pub top_p: f32,
    /// Only tokens at least `min_p` times as likely as the likeliest stay; 0 is all. (Nguyen et al., "Turning Up the
    /// Heat: Min-p Sampling", ICLR 2025, section 3.)
    pub min_p: f32,
    /// Every draw is a function of the seed, the document and the position alone.
    pub seed: u64,
}

impl Default for Sampling {
    fn default() -> Self {
        Sampling::greedy()
    }
}

impl Sampling {
    /// The token of the highest logit.
    pub const fn greedy() -> Self {
        Sampling { temperature: 0.0, top_k: 0, top_p: 1.0, min_p: 0.0, seed: 0 }
    }

    /// The model's own distribution at a temperature.
    pub const fn at(temperature: f32, seed: u64) -> Self {
        Sampling { temperature, seed, ..Sampling::greedy() }
    }

    /// Whether nothing is drawn.
    pub fn is_greedy(&self) -> bool {
        self.temperature == 0.0
    }

    /// Checks the ranges.
    ///
    /// # Errors
    /// The first setting outside its range.
    pub fn validate(&self) -> Result<(), InvalidSampling> {
        let wrong = |name, value, right| Err(InvalidSampling { name, value, right });
        if !(self.temperature >= 0.0 && self.temperature.is_finite()) {
            return wrong("temperature", self.temperature, "0 (greedy) or a positive finite number");
        }
        if !(self.top_p > 0.0 && self.top_p <= 1.0) {
            return wrong("top_p", self.top_p, "above 0 and at most 1 (1 keeps all tokens)");
        }
        if !(self.min_p >= 0.0 && self.min_p <= 1.0) {
            return wrong("min_p", self.min_p, "at least 0 (which keeps all tokens) and at most 1");
        }
        Ok(())
    }

    /// Checks that tokens are drawn, with settings in their ranges.
    pub(super) fn validate_drawn(&self) -> Result<(), InvalidSampling> {
        match self.is_greedy() {
            true => Err(InvalidSampling { name: "temperature", value: 0.0, right: "above 0 where tokens are drawn" }),
            false => self.validate(),
        }
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
    /// Of validated settings that draw.
    pub fn new(sampling: &Sampling) -> Self {
        let most = u32::try_from(sampling.top_k).unwrap_or(u32::MAX);
        FixedPoint {
            units_per_logit: units_per_logit(sampling.temperature),
            most: if most == 0 { u32::MAX } else { most },
            share: (sampling.top_p < 1.0).then(|| share(sampling.top_p)),
            least_weight: least_weight(sampling.min_p),
            seed: sampling.seed,
        }
    }

    /// The weight of a logit.
    pub fn weight(&self, logit: f32, max: f32) -> u64 {
        fixed_point::weight(logit, max, self.units_per_logit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_checked() {
        let plain = Sampling::at(0.7, 1);
        for sampling in [Sampling::greedy(), plain] {
            assert_eq!(sampling.validate(), Ok(()));
        }
        let wrong = [
            ("temperature", Sampling::at(-1.0, 1)),
            ("temperature", Sampling::at(f32::NAN, 1)),
            ("temperature", Sampling::at(f32::INFINITY, 1)),
            ("top_p", Sampling { top_p: 0.0, ..plain }),
            ("top_p", Sampling { top_p: 1.5, ..Sampling::greedy() }),
            ("min_p", Sampling { min_p: -0.1, ..plain }),
        ];
        for (name, sampling) in wrong {
            assert_eq!(sampling.validate().unwrap_err().name, name, "{sampling:?}");
        }
        let message = Sampling { top_p: 1.5, ..plain }.validate().unwrap_err().to_string();
        assert!(message.contains("1.5") && message.contains("at most 1"), "{message}");
        assert_eq!(Sampling::greedy().validate_drawn().unwrap_err().name, "temperature");
    }
}
