//! Models to time: one from disk, or one of any shape with weights made of a seed, which takes the same time.

use std::error::Error;
use std::path::Path;
use std::sync::Arc;

use burn::tensor::Device;
use gramask_decode::vocabulary_of;
use gramask_grammar::{Token, Vocabulary};
use gramask_model::checkpoint::{Checkpoint, Family, ModelConfig, SeededTensors};
use gramask_model::transformer::{Precision, Transformer};

/// A model on a device, with its tokens.
pub struct Timed {
    /// What it was asked for as.
    pub name: String,
    /// The model.
    pub model: Transformer,
    /// Its tokens.
    pub vocabulary: Arc<Vocabulary>,
}

/// The shapes that have names: SmolLM2-135M, Qwen2.5-0.5B, and one that is done at once.
pub const SEEDED: [&str; 3] = ["seeded-135m", "seeded-0.5b", "seeded-small"];

/// One of the shapes in [`SEEDED`].
pub fn seeded_shape(name: &str) -> Option<ModelConfig> {
    let small = SeededTensors::small(Family::Llama, 4096);
    match name {
        "seeded-small" => Some(small),
        "seeded-135m" => Some(ModelConfig {
            vocabulary: 49_152,
            width: 576,
            layers: 30,
            heads: 9,
            kv_heads: 3,
            head_width: 64,
            hidden: 1536,
            context: 8192,
            ..small
        }),
        "seeded-0.5b" => Some(ModelConfig {
            family: Family::Qwen2,
            vocabulary: 151_936,
            width: 896,
            layers: 24,
            heads: 14,
            kv_heads: 2,
            head_width: 64,
            hidden: 4864,
            norm_epsilon: 1e-6,
            rope_theta: 1e6,
            context: 32_768,
            qkv_bias: true,
            ..small
        }),
        _ => None,
    }
}

impl Timed {
    /// A model by name: one of [`SEEDED`], `smollm2` where it has been pulled, a folder or a `.gguf` file.
    ///
    /// # Errors
    /// Where there is no such model, or the device can't take it.
    pub fn load(name: &str, device: &Device, precision: Precision) -> Result<Timed, Box<dyn Error>> {
        let (model, vocabulary) = match seeded_shape(name) {
            Some(config) => {
                let tensors = SeededTensors::new(&config, 1);
                let model = Transformer::load_from(&config, &tensors, device, precision, &mut |_| ())?;
                (model, made_up(config.vocabulary)?)
            }
            None => {
                let path = match name {
                    "smollm2" => {
                        crate::model_path().ok_or("SmolLM2-135M-Instruct is not there: pull it or set GRAMASK_MODEL")?
                    }
                    path => Path::new(path).to_owned(),
                };
                let checkpoint = Checkpoint::open(&path)?;
                let model = Transformer::load(&checkpoint, device, precision)?;
                (model, vocabulary_of(&checkpoint.tokenizer)?)
            }
        };
        Ok(Timed { name: name.to_owned(), vocabulary, model })
    }

    /// A prompt of so many tokens, the same every time.
    pub fn prompt(&self, tokens: usize) -> Vec<u32> {
        let size = self.model.config().vocabulary as u32;
        let ids = crate::prompt().into_iter().cycle().take(tokens);
        ids.enumerate().map(|(place, id)| (id + place as u32 / 64) % (size - 2)).collect()
    }
}

/// Tokens for weights that are made up: the bytes, then pieces of two and three letters and their like, then the end.
fn made_up(size: usize) -> Result<Arc<Vocabulary>, Box<dyn Error>> {
    let letters = || (b'a'..=b'z').chain(b'A'..=b'Z').chain(*b" \"{}[],:<>/");
    let pairs = letters().flat_map(|a| letters().map(move |b| vec![a, b]));
    let triples = letters().flat_map(|a| letters().flat_map(move |b| letters().map(move |c| vec![a, b, c])));
    let bytes = (0..=255u8).map(|byte| vec![byte]);
    let mut tokens: Vec<Token> = bytes.chain(pairs).chain(triples).take(size - 1).map(Token::new).collect();
    tokens.push(Token::special("<end>"));
    let end = tokens.len() as u32 - 1;
    Ok(Vocabulary::new(tokens, vec![end])?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use gramask_model::transformer::WeightType;

    #[test]
    fn made_up_models_have_their_shape_and_their_tokens() {
        for name in SEEDED {
            let config = seeded_shape(name).unwrap();
            assert_eq!(made_up(config.vocabulary).unwrap().len(), config.vocabulary);
        }
        assert_eq!(seeded_shape("seeded-135m").unwrap().parameters(), 134_515_008);
        let model = Timed::load("seeded-small", &Device::flex(), WeightType::F16.into()).unwrap();
        assert_eq!(model.vocabulary.len(), 4096);
        let prompt = model.prompt(200);
        assert!(prompt.len() == 200 && prompt.iter().all(|&id| id < 4096));
        assert!(Timed::load("no-such", &Device::flex(), WeightType::F16.into()).is_err());
    }
}
