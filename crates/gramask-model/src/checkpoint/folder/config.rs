//! `config.json`: the shape of a model as the Python package `transformers` writes it.

use crate::checkpoint::{CheckpointError, Family, ModelConfig, RopeScaling};
use serde_json::Value;
use std::path::Path;

/// Larger than any real dimension, and small enough that products of two don't overflow.
const LARGEST: u64 = 1 << 28;
/// More layers than any real model has.
const MOST_LAYERS: usize = 10_000;

/// Reads settings of one JSON object.
struct Settings<'a> {
    path: &'a Path,
    /// What the keys of this object are prefixed with in messages.
    prefix: &'a str,
    object: &'a Value,
}

impl Settings<'_> {
    /// A setting; null counts as absent.
    fn get(&self, key: &str) -> Option<&Value> {
        self.object.get(key).filter(|value| !value.is_null())
    }

    fn bad(&self, key: &str, found: impl ToString, expected: impl Into<String>) -> CheckpointError {
        CheckpointError::BadSetting {
            path: self.path.to_owned(),
            key: format!("{}{key}", self.prefix),
            found: found.to_string(),
            expected: expected.into(),
        }
    }

    fn missing(&self, key: &str, expected: &str) -> CheckpointError {
        CheckpointError::MissingSetting {
            path: self.path.to_owned(),
            key: format!("{}{key}", self.prefix),
            expected: expected.to_owned(),
        }
    }

    fn optional_count(&self, key: &str) -> Result<Option<usize>, CheckpointError> {
        match self.get(key) {
            None => Ok(None),
            Some(value) => match value.as_u64() {
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
            Some(value) => match value.as_f64() {
                Some(number) if number.is_finite() && number > 0.0 => Ok(Some(number)),
                _ => Err(self.bad(key, value, "a positive number")),
            },
        }
    }

    fn float(&self, key: &str) -> Result<f64, CheckpointError> {
        self.optional_float(key)?.ok_or_else(|| self.missing(key, "a positive number"))
    }

    fn flag(&self, key: &str) -> Result<bool, CheckpointError> {
        match self.get(key) {
            None => Ok(false),
            Some(value) => value.as_bool().ok_or_else(|| self.bad(key, value, "true or false")),
        }
    }
}

/// The shape of the model that a `config.json` describes. What is unusual goes to `notes`.
pub(super) fn read(path: &Path, object: &Value, notes: &mut Vec<String>) -> Result<ModelConfig, CheckpointError> {
    let settings = Settings { path, prefix: "", object };
    let family = family(&settings)?;
    refuse_what_is_not_implemented(&settings)?;
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
    let (rope_theta, rope_scaling) = rope(&settings, notes)?;
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
        rope_theta,
        rope_scaling,
        context: settings.count("max_position_embeddings")?,
        tied_head: settings.flag("tie_word_embeddings")?,
        qkv_bias: family.qkv_bias(),
        qk_norm: family.qk_norm(),
    })
}

/// The family, by `architectures` or, in files without it, by `model_type`.
fn family(settings: &Settings<'_>) -> Result<Family, CheckpointError> {
    let known = || Family::ALL.map(Family::hugging_face_name).join(", ");
    let unknown = |found: &str| CheckpointError::UnknownArchitecture {
        path: settings.path.to_owned(),
        found: found.to_owned(),
        known: known(),
    };
    match settings.get("architectures").and_then(|list| list.get(0)).and_then(Value::as_str) {
        Some(name) => {
            Family::ALL.into_iter().find(|family| family.hugging_face_name() == name).ok_or_else(|| unknown(name))
        }
        None => match settings.get("model_type").and_then(Value::as_str) {
            Some(name) => {
                Family::ALL.into_iter().find(|family| family.gguf_name() == name).ok_or_else(|| unknown(name))
            }
            None => Err(settings.missing("architectures", &format!("a list with one of {}", known()))),
        },
    }
}

fn refuse_what_is_not_implemented(settings: &Settings<'_>) -> Result<(), CheckpointError> {
    if let Some(quantised) = settings.get("quantization_config") {
        let method = quantised.get("quant_method").and_then(Value::as_str).unwrap_or("an unnamed method").to_owned();
        return Err(CheckpointError::Quantised { path: settings.path.to_owned(), method });
    }
    if let Some(other) = settings.get("hidden_act").filter(|value| value.as_str() != Some("silu")) {
        return Err(settings.bad("hidden_act", other, "\"silu\"; no other is implemented"));
    }
    for key in ["attention_bias", "mlp_bias"] {
        if settings.flag(key)? {
            return Err(settings.bad(key, "true", "false: these biases are not implemented"));
        }
    }
    if settings.flag("use_sliding_window")? {
        return Err(settings.bad("use_sliding_window", "true", "false: sliding windows are not implemented"));
    }
    if let Some(other) = settings.optional_float("partial_rotary_factor")?.filter(|&factor| factor != 1.0) {
        return Err(settings.bad("partial_rotary_factor", other, "1: heads are rotated as a whole"));
    }
    Ok(())
}

/// Base and scaling of the rotary frequencies, which newer files have together in `rope_parameters`.
///
/// Where a file has `rope_scaling` too, it replaces `rope_parameters` as a whole, as in transformers 5
/// (`convert_rope_params_to_dict`).
fn rope(settings: &Settings<'_>, notes: &mut Vec<String>) -> Result<(f64, Option<RopeScaling>), CheckpointError> {
    const OLD: &str = "rope_scaling";
    const NEW: &str = "rope_parameters";
    let filled =
        |key: &str| settings.get(key).filter(|value| value.as_object().is_none_or(|object| !object.is_empty()));
    let (key, prefix) = match (filled(OLD), filled(NEW)) {
        (None, Some(_)) => (NEW, "rope_parameters."),
        _ => (OLD, "rope_scaling."),
    };
    let nothing = Value::Null;
    let inner = Settings { path: settings.path, prefix, object: settings.get(key).unwrap_or(&nothing) };
    let theta = match inner.optional_float("rope_theta")? {
        Some(theta) => theta,
        None => settings.optional_float("rope_theta")?.unwrap_or(10_000.0),
    };
    if let Some(other) = filled(NEW).filter(|_| key == OLD && filled(OLD).is_some()) {
        notes.push(format!("config.json has `{OLD}` and `{NEW}`; `{OLD}` is used, as in transformers 5"));
        if let Some(found) = other.get("rope_theta").and_then(Value::as_f64).filter(|&found| found != theta) {
            let expected = format!("{theta}, the base that goes with `{OLD}`; keep one of the two objects");
            return Err(settings.bad("rope_parameters.rope_theta", found, expected));
        }
    }
    let kind = inner.get("rope_type").or_else(|| inner.get("type"));
    let scaling = match kind.map(|kind| (kind, kind.as_str())) {
        None | Some((_, Some("default"))) => None,
        Some((_, Some("linear"))) => Some(RopeScaling::Linear { factor: inner.float("factor")? }),
        Some((_, Some("llama3"))) => {
            let (low, high) = (inner.float("low_freq_factor")?, inner.float("high_freq_factor")?);
            if low >= high {
                return Err(inner.bad("low_freq_factor", low, format!("less than high_freq_factor, {high}")));
            }
            Some(RopeScaling::Llama3 {
                factor: inner.float("factor")?,
                low_frequency_factor: low,
                high_frequency_factor: high,
                original_context: inner.count("original_max_position_embeddings")?,
            })
        }
        Some((other, _)) => {
            return Err(inner.bad("rope_type", other, "default, linear or llama3; no other is implemented"));
        }
    };
    Ok((theta, scaling))
}
