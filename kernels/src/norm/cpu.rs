//! RMSNorm on the CPU back end.

use crate::cpu::each_chunk;
use crate::cpu::flex::{contiguous, rows, with_rows};
use crate::cpu::vector::dot;
use crate::widest;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, backend_extension};
use burn::tensor::{DType, Tensor};
use burn_flex::{Flex, FlexTensor};

/// RMSNorm as an operation of the CPU back end.
#[backend_extension(Flex)]
pub trait NormOps: Backend {
    /// Operands as for [`rms_norm`](super::rms_norm).
    fn rms_norm(x: FloatTensor<Self>, weight: FloatTensor<Self>, epsilon: f64) -> FloatTensor<Self>;
}

pub(super) fn rms_norm(x: Tensor<2>, weight: Tensor<1>, epsilon: f64) -> Tensor<2> {
    Tensor::from_dispatch(<Dispatch as NormOps>::rms_norm(x.into_dispatch(), weight.into_dispatch(), epsilon))
}

/// `1 / sqrt(mean(x²) + epsilon)`; the sum is in 32 bits, the root in 64. To be inlined into a body of [`widest`].
#[inline(always)]
pub fn inverse_root_mean_square<const FMA: bool>(x: &[f32], epsilon: f64) -> f32 {
    let mean = f64::from(dot::<FMA>(x, x)) / x.len() as f64;
    (1.0 / (mean + epsilon).sqrt()) as f32
}

#[inline(always)]
fn norm_body<const FMA: bool>(x: &[f32], weight: &[f32], epsilon: f64, out: &mut [f32]) {
    let scale = inverse_root_mean_square::<FMA>(x, epsilon);
    for i in 0..out.len() {
        out[i] = x[i] * scale * weight[i];
    }
}
widest!(
    /// Normalises one row. All slices are equally long.
    pub fn norm_row = norm_body(x: &[f32], weight: &[f32], epsilon: f64, out: &mut [f32])
);

impl NormOps for Flex {
    fn rms_norm(x: FlexTensor, weight: FlexTensor, epsilon: f64) -> FlexTensor {
        let (x, weight) = (with_rows(x), contiguous(weight));
        let mut out = FlexTensor::empty(x.layout().shape().clone(), DType::F32);
        let (x, weight) = (rows(&x), weight.storage::<f32>());
        let work = 4 * out.storage::<f32>().len();
        each_chunk(out.storage_mut(), x.width, work, |r, out| norm_row(x.row(r), weight, epsilon, out));
        out
    }
}
