//! Attention of new tokens over a cache of keys and values.
//!
//! A decoding step has one query per head and sequence. Few heads share each key and value, so memory limits the speed. A prompt,
//! or a draft, has many queries per sequence, and each sees one position more than the previous one. One loop does both.
//! Neighbouring tokens of one sequence form a [block](Block), so that its keys and values are read once for all of them. Each
//! (block, key head) is one piece of work. Its scores are queries of the group times keys, by the linear layer's
//! [tile](crate::linear::cpu::tile) or [panels](crate::linear::cpu::panel). A softmax follows in place, over what each query
//! sees. Then comes the weighted sum of the values, with the output rows in registers.
//!
//! Sequences often begin with the same tokens (an instruction and examples). With hundreds of positions per slot, reading the
//! cache from memory takes most of the time. So a span may say that its first positions equal [those of another
//! slot](Prefix). All sequences then read that slot, one key head after the other, and all but the first sequence find it in
//! the processor's cache. The sums and their order are the same, and so is every bit of the result.
//!
//! Under a sliding window a block begins at the first position that its first token sees. Its later tokens begin one position
//! later each, and the weights of the positions before are zero.

use super::{AttentionOps, CacheShape, Prefix, Span};
use crate::cpu::simd::{Padded, Simd};
use crate::cpu::{Level, check_length, parallel};
use crate::error::KernelError;
use crate::linear::cpu::panel::{self, Panels, Turned};
use crate::linear::cpu::tile::Job;
use crate::linear::cpu::weight_layout::{Rows, Widening};
use burn::tensor::TensorData;
use burn_flex::{Flex, FlexTensor};
use std::ops::Range;

/// Neighbouring tokens of one sequence, each of which sees one position more than the previous one.
#[derive(Clone, Copy, Debug)]
struct Block {
    /// Number of the first token.
    first: usize,
    tokens: usize,
    slot: usize,
    /// The first position that the first token sees.
    start: usize,
    /// One past the last position that the last token sees.
    length: usize,
    prefix: Prefix,
}

/// Scores of a block, at most: they should stay in the second-level cache.
const SCORES: usize = 32 * 1024;

impl Block {
    /// Cuts the tokens into blocks for `group` heads each.
    fn all(spans: &[Span], group: usize) -> Vec<Block> {
        let mut blocks: Vec<Block> = Vec::new();
        for (first, &Span { slot, start, length, prefix }) in spans.iter().enumerate() {
            let most = (SCORES / (group * (length - start))).clamp(4, 32);
            let follows = |last: &Block| {
                let starts = last.start + last.slide() * last.tokens;
                (last.slot, last.length + 1, starts, last.prefix) == (slot, length, start, prefix)
            };
            match blocks.last_mut() {
                Some(last) if follows(last) && last.tokens < most => {
                    last.tokens += 1;
                    last.length = length;
                }
                _ => blocks.push(Block { first, tokens: 1, slot, start, length, prefix }),
            }
        }
        blocks
    }

    /// Positions from the start of one token to that of the next: 1 once the window has left the first position.
    fn slide(&self) -> usize {
        usize::from(self.start > 0)
    }

    fn shape(&self, group: usize, dim: usize) -> BlockShape {
        BlockShape { group, tokens: self.tokens, length: self.length - self.start, dim, slide: self.slide() }
    }
}

/// The sizes of a block's scores `[tokens, group, length]` and values `[length, dim]`.
#[derive(Clone, Copy)]
pub(crate) struct BlockShape {
    group: usize,
    tokens: usize,
    /// Positions from the first that the first token sees to the last that the last token sees.
    length: usize,
    dim: usize,
    /// Positions by which the first seen one moves from token to token.
    slide: usize,
}

/// `softmax(q · kᵀ / √dim) · v` for one query per head and token. `q` is `[spans, heads, dim]`, the result has the
/// same shape; keys and values are as `cache` says. Neighbours in `spans` of one slot, each one position longer than the
/// previous one, are computed together.
///
/// # Errors
/// [`KernelError::Length`] where a slice is not as long as its shape says, [`KernelError::Heads`] if the key heads do
/// not divide the heads, [`KernelError::Positions`] if a span lies outside of the cache or is empty,
/// [`KernelError::Prefix`] if its prefix does or is longer than the span, [`KernelError::Level`] where this processor lacks the level.
pub fn decode_attention_at(
    level: Level,
    q: &[f32],
    heads: usize,
    (keys, values, cache): (&[f32], &[f32], CacheShape),
    spans: &[Span],
) -> Result<Vec<f32>, KernelError> {
    let CacheShape { slots, kv_heads, capacity, dim } = cache;
    if !level.is_supported() {
        return Err(KernelError::Level { level });
    }
    check_length("keys", keys.len(), cache.rows(), dim)?;
    check_length("values", values.len(), cache.rows(), dim)?;
    check_length("q", q.len(), spans.len().saturating_mul(heads), dim)?;
    if kv_heads == 0 || !heads.is_multiple_of(kv_heads) {
        let shape = [slots, kv_heads, capacity, dim];
        return Err(KernelError::Heads { q: [spans.len(), heads, dim], keys: shape, values: shape });
    }
    for (sequence, span) in spans.iter().enumerate() {
        span.check(sequence, [slots, capacity])?;
    }
    let group = heads / kv_heads;
    let mut output = vec![0.0; q.len()];
    if output.is_empty() {
        return Ok(output);
    }

    let blocks = Block::all(spans, group);
    let pieces = blocks.len() * kv_heads;
    let work: usize = blocks.iter().map(|block| (block.length - block.start) * (3 + block.tokens) / 4).sum();
    let helpers = parallel::threads_for(work * kv_heads * dim * 8).min(pieces) - 1;
    let pointers =
        Pointers { q: q.as_ptr(), keys: keys.as_ptr(), values: values.as_ptr(), output: output.as_mut_ptr() };
    parallel::for_pieces(pieces, helpers, move |piece| {
        let pointers = &pointers; // the whole, which may be shared, and not its fields
        // Head by head, so that a prefix's keys and values of a head are used by all sequences before those of the next.
        let (block, head) = (blocks[piece % blocks.len()], piece / blocks.len());
        let first_key = |slot: usize| ((slot * kv_heads + head) * capacity + block.start) * dim;
        let shared = block.prefix.length.saturating_sub(block.start);
        let shape = block.shape(group, dim);
        let row = |token: usize| ((block.first + token) * heads + head * group) * dim;
        // SAFETY: the slices outlive this call, because `for_pieces` returns only when every piece is done; their
        // lengths were checked above, `shape.length` positions from `first_key` on of the slot, `shared` of its prefix, and
        // the rows of each token lie within them; and each piece writes its own rows of the output.
        unsafe {
            let q = |token| std::slice::from_raw_parts(pointers.q.add(row(token)), group * dim);
            let cached = |all: *const f32| Cached {
                prefix: std::slice::from_raw_parts(all.add(first_key(block.prefix.slot)), shared * dim),
                own: std::slice::from_raw_parts(all.add(first_key(block.slot)), shape.length * dim),
            };
            let (keys, values) = (cached(pointers.keys), cached(pointers.values));
            let mixed = one_head(level, q, keys, values, shape);
            for (token, rows) in mixed.chunks_exact(group * dim).enumerate() {
                std::slice::from_raw_parts_mut(pointers.output.add(row(token)), group * dim).copy_from_slice(rows);
            }
        }
    });
    Ok(output)
}

/// Keys or values of a block, `[length, dim]`: what both slices have is the same, and is read from `prefix`.
#[derive(Clone, Copy)]
pub(crate) struct Cached<'a> {
    /// `[shared, dim]`
    prefix: &'a [f32],
    /// `[length, dim]`
    own: &'a [f32],
}

impl Cached<'_> {
    /// Where to read which positions: in both, a position lies at its number times `dim`.
    #[inline(always)]
    fn parts(&self, [length, dim]: [usize; 2]) -> [(&[f32], Range<usize>); 2] {
        let shared = self.prefix.len() / dim.max(1);
        [(self.prefix, 0..shared), (self.own, shared..length)]
    }
}

struct Pointers {
    q: *const f32,
    keys: *const f32,
    values: *const f32,
    output: *mut f32,
}

// SAFETY: the addresses are used only as `decode_attention_at` says.
unsafe impl Send for Pointers {}
// SAFETY: as above.
unsafe impl Sync for Pointers {}

/// One block and key head. `q` gives a token's queries `[group, dim]`, the result is `[tokens, group, dim]`.
///
/// # Safety
/// `level` is supported, and the slices are as long as the shape says.
unsafe fn one_head<'a>(
    level: Level,
    q: impl Fn(usize) -> &'a [f32],
    keys: Cached<'_>,
    values: Cached<'_>,
    block: BlockShape,
) -> Vec<f32> {
    let BlockShape { group, tokens, length, dim, .. } = block;
    let scale = 1.0 / (dim as f32).sqrt();
    let scaled: Vec<f32> = (0..tokens).flat_map(&q).map(|value| value * scale).collect();
    let rows = group * tokens;
    let mut scores = vec![0.0; rows * length];
    let mut output = vec![0.0; rows * dim];
    let shape = [rows, length, dim];
    // The same position has the same place in both parts, so that both are the same product, of other columns.
    let parts = keys.parts([length, dim]).into_iter();
    let parts = parts.filter(|(_, positions)| !positions.is_empty());
    let parts = parts.map(|(keys, positions)| (Rows::<f32>::new(keys, dim), positions));
    // SAFETY: the lengths are the caller's promise, and each part's positions lie within its keys; `scores` and `output` are
    // this call's own; the level is supported.
    unsafe {
        if panel::is_better(level, rows, Widening::WithTheLoad) {
            let x = Turned::new(&scaled, rows, dim, level);
            parts.for_each(|(keys, positions)| Panels::new(&x, keys, shape, scores.as_mut_ptr()).run(level, positions));
        } else {
            let x = Padded::new(&scaled, rows, dim);
            parts.for_each(|(keys, positions)| Job::new(&x, keys, shape, scores.as_mut_ptr()).run(level, positions));
        }
        match level {
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => crate::cpu::x86::mix_avx512(&mut scores, values, block, &mut output),
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => crate::cpu::x86::mix_avx2(&mut scores, values, block, &mut output),
            #[cfg(target_arch = "aarch64")]
            Level::Neon => crate::cpu::neon::mix_neon(&mut scores, values, block, &mut output),
            _ => crate::cpu::scalar::mix_scalar(&mut scores, values, block, &mut output),
        }
    }
    output
}

/// Softmax over what each row of the scores `[tokens, group, length]` sees, then `output = scores · values`; to be inlined
/// into a function that enables the instructions of `S`.
///
/// # Safety
/// The processor has the instructions of `S`; the slices are as long as the shape says.
#[inline(always)]
pub(crate) unsafe fn mix<S: Simd>(
    scores: &mut [f32],
    values: Cached<'_>,
    BlockShape { group, tokens, length, dim, slide }: BlockShape,
    output: &mut [f32],
) {
    for (number, row) in scores.chunks_exact_mut(length).enumerate() {
        let token = number / group;
        let (row, beyond) = row.split_at_mut(length - (tokens - 1 - token));
        let (before, seen) = row.split_at_mut(slide * token);
        before.fill(0.0);
        softmax(seen);
        beyond.fill(0.0);
    }
    let rows = group * tokens;
    let mut row = 0;
    while row < rows {
        let height = (rows - row).min(4);
        let scores = &scores[row * length..(row + height) * length];
        let output = &mut output[row * dim..(row + height) * dim];
        // SAFETY: `scores` has `height` rows of `length`, `output` has `height` rows of `dim`.
        unsafe {
            match height {
                1 => weighted_sum::<S, 1>(scores, values, [length, dim], output),
                2 => weighted_sum::<S, 2>(scores, values, [length, dim], output),
                3 => weighted_sum::<S, 3>(scores, values, [length, dim], output),
                _ => weighted_sum::<S, 4>(scores, values, [length, dim], output),
            }
        }
        row += height;
    }
}

/// `M` rows of weights `[M, length]` times the values `[length, dim]`, up to four vectors of the output at a time.
#[inline(always)]
unsafe fn weighted_sum<S: Simd, const M: usize>(
    weights: &[f32],
    values: Cached<'_>,
    [length, dim]: [usize; 2],
    output: &mut [f32],
) {
    let (weights, output) = (weights.as_ptr(), output.as_mut_ptr());
    let mut column = 0;
    // SAFETY: each call stays within `column..column + vectors * LANES`, which is at most `dim`; the rest is the
    // caller's promise.
    unsafe {
        // As many sums as there are registers for, beside the values and a weight.
        if S::MAX_M == 8 || M <= 2 {
            while column + 4 * S::LANES <= dim {
                columns::<S, M, 4>(weights, values, [length, dim, column], output);
                column += 4 * S::LANES;
            }
        } else if M == 3 {
            while column + 3 * S::LANES <= dim {
                columns::<S, M, 3>(weights, values, [length, dim, column], output);
                column += 3 * S::LANES;
            }
        }
        while column + 2 * S::LANES <= dim {
            columns::<S, M, 2>(weights, values, [length, dim, column], output);
            column += 2 * S::LANES;
        }
        while column + S::LANES <= dim {
            columns::<S, M, 1>(weights, values, [length, dim, column], output);
            column += S::LANES;
        }
        while column < dim {
            for m in 0..M {
                let mut sum = 0.0;
                for (values, positions) in values.parts([length, dim]) {
                    let values = values.as_ptr();
                    for t in positions {
                        sum += *weights.add(m * length + t) * *values.add(t * dim + column);
                    }
                }
                *output.add(m * dim + column) = sum;
            }
            column += 1;
        }
    }
}

/// `M` rows times `C` vectors of the output, in registers.
#[inline(always)]
unsafe fn columns<S: Simd, const M: usize, const C: usize>(
    weights: *const f32,
    values: Cached<'_>,
    [length, dim, column]: [usize; 3],
    output: *mut f32,
) {
    // SAFETY: `column + C * LANES <= dim`; the pointers are good for `[M, length]` and `[M, dim]`, and each part of the values
    // for its positions.
    unsafe {
        let mut sums = [[S::zero(); C]; M];
        for (values, positions) in values.parts([length, dim]) {
            let values = values.as_ptr();
            for t in positions {
                let mut value = [S::zero(); C];
                for (c, value) in value.iter_mut().enumerate() {
                    *value = S::load_f32(values.add(t * dim + column + c * S::LANES));
                }
                for (m, sums) in sums.iter_mut().enumerate() {
                    let weight = S::splat(*weights.add(m * length + t));
                    for c in 0..C {
                        sums[c] = S::multiply_add(weight, value[c], sums[c]);
                    }
                }
            }
        }
        for (m, sums) in sums.iter().enumerate() {
            for (c, sum) in sums.iter().enumerate() {
                S::store_f32(output.add(m * dim + column + c * S::LANES), *sum);
            }
        }
    }
}

/// Softmax in place. Lanes are kept apart so that the compiler makes vectors of them.
#[inline(always)]
fn softmax(scores: &mut [f32]) {
    const LANES: usize = 16;
    let larger = |a: f32, b: f32| if b > a { b } else { a };
    let mut lanes = [f32::NEG_INFINITY; LANES];
    let (chunks, rest) = scores.as_chunks::<LANES>();
    for chunk in chunks {
        for (lane, score) in lanes.iter_mut().zip(chunk) {
            *lane = larger(*lane, *score);
        }
    }
    let largest = lanes.iter().chain(rest).fold(f32::NEG_INFINITY, |a, b| larger(a, *b));

    let mut lanes = [0.0f32; LANES];
    let (chunks, rest) = scores.as_chunks_mut::<LANES>();
    for chunk in chunks {
        for (lane, score) in lanes.iter_mut().zip(chunk) {
            *score = exp(*score - largest);
            *lane += *score;
        }
    }
    for score in rest.iter_mut() {
        *score = exp(*score - largest);
    }
    let sum: f32 = lanes.iter().sum::<f32>() + rest.iter().sum::<f32>();
    let factor = 1.0 / sum;
    for score in scores {
        *score *= factor;
    }
}

/// `eˣ` for `x <= 0`, within 2 units in the last place above -87 and about 1e-38 below (the constants are those of
/// Cephes' `expf`, S. Moshier). Not-a-number stays what it is. Written without calls or branches, so that a loop of it
/// becomes vectors.
#[inline(always)]
fn exp(x: f32) -> f32 {
    const ROUND: f32 = 12_582_912.0; // 1.5 * 2^23: adding it rounds to a whole number, in the low bits
    let x = if x < -87.0 { -87.0 } else { x };
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let whole = shifted - ROUND;
    let r = x - whole * 0.693_359_4 - whole * -2.121_944_4e-4;
    let mut y = 1.987_569_1e-4;
    y = y * r + 1.398_2e-3;
    y = y * r + 8.333_452e-3;
    y = y * r + 4.166_579_6e-2;
    y = y * r + 1.666_666_5e-1;
    y = y * r + 0.5;
    y = y * (r * r) + r + 1.0;
    let power = shifted.to_bits().wrapping_sub(ROUND.to_bits()).wrapping_add(127) << 23;
    y * f32::from_bits(power)
}

impl AttentionOps for Flex {
    fn attend(q: FlexTensor, keys: FlexTensor, values: FlexTensor, spans: Vec<Span>) -> FlexTensor {
        let (q, keys, values) = (q.to_contiguous(), keys.to_contiguous(), values.to_contiguous());
        let (shape, cache) = (q.layout().shape().clone(), keys.layout().shape());
        let cache = CacheShape { slots: cache[0], kv_heads: cache[1], capacity: cache[2], dim: cache[3] };
        let operands = (keys.storage::<f32>(), values.storage::<f32>(), cache);
        match decode_attention_at(Level::best(), q.storage::<f32>(), shape[1], operands, &spans) {
            Ok(output) => FlexTensor::from_data(TensorData::new(output, shape)),
            // Unreachable: the operands have been checked.
            Err(error) => panic!("decode_attention: {error}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_is_exact_to_two_units() {
        let mut worst = 0.0f64;
        for i in 0..870_000 {
            let x = -(i as f32) * 1e-4;
            let exact = f64::from(x).exp();
            worst = worst.max(((f64::from(exp(x)) - exact) / exact).abs());
        }
        assert!(worst < 2.4e-7, "{worst:e}");
        assert_eq!(exp(0.0), 1.0);
        assert!(exp(f32::NEG_INFINITY) < 2e-38);
        assert!(exp(f32::NAN).is_nan());
    }

    #[test]
    fn softmax_of_equal_scores_is_even() {
        for length in [1, 2, 15, 16, 17, 64, 100] {
            let mut scores = vec![-3.5; length];
            softmax(&mut scores);
            assert!(scores.iter().all(|p| (p - 1.0 / length as f32).abs() < 1e-7), "{scores:?}");
        }
        let mut scores = [f32::NEG_INFINITY, 2.0, 2.0];
        softmax(&mut scores);
        assert!(scores[0] < 1e-37 && scores[1..] == [0.5, 0.5]);
    }
}
