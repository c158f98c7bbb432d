//! `adapter_config.json`: which settings of PEFT are known to be harmless, and which matrices they ask for.

use std::path::Path;

use serde_json::{Map, Value};

use crate::tuning::{Target, TuningError};

/// Settings that are read, or that change nothing once the adapter is trained. Any other setting must be empty.
const HARMLESS: [&str; 19] = [
    "auto_mapping",
    "base_model_name_or_path",
    "ensure_weight_tying",
    "eva_config",
    "exclude_modules",
    "inference_mode",
    "layers_pattern",
    "layers_to_transform",
    "lora_alpha",
    "lora_dropout",
    "megatron_core",
    "peft_version",
    "qalora_group_size",
    "r",
    "revision",
    "runtime_config",
    "target_modules",
    "task_type",
    "use_rslora",
];

/// Refuses settings that would make the adapter another function than the one computed here.
///
/// PEFT gains settings with every version, so this is a list of what is allowed. A setting that is not in the list is
/// accepted only where it is null, false or empty.
pub(super) fn check(path: &Path, config: &Map<String, Value>) -> Result<(), TuningError> {
    let empty = |value: &Value| match value {
        Value::Null | Value::Bool(false) => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(entries) => entries.is_empty(),
        _ => false,
    };
    let unsupported = |key: &str, found: &Value, known| TuningError::Unsupported {
        path: path.into(),
        key: key.into(),
        found: found.to_string(),
        known,
    };
    let kind = config.get("peft_type").unwrap_or(&Value::Null);
    if kind != "LORA" {
        return Err(unsupported("peft_type", kind, "\"LORA\""));
    }
    for (key, value) in config {
        match key.as_str() {
            "peft_type" => {}
            "bias" if value.is_null() || value == "none" => {}
            "bias" => return Err(unsupported(key, value, "\"none\"")),
            // PiSSA, OLoRA, CorDA, LoftQ and LoRA-GA subtract from the base weights what the adapter begins with.
            "init_lora_weights" => match value {
                Value::Null | Value::Bool(_) => {}
                Value::String(name) if matches!(name.as_str(), "gaussian" | "orthogonal" | "eva") => {}
                _ => {
                    let known =
                        "true, false, \"gaussian\", \"orthogonal\" and \"eva\", which leave the base weights alone";
                    return Err(unsupported(key, value, known));
                }
            },
            key if HARMLESS.contains(&key) || empty(value) => {}
            key => return Err(unsupported(key, value, "adapters without it")),
        }
    }
    Ok(())
}

/// The matrices that an adapter has factors for, by its settings.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Modules {
    /// Those whose names end so, in some layers or in all, without the excluded ones.
    Named {
        /// `target_modules`.
        targets: Vec<String>,
        /// `exclude_modules`.
        excluded: Vec<String>,
        /// `layers_to_transform`.
        layers: Option<Vec<usize>>,
    },
    /// The settings give a regular expression or nothing: then each target with factors has them in every layer.
    Unnamed,
}

impl Modules {
    /// Reads the settings.
    pub(super) fn read(config: &Map<String, Value>) -> Modules {
        let given = |key: &str| config.get(key).filter(|value| !value.is_null());
        let names = |value: &Value| -> Option<Vec<String>> {
            value.as_array()?.iter().map(|name| Some(name.as_str()?.to_owned())).collect()
        };
        let targets = match given("target_modules") {
            Some(Value::String(name)) if name == "all-linear" => Some(every_target()),
            Some(value) => names(value).filter(|names| !names.is_empty()),
            None => None,
        };
        let excluded = given("exclude_modules").map_or(Some(Vec::new()), names);
        let index = |value: &Value| value.as_u64().and_then(|layer| usize::try_from(layer).ok());
        let layers = given("layers_to_transform").map(|value| match value.as_array() {
            Some(layers) => layers.iter().filter_map(index).collect(),
            None => index(value).into_iter().collect(),
        });
        match (targets, excluded) {
            (Some(targets), Some(excluded)) => Modules::Named { targets, excluded, layers },
            _ => Modules::Unnamed,
        }
    }

    /// Every matrix of these targets, in every layer.
    pub(super) fn of(targets: &[Target]) -> Modules {
        let targets = targets.iter().map(|target| target.as_str().to_owned()).collect();
        Modules::Named { targets, excluded: Vec::new(), layers: None }
    }

    /// Whether the settings ask for factors of this matrix. `has_factors` says whether the target has them in any layer.
    pub(super) fn wants(&self, layer: usize, target: Target, has_factors: bool) -> bool {
        let module = target.module(layer);
        let named = |names: &[String]| {
            names.iter().any(|name| {
                module.strip_suffix(name.as_str()).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
            })
        };
        match self {
            Modules::Named { targets, excluded, layers } => {
                named(targets) && !named(excluded) && layers.as_ref().is_none_or(|layers| layers.contains(&layer))
            }
            Modules::Unnamed => has_factors,
        }
    }
}

fn every_target() -> Vec<String> {
    Target::ALL.iter().map(|target| target.as_str().to_owned()).collect()
}
