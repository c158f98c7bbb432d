//! Maxima and sums of exponentials over rows of logits.
//!
//! The exponential is a polynomial of our own, in plain `f32` operations that the compiler can vectorise. It gives the same bits
//! on every processor. So scores do not depend on the platform's mathematical library.

/// Below this the exponential is counted as 0 (its true value is under 2e-38).
const UNDERFLOW: f32 = -87.0;
/// How many exponentials are added in `f32` before they go to an `f64`: keeps the relative error of a sum near 1e-7.
const BLOCK: usize = 512;
/// Independent sums within a block, so that additions can go side by side.
const LANES: usize = 16;

/// Defines `fn name(args)` that runs `body(args)` with the widest registers that the processor has: the body, which is always
/// inlined, is compiled once for each width. No fused operations are used, so that every width gives the same bits.
macro_rules! widest {
    ($(#[$doc:meta])* $vis:vis fn $name:ident($($arg:ident: $ty:ty),*) -> $out:ty = $body:ident) => {
        $(#[$doc])*
        $vis fn $name($($arg: $ty),*) -> $out {
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx512f")]
                fn wide512($($arg: $ty),*) -> $out {
                    $body($($arg),*)
                }
                #[target_feature(enable = "avx2")]
                fn wide256($($arg: $ty),*) -> $out {
                    $body($($arg),*)
                }
                if std::is_x86_feature_detected!("avx512f") {
                    // SAFETY: the processor was just found to have the feature.
                    return unsafe { wide512($($arg),*) };
                }
                if std::is_x86_feature_detected!("avx2") {
                    // SAFETY: as above.
                    return unsafe { wide256($($arg),*) };
                }
            }
            $body($($arg),*)
        }
    };
}

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
    if x > UNDERFLOW { value * f32::from_bits(exponent) } else { 0.0 }
}

widest! {
    /// The greatest value that is not NaN; `-inf` where there is none.
    pub fn maximum(values: &[f32]) -> f32 = maximum_of
}

#[inline(always)]
fn maximum_of(values: &[f32]) -> f32 {
    let mut lanes = [f32::NEG_INFINITY; LANES];
    let chunks = values.chunks_exact(LANES);
    let rest = chunks.remainder();
    for chunk in chunks {
        for (lane, &value) in lanes.iter_mut().zip(chunk) {
            *lane = if value > *lane { value } else { *lane };
        }
    }
    lanes.iter().chain(rest).fold(f32::NEG_INFINITY, |max, &value| if value > max { value } else { max })
}

/// Sums over a row of logits, from which its normaliser and its entropy follow.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Moments {
    /// The sum of `e^(value - max)`.
    pub sum: f64,
    /// The sum of `e^(value - max) (value - max)`.
    pub product: f64,
}

impl Moments {
    /// The entropy of the softmax of the row, in nats: `ln Z - E[x]`, where `Z` is the sum and `x` is `value - max`.
    pub fn entropy(&self) -> f64 {
        // Rounding may put a certain row a hair below 0.
        (self.sum.ln() - self.product / self.sum).max(0.0)
    }
}

/// The sums of a row whose maximum is `max`; NaN counts as `-inf`.
///
/// Where the maximum is `+inf`, the values that are infinite too count 1 each and all others 0, which is the limit of a
/// model that is certain. Where it is `-inf` the sums are 0.
pub fn moments(values: &[f32], max: f32) -> Moments {
    if max == f32::INFINITY {
        let sum = values.iter().filter(|&&value| value == f32::INFINITY).count() as f64;
        return Moments { sum, product: 0.0 };
    }
    if max == f32::NEG_INFINITY {
        return Moments::default();
    }
    finite_moments(values, max)
}

widest! {
    fn finite_moments(values: &[f32], max: f32) -> Moments = finite_moments_of
}

#[inline(always)]
fn finite_moments_of(values: &[f32], max: f32) -> Moments {
    let mut total = Moments::default();
    for block in values.chunks(BLOCK) {
        let (mut sums, mut products) = ([0.0_f32; LANES], [0.0_f32; LANES]);
        let chunks = block.chunks_exact(LANES);
        let rest = chunks.remainder();
        for chunk in chunks {
            for ((sum, product), &value) in sums.iter_mut().zip(&mut products).zip(chunk) {
                let (e, x) = term(value - max);
                *sum += e;
                *product += e * x;
            }
        }
        for (sum, &value) in sums.iter_mut().zip(rest) {
            *sum += term(value - max).0;
        }
        for (product, &value) in products.iter_mut().zip(rest) {
            let (e, x) = term(value - max);
            *product += e * x;
        }
        total.sum += sums.iter().map(|&sum| f64::from(sum)).sum::<f64>();
        total.product += products.iter().map(|&product| f64::from(product)).sum::<f64>();
    }
    total
}

/// `e^x` and `x`, where `x` that is below the underflow, or no number, is 0 to the product.
#[inline(always)]
fn term(x: f32) -> (f32, f32) {
    (exp(x), if x > UNDERFLOW { x } else { 0.0 })
}

widest! {
    /// How many values are above `value`.
    pub fn count_above(values: &[f32], value: f32) -> u32 = count_above_of
}

#[inline(always)]
fn count_above_of(values: &[f32], value: f32) -> u32 {
    values.iter().map(|&other| u32::from(other > value)).sum()
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
        let wanted: f64 = values.iter().map(|&value| (f64::from(value) - f64::from(max)).exp()).sum();
        let got = moments(&values, max);
        assert!((got.sum / wanted - 1.0).abs() < 3e-7, "{got:?} {wanted}");
        let entropy: f64 =
            values.iter().map(|&value| (f64::from(value) - f64::from(max)).exp() / wanted).map(|p| -p * p.ln()).sum();
        assert!((got.entropy() - entropy).abs() < 1e-5, "{} {entropy}", got.entropy());
        assert_eq!(count_above(&values, 19.5), values.iter().filter(|&&v| v > 19.5).count() as u32);
    }

    #[test]
    fn entropies_of_known_rows() {
        let entropy = |values: &[f32]| moments(values, maximum(values)).entropy();
        assert!((entropy(&[1.0; 49_152]) - 49_152f64.ln()).abs() < 1e-6);
        assert_eq!(entropy(&[3.0]), 0.0);
        assert_eq!(entropy(&[0.0, f32::NEG_INFINITY, f32::NAN, -1e30]), 0.0);
        assert!((entropy(&[f32::INFINITY, f32::INFINITY, 0.0]) - 2f64.ln()).abs() < 1e-12);
    }

    /// Every width of register gives the same bits.
    #[test]
    fn the_width_changes_nothing() {
        let values: Vec<f32> = (0..3_001).map(|i| ((i * 7919) % 4001) as f32 * 0.013 - 26.0).collect();
        let max = maximum(&values);
        assert_eq!(max, maximum_of(&values));
        assert_eq!(moments(&values, max), finite_moments_of(&values, max));
        assert_eq!(count_above(&values, 0.5), count_above_of(&values, 0.5));
    }

    #[test]
    fn nan_and_infinities() {
        assert_eq!(maximum(&[]), f32::NEG_INFINITY);
        assert_eq!(maximum(&[f32::NAN, -3.0, f32::NEG_INFINITY]), -3.0);
        let mut many = vec![f32::NAN; 100];
        many[37] = 5.0;
        assert_eq!(maximum(&many), 5.0);
        assert_eq!(moments(&many, 5.0).sum, 1.0);
        let two = moments(&[f32::INFINITY, 3.0, f32::INFINITY], f32::INFINITY);
        assert_eq!(two.sum, 2.0);
        assert_eq!(moments(&[f32::NEG_INFINITY], f32::NEG_INFINITY).sum, 0.0);
    }
}
