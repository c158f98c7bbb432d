//! The draw, and the read-back of a row.

use super::super::readback::NO_TOKEN;
use super::arithmetic::{
    add, gap_of, greater, key_of, less, lesser, minus, random_bits, share_of, target_of, times, word_of,
};
use super::scan::{tree_of_best, tree_of_sums};
use super::weigh::left_of;
use super::{CUT, FIELDS, MOST_PARTS, PART, SCANNED, UNUSABLE, WEIGHED};
use cubecl::prelude::*;

/// Joins the parts' maxima: the greatest allowed key, its first token, and the greatest other key are each left in the first place.
#[cube]
fn join_maxima(
    scanned: &[u32],
    row: u32,
    parts: u32,
    keys: &mut Shared<[u32]>,
    tokens: &mut Shared<[u32]>,
    others: &mut Shared<[u32]>,
    #[comptime] units: u32,
) {
    let me = UNIT_POS as usize;
    let mut best = 0u32;
    let mut best_token = 0u32;
    let mut best_other = 0u32;
    let mut part = UNIT_POS;
    while part < parts {
        let from = ((row * parts + part) * SCANNED) as usize;
        if scanned[from] > best {
            best = scanned[from];
            best_token = scanned[from + 1usize];
        }
        best_other = greater(best_other, scanned[from + 4usize]);
        part += units;
    }
    keys[me] = best;
    tokens[me] = best_token;
    others[me] = best_other;
    tree_of_best(keys, tokens, others, units);
}

/// Joins the parts' sums, relative to the maxima of the row. Each sum is left in the first place.
#[cube]
fn join_sums(
    scanned: &[u32],
    row: u32,
    parts: u32,
    best: u32,
    best_other: u32,
    sums: &mut Shared<[f32]>,
    products: &mut Shared<[f32]>,
    other_sums: &mut Shared<[f32]>,
    other_products: &mut Shared<[f32]>,
    counts: &mut Shared<[u32]>,
    nans: &mut Shared<[u32]>,
    #[comptime] units: u32,
) {
    let me = UNIT_POS as usize;
    let mut sum = 0.0f32;
    let mut product = 0.0f32;
    let mut other_sum = 0.0f32;
    let mut other_product = 0.0f32;
    let mut count = 0u32;
    let mut nan = 0u32;
    let mut part = UNIT_POS;
    while part < parts {
        let from = ((row * parts + part) * SCANNED) as usize;
        if scanned[from] != UNUSABLE {
            let gap = gap_of(scanned[from], best);
            let share = share_of(scanned[from], best, gap);
            let part_sum = f32::reinterpret(scanned[from + 2usize]);
            sum += share * part_sum;
            product += share * (f32::reinterpret(scanned[from + 3usize]) + gap * part_sum);
        }
        if scanned[from + 4usize] != UNUSABLE {
            let gap = gap_of(scanned[from + 4usize], best_other);
            let share = share_of(scanned[from + 4usize], best_other, gap);
            let part_sum = f32::reinterpret(scanned[from + 5usize]);
            other_sum += share * part_sum;
            other_product += share * (f32::reinterpret(scanned[from + 6usize]) + gap * part_sum);
        }
        count += scanned[from + 7usize];
        nan += scanned[from + 8usize];
        part += units;
    }
    sums[me] = sum;
    products[me] = product;
    other_sums[me] = other_sum;
    other_products[me] = other_product;
    counts[me] = count;
    nans[me] = nan;
    tree_of_sums(sums, products, counts, units);
    tree_of_sums(other_sums, other_products, nans, units);
}

/// The part in which the random number's target is reached, how many tokens on the cut it may keep, and what of the target
/// remains in it.
#[cube]
fn draw_part(
    weighed: &[u32],
    row: u32,
    parts: u32,
    keep: u32,
    on_cut: (u32, u32),
    bits: (u32, u32),
    #[comptime] units: u32,
) -> ((u32, u32), (u32, u32)) {
    // The parts' sums of weights, with what is kept of the tokens on the cut, which go in order of tokens.
    let mut part_low = Shared::<[u32]>::new_slice(MOST_PARTS);
    let mut part_high = Shared::<[u32]>::new_slice(MOST_PARTS);
    let mut part_ties = Shared::<[u32]>::new_slice(MOST_PARTS);
    let mut part = UNIT_POS;
    while part < parts {
        let from = ((row * parts + part) * WEIGHED) as usize;
        part_low[part as usize] = weighed[from];
        part_high[part as usize] = weighed[from + 1usize];
        part_ties[part as usize] = weighed[from + 2usize];
        part += units;
    }
    sync_cube();
    // Every unit does the same, so that none need be told.
    let mut total = (0u32.runtime(), 0u32.runtime());
    let mut left = keep;
    let mut part = 0u32;
    while part < parts {
        let ties = lesser(part_ties[part as usize], left);
        left -= ties;
        total = add(total, (part_low[part as usize], part_high[part as usize]));
        total = add(total, times(on_cut, ties));
        part += 1u32;
    }
    let target = target_of(bits, total);
    // The part in which the target is reached, and what of it remains in that part.
    let mut reached = (0u32.runtime(), 0u32.runtime());
    let mut before = (0u32.runtime(), 0u32.runtime());
    let mut chosen = 0u32;
    let mut left = keep;
    let mut left_before = keep;
    let mut found = false;
    let mut part = 0u32;
    while part < parts {
        let ties = lesser(part_ties[part as usize], left);
        if !found {
            before = reached;
            left_before = left;
            chosen = part;
        }
        left -= ties;
        reached = add(reached, (part_low[part as usize], part_high[part as usize]));
        reached = add(reached, times(on_cut, ties));
        if less(target, reached) {
            found = true;
        }
        part += 1u32;
    }
    ((chosen, left_before), minus(target, before))
}

/// The token of the part that the target points at. The tokens on the cut go in order of tokens.
#[cube]
fn draw_token<F: Float>(
    logits: &[F],
    table: &[u32],
    base: u32,
    mask: u32,
    words: u32,
    vocabulary: u32,
    chosen: u32,
    keep: u32,
    target: (u32, u32),
    cut: u32,
    on_cut: (u32, u32),
    best: u32,
    best_token: u32,
    units_per_logit: f32,
    least: (u32, u32),
    #[comptime] units: u32,
) -> u32 {
    let me = UNIT_POS as usize;
    // Each unit sums its own run of the part's tokens, and walks it if the target lies in it.
    let run = comptime!(PART / units);
    let first = chosen * PART + UNIT_POS * run;
    let end = lesser(first + run, vocabulary);
    let mut drawn_token = Shared::<[u32]>::new_slice(1usize);
    if UNIT_POS == 0u32 {
        drawn_token[0] = best_token;
    }
    let mut low = Shared::<[u32]>::new_slice(units as usize);
    let mut high = Shared::<[u32]>::new_slice(units as usize);
    let mut ties = Shared::<[u32]>::new_slice(units as usize);
    let mut weights = (0u32.runtime(), 0u32.runtime());
    let mut mine = 0u32;
    let mut at_token = first;
    while at_token < end {
        let word = word_of(table, mask, words, at_token >> 5u32);
        if (word >> (at_token & 31u32)) & 1u32 == 1u32 {
            let key = key_of(f32::cast_from(logits[(base + at_token) as usize]));
            if key > cut {
                weights = add(weights, left_of(key, best, units_per_logit, least));
            } else if key == cut && key != UNUSABLE {
                mine += 1u32;
            }
        }
        at_token += 1u32;
    }
    low[me] = weights.0;
    high[me] = weights.1;
    ties[me] = mine;
    sync_cube();
    let mut reached = (0u32.runtime(), 0u32.runtime());
    let mut left = keep;
    let mut unit = 0usize;
    while unit < me {
        let some = lesser(ties[unit], left);
        left -= some;
        reached = add(reached, (low[unit], high[unit]));
        reached = add(reached, times(on_cut, some));
        unit += 1usize;
    }
    let own = add(weights, times(on_cut, lesser(mine, left)));
    if !less(target, reached) && less(target, add(reached, own)) {
        let mut drawn = first;
        let mut is_found = false;
        let mut at_token = first;
        while at_token < end {
            let word = word_of(table, mask, words, at_token >> 5u32);
            if (word >> (at_token & 31u32)) & 1u32 == 1u32 {
                let key = key_of(f32::cast_from(logits[(base + at_token) as usize]));
                let mut weight = (0u32.runtime(), 0u32.runtime());
                if key > cut {
                    weight = left_of(key, best, units_per_logit, least);
                } else if key == cut && key != UNUSABLE && left > 0u32 {
                    weight = on_cut;
                    left -= 1u32;
                }
                reached = add(reached, weight);
                if !is_found && less(target, reached) {
                    drawn = at_token;
                    is_found = true;
                }
            }
            at_token += 1u32;
        }
        drawn_token[0] = drawn;
    }
    sync_cube();
    drawn_token[0]
}

/// Writes the read-back of a row.
#[cube]
fn write_row<F: Float>(
    logits: &[F],
    base: u32,
    out: &mut [u32],
    at: usize,
    token: u32,
    best: u32,
    best_token: u32,
    best_other: u32,
    sums: &Shared<[f32]>,
    products: &Shared<[f32]>,
    other_sums: &Shared<[f32]>,
    other_products: &Shared<[f32]>,
    counts: &Shared<[u32]>,
    nans: &Shared<[u32]>,
) {
    // The whole row from its two sides.
    let whole = greater(best, best_other);
    let gap = gap_of(best, whole);
    let share = share_of(best, whole, gap);
    let other_gap = gap_of(best_other, whole);
    let other_share = share_of(best_other, whole, other_gap);
    let mut whole_sum = 0.0f32;
    let mut whole_product = 0.0f32;
    if best != UNUSABLE {
        whole_sum += share * sums[0];
        whole_product += share * (products[0] + gap * sums[0]);
    }
    if best_other != UNUSABLE {
        whole_sum += other_share * other_sums[0];
        whole_product += other_share * (other_products[0] + other_gap * other_sums[0]);
    }
    let mut key = 0u32;
    if best != UNUSABLE {
        key = key_of(f32::cast_from(logits[(base + token) as usize]));
    }
    out[at] = select(best == UNUSABLE, NO_TOKEN, token);
    out[at + 1usize] = best_token;
    out[at + 2usize] = key;
    out[at + 3usize] = best;
    out[at + 4usize] = u32::reinterpret(sums[0]);
    out[at + 5usize] = u32::reinterpret(products[0]);
    out[at + 6usize] = whole;
    out[at + 7usize] = u32::reinterpret(whole_sum);
    out[at + 8usize] = u32::reinterpret(whole_product);
    out[at + 9usize] = counts[0];
    out[at + 10usize] = nans[0];
}

/// Writes the read-back of each row, except the ranks. A cube is one row.
#[cube(launch_unchecked)]
pub(super) fn finish<F: Float>(
    logits: &[F],
    table: &[u32],
    steps: &[u32],
    scanned: &[u32],
    cuts: &[u32],
    weighed: &[u32],
    out: &mut [u32],
    vocabulary: u32,
    words: u32,
    stride: u32,
    parts: u32,
    units_per_logit: f32,
    least_low: u32,
    least_high: u32,
    seed_low: u32,
    seed_high: u32,
    #[comptime] units: u32,
    #[comptime] is_drawn: bool,
    #[comptime] is_cut: bool,
    #[define(F)] _dtype: cubecl::ir::ElemType,
) {
    let row = CUBE_POS_X;
    let width = parts + FIELDS;
    let at = (row * width) as usize;
    let base = row * vocabulary;

    let mut keys = Shared::<[u32]>::new_slice(units as usize);
    let mut tokens = Shared::<[u32]>::new_slice(units as usize);
    let mut others = Shared::<[u32]>::new_slice(units as usize);
    join_maxima(scanned, row, parts, &mut keys, &mut tokens, &mut others, units);
    let best = keys[0];
    let best_token = tokens[0];
    let best_other = others[0];

    let mut sums = Shared::<[f32]>::new_slice(units as usize);
    let mut products = Shared::<[f32]>::new_slice(units as usize);
    let mut other_sums = Shared::<[f32]>::new_slice(units as usize);
    let mut other_products = Shared::<[f32]>::new_slice(units as usize);
    let mut counts = Shared::<[u32]>::new_slice(units as usize);
    let mut nans = Shared::<[u32]>::new_slice(units as usize);
    join_sums(
        scanned,
        row,
        parts,
        best,
        best_other,
        &mut sums,
        &mut products,
        &mut other_sums,
        &mut other_products,
        &mut counts,
        &mut nans,
        units,
    );

    let mut token = best_token;
    if comptime!(is_drawn) {
        let mut cut = 0u32;
        let mut keep = 0u32;
        if comptime!(is_cut) {
            cut = cuts[(row * CUT) as usize];
            keep = cuts[(row * CUT + 1u32) as usize];
        }
        let least = (least_low, least_high);
        let mut on_cut = (0u32.runtime(), 0u32.runtime());
        if cut != UNUSABLE {
            on_cut = left_of(cut, best, units_per_logit, least);
        }

        let from = (row * stride) as usize;
        let bits = random_bits(
            (steps[from + 1usize], steps[from + 2usize]),
            (steps[from + 3usize], steps[from + 4usize]),
            (seed_low, seed_high),
        );
        let reached = draw_part(weighed, row, parts, keep, on_cut, bits, units);
        token = draw_token::<F>(
            logits,
            table,
            base,
            steps[from],
            words,
            vocabulary,
            (reached.0).0,
            (reached.0).1,
            reached.1,
            cut,
            on_cut,
            best,
            best_token,
            units_per_logit,
            least,
            units,
        );
    }
    if UNIT_POS == 0u32 {
        write_row::<F>(
            logits,
            base,
            out,
            at,
            token,
            best,
            best_token,
            best_other,
            &sums,
            &products,
            &other_sums,
            &other_products,
            &counts,
            &nans,
        );
    }
}
