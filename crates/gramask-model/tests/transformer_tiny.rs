//! Every family against another implementation, and what must hold of any model: batches, chunks and cache operations never
//! change a result.
//!
//! The other implementation is one in numpy (`scripts/tiny-checkpoints.py`) or, of Gemma 3 and of the model with all biases,
//! the Python package `transformers` (`scripts/transformers-goldens.py`).
#![allow(clippy::print_stdout)]

use std::path::{Path, PathBuf};

use burn::tensor::{Device, Tensor};
use gramask_model::cache::{Cache, CacheError};
use gramask_model::checkpoint::Checkpoint;
use gramask_model::device::DeviceName;
#[cfg(feature = "wgpu")]
use gramask_model::device::available;
use gramask_model::transformer::{Kernels, LoadError, ModelError, Row, Select, Transformer, WeightType};

const TINY: [&str; 5] = ["tiny-llama", "tiny-qwen2", "tiny-qwen3", "tiny-gemma3", "tiny-bias"];

/// f32 against f64 or f32, logits up to 20.
const ROUNDING: f32 = 5e-5;

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

fn open(name: &str, device: &Device, weights: WeightType) -> Transformer {
    let checkpoint = Checkpoint::open(&folder(name)).unwrap();
    Transformer::load(&checkpoint, device, weights).unwrap()
}

/// All ways to compute on the CPU: in CPU kernels, in tensor operations, and in the order of a GPU's kernels, which are
/// mostly tensor operations here.
fn on_flex(name: &str) -> [Transformer; 3] {
    let device = DeviceName::Flex.open().unwrap();
    let load = || open(name, &device, WeightType::F32);
    [load(), load().without_native_code(), load().with_kernels(Kernels::ALL).with_recorded_steps()]
}

fn sequences(name: &str) -> Vec<Vec<u32>> {
    serde_json::from_slice(&std::fs::read(folder(name).join("ids.json")).unwrap()).unwrap()
}

/// `[tokens, vocabulary]` of all sequences, one after the other.
fn expected(name: &str) -> Vec<f32> {
    let bytes = std::fs::read(folder(name).join("logits.f32")).unwrap();
    bytes.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect()
}

fn numbers(logits: Tensor<2>) -> Vec<f32> {
    logits.into_data().try_to_vec().unwrap()
}

fn cache(model: &Transformer, slots: usize) -> Cache {
    Cache::new(model.config(), slots, model.config().context, model.device()).unwrap()
}

/// All logits of one sequence, in a fresh cache.
fn alone(model: &Transformer, tokens: &[u32]) -> Vec<f32> {
    numbers(model.forward(&mut cache(model, 1), &[Row { slot: 0, tokens }], Select::All).unwrap())
}

#[track_caller]
fn assert_close(got: &[f32], want: &[f32], tolerance: f32) {
    assert_eq!(got.len(), want.len());
    for (i, (g, w)) in got.iter().zip(want).enumerate() {
        assert!((g - w).abs() <= tolerance, "number {i}: {g}, not {w}");
    }
}

/// Some 300 tokens: several blocks of queries.
fn long(name: &str) -> Vec<u32> {
    sequences(name).concat().into_iter().cycle().take(300).collect()
}

#[test]
fn logits_equal_those_of_the_other_implementation() {
    for name in TINY {
        for model in on_flex(name) {
            let got: Vec<_> = sequences(name).iter().flat_map(|s| alone(&model, s)).collect();
            assert_close(&got, &expected(name), ROUNDING);
        }
    }
}

#[test]
fn f16_weights_are_exact_where_the_checkpoint_is_f16() {
    let device = DeviceName::Flex.open().unwrap();
    for (name, tolerance) in [("tiny-qwen3", ROUNDING), ("tiny-llama", 0.05), ("tiny-qwen2", 0.05)] {
        let model = open(name, &device, WeightType::F16);
        let got: Vec<_> = sequences(name).iter().flat_map(|s| alone(&model, s)).collect();
        assert_close(&got, &expected(name), tolerance);
    }
}

#[cfg(feature = "wgpu")]
#[test]
fn logits_on_wgpu_equal_those_of_the_other_implementation() {
    let Some(name) = available().into_iter().find(|d| matches!(d, DeviceName::Wgpu(_))) else {
        println!("skipped: wgpu finds no adapter");
        return;
    };
    let device = name.open().unwrap();
    for name in TINY {
        let model = open(name, &device, WeightType::F32);
        let sequences = sequences(name);
        let rows: Vec<_> = sequences.iter().enumerate().map(|(slot, tokens)| Row { slot, tokens }).collect();
        let mut cache = Cache::new(model.config(), 3, 64, &device).unwrap();
        let got = numbers(model.forward(&mut cache, &rows, Select::All).unwrap());
        assert_close(&got, &expected(name), 1e-3);
        // And one decode step of all slots, against the CPU.
        let next: Vec<_> = (0..3).map(|slot| Row { slot, tokens: &[7] }).collect();
        let got = numbers(model.forward(&mut cache, &next, Select::Last).unwrap());
        let [flex, ..] = on_flex(name);
        let vocabulary = flex.config().vocabulary;
        for (slot, sequence) in sequences.iter().enumerate() {
            let whole = alone(&flex, &[sequence.as_slice(), &[7]].concat());
            assert_close(&got[slot * vocabulary..][..vocabulary], &whole[sequence.len() * vocabulary..], 1e-3);
        }
    }
}

#[test]
fn a_ragged_batch_equals_one_by_one() {
    for name in TINY {
        for model in on_flex(name) {
            let mut sequences = sequences(name);
            sequences.push(long(name));
            // Slots in disorder, one unused, different lengths.
            let slots = [3, 0, 4, 1];
            let rows: Vec<_> = slots.iter().zip(&sequences).map(|(&slot, tokens)| Row { slot, tokens }).collect();
            let mut cache = cache(&model, 5);
            let together = numbers(model.forward(&mut cache, &rows, Select::All).unwrap());
            let one_by_one: Vec<_> = sequences.iter().flat_map(|s| alone(&model, s)).collect();
            assert_close(&together, &one_by_one, ROUNDING);

            // Decoding on from different lengths: neighbouring slots, slots in disorder, several tokens each.
            let vocabulary = model.config().vocabulary;
            let mut continued = sequences.clone();
            for (step, order) in [[1, 3, 0, 2], [0, 1, 2, 3]].iter().enumerate() {
                let new: Vec<Vec<u32>> = (0..4).map(|s| vec![10 * s + step as u32, 5][..1 + step].to_vec()).collect();
                let rows: Vec<_> = order.iter().map(|&s| Row { slot: slots[s], tokens: &new[s] }).collect();
                let got = numbers(model.forward(&mut cache, &rows, Select::Last).unwrap());
                for (row, &s) in order.iter().enumerate() {
                    continued[s].extend(&new[s]);
                    let want = alone(&model, &continued[s]);
                    let last = want.len() - vocabulary;
                    assert_close(&got[row * vocabulary..][..vocabulary], &want[last..], ROUNDING);
                }
            }
        }
    }
}

#[test]
fn any_division_of_a_sequence_gives_the_same_logits() {
    for name in TINY {
        for model in on_flex(name) {
            let (tokens, vocabulary) = (long(name), model.config().vocabulary);
            let whole = alone(&model, &tokens);
            for chunk in [1, 7, 16, 17, 128, 150] {
                // Token by token through all 300 would be slow for nothing.
                let tokens = if chunk == 1 { &tokens[..40] } else { &tokens[..] };
                let mut cache = cache(&model, 2);
                let mut pieces = Vec::new();
                for tokens in tokens.chunks(chunk) {
                    pieces.extend(numbers(model.forward(&mut cache, &[Row { slot: 1, tokens }], Select::All).unwrap()));
                }
                assert_eq!(cache.len(1), Ok(tokens.len()));
                assert_close(&pieces, &whole[..tokens.len() * vocabulary], ROUNDING);
            }
        }
    }
}

#[test]
fn last_is_the_last_of_all() {
    let [model, ..] = on_flex("tiny-llama");
    let (a, b) = ([1, 2, 3], [4, 5]);
    let rows = [Row { slot: 0, tokens: &a }, Row { slot: 1, tokens: &b }];
    let all = numbers(model.forward(&mut cache(&model, 2), &rows, Select::All).unwrap());
    let last = numbers(model.forward(&mut cache(&model, 2), &rows, Select::Last).unwrap());
    let vocabulary = model.config().vocabulary;
    let wanted: Vec<f32> = [2, 4].into_iter().flat_map(|row| &all[row * vocabulary..][..vocabulary]).copied().collect();
    assert_close(&last, &wanted, ROUNDING);

    // Two of the first row's, one of the second's; then none of the first row's.
    for (tails, tokens) in [(vec![2, 1], vec![1, 2, 4]), (vec![0, 2], vec![3, 4])] {
        let some = numbers(model.forward(&mut cache(&model, 2), &rows, Select::Tails(tails)).unwrap());
        let wanted: Vec<f32> =
            tokens.into_iter().flat_map(|row| &all[row * vocabulary..][..vocabulary]).copied().collect();
        assert_close(&some, &wanted, ROUNDING);
    }
    for tails in [vec![4, 1], vec![1], vec![0, 0]] {
        let mut cache = cache(&model, 2);
        let refused = model.forward(&mut cache, &rows, Select::Tails(tails.clone()));
        let lengths = vec![3, 2];
        assert_eq!(refused.unwrap_err(), ModelError::Tails { tails, lengths });
        assert!(cache.is_empty(), "a refused pass writes nothing");
    }
}

#[test]
fn copied_and_truncated_slots_go_on_as_if_written_anew() {
    for name in TINY {
        for model in on_flex(name) {
            let vocabulary = model.config().vocabulary;
            let prompt = &sequences(name)[2];
            let mut cache = cache(&model, 3);
            model.forward(&mut cache, &[Row { slot: 1, tokens: prompt }], Select::Last).unwrap();
            // The prompt's first 20 tokens are shared; slot 2 held something else before.
            model.forward(&mut cache, &[Row { slot: 2, tokens: &[9; 30] }], Select::Last).unwrap();
            cache.copy(1, 2, 20).unwrap();
            cache.copy(1, 0, 20).unwrap();
            assert_eq!([0, 1, 2].map(|s| cache.len(s).unwrap()), [20, prompt.len(), 20]);
            // Slot 1: some tokens back and two others; all three go on in one batch.
            cache.truncate(1, 20).unwrap();
            let ends: [&[u32]; 3] = [&[7], &[8, 9], &[10, 11, 12]];
            let rows: Vec<_> = ends.iter().enumerate().map(|(slot, &tokens)| Row { slot, tokens }).collect();
            let got = numbers(model.forward(&mut cache, &rows, Select::Last).unwrap());
            for (slot, end) in ends.iter().enumerate() {
                let want = alone(&model, &[&prompt[..20], end].concat());
                assert_close(&got[slot * vocabulary..][..vocabulary], &want[want.len() - vocabulary..], ROUNDING);
            }
            cache.clear(0).unwrap();
            let again = model.forward(&mut cache, &[Row { slot: 0, tokens: prompt }], Select::All).unwrap();
            assert_close(&numbers(again), &alone(&model, prompt), ROUNDING);
        }
    }
}

/// A prefix that was copied is read from its source, as long as the source holds it: the same bits, whatever becomes of that slot.
#[test]
fn a_shared_prefix_is_read_in_either_place() {
    for name in TINY {
        let [model, ..] = on_flex(name);
        let tokens = long(name);
        let (prefix, rest) = tokens.split_at(tokens.len() / 2);
        let go_on = |change: &dyn Fn(&mut Cache)| {
            let mut cache = cache(&model, 3);
            let row = |slot, tokens| Row { slot, tokens };
            model.forward(&mut cache, &[row(2, prefix)], Select::Last).unwrap();
            cache.copy(2, 0, prefix.len()).unwrap();
            cache.copy(0, 1, prefix.len() - 1).unwrap();
            change(&mut cache);
            let rows = [row(0, rest), row(1, &tokens[prefix.len() - 1..])];
            let mut logits = numbers(model.forward(&mut cache, &rows, Select::All).unwrap());
            let rows = [row(1, &rest[..1]), row(0, &rest[1..2])];
            logits.extend(numbers(model.forward(&mut cache, &rows, Select::Last).unwrap()));
            logits
        };
        let shared = go_on(&|_| {});
        // Nothing is left to be shared.
        assert_eq!(go_on(&|cache| cache.clear(2).unwrap()), shared, "{name}");
        // Other tokens in its place, and in a part of it.
        for kept in [0, 1, prefix.len() - 1] {
            let other = go_on(&|cache| {
                cache.truncate(2, kept).unwrap();
                let tokens = &rest[..prefix.len().min(rest.len()) - kept.min(1)];
                model.forward(cache, &[Row { slot: 2, tokens }], Select::Last).unwrap();
            });
            assert_eq!(other, shared, "{name}: {kept} kept");
        }
    }
}

#[test]
fn wrong_rows_are_refused_before_anything_is_written() {
    for model in on_flex("tiny-llama") {
        let mut cache = Cache::new(model.config(), 2, 8, model.device()).unwrap();
        model.forward(&mut cache, &[Row { slot: 0, tokens: &[1, 2, 3] }], Select::Last).unwrap();
        let good = Row { slot: 1, tokens: &[1] };
        let cases: [(&[Row<'_>], ModelError); 6] = [
            (&[], ModelError::NoRows),
            (&[good, Row { slot: 0, tokens: &[] }], ModelError::EmptyRow { row: 1, slot: 0 }),
            (
                &[good, Row { slot: 2, tokens: &[1] }],
                ModelError::Slot { row: 1, error: CacheError::NoSuchSlot { slot: 2, slots: 2 } },
            ),
            (&[good, good], ModelError::SlotTwice { first: 0, second: 1, slot: 1 }),
            (
                &[good, Row { slot: 0, tokens: &[1; 6] }],
                ModelError::ContextOverflow { slot: 0, held: 3, added: 6, capacity: 8 },
            ),
            (
                &[good, Row { slot: 0, tokens: &[263, 264] }],
                ModelError::NoSuchToken { row: 1, position: 1, id: 264, vocabulary: 264 },
            ),
        ];
        for (rows, error) in cases {
            assert_eq!(model.forward(&mut cache, rows, Select::Last).unwrap_err(), error);
            assert_eq!([cache.len(0), cache.len(1)], [Ok(3), Ok(0)]);
        }
        // Exactly full is not too much.
        model.forward(&mut cache, &[Row { slot: 0, tokens: &[1; 5] }], Select::Last).unwrap();
        assert_eq!(cache.len(0), Ok(8));
    }
}

#[test]
fn a_cache_of_another_model_is_refused() {
    let [llama, ..] = on_flex("tiny-llama");
    let [qwen, ..] = on_flex("tiny-qwen3");
    let mut other = cache(&qwen, 1);
    let error = llama.forward(&mut other, &[Row { slot: 0, tokens: &[1] }], Select::Last).unwrap_err().to_string();
    assert!(error.contains("3 layers of 1 heads of width 16"), "{error}");
    assert!(error.contains("2 layers of 2 heads of width 8"), "{error}");
}

#[test]
fn a_configuration_that_does_not_fit_the_tensors_names_the_tensor() {
    let device = DeviceName::Flex.open().unwrap();
    let checkpoint = Checkpoint::open(&folder("tiny-llama")).unwrap();
    let load = |change: fn(&mut gramask_model::checkpoint::ModelConfig)| {
        let mut config = checkpoint.config.clone();
        change(&mut config);
        Transformer::load_from(&config, &*checkpoint.tensors, &device, WeightType::F32, &mut |_| ()).unwrap_err()
    };
    let error = load(|c| c.layers = 3);
    assert!(matches!(&error, LoadError::MissingTensor { name, .. } if name.starts_with("model.layers.2.")), "{error}");
    let error = load(|c| c.hidden = 49);
    assert!(matches!(&error, LoadError::WrongShape { name, .. } if name.contains("mlp.gate_proj")), "{error}");
    let error = load(|c| c.kv_heads = 3);
    assert!(matches!(error, LoadError::Configuration { .. }), "{error}");
}

#[test]
fn loading_says_how_far_it_is() {
    let device = DeviceName::Flex.open().unwrap();
    let checkpoint = Checkpoint::open(&folder("tiny-qwen2")).unwrap();
    let mut seen = Vec::new();
    let mut progress = |p: gramask_model::transformer::Progress| seen.push((p.loaded, p.total));
    Transformer::load_from(&checkpoint.config, &*checkpoint.tensors, &device, WeightType::F32, &mut progress).unwrap();
    assert!(seen.is_sorted() && seen.len() > 10);
    let total = checkpoint.config.parameters();
    assert_eq!(seen.last(), Some(&(total, total)));
}
