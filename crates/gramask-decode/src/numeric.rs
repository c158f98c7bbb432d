//! Maxima and sums of exponentials over rows of logits.
//!
//! The exponential is a polynomial of our own, in plain `f32` operations that the compiler can vectorise: the same bits on
//! every machine, so that a sampled token does not depend on the platform's mathematical library.

/// Below this the exponential is counted as 0 (its true value is under 2e-38).
const UNDERFLOW: f32 = -87.0;
/// How many exponentials are added in `f32` before they go to an `f64`: keeps the relative error of a sum near 1e-7.
const BLOCK: usize = 512;
/// Independent sums within a block, so that additions can go side by side.
const LANES: usize = 16;

/// `e^x` for `x <= 0` with a relative error below 2e-7; 0 below -87 and for NaN.
///
/// Reduces to `2^n e^r` with `|r| <= ln(2)/2` and evaluates the degree-6 polynomial of the Cephes library (`expf`).
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    // Adding and taking away 1.5 * 2^23 rounds to an integer, whose bits then stand at the bottom of the sum's.
    const ROUND: f32 = 12_582_912.0;
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    // ln 2 in two parts: the first has few bits, so that its product with n is exact.
    let r = x - n * (355.0 / 512.0) - n * -2.121_944_4e-4;
    let p = 1.987_569_1e-4_f32;
    let p = p * r + 1.398_199_9e-3;
    let p = p * r + 8.333_452e-3;
    let p = p * r + 4.166_579_6e-2;
    let p = p * r + 1.666_666_6e-1;
    let p = p * r + 5.0e-1;
    let value = p * r * r + r + 1.0;
    let exponent = shifted.to_bits().wrapping_sub(ROUND.to_bits()).wrapping_add(127) << 23;
    if x > UNDERFLOW {
        value * f32::from_bits(exponent)
    } else {
        0.0
    }
}

/// The greatest value that is not NaN; `-inf` where there is none.
pub fn maximum(values: &[f32]) -> f32 {
    let mut lanes = [f32::NEG_INFINITY; LANES];
    let chunks = values.chunks_exact(LANES);
    let rest = chunks.remainder();
    for chunk in chunks {
        for (lane, &value) in lanes.iter_mut().zip(chunk) {
            *lane = if value > *lane { value } else { *lane };
        }
    }
    lanes
        .iter()
        .chain(rest)
        .fold(f32::NEG_INFINITY, |max, &value| if value > max { value } else { max })
}

/// The sum of `e^(value - max)`, where `max` is the values' maximum; NaN counts as `-inf`.
///
/// Where the maximum is `+inf`, the values that are infinite too count 1 each and all others 0, which is the limit of a
/// model that is certain. Where it is `-inf` the sum is 0.
pub fn sum_of_exponentials(values: &[f32], max: f32) -> f64 {
    if max == f32::INFINITY {
        return values.iter().filter(|&&value| value == f32::INFINITY).count() as f64;
    }
    if max == f32::NEG_INFINITY {
        return 0.0;
    }
    let mut sum = 0.0_f64;
    for block in values.chunks(BLOCK) {
        let mut lanes = [0.0_f32; LANES];
        let chunks = block.chunks_exact(LANES);
        let rest = chunks.remainder();
        for chunk in chunks {
            for (lane, &value) in lanes.iter_mut().zip(chunk) {
                *lane += exp(value - max);
            }
        }
        sum += lanes.iter().map(|&lane| f64::from(lane)).sum::<f64>();
        sum += rest.iter().map(|&value| f64::from(exp(value - max))).sum::<f64>();
    }
    sum
}

/// The weight `e^((value - max) / temperature)` of one value, with the same meaning of infinities as the sum.
#[inline]
pub fn weight(value: f32, max: f32, temperature: f32) -> f32 {
    if max == f32::INFINITY {
        return if value == f32::INFINITY { 1.0 } else { 0.0 };
    }
    exp((value - max) / temperature)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_is_close_to_the_true_value() {
        assert_eq!(exp(0.0), 1.0);
        assert_eq!(exp(f32::NEG_INFINITY), 0.0);
        assert_eq!(exp(f32::NAN), 0.0);
        assert_eq!(exp(-1.0e9), 0.0);
        for i in 0..870_000 {
            let x = -(i as f32) * 1e-4;
            let wanted = f64::from(x).exp();
            let error = (f64::from(exp(x)) - wanted).abs() / wanted;
            assert!(error < 2e-7, "exp({x}) is off by {error}");
        }
    }

    #[test]
    fn sums_agree_with_double_precision() {
        let values: Vec<f32> = (0..50_021).map(|i| ((i * 7919) % 4001) as f32 * 0.01 - 20.0).collect();
        let max = maximum(&values);
        assert_eq!(max, 20.0);
        let wanted: f64 = values
            .iter()
            .map(|&value| (f64::from(value) - f64::from(max)).exp())
            .sum();
        let sum = sum_of_exponentials(&values, max);
        assert!((sum / wanted - 1.0).abs() < 3e-7, "{sum} {wanted}");
    }

    #[test]
    fn nan_and_infinities() {
        assert_eq!(maximum(&[]), f32::NEG_INFINITY);
        assert_eq!(maximum(&[f32::NAN, -3.0, f32::NEG_INFINITY]), -3.0);
        let mut many = vec![f32::NAN; 100];
        many[37] = 5.0;
        assert_eq!(maximum(&many), 5.0);
        assert_eq!(sum_of_exponentials(&many, 5.0), 1.0);
        assert_eq!(
            sum_of_exponentials(&[f32::INFINITY, 3.0, f32::INFINITY], f32::INFINITY),
            2.0
        );
        assert_eq!(sum_of_exponentials(&[f32::NEG_INFINITY], f32::NEG_INFINITY), 0.0);
        assert_eq!(weight(f32::INFINITY, f32::INFINITY, 1.0), 1.0);
        assert_eq!(weight(3.0, f32::INFINITY, 1.0), 0.0);
    }
}
