//! What the grammar-aligned strategies reckon with: allowed tokens, sums of exponentials, and the mass that a mask leaves when the
//! model is taken at a temperature.

use gramask_grammar::tokens_of;
use gramask_kernels::sampling::numeric::{maximum, moments};

/// The natural logarithm of the probability of the allowed tokens together, in the softmax of `logits / temperature`.
/// (That of temperature 1 is in every choice's scores.) `scratch` is memory to work in.
pub(super) fn kept_log_mass(logits: &[f32], mask: &[u32], temperature: f32, scratch: &mut Vec<f32>) -> f64 {
    let whole = log_sum(logits, temperature, scratch);
    for (values, bits) in scratch.chunks_mut(32).zip(mask.iter().chain(std::iter::repeat(&0))) {
        for (bit, value) in values.iter_mut().enumerate() {
            if bits >> bit & 1 == 0 {
                *value = f32::NEG_INFINITY;
            }
        }
    }
    let best = maximum(scratch);
    (f64::from(best) + moments(scratch, best).sum.ln() - whole).min(0.0)
}

/// The tokens of a mask that have a logit, ascending.
pub(super) fn allowed(mask: &[u32], logits: &[f32]) -> Vec<u32> {
    tokens_of(mask).filter(|&token| (token as usize) < logits.len()).collect()
}

/// The natural logarithm of the sum of `exp(logits / temperature)`; leaves the scaled logits in `scratch`.
pub(super) fn log_sum(logits: &[f32], temperature: f32, scratch: &mut Vec<f32>) -> f64 {
    scratch.clear();
    scratch.extend(logits.iter().map(|&logit| logit / temperature));
    let best = maximum(scratch);
    f64::from(best) + moments(scratch, best).sum.ln()
}

/// The natural logarithm of the sum of the exponentials; `-inf` of none.
pub(super) fn log_add(values: impl Iterator<Item = f64> + Clone) -> f64 {
    let best = values.clone().fold(f64::NEG_INFINITY, f64::max);
    if best == f64::NEG_INFINITY {
        return best;
    }
    best + values.map(|value| (value - best).exp()).sum::<f64>().ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masses_and_sums() {
        let logits: Vec<f32> = (0..70).map(|i| (i * i % 23) as f32 / 4.0).collect();
        let mask = [0x8000_0F01, 0, 0b10_0011];
        for temperature in [0.5, 1.0, 3.0] {
            let weight = |i: usize| (f64::from(logits[i]) / f64::from(temperature)).exp();
            let kept: f64 = [0, 8, 9, 10, 11, 31, 64, 65, 69].map(weight).iter().sum();
            let wanted = kept / (0..70).map(weight).sum::<f64>();
            let got = kept_log_mass(&logits, &mask, temperature, &mut Vec::new());
            assert!((got - wanted.ln()).abs() < 1e-5, "{got} {}", wanted.ln());
        }
        assert_eq!(allowed(&mask, &logits), [0, 8, 9, 10, 11, 31, 64, 65, 69]);
        assert_eq!(allowed(&mask, &logits[..65]), [0, 8, 9, 10, 11, 31, 64]);
        assert_eq!(log_add([].into_iter()), f64::NEG_INFINITY);
        assert!((log_add([1.0, 2.0].into_iter()) - (1f64.exp() + 2f64.exp()).ln()).abs() < 1e-12);
        assert!((log_add([-2000.0, -2000.0].into_iter()) - (2f64.ln() - 2000.0)).abs() < 1e-9);
    }
}
