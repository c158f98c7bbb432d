//! The operations around the matrix products as plain Rust over the CPU back end's memory.
//!
//! A decode step of a small model runs some thirty operations per layer, of a few hundred numbers each. As tensor
//! operations they cost more in allocation and dispatch than in arithmetic. Here each is one call: RMSNorm, rotation,
//! the write into the cache, SwiGLU. (Attention is one call too, in `gramask-kernels`.)
//!
//! Inputs may be slices of a wider matrix (queries, keys and values come out of one product): rows are found by stride.

use std::ops::Range;
use std::sync::Arc;

use burn::backend::flex::{Flex, FlexTensor};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, backend_extension};
use burn::tensor::{DType, Shape, Tensor};
use gramask_kernels::cpu::each_chunk;

use super::simd::{dot, exp, fma, widest};
use super::step::{Place, Step};

/// The native operations; see the functions below for what each does.
#[backend_extension(Flex)]
pub(crate) trait NativeOps: Backend {
    fn rms_norm(x: FloatTensor<Self>, weight: FloatTensor<Self>, epsilon: f64) -> FloatTensor<Self>;
    fn swiglu(gate_up: FloatTensor<Self>) -> FloatTensor<Self>;
    fn store(cache: FloatTensor<Self>, x: FloatTensor<Self>, rotate: bool, step: Arc<Step>) -> FloatTensor<Self>;
    fn rotate(x: FloatTensor<Self>, heads: usize, step: Arc<Step>) -> FloatTensor<Self>;
    fn copy_positions(cache: FloatTensor<Self>, slots: [usize; 2], positions: Range<usize>) -> FloatTensor<Self>;
}

/// Each row of `x` over its root mean square, times `weight`.
///
/// # Shapes
/// `x` `[rows, width]`, `weight` `[width]` -> `[rows, width]`
pub(crate) fn rms_norm(x: Tensor<2>, weight: Tensor<1>, epsilon: f64) -> Tensor<2> {
    Tensor::from_dispatch(Dispatch::rms_norm(x.into_dispatch(), weight.into_dispatch(), epsilon))
}

/// `silu(gate) * up`.
///
/// # Shapes
/// `gate_up` `[tokens, 2 * hidden]`, gate first -> `[tokens, hidden]`
pub(crate) fn swiglu(gate_up: Tensor<2>) -> Tensor<2> {
    Tensor::from_dispatch(Dispatch::swiglu(gate_up.into_dispatch()))
}

/// Writes the pass's new keys (rotated) or values into the cache, in place when `cache` is the only handle.
///
/// # Shapes
/// `cache` `[slots, kv_heads, capacity, head_width]`, `x` `[tokens, kv_heads * head_width]` -> as `cache`
pub(crate) fn store(cache: Tensor<4>, x: Tensor<2>, rotate: bool, step: Arc<Step>) -> Tensor<4> {
    Tensor::from_dispatch(Dispatch::store(cache.into_dispatch(), x.into_dispatch(), rotate, step))
}

/// Rotates every head by its token's position.
///
/// # Shapes
/// `x` `[tokens, heads * head_width]` -> `[tokens, heads, head_width]`
pub(crate) fn rotate(x: Tensor<2>, heads: usize, step: Arc<Step>) -> Tensor<3> {
    Tensor::from_dispatch(Dispatch::rotate(x.into_dispatch(), heads, step))
}

/// Copies these positions of every head from the first slot to the second, in place when `cache` is the only handle.
///
/// # Shapes
/// `cache` `[slots, kv_heads, capacity, head_width]` -> the same
pub(crate) fn copy_positions(cache: Tensor<4>, slots: [usize; 2], positions: Range<usize>) -> Tensor<4> {
    Tensor::from_dispatch(Dispatch::copy_positions(cache.into_dispatch(), slots, positions))
}

/// A matrix whose rows are contiguous, however far apart.
struct Rows<'a> {
    data: &'a [f32],
    stride: usize,
    width: usize,
}

impl Rows<'_> {
    fn row(&self, number: usize) -> &[f32] {
        &self.data[number * self.stride..][..self.width]
    }
}

/// `x` itself, or a copy where its rows are not contiguous.
fn with_rows(x: FlexTensor) -> FlexTensor {
    let strides = x.layout().strides();
    if strides[1] == 1 && strides[0] >= 0 { x } else { x.to_contiguous() }
}

fn rows(x: &FlexTensor) -> Rows<'_> {
    let (layout, data) = (x.layout(), x.storage::<f32>());
    Rows { data: &data[layout.start_offset()..], stride: layout.strides()[0] as usize, width: layout.shape()[1] }
}

fn contiguous(x: FlexTensor) -> FlexTensor {
    if x.is_contiguous() && x.layout().start_offset() == 0 { x } else { x.to_contiguous() }
}

/// Rotate-half: element `i` of the first half and element `i` of the second are one pair.
#[inline(always)]
fn rotate_into<const FMA: bool>(x: &[f32], cos: &[f32], sin: &[f32], out: &mut [f32]) {
    let half = cos.len();
    let (a, b) = x.split_at(half);
    let (left, right) = out.split_at_mut(half);
    for i in 0..half {
        left[i] = fma::<FMA>(a[i], cos[i], -b[i] * sin[i]);
        right[i] = fma::<FMA>(b[i], cos[i], a[i] * sin[i]);
    }
}

#[inline(always)]
fn norm_body<const FMA: bool>(x: &[f32], weight: &[f32], epsilon: f64, out: &mut [f32]) {
    let mean = f64::from(dot::<FMA>(x, x)) / x.len() as f64;
    let scale = (1.0 / (mean + epsilon).sqrt()) as f32;
    for i in 0..out.len() {
        out[i] = x[i] * scale * weight[i];
    }
}
widest!(fn norm_row = norm_body(x: &[f32], weight: &[f32], epsilon: f64, out: &mut [f32]));

#[inline(always)]
fn swiglu_body<const FMA: bool>(gate: &[f32], up: &[f32], out: &mut [f32]) {
    for i in 0..out.len() {
        out[i] = gate[i] / (1.0 + exp::<FMA>(-gate[i])) * up[i];
    }
}
widest!(fn swiglu_row = swiglu_body(gate: &[f32], up: &[f32], out: &mut [f32]));

widest!(fn rotate_head = rotate_into(x: &[f32], cos: &[f32], sin: &[f32], out: &mut [f32]));

impl NativeOps for Flex {
    fn rms_norm(x: FlexTensor, weight: FlexTensor, epsilon: f64) -> FlexTensor {
        let (x, weight) = (with_rows(x), contiguous(weight));
        let mut out = FlexTensor::empty(x.layout().shape().clone(), DType::F32);
        let (x, weight) = (rows(&x), weight.storage::<f32>());
        let work = 4 * out.storage::<f32>().len();
        each_chunk(out.storage_mut(), x.width, work, |r, out| norm_row(x.row(r), weight, epsilon, out));
        out
    }

    fn swiglu(gate_up: FlexTensor) -> FlexTensor {
        let gate_up = with_rows(gate_up);
        let (tokens, hidden) = (gate_up.layout().shape()[0], gate_up.layout().shape()[1] / 2);
        let mut out = FlexTensor::empty(Shape::new([tokens, hidden]), DType::F32);
        let gate_up = rows(&gate_up);
        each_chunk(out.storage_mut(), hidden, 16 * tokens * hidden, |r, out| {
            let (gate, up) = gate_up.row(r).split_at(hidden);
            swiglu_row(gate, up, out);
        });
        out
    }

    fn store(cache: FlexTensor, x: FlexTensor, rotate: bool, step: Arc<Step>) -> FlexTensor {
        let (mut cache, x) = (contiguous(cache), with_rows(x));
        let shape = cache.layout().shape();
        let (heads, capacity, width) = (shape[1], shape[2], shape[3]);
        let (x, half) = (rows(&x), width / 2);
        let data: &mut [f32] = cache.storage_mut();
        for (t, &Place { slot, position }) in step.places.iter().enumerate() {
            let angles = t * half..(t + 1) * half;
            for (h, new) in x.row(t).chunks_exact(width).enumerate() {
                let out = &mut data[((slot * heads + h) * capacity + position) * width..][..width];
                if rotate {
                    rotate_head(new, &step.cos[angles.clone()], &step.sin[angles.clone()], out);
                } else {
                    out.copy_from_slice(new);
                }
            }
        }
        cache
    }

    fn rotate(x: FlexTensor, heads: usize, step: Arc<Step>) -> FlexTensor {
        let x = with_rows(x);
        let (tokens, all) = (x.layout().shape()[0], x.layout().shape()[1]);
        let (x, width) = (rows(&x), all / heads);
        let half = width / 2;
        let mut out = FlexTensor::empty(Shape::new([tokens, heads, width]), DType::F32);
        each_chunk(out.storage_mut(), width, tokens * all, |i, out| {
            let (t, h) = (i / heads, i % heads);
            let head = &x.row(t)[h * width..][..width];
            rotate_head(head, &step.cos[t * half..][..half], &step.sin[t * half..][..half], out);
        });
        out
    }

    fn copy_positions(cache: FlexTensor, [from, to]: [usize; 2], positions: Range<usize>) -> FlexTensor {
        let mut cache = contiguous(cache);
        let shape = cache.layout().shape();
        let (heads, capacity, width) = (shape[1], shape[2], shape[3]);
        let data: &mut [f32] = cache.storage_mut();
        for head in 0..heads {
            let at = |slot: usize, position: usize| ((slot * heads + head) * capacity + position) * width;
            let part = at(from, positions.start)..at(from, positions.end);
            data.copy_within(part, at(to, positions.start));
        }
        cache
    }
}
