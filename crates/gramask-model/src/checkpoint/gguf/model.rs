//! A model in a GGUF file: its configuration, and its tensors under Hugging Face's names.

use super::{GgufFile, GgufTensor, GgufValue};
use crate::chat::ChatTemplate;
use crate::checkpoint::dequantise::dequantise;
use crate::checkpoint::source::{Element, by_rows};
use crate::checkpoint::{
    BlockType, Checkpoint, CheckpointError, Family, ModelConfig, RopeScaling, TensorSource, check_tensors, identity,
    names,
};
use crate::tokenizer::{self, Tokenizer};
use half::f16;
use std::collections::BTreeMap;
use std::path::Path;

/// Divisors of the rotary frequencies, in files of models with a scaled context.
const ROPE_DIVISORS: &str = "rope_freqs.weight";
/// Larger than any real dimension, and small enough that products of two don't overflow.
const LARGEST: u64 = 1 << 28;

/// Opens a GGUF file as a checkpoint.
pub(in crate::checkpoint) fn open(path: &Path) -> Result<Checkpoint, CheckpointError> {
    let file = GgufFile::open(path)?;
    let config = config(&file)?;
    let mut notes = Vec::new();
    let tokenizer = tokenizer(&file, config.vocabulary, &mut notes)?;
    let chat = match file.metadata().get("tokenizer.chat_template").and_then(GgufValue::as_text) {
        None => None,
        Some(source) => {
            let template =
                ChatTemplate::new(source).map_err(|source| CheckpointError::Chat { path: path.to_owned(), source })?;
            let text = |key: &str| token_id(&file, key).and_then(|id| tokenizer.token_text(id));
            let (bos, eos) = (text("bos_token_id"), text("eos_token_id"));
            Some(template.with_tokens(bos.as_deref(), eos.as_deref()))
        }
    };
    let digest = identity::identity([(path, file.bytes())]);
    let tensors = GgufSource::new(file, &config);
    check_tensors(path, &config, &tensors)?;
    Ok(Checkpoint { config, tensors: Box::new(tensors), tokenizer, chat, digest, path: path.to_owned(), notes })
}

/// An id from the tokenizer's metadata.
fn token_id(file: &GgufFile, key: &str) -> Option<u32> {
    let id = file.metadata().get(&format!("tokenizer.ggml.{key}"))?.as_unsigned()?;
    u32::try_from(id).ok()
}

/// Reads settings of the model's architecture, which is the prefix of their keys.
struct Settings<'a> {
    file: &'a GgufFile,
    architecture: &'static str,
}

impl Settings<'_> {
    fn key(&self, key: &str) -> String {
        format!("{}.{key}", self.architecture)
    }

    fn get(&self, key: &str) -> Option<&GgufValue> {
        self.file.metadata().get(&self.key(key))
    }

    fn missing(&self, key: &str, expected: &str) -> CheckpointError {
        CheckpointError::MissingSetting {
            path: self.file.path().to_owned(),
            key: self.key(key),
            expected: expected.to_owned(),
        }
    }

    fn bad(&self, key: &str, found: impl ToString, expected: impl Into<String>) -> CheckpointError {
        CheckpointError::BadSetting {
            path: self.file.path().to_owned(),
            key: self.key(key),
            found: found.to_string(),
            expected: expected.into(),
        }
    }

    /// A positive whole number, if it is set.
    fn optional_count(&self, key: &str) -> Result<Option<usize>, CheckpointError> {
        match self.get(key) {
            None => Ok(None),
            Some(value) => match value.as_unsigned() {
                Some(number) if (1..=LARGEST).contains(&number) => Ok(Some(number as usize)),
                _ => Err(self.bad(key, value, format!("a whole number from 1 to {LARGEST}"))),
            },
        }
    }

    fn count(&self, key: &str) -> Result<usize, CheckpointError> {
        self.optional_count(key)?.ok_or_else(|| self.missing(key, "a whole number"))
    }

    fn optional_float(&self, key: &str) -> Result<Option<f64>, CheckpointError> {
        match self.get(key) {
            None => Ok(None),
            Some(value) => match value.as_float() {
                // Files store f32; the shortest decimal that means the same f32 is the number that was meant.
                Some(number) if number.is_finite() && number > 0.0 => {
                    Ok(Some((number as f32).to_string().parse().unwrap_or(number)))
                }
                _ => Err(self.bad(key, value, "a positive number")),
            },
        }
    }
}

/// The shape of the model in a file.
fn config(file: &GgufFile) -> Result<ModelConfig, CheckpointError> {
    const KEY: &str = "general.architecture";
    let architecture = file.metadata().get(KEY).and_then(GgufValue::as_text).ok_or_else(|| {
        let (path, known) = (file.path().to_owned(), known_architectures());
        CheckpointError::MissingSetting { path, key: KEY.to_owned(), expected: known }
    })?;
    let family = Family::ALL.into_iter().find(|family| family.gguf_name() == architecture).ok_or_else(|| {
        let (path, found) = (file.path().to_owned(), architecture.to_owned());
        CheckpointError::UnknownArchitecture { path, found, known: known_architectures() }
    })?;
    let settings = Settings { file, architecture: family.gguf_name() };
    if settings.get("expert_count").and_then(GgufValue::as_unsigned).is_some_and(|experts| experts > 0) {
        return Err(settings.bad("expert_count", "set", "none: mixtures of experts are not implemented"));
    }
    let width = settings.count("embedding_length")?;
    let heads = settings.count("attention.head_count")?;
    let kv_heads = settings.optional_count("attention.head_count_kv")?.unwrap_or(heads);
    let head_width = match settings.optional_count("attention.key_length")? {
        Some(head_width) => head_width,
        None if width % heads == 0 => width / heads,
        None => {
            return Err(settings.bad("attention.head_count", heads, format!("a divisor of the width, {width}")));
        }
    };
    if heads % kv_heads != 0 {
        let expected = format!("a divisor of the number of heads, {heads}");
        return Err(settings.bad("attention.head_count_kv", kv_heads, expected));
    }
    if head_width % 2 != 0 {
        return Err(settings.bad("attention.key_length", head_width, "an even number"));
    }
    for key in ["attention.value_length", "rope.dimension_count"] {
        if let Some(other) = settings.optional_count(key)?.filter(|&other| other != head_width) {
            return Err(settings.bad(key, other, format!("the width of a head, {head_width}")));
        }
    }
    let layers = settings.count("block_count")?;
    if layers > file.tensors().len() {
        let expected = format!("at most the number of tensors, {}", file.tensors().len());
        return Err(settings.bad("block_count", layers, expected));
    }
    let vocabulary = match settings.optional_count("vocab_size")? {
        Some(vocabulary) => vocabulary,
        None => tokens(file)?.len(),
    };
    Ok(ModelConfig {
        family,
        vocabulary,
        width,
        layers,
        heads,
        kv_heads,
        head_width,
        hidden: settings.count("feed_forward_length")?,
        norm_epsilon: settings
            .optional_float("attention.layer_norm_rms_epsilon")?
            .ok_or_else(|| settings.missing("attention.layer_norm_rms_epsilon", "a positive number"))?,
        rope_theta: settings.optional_float("rope.freq_base")?.unwrap_or(10_000.0),
        rope_scaling: rope_scaling(&settings, head_width)?,
        context: settings.count("context_length")?,
        tied_head: !file.tensors().iter().any(|tensor| tensor.name == "output.weight"),
        qkv_bias: family.qkv_bias(),
        qk_norm: family.qk_norm(),
    })
}

fn known_architectures() -> String {
    Family::ALL.map(Family::gguf_name).join(", ")
}

/// How the rotary frequencies are scaled. Divisors and a linear factor apply together, as in llama.cpp.
fn rope_scaling(settings: &Settings<'_>, head_width: usize) -> Result<Option<RopeScaling>, CheckpointError> {
    let file = settings.file;
    if let Some(tensor) = file.tensors().iter().find(|tensor| tensor.name == ROPE_DIVISORS) {
        let mut divisors = vec![0.0; head_width / 2];
        if tensor.shape != [divisors.len()] || tensor.kind.block_weights() != 1 {
            return Err(settings.bad(
                ROPE_DIVISORS,
                format!("a tensor {:?} of {}", tensor.shape, tensor.kind.name()),
                format!("[{}] floats", divisors.len()),
            ));
        }
        dequantise(tensor.kind, file.tensor_bytes(tensor), &mut divisors);
        if let Some(bad) = divisors.iter().find(|divisor| !divisor.is_finite() || **divisor <= 0.0) {
            return Err(settings.bad(ROPE_DIVISORS, format!("the divisor {bad}"), "positive numbers"));
        }
        let factor = linear_factor(settings)?;
        divisors.iter_mut().for_each(|divisor| *divisor = (f64::from(*divisor) * factor) as f32);
        return Ok(Some(RopeScaling::Divisors(divisors)));
    }
    match linear_factor(settings)? {
        1.0 => Ok(None),
        factor => Ok(Some(RopeScaling::Linear { factor })),
    }
}

/// The divisor of all positions; 1 where positions are not scaled.
///
/// As in llama.cpp: a file that gives no type scales linearly, `rope.scale_linear` is the old name of
/// `rope.scaling.factor`, and a factor of 0 means none.
fn linear_factor(settings: &Settings<'_>) -> Result<f64, CheckpointError> {
    const TYPE: &str = "rope.scaling.type";
    match settings.get(TYPE).map(|value| (value, value.as_text())) {
        None | Some((_, Some("linear"))) => {}
        Some((_, Some("none"))) => return Ok(1.0),
        Some((other, _)) => return Err(settings.bad(TYPE, other, "none or linear; no other is implemented")),
    }
    for key in ["rope.scaling.factor", "rope.scale_linear"] {
        match settings.get(key).map(GgufValue::as_float) {
            None => {}
            Some(Some(0.0)) => return Ok(1.0),
            Some(_) => return Ok(settings.optional_float(key)?.unwrap_or(1.0)),
        }
    }
    Ok(1.0)
}

fn tokens(file: &GgufFile) -> Result<&[String], CheckpointError> {
    const KEY: &str = "tokenizer.ggml.tokens";
    file.metadata().get(KEY).and_then(GgufValue::as_texts).ok_or_else(|| CheckpointError::MissingSetting {
        path: file.path().to_owned(),
        key: KEY.to_owned(),
        expected: "an array of texts".to_owned(),
    })
}

/// Builds the tokenizer that the metadata describes. What is unusual goes to `notes`.
fn tokenizer(file: &GgufFile, vocabulary: usize, notes: &mut Vec<String>) -> Result<Tokenizer, CheckpointError> {
    let get = |key: &str| file.metadata().get(&format!("tokenizer.ggml.{key}"));
    let missing = |key: &str, expected: &str| CheckpointError::MissingSetting {
        path: file.path().to_owned(),
        key: format!("tokenizer.ggml.{key}"),
        expected: expected.to_owned(),
    };
    let model = get("model").and_then(GgufValue::as_text).ok_or_else(|| missing("model", "`gpt2`"))?;
    if model != "gpt2" {
        return Err(CheckpointError::BadSetting {
            path: file.path().to_owned(),
            key: "tokenizer.ggml.model".to_owned(),
            found: format!("`{model}`"),
            expected: "`gpt2` (byte-level BPE); for other tokenizers use the Hugging Face folder".to_owned(),
        });
    }
    let kinds = match get("token_type") {
        None => Vec::new(),
        Some(GgufValue::SignedList(kinds)) => kinds.clone(),
        Some(GgufValue::UnsignedList(kinds)) => kinds.iter().map(|&kind| kind as i64).collect(),
        Some(_) => return Err(missing("token_type", "an array of numbers")),
    };
    let pre = get("pre").and_then(GgufValue::as_text).unwrap_or_else(|| {
        notes.push(
            "the file has no `tokenizer.ggml.pre`: text is cut into words by llama.cpp's default rule, which may not be \
             the rule of this model; convert the model again with a newer converter"
                .to_owned(),
        );
        "default"
    });
    let end = ["eos_token_id", "eot_token_id", "eom_token_id"].into_iter().filter_map(|key| token_id(file, key));
    let description = tokenizer::GgufVocabulary {
        tokens: tokens(file)?,
        kinds: &kinds,
        merges: get("merges").and_then(GgufValue::as_texts).ok_or_else(|| missing("merges", "an array of texts"))?,
        pre,
        add_prefix_space: get("add_space_prefix").and_then(GgufValue::as_flag).unwrap_or(false),
        bos: token_id(file, "bos_token_id"),
        adds_bos: get("add_bos_token").and_then(GgufValue::as_flag),
        end: end.collect(),
        size: vocabulary,
    };
    let tokenizer = Tokenizer::from_gguf(&description)
        .map_err(|source| CheckpointError::Tokenizer { path: file.path().to_owned(), source })?;
    notes.extend_from_slice(tokenizer.notes());
    Ok(tokenizer)
}

/// The tensors of a file under Hugging Face's names.
struct GgufSource {
    file: GgufFile,
    /// The index of each tensor in the file, and how many heads its rows are interleaved in.
    places: BTreeMap<String, (usize, Option<usize>)>,
}

impl GgufSource {
    fn new(file: GgufFile, config: &ModelConfig) -> GgufSource {
        let interleaved = |name: &str| match config.family {
            // The conversion to GGUF interleaves the two halves of each head for this architecture only.
            Family::Llama if name.ends_with(".q_proj.weight") => Some(config.heads),
            Family::Llama if name.ends_with(".k_proj.weight") => Some(config.kv_heads),
            _ => None,
        };
        let places = file.tensors().iter().enumerate().filter(|(_, tensor)| tensor.name != ROPE_DIVISORS);
        let places = places.map(|(index, tensor)| {
            let name = names::from_gguf(&tensor.name);
            let heads = interleaved(&name);
            (name, (index, heads))
        });
        GgufSource { places: places.collect(), file }
    }

    fn find(&self, name: &str) -> Option<(&GgufTensor, Option<usize>)> {
        let (index, heads) = self.places.get(name)?;
        Some((self.file.tensors().get(*index)?, *heads))
    }

    fn read<T: Element>(&self, name: &str) -> Result<Vec<T>, CheckpointError> {
        let (tensor, heads) = self.find(name).ok_or_else(|| CheckpointError::NoSuchTensor {
            path: self.file.path().to_owned(),
            tensor: name.to_owned(),
        })?;
        let columns = tensor.shape.last().copied().unwrap_or(0);
        let rows = tensor.shape.iter().rev().skip(1).product();
        let row_bytes = columns / tensor.kind.block_weights() * tensor.kind.block_bytes();
        let bytes = self.file.tensor_bytes(tensor);
        Ok(by_rows(rows, columns, |row, weights| {
            let stored = heads.map_or(row, |heads| interleaved_row(row, rows / heads));
            dequantise(tensor.kind, &bytes[stored * row_bytes..][..row_bytes], weights);
        }))
    }
}

/// Where a GGUF file of the Llama architecture has a row of a query or key matrix.
///
/// Hugging Face rotates dimension `i` of a head together with `i + head_width / 2`, ggml `2 i` together with `2 i + 1`,
/// so the conversion moves row `half * head_width / 2 + i` of each head to `2 i + half`.
fn interleaved_row(row: usize, head_width: usize) -> usize {
    let (head, within) = (row / head_width, row % head_width);
    let (half, index) = (within / (head_width / 2), within % (head_width / 2));
    head * head_width + 2 * index + half
}

impl TensorSource for GgufSource {
    fn names(&self) -> Vec<String> {
        self.places.keys().cloned().collect()
    }

    fn shape(&self, name: &str) -> Option<Vec<usize>> {
        self.find(name).map(|(tensor, _)| tensor.shape.clone())
    }

    fn stored_as(&self, name: &str) -> Option<&'static str> {
        self.find(name).map(|(tensor, _)| tensor.kind.name())
    }

    fn read_f32(&self, name: &str) -> Result<Vec<f32>, CheckpointError> {
        self.read(name)
    }

    fn read_f16(&self, name: &str) -> Result<Vec<f16>, CheckpointError> {
        self.read(name)
    }

    fn read_blocks(&self, name: &str) -> Option<(BlockType, Vec<u8>)> {
        let (tensor, heads) = self.find(name)?;
        let (kind, bytes) = (tensor.kind, self.file.tensor_bytes(tensor));
        if kind.block_weights() == 1 {
            return None;
        }
        let Some(heads) = heads else {
            return Some((kind, bytes.to_vec()));
        };
        let rows: usize = tensor.shape.iter().rev().skip(1).product();
        let row_bytes = bytes.len() / rows.max(1);
        // Whole rows change places, so blocks stay what they are.
        let row = |row: usize| &bytes[interleaved_row(row, rows / heads) * row_bytes..][..row_bytes];
        Some((kind, (0..rows).flat_map(row).copied().collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_found_where_the_conversion_put_them() {
        // Two heads of width 4: rows 0 1 2 3 of a head are stored as 0 2 1 3.
        let stored: Vec<usize> = (0..8).map(|row| interleaved_row(row, 4)).collect();
        assert_eq!(stored, [0, 2, 1, 3, 4, 6, 5, 7]);
        // Width 6: the halves 0 1 2 and 3 4 5 are shuffled into 0 3 1 4 2 5.
        let mut file = [usize::MAX; 6];
        (0..6).for_each(|row| file[interleaved_row(row, 6)] = row);
        assert_eq!(file, [0, 3, 1, 4, 2, 5]);
    }
}
