//! Adapters as the Python package PEFT keeps them: `adapter_config.json` beside `adapter_model.safetensors`.
//!
//! Tensors are called `base_model.model.` + the module's name + `.lora_A.weight` (`[rank, in]`) or `.lora_B.weight`
//! (`[out, rank]`). What PEFT can do beyond that (DoRA, PiSSA, biases, whole modules, ranks by
//! pattern, ...) is refused by name: `settings.rs` lists the settings that are allowed.

mod settings;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use half::{bf16, f16};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use serde_json::{Map, Value, json};

use settings::Modules;

use super::model::{Tunable, numbers};
use super::{Lora, Target, TuningError};
use crate::checkpoint::ModelConfig;

/// The file of the settings.
const CONFIG: &str = "adapter_config.json";
/// The file of the numbers.
const WEIGHTS: &str = "adapter_model.safetensors";
/// What PEFT puts before the names of the model's modules.
const PREFIX: &str = "base_model.model.";

/// What an adapter adds to one matrix, without the scale.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pair {
    /// `[rank, in]`
    pub a: Vec<f32>,
    /// `[out, rank]`
    pub b: Vec<f32>,
}

/// An adapter, in memory.
#[derive(Clone, Debug, PartialEq)]
pub struct Adapter {
    /// Its shape.
    pub lora: Lora,
    /// The model that it was made for, as its file says; PEFT's `base_model_name_or_path`.
    pub base: Option<String>,
    /// Where it came from, for messages.
    pub path: PathBuf,
    pairs: BTreeMap<(usize, Target), Pair>,
    modules: Modules,
}

/// How the numbers are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {
    /// 16 bits.
    F16,
    /// 32 bits.
    F32,
}

impl Adapter {
    /// Reads an adapter's folder.
    ///
    /// # Errors
    /// When a file is missing or damaged, or the adapter uses something that is not implemented.
    pub fn read(folder: &Path) -> Result<Adapter, TuningError> {
        let (config_path, path) = (folder.join(CONFIG), folder.join(WEIGHTS));
        refuse_other_folders(folder)?;
        let config = std::fs::read(&config_path).map_err(|source| io("read", &config_path, source))?;
        let config: Map<String, Value> = serde_json::from_slice(&config).map_err(|error| TuningError::File {
            path: config_path.clone(),
            message: format!("{error}; expected the JSON object that PEFT writes"),
        })?;
        settings::check(&config_path, &config)?;
        let number = |key: &str, default: f64| config.get(key).and_then(Value::as_f64).unwrap_or(default);
        let rank = number("r", 0.0) as usize;
        let bytes = std::fs::read(&path).map_err(|source| io("read", &path, source))?;
        let wrong = |message: String| TuningError::File { path: path.clone(), message };
        if bytes.starts_with(b"version https://git-lfs") {
            return Err(wrong("a Git LFS pointer, not the file itself; run `git lfs pull` in its folder".to_owned()));
        }
        let file = SafeTensors::deserialize(&bytes).map_err(|error| wrong(format!("{error}: no safetensors file")))?;
        let mut pairs: BTreeMap<(usize, Target), Pair> = BTreeMap::new();
        for (name, view) in file.tensors() {
            let (layer, target, which) = place(&name).ok_or_else(|| {
                let known = "`base_model.model.model.layers.N.self_attn.q_proj.lora_A.weight` and the like";
                wrong(format!("tensor `{name}` is none that this program knows: those are called {known}"))
            })?;
            let values = floats(&view).ok_or_else(|| {
                wrong(format!("tensor `{name}` has the type {:?}; known are F32, F16, BF16", view.dtype()))
            })?;
            check_rank(&name, view.shape(), rank, which).map_err(&wrong)?;
            let pair = pairs.entry((layer, target)).or_default();
            match which {
                'A' => pair.a = values,
                _ => pair.b = values,
            }
        }
        let mut targets: Vec<Target> = pairs.keys().map(|(_, target)| *target).collect();
        targets.sort();
        targets.dedup();
        let lora = Lora {
            rank,
            alpha: number("lora_alpha", rank as f64),
            dropout: number("lora_dropout", 0.0),
            rank_stabilised: config.get("use_rslora") == Some(&Value::Bool(true)),
            targets,
        };
        lora.validate()?;
        if let Some(((layer, target), _)) = pairs.iter().find(|(_, pair)| pair.a.is_empty() || pair.b.is_empty()) {
            return Err(wrong(format!(
                "`{}` has one of lora_A and lora_B only: both are needed",
                target.module(*layer)
            )));
        }
        let base = config.get("base_model_name_or_path").and_then(Value::as_str).map(str::to_string);
        Ok(Adapter { lora, base, path, pairs, modules: Modules::read(&config) })
    }

    /// Takes the adapter out of a model in training.
    ///
    /// # Errors
    /// When the device fails; when the model has no adapter, because all of its weights are learnt.
    pub fn of(model: &Tunable, base: Option<String>) -> Result<Adapter, TuningError> {
        let lora = model.lora().ok_or(TuningError::Setting {
            what: "lora",
            given: "not given".into(),
            right: "given, for the model to have an adapter",
        })?;
        let mut adapter = Adapter {
            lora: lora.clone(),
            base,
            path: PathBuf::from("the adapter in training"),
            pairs: BTreeMap::new(),
            modules: Modules::of(&lora.targets),
        };
        for parameter in model.parameters() {
            if let Some((layer, target, which)) = place(&format!("{PREFIX}{}", parameter.name)) {
                let values = numbers(parameter.value.clone())?;
                let pair = adapter.pairs.entry((layer, target)).or_default();
                match which {
                    'A' => pair.a = values,
                    _ => pair.b = values,
                }
            }
        }
        Ok(adapter)
    }

    /// Writes the adapter into a folder, so that PEFT can read it. Files that are there are replaced, each at one stroke.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn write(&self, folder: &Path, precision: Precision) -> Result<(), TuningError> {
        std::fs::create_dir_all(folder).map_err(|source| io("create", folder, source))?;
        let mut tensors: Vec<(String, Vec<u8>, Vec<usize>)> = Vec::new();
        for ((layer, target), pair) in &self.pairs {
            let rank = self.rank_of(pair);
            for (which, values, shape) in [
                ("A", &pair.a, vec![rank, pair.a.len() / rank.max(1)]),
                ("B", &pair.b, vec![pair.b.len() / rank.max(1), rank]),
            ] {
                let name = format!("{PREFIX}{}.lora_{which}.weight", target.module(*layer));
                let bytes = match precision {
                    Precision::F16 => values.iter().flat_map(|&x| f16::from_f32(x).to_le_bytes()).collect(),
                    Precision::F32 => values.iter().flat_map(|x| x.to_le_bytes()).collect(),
                };
                tensors.push((name, bytes, shape));
            }
        }
        let kind = match precision {
            Precision::F16 => Dtype::F16,
            Precision::F32 => Dtype::F32,
        };
        let path = folder.join(WEIGHTS);
        let wrong = |message: String| TuningError::File { path: path.clone(), message };
        let views = tensors
            .iter()
            .map(|(name, bytes, shape)| Ok((name, TensorView::new(kind, shape.clone(), bytes)?)))
            .collect::<Result<Vec<_>, safetensors::SafeTensorError>>()
            .map_err(|error| wrong(error.to_string()))?;
        let about = std::collections::HashMap::from([("format".to_string(), "pt".to_string())]);
        let bytes = safetensors::serialize(views, Some(about)).map_err(|error| wrong(error.to_string()))?;
        replace(&path, &bytes)?;
        let path = folder.join(CONFIG);
        let config = serde_json::to_string_pretty(&self.config())
            .map_err(|error| TuningError::File { path: path.clone(), message: error.to_string() })?;
        replace(&path, (config + "\n").as_bytes())
    }

    /// The settings as PEFT names them.
    fn config(&self) -> Value {
        let targets: Vec<_> = self.lora.targets.iter().map(|target| target.as_str()).collect();
        json!({
            "peft_type": "LORA",
            "task_type": "CAUSAL_LM",
            "base_model_name_or_path": self.base,
            "r": self.lora.rank,
            "lora_alpha": self.lora.alpha,
            "lora_dropout": self.lora.dropout,
            "target_modules": targets,
            "use_rslora": self.lora.rank_stabilised,
            "use_dora": false,
            "bias": "none",
            "fan_in_fan_out": false,
            "modules_to_save": null,
            "inference_mode": true,
            "init_lora_weights": true,
            "layers_to_transform": null,
            "layers_pattern": null,
            "rank_pattern": {},
            "alpha_pattern": {},
        })
    }

    /// Checks that the adapter fits a model.
    ///
    /// # Errors
    /// [`TuningError::OtherModel`] with the first tensor that does not; [`TuningError::File`] with the tensors that the
    /// settings ask for and that are missing.
    pub fn check(&self, config: &ModelConfig) -> Result<(), TuningError> {
        for ((layer, target), pair) in &self.pairs {
            let ([out, inputs], rank) = (target.shape(config), self.rank_of(pair));
            let fits = *layer < config.layers && pair.a.len() == rank * inputs && pair.b.len() == rank * out;
            if !fits {
                return Err(TuningError::OtherModel {
                    path: self.path.clone(),
                    name: format!("{PREFIX}{}.lora_A.weight", target.module(*layer)),
                    found: vec![rank, pair.a.len() / rank.max(1)],
                    expected: vec![rank, inputs],
                });
            }
        }
        self.check_complete(config)
    }

    /// Checks that every matrix has its factors for which the settings ask.
    fn check_complete(&self, config: &ModelConfig) -> Result<(), TuningError> {
        const SHOWN: usize = 4;
        let of = |layer: usize| Target::ALL.into_iter().map(move |target| (layer, target));
        let wanted =
            |&(layer, target): &(usize, Target)| self.modules.wants(layer, target, self.lora.targets.contains(&target));
        let missing = (0..config.layers).flat_map(of).filter(wanted).filter(|place| !self.pairs.contains_key(place));
        let missing: Vec<_> = missing
            .flat_map(|(layer, target)| {
                ["A", "B"].map(|ab| format!("`{PREFIX}{}.lora_{ab}.weight`", target.module(layer)))
            })
            .collect();
        if missing.is_empty() {
            return Ok(());
        }
        let more = match missing.len().saturating_sub(SHOWN) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let shown = missing[..missing.len().min(SHOWN)].join(", ");
        Err(TuningError::File {
            path: self.path.clone(),
            message: format!(
                "tensors are missing that `target_modules` of {CONFIG} asks for: {shown}{more}; \
                 the file is incomplete, save the adapter again"
            ),
        })
    }

    /// What is added to a matrix, if anything is.
    pub fn pair(&self, layer: usize, target: Target) -> Option<&Pair> {
        self.pairs.get(&(layer, target))
    }

    /// What is added to the tensor of this name, as checkpoints name it.
    pub(super) fn of_tensor(&self, name: &str) -> Option<&Pair> {
        let (layer, target, _) = place(&format!("{PREFIX}{}.lora_A.weight", name.strip_suffix(".weight")?))?;
        self.pair(layer, target)
    }

    pub(super) fn rank_of(&self, _pair: &Pair) -> usize {
        self.lora.rank
    }
}

/// The layer, the matrix and `A` or `B` of a tensor of an adapter.
fn place(name: &str) -> Option<(usize, Target, char)> {
    let rest = name.strip_prefix(PREFIX)?.strip_prefix("model.layers.")?;
    let (layer, rest) = rest.split_once('.')?;
    let layer: usize = layer.parse().ok()?;
    let (module, which) = match rest.strip_suffix(".lora_A.weight") {
        Some(module) => (module, 'A'),
        None => (rest.strip_suffix(".lora_B.weight")?, 'B'),
    };
    let target =
        Target::ALL.into_iter().find(|target| target.module(layer) == format!("model.layers.{layer}.{module}"))?;
    Some((layer, target, which))
}

/// Refuses what is often given in place of an adapter's folder, with the way out.
fn refuse_other_folders(folder: &Path) -> Result<(), TuningError> {
    let has = |name: &str| folder.join(name).exists();
    let message = if !has(CONFIG) && (has("config.json") || folder.extension().is_some_and(|end| end == "gguf")) {
        format!("a model, not an adapter: an adapter's folder has {CONFIG} and {WEIGHTS}; give this path as the model")
    } else if has(CONFIG) && !has(WEIGHTS) && has("adapter_model.bin") {
        format!(
            "no {WEIGHTS}, only adapter_model.bin, which is not read; load the adapter with PEFT and save it again with \
             `save_pretrained(folder, safe_serialization=True)`"
        )
    } else {
        return Ok(());
    };
    Err(TuningError::File { path: folder.into(), message })
}

/// Checks the side of a factor that must be the rank: `lora_A` is `[rank, in]`, `lora_B` is `[out, rank]`.
fn check_rank(name: &str, shape: &[usize], rank: usize, which: char) -> Result<(), String> {
    let (form, side) = if which == 'A' { ("[rank, in]", 0) } else { ("[out, rank]", 1) };
    match *shape {
        [_, _] if shape[side] == rank => Ok(()),
        [rows, columns] if shape[1 - side] == rank => Err(format!(
            "tensor `{name}` has the shape {shape:?}, expected [{columns}, {rows}]: it is transposed; \
             lora_{which} is {form}, and the rank is {rank}"
        )),
        _ => Err(format!("tensor `{name}` has the shape {shape:?}, expected {form} with the rank {rank}")),
    }
}

fn floats(view: &TensorView<'_>) -> Option<Vec<f32>> {
    let bytes = view.data();
    let pairs = || bytes.chunks_exact(2).map(|b| [b[0], b[1]]);
    Some(match view.dtype() {
        Dtype::F32 => bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect(),
        Dtype::F16 => pairs().map(|b| f16::from_le_bytes(b).to_f32()).collect(),
        Dtype::BF16 => pairs().map(|b| bf16::from_le_bytes(b).to_f32()).collect(),
        _ => return None,
    })
}

pub(super) fn io(action: &'static str, path: &Path, source: std::io::Error) -> TuningError {
    TuningError::Io { action, path: path.into(), source }
}

/// Writes a file beside its place and moves it there: a stop leaves the old one or the new one.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> Result<(), TuningError> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".part");
    let beside = PathBuf::from(beside);
    std::fs::write(&beside, bytes).map_err(|source| io("write", &beside, source))?;
    std::fs::rename(&beside, path).map_err(|source| io("write", path, source))
}
