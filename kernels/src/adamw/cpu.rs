//! The step on the CPU back end: one pass over the numbers, on all cores.

use super::{Narrow, total};
use crate::cpu::flex::contiguous;
use crate::widest;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, backend_extension};
use burn::tensor::{DType, ExecutionError, Shape, Tensor};
use burn_flex::{Flex, FlexTensor};
use rayon::prelude::*;

/// The step as operations of the CPU back end.
#[backend_extension(Flex)]
pub trait AdamwOps: Backend {
    /// Operands as for [`adamw`](super::adamw). Returns the parameter and both means.
    fn adamw(
        value: FloatTensor<Self>,
        mean: FloatTensor<Self>,
        square: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        factors: Narrow,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>);

    /// Partial sums of squares, in order.
    fn partial_squares(x: FloatTensor<Self>) -> FloatTensor<Self>;
}

pub(super) fn sum_of_squares(tensors: &[Tensor<2>]) -> Result<f64, ExecutionError> {
    let of_one = |x: &Tensor<2>| {
        total(Tensor::from_dispatch(<Dispatch as AdamwOps>::partial_squares(x.clone().into_dispatch())))
    };
    tensors.iter().map(of_one).sum()
}

#[inline(always)]
fn update_body<const FMA: bool>(f: &Narrow, gradient: &[f32], value: &mut [f32], mean: &mut [f32], square: &mut [f32]) {
    let count = value.len();
    let (gradient, mean, square) = (&gradient[..count], &mut mean[..count], &mut square[..count]);
    for i in 0..count {
        let g = gradient[i] * f.scale;
        mean[i] = mean[i] * f.beta1 + g * f.rest1;
        square[i] = square[i] * f.beta2 + g * g * f.rest2;
        let change = mean[i] * f.unbias1 / ((square[i] * f.unbias2).sqrt() + f.epsilon);
        value[i] = value[i] * f.kept - f.rate * change;
    }
}
widest!(fn update_chunk = update_body(f: &Narrow, gradient: &[f32], value: &mut [f32], mean: &mut [f32], square: &mut [f32]));

impl AdamwOps for Flex {
    fn adamw(
        value: FlexTensor,
        mean: FlexTensor,
        square: FlexTensor,
        gradient: FlexTensor,
        factors: Narrow,
    ) -> (FlexTensor, FlexTensor, FlexTensor) {
        /// Numbers of one task.
        const CHUNK: usize = 1 << 15;
        let (mut value, mut mean, mut square) = (contiguous(value), contiguous(mean), contiguous(square));
        let gradient = contiguous(gradient);
        let values = value.storage_mut::<f32>().par_chunks_mut(CHUNK);
        let means =
            mean.storage_mut::<f32>().par_chunks_mut(CHUNK).zip(square.storage_mut::<f32>().par_chunks_mut(CHUNK));
        let gradients = gradient.storage::<f32>().par_chunks(CHUNK);
        values.zip(means).zip(gradients).for_each(|((value, (mean, square)), gradient)| {
            update_chunk(&factors, gradient, value, mean, square);
        });
        (value, mean, square)
    }

    fn partial_squares(x: FlexTensor) -> FlexTensor {
        /// Numbers of one partial sum.
        const PART: usize = 1 << 12;
        let x = contiguous(x);
        let x = x.storage::<f32>();
        let mut sums = FlexTensor::empty(Shape::new([x.len().div_ceil(PART)]), DType::F32);
        let places = sums.storage_mut::<f32>().par_iter_mut();
        places.zip(x.par_chunks(PART)).for_each(|(sum, part)| *sum = part.iter().map(|x| x * x).sum());
        sums
    }
}
