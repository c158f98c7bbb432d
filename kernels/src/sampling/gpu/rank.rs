//! The rank of the chosen token.

use super::arithmetic::{key_of, lesser};
use super::{FIELDS, PART};
use cubecl::prelude::*;

/// Counts in each part the tokens that are likelier than the row's chosen one.
#[cube(launch_unchecked)]
pub(super) fn rank<F: Float>(
    logits: &[F],
    out: &mut [u32],
    vocabulary: u32,
    parts: u32,
    #[comptime] units: u32,
    #[define(F)] _dtype: cubecl::ir::ElemType,
) {
    let part = CUBE_POS_X;
    let row = CUBE_POS_Y;
    let at = (row * (parts + FIELDS)) as usize;
    let key = out[at + 2usize];
    let first = part * PART;
    let mut end = lesser(first + PART, vocabulary);
    // Above the likeliest of all there is nothing to count.
    if key == out[at + 6usize] {
        end = first;
    }
    let mut above = 0u32;
    let mut token = first + UNIT_POS;
    while token < end {
        let other = key_of(f32::cast_from(logits[(row * vocabulary + token) as usize]));
        above += select::<u32>(other > key, 1u32, 0u32);
        token += units;
    }
    let mut counts = Shared::<[u32]>::new_slice(units as usize);
    let me = UNIT_POS as usize;
    counts[me] = above;
    sync_cube();
    let mut step = comptime!(units / 2).runtime();
    while step > 0u32 {
        if UNIT_POS < step {
            counts[me] = counts[me] + counts[(UNIT_POS + step) as usize];
        }
        sync_cube();
        step = step / 2u32;
    }
    if UNIT_POS == 0u32 {
        out[at + (FIELDS + part) as usize] = counts[0];
    }
}
