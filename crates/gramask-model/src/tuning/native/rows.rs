//! Operations on single rows, forward and backward: norm, gate, softmax cross-entropy.

use gramask_kernels::cpu::each_chunk;
use gramask_kernels::norm::{inverse_root_mean_square, norm_row};
use gramask_kernels::swiglu::swiglu_row;
use rayon::prelude::*;

use crate::transformer::{exp, fma, widest};

/// Adds to `sum`: with `g = given * weight` and `s` the inverse root, `s (g - x s² mean(g x))`.
#[inline(always)]
fn norm_back_body<const FMA: bool>(x: &[f32], weight: &[f32], given: &[f32], epsilon: f64, sum: &mut [f32]) {
    let scale = inverse_root_mean_square::<FMA>(x, epsilon);
    let mut products = [0f32; 16];
    let whole = x.len() / 16 * 16;
    for at in (0..whole).step_by(16) {
        for i in 0..16 {
            products[i] = fma::<FMA>(given[at + i] * weight[at + i], x[at + i], products[i]);
        }
    }
    let rest: f32 = (whole..x.len()).map(|i| given[i] * weight[i] * x[i]).sum();
    let pull = (products.iter().sum::<f32>() + rest) / x.len() as f32 * scale * scale;
    for i in 0..sum.len() {
        sum[i] = fma::<FMA>(scale, fma::<FMA>(-x[i], pull, given[i] * weight[i]), sum[i]);
    }
}
widest!(fn norm_row_back = norm_back_body(x: &[f32], weight: &[f32], given: &[f32], epsilon: f64, sum: &mut [f32]));

#[inline(always)]
fn norm_weight_back_body<const FMA: bool>(x: &[f32], given: &[f32], epsilon: f64, sum: &mut [f32]) {
    let scale = inverse_root_mean_square::<FMA>(x, epsilon);
    for i in 0..sum.len() {
        sum[i] = fma::<FMA>(x[i] * scale, given[i], sum[i]);
    }
}
widest!(fn norm_weight_row_back = norm_weight_back_body(x: &[f32], given: &[f32], epsilon: f64, sum: &mut [f32]));

/// `gate_up` becomes its gradient.
#[inline(always)]
fn gate_back_body<const FMA: bool>(given: &[f32], gate_up: &mut [f32]) {
    let (gate, up) = gate_up.split_at_mut(given.len());
    for i in 0..given.len() {
        let sigmoid = 1.0 / (1.0 + exp::<FMA>(-gate[i]));
        let silu = gate[i] * sigmoid;
        gate[i] = given[i] * up[i] * fma::<FMA>(silu, 1.0 - sigmoid, sigmoid);
        up[i] = given[i] * silu;
    }
}
widest!(fn gate_row_back = gate_back_body(given: &[f32], gate_up: &mut [f32]));

/// The logits become probabilities. `log_sum` is the logarithm of the sum of their exponentials.
#[inline(always)]
fn probabilities_body<const FMA: bool>(row: &mut [f32], log_sum: &mut f64) {
    let highest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut sum = 0.0f64;
    for part in row.chunks_mut(256) {
        for x in part.iter_mut() {
            *x = exp::<FMA>(*x - highest);
        }
        sum += f64::from(part.iter().sum::<f32>());
    }
    let scale = (1.0 / sum) as f32;
    row.iter_mut().for_each(|x| *x *= scale);
    *log_sum = f64::from(highest) + sum.ln();
}
widest!(fn probabilities_row = probabilities_body(row: &mut [f32], log_sum: &mut f64));

/// Each row of `x` `[rows, width]` over its root mean square, times `weight` `[width]`.
pub(super) fn norm(x: &[f32], weight: &[f32], epsilon: f64, out: &mut [f32]) {
    let width = weight.len();
    each_chunk(out, width, 4 * x.len(), |row, out| {
        norm_row(&x[row * width..][..width], weight, epsilon, out);
    });
}

/// Adds the gradient of the input of [`norm`] to `sum`.
pub(super) fn norm_back(x: &[f32], weight: &[f32], given: &[f32], epsilon: f64, sum: &mut [f32]) {
    let width = weight.len();
    each_chunk(sum, width, 8 * x.len(), |row, sum| {
        let at = row * width..(row + 1) * width;
        norm_row_back(&x[at.clone()], weight, &given[at], epsilon, sum);
    });
}

/// Adds the gradient of the weight of [`norm`] to `sum`.
pub(super) fn norm_weight_back(x: &[f32], given: &[f32], epsilon: f64, sum: &mut [f32]) {
    let width = sum.len();
    for (x, given) in x.chunks_exact(width).zip(given.chunks_exact(width)) {
        norm_weight_row_back(x, given, epsilon, sum);
    }
}

/// `silu(gate) * up`: `[rows, 2 * hidden]` -> `[rows, hidden]`
pub(super) fn gate(gate_up: &[f32], hidden: usize, out: &mut [f32]) {
    each_chunk(out, hidden, 8 * gate_up.len(), |row, out| {
        let (gate, up) = gate_up[row * 2 * hidden..][..2 * hidden].split_at(hidden);
        swiglu_row(gate, up, out);
    });
}

/// `gate_up` becomes its gradient, from that of the result of [`gate`].
pub(super) fn gate_back(given: &[f32], hidden: usize, gate_up: &mut [f32]) {
    let work = 16 * given.len();
    each_chunk(gate_up, 2 * hidden, work, |row, gate_up| gate_row_back(&given[row * hidden..][..hidden], gate_up));
}

/// The sum over the rows of the negative logarithm of the probability of each row's next token. The logits
/// `[rows, vocabulary]` become `weight` times the gradient of the sum.
pub(super) fn cross_entropy(logits: &mut [f32], next: &[(usize, u32)], weight: f32) -> f64 {
    let vocabulary = logits.len() / next.len().max(1);
    let rows = logits.par_chunks_exact_mut(vocabulary.max(1)).zip(next);
    let losses: Vec<f64> = rows
        .map(|(row, &(_, token))| {
            let (token, mut log_sum) = (token as usize, 0.0);
            let logit = f64::from(row[token]);
            probabilities_row(row, &mut log_sum);
            row[token] -= 1.0;
            row.iter_mut().for_each(|x| *x *= weight);
            log_sum - logit
        })
        .collect();
    losses.iter().sum()
}
