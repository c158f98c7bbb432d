//! Rotary positions: how the frequencies of a model are scaled for contexts longer than those it was first trained on.

use gramask_kernels::rotary::Rotation;
use serde::Serialize;
use std::f64::consts::TAU;

/// How the rotary frequencies of a model are scaled.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RopeScaling {
    /// Every position is divided by `factor` ("position interpolation", Chen et al. 2023, section 3).
    Linear {
        /// The divisor, at least 1.
        factor: f64,
    },
    /// Llama 3.1's rule: long wavelengths are divided by `factor`, short ones kept, those between interpolated.
    Llama3 {
        /// The divisor of long wavelengths.
        factor: f64,
        /// Wavelengths above `original_context / low_frequency_factor` are long.
        low_frequency_factor: f64,
        /// Wavelengths below `original_context / high_frequency_factor` are short.
        high_frequency_factor: f64,
        /// The context of the first training, in tokens.
        original_context: usize,
    },
    /// YaRN.
    Yarn(Yarn),
    /// Dynamic NTK scaling: plain frequencies up to the model's context, and beyond it a base that grows with the length of
    /// the sequence. A [cache](crate::cache::Cache) ends at the context, so that only plain frequencies are computed.
    Dynamic {
        /// How far beyond the context the base would reach.
        factor: f64,
    },
    /// One divisor per inverse frequency, as the tensor `rope_freqs.weight` of a GGUF file gives them. `[head_width / 2]`
    Divisors(Vec<f32>),
}

/// YaRN (Peng et al. 2023, "YaRN: Efficient Context Window Extension of Large Language Models", section 3.4): pairs that
/// turn slowly are divided by `factor`, pairs that turn fast are kept, those between are interpolated, and the scores
/// of attention are sharpened.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Yarn {
    /// The divisor of slow pairs.
    pub factor: f64,
    /// The context of the first training, in tokens.
    pub original_context: usize,
    /// Pairs that turn at least so often within the original context are fast.
    pub beta_fast: f64,
    /// Pairs that turn at most so often within the original context are slow.
    pub beta_slow: f64,
    /// Whether the borders between fast, slow and the others are rounded outwards to whole pairs.
    pub truncate: bool,
    /// What rotated queries, and rotated keys, are multiplied by.
    pub attention_factor: f64,
}

impl Yarn {
    /// The fewest rotations of a fast pair, in models that do not say.
    pub const BETA_FAST: f64 = 32.0;
    /// The most rotations of a slow pair, in models that do not say.
    pub const BETA_SLOW: f64 = 1.0;

    /// The factor of attention that goes with a scale (section 3.4, equation 22): `0.1 * multiplier * ln(factor) + 1`.
    pub fn attention_factor_of(factor: f64, multiplier: f64) -> f64 {
        if factor <= 1.0 { 1.0 } else { 0.1 * multiplier * factor.ln() + 1.0 }
    }

    /// How much of each pair is divided by the factor, from 0 to 1. `[head_width / 2]`
    fn divided(&self, theta: f64, head_width: usize) -> Vec<f64> {
        // The pair that turns so often within the original context; pairs are numbered by their first element over 2.
        let pair = |turns: f64| {
            let wavelengths = self.original_context as f64 / (turns * TAU);
            head_width as f64 * wavelengths.ln() / (2.0 * theta.ln())
        };
        let (mut fast, mut slow) = (pair(self.beta_fast), pair(self.beta_slow));
        if self.truncate {
            (fast, slow) = (fast.floor(), slow.ceil());
        }
        let (fast, mut slow) = (fast.max(0.0), slow.min(head_width as f64 - 1.0));
        if fast == slow {
            slow += 0.001;
        }
        (0..head_width / 2).map(|pair| ((pair as f64 - fast) / (slow - fast)).clamp(0.0, 1.0)).collect()
    }
}

/// The rotation of heads of this width over a base, scaled.
///
/// The plain frequency of pair `i` is `theta^(-2i / head_width)` (Su et al. 2021, section 3.2.2).
pub(super) fn rotation(theta: f64, head_width: usize, scaling: Option<&RopeScaling>) -> Rotation {
    let plain = (0..head_width / 2).map(|pair| theta.powf(-2.0 * pair as f64 / head_width as f64));
    let frequencies: Vec<f64> = match scaling {
        None | Some(RopeScaling::Dynamic { .. }) => plain.collect(),
        Some(RopeScaling::Linear { factor }) => plain.map(|frequency| frequency / factor).collect(),
        Some(RopeScaling::Divisors(divisors)) => {
            plain.zip(divisors).map(|(frequency, &divisor)| frequency / f64::from(divisor)).collect()
        }
        Some(RopeScaling::Yarn(yarn)) => {
            let divided = yarn.divided(theta, head_width);
            plain.zip(divided).map(|(f, divided)| divided * f / yarn.factor + (1.0 - divided) * f).collect()
        }
        Some(RopeScaling::Llama3 { factor, low_frequency_factor, high_frequency_factor, original_context }) => {
            let (low, high) = (*low_frequency_factor, *high_frequency_factor);
            plain
                .map(|frequency| {
                    // How many times this pair turns round within the original context.
                    let turns = *original_context as f64 * frequency / TAU;
                    let kept = ((turns - low) / (high - low)).clamp(0.0, 1.0);
                    kept * frequency + (1.0 - kept) * frequency / factor
                })
                .collect()
        }
    };
    let magnitude = match scaling {
        Some(RopeScaling::Yarn(yarn)) => yarn.attention_factor,
        _ => 1.0,
    };
    Rotation { frequencies, magnitude }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frequencies(scaling: Option<RopeScaling>) -> Vec<f64> {
        rotation(10_000.0, 64, scaling.as_ref()).frequencies
    }

    #[test]
    fn frequencies_fall_from_one_to_nearly_one_over_theta() {
        let frequencies = frequencies(None);
        assert_eq!(frequencies.len(), 32);
        assert_eq!(frequencies[0], 1.0);
        assert!((frequencies[16] - 0.01).abs() < 1e-12);
    }

    #[test]
    fn llama3_keeps_short_wavelengths_and_divides_long_ones() {
        let plain = frequencies(None);
        let scaled = frequencies(Some(RopeScaling::Llama3 {
            factor: 8.0,
            low_frequency_factor: 1.0,
            high_frequency_factor: 4.0,
            original_context: 8192,
        }));
        assert_eq!(scaled[0], plain[0]);
        assert!((scaled[31] * 8.0 - plain[31]).abs() < 1e-15);
        // Between the two: pair 24 has theta^-0.75 = 0.001, so 8192 * 0.001 / 2 pi = 1.303798 turns.
        let kept = (8.192 / TAU - 1.0) / 3.0;
        assert!((scaled[24] - 0.001 * (kept + (1.0 - kept) / 8.0)).abs() < 1e-15);
    }

    #[test]
    fn divisors_apply_one_by_one() {
        let mut divisors = vec![1.0; 32];
        divisors[16] = 4.0;
        let scaled = frequencies(Some(RopeScaling::Divisors(divisors)));
        assert!((scaled[16] - 0.0025).abs() < 1e-12);
        assert_eq!(scaled[0], 1.0);
    }

    #[test]
    fn yarn_keeps_fast_pairs_and_divides_slow_ones() {
        let yarn = Yarn {
            factor: 4.0,
            original_context: 4096,
            beta_fast: Yarn::BETA_FAST,
            beta_slow: Yarn::BETA_SLOW,
            truncate: true,
            attention_factor: Yarn::attention_factor_of(4.0, 1.0),
        };
        let plain = frequencies(None);
        let rotation = rotation(10_000.0, 64, Some(&RopeScaling::Yarn(yarn)));
        // 32 and 1 turns within 4096 positions are at pairs 10.47 and 22.51, so that pairs 10 to 23 are interpolated.
        let share = |pair: usize| rotation.frequencies[pair] / plain[pair];
        assert_eq!((share(0), share(10), share(23), share(31)), (1.0, 1.0, 0.25, 0.25));
        assert!((share(15) - (5.0 / 13.0 / 4.0 + 8.0 / 13.0)).abs() < 1e-12);
        assert!((rotation.magnitude - 1.138_629_436_111_989).abs() < 1e-12);
    }
}
