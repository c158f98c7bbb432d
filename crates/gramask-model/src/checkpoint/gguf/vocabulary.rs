//! The tokenizer in the metadata of a GGUF file.

use super::{GgufFile, GgufValue};
use crate::checkpoint::CheckpointError;
use crate::tokenizer::{GgufModel, GgufVocabulary, Tokenizer};

/// An id from the tokenizer's metadata.
pub(super) fn token_id(file: &GgufFile, key: &str) -> Option<u32> {
    let id = file.metadata().get(&format!("tokenizer.ggml.{key}"))?.as_unsigned()?;
    u32::try_from(id).ok()
}

pub(super) fn tokens(file: &GgufFile) -> Result<&[String], CheckpointError> {
    const KEY: &str = "tokenizer.ggml.tokens";
    file.metadata().get(KEY).and_then(GgufValue::as_texts).ok_or_else(|| CheckpointError::MissingSetting {
        path: file.path().to_owned(),
        key: KEY.to_owned(),
        expected: "an array of texts".to_owned(),
    })
}

/// The settings of the tokenizer, without the prefix of their keys.
struct Settings<'a>(&'a GgufFile);

impl<'a> Settings<'a> {
    fn get(&self, key: &str) -> Option<&'a GgufValue> {
        self.0.metadata().get(&format!("tokenizer.ggml.{key}"))
    }

    fn missing(&self, key: &str, expected: &str) -> CheckpointError {
        CheckpointError::MissingSetting {
            path: self.0.path().to_owned(),
            key: format!("tokenizer.ggml.{key}"),
            expected: expected.to_owned(),
        }
    }

    fn bad(&self, key: &str, found: &GgufValue, expected: &str) -> CheckpointError {
        CheckpointError::BadSetting {
            path: self.0.path().to_owned(),
            key: format!("tokenizer.ggml.{key}"),
            found: found.to_string(),
            expected: expected.to_owned(),
        }
    }

    fn flag(&self, key: &str) -> Option<bool> {
        self.get(key).and_then(GgufValue::as_flag)
    }
}

/// Builds the tokenizer that the metadata describes. What is unusual goes to `notes`.
pub(super) fn tokenizer(
    file: &GgufFile,
    vocabulary: usize,
    notes: &mut Vec<String>,
) -> Result<Tokenizer, CheckpointError> {
    const MODELS: &str = "`gpt2` (byte-level BPE) or `llama` (SentencePiece)";
    let settings = Settings(file);
    let kinds = match settings.get("token_type") {
        None => Vec::new(),
        Some(GgufValue::SignedList(kinds)) => kinds.clone(),
        Some(GgufValue::UnsignedList(kinds)) => kinds.iter().map(|&kind| kind as i64).collect(),
        Some(_) => return Err(settings.missing("token_type", "an array of numbers")),
    };
    let name = settings.get("model").ok_or_else(|| settings.missing("model", MODELS))?;
    let model = match name.as_text() {
        Some("gpt2") => byte_level(&settings, notes)?,
        Some("llama") => sentence_piece(&settings)?,
        _ => {
            let expected = format!("{MODELS}; for other tokenizers use the Hugging Face folder");
            return Err(settings.bad("model", name, &expected));
        }
    };
    let by_default = matches!(model, GgufModel::SentencePiece { .. });
    let end = ["eos_token_id", "eot_token_id", "eom_token_id"].into_iter().filter_map(|key| token_id(file, key));
    let description = GgufVocabulary {
        tokens: tokens(file)?,
        kinds: &kinds,
        model,
        add_prefix_space: settings.flag("add_space_prefix").unwrap_or(by_default),
        bos: token_id(file, "bos_token_id"),
        adds_bos: settings.flag("add_bos_token"),
        end: end.collect(),
        size: vocabulary,
    };
    let tokenizer = Tokenizer::from_gguf(&description)
        .map_err(|source| CheckpointError::Tokenizer { path: file.path().to_owned(), source })?;
    notes.extend_from_slice(tokenizer.notes());
    Ok(tokenizer)
}

fn byte_level<'a>(settings: &Settings<'a>, notes: &mut Vec<String>) -> Result<GgufModel<'a>, CheckpointError> {
    let pre = settings.get("pre").and_then(GgufValue::as_text).unwrap_or_else(|| {
        notes.push(
            "the file has no `tokenizer.ggml.pre`: text is cut into words by llama.cpp's default rule, which may not be \
             the rule of this model; convert the model again with a newer converter"
                .to_owned(),
        );
        "default"
    });
    let merges = settings.get("merges").and_then(GgufValue::as_texts);
    Ok(GgufModel::ByteLevel { merges: merges.ok_or_else(|| settings.missing("merges", "an array of texts"))?, pre })
}

fn sentence_piece<'a>(settings: &Settings<'a>) -> Result<GgufModel<'a>, CheckpointError> {
    const SPACES: &str = "remove_extra_whitespaces";
    if let Some(yes) = settings.get(SPACES).filter(|value| value.as_flag() == Some(true)) {
        return Err(settings.bad(SPACES, yes, "false: text is not changed before it is cut"));
    }
    let scores = settings.get("scores").and_then(GgufValue::as_floats);
    Ok(GgufModel::SentencePiece { scores: scores.ok_or_else(|| settings.missing("scores", "an array of floats"))? })
}
