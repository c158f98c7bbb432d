//! The gate on a GPU.

#![allow(
    clippy::too_many_arguments,
    clippy::assign_op_pattern,
    clippy::needless_range_loop,
    reason = "kernels take their operands one by one, and their language lacks these forms"
)]

use super::{GELU_CUBE, GELU_SLOPE, Gate};
use crate::gpu::{cubes, dims, element, empty, sigmoid, units};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, backend_extension};
use burn::tensor::Tensor;
use burn_cubecl::CubeBackend;
use burn_cubecl::kernel::into_contiguous;
use cubecl::ir::ElemType;
use cubecl::prelude::*;

#[backend_extension(Cube)]
pub trait SwigluOps: Backend {
    fn gated(gate_up: FloatTensor<Self>, gate: Gate) -> FloatTensor<Self>;
}

pub fn gated(gate_up: Tensor<2>, gate: Gate) -> Tensor<2> {
    Tensor::from_dispatch(<Dispatch as SwigluOps>::gated(gate_up.into_dispatch(), gate))
}

/// One unit per result.
#[cube(launch_unchecked)]
fn gated_kernel<F: Float>(
    gate_up: &[F],
    out: &mut [F],
    count: u32,
    hidden: u32,
    #[comptime] gelu: bool,
    #[define(F)] _dtype: ElemType,
) {
    let at = ABSOLUTE_POS as u32;
    if at >= count {
        terminate!();
    }
    let row = at / hidden;
    let gate = f32::cast_from(gate_up[(at + row * hidden) as usize]);
    let up = f32::cast_from(gate_up[(at + row * hidden + hidden) as usize]);
    let mut argument = gate;
    if comptime!(gelu) {
        argument = gate * f32::new(GELU_SLOPE) * (gate * gate * f32::new(GELU_CUBE) + f32::new(1.0));
    }
    out[at as usize] = F::cast_from(gate * sigmoid(argument) * up);
}

impl SwigluOps for CubeBackend {
    fn gated(gate_up: FloatTensor<Self>, gate: Gate) -> FloatTensor<Self> {
        let gate_up = into_contiguous(gate_up);
        let [tokens, both] = dims(&gate_up);
        let hidden = both / 2;
        let out = empty(&gate_up, [tokens, hidden], gate_up.dtype);
        let (client, dtype, count) = (gate_up.client.clone(), element(&gate_up), tokens * hidden);
        let units = units(&client, 256);
        // SAFETY: units beyond `count` do nothing, and the others stay within both shapes.
        unsafe {
            gated_kernel::launch_unchecked(
                &client,
                cubes(count.div_ceil(units)),
                CubeDim::new_1d(units as u32),
                gate_up.into_buffer_arg(),
                out.clone().into_buffer_arg(),
                count as u32,
                hidden as u32,
                gate == Gate::GeluTanh,
                dtype,
            );
        }
        out
    }
}
