//! The gate on the CPU back end.

use super::{GELU_CUBE, GELU_SLOPE, Gate};
use crate::cpu::each_chunk;
use crate::cpu::flex::{rows, with_rows};
use crate::cpu::vector::{exp, fma};
use crate::widest;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, backend_extension};
use burn::tensor::{DType, Shape, Tensor};
use burn_flex::{Flex, FlexTensor};

/// The gate as an operation of the CPU back end.
#[backend_extension(Flex)]
pub trait SwigluOps: Backend {
    /// Operands as for [`gated`](super::gated).
    fn gated(gate_up: FloatTensor<Self>, gate: Gate) -> FloatTensor<Self>;
}

pub(super) fn gated(gate_up: Tensor<2>, gate: Gate) -> Tensor<2> {
    Tensor::from_dispatch(<Dispatch as SwigluOps>::gated(gate_up.into_dispatch(), gate))
}

#[inline(always)]
fn swiglu_body<const FMA: bool>(gate: &[f32], up: &[f32], out: &mut [f32]) {
    for i in 0..out.len() {
        out[i] = gate[i] / (1.0 + exp::<FMA>(-gate[i])) * up[i];
    }
}
widest!(
    /// `silu(gate) * up` for one row. All slices are equally long.
    pub fn swiglu_row = swiglu_body(gate: &[f32], up: &[f32], out: &mut [f32])
);

#[inline(always)]
fn geglu_body<const FMA: bool>(gate: &[f32], up: &[f32], out: &mut [f32]) {
    for i in 0..out.len() {
        let x = gate[i];
        let argument = GELU_SLOPE * x * fma::<FMA>(GELU_CUBE * x, x, 1.0);
        out[i] = x / (1.0 + exp::<FMA>(-argument)) * up[i];
    }
}
widest!(
    /// `gelu(gate) * up` for one row. All slices are equally long.
    fn geglu_row = geglu_body(gate: &[f32], up: &[f32], out: &mut [f32])
);

impl SwigluOps for Flex {
    fn gated(gate_up: FlexTensor, gate: Gate) -> FlexTensor {
        let row: fn(&[f32], &[f32], &mut [f32]) = match gate {
            Gate::Silu => swiglu_row,
            Gate::GeluTanh => geglu_row,
        };
        let gate_up = with_rows(gate_up);
        let (tokens, hidden) = (gate_up.layout().shape()[0], gate_up.layout().shape()[1] / 2);
        let mut out = FlexTensor::empty(Shape::new([tokens, hidden]), DType::F32);
        let gate_up = rows(&gate_up);
        each_chunk(out.storage_mut(), hidden, 16 * tokens * hidden, |r, out| {
            let (gate, up) = gate_up.row(r).split_at(hidden);
            row(gate, up, out);
        });
        out
    }
}
