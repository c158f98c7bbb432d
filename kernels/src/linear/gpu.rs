//! The linear layer on a GPU.

#![allow(
    clippy::too_many_arguments,
    clippy::assign_op_pattern,
    clippy::needless_range_loop,
    reason = "kernels take their operands one by one, and their language lacks these forms"
)]

use super::LinearOps;
use crate::gpu::{MOST_CUBES, dims, element, element_of, empty, units};
use crate::weight::packed::gpu::{byte, half, nibble, scale_of};
use crate::weight::packed::scale_words;
use crate::weight::{Weight, WeightType};
use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Backend, Dispatch, backend_extension};
use burn::tensor::{DType, FloatDType, Tensor};
use burn_cubecl::CubeBackend;
use burn_cubecl::kernel::into_contiguous;
use cubecl::ir::ElemType;
use cubecl::prelude::*;

/// Rows that a unit sums at once.
const ROWS: usize = 8;
/// Units that share an output.
const LANES: usize = 32;
/// Units per cube.
const UNITS: usize = 128;

/// How many rows the kernel is for: beyond, floats are read too often, and blocks as well soon after.
pub fn most_rows(weight: &Weight) -> usize {
    if weight.packed().is_some() { 4 * ROWS } else { ROWS }
}

#[backend_extension(Cube)]
pub trait FewRowsOps: Backend {
    fn few_rows(x: FloatTensor<Self>, weight: FloatTensor<Self>, dtype: FloatDType) -> FloatTensor<Self>;
    fn few_rows_packed(
        x: FloatTensor<Self>,
        numbers: IntTensor<Self>,
        scales: IntTensor<Self>,
        kind: WeightType,
        out: usize,
        dtype: FloatDType,
    ) -> FloatTensor<Self>;
}

pub fn linear_few_rows(x: Tensor<2>, weight: &Weight, dtype: FloatDType) -> Tensor<2> {
    let x = x.into_dispatch();
    Tensor::from_dispatch(match weight.packed() {
        Some(packed) => <Dispatch as FewRowsOps>::few_rows_packed(
            x,
            packed.numbers.clone().into_dispatch(),
            packed.scales.clone().into_dispatch(),
            packed.kind,
            packed.out,
            dtype,
        ),
        None => <Dispatch as FewRowsOps>::few_rows(x, weight.as_tensor().into_dispatch(), dtype),
    })
}

/// Adds up the sums of neighbouring units and writes them: the end of both kernels.
#[cube]
fn finish<O: Float>(
    sums: &Array<f32>,
    y: &mut [O],
    row: u32,
    rows: u32,
    output: u32,
    outputs: u32,
    #[comptime] at_once: usize,
    #[comptime] lanes: usize,
    #[comptime] units: usize,
) {
    let mut shared = Shared::<[f32]>::new_slice(comptime!(at_once * units));
    let me = UNIT_POS as usize;
    let lane = me % lanes;
    #[unroll]
    for r in 0..at_once {
        shared[r * units + me] = sums[r];
    }
    sync_cube();
    let mut step = comptime!(lanes / 2).runtime();
    while step > 0 {
        if lane < step {
            #[unroll]
            for r in 0..at_once {
                shared[r * units + me] = shared[r * units + me] + shared[r * units + me + step];
            }
        }
        sync_cube();
        step = step / 2;
    }
    if lane == 0 && output < outputs {
        #[unroll]
        for r in 0..at_once {
            if row + (r as u32) < rows {
                y[((row + r as u32) * outputs + output) as usize] = O::cast_from(shared[r * units + me]);
            }
        }
    }
}

/// `lanes` units per output and `at_once` rows of `x`. `inputs` and `stride` count vectors.
#[cube(launch_unchecked)]
fn floats_kernel<F: Float, W: Float, O: Float, N: Size>(
    x: &[Vector<F, N>],
    weight: &[Vector<W, N>],
    y: &mut [O],
    rows: u32,
    outputs: u32,
    inputs: u32,
    stride: u32,
    cubes_x: u32,
    #[comptime] at_once: usize,
    #[comptime] lanes: usize,
    #[comptime] units: usize,
    #[comptime] vector: usize,
    #[define(F, W, O)] _dtypes: [ElemType; 3],
) {
    let cube = CUBE_POS_X + CUBE_POS_Y * cubes_x;
    let output = cube * comptime!((units / lanes) as u32) + UNIT_POS / comptime!(lanes as u32);
    let row = CUBE_POS_Z * comptime!(at_once as u32);
    let mut sums = Array::<f32>::new(at_once);
    #[unroll]
    for r in 0..at_once {
        sums[r] = f32::new(0.0);
    }
    if output < outputs {
        let mut i = UNIT_POS % comptime!(lanes as u32);
        while i < inputs {
            let w = Vector::<f32, N>::cast_from(weight[(output * stride + i) as usize]);
            #[unroll]
            for r in 0..at_once {
                // Rows beyond the last repeat it, and are not written.
                let this = min(row + r as u32, rows - 1);
                let terms = w * Vector::<f32, N>::cast_from(x[(this * inputs + i) as usize]);
                #[unroll]
                for n in 0..vector {
                    sums[r] += terms.extract(n);
                }
            }
            i += comptime!(lanes as u32);
        }
    }
    finish::<O>(&sums, y, row, rows, output, outputs, at_once, lanes, units);
}

/// The same with a weight in blocks; a unit takes a word of numbers at a time.
#[cube(launch_unchecked)]
fn packed_kernel<F: Float, O: Float, N: Size>(
    x: &[Vector<F, N>],
    numbers: &[u32],
    scales: &[u32],
    y: &mut [O],
    rows: u32,
    outputs: u32,
    inputs: u32,
    scale_words: u32,
    cubes_x: u32,
    #[comptime] at_once: usize,
    #[comptime] lanes: usize,
    #[comptime] units: usize,
    #[comptime] four_bits: bool,
    #[define(F, O)] _dtypes: [ElemType; 2],
) {
    let cube = CUBE_POS_X + CUBE_POS_Y * cubes_x;
    let output = cube * comptime!((units / lanes) as u32) + UNIT_POS / comptime!(lanes as u32);
    let row = CUBE_POS_Z * comptime!(at_once as u32);
    let mut sums = Array::<f32>::new(at_once);
    #[unroll]
    for r in 0..at_once {
        sums[r] = f32::new(0.0);
    }
    if output < outputs {
        let words = inputs >> comptime!(if four_bits { 3u32 } else { 2u32 });
        let fours = inputs >> 2u32;
        let mut i = UNIT_POS % comptime!(lanes as u32);
        while i < words {
            let word = numbers[(output * words + i) as usize];
            if comptime!(four_bits) {
                let block = i >> 2u32;
                let head = scales[(output * scale_words + block) as usize];
                let scale = half(head);
                let least = half(head >> 16u32);
                let at = block * 8u32 + (i & 3u32);
                #[unroll]
                for r in 0..at_once {
                    let this = min(row + r as u32, rows - 1) * fours + at;
                    let low = Vector::<f32, N>::cast_from(x[this as usize]);
                    let high = Vector::<f32, N>::cast_from(x[(this + 4u32) as usize]);
                    #[unroll]
                    for n in 0..4usize {
                        sums[r] += low.extract(n) * (nibble(word, comptime!(2 * n as u32)) * scale + least);
                        sums[r] += high.extract(n) * (nibble(word, comptime!(2 * n as u32 + 1)) * scale + least);
                    }
                }
            } else {
                let scale = scale_of(scales, output, i >> 3u32, scale_words);
                #[unroll]
                for r in 0..at_once {
                    let this = min(row + r as u32, rows - 1) * fours + i;
                    let terms = Vector::<f32, N>::cast_from(x[this as usize]);
                    #[unroll]
                    for n in 0..4usize {
                        sums[r] += terms.extract(n) * (byte(word, comptime!(n as u32)) * scale);
                    }
                }
            }
            i += comptime!(lanes as u32);
        }
    }
    finish::<O>(&sums, y, row, rows, output, outputs, at_once, lanes, units);
}

/// How the outputs and rows are shared among cubes.
struct Shares {
    count: CubeCount,
    dim: CubeDim,
    cubes_x: u32,
    at_once: usize,
    lanes: usize,
    units: usize,
}

fn shares(client: &Client, rows: usize, outputs: usize) -> Shares {
    let units = units(client, UNITS);
    let lanes = LANES.min(units);
    let at_once = rows.next_power_of_two().clamp(1, ROWS);
    let cubes = outputs.div_ceil(units / lanes).max(1);
    let x = cubes.min(MOST_CUBES);
    Shares {
        count: CubeCount::Static(x as u32, cubes.div_ceil(x) as u32, rows.div_ceil(at_once).max(1) as u32),
        dim: CubeDim::new_1d(units as u32),
        cubes_x: x as u32,
        at_once,
        lanes,
        units,
    }
}

impl FewRowsOps for CubeBackend {
    fn few_rows(x: FloatTensor<Self>, weight: FloatTensor<Self>, dtype: FloatDType) -> FloatTensor<Self> {
        let x = into_contiguous(x);
        let ([rows, inputs], [outputs, _]) = (dims(&x), dims(&weight));
        // The rows of a weight may be spaced out, and a copy of it at each call would be dear.
        let apart = weight.meta.strides().to_vec();
        let (weight, stride) = match apart[..] {
            [stride, 1] if stride >= inputs => (weight, stride),
            _ => (into_contiguous(weight), inputs),
        };
        let vector = if inputs.is_multiple_of(4) && stride.is_multiple_of(4) { 4 } else { 1 };
        let dtype = DType::from(dtype);
        let y = empty(&x, [rows, outputs], dtype);
        let client = x.client.clone();
        let shares = shares(&client, rows, outputs);
        let types = [element(&x), element(&weight), element_of(dtype)];
        // SAFETY: all shapes are those of the buffers, and rows and outputs beyond the last are not written.
        unsafe {
            floats_kernel::launch_unchecked(
                &client,
                shares.count,
                shares.dim,
                vector,
                x.into_buffer_arg(),
                weight.into_buffer_arg(),
                y.clone().into_buffer_arg(),
                rows as u32,
                outputs as u32,
                (inputs / vector) as u32,
                (stride / vector) as u32,
                shares.cubes_x,
                shares.at_once,
                shares.lanes,
                shares.units,
                vector,
                types,
            );
        }
        y
    }

    fn few_rows_packed(
        x: FloatTensor<Self>,
        numbers: IntTensor<Self>,
        scales: IntTensor<Self>,
        kind: WeightType,
        out: usize,
        dtype: FloatDType,
    ) -> FloatTensor<Self> {
        let x = into_contiguous(x);
        let [rows, inputs] = dims(&x);
        let dtype = DType::from(dtype);
        let y = empty(&x, [rows, out], dtype);
        let client = x.client.clone();
        let shares = shares(&client, rows, out);
        let types = [element(&x), element_of(dtype)];
        // SAFETY: as above; blocks are whole, so vectors of four are too.
        unsafe {
            packed_kernel::launch_unchecked(
                &client,
                shares.count,
                shares.dim,
                4,
                x.into_buffer_arg(),
                numbers.into_buffer_arg(),
                scales.into_buffer_arg(),
                y.clone().into_buffer_arg(),
                rows as u32,
                out as u32,
                inputs as u32,
                scale_words(kind, inputs / 32) as u32,
                shares.cubes_x,
                shares.at_once,
                shares.lanes,
                shares.units,
                kind == WeightType::Q4_1,
                types,
            );
        }
        y
    }
}

impl LinearOps for CubeBackend {
    fn linear_rows(x: FloatTensor<Self>, weight: FloatTensor<Self>) -> FloatTensor<Self> {
        use burn::backend::TensorMetadata;
        use burn::backend::ops::FloatTensorOps;
        let kind = weight.dtype();
        let weight = <Self as FloatTensorOps<Self>>::float_transpose(weight);
        if kind == DType::F32 {
            return Self::float_matmul(x, weight);
        }
        // Tensor cores take both operands in 16 bits, and sum in 32.
        let x = Self::float_cast(x, kind.into());
        Self::float_cast(Self::float_matmul(x, weight), FloatDType::F32)
    }
}
