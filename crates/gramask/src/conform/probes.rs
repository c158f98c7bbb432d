//! Burn's own operations, probed: what is wrong here is wrong in the device's driver, or in Burn for this device.
//!
//! The many probes of `argmax` have a reason. On Mesa 22.3.6 (Debian 12), with kernels that Burn's autotuning chose, it was wrong
//! over `[8, 151936]` in half of the rows, and right over `[8, 65536]`. Expected answers are worked out here, one after the
//! other, and sums in 64 bits.

use burn::tensor::{Bool, DType, FloatDType, Tensor, TensorData, activation};

use super::check::{Check, Failure, Group, Tally};
use super::pair::{Numbers, Pair, floats_of, integers_of, upload, upload_integers};

pub(super) fn checks() -> Vec<Check> {
    let mut checks = Vec::new();
    // Vocabularies: Llama 2, the largest that 16 bits number, Llama 3, Qwen 2.
    for (rows, vocabulary) in [(8, 32_000), (8, 65_536), (1, 151_936), (8, 128_256), (8, 151_936)] {
        let name = format!("argmax [{rows}, {vocabulary}]");
        checks.push(Check::new(Group::Operation, name, move |pair| argmax(pair, rows, vocabulary)));
    }
    let mut add = |name: &str, run: fn(&Pair) -> Result<Tally, Failure>| {
        checks.push(Check::new(Group::Operation, name, run));
    };
    add("max_dim, sum_dim [8, 151936]", reductions);
    add("softmax [8, 151936]", softmax);
    add("matmul [8, 576] x [576, 1536]", |pair| matmul(pair, [1, 8, 576, 1536]));
    add("matmul [4, 33, 64] x [4, 64, 65]", |pair| matmul(pair, [4, 33, 64, 65]));
    add("select, gather [4096, 64]", gather);
    add("slice_assign [4, 2, 64, 16]", slice_assign);
    add("mask_fill [8, 32768]", mask_fill);
    add("sort [4, 4096]", sort);
    add("shift, and [8, 1024, 32]", bits);
    add("cast f32 to f16 and back", half);
    checks
}

fn argmax(pair: &Pair, rows: usize, vocabulary: usize) -> Result<Tally, Failure> {
    let mut tally = Tally::exact();
    let rounds = if pair.quick { 2 } else { 10 };
    for round in 0..rounds {
        let values = Numbers::new(round).floats(rows * vocabulary, 8.0);
        let got = upload(&values, [rows, vocabulary], &pair.device).argmax(1);
        let got = integers_of(&pair.device, got)?;
        for (row, (values, got)) in values.chunks_exact(vocabulary).zip(got).enumerate() {
            let largest = values.iter().copied().fold(f32::MIN, f32::max);
            let first = values.iter().position(|value| *value == largest).unwrap_or(0);
            // Of equal numbers any may be named.
            let named = usize::try_from(got).ok().and_then(|token| values.get(token));
            let right = named == Some(&largest);
            let said = if right { first as i64 } else { got };
            tally.equal(|| format!("row {row} of round {round}"), &said, &(first as i64));
        }
    }
    Ok(tally)
}

fn reductions(pair: &Pair) -> Result<Tally, Failure> {
    let mut tally = Tally::within(pair.tolerances.sums);
    let (rows, width) = (8, 151_936);
    let values = Numbers::new(1).floats(rows * width, 8.0);
    let largest = upload(&values, [rows, width], &pair.device).max_dim(1);
    let largest = floats_of(&pair.device, largest)?;
    let sums = upload(&values, [rows, width], &pair.device).sum_dim(1);
    let sums = floats_of(&pair.device, sums)?;
    for (row, values) in values.chunks_exact(width).enumerate() {
        let max = values.iter().copied().fold(f32::MIN, f32::max);
        tally.compare(|| format!("the largest of row {row}"), largest[row].into(), max.into());
        let sum: f64 = values.iter().map(|value| f64::from(*value)).sum();
        let size: f64 = values.iter().map(|value| f64::from(value.abs())).sum();
        tally.compare_scaled(|| format!("the sum of row {row}"), sums[row].into(), sum, size);
    }
    Ok(tally)
}

fn softmax(pair: &Pair) -> Result<Tally, Failure> {
    let mut tally = Tally::within(pair.tolerances.sums);
    let (rows, width) = (8, 151_936);
    let values = Numbers::new(2).floats(rows * width, 8.0);
    let got = activation::softmax(upload(&values, [rows, width], &pair.device), 1);
    let got = floats_of(&pair.device, got)?;
    for (row, (got, values)) in got.chunks_exact(width).zip(values.chunks_exact(width)).enumerate() {
        let max = values.iter().copied().fold(f32::MIN, f32::max);
        let weights = values.iter().map(|value| f64::from(value - max).exp());
        let total: f64 = weights.clone().sum();
        // In units of the largest probability, which is that of weight 1.
        for (token, (got, weight)) in got.iter().zip(weights).enumerate() {
            tally.compare_scaled(|| format!("[{row}, {token}]"), (*got).into(), weight / total, 1.0 / total);
        }
    }
    Ok(tally)
}

fn matmul(pair: &Pair, [batch, m, k, n]: [usize; 4]) -> Result<Tally, Failure> {
    let mut tally = Tally::within(pair.tolerances.products);
    let mut numbers = Numbers::new(3);
    let (a, b) = (numbers.floats(batch * m * k, 1.0), numbers.floats(batch * k * n, 1.0));
    let got = upload(&a, [batch, m, k], &pair.device).matmul(upload(&b, [batch, k, n], &pair.device));
    let got = floats_of(&pair.device, got)?;
    for (place, got) in got.iter().enumerate() {
        let (matrix, i, j) = (place / (m * n), place / n % m, place % n);
        let row = &a[(matrix * m + i) * k..][..k];
        let terms = row.iter().enumerate().map(|(t, x)| f64::from(*x) * f64::from(b[(matrix * k + t) * n + j]));
        let (sum, size) = terms.fold((0.0, 0.0), |(sum, size), term| (sum + term, size + term.abs()));
        tally.compare_scaled(|| format!("[{matrix}, {i}, {j}]"), (*got).into(), sum, size);
    }
    Ok(tally)
}

fn gather(pair: &Pair) -> Result<Tally, Failure> {
    let mut tally = Tally::exact();
    let mut numbers = Numbers::new(4);
    let (rows, width, wanted) = (4096, 64, 100);
    let values = numbers.floats(rows * width, 1.0);
    let ids: Vec<i32> = (0..wanted).map(|_| numbers.below(rows) as i32).collect();
    let table = upload(&values, [rows, width], &pair.device);
    let chosen = table.clone().select(0, upload_integers(&ids, [wanted], &pair.device));
    let chosen = floats_of(&pair.device, chosen)?;
    let columns: Vec<i32> = (0..rows).map(|_| numbers.below(width) as i32).collect();
    let picked = table.gather(1, upload_integers(&columns, [rows, 1], &pair.device));
    let picked = floats_of(&pair.device, picked)?;
    for (place, got) in chosen.iter().enumerate() {
        let expected = values[ids[place / width] as usize * width + place % width];
        tally.compare(|| format!("select, row {}", place / width), (*got).into(), expected.into());
    }
    for (row, got) in picked.iter().enumerate() {
        let expected = values[row * width + columns[row] as usize];
        tally.compare(|| format!("gather, row {row}"), (*got).into(), expected.into());
    }
    Ok(tally)
}

fn slice_assign(pair: &Pair) -> Result<Tally, Failure> {
    let mut tally = Tally::exact();
    let mut numbers = Numbers::new(5);
    let shape = [4usize, 2, 64, 16];
    let (values, part) = (numbers.floats(shape.iter().product(), 1.0), numbers.floats(2 * 3 * 16, 1.0));
    let part_on = upload(&part, [1, 2, 3, 16], &pair.device);
    let got = upload(&values, shape, &pair.device).slice_assign([2..3, 0..2, 40..43, 0..16], part_on);
    let got = floats_of(&pair.device, got)?;
    let mut expected = values;
    for head in 0..2 {
        for (row, part) in part[head * 48..][..48].chunks_exact(16).enumerate() {
            expected[((2 * 2 + head) * 64 + 40 + row) * 16..][..16].copy_from_slice(part);
        }
    }
    tally.compare_all("", &got, &expected);
    Ok(tally)
}

fn mask_fill(pair: &Pair) -> Result<Tally, Failure> {
    let mut tally = Tally::exact();
    let mut numbers = Numbers::new(6);
    let shape = [8, 32_768];
    let values = numbers.floats(shape[0] * shape[1], 1.0);
    let fill: Vec<bool> = values.iter().map(|_| numbers.bits() & 1 == 1).collect();
    let mask = Tensor::<2, Bool>::from_data(TensorData::new(fill.clone(), shape), &pair.device);
    let got = upload(&values, shape, &pair.device).mask_fill(mask, -1.0e30);
    let got = floats_of(&pair.device, got)?;
    let filled = |(value, fill): (&f32, &bool)| if *fill { -1.0e30 } else { *value };
    let expected: Vec<f32> = values.iter().zip(&fill).map(filled).collect();
    tally.compare_all("", &got, &expected);
    Ok(tally)
}

fn sort(pair: &Pair) -> Result<Tally, Failure> {
    let mut tally = Tally::exact();
    let (rows, width) = (4, 4096);
    let values = Numbers::new(7).floats(rows * width, 8.0);
    let got = floats_of(&pair.device, upload(&values, [rows, width], &pair.device).sort(1))?;
    for (row, (values, got)) in values.chunks_exact(width).zip(got.chunks_exact(width)).enumerate() {
        let mut values = values.to_vec();
        values.sort_by(f32::total_cmp);
        tally.compare_all(&format!("row {row}"), got, &values);
    }
    Ok(tally)
}

fn bits(pair: &Pair) -> Result<Tally, Failure> {
    let mut tally = Tally::exact();
    let (rows, words) = (8usize, 1024usize);
    let mut numbers = Numbers::new(8);
    let mask: Vec<i32> = (0..rows * words).map(|_| numbers.bits() as u32 as i32).collect();
    let shifts: Vec<i32> = (0..32).collect();
    let shape = [rows, words, 32];
    let shifts = upload_integers(&shifts, [1, 1, 32], &pair.device).expand(shape);
    let mask_on = upload_integers(&mask, [rows, words, 1], &pair.device).expand(shape);
    let got = integers_of(&pair.device, mask_on.bitwise_right_shift(shifts).bitwise_and_scalar(1))?;
    for (place, got) in got.iter().enumerate() {
        let expected = i64::from(mask[place / 32] >> (place % 32) & 1);
        tally.equal(|| format!("bit {} of word {}", place % 32, place / 32), got, &expected);
    }
    Ok(tally)
}

fn half(pair: &Pair) -> Result<Tally, Failure> {
    if !pair.device.supports_dtype(FloatDType::F16) {
        return Ok(Tally::skipped("the device has no f16"));
    }
    // Half a unit in the last place of 11 bits.
    let mut tally = Tally::within(1.0 / 2048.0);
    let values = Numbers::new(9).floats(8192, 100.0);
    let there = upload(&values, [8192], &pair.device).cast(FloatDType::F16);
    let back: Tensor<1> = there.cast(FloatDType::F32);
    debug_assert_eq!(back.dtype(), DType::F32);
    for (place, (got, value)) in floats_of(&pair.device, back)?.iter().zip(&values).enumerate() {
        // Numbers below the smallest normal one are rounded to its 1024th part.
        let size = f64::from(value.abs()).max(1.0 / 16_384.0);
        tally.compare_scaled(|| format!("[{place}]"), (*got).into(), (*value).into(), size);
    }
    Ok(tally)
}
