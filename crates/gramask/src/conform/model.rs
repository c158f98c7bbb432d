//! Whole models: the logits of prompts, of single tokens after them, and of drafts.

use burn::tensor::Device;
use gramask_model::checkpoint::{Checkpoint, Family, ModelConfig, SeededTensors};
use gramask_model::device::Dtype;
use gramask_model::transformer::{Precision, Row, Select, Transformer, WeightChoice, WeightType};

use super::check::{Check, Failure, Group, Tally};
use super::pair::{Numbers, Pair, floats_of};

/// Tokens of the vocabulary `bytes`.
const VOCABULARY: usize = 965;

/// How weights are kept in a test: in what its device computes in, as far as the reference keeps such weights.
pub(super) fn weights_of(pair: &Pair) -> WeightChoice {
    match pair.float_type {
        Dtype::F32 => WeightType::F32.into(),
        Dtype::F16 | Dtype::Bf16 => WeightType::F16.into(),
    }
}

/// What a model is loaded in: on the device in the type that is tested, on the reference in 32 bits.
pub(super) fn precision_on(pair: &Pair, device: &Device, weights: WeightChoice) -> Precision {
    let tested = *device == pair.device && pair.device != pair.reference;
    Precision::from(weights).with_dtype(if tested { pair.float_type } else { Dtype::F32 })
}

pub(super) fn checks(pair: &Pair) -> Vec<Check> {
    let mut checks = Vec::new();
    for family in Family::ALL {
        let name = format!("{} of two layers, logits", family.gguf_name());
        checks.push(Check::new(Group::Model, name, move |pair| small(pair, family, weights_of(pair))));
    }
    checks.push(Check::new(Group::Model, "llama of two layers, weights in f16, logits", |pair| {
        match pair.device.supports_dtype(burn::tensor::FloatDType::F16) {
            true => small(pair, Family::Llama, WeightType::F16.into()),
            false => Ok(Tally::skipped("the device has no f16")),
        }
    }));
    if let Some(model) = &pair.model {
        let name = format!("{}, logits", model.name);
        let path = model.path.clone();
        checks.push(Check::new(Group::Model, name, move |pair| {
            let checkpoint = Checkpoint::open(&path)?;
            let load = |device: &Device| {
                let model = Transformer::load(&checkpoint, device, precision_on(pair, device, weights_of(pair)))?;
                Ok::<_, Failure>(as_decoded(pair, device, model))
            };
            logits(pair, [load(&pair.device)?, load(&pair.reference)?])
        }));
    }
    checks
}

/// The model as it decodes on this device: the device under test records its steps if that is asked for.
pub(super) fn as_decoded(pair: &Pair, device: &Device, model: Transformer) -> Transformer {
    match pair.record_steps && *device == pair.device {
        true => model.with_recorded_steps(),
        false => model,
    }
}

/// A model of seeded weights.
pub(super) fn seeded(
    pair: &Pair,
    config: &ModelConfig,
    device: &Device,
    weights: WeightChoice,
) -> Result<Transformer, Failure> {
    let tensors = SeededTensors::new(config, 20);
    let precision = precision_on(pair, device, weights);
    let model = Transformer::load_from(config, &tensors, device, precision, &mut |_| ())?;
    Ok(as_decoded(pair, device, model))
}

fn small(pair: &Pair, family: Family, weights: WeightChoice) -> Result<Tally, Failure> {
    let config = SeededTensors::small(family, VOCABULARY);
    let load = |device: &Device| seeded(pair, &config, device, weights);
    logits(pair, [load(&pair.device)?, load(&pair.reference)?])
}

/// New tokens of a slot, and for how many of the last of them logits are wanted.
type Fed = (usize, Vec<u32>, usize);

/// What a test feeds: prompts of different lengths, one beyond a block of queries; then single tokens, across the borders
/// of buckets of keys; then drafts beside single tokens.
fn passes(vocabulary: usize, quick: bool) -> Vec<Vec<Fed>> {
    let mut numbers = Numbers::new(30);
    let mut tokens = |count: usize| -> Vec<u32> { (0..count).map(|_| numbers.below(vocabulary) as u32).collect() };
    let long = if quick { 70 } else { 150 };
    let mut passes = vec![vec![(0, tokens(5), 5), (2, tokens(long), 2), (1, tokens(62), 1)]];
    for _ in 0..if quick { 2 } else { 4 } {
        passes.push((0..3).map(|slot| (slot, tokens(1), 1)).collect());
    }
    passes.push(vec![(1, tokens(4), 4), (0, tokens(1), 1)]);
    passes.push(vec![(2, tokens(1), 1)]);
    passes
}

/// The logits of both models over the same passes.
fn logits(pair: &Pair, [there, here]: [Transformer; 2]) -> Result<Tally, Failure> {
    let tolerances = match here.weights() {
        WeightChoice::As(kind) => pair.tolerances.with_weights(kind),
        WeightChoice::Stored => pair.tolerances,
    };
    let mut tally = Tally::within(tolerances.logits);
    let vocabulary = here.config().vocabulary;
    let mut caches = [there.cache(3, 256)?, here.cache(3, 256)?];
    for (number, fed) in passes(vocabulary, pair.quick).iter().enumerate() {
        let rows: Vec<Row<'_>> = fed.iter().map(|(slot, tokens, _)| Row { slot: *slot, tokens }).collect();
        let tails: Vec<usize> = fed.iter().map(|(_, _, wanted)| *wanted).collect();
        let [cache_there, cache_here] = &mut caches;
        let got = there.forward(cache_there, &rows, Select::Tails(tails.clone()))?;
        let got = floats_of(&pair.device, got)?;
        let expected = here.forward(cache_here, &rows, Select::Tails(tails))?;
        let expected = floats_of(&pair.reference, expected)?;
        compare(&mut tally, &format!("pass {number}"), &got, &expected, vocabulary);
    }
    Ok(tally)
}

/// Compares rows of logits, in units of each row's standard deviation.
pub(super) fn compare(tally: &mut Tally, what: &str, got: &[f32], expected: &[f32], vocabulary: usize) {
    if got.len() != expected.len() {
        return tally.compare_all(what, got, expected);
    }
    for (row, (got, expected)) in got.chunks_exact(vocabulary).zip(expected.chunks_exact(vocabulary)).enumerate() {
        let spread = deviation(expected);
        for (token, (got, expected)) in got.iter().zip(expected).enumerate() {
            let what = || format!("{what}, row {row}, token {token}");
            tally.compare_scaled(what, (*got).into(), (*expected).into(), spread);
        }
    }
}

/// The standard deviation; 1 where there is none.
pub(super) fn deviation(values: &[f32]) -> f64 {
    let count = values.len().max(1) as f64;
    let mean = values.iter().map(|x| f64::from(*x)).sum::<f64>() / count;
    let variance = values.iter().map(|x| (f64::from(*x) - mean).powi(2)).sum::<f64>() / count;
    if variance > 0.0 { variance.sqrt() } else { 1.0 }
}
