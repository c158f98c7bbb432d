//! Masks of the oracle, applied on the device.
//!
//! The oracle tries every token byte by byte. Its masks along the outputs of all formats go to the device as they do in decoding,
//! into a table of rows. The best allowed token, as the device finds it, is compared with that of a plain search.

use std::sync::Arc;

use gramask_grammar::docs::Example;
use gramask_grammar::{Format, Level, Oracle, Program, Vocabulary};
use gramask_kernels::checks::sampling::search;
use gramask_kernels::sampling::{MaskTable, Masks, mask_argmax};

use super::check::{Check, Failure, Group, Tally};
use super::outputs::{formats, which};
use super::pair::{Numbers, Pair, upload};
use crate::pull::NamedVocabulary;

pub(super) fn checks(pair: &Pair) -> Vec<Check> {
    [Level::Grounded, Level::Syntax]
        .into_iter()
        .map(|level| {
            let name = format!("the oracle's masks, {}, {level}", which(pair.quick));
            Check::new(Group::Mask, name, move |pair| masks(pair, level))
        })
        .collect()
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
    let size = vocabulary.len();
    let refused = |error: gramask_kernels::sampling::SamplingError| Failure::Other(error.to_string());
    let mut tally = Tally::exact();
    let mut numbers = Numbers::new(40);
    // Formats share masks, and make room for each other's.
    let mut table = MaskTable::new(48, size, &pair.device);
    for name in formats(pair.quick) {
        let masks = oracle_masks(name, level, &vocabulary, if pair.quick { 3 } else { 8 })?;
        let rows = masks.len();
        let logits = numbers.floats(rows * size, 8.0);
        let numbered = table.rows(masks.iter().map(|mask| Some(mask.as_slice()))).map_err(refused)?;
        let logits_on = upload(&logits, [rows, size], &pair.device);
        let picks = mask_argmax(logits_on, Masks::Table(&table, &numbered)).map_err(refused)?;
        let picks = picks.read().map_err(refused)?;
        for (row, (mask, pick)) in masks.iter().zip(picks).enumerate() {
            let got = pick.ok().map(|pick| pick.token);
            let expected = search(&logits[row * size..][..size], mask);
            tally.equal(|| format!("{name}, state {row}: the best allowed token"), &got, &expected);
        }
    }
    Ok(tally)
}
