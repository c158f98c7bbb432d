//! What a model is made of.

use std::collections::BTreeMap;
use std::path::Path;

use gramask_model::checkpoint::{Checkpoint, GgufFile, GgufValue, ModelConfig};
use gramask_model::tokenizer::Tokenizer;
use serde::Serialize;
use serde_json::Value;

use super::InspectError;
use crate::pull::Model;

/// What a model is made of.
#[derive(Clone, Debug, Serialize)]
pub struct ModelReport {
    /// As it was asked for.
    pub name: String,
    /// Where it lies.
    pub path: String,
    /// What its files are: `Hugging Face folder` or `GGUF file`.
    pub files: &'static str,
    /// The SHA-256, as `run.json` has it.
    pub sha256: String,
    /// The number of its weights, a tied head counted once.
    pub parameters: usize,
    /// The shape of the model.
    pub config: ModelConfig,
    /// The tensors by the type that their elements are stored in, in alphabetical order.
    pub tensors: Vec<TensorType>,
    /// The token that begins a text, and whether the model wants it before a plain prompt.
    pub bos: Option<SpecialToken>,
    /// Whether a plain prompt begins with it. Chat templates write it themselves.
    pub adds_bos: bool,
    /// The tokens that end an output.
    pub ends: Vec<SpecialToken>,
    /// The token that fills batches up.
    pub pad: Option<SpecialToken>,
    /// Ids that write no text: special tokens, unused ones and padding.
    pub special_tokens: usize,
    /// How a conversation is written, for models that were tuned on conversations.
    pub template: Option<TemplateReport>,
    /// What is unusual, and how it was resolved.
    pub notes: Vec<String>,
}

/// The tensors that are stored in one type.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TensorType {
    /// The type: `BF16`, `Q4_1`, ...
    pub stored_as: String,
    /// How many tensors.
    pub tensors: usize,
    /// How many elements they have together.
    pub elements: usize,
}

/// A token by its id and its text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SpecialToken {
    /// The id.
    pub id: u32,
    /// The text, as the vocabulary has it.
    pub text: String,
}

/// A chat template.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TemplateReport {
    /// Its text.
    pub source: String,
    /// The variables that it reads and that can be set.
    pub variables: Vec<String>,
}

impl ModelReport {
    /// Reads the headers of a model's files, its tokenizer and its template, and digests all of it.
    ///
    /// # Errors
    /// Where the model could not be loaded, with the same message.
    pub fn read(model: &Model) -> Result<ModelReport, InspectError> {
        let Checkpoint { config, tensors, tokenizer, chat, mut notes, .. } = Checkpoint::open(&model.path)?;
        let mut types: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
        for name in tensors.names() {
            let elements: usize = tensors.shape(&name).unwrap_or_default().iter().product();
            let of_type = types.entry(tensors.stored_as(&name).unwrap_or("unknown")).or_default();
            *of_type = (of_type.0 + 1, of_type.1 + elements);
        }
        let of_type =
            |(name, (tensors, elements)): (&str, _)| TensorType { stored_as: name.to_owned(), tensors, elements };
        for note in tokenizer.notes() {
            if !notes.contains(note) {
                notes.push(note.clone());
            }
        }
        let token = |id: u32| SpecialToken { id, text: tokenizer.token_text(id).unwrap_or_default() };
        Ok(ModelReport {
            name: model.name.clone(),
            path: model.path.display().to_string(),
            files: if model.path.is_dir() { "Hugging Face folder" } else { "GGUF file" },
            sha256: model.digest()?,
            parameters: config.parameters(),
            tensors: types.into_iter().map(of_type).collect(),
            bos: tokenizer.bos().map(token),
            adds_bos: tokenizer.adds_bos(),
            ends: tokenizer.end_tokens().iter().copied().map(token).collect(),
            pad: pad(&model.path, &tokenizer).map(token),
            special_tokens: (0..tokenizer.size() as u32).filter(|&id| tokenizer.is_special(id)).count(),
            template: chat.map(|chat| TemplateReport { source: chat.source().to_owned(), variables: chat.settable() }),
            config,
            notes,
        })
    }
}

/// The padding token that the files name. Decoding has no use for it, so the tokenizer does not know it.
fn pad(path: &Path, tokenizer: &Tokenizer) -> Option<u32> {
    if !path.is_dir() {
        let file = GgufFile::open(path).ok()?;
        let id = file.metadata().get("tokenizer.ggml.padding_token_id").and_then(GgufValue::as_unsigned)?;
        return u32::try_from(id).ok();
    }
    let read = |file: &str| -> Value {
        let text = std::fs::read_to_string(path.join(file)).unwrap_or_default();
        serde_json::from_str(&text).unwrap_or_default()
    };
    let named = ["tokenizer_config.json", "special_tokens_map.json"].into_iter().find_map(|file| {
        let token = read(file).get("pad_token")?.clone();
        let text = token.get("content").unwrap_or(&token).as_str().map(str::to_owned)?;
        tokenizer.token_id(&text)
    });
    let id = || read("config.json").get("pad_token_id")?.as_u64().and_then(|id| u32::try_from(id).ok());
    named.or_else(id)
}
