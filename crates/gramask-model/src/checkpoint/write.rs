//! Checkpoints written out as Hugging Face folders, so that other programs, and this one, can read them.

use std::path::{Path, PathBuf};

use half::f16;
use safetensors::tensor::{Dtype, TensorView, serialize_to_file};
use serde_json::{Value, json};

use super::{Checkpoint, CheckpointError, Family, ModelConfig, RopeScaling, SlidingWindow, Yarn, expected_tensors};
use crate::tokenizer::Tokenizer;

impl Checkpoint {
    /// Writes `config.json`, `model.safetensors`, `tokenizer.json` and `tokenizer_config.json` (with the chat template) into a
    /// folder that is made where it is missing. With `half` the weights are rounded to 16 bits; quantised ones are written as
    /// the numbers that they stand for. Returns how many bytes the weights take.
    ///
    /// # Errors
    /// When a file cannot be written; [`CheckpointError::Unwritable`] for what such a folder cannot say.
    pub fn write(&self, folder: &Path, half: bool) -> Result<usize, CheckpointError> {
        let io = |path: &Path, source| CheckpointError::Io { path: path.to_owned(), source };
        let text = |name: &str, value: &Value| -> Result<(), CheckpointError> {
            let path = folder.join(name);
            std::fs::write(&path, format!("{value:#}\n")).map_err(|source| io(&path, source))
        };
        let config = config_json(self, half)?;
        let tokenizer = self.tokenizer_json()?;
        std::fs::create_dir_all(folder).map_err(|source| io(folder, source))?;
        let path = folder.join("tokenizer.json");
        std::fs::write(&path, tokenizer).map_err(|source| io(&path, source))?;
        text("tokenizer_config.json", &self.tokenizer_settings())?;
        let bytes = self.write_tensors(half, &folder.join("model.safetensors"))?;
        // Last, so that a folder that has it is whole.
        text("config.json", &config)?;
        Ok(bytes)
    }

    /// The tokenizer's file, which has been read back: it must be the same tokenizer.
    fn tokenizer_json(&self) -> Result<String, CheckpointError> {
        let ours = &self.tokenizer;
        let unwritable = |what: String| CheckpointError::Unwritable { path: self.path.clone(), what };
        let json = ours.to_json().map_err(|error| unwritable(error.to_string()))?;
        let bos = ours.bos().and_then(|id| ours.token_text(id));
        let theirs = Tokenizer::from_json(json.as_bytes(), ours.size(), bos.as_deref(), ours.end_tokens(), &[])
            .map_err(|error| unwritable(error.to_string()))?;
        let tokens = 0..ours.size() as u32;
        let same = tokens
            .into_iter()
            .all(|id| ours.is_special(id) == theirs.is_special(id) && ours.token_bytes(id) == theirs.token_bytes(id));
        match same && ours.end_tokens() == theirs.end_tokens() && ours.adds_bos() == theirs.adds_bos() {
            true => Ok(json),
            false => Err(unwritable("the tokenizer means something else once it is a tokenizer.json".into())),
        }
    }

    fn tokenizer_settings(&self) -> Value {
        let token = |id: Option<u32>| id.and_then(|id| self.tokenizer.token_text(id));
        let mut settings = json!({
            "bos_token": token(self.tokenizer.bos()),
            "eos_token": token(self.tokenizer.end_tokens().first().copied()),
        });
        if let Some(chat) = &self.chat {
            settings["chat_template"] = chat.source().into();
        }
        settings
    }

    /// All tensors in one file, written to a temporary file and then moved to its place; returns how many bytes they take.
    fn write_tensors(&self, half: bool, target: &Path) -> Result<usize, CheckpointError> {
        let mut tensors: Vec<(String, Vec<usize>, Vec<u8>)> = Vec::new();
        for (name, shape) in expected_tensors(&self.config) {
            let mut floats = self.tensors.read_f32(&name)?;
            // GGUF files of Gemma have what Hugging Face's leave out of the norms.
            if name.ends_with("norm.weight") {
                let offset = self.config.family.norm_offset() - self.config.norm_offset;
                floats.iter_mut().for_each(|weight| *weight -= offset);
            }
            let bytes: Vec<u8> = match half {
                false => floats.iter().flat_map(|x| x.to_le_bytes()).collect(),
                true => floats.iter().flat_map(|x| f16::from_f32(*x).to_le_bytes()).collect(),
            };
            tensors.push((name, shape, bytes));
        }
        let kind = if half { Dtype::F16 } else { Dtype::F32 };
        let beside = PathBuf::from(format!("{}.part", target.display()));
        let failed = |error: safetensors::SafeTensorError| CheckpointError::Io {
            path: beside.clone(),
            source: std::io::Error::other(error),
        };
        let views = tensors
            .iter()
            .map(|(name, shape, bytes)| Ok((name.as_str(), TensorView::new(kind, shape.clone(), bytes)?)))
            .collect::<Result<Vec<_>, safetensors::SafeTensorError>>()
            .map_err(failed)?;
        let metadata = [("format".to_owned(), "pt".to_owned())];
        serialize_to_file(views, Some(metadata.into()), &beside).map_err(failed)?;
        std::fs::rename(&beside, target).map_err(|source| CheckpointError::Io { path: target.to_owned(), source })?;
        Ok(tensors.iter().map(|(_, _, bytes)| bytes.len()).sum())
    }
}

/// The configuration in the words of the Python package `transformers`.
fn config_json(checkpoint: &Checkpoint, half: bool) -> Result<Value, CheckpointError> {
    let config: &ModelConfig = &checkpoint.config;
    let unwritable = |what: &str| CheckpointError::Unwritable { path: checkpoint.path.clone(), what: what.into() };
    if config.family != Family::Qwen2 && config.qkv_bias != config.output_bias {
        return Err(unwritable("config.json has one setting for all biases of attention, and only some are there"));
    }
    let mut json = json!({
        "architectures": [config.family.hugging_face_name()],
        "model_type": config.family.model_type(),
        "vocab_size": config.vocabulary,
        "hidden_size": config.width,
        "intermediate_size": config.hidden,
        "num_hidden_layers": config.layers,
        "num_attention_heads": config.heads,
        "num_key_value_heads": config.kv_heads,
        "head_dim": config.head_width,
        "rms_norm_eps": config.norm_epsilon,
        "rope_theta": config.rope_theta,
        "max_position_embeddings": config.context,
        "tie_word_embeddings": config.tied_head,
        "attention_bias": config.output_bias,
        "mlp_bias": config.mlp_bias,
        "torch_dtype": if half { "float16" } else { "float32" },
        "bos_token_id": checkpoint.tokenizer.bos(),
        "eos_token_id": checkpoint.tokenizer.end_tokens(),
    });
    match config.family {
        Family::Gemma3 => {
            json["hidden_activation"] = "gelu_pytorch_tanh".into();
            let scalar = config.query_scalar.unwrap_or(config.head_width as f64);
            json["query_pre_attn_scalar"] = if scalar.fract() == 0.0 { json!(scalar as u64) } else { json!(scalar) };
        }
        _ => json["hidden_act"] = "silu".into(),
    }
    let layers = 0..config.layers;
    json["layer_types"] = layers
        .map(|layer| if config.window(layer).is_some() { "sliding_attention" } else { "full_attention" })
        .collect();
    if let Some(SlidingWindow { width, rope_theta, .. }) = &config.sliding_window {
        json["sliding_window"] = (*width).into();
        json["use_sliding_window"] = true.into();
        if let Some(theta) = rope_theta {
            json["rope_local_base_freq"] = (*theta).into();
        }
    }
    json["rope_scaling"] = rope_json(config.rope_scaling.as_ref())
        .ok_or_else(|| unwritable("the divisors in `rope_freqs.weight` have no place in config.json"))?;
    Ok(json)
}

/// A scaling of rotary frequencies in the same words; `None` if there are none for it.
fn rope_json(scaling: Option<&RopeScaling>) -> Option<Value> {
    Some(match scaling {
        None => Value::Null,
        Some(RopeScaling::Linear { factor }) => json!({ "rope_type": "linear", "factor": factor }),
        Some(RopeScaling::Dynamic { factor }) => json!({ "rope_type": "dynamic", "factor": factor }),
        Some(RopeScaling::Llama3 { factor, low_frequency_factor, high_frequency_factor, original_context }) => json!({
            "rope_type": "llama3",
            "factor": factor,
            "low_freq_factor": low_frequency_factor,
            "high_freq_factor": high_frequency_factor,
            "original_max_position_embeddings": original_context,
        }),
        Some(RopeScaling::Yarn(yarn)) => {
            let &Yarn { factor, original_context, beta_fast, beta_slow, truncate, attention_factor } = yarn;
            json!({
                "rope_type": "yarn",
                "factor": factor,
                "original_max_position_embeddings": original_context,
                "beta_fast": beta_fast,
                "beta_slow": beta_slow,
                "truncate": truncate,
                "attention_factor": attention_factor,
            })
        }
        Some(RopeScaling::Divisors(_)) => return None,
    })
}
