//! SwiGLU (Shazeer 2020, "GLU Variants Improve Transformer", equation 6, without biases).

use burn::tensor::Tensor;
use burn::tensor::activation::silu;

use super::linear::Linear;
use super::native;
use super::step::Way;

/// `down(silu(gate(x)) * up(x))`
#[derive(Debug)]
pub(crate) struct FeedForward {
    /// Gate and up in one product: `width -> 2 * hidden`
    pub gate_up: Linear,
    /// `hidden -> width`
    pub down: Linear,
    pub hidden: usize,
}

impl FeedForward {
    /// # Shapes
    /// `x` `[tokens, width]` -> `[tokens, width]`
    pub fn forward(&self, x: Tensor<2>, way: &Way) -> Tensor<2> {
        let gate_up = self.gate_up.forward(x); // [tokens, 2 * hidden]
        let product = match way {
            Way::Native => native::swiglu(gate_up),
            Way::Portable(_) => {
                let gate = gate_up.clone().narrow(1, 0, self.hidden);
                silu(gate) * gate_up.narrow(1, self.hidden, self.hidden)
            }
        };
        self.down.forward(product)
    }
}
