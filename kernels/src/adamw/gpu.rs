//! The step on a GPU, in one launch.

#![allow(
    clippy::too_many_arguments,
    clippy::assign_op_pattern,
    clippy::needless_range_loop,
    reason = "kernels take their operands one by one, and their language lacks these forms"
)]

use super::{Narrow, total};
use crate::gpu::{cubes, dims, owned, sum_of_units, units};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, backend_extension};
use burn::tensor::{DType, ExecutionError, Tensor};
use burn_cubecl::CubeBackend;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

#[backend_extension(Cube)]
pub trait AdamwOps: Backend {
    fn adamw(
        value: FloatTensor<Self>,
        mean: FloatTensor<Self>,
        square: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        factors: Narrow,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>);

    /// Puts the partial sums of squares of `x` into `sums`, from place `first` on.
    fn partial_squares(x: FloatTensor<Self>, sums: FloatTensor<Self>, first: usize) -> FloatTensor<Self>;
}

/// Numbers of one partial sum: the work of a cube.
const PART: u32 = 1 << 14;

pub fn sum_of_squares(tensors: &[Tensor<2>]) -> Result<f64, ExecutionError> {
    let parts = |x: &Tensor<2>| x.dims().iter().product::<usize>().div_ceil(PART as usize);
    let Some(some) = tensors.first() else { return Ok(0.0) };
    let mut sums = Tensor::<1>::empty([tensors.iter().map(parts).sum::<usize>()], (&some.device(), DType::F32));
    let mut first = 0;
    for x in tensors {
        let filled = <Dispatch as AdamwOps>::partial_squares(x.clone().into_dispatch(), sums.into_dispatch(), first);
        sums = Tensor::from_dispatch(filled);
        first += parts(x);
    }
    total(sums)
}

/// Where a number of a matrix lies that need not lie row after row.
#[cube]
fn place(number: u32, columns: u32, row_stride: u32, column_stride: u32) -> usize {
    let row = number / columns;
    (row * row_stride + (number - row * columns) * column_stride) as usize
}

/// How far apart the rows and the columns of a matrix lie.
fn strides(matrix: &CubeTensor) -> [u32; 2] {
    let strides = matrix.meta.strides();
    [strides[0] as u32, strides[1] as u32]
}

/// One unit per number.
#[cube(launch_unchecked)]
fn adamw_kernel(
    value: &mut [f32],
    mean: &mut [f32],
    square: &mut [f32],
    gradient: &[f32],
    count: u32,
    columns: u32,
    row_stride: u32,
    column_stride: u32,
    scale: f32,
    beta1: f32,
    rest1: f32,
    beta2: f32,
    rest2: f32,
    unbias1: f32,
    unbias2: f32,
    epsilon: f32,
    rate: f32,
    kept: f32,
) {
    let number = ABSOLUTE_POS as u32;
    if number >= count {
        terminate!();
    }
    let at = number as usize;
    let g = gradient[place(number, columns, row_stride, column_stride)] * scale;
    let first = mean[at] * beta1 + g * rest1;
    let second = square[at] * beta2 + g * g * rest2;
    mean[at] = first;
    square[at] = second;
    let change = first * unbias1 / ((second * unbias2).sqrt() + epsilon);
    value[at] = value[at] * kept - rate * change;
}

/// One cube per part.
#[cube(launch_unchecked)]
fn squares_kernel(
    x: &[f32],
    sums: &mut [f32],
    count: u32,
    columns: u32,
    row_stride: u32,
    column_stride: u32,
    first: u32,
    #[comptime] units: usize,
) {
    let part = CUBE_POS as u32;
    let start = part * PART;
    if start >= count {
        terminate!();
    }
    let end = min(start + PART, count);
    let mut sum = f32::new(0.0);
    let mut i = start + UNIT_POS;
    while i < end {
        let number = x[place(i, columns, row_stride, column_stride)];
        sum += number * number;
        i += comptime!(units as u32);
    }
    let mut entries = Shared::<[f32]>::new_slice(units);
    entries[UNIT_POS as usize] = sum;
    sum_of_units(&mut entries, units);
    if UNIT_POS == 0 {
        sums[(first + part) as usize] = entries[0];
    }
}

impl AdamwOps for CubeBackend {
    fn adamw(
        value: FloatTensor<Self>,
        mean: FloatTensor<Self>,
        square: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        f: Narrow,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        let (value, mean, square) = (owned(value), owned(mean), owned(square));
        let (client, [rows, columns]) = (value.client.clone(), dims(&value));
        let [row_stride, column_stride] = strides(&gradient);
        let (count, units) = (rows * columns, units(&client, 256));
        // SAFETY: units beyond `count` do nothing, and the others stay within the shape that all four have.
        unsafe {
            adamw_kernel::launch_unchecked(
                &client,
                cubes(count.div_ceil(units)),
                CubeDim::new_1d(units as u32),
                value.clone().into_buffer_arg(),
                mean.clone().into_buffer_arg(),
                square.clone().into_buffer_arg(),
                gradient.into_buffer_arg(),
                count as u32,
                columns as u32,
                row_stride,
                column_stride,
                f.scale,
                f.beta1,
                f.rest1,
                f.beta2,
                f.rest2,
                f.unbias1,
                f.unbias2,
                f.epsilon,
                f.rate,
                f.kept,
            );
        }
        (value, mean, square)
    }

    fn partial_squares(x: FloatTensor<Self>, sums: FloatTensor<Self>, first: usize) -> FloatTensor<Self> {
        let sums = owned(sums);
        let (client, [rows, columns]) = (x.client.clone(), dims(&x));
        let [row_stride, column_stride] = strides(&x);
        let (count, units) = (rows * columns, units(&client, 256));
        // SAFETY: cubes read within the shape of `x`, and write one place each, of which the caller has made enough.
        unsafe {
            squares_kernel::launch_unchecked(
                &client,
                cubes(count.div_ceil(PART as usize)),
                CubeDim::new_1d(units as u32),
                x.into_buffer_arg(),
                sums.clone().into_buffer_arg(),
                count as u32,
                columns as u32,
                row_stride,
                column_stride,
                first as u32,
                units,
            );
        }
        sums
    }
}
