//! The transformer in a GPU's kernels against the CPU, which other tests hold to an independent implementation.
//!
//! They run on the first adapter that WGPU finds, in builds with the feature `wgpu`; elsewhere they say that they are
//! skipped.
#![allow(clippy::print_stdout)]

use std::path::Path;

use burn::tensor::{Device, Tensor};
use gramask_model::cache::Cache;
use gramask_model::checkpoint::Checkpoint;
use gramask_model::device::{DeviceName, available};
use gramask_model::transformer::{
    Dtype, Kernels, LoadError, ModelError, Precision, Row, Select, Transformer, WeightType,
};

const TINY: [&str; 3] = ["tiny-llama", "tiny-qwen2", "tiny-qwen3"];

/// Sums in 32 bits in another order, logits up to 20.
const ROUNDING: f32 = 2e-4;

fn gpu() -> Option<Device> {
    let Some(name) = available().into_iter().find(|d| matches!(d, DeviceName::Wgpu(_))) else {
        println!("skipped: no GPU back end in this build, or no adapter");
        return None;
    };
    Some(name.open().unwrap())
}

fn checkpoint(name: &str) -> Checkpoint {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    Checkpoint::open(&folder).unwrap()
}

fn open(name: &str, device: &Device, precision: impl Into<Precision>) -> Transformer {
    Transformer::load(&checkpoint(name), device, precision).unwrap()
}

fn tokens(count: usize, seed: usize) -> Vec<u32> {
    (0..count).map(|i| ((i + 1) * (seed * 7 + 37) % 264) as u32).collect()
}

fn numbers(logits: Tensor<2>) -> Vec<f32> {
    logits.into_data().try_to_vec().unwrap()
}

#[track_caller]
fn assert_close(what: &str, got: &[f32], want: &[f32], tolerance: f32) {
    assert_eq!(got.len(), want.len(), "{what}");
    for (i, (g, w)) in got.iter().zip(want).enumerate() {
        assert!((g - w).abs() <= tolerance, "{what}, number {i}: {g}, not {w}");
    }
}

/// What decoding does to a cache, pass by pass: the logits of each.
fn story(model: &Transformer) -> Vec<Vec<f32>> {
    let mut cache = model.cache(5, 96).unwrap();
    let mut all = Vec::new();
    let mut pass = |cache: &mut Cache, rows: &[(usize, Vec<u32>)], select: Select| {
        let rows: Vec<_> = rows.iter().map(|(slot, tokens)| Row { slot: *slot, tokens }).collect();
        all.push(numbers(model.forward(cache, &rows, select).unwrap()));
    };
    // Prompts of different lengths, in slots in disorder; one is short.
    let prompts = [(3, tokens(40, 1)), (0, tokens(23, 2)), (4, tokens(5, 3))];
    pass(&mut cache, &prompts, Select::Last);
    // Single tokens, several times, in another order.
    for step in 0..3 {
        let rows = [3, 4, 0].map(|slot| (slot, tokens(1, slot + step)));
        pass(&mut cache, &rows, Select::Last);
    }
    // A slot goes on as another, and is taken back.
    cache.copy(3, 1, 30).unwrap();
    cache.copy_range(0, 4, 4..20).unwrap();
    cache.truncate(3, 17).unwrap();
    // A prompt beside drafts and single tokens, and some of their logits.
    let rows = [(1, tokens(4, 5)), (3, tokens(1, 6)), (2, tokens(33, 7)), (0, tokens(2, 8)), (4, tokens(20, 9))];
    pass(&mut cache, &rows, Select::Tails(vec![4, 1, 1, 2, 0]));
    for step in 0..2 {
        let rows = [0, 1, 2, 3, 4].map(|slot| (slot, tokens(1, slot + step)));
        pass(&mut cache, &rows, Select::Last);
    }
    cache.clear(2).unwrap();
    pass(&mut cache, &[(2, tokens(60, 4))], Select::All);
    for step in 0..2 {
        let rows = [4, 1, 2].map(|slot| (slot, tokens(1, slot + step)));
        pass(&mut cache, &rows, Select::Last);
    }
    all
}

/// Two prompts, a draft beside a single token, and a step.
fn short_story(model: &Transformer) -> Vec<Vec<f32>> {
    let mut cache = model.cache(2, 48).unwrap();
    let passes = [
        [(1, tokens(20, 1)), (0, tokens(5, 2))],
        [(0, tokens(3, 3)), (1, tokens(1, 4))],
        [(0, tokens(1, 5)), (1, tokens(1, 6))],
    ];
    let mut pass = |rows: &[(usize, Vec<u32>)]| {
        let rows: Vec<_> = rows.iter().map(|(slot, tokens)| Row { slot: *slot, tokens }).collect();
        numbers(model.forward(&mut cache, &rows, Select::Last).unwrap())
    };
    passes.iter().map(|rows| pass(rows)).collect()
}

#[track_caller]
fn assert_same_story(what: &str, got: &[Vec<f32>], want: &[Vec<f32>], tolerance: f32) {
    assert_eq!(got.len(), want.len());
    for (number, (got, want)) in got.iter().zip(want).enumerate() {
        assert_close(&format!("{what}, pass {number}"), got, want, tolerance);
    }
}

#[test]
fn kernels_give_the_cpus_logits() {
    let Some(device) = gpu() else { return };
    for name in TINY {
        let want = story(&open(name, &Device::flex(), WeightType::F32));
        let got = story(&open(name, &device, WeightType::F32));
        assert_same_story(name, &got, &want, ROUNDING);
    }
}

#[test]
fn recorded_steps_give_the_cpus_logits() {
    let Some(device) = gpu() else { return };
    for name in TINY {
        let want = story(&open(name, &Device::flex(), WeightType::F32));
        let model = open(name, &device, WeightType::F32).with_recorded_steps();
        assert_same_story(name, &story(&model), &want, ROUNDING);
    }
}

#[test]
fn recordings_of_two_models_share_a_cache() {
    let Some(device) = gpu() else { return };
    let [one, two] = [WeightType::F32, WeightType::Q8_0].map(|w| open("tiny-qwen3", &device, w).with_recorded_steps());
    let flex = [WeightType::F32, WeightType::Q8_0].map(|w| open("tiny-qwen3", &Device::flex(), w));
    let (mut tested, mut reference_cache) = (one.cache(2, 32).unwrap(), flex[0].cache(2, 32).unwrap());
    for step in 0..8 {
        let (model, reference) = ([&one, &two][step % 2], &flex[step % 2]);
        let tokens = tokens(1, step);
        let rows = [Row { slot: 1, tokens: &tokens }, Row { slot: 0, tokens: &[5] }];
        let got = numbers(model.forward(&mut tested, &rows[..1 + step % 3 / 2], Select::Last).unwrap());
        let want = numbers(reference.forward(&mut reference_cache, &rows[..1 + step % 3 / 2], Select::Last).unwrap());
        assert_close(&format!("step {step}"), &got, &want, ROUNDING);
    }
}

#[test]
fn each_kernel_can_be_switched_off() {
    let Some(device) = gpu() else { return };
    let all = Kernels::ALL;
    let want = short_story(&open("tiny-qwen3", &Device::flex(), WeightType::F32));
    for kernels in [
        Kernels::NONE,
        Kernels { norm: false, ..all },
        Kernels { rotary: false, ..all },
        Kernels { attention: false, ..all },
        Kernels { swiglu: false, ..all },
        Kernels { product: false, ..all },
    ] {
        let model = open("tiny-qwen3", &device, WeightType::F32).with_kernels(kernels);
        assert_same_story(&format!("{kernels:?}"), &short_story(&model), &want, ROUNDING);
    }
    let model = open("tiny-qwen3", &device, WeightType::F32).without_native_code();
    assert_same_story("tensor operations", &short_story(&model), &want, ROUNDING);
}

#[test]
fn weights_in_blocks_give_the_cpus_logits() {
    let Some(device) = gpu() else { return };
    for kind in [WeightType::F16, WeightType::Q8_0, WeightType::Q4_1] {
        let want = story(&open("tiny-qwen3", &Device::flex(), kind));
        let model = open("tiny-qwen3", &device, kind);
        // Many rows of f16 are products of f16, with the activations rounded.
        let tolerance = if kind == WeightType::F16 { 0.05 } else { ROUNDING };
        assert_same_story(&kind.to_string(), &story(&model), &want, tolerance);
        assert_eq!(model.weight_bytes(), open("tiny-qwen3", &Device::flex(), kind).weight_bytes());
        let plain = short_story(&model.without_native_code());
        let want = short_story(&open("tiny-qwen3", &Device::flex(), kind));
        assert_same_story(&format!("{kind} in tensor operations"), &plain, &want, tolerance);
    }
}

#[test]
fn narrow_types_are_close_or_refused_by_name() {
    let devices = [Some(Device::flex()), gpu()];
    for device in devices.into_iter().flatten() {
        // The rounding of weights aside, which is the same on the CPU; that of 16 bits alone is left.
        for (dtype, weights, reference, tolerance) in [
            (Dtype::F16, WeightType::F16, WeightType::F16, 0.1),
            (Dtype::F16, WeightType::Q8_0, WeightType::Q8_0, 0.1),
            (Dtype::Bf16, WeightType::Bf16, WeightType::F32, 0.8),
        ] {
            let precision = Precision::from(weights).with_dtype(dtype);
            match Transformer::load(&checkpoint("tiny-qwen3"), &device, precision) {
                Ok(model) => {
                    assert!(dtype.is_supported(&device));
                    assert_eq!((model.dtype(), model.cache(1, 8).unwrap().dtype()), (dtype, dtype));
                    let exact = short_story(&open("tiny-qwen3", &Device::flex(), reference));
                    assert_same_story(&precision.to_string(), &short_story(&model), &exact, tolerance);
                    // The other ways read f32 alone.
                    let mut cache = model.cache(1, 8).unwrap();
                    let plain = model.without_native_code();
                    let rows = [Row { slot: 0, tokens: &[1] }];
                    let error = plain.forward(&mut cache, &rows, Select::Last).unwrap_err();
                    assert!(matches!(error, ModelError::CacheInAnotherType { .. }), "{error}");
                }
                Err(error) => {
                    println!("{precision}: {error}");
                    assert!(!dtype.is_supported(&device));
                    assert!(matches!(error, LoadError::Dtype { .. }), "{error}");
                    assert!(error.to_string().contains("f32"), "{error}");
                }
            }
        }
    }
    let error = Transformer::load(&checkpoint("tiny-qwen3"), &Device::flex(), WeightType::Bf16).unwrap_err();
    assert!(error.to_string().ends_with("does not compute in bf16; it has f32, f16, q8_0, q4_1"), "{error}");
}

/// With `[profiling] logger = { level = "minimal", stdout = true }` in a `cubecl.toml`, the lines between the marks are the
/// launches of one decoding step of two sequences.
#[test]
#[ignore = "says nothing without a log of launches"]
fn one_step_of_each_way() {
    let Some(device) = gpu() else { return };
    let load = || open("tiny-llama", &device, WeightType::F32);
    for (way, model) in [
        ("tensor operations", load().without_native_code()),
        ("kernels", load()),
        ("recorded", load().with_recorded_steps()),
    ] {
        let mut cache = model.cache(2, 64).unwrap();
        let (a, b) = (tokens(9, 1), tokens(12, 2));
        let prompts = [Row { slot: 0, tokens: &a }, Row { slot: 1, tokens: &b }];
        numbers(model.forward(&mut cache, &prompts, Select::Last).unwrap());
        for step in 0..2 {
            println!("== {way}, step {step}");
            let rows = [Row { slot: 0, tokens: &[7] }, Row { slot: 1, tokens: &[8] }];
            numbers(model.forward(&mut cache, &rows, Select::Last).unwrap());
        }
        println!("== end");
    }
}
