//! Copies within the cache on a GPU.

#![allow(
    clippy::too_many_arguments,
    clippy::assign_op_pattern,
    clippy::needless_range_loop,
    reason = "kernels take their operands one by one, and their language lacks these forms"
)]

use crate::gpu::{cubes, dims, element, owned, units};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, backend_extension};
use burn::tensor::Tensor;
use burn_cubecl::CubeBackend;
use cubecl::ir::ElemType;
use cubecl::prelude::*;
use std::ops::Range;

#[backend_extension(Cube)]
pub trait CopyOps: Backend {
    fn copy_positions(
        keys: FloatTensor<Self>,
        values: FloatTensor<Self>,
        slots: [usize; 2],
        positions: Range<usize>,
    ) -> (FloatTensor<Self>, FloatTensor<Self>);
}

pub fn copy_positions(
    keys: Tensor<4>,
    values: Tensor<4>,
    slots: [usize; 2],
    positions: Range<usize>,
) -> (Tensor<4>, Tensor<4>) {
    let (keys, values) =
        <Dispatch as CopyOps>::copy_positions(keys.into_dispatch(), values.into_dispatch(), slots, positions);
    (Tensor::from_dispatch(keys), Tensor::from_dispatch(values))
}

/// One unit per number of the keys, and of the values.
#[cube(launch_unchecked)]
fn copy_kernel<C: Float>(
    keys: &mut [C],
    values: &mut [C],
    heads: u32,
    capacity: u32,
    width: u32,
    from: u32,
    to: u32,
    start: u32,
    count: u32,
    #[define(C)] _dtype: ElemType,
) {
    let at = ABSOLUTE_POS as u32;
    let per_head = count * width;
    if at >= heads * per_head {
        terminate!();
    }
    let head = at / per_head;
    let inside = start * width + at - head * per_head;
    let source = ((from * heads + head) * capacity * width + inside) as usize;
    let target = ((to * heads + head) * capacity * width + inside) as usize;
    keys[target] = keys[source];
    values[target] = values[source];
}

impl CopyOps for CubeBackend {
    fn copy_positions(
        keys: FloatTensor<Self>,
        values: FloatTensor<Self>,
        [from, to]: [usize; 2],
        positions: Range<usize>,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        let (keys, values) = (owned(keys), owned(values));
        let [_, heads, capacity, width] = dims(&keys);
        let client = keys.client.clone();
        let units = units(&client, 256);
        // SAFETY: slots and positions are within the cache, the caller says.
        unsafe {
            copy_kernel::launch_unchecked(
                &client,
                cubes((heads * positions.len() * width).div_ceil(units)),
                CubeDim::new_1d(units as u32),
                keys.clone().into_buffer_arg(),
                values.clone().into_buffer_arg(),
                heads as u32,
                capacity as u32,
                width as u32,
                from as u32,
                to as u32,
                positions.start as u32,
                positions.len() as u32,
                element(&keys),
            );
        }
        (keys, values)
    }
}
