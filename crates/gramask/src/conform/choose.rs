//! The kernels that choose tokens: masks, arg-max, draws, and the verification of drafts.
//!
//! They are defined in whole numbers, so that every device gives the same token, bit for bit; what they say beside it are
//! floats. The reference is their native code on the reference device, and for the arg-max a plain search besides.

use gramask_kernels::choose::{
    Draw, Drawing, MaskRow, MaskTable, Masks, NoPick, Pick, Picks, apply_mask, mask_argmax, mask_softmax_sample,
    mask_words, verify_draft,
};

use super::check::{Check, Failure, Group, Tally};
use super::pair::{Numbers, Pair, floats_of, upload, upload_integers};

pub(super) fn checks() -> Vec<Check> {
    let mut checks = Vec::new();
    for (rows, vocabulary) in [(3, 26), (8, 1001), (2, 49_152), (1, 128_256), (8, 151_936)] {
        let name = format!("mask_argmax [{rows}, {vocabulary}]");
        checks.push(Check::new(Group::Kernel, name, move |pair| argmax(pair, rows, vocabulary)));
    }
    for (rows, vocabulary) in [(8, 1001), (4, 49_152), (2, 151_936)] {
        let name = format!("mask_softmax_sample [{rows}, {vocabulary}]");
        checks.push(Check::new(Group::Kernel, name, move |pair| sample(pair, rows, vocabulary)));
    }
    checks.push(Check::new(Group::Kernel, "mask_argmax of rows with -inf, NaN, ties and no token", odd_rows));
    checks.push(Check::new(Group::Kernel, "apply_mask [4, 1001]", apply));
    checks.push(Check::new(Group::Kernel, "a mask table whose rows make room", table));
    checks.push(Check::new(Group::Kernel, "verify_draft", drafts));
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

fn refused(error: impl std::fmt::Display) -> Failure {
    Failure::Other(error.to_string())
}

/// What was picked on both devices: the same tokens, and what is said of them within the tolerance of sums.
fn compare(tally: &mut Tally, what: &str, got: &[Result<Pick, NoPick>], expected: &[Result<Pick, NoPick>]) {
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

fn read(picks: Result<Picks, impl std::fmt::Display>) -> Result<Vec<Result<Pick, NoPick>>, Failure> {
    picks.map_err(refused)?.read().map_err(refused)
}

/// The first allowed token of the largest logit, by looking at each.
pub(super) fn search(logits: &[f32], mask: &[u32]) -> Option<u32> {
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

fn argmax(pair: &Pair, rows: usize, vocabulary: usize) -> Result<Tally, Failure> {
    // What is said of a token is a sum over the whole vocabulary.
    let mut tally = Tally::within(pair.tolerances.sums);
    for round in 0..if pair.quick { 1 } else { 3 } {
        let mut numbers = Numbers::new(50 + round);
        let logits = numbers.floats(rows * vocabulary, 8.0);
        let masks = masks(&mut numbers, rows, vocabulary);
        let masks: Vec<&[u32]> = masks.iter().map(Vec::as_slice).collect();
        let picks = |device| {
            let bits = mask_words(&masks, vocabulary, device);
            read(mask_argmax(upload(&logits, [rows, vocabulary], device), Masks::Bits(&bits)))
        };
        let (got, expected) = (picks(&pair.device)?, picks(&pair.reference)?);
        compare(&mut tally, &format!("round {round}"), &got, &expected);
        for (row, (got, mask)) in got.iter().zip(&masks).enumerate() {
            let token = got.as_ref().ok().map(|pick| pick.token);
            let wanted = search(&logits[row * vocabulary..][..vocabulary], mask);
            tally.equal(|| format!("round {round}, row {row}, beside a plain search"), &token, &wanted);
        }
    }
    Ok(tally)
}

fn sample(pair: &Pair, rows: usize, vocabulary: usize) -> Result<Tally, Failure> {
    let mut tally = Tally::within(pair.tolerances.sums);
    let plain = Drawing::plain(3);
    let filters = [
        plain,
        Drawing { temperature: 0.7, top_k: 40, ..plain },
        Drawing { top_p: 0.9, min_p: 0.02, ..plain },
        Drawing { temperature: 1.5, top_k: 200, top_p: 0.95, min_p: 0.001, ..plain },
    ];
    let mut numbers = Numbers::new(60);
    let logits = numbers.floats(rows * vocabulary, 6.0);
    let masks = masks(&mut numbers, rows, vocabulary);
    let masks: Vec<&[u32]> = masks.iter().map(Vec::as_slice).collect();
    for (number, drawing) in filters[..if pair.quick { 2 } else { 4 }].iter().enumerate() {
        for position in 0..if pair.quick { 2 } else { 6 } {
            let draws: Vec<Draw> = (0..rows as u64).map(|document| Draw { document, position }).collect();
            let picks = |device| {
                let bits = mask_words(&masks, vocabulary, device);
                let logits = upload(&logits, [rows, vocabulary], device);
                read(mask_softmax_sample(logits, Masks::Bits(&bits), drawing, &draws))
            };
            let (got, expected) = (picks(&pair.device)?, picks(&pair.reference)?);
            compare(&mut tally, &format!("setting {number}, position {position}"), &got, &expected);
        }
    }
    Ok(tally)
}

/// Rows that are no ordinary ones: an error or a defined winner, never a token that is not allowed.
fn odd_rows(pair: &Pair) -> Result<Tally, Failure> {
    let mut tally = Tally::within(pair.tolerances.sums);
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
        let bits = mask_words(&masks, vocabulary, device);
        read(mask_argmax(upload(&flat, [7, vocabulary], device), Masks::Bits(&bits)))
    };
    let (got, expected) = (picks(&pair.device)?, picks(&pair.reference)?);
    let tokens = |picks: &[Result<Pick, NoPick>]| -> Vec<Option<u32>> {
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

fn apply(pair: &Pair) -> Result<Tally, Failure> {
    let mut tally = Tally::exact();
    let (rows, vocabulary) = (4, 1001);
    let mut numbers = Numbers::new(70);
    let logits = numbers.floats(rows * vocabulary, 8.0);
    let masks = masks(&mut numbers, rows, vocabulary);
    let slices: Vec<&[u32]> = masks.iter().map(Vec::as_slice).collect();
    let bits = mask_words(&slices, vocabulary, &pair.device);
    let masked = apply_mask(upload(&logits, [rows, vocabulary], &pair.device), Masks::Bits(&bits)).map_err(refused)?;
    let got = floats_of(&pair.device, masked)?;
    let keep = |(place, logit): (usize, &f32)| {
        let (row, token) = (place / vocabulary, place % vocabulary);
        if masks[row][token / 32] >> (token % 32) & 1 == 1 { *logit } else { f32::MIN }
    };
    let expected: Vec<f32> = logits.iter().enumerate().map(keep).collect();
    tally.compare_all("", &got, &expected);
    Ok(tally)
}

/// More masks than the table has rows, step after step, some of them again and some rows free.
fn table(pair: &Pair) -> Result<Tally, Failure> {
    let mut tally = Tally::exact();
    let vocabulary = 965;
    let mut numbers = Numbers::new(80);
    let many = masks(&mut numbers, 24, vocabulary);
    let mut table = MaskTable::new(10, vocabulary, &pair.device);
    for step in 0..8 {
        let chosen: Vec<Option<&[u32]>> = (0..6)
            .map(|_| match numbers.below(5) {
                0 => None,
                _ => Some(many[numbers.below(many.len())].as_slice()),
            })
            .collect();
        let rows: Vec<MaskRow> = table.rows(chosen.iter().copied()).map_err(refused)?;
        let logits = numbers.floats(6 * vocabulary, 8.0);
        let picks = read(mask_argmax(upload(&logits, [6, vocabulary], &pair.device), Masks::Table(&table, &rows)))?;
        let everything = vec![u32::MAX; vocabulary.div_ceil(32)];
        for (row, (pick, mask)) in picks.iter().zip(&chosen).enumerate() {
            let got = pick.as_ref().ok().map(|pick| pick.token);
            let wanted = search(&logits[row * vocabulary..][..vocabulary], mask.unwrap_or(&everything));
            tally.equal(|| format!("step {step}, row {row}"), &got, &wanted);
        }
    }
    Ok(tally)
}

fn drafts(pair: &Pair) -> Result<Tally, Failure> {
    let mut tally = Tally::exact();
    // Accepted wholly, in part, not at all; an empty draft; one behind which there was no token to choose.
    let drafts: [&[u32]; 5] = [&[5, 6, 7], &[1, 2, 3, 4], &[9], &[], &[8]];
    let chosen: [&[i32]; 5] = [&[5, 6, 7, 100], &[1, 2, 50, 4, 5], &[70, 71], &[33], &[8, -1]];
    let wanted: Vec<(usize, Option<u32>)> =
        vec![(3, Some(100)), (2, Some(50)), (0, Some(70)), (0, Some(33)), (1, None)];
    let flat: Vec<i32> = chosen.concat();
    let tokens = upload_integers(&flat, [flat.len()], &pair.device);
    let got = verify_draft(tokens, &drafts).map_err(refused)?.read().map_err(refused)?;
    for (number, (got, wanted)) in got.iter().zip(&wanted).enumerate() {
        tally.equal(|| format!("draft {number}"), got, wanted);
    }
    tally.equal(|| "drafts".into(), &got.len(), &wanted.len());
    Ok(tally)
}
