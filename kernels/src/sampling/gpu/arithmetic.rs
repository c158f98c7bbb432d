//! What the kernels reckon with: keys, bit rows, weights, and whole numbers of 64 bits.
//!
//! Such a number is a pair of words (low, high): shading languages need not have longer ones.

use super::super::draw::{MULTIPLIERS, WEYL};
use super::super::fixed_point::{FARTHEST, KEY_OF_INFINITY, LOG2_E, POWER};
use super::{ALL_ONES, UNUSABLE};
use cubecl::prelude::*;

/// As [`key`](super::super::fixed_point::key).
#[cube]
pub(super) fn key_of(logit: f32) -> u32 {
    let bits = u32::reinterpret(logit);
    let magnitude = bits & 0x7FFF_FFFFu32;
    let flipped = select(bits >> 31u32 == 1u32, bits ^ ALL_ONES, bits | 0x8000_0000u32);
    let ordered = select(magnitude == 0u32, 0x8000_0000u32, flipped);
    let unusable = magnitude > 0x7F80_0000u32 || bits == 0xFF80_0000u32;
    select(unusable, UNUSABLE, ordered)
}

/// As [`logit`](super::super::fixed_point::logit).
#[cube]
pub(super) fn logit_of(key: u32) -> f32 {
    f32::reinterpret(select(key >> 31u32 == 1u32, key & 0x7FFF_FFFFu32, key ^ ALL_ONES))
}

/// The bits of 32 tokens.
#[cube]
pub(super) fn word_of(table: &[u32], row: u32, words: u32, word: u32) -> u32 {
    // No constraint has no row to read; its first word stands in.
    let at = select(row == ALL_ONES, 0u32, row * words + word);
    select(row == ALL_ONES, ALL_ONES, table[at as usize])
}

/// The difference from the maximum, in floats, for the scores; 0 between infinities.
#[cube]
pub(super) fn gap_of(key: u32, max: u32) -> f32 {
    let difference = logit_of(key) - logit_of(max);
    // What is farther counts nothing, and might overflow.
    let near = select(difference > -100.0f32, difference, -100.0f32);
    select(key == max || max == KEY_OF_INFINITY, 0.0f32, near)
}

/// The exponential of the difference, where only infinities count beside one.
#[cube]
pub(super) fn share_of(key: u32, max: u32, gap: f32) -> f32 {
    select(max == KEY_OF_INFINITY && key != max, 0.0f32, gap.exp())
}

const POWER_0: u32 = POWER[0];
const POWER_1: u32 = POWER[1];
const POWER_2: u32 = POWER[2];
const POWER_3: u32 = POWER[3];
const POWER_4: u32 = POWER[4];
const POWER_5: u32 = POWER[5];

/// As [`weight`](super::super::fixed_point::weight).
#[cube]
pub(super) fn weight_of(key: u32, max: u32, units: f32) -> (u32, u32) {
    let distance = (logit_of(max) - logit_of(key)) * units;
    let near = distance < FARTHEST && max != KEY_OF_INFINITY;
    let distance = u32::cast_from(select(near, distance, 0.0f32));
    let powers = distance.mul_hi(LOG2_E);
    let whole = powers >> 26u32;
    let fraction = powers << 6u32;
    let sum = POWER_4 - fraction.mul_hi(POWER_5);
    let sum = POWER_3 - fraction.mul_hi(sum);
    let sum = POWER_2 - fraction.mul_hi(sum);
    let sum = POWER_1 - fraction.mul_hi(sum);
    let sum = POWER_0 - fraction.mul_hi(sum);
    // In units of 2^-31, to be shifted left by 13 and right by `whole`, which is at most 46.
    let power = 0x8000_0000u32 - (fraction.mul_hi(sum) >> 1u32);
    let is_left = whole <= 13u32;
    let left = select(is_left, 13u32 - whole, 0u32);
    let right = select(is_left, 0u32, whole - 13u32);
    let shifted = select(right > 31u32, 0u32, power >> (right & 31u32));
    let low = select(is_left, power << left, shifted);
    // No shift by 32, which would be none.
    let high = select(is_left, (power >> 1u32) >> (31u32 - left), 0u32);
    let low = select(near, low, 0u32);
    let high = select(near, high, 0u32);
    (select(key == max, 0u32, low), select(key == max, 0x1000u32, high))
}

/// The greater of two words.
#[cube]
pub(super) fn greater(a: u32, b: u32) -> u32 {
    select(a > b, a, b)
}

/// The lesser of two words.
#[cube]
pub(super) fn lesser(a: u32, b: u32) -> u32 {
    select(a < b, a, b)
}

/// The sum of two numbers.
#[cube]
pub(super) fn add(a: (u32, u32), b: (u32, u32)) -> (u32, u32) {
    let low = a.0 + b.0;
    let carry = select::<u32>(low < b.0, 1u32, 0u32);
    (low, a.1 + b.1 + carry)
}

/// The difference of two numbers, the second of which is not greater.
#[cube]
pub(super) fn minus(a: (u32, u32), b: (u32, u32)) -> (u32, u32) {
    let borrow = select::<u32>(a.0 < b.0, 1u32, 0u32);
    (a.0 - b.0, a.1 - b.1 - borrow)
}

/// Whether the first number is less than the second.
#[cube]
pub(super) fn less(a: (u32, u32), b: (u32, u32)) -> bool {
    a.1 < b.1 || (a.1 == b.1 && a.0 < b.0)
}

/// A number so many times; the product has 64 bits.
#[cube]
pub(super) fn times(a: (u32, u32), count: u32) -> (u32, u32) {
    (a.0 * count, a.0.mul_hi(count) + a.1 * count)
}

/// As [`part_of`](super::super::fixed_point::part_of).
#[cube]
pub(super) fn part_of(total: (u32, u32), share: u32) -> (u32, u32) {
    let low = total.0.mul_hi(share);
    let part = add((low, 0u32), (total.1 * share, total.1.mul_hi(share)));
    (select(part.0 == 0u32 && part.1 == 0u32, 1u32, part.0), part.1)
}

/// As [`target`](super::super::fixed_point::target).
#[cube]
pub(super) fn target_of(bits: (u32, u32), total: (u32, u32)) -> (u32, u32) {
    // The upper half of the product of 128 bits.
    let middle = add((bits.0.mul_hi(total.0), 0u32), (bits.0 * total.1, bits.0.mul_hi(total.1)));
    let other = (bits.1 * total.0, bits.1.mul_hi(total.0));
    let carry = add((middle.0, 0u32), (other.0, 0u32)).1;
    let upper = add((middle.1, 0u32), (other.1, 0u32));
    let upper = add(upper, (carry, 0u32));
    add(upper, (bits.1 * total.1, bits.1.mul_hi(total.1)))
}

const MULTIPLIER_0: u32 = MULTIPLIERS[0];
const MULTIPLIER_1: u32 = MULTIPLIERS[1];
const WEYL_0: u32 = WEYL[0];
const WEYL_1: u32 = WEYL[1];

/// As [`Draw::bits`](super::super::Draw::bits).
#[cube]
pub(super) fn random_bits(document: (u32, u32), position: (u32, u32), seed: (u32, u32)) -> (u32, u32) {
    let mut a = document.0;
    let mut b = document.1;
    let mut c = position.0;
    let mut d = position.1;
    let mut key_0 = seed.0;
    let mut key_1 = seed.1;
    #[unroll]
    for _ in 0..10u32 {
        let left_high = a.mul_hi(MULTIPLIER_0);
        let left_low = a * MULTIPLIER_0;
        let right_high = c.mul_hi(MULTIPLIER_1);
        let right_low = c * MULTIPLIER_1;
        a = right_high ^ b ^ key_0;
        b = right_low;
        c = left_high ^ d ^ key_1;
        d = left_low;
        key_0 += WEYL_0;
        key_1 += WEYL_1;
    }
    (a, b)
}
