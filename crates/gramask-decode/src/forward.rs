//! One forward pass over the pending tokens of a batch.

use std::time::{Duration, Instant};

use rayon::prelude::*;

use crate::batch::{DecodeError, Settings};
use crate::model::{LanguageModel, LanguageModelError, Row, Select};
use crate::pass_result::PassResult;
use crate::sequence::{Feed, Sequence};

/// What a forward pass gave, and how long it took.
pub(crate) struct Forward<'m> {
    pub result: PassResult<'m>,
    /// How long the model worked.
    pub spent: Duration,
    /// How long the strategies took, as far as the loop waited for them.
    pub choosing: Duration,
}

/// Appends each document's tokens to its slots, and gets the logits or samples from them. `slots` has the documents' numbers.
pub(crate) fn forward<'m, M: LanguageModel + ?Sized>(
    model: &'m mut M,
    settings: &Settings,
    on_device: bool,
    slots: &[usize],
    (sequences, end_tokens): (&mut [Sequence], &[u32]),
    fed: &[Vec<Feed>],
) -> Result<Forward<'m>, DecodeError> {
    let mut rows = Vec::new();
    let mut tails = Vec::new();
    for (&slot, feeds) in slots.iter().zip(fed) {
        for feed in feeds {
            rows.push(Row { slot: slot * settings.layout.hypotheses + feed.slot, tokens: &feed.tokens });
            tails.push(feed.rows);
        }
    }
    let wanted: usize = tails.iter().sum();
    let select = match tails.iter().all(|&tail| tail == 1) {
        true => Select::Last,
        false => Select::Tails(tails),
    };
    let done = match on_device {
        true => sample_on_device(model, settings, &rows, (select, wanted), (&mut *sequences, end_tokens), fed),
        false => fetch_logits(model, settings, &rows, (select, wanted), sequences, fed),
    };
    done.map_err(|source| {
        let documents = sequences.iter().map(|sequence| sequence.id().to_owned()).collect();
        DecodeError::Model { documents, source }
    })
}

fn sample_on_device<'m, M: LanguageModel + ?Sized>(
    model: &'m mut M,
    settings: &Settings,
    rows: &[Row<'_>],
    (select, wanted): (Select, usize),
    (sequences, end_tokens): (&mut [Sequence], &[u32]),
    fed: &[Vec<Feed>],
) -> Result<Forward<'m>, LanguageModelError> {
    let clock = Instant::now();
    let handle = model.append_on_device(rows, select)?;
    if handle.rows() != wanted {
        return Err(LanguageModelError::Rows { given: handle.rows(), wanted });
    }
    let launched = clock.elapsed();
    let clock = Instant::now();
    let (result, waited) = PassResult::on_device(handle, sequences, fed, &settings.sampling, end_tokens)?;
    let choosing = clock.elapsed().saturating_sub(waited);
    Ok(Forward { result, spent: launched + waited, choosing })
}

fn fetch_logits<'m, M: LanguageModel + ?Sized>(
    model: &'m mut M,
    settings: &Settings,
    rows: &[Row<'_>],
    (select, wanted): (Select, usize),
    sequences: &mut [Sequence],
    fed: &[Vec<Feed>],
) -> Result<Forward<'m>, LanguageModelError> {
    let clock = Instant::now();
    let logits = match settings.overlap {
        true => rayon::in_place_scope(|scope| {
            scope.spawn(move |_| sequences.par_iter_mut().for_each(Sequence::prepare));
            model.append(rows, select)
        }),
        false => model.append(rows, select),
    }?;
    if wanted != logits.rows() || logits.width() != model.vocabulary() {
        return Err(LanguageModelError::Rows { given: logits.rows(), wanted });
    }
    Ok(Forward { result: PassResult::on_host(logits, fed), spent: clock.elapsed(), choosing: Duration::ZERO })
}
