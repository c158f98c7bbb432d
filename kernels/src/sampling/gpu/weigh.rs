//! The sums of the weights that the filters have left, part by part.

use super::arithmetic::{add, key_of, less, lesser, weight_of, word_of};
use super::scan::greatest_of;
use super::{CUT, PART, UNUSABLE, WEIGHED};
use cubecl::prelude::*;

/// The weight of a key, or 0 below min-p's least.
#[cube]
pub(super) fn left_of(key: u32, greatest: u32, units_per_logit: f32, least: (u32, u32)) -> (u32, u32) {
    let weight = weight_of(key, greatest, units_per_logit);
    let gone = less(weight, least);
    (select(gone, 0u32, weight.0), select(gone, 0u32, weight.1))
}

/// Leaves [`WEIGHED`] words of each part.
#[cube(launch_unchecked)]
pub(super) fn weigh<F: Float>(
    logits: &[F],
    table: &[u32],
    steps: &[u32],
    scanned: &[u32],
    cuts: &[u32],
    weighed: &mut [u32],
    vocabulary: u32,
    words: u32,
    stride: u32,
    parts: u32,
    units_per_logit: f32,
    least_low: u32,
    least_high: u32,
    #[comptime] units: u32,
    #[comptime] is_cut: bool,
    #[define(F)] _dtype: cubecl::ir::ElemType,
) {
    let part = CUBE_POS_X;
    let row = CUBE_POS_Y;
    let mask = steps[(row * stride) as usize];
    let base = row * vocabulary;
    let first = part * PART;
    let end = lesser(first + PART, vocabulary);
    let mut cut = 0u32;
    if comptime!(is_cut) {
        cut = cuts[(row * CUT) as usize];
    }
    let greatest = greatest_of(scanned, row, parts);
    let least = (least_low, least_high);
    let mut weights = (0u32.runtime(), 0u32.runtime());
    let mut on_cut = 0u32;
    let mut token = first + UNIT_POS;
    while token < end {
        let bits = word_of(table, mask, words, token >> 5u32);
        if (bits >> (token & 31u32)) & 1u32 == 1u32 {
            let key = key_of(f32::cast_from(logits[(base + token) as usize]));
            if key > cut {
                weights = add(weights, left_of(key, greatest, units_per_logit, least));
            } else if key == cut && key != UNUSABLE {
                on_cut += 1u32;
            }
        }
        token += units;
    }
    let mut low = Shared::<[u32]>::new_slice(units as usize);
    let mut high = Shared::<[u32]>::new_slice(units as usize);
    let mut ties = Shared::<[u32]>::new_slice(units as usize);
    let me = UNIT_POS as usize;
    low[me] = weights.0;
    high[me] = weights.1;
    ties[me] = on_cut;
    sync_cube();
    let mut step = comptime!(units / 2).runtime();
    while step > 0u32 {
        if UNIT_POS < step {
            let other = (UNIT_POS + step) as usize;
            let sum = add((low[me], high[me]), (low[other], high[other]));
            low[me] = sum.0;
            high[me] = sum.1;
            ties[me] = ties[me] + ties[other];
        }
        sync_cube();
        step = step / 2u32;
    }
    if UNIT_POS == 0u32 {
        let at = ((row * parts + part) * WEIGHED) as usize;
        weighed[at] = low[0];
        weighed[at + 1usize] = high[0];
        weighed[at + 2usize] = ties[0];
    }
}
