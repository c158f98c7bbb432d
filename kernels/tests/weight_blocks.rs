//! Weights in blocks against the floats that they stand for, at every level that this processor has.

use crate::support::{LEVELS, check_product};
use burn::tensor::{Device, Distribution, Int, Tensor};
use gramask_kernels::cpu::Level;
use gramask_kernels::linear::cpu::{Values, linear_at};
use gramask_kernels::linear::linear_reference;
use gramask_kernels::{KernelError, Weight, WeightType, linear};
use gramask_random::Rng;
use half::f16;
use proptest::prelude::*;

/// Numbers that are the same on every run.
struct Numbers(Rng);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0.next() >> 33
    }

    /// In -1..1.
    fn float(&mut self) -> f32 {
        2.0 * self.0.unit() as f32 - 1.0
    }
}

/// Blocks of any bytes with scales of many magnitudes, and the weights that the definition makes of them.
fn random_blocks(count: usize, kind: WeightType, numbers: &mut Numbers) -> (Vec<u8>, Vec<f32>) {
    let (mut bytes, mut weights) = (Vec::new(), Vec::new());
    for _ in 0..count {
        let scale = f16::from_f32(numbers.float() * 2f32.powi(numbers.next() as i32 % 12 - 6));
        bytes.extend(scale.to_le_bytes());
        let d = scale.to_f32();
        if kind == WeightType::Q8_0 {
            let q: Vec<u8> = (0..32).map(|_| numbers.next() as u8).collect();
            weights.extend(q.iter().map(|q| f32::from(*q as i8) * d));
            bytes.extend(q);
        } else {
            let minimum = f16::from_f32(numbers.float());
            bytes.extend(minimum.to_le_bytes());
            let q: Vec<u8> = (0..16).map(|_| numbers.next() as u8).collect();
            for shift in [0, 4] {
                weights.extend(q.iter().map(|q| f32::from(q >> shift & 15) * d + minimum.to_f32()));
            }
            bytes.extend(q);
        }
    }
    (bytes, weights)
}

/// Every level compared with sums in 64 bits.
fn check([m, n, k]: [usize; 3], kind: WeightType, seed: u64) -> Result<(), TestCaseError> {
    let mut numbers = Numbers(Rng::new(seed));
    let (bytes, weights) = random_blocks(n * k / 32, kind, &mut numbers);
    prop_assert_eq!(bytes.len(), kind.bytes(n * k));
    let x: Vec<f32> = (0..m * k).map(|_| numbers.float()).collect();
    for level in LEVELS.iter().copied() {
        let values = match kind {
            WeightType::Q8_0 => Values::Q8_0(&bytes),
            _ => Values::Q4_1(&bytes),
        };
        check_product(level, &kind.to_string(), (&x, values, &weights), [m, n, k])?;
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn every_level_agrees_with_exact_sums(m in 1usize..40, n in 1usize..60, blocks in 1usize..24, seed in any::<u64>()) {
        for kind in [WeightType::Q8_0, WeightType::Q4_1] {
            check([m, n, blocks * 32], kind, seed)?;
        }
    }

    #[test]
    fn rounding_stays_within_half_a_step(seed in any::<u64>(), size in -9i32..9, shift in -2.0f32..2.0) {
        let mut numbers = Numbers(Rng::new(seed));
        let data: Vec<f32> = (0..96).map(|_| (numbers.float() + shift) * 2f32.powi(size)).collect();
        for (kind, steps) in [(WeightType::Q8_0, 254.0), (WeightType::Q4_1, 15.0)] {
            let weight = Weight::new(data.clone(), 1, 96, kind, &Device::flex()).unwrap();
            let values = weight.as_tensor().to_data().try_to_vec::<f32>().unwrap();
            for (block, values) in data.chunks(32).zip(values.chunks(32)) {
                let largest = block.iter().fold(0.0f32, |a, b| a.max(b.abs()));
                let (low, high) = block.iter().fold((f32::MAX, f32::MIN), |(l, h), v| (l.min(*v), h.max(*v)));
                let range = if kind == WeightType::Q8_0 { 2.0 * largest } else { high - low };
                // Scales and minima are rounded to 11 bits (and to 2^-24) themselves.
                let bound = 0.5 * range / steps + (largest + range) / 1024.0 + 16.0 * 2f32.powi(-24);
                for (value, given) in values.iter().zip(block) {
                    prop_assert!((value - given).abs() <= bound, "{kind}: {value} for {given}, bound {bound}");
                }
            }
        }
    }
}

/// Four hundred terms of which few are large, one after the other: 1.9e-6 of the sum.
#[test]
fn a_long_sum_in_one_register() {
    check([12, 19, 416], WeightType::Q4_1, 4514485105040547356).unwrap();
}

#[test]
fn every_number_of_rows() {
    for m in 1..=40 {
        for kind in [WeightType::Q8_0, WeightType::Q4_1] {
            for [n, k] in [[1, 32], [13, 64], [25, 224], [49, 576]] {
                check([m, n, k], kind, (m * n) as u64).unwrap();
            }
        }
    }
}

#[test]
fn tensors_agree_with_plain_operations() {
    let device = Device::flex();
    for (m, [n, k], kind) in [
        (1, [300, 96], WeightType::Q8_0),
        (1, [300, 96], WeightType::Q4_1),
        (9, [33, 1536], WeightType::Q8_0),
        (100, [700, 64], WeightType::Q4_1),
    ] {
        let values = Tensor::<2>::random([n, k], Distribution::Uniform(-1.0, 1.0), &device);
        let weight = Weight::new(values.to_data().try_to_vec().unwrap(), n, k, kind, &device).unwrap();
        assert_eq!((weight.shape(), weight.kind(), weight.bytes()), ([n, k], kind, kind.bytes(n * k)));
        let x = Tensor::<2>::random([m, k], Distribution::Uniform(-1.0, 1.0), &device);
        let y = linear(x.clone(), &weight);
        assert_eq!(y.dims(), [m, n]);
        let difference = (y - linear_reference(x, &weight).unwrap()).abs().max().into_scalar::<f32>();
        assert!(difference <= 1e-6 * k as f32, "{kind} differs by {difference}");

        let ids = Tensor::<1, Int>::from_ints([n as i32 - 1, 0, 7], &device);
        let rows = weight.rows(ids.clone()).to_data();
        assert_eq!(rows, weight.as_tensor().select(0, ids).to_data());
    }
}

#[test]
fn blocks_of_one_value_and_of_zeros_are_exact() {
    for kind in [WeightType::Q8_0, WeightType::Q4_1] {
        for value in [0.0, -0.5, 127.0, 6e-8] {
            let weight = Weight::new(vec![value; 32], 1, 32, kind, &Device::flex()).unwrap();
            for found in weight.as_tensor().to_data().try_to_vec::<f32>().unwrap() {
                assert!((found - value).abs() <= value.abs() / 512.0 + 6e-8, "{kind}: {found} for {value}");
            }
        }
    }
}

#[test]
fn what_cannot_be_stored_in_blocks_is_an_error() {
    let device = Device::flex();
    let error = Weight::new(vec![0.0; 80], 2, 40, WeightType::Q8_0, &device).unwrap_err();
    assert_eq!(error, KernelError::Blocks { kind: "q8_0", input: 40 });
    assert!(error.to_string().contains("rows of 40 values"), "{error}");
    let mut y = [0.0; 2];
    let error = linear_at(Level::best(), &[0.0; 40], Values::Q4_1(&[0; 50]), [1, 2, 40], &mut y).unwrap_err();
    assert_eq!(error, KernelError::Blocks { kind: "Q4_1", input: 40 });
    let error = linear_at(Level::best(), &[0.0; 32], Values::Q4_1(&[0; 41]), [1, 2, 32], &mut y).unwrap_err();
    assert_eq!(error.to_string(), "weight (bytes) has 41 elements; its shape [2, 20] needs 40");
    let error = Weight::from_blocks(vec![0; 67], WeightType::Q8_0, 2, 32, &device).unwrap_err();
    assert_eq!(error.to_string(), "weight (bytes) has 67 elements; its shape [2, 34] needs 68");
    let error = Weight::from_blocks(vec![0; 64], WeightType::F16, 1, 32, &device).unwrap_err();
    assert_eq!(error, KernelError::NoBlocks { kind: "f16" });
    for (kind, bad) in [
        (WeightType::Q8_0, 1e8),
        (WeightType::Q8_0, f32::NAN),
        (WeightType::Q4_1, f32::INFINITY),
        (WeightType::Q4_1, -1e7),
    ] {
        let mut data = vec![1.0; 128];
        data[100] = bad;
        match Weight::new(data, 2, 64, kind, &Device::flex()).unwrap_err() {
            KernelError::Overflow { row: 1, column: 36, .. } => {}
            other => panic!("{kind} {bad}: {other}"),
        }
    }
}

#[test]
fn types_have_names() {
    for kind in WeightType::ALL {
        assert_eq!(kind.to_string().parse(), Ok(kind));
    }
    let error = "Q8_0".parse::<WeightType>().unwrap_err();
    assert_eq!(error.to_string(), "unknown weight type `Q8_0`: write `f32`, `f16`, `bf16`, `q8_0` or `q4_1`");
}
