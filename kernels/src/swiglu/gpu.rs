//! SwiGLU on a GPU.

#![allow(
    clippy::too_many_arguments,
    clippy::assign_op_pattern,
    clippy::needless_range_loop,
    reason = "kernels take their operands one by one, and their language lacks these forms"
)]

use crate::gpu::{cubes, dims, element, empty, units};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, backend_extension};
use burn::tensor::Tensor;
use burn_cubecl::CubeBackend;
use burn_cubecl::kernel::into_contiguous;
use cubecl::ir::ElemType;
use cubecl::prelude::*;

#[backend_extension(Cube)]
pub trait SwigluOps: Backend {
    fn swiglu(gate_up: FloatTensor<Self>) -> FloatTensor<Self>;
}

pub fn swiglu(gate_up: Tensor<2>) -> Tensor<2> {
    Tensor::from_dispatch(<Dispatch as SwigluOps>::swiglu(gate_up.into_dispatch()))
}

/// One unit per result.
#[cube(launch_unchecked)]
fn swiglu_kernel<F: Float>(gate_up: &[F], out: &mut [F], count: u32, hidden: u32, #[define(F)] _dtype: ElemType) {
    let at = ABSOLUTE_POS as u32;
    if at >= count {
        terminate!();
    }
    let row = at / hidden;
    let gate = f32::cast_from(gate_up[(at + row * hidden) as usize]);
    let up = f32::cast_from(gate_up[(at + row * hidden + hidden) as usize]);
    // Clamped: below this the sigmoid is 0 in 32 bits, and a shading language may do as it likes with infinities.
    let least = f32::new(-87.0);
    let sigmoid = f32::new(1.0) / (f32::new(1.0) + (-max(gate, least)).exp());
    out[at as usize] = F::cast_from(gate * sigmoid * up);
}

impl SwigluOps for CubeBackend {
    fn swiglu(gate_up: FloatTensor<Self>) -> FloatTensor<Self> {
        let gate_up = into_contiguous(gate_up);
        let [tokens, both] = dims(&gate_up);
        let hidden = both / 2;
        let out = empty(&gate_up, [tokens, hidden], gate_up.dtype);
        let (client, dtype, count) = (gate_up.client.clone(), element(&gate_up), tokens * hidden);
        let units = units(&client, 256);
        // SAFETY: units beyond `count` do nothing, and the others stay within both shapes.
        unsafe {
            swiglu_kernel::launch_unchecked(
                &client,
                cubes(count.div_ceil(units)),
                CubeDim::new_1d(units as u32),
                gate_up.into_buffer_arg(),
                out.clone().into_buffer_arg(),
                count as u32,
                hidden as u32,
                dtype,
            );
        }
        out
    }
}
