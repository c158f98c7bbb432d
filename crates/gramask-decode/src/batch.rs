//! The batch loop: several documents at once, each in a slot of the cache, refilled as they end.
//!
//! A slot takes the next request, gets the shared prefix, computes the rest of its prompt in the next forward pass, beside the
//! others' tokens, and from then on is one row of each pass until its strategy or its budget ends it. (A strategy of several
//! lanes has as many slots of the cache, and rows.) What a document's output is depends on its prompt, its
//! strategy and its draws, and on nothing that the batch does.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use rayon::prelude::*;
use thiserror::Error;

use crate::found::Rows;
use crate::layout::{Layout, LayoutError, common_prefix};
use crate::model::{LanguageModel, LanguageModelError, Row, Select};
use crate::output::{Ended, Request};
use crate::prompt_store::{Kept, PromptStore};
use crate::sampler::Sampler;
use crate::sampling::{Sampling, SamplingError};
use crate::sequence::{Edit, Feed, Sequence};
use crate::vocabulary::TokenTable;

/// The settings of a run's decoding.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// The cache.
    pub layout: Layout,
    /// How tokens are chosen.
    pub sampling: Sampling,
    /// Whether masks are computed while the device computes logits. Hides their cost where the device is not the CPU; on
    /// the CPU both fight for its cores, and the mask times measured grow.
    pub overlap: bool,
    /// Where tokens are chosen.
    pub choosing: Choosing,
}

/// Where tokens are chosen: they are the same, but for the rounding of scores. Strategies that want logits
/// get them on the host in any case; see [`Strategy::asks`](crate::Strategy::asks).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Choosing {
    /// Where the model is faster at it: on a GPU, where the logits are; on the CPU, in this loop.
    #[default]
    Auto,
    /// In this loop, from logits on the host.
    Host,
    /// Where the logits are.
    There,
}

impl Settings {
    /// Settings without overlap.
    pub fn new(layout: Layout, sampling: Sampling) -> Self {
        Settings { layout, sampling, overlap: false, choosing: Choosing::Auto }
    }
}

/// Why a run's decoding broke off, or never began. What concerns one document only is a
/// [`RequestError`](crate::RequestError).
#[derive(Debug, Error)]
pub enum DecodeError {
    /// The layout cannot be.
    #[error(transparent)]
    Layout(#[from] LayoutError),
    /// The sampling cannot be.
    #[error(transparent)]
    Sampling(#[from] SamplingError),
    /// The model failed.
    #[error("decoding {}: {source}", if .documents.is_empty() { "the shared prefix".to_owned() } else { .documents.join(", ") })]
    Model {
        /// The documents in the batch.
        documents: Vec<String>,
        /// What the model reports.
        source: LanguageModelError,
    },
}

/// What a run's decoding did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Requests that ended well.
    pub outputs: usize,
    /// Requests that ended in an error.
    pub errors: usize,
    /// Whether the callback stopped the run.
    pub stopped: bool,
    /// Tokens of the outputs, end tokens included.
    pub output_tokens: usize,
    /// Tokens of the prompts, with shared ones.
    pub prompt_tokens: usize,
    /// Tokens of the prompts that were taken over from the shared prefix.
    pub shared_tokens: usize,
    /// Tokens of the prompts that were taken from the store.
    pub restored_tokens: usize,
    /// Forward passes.
    pub passes: usize,
    /// The whole.
    pub wall: Duration,
    /// Forward passes over prompts and prefix.
    pub prefill: Duration,
    /// Forward passes over outputs.
    pub decode: Duration,
    /// Masks and choices, as they kept the loop waiting.
    pub choose: Duration,
    /// The constraints' work, summed over threads.
    pub mask: Duration,
}

/// Decodes requests, as many at once as there are slots, and hands each to `on_end` as it ends, in the order of ending.
///
/// The requests are taken from the iterator when a slot is free, so that they need not all be in memory. Where `on_end`
/// breaks, the documents in the batch are dropped and the summary says so.
///
/// # Errors
/// Where the settings cannot be or the model fails. A request that cannot be decoded is handed to `on_end` with its error,
/// and the others go on.
pub fn decode<M: LanguageModel + ?Sized>(
    model: &mut M,
    tokens: &TokenTable,
    settings: &Settings,
    requests: impl IntoIterator<Item = Request>,
    on_end: impl FnMut(Ended) -> ControlFlow<()>,
) -> Result<Summary, DecodeError> {
    decode_with(model, tokens, settings, None, requests, on_end)
}

/// The same with a store of prompts: those that it has are taken from it, the others put into it.
///
/// The outputs are the same up to the rounding of forward passes, as with another batch size: the last token of a stored
/// prompt is computed by itself, and not in one pass with the tokens before it.
///
/// # Errors
/// As for [`decode`].
pub fn decode_with<M: LanguageModel + ?Sized>(
    model: &mut M,
    tokens: &TokenTable,
    settings: &Settings,
    store: Option<&mut PromptStore>,
    requests: impl IntoIterator<Item = Request>,
    on_end: impl FnMut(Ended) -> ControlFlow<()>,
) -> Result<Summary, DecodeError> {
    settings.sampling.validate()?;
    settings.layout.validate(model.context())?;
    let slots = settings.layout.slots;
    let there = match settings.choosing {
        Choosing::Auto => model.chooses(),
        Choosing::Host => false,
        Choosing::There => true,
    };
    let mut batch = Batch {
        model,
        there,
        tokens,
        settings,
        slots: (0..slots).map(|_| None).collect(),
        samplers: (0..slots).map(|_| Sampler::new(settings.sampling)).collect(),
        kept: vec![0; slots],
        store,
        unstored: vec![None; slots],
        requests: requests.into_iter().enumerate(),
        on_end,
        summary: Summary::default(),
    };
    let clock = Instant::now();
    batch.run()?;
    batch.summary.wall = clock.elapsed();
    Ok(batch.summary)
}

struct Batch<'a, M: ?Sized, I, F> {
    model: &'a mut M,
    /// Whether tokens are chosen where the logits are.
    there: bool,
    tokens: &'a TokenTable,
    settings: &'a Settings,
    slots: Vec<Option<Sequence>>,
    /// The samplers of slots without a sequence.
    samplers: Vec<Sampler>,
    /// How many tokens of the shared prefix stand at the head of each slot.
    kept: Vec<usize>,
    store: Option<&'a mut PromptStore>,
    /// The prompts that the store lacks, of slots whose prompt is computed next, and how much of each is the prefix.
    unstored: Vec<Option<(Vec<u32>, usize)>>,
    requests: I,
    on_end: F,
    summary: Summary,
}

impl<M, I, F> Batch<'_, M, I, F>
where
    M: LanguageModel + ?Sized,
    I: Iterator<Item = (usize, Request)>,
    F: FnMut(Ended) -> ControlFlow<()>,
{
    fn run(&mut self) -> Result<(), DecodeError> {
        let Layout { slots, lanes, length, prefix } = &self.settings.layout;
        // The prefix has a slot of its own behind the others.
        let opened = slots * lanes + usize::from(!prefix.is_empty());
        self.model.open(opened, *length).map_err(|source| self.failed(source))?;
        if !prefix.is_empty() {
            let clock = Instant::now();
            let rows = [Row { slot: slots * lanes, tokens: prefix }];
            self.model.append(&rows, Select::Last).map_err(|source| self.failed(source))?;
            self.summary.prefill += clock.elapsed();
            self.summary.passes += 1;
        }
        loop {
            self.refill()?;
            let active: Vec<usize> = (0..self.slots.len()).filter(|&slot| self.slots[slot].is_some()).collect();
            if active.is_empty() || self.summary.stopped {
                return Ok(());
            }
            self.pass(&active)?;
        }
    }

    /// Fills the free slots from the requests; hands on requests that cannot be decoded.
    fn refill(&mut self) -> Result<(), DecodeError> {
        let overhead = self.model.overhead(self.slots.len());
        for slot in 0..self.slots.len() {
            while self.slots[slot].is_none() && !self.summary.stopped {
                let Some((index, request)) = self.requests.next() else {
                    return Ok(());
                };
                let Layout { lanes, length, .. } = self.settings.layout;
                let context = self.model.context();
                let known = (self.model.vocabulary(), self.tokens.end_tokens());
                let id = request.id.clone();
                match Sequence::admit(index, request, [lanes, length], context, known, overhead) {
                    Err(error) => self.hand_on(Ended { index, id, outcome: Err(error) }),
                    Ok(mut sequence) => {
                        self.share(slot, &mut sequence)?;
                        self.slots[slot] = Some(sequence);
                    }
                }
            }
        }
        Ok(())
    }

    /// Puts into a slot what its prompt shares with the prefix.
    fn share(&mut self, slot: usize, sequence: &mut Sequence) -> Result<(), DecodeError> {
        let Layout { slots, lanes, prefix, .. } = &self.settings.layout;
        let prompt = sequence.prompt();
        let shared = common_prefix(prefix, prompt).min(prompt.len() - 1);
        let mut done = if shared <= self.kept[slot] {
            self.model.truncate(slot * lanes, shared)
        } else {
            self.model.copy(slots * lanes, slot * lanes, shared)
        };
        self.kept[slot] = shared;
        let stored = self.store.as_deref().and_then(|store| store.get(prompt, shared));
        if let (Ok(()), Some(kept)) = (&done, stored) {
            done = self.model.restore(slot * lanes, &kept.saved);
        }
        let prompt = match (stored, self.store.as_deref()) {
            (None, Some(store)) if store.wants(prompt) => Some(prompt.to_vec()),
            _ => None,
        };
        self.unstored[slot] = prompt.map(|prompt| (prompt, shared));
        let restored = stored.map(|kept| (kept.saved.positions.end, kept.spent));
        sequence.take_over(shared);
        if let Some((tokens, spent)) = restored {
            sequence.restore(tokens, spent);
        }
        done.map_err(|source| DecodeError::Model { documents: vec![sequence.id().to_owned()], source })
    }

    /// Puts into the store what a slot holds of its prompt, the last token excepted, where the store lacks it.
    fn keep(&mut self, slot: usize, id: &str, spent: Duration) -> Result<(), DecodeError> {
        let Some((prompt, shared)) = self.unstored[slot].take() else {
            return Ok(());
        };
        let (Some(store), true) = (self.store.as_deref_mut(), shared + 1 < prompt.len()) else {
            return Ok(());
        };
        let first = slot * self.settings.layout.lanes;
        let saved = self
            .model
            .save(first, shared..prompt.len() - 1)
            .map_err(|source| DecodeError::Model { documents: vec![id.to_owned()], source })?;
        if let Some(saved) = saved {
            store.keep(prompt, Kept { saved, spent });
        }
        Ok(())
    }

    /// One forward pass over some slots, and the next move of each.
    fn pass(&mut self, slots: &[usize]) -> Result<(), DecodeError> {
        let (clock, overlap) = (Instant::now(), self.settings.overlap);
        let lanes = self.settings.layout.lanes;
        let mut sequences: Vec<Sequence> = slots.iter().filter_map(|&slot| self.slots[slot].take()).collect();
        let overhead = self.model.overhead(sequences.len());
        sequences.iter_mut().for_each(|sequence| sequence.overhead = overhead);
        let new: Vec<bool> = sequences.iter().map(Sequence::is_new).collect();
        let fed: Vec<Vec<Feed>> = sequences.iter_mut().map(Sequence::feed).collect();
        let mut rows = Vec::new();
        let mut tails = Vec::new();
        for (&slot, feeds) in slots.iter().zip(&fed) {
            for feed in feeds {
                rows.push(Row { slot: slot * lanes + feed.slot, tokens: &feed.tokens });
                tails.push(feed.rows);
            }
        }
        let wanted: usize = tails.iter().sum();
        let select = match tails.iter().all(|&tail| tail == 1) {
            true => Select::Last,
            false => Select::Tails(tails),
        };
        let names = |sequences: &[Sequence]| sequences.iter().map(|sequence| sequence.id().to_owned()).collect();
        let failed = |sequences: &[Sequence], source| DecodeError::Model { documents: names(sequences), source };
        let width = self.model.vocabulary();
        let wrong = |given| LanguageModelError::Rows { given, wanted };
        let (found, spent) = if self.there {
            let behind = self.model.append_there(&rows, select);
            let behind = behind.map_err(|source| failed(&sequences, source))?;
            if behind.rows() != wanted {
                return Err(failed(&sequences, wrong(behind.rows())));
            }
            let mut spent = clock.elapsed();
            let clock = Instant::now();
            let there = Rows::there(behind, &mut sequences, &fed, &self.settings.sampling);
            let (rows, waited) = there.map_err(|source| failed(&sequences, source))?;
            spent += waited;
            self.summary.choose += clock.elapsed().saturating_sub(waited);
            (rows, spent)
        } else {
            let logits = if overlap {
                rayon::in_place_scope(|scope| {
                    let sequences = &mut sequences;
                    scope.spawn(move |_| sequences.par_iter_mut().for_each(Sequence::prepare));
                    self.model.append(&rows, select)
                })
            } else {
                self.model.append(&rows, select)
            };
            let logits = logits.map_err(|source| failed(&sequences, source))?;
            if wanted != logits.rows() || logits.width() != width {
                return Err(failed(&sequences, wrong(logits.rows())));
            }
            (Rows::host(logits, &fed), clock.elapsed())
        };
        self.summary.passes += 1;

        let clock = Instant::now();
        // A pass over prompts and outputs is divided by their tokens.
        let tokens = |feeds: &[Feed]| feeds.iter().map(|feed| feed.tokens.len()).sum::<usize>();
        let all: usize = fed.iter().map(|feeds| tokens(feeds)).sum();
        let mut computed = Vec::new(); // prompts
        for (((sequence, feeds), &new), &slot) in sequences.iter_mut().zip(&fed).zip(&new).zip(slots) {
            let share = spent.mul_f64(tokens(feeds) as f64 / all.max(1) as f64);
            sequence.count(new, share);
            match new {
                true => {
                    self.summary.prefill += share;
                    computed.push((slot, sequence.id().to_owned(), share));
                }
                false => self.summary.decode += share,
            }
        }
        let end_tokens = self.tokens.end_tokens();
        let samplers: Vec<&mut Sampler> = select_mut(&mut self.samplers, slots);
        type Work<'a> = (usize, ((&'a mut Sequence, &'a mut Sampler), &'a Vec<Feed>));
        let work = |(number, (pair, feeds)): Work<'_>| found.step(number, feeds, pair, width, end_tokens);
        if sequences.len() == 1 {
            sequences.iter_mut().zip(samplers).zip(&fed).enumerate().for_each(work);
        } else {
            let pairs = sequences.par_iter_mut().zip(samplers).zip(&fed);
            pairs.enumerate().for_each(work);
        }
        drop(found);
        self.summary.choose += clock.elapsed();
        for (slot, id, spent) in computed {
            self.keep(slot, &id, spent)?;
        }

        for (&slot, mut sequence) in slots.iter().zip(sequences) {
            match sequence.take_outcome(self.tokens) {
                Some(ended) => self.hand_on(ended),
                None => {
                    self.edit(slot, &mut sequence)?;
                    self.slots[slot] = Some(sequence);
                }
            }
        }
        Ok(())
    }

    /// Changes a document's slots of the cache as its last move wants.
    fn edit(&mut self, slot: usize, sequence: &mut Sequence) -> Result<(), DecodeError> {
        let first = slot * self.settings.layout.lanes;
        for edit in sequence.take_edits() {
            let done = match edit {
                Edit::Fork { from, to, shared, length } => self.model.fork(first + from, first + to, shared, length),
                Edit::Cut { slot, length } => self.model.truncate(first + slot, length),
            };
            done.map_err(|source| DecodeError::Model { documents: vec![sequence.id().to_owned()], source })?;
        }
        Ok(())
    }

    /// Counts an ended request and hands it to the caller.
    fn hand_on(&mut self, ended: Ended) {
        match &ended.outcome {
            Ok(output) => {
                self.summary.outputs += 1;
                self.summary.output_tokens += output.positions.output;
                self.summary.prompt_tokens += output.positions.prompt;
                self.summary.shared_tokens += output.positions.shared;
                self.summary.restored_tokens += output.positions.restored;
                self.summary.mask += output.times.mask;
            }
            Err(_) => self.summary.errors += 1,
        }
        if !self.summary.stopped && (self.on_end)(ended).is_break() {
            self.summary.stopped = true;
        }
    }

    fn failed(&self, source: LanguageModelError) -> DecodeError {
        DecodeError::Model { documents: Vec::new(), source }
    }
}

/// Mutable references to the elements at `indices`, which ascend.
fn select_mut<'a, T>(items: &'a mut [T], indices: &[usize]) -> Vec<&'a mut T> {
    let mut indices = indices.iter().peekable();
    items.iter_mut().enumerate().filter(|(i, _)| indices.next_if_eq(&i).is_some()).map(|(_, item)| item).collect()
}
