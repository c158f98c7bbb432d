//! One document in its slots: what is still to be computed, what has been chosen, what it cost.

use std::time::{Duration, Instant};

use gramask_grammar::Vocabulary;
use gramask_kernels::sampling::Sampling;

use crate::model::{SampleRequest, Sampled};
use crate::output::{Ended, Finish, Output, Request, RequestError, Times, TokenCounts};
use crate::random::document_number;
use crate::record::TokenRecord;
use crate::row_logits::DeviceSamples;
use crate::sampler::Sampler;
use crate::strategy::{Ending, Hypothesis, HypothesisMove, Move, Opening, PreSample, Step, StepError, Strategy};

/// A document being decoded.
pub(crate) struct Sequence {
    index: usize,
    id: String,
    /// The id's number in draws.
    number: u64,
    strategy: Box<dyn Strategy>,
    /// The most tokens of the output.
    budget: usize,
    /// Whether the request set no budget, so that the slot's room is the budget.
    open_ended: bool,
    prompt: usize,
    hypotheses: Vec<Branch>,
    /// Which of the document's slots hold its prompt.
    prompted: Vec<bool>,
    /// What is to be done to the slots before the next pass.
    edits: Vec<Edit>,
    /// Whether the work before the next choice is done.
    prepared: bool,
    /// What its share of a pass costs beyond its rows: see [`Step::overhead`].
    pub overhead: f64,
    /// How many tokens the first hypothesis had at the last step.
    position: usize,
    finish: Option<Result<(Vec<TokenRecord>, Finish), StepError>>,
    times: Times,
    positions: TokenCounts,
}

/// One version of the output.
struct Branch {
    /// Which of the document's slots it is in.
    slot: usize,
    records: Vec<TokenRecord>,
    /// Tokens that the cache does not hold yet.
    pending: Vec<u32>,
    /// Of how many of them, the last ones, the logits are wanted.
    rows: usize,
    /// How many tokens the cache holds.
    cached: usize,
}

/// A change of the cache. The slots are the document's own, counted from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Edit {
    /// Slot `to` becomes the first `length` tokens of `from`, of which it holds the first `shared` already.
    Fork { from: usize, to: usize, shared: usize, length: usize },
    /// The slot is cut to so many tokens.
    Cut { slot: usize, length: usize },
}

/// A document's logits at a step.
pub(crate) enum StepLogits<'a> {
    /// On the host: the hypotheses that were fed, and the logits of each, `[rows, width]`.
    Host(&'a [(usize, &'a [f32])]),
    /// The tokens that were sampled on the device, of the only hypothesis.
    Device(DeviceSamples<'a>),
}

/// Tokens to be appended to one of the document's slots.
pub(crate) struct Feed {
    pub hypothesis: usize,
    pub slot: usize,
    pub tokens: Vec<u32>,
    /// Of how many of them, the last ones, the logits are wanted.
    pub rows: usize,
}

impl Sequence {
    /// Checks a request against the slots and takes it in.
    pub fn admit(
        index: usize,
        request: Request,
        [hypotheses, length]: [usize; 2],
        context: usize,
        (vocabulary, end_tokens): (usize, &[u32]),
        overhead: f64,
    ) -> Result<Self, RequestError> {
        let Request { id, prompt, budget, mut strategy } = request;
        if budget == Some(0) {
            return Err(RequestError::NoBudget { id });
        }
        if prompt.is_empty() {
            return Err(RequestError::EmptyPrompt { id });
        }
        if let Some(position) = prompt.iter().position(|&token| token as usize >= vocabulary) {
            return Err(RequestError::PromptToken { id, token: prompt[position], position, vocabulary });
        }
        let needed = budget.unwrap_or(1);
        if prompt.len().saturating_add(needed) > length {
            return Err(RequestError::TooLong { id, prompt: prompt.len(), budget: needed, length, context });
        }
        if strategy.hypotheses() > hypotheses {
            return Err(RequestError::Hypotheses {
                id,
                strategy: strategy.name(),
                hypotheses: strategy.hypotheses(),
                layout: hypotheses,
            });
        }
        let open_ended = budget.is_none();
        let budget = budget.unwrap_or(length - prompt.len());
        let clock = Instant::now();
        let needed = strategy.least_budget();
        if needed > budget {
            return Err(RequestError::BudgetTooSmall { id, budget, needed });
        }
        let Opening { mut tokens, all_rows } = strategy.opening(budget, end_tokens, overhead);
        tokens.truncate(budget - 1);
        let times = Times { mask: clock.elapsed(), ..Times::default() };
        let positions = TokenCounts { prompt: prompt.len(), ..TokenCounts::default() };
        Ok(Sequence {
            index,
            number: document_number(&id),
            id,
            strategy,
            budget,
            open_ended,
            prompt: prompt.len(),
            hypotheses: vec![Branch {
                slot: 0,
                rows: if all_rows { 1 + tokens.len() } else { 1 },
                pending: prompt.into_iter().chain(tokens.iter().map(|record| record.token)).collect(),
                records: tokens,
                cached: 0,
            }],
            prompted: vec![false; hypotheses],
            edits: Vec::new(),
            prepared: false,
            overhead,
            position: 0,
            finish: None,
            times,
            positions,
        })
    }

    /// The document's id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The prompt, before anything is fed.
    pub fn prompt(&self) -> &[u32] {
        &self.hypotheses[0].pending[..self.prompt]
    }

    /// Whether the next pass is over its prompt.
    pub fn is_new(&self) -> bool {
        !self.prompted[0]
    }

    /// Notes that the first `shared` tokens of the prompt are in the cache.
    pub fn take_over(&mut self, shared: usize) {
        self.hypotheses[0].pending.drain(..shared);
        self.hypotheses[0].cached = shared;
        self.positions.shared = shared;
    }

    /// Notes that the first `tokens` of the prompt are in the cache, and what those cost that the prefix does not have.
    pub fn restore(&mut self, tokens: usize, spent: Duration) {
        let shared = self.positions.shared;
        self.hypotheses[0].pending.drain(..tokens - shared);
        self.hypotheses[0].cached = tokens;
        self.positions.restored = tokens - shared;
        self.times.restored = spent;
    }

    /// The pending tokens, which the caller is about to append to the slots.
    pub fn feed(&mut self) -> Vec<Feed> {
        let mut all = Vec::with_capacity(self.hypotheses.len());
        for (hypothesis, branch) in self.hypotheses.iter_mut().enumerate() {
            if branch.pending.is_empty() {
                continue;
            }
            branch.cached += branch.pending.len();
            self.positions.computed += branch.pending.len();
            self.prompted[branch.slot] = true;
            all.push(Feed {
                hypothesis,
                slot: branch.slot,
                tokens: std::mem::take(&mut branch.pending),
                rows: branch.rows,
            });
        }
        all
    }

    /// Counts the document's share of a forward pass.
    pub fn count(&mut self, prefill: bool, share: Duration) {
        if prefill {
            self.times.prefill += share;
        } else {
            self.times.decode += share;
        }
    }

    /// Does the work of the next step that needs no logits.
    pub fn prepare(&mut self) {
        if self.prepared {
            return;
        }
        let clock = Instant::now();
        if let Err(error) = self.strategy.prepare() {
            self.finish = Some(Err(error));
        }
        self.times.mask += clock.elapsed();
        self.prepared = true;
    }

    /// What the strategy wants sampled on the device, for each of `rows`; `None` if it wants the logits.
    pub fn sample_requests(
        &mut self,
        rows: usize,
        sampling: &Sampling,
        end_tokens: &[u32],
    ) -> Option<Vec<SampleRequest>> {
        self.prepare();
        if self.finish.is_some() || self.hypotheses.len() != 1 {
            return None;
        }
        let requests = self.ask(rows, sampling, end_tokens, |strategy, step| strategy.sample_requests(step));
        requests.filter(|requests| requests.len() == rows)
    }

    /// What the strategy wants sampled again on the device, given a sample for each row: rows, which ascend, with requests.
    pub fn sample_again(
        &mut self,
        samples: &[Sampled],
        sampling: &Sampling,
        end_tokens: &[u32],
    ) -> Vec<(usize, SampleRequest)> {
        let rows = samples.len();
        let mut again = self.ask(rows, sampling, end_tokens, |strategy, step| strategy.sample_again(step, samples));
        if let Some(&(row, _)) = again.iter().find(|(row, _)| *row >= rows) {
            self.finish = Some(Err(StepError::NoRow { row, rows }));
            again.clear();
        }
        again.sort_by_key(|(row, _)| *row);
        again
    }

    fn ask<T>(
        &mut self,
        rows: usize,
        sampling: &Sampling,
        end_tokens: &[u32],
        question: impl FnOnce(&mut dyn Strategy, PreSample<'_>) -> T,
    ) -> T {
        let mut mask_time = Duration::ZERO;
        let step = PreSample {
            tokens: &self.hypotheses[0].records,
            rows,
            sampling,
            budget: self.budget,
            end_tokens,
            document: self.number,
            mask_time: &mut mask_time,
        };
        let answer = question(&mut *self.strategy, step);
        self.times.mask += mask_time;
        answer
    }

    /// Lets the strategy move.
    pub fn step(&mut self, logits: StepLogits<'_>, width: usize, sampler: &mut Sampler, end_tokens: &[u32]) {
        self.prepare();
        if self.finish.is_some() {
            return;
        }
        let mut hypotheses: Vec<Hypothesis<'_>> =
            self.hypotheses.iter().map(|branch| Hypothesis { logits: &[], tokens: &branch.records }).collect();
        let on_device = match logits {
            StepLogits::Host(fed) => {
                for &(hypothesis, rows) in fed {
                    hypotheses[hypothesis].logits = rows;
                }
                None
            }
            StepLogits::Device(samples) => Some(samples),
        };
        self.position = hypotheses[0].tokens.len();
        let (clock, mut mask_time) = (Instant::now(), Duration::ZERO);
        let made = self.strategy.choose(Step {
            hypotheses: &hypotheses,
            width,
            budget: self.budget,
            end_tokens,
            document: self.number,
            sampler,
            on_device,
            overhead: self.overhead,
            mask_time: &mut mask_time,
        });
        if let Err(error) = made.and_then(|made| self.apply(made)) {
            self.finish = Some(Err(error));
        }
        self.prepared = false;
        self.times.mask += mask_time;
        self.times.choose += clock.elapsed().saturating_sub(mask_time);
    }

    /// Makes the hypotheses of a move from the present ones.
    fn apply(&mut self, made: Move) -> Result<(), StepError> {
        let most = self.strategy.hypotheses();
        let known = self.hypotheses.len();
        let ends_with = match &made.ending {
            Some(Ending::Hypothesis(hypothesis)) => *hypothesis,
            _ => 0,
        };
        let highest = made.hypotheses.iter().map(|hypothesis| hypothesis.from).max().unwrap_or(0);
        if made.hypotheses.is_empty()
            || made.hypotheses.len() > most
            || highest >= known
            || ends_with >= made.hypotheses.len()
        {
            return Err(StepError::Hypotheses {
                hypotheses: made.hypotheses.len(),
                from: highest.max(ends_with),
                known,
                most,
            });
        }
        let mut takers = vec![0usize; known];
        made.hypotheses.iter().for_each(|hypothesis| takers[hypothesis.from] += 1);
        let kept = |slot: usize| self.hypotheses.iter().zip(&takers).any(|(v, &n)| v.slot == slot && n > 0);
        let mut free: Vec<usize> = (0..most).rev().filter(|&slot| !kept(slot)).collect();

        // All forks come before the cuts, which could take away what is copied.
        let (mut forks, mut cuts) = (Vec::new(), Vec::new());
        let mut taken = vec![false; known];
        let mut hypotheses = Vec::with_capacity(made.hypotheses.len());
        for hypothesis in made.hypotheses {
            let (from, withdraw) = (hypothesis.from, hypothesis.withdraw);
            takers[from] -= 1;
            let source = &mut self.hypotheses[from];
            let records = match takers[from] {
                0 => std::mem::take(&mut source.records),
                _ => source.records.clone(),
            };
            let mut branch = Branch {
                slot: source.slot,
                records,
                pending: Vec::new(),
                rows: hypothesis.rows,
                cached: source.cached.saturating_sub(withdraw),
            };
            let source_slot = source.slot;
            branch.change(hypothesis, self.budget)?;
            if std::mem::replace(&mut taken[from], true) {
                // Never empty: there are at most as many hypotheses as slots.
                let to = free.pop().unwrap_or(source_slot);
                let shared = if self.prompted[to] { self.prompt } else { 0 };
                branch.slot = to;
                self.prompted[to] = true;
                forks.push(Edit::Fork { from: source_slot, to, shared, length: branch.cached });
            } else if withdraw > 0 {
                cuts.push(Edit::Cut { slot: source_slot, length: branch.cached });
            }
            hypotheses.push(branch);
        }
        self.edits = forks;
        self.edits.append(&mut cuts);
        self.hypotheses = hypotheses;
        self.finish = self.ending(made.ending).map(Ok);
        Ok(())
    }

    /// The output's tokens and why it ended, if it did.
    fn ending(&mut self, ending: Option<Ending>) -> Option<(Vec<TokenRecord>, Finish)> {
        let cut_off = match self.open_ended {
            true => Finish::Context,
            false => Finish::Budget,
        };
        match ending {
            Some(Ending::Hypothesis(hypothesis)) => {
                let tokens = std::mem::take(&mut self.hypotheses[hypothesis].records);
                let finish = Finish::of_complete(&tokens);
                Some((tokens, finish))
            }
            Some(Ending::Tokens(tokens, complete)) => {
                let finish = if complete { Finish::of_complete(&tokens) } else { cut_off };
                Some((tokens, finish))
            }
            None => {
                for branch in &mut self.hypotheses {
                    if branch.records.len() >= self.budget {
                        branch.pending.clear();
                    }
                }
                let goes_on = self.hypotheses.iter().any(|branch| !branch.pending.is_empty());
                (!goes_on).then(|| (std::mem::take(&mut self.hypotheses[0].records), cut_off))
            }
        }
    }

    /// What is to be done to the slots before the next pass.
    pub fn take_edits(&mut self) -> Vec<Edit> {
        std::mem::take(&mut self.edits)
    }

    /// The result, where the document has ended.
    pub fn take_outcome(&mut self, vocabulary: &Vocabulary) -> Option<Ended> {
        let finish = self.finish.take()?;
        let (index, id) = (self.index, std::mem::take(&mut self.id));
        let (tokens, finish) = match finish {
            Ok(finish) => finish,
            Err(source) => {
                let step = self.position;
                let outcome = Err(RequestError::Step { id: id.clone(), step, source });
                return Some(Ended { index, id, outcome });
            }
        };
        let effort = self.strategy.effort();
        let answer_from = self.strategy.answer_from().min(tokens.len());
        let (free, answer) = tokens.split_at(answer_from);
        let (preamble, _) = vocabulary.decode(free.iter().map(|record| record.token));
        let (text, lossy) = vocabulary.decode(answer.iter().map(|record| record.token));
        let positions = TokenCounts { output: tokens.len(), ..self.positions };
        let strategy = self.strategy.name();
        Some(Ended {
            index,
            id,
            outcome: Ok(Output {
                strategy,
                tokens,
                text,
                answer_from,
                preamble,
                lossy,
                finish,
                effort,
                times: self.times,
                positions,
            }),
        })
    }
}

impl Branch {
    /// Confirms, takes back and appends as a move says.
    fn change(&mut self, hypothesis: HypothesisMove, budget: usize) -> Result<(), StepError> {
        if let Some((from, confirmed)) = hypothesis.confirm {
            let to = from + confirmed.len();
            let drafted = self.records.get_mut(from..to);
            let tokens = |records: &[TokenRecord]| records.iter().map(|record| record.token).collect::<Vec<_>>();
            match drafted {
                Some(drafted) if tokens(drafted) == tokens(&confirmed) => drafted.copy_from_slice(&confirmed),
                _ => return Err(StepError::Confirm { from, to }),
            }
        }
        let Some(left) = self.records.len().checked_sub(hypothesis.withdraw) else {
            return Err(StepError::Withdraw { withdraw: hypothesis.withdraw, tokens: self.records.len() });
        };
        self.records.truncate(left);
        let (append, remaining) = (hypothesis.append.len(), budget - left);
        if append > remaining {
            return Err(StepError::Append { append, remaining });
        }
        if append > 0 && !(1..=append).contains(&hypothesis.rows) {
            let rows = hypothesis.rows;
            return Err(StepError::Rows { rows, append });
        }
        self.pending = hypothesis.append.iter().map(|record| record.token).collect();
        self.records.extend(hypothesis.append);
        Ok(())
    }
}
