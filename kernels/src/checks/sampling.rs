//! The kernels that choose tokens: masks, arg-max, draws, and the verification of drafts.
//!
//! They are defined in whole numbers, so every device gives the same token, bit for bit. Their scores are floats. The reference
//! is the same operation on the reference device. The arg-max is also compared with a plain search.

use super::{CheckError, Devices, KernelCheck, Numbers, Tally, upload, upload_integers};
use crate::sampling::{
    Draw, MaskRow, MaskTable, Masks, NoChoice, Pick, Picks, Sampling, SamplingError, mask_argmax, mask_softmax_sample,
};
use crate::verify_draft::verify_draft;
use burn::tensor::Device;

pub(super) fn checks() -> Vec<KernelCheck> {
    let mut checks = Vec::new();
    for (rows, vocabulary) in [(3, 26), (8, 1001), (2, 49_152), (1, 128_256), (8, 151_936)] {
        let name = format!("mask_argmax [{rows}, {vocabulary}]");
        checks.push(KernelCheck::new(name, move |devices| argmax(devices, rows, vocabulary)));
    }
    for (rows, vocabulary) in [(8, 1001), (4, 49_152), (2, 151_936)] {
        let name = format!("mask_softmax_sample [{rows}, {vocabulary}]");
        checks.push(KernelCheck::new(name, move |devices| sample(devices, rows, vocabulary)));
    }
    checks.push(KernelCheck::new("mask_argmax of rows with -inf, NaN, ties and no token", odd_rows));
    checks.push(KernelCheck::new("a mask table whose rows make room", table));
    checks.push(KernelCheck::new("verify_draft", drafts));
    checks
}

/// Masks of every kind, one after the other: half of the tokens, a few, one, all.
fn masks(numbers: &mut Numbers, rows: usize, vocabulary: usize) -> Vec<Vec<u32>> {
    (0..rows)
        .map(|row| match row % 4 {
            0 => numbers.mask(vocabulary, 0.5),
            1 => {
                let mut mask = numbers.mask(vocabulary, 0.001);
                let token = numbers.below(vocabulary);
                mask[token / 32] |= 1 << (token % 32);
                mask
            }
            2 => {
                let mut mask = vec![0; vocabulary.div_ceil(32)];
                let token = numbers.below(vocabulary);
                mask[token / 32] = 1 << (token % 32);
                mask
            }
            _ => vec![u32::MAX; vocabulary.div_ceil(32)],
        })
        .collect()
}

/// A mask table on the device that holds these masks, and the number of each.
fn tabled(masks: &[&[u32]], vocabulary: usize, device: &Device) -> Result<(MaskTable, Vec<MaskRow>), CheckError> {
    let mut table = MaskTable::new(masks.len(), vocabulary, device);
    let numbers = table.rows(masks.iter().copied().map(Some))?;
    Ok((table, numbers))
}

/// What was picked on both devices: the same tokens, and what is said of them within the tolerance of sums.
fn compare(tally: &mut Tally, what: &str, got: &[Result<Pick, NoChoice>], expected: &[Result<Pick, NoChoice>]) {
    tally.equal(|| format!("{what}: rows"), &got.len(), &expected.len());
    for (row, (got, expected)) in got.iter().zip(expected).enumerate() {
        match (got, expected) {
            (Ok(got), Ok(expected)) => {
                let named = |pick: &Pick| (pick.token, pick.best, pick.changed_best, pick.rank);
                tally.equal(|| format!("{what}, row {row}: token, best, refused, rank"), &named(got), &named(expected));
                let floats = |pick: &Pick| [pick.log_probability, pick.entropy, pick.kept_log_mass, pick.kept_entropy];
                for (got, expected) in floats(got).into_iter().zip(floats(expected)) {
                    let what = || format!("{what}, row {row}: a score");
                    tally.compare_scaled(what, got, expected, expected.abs().max(1.0));
                }
            }
            (got, expected) => tally.equal(|| format!("{what}, row {row}"), got, expected),
        }
    }
}

fn read(picks: Result<Picks, SamplingError>) -> Result<Vec<Result<Pick, NoChoice>>, CheckError> {
    Ok(picks?.read()?)
}

/// The first allowed token of the largest logit, by looking at each.
pub fn search(logits: &[f32], mask: &[u32]) -> Option<u32> {
    let mut best: Option<(u32, f32)> = None;
    for (token, &logit) in logits.iter().enumerate() {
        let allowed = mask[token / 32] >> (token % 32) & 1 == 1;
        let usable = allowed && logit > f32::NEG_INFINITY;
        if usable && best.is_none_or(|(_, largest)| logit > largest) {
            best = Some((token as u32, logit));
        }
    }
    best.map(|(token, _)| token)
}

fn argmax(devices: &Devices, rows: usize, vocabulary: usize) -> Result<Tally, CheckError> {
    // What is said of a token is a sum over the whole vocabulary.
    let mut tally = Tally::within(devices.tolerances.sums);
    for round in 0..if devices.quick { 1 } else { 3 } {
        let mut numbers = Numbers::new(50 + round);
        let logits = numbers.floats(rows * vocabulary, 8.0);
        let masks = masks(&mut numbers, rows, vocabulary);
        let masks: Vec<&[u32]> = masks.iter().map(Vec::as_slice).collect();
        let picks = |device| {
            let (table, numbers) = tabled(&masks, vocabulary, device)?;
            read(mask_argmax(upload(&logits, [rows, vocabulary], device), Masks::Table(&table, &numbers)))
        };
        let (got, expected) = (picks(&devices.device)?, picks(&devices.reference)?);
        compare(&mut tally, &format!("round {round}"), &got, &expected);
        for (row, (got, mask)) in got.iter().zip(&masks).enumerate() {
            let token = got.as_ref().ok().map(|pick| pick.token);
            let wanted = search(&logits[row * vocabulary..][..vocabulary], mask);
            tally.equal(|| format!("round {round}, row {row}, beside a plain search"), &token, &wanted);
        }
    }
    Ok(tally)
}

fn sample(devices: &Devices, rows: usize, vocabulary: usize) -> Result<Tally, CheckError> {
    let mut tally = Tally::within(devices.tolerances.sums);
    let plain = Sampling::at(1.0, 3);
    let filters = [
        plain,
        Sampling { temperature: 0.7, top_k: 40, ..plain },
        Sampling { top_p: 0.9, min_p: 0.02, ..plain },
        Sampling { temperature: 1.5, top_k: 200, top_p: 0.95, min_p: 0.001, ..plain },
    ];
    let mut numbers = Numbers::new(60);
    let logits = numbers.floats(rows * vocabulary, 6.0);
    let masks = masks(&mut numbers, rows, vocabulary);
    let masks: Vec<&[u32]> = masks.iter().map(Vec::as_slice).collect();
    for (number, sampling) in filters[..if devices.quick { 2 } else { 4 }].iter().enumerate() {
        for position in 0..if devices.quick { 2 } else { 6 } {
            let draws: Vec<Draw> = (0..rows as u64).map(|document| Draw { document, position }).collect();
            let picks = |device| {
                let (table, numbers) = tabled(&masks, vocabulary, device)?;
                let logits = upload(&logits, [rows, vocabulary], device);
                read(mask_softmax_sample(logits, Masks::Table(&table, &numbers), sampling, &draws))
            };
            let (got, expected) = (picks(&devices.device)?, picks(&devices.reference)?);
            compare(&mut tally, &format!("setting {number}, position {position}"), &got, &expected);
        }
    }
    Ok(tally)
}

/// Rows that are no ordinary ones: an error or a defined winner, never a token that is not allowed.
fn odd_rows(devices: &Devices) -> Result<Tally, CheckError> {
    let mut tally = Tally::within(devices.tolerances.sums);
    let vocabulary = 100;
    let mut logits = vec![vec![0.0f32; vocabulary]; 7];
    logits[0].fill(f32::NEG_INFINITY);
    logits[1].fill(f32::NAN);
    logits[2][33] = f32::NAN;
    logits[2][64] = 3.0;
    logits[3][99] = f32::INFINITY;
    logits[3][7] = f32::INFINITY;
    logits[5].fill(-0.0);
    logits[6].fill(f32::MIN);
    let all = vec![u32::MAX; 4];
    // Of the fourth none is allowed.
    let masks: Vec<&[u32]> = vec![&all, &all, &all, &all, &[0, 0, 0, 0], &all, &all];
    let flat = logits.concat();
    let picks = |device| {
        let (table, numbers) = tabled(&masks, vocabulary, device)?;
        read(mask_argmax(upload(&flat, [7, vocabulary], device), Masks::Table(&table, &numbers)))
    };
    let (got, expected) = (picks(&devices.device)?, picks(&devices.reference)?);
    let tokens = |picks: &[Result<Pick, NoChoice>]| -> Vec<Option<u32>> {
        picks.iter().map(|pick| pick.as_ref().ok().map(|pick| pick.token)).collect()
    };
    let wanted = vec![None, None, Some(64), Some(7), None, Some(0), Some(0)];
    tally.equal(|| "the tokens".into(), &tokens(&got), &wanted);
    tally.equal(|| "the reference's tokens".into(), &tokens(&expected), &wanted);
    for (row, (got, expected)) in got.iter().zip(&expected).enumerate() {
        if let (Err(got), Err(expected)) = (got, expected) {
            tally.equal(|| format!("row {row}"), got, expected);
        }
    }
    Ok(tally)
}

/// More masks than the table has rows, step after step, some of them again and some rows free.
fn table(devices: &Devices) -> Result<Tally, CheckError> {
    let mut tally = Tally::exact();
    let vocabulary = 965;
    let mut numbers = Numbers::new(80);
    let many = masks(&mut numbers, 24, vocabulary);
    let mut table = MaskTable::new(10, vocabulary, &devices.device);
    for step in 0..8 {
        let chosen: Vec<Option<&[u32]>> = (0..6)
            .map(|_| match numbers.below(5) {
                0 => None,
                _ => Some(many[numbers.below(many.len())].as_slice()),
            })
            .collect();
        let rows: Vec<MaskRow> = table.rows(chosen.iter().copied())?;
        let logits = numbers.floats(6 * vocabulary, 8.0);
        let picks = read(mask_argmax(upload(&logits, [6, vocabulary], &devices.device), Masks::Table(&table, &rows)))?;
        let everything = vec![u32::MAX; vocabulary.div_ceil(32)];
        for (row, (pick, mask)) in picks.iter().zip(&chosen).enumerate() {
            let got = pick.as_ref().ok().map(|pick| pick.token);
            let wanted = search(&logits[row * vocabulary..][..vocabulary], mask.unwrap_or(&everything));
            tally.equal(|| format!("step {step}, row {row}"), &got, &wanted);
        }
    }
    Ok(tally)
}

fn drafts(devices: &Devices) -> Result<Tally, CheckError> {
    let mut tally = Tally::exact();
    // Accepted wholly, in part, not at all; an empty draft; one after which no token could be chosen.
    let drafts: [&[u32]; 5] = [&[5, 6, 7], &[1, 2, 3, 4], &[9], &[], &[8]];
    let chosen: [&[i32]; 5] = [&[5, 6, 7, 100], &[1, 2, 50, 4, 5], &[70, 71], &[33], &[8, -1]];
    let wanted: Vec<(usize, Option<u32>)> =
        vec![(3, Some(100)), (2, Some(50)), (0, Some(70)), (0, Some(33)), (1, None)];
    let flat: Vec<i32> = chosen.concat();
    let tokens = upload_integers(&flat, [flat.len()], &devices.device);
    let got = verify_draft(tokens, &drafts)?.read()?;
    for (number, (got, wanted)) in got.iter().zip(&wanted).enumerate() {
        tally.equal(|| format!("draft {number}"), got, wanted);
    }
    tally.equal(|| "drafts".into(), &got.len(), &wanted.len());
    Ok(tally)
}
