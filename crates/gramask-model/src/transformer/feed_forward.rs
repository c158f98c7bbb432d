//! SwiGLU (Shazeer 2020, "GLU Variants Improve Transformer", equation 6, without biases).

use burn::tensor::Tensor;
use gramask_kernels::swiglu::{swiglu, swiglu_reference};

use super::linear::Linear;
use super::step::LayerPath;

/// `down(silu(gate(x)) * up(x))`
#[derive(Debug)]
pub(crate) struct FeedForward {
    /// Gate and up in one product: `width -> 2 * hidden`
    pub gate_up: Linear,
    /// `hidden -> width`
    pub down: Linear,
}

impl FeedForward {
    /// # Shapes
    /// `x` `[tokens, width]` -> `[tokens, width]`
    pub fn forward(&self, x: Tensor<2>, path: &LayerPath) -> Tensor<2> {
        let gate_up = self.gate_up.forward(x); // [tokens, 2 * hidden]
        let product = match path {
            LayerPath::Native => swiglu(gate_up),
            LayerPath::Portable(_) => swiglu_reference(gate_up),
        };
        self.down.forward(product)
    }
}
