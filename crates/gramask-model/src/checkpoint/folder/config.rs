//! `config.json`: the shape of a model as the Python package `transformers` writes it.

use super::settings::Object;
use super::{TEXT_CONFIG, rope};
use crate::checkpoint::settings::Settings;
use crate::checkpoint::{CheckpointError, Family, ModelConfig, SlidingWindow};
use gramask_kernels::swiglu::Gate;
use serde_json::Value;
use std::path::Path;

/// More layers than any real model has.
const MOST_LAYERS: usize = 10_000;
/// Models of Gemma 3 that also read images. Their text model is an object of its own.
const WITH_IMAGES: &str = "Gemma3ForConditionalGeneration";

/// The shape of the model that a `config.json` describes. What is unusual goes to `notes`.
pub(super) fn read(path: &Path, object: &Value, notes: &mut Vec<String>) -> Result<ModelConfig, CheckpointError> {
    let settings = Object { path, prefix: "", object, family: None };
    let (family, within) = family(&settings)?;
    let settings = match within {
        None => Object { family: Some(family), ..settings },
        Some(text) => Object { prefix: "text_config.", object: text, family: Some(family), ..settings },
    };
    refuse_what_is_not_implemented(&settings, family)?;
    let width = settings.count("hidden_size")?;
    let heads = settings.count("num_attention_heads")?;
    let kv_heads = settings.optional_count("num_key_value_heads")?.unwrap_or(heads);
    if heads % kv_heads != 0 {
        let expected = format!("a divisor of the number of heads, {heads}");
        return Err(settings.bad("num_key_value_heads", kv_heads, expected));
    }
    let head_width = match settings.optional_count("head_dim")? {
        Some(head_width) => head_width,
        None if width % heads == 0 => width / heads,
        None => return Err(settings.bad("num_attention_heads", heads, format!("a divisor of the width, {width}"))),
    };
    if head_width % 2 != 0 {
        return Err(settings.bad("head_dim", head_width, "an even number"));
    }
    let layers = settings.count("num_hidden_layers")?;
    if layers > MOST_LAYERS {
        return Err(settings.bad("num_hidden_layers", layers, format!("at most {MOST_LAYERS}")));
    }
    let context = settings.count("max_position_embeddings")?;
    let rope = rope::read(&settings, family, context, notes)?;
    let attention_bias = settings.flag("attention_bias")?;
    Ok(ModelConfig {
        family,
        vocabulary: settings.count("vocab_size")?,
        width,
        layers,
        heads,
        kv_heads,
        head_width,
        hidden: settings.count("intermediate_size")?,
        norm_epsilon: settings.optional_float("rms_norm_eps")?.unwrap_or(1e-6),
        norm_offset: family.norm_offset(),
        query_scalar: query_scalar(&settings, family)?.filter(|&scalar| scalar != head_width as f64),
        rope_theta: rope.theta,
        sliding_window: sliding_window(&settings, family, layers, rope.local_theta, notes)?,
        context: rope.context,
        rope_scaling: rope.scaling,
        tied_head: settings.optional_flag("tie_word_embeddings")?.unwrap_or(family == Family::Gemma3),
        // Qwen2's modules have the first and not the second bias, whatever the file says.
        qkv_bias: family == Family::Qwen2 || attention_bias,
        output_bias: family != Family::Qwen2 && attention_bias,
        mlp_bias: settings.flag("mlp_bias")?,
        qk_norm: family.qk_norm(),
    })
}

/// The family, by `architectures` or, in files without it, by `model_type`; and the object of the text model, if it is
/// a part of the file.
fn family<'a>(settings: &Object<'a>) -> Result<(Family, Option<&'a Value>), CheckpointError> {
    let known = || format!("{}, {WITH_IMAGES}", Family::ALL.map(Family::hugging_face_name).join(", "));
    let unknown = |found: &str| CheckpointError::UnknownArchitecture {
        path: settings.path.to_owned(),
        found: found.to_owned(),
        known: known(),
    };
    let text = || settings.get(TEXT_CONFIG).ok_or_else(|| settings.missing(TEXT_CONFIG, "an object"));
    let find = |found: &str, name: fn(Family) -> &'static str| {
        Family::ALL.into_iter().find(|family| name(*family) == found).ok_or_else(|| unknown(found))
    };
    match settings.get("architectures").and_then(|list| list.get(0)).and_then(Value::as_str) {
        Some(WITH_IMAGES) => Ok((Family::Gemma3, Some(text()?))),
        Some(name) => Ok((find(name, Family::hugging_face_name)?, None)),
        None => match settings.get("model_type").and_then(Value::as_str) {
            Some("gemma3") => Ok((Family::Gemma3, Some(text()?))),
            Some(name) => Ok((find(name, Family::model_type)?, None)),
            None => Err(settings.missing("architectures", &format!("a list with one of {}", known()))),
        },
    }
}

fn refuse_what_is_not_implemented(settings: &Object<'_>, family: Family) -> Result<(), CheckpointError> {
    if let Some(quantised) = settings.get("quantization_config") {
        let method = quantised.get("quant_method").and_then(Value::as_str).unwrap_or("an unnamed method").to_owned();
        return Err(CheckpointError::Quantised { path: settings.path.to_owned(), method });
    }
    let (key, activation) = match family.gate() {
        Gate::Silu => ("hidden_act", "silu"),
        Gate::GeluTanh => ("hidden_activation", "gelu_pytorch_tanh"),
    };
    if let Some(other) = settings.get(key).filter(|value| value.as_str() != Some(activation)) {
        return Err(settings.bad(key, other, format!("\"{activation}\"; no other is implemented for this family")));
    }
    if family != Family::Llama && settings.flag("mlp_bias")? {
        return Err(settings.bad("mlp_bias", "true", "false: this family has no such biases"));
    }
    if let Some(other) = settings.optional_float("partial_rotary_factor")?.filter(|&factor| factor != 1.0) {
        return Err(settings.bad("partial_rotary_factor", other, "1: heads are rotated as a whole"));
    }
    for key in ["attn_logit_softcapping", "final_logit_softcapping"] {
        if let Some(other) = settings.get(key) {
            return Err(settings.bad(key, other, "null: caps are not implemented"));
        }
    }
    if settings.flag("use_bidirectional_attention")? {
        let expected = "false: a decoder attends to what comes before";
        return Err(settings.bad("use_bidirectional_attention", "true", expected));
    }
    Ok(())
}

fn query_scalar(settings: &Object<'_>, family: Family) -> Result<Option<f64>, CheckpointError> {
    match family {
        Family::Gemma3 => Ok(Some(settings.optional_float("query_pre_attn_scalar")?.unwrap_or(256.0))),
        _ => Ok(None),
    }
}

/// The layers with a window. `layer_types` names them one by one; files without it give a rule.
fn sliding_window(
    settings: &Object<'_>,
    family: Family,
    layers: usize,
    rope_theta: Option<f64>,
    notes: &mut Vec<String>,
) -> Result<Option<SlidingWindow>, CheckpointError> {
    const KEY: &str = "sliding_window";
    let by_rule: Vec<bool> = match family {
        Family::Llama => {
            if settings.flag("use_sliding_window")? {
                return Err(settings.bad("use_sliding_window", "true", "false: this family has no sliding windows"));
            }
            if settings.get(KEY).is_some() {
                notes.push(format!(
                    "config.json has `{KEY}`; models of this family have none, and transformers ignores it"
                ));
            }
            return Ok(None);
        }
        Family::Qwen2 | Family::Qwen3 => {
            let first = match settings.get("max_window_layers") {
                None => 28,
                Some(value) => {
                    value.as_u64().ok_or_else(|| settings.bad("max_window_layers", value, "a whole number"))?
                }
            };
            (0..layers as u64).map(|layer| layer >= first).collect()
        }
        Family::Gemma3 => {
            let pattern = settings.optional_count("sliding_window_pattern")?.unwrap_or(layers + 1);
            (0..layers).map(|layer| (layer + 1) % pattern != 0).collect()
        }
    };
    let listed = layer_types(settings, layers)?;
    let named = listed.is_some();
    let layers = listed.unwrap_or(by_rule);
    // Qwen's files switch windows on.
    let on = family == Family::Gemma3 || settings.flag("use_sliding_window")?;
    let none = !on || settings.object.get(KEY).is_some_and(Value::is_null);
    match layers.contains(&true) {
        true if none && (named || family == Family::Gemma3) => {
            let (key, found) = if on { (KEY, "null") } else { ("use_sliding_window", "false") };
            Err(settings.bad(key, found, "another value, because some layers have a sliding window"))
        }
        true if !none => Ok(Some(SlidingWindow { width: settings.count(KEY)?, layers, rope_theta })),
        _ => Ok(None),
    }
}

/// Which layers `layer_types` gives a window.
fn layer_types(settings: &Object<'_>, layers: usize) -> Result<Option<Vec<bool>>, CheckpointError> {
    const KEY: &str = "layer_types";
    let Some(value) = settings.get(KEY) else { return Ok(None) };
    let listed = value.as_array().filter(|list| list.len() == layers).ok_or_else(|| {
        let found = value.as_array().map_or(value.to_string(), |list| format!("a list of {}", list.len()));
        settings.bad(KEY, found, format!("a list of {layers}, one for each layer"))
    })?;
    let windows = listed.iter().map(|kind| match kind.as_str() {
        Some("sliding_attention") => Ok(true),
        Some("full_attention") => Ok(false),
        _ => Err(settings.bad(KEY, kind, "sliding_attention or full_attention; no other is implemented")),
    });
    windows.collect::<Result<Vec<bool>, _>>().map(Some)
}
