//! The kernels of a GPU against their references on the CPU, on random shapes, in every float type that the device has.
//!
//! They run on the first adapter that WGPU finds, in builds with the feature `wgpu`; elsewhere the tests say that they are
//! skipped, and what remains is that the references agree with each other.
#![allow(clippy::print_stdout)]

use burn::tensor::{Device, Distribution, FloatDType, Int, Tensor};
use gramask_kernels::model::{
    Heads, Norm, Places, Rotated, add_norm, add_norm_reference, angles, attend, attend_reference, copy_positions,
    product, product_reference, rotate_store, rotate_store_reference, swiglu, swiglu_reference,
};
use gramask_kernels::{Weight, WeightType};
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

/// The float types that the device computes in, with the error of one rounding.
fn floats(device: &Device) -> Vec<(FloatDType, f32)> {
    let all = [(FloatDType::F32, 1e-6), (FloatDType::F16, 1e-3), (FloatDType::BF16, 8e-3)];
    all.into_iter()
        .filter(|(dtype, _)| {
            let has = device.supports_dtype(*dtype);
            if !has {
                println!("skipped: the device has no {dtype:?}");
            }
            has
        })
        .collect()
}

/// Runs the cases: few, since every shape is a kernel to compile.
fn check<S: Strategy>(cases: u32, strategy: S, test: impl Fn(&Device, S::Value) -> Result<(), TestCaseError>) {
    let Some(device) = gpu() else { return };
    let config = ProptestConfig { cases, max_shrink_iters: 8, failure_persistence: None, ..ProptestConfig::default() };
    TestRunner::new_with_rng(config, proptest::test_runner::TestRng::deterministic_rng(Default::default()))
        .run(&strategy, |value| test(&device, value))
        .unwrap();
}

fn random<const D: usize>(shape: [usize; D], size: f64) -> Tensor<D> {
    Tensor::random(shape, Distribution::Uniform(-size, size), &Device::flex())
}

/// The same numbers on the device, rounded to its type.
fn over<const D: usize>(tensor: &Tensor<D>, device: &Device, dtype: FloatDType) -> Tensor<D> {
    let there = Tensor::<D>::from_data(tensor.to_data(), (device, burn::tensor::DType::F32));
    there.cast(dtype)
}

/// And back, in 32 bits.
fn back<const D: usize>(tensor: Tensor<D>) -> Tensor<D> {
    Tensor::from_data(tensor.cast(FloatDType::F32).into_data(), &Device::flex())
}

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.cast(FloatDType::F32).into_data().try_to_vec().unwrap()
}

fn close<const D: usize>(what: &str, got: Tensor<D>, want: Tensor<D>, tolerance: f32) -> Result<(), TestCaseError> {
    prop_assert_eq!(got.dims(), want.dims());
    let (got, want) = (values(got), values(want));
    let size = want.iter().fold(1.0f32, |a, b| a.max(b.abs()));
    for (i, (g, w)) in got.iter().zip(&want).enumerate() {
        prop_assert!(
            (g - w).abs() <= tolerance * size,
            "{what}, number {i} of {}: {g}, not {w} (within {tolerance} of {size})",
            got.len()
        );
    }
    Ok(())
}

#[test]
fn sums_and_norms() {
    let widths = prop_oneof![Just(1usize), Just(576), Just(896), 1usize..300, 1000usize..1100];
    check(6, (1usize..40, widths, any::<bool>()), |device, (rows, width, add)| {
        let (stream, delta, weight) = (random([rows, width], 3.0), random([rows, width], 3.0), random([width], 2.0));
        for (dtype, rounding) in floats(device) {
            let delta = add.then(|| over(&delta, device, dtype));
            let on_gpu = over(&weight, device, FloatDType::F32);
            let norm = |weight| Norm { weight, epsilon: 1e-5, dtype };
            let got = add_norm(over(&stream, device, FloatDType::F32), delta.clone(), &norm(&on_gpu));
            prop_assert_eq!(got.1.dtype(), dtype.into());
            let f32_norm = Norm { dtype: FloatDType::F32, ..norm(&weight) };
            let want = add_norm_reference(stream.clone(), delta.map(back), &f32_norm);
            close("sum", got.0, want.0, 1e-6)?;
            close("norm", got.1, want.1, rounding + 1e-6)?;
        }
        Ok(())
    });
}

#[test]
fn gates() {
    check(5, (1usize..30, 1usize..700, 0u32..6), |device, (rows, hidden, size)| {
        let gate_up = random([rows, 2 * hidden], 10f64.powi(size as i32 - 2));
        for (dtype, rounding) in floats(device) {
            let gate_up = over(&gate_up, device, dtype);
            let want = swiglu_reference(back(gate_up.clone()));
            if values(want.clone()).iter().any(|value| value.abs() > 6e4) {
                continue; // beyond 16 bits
            }
            close("swiglu", swiglu(gate_up), want, rounding + 1e-6)?;
        }
        Ok(())
    });
}

/// A cache and the places of some tokens in it.
#[derive(Clone, Debug)]
struct Case {
    slots: usize,
    capacity: usize,
    kv_heads: usize,
    group: usize,
    width: usize,
    /// Slot and position of each token.
    places: Vec<(usize, usize)>,
}

fn cases(longest: usize) -> impl Strategy<Value = Case> {
    let widths = prop_oneof![Just(32usize), Just(64), Just(80), Just(128), Just(10)];
    let shape = (1usize..5, 1usize..4, 1usize..10, widths, 1usize..=longest);
    shape.prop_flat_map(|(slots, kv_heads, group, width, capacity)| {
        prop::collection::vec((0..slots, 0..capacity), 1..7).prop_map(move |places| Case {
            slots,
            capacity,
            kv_heads,
            group,
            width,
            places,
        })
    })
}

impl Case {
    fn cache(&self) -> Tensor<4> {
        random([self.slots, self.kv_heads, self.capacity, self.width], 1.0)
    }

    fn places(&self, device: &Device) -> Places {
        let (slots, positions): (Vec<_>, Vec<_>) = self.places.iter().copied().unzip();
        Places::new(&vec![0; slots.len()], &slots, &positions, device)
    }
}

#[test]
fn rotation_and_the_write_into_the_cache() {
    check(10, (cases(300), any::<bool>(), any::<bool>()), |device, (mut case, bias, norms)| {
        // Two tokens at one place would race.
        case.places.sort_unstable();
        case.places.dedup();
        let heads = case.kv_heads * case.group;
        let all = (heads + 2 * case.kv_heads) * case.width;
        let qkv = random([case.places.len(), all], 2.0);
        let (bias_of, weights) = (random([all], 1.0), [random([case.width], 2.0), random([case.width], 2.0)]);
        let frequencies: Vec<f64> = (0..case.width / 2).map(|i| 0.1f64.powi(i as i32)).collect();
        let (keys, values) = (case.cache(), case.cache());
        for (dtype, rounding) in floats(device) {
            let there = |t: &Tensor<1>| over(t, device, FloatDType::F32);
            let (there_bias, there_weights) = (there(&bias_of), [there(&weights[0]), there(&weights[1])]);
            let of = |b, w: [_; 2], angles| Heads {
                heads,
                kv_heads: case.kv_heads,
                width: case.width,
                bias: if bias { Some(b) } else { None },
                norms: if norms { Some((w[0], w[1])) } else { None },
                epsilon: 1e-6,
                angles,
            };
            let there_angles = angles(case.capacity, &frequencies, device);
            let table = angles(case.capacity, &frequencies, &Device::flex());
            let (qkv, keys, values) =
                (over(&qkv, device, dtype), over(&keys, device, dtype), over(&values, device, dtype));
            let (here_keys, here_values) = (back(keys.clone()), back(values.clone()));
            let got = rotate_store(
                qkv.clone(),
                &of(&there_bias, [&there_weights[0], &there_weights[1]], &there_angles),
                &case.places(device),
                keys,
                values,
            );
            let want = rotate_store_reference(
                back(qkv),
                &of(&bias_of, [&weights[0], &weights[1]], &table),
                &case.places(&Device::flex()),
                here_keys,
                here_values,
            );
            let Rotated { query, keys, values } = got;
            close("query", query, want.query, rounding + 2e-6)?;
            close("keys", keys, want.keys, rounding + 2e-6)?;
            close("values", values, want.values, rounding + 2e-6)?;
        }
        Ok(())
    });
}

#[test]
fn attention_over_ragged_slots() {
    let lengths = prop_oneof![Just(1usize), Just(40), Just(300), Just(2000)];
    let strategy =
        lengths.prop_flat_map(|longest| (cases(longest), 0usize..3, prop_oneof![Just(0.1), Just(1.0), Just(8.0)]));
    check(8, strategy, |device, (case, skipped, size)| {
        let heads = case.kv_heads * case.group;
        let query = random([case.places.len(), heads, case.width], size);
        let (keys, values) = (case.cache(), case.cache());
        // The pass may have tokens that attend elsewhere.
        let tokens = skipped.min(case.places.len() - 1)..case.places.len();
        for (dtype, rounding) in floats(device) {
            let (query, keys, values) =
                (over(&query, device, dtype), over(&keys, device, dtype), over(&values, device, dtype));
            let want = attend_reference(
                back(query.clone()),
                back(keys.clone()),
                back(values.clone()),
                &case.places(&Device::flex()),
                tokens.clone(),
            );
            let got = attend(query, keys, values, &case.places(device), tokens.clone());
            prop_assert_eq!(got.dtype(), dtype.into());
            close("attention", got, want, rounding + 1e-5)?;
        }
        Ok(())
    });
}

#[test]
fn copies_within_the_cache() {
    check(4, (cases(200), any::<prop::sample::Index>(), any::<prop::sample::Index>()), |device, (mut case, a, b)| {
        case.slots += 1;
        let (from, to) = (0, case.slots - 1);
        let (start, end) = (a.index(case.capacity), b.index(case.capacity));
        let range = start.min(end)..start.max(end) + 1;
        let (keys, values) = (case.cache(), case.cache());
        let there = |t: &Tensor<4>| over(t, device, FloatDType::F32);
        let got = copy_positions(there(&keys), there(&values), from, to, range.clone());
        let want = copy_positions(keys, values, from, to, range);
        close("keys", got.0, want.0, 0.0)?;
        close("values", got.1, want.1, 0.0)
    });
}

#[test]
fn products_of_few_and_many_rows_in_every_weight_type() {
    let rows = prop_oneof![Just(1usize), Just(2), Just(7), Just(9), 1usize..50];
    let inputs = prop_oneof![Just(32usize), Just(96), Just(576), Just(49), Just(1056)];
    check(6, (rows, 1usize..300, inputs), |device, (rows, outputs, inputs)| {
        let (x, w) = (random([rows, inputs], 1.0), random([outputs, inputs], 1.0));
        for kind in WeightType::ALL {
            if matches!(kind, WeightType::Q8_0 | WeightType::Q4_1) && inputs % 32 != 0 {
                continue;
            }
            let Ok(weight) = Weight::new(values(w.clone()), outputs, inputs, kind, device) else {
                println!("skipped: the device has no {kind}");
                continue;
            };
            // What the weight's numbers are, from the CPU where it has the type.
            let exact = match kind {
                WeightType::Bf16 => back(weight.as_tensor()),
                kind => {
                    let there = Weight::new(values(w.clone()), outputs, inputs, kind, &Device::flex()).unwrap();
                    there.as_tensor().cast(FloatDType::F32)
                }
            };
            close("the weight", back(weight.as_tensor()), exact.clone(), 0.0)?;
            let ids = [outputs as i32 - 1, 0, outputs as i32 / 2];
            let rows_of = weight.rows(Tensor::<1, Int>::from_ints(ids, device));
            let here = exact.clone().select(0, Tensor::<1, Int>::from_ints(ids, &Device::flex()));
            close("rows", back(rows_of), here, 0.0)?;
            for (dtype, rounding) in floats(device) {
                let x = over(&x, device, dtype);
                let want = back(x.clone()).matmul(exact.clone().transpose());
                // Products of many rows round the activations to the weight's type.
                let narrow = match kind {
                    WeightType::F16 => 1e-3,
                    WeightType::Bf16 => 8e-3,
                    _ => 1e-6,
                };
                let many = 4.0 * f32::max(rounding, narrow);
                close(&format!("{kind} {dtype:?}"), product(x.clone(), &weight, FloatDType::F32), want.clone(), many)?;
                close(
                    &format!("{kind} {dtype:?} in memory"),
                    product_reference(x.clone(), &weight, dtype),
                    want.clone(),
                    many,
                )?;
                if rows <= 8 {
                    let got = product(x, &weight, FloatDType::F32);
                    close(&format!("{kind} {dtype:?}, few rows"), got, want, 4e-6)?;
                }
            }
        }
        Ok(())
    });
}

#[test]
fn places_are_refreshed_where_they_lie() {
    let devices = [Some(Device::flex()), gpu()];
    for device in devices.into_iter().flatten() {
        let mut places = Places::new(&[1, 2], &[3, 4], &[5, 6], &device);
        let before = places.on_device().into_data().try_to_vec::<i32>().unwrap();
        assert_eq!(before, [1, 2, 3, 4, 5, 6]);
        places.refresh(&[9, 8], &[7, 0], &[0, 70000]);
        let after = places.on_device().into_data().try_to_vec::<i32>().unwrap();
        assert_eq!(after, [9, 8, 7, 0, 0, 70000]);
        assert_eq!((places.ids(), places.slots(), places.positions()), (&[9, 8][..], &[7, 0][..], &[0, 70000][..]));
    }
}

#[test]
fn a_large_vocabulary_is_one_product() {
    let Some(device) = gpu() else { return };
    // More outputs than one axis has cubes for at four outputs each: 2^18 > 4 * 65535.
    let (outputs, inputs) = (1 << 18, 32);
    let numbers: Vec<f32> = (0..outputs * inputs).map(|i| ((i * 37) % 101) as f32 / 50.0 - 1.0).collect();
    let weight = Weight::new(numbers.clone(), outputs, inputs, WeightType::Q8_0, &device).unwrap();
    let here = Weight::new(numbers, outputs, inputs, WeightType::Q8_0, &Device::flex()).unwrap();
    let x = random([1, inputs], 1.0);
    let got = product(over(&x, &device, FloatDType::F32), &weight, FloatDType::F32);
    let want = product(x, &here, FloatDType::F32);
    close("a large vocabulary", got, want, 4e-6).unwrap();
}
