//! Attention within a pack, forward and backward.
//!
//! A pack is blocks of tokens: the common beginning, and each sequence's own. A block attends to the beginning and to
//! itself, so that its scores are two products, and no score is computed that the mask would forbid. Query heads that
//! share a key head are more rows of one product. Blocks and key heads are independent of each other: each pair is a task.
//!
//! The backward pass is that of softmax attention (Dao et al. 2022, "FlashAttention", appendix B.2), with the probabilities
//! kept from the forward pass.

use std::ops::Range;

use gramask_kernels::cpu::each_chunk;
use rayon::prelude::*;

use super::product::{Matrix, Output, multiply};
use super::shared::Shared;
use crate::checkpoint::ModelConfig;
use crate::transformer::{dot, exp, fma, widest};
use crate::tuning::pack::Pack;

/// Who attends to whom in a pack, and by which angles each token's heads are rotated.
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

/// One block and one key head.
#[derive(Clone, Copy)]
struct Task<'a> {
    block: &'a Block,
    group: usize,
}

impl Task<'_> {
    /// How many tokens the block sees.
    fn seen(&self) -> usize {
        self.block.before + self.block.rows.len()
    }

    /// The two parts of what the block sees: their columns in its scores, and their tokens.
    fn parts(&self) -> impl Iterator<Item = (Range<usize>, Range<usize>)> {
        let (before, seen) = (self.block.before, self.seen());
        let parts = [(0..before, 0..before), (before..seen, self.block.rows.clone())];
        parts.into_iter().filter(|(columns, _)| !columns.is_empty())
    }
}

impl Scene {
    pub fn new(pack: &Pack, config: &ModelConfig) -> Scene {
        let rotation = config.rotation(0);
        let (cos, sin) = pack.positions.iter().flat_map(|&p| rotation.at(p)).unzip();
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

    /// The columns of queries and of keys in a row of `qkv`.
    pub fn columns(&self) -> (Range<usize>, Range<usize>) {
        let (queries, keys) = (self.heads * self.head, self.kv_heads * self.head);
        (0..queries, queries..queries + keys)
    }

    /// `qkv` `[tokens, (heads + 2 * kv_heads) * head]` -> `out` `[tokens, heads * head]`, and the probabilities of each task,
    /// `[heads / kv_heads * rows, before + rows]`
    pub fn forward(&self, qkv: &[f32], probabilities: &mut Vec<Vec<f32>>, out: &mut [f32]) {
        let (keys, tasks) = (self.rotated_keys(qkv), self.tasks());
        probabilities.resize_with(tasks.len(), Vec::new);
        let width = self.heads * self.head;
        let out = Shared::new(out);
        tasks.par_iter().zip(probabilities.par_iter_mut()).for_each(|(&task, scores)| {
            let (rows, seen) = (self.group() * task.block.rows.len(), task.seen());
            let queries = self.queries(qkv, task);
            scores.resize(rows * seen, 0.0);
            self.scores(&queries, &keys, task, scores);
            for (row, scores) in scores.chunks_exact_mut(seen).enumerate() {
                let (scores, after) = scores.split_at_mut(task.block.before + row % task.block.rows.len() + 1);
                softmax(scores);
                after.fill(0.0);
            }
            let mut mixed = vec![0.0; rows * self.head];
            let mut add = false;
            for (columns, values) in task.parts() {
                let weights = Matrix::new(&scores[columns.start..], rows, columns.len(), seen);
                let target = Output { data: &mut mixed, stride: self.head, add };
                multiply(target, 1.0, weights, self.values(qkv, values, task.group), false);
                add = true;
            }
            self.each_query(task, |token, head, row| {
                // SAFETY: each task has its own tokens and heads, so that no two write the same place.
                let to = unsafe { out.slice(token * width + head * self.head, self.head) };
                to.copy_from_slice(&mixed[row * self.head..][..self.head]);
            });
        });
    }

    /// The gradient of `qkv`, in its shape, from `given` `[tokens, heads * head]`, that of the result.
    pub fn backward(&self, qkv: &[f32], probabilities: &[Vec<f32>], given: &[f32], back: &mut [f32]) {
        let (keys, tasks) = (self.rotated_keys(qkv), self.tasks());
        let shared = Shared::new(back);
        let common: Vec<[Vec<f32>; 2]> = tasks
            .par_iter()
            .zip(probabilities)
            .map(|(&task, weights)| {
                let [dq, mut dk, mut dv] = self.task_back(qkv, &keys, given, task, weights);
                let (head, columns) = (self.head, self.heads * self.head);
                self.each_query(task, |token, query_head, row| {
                    // SAFETY: as in `forward`; keys and values of a block's own tokens are its own as well.
                    let to = unsafe { shared.slice(token * self.stride() + query_head * head, head) };
                    self.rotate_back(token, self.scale(), &dq[row * head..][..head], to);
                });
                for (own, token) in task.block.rows.clone().enumerate() {
                    let from = (task.block.before + own) * head;
                    let key = token * self.stride() + columns + task.group * head;
                    // SAFETY: as above.
                    let (to_key, to_value) =
                        unsafe { (shared.slice(key, head), shared.slice(key + self.kv_heads * head, head)) };
                    self.rotate_back(token, 1.0, &dk[from..][..head], to_key);
                    to_value.copy_from_slice(&dv[from..][..head]);
                }
                dk.truncate(task.block.before * head);
                dv.truncate(task.block.before * head);
                [dk, dv]
            })
            .collect();
        self.add_common(&tasks, &common, back);
    }

    /// Adds what all blocks give back to the keys and values of the common beginning.
    fn add_common(&self, tasks: &[Task<'_>], common: &[[Vec<f32>; 2]], back: &mut [f32]) {
        let head = self.head;
        for group in 0..self.kv_heads {
            let of_group = || tasks.iter().zip(common).filter(|(task, _)| task.group == group).map(|(_, sums)| sums);
            let longest = of_group().map(|[dk, _]| dk.len()).max().unwrap_or_default();
            let mut sums = [vec![0.0; longest], vec![0.0; longest]];
            for parts in of_group() {
                for (sum, part) in sums.iter_mut().zip(parts) {
                    sum.iter_mut().zip(part).for_each(|(sum, x)| *sum += x);
                }
            }
            let [dk, dv] = sums;
            let mut rotated = vec![0.0; head];
            for (token, (dk, dv)) in dk.chunks_exact(head).zip(dv.chunks_exact(head)).enumerate() {
                self.rotate_back(token, 1.0, dk, &mut rotated);
                let key = token * self.stride() + (self.heads + group) * head;
                back[key..][..head].iter_mut().zip(&rotated).for_each(|(sum, x)| *sum += x);
                let value = key + self.kv_heads * head;
                back[value..][..head].iter_mut().zip(dv).for_each(|(sum, x)| *sum += x);
            }
        }
    }

    /// One task: gradients of rotated queries `[group * rows, head]`, and of rotated keys and of values
    /// `[before + rows, head]`.
    fn task_back(&self, qkv: &[f32], keys: &[f32], given: &[f32], task: Task<'_>, weights: &[f32]) -> [Vec<f32>; 3] {
        let (rows, seen, head) = (self.group() * task.block.rows.len(), task.seen(), self.head);
        let queries = self.queries(qkv, task);
        let mut mixed = vec![0.0; rows * head];
        self.each_query(task, |token, query_head, row| {
            let from = (token * self.heads + query_head) * head;
            mixed[row * head..][..head].copy_from_slice(&given[from..from + head]);
        });
        let given = Matrix::dense(&mixed, rows, head);
        let (mut dq, mut dk) = (vec![0.0; rows * head], vec![0.0; seen * head]);
        let (mut dv, mut scores) = (vec![0.0; seen * head], vec![0.0; rows * seen]);
        for (columns, tokens) in task.parts() {
            let target = Output::new(&mut scores[columns.start..], seen);
            multiply(target, 1.0, given, self.values(qkv, tokens, task.group).transposed(), false);
        }
        for (scores, weights) in scores.chunks_exact_mut(seen).zip(weights.chunks_exact(seen)) {
            softmax_back(scores, weights);
        }
        let weights = Matrix::dense(weights, rows, seen);
        multiply(Output::new(&mut dv, head), 1.0, weights.transposed(), given, false);
        let given = Matrix::dense(&scores, rows, seen);
        multiply(Output::new(&mut dk, head), 1.0, given.transposed(), Matrix::dense(&queries, rows, head), false);
        let mut add = false;
        for (columns, tokens) in task.parts() {
            let part = Matrix::new(&scores[columns.start..], rows, columns.len(), seen);
            let target = Output { data: &mut dq, stride: head, add };
            multiply(target, 1.0, part, self.rotated(keys, tokens, task.group), false);
            add = true;
        }
        [dq, dk, dv]
    }

    fn scores(&self, queries: &[f32], keys: &[f32], task: Task<'_>, scores: &mut [f32]) {
        let (rows, seen) = (self.group() * task.block.rows.len(), task.seen());
        let queries = Matrix::dense(queries, rows, self.head);
        for (columns, tokens) in task.parts() {
            let target = Output::new(&mut scores[columns.start..], seen);
            multiply(target, 1.0, queries, self.rotated(keys, tokens, task.group).transposed(), false);
        }
    }

    fn tasks(&self) -> Vec<Task<'_>> {
        self.blocks.iter().flat_map(|block| (0..self.kv_heads).map(move |group| Task { block, group })).collect()
    }

    /// Query heads to a key head.
    fn group(&self) -> usize {
        self.heads / self.kv_heads
    }

    fn scale(&self) -> f32 {
        1.0 / (self.head as f32).sqrt()
    }

    /// Numbers in a row of `qkv`.
    fn stride(&self) -> usize {
        (self.heads + 2 * self.kv_heads) * self.head
    }

    fn angles(&self, token: usize) -> (&[f32], &[f32]) {
        let half = self.head / 2;
        (&self.cos[token * half..][..half], &self.sin[token * half..][..half])
    }

    fn rotate(&self, token: usize, scale: f32, from: &[f32], to: &mut [f32]) {
        let ((cos, sin), half) = (self.angles(token), self.head / 2);
        for i in 0..half {
            to[i] = scale * (from[i] * cos[i] - from[i + half] * sin[i]);
            to[i + half] = scale * (from[i + half] * cos[i] + from[i] * sin[i]);
        }
    }

    fn rotate_back(&self, token: usize, scale: f32, from: &[f32], to: &mut [f32]) {
        let ((cos, sin), half) = (self.angles(token), self.head / 2);
        for i in 0..half {
            to[i] = scale * (from[i] * cos[i] + from[i + half] * sin[i]);
            to[i + half] = scale * (from[i + half] * cos[i] - from[i] * sin[i]);
        }
    }

    /// Calls with the token, the query head, and the row in the task's matrices.
    fn each_query(&self, task: Task<'_>, mut call: impl FnMut(usize, usize, usize)) {
        let rows = &task.block.rows;
        for j in 0..self.group() {
            for (t, token) in rows.clone().enumerate() {
                call(token, task.group * self.group() + j, j * rows.len() + t);
            }
        }
    }

    /// A task's queries, rotated and scaled: `[group * rows, head]`.
    fn queries(&self, qkv: &[f32], task: Task<'_>) -> Vec<f32> {
        let head = self.head;
        let mut out = vec![0.0; self.group() * task.block.rows.len() * head];
        self.each_query(task, |token, query_head, row| {
            let from = &qkv[token * self.stride() + query_head * head..][..head];
            self.rotate(token, self.scale(), from, &mut out[row * head..][..head]);
        });
        out
    }

    /// All keys, rotated: `[kv_heads, tokens, head]`.
    fn rotated_keys(&self, qkv: &[f32]) -> Vec<f32> {
        let head = self.head;
        let mut out = vec![0.0; self.kv_heads * self.tokens * head];
        let work = 4 * out.len();
        each_chunk(&mut out, head, work, |number, to| {
            let (group, token) = (number / self.tokens, number % self.tokens);
            let from = &qkv[token * self.stride() + (self.heads + group) * head..][..head];
            self.rotate(token, 1.0, from, to);
        });
        out
    }

    /// Some tokens' rotated keys of one head: `[tokens, head]`.
    fn rotated<'a>(&self, keys: &'a [f32], tokens: Range<usize>, group: usize) -> Matrix<'a> {
        let data = &keys[(group * self.tokens + tokens.start) * self.head..];
        Matrix::dense(data, tokens.len(), self.head)
    }

    /// Some tokens' values of one head: `[tokens, head]`.
    fn values<'a>(&self, qkv: &'a [f32], tokens: Range<usize>, group: usize) -> Matrix<'a> {
        let first = tokens.start * self.stride() + (self.heads + self.kv_heads + group) * self.head;
        Matrix::new(&qkv[first..], tokens.len(), self.head, self.stride())
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
