//! The first pass over the logits: what there is to know of each part without knowing the others.

use super::arithmetic::{gap_of, greater, key_of, lesser, share_of, word_of};
use super::{PART, SCANNED, UNUSABLE};
use cubecl::prelude::*;

/// Of each unit's keys the greatest; of the tokens that have it the first.
#[cube]
pub(super) fn tree_of_best(
    keys: &mut Shared<[u32]>,
    tokens: &mut Shared<[u32]>,
    others: &mut Shared<[u32]>,
    #[comptime] units: u32,
) {
    sync_cube();
    let me = UNIT_POS as usize;
    let mut step = comptime!(units / 2).runtime();
    while step > 0u32 {
        if UNIT_POS < step {
            let other = (UNIT_POS + step) as usize;
            let mine = keys[me];
            let theirs = keys[other];
            if theirs > mine || (theirs == mine && tokens[other] < tokens[me]) {
                keys[me] = theirs;
                tokens[me] = tokens[other];
            }
            others[me] = greater(others[me], others[other]);
        }
        sync_cube();
        step = step / 2u32;
    }
}

/// The sums over the units.
#[cube]
pub(super) fn tree_of_sums(
    sums: &mut Shared<[f32]>,
    products: &mut Shared<[f32]>,
    counts: &mut Shared<[u32]>,
    #[comptime] units: u32,
) {
    sync_cube();
    let me = UNIT_POS as usize;
    let mut step = comptime!(units / 2).runtime();
    while step > 0u32 {
        if UNIT_POS < step {
            let other = (UNIT_POS + step) as usize;
            sums[me] = sums[me] + sums[other];
            products[me] = products[me] + products[other];
            counts[me] = counts[me] + counts[other];
        }
        sync_cube();
        step = step / 2u32;
    }
}

/// Leaves [`SCANNED`] words of each part. An exponential is taken once for each token: relative to the greatest allowed
/// logit of the part if it is allowed, else to the greatest of the others, so that neither sum vanishes beside the other.
#[cube(launch_unchecked)]
pub(super) fn scan<F: Float>(
    logits: &[F],
    table: &[u32],
    steps: &[u32],
    scanned: &mut [u32],
    vocabulary: u32,
    words: u32,
    stride: u32,
    parts: u32,
    #[comptime] units: u32,
    #[define(F)] _dtype: cubecl::ir::ElemType,
) {
    let part = CUBE_POS_X;
    let row = CUBE_POS_Y;
    let mask = steps[(row * stride) as usize];
    let base = row * vocabulary;
    let first = part * PART;
    let end = lesser(first + PART, vocabulary);
    let me = UNIT_POS as usize;

    let mut keys = Shared::<[u32]>::new_slice(units as usize);
    let mut tokens = Shared::<[u32]>::new_slice(units as usize);
    let mut others = Shared::<[u32]>::new_slice(units as usize);
    let mut best = 0u32;
    let mut best_token = first;
    let mut best_other = 0u32;
    let mut token = first + UNIT_POS;
    while token < end {
        let key = key_of(f32::cast_from(logits[(base + token) as usize]));
        let bits = word_of(table, mask, words, token >> 5u32);
        if (bits >> (token & 31u32)) & 1u32 == 1u32 {
            // Tokens ascend, so that the first of equals is kept.
            if key > best {
                best = key;
                best_token = token;
            }
        } else {
            best_other = greater(best_other, key);
        }
        token += units;
    }
    keys[me] = best;
    tokens[me] = best_token;
    others[me] = best_other;
    tree_of_best(&mut keys, &mut tokens, &mut others, units);
    let best = keys[0];
    let best_token = tokens[0];
    let best_other = others[0];

    let mut sums = Shared::<[f32]>::new_slice(units as usize);
    let mut products = Shared::<[f32]>::new_slice(units as usize);
    let mut other_sums = Shared::<[f32]>::new_slice(units as usize);
    let mut other_products = Shared::<[f32]>::new_slice(units as usize);
    let mut counts = Shared::<[u32]>::new_slice(units as usize);
    let mut nans = Shared::<[u32]>::new_slice(units as usize);
    let mut sum = 0.0f32;
    let mut product = 0.0f32;
    let mut other_sum = 0.0f32;
    let mut other_product = 0.0f32;
    let mut count = 0u32;
    let mut nan = 0u32;
    let mut token = first + UNIT_POS;
    while token < end {
        let logit = f32::cast_from(logits[(base + token) as usize]);
        let key = key_of(logit);
        let bits = word_of(table, mask, words, token >> 5u32);
        let allowed = (bits >> (token & 31u32)) & 1u32 == 1u32;
        if key != UNUSABLE {
            let max = select(allowed, best, best_other);
            let gap = gap_of(key, max);
            let share = share_of(key, max, gap);
            sum += select(allowed, share, 0.0f32);
            product += select(allowed, share * gap, 0.0f32);
            other_sum += select(allowed, 0.0f32, share);
            other_product += select(allowed, 0.0f32, share * gap);
        } else if allowed {
            // Minus infinity is no NaN.
            nan += select::<u32>(u32::reinterpret(logit) == 0xFF80_0000u32, 0u32, 1u32);
        }
        count += select::<u32>(allowed, 1u32, 0u32);
        token += units;
    }
    sums[me] = sum;
    products[me] = product;
    other_sums[me] = other_sum;
    other_products[me] = other_product;
    counts[me] = count;
    nans[me] = nan;
    tree_of_sums(&mut sums, &mut products, &mut counts, units);
    tree_of_sums(&mut other_sums, &mut other_products, &mut nans, units);
    if UNIT_POS == 0u32 {
        let at = ((row * parts + part) * SCANNED) as usize;
        scanned[at] = best;
        scanned[at + 1usize] = best_token;
        scanned[at + 2usize] = u32::reinterpret(sums[0]);
        scanned[at + 3usize] = u32::reinterpret(products[0]);
        scanned[at + 4usize] = best_other;
        scanned[at + 5usize] = u32::reinterpret(other_sums[0]);
        scanned[at + 6usize] = u32::reinterpret(other_products[0]);
        scanned[at + 7usize] = counts[0];
        scanned[at + 8usize] = nans[0];
    }
}

/// The greatest allowed key of a row.
#[cube]
pub(super) fn greatest_of(scanned: &[u32], row: u32, parts: u32) -> u32 {
    let mut greatest = 0u32;
    let mut part = 0u32;
    while part < parts {
        greatest = greater(greatest, scanned[((row * parts + part) * SCANNED) as usize]);
        part += 1u32;
    }
    greatest
}
