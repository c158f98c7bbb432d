//! Attention of a decoding step against the plain operations, at every level that this processor has.

use crate::support::LEVELS;
use burn::tensor::{Device, Distribution, Tensor};
use gramask_kernels::KernelError;
use gramask_kernels::attention::cpu::decode_attention_at;
use gramask_kernels::attention::{CacheShape, Prefix, Span};
use gramask_kernels::attention::{decode_attention, decode_attention_reference};
use gramask_kernels::cpu::Level;
use proptest::prelude::*;

fn random<const D: usize>(shape: [usize; D], size: f64) -> Tensor<D> {
    Tensor::random(shape, Distribution::Uniform(-size, size), &Device::flex())
}

fn values<const D: usize>(tensor: &Tensor<D>) -> Vec<f32> {
    tensor.to_data().try_to_vec().unwrap()
}

/// No window, or one that is shorter or longer than what a token could see.
fn windows() -> impl Strategy<Value = Option<usize>> {
    prop::option::of(1usize..80)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_level_agrees_with_plain_operations(
        (slots, spans) in (1usize..6).prop_flat_map(|slots| {
            (Just(slots), prop::collection::vec((0..slots, 1usize..70, windows()), 1..9))
        }),
        kv_heads in 1usize..4,
        group in 1usize..10,
        dim in prop_oneof![Just(1), Just(8), Just(64), Just(80), Just(100), 1usize..40],
        size in prop_oneof![Just(0.1), Just(1.0), Just(20.0)],
    ) {
        let heads = kv_heads * group;
        let q = random([spans.len(), heads, dim], size);
        let k = random([slots, kv_heads, 70, dim], 1.0);
        let v = random([slots, kv_heads, 70, dim], 1.0);
        let spans: Vec<Span> = spans.iter().map(|&(slot, length, window)| Span::new(slot, length).within(window)).collect();
        let expected = values(&decode_attention_reference(q.clone(), k.clone(), v.clone(), &spans).unwrap());
        let close = |y: &[f32]| y.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 2e-5);

        let y = decode_attention(q.clone(), k.clone(), v.clone(), &spans).unwrap();
        prop_assert_eq!(y.dims(), [spans.len(), heads, dim]);
        prop_assert!(close(&values(&y)));

        let cache = CacheShape { slots, kv_heads, capacity: 70, dim };
        let (q, k, v) = (values(&q), values(&k), values(&v));
        for level in LEVELS.iter().copied() {
            let y = decode_attention_at(level, &q, heads, (&k, &v, cache), &spans).unwrap();
            prop_assert!(close(&y), "{level}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Prompts and drafts: several tokens of one sequence, each of which sees those before it, or the last of them.
    #[test]
    fn many_tokens_of_a_sequence_agree_with_plain_operations(
        rows in prop::collection::vec((0usize..4, 0usize..60, 1usize..60), 1..4),
        window in windows(),
        kv_heads in 1usize..4,
        group in 1usize..5,
        dim in prop_oneof![Just(64), Just(80), 1usize..40],
    ) {
        let spans: Vec<Span> = rows
            .iter()
            .flat_map(|&(slot, start, tokens)| (1..=tokens).map(move |i| Span::new(slot, start + i).within(window)))
            .collect();
        let heads = kv_heads * group;
        let q = random([spans.len(), heads, dim], 1.0);
        let (k, v) = (random([4, kv_heads, 120, dim], 1.0), random([4, kv_heads, 120, dim], 1.0));
        let expected = decode_attention_reference(q.clone(), k.clone(), v.clone(), &spans).unwrap();
        let expected = values(&expected);
        let cache = CacheShape { slots: 4, kv_heads, capacity: 120, dim };
        let (q, k, v) = (values(&q), values(&k), values(&v));
        for level in LEVELS.iter().copied() {
            let y = decode_attention_at(level, &q, heads, (&k, &v, cache), &spans).unwrap();
            for (a, b) in y.iter().zip(&expected) {
                prop_assert!((a - b).abs() < 2e-5, "{level}: {a}, not {b}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Where a prefix is read changes no bit of the result; and it is read from slot 0 alone. Slot 0 holds what all others
    /// begin with, each sequence has a slot of its own.
    #[test]
    fn a_shared_prefix_gives_the_same_bits(
        rows in prop::collection::vec((0usize..60, 1usize..20, 0usize..=100), 1..5),
        window in windows(),
        kv_heads in 1usize..4,
        group in 1usize..5,
        dim in prop_oneof![Just(64), Just(80), 1usize..40],
    ) {
        let (slots, capacity) = (rows.len() + 1, 80);
        let (heads, size) = (kv_heads * group, kv_heads * capacity * dim);
        // What is shared, at most all that the first new token sees.
        let rows: Vec<_> = rows
            .into_iter()
            .zip(1..)
            .map(|((start, tokens, share), slot)| (slot, start, tokens, (start + 1) * share / 100))
            .collect();
        let cached = || {
            let mut all = values(&random([slots, kv_heads, capacity, dim], 1.0));
            let mut bare = all.clone();
            for &(slot, _, _, shared) in &rows {
                for head in 0..kv_heads {
                    let (from, to) = (head * capacity * dim, slot * size + head * capacity * dim);
                    all.copy_within(from..from + shared * dim, to);
                    bare[to..to + shared * dim].fill(f32::NAN);
                }
            }
            (all, bare)
        };
        let ((k, bare_k), (v, bare_v)) = (cached(), cached());
        let spans = |share: bool| -> Vec<Span> {
            let of_row = |&(slot, start, tokens, shared): &(usize, usize, usize, usize)| {
                let prefix = Prefix { slot: 0, length: shared };
                (1..=tokens).map(move |i| match share {
                    true => Span { prefix, ..Span::new(slot, start + i).within(window) },
                    false => Span::new(slot, start + i).within(window),
                })
            };
            rows.iter().flat_map(of_row).collect()
        };
        let (own, shared) = (spans(false), spans(true));
        let q = values(&random([own.len(), heads, dim], 1.0));
        let cache = CacheShape { slots, kv_heads, capacity, dim };
        for level in LEVELS.iter().copied() {
            let expected = decode_attention_at(level, &q, heads, (&k, &v, cache), &own).unwrap();
            let y = decode_attention_at(level, &q, heads, (&bare_k, &bare_v, cache), &shared).unwrap();
            prop_assert!(y == expected, "{level}");
        }
    }
}

#[test]
fn a_prefix_beyond_the_sequence_or_the_slots_is_an_error() {
    let run = |prefix| {
        let (q, k, v) = (random([1, 2, 8], 1.0), random([2, 2, 4, 8], 1.0), random([2, 2, 4, 8], 1.0));
        let span = Span { prefix, ..Span::new(1, 3) };
        decode_attention(q, k, v, &[span]).map(drop)
    };
    assert_eq!(run(Prefix { slot: 0, length: 3 }), Ok(()));
    for (slot, shared) in [(0, 4), (2, 1)] {
        let expected = KernelError::Prefix { sequence: 0, slot, shared, length: 3, slots: 2 };
        assert_eq!(run(Prefix { slot, length: shared }), Err(expected));
    }
}

#[test]
fn one_position_is_its_value() {
    let (k, v) = (random([2, 1, 3, 5], 1.0), random([2, 1, 3, 5], 1.0));
    let y = decode_attention(random([1, 2, 5], 9.0), k, v.clone(), &[Span::new(1, 1)]).unwrap();
    let first = values(&v.slice([1..2, 0..1, 0..1, 0..5]));
    assert_eq!(values(&y), [first.clone(), first].concat());
}

#[test]
fn what_lies_beyond_the_length_is_not_read() {
    let device = Device::flex();
    let k = Tensor::<4>::from_floats([[[[1.0], [1.0], [f32::NAN]]]], &device);
    let v = Tensor::<4>::from_floats([[[[2.0], [4.0], [f32::NAN]]]], &device);
    let q = Tensor::<3>::from_floats([[[3.0]]], &device);
    let y = decode_attention(q.clone(), k.clone(), v.clone(), &[Span::new(0, 2)]).unwrap();
    assert_eq!(values(&y), [3.0]);
    assert!(
        values(&decode_attention(q, k, v, &[Span::new(0, 3)]).unwrap())[0].is_nan(),
        "and what is read is not hidden"
    );
}

#[test]
fn what_lies_before_the_window_is_not_read() {
    let device = Device::flex();
    let k = Tensor::<4>::from_floats([[[[f32::NAN], [1.0], [1.0], [1.0]]]], &device);
    let v = Tensor::<4>::from_floats([[[[f32::NAN], [2.0], [4.0], [9.0]]]], &device);
    let q = Tensor::<3>::from_floats([[[3.0]], [[3.0]]], &device);
    // Two tokens of one sequence, each of which sees itself and the one before it.
    let spans = [3, 4].map(|length| Span::new(0, length).within(Some(2)));
    assert_eq!(spans.map(|span| span.start..span.length), [1..3, 2..4]);
    let y = decode_attention(q, k, v, &spans).unwrap();
    assert_eq!(values(&y), [3.0, 6.5]);
}

#[test]
fn large_scores_do_not_overflow() {
    let device = Device::flex();
    let k = Tensor::<4>::from_floats([[[[100.0], [-100.0], [100.0]]]], &device);
    let v = Tensor::<4>::from_floats([[[[1.0], [50.0], [3.0]]]], &device);
    let y = decode_attention(Tensor::<3>::from_floats([[[100.0]]], &device), k, v, &[Span::new(0, 3)]).unwrap();
    assert_eq!(values(&y), [2.0]);
}

#[test]
fn a_long_context_on_all_cores() {
    let (q, k, v) = (random([4, 9, 64], 1.0), random([5, 3, 600, 64], 1.0), random([5, 3, 600, 64], 1.0));
    let spans = [(4, 600), (0, 1), (2, 599), (2, 333)].map(|(slot, length)| Span::new(slot, length));
    let expected = decode_attention_reference(q.clone(), k.clone(), v.clone(), &spans).unwrap();
    for _ in 0..20 {
        let y = decode_attention(q.clone(), k.clone(), v.clone(), &spans).unwrap();
        let difference = (y - expected.clone()).abs().max().into_scalar::<f32>();
        assert!(difference < 1e-5, "{difference}");
    }
}

#[test]
fn wrong_operands_are_errors() {
    let cache = || (random([2, 2, 4, 8], 1.0), random([2, 2, 4, 8], 1.0));
    let run = |q: [usize; 3], spans: &[Span]| {
        let (k, v) = cache();
        decode_attention(random(q, 1.0), k, v, spans)
    };
    let whole = Span::new(1, 4);
    assert!(run([1, 4, 8], &[whole]).is_ok());
    assert!(matches!(run([1, 3, 8], &[whole]), Err(KernelError::Heads { .. })));
    assert!(matches!(run([1, 4, 7], &[whole]), Err(KernelError::Heads { .. })));
    let error = run([2, 4, 8], &[whole]).unwrap_err();
    assert_eq!(error, KernelError::Spans { batch: 2, spans: 1 });
    for (start, length, slot) in [(0, 0, 0), (0, 5, 0), (0, 1, 2), (3, 3, 0)] {
        let error = run([1, 4, 8], &[Span { start, ..Span::new(slot, length) }]).unwrap_err();
        assert_eq!(error, KernelError::Positions { sequence: 0, slot, start, length, slots: 2, capacity: 4 });
    }
    let shape = CacheShape { slots: usize::MAX, kv_heads: 2, capacity: 4, dim: 8 };
    let spans = [Span::new(0, 1)];
    let error = decode_attention_at(Level::best(), &[0.0; 16], 2, (&[0.0; 64], &[0.0; 64], shape), &spans).unwrap_err();
    assert!(matches!(error, KernelError::Length { name: "keys", .. }), "{error}");
}
