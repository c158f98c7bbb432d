//! The result of a forward pass for each document of the batch: logits on the host, or tokens sampled on the device.

use std::ops::Range;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use gramask_kernels::sampling::Sampling;
use rayon::prelude::*;

use crate::model::{LanguageModelError, Logits, LogitsHandle, SampleRequest, Sampled};
use crate::row_logits::{DeviceSamples, SampledAgain};
use crate::sampler::Sampler;
use crate::sequence::{Feed, Sequence, StepLogits};
use crate::strategy::StepError;

/// The logits after a pass, and the tokens that were sampled from them.
pub(crate) struct PassResult<'m> {
    /// The logits that are on the host.
    logits: Option<Logits>,
    /// The tokens that were sampled on the device.
    samples: Vec<Sampled>,
    /// Those of the second round, with their rows among the document's.
    again: Vec<SampledAgain>,
    /// The logits on the device, for strategies that read them beside their samples.
    handle: Option<Mutex<Box<dyn LogitsHandle + 'm>>>,
    /// One for each document.
    parts: Vec<Part>,
}

/// A document's part of the result.
enum Part {
    /// Its logits are on the host, from this row on.
    Host { first_row: usize },
    /// Its tokens were sampled on the device, from rows that begin at `first_row` of the pass; some of them again.
    Device { samples: Range<usize>, again: Range<usize>, first_row: usize },
}

/// Asks every document, on all cores if there are several.
fn ask_each<A: Sync, T: Send>(
    sequences: &mut [Sequence],
    about: &[A],
    ask: impl Fn(&mut Sequence, &A) -> T + Sync,
) -> Vec<T> {
    let of = |(sequence, about): (&mut Sequence, &A)| ask(sequence, about);
    match sequences {
        [_] => sequences.iter_mut().zip(about).map(of).collect(),
        _ => sequences.par_iter_mut().zip(about).map(of).collect(),
    }
}

/// A sample for each request.
fn sample(
    handle: &mut dyn LogitsHandle,
    requests: &[(usize, SampleRequest)],
    sampling: &Sampling,
) -> Result<Vec<Sampled>, LanguageModelError> {
    if requests.is_empty() {
        return Ok(Vec::new());
    }
    let samples = handle.sample(requests, sampling)?;
    match samples.len() == requests.len() {
        true => Ok(samples),
        false => Err(LanguageModelError::Rows { given: samples.len(), wanted: requests.len() }),
    }
}

/// How many rows a document asked for.
fn rows_of(feeds: &[Feed]) -> usize {
    feeds.iter().map(|feed| feed.rows).sum()
}

impl<'m> PassResult<'m> {
    /// All logits are on the host.
    pub fn on_host(logits: Logits, fed: &[Vec<Feed>]) -> Self {
        let mut first_row = 0;
        let part = |feeds: &Vec<Feed>| {
            let part = Part::Host { first_row };
            first_row += rows_of(feeds);
            part
        };
        PassResult {
            parts: fed.iter().map(part).collect(),
            logits: Some(logits),
            samples: Vec::new(),
            again: Vec::new(),
            handle: None,
        }
    }

    /// The logits are on the device. While the device computes them, the strategies are asked for their requests. Then the
    /// device samples once for all requests, and once more for those of the strategies that cannot take their samples. The
    /// logits of all other strategies are fetched at once. Also returns how long the host waited for the device.
    pub fn on_device(
        mut handle: Box<dyn LogitsHandle + 'm>,
        sequences: &mut [Sequence],
        fed: &[Vec<Feed>],
        sampling: &Sampling,
        end_tokens: &[u32],
    ) -> Result<(Self, Duration), LanguageModelError> {
        let of_documents = ask_each(sequences, fed, |sequence, feeds| match &feeds[..] {
            [feed] => sequence.sample_requests(feed.rows, sampling, end_tokens),
            _ => None,
        });
        let (mut requests, mut wanted, mut parts) = (Vec::new(), Vec::new(), Vec::with_capacity(fed.len()));
        let mut first_row = 0;
        for (feeds, own) in fed.iter().zip(of_documents) {
            let rows = first_row..first_row + rows_of(feeds);
            match own {
                Some(own) => {
                    let samples = requests.len()..requests.len() + own.len();
                    parts.push(Part::Device { samples, again: 0..0, first_row });
                    requests.extend(rows.clone().zip(own));
                }
                None => {
                    parts.push(Part::Host { first_row: wanted.len() });
                    wanted.extend(rows.clone());
                }
            }
            first_row = rows.end;
        }
        let clock = Instant::now();
        let samples = sample(&mut *handle, &requests, sampling)?;
        let mut waited = clock.elapsed();

        let of_documents = ask_each(sequences, &parts, |sequence, part| match part {
            Part::Device { samples: own, .. } => sequence.sample_again(&samples[own.clone()], sampling, end_tokens),
            Part::Host { .. } => Vec::new(),
        });
        let (mut requests, mut rows) = (Vec::new(), Vec::new());
        for (part, own) in parts.iter_mut().zip(of_documents) {
            if let Part::Device { again, first_row, .. } = part {
                *again = rows.len()..rows.len() + own.len();
                rows.extend(own.iter().map(|(row, _)| *row));
                requests.extend(own.into_iter().map(|(row, request)| (*first_row + row, request)));
            }
        }
        let clock = Instant::now();
        let samples_again = sample(&mut *handle, &requests, sampling)?;
        let again = rows.into_iter().zip(requests).zip(samples_again);
        let again = again.map(|((row, (_, request)), sample)| SampledAgain { row, mask: request.mask, sample });
        let logits = match wanted.is_empty() {
            true => None,
            false => Some(handle.fetch(&wanted)?),
        };
        waited += clock.elapsed();
        let result = PassResult { logits, samples, again: again.collect(), handle: Some(Mutex::new(handle)), parts };
        Ok((result, waited))
    }

    /// Lets a document move; `number` is its number in the pass.
    pub fn step(
        &self,
        number: usize,
        feeds: &[Feed],
        (sequence, sampler): (&mut Sequence, &mut Sampler),
        width: usize,
        end_tokens: &[u32],
    ) {
        match &self.parts[number] {
            Part::Host { first_row } => {
                let mut row = *first_row;
                let mut logits = Vec::with_capacity(feeds.len());
                for feed in feeds {
                    let rows = self.logits.as_ref().and_then(|all| all.slice(row, row + feed.rows));
                    logits.extend(rows.map(|rows| (feed.hypothesis, rows)));
                    row += feed.rows;
                }
                sequence.step(StepLogits::Host(&logits), width, sampler, end_tokens);
            }
            Part::Device { samples, again, first_row } => {
                let fetch = |row: usize| self.fetch(first_row + row);
                let (samples, again) = (&self.samples[samples.clone()], &self.again[again.clone()]);
                let samples = DeviceSamples { samples, again, fetch: &fetch };
                sequence.step(StepLogits::Device(samples), width, sampler, end_tokens);
            }
        }
    }

    fn fetch(&self, row: usize) -> Result<Vec<f32>, StepError> {
        let failed = |message: String| StepError::Fetch { message };
        let Some(handle) = &self.handle else {
            return Err(failed("they are not kept".to_owned()));
        };
        let mut handle = handle.lock().unwrap_or_else(PoisonError::into_inner);
        let logits = handle.fetch(&[row]).map_err(|error| failed(error.to_string()))?;
        Ok(logits.into_values())
    }
}
