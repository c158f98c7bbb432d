//! The operations between the matrix products of a training step, with their gradients.
//!
//! Burn differentiates each tensor operation by itself. An RMSNorm of seven launches then has more than twice as many in its
//! backward pass, and a small model's step waits for launches. Here an operation and its gradient are one launch each, on a
//! GPU. On other devices Burn differentiates the definitions in tensor operations.
//!
//! All tensors are in f32. Tensors of a device with automatic differentiation and of one without may be mixed, as in Burn.

#[cfg(feature = "gpu")]
mod autodiff;
#[cfg(feature = "gpu")]
mod gpu;
mod reference;

pub use reference::{add_scaled_reference, gate_reference, masked_softmax_reference, norm_reference, rotate_reference};

#[cfg(feature = "gpu")]
use crate::gpu::has_kernels_with_gradient;
#[cfg(feature = "gpu")]
use autodiff::TrainingOps;
#[cfg(feature = "gpu")]
use burn::backend::Dispatch;
use burn::tensor::Tensor;

/// RMSNorm: every row divided by the root of the mean of its squares, times the weight.
///
/// # Shapes
/// `x` `[rows, width]`, `weight` `[1, width]` -> as `x`
pub fn norm(x: Tensor<2>, weight: Tensor<2>, epsilon: f64) -> Tensor<2> {
    #[cfg(feature = "gpu")]
    if has_kernels_with_gradient(&x) {
        let normed = <Dispatch as TrainingOps>::norm(x.into_dispatch(), weight.into_dispatch(), epsilon);
        return Tensor::from_dispatch(normed);
    }
    norm_reference(x, weight, epsilon)
}

/// The heads of each token, rotated by its position and multiplied by `scale`; then all tokens of a head lie together. Angles
/// have no gradient.
///
/// # Shapes
/// `x` `[tokens, heads * width]`, `cos` and `sin` `[tokens, 1, width / 2]` -> `[heads, tokens, width]`
pub fn rotate(x: Tensor<2>, cos: &Tensor<3>, sin: &Tensor<3>, scale: f64) -> Tensor<3> {
    #[cfg(feature = "gpu")]
    if has_kernels_with_gradient(&x) {
        let [cos, sin] = [cos, sin].map(|angles| angles.clone().into_dispatch());
        return Tensor::from_dispatch(<Dispatch as TrainingOps>::rotate(x.into_dispatch(), cos, sin, scale));
    }
    rotate_reference(x, cos, sin, scale)
}

/// The softmax of each row of `scores + mask`. The mask is 0 or a large negative number, and has no gradient.
///
/// # Shapes
/// `scores` `[heads, tokens, tokens]`, `mask` `[1, tokens, tokens]` -> as `scores`
pub fn masked_softmax(scores: Tensor<3>, mask: &Tensor<3>) -> Tensor<3> {
    #[cfg(feature = "gpu")]
    if has_kernels_with_gradient(&scores) {
        let (scores, mask) = (scores.into_dispatch(), mask.clone().into_dispatch());
        return Tensor::from_dispatch(<Dispatch as TrainingOps>::masked_softmax(scores, mask));
    }
    masked_softmax_reference(scores, mask)
}

/// `y + scale * z`
///
/// # Shapes
/// `y`, `z` `[rows, columns]` -> the same
pub fn add_scaled(y: Tensor<2>, z: Tensor<2>, scale: f64) -> Tensor<2> {
    #[cfg(feature = "gpu")]
    if has_kernels_with_gradient(&y) {
        let sum = <Dispatch as TrainingOps>::add_scaled(y.into_dispatch(), z.into_dispatch(), scale);
        return Tensor::from_dispatch(sum);
    }
    add_scaled_reference(y, z, scale)
}

/// `silu(gate) * up`
///
/// # Shapes
/// `gate`, `up` `[tokens, hidden]` -> the same
pub fn gate(gate: Tensor<2>, up: Tensor<2>) -> Tensor<2> {
    #[cfg(feature = "gpu")]
    if has_kernels_with_gradient(&gate) {
        return Tensor::from_dispatch(<Dispatch as TrainingOps>::gate(gate.into_dispatch(), up.into_dispatch()));
    }
    gate_reference(gate, up)
}
