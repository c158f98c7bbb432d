//! Masks of the oracle, applied on the device.
//!
//! The oracle tries every token byte by byte. Its masks along the outputs of all formats go to the device as they would in
//! decoding; what the device then takes for the best allowed token is held against a plain search on the host.

use std::sync::Arc;

use gramask_grammar::docs::Example;
use gramask_grammar::{Format, Level, Oracle, Program, Vocabulary};

use super::check::{Check, Failure, Group, Tally};
use super::outputs::formats;
use super::pair::{Numbers, Pair, integers_of, upload, upload_integers};
use crate::pull::NamedVocabulary;

pub(super) fn checks() -> Vec<Check> {
    vec![
        Check::new(Group::Mask, "the oracle's masks, all formats, grounded", |pair| {
            masks(pair, Level::Grounded)
        }),
        Check::new(Group::Mask, "the oracle's masks, all formats, syntax", |pair| {
            masks(pair, Level::Syntax)
        }),
    ]
}

/// The oracle's masks at some states of a format's output about the plain sentence.
fn oracle_masks(
    name: &str,
    level: Level,
    vocabulary: &Arc<Vocabulary>,
    states: usize,
) -> Result<Vec<Vec<u32>>, Failure> {
    let example = Example::plain();
    let mut masks = Vec::new();
    for program in Program::passes(&Format::named(name)?, &example.schema)? {
        let written = program.write(&example.text, &example.entities)?.text;
        let tokens = vocabulary.cut(written.as_bytes()).unwrap_or_default();
        let mut oracle = Oracle::new(program, &example.text, level, vocabulary.clone())?;
        let every = tokens.len().div_ceil(states.max(1)).max(1);
        for (number, token) in tokens.iter().enumerate() {
            if number % every == 0 {
                masks.push(oracle.mask());
            }
            let bytes = vocabulary.text(*token).unwrap_or_default();
            if !oracle.advance(bytes) {
                return Err(Failure::Other(format!("{name}: the oracle refuses its own output")));
            }
        }
        masks.push(oracle.mask());
    }
    Ok(masks)
}

fn masks(pair: &Pair, level: Level) -> Result<Tally, Failure> {
    let vocabulary = NamedVocabulary::bytes()?.vocabulary;
    let (size, words) = (vocabulary.len(), vocabulary.words());
    let mut tally = Tally::exact();
    let mut numbers = Numbers::new(40);
    for name in formats(pair.quick) {
        let masks = oracle_masks(name, level, &vocabulary, if pair.quick { 3 } else { 8 })?;
        let rows = masks.len();
        let logits = numbers.floats(rows * size, 8.0);
        let flat: Vec<i32> = masks.iter().flatten().map(|word| *word as i32).collect();
        // Each bit of each word, on the device.
        let shifts: Vec<i32> = (0..32).collect();
        let shape = [rows, words, 32];
        let shifts = upload_integers(&shifts, [1, 1, 32], &pair.device).expand(shape);
        let bits = upload_integers(&flat, [rows, words, 1], &pair.device).expand(shape);
        let bits = bits.bitwise_right_shift(shifts).bitwise_and_scalar(1);
        let refused = bits.reshape([rows, words * 32]).slice([0..rows, 0..size]).equal_elem(0);
        let best = upload(&logits, [rows, size], &pair.device)
            .mask_fill(refused, -1.0e30)
            .argmax(1);
        let best = integers_of(&pair.device, best)?;
        for (row, (mask, got)) in masks.iter().zip(best).enumerate() {
            let expected = search(&logits[row * size..][..size], mask);
            tally.equal(
                || format!("{name}, state {row}: the best allowed token"),
                &Some(got),
                &expected,
            );
        }
    }
    Ok(tally)
}

/// The allowed token of the largest logit; none where none is allowed.
fn search(logits: &[f32], mask: &[u32]) -> Option<i64> {
    let allowed = logits
        .iter()
        .enumerate()
        .filter(|(token, _)| mask[token / 32] >> (token % 32) & 1 == 1);
    allowed
        .max_by(|(_, a), (_, b)| a.total_cmp(b))
        .map(|(token, _)| token as i64)
}
