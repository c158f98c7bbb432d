//! The kernels around and in a model's products, each against its reference, in every float type of the device.
//!
//! Operands are rounded to the type on the reference device first, so that both sides begin from the same numbers; the reference then
//! computes in 32 bits, and what differs is the rounding of what is stored.

use burn::tensor::{Device, Tensor};
use gramask_kernels::model::{
    Heads, Norm, Places, Rotated, add_norm, add_norm_reference, angles, attend, attend_reference, product,
    product_reference, rotate_store, rotate_store_reference, swiglu, swiglu_reference,
};
use gramask_kernels::{KernelError, Weight, WeightType};
use gramask_model::device::Dtype;

use super::check::{Check, Failure, Group, Tally};
use super::pair::{Numbers, Pair, floats_of, upload};

pub(super) fn checks() -> Vec<Check> {
    let mut checks = Vec::new();
    for dtype in Dtype::ALL {
        let mut add = |name: &str, run: fn(&Pair, Dtype) -> Result<Tally, Failure>| {
            let name = format!("{name} in {dtype}");
            checks.push(Check::new(Group::Kernel, name, move |pair| match dtype.is_supported(&pair.device) {
                true => run(pair, dtype),
                false => Ok(Tally::skipped("the device does not compute in this type")),
            }));
        };
        add("add_norm", norms);
        add("swiglu", gates);
        add("product of few rows", products);
        add("rotate_store, attend", attention);
    }
    checks
}

/// The error of one rounding to the type, with room for a few.
fn rounding(pair: &Pair, dtype: Dtype) -> f64 {
    match dtype {
        Dtype::F32 => pair.tolerances.sums,
        Dtype::F16 => 2e-3,
        Dtype::Bf16 => 1.6e-2,
    }
}

/// Numbers that the type has exactly.
fn numbers(numbers: &mut Numbers, count: usize, size: f32, dtype: Dtype, device: &Device) -> Result<Vec<f32>, Failure> {
    let values = numbers.floats(count, size);
    let rounded = upload(&values, [count], device).cast(dtype.float());
    floats_of(device, rounded)
}

/// Compares in units of the largest number.
fn compare(tally: &mut Tally, what: &str, got: &[f32], expected: &[f32]) {
    let largest = expected.iter().fold(1.0f32, |largest, value| largest.max(value.abs()));
    if got.len() != expected.len() {
        return tally.compare_all(what, got, expected);
    }
    for (place, (got, expected)) in got.iter().zip(expected).enumerate() {
        let what = || format!("{what}[{place}]");
        tally.compare_scaled(what, (*got).into(), (*expected).into(), largest.into());
    }
}

fn norms(pair: &Pair, dtype: Dtype) -> Result<Tally, Failure> {
    let mut tally = Tally::within(rounding(pair, dtype));
    let mut from = Numbers::new(90);
    for (rows, width) in [(1, 576), (5, 64), (3, 1000)] {
        let stream = from.floats(rows * width, 3.0);
        let delta = numbers(&mut from, rows * width, 3.0, dtype, &pair.reference)?;
        let weight = from.floats(width, 2.0);
        for add in [true, false] {
            let on = |device: &Device, dtype: Dtype, reference: bool| {
                let weight = upload(&weight, [width], device);
                let norm = Norm { weight: &weight, epsilon: 1e-5, dtype: dtype.float() };
                let delta = add.then(|| upload(&delta, [rows, width], device).cast(dtype.float()));
                let stream = upload(&stream, [rows, width], device);
                let (sum, normed) = match reference {
                    true => add_norm_reference(stream, delta, &norm),
                    false => add_norm(stream, delta, &norm),
                };
                Ok::<_, Failure>([floats_of(device, sum)?, floats_of(device, normed)?])
            };
            let [sum, normed] = on(&pair.device, dtype, false)?;
            let [wanted_sum, wanted] = on(&pair.reference, Dtype::F32, true)?;
            compare(&mut tally, &format!("[{rows}, {width}] sum"), &sum, &wanted_sum);
            compare(&mut tally, &format!("[{rows}, {width}] norm"), &normed, &wanted);
        }
    }
    Ok(tally)
}

fn gates(pair: &Pair, dtype: Dtype) -> Result<Tally, Failure> {
    let mut tally = Tally::within(rounding(pair, dtype));
    let mut from = Numbers::new(91);
    for (tokens, hidden) in [(1, 1536), (7, 33)] {
        let values = numbers(&mut from, tokens * 2 * hidden, 8.0, dtype, &pair.reference)?;
        let shape = [tokens, 2 * hidden];
        let got = swiglu(upload(&values, shape, &pair.device).cast(dtype.float()));
        let expected = swiglu_reference(upload(&values, shape, &pair.reference));
        let (got, expected) = (floats_of(&pair.device, got)?, floats_of(&pair.reference, expected)?);
        compare(&mut tally, &format!("[{tokens}, {hidden}]"), &got, &expected);
    }
    Ok(tally)
}

fn products(pair: &Pair, dtype: Dtype) -> Result<Tally, Failure> {
    let mut tally = Tally::within(rounding(pair, dtype).max(pair.tolerances.products));
    let mut from = Numbers::new(92);
    for kind in WeightType::ALL {
        for (rows, [out, input]) in [(1, [192, 576]), (4, [65, 160])] {
            let values = from.floats(out * input, 1.0);
            let make = |device: &Device| match Weight::new(values.clone(), out, input, kind, device) {
                Err(KernelError::Unsupported { .. }) => Ok(None),
                made => made.map(Some),
            };
            let (Some(there), Some(here)) = (make(&pair.device)?, make(&pair.reference)?) else {
                continue;
            };
            let x = numbers(&mut from, rows * input, 1.0, dtype, &pair.reference)?;
            let on = |device: &Device, dtype: Dtype| upload(&x, [rows, input], device).cast(dtype.float());
            let got = product(on(&pair.device, dtype), &there, dtype.float());
            let expected = product_reference(on(&pair.reference, Dtype::F32), &here, Dtype::F32.float());
            let (got, expected) = (floats_of(&pair.device, got)?, floats_of(&pair.reference, expected)?);
            compare(&mut tally, &format!("{kind} [{rows}, {input}] x [{out}, {input}]"), &got, &expected);
        }
    }
    Ok(tally)
}

/// A cache of these numbers, new tokens rotated into it, and their attention.
fn attention(pair: &Pair, dtype: Dtype) -> Result<Tally, Failure> {
    let mut tally = Tally::within(3.0 * rounding(pair, dtype).max(pair.tolerances.products));
    let mut from = Numbers::new(93);
    let (slots, capacity, epsilon) = (4usize, 96usize, 1e-6);
    for (heads, kv_heads, width, extras) in [(4, 2, 16, true), (9, 3, 64, false)] {
        // Single tokens, and two of a draft.
        let (ids, in_slots, positions) = ([5usize, 6, 7, 8], [2usize, 0, 1, 1], [0usize, 80, 30, 31]);
        let tokens = ids.len();
        let columns = (heads + 2 * kv_heads) * width;
        let qkv = numbers(&mut from, tokens * columns, 1.0, dtype, &pair.reference)?;
        let cached = slots * kv_heads * capacity * width;
        let keys = numbers(&mut from, cached, 1.0, dtype, &pair.reference)?;
        let values = numbers(&mut from, cached, 1.0, dtype, &pair.reference)?;
        let (bias, norm) = (from.floats(columns, 0.5), from.floats(width, 1.5));
        let frequencies: Vec<f64> = (0..width / 2).map(|pair| 1e4f64.powf(-2.0 * pair as f64 / width as f64)).collect();
        let on = |device: &Device, dtype: Dtype, reference: bool| {
            let (bias, norm) = (upload(&bias, [columns], device), upload(&norm, [width], device));
            let table = angles(capacity, &frequencies, device);
            let shape = Heads {
                heads,
                kv_heads,
                width,
                bias: extras.then_some(&bias),
                norms: extras.then_some((&norm, &norm)),
                epsilon,
                angles: &table,
            };
            let places = Places::new(&ids, &in_slots, &positions, device);
            let cache = |values: &[f32]| -> Tensor<4> {
                upload(values, [slots, kv_heads, capacity, width], device).cast(dtype.float())
            };
            let qkv = upload(&qkv, [tokens, columns], device).cast(dtype.float());
            let Rotated { query, keys, values } = match reference {
                true => rotate_store_reference(qkv, &shape, &places, cache(&keys), cache(&values)),
                false => rotate_store(qkv, &shape, &places, cache(&keys), cache(&values)),
            };
            let stored = [floats_of(device, keys.clone())?, floats_of(device, values.clone())?];
            let mixed = match reference {
                true => attend_reference(query, keys, values, &places, 0..tokens),
                false => attend(query, keys, values, &places, 0..tokens),
            };
            let [keys, values] = stored;
            Ok::<_, Failure>([keys, values, floats_of(device, mixed)?])
        };
        let got = on(&pair.device, dtype, false)?;
        let expected = on(&pair.reference, Dtype::F32, true)?;
        for (what, (got, expected)) in ["keys", "values", "attention"].iter().zip(got.iter().zip(&expected)) {
            compare(&mut tally, &format!("{heads} heads of {width}, {what}"), got, expected);
        }
    }
    Ok(tally)
}
