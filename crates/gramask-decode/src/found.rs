//! What a forward pass has found for each document of the batch: logits on the host, or tokens chosen where the logits are.

use std::ops::Range;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use gramask_kernels::sampling::{NoPick, Pick};
use rayon::prelude::*;

use crate::model::{Ask, Behind, LanguageModelError, Logits};
use crate::sampler::Sampler;
use crate::sampling::Sampling;
use crate::sequence::{Feed, Found, Sequence};
use crate::strategy::{Given, StepError};

/// The rows of logits behind a pass.
pub(crate) struct Rows<'m> {
    /// The logits that are on the host.
    logits: Option<Logits>,
    /// What was chosen elsewhere.
    picks: Vec<Result<Pick, NoPick>>,
    /// The logits there, for documents whose choice does not stand.
    behind: Option<Mutex<Box<dyn Behind + 'm>>>,
    /// Of each document.
    parts: Vec<Part>,
}

/// A document's rows.
enum Part {
    /// On the host: the first of them among the logits there.
    Logits(usize),
    /// The numbers of its choices, and its first row in the pass.
    Picks(Range<usize>, usize),
}

/// How many rows a document asked for.
fn rows_of(feeds: &[Feed]) -> usize {
    feeds.iter().map(|feed| feed.rows).sum()
}

impl<'m> Rows<'m> {
    /// All rows on the host.
    pub fn host(logits: Logits, fed: &[Vec<Feed>]) -> Self {
        let mut first = 0;
        let part = |feeds: &Vec<Feed>| {
            let part = Part::Logits(first);
            first += rows_of(feeds);
            part
        };
        Rows { parts: fed.iter().map(part).collect(), logits: Some(logits), picks: Vec::new(), behind: None }
    }

    /// Rows elsewhere: asks the strategies, while the device computes, and then the device, once for all choices and, where
    /// strategies want logits, once for these. Also returns how long the device was waited for.
    pub fn there(
        mut behind: Box<dyn Behind + 'm>,
        sequences: &mut [Sequence],
        fed: &[Vec<Feed>],
        sampling: &Sampling,
    ) -> Result<(Self, Duration), LanguageModelError> {
        let ask = |(sequence, feeds): (&mut Sequence, &Vec<Feed>)| match &feeds[..] {
            [feed] => sequence.asks(feed.rows, sampling),
            _ => None,
        };
        let asked: Vec<Option<Vec<Ask>>> = match sequences {
            [_] => sequences.iter_mut().zip(fed).map(ask).collect(),
            _ => sequences.par_iter_mut().zip(fed).map(ask).collect(),
        };
        let (mut asks, mut wanted, mut parts) = (Vec::new(), Vec::new(), Vec::with_capacity(fed.len()));
        let mut row = 0;
        for (feeds, own) in fed.iter().zip(asked) {
            let rows = row..row + rows_of(feeds);
            match own {
                Some(own) => {
                    parts.push(Part::Picks(asks.len()..asks.len() + own.len(), row));
                    asks.extend(rows.clone().zip(own));
                }
                None => {
                    parts.push(Part::Logits(wanted.len()));
                    wanted.extend(rows.clone());
                }
            }
            row = rows.end;
        }
        let clock = Instant::now();
        let picks = match asks.is_empty() {
            true => Vec::new(),
            false => behind.choose(&asks, sampling)?,
        };
        if picks.len() != asks.len() {
            return Err(LanguageModelError::Rows { given: picks.len(), wanted: asks.len() });
        }
        let logits = match wanted.is_empty() {
            true => None,
            false => Some(behind.fetch(&wanted)?),
        };
        let rows = Rows { logits, picks, behind: Some(Mutex::new(behind)), parts };
        Ok((rows, clock.elapsed()))
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
            Part::Logits(first) => {
                let mut row = *first;
                let mut logits = Vec::with_capacity(feeds.len());
                for feed in feeds {
                    let rows = self.logits.as_ref().and_then(|all| all.slice(row, row + feed.rows));
                    logits.extend(rows.map(|rows| (feed.lane, rows)));
                    row += feed.rows;
                }
                sequence.step(&Found { logits, given: None }, width, sampler, end_tokens);
            }
            Part::Picks(picks, first) => {
                let fetch = |ask: usize| self.fetch(first + ask);
                let given = Given { picks: &self.picks[picks.clone()], fetch: &fetch };
                let found = Found { logits: Vec::new(), given: Some(given) };
                sequence.step(&found, width, sampler, end_tokens);
            }
        }
    }

    fn fetch(&self, row: usize) -> Result<Vec<f32>, StepError> {
        let failed = |message: String| StepError::Fetch { message };
        let Some(behind) = &self.behind else {
            return Err(failed("they are not kept".to_owned()));
        };
        let mut behind = behind.lock().unwrap_or_else(PoisonError::into_inner);
        let logits = behind.fetch(&[row]).map_err(|error| failed(error.to_string()))?;
        Ok(logits.into_values())
    }
}
