//! The batch loop: it decodes several documents at once, each in a slot of the cache, and refills slots as documents end.
//!
//! A free slot takes the next request and gets the shared prefix. The next forward pass computes the rest of its prompt, together
//! with the tokens of the other documents. After that the document is one row of each pass, until its strategy or its budget
//! ends it. (A strategy with several hypotheses has as many slots of the cache, and as many rows.) A document's output depends
//! on its prompt, its strategy and its draws, and not on the rest of the batch.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use rayon::prelude::*;
use thiserror::Error;

use gramask_grammar::Vocabulary;
use gramask_kernels::sampling::{InvalidSampling, Sampling};

use crate::forward::{Forward, forward};
use crate::layout::{Layout, LayoutError, common_prefix};
use crate::model::{LanguageModel, LanguageModelError, Row, Select};
use crate::output::{Ended, Request};
use crate::prompt_store::{Kept, PromptStore};
use crate::sampler::Sampler;
use crate::sequence::{Edit, Feed, Sequence};

/// The settings of a run's decoding.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// The cache.
    pub layout: Layout,
    /// How tokens are sampled.
    pub sampling: Sampling,
    /// Whether masks are computed while the device computes logits. This hides their cost unless the device is the CPU: there
    /// both compete for the cores, and the measured mask times grow.
    pub overlap: bool,
    /// Where tokens are sampled.
    pub sample_on: SampleOn,
}

/// Where tokens are sampled. The tokens are the same; their scores can differ by rounding. Strategies that want logits get
/// them on the host in any case: see [`Strategy::sample_requests`](crate::Strategy::sample_requests).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SampleOn {
    /// Where it is faster: on a GPU if the model is there, otherwise on the host.
    #[default]
    Auto,
    /// On the host, from logits that are fetched.
    Host,
    /// On the device of the logits.
    Device,
}

impl Settings {
    /// Settings without overlap.
    pub fn new(layout: Layout, sampling: Sampling) -> Self {
        Settings { layout, sampling, overlap: false, sample_on: SampleOn::Auto }
    }
}

/// Why a run's decoding failed. An error of one document only is a [`RequestError`](crate::RequestError).
#[derive(Debug, Error)]
pub enum DecodeError {
    /// The layout is invalid.
    #[error(transparent)]
    Layout(#[from] LayoutError),
    /// The sampling is invalid.
    #[error(transparent)]
    Sampling(#[from] InvalidSampling),
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
    /// Tokens of the prompts, shared ones included.
    pub prompt_tokens: usize,
    /// Tokens of the prompts that were taken over from the shared prefix.
    pub shared_tokens: usize,
    /// Tokens of the prompts that were taken from the store.
    pub restored_tokens: usize,
    /// Forward passes.
    pub passes: usize,
    /// The whole time.
    pub wall: Duration,
    /// Forward passes over prompts and prefix.
    pub prefill: Duration,
    /// Forward passes over outputs.
    pub decode: Duration,
    /// Masks and choices, as far as the loop waited for them.
    pub choose: Duration,
    /// The constraints' work, summed over threads.
    pub mask: Duration,
}

/// Decodes requests, as many at once as the layout has slots. Calls `on_end` with each as it ends, in the order of ending.
///
/// A request is taken from the iterator when a slot is free, so that not all requests need to be in memory. If `on_end` breaks,
/// the documents in the batch are dropped, and the summary says so.
///
/// # Errors
/// Where the settings are invalid or the model fails. A request that cannot be decoded goes to `on_end` with its error, and the
/// others continue.
pub fn decode<M: LanguageModel + ?Sized>(
    model: &mut M,
    vocabulary: &Vocabulary,
    settings: &Settings,
    requests: impl IntoIterator<Item = Request>,
    on_end: impl FnMut(Ended) -> ControlFlow<()>,
) -> Result<Summary, DecodeError> {
    decode_with(model, vocabulary, settings, None, requests, on_end)
}

/// [`decode`] with a store of prompts: prompts in the store are taken from it, and the others are added.
///
/// Outputs can differ in the last digits of their scores, as they do between batch sizes: the last token of a stored prompt is
/// computed alone, and not in one pass with the tokens before it.
///
/// # Errors
/// As for [`decode`].
pub fn decode_with<M: LanguageModel + ?Sized>(
    model: &mut M,
    vocabulary: &Vocabulary,
    settings: &Settings,
    store: Option<&mut PromptStore>,
    requests: impl IntoIterator<Item = Request>,
    on_end: impl FnMut(Ended) -> ControlFlow<()>,
) -> Result<Summary, DecodeError> {
    settings.sampling.validate()?;
    settings.layout.validate(model.context())?;
    let slots = settings.layout.slots;
    let on_device = match settings.sample_on {
        SampleOn::Auto => model.samples_on_device(),
        SampleOn::Host => false,
        SampleOn::Device => true,
    };
    let mut batch = Batch {
        model,
        on_device,
        vocabulary,
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
    /// Whether tokens are sampled on the device.
    on_device: bool,
    vocabulary: &'a Vocabulary,
    settings: &'a Settings,
    slots: Vec<Option<Sequence>>,
    /// The samplers of slots without a sequence.
    samplers: Vec<Sampler>,
    /// How many tokens of the shared prefix each slot begins with.
    kept: Vec<usize>,
    store: Option<&'a mut PromptStore>,
    /// For slots whose prompt is computed next: the prompt, if the store lacks it, and how many of its tokens are the prefix.
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
        let Layout { slots, hypotheses, length, prefix } = &self.settings.layout;
        // The prefix has a slot of its own after the others.
        let opened = slots * hypotheses + usize::from(!prefix.is_empty());
        self.model.open(opened, *length).map_err(|source| self.failed(source))?;
        if !prefix.is_empty() {
            let clock = Instant::now();
            let rows = [Row { slot: slots * hypotheses, tokens: prefix }];
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

    /// Fills the free slots from the requests. Requests that cannot be decoded end at once.
    fn refill(&mut self) -> Result<(), DecodeError> {
        let overhead = self.model.overhead(self.slots.len());
        for slot in 0..self.slots.len() {
            while self.slots[slot].is_none() && !self.summary.stopped {
                let Some((index, request)) = self.requests.next() else {
                    return Ok(());
                };
                let Layout { hypotheses, length, .. } = self.settings.layout;
                let context = self.model.context();
                let known = (self.model.vocabulary(), self.vocabulary.ends());
                let id = request.id.clone();
                match Sequence::admit(index, request, [hypotheses, length], context, known, overhead) {
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

    /// Copies into a slot the part of the prefix that its prompt shares.
    fn share(&mut self, slot: usize, sequence: &mut Sequence) -> Result<(), DecodeError> {
        let Layout { slots, hypotheses, prefix, .. } = &self.settings.layout;
        let prompt = sequence.prompt();
        let shared = common_prefix(prefix, prompt).min(prompt.len() - 1);
        let mut done = if shared <= self.kept[slot] {
            self.model.truncate(slot * hypotheses, shared)
        } else {
            self.model.copy(slots * hypotheses, slot * hypotheses, shared)
        };
        self.kept[slot] = shared;
        let stored = self.store.as_deref().and_then(|store| store.get(prompt, shared));
        if let (Ok(()), Some(kept)) = (&done, stored) {
            done = self.model.restore(slot * hypotheses, &kept.saved);
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
        let first = slot * self.settings.layout.hypotheses;
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
        let mut sequences: Vec<Sequence> = slots.iter().filter_map(|&slot| self.slots[slot].take()).collect();
        let (overhead, width) = (self.model.overhead(sequences.len()), self.model.vocabulary());
        sequences.iter_mut().for_each(|sequence| sequence.overhead = overhead);
        let new: Vec<bool> = sequences.iter().map(Sequence::is_new).collect();
        let fed: Vec<Vec<Feed>> = sequences.iter_mut().map(Sequence::feed).collect();
        let end_tokens = self.vocabulary.ends();
        let asked = (&mut sequences[..], end_tokens);
        let Forward { result, spent, choosing } =
            forward(&mut *self.model, self.settings, self.on_device, slots, asked, &fed)?;

        let clock = Instant::now();
        let samplers: Vec<&mut Sampler> = select_mut(&mut self.samplers, slots);
        type Work<'a> = (usize, ((&'a mut Sequence, &'a mut Sampler), &'a Vec<Feed>));
        let work = |(number, (pair, feeds)): Work<'_>| result.step(number, feeds, pair, width, end_tokens);
        if sequences.len() == 1 {
            sequences.iter_mut().zip(samplers).zip(&fed).enumerate().for_each(work);
        } else {
            let pairs = sequences.par_iter_mut().zip(samplers).zip(&fed);
            pairs.enumerate().for_each(work);
        }
        drop(result);
        self.summary.choose += choosing + clock.elapsed();
        self.summary.passes += 1;

        let shares = self.divide(spent, &mut sequences, &fed, &new);
        for (((&slot, sequence), share), new) in slots.iter().zip(&sequences).zip(shares).zip(new) {
            if new {
                self.keep(slot, sequence.id(), share)?;
            }
        }
        for (&slot, mut sequence) in slots.iter().zip(sequences) {
            match sequence.take_outcome(self.vocabulary) {
                Some(ended) => self.hand_on(ended),
                None => {
                    self.edit(slot, &mut sequence)?;
                    self.slots[slot] = Some(sequence);
                }
            }
        }
        Ok(())
    }

    /// Divides the time of a pass among its documents by their tokens.
    fn divide(
        &mut self,
        spent: Duration,
        sequences: &mut [Sequence],
        fed: &[Vec<Feed>],
        new: &[bool],
    ) -> Vec<Duration> {
        let tokens = |feeds: &Vec<Feed>| feeds.iter().map(|feed| feed.tokens.len()).sum::<usize>();
        let all: usize = fed.iter().map(tokens).sum();
        let mut shares = Vec::with_capacity(sequences.len());
        for ((sequence, feeds), &new) in sequences.iter_mut().zip(fed).zip(new) {
            let share = spent.mul_f64(tokens(feeds) as f64 / all.max(1) as f64);
            sequence.count(new, share);
            match new {
                true => self.summary.prefill += share,
                false => self.summary.decode += share,
            }
            shares.push(share);
        }
        shares
    }

    /// Changes a document's slots of the cache as its last move says.
    fn edit(&mut self, slot: usize, sequence: &mut Sequence) -> Result<(), DecodeError> {
        let first = slot * self.settings.layout.hypotheses;
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
