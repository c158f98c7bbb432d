//! One layer: attention, then feed-forward, each on the normalised stream and added to it.

use burn::tensor::Tensor;

use super::attention::Attention;
use super::feed_forward::FeedForward;
use super::norm::RmsNorm;
use super::step::Plan;
use crate::cache::LayerCache;

/// One layer of the transformer.
#[derive(Debug)]
pub(crate) struct Block {
    pub attention_norm: RmsNorm,
    pub attention: Attention,
    pub feed_forward_norm: RmsNorm,
    pub feed_forward: FeedForward,
}

impl Block {
    /// # Shapes
    /// `x` `[tokens, width]` -> `[tokens, width]`
    pub fn forward(&self, x: Tensor<2>, cache: &mut LayerCache, plan: &Plan) -> Tensor<2> {
        let x = x.clone() + self.attention.forward(self.attention_norm.forward(x, &plan.path), cache, plan);
        x.clone() + self.feed_forward.forward(self.feed_forward_norm.forward(x, &plan.path), &plan.path)
    }
}
