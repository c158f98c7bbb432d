//! One document in its slot: what is still to be computed, what has been chosen, what it cost.

use std::time::{Duration, Instant};

use crate::model::Select;
use crate::output::{Ended, Finish, Output, Positions, Request, RequestError, Times, TokenRecord};
use crate::random::{Draw, document_number};
use crate::sampler::Sampler;
use crate::strategy::{Move, Step, StepError, Strategy};
use crate::vocabulary::TokenTable;

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
    /// Tokens that the cache does not hold yet.
    pending: Vec<u32>,
    /// How many tokens the cache holds.
    cached: usize,
    select: Select,
    /// How many of the records the last move appended.
    latest: usize,
    records: Vec<TokenRecord>,
    /// Whether the work before the next choice is done.
    prepared: bool,
    /// The length to which the slot is to be cut.
    cut: Option<usize>,
    finish: Option<Result<Finish, StepError>>,
    times: Times,
    positions: Positions,
}

impl Sequence {
    /// Checks a request against the slots and takes it in.
    pub fn admit(
        index: usize,
        request: Request,
        length: usize,
        context: usize,
        vocabulary: usize,
    ) -> Result<Self, RequestError> {
        let Request {
            id,
            prompt,
            budget,
            mut strategy,
        } = request;
        if budget == Some(0) {
            return Err(RequestError::NoBudget { id });
        }
        if prompt.is_empty() {
            return Err(RequestError::EmptyPrompt { id });
        }
        if let Some(position) = prompt.iter().position(|&token| token as usize >= vocabulary) {
            return Err(RequestError::PromptToken {
                id,
                token: prompt[position],
                position,
                vocabulary,
            });
        }
        let needed = budget.unwrap_or(1);
        if prompt.len().saturating_add(needed) > length {
            return Err(RequestError::TooLong {
                id,
                prompt: prompt.len(),
                budget: needed,
                length,
                context,
            });
        }
        let open_ended = budget.is_none();
        let budget = budget.unwrap_or(length - prompt.len());
        let clock = Instant::now();
        let needed = strategy.least_budget();
        let times = Times {
            mask: clock.elapsed(),
            ..Times::default()
        };
        if needed > budget {
            return Err(RequestError::BudgetTooSmall { id, budget, needed });
        }
        let positions = Positions {
            prompt: prompt.len(),
            ..Positions::default()
        };
        Ok(Sequence {
            index,
            number: document_number(&id),
            id,
            strategy,
            budget,
            open_ended,
            pending: prompt,
            cached: 0,
            select: Select::Last,
            latest: 0,
            records: Vec::new(),
            prepared: false,
            cut: None,
            finish: None,
            times,
            positions,
        })
    }

    /// The document's id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The tokens that the cache does not hold yet; at first, the prompt.
    pub fn pending(&self) -> &[u32] {
        &self.pending
    }

    /// Notes that the first `shared` tokens of the prompt are in the cache.
    pub fn take_over(&mut self, shared: usize) {
        self.pending.drain(..shared);
        self.cached = shared;
        self.positions.shared = shared;
    }

    /// Of which of the pending tokens the logits are wanted.
    pub fn select(&self) -> Select {
        self.select
    }

    /// The pending tokens, which the caller is about to append to the slot.
    pub fn feed(&mut self) -> Vec<u32> {
        self.cached += self.pending.len();
        self.positions.computed += self.pending.len();
        std::mem::take(&mut self.pending)
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
        if let Err(error) = self.strategy.prepare(self.budget - self.records.len()) {
            self.finish = Some(Err(error));
        }
        self.times.mask += clock.elapsed();
        self.prepared = true;
    }

    /// Lets the strategy move, given the logits `[rows, width]` behind the tokens fed last.
    pub fn step(&mut self, logits: &[f32], width: usize, sampler: &mut Sampler, end_tokens: &[u32]) {
        self.prepare();
        if self.finish.is_some() {
            return;
        }
        // Where other documents asked for all logits, this one may have got more than it asked for.
        let logits = match self.select {
            Select::All => logits,
            Select::Last => &logits[logits.len().saturating_sub(width)..],
        };
        let (clock, mut mask_time) = (Instant::now(), Duration::ZERO);
        let made = self.strategy.choose(Step {
            logits,
            width,
            tokens: &self.records,
            remaining: self.budget - self.records.len(),
            end_tokens,
            draw: Draw {
                document: self.number,
                position: self.records.len() as u64,
            },
            sampler,
            mask_time: &mut mask_time,
        });
        if let Err(error) = made.and_then(|made| self.apply(made)) {
            self.finish = Some(Err(error));
        }
        self.prepared = false;
        self.times.mask += mask_time;
        self.times.choose += clock.elapsed().saturating_sub(mask_time);
    }

    /// Takes tokens back and appends others.
    fn apply(&mut self, made: Move) -> Result<(), StepError> {
        if made.withdraw > self.latest {
            return Err(StepError::Withdraw {
                withdraw: made.withdraw,
                appended: self.latest,
            });
        }
        if made.withdraw > 0 {
            self.records.truncate(self.records.len() - made.withdraw);
            self.cached -= made.withdraw;
            self.cut = Some(self.cached);
        }
        let remaining = self.budget - self.records.len();
        if made.append.is_empty() || made.append.len() > remaining {
            return Err(StepError::Append {
                append: made.append.len(),
                remaining,
            });
        }
        self.latest = made.append.len();
        self.select = made.select;
        self.pending.extend(made.append.iter().map(|record| record.token));
        self.records.extend(made.append);
        if made.ended {
            self.finish = Some(Ok(Finish::End));
        } else if self.records.len() == self.budget {
            self.finish = Some(Ok(if self.open_ended {
                Finish::Context
            } else {
                Finish::Budget
            }));
        }
        Ok(())
    }

    /// The length to which the slot is to be cut before the next pass, if it is.
    pub fn take_cut(&mut self) -> Option<usize> {
        self.cut.take()
    }

    /// The result, where the document has ended.
    pub fn take_outcome(&mut self, table: &TokenTable) -> Option<Ended> {
        let finish = self.finish.take()?;
        let tokens = std::mem::take(&mut self.records);
        let (index, id) = (self.index, std::mem::take(&mut self.id));
        let finish = match finish {
            Ok(finish) => finish,
            Err(source) => {
                let outcome = Err(RequestError::Step {
                    id: id.clone(),
                    step: tokens.len(),
                    source,
                });
                return Some(Ended { index, id, outcome });
            }
        };
        let (text, lossy) = table.text(tokens.iter().map(|record| record.token));
        let positions = Positions {
            output: tokens.len(),
            ..self.positions
        };
        let strategy = self.strategy.name();
        Some(Ended {
            index,
            id,
            outcome: Ok(Output {
                strategy,
                tokens,
                text,
                lossy,
                finish,
                times: self.times,
                positions,
            }),
        })
    }
}
