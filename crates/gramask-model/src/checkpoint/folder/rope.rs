//! Rotary positions in a `config.json`: the base, and how the frequencies are scaled.

use super::settings::Object;
use crate::checkpoint::settings::Settings;
use crate::checkpoint::{CheckpointError, Family, RopeScaling, Yarn};
use serde_json::Value;

/// The older name of the object that says how frequencies are scaled.
const OLD: &str = "rope_scaling";
/// Its newer name; the base is in the object too.
const NEW: &str = "rope_parameters";

/// What a file says of rotary positions.
pub(super) struct Rope {
    pub theta: f64,
    /// The base of layers with a sliding window, if they have one of their own.
    pub local_theta: Option<f64>,
    pub scaling: Option<RopeScaling>,
    /// The most positions of the model, scaled.
    pub context: usize,
}

/// Reads the settings of a family. `context` is the file's `max_position_embeddings`.
pub(super) fn read(
    settings: &Object<'_>,
    family: Family,
    context: usize,
    notes: &mut Vec<String>,
) -> Result<Rope, CheckpointError> {
    let (theta, local_theta, scaling) = match family {
        Family::Gemma3 => by_layer_type(settings, context)?,
        _ => {
            let (theta, scaling) = for_all_layers(settings, context, notes)?;
            (theta, None, scaling)
        }
    };
    let context = match &scaling {
        Some(RopeScaling::Yarn(yarn)) => context.max((yarn.factor * yarn.original_context as f64) as usize),
        Some(RopeScaling::Dynamic { .. }) => {
            notes.push(format!(
                "config.json scales positions dynamically: up to {context} tokens they are not scaled, and longer \
                 sequences are refused"
            ));
            context
        }
        _ => context,
    };
    Ok(Rope { theta, local_theta, scaling, context })
}

/// The object of this name, if it is there and not empty.
fn filled<'a>(settings: &Object<'a>, key: &str) -> Option<&'a Value> {
    settings.get(key).filter(|value| value.as_object().is_none_or(|object| !object.is_empty()))
}

/// One base and one scaling. Where a file has `rope_scaling` too, it replaces `rope_parameters` as a whole, as in
/// transformers 5 (`convert_rope_params_to_dict`).
fn for_all_layers(
    settings: &Object<'_>,
    context: usize,
    notes: &mut Vec<String>,
) -> Result<(f64, Option<RopeScaling>), CheckpointError> {
    let (old, new) = (filled(settings, OLD), filled(settings, NEW));
    let key = if old.is_none() && new.is_some() { NEW } else { OLD };
    let (nothing, prefix) = (Value::Null, format!("{}{key}.", settings.prefix));
    let inner = Object { prefix: &prefix, object: settings.get(key).unwrap_or(&nothing), ..*settings };
    let theta = match inner.optional_float("rope_theta")? {
        Some(theta) => theta,
        None => settings.optional_float("rope_theta")?.unwrap_or(10_000.0),
    };
    if let (Some(_), Some(other)) = (old, new) {
        notes.push(format!("config.json has `{OLD}` and `{NEW}`; `{OLD}` is used, as in transformers 5"));
        if let Some(found) = other.get("rope_theta").and_then(Value::as_f64).filter(|&found| found != theta) {
            let expected = format!("{theta}, the base that goes with `{OLD}`; keep one of the two objects");
            return Err(settings.bad("rope_parameters.rope_theta", found, expected));
        }
    }
    Ok((theta, scaling(&inner, settings, context)?))
}

/// The base and the scaling of layers that see all positions, and the base of the others (Gemma 3). `rope_scaling` changes
/// what `rope_parameters.full_attention` says, as in transformers 5.
fn by_layer_type(
    settings: &Object<'_>,
    context: usize,
) -> Result<(f64, Option<f64>, Option<RopeScaling>), CheckpointError> {
    const FULL: &str = "full_attention";
    const LOCAL: &str = "sliding_attention";
    let new = filled(settings, NEW);
    if let Some(flat) = new.filter(|new| new.get(FULL).is_none() && new.get(LOCAL).is_none()) {
        return Err(settings.bad(NEW, flat, format!("an object with `{FULL}` and `{LOCAL}`")));
    }
    let part = |key: &str| new.and_then(|new| new.get(key)).cloned().filter(|value| !value.is_null());
    let (mut full, local) = (part(FULL).unwrap_or_else(|| Value::Object(Default::default())), part(LOCAL));
    if let (Some(full), Some(Value::Object(old))) = (full.as_object_mut(), filled(settings, OLD)) {
        full.extend(old.clone());
    }
    let nothing = Value::Null;
    let [of_full, of_local] = [FULL, LOCAL].map(|key| format!("{}{NEW}.{key}.", settings.prefix));
    let full = Object { prefix: &of_full, object: &full, ..*settings };
    let local = Object { prefix: &of_local, object: local.as_ref().unwrap_or(&nothing), ..*settings };
    let theta = |inner: &Object<'_>, older: &str, default: f64| match inner.optional_float("rope_theta")? {
        Some(theta) => Ok::<f64, CheckpointError>(theta),
        None => Ok(settings.optional_float(older)?.unwrap_or(default)),
    };
    let (global, own) = (theta(&full, "rope_theta", 1e6)?, theta(&local, "rope_local_base_freq", 1e4)?);
    if scaling(&local, settings, context)?.is_some() {
        let found = local.get("rope_type").unwrap_or(&nothing);
        return Err(local.bad("rope_type", found, "default: layers with a window are not scaled"));
    }
    Ok((global, Some(own), scaling(&full, settings, context)?))
}

/// The scaling that an object describes. `outer` is the object around it, `context` the model's most positions.
fn scaling(inner: &Object<'_>, outer: &Object<'_>, context: usize) -> Result<Option<RopeScaling>, CheckpointError> {
    let kind = inner.get("rope_type").or_else(|| inner.get("type"));
    Ok(match kind.map(|kind| (kind, kind.as_str())) {
        None | Some((_, Some("default"))) => None,
        Some((_, Some("linear"))) => Some(RopeScaling::Linear { factor: inner.float("factor")? }),
        Some((_, Some("dynamic"))) => Some(RopeScaling::Dynamic { factor: inner.float("factor")? }),
        Some((_, Some("yarn"))) => Some(RopeScaling::Yarn(yarn(inner, outer, context)?)),
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
            let expected = "default, linear, llama3, yarn or dynamic; no other is implemented";
            return Err(inner.bad("rope_type", other, expected));
        }
    })
}

/// As `_compute_yarn_parameters` of transformers 5.
fn yarn(inner: &Object<'_>, outer: &Object<'_>, context: usize) -> Result<Yarn, CheckpointError> {
    const ORIGINAL: &str = "original_max_position_embeddings";
    let original_context = match outer.optional_count(ORIGINAL)? {
        Some(original) => original,
        None => inner.optional_count(ORIGINAL)?.unwrap_or(context),
    };
    let factor = inner.optional_float("factor")?.unwrap_or(context as f64 / original_context as f64);
    let (beta_fast, beta_slow) = (inner.optional_float("beta_fast")?, inner.optional_float("beta_slow")?);
    let (beta_fast, beta_slow) = (beta_fast.unwrap_or(Yarn::BETA_FAST), beta_slow.unwrap_or(Yarn::BETA_SLOW));
    if beta_fast < beta_slow {
        return Err(inner.bad("beta_fast", beta_fast, format!("at least beta_slow, {beta_slow}")));
    }
    let of = |multiplier: f64| Yarn::attention_factor_of(factor, multiplier);
    let attention_factor = match inner.optional_float("attention_factor")? {
        Some(attention_factor) => attention_factor,
        None => match (inner.optional_float("mscale")?, inner.optional_float("mscale_all_dim")?) {
            (Some(mscale), Some(all)) => of(mscale) / of(all),
            _ => of(1.0),
        },
    };
    let truncate = inner.optional_flag("truncate")?.unwrap_or(true);
    Ok(Yarn { factor, original_context, beta_fast, beta_slow, truncate, attention_factor })
}
