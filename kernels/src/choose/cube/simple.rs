//! The rank of the chosen token, the masked copy of logits, and the verification of drafts.

use super::wide::{key_of, lesser, word_of};
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

/// Copies logits, with the lowest finite number for refused tokens.
#[cube(launch_unchecked)]
pub(super) fn mask<F: Float>(
    logits: &[F],
    table: &[u32],
    steps: &[u32],
    out: &mut [F],
    vocabulary: u32,
    words: u32,
    #[define(F)] _dtype: cubecl::ir::ElemType,
) {
    let at = ABSOLUTE_POS;
    if at >= out.len() {
        terminate!();
    }
    let row = at as u32 / vocabulary;
    let token = at as u32 - row * vocabulary;
    let bits = word_of(table, steps[row as usize], words, token >> 5u32);
    if (bits >> (token & 31u32)) & 1u32 == 1u32 {
        out[at] = logits[at];
    } else {
        out[at] = F::min_value();
    }
}

/// The longest agreeing head of each draft, and the choice behind it. A unit is one draft.
#[cube(launch_unchecked)]
pub(super) fn verify(tokens: &[u32], drafts: &[u32], out: &mut [u32], batch: u32, width: u32) {
    let draft = ABSOLUTE_POS as u32;
    if draft >= batch {
        terminate!();
    }
    let from = (draft * width) as usize;
    let first = drafts[from];
    let length = drafts[from + 1usize];
    let mut accepted = 0u32;
    let mut agrees = true;
    let mut at = 0u32;
    while at < length {
        if drafts[from + (2u32 + at) as usize] != tokens[(first + at) as usize] {
            agrees = false;
        }
        if agrees {
            accepted += 1u32;
        }
        at += 1u32;
    }
    out[(2u32 * draft) as usize] = accepted;
    out[(2u32 * draft + 1u32) as usize] = tokens[(first + accepted) as usize];
}
