//! The operations and their gradients on a GPU, in one launch each.

#![allow(
    clippy::too_many_arguments,
    clippy::assign_op_pattern,
    clippy::needless_range_loop,
    reason = "kernels take their operands one by one, and their language lacks these forms"
)]

use crate::gpu::{LEAST_EXPONENT, cubes, dims, empty, max_of_units, row_units, sigmoid, sum_of_units, units};
use crate::norm::gpu::{NormOps, inverse_root_of_units};
use burn::backend::TensorMetadata;
use burn::backend::ops::FloatTensorOps;
use burn::tensor::{DType, FloatDType};
use burn_cubecl::CubeBackend;
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

/// The rows that one cube adds up for the gradient of a norm's weight.
const ROWS: u32 = 32;

pub fn norm(x: CubeTensor, weight: CubeTensor, epsilon: f64) -> CubeTensor {
    // Nothing is added to the stream; anything may stand in its place.
    let (_, normed) = CubeBackend::add_norm(x, weight.clone(), false, weight, epsilon, FloatDType::F32);
    normed
}

/// The gradient by `x`, and the number by which each row was multiplied, `[rows]`.
pub fn norm_by_x(x: CubeTensor, weight: CubeTensor, gradient: CubeTensor, epsilon: f64) -> (CubeTensor, CubeTensor) {
    let (x, weight, gradient) = (into_contiguous(x), into_contiguous(weight), into_contiguous(gradient));
    let [rows, width] = dims(&x);
    let (by_x, roots) = (empty(&x, [rows, width], DType::F32), empty(&x, [rows], DType::F32));
    let client = x.client.clone();
    let units = row_units(&client, width);
    // SAFETY: rows and columns are within all buffers, whose shapes are those of `x` and `weight`.
    unsafe {
        norm_by_x_kernel::launch_unchecked(
            &client,
            cubes(rows),
            CubeDim::new_1d(units as u32),
            x.into_buffer_arg(),
            weight.into_buffer_arg(),
            gradient.into_buffer_arg(),
            by_x.clone().into_buffer_arg(),
            roots.clone().into_buffer_arg(),
            rows as u32,
            width as u32,
            epsilon as f32,
            units,
        );
    }
    (by_x, roots)
}

/// The gradient by the weight, `[1, width]`.
pub fn norm_by_weight(x: CubeTensor, roots: CubeTensor, gradient: CubeTensor) -> CubeTensor {
    let (x, gradient) = (into_contiguous(x), into_contiguous(gradient));
    let [rows, width] = dims(&x);
    let parts = rows.div_ceil(ROWS as usize);
    let sums = empty(&x, [parts, width], DType::F32);
    let client = x.client.clone();
    let units = units(&client, 256);
    // SAFETY: rows and columns are within all buffers, whose shapes are those of `x` and `roots`.
    unsafe {
        norm_by_weight_kernel::launch_unchecked(
            &client,
            cubes(parts),
            CubeDim::new_1d(units as u32),
            x.into_buffer_arg(),
            roots.into_buffer_arg(),
            gradient.into_buffer_arg(),
            sums.clone().into_buffer_arg(),
            rows as u32,
            width as u32,
            units,
        );
    }
    CubeBackend::float_sum_dim(sums, 0)
}

/// `[tokens, heads * width]` -> `[heads, tokens, width]`
pub fn rotate(x: CubeTensor, [cos, sin]: [CubeTensor; 2], scale: f64) -> CubeTensor {
    let ([tokens, all], width) = (dims(&x), 2 * TensorMetadata::shape(&cos)[2]);
    let out = empty(&x, [all / width, tokens, width], DType::F32);
    launch_rotation(x, out, [cos, sin], [all, width, width, tokens * width], scale, 1.0)
}

/// `[heads, tokens, width]` -> `[tokens, heads * width]`
pub fn rotate_back(gradient: CubeTensor, [cos, sin]: [CubeTensor; 2], scale: f64) -> CubeTensor {
    let [heads, tokens, width] = dims(&gradient);
    let out = empty(&gradient, [tokens, heads * width], DType::F32);
    launch_rotation(gradient, out, [cos, sin], [width, tokens * width, heads * width, width], scale, -1.0)
}

/// `strides`: how far apart the tokens and the heads lie, of `x` and of `out`.
fn launch_rotation(
    x: CubeTensor,
    out: CubeTensor,
    [cos, sin]: [CubeTensor; 2],
    strides: [usize; 4],
    scale: f64,
    direction: f32,
) -> CubeTensor {
    let (x, cos, sin) = (into_contiguous(x), into_contiguous(cos), into_contiguous(sin));
    let (client, [tokens, _, half]) = (x.client.clone(), dims(&cos));
    let pairs = TensorMetadata::shape(&out).num_elements() / 2;
    let units = units(&client, 256);
    let [in_token, in_head, out_token, out_head] = strides.map(|stride| stride as u32);
    // SAFETY: units beyond the pairs do nothing, and the others stay within all shapes.
    unsafe {
        rotate_kernel::launch_unchecked(
            &client,
            cubes(pairs.div_ceil(units)),
            CubeDim::new_1d(units as u32),
            x.into_buffer_arg(),
            cos.into_buffer_arg(),
            sin.into_buffer_arg(),
            out.clone().into_buffer_arg(),
            pairs as u32,
            (pairs / tokens.max(1) / half) as u32,
            half as u32,
            in_token,
            in_head,
            out_token,
            out_head,
            scale as f32,
            direction,
        );
    }
    out
}

pub fn masked_softmax(scores: CubeTensor, mask: CubeTensor) -> CubeTensor {
    let (scores, mask) = (into_contiguous(scores), into_contiguous(mask));
    let shape: [usize; 3] = dims(&scores);
    let [heads, tokens, width] = shape;
    let out = empty(&scores, shape, DType::F32);
    let client = scores.client.clone();
    let units = row_units(&client, width);
    // SAFETY: rows and columns are within all shapes.
    unsafe {
        softmax_kernel::launch_unchecked(
            &client,
            cubes(heads * tokens),
            CubeDim::new_1d(units as u32),
            scores.into_buffer_arg(),
            mask.into_buffer_arg(),
            out.clone().into_buffer_arg(),
            (heads * tokens) as u32,
            tokens as u32,
            width as u32,
            units,
        );
    }
    out
}

pub fn softmax_by_scores(probabilities: CubeTensor, gradient: CubeTensor) -> CubeTensor {
    let (probabilities, gradient) = (into_contiguous(probabilities), into_contiguous(gradient));
    let shape: [usize; 3] = dims(&probabilities);
    let [heads, tokens, width] = shape;
    let out = empty(&probabilities, shape, DType::F32);
    let client = probabilities.client.clone();
    let units = row_units(&client, width);
    // SAFETY: rows and columns are within all shapes.
    unsafe {
        softmax_by_scores_kernel::launch_unchecked(
            &client,
            cubes(heads * tokens),
            CubeDim::new_1d(units as u32),
            probabilities.into_buffer_arg(),
            gradient.into_buffer_arg(),
            out.clone().into_buffer_arg(),
            (heads * tokens) as u32,
            width as u32,
            units,
        );
    }
    out
}

pub fn add_scaled(y: CubeTensor, z: CubeTensor, scale: f64) -> CubeTensor {
    let (y, z) = (into_contiguous(y), into_contiguous(z));
    let shape: [usize; 2] = dims(&y);
    let out = empty(&y, shape, DType::F32);
    let (client, count) = (y.client.clone(), shape[0] * shape[1]);
    let units = units(&client, 256);
    // SAFETY: units beyond `count` do nothing, and the others stay within the shape that all have.
    unsafe {
        add_scaled_kernel::launch_unchecked(
            &client,
            cubes(count.div_ceil(units)),
            CubeDim::new_1d(units as u32),
            y.into_buffer_arg(),
            z.into_buffer_arg(),
            out.clone().into_buffer_arg(),
            count as u32,
            scale as f32,
        );
    }
    out
}

pub fn gate(gate: CubeTensor, up: CubeTensor) -> CubeTensor {
    let (gate, up) = (into_contiguous(gate), into_contiguous(up));
    let shape: [usize; 2] = dims(&gate);
    let out = empty(&gate, shape, DType::F32);
    let (client, count) = (gate.client.clone(), shape[0] * shape[1]);
    let units = units(&client, 256);
    // SAFETY: units beyond `count` do nothing, and the others stay within the shape that all have.
    unsafe {
        gate_kernel::launch_unchecked(
            &client,
            cubes(count.div_ceil(units)),
            CubeDim::new_1d(units as u32),
            gate.into_buffer_arg(),
            up.into_buffer_arg(),
            out.clone().into_buffer_arg(),
            count as u32,
        );
    }
    out
}

/// The gradients by the gate and by `up`.
pub fn gate_by_both(gate: CubeTensor, up: CubeTensor, gradient: CubeTensor) -> (CubeTensor, CubeTensor) {
    let (gate, up, gradient) = (into_contiguous(gate), into_contiguous(up), into_contiguous(gradient));
    let shape: [usize; 2] = dims(&gate);
    let (by_gate, by_up) = (empty(&gate, shape, DType::F32), empty(&gate, shape, DType::F32));
    let (client, count) = (gate.client.clone(), shape[0] * shape[1]);
    let units = units(&client, 256);
    // SAFETY: units beyond `count` do nothing, and the others stay within the shape that all have.
    unsafe {
        gate_by_both_kernel::launch_unchecked(
            &client,
            cubes(count.div_ceil(units)),
            CubeDim::new_1d(units as u32),
            gate.into_buffer_arg(),
            up.into_buffer_arg(),
            gradient.into_buffer_arg(),
            by_gate.clone().into_buffer_arg(),
            by_up.clone().into_buffer_arg(),
            count as u32,
        );
    }
    (by_gate, by_up)
}

/// One cube per row. With `r = 1 / sqrt(mean of x^2 + epsilon)`, the gradient is
/// `r * weight * gradient - r^3 * x * (mean of gradient * weight * x)`.
#[cube(launch_unchecked)]
fn norm_by_x_kernel(
    x: &[f32],
    weight: &[f32],
    gradient: &[f32],
    by_x: &mut [f32],
    roots: &mut [f32],
    rows: u32,
    width: u32,
    epsilon: f32,
    #[comptime] units: usize,
) {
    let row = CUBE_POS as u32;
    if row >= rows {
        terminate!();
    }
    let base = row * width;
    let mut squares = f32::new(0.0);
    let mut products = f32::new(0.0);
    let mut i = UNIT_POS;
    while i < width {
        let at = (base + i) as usize;
        squares += x[at] * x[at];
        products += gradient[at] * weight[i as usize] * x[at];
        i += comptime!(units as u32);
    }
    let root = inverse_root_of_units(squares, f32::cast_from(width), epsilon, units);
    let mut sums = Shared::<[f32]>::new_slice(units);
    sums[UNIT_POS as usize] = products;
    sum_of_units(&mut sums, units);
    let share = root * root * root * sums[0] / f32::cast_from(width);
    let mut i = UNIT_POS;
    while i < width {
        let at = (base + i) as usize;
        by_x[at] = root * weight[i as usize] * gradient[at] - share * x[at];
        i += comptime!(units as u32);
    }
    if UNIT_POS == 0 {
        roots[row as usize] = root;
    }
}

/// One cube per group of rows, one unit per column.
#[cube(launch_unchecked)]
fn norm_by_weight_kernel(
    x: &[f32],
    roots: &[f32],
    gradient: &[f32],
    sums: &mut [f32],
    rows: u32,
    width: u32,
    #[comptime] units: usize,
) {
    let part = CUBE_POS as u32;
    let first = part * ROWS;
    if first >= rows {
        terminate!();
    }
    let end = min(first + ROWS, rows);
    let mut i = UNIT_POS;
    while i < width {
        let mut sum = f32::new(0.0);
        let mut row = first;
        while row < end {
            let at = (row * width + i) as usize;
            sum += gradient[at] * x[at] * roots[row as usize];
            row += 1u32;
        }
        sums[(part * width + i) as usize] = sum;
        i += comptime!(units as u32);
    }
}

/// One unit per pair of numbers. `direction` is 1, or -1 for the rotation back.
#[cube(launch_unchecked)]
fn rotate_kernel(
    x: &[f32],
    cos: &[f32],
    sin: &[f32],
    out: &mut [f32],
    pairs: u32,
    heads: u32,
    half: u32,
    in_token: u32,
    in_head: u32,
    out_token: u32,
    out_head: u32,
    scale: f32,
    direction: f32,
) {
    let number = ABSOLUTE_POS as u32;
    if number >= pairs {
        terminate!();
    }
    let place = number / half;
    let i = number - place * half;
    let token = place / heads;
    let head = place - token * heads;
    let from = token * in_token + head * in_head + i;
    let to = token * out_token + head * out_head + i;
    let angle = (token * half + i) as usize;
    let turn = sin[angle] * direction;
    let left = x[from as usize];
    let right = x[(from + half) as usize];
    out[to as usize] = (left * cos[angle] - right * turn) * scale;
    out[(to + half) as usize] = (right * cos[angle] + left * turn) * scale;
}

/// The exponential of a number that is not above 0.
#[cube]
fn exp_of(difference: f32) -> f32 {
    let least = f32::new(LEAST_EXPONENT);
    select(difference < least, 0.0f32, max(difference, least).exp())
}

/// One cube per row.
#[cube(launch_unchecked)]
fn softmax_kernel(
    scores: &[f32],
    mask: &[f32],
    out: &mut [f32],
    rows: u32,
    tokens: u32,
    width: u32,
    #[comptime] units: usize,
) {
    let row = CUBE_POS as u32;
    if row >= rows {
        terminate!();
    }
    let base = row * width;
    let masked = (row - row / tokens * tokens) * width;
    let mut top = f32::new(-3.0e38);
    let mut i = UNIT_POS;
    while i < width {
        top = max(top, scores[(base + i) as usize] + mask[(masked + i) as usize]);
        i += comptime!(units as u32);
    }
    let mut tops = Shared::<[f32]>::new_slice(units);
    tops[UNIT_POS as usize] = top;
    max_of_units(&mut tops, units);
    let top = tops[0];
    let mut sum = f32::new(0.0);
    let mut i = UNIT_POS;
    while i < width {
        let at = (base + i) as usize;
        let share = exp_of(scores[at] + mask[(masked + i) as usize] - top);
        out[at] = share;
        sum += share;
        i += comptime!(units as u32);
    }
    let mut sums = Shared::<[f32]>::new_slice(units);
    sums[UNIT_POS as usize] = sum;
    sum_of_units(&mut sums, units);
    let scale = f32::new(1.0) / sums[0];
    let mut i = UNIT_POS;
    while i < width {
        let at = (base + i) as usize;
        out[at] = out[at] * scale;
        i += comptime!(units as u32);
    }
}

/// One cube per row: `probability * (gradient - sum of probability * gradient)`.
#[cube(launch_unchecked)]
fn softmax_by_scores_kernel(
    probabilities: &[f32],
    gradient: &[f32],
    out: &mut [f32],
    rows: u32,
    width: u32,
    #[comptime] units: usize,
) {
    let row = CUBE_POS as u32;
    if row >= rows {
        terminate!();
    }
    let base = row * width;
    let mut sum = f32::new(0.0);
    let mut i = UNIT_POS;
    while i < width {
        let at = (base + i) as usize;
        sum += probabilities[at] * gradient[at];
        i += comptime!(units as u32);
    }
    let mut sums = Shared::<[f32]>::new_slice(units);
    sums[UNIT_POS as usize] = sum;
    sum_of_units(&mut sums, units);
    let mean = sums[0];
    let mut i = UNIT_POS;
    while i < width {
        let at = (base + i) as usize;
        out[at] = probabilities[at] * (gradient[at] - mean);
        i += comptime!(units as u32);
    }
}

/// One unit per number.
#[cube(launch_unchecked)]
fn add_scaled_kernel(y: &[f32], z: &[f32], out: &mut [f32], count: u32, scale: f32) {
    let number = ABSOLUTE_POS as u32;
    if number >= count {
        terminate!();
    }
    let at = number as usize;
    out[at] = y[at] + z[at] * scale;
}

/// One unit per number.
#[cube(launch_unchecked)]
fn gate_kernel(gate: &[f32], up: &[f32], out: &mut [f32], count: u32) {
    let number = ABSOLUTE_POS as u32;
    if number >= count {
        terminate!();
    }
    let at = number as usize;
    out[at] = gate[at] * sigmoid(gate[at]) * up[at];
}

/// One unit per number.
#[cube(launch_unchecked)]
fn gate_by_both_kernel(gate: &[f32], up: &[f32], gradient: &[f32], by_gate: &mut [f32], by_up: &mut [f32], count: u32) {
    let number = ABSOLUTE_POS as u32;
    if number >= count {
        terminate!();
    }
    let at = number as usize;
    let open = sigmoid(gate[at]);
    let slope = open * (f32::new(1.0) + gate[at] * (f32::new(1.0) - open));
    by_gate[at] = gradient[at] * up[at] * slope;
    by_up[at] = gradient[at] * gate[at] * open;
}
