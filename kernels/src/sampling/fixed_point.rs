//! Draws in whole numbers, so that every device draws the same token.
//!
//! A draw compares sums of weights `e^((logit - max) / T)` with a random share of their total. In floats such a sum depends on
//! the order of its terms. Each term depends on the device's exponential, and on whether it fuses multiplications with additions.
//! Two devices would then differ on tokens near a border. Here a weight is a 64-bit whole number. Only one subtraction and one
//! multiplication are left in floats, and every device rounds these alike. Sums of whole numbers are exact, in any order and
//! however they are cut into parts.
//!
//! Logits are compared as **keys**: whole numbers in the order of the floats. So infinities and NaN need no float that a
//! shading language lacks, and thresholds can be searched for bit by bit.

/// The weight of the likeliest candidate. A power of two, and small enough that the weights of [`MOST_TOKENS`] have a sum
/// below 2^63.
pub const ONE: u64 = 1 << 44;
/// The longest vocabulary that sums of weights have room for.
pub const MOST_TOKENS: usize = 1 << 19;

/// The key of a logit that cannot be chosen: `-inf` or NaN.
pub const UNUSABLE: u32 = 0;
/// The key of `+inf`.
pub const KEY_OF_INFINITY: u32 = 0xFF80_0000;

/// A logit as a whole number of the same order; 0 and -0 have one key.
#[inline(always)]
pub fn key(logit: f32) -> u32 {
    let bits = logit.to_bits();
    let magnitude = bits & 0x7FFF_FFFF;
    if magnitude > 0x7F80_0000 || bits == 0xFF80_0000 {
        UNUSABLE
    } else if magnitude == 0 {
        0x8000_0000
    } else if bits >> 31 == 1 {
        !bits
    } else {
        bits | 0x8000_0000
    }
}

/// The logit of a key; NaN for [`UNUSABLE`].
pub fn logit(key: u32) -> f32 {
    f32::from_bits(if key >> 31 == 1 { key & 0x7FFF_FFFF } else { !key })
}

/// Units of a distance: 2^27 for each nat.
const UNITS: f32 = 134_217_728.0;
/// From here on a weight is 0: 32 nats, where it would be below `ONE` / 2^46.
pub(super) const FARTHEST: f32 = 4_294_967_296.0;

/// What a difference of logits is multiplied with to be a distance in units, at a temperature above 0.
pub fn units_per_logit(temperature: f32) -> f32 {
    (UNITS / temperature).min(f32::MAX)
}

/// `log2(e)` in units of 2^-31.
pub(super) const LOG2_E: u32 = 0xB8AA_3B29;
/// `(1 - 2^-f) / f` on [0, 1) as a polynomial of degree 5 in `f`, alternating in sign, in units of 2^-32: interpolated at
/// Chebyshev's points, which makes the power's relative error 1.2e-8 at most.
pub(super) const POWER: [u32; 6] = [2_977_044_447, 1_031_763_206, 238_367_376, 41_218_952, 5_547_538, 493_577];

fn high(a: u32, b: u32) -> u32 {
    ((u64::from(a) * u64::from(b)) >> 32) as u32
}

/// The weight of a logit, where `max` is the greatest among the candidates: `ONE * e^((logit - max) / T)`, and 0 beyond
/// 32 nats. The difference is rounded to 24 bits, which costs the weight a share of some 1e-7 for each nat. Of infinite logits every one weighs `ONE`, and all others 0.
#[inline]
pub fn weight(logit: f32, max: f32, units_per_logit: f32) -> u64 {
    if logit == max {
        return ONE;
    }
    let distance = (max - logit) * units_per_logit;
    // NaN is not near; and beside a maximum of +inf there is none near but its equals.
    let is_near = distance < FARTHEST;
    if !is_near {
        return 0;
    }
    let powers = high(distance as u32, LOG2_E); // of 1/2, in units of 2^-26
    let (whole, fraction) = (powers >> 26, powers << 6);
    let mut sum = POWER[5];
    for factor in POWER[..5].iter().rev() {
        sum = factor - high(sum, fraction);
    }
    let power = (1u32 << 31) - (high(sum, fraction) >> 1); // 2^-fraction, in units of 2^-31
    (u64::from(power) << 13) >> whole
}

/// A share from 0 to 1 in units of 2^-32, as top-p is reckoned with.
pub fn share(p: f32) -> u32 {
    // A share of 1 has no room; nobody asks for it.
    (f64::from(p) * 4_294_967_296.0).clamp(1.0, f64::from(u32::MAX)) as u32
}

/// What a share of a total is, at least 1.
pub fn part_of(total: u64, share: u32) -> u64 {
    ((u128::from(total) * u128::from(share)) >> 32).max(1) as u64
}

/// The least weight that min-p keeps.
pub fn least_weight(min_p: f32) -> u64 {
    (f64::from(min_p) * ONE as f64) as u64
}

/// The place in `0..total` that random bits point at; uniform to within 2^-64 of the total.
pub fn target(bits: u64, total: u64) -> u64 {
    ((u128::from(bits) * u128::from(total)) >> 64) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_have_the_order_of_the_logits() {
        let ascending = [-f32::MAX, -1.5, -1e-45, 0.0, 1e-45, 1.0, 1.0000001, f32::MAX, f32::INFINITY];
        for pair in ascending.windows(2) {
            assert!(key(pair[0]) < key(pair[1]), "{pair:?}");
        }
        for value in ascending {
            assert_eq!(logit(key(value)), value);
            assert!(key(value) > UNUSABLE);
        }
        assert_eq!(key(-0.0), key(0.0));
        assert_eq!(key(f32::INFINITY), KEY_OF_INFINITY);
        for unusable in [f32::NEG_INFINITY, f32::NAN, -f32::NAN] {
            assert_eq!(key(unusable), UNUSABLE);
        }
    }

    #[test]
    fn weights_are_close_to_the_exponential() {
        for temperature in [0.3f32, 1.0, 2.5] {
            let scale = units_per_logit(temperature);
            for i in 0..400_000 {
                let distance = i as f32 * 1e-4;
                let wanted = ONE as f64 * (-f64::from(distance) / f64::from(temperature)).exp();
                let got = weight(-distance, 0.0, scale) as f64;
                let nats = f64::from(distance) / f64::from(temperature);
                let error = (got - wanted).abs();
                let bound = (4e-7 * nats + 1e-7) * wanted + 1.0;
                assert!(error <= bound, "{distance} at {temperature}: {got} for {wanted}");
            }
        }
    }

    #[test]
    fn weights_of_extremes() {
        let scale = units_per_logit(1.0);
        assert_eq!(weight(f32::INFINITY, f32::INFINITY, scale), ONE);
        assert_eq!(weight(3.0, f32::INFINITY, scale), 0);
        assert_eq!(weight(-f32::MAX, f32::MAX, scale), 0);
        assert_eq!(weight(f32::NAN, 1.0, scale), 0);
        assert_eq!(weight(f32::NEG_INFINITY, 1.0, scale), 0);
        assert_eq!(weight(5.0, 5.0, units_per_logit(1e-40)), ONE);
        assert_eq!(weight(4.999, 5.0, units_per_logit(1e-40)), 0);
        assert_eq!(weight(-0.0, 0.0, scale), ONE);
    }

    #[test]
    fn shares_and_targets() {
        assert_eq!(part_of(1000, share(0.5)), 500);
        assert_eq!(part_of(1, share(1e-9)), 1);
        assert_eq!(target(0, 1000), 0);
        assert_eq!(target(u64::MAX, 1000), 999);
        assert_eq!(target(1 << 63, 1000), 500);
        assert_eq!(least_weight(1.0), ONE);
        assert!(MOST_TOKENS as u128 * u128::from(ONE) <= 1 << 63);
    }
}
