//! Settings of `config.json` and of GGUF files that change the forward pass, against the Python package `transformers`
//! (`scripts/transformers-goldens.py`).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use burn::tensor::Device;
use gramask_model::cache::{Cache, CacheError};
use gramask_model::checkpoint::{Checkpoint, ModelConfig, RopeScaling, TensorSource};
use gramask_model::device::DeviceName;
use gramask_model::transformer::{Kernels, Row, Select, Transformer, WeightType};
use gramask_model::tuning::{Lora, Tunable};
use serde::Deserialize;
use serde_json::{Map, Value};

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

#[derive(Deserialize)]
struct Variants {
    ids: Vec<u32>,
    variants: BTreeMap<String, Variant>,
}

#[derive(Deserialize)]
struct Variant {
    model: String,
    config: Map<String, Value>,
}

fn variants() -> Variants {
    serde_json::from_slice(&std::fs::read(golden("variants.json")).unwrap()).unwrap()
}

/// A golden model with other settings.
fn changed(model: &str, changes: &Map<String, Value>) -> Checkpoint {
    let folder = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(golden(model)).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, folder.path().join(path.file_name().unwrap())).unwrap();
    }
    let path = folder.path().join("config.json");
    let mut config: Map<String, Value> = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    config.extend(changes.clone());
    std::fs::write(path, serde_json::to_vec(&config).unwrap()).unwrap();
    Checkpoint::open(folder.path()).unwrap()
}

fn flex() -> Device {
    DeviceName::Flex.open().unwrap()
}

fn load(config: &ModelConfig, tensors: &dyn TensorSource) -> Transformer {
    Transformer::load_from(config, tensors, &flex(), WeightType::F32, &mut |_| ()).unwrap()
}

/// All ways to compute on the CPU: in CPU kernels, in tensor operations, and in the order of a GPU's kernels.
fn on_flex(checkpoint: &Checkpoint) -> [Transformer; 3] {
    let load = || load(&checkpoint.config, &*checkpoint.tensors);
    [load(), load().without_native_code(), load().with_kernels(Kernels::ALL)]
}

fn logits(model: &Transformer, tokens: &[u32]) -> Vec<f32> {
    let mut cache = Cache::new(model.config(), 1, tokens.len(), model.device()).unwrap();
    let logits = model.forward(&mut cache, &[Row { slot: 0, tokens }], Select::All).unwrap();
    logits.into_data().try_to_vec().unwrap()
}

/// The same logits, one token after the other: keys and values of all but the newest come from the cache.
fn one_by_one(model: &Transformer, tokens: &[u32]) -> Vec<f32> {
    let mut cache = Cache::new(model.config(), 1, tokens.len(), model.device()).unwrap();
    let step = |token| {
        let logits = model.forward(&mut cache, &[Row { slot: 0, tokens: &[token] }], Select::Last).unwrap();
        logits.into_data().try_to_vec::<f32>().unwrap()
    };
    tokens.iter().copied().flat_map(step).collect()
}

fn difference(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

#[track_caller]
fn assert_golden(what: &str, got: &[f32], want: &[f32]) {
    assert_eq!(got.len(), want.len(), "{what}");
    for (i, (got, want)) in got.iter().zip(want).enumerate() {
        // The golden numbers are f16: half a unit of the last of 11 bits, and rounding of f32.
        let tolerance = want.abs() / 2048.0 + 3e-4;
        assert!((got - want).abs() <= tolerance, "{what}: number {i}: {got}, not {want}");
    }
}

#[test]
fn settings_change_logits_as_in_transformers() {
    let Variants { ids, variants } = variants();
    assert!(ids.len() >= 50);
    for (name, Variant { model, config }) in variants {
        let bytes = std::fs::read(golden("variants").join(format!("{name}.f16"))).unwrap();
        let want: Vec<f32> = bytes.as_chunks::<2>().0.iter().map(|b| half::f16::from_le_bytes(*b).to_f32()).collect();
        for computed in on_flex(&changed(&model, &config)) {
            assert_golden(&name, &logits(&computed, &ids), &want);
            assert_golden(&format!("{name}, one by one"), &one_by_one(&computed, &ids), &want);
        }
        // Dynamic scaling has no effect within the context; the others have.
        let plain = logits(&load_golden(&model), &ids);
        assert_eq!(difference(&plain, &want) > 0.5, name != "dynamic", "{name}");
    }
}

fn load_golden(model: &str) -> Transformer {
    let checkpoint = Checkpoint::open(&golden(model)).unwrap();
    load(&checkpoint.config, &*checkpoint.tensors)
}

#[test]
fn yarn_stretches_the_context_and_dynamic_scaling_ends_with_it() {
    let Variants { variants, .. } = variants();
    let open = |name: &str| changed(&variants[name].model, &variants[name].config);
    let context = |name: &str| open(name).config.context;
    assert_eq!((context("yarn"), context("yarn-mscale")), (64, 512));
    let dynamic = open("dynamic");
    assert_eq!(dynamic.config.rope_scaling, Some(RopeScaling::Dynamic { factor: 4.0 }));
    assert!(matches!(&dynamic.notes[..], [note] if note.contains("up to 64 tokens")), "{:?}", dynamic.notes);
    let error = Cache::new(&dynamic.config, 1, 65, &flex()).unwrap_err();
    assert_eq!(error, CacheError::BeyondContext { capacity: 65, context: 64 });
}

fn sequences(model: &str) -> Vec<Vec<u32>> {
    serde_json::from_slice(&std::fs::read(golden(model).join("ids.json")).unwrap()).unwrap()
}

fn fixture(name: &str) -> Checkpoint {
    Checkpoint::open(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)).unwrap()
}

#[test]
fn a_gguf_file_of_gemma_is_the_same_model_as_its_folder() {
    let (folder, gguf) = (Checkpoint::open(&golden("tiny-gemma3")).unwrap(), fixture("tiny-gemma3.gguf"));
    assert_eq!((folder.config.norm_offset, gguf.config.norm_offset), (1.0, 0.0));
    assert_eq!((folder.config.query_scalar, gguf.config.query_scalar), (Some(40.0), None));
    // The file cannot say how queries are scaled.
    let config = ModelConfig { query_scalar: None, ..folder.config.clone() };
    assert_eq!(ModelConfig { norm_offset: 1.0, ..gguf.config.clone() }, config);
    let (from_folder, from_gguf) = (load(&config, &*folder.tensors), load(&gguf.config, &*gguf.tensors));
    let tokens = &sequences("tiny-gemma3")[2];
    let same = difference(&logits(&from_folder, tokens), &logits(&from_gguf, tokens));
    assert!(same < 1e-4, "{same}");
    // And written as a folder again, it is what it was.
    let target = tempfile::tempdir().unwrap();
    gguf.write(target.path(), false).unwrap();
    let written = Checkpoint::open(target.path()).unwrap();
    assert_eq!(written.config, config);
    let written = load(&written.config, &*written.tensors);
    let same = difference(&logits(&written, tokens), &logits(&from_gguf, tokens));
    assert!(same < 1e-4, "{same}");
}

#[test]
fn a_split_gguf_file_with_biases_is_the_same_model_as_its_folder() {
    let (folder, gguf) = (Checkpoint::open(&golden("tiny-bias")).unwrap(), fixture("tiny-bias-00001-of-00003.gguf"));
    assert_eq!(folder.config, gguf.config);
    for name in folder.tensors.names() {
        assert_eq!(folder.tensors.read_f32(&name).unwrap(), gguf.tensors.read_f32(&name).unwrap(), "{name}");
    }
    // Pieces `\u{2581}a` and `ab`: the first has the higher score, and a space is put before the text.
    assert_eq!(gguf.tokenizer.encode("ab\n", false), [261, 262, 3 + 10]);
    assert_eq!((gguf.tokenizer.bos(), gguf.tokenizer.adds_bos()), (Some(1), true));
}

#[test]
fn what_training_does_not_compute_is_refused_by_name() {
    let lora = || Lora { rank: 2, ..Lora::default() };
    let error = |checkpoint: Checkpoint| {
        let tunable = Tunable::with_adapter(&checkpoint.config, &*checkpoint.tensors, lora(), 1, &flex());
        tunable.map(drop).unwrap_err().to_string()
    };
    let gemma = error(Checkpoint::open(&golden("tiny-gemma3")).unwrap());
    assert!(gemma.contains("training is not implemented for models of the family Gemma 3"), "{gemma}");
    let window = error(changed("tiny-qwen2", &variants().variants["window"].config));
    assert!(window.contains("layers with a sliding window"), "{window}");
}
