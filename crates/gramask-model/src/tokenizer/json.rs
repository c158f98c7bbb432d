//! Tokenizers from `tokenizer.json` files.

use super::alphabet::Alphabet;
use super::build::check_merge;
use super::{Parts, Tokenizer, TokenizerError};
use serde::Deserialize;
use serde_json::Value;
use std::collections::HashMap;
use tokenizers::Tokenizer as Inner;

/// What has to be known of a `tokenizer.json` beyond what the `tokenizers` crate tells.
#[derive(Deserialize)]
struct Description {
    model: Model,
    #[serde(default)]
    added_tokens: Vec<Added>,
    #[serde(default)]
    decoder: Value,
    #[serde(default)]
    pre_tokenizer: Value,
}

#[derive(Deserialize)]
struct Model {
    #[serde(rename = "type", default)]
    kind: Option<String>,
    #[serde(default)]
    unk_token: Option<String>,
    #[serde(default)]
    continuing_subword_prefix: Option<String>,
    /// Absent or of another form in models that are not BPE.
    #[serde(default)]
    vocab: Value,
    #[serde(default)]
    merges: Vec<Merge>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Merge {
    Pair(String, String),
    Text(String),
}

#[derive(Deserialize)]
struct Added {
    id: u32,
    content: String,
    #[serde(default)]
    special: bool,
}

impl Tokenizer {
    /// Builds the tokenizer of a `tokenizer.json`.
    ///
    /// `size` is the model's vocabulary, `bos` and `end` are what the files beside it name.
    ///
    /// # Errors
    /// A [`TokenizerError`]: malformed JSON, an alphabet that can't be inverted to bytes, tokens beyond `size`.
    pub fn from_json(
        json: &[u8],
        size: usize,
        bos: Option<&str>,
        end: &[u32],
        end_texts: &[String],
    ) -> Result<Tokenizer, TokenizerError> {
        let description: Description = serde_json::from_slice(json).map_err(|error| TokenizerError::Json {
            line: error.line(),
            column: error.column(),
            message: error.to_string(),
        })?;
        check_model(&description.model)?;
        let alphabet = alphabet(&description)?;
        let inner = Inner::from_bytes(json).map_err(|error| TokenizerError::Refused { message: error.to_string() })?;

        let added: HashMap<u32, &Added> = description.added_tokens.iter().map(|token| (token.id, token)).collect();
        let unknown = description.model.unk_token.as_deref();
        let mut writes = vec![None; size];
        for (text, id) in inner.get_vocab(true) {
            let place = writes.get_mut(id as usize).ok_or_else(|| TokenizerError::IdBeyondVocabulary {
                token: format!("`{text}`"),
                id,
                size,
            })?;
            *place = match added.get(&id) {
                Some(token) if token.special => None,
                // Added tokens are matched in the text itself.
                Some(token) => Some(token.content.as_bytes().to_vec()),
                None if unknown == Some(text.as_str()) => None,
                None => Some(alphabet.bytes(&text)),
            };
        }
        let mut end = end.to_vec();
        end.extend(end_texts.iter().filter_map(|text| inner.token_to_id(text)));
        // What the post-processor puts before nothing at all.
        let prefix = inner.encode_fast("", true).ok().and_then(|encoding| encoding.get_ids().first().copied());
        let bos = bos.and_then(|text| inner.token_to_id(text));
        let adds_bos = bos.is_some() && prefix == bos;
        Tokenizer::from_parts(Parts { inner, writes, end, bos, adds_bos })
    }
}

/// Checks what the `tokenizers` crate would not survive: merges that name no token.
fn check_model(model: &Model) -> Result<(), TokenizerError> {
    if model.kind.as_deref().is_some_and(|kind| kind != "BPE") || model.merges.is_empty() {
        return Ok(());
    }
    let prefix = model.continuing_subword_prefix.as_deref().unwrap_or("");
    let is_token = |text: &str| model.vocab.get(text).is_some();
    for (index, merge) in model.merges.iter().enumerate() {
        let (left, right) = match merge {
            Merge::Pair(left, right) => (left.as_str(), right.as_str()),
            Merge::Text(text) => text.split_once(' ').ok_or_else(|| TokenizerError::BadMerge {
                index,
                merge: text.clone(),
                problem: "expected two tokens with a space between".to_owned(),
            })?,
        };
        if prefix.is_empty() {
            check_merge(index, left, right, is_token)?;
        } else if !right.starts_with(prefix) {
            let problem = format!("the second token does not start with `{prefix}`");
            return Err(TokenizerError::BadMerge { index, merge: format!("{left} {right}"), problem });
        }
    }
    Ok(())
}

/// In which alphabet the vocabulary is written: that which the decoder undoes.
fn alphabet(description: &Description) -> Result<Alphabet, TokenizerError> {
    let mut kinds = Vec::new();
    collect_kinds(&description.decoder, &mut kinds);
    if kinds.is_empty() {
        collect_kinds(&description.pre_tokenizer, &mut kinds);
    }
    if kinds.contains(&"ByteLevel") {
        Ok(Alphabet::ByteLevel)
    } else if kinds.iter().any(|kind| matches!(*kind, "ByteFallback" | "Metaspace")) {
        Ok(Alphabet::SentencePiece)
    } else {
        let found =
            if kinds.is_empty() { "no decoder".to_owned() } else { format!("the decoder {}", kinds.join(", ")) };
        Err(TokenizerError::UnknownAlphabet { found })
    }
}

/// The types of a decoder or pre-tokenizer and of its parts.
fn collect_kinds<'a>(value: &'a Value, kinds: &mut Vec<&'a str>) {
    if let Some(kind) = value.get("type").and_then(Value::as_str).filter(|&kind| kind != "Sequence") {
        kinds.push(kind);
    }
    for parts in ["decoders", "pretokenizers"] {
        for part in value.get(parts).and_then(Value::as_array).into_iter().flatten() {
            collect_kinds(part, kinds);
        }
    }
}
