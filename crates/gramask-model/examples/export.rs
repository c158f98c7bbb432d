//! Writes a checkpoint as a Hugging Face folder: `export [MODEL] FOLDER [f32|f16]`.
//!
//! `MODEL` is a GGUF file or a folder; without it, `$GRAMASK_MODEL` or else what `gramask pull smollm2-135m-instruct`
//! has brought. Quantised tensors are written as the numbers that they stand for, so that programs which don't read
//! GGUF files compute with the same weights. `config.json` and `model.safetensors` are always written; tokenizer and
//! chat template are copied from a folder, while those inside a GGUF file are not written out.
#![allow(clippy::print_stdout, reason = "an example's output")]

use std::error::Error;
use std::path::{Path, PathBuf};

use gramask_model::checkpoint::{Checkpoint, ModelConfig, RopeScaling, expected_tensors};
use safetensors::tensor::{Dtype, TensorView, serialize_to_file};
use serde_json::{Value, json};

/// What stands beside the weights in a folder.
const BESIDE: [&str; 5] = [
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "generation_config.json",
    "chat_template.jinja",
];

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let half = match arguments.last().map(String::as_str) {
        Some(last @ ("f32" | "f16")) => {
            let half = last == "f16";
            arguments.pop();
            half
        }
        _ => false,
    };
    let (model, folder) = match arguments.as_slice() {
        [folder] => (pulled()?, PathBuf::from(folder)),
        [model, folder] => (PathBuf::from(model), PathBuf::from(folder)),
        _ => return Err("usage: export [MODEL] FOLDER [f32|f16]".into()),
    };
    let checkpoint = Checkpoint::open(&model)?;
    std::fs::create_dir_all(&folder)?;
    if folder.canonicalize()? == model.canonicalize()? {
        return Err(format!("{}: model and target are the same folder", folder.display()).into());
    }
    let config = serde_json::to_string_pretty(&config_json(&checkpoint, half)?)?;
    std::fs::write(folder.join("config.json"), config + "\n")?;
    let bytes = write_tensors(&checkpoint, half, &folder.join("model.safetensors"))?;
    println!(
        "{}: {:.1} MB of weights",
        folder.join("model.safetensors").display(),
        bytes as f64 / 1e6
    );
    for file in BESIDE {
        if model.join(file).is_file() {
            std::fs::copy(model.join(file), folder.join(file))?;
        }
    }
    if !folder.join("tokenizer.json").exists() {
        println!("no tokenizer.json was written: the tokenizer is inside the GGUF file");
    }
    Ok(())
}

/// The model of `$GRAMASK_MODEL`, else the one in the cache of `gramask pull`.
fn pulled() -> Result<PathBuf, Box<dyn Error>> {
    const FILE: &str = "models/smollm2-135m-instruct/SmolLM2-135M-Instruct.Q4_1.gguf";
    let set = |name| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    let user = || set("XDG_CACHE_HOME").or_else(|| Some(set("HOME")?.join(".cache")));
    let cache = || set("GRAMASK_CACHE").or_else(|| Some(user()?.join("gramask")));
    set("GRAMASK_MODEL")
        .or_else(|| Some(cache()?.join(FILE)))
        .filter(|path| path.exists())
        .ok_or_else(|| "no model: name one, set GRAMASK_MODEL, or `gramask pull smollm2-135m-instruct`".into())
}

/// All tensors in one file; returns how many bytes they take.
fn write_tensors(checkpoint: &Checkpoint, half: bool, target: &Path) -> Result<usize, Box<dyn Error>> {
    let mut tensors = Vec::new();
    for (name, shape) in expected_tensors(&checkpoint.config) {
        let bytes: Vec<u8> = match half {
            false => {
                let numbers = checkpoint.tensors.read_f32(&name)?;
                numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
            }
            true => {
                let numbers = checkpoint.tensors.read_f16(&name)?;
                numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
            }
        };
        tensors.push((name, shape, bytes));
    }
    let kind = if half { Dtype::F16 } else { Dtype::F32 };
    let views = tensors
        .iter()
        .map(|(name, shape, bytes)| Ok((name.as_str(), TensorView::new(kind, shape.clone(), bytes)?)))
        .collect::<Result<Vec<_>, safetensors::SafeTensorError>>()?;
    let metadata = [("format".to_owned(), "pt".to_owned())];
    serialize_to_file(views, Some(metadata.into()), target)?;
    Ok(tensors.iter().map(|(_, _, bytes)| bytes.len()).sum())
}

/// The configuration in the words of the Python package `transformers`.
fn config_json(checkpoint: &Checkpoint, half: bool) -> Result<Value, Box<dyn Error>> {
    let config: &ModelConfig = &checkpoint.config;
    let mut json = json!({
        "architectures": [config.family.hugging_face_name()],
        "model_type": config.family.gguf_name(),
        "vocab_size": config.vocabulary,
        "hidden_size": config.width,
        "intermediate_size": config.hidden,
        "num_hidden_layers": config.layers,
        "num_attention_heads": config.heads,
        "num_key_value_heads": config.kv_heads,
        "head_dim": config.head_width,
        "hidden_act": "silu",
        "rms_norm_eps": config.norm_epsilon,
        "rope_theta": config.rope_theta,
        "max_position_embeddings": config.context,
        "tie_word_embeddings": config.tied_head,
        "torch_dtype": if half { "float16" } else { "float32" },
        "bos_token_id": checkpoint.tokenizer.bos(),
        "eos_token_id": checkpoint.tokenizer.end_tokens(),
    });
    json["rope_scaling"] = match &config.rope_scaling {
        None => Value::Null,
        Some(RopeScaling::Linear { factor }) => json!({ "rope_type": "linear", "factor": factor }),
        Some(RopeScaling::Llama3 {
            factor,
            low_frequency_factor,
            high_frequency_factor,
            original_context,
        }) => json!({
            "rope_type": "llama3",
            "factor": factor,
            "low_freq_factor": low_frequency_factor,
            "high_freq_factor": high_frequency_factor,
            "original_max_position_embeddings": original_context,
        }),
        Some(RopeScaling::Divisors(_)) => {
            let path = checkpoint.path.display();
            return Err(format!("{path}: the divisors in `rope_freqs.weight` have no place in config.json").into());
        }
    };
    Ok(json)
}
