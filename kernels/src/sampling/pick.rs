//! What is known of a choice: the token, and what the model thought of it.

use super::numeric::{Moments, count_above, maximum, moments};

/// A chosen token and what the model thought of it; all before temperature and filters.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pick {
    /// The token.
    pub token: u32,
    /// The likeliest allowed token, of equals the lowest.
    pub best: u32,
    /// The natural logarithm of the token's probability under the model.
    pub log_probability: f64,
    /// The entropy of the model's distribution, in nats.
    pub entropy: f64,
    /// The natural logarithm of the probability that the model gave to the allowed tokens together.
    pub kept_log_mass: f64,
    /// The entropy of the model's distribution over the allowed tokens, in nats.
    pub kept_entropy: f64,
    /// Whether the model's likeliest token was refused.
    pub changed_best: bool,
    /// How many tokens the model thought likelier.
    pub rank: u32,
}

/// The greatest of some logits and their sums; `-inf` and 0 where there is none.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Summed {
    pub max: f32,
    /// Of the differences from the greatest.
    pub moments: Moments,
}

impl Summed {
    /// Of these logits. NaN counts as `-inf`.
    pub fn of(logits: &[f32]) -> Self {
        let max = maximum(logits);
        let moments = moments(logits, max);
        Summed { max, moments }
    }
}

/// A choice as it is found: the numbers that its scores are made of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Found {
    pub token: u32,
    /// The token's own.
    pub logit: f32,
    pub rank: u32,
    /// The likeliest allowed token.
    pub best: u32,
    /// The whole row.
    pub whole: Summed,
    /// Its allowed part.
    pub kept: Summed,
}

impl Found {
    /// Of a token of a row.
    pub fn of(logits: &[f32], token: u32, best: u32, whole: Summed, kept: Summed) -> Self {
        let logit = logits.get(token as usize).copied().unwrap_or(f32::NEG_INFINITY);
        Found { token, logit, rank: count_above(logits, logit), best, whole, kept }
    }

    /// With scores.
    pub fn pick(&self) -> Pick {
        let Found { whole, kept, .. } = self;
        let mass = log_ratio(kept.max, whole.max) + (kept.moments.sum.ln() - whole.moments.sum.ln());
        Pick {
            token: self.token,
            best: self.best,
            log_probability: log_ratio(self.logit, whole.max) - whole.moments.sum.ln(),
            entropy: whole.moments.entropy(),
            // Rounding may put the part a hair above the whole.
            kept_log_mass: mass.min(0.0),
            kept_entropy: kept.moments.entropy(),
            changed_best: kept.max < whole.max,
            rank: self.rank,
        }
    }
}

/// `logit - max`, where two infinities of one sign are equal.
fn log_ratio(logit: f32, max: f32) -> f64 {
    if logit == max { 0.0 } else { f64::from(logit) - f64::from(max) }
}
