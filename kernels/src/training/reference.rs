//! The definitions in plain tensor operations, which Burn differentiates.

use crate::norm::rms_norm_reference;
use crate::rotary;
use burn::tensor::Tensor;
use burn::tensor::activation::{silu, softmax};

/// [`norm`](super::norm) on every back end.
pub fn norm_reference(x: Tensor<2>, weight: Tensor<2>, epsilon: f64) -> Tensor<2> {
    let width = weight.dims()[1];
    rms_norm_reference(x, &weight.reshape([width]), epsilon)
}

/// [`rotate`](super::rotate) on every back end.
pub fn rotate_reference(x: Tensor<2>, cos: &Tensor<3>, sin: &Tensor<3>, scale: f64) -> Tensor<3> {
    let ([tokens, all], width) = (x.dims(), 2 * cos.dims()[2]);
    let heads = x.reshape([tokens, all / width, width]);
    rotary::rotate_reference(heads, cos, sin).mul_scalar(scale).swap_dims(0, 1)
}

/// [`masked_softmax`](super::masked_softmax) on every back end.
pub fn masked_softmax_reference(scores: Tensor<3>, mask: &Tensor<3>) -> Tensor<3> {
    softmax(scores + mask.clone(), 2)
}

/// [`add_scaled`](super::add_scaled) on every back end.
pub fn add_scaled_reference(y: Tensor<2>, z: Tensor<2>, scale: f64) -> Tensor<2> {
    y + z.mul_scalar(scale)
}

/// [`gate`](super::gate) on every back end.
pub fn gate_reference(gate: Tensor<2>, up: Tensor<2>) -> Tensor<2> {
    silu(gate) * up
}
