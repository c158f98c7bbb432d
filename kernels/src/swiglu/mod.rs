//! SwiGLU (Shazeer 2020, "GLU Variants Improve Transformer", equation 6) between its two products.

mod cpu;
#[cfg(feature = "gpu")]
mod gpu;
mod reference;

pub use cpu::swiglu_row;
pub use reference::swiglu_reference;

use burn::tensor::Tensor;

/// `silu(gate) * up`.
///
/// # Shapes
/// `gate_up` `[tokens, 2 * hidden]`, gate first, any float type -> `[tokens, hidden]`, the same type
pub fn swiglu(gate_up: Tensor<2>) -> Tensor<2> {
    #[cfg(feature = "gpu")]
    if crate::has_gpu_kernels(&gate_up.device()) {
        return gpu::swiglu(gate_up);
    }
    match crate::cpu::has_native_path(&gate_up) {
        true => cpu::swiglu(gate_up),
        false => swiglu_reference(gate_up),
    }
}
