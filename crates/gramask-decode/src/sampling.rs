//! How a token is drawn: the settings.

use gramask_kernels::sampling::Drawing;
use serde::{Deserialize, Serialize};
use thiserror::Error;

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

/// A setting outside its range.
#[derive(Clone, Copy, Debug, PartialEq, Error)]
pub enum SamplingError {
    /// The temperature.
    #[error("temperature is {0}, but must be 0 (greedy) or a positive finite number")]
    Temperature(f32),
    /// Top-p.
    #[error("top_p is {0}, but must be above 0 and at most 1 (1 keeps all tokens)")]
    TopP(f32),
    /// Min-p.
    #[error("min_p is {0}, but must be at least 0 (which keeps all tokens) and at most 1")]
    MinP(f32),
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

    /// The same for the kernels; `None`: greedy.
    pub fn drawing(&self) -> Option<Drawing> {
        let Sampling { temperature, top_k, top_p, min_p, seed } = *self;
        (!self.is_greedy()).then_some(Drawing { temperature, top_k, top_p, min_p, seed })
    }

    /// Checks the ranges.
    ///
    /// # Errors
    /// The first setting outside its range.
    pub fn validate(&self) -> Result<(), SamplingError> {
        if !(self.temperature >= 0.0 && self.temperature.is_finite()) {
            return Err(SamplingError::Temperature(self.temperature));
        }
        if !(self.top_p > 0.0 && self.top_p <= 1.0) {
            return Err(SamplingError::TopP(self.top_p));
        }
        if !(self.min_p >= 0.0 && self.min_p <= 1.0) {
            return Err(SamplingError::MinP(self.min_p));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_checked() {
        assert_eq!(Sampling::greedy().validate(), Ok(()));
        assert_eq!(Sampling::at(0.7, 1).validate(), Ok(()));
        assert_eq!(Sampling::at(-1.0, 1).validate(), Err(SamplingError::Temperature(-1.0)));
        assert!(matches!(Sampling::at(f32::NAN, 1).validate(), Err(SamplingError::Temperature(_))));
        assert!(matches!(Sampling::at(f32::INFINITY, 1).validate(), Err(SamplingError::Temperature(_))));
        let sampling = Sampling::greedy();
        assert_eq!(Sampling { top_p: 0.0, ..sampling }.validate(), Err(SamplingError::TopP(0.0)));
        assert_eq!(Sampling { top_p: 1.5, ..sampling }.validate(), Err(SamplingError::TopP(1.5)));
        assert_eq!(Sampling { min_p: -0.1, ..sampling }.validate(), Err(SamplingError::MinP(-0.1)));
        let message = SamplingError::TopP(1.5).to_string();
        assert!(message.contains("1.5") && message.contains("at most 1"), "{message}");
    }
}
