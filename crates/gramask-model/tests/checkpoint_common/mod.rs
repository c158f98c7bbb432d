//! What the tests of checkpoints and tokenizers share: fixtures, a small Hugging Face folder, the real model's place.
#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

use gramask_model::checkpoint::{ModelConfig, expected_tensors};
use safetensors::Dtype;
use safetensors::tensor::TensorView;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

pub fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

pub fn fixture_json(name: &str) -> Value {
    serde_json::from_slice(&std::fs::read(fixture(name)).unwrap()).unwrap()
}

/// SmolLM2-135M-Instruct as a GGUF file, where there is one; else says that the test is skipped.
#[allow(clippy::print_stdout, reason = "a skipped test says so")]
pub fn real_model() -> Option<PathBuf> {
    let named = std::env::var_os("GRAMASK_MODEL").map(PathBuf::from);
    let cache = std::env::var_os("GRAMASK_CACHE").map(PathBuf::from).or_else(|| {
        let base = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
        Some(base.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache")))?.join("gramask"))
    });
    let pulled = || {
        let files = std::fs::read_dir(cache?.join("smollm2-135m-instruct")).ok()?;
        files.filter_map(|file| Some(file.ok()?.path())).find(|path| path.extension().is_some_and(|e| e == "gguf"))
    };
    let found = named.filter(|path| path.exists()).or_else(pulled);
    if found.is_none() {
        println!("skipped: no SmolLM2 GGUF file; set GRAMASK_MODEL or run `gramask pull smollm2-135m-instruct`");
    }
    found
}

/// GPT-2's 256 characters, sorted, after three special tokens; two merges; `size` is 3 + 256 + 2.
pub fn tokenizer_json() -> Value {
    let mut characters: Vec<char> = tokenizers::pre_tokenizers::byte_level::ByteLevel::alphabet().into_iter().collect();
    characters.sort_unstable();
    let mut vocabulary = serde_json::Map::new();
    for text in ["<|endoftext|>", "<|im_start|>", "<|im_end|>"] {
        vocabulary.insert(text.to_owned(), json!(vocabulary.len()));
    }
    for character in characters {
        vocabulary.insert(character.to_string(), json!(vocabulary.len()));
    }
    for text in ["ab", "Ġab"] {
        vocabulary.insert(text.to_owned(), json!(vocabulary.len()));
    }
    let added = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"].iter().enumerate().map(|(id, text)| {
        json!({"id": id, "content": text, "single_word": false, "lstrip": false, "rstrip": false,
               "normalized": false, "special": true})
    });
    let byte_level = json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true});
    json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": added.collect::<Vec<_>>(),
        "normalizer": null, "pre_tokenizer": byte_level, "post_processor": null, "decoder": byte_level,
        "model": {"type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
                  "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false,
                  "vocab": vocabulary, "merges": [["a", "b"], ["Ġ", "ab"]]}
    })
}

/// A `config.json` of a small model.
pub fn config_json(architecture: &str) -> Value {
    json!({
        "architectures": [architecture], "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 4,
        "num_key_value_heads": 2, "intermediate_size": 24, "rms_norm_eps": 1e-5, "rope_theta": 5000.0,
        "max_position_embeddings": 64, "vocab_size": 264, "tie_word_embeddings": false, "hidden_act": "silu",
        "eos_token_id": 2
    })
}

pub type Tensors = BTreeMap<String, (Dtype, Vec<usize>, Vec<u8>)>;

/// Tensors of a shape with the numbers 0, 1/8, 2/8, ... 9/8 again and again: exact in every float type.
pub fn tensors(config: &ModelConfig, kind: Dtype) -> Tensors {
    let all = expected_tensors(config).into_iter();
    all.map(|(name, shape)| {
        let bytes = (0..shape.iter().product::<usize>()).flat_map(|index| {
            let value = element(index);
            match kind {
                Dtype::F16 => half::f16::from_f32(value).to_le_bytes().to_vec(),
                Dtype::BF16 => half::bf16::from_f32(value).to_le_bytes().to_vec(),
                _ => value.to_le_bytes().to_vec(),
            }
        });
        (name, (kind, shape.clone(), bytes.collect()))
    })
    .collect()
}

pub fn element(index: usize) -> f32 {
    (index % 10) as f32 / 8.0
}

pub fn write_safetensors(path: &Path, tensors: &Tensors) {
    let views = tensors
        .iter()
        .map(|(name, (kind, shape, bytes))| (name.clone(), TensorView::new(*kind, shape.clone(), bytes).unwrap()));
    safetensors::serialize_to_file(views, None, path).unwrap();
}

pub fn write_json(path: &Path, value: &Value) {
    std::fs::write(path, serde_json::to_vec_pretty(value).unwrap()).unwrap();
}
