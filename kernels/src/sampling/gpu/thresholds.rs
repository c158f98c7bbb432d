//! Where top-k and top-p cut, without a sort.
//!
//! Both keep the first of the tokens in order of logits, of equal ones the lower token first: all above some key, and of those
//! that have it the first few. The key is the greatest `t` such that enough lie at `t` or above: as many tokens as top-k wants,
//! or weights that reach top-p's share. What lies at `t` or above can only become less as `t` grows. So `t` is found from its
//! highest digits down, here two bits at a time. It is exact, because keys are whole numbers. A division then gives the number of
//! tokens on the key that are kept.

use super::CUT;
use super::arithmetic::{add, key_of, less, minus, part_of, times, weight_of, word_of};
use super::scan::greatest_of;
use cubecl::prelude::*;

/// How many bits the number of tokens on a key may have.
const COUNT_BITS: u32 = super::super::fixed_point::MOST_TOKENS.ilog2();

/// The key of a token, if it may be chosen.
#[cube]
fn usable_key<F: Float>(logits: &[F], table: &[u32], base: u32, mask: u32, words: u32, token: u32) -> u32 {
    let bits = word_of(table, mask, words, token >> 5u32);
    let mut key = 0u32;
    if (bits >> (token & 31u32)) & 1u32 == 1u32 {
        key = key_of(f32::cast_from(logits[(base + token) as usize]));
    }
    key
}

/// Three sums over the units' numbers, each in two words.
#[cube]
fn tree_of_three(low: &mut Shared<[u32]>, high: &mut Shared<[u32]>, #[comptime] units: u32) {
    sync_cube();
    let mut step = comptime!(units / 2).runtime();
    while step > 0u32 {
        if UNIT_POS < step {
            #[unroll]
            for number in 0..3u32 {
                let mine = (number * units + UNIT_POS) as usize;
                let theirs = (number * units + UNIT_POS + step) as usize;
                let sum = add((low[mine], high[mine]), (low[theirs], high[theirs]));
                low[mine] = sum.0;
                high[mine] = sum.1;
            }
        }
        sync_cube();
        step = step / 2u32;
    }
}

/// The sum of the weights of the keys above a key.
#[cube]
fn weights_above<F: Float>(
    logits: &[F],
    table: &[u32],
    base: u32,
    mask: u32,
    words: u32,
    vocabulary: u32,
    key: u32,
    greatest: u32,
    units_per_logit: f32,
    low: &mut Shared<[u32]>,
    high: &mut Shared<[u32]>,
    #[comptime] units: u32,
) -> (u32, u32) {
    let me = UNIT_POS as usize;
    let second = (units + UNIT_POS) as usize;
    let third = (2u32 * units + UNIT_POS) as usize;
    let mut weights = (0u32.runtime(), 0u32.runtime());
    let mut token = UNIT_POS;
    while token < vocabulary {
        let other = usable_key::<F>(logits, table, base, mask, words, token);
        if other > key {
            weights = add(weights, weight_of(other, greatest, units_per_logit));
        }
        token += units;
    }
    low[me] = weights.0;
    high[me] = weights.1;
    low[second] = 0u32;
    low[third] = 0u32;
    high[second] = 0u32;
    high[third] = 0u32;
    tree_of_three(low, high, units);
    let sum = (low[0], high[0]);
    sync_cube();
    sum
}

/// Where top-k cuts: the key, and how many of the tokens that have it stay.
#[cube]
fn top_k<F: Float>(
    logits: &[F],
    table: &[u32],
    base: u32,
    mask: u32,
    words: u32,
    vocabulary: u32,
    most: u32,
    low: &mut Shared<[u32]>,
    high: &mut Shared<[u32]>,
    #[comptime] units: u32,
) -> (u32, u32) {
    let me = UNIT_POS as usize;
    let second = (units + UNIT_POS) as usize;
    let third = (2u32 * units + UNIT_POS) as usize;
    let mut key = 0u32;
    let mut shift = 32u32;
    while shift > 0u32 {
        shift -= 2u32;
        let one = key | (1u32 << shift);
        let two = key | (2u32 << shift);
        let three = key | (3u32 << shift);
        let mut at_one = 0u32;
        let mut at_two = 0u32;
        let mut at_three = 0u32;
        let mut token = UNIT_POS;
        while token < vocabulary {
            let other = usable_key::<F>(logits, table, base, mask, words, token);
            at_one += select::<u32>(other >= one, 1u32, 0u32);
            at_two += select::<u32>(other >= two, 1u32, 0u32);
            at_three += select::<u32>(other >= three, 1u32, 0u32);
            token += units;
        }
        low[me] = at_one;
        low[second] = at_two;
        low[third] = at_three;
        high[me] = 0u32;
        high[second] = 0u32;
        high[third] = 0u32;
        tree_of_three(low, high, units);
        let with_one = select(low[0] >= most, one, key);
        let with_two = select(low[units as usize] >= most, two, with_one);
        key = select(low[(2u32 * units) as usize] >= most, three, with_two);
        sync_cube();
    }
    let mut above = 0u32;
    let mut token = UNIT_POS;
    while token < vocabulary {
        above += select::<u32>(usable_key::<F>(logits, table, base, mask, words, token) > key, 1u32, 0u32);
        token += units;
    }
    low[me] = above;
    low[second] = 0u32;
    low[third] = 0u32;
    high[me] = 0u32;
    high[second] = 0u32;
    high[third] = 0u32;
    tree_of_three(low, high, units);
    // Of no more tokens than wanted all stay: the key is then 0, which none of them has.
    let keep = select(key == 0u32, 0u32, most - low[0]);
    sync_cube();
    (key, keep)
}

/// The greatest key at or above which the weights reach `needed`. Keys up to `floor` reach it in any case.
#[cube]
fn key_of_share<F: Float>(
    logits: &[F],
    table: &[u32],
    base: u32,
    mask: u32,
    words: u32,
    vocabulary: u32,
    floor: u32,
    greatest: u32,
    units_per_logit: f32,
    needed: (u32, u32),
    low: &mut Shared<[u32]>,
    high: &mut Shared<[u32]>,
    #[comptime] units: u32,
) -> u32 {
    let me = UNIT_POS as usize;
    let second = (units + UNIT_POS) as usize;
    let third = (2u32 * units + UNIT_POS) as usize;
    let mut key = 0u32;
    let mut shift = 32u32;
    while shift > 0u32 {
        shift -= 2u32;
        let one = key | (1u32 << shift);
        let two = key | (2u32 << shift);
        let three = key | (3u32 << shift);
        let mut at_one = (0u32.runtime(), 0u32.runtime());
        let mut at_two = (0u32.runtime(), 0u32.runtime());
        let mut at_three = (0u32.runtime(), 0u32.runtime());
        let mut token = UNIT_POS;
        while token < vocabulary {
            let other = usable_key::<F>(logits, table, base, mask, words, token);
            if other >= one && other > floor {
                let weight = weight_of(other, greatest, units_per_logit);
                at_one = add(at_one, weight);
                let is_two = other >= two;
                at_two = add(at_two, (select(is_two, weight.0, 0u32), select(is_two, weight.1, 0u32)));
                let is_three = other >= three;
                at_three = add(at_three, (select(is_three, weight.0, 0u32), select(is_three, weight.1, 0u32)));
            }
            token += units;
        }
        low[me] = at_one.0;
        high[me] = at_one.1;
        low[second] = at_two.0;
        high[second] = at_two.1;
        low[third] = at_three.0;
        high[third] = at_three.1;
        tree_of_three(low, high, units);
        // At or below top-k's key lies all that it has left, and that is enough.
        let one_is = one <= floor || !less((low[0], high[0]), needed);
        let at = units as usize;
        let two_is = two <= floor || !less((low[at], high[at]), needed);
        let at = (2u32 * units) as usize;
        let three_is = three <= floor || !less((low[at], high[at]), needed);
        key = select(three_is, three, select(two_is, two, select(one_is, one, key)));
        sync_cube();
    }
    key
}

/// Where top-p cuts among what top-k has kept, which is given by its key `floor` and by how many tokens of it stay.
#[cube]
fn top_p<F: Float>(
    logits: &[F],
    table: &[u32],
    base: u32,
    mask: u32,
    words: u32,
    vocabulary: u32,
    floor: u32,
    keep: u32,
    greatest: u32,
    units_per_logit: f32,
    share: u32,
    low: &mut Shared<[u32]>,
    high: &mut Shared<[u32]>,
    #[comptime] units: u32,
) -> (u32, u32) {
    // The total of what top-k has kept.
    let above_floor = weights_above::<F>(
        logits,
        table,
        base,
        mask,
        words,
        vocabulary,
        floor,
        greatest,
        units_per_logit,
        low,
        high,
        units,
    );
    let on_floor = times(weight_of(floor, greatest, units_per_logit), keep);
    let needed = part_of(add(above_floor, on_floor), share);
    let key = key_of_share::<F>(
        logits,
        table,
        base,
        mask,
        words,
        vocabulary,
        floor,
        greatest,
        units_per_logit,
        needed,
        low,
        high,
        units,
    );
    let above = weights_above::<F>(
        logits,
        table,
        base,
        mask,
        words,
        vocabulary,
        key,
        greatest,
        units_per_logit,
        low,
        high,
        units,
    );
    // The least number of tokens on the key that fills up what is needed, found as the greatest that does not, plus 1.
    let missing = minus(needed, above);
    let each = weight_of(key, greatest, units_per_logit);
    let mut few = 0u32;
    let mut bit = comptime!(COUNT_BITS).runtime();
    while bit > 0u32 {
        bit -= 1u32;
        let more = few | (1u32 << bit);
        few = select(less(times(each, more), missing), more, few);
    }
    (key, few + 1u32)
}

/// Leaves [`CUT`] words of each row.
#[cube(launch_unchecked)]
pub(super) fn cut<F: Float>(
    logits: &[F],
    table: &[u32],
    steps: &[u32],
    scanned: &[u32],
    cuts: &mut [u32],
    vocabulary: u32,
    words: u32,
    stride: u32,
    parts: u32,
    most: u32,
    share: u32,
    units_per_logit: f32,
    #[comptime] units: u32,
    #[comptime] has_most: bool,
    #[comptime] has_share: bool,
    #[define(F)] _dtype: cubecl::ir::ElemType,
) {
    let row = CUBE_POS_X;
    let base = row * vocabulary;
    let mask = steps[(row * stride) as usize];
    let greatest = greatest_of(scanned, row, parts);
    let mut low = Shared::<[u32]>::new_slice((3 * units) as usize);
    let mut high = Shared::<[u32]>::new_slice((3 * units) as usize);
    // All keys above `key` stay, and so many that are equal to it.
    let mut key = 0u32;
    let mut keep = 0u32;
    if comptime!(has_most) {
        let cut = top_k::<F>(logits, table, base, mask, words, vocabulary, most, &mut low, &mut high, units);
        key = cut.0;
        keep = cut.1;
    }
    if comptime!(has_share) {
        let cut = top_p::<F>(
            logits,
            table,
            base,
            mask,
            words,
            vocabulary,
            key,
            keep,
            greatest,
            units_per_logit,
            share,
            &mut low,
            &mut high,
            units,
        );
        key = cut.0;
        keep = cut.1;
    }
    if UNIT_POS == 0u32 {
        let at = (row * CUT) as usize;
        cuts[at] = key;
        cuts[at + 1usize] = keep;
    }
}
