//! Attention within a pack and its way back, natively.
//!
//! A pack is blocks of tokens: the common beginning, and each sequence's own. A block attends to the beginning and to
//! itself, so that its scores are two products, and nothing is computed that the mask would throw away. Query heads that
//! share keys are more rows of one product. Blocks and key heads are independent of each other: each is a task.
//!
//! The way back is that of softmax attention (Dao et al. 2022, "FlashAttention", appendix B.2), with the probabilities
//! kept from the way there.

use std::ops::Range;
use std::sync::Arc;

use rayon::prelude::*;

use super::pack::Pack;
use super::product::{Matrix, Target, multiply};
use crate::checkpoint::ModelConfig;
use crate::transformer::{dot, exp, fma, widest};

/// Who attends to whom in a pack, and how far each token's heads are turned.
#[derive(Debug)]
pub(super) struct Scene {
    heads: usize,
    kv_heads: usize,
    head: usize,
    tokens: usize,
    blocks: Vec<Block>,
    /// `[tokens, head / 2]`
    cos: Vec<f32>,
    sin: Vec<f32>,
}

/// Tokens that attend to the first `before` tokens of the pack and, causally, to each other.
#[derive(Clone, Debug)]
struct Block {
    rows: Range<usize>,
    before: usize,
}

/// The probabilities of each block and key head: `[group * rows, before + rows]`.
pub(super) type Probabilities = Arc<Vec<Vec<f32>>>;

/// Gradients of queries, keys and values.
pub(super) struct Back {
    pub q: Vec<f32>,
    pub k: Vec<f32>,
    pub v: Vec<f32>,
}

impl Scene {
    pub fn new(pack: &Pack, config: &ModelConfig) -> Scene {
        let frequencies = config.inverse_frequencies();
        let angles = pack.positions.iter().flat_map(|&p| frequencies.iter().map(move |f| p as f64 * f));
        let (sin, cos) = angles.map(|a| (a.sin() as f32, a.cos() as f32)).unzip();
        let common = Block { rows: 0..pack.prefix, before: 0 };
        let own = pack.spans.iter().map(|span| Block { rows: span.clone(), before: pack.prefix });
        Scene {
            heads: config.heads,
            kv_heads: config.kv_heads,
            head: config.head_width,
            tokens: pack.len(),
            blocks: std::iter::once(common).chain(own).filter(|b| !b.rows.is_empty()).collect(),
            cos,
            sin,
        }
    }

    /// `q` `[tokens, heads * head]`, `k` and `v` `[tokens, kv_heads * head]` -> as `q`, and the probabilities
    pub fn forward(&self, q: &[f32], k: &[f32], v: &[f32]) -> (Vec<f32>, Probabilities) {
        let keys = self.turned_keys(k);
        let results: Vec<(Vec<f32>, Vec<f32>)> = self
            .tasks()
            .into_par_iter()
            .map(|(block, g)| {
                let block = &self.blocks[block];
                let queries = self.queries(q, block, g);
                let (rows, seen) = (self.group() * block.rows.len(), block.before + block.rows.len());
                let mut scores = vec![0.0; rows * seen];
                self.scores(&queries, &keys, block, g, &mut scores);
                for (row, scores) in scores.chunks_exact_mut(seen).enumerate() {
                    let (scores, beyond) = scores.split_at_mut(block.before + row % block.rows.len() + 1);
                    softmax(scores);
                    beyond.fill(0.0);
                }
                let mut mixed = vec![0.0; rows * self.head];
                let mut add = false;
                for (columns, values) in self.parts(block) {
                    let weights = Matrix::new(&scores[columns.start..], rows, columns.len(), seen);
                    let target = Target { data: &mut mixed, stride: self.head, add };
                    multiply(target, 1.0, weights, self.slice(v, values, g), false);
                    add = true;
                }
                (mixed, scores)
            })
            .collect();
        let mut out = vec![0.0; q.len()];
        let mut probabilities = Vec::with_capacity(results.len());
        for ((block, g), (mixed, weights)) in self.tasks().into_iter().zip(results) {
            self.each_query(&self.blocks[block], g, |place, row| {
                out[place..place + self.head].copy_from_slice(&mixed[row * self.head..][..self.head]);
            });
            probabilities.push(weights);
        }
        (out, Arc::new(probabilities))
    }

    /// The gradients, from `mixed` `[tokens, heads * head]`, that of the result.
    pub fn backward(&self, q: &[f32], k: &[f32], v: &[f32], kept: &Probabilities, mixed: &[f32]) -> Back {
        let keys = self.turned_keys(k);
        let results: Vec<[Vec<f32>; 3]> = self
            .tasks()
            .into_par_iter()
            .zip(kept.par_iter())
            .map(|((block, g), weights)| self.task_back(q, &keys, v, mixed, &self.blocks[block], g, weights))
            .collect();
        let mut back = Back { q: vec![0.0; q.len()], k: vec![0.0; k.len()], v: vec![0.0; v.len()] };
        let (head, half) = (self.head, self.head / 2);
        let scale = self.scale();
        for ((block, g), [dq, dk, dv]) in self.tasks().into_iter().zip(results) {
            let block = &self.blocks[block];
            self.each_query(block, g, |place, row| {
                let token = place / (self.heads * head);
                let (cos, sin) = self.angles(token);
                let (from, to) = (&dq[row * head..][..head], &mut back.q[place..place + head]);
                for i in 0..half {
                    to[i] = scale * (from[i] * cos[i] + from[i + half] * sin[i]);
                    to[i + half] = scale * (from[i + half] * cos[i] - from[i] * sin[i]);
                }
            });
            let seen = (0..block.before).chain(block.rows.clone());
            for (token, (dk, dv)) in seen.zip(dk.chunks_exact(head).zip(dv.chunks_exact(head))) {
                let place = (token * self.kv_heads + g) * head;
                let (cos, sin) = self.angles(token);
                let (k, v) = (&mut back.k[place..place + head], &mut back.v[place..place + head]);
                for i in 0..half {
                    k[i] += dk[i] * cos[i] + dk[i + half] * sin[i];
                    k[i + half] += dk[i + half] * cos[i] - dk[i] * sin[i];
                }
                v.iter_mut().zip(dv).for_each(|(v, dv)| *v += dv);
            }
        }
        back
    }

    /// One block and key head: gradients of turned queries `[group * rows, head]`, and of turned keys and of values
    /// `[before + rows, head]`.
    #[allow(clippy::too_many_arguments)] // all of what the task needs, and nothing that belongs together
    fn task_back(
        &self,
        q: &[f32],
        keys: &[f32],
        v: &[f32],
        mixed: &[f32],
        block: &Block,
        g: usize,
        weights: &[f32],
    ) -> [Vec<f32>; 3] {
        let (rows, seen, head) = (self.group() * block.rows.len(), block.before + block.rows.len(), self.head);
        let queries = self.queries(q, block, g);
        let mut given = vec![0.0; rows * head];
        self.each_query(block, g, |place, row| {
            given[row * head..][..head].copy_from_slice(&mixed[place..place + head]);
        });
        let given = Matrix::dense(&given, rows, head);
        let (mut dq, mut dk) = (vec![0.0; rows * head], vec![0.0; seen * head]);
        let (mut dv, mut scores) = (vec![0.0; seen * head], vec![0.0; rows * seen]);
        for (columns, tokens) in self.parts(block) {
            let target = Target { data: &mut scores[columns.start..], stride: seen, add: false };
            multiply(target, 1.0, given, self.slice(v, tokens, g).turned(), false);
        }
        for (scores, weights) in scores.chunks_exact_mut(seen).zip(weights.chunks_exact(seen)) {
            softmax_back(scores, weights);
        }
        let weights = Matrix::dense(weights, rows, seen);
        multiply(Target::new(&mut dv, head), 1.0, weights.turned(), given, false);
        let turned = Matrix::dense(&scores, rows, seen).turned();
        multiply(Target::new(&mut dk, head), 1.0, turned, Matrix::dense(&queries, rows, head), false);
        let mut add = false;
        for (columns, tokens) in self.parts(block) {
            let part = Matrix::new(&scores[columns.start..], rows, columns.len(), seen);
            let target = Target { data: &mut dq, stride: head, add };
            multiply(target, 1.0, part, self.turned(keys, tokens, g), false);
            add = true;
        }
        [dq, dk, dv]
    }

    fn scores(&self, queries: &[f32], keys: &[f32], block: &Block, g: usize, scores: &mut [f32]) {
        let (rows, seen) = (self.group() * block.rows.len(), block.before + block.rows.len());
        let queries = Matrix::dense(queries, rows, self.head);
        for (columns, tokens) in self.parts(block) {
            let target = Target { data: &mut scores[columns.start..], stride: seen, add: false };
            multiply(target, 1.0, queries, self.turned(keys, tokens, g).turned(), false);
        }
    }

    /// The two parts of what a block sees: their columns in its scores, and their tokens.
    fn parts(&self, block: &Block) -> impl Iterator<Item = (Range<usize>, Range<usize>)> {
        let seen = block.before + block.rows.len();
        let parts = [(0..block.before, 0..block.before), (block.before..seen, block.rows.clone())];
        parts.into_iter().filter(|(columns, _)| !columns.is_empty())
    }

    fn tasks(&self) -> Vec<(usize, usize)> {
        let blocks = 0..self.blocks.len();
        blocks.flat_map(|block| (0..self.kv_heads).map(move |g| (block, g))).collect()
    }

    /// Query heads to a key head.
    fn group(&self) -> usize {
        self.heads / self.kv_heads
    }

    fn scale(&self) -> f32 {
        1.0 / (self.head as f32).sqrt()
    }

    fn angles(&self, token: usize) -> (&[f32], &[f32]) {
        let half = self.head / 2;
        (&self.cos[token * half..][..half], &self.sin[token * half..][..half])
    }

    /// Calls with each query head's place in `[tokens, heads * head]` and its row in a task.
    fn each_query(&self, block: &Block, g: usize, mut call: impl FnMut(usize, usize)) {
        for j in 0..self.group() {
            for (t, token) in block.rows.clone().enumerate() {
                let place = (token * self.heads + g * self.group() + j) * self.head;
                call(place, j * block.rows.len() + t);
            }
        }
    }

    /// A block's queries of one key head, turned and scaled: `[group * rows, head]`.
    fn queries(&self, q: &[f32], block: &Block, g: usize) -> Vec<f32> {
        let (head, half, scale) = (self.head, self.head / 2, self.scale());
        let mut out = vec![0.0; self.group() * block.rows.len() * head];
        self.each_query(block, g, |place, row| {
            let (cos, sin) = self.angles(place / (self.heads * head));
            let (from, to) = (&q[place..place + head], &mut out[row * head..][..head]);
            for i in 0..half {
                to[i] = scale * (from[i] * cos[i] - from[i + half] * sin[i]);
                to[i + half] = scale * (from[i + half] * cos[i] + from[i] * sin[i]);
            }
        });
        out
    }

    /// All keys, turned: `[kv_heads, tokens, head]`.
    fn turned_keys(&self, k: &[f32]) -> Vec<f32> {
        let (head, half) = (self.head, self.head / 2);
        let mut out = vec![0.0; k.len()];
        for (number, to) in out.chunks_exact_mut(head).enumerate() {
            let (g, token) = (number / self.tokens, number % self.tokens);
            let (cos, sin) = self.angles(token);
            let from = &k[(token * self.kv_heads + g) * head..][..head];
            for i in 0..half {
                to[i] = from[i] * cos[i] - from[i + half] * sin[i];
                to[i + half] = from[i + half] * cos[i] + from[i] * sin[i];
            }
        }
        out
    }

    /// Some tokens' turned keys of one head: `[tokens, head]`.
    fn turned<'a>(&self, keys: &'a [f32], tokens: Range<usize>, g: usize) -> Matrix<'a> {
        let data = &keys[(g * self.tokens + tokens.start) * self.head..];
        Matrix::dense(data, tokens.len(), self.head)
    }

    /// Some tokens' values of one head: `[tokens, head]`.
    fn slice<'a>(&self, v: &'a [f32], tokens: Range<usize>, g: usize) -> Matrix<'a> {
        let width = self.kv_heads * self.head;
        Matrix::new(&v[tokens.start * width + g * self.head..], tokens.len(), self.head, width)
    }
}

#[inline(always)]
fn softmax_body<const FMA: bool>(row: &mut [f32]) {
    let highest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    for x in row.iter_mut() {
        *x = exp::<FMA>(*x - highest);
    }
    let scale = 1.0 / row.iter().sum::<f32>();
    row.iter_mut().for_each(|x| *x *= scale);
}
widest!(fn softmax = softmax_body(row: &mut [f32]));

/// `given` becomes `weights * (given - sum(weights * given))`.
#[inline(always)]
fn softmax_back_body<const FMA: bool>(given: &mut [f32], weights: &[f32]) {
    let mean = dot::<FMA>(given, weights);
    for (given, weight) in given.iter_mut().zip(weights) {
        *given = fma::<FMA>(*given, *weight, -mean * weight);
    }
}
widest!(fn softmax_back = softmax_back_body(given: &mut [f32], weights: &[f32]));
