//! Rotary positions in the metadata of a GGUF file.

use super::GgufValue;
use super::config::Metadata;
use crate::checkpoint::dequantise::dequantise;
use crate::checkpoint::settings::Settings;
use crate::checkpoint::{CheckpointError, RopeScaling, Yarn};

/// Divisors of the rotary frequencies, in files of models with a scaled context.
pub(super) const ROPE_DIVISORS: &str = "rope_freqs.weight";

/// The type of the scaling.
const TYPE: &str = "rope.scaling.type";

/// How the rotary frequencies are scaled, as llama.cpp does it. `context` is the file's `context_length`.
pub(super) fn scaling(
    settings: &Metadata<'_>,
    head_width: usize,
    context: usize,
) -> Result<Option<RopeScaling>, CheckpointError> {
    let divisors = divisors(settings, head_width)?;
    let factor = match settings.get(TYPE).map(|value| (value, value.as_text())) {
        None | Some((_, Some("linear"))) => factor(settings)?,
        Some((_, Some("none"))) => 1.0,
        Some((found, Some("yarn"))) => match divisors {
            None => return Ok(Some(RopeScaling::Yarn(yarn(settings, context)?))),
            Some(_) => return Err(settings.bad(TYPE, found, format!("linear or none beside `{ROPE_DIVISORS}`"))),
        },
        Some((other, _)) => {
            return Err(settings.bad(TYPE, other, "none, linear or yarn; no other is implemented"));
        }
    };
    Ok(match divisors {
        // Divisors and a linear factor apply together.
        Some(divisors) => {
            let scaled = divisors.into_iter().map(|divisor| (f64::from(divisor) * factor) as f32);
            Some(RopeScaling::Divisors(scaled.collect()))
        }
        None if factor == 1.0 => None,
        None => Some(RopeScaling::Linear { factor }),
    })
}

/// The most positions of a model, scaled.
pub(super) fn context(scaling: Option<&RopeScaling>, context: usize) -> usize {
    match scaling {
        Some(RopeScaling::Yarn(yarn)) => context.max((yarn.factor * yarn.original_context as f64) as usize),
        _ => context,
    }
}

/// The tensor of divisors, if the file has one. `[head_width / 2]`
fn divisors(settings: &Metadata<'_>, head_width: usize) -> Result<Option<Vec<f32>>, CheckpointError> {
    let file = settings.file;
    let Some(tensor) = file.tensors().iter().find(|tensor| tensor.name == ROPE_DIVISORS) else { return Ok(None) };
    let mut divisors = vec![0.0; head_width / 2];
    if tensor.shape != [divisors.len()] || tensor.kind.block_weights() != 1 {
        return Err(settings.bad(
            ROPE_DIVISORS,
            format!("a tensor {:?} of {}", tensor.shape, tensor.kind.name()),
            format!("[{}] floats", divisors.len()),
        ));
    }
    dequantise(tensor.kind, file.tensor_bytes(tensor), &mut divisors);
    match divisors.iter().find(|divisor| !divisor.is_finite() || **divisor <= 0.0) {
        Some(bad) => Err(settings.bad(ROPE_DIVISORS, format!("the divisor {bad}"), "positive numbers")),
        None => Ok(Some(divisors)),
    }
}

/// The divisor of positions; 1 where the file has none. `rope.scale_linear` is its old name, and 0 means none.
fn factor(settings: &Metadata<'_>) -> Result<f64, CheckpointError> {
    for key in ["rope.scaling.factor", "rope.scale_linear"] {
        match settings.get(key).map(GgufValue::as_float) {
            None => {}
            Some(Some(0.0)) => return Ok(1.0),
            Some(_) => return Ok(settings.optional_float(key)?.unwrap_or(1.0)),
        }
    }
    Ok(1.0)
}

/// The keys that replace a number of YaRN, and what that number must be here.
const ONLY: [(&str, f64); 3] = [
    ("rope.scaling.yarn_ext_factor", 1.0),
    ("rope.scaling.yarn_attn_factor", 1.0),
    ("rope.scaling.yarn_log_multiplier", 0.0),
];

/// YaRN with `rope.scaling.attn_factor` on top of the factor of attention that goes with the scale.
fn yarn(settings: &Metadata<'_>, context: usize) -> Result<Yarn, CheckpointError> {
    for (key, only) in ONLY {
        if let Some(other) = settings.get(key).filter(|value| value.as_float() != Some(only)) {
            return Err(settings.bad(key, other, format!("{only}; no other is implemented")));
        }
    }
    let factor = factor(settings)?;
    let or = |key: &str, default: f64| Ok::<f64, CheckpointError>(settings.optional_float(key)?.unwrap_or(default));
    Ok(Yarn {
        factor,
        original_context: settings.optional_count("rope.scaling.original_context_length")?.unwrap_or(context),
        beta_fast: or("rope.scaling.yarn_beta_fast", Yarn::BETA_FAST)?,
        beta_slow: or("rope.scaling.yarn_beta_slow", Yarn::BETA_SLOW)?,
        truncate: true,
        attention_factor: or("rope.scaling.attn_factor", 1.0)? * Yarn::attention_factor_of(factor, 1.0),
    })
}
