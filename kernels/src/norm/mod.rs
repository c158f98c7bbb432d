//! RMSNorm (Zhang and Sennrich 2019, "Root Mean Square Layer Normalization", equation 4), alone and after a residual sum.
//!
//! `rms_norm(x) = x / sqrt(mean(x²) + epsilon) * weight`, row by row. [`rms_norm_reference`] is the definition. The CPU has
//! [`norm_row`], which training uses as well. GPUs have one kernel for the residual sum and the norm of it.

mod cpu;
#[cfg(feature = "gpu")]
pub(crate) mod gpu;
mod reference;

pub use cpu::{inverse_root_mean_square, norm_row};
pub use reference::{add_norm_reference, rms_norm_reference};

use burn::tensor::{FloatDType, Tensor};

/// The parameters of a norm.
#[derive(Clone, Debug)]
pub struct Norm<'a> {
    /// `[width]`, f32
    pub weight: &'a Tensor<1>,
    /// Added to the mean square.
    pub epsilon: f64,
    /// The float type of the normalised rows.
    pub dtype: FloatDType,
}

/// Divides each row by its root mean square and multiplies it by a weight per column.
///
/// # Shapes
/// `x` `[rows, width]`, `weight` `[width]`, both f32 -> `[rows, width]`
pub fn rms_norm(x: Tensor<2>, weight: &Tensor<1>, epsilon: f64) -> Tensor<2> {
    match crate::cpu::has_native_path(&x) {
        true => cpu::rms_norm(x, weight.clone(), epsilon),
        false => rms_norm_reference(x, weight, epsilon),
    }
}

/// Adds `delta` to the stream, in place where no other tensor shares its memory, and normalises the sum.
///
/// # Shapes
/// - `stream`: `[rows, width]`, f32
/// - `delta`: as `stream`, any float type
/// - result: the sum, `[rows, width]` in f32, and the normalised sum, `[rows, width]` in `norm.dtype`
pub fn add_norm(stream: Tensor<2>, delta: Option<Tensor<2>>, norm: &Norm<'_>) -> (Tensor<2>, Tensor<2>) {
    #[cfg(feature = "gpu")]
    if crate::has_gpu_kernels(&stream.device()) {
        return gpu::add_norm(stream, delta, norm);
    }
    add_norm_reference(stream, delta, norm)
}
