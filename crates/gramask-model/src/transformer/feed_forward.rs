//! The gated feed-forward layer (Shazeer 2020, "GLU Variants Improve Transformer", equation 6).

use burn::tensor::Tensor;
use gramask_kernels::swiglu::{Gate, gated, gated_reference};

use super::linear::Linear;
use super::step::LayerPath;

/// `down(function(gate(x)) * up(x))`
#[derive(Debug)]
pub(crate) struct FeedForward {
    /// Gate and up in one product: `width -> 2 * hidden`
    pub gate_up: Linear,
    /// The function of the gate.
    pub gate: Gate,
    /// `hidden -> width`
    pub down: Linear,
}

impl FeedForward {
    /// # Shapes
    /// `x` `[tokens, width]` -> `[tokens, width]`
    pub fn forward(&self, x: Tensor<2>, path: &LayerPath) -> Tensor<2> {
        let gate_up = self.gate_up.forward(x); // [tokens, 2 * hidden]
        let product = match path {
            LayerPath::Native => gated(gate_up, self.gate),
            LayerPath::Portable(_) => gated_reference(gate_up, self.gate),
        };
        self.down.forward(product)
    }
}
