//! The shape of a model in the metadata of a GGUF file.

use std::path::Path;

use super::vocabulary::tokens;
use super::{GgufFile, GgufValue, rope};
use crate::checkpoint::settings::{Number, Settings};
use crate::checkpoint::{CheckpointError, Family, ModelConfig, SlidingWindow};

/// Reads settings of the model's architecture, which is the prefix of their keys.
pub(super) struct Metadata<'a> {
    pub file: &'a GgufFile,
    architecture: &'static str,
}

impl Metadata<'_> {
    pub fn get(&self, key: &str) -> Option<&GgufValue> {
        self.file.metadata().get(&self.full_key(key))
    }
}

impl Settings for Metadata<'_> {
    fn path(&self) -> &Path {
        self.file.path()
    }

    fn full_key(&self, key: &str) -> String {
        format!("{}.{key}", self.architecture)
    }

    fn number(&self, key: &str) -> Option<Number> {
        let value = self.get(key)?;
        // Files store f32; the shortest decimal that means the same f32 is the number that was meant.
        let meant = |number: f64| (number as f32).to_string().parse().unwrap_or(number);
        Some(Number { shown: value.to_string(), whole: value.as_unsigned(), float: value.as_float().map(meant) })
    }
}

/// The shape of the model in a file. What is unusual goes to `notes`.
pub(super) fn config(file: &GgufFile, notes: &mut Vec<String>) -> Result<ModelConfig, CheckpointError> {
    const KEY: &str = "general.architecture";
    let architecture = file.metadata().get(KEY).and_then(GgufValue::as_text).ok_or_else(|| {
        let (path, known) = (file.path().to_owned(), known_architectures());
        CheckpointError::MissingSetting { path, key: KEY.to_owned(), expected: known }
    })?;
    let family = Family::ALL.into_iter().find(|family| family.gguf_name() == architecture).ok_or_else(|| {
        let (path, found) = (file.path().to_owned(), architecture.to_owned());
        CheckpointError::UnknownArchitecture { path, found, known: known_architectures() }
    })?;
    let settings = Metadata { file, architecture: family.gguf_name() };
    refuse_what_is_not_implemented(&settings)?;
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
    let has = |name: &str| file.tensors().iter().any(|tensor| tensor.name == name);
    let context = settings.count("context_length")?;
    let rope_scaling = rope::scaling(&settings, head_width, context)?;
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
        // The conversion has added what Hugging Face's files leave out.
        norm_offset: 0.0,
        query_scalar: query_scalar(family, layers, [width, heads]).filter(|&scalar| scalar != head_width as f64),
        rope_theta: settings.optional_float("rope.freq_base")?.unwrap_or(10_000.0),
        context: rope::context(rope_scaling.as_ref(), context),
        rope_scaling,
        sliding_window: sliding_window(&settings, family, layers, notes)?,
        tied_head: !has("output.weight"),
        qkv_bias: family == Family::Qwen2 || has("blk.0.attn_q.bias"),
        output_bias: has("blk.0.attn_output.bias"),
        mlp_bias: has("blk.0.ffn_up.bias"),
        qk_norm: family.qk_norm(),
    })
}

fn refuse_what_is_not_implemented(settings: &Metadata<'_>) -> Result<(), CheckpointError> {
    if settings.get("expert_count").and_then(GgufValue::as_unsigned).is_some_and(|experts| experts > 0) {
        return Err(settings.bad("expert_count", "set", "none: mixtures of experts are not implemented"));
    }
    for key in ["attn_logit_softcapping", "final_logit_softcapping"] {
        if let Some(cap) = settings.get(key).filter(|cap| cap.as_float() != Some(0.0)) {
            return Err(settings.bad(key, cap, "0 or none: caps are not implemented"));
        }
    }
    Ok(())
}

/// As llama.cpp, which tells the largest Gemma 3 by its layers, because files do not have the number.
fn query_scalar(family: Family, layers: usize, [width, heads]: [usize; 2]) -> Option<f64> {
    (family == Family::Gemma3 && layers == 62).then(|| width as f64 / heads as f64)
}

/// The layers with a window. As in llama.cpp, Gemma 3 has it in all layers but every sixth, and the other families have none.
fn sliding_window(
    settings: &Metadata<'_>,
    family: Family,
    layers: usize,
    notes: &mut Vec<String>,
) -> Result<Option<SlidingWindow>, CheckpointError> {
    const KEY: &str = "attention.sliding_window";
    const PATTERN: &str = "attention.sliding_window_pattern";
    let width = settings.get(KEY).filter(|width| width.as_unsigned() != Some(0));
    if family != Family::Gemma3 {
        if width.is_some() {
            notes.push(format!("the file has `{}`, which llama.cpp ignores in this family", settings.full_key(KEY)));
        }
        return Ok(None);
    }
    if width.is_none() {
        return Ok(None);
    }
    let windowed = match settings.get(PATTERN) {
        Some(GgufValue::FlagList(flags)) if flags.len() == layers => flags.clone(),
        Some(GgufValue::FlagList(flags)) => {
            let found = format!("a list of {}", flags.len());
            return Err(settings.bad(PATTERN, found, format!("{layers} flags, one for each layer")));
        }
        _ => {
            let pattern = settings.optional_count(PATTERN)?.unwrap_or(6);
            (1..=layers).map(|layer| layer % pattern != 0).collect()
        }
    };
    let rope_theta = Some(settings.optional_float("rope.freq_base_swa")?.unwrap_or(10_000.0));
    Ok(Some(SlidingWindow { width: settings.count(KEY)?, layers: windowed, rope_theta }))
}

fn known_architectures() -> String {
    Family::ALL.map(Family::gguf_name).join(", ")
}
