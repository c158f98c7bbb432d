//! The residual sum and its RMSNorm on a GPU, in one pass over each row.

#![allow(
    clippy::too_many_arguments,
    clippy::assign_op_pattern,
    clippy::needless_range_loop,
    reason = "kernels take their operands one by one, and their language lacks these forms"
)]

use super::Norm;
use crate::gpu::{cubes, dims, element, element_of, empty, owned, row_units, sum_of_units};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, backend_extension};
use burn::tensor::{DType, FloatDType, Tensor};
use burn_cubecl::CubeBackend;
use burn_cubecl::kernel::into_contiguous;
use cubecl::ir::ElemType;
use cubecl::prelude::*;

#[backend_extension(Cube)]
pub trait NormOps: Backend {
    fn add_norm(
        stream: FloatTensor<Self>,
        delta: FloatTensor<Self>,
        add: bool,
        weight: FloatTensor<Self>,
        epsilon: f64,
        dtype: FloatDType,
    ) -> (FloatTensor<Self>, FloatTensor<Self>);
}

pub fn add_norm(stream: Tensor<2>, delta: Option<Tensor<2>>, norm: &Norm<'_>) -> (Tensor<2>, Tensor<2>) {
    let add = delta.is_some();
    let (sum, normed) = <Dispatch as NormOps>::add_norm(
        stream.into_dispatch(),
        // What is not added is not read; anything may stand in its place.
        delta.unwrap_or_else(|| norm.weight.clone().unsqueeze()).into_dispatch(),
        add,
        norm.weight.clone().into_dispatch(),
        norm.epsilon,
        norm.dtype,
    );
    (Tensor::from_dispatch(sum), Tensor::from_dispatch(normed))
}

/// `1 / sqrt(mean + epsilon)` of `width` squares, of which each unit of the cube has summed its own.
#[cube]
pub(crate) fn inverse_root_of_units(sum: f32, width: f32, epsilon: f32, #[comptime] units: usize) -> f32 {
    let mut sums = Shared::<[f32]>::new_slice(units);
    sums[UNIT_POS as usize] = sum;
    sum_of_units(&mut sums, units);
    (sums[0] / width + epsilon).inverse_sqrt()
}

/// One cube per row.
#[cube(launch_unchecked)]
fn add_norm_kernel<D: Float, O: Float>(
    stream: &mut [f32],
    delta: &[D],
    weight: &[f32],
    out: &mut [O],
    rows: u32,
    width: u32,
    epsilon: f32,
    #[comptime] add: bool,
    #[comptime] units: usize,
    #[define(D, O)] _dtypes: [ElemType; 2],
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
        let mut value = stream[at];
        if comptime!(add) {
            value += f32::cast_from(delta[at]);
            stream[at] = value;
        }
        sum += value * value;
        i += comptime!(units as u32);
    }
    let scale = inverse_root_of_units(sum, f32::cast_from(width), epsilon, units);
    let mut i = UNIT_POS;
    while i < width {
        let at = (base + i) as usize;
        out[at] = O::cast_from(stream[at] * scale * weight[i as usize]);
        i += comptime!(units as u32);
    }
}

impl NormOps for CubeBackend {
    fn add_norm(
        stream: FloatTensor<Self>,
        delta: FloatTensor<Self>,
        add: bool,
        weight: FloatTensor<Self>,
        epsilon: f64,
        dtype: FloatDType,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        let stream = if add { owned(stream) } else { into_contiguous(stream) };
        let (weight, delta) = (into_contiguous(weight), into_contiguous(delta));
        let [rows, width] = dims(&stream);
        let dtype = DType::from(dtype);
        let out = empty(&stream, [rows, width], dtype);
        let client = stream.client.clone();
        let units = row_units(&client, width);
        let types = [element(&delta), element_of(dtype)];
        // SAFETY: rows and columns are within all buffers, whose shapes are those of `stream` and `weight`.
        unsafe {
            add_norm_kernel::launch_unchecked(
                &client,
                cubes(rows),
                CubeDim::new_1d(units as u32),
                stream.clone().into_buffer_arg(),
                delta.into_buffer_arg(),
                weight.into_buffer_arg(),
                out.clone().into_buffer_arg(),
                rows as u32,
                width as u32,
                epsilon as f32,
                add,
                units,
                types,
            );
        }
        (stream, out)
    }
}
