//! Weights that follow from a seed: a model of any shape, without a file.
//!
//! The outputs of such a model are noise, but the same noise on every machine. It needs the time and the memory of a trained
//! model, which is enough for a benchmark. Its logits are as far apart as a trained model's, so two correct devices select
//! the same tokens.

use gramask_random::mix;
use half::f16;
use rayon::prelude::*;

use super::{CheckpointError, Family, ModelConfig, SlidingWindow, TensorSource, expected_tensors};

/// A source of all tensors of a shape, filled with numbers that follow from the seed, the tensor's name and the place.
///
/// Matrices have a mean of 0 and a variance of one over their inputs, embeddings a variance of 1, norms lie around 1 and
/// biases around 0.
///
/// ```
/// use gramask_model::checkpoint::{Family, SeededTensors, TensorSource, check_tensors};
///
/// let config = SeededTensors::small(Family::Qwen3, 300);
/// let tensors = SeededTensors::new(&config, 7);
/// assert!(check_tensors("made".as_ref(), &config, &tensors).is_ok());
/// let norm = tensors.read_f32("model.norm.weight")?;
/// assert_eq!(norm.len(), config.width);
/// assert_eq!(norm, SeededTensors::new(&config, 7).read_f32("model.norm.weight")?);
/// # Ok::<(), gramask_model::checkpoint::CheckpointError>(())
/// ```
#[derive(Clone, Debug)]
pub struct SeededTensors {
    tensors: Vec<(String, Vec<usize>)>,
    seed: u64,
}

impl SeededTensors {
    /// The tensors of a shape.
    pub fn new(config: &ModelConfig, seed: u64) -> SeededTensors {
        SeededTensors { tensors: expected_tensors(config), seed }
    }

    /// A shape of two small layers with all that is peculiar to a family, for tests of devices.
    pub fn small(family: Family, vocabulary: usize) -> ModelConfig {
        let window = SlidingWindow { width: 20, layers: vec![true, false], rope_theta: Some(1000.0) };
        ModelConfig {
            family,
            vocabulary,
            width: 64,
            layers: 2,
            heads: 4,
            kv_heads: 2,
            head_width: 16,
            hidden: 160,
            norm_epsilon: 1e-5,
            norm_offset: 0.0,
            query_scalar: None,
            rope_theta: 10_000.0,
            rope_scaling: None,
            sliding_window: (family == Family::Gemma3).then_some(window),
            context: 4096,
            tied_head: family != Family::Qwen3,
            qkv_bias: family == Family::Qwen2,
            output_bias: false,
            mlp_bias: false,
            qk_norm: family.qk_norm(),
        }
    }

    fn find(&self, name: &str) -> Option<&[usize]> {
        self.tensors.iter().find(|(known, _)| known == name).map(|(_, shape)| shape.as_slice())
    }
}

impl TensorSource for SeededTensors {
    fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.tensors.iter().map(|(name, _)| name.clone()).collect();
        names.sort();
        names
    }

    fn shape(&self, name: &str) -> Option<Vec<usize>> {
        self.find(name).map(<[usize]>::to_vec)
    }

    fn stored_as(&self, name: &str) -> Option<&'static str> {
        self.find(name).map(|_| "F32")
    }

    fn read_f32(&self, name: &str) -> Result<Vec<f32>, CheckpointError> {
        let shape = self.find(name).ok_or_else(|| CheckpointError::NoSuchTensor {
            path: "weights made of a seed".into(),
            tensor: name.to_owned(),
        })?;
        // The spread of the numbers, and what they lie around.
        let (spread, middle) = match shape {
            [_, _] if name.ends_with("embed_tokens.weight") => (1.0, 0.0),
            [_, input] => (1.0 / (*input as f32).sqrt(), 0.0),
            _ if name.ends_with(".bias") => (0.1, 0.0),
            _ => (0.1, 1.0),
        };
        let key = name.bytes().fold(self.seed, |key, byte| mix(key ^ u64::from(byte)));
        let count = shape.iter().product::<usize>();
        // Uniform numbers of variance 1 end at the square root of 3.
        let number = |place: usize| {
            let unit = (mix(key ^ place as u64) >> 40) as f32 / (1u64 << 24) as f32;
            middle + spread * 3f32.sqrt() * (2.0 * unit - 1.0)
        };
        Ok((0..count).into_par_iter().with_min_len(1 << 14).map(number).collect())
    }

    fn read_f16(&self, name: &str) -> Result<Vec<f16>, CheckpointError> {
        Ok(self.read_f32(name)?.into_par_iter().map(f16::from_f32).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::super::check_tensors;
    use super::*;

    #[test]
    fn every_family_has_its_tensors_with_the_spread_that_is_promised() {
        for family in Family::ALL {
            let config = SeededTensors::small(family, 257);
            let tensors = SeededTensors::new(&config, 1);
            check_tensors("seeded".as_ref(), &config, &tensors).unwrap();
            let down = tensors.read_f32("model.layers.1.mlp.down_proj.weight").unwrap();
            let variance = down.iter().map(|x| x * x).sum::<f32>() / down.len() as f32;
            assert!((variance * config.hidden as f32 - 1.0).abs() < 0.05, "{variance}");
            assert_ne!(down, tensors.read_f32("model.layers.0.mlp.down_proj.weight").unwrap());
            let norm = tensors.read_f32("model.norm.weight").unwrap();
            assert!(norm.iter().all(|x| (0.8..1.2).contains(x)));
        }
        let config = SeededTensors::small(Family::Llama, 10);
        let error = SeededTensors::new(&config, 1).read_f32("lm_head.weight");
        assert!(matches!(error, Err(CheckpointError::NoSuchTensor { .. })));
    }
}
