//! The vocabularies that are timed: those of Llama 3.1 and SmolLM2, as far as they are in the cache.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use gramask_benches::{model_path, vocabulary_path};
use gramask_grammar::{Token, Vocabulary};
use gramask_model::checkpoint::Checkpoint;
use gramask_model::tokenizer::Tokenizer;
use serde_json::Value;

/// Tokens, and what cuts texts into them.
pub struct Named {
    pub name: &'static str,
    pub vocabulary: Arc<Vocabulary>,
    tokenizer: Tokenizer,
}

/// The names, the largest vocabulary first.
pub const NAMES: [&str; 2] = ["llama-3.1", "smollm2"];

/// Where the vocabulary of this name lies, or how to get it.
pub fn path(name: &str) -> Result<PathBuf, String> {
    let (path, pull) = match name {
        "llama-3.1" => (vocabulary_path("llama-3.1-vocabulary"), "llama-3.1-vocabulary"),
        _ => (model_path(), "smollm2-135m-instruct"),
    };
    path.ok_or_else(|| format!("no tokens of {name} in the cache: `gramask pull {pull}` brings them"))
}

impl Named {
    /// The vocabulary of this name, or how to get it.
    pub fn load(name: &str) -> Result<Named, String> {
        let path = path(name)?;
        let (name, tokenizer) = match name {
            "llama-3.1" => (NAMES[0], from_json(&path)?),
            _ => (NAMES[1], Checkpoint::open(&path).map_err(|error| error.to_string())?.tokenizer),
        };
        let token = |id: u32| Token { bytes: tokenizer.token_bytes(id).to_vec(), special: tokenizer.is_special(id) };
        let tokens = (0..tokenizer.size() as u32).map(token).collect();
        let vocabulary = Vocabulary::new(tokens, tokenizer.end_tokens().to_vec()).map_err(|error| error.to_string())?;
        Ok(Named { name, vocabulary, tokenizer })
    }

    /// The tokens that the model would write an output in, and the end.
    pub fn output(&self, text: &str) -> Vec<u32> {
        let mut tokens = self.tokenizer.encode(text, false);
        tokens.push(self.vocabulary.ends()[0]);
        tokens
    }
}

fn from_json(path: &Path) -> Result<Tokenizer, String> {
    let fault = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let json = std::fs::read(path).map_err(|error| fault(&error))?;
    let description: Value = serde_json::from_slice(&json).map_err(|error| fault(&error))?;
    let pieces = description["model"]["vocab"].as_object().into_iter().flat_map(|vocab| vocab.values());
    let added = description["added_tokens"].as_array().into_iter().flatten().map(|token| &token["id"]);
    let size = pieces.chain(added).filter_map(Value::as_u64).max().map_or(0, |id| id as usize + 1);
    Tokenizer::from_json(&json, size, None, &[], &[]).map_err(|error| fault(&error))
}
