//! The choice of tokens: kernels, native code, plain tensor operations and a naive loop against each other, on every device
//! of this machine.

use crate::support::sampling::{Case, Naive, devices, eighths, mask, settings};
use burn::tensor::{DType, Device, FloatDType, Int, Tensor, TensorData};
use gramask_kernels::sampling::{
    Draw, MaskRow, MaskTable, Masks, NoChoice, Sampling, SamplingError, mask_argmax, mask_softmax_sample, reference,
};
use gramask_kernels::verify_draft::{verify_draft, verify_draft_reference};
use gramask_random::Rng;
use proptest::prelude::*;

/// Rows of random logits, with masks of every kind, in turn: dense, sparse, one token, none, all, no constraint.
fn case(vocabulary: usize, batch: usize, seed: u64) -> Case {
    let mut rng = Rng::new(seed);
    let mut case = Case::new(vocabulary);
    for row in 0..batch {
        let logits = (0..vocabulary).map(|_| rng.normal() as f32 * 4.0).collect();
        let mask = match row % 6 {
            0 => Some(mask(vocabulary, |_| rng.unit() < 0.5)),
            1 => Some(mask(vocabulary, |_| rng.unit() < 0.01)),
            2 => {
                let only = rng.below(vocabulary);
                Some(mask(vocabulary, |token| token == only))
            }
            3 => None,
            4 => Some(mask(vocabulary, |_| true)),
            _ => Some(mask(vocabulary, |_| false)),
        };
        case.push(logits, mask);
    }
    case
}

#[test]
fn every_device_chooses_as_the_naive_loop() {
    let shapes = [
        (1, 3),
        (26, 256),
        (31, 7),
        (33, 6),
        (1001, 64),
        (8191, 6),
        (8192, 6),
        (8193, 6),
        (49_152, 6),
        (128_256, 2),
        (151_936, 4),
    ];
    for (number, (vocabulary, batch)) in shapes.into_iter().enumerate() {
        let case = case(vocabulary, batch, 1 + number as u64);
        // All settings where they are cheap, two where they are not.
        let all = settings();
        let few = [None, all[all.len() - 1]];
        for sampling in if vocabulary < 10_000 { &all[..] } else { &few[..] } {
            case.check(sampling.as_ref());
        }
    }
}

/// Long rows of a batch of one, and every filter on one of them.
#[test]
fn one_long_row_with_every_filter() {
    for (vocabulary, seed) in [(151_936, 77), (128_256, 78), (50_021, 79)] {
        let mut rng = Rng::new(seed);
        let mut case = Case::new(vocabulary);
        // As of a model: a few likely tokens, and a long tail.
        let logits = (0..vocabulary).map(|_| rng.normal() as f32 * 2.0 + if rng.unit() < 1e-4 { 12.0 } else { 0.0 });
        case.push(logits.collect(), Some(mask(vocabulary, |token| token % 3 != 0)));
        let all = settings();
        for sampling in if vocabulary == 151_936 { &all[..] } else { &all[3..5] } {
            case.check(sampling.as_ref());
        }
    }
}

#[test]
fn hostile_logits() {
    let inf = f32::INFINITY;
    for vocabulary in [26, 1001, 8200] {
        let mut case = Case::new(vocabulary);
        let mut rng = Rng::new(5);
        let every_third = || Some(mask(vocabulary, |token| token % 3 == 1));
        let rows: [Vec<f32>; 10] = [
            vec![f32::NAN; vocabulary],
            vec![-inf; vocabulary],
            vec![1.5; vocabulary],
            vec![inf; vocabulary],
            vec![-f32::MAX; vocabulary],
            (0..vocabulary).map(|i| if i % 2 == 0 { 0.0 } else { -0.0 }).collect(),
            (0..vocabulary).map(|i| [f32::NAN, -inf, 1.0, -f32::NAN][i % 4]).collect(),
            (0..vocabulary).map(|i| if i % 7 == 3 { inf } else { rng.normal() as f32 }).collect(),
            (0..vocabulary).map(|i| [f32::MAX, -f32::MAX, 1e-40, -1e-40, 0.0][i % 5]).collect(),
            (0..vocabulary).map(|_| if rng.unit() < 0.5 { f32::NAN } else { rng.normal() as f32 * 10.0 }).collect(),
        ];
        for row in rows {
            case.push(row.clone(), None);
            case.push(row.clone(), every_third());
            case.push(row, Some(mask(vocabulary, |_| false)));
        }
        for sampling in settings() {
            case.check(sampling.as_ref());
        }
    }
}

/// What is allowed lies a hundred nats and more below what is not.
#[test]
fn what_the_mask_left_is_told_however_little_it_is() {
    let mut case = Case::new(9000);
    for gap in [0.0, 30.0, 120.0, 5000.0] {
        let logits = (0..9000).map(|i| (i % 11) as f32 * 0.1 - if i % 2 == 0 { gap } else { 0.0 });
        case.push(logits.collect(), Some(mask(9000, |token| token % 2 == 0)));
    }
    for sampling in [None, Some(Sampling::at(1.0, 3))] {
        case.check(sampling.as_ref());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(feature = "wgpu") { 12 } else { 400 }))]

    #[test]
    fn random_rows_and_settings(
        rows in prop::collection::vec(prop::collection::vec((eighths(), prop::bool::weighted(0.6)), 97), 1..5),
        vocabulary in 1usize..98,
        free in any::<u8>(),
        temperature in prop_oneof![Just(0.25f32), Just(1.0), Just(3.0)],
        top_k in prop_oneof![Just(0usize), 1usize..40],
        top_p in prop_oneof![Just(1.0f32), 0.01f32..0.999],
        min_p in prop_oneof![Just(0.0f32), 0.0011f32..0.9],
        seed in any::<u64>(),
    ) {
        let mut case = Case::new(vocabulary);
        case.seed = seed;
        for (number, row) in rows.iter().enumerate() {
            let logits = row[..vocabulary].iter().map(|(logit, _)| *logit).collect();
            let mask = mask(vocabulary, |token| row[token].1);
            case.push(logits, (free >> number & 1 == 0).then_some(mask));
        }
        let sampling = Sampling { temperature, top_k, top_p, min_p, seed };
        case.check(None);
        case.check(Some(&sampling));
    }
}

/// A table that makes room, a table that holds all masks, and no mask come to the same.
#[test]
fn masks_in_every_form() {
    for (_, device) in devices() {
        let mut case = case(1001, 6, 11);
        case.masks[3] = Some(mask(1001, |_| true));
        let logits = case.tensor(&device);
        let bits: Vec<&[u32]> = case.masks.iter().flatten().map(Vec::as_slice).collect();
        let all = case.masks(&device);
        let at_once = mask_argmax(logits.clone(), all.masks()).unwrap();
        let mut table = MaskTable::new(4, 1001, &device);
        // More masks than the table has rows, one step after the other.
        let mut by_table = Vec::new();
        for (row, mask) in bits.iter().enumerate() {
            let rows = table.rows([Some(*mask)]).unwrap();
            let one = logits.clone().slice([row..row + 1, 0..1001]);
            by_table.extend(mask_argmax(one, Masks::Table(&table, &rows)).unwrap().read().unwrap());
        }
        assert!(table.used().evicted >= 1);
        let tokens: Vec<i32> = at_once.tokens().into_data().try_to_vec().unwrap();
        let at_once = at_once.read().unwrap();
        assert_eq!(at_once, by_table);
        for (token, pick) in tokens.iter().zip(&at_once) {
            assert_eq!(*token, pick.map_or(-1, |pick| pick.token as i32));
        }
        let free = mask_argmax(logits.clone(), Masks::All).unwrap().read().unwrap();
        let rows = [MaskRow::FREE; 6];
        let by_rows = mask_argmax(logits, Masks::Table(&table, &rows)).unwrap().read().unwrap();
        assert_eq!(free, by_rows);
        assert!(free.iter().all(|pick| pick.unwrap().kept_log_mass == 0.0));
    }
}

/// The scores, too, are the same in every batch.
#[test]
fn the_batch_changes_nothing() {
    for (_, device) in devices() {
        let case = case(20_000, 6, 12);
        let together = case.choose(&device, Some(&Sampling::at(1.0, 9)));
        for (row, wanted) in together.iter().enumerate() {
            let alone = case.only(row).choose(&device, Some(&Sampling::at(1.0, 9)));
            assert_eq!(alone[0], *wanted, "row {row}");
        }
    }
}

#[test]
#[allow(clippy::print_stderr, reason = "says what is skipped")]
fn half_precision_where_the_device_has_it() {
    for (name, device) in devices() {
        if !device.supports_dtype(FloatDType::F16) {
            eprintln!("skipped: {name} has no f16");
            continue;
        }
        let mut case = case(8200, 6, 13);
        for row in &mut case.logits {
            row.iter_mut().for_each(|v| *v = half::f16::from_f32(*v).to_f32());
        }
        let logits = case.tensor(&device).cast(FloatDType::F16);
        let picks = mask_softmax_sample(logits, case.masks(&device).masks(), &Sampling::at(1.0, 4), &case.draws());
        case.compare(&name, Some(&Sampling::at(1.0, 4)), &picks.unwrap().read().unwrap());
    }
}

/// The references on the CPU: exact in the arg-max, and in draws but for borders.
#[test]
fn references_agree() {
    let device = Device::flex();
    for vocabulary in [26, 1001, 8193] {
        let case = case(vocabulary, 12, 15);
        let operands = case.masks(&device);
        for sampling in settings() {
            // Cold draws lie on borders of floats.
            if sampling.is_some_and(|sampling| sampling.temperature < 0.1) {
                continue;
            }
            let chosen = match &sampling {
                None => reference::mask_argmax(case.tensor(&device), operands.masks()),
                Some(sampling) => {
                    reference::mask_softmax_sample(case.tensor(&device), operands.masks(), sampling, &case.draws())
                }
            };
            let chosen = chosen.unwrap();
            let tokens: Vec<i32> = chosen.tokens.into_data().try_to_vec().unwrap();
            let scores: Vec<f32> = chosen.log_probability.into_data().try_to_vec().unwrap();
            let masses: Vec<f32> = chosen.kept_log_mass.into_data().try_to_vec().unwrap();
            for (row, &token) in tokens.iter().enumerate() {
                let naive = Naive::of(&case, row, sampling.as_ref());
                let Ok(pick) = naive.pick else {
                    assert_eq!(token, -1);
                    continue;
                };
                if naive.margin > 1e-4 {
                    assert_eq!(token, pick.token as i32, "{vocabulary} {row} {sampling:?} {}", naive.margin);
                    assert!((f64::from(scores[row]) - pick.log_probability).abs() < 1e-3);
                }
                assert!((f64::from(masses[row]) - pick.kept_log_mass).abs() < 1e-3);
            }
        }
    }
}

#[test]
fn drafts_are_accepted_as_far_as_they_agree() {
    let drafts: [&[u32]; 6] = [&[5, 6, 7], &[], &[5, 9, 7], &[8], &[1, 2, 3, 4], &[3]];
    let chosen =
        [5, 6, 7, 8, /**/ 4, /**/ 5, 6, 7, 1, /**/ 8, 2, /**/ 9, 2, 3, 4, 5, /**/ 3, -1];
    let wanted = [(3, Some(8)), (0, Some(4)), (1, Some(6)), (1, Some(2)), (0, Some(9)), (1, None)];
    for (name, device) in devices() {
        let tokens = |chosen: &[i32]| {
            Tensor::<1, Int>::from_data(TensorData::new(chosen.to_vec(), [chosen.len()]), (&device, DType::I32))
        };
        let verified = verify_draft(tokens(&chosen), &drafts).unwrap();
        let next: Vec<i32> = verified.next().into_data().try_to_vec().unwrap();
        let accepted: Vec<i32> = verified.accepted().into_data().try_to_vec().unwrap();
        assert_eq!(verified.read().unwrap(), wanted, "{name}");
        assert_eq!((accepted[2], next[2], next[5]), (1, 6, -1));
        if name == "flex" {
            let (accepted, next) = verify_draft_reference(tokens(&chosen), &drafts).unwrap();
            let accepted: Vec<i32> = accepted.into_data().try_to_vec().unwrap();
            let next: Vec<i32> = next.into_data().try_to_vec().unwrap();
            let pairs: Vec<_> = accepted.into_iter().zip(next).collect();
            assert_eq!(pairs, wanted.map(|(n, token)| (n as i32, token.map_or(-1, |t: u32| t as i32))));
        }
        assert_eq!(
            verify_draft(tokens(&chosen[1..]), &drafts).unwrap_err(),
            SamplingError::Drafts { choices: 17, needed: 18 }
        );
        // Random drafts of random choices from few tokens.
        let mut rng = Rng::new(16);
        for _ in 0..10 {
            let drafts: Vec<Vec<u32>> =
                (0..rng.below(40) + 1).map(|_| (0..rng.below(9)).map(|_| rng.below(2) as u32).collect()).collect();
            let needed = drafts.iter().map(|draft| draft.len() + 1).sum();
            let chosen: Vec<i32> = (0..needed).map(|_| rng.below(2) as i32).collect();
            let slices: Vec<&[u32]> = drafts.iter().map(Vec::as_slice).collect();
            let mut rest = &chosen[..];
            let verified = verify_draft(tokens(&chosen), &slices).unwrap().read().unwrap();
            for (draft, (accepted, next)) in drafts.iter().zip(verified) {
                let agreeing = (0..draft.len()).take_while(|&i| draft[i] as i32 == rest[i]).count();
                assert_eq!((accepted, next), (agreeing, Some(rest[agreeing] as u32)), "{name}");
                rest = &rest[draft.len() + 1..];
            }
        }
    }
}

#[test]
fn operands_that_do_not_fit_are_errors() {
    let device = Device::flex();
    let logits = || Tensor::<2>::zeros([2, 40], &device);
    let table = MaskTable::new(3, 40, &device);
    let wrong = mask_argmax(logits(), Masks::Table(&table, &[MaskRow::FREE])).unwrap_err();
    assert_eq!(wrong, SamplingError::Masks { logits: [2, 40], masks: [1, 2] });
    assert!(wrong.to_string().contains("need [2, 2]"), "{wrong}");
    let rows = [MaskRow::FREE, MaskRow::new(3)];
    let wrong = mask_argmax(logits(), Masks::Table(&table, &rows)).unwrap_err();
    assert_eq!(wrong, SamplingError::Row { row: 3, capacity: 3 });
    let other = MaskTable::new(3, 64 * 40, &device);
    assert!(matches!(
        mask_argmax(logits(), Masks::Table(&other, &[MaskRow::FREE; 2])),
        Err(SamplingError::Masks { .. })
    ));
    let draw = Draw { document: 0, position: 0 };
    let draws = mask_softmax_sample(logits(), Masks::All, &Sampling::at(1.0, 0), &[draw]).unwrap_err();
    assert_eq!(draws, SamplingError::Draws { batch: 2, draws: 1 });
    let hot = Sampling { temperature: 0.0, ..Sampling::at(1.0, 0) };
    let hot = mask_softmax_sample(logits(), Masks::All, &hot, &[draw; 2]).unwrap_err();
    assert!(hot.to_string().contains("temperature is 0"), "{hot}");
    assert!(matches!(
        mask_argmax(Tensor::zeros([1, (1 << 19) + 1], &device), Masks::All),
        Err(SamplingError::Vocabulary { .. })
    ));
    let none = mask_argmax(Tensor::full([1, 40], f32::NAN, &device), Masks::All).unwrap();
    assert_eq!(none.read().unwrap(), [Err(NoChoice { allowed: 40, nan: 40 })]);
    // No rows are no trouble.
    assert_eq!(mask_argmax(Tensor::zeros([0, 40], &device), Masks::All).unwrap().read().unwrap(), []);
}
