//! What a checkpoint says about the shape of its model: one [`ModelConfig`] for every family.

use super::rope::{self, RopeScaling};
use gramask_kernels::rotary::Rotation;
use gramask_kernels::swiglu::Gate;
use serde::Serialize;

/// The families of decoder-only transformers that are implemented.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Family {
    /// Llama, SmolLM2, TinyLlama: no norm of queries and keys, mostly no bias.
    Llama,
    /// Qwen2 and Qwen2.5: queries, keys and values have a bias.
    Qwen2,
    /// Qwen3: queries and keys are normalised per head.
    Qwen3,
    /// The text models of Gemma 3: as Qwen3, with norms after attention and after the feed-forward layer, scaled embeddings,
    /// a GELU gate, and a sliding window in most layers.
    Gemma3,
}

impl Family {
    /// All families.
    pub const ALL: [Family; 4] = [Family::Llama, Family::Qwen2, Family::Qwen3, Family::Gemma3];

    /// The name in the `architectures` list of a Hugging Face `config.json`.
    pub fn hugging_face_name(self) -> &'static str {
        match self {
            Family::Llama => "LlamaForCausalLM",
            Family::Qwen2 => "Qwen2ForCausalLM",
            Family::Qwen3 => "Qwen3ForCausalLM",
            Family::Gemma3 => "Gemma3ForCausalLM",
        }
    }

    /// The `model_type` of a Hugging Face `config.json`.
    pub fn model_type(self) -> &'static str {
        match self {
            Family::Gemma3 => "gemma3_text",
            _ => self.gguf_name(),
        }
    }

    /// The value of `general.architecture` in a GGUF file.
    pub fn gguf_name(self) -> &'static str {
        match self {
            Family::Llama => "llama",
            Family::Qwen2 => "qwen2",
            Family::Qwen3 => "qwen3",
            Family::Gemma3 => "gemma3",
        }
    }

    /// Whether queries and keys are normalised per head before the rotation.
    pub fn qk_norm(self) -> bool {
        matches!(self, Family::Qwen3 | Family::Gemma3)
    }

    /// Whether what attention and the feed-forward layer add to the stream is normalised first.
    pub fn output_norms(self) -> bool {
        self == Family::Gemma3
    }

    /// The function of the gate of the feed-forward layer.
    pub fn gate(self) -> Gate {
        match self {
            Family::Gemma3 => Gate::GeluTanh,
            _ => Gate::Silu,
        }
    }

    /// What is added to the norms' weights in Hugging Face's files: those of Gemma hold the difference from 1.
    pub fn norm_offset(self) -> f32 {
        match self {
            Family::Gemma3 => 1.0,
            _ => 0.0,
        }
    }
}

/// Layers whose tokens attend to the last positions only.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SlidingWindow {
    /// Positions that a token attends to, its own included.
    pub width: usize,
    /// Which layers have the window. `[layers]`
    pub layers: Vec<bool>,
    /// Base of the rotary frequencies in these layers, where they are not scaled, if they have one of their own (Gemma 3).
    pub rope_theta: Option<f64>,
}

/// The shape of a model, read from `config.json` or from a GGUF file's metadata.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ModelConfig {
    /// Which family the model belongs to.
    pub family: Family,
    /// Rows of the embedding: token ids run from 0 to here, padding ids included.
    pub vocabulary: usize,
    /// Width of the residual stream.
    pub width: usize,
    /// Number of layers.
    pub layers: usize,
    /// Number of query heads.
    pub heads: usize,
    /// Number of key and value heads; divides `heads`.
    pub kv_heads: usize,
    /// Width of one head; even. `heads * head_width` may differ from `width`.
    pub head_width: usize,
    /// Width of the feed-forward layer's hidden layer.
    pub hidden: usize,
    /// The epsilon of every RMSNorm.
    pub norm_epsilon: f64,
    /// Added to the weight of every RMSNorm: 1 where the files hold the difference from 1, else 0.
    pub norm_offset: f32,
    /// Scores are divided by the square root of this; `None`: of the width of a head.
    pub query_scalar: Option<f64>,
    /// Base of the rotary frequencies.
    pub rope_theta: f64,
    /// How the rotary frequencies are scaled, if they are.
    pub rope_scaling: Option<RopeScaling>,
    /// The layers that see the last positions only, if there are any.
    pub sliding_window: Option<SlidingWindow>,
    /// The most positions that the model was made for.
    pub context: usize,
    /// Whether the head is the embedding, transposed; then there is no tensor `lm_head.weight`.
    pub tied_head: bool,
    /// Whether queries, keys and values have a bias.
    pub qkv_bias: bool,
    /// Whether the output of attention has a bias.
    pub output_bias: bool,
    /// Whether the products of the feed-forward layer have a bias.
    pub mlp_bias: bool,
    /// Whether queries and keys are normalised per head.
    pub qk_norm: bool,
}

impl ModelConfig {
    /// Positions that a token of this layer attends to, its own included; `None`: all up to its own.
    pub fn window(&self, layer: usize) -> Option<usize> {
        self.sliding_window.as_ref().filter(|window| window.layers.get(layer) == Some(&true)).map(|window| window.width)
    }

    /// How this layer rotates queries and keys, scaling included.
    pub fn rotation(&self, layer: usize) -> Rotation {
        let own = self.sliding_window.as_ref().filter(|_| self.window(layer).is_some()).and_then(|w| w.rope_theta);
        match own {
            Some(theta) => rope::rotation(theta, self.head_width, None),
            None => rope::rotation(self.rope_theta, self.head_width, self.rope_scaling.as_ref()),
        }
    }

    /// What embeddings are multiplied by before the first layer.
    pub fn embedding_scale(&self) -> Option<f32> {
        (self.family == Family::Gemma3).then(|| (self.width as f64).sqrt() as f32)
    }

    /// Number of weights that the model has, the tied head counted once.
    pub fn parameters(&self) -> usize {
        super::expected_tensors(self).iter().map(|(_, shape)| shape.iter().product::<usize>()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::SeededTensors;

    #[test]
    fn smollm2_has_as_many_parameters_as_it_says() {
        let config = ModelConfig {
            vocabulary: 49152,
            width: 576,
            layers: 30,
            heads: 9,
            kv_heads: 3,
            head_width: 64,
            hidden: 1536,
            ..SeededTensors::small(Family::Llama, 300)
        };
        assert_eq!(config.parameters(), 134_515_008);
    }

    #[test]
    fn layers_with_a_window_have_a_base_of_their_own() {
        let config = ModelConfig {
            rope_theta: 1e6,
            rope_scaling: Some(RopeScaling::Linear { factor: 8.0 }),
            sliding_window: Some(SlidingWindow { width: 5, layers: vec![true, false], rope_theta: Some(1e4) }),
            ..SeededTensors::small(Family::Gemma3, 300)
        };
        assert_eq!((config.window(0), config.window(1)), (Some(5), None));
        let [local, global] = [0, 1].map(|layer| config.rotation(layer).frequencies);
        assert_eq!((local[0], global[0]), (1.0, 0.125));
        assert!((local[4] - 0.01).abs() < 1e-12 && (global[4] - 1.25e-4).abs() < 1e-12);
        // Qwen's windows share the base and its scaling.
        let shared = ModelConfig {
            sliding_window: config.sliding_window.clone().map(|w| SlidingWindow { rope_theta: None, ..w }),
            ..config
        };
        assert_eq!(shared.rotation(0), shared.rotation(1));
    }
}
