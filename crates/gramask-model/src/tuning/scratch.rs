//! A small model that has learnt nothing yet: what tuning a pretrained one is compared with.

use serde::{Deserialize, Serialize};

use super::TuningError;
use super::model::Snapshot;
use crate::checkpoint::{Checkpoint, Family, ModelConfig, expected_tensors};
use gramask_random::Rng;

/// The standard deviation of the first weights (Radford et al. 2019, "Language models are unsupervised multitask learners").
const DEVIATION: f64 = 0.02;

/// The shape of a model to be trained from scratch: a Llama with a tied head.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scratch {
    /// Number of layers.
    pub layers: usize,
    /// Width of the stream.
    pub width: usize,
    /// Number of query heads; divides the width.
    pub heads: usize,
    /// Number of key and value heads; divides `heads`.
    pub kv_heads: usize,
    /// Width of the feed-forward layers.
    pub hidden: usize,
}

impl Scratch {
    /// Checks that the shape makes a model.
    ///
    /// # Errors
    /// [`TuningError::Setting`] with what would be right.
    pub fn validate(&self) -> Result<(), TuningError> {
        let wrong = |what, given: usize, right| {
            let given = given.to_string();
            Err(TuningError::Setting { what, given, right })
        };
        let counts = [("layers", self.layers), ("width", self.width), ("hidden", self.hidden)];
        if let Some((what, given)) = counts.into_iter().find(|&(_, count)| count == 0) {
            return wrong(what, given, "at least 1");
        }
        if self.heads == 0 || !self.width.is_multiple_of(2 * self.heads) {
            return wrong("heads", self.heads, "such that the width is an even multiple of it");
        }
        if self.kv_heads == 0 || !self.heads.is_multiple_of(self.kv_heads) {
            return wrong("kv_heads", self.kv_heads, "a divisor of `heads`");
        }
        Ok(())
    }

    /// A checkpoint of this shape with random weights, and with tokenizer and chat template of another one. Matrices are normal
    /// with deviation 0.02, those that give back to the stream narrower by the root of how many there are.
    ///
    /// # Errors
    /// As [`Scratch::validate`].
    pub fn checkpoint(&self, tokens_of: Checkpoint, seed: u64) -> Result<Checkpoint, TuningError> {
        self.validate()?;
        let config = ModelConfig {
            family: Family::Llama,
            vocabulary: tokens_of.config.vocabulary,
            width: self.width,
            layers: self.layers,
            heads: self.heads,
            kv_heads: self.kv_heads,
            head_width: self.width / self.heads,
            hidden: self.hidden,
            norm_epsilon: 1e-5,
            norm_offset: 0.0,
            query_scalar: None,
            rope_theta: 10_000.0,
            rope_scaling: None,
            sliding_window: None,
            context: tokens_of.config.context,
            tied_head: true,
            qkv_bias: false,
            output_bias: false,
            mlp_bias: false,
            qk_norm: false,
        };
        let mut weights = Snapshot::default();
        let narrower = DEVIATION / (2.0 * self.layers as f64).sqrt();
        for (number, (name, shape)) in expected_tensors(&config).into_iter().enumerate() {
            let mut random = Rng::at(&[seed, number as u64, 0x5C7A]);
            let back = name.contains("o_proj") || name.contains("down_proj");
            let deviation = if back { narrower } else { DEVIATION };
            let values = (0..shape.iter().product::<usize>()).map(|_| match shape.len() {
                1 => 1.0,
                _ => (deviation * random.normal()) as f32,
            });
            let values = values.collect();
            weights.insert(name, shape, values);
        }
        Ok(Checkpoint { config, tensors: Box::new(weights), ..tokens_of })
    }
}
