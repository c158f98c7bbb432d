//! SwiGLU on the CPU back end.

use crate::cpu::each_chunk;
use crate::cpu::flex::{rows, with_rows};
use crate::cpu::vector::exp;
use crate::widest;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, backend_extension};
use burn::tensor::{DType, Shape, Tensor};
use burn_flex::{Flex, FlexTensor};

/// SwiGLU as an operation of the CPU back end.
#[backend_extension(Flex)]
pub trait SwigluOps: Backend {
    /// Operand as for [`swiglu`](super::swiglu).
    fn swiglu(gate_up: FloatTensor<Self>) -> FloatTensor<Self>;
}

pub(super) fn swiglu(gate_up: Tensor<2>) -> Tensor<2> {
    Tensor::from_dispatch(<Dispatch as SwigluOps>::swiglu(gate_up.into_dispatch()))
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

impl SwigluOps for Flex {
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
}
