//! The gate of the feed-forward layer between its products: SwiGLU and GEGLU (Shazeer 2020, "GLU Variants Improve
//! Transformer", equation 6).

mod cpu;
#[cfg(feature = "gpu")]
mod gpu;
mod reference;

pub use cpu::swiglu_row;
pub use reference::gated_reference;

use burn::tensor::Tensor;

/// The function that the gate goes through. Both are the gate times a sigmoid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Gate {
    /// `x * sigmoid(x)`
    Silu,
    /// `x * sigmoid(2 * sqrt(2 / pi) * (x + 0.044715 * x^3))`: the approximation by a hyperbolic tangent of Hendrycks and
    /// Gimpel 2016, "Gaussian Error Linear Units", section 2, since `(1 + tanh(u)) / 2 = sigmoid(2 * u)`.
    GeluTanh,
}

/// `2 * sqrt(2 / pi)`
const GELU_SLOPE: f32 = 1.595_769;
/// The factor of the cube.
const GELU_CUBE: f32 = 0.044_715;

/// `gate(left) * right`.
///
/// # Shapes
/// `gate_up` `[tokens, 2 * hidden]`, gate first, any float type -> `[tokens, hidden]`, the same type
pub fn gated(gate_up: Tensor<2>, gate: Gate) -> Tensor<2> {
    #[cfg(feature = "gpu")]
    if crate::has_gpu_kernels(&gate_up.device()) {
        return gpu::gated(gate_up, gate);
    }
    match crate::cpu::has_native_path(&gate_up) {
        true => cpu::gated(gate_up, gate),
        false => gated_reference(gate_up, gate),
    }
}
