//! One layer: attention, then feed-forward, each on the normalised stream and added to it.

use burn::tensor::Tensor;

use super::attention::Attention;
use super::feed_forward::FeedForward;
use super::norm::RmsNorm;
use super::step::{LayerPath, Plan};
use crate::cache::LayerCache;

/// One layer of the transformer.
#[derive(Debug)]
pub(crate) struct Block {
    pub attention_norm: RmsNorm,
    pub attention: Attention,
    /// Norm of what attention adds to the stream (Gemma 3).
    pub attended_norm: Option<RmsNorm>,
    pub feed_forward_norm: RmsNorm,
    pub feed_forward: FeedForward,
    /// Norm of what the feed-forward layer adds to the stream (Gemma 3).
    pub fed_norm: Option<RmsNorm>,
}

impl Block {
    /// # Shapes
    /// `x` `[tokens, width]` -> `[tokens, width]`
    pub fn forward(&self, x: Tensor<2>, cache: &mut LayerCache, plan: &Plan) -> Tensor<2> {
        let path = &plan.path;
        let attended = self.attention.forward(self.attention_norm.forward(x.clone(), path), cache, plan);
        let x = x + normed(self.attended_norm.as_ref(), attended, path);
        let fed = self.feed_forward.forward(self.feed_forward_norm.forward(x.clone(), path), path);
        x + normed(self.fed_norm.as_ref(), fed, path)
    }
}

fn normed(norm: Option<&RmsNorm>, x: Tensor<2>, path: &LayerPath) -> Tensor<2> {
    match norm {
        Some(norm) => norm.forward(x, path),
        None => x,
    }
}
