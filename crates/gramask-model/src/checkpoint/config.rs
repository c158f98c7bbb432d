//! What a checkpoint says about the shape of its model: one [`ModelConfig`] for every family.

use serde::Serialize;

/// The families of decoder-only transformers that are implemented. They differ in biases and norms only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Family {
    /// Llama, SmolLM2, TinyLlama: no bias, no norm of queries and keys.
    Llama,
    /// Qwen2 and Qwen2.5: queries, keys and values have a bias.
    Qwen2,
    /// Qwen3: queries and keys are normalised per head.
    Qwen3,
}

impl Family {
    /// All families.
    pub const ALL: [Family; 3] = [Family::Llama, Family::Qwen2, Family::Qwen3];

    /// The name in the `architectures` list of a Hugging Face `config.json`.
    pub fn hugging_face_name(self) -> &'static str {
        match self {
            Family::Llama => "LlamaForCausalLM",
            Family::Qwen2 => "Qwen2ForCausalLM",
            Family::Qwen3 => "Qwen3ForCausalLM",
        }
    }

    /// The value of `general.architecture` in a GGUF file.
    pub fn gguf_name(self) -> &'static str {
        match self {
            Family::Llama => "llama",
            Family::Qwen2 => "qwen2",
            Family::Qwen3 => "qwen3",
        }
    }

    /// Whether queries, keys and values have a bias.
    pub fn qkv_bias(self) -> bool {
        self == Family::Qwen2
    }

    /// Whether queries and keys are normalised per head before the rotation.
    pub fn qk_norm(self) -> bool {
        self == Family::Qwen3
    }
}

/// How the rotary frequencies of a model are stretched for contexts longer than those it was first trained on.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RopeScaling {
    /// Every position is divided by `factor` ("position interpolation", Chen et al. 2023, section 3).
    Linear {
        /// The divisor, at least 1.
        factor: f64,
    },
    /// Llama 3.1's rule: long wavelengths are divided by `factor`, short ones kept, those between interpolated.
    Llama3 {
        /// The divisor of long wavelengths.
        factor: f64,
        /// Wavelengths above `original_context / low_frequency_factor` are long.
        low_frequency_factor: f64,
        /// Wavelengths below `original_context / high_frequency_factor` are short.
        high_frequency_factor: f64,
        /// The context of the first training, in tokens.
        original_context: usize,
    },
    /// One divisor per inverse frequency, as the tensor `rope_freqs.weight` of a GGUF file gives them. `[head_width / 2]`
    Divisors(Vec<f32>),
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
    /// Width of the SwiGLU's hidden layer.
    pub hidden: usize,
    /// The epsilon of every RMSNorm.
    pub norm_epsilon: f64,
    /// Base of the rotary frequencies.
    pub rope_theta: f64,
    /// How the rotary frequencies are stretched, if they are.
    pub rope_scaling: Option<RopeScaling>,
    /// The most positions that the model was made for.
    pub context: usize,
    /// Whether the head is the embedding, transposed; then there is no tensor `lm_head.weight`.
    pub tied_head: bool,
    /// Whether queries, keys and values have a bias.
    pub qkv_bias: bool,
    /// Whether queries and keys are normalised per head.
    pub qk_norm: bool,
}

impl ModelConfig {
    /// The angle per position of each rotated pair, scaling included. `[head_width / 2]`
    ///
    /// Element `i` is `rope_theta^(-2i / head_width)` (Su et al. 2021, section 3.2.2), changed as
    /// [`rope_scaling`](Self::rope_scaling) says; position `p` turns pair `i` by `p` times this.
    pub fn inverse_frequencies(&self) -> Vec<f64> {
        let plain =
            (0..self.head_width / 2).map(|pair| self.rope_theta.powf(-2.0 * pair as f64 / self.head_width as f64));
        match &self.rope_scaling {
            None => plain.collect(),
            Some(RopeScaling::Linear { factor }) => plain.map(|frequency| frequency / factor).collect(),
            Some(RopeScaling::Divisors(divisors)) => {
                plain.zip(divisors).map(|(frequency, &divisor)| frequency / f64::from(divisor)).collect()
            }
            Some(RopeScaling::Llama3 { factor, low_frequency_factor, high_frequency_factor, original_context }) => {
                let (low, high) = (*low_frequency_factor, *high_frequency_factor);
                plain
                    .map(|frequency| {
                        // How many times this pair turns round within the original context.
                        let turns = *original_context as f64 * frequency / std::f64::consts::TAU;
                        let kept = ((turns - low) / (high - low)).clamp(0.0, 1.0);
                        kept * frequency + (1.0 - kept) * frequency / factor
                    })
                    .collect()
            }
        }
    }

    /// Number of weights that the model has, the tied head counted once.
    pub fn parameters(&self) -> usize {
        super::expected_tensors(self).iter().map(|(_, shape)| shape.iter().product::<usize>()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(rope_scaling: Option<RopeScaling>) -> ModelConfig {
        ModelConfig {
            family: Family::Llama,
            vocabulary: 49152,
            width: 576,
            layers: 30,
            heads: 9,
            kv_heads: 3,
            head_width: 64,
            hidden: 1536,
            norm_epsilon: 1e-5,
            rope_theta: 10_000.0,
            rope_scaling,
            context: 8192,
            tied_head: true,
            qkv_bias: false,
            qk_norm: false,
        }
    }

    #[test]
    fn smollm2_has_as_many_parameters_as_it_says() {
        assert_eq!(config(None).parameters(), 134_515_008);
    }

    #[test]
    fn frequencies_fall_from_one_to_nearly_one_over_theta() {
        let frequencies = config(None).inverse_frequencies();
        assert_eq!(frequencies.len(), 32);
        assert_eq!(frequencies[0], 1.0);
        assert!((frequencies[16] - 0.01).abs() < 1e-12);
    }

    #[test]
    fn llama3_keeps_short_wavelengths_and_divides_long_ones() {
        let plain = config(None).inverse_frequencies();
        let scaling = RopeScaling::Llama3 {
            factor: 8.0,
            low_frequency_factor: 1.0,
            high_frequency_factor: 4.0,
            original_context: 8192,
        };
        let scaled = config(Some(scaling)).inverse_frequencies();
        assert_eq!(scaled[0], plain[0]);
        assert!((scaled[31] * 8.0 - plain[31]).abs() < 1e-15);
        // Between the two: pair 24 has theta^-0.75 = 0.001, so 8192 * 0.001 / 2 pi = 1.303798 turns.
        let kept = (8.192 / std::f64::consts::TAU - 1.0) / 3.0;
        assert!((scaled[24] - 0.001 * (kept + (1.0 - kept) / 8.0)).abs() < 1e-15);
    }

    #[test]
    fn divisors_apply_one_by_one() {
        let mut divisors = vec![1.0; 32];
        divisors[16] = 4.0;
        let scaled = config(Some(RopeScaling::Divisors(divisors))).inverse_frequencies();
        assert!((scaled[16] - 0.0025).abs() < 1e-12);
        assert_eq!(scaled[0], 1.0);
    }
}
