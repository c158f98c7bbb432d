//! The linear layer against references, at every level that this processor has.

use crate::support::{LEVELS, check_product};
use burn::tensor::{Device, Distribution, Int, Tensor, TensorData};
use gramask_kernels::cpu::Level;
use gramask_kernels::linear::cpu::{Values, linear_at};
use gramask_kernels::linear::{linear_reference, try_linear};
use gramask_kernels::{KernelError, Weight, WeightType, linear};
use gramask_random::Rng;
use half::f16;
use proptest::prelude::*;

/// Every level, both types, compared with sums in 64 bits. `w` must be exact in 16 bits.
fn check(x: &[f32], w: &[f32], [m, n, k]: [usize; 3]) -> Result<(), TestCaseError> {
    let narrow: Vec<f16> = w.iter().map(|v| f16::from_f32(*v)).collect();
    for level in LEVELS.iter().copied() {
        for (name, values) in [("f32", Values::F32(w)), ("f16", Values::F16(&narrow))] {
            check_product(level, name, (x, values, w), [m, n, k])?;
        }
    }
    Ok(())
}

fn k() -> impl Strategy<Value = usize> {
    prop_oneof![Just(1), Just(31), Just(576), Just(1536), 1usize..200]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_level_agrees_with_exact_sums(m in 1usize..40, n in 1usize..70, k in k(), seed in any::<u64>()) {
        let mut rng = Rng::new(seed);
        // Magnitudes over 2^24, both signs; weights rounded to 16 bits so that both types have the same values.
        let mut next = || {
            let unit = 2.0 * rng.unit() as f32 - 1.0;
            unit * 2f32.powi(rng.below(12) as i32)
        };
        let x: Vec<f32> = (0..m * k).map(|_| next()).collect();
        let w: Vec<f32> = (0..n * k).map(|_| f16::from_f32(next()).to_f32()).collect();
        check(&x, &w, [m, n, k])?;
    }

    #[test]
    fn tensors_agree_with_plain_operations(m in 1usize..40, n in 1usize..600, k in k(), half in any::<bool>()) {
        let device = Device::flex();
        let kind = if half { WeightType::F16 } else { WeightType::F32 };
        let values = Tensor::<2>::random([n, k], Distribution::Uniform(-1.0, 1.0), &device);
        let weight = Weight::new(values.to_data().try_to_vec().unwrap(), n, k, kind, &device).unwrap();
        let x = Tensor::<2>::random([m, k], Distribution::Uniform(-1.0, 1.0), &device);
        let y = linear(x.clone(), &weight);
        prop_assert_eq!(y.dims(), [m, n]);
        let difference = (y - linear_reference(x, &weight).unwrap()).abs().max().into_scalar::<f32>();
        prop_assert!(difference <= 1e-5 * k as f32, "differs by {difference}");
    }
}

/// The longest rows are cut into slices, of which the last ends within a vector.
#[test]
fn every_height_and_tail() {
    for m in 1..=40 {
        for [n, k] in [[1, 1], [11, 16], [13, 17], [25, 33], [4, 100], [13, 1001], [5, 3089]] {
            let x: Vec<f32> = (0..m * k).map(|i| (i % 17) as f32 - 8.0).collect();
            let w: Vec<f32> = (0..n * k).map(|i| (i % 13) as f32 - 6.0).collect();
            check(&x, &w, [m, n, k]).unwrap();
        }
    }
}

#[test]
fn many_rows_are_cut_into_pieces() {
    // Large enough for several threads; integers, so that sums are exact in any order.
    let [m, n, k] = [3, 5003, 96];
    let x: Vec<f32> = (0..m * k).map(|i| (i % 7) as f32 - 3.0).collect();
    let w: Vec<f32> = (0..n * k).map(|i| (i % 11) as f32 - 5.0).collect();
    for _ in 0..50 {
        check(&x, &w, [m, n, k]).unwrap();
    }
}

#[test]
fn extreme_values_pass_through() {
    let k = 37;
    for level in LEVELS.iter().copied() {
        for m in [1, 4, 8, 17] {
            let mut x = vec![1.0f32; m * k];
            x[k - 1] = f32::MAX; // row 0
            let mut w = vec![f16::ZERO; 5 * k];
            w[k - 1] = f16::from_f32(0.5); // half of the largest value
            w[k..2 * k].fill(f16::MIN_POSITIVE_SUBNORMAL); // subnormals are not flushed
            w[2 * k + k - 1] = f16::MAX; // overflows with f32::MAX
            w[3 * k] = f16::NAN;
            w[4 * k + 36] = f16::NEG_INFINITY;
            let mut y = vec![0.0; m * 5];
            linear_at(level, &x, Values::F16(&w), [m, 5, k], &mut y).unwrap();
            assert_eq!(y[0], f32::MAX / 2.0, "{level} {m}");
            assert_eq!(y[2], f32::INFINITY, "{level} {m}");
            assert!(y[3].is_nan(), "{level} {m}");
            assert_eq!(y[4], f32::NEG_INFINITY, "{level} {m}");
            if m > 1 {
                assert_eq!(y[5], 0.5, "{level} {m}");
                assert_eq!(y[6], 37.0 * 2f32.powi(-24), "{level} {m}");
                assert_eq!(y[7], 65504.0, "{level} {m}");
                assert!(y[8].is_nan() && y[9] == f32::NEG_INFINITY, "{level} {m}");
            }
        }
    }
}

#[test]
fn empty_operands() {
    for level in LEVELS.iter().copied() {
        linear_at(level, &[], Values::F32(&[1.0, 2.0]), [0, 1, 2], &mut []).unwrap();
        linear_at(level, &[1.0, 2.0], Values::F32(&[]), [1, 0, 2], &mut []).unwrap();
        let mut y = [f32::NAN; 6];
        linear_at(level, &[], Values::F32(&[]), [2, 3, 0], &mut y).unwrap();
        assert_eq!(y, [0.0; 6], "a sum of nothing is zero");
    }
}

#[test]
fn wrong_lengths_are_errors() {
    let level = Level::best();
    let mut y = [0.0; 4];
    let error = linear_at(level, &[1.0; 5], Values::F32(&[1.0; 6]), [2, 2, 3], &mut y).unwrap_err();
    assert_eq!(error.to_string(), "x has 5 elements; its shape [2, 3] needs 6");
    let error = linear_at(level, &[1.0; 6], Values::F16(&[f16::ONE; 7]), [2, 2, 3], &mut y).unwrap_err();
    assert_eq!(error, KernelError::Length { name: "weight", rows: 2, columns: 3, len: 7 });
    let error = linear_at(level, &[1.0; 6], Values::F32(&[1.0; 6]), [2, 2, 3], &mut y[..3]).unwrap_err();
    assert_eq!(error, KernelError::Length { name: "y", rows: 2, columns: 2, len: 3 });
    let huge = linear_at(level, &[1.0; 6], Values::F32(&[1.0; 6]), [usize::MAX, 2, 3], &mut y).unwrap_err();
    assert!(matches!(huge, KernelError::Length { name: "x", .. }), "{huge}");
    for level in Level::ALL.into_iter().filter(|level| !level.is_supported()) {
        let error = linear_at(level, &[1.0; 6], Values::F32(&[1.0; 6]), [2, 2, 3], &mut y).unwrap_err();
        assert_eq!(error, KernelError::Level { level });
    }
}

#[test]
fn weights_are_checked() {
    let device = Device::flex();
    let error = Weight::new(vec![0.0; 5], 2, 3, WeightType::F32, &device).unwrap_err();
    assert_eq!(error.to_string(), "weight has 5 elements; its shape [2, 3] needs 6");
    let error = Weight::new(vec![0.0, 1.0, 2.0, 3.0, 1e5, 5.0], 2, 3, WeightType::F16, &device).unwrap_err();
    assert_eq!(error, KernelError::Overflow { row: 1, column: 1, value: 1e5 });
    // A value that was infinite before is kept: it is the checkpoint's, not the conversion's.
    assert!(Weight::new(vec![f32::INFINITY], 1, 1, WeightType::F16, &device).is_ok());

    let weight = Weight::new(vec![0.0; 6], 2, 3, WeightType::F16, &device).unwrap();
    assert_eq!((weight.shape(), weight.bytes(), weight.kind()), ([2, 3], 12, WeightType::F16));
    let error = try_linear(Tensor::zeros([4, 2], &device), &weight).unwrap_err();
    assert_eq!(error, KernelError::Shape { x: [4, 2], weight: [2, 3] });
}

#[test]
fn views_are_read_through_their_strides() {
    let device = Device::flex();
    let weight = Weight::new((0..6).map(|v| v as f32).collect(), 2, 3, WeightType::F16, &device).unwrap();
    let x = Tensor::<2>::from_floats([[9.0, 1.0, 4.0], [9.0, 2.0, 5.0], [9.0, 3.0, 6.0]], &device);
    let columns = x.clone().slice([0..3, 1..3]).transpose(); // [[1, 2, 3], [4, 5, 6]]
    let expected = TensorData::from([[8.0f32, 26.0], [17.0, 62.0]]);
    linear(columns, &weight).to_data().assert_eq(&expected, true);
    let last = x.slice([2..3, 0..3]); // offset, not the whole buffer
    linear(last, &weight).to_data().assert_eq(&TensorData::from([[15.0f32, 69.0]]), true);
}

#[test]
fn rows_are_looked_up_in_32_bits() {
    let device = Device::flex();
    for kind in [WeightType::F32, WeightType::F16] {
        let weight = Weight::new((0..6).map(|v| v as f32).collect(), 3, 2, kind, &device).unwrap();
        let rows = weight.rows(Tensor::<1, Int>::from_ints([2, 0, 2], &device));
        rows.to_data().assert_eq(&TensorData::from([[4.0f32, 5.0], [0.0, 1.0], [4.0, 5.0]]), true);
    }
}
