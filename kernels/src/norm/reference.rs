//! RMSNorm in plain tensor operations.

use super::Norm;
use burn::tensor::{FloatDType, Tensor};

/// [`rms_norm`](super::rms_norm) over the last dimension, on every back end and with gradients.
///
/// # Shapes
/// `x` `[.., width]`, `weight` `[width]` -> as `x`
pub fn rms_norm_reference<const D: usize>(x: Tensor<D>, weight: &Tensor<1>, epsilon: f64) -> Tensor<D> {
    let mean = x.clone().square().mean_dim(D - 1); // [.., 1]
    x * mean.add_scalar(epsilon).sqrt().recip() * weight.clone().unsqueeze()
}

/// [`add_norm`](super::add_norm) on every back end.
pub fn add_norm_reference(stream: Tensor<2>, delta: Option<Tensor<2>>, norm: &Norm<'_>) -> (Tensor<2>, Tensor<2>) {
    let sum = match delta {
        Some(delta) => stream + delta.cast(FloatDType::F32),
        None => stream,
    };
    let normed = rms_norm_reference(sum.clone(), norm.weight, norm.epsilon);
    (sum, normed.cast(norm.dtype))
}
