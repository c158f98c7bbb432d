//! This workspace's kernels, each against its exact answer or its reference.
//!
//! To add a kernel: a function of a [`Pair`] that fills a [`Tally`], and a line in [`checks`].

use burn::tensor::Device;
use gramask_kernels::{Weight, WeightType, decode_attention, linear};

use super::check::{Check, Failure, Group, Tally};
use super::pair::{Numbers, Pair, floats_of, upload, upload_integers};

pub(super) fn checks() -> Vec<Check> {
    let mut checks = Vec::new();
    for kind in WeightType::ALL {
        let name = format!("linear, weights in {kind}");
        checks.push(Check::new(Group::Kernel, name, move |pair| products(pair, kind)));
        let name = format!("rows of a weight in {kind}");
        checks.push(Check::new(Group::Kernel, name, move |pair| rows(pair, kind)));
    }
    checks.push(Check::new(Group::Kernel, "decode attention, grouped heads, ragged cache", attention));
    checks
}

/// A weight of seeded numbers; none where the device does not keep such weights.
fn weight(kind: WeightType, [out, input]: [usize; 2], device: &Device) -> Result<Option<Weight>, Failure> {
    let values = Numbers::new(11).floats(out * input, 1.0);
    match Weight::new(values, out, input, kind, device) {
        Err(gramask_kernels::KernelError::Unsupported { .. }) => Ok(None),
        made => Ok(Some(made?)),
    }
}

/// Activations of one and of several rows times a weight, against sums in 64 bits of the very numbers that are kept.
fn products(pair: &Pair, kind: WeightType) -> Result<Tally, Failure> {
    let mut tally = Tally::within(pair.tolerances.with_weights(kind).products);
    let shapes: &[[usize; 2]] = if pair.quick { &[[192, 576]] } else { &[[192, 576], [1536, 576], [65, 1536]] };
    for &[out, input] in shapes {
        let Some(there) = weight(kind, [out, input], &pair.device)? else {
            return Ok(Tally::skipped("the device keeps no such weights"));
        };
        let Some(here) = weight(kind, [out, input], &pair.reference)? else {
            return Ok(Tally::skipped("the reference keeps no such weights"));
        };
        let kept = floats_of(&pair.reference, here.as_tensor().cast(burn::tensor::FloatDType::F32))?;
        for m in [1, 3, 8] {
            let x = Numbers::new(m as u64).floats(m * input, 1.0);
            let y = floats_of(&pair.device, linear(upload(&x, [m, input], &pair.device), &there))?;
            for (place, got) in y.iter().enumerate() {
                let (i, j) = (place / out, place % out);
                let terms = x[i * input..][..input].iter().zip(&kept[j * input..][..input]);
                let (sum, size) = terms.fold((0.0, 0.0), |(sum, size), (a, b)| {
                    let term = f64::from(*a) * f64::from(*b);
                    (sum + term, size + term.abs())
                });
                let what = || format!("[{m}, {input}] x [{out}, {input}] at [{i}, {j}]");
                tally.compare_scaled(what, (*got).into(), sum, size);
            }
        }
    }
    Ok(tally)
}

/// The embedding's look-up: exactly the numbers that are kept.
fn rows(pair: &Pair, kind: WeightType) -> Result<Tally, Failure> {
    let mut tally = Tally::exact();
    let shape = [965, 64];
    let (there, here) = (weight(kind, shape, &pair.device)?, weight(kind, shape, &pair.reference)?);
    let (Some(there), Some(here)) = (there, here) else {
        return Ok(Tally::skipped("the device keeps no such weights"));
    };
    let ids = [0, 964, 17, 17, 500];
    let rows = |weight: &Weight, device: &Device| floats_of(device, weight.rows(upload_integers(&ids, [5], device)));
    tally.compare_all("", &rows(&there, &pair.device)?, &rows(&here, &pair.reference)?);
    Ok(tally)
}

/// New tokens of several sequences, one of them with several, over caches of different lengths.
fn attention(pair: &Pair) -> Result<Tally, Failure> {
    let mut tally = Tally::within(pair.tolerances.products);
    let (slots_all, capacity) = (5usize, if pair.quick { 96 } else { 320 });
    for (heads, kv_heads, dim) in [(4, 2, 16), (9, 3, 64)] {
        // One token in a new slot, one far on, three of a draft, one at the end.
        let (lengths, slots) = ([1, capacity - 7, 40, 41, 42, capacity], [3, 0, 1, 1, 1, 4]);
        let mut numbers = Numbers::new(dim as u64);
        let q = numbers.floats(lengths.len() * heads * dim, 2.0);
        let keys = numbers.floats(slots_all * kv_heads * capacity * dim, 1.0);
        let values = numbers.floats(slots_all * kv_heads * capacity * dim, 1.0);
        let shape = [slots_all, kv_heads, capacity, dim];
        let [got, expected] = pair.both(|device| {
            let q = upload(&q, [lengths.len(), heads, dim], device);
            decode_attention(q, upload(&keys, shape, device), upload(&values, shape, device), &lengths, &slots)
        })?;
        let what = format!("{heads} heads over {kv_heads} of width {dim}, ");
        tally.compare_all(&what, &got, &expected);
    }
    Ok(tally)
}
