//! SmolLM2-135M-Instruct against llama.cpp (`scripts/golden-llama-cpp.py`), on 259 positions of two texts.
//!
//! llama.cpp computes a quantised file with activations rounded to 8 bits. The golden file therefore holds two of its
//! runs: the file as it is, which is noisy, and the same weights written out as F32, which is not. The first fixes the
//! most likely token wherever it leads by more than that noise, the second everything else.
//!
//! The model is found at `$GRAMASK_MODEL`, else where `gramask pull smollm2-135m-instruct` puts it. Without it the test
//! says so and passes.
#![allow(clippy::print_stdout)]

use std::path::{Path, PathBuf};

use gramask_model::cache::Cache;
use gramask_model::checkpoint::Checkpoint;
use gramask_model::device::DeviceName;
use gramask_model::transformer::{Row, Select, Transformer, WeightChoice, WeightType};
use serde::Deserialize;

#[derive(Deserialize)]
struct Golden {
    model: String,
    sample_step: usize,
    noise: Noise,
    full: Vec<[usize; 2]>,
    sequences: Vec<Sequence>,
}

#[derive(Deserialize)]
struct Noise {
    mean: f32,
    max: f32,
}

#[derive(Deserialize)]
struct Sequence {
    text: String,
    ids: Vec<u32>,
    /// Per position the largest difference between the two runs' logits.
    noise: Vec<f32>,
    quantised: Run,
    exact: Run,
}

#[derive(Deserialize)]
struct Run {
    /// Per position the top tokens and their logits.
    top: Vec<Vec<(u32, f32)>>,
    /// Per position the logits of every `sample_step`-th token.
    sample: Vec<Vec<f32>>,
}

fn golden(file: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(file)).unwrap()
}

fn find_model(name: &str) -> Option<PathBuf> {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    if let Some(path) = set("GRAMASK_MODEL") {
        return Some(path);
    }
    let user = || set("XDG_CACHE_HOME").or_else(|| Some(set("HOME")?.join(".cache")));
    let cache = set("GRAMASK_CACHE").or_else(|| Some(user()?.join("gramask")))?;
    let places = [cache.join("models"), cache.clone(), cache.join("gramask")];
    places.iter().map(|place| place.join("smollm2-135m-instruct").join(name)).find(|path| path.is_file())
}

fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let dot = |x: &[f32], y: &[f32]| x.iter().zip(y).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum::<f64>();
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

/// All logits of one sequence, `[tokens][vocabulary]`.
fn logits(model: &Transformer, tokens: &[u32]) -> Vec<Vec<f32>> {
    let mut cache = Cache::new(model.config(), 1, tokens.len(), model.device()).unwrap();
    let logits = model.forward(&mut cache, &[Row { slot: 0, tokens }], Select::All).unwrap();
    let flat: Vec<f32> = logits.into_data().try_to_vec().unwrap();
    flat.chunks_exact(model.config().vocabulary).map(<[f32]>::to_vec).collect()
}

#[test]
fn logits_equal_those_of_llama_cpp() {
    let golden_file: Golden = serde_json::from_slice(&golden("smollm2-llama-cpp.json")).unwrap();
    let Some(path) = find_model(&golden_file.model) else {
        println!("skipped: {} is missing; pull it or set GRAMASK_MODEL", golden_file.model);
        return;
    };
    let checkpoint = Checkpoint::open(&path).unwrap();
    let device = DeviceName::Flex.open().unwrap();
    // f32 weights, and the file's own blocks, to the last digits that the golden file has; f16 weights round each weight
    // to 11 bits.
    for (weights, tolerance, least_cosine) in [
        (WeightType::F32.into(), 0.02, 0.99999),
        (WeightChoice::Stored, 0.02, 0.99999),
        (WeightType::F16.into(), 0.05, 0.9999),
    ] {
        let model = Transformer::load(&checkpoint, &device, weights).unwrap();
        let ours: Vec<_> = golden_file.sequences.iter().map(|s| logits(&model, &s.ids)).collect();
        compare(&golden_file, &ours, tolerance, least_cosine);
    }
}

fn compare(golden_file: &Golden, ours: &[Vec<Vec<f32>>], tolerance: f32, least_cosine: f64) {
    let step = golden_file.sample_step;
    let (mut positions, mut compared, mut largest, mut lowest) = (0, 0, 0f32, 1f64);
    for (sequence, ours) in golden_file.sequences.iter().zip(ours) {
        assert_eq!(ours.len(), sequence.ids.len());
        for (position, ours) in ours.iter().enumerate() {
            positions += 1;
            let place = || format!("position {position} of {:?}...", &sequence.text[..20]);
            let best = (0..ours.len() as u32).max_by(|&a, &b| ours[a as usize].total_cmp(&ours[b as usize]));

            // The file as llama.cpp computes it: the same token wherever noise on two logits can't turn the order.
            let top = &sequence.quantised.top[position];
            if top[0].1 - top[1].1 > 2.0 * sequence.noise[position] {
                compared += 1;
                assert_eq!(best, Some(top[0].0), "{}", place());
            }
            // The same weights without that noise.
            let exact = &sequence.exact.top[position];
            for (id, logit) in exact {
                let difference = (ours[*id as usize] - logit).abs();
                largest = largest.max(difference);
                assert!(difference <= tolerance, "{}: token {id}: {}, not {logit}", place(), ours[*id as usize]);
            }
            if exact[0].1 - exact[1].1 > 2.0 * tolerance {
                assert_eq!(best, Some(exact[0].0), "{}", place());
            }
            let sample: Vec<f32> = ours.iter().step_by(step).copied().collect();
            let same = cosine(&sample, &sequence.exact.sample[position]);
            lowest = lowest.min(same);
            assert!(same >= least_cosine, "{}: cosine {same}", place());
            // No further from the noisy run than the exact run is from it.
            let noisy = &sequence.quantised.sample[position];
            let (to_noisy, between) = (cosine(&sample, noisy), cosine(&sequence.exact.sample[position], noisy));
            assert!(to_noisy >= between - 1e-3, "{}: cosine {to_noisy}, noise alone gives {between}", place());
        }
    }
    assert!(positions >= 200 && compared >= 50, "{compared} of {positions} positions have a clear first token");

    let full: Vec<f32> = golden("smollm2-llama-cpp.f16")
        .as_chunks::<2>()
        .0
        .iter()
        .map(|b| half::f16::from_le_bytes(*b).to_f32())
        .collect();
    let vocabulary = full.len() / golden_file.full.len();
    for ([sequence, position], want) in golden_file.full.iter().zip(full.chunks_exact(vocabulary)) {
        let got = &ours[*sequence][*position];
        let same = cosine(got, want);
        lowest = lowest.min(same);
        assert!(same >= least_cosine, "all logits of position {position} of sequence {sequence}: cosine {same}");
    }
    println!(
        "{positions} positions: cosine >= {lowest:.7}, top logits within {largest:.4}; first token the same as on the \
         quantised path at all {compared} where it leads by more than its noise (mean {:.2}, max {:.2})",
        golden_file.noise.mean, golden_file.noise.max
    );
}
