//! The kernels around and in a model's products, on random shapes, in every float type that the device has.
//!
//! They run on the first adapter that WGPU finds, in builds with the feature `wgpu`, and on the CPU. Elsewhere the tests say
//! that they skip the GPU.

use burn::tensor::{Device, FloatDType, Int, Tensor};
use gramask_kernels::adamw::{Factors, Learnt, adamw as adamw_step};
use gramask_kernels::checks::linear::Case as Product;
use gramask_kernels::checks::rotary::Case;
use gramask_kernels::checks::{
    CheckError, Devices, FLOATS, Numbers, Outcome, Tally, Tolerances, adamw, computes_in, floats_of, linear, norm,
    rotary, swiglu, training, upload,
};
use gramask_kernels::linear::{linear_as, linear_as_reference};
use gramask_kernels::swiglu::Gate;
use gramask_kernels::{TokenBatch, Weight, WeightType};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

/// The device with the kernels, if there is one.
fn gpu() -> Option<Device> {
    #[cfg(feature = "wgpu")]
    if let Some(device) = Device::enumerate(burn::tensor::DeviceType::Wgpu).into_vec().into_iter().next() {
        return Some(device);
    }
    println!("skipped: no GPU back end in this build, or no adapter");
    None
}

/// The devices to test, beside the reference.
fn devices() -> Vec<Devices> {
    let pair = |device| Devices {
        device,
        reference: Device::flex(),
        tolerances: Tolerances { sums: 1e-6, products: 4e-6 },
        quick: true,
    };
    [gpu(), Some(Device::flex())].into_iter().flatten().map(pair).collect()
}

/// The float types that the device computes in, with the error of one rounding.
fn floats(devices: &Devices) -> Vec<(FloatDType, f64)> {
    let all = FLOATS.into_iter().zip([1e-6, 1e-3, 8e-3]);
    all.filter(|(dtype, _)| {
        let has = computes_in(&devices.device, *dtype);
        if !has {
            println!("skipped: {:?} does not compute in {dtype:?}", devices.device);
        }
        has
    })
    .collect()
}

/// Runs the cases: few, since every shape is a kernel to compile.
fn check<S: Strategy>(cases: u32, strategy: S, test: impl Fn(&Devices, S::Value) -> Result<(), TestCaseError>)
where
    S::Value: Clone,
{
    let devices = devices();
    let config = ProptestConfig { cases, max_shrink_iters: 8, failure_persistence: None, ..ProptestConfig::default() };
    TestRunner::new_with_rng(config, proptest::test_runner::TestRng::deterministic_rng(Default::default()))
        .run(&strategy, |value| devices.iter().try_for_each(|devices| test(devices, value.clone())))
        .unwrap();
}

fn failed(error: CheckError) -> TestCaseError {
    TestCaseError::fail(error.to_string())
}

fn close(outcome: &Outcome, tolerance: f64) -> Result<(), TestCaseError> {
    let mut tally = Tally::within(tolerance);
    tally.compare_to_largest(&outcome.what, &outcome.got, &outcome.expected);
    prop_assert!(tally.cases > 0, "{} compares nothing", outcome.what);
    match tally.wrong {
        Some(wrong) => Err(TestCaseError::fail(wrong)),
        None => Ok(()),
    }
}

#[test]
fn sums_and_norms() {
    let widths = prop_oneof![Just(1usize), Just(576), Just(896), 1usize..300, 1000usize..1100];
    check(6, (1usize..40, widths, any::<bool>(), any::<u64>()), |devices, (rows, width, add, seed)| {
        for (dtype, rounding) in floats(devices) {
            let case = norm::Case { rows, width, add };
            let [sum, norm] = norm::outcomes(devices, dtype, case, &mut Numbers::new(seed)).map_err(failed)?;
            close(&sum, 1e-6)?;
            close(&norm, rounding + 1e-6)?;
        }
        Ok(())
    });
}

#[test]
fn gates() {
    let gates = prop_oneof![Just(Gate::Silu), Just(Gate::GeluTanh)];
    check(5, (1usize..30, 1usize..700, 0i32..6, gates, any::<u64>()), |devices, (tokens, hidden, size, gate, seed)| {
        for (dtype, rounding) in floats(devices) {
            let case = swiglu::Case { tokens, hidden, size: 10f32.powi(size - 2), gate };
            let outcome = swiglu::outcomes(devices, dtype, case, &mut Numbers::new(seed)).map_err(failed)?;
            if outcome.expected.iter().any(|value| value.abs() > 6e4) {
                continue; // beyond 16 bits
            }
            close(&outcome, rounding + 1e-6)?;
        }
        Ok(())
    });
}

#[test]
fn gradients_of_training() {
    check(6, (1usize..40, 1usize..4, 1usize..40, any::<u64>()), |devices, (tokens, heads, half, seed)| {
        let case = training::Case { tokens, heads, half };
        for outcome in training::outcomes(devices, case, &mut Numbers::new(seed)).map_err(failed)? {
            close(&outcome, 4e-6)?;
        }
        Ok(())
    });
}

#[test]
fn steps_of_the_optimiser() {
    check(6, (1usize..70, 1usize..700, any::<bool>(), any::<u64>()), |devices, (rows, columns, transposed, seed)| {
        let case = adamw::Case { rows, columns, transposed };
        for outcome in adamw::outcomes(devices, case, &mut Numbers::new(seed)).map_err(failed)? {
            // The CPU adds thousands of squares in 32 bits, one after the other.
            close(&outcome, if outcome.what == "squares" { 4e-6 } else { 1e-6 })?;
        }
        Ok(())
    });
}

/// A step changes no tensor that someone else holds, and of its own tensors it changes the memory.
#[test]
fn a_step_of_the_optimiser_leaves_copies_alone() {
    let factors = Factors {
        scale: 1.0,
        beta1: 0.9,
        beta2: 0.99,
        unbias1: 0.1,
        unbias2: 0.01,
        epsilon: 1e-8,
        rate: 0.5,
        kept: 1.0,
    };
    for Devices { device, .. } in devices() {
        let tensor = |numbers: [f32; 4]| upload(&numbers, [2, 2], &device);
        let begun = Learnt { value: tensor([1.0; 4]), mean: tensor([0.0; 4]), square: tensor([0.0; 4]) };
        let copy = begun.clone();
        // With no past, the first step is the rate along the sign of the gradient.
        let gradient = tensor([3.0, -2.0, 0.25, 1e-3]);
        let first = adamw_step(begun, gradient.clone(), &factors);
        let close = |got: Tensor<2>, want: [f32; 4]| {
            let got = floats_of(&device, got).unwrap();
            assert!(got.iter().zip(want).all(|(got, want)| (got - want).abs() < 1e-4), "{got:?}, not {want:?}");
        };
        close(first.value.clone(), [0.5, 1.5, 0.5, 0.5]);
        close(copy.value.clone(), [1.0; 4]);
        close(copy.mean, [0.0; 4]);
        close(
            adamw_step(Learnt { value: copy.value, ..first }, gradient.neg(), &factors).mean,
            [-0.03, 0.02, -0.0025, 0.0],
        );
    }
}

fn cases(longest: usize) -> impl Strategy<Value = Case> {
    let widths = prop_oneof![Just(32usize), Just(64), Just(80), Just(128), Just(10)];
    let shape = (1usize..5, 1usize..4, 1usize..10, widths, 1usize..=longest);
    shape.prop_flat_map(|(slots, kv_heads, group, width, capacity)| {
        let windows = prop::option::of(1..=capacity + 1);
        (prop::collection::vec((0..slots, 0..capacity), 1..7), windows).prop_map(move |(places, window)| Case {
            slots,
            capacity,
            kv_heads,
            group,
            width,
            places,
            window,
        })
    })
}

#[test]
fn rotation_and_the_write_into_the_cache() {
    let strategy = (cases(300), any::<bool>(), any::<bool>(), any::<u64>());
    check(10, strategy, |devices, (mut case, bias, norms, seed)| {
        // Two tokens at one place would race.
        case.places.sort_unstable();
        case.places.dedup();
        for (dtype, rounding) in floats(devices) {
            let outcomes = rotary::rotated(devices, dtype, &case, [bias, norms], &mut Numbers::new(seed));
            for outcome in outcomes.map_err(failed)? {
                close(&outcome, rounding + 2e-6)?;
            }
        }
        Ok(())
    });
}

#[test]
fn attention_over_ragged_slots() {
    let lengths = prop_oneof![Just(1usize), Just(40), Just(300), Just(2000)];
    let sizes = prop_oneof![Just(0.1f32), Just(1.0), Just(8.0)];
    let strategy = lengths.prop_flat_map(move |longest| (cases(longest), 0usize..3, sizes.clone(), any::<u64>()));
    check(8, strategy, |devices, (case, skipped, size, seed)| {
        // The pass may have tokens that attend elsewhere.
        let tokens = skipped.min(case.places.len() - 1)..case.places.len();
        for (dtype, rounding) in floats(devices) {
            let outcome = rotary::attended(devices, dtype, &case, tokens.clone(), size, &mut Numbers::new(seed));
            close(&outcome.map_err(failed)?, rounding + 1e-5)?;
        }
        Ok(())
    });
}

#[test]
fn copies_within_the_cache() {
    let strategy = (cases(200), any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<u64>());
    check(4, strategy, |devices, (mut case, a, b, seed)| {
        case.slots += 1;
        let (start, end) = (a.index(case.capacity), b.index(case.capacity));
        let range = start.min(end)..start.max(end) + 1;
        let outcomes = rotary::copied(devices, &case, range, &mut Numbers::new(seed)).map_err(failed)?;
        outcomes.iter().try_for_each(|outcome| close(outcome, 0.0))
    });
}

/// The stored numbers of a weight in 32 bits, and some of its rows, are the reference's.
fn same_weight(devices: &Devices, weight: &Weight, stored: &Tensor<2>) -> Result<(), TestCaseError> {
    let whole = |tensor: Tensor<2>, device: &Device| floats_of(device, tensor.cast(FloatDType::F32)).map_err(failed);
    let outputs = weight.shape()[0] as i32;
    let ids = [outputs - 1, 0, outputs / 2];
    let rows = weight.rows(Tensor::<1, Int>::from_ints(ids, &devices.device));
    let wanted = stored.clone().select(0, Tensor::<1, Int>::from_ints(ids, &devices.reference));
    for (what, got, want) in [("the weight", weight.as_tensor(), stored.clone()), ("rows", rows, wanted)] {
        let (got, expected) = (whole(got, &devices.device)?, whole(want, &devices.reference)?);
        close(&Outcome { what: what.into(), got, expected }, 0.0)?;
    }
    Ok(())
}

#[test]
fn products_of_few_and_many_rows_in_every_weight_type() {
    let rows = prop_oneof![Just(1usize), Just(2), Just(7), Just(9), 1usize..50];
    let inputs = prop_oneof![Just(32usize), Just(96), Just(576), Just(49), Just(1056)];
    check(6, (rows, 1usize..300, inputs, any::<u64>()), |devices, (rows, outputs, inputs, seed)| {
        let mut from = Numbers::new(seed);
        let (x, w) = (from.floats(rows * inputs, 1.0), from.floats(outputs * inputs, 1.0));
        for kind in WeightType::ALL {
            if matches!(kind, WeightType::Q8_0 | WeightType::Q4_1) && inputs % 32 != 0 {
                continue;
            }
            let Ok(weight) = Weight::new(w.clone(), outputs, inputs, kind, &devices.device) else {
                println!("skipped: {:?} keeps no weights in {kind}", devices.device);
                continue;
            };
            // The stored numbers come from the CPU if it has the type.
            let stored: Tensor<2> = match kind {
                WeightType::Bf16 => {
                    let stored = weight.as_tensor().cast(FloatDType::F32);
                    Tensor::from_data(stored.into_data(), &devices.reference)
                }
                kind => {
                    let reference = Weight::new(w.clone(), outputs, inputs, kind, &devices.reference).unwrap();
                    reference.as_tensor().cast(FloatDType::F32)
                }
            };
            same_weight(devices, &weight, &stored)?;
            for (dtype, rounding) in floats(devices) {
                let x = upload(&x, [rows, inputs], &devices.device).cast(dtype);
                let rounded = floats_of(&devices.device, x.clone().cast(FloatDType::F32)).map_err(failed)?;
                let expected = upload(&rounded, [rows, inputs], &devices.reference).matmul(stored.clone().transpose());
                let expected = floats_of(&devices.reference, expected).map_err(failed)?;
                let same = |what: &str, got: Tensor<2>, tolerance: f64| {
                    let got = floats_of(&devices.device, got.cast(FloatDType::F32)).map_err(failed)?;
                    let what = format!("{kind} {dtype:?}, {what}");
                    close(&Outcome { what, got, expected: expected.clone() }, tolerance)
                };
                // Products of many rows round the activations to the weight's type.
                let narrow = match kind {
                    WeightType::F16 => 1e-3,
                    WeightType::Bf16 => 8e-3,
                    _ => 1e-6,
                };
                let many = 4.0 * f64::max(rounding, narrow);
                same("any rows", linear_as(x.clone(), &weight, FloatDType::F32), many)?;
                same("in memory", linear_as_reference(x.clone(), &weight, dtype), many)?;
                if rows <= 8 {
                    same("few rows", linear_as(x, &weight, FloatDType::F32), 4e-6)?;
                }
            }
        }
        Ok(())
    });
}

#[test]
fn a_batch_is_refreshed_where_it_lies() {
    let devices = [Some(Device::flex()), gpu()];
    for device in devices.into_iter().flatten() {
        let mut batch = TokenBatch::new(&[1, 2], &[3, 4], &[5, 6], &device);
        let before = batch.on_device().into_data().try_to_vec::<i32>().unwrap();
        assert_eq!(before, [1, 2, 3, 4, 5, 6]);
        batch.refresh(&[9, 8], &[7, 0], &[0, 70000]);
        let after = batch.on_device().into_data().try_to_vec::<i32>().unwrap();
        assert_eq!(after, [9, 8, 7, 0, 0, 70000]);
        assert_eq!((batch.ids(), batch.slots(), batch.positions()), (&[9, 8][..], &[7, 0][..], &[0, 70000][..]));
    }
}

#[test]
fn a_large_vocabulary_is_one_product() {
    // More outputs than one axis has cubes for at four outputs each: 2^18 > 4 * 65535.
    let case = Product { kind: WeightType::Q8_0, rows: 1, out: 1 << 18, input: 32 };
    for devices in devices() {
        let outcome = linear::outcomes(&devices, [FloatDType::F32; 2], case, &mut Numbers::new(1)).unwrap();
        close(&outcome.unwrap(), 4e-6).unwrap();
    }
}
