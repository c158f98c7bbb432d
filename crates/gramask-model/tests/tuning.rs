//! Tuning against inference, against finite differences, and against itself.

use std::path::{Path, PathBuf};

use burn::tensor::{Device, Tensor};
use gramask_model::cache::Cache;
use gramask_model::checkpoint::Checkpoint;
use gramask_model::device::{DeviceName, available};
use gramask_model::transformer::{Row, Select, Transformer, WeightType};
use gramask_model::tuning::{
    AdamW, AdamWSettings, Adapter, Draw, Gradients, Lora, Pack, Precision, Schedule, Scratch, Sequence, Target,
    Tunable, read_state, write_state,
};
use gramask_random::Rng;

const TINY: [&str; 4] = ["tiny-llama", "tiny-qwen2", "tiny-qwen3", "tiny-bias"];

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

fn open(name: &str) -> Checkpoint {
    Checkpoint::open(&folder(name)).unwrap()
}

fn whole(checkpoint: &Checkpoint) -> Tunable {
    whole_on(checkpoint, &DeviceName::Flex.open().unwrap())
}

fn whole_on(checkpoint: &Checkpoint, device: &Device) -> Tunable {
    Tunable::whole(&checkpoint.config, &*checkpoint.tensors, device).unwrap()
}

/// The first adapter that wgpu finds.
#[allow(clippy::print_stdout, reason = "says what is skipped")]
fn gpu() -> Option<Device> {
    let name = available().into_iter().find(|name| matches!(name, DeviceName::Wgpu(_)));
    if name.is_none() {
        println!("skipped: no GPU back end in this build, or no adapter");
    }
    Some(name?.open().unwrap())
}

fn adapted(checkpoint: &Checkpoint, lora: Lora) -> Tunable {
    let device = DeviceName::Flex.open().unwrap();
    Tunable::with_adapter(&checkpoint.config, &*checkpoint.tensors, lora, 5, &device).unwrap()
}

/// An adapter that has learnt a little, so that both of its factors count.
fn learnt(checkpoint: &Checkpoint, lora: Lora) -> Tunable {
    let mut model = adapted(checkpoint, lora);
    let mut optimiser = AdamW::new(AdamWSettings::default(), &model);
    for _ in 0..3 {
        let gradients = model.gradients(&pack(), 0.1, &Draw::default()).unwrap().gradients;
        optimiser.step(&mut model, gradients, 2e-2).unwrap();
    }
    model
}

/// The logits that numpy found, `[tokens, vocabulary]` of all sequences, one after the other.
fn golden(name: &str) -> Vec<f32> {
    let bytes = std::fs::read(folder(name).join("logits.f32")).unwrap();
    bytes.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect()
}

fn numbers(tensor: Tensor<2>) -> Vec<f32> {
    tensor.into_data().try_to_vec().unwrap()
}

/// Three sequences with two tokens in common.
const SEQUENCES: [Sequence<'static>; 3] = [
    Sequence { prompt: &[9, 8, 30, 31, 32], output: &[40, 41, 2] },
    Sequence { prompt: &[9, 8, 50], output: &[2] },
    Sequence { prompt: &[9, 8, 60, 61, 62, 63], output: &[70, 71, 72, 73, 2] },
];

fn pack() -> Pack {
    Pack::new(&SEQUENCES).unwrap()
}

#[track_caller]
fn assert_close(got: &[f32], want: &[f32], tolerance: f32) {
    assert_eq!(got.len(), want.len());
    for (i, (g, w)) in got.iter().zip(want).enumerate() {
        assert!((g - w).abs() <= tolerance, "number {i}: {g}, not {w}");
    }
}

#[test]
fn the_training_forward_is_the_inference_forward() {
    for name in TINY {
        let checkpoint = open(name);
        let ids: Vec<Vec<u32>> =
            serde_json::from_slice(&std::fs::read(folder(name).join("ids.json")).unwrap()).unwrap();
        let golden = golden(name);
        let (model, vocabulary) = (whole(&checkpoint), checkpoint.config.vocabulary);
        let mut from = 0;
        for tokens in ids {
            // Every token but the last predicts the next one.
            let sequence = Sequence { prompt: &tokens[..1], output: &tokens[1..] };
            let got = numbers(model.logits(&Pack::new(&[sequence]).unwrap()).unwrap());
            let want = &golden[from * vocabulary..(from + tokens.len() - 1) * vocabulary];
            assert_close(&got, want, 5e-5);
            from += tokens.len();
        }
    }
}

#[test]
fn native_operations_are_the_portable_ones() {
    for name in TINY {
        let checkpoint = open(name);
        let dropout = Lora { dropout: 0.3, ..Lora::default() };
        let models = [whole(&checkpoint), learnt(&checkpoint, Lora::default()), learnt(&checkpoint, dropout)];
        for model in models {
            let draw = Draw(vec![3, 1]);
            let native = model.gradients(&pack(), 0.5, &draw).unwrap();
            let portable = model.without_native_code().gradients(&pack(), 0.5, &draw).unwrap();
            assert!((native.loss - portable.loss).abs() < 1e-4);
            for (one, other) in native.gradients.into_iter().zip(portable.gradients) {
                assert_close(&numbers(one), &numbers(other), 2e-4);
            }
        }
    }
}

/// On a GPU the operations between the products and their gradients are kernels.
#[test]
fn a_gpus_gradients_are_the_portable_ones() {
    let Some(device) = gpu() else { return };
    for name in TINY {
        let checkpoint = open(name);
        let lora = || Lora { dropout: 0.3, ..Lora::default() };
        let on_gpu = [
            whole_on(&checkpoint, &device),
            Tunable::with_adapter(&checkpoint.config, &*checkpoint.tensors, lora(), 5, &device).unwrap(),
        ];
        for (on_gpu, portable) in on_gpu.into_iter().zip([whole(&checkpoint), adapted(&checkpoint, lora())]) {
            let draw = Draw(vec![3, 1]);
            let got = on_gpu.gradients(&pack(), 0.5, &draw).unwrap();
            let want = portable.without_native_code().gradients(&pack(), 0.5, &draw).unwrap();
            assert!((got.loss - want.loss).abs() < 1e-3, "{name}: {} and {}", got.loss, want.loss);
            for (one, other) in got.gradients.into_iter().zip(want.gradients) {
                assert_close(&numbers(one), &numbers(other), 2e-4);
            }
        }
    }
}

#[test]
fn the_optimisers_kernels_are_the_portable_one() {
    let checkpoint = open("tiny-qwen2");
    let settings = AdamWSettings { weight_decay: 0.1, clip: 0.5, ..AdamWSettings::default() };
    let values = |mut model: Tunable| -> Vec<Vec<f32>> {
        let mut optimiser = AdamW::new(settings, &model);
        for step in 0..4 {
            // Gradients that do not follow from the parameters, so that differences do not grow.
            let gradient = |(place, p): (usize, &gramask_model::tuning::Parameter)| {
                let mut random = Rng::at(&[step, place as u64]);
                let count = p.value.dims().iter().product();
                let numbers: Vec<f32> = (0..count).map(|_| random.normal() as f32).collect();
                Tensor::from_data(burn::tensor::TensorData::new(numbers, p.value.dims()), &p.value.device())
            };
            let gradients = model.parameters().iter().enumerate().map(gradient).collect();
            optimiser.step(&mut model, gradients, 1e-2).unwrap();
        }
        model.parameters().iter().map(|p| numbers(p.value.clone())).collect()
    };
    let portable = values(whole(&checkpoint).without_native_code());
    let models = [Some(whole(&checkpoint)), gpu().map(|device| whole_on(&checkpoint, &device))];
    for model in models.into_iter().flatten() {
        for (one, other) in values(model).iter().zip(&portable) {
            assert_close(one, other, 1e-6);
        }
    }
}

/// With `[profiling] logger = { level = "minimal", stdout = true }` in a `cubecl.toml`, the lines between the marks are the
/// launches of one step over a pack: of a model with as many layers as SmolLM2-135M, and an adapter on all its matrices.
#[test]
#[ignore = "says nothing without a log of launches"]
#[allow(clippy::print_stdout, reason = "marks in the log")]
fn one_step_of_training() {
    let Some(device) = gpu() else { return };
    let scratch = Scratch { layers: 30, width: 32, heads: 4, kv_heads: 2, hidden: 64 };
    let checkpoint = scratch.checkpoint(open("tiny-llama"), 3).unwrap();
    let lora = Lora::default();
    let mut model = Tunable::with_adapter(&checkpoint.config, &*checkpoint.tensors, lora, 5, &device).unwrap();
    let mut optimiser = AdamW::new(AdamWSettings::default(), &model);
    for step in 0..2 {
        println!("== gradients, step {step}");
        let gradients = model.gradients(&pack(), 0.1, &Draw::default()).unwrap().gradients;
        println!("== optimiser, step {step}");
        optimiser.step(&mut model, gradients, 1e-3).unwrap();
        println!("== end");
    }
}

#[test]
fn a_pack_is_its_sequences_one_by_one() {
    for name in TINY {
        let checkpoint = open(name);
        let lora = Lora { rank: 2, ..Lora::default() };
        for model in [whole(&checkpoint), learnt(&checkpoint, lora)] {
            let together = model.gradients(&pack(), 0.5, &Draw::default()).unwrap();
            let mut apart = Gradients::none(&model);
            for sequence in SEQUENCES {
                let alone = Pack::new(&[sequence]).unwrap();
                assert_eq!(alone.prefix, 0);
                apart = apart.plus(model.gradients(&alone, 0.5, &Draw::default()).unwrap());
            }
            assert!((together.loss - apart.loss).abs() < 1e-4, "{} {}", together.loss, apart.loss);
            for (one, other) in together.gradients.into_iter().zip(apart.gradients) {
                assert_close(&numbers(one), &numbers(other), 2e-4);
            }
        }
    }
}

/// Along the gradient itself and along random directions, the loss's slope is the gradient's product with the direction.
#[test]
fn gradients_are_those_of_finite_differences() {
    for name in TINY {
        let checkpoint = open(name);
        let lora = Lora { rank: 3, alpha: 5.0, ..Lora::default() };
        for (kind, model) in [("whole", whole(&checkpoint)), ("adapter", learnt(&checkpoint, lora))] {
            let gradients = model.gradients(&pack(), 1.0, &Draw::default()).unwrap().gradients;
            let mut random = Rng::at(&[11]);
            for (number, gradient) in gradients.into_iter().enumerate() {
                let gradient = numbers(gradient);
                let anywhere: Vec<f32> = gradient.iter().map(|_| random.normal() as f32).collect();
                for direction in [gradient.clone(), anywhere] {
                    let length = direction.iter().map(|d| d * d).sum::<f32>().sqrt();
                    if length == 0.0 {
                        continue;
                    }
                    let direction: Vec<f32> = direction.iter().map(|d| d / length).collect();
                    let pairs = gradient.iter().zip(&direction);
                    let slope: f64 = pairs.map(|(g, d)| f64::from(*g) * f64::from(*d)).sum();
                    let at = |step: f32| {
                        let moved = model.with_moved(number, &direction, step).unwrap();
                        moved.loss(&pack()).unwrap()
                    };
                    // Two-sided, with the next term of the series taken out (Richardson).
                    let step = 1e-2;
                    let wide = (at(step) - at(-step)) / (2.0 * f64::from(step));
                    let narrow = (at(step / 2.0) - at(-step / 2.0)) / f64::from(step);
                    let found = (4.0 * narrow - wide) / 3.0;
                    let parameter = &model.parameters()[number].name;
                    assert!(
                        (found - slope).abs() < 5e-3 * slope.abs() + 1e-2,
                        "{name}, {kind}, {parameter}: the loss rises by {found}, the gradient says {slope}"
                    );
                }
            }
        }
    }
}

#[test]
fn the_loss_of_a_few_sequences_falls() {
    let checkpoint = open("tiny-llama");
    let losses = |mut model: Tunable, rate: f64| -> Vec<f64> {
        let mut optimiser = AdamW::new(AdamWSettings::default(), &model);
        let schedule = Schedule { peak: rate, floor: 0.1, warm_up: 5, steps: 60 };
        let pack = pack();
        (0..60)
            .map(|step| {
                let weight = 1.0 / pack.predictions.len() as f64;
                let found = model.gradients(&pack, weight, &Draw::default()).unwrap();
                optimiser.step(&mut model, found.gradients, schedule.rate(step)).unwrap();
                found.loss * weight
            })
            .collect()
    };
    let lora = Lora { rank: 4, ..Lora::default() };
    for (kind, curve) in
        [("whole", losses(whole(&checkpoint), 3e-3)), ("adapter", losses(adapted(&checkpoint, lora), 2e-2))]
    {
        assert!(curve[0] > 4.0, "{kind} {curve:?}");
        assert!(curve[59] < 0.1, "{kind} {curve:?}");
    }
}

#[test]
fn a_merged_adapter_is_the_unmerged_one() {
    for name in TINY {
        let checkpoint = open(name);
        let lora = Lora { rank: 3, alpha: 5.0, rank_stabilised: name == "tiny-qwen2", ..Lora::default() };
        let model = learnt(&checkpoint, lora);
        let adapter = Adapter::of(&model, None).unwrap();
        let merged = adapter.merge(open(name)).unwrap();
        let device = DeviceName::Flex.open().unwrap();
        let load = |checkpoint: &Checkpoint| Transformer::load(checkpoint, &device, WeightType::F32).unwrap();
        let of = |transformer: &Transformer| {
            let mut cache = Cache::new(&checkpoint.config, 1, 64, &device).unwrap();
            let tokens = [SEQUENCES[0].prompt, SEQUENCES[0].output].concat();
            let row = Row { slot: 0, tokens: &tokens[..tokens.len() - 1] };
            numbers(transformer.forward(&mut cache, &[row], Select::Tails(vec![3])).unwrap())
        };
        let unmerged = numbers(model.logits(&Pack::new(&SEQUENCES[..1]).unwrap()).unwrap());
        assert_close(&of(&load(&merged)), &unmerged, 1e-4);
        let plain = of(&load(&checkpoint));
        let changed = plain.iter().zip(&unmerged).any(|(a, b)| (a - b).abs() > 0.1);
        assert!(changed, "the adapter changes something");
    }
}

#[test]
fn a_training_that_is_stopped_goes_on_exactly() {
    let checkpoint = open("tiny-qwen3");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.safetensors");
    let lora = || Lora { rank: 2, dropout: 0.2, ..Lora::default() };
    let mut losses: Vec<Vec<f64>> = Vec::new();
    for stop_at in [None, Some(3)] {
        let mut model = adapted(&checkpoint, lora());
        let mut optimiser = AdamW::new(AdamWSettings::default(), &model);
        let mut curve = Vec::new();
        for step in 0..8 {
            if stop_at == Some(step) {
                write_state(&path, &model, &optimiser, &[("note", "kept".into())]).unwrap();
                model = adapted(&checkpoint, lora());
                optimiser = AdamW::new(AdamWSettings::default(), &model);
                let notes = read_state(&path, &mut model, &mut optimiser).unwrap();
                assert_eq!(notes["note"], "kept");
                assert_eq!(optimiser.steps(), step);
            }
            let found = model.gradients(&pack(), 0.1, &Draw(vec![1, step as u64])).unwrap();
            curve.push(found.loss);
            optimiser.step(&mut model, found.gradients, 1e-2).unwrap();
        }
        losses.push(curve);
    }
    assert_eq!(losses[0], losses[1]);
    let mut other = whole(&checkpoint);
    let mut optimiser = AdamW::new(AdamWSettings::default(), &other);
    let error = read_state(&path, &mut other, &mut optimiser).unwrap_err().to_string();
    assert!(error.contains("no state of this training"), "{error}");
}

#[test]
fn a_model_written_out_is_the_same_model() {
    for name in TINY {
        let checkpoint = open(name);
        let folder = tempfile::tempdir().unwrap();
        let bytes = checkpoint.write(folder.path(), false).unwrap();
        assert_eq!(bytes, 4 * checkpoint.config.parameters());
        let back = Checkpoint::open(folder.path()).unwrap();
        assert_eq!(back.config, checkpoint.config);
        assert_eq!(back.tokenizer.end_tokens(), checkpoint.tokenizer.end_tokens());
        let text = "<|im_start|>Naïve 🧬 \n x";
        for special in [true, false] {
            assert_eq!(back.tokenizer.encode(text, special), checkpoint.tokenizer.encode(text, special));
        }
        assert_eq!(whole(&back).loss(&pack()).unwrap(), whole(&checkpoint).loss(&pack()).unwrap());
        checkpoint.write(folder.path(), true).unwrap();
        let half = whole(&Checkpoint::open(folder.path()).unwrap()).loss(&pack()).unwrap();
        assert!((half - whole(&checkpoint).loss(&pack()).unwrap()).abs() < 0.05);
    }
}

#[test]
fn a_model_from_scratch_knows_nothing_and_learns() {
    let scratch = Scratch { layers: 2, width: 32, heads: 4, kv_heads: 2, hidden: 64 };
    let checkpoint = scratch.checkpoint(open("tiny-qwen3"), 3).unwrap();
    let mut model = whole(&checkpoint);
    let uniform = (checkpoint.config.vocabulary as f64).ln();
    let (pack, weight) = (pack(), 1.0 / pack().predictions.len() as f64);
    assert!((model.loss(&pack).unwrap() * weight - uniform).abs() < 0.1);
    let mut optimiser = AdamW::new(AdamWSettings::default(), &model);
    for _ in 0..80 {
        let gradients = model.gradients(&pack, weight, &Draw::default()).unwrap().gradients;
        optimiser.step(&mut model, gradients, 3e-3).unwrap();
    }
    assert!(model.loss(&pack).unwrap() * weight < 0.5);
    let odd = Scratch { heads: 3, ..scratch };
    assert!(odd.validate().unwrap_err().to_string().contains("even multiple"));
}

#[test]
fn dropout_is_addressed_and_off_outside_of_training() {
    let checkpoint = open("tiny-llama");
    let lora = Lora { dropout: 0.5, ..Lora::default() };
    let model = learnt(&checkpoint, lora);
    let loss = |draw: Vec<u64>| model.gradients(&pack(), 1.0, &Draw(draw)).unwrap().loss;
    assert_eq!(loss(vec![1, 2]), loss(vec![1, 2]));
    assert_ne!(loss(vec![1, 2]), loss(vec![1, 3]));
    assert_eq!(loss(vec![]), model.loss(&pack()).unwrap());
}

#[test]
fn adapters_are_written_as_peft_names_them_and_come_back() {
    let checkpoint = open("tiny-llama");
    let lora = Lora { rank: 2, targets: vec![Target::QProj, Target::DownProj], ..Lora::default() };
    let model = learnt(&checkpoint, lora);
    let adapter = Adapter::of(&model, Some("org/name".into())).unwrap();
    let folder = tempfile::tempdir().unwrap();
    adapter.write(folder.path(), Precision::F32).unwrap();
    let back = Adapter::read(folder.path()).unwrap();
    assert_eq!((&back.lora, &back.base), (&adapter.lora, &adapter.base));
    assert_eq!(back.pair(1, Target::DownProj), adapter.pair(1, Target::DownProj));
    let bytes = std::fs::read(folder.path().join("adapter_model.safetensors")).unwrap();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let name = "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight";
    let config = &checkpoint.config;
    assert_eq!(file.tensor(name).unwrap().shape(), [2, config.width]);
    let name = "base_model.model.model.layers.1.mlp.down_proj.lora_B.weight";
    assert_eq!(file.tensor(name).unwrap().shape(), [config.width, 2]);
    // A training goes on from it, and half precision is near.
    let device = DeviceName::Flex.open().unwrap();
    let again = Tunable::from_adapter(config, &*checkpoint.tensors, &back, &device).unwrap();
    assert_eq!(again.loss(&pack()).unwrap(), model.loss(&pack()).unwrap());
    adapter.write(folder.path(), Precision::F16).unwrap();
    let half = Adapter::read(folder.path()).unwrap();
    let again = Tunable::from_adapter(config, &*checkpoint.tensors, &half, &device).unwrap();
    assert!((again.loss(&pack()).unwrap() - model.loss(&pack()).unwrap()).abs() < 0.02);
}

/// `scripts/adapter-fixture.py` wrote the adapter as PEFT does, and computed with it in numpy.
#[test]
fn an_adapter_of_peft_says_what_numpy_says() {
    let adapter = Adapter::read(&folder("tiny-llama-adapter")).unwrap();
    assert_eq!(adapter.lora.targets, [Target::QProj, Target::VProj, Target::DownProj]);
    assert!((adapter.lora.scale() - 5.0 / 3f64.sqrt()).abs() < 1e-12);
    let checkpoint = open("tiny-llama");
    let device = DeviceName::Flex.open().unwrap();
    let unmerged = Tunable::from_adapter(&checkpoint.config, &*checkpoint.tensors, &adapter, &device).unwrap();
    let merged = Transformer::load(&adapter.merge(open("tiny-llama")).unwrap(), &device, WeightType::F32).unwrap();
    let (golden, vocabulary) = (golden("tiny-llama-adapter"), checkpoint.config.vocabulary);
    let ids: Vec<Vec<u32>> =
        serde_json::from_slice(&std::fs::read(folder("tiny-llama").join("ids.json")).unwrap()).unwrap();
    let mut from = 0;
    for tokens in ids {
        let want = &golden[from * vocabulary..(from + tokens.len()) * vocabulary];
        let mut cache = Cache::new(&checkpoint.config, 1, 64, &device).unwrap();
        let row = Row { slot: 0, tokens: &tokens };
        let got = numbers(merged.forward(&mut cache, &[row], Select::All).unwrap());
        assert_close(&got, want, 1e-4);
        let sequence = Sequence { prompt: &tokens[..1], output: &tokens[1..] };
        let got = numbers(unmerged.logits(&Pack::new(&[sequence]).unwrap()).unwrap());
        assert_close(&got, &want[..want.len() - vocabulary], 1e-4);
        from += tokens.len();
    }
}

#[test]
fn adapters_that_are_something_else_are_refused() {
    let checkpoint = open("tiny-llama");
    let folder = tempfile::tempdir().unwrap();
    let adapter = Adapter::of(&adapted(&checkpoint, Lora::default()), None).unwrap();
    adapter.write(folder.path(), Precision::F16).unwrap();
    let path = folder.path().join("adapter_config.json");
    let good = std::fs::read_to_string(&path).unwrap();
    for (from, to, words) in [
        ("\"LORA\"", "\"IA3\"", "peft_type"),
        ("\"bias\": \"none\"", "\"bias\": \"all\"", "bias"),
        ("\"use_dora\": false", "\"use_dora\": true", "use_dora"),
        ("\"modules_to_save\": null", "\"modules_to_save\": [\"lm_head\"]", "lm_head"),
        ("\"alpha_pattern\": {}", "\"alpha_pattern\": {\"q\": 1}", "alpha_pattern"),
        ("\"init_lora_weights\": true", "\"init_lora_weights\": \"pissa\"", "`init_lora_weights` is \"pissa\""),
        ("\"init_lora_weights\": true", "\"init_lora_weights\": \"pissa_niter_4\"", "merge_and_unload"),
        ("\"init_lora_weights\": true", "\"init_lora_weights\": \"olora\"", "leave the base weights alone"),
        ("\"bias\": \"none\"", "\"bias\": \"none\", \"invented_in_2030\": 3", "invented_in_2030"),
        ("{", "", "JSON"),
    ] {
        let changed = good.replacen(from, to, 1);
        assert_ne!(changed, good, "{from}");
        std::fs::write(&path, changed).unwrap();
        let error = Adapter::read(folder.path()).unwrap_err().to_string();
        assert!(error.contains("adapter_config.json") && error.contains(words), "{error}");
    }
    std::fs::write(&path, &good).unwrap();
    let read = Adapter::read(folder.path()).unwrap();
    let error = read.check(&open("tiny-qwen3").config).err().map(|e| e.to_string());
    let same = open("tiny-qwen3").config.width == checkpoint.config.width;
    assert!(same || error.is_some_and(|e| e.contains("another model")));
    std::fs::write(folder.path().join("adapter_model.safetensors"), "no").unwrap();
    assert!(Adapter::read(folder.path()).unwrap_err().to_string().contains("safetensors"));
}

/// Changes the tensors of an adapter's file.
fn change_tensors(folder: &Path, change: impl Fn(&str, &mut Vec<usize>) -> bool) {
    let path = folder.join("adapter_model.safetensors");
    let bytes = std::fs::read(&path).unwrap();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let mut kept = Vec::new();
    for (name, view) in file.tensors() {
        let mut shape = view.shape().to_vec();
        if change(&name, &mut shape) {
            kept.push((name, safetensors::tensor::TensorView::new(view.dtype(), shape, view.data()).unwrap()));
        }
    }
    std::fs::write(&path, safetensors::serialize(kept, None).unwrap()).unwrap();
}

#[test]
fn incomplete_and_transposed_adapters_are_refused() {
    let checkpoint = open("tiny-llama");
    let write = || {
        let folder = tempfile::tempdir().unwrap();
        let adapter = Adapter::of(&adapted(&checkpoint, Lora::default()), None).unwrap();
        adapter.write(folder.path(), Precision::F16).unwrap();
        (folder, adapter.lora.rank)
    };
    let (folder, _) = write();
    let merge = |folder: &Path| {
        let adapter = Adapter::read(folder).map_err(|error| error.to_string())?;
        adapter.merge(open("tiny-llama")).map(drop).map_err(|error| error.to_string())
    };
    assert_eq!(merge(folder.path()), Ok(()));
    change_tensors(folder.path(), |name, _| !name.contains("layers.1.self_attn.q_proj"));
    let error = merge(folder.path()).unwrap_err();
    let missing = "`base_model.model.model.layers.1.self_attn.q_proj.lora_A.weight`, \
                   `base_model.model.model.layers.1.self_attn.q_proj.lora_B.weight`";
    assert!(error.contains("adapter_model.safetensors: tensors are missing") && error.contains(missing), "{error}");
    // An adapter of one layer says so.
    let config = folder.path().join("adapter_config.json");
    let text = std::fs::read_to_string(&config).unwrap();
    let one_layer = text.replace("\"layers_to_transform\": null", "\"layers_to_transform\": [0]");
    assert_ne!(one_layer, text);
    std::fs::write(&config, one_layer).unwrap();
    assert_eq!(merge(folder.path()), Ok(()));

    let (folder, rank) = write();
    let width = checkpoint.config.width;
    assert_ne!(rank, width);
    change_tensors(folder.path(), |name, shape| {
        if name.ends_with("layers.0.self_attn.q_proj.lora_A.weight") {
            shape.reverse();
        }
        true
    });
    let error = merge(folder.path()).unwrap_err();
    let expected =
        format!("layers.0.self_attn.q_proj.lora_A.weight` has the shape [{width}, {rank}], expected [{rank}, {width}]");
    assert!(error.contains(&expected), "{error}");
}

#[test]
fn folders_that_are_no_adapters_are_told_apart() {
    let message = |folder: &Path| Adapter::read(folder).unwrap_err().to_string();
    assert!(message(&folder("tiny-llama")).contains("a model, not an adapter"));
    let elsewhere = tempfile::tempdir().unwrap();
    std::fs::copy(
        folder("tiny-llama-adapter").join("adapter_config.json"),
        elsewhere.path().join("adapter_config.json"),
    )
    .unwrap();
    std::fs::write(elsewhere.path().join("adapter_model.bin"), "pickled").unwrap();
    assert!(message(elsewhere.path()).contains("only adapter_model.bin"));
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n";
    std::fs::write(elsewhere.path().join("adapter_model.safetensors"), pointer).unwrap();
    assert!(message(elsewhere.path()).contains("git lfs pull"));
}
