//! Tuning against inference, against finite differences, and against itself.

use std::path::{Path, PathBuf};

use burn::tensor::{Device, Tensor};
use gramask_model::checkpoint::Checkpoint;
use gramask_model::device::{DeviceName, available};
use gramask_model::tuning::{
    AdamW, AdamWSettings, Draw, Gradients, Lora, Pack, Schedule, Scratch, Sequence, Tunable, read_state, write_state,
};
use gramask_random::Rng;

pub(crate) const TINY: [&str; 4] = ["tiny-llama", "tiny-qwen2", "tiny-qwen3", "tiny-bias"];

pub(crate) fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

pub(crate) fn open(name: &str) -> Checkpoint {
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

pub(crate) fn adapted(checkpoint: &Checkpoint, lora: Lora) -> Tunable {
    let device = DeviceName::Flex.open().unwrap();
    Tunable::with_adapter(&checkpoint.config, &*checkpoint.tensors, lora, 5, &device).unwrap()
}

/// An adapter that has learnt a little, so that both of its factors count.
pub(crate) fn learnt(checkpoint: &Checkpoint, lora: Lora) -> Tunable {
    let mut model = adapted(checkpoint, lora);
    let mut optimiser = AdamW::new(AdamWSettings::default(), &model);
    for _ in 0..3 {
        let gradients = model.gradients(&pack(), 0.1, &Draw::default()).unwrap().gradients;
        optimiser.step(&mut model, gradients, 2e-2).unwrap();
    }
    model
}

/// The logits that numpy found, `[tokens, vocabulary]` of all sequences, one after the other.
pub(crate) fn golden(name: &str) -> Vec<f32> {
    let bytes = std::fs::read(folder(name).join("logits.f32")).unwrap();
    bytes.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect()
}

pub(crate) fn numbers(tensor: Tensor<2>) -> Vec<f32> {
    tensor.into_data().try_to_vec().unwrap()
}

/// Three sequences with two tokens in common.
pub(crate) const SEQUENCES: [Sequence<'static>; 3] = [
    Sequence { prompt: &[9, 8, 30, 31, 32], output: &[40, 41, 2] },
    Sequence { prompt: &[9, 8, 50], output: &[2] },
    Sequence { prompt: &[9, 8, 60, 61, 62, 63], output: &[70, 71, 72, 73, 2] },
];

pub(crate) fn pack() -> Pack {
    Pack::new(&SEQUENCES).unwrap()
}

#[track_caller]
pub(crate) fn assert_close(got: &[f32], want: &[f32], tolerance: f32) {
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
