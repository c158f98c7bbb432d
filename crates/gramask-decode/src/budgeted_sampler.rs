//! Sampling under a constraint so that the output is complete within its budget. All constrained strategies share it.
//!
//! # The budget
//! An output must be complete when the budget is used up. Let `r` be the number of tokens that may still come. The **tight mask**
//! of a state holds the allowed tokens after which the output can be finished with `r - 1` more. Sampling from the tight mask at
//! every step, beginning with `tokens_to_finish(start) <= budget`, never runs out. The tight mask is not empty, because it holds
//! the constraint's own completion. Every token in it keeps the condition for the next step.
//!
//! The tight mask is costly: every allowed token must be followed to see what is left to do. And it rarely differs from the
//! plain mask where it matters. So the plain mask is applied first, and only the tokens of the choice's
//! [basis](Sampler::basis) are tested:
//!
//! - if all of them can be finished in time, the choice stands;
//! - otherwise, or if the basis is too large to test, the choice is made again under the tight mask.
//!
//! **The token always has exactly the distribution of the tight mask.** For [`Basis::Tokens`] the filters keep the same tokens
//! under both masks. So the token is the one that the tight mask alone would have given with this random number. For
//! [`Basis::Drawn`] it follows by rejection. Let `P` be the plain distribution, and `q` the probability that `P` gives to the
//! tight mask `T`. A token `t` of `T` comes from the first draw with probability `P(t)`, and from the second, independent draw
//! with `(1 - q) P(t) / q`. The sum is `P(t) / q`, which is its probability under the tight mask.
//!
//! This argument does not need the plain mask. [`BudgetedSampler::choose_lazily`] makes its first choice from all tokens, and
//! also tests whether the tokens of the basis are allowed. Naive lazy decoding goes wrong here. With top-k or top-p the filters
//! keep other tokens of the whole vocabulary than of the allowed ones. So a drawn token that happens to be allowed does not have
//! the masked distribution. Here the choice stands only if the filters would have kept the same tokens.
//!
//! # What is recorded
//! The recorded probability mass is the mass of the mask that was applied last. If that is the tight mask, the record also has
//! the mass under the plain mask. So what the grammar removed and what the budget removed are known apart
//! ([`BudgetScores`](crate::BudgetScores)). A choice that stands was not changed by the budget.
//!
//! # On the device
//! The device may have made the first choice, under the plain mask. It is the same token, since host and device draw alike.
//! Without top-k and top-p its basis is known without the logits: [`is_presampled`] tests that. If the choice does not stand, the
//! device is asked for the second choice too, in a second round for all documents ([`BudgetedSampler::request_again`]). The
//! request has the tight mask, and the second draw if the first token was drawn. It is the choice that the host would have made
//! from the logits. So the argument above holds as it is. No logits are fetched.
//!
//! A lazy first choice was made without a mask, and what the budget removed is told from the choice under the plain mask. So
//! the second round then asks for two samples, under the plain mask with the first draw and under the tight mask
//! ([`BudgetedSampler::requests_again_lazily`]).

use std::time::{Duration, Instant};

use gramask_grammar::Mask;
use gramask_kernels::sampling::Sampling;

use crate::constraint::TokenConstraint;
use crate::model::{SampleRequest, Sampled};
use crate::random::Draw;
use crate::row_logits::{DeviceBasis, RowBasis, RowLogits};
use crate::sampler::{Basis, Choice, Sampler};
use crate::strategy::{PreSample, Step, StepError};

/// Whether the device can make a first choice: the choice then rests on one token, or on two.
pub(crate) fn is_presampled(sampling: &Sampling) -> bool {
    sampling.is_greedy() || sampling.top_k == 0 && sampling.top_p >= 1.0
}

/// What a token must leave room for.
#[derive(Clone, Copy)]
pub(crate) struct Limit<'a> {
    /// How many tokens may still come, this one included; at least 1.
    pub remaining: usize,
    pub end_tokens: &'a [u32],
}

/// What one token is chosen from, and with.
pub(crate) struct SampleContext<'a> {
    pub row: RowLogits<'a>,
    pub draw: Draw,
    pub limit: Limit<'a>,
    pub sampler: &'a mut Sampler,
    pub mask_time: &'a mut Duration,
}

impl<'a> SampleContext<'a> {
    /// The next token of a step's first hypothesis.
    pub fn next(step: &'a mut Step<'_>) -> Result<Self, StepError> {
        Ok(SampleContext {
            row: step.last_row()?,
            draw: step.draw(),
            limit: Limit { remaining: step.remaining(), end_tokens: step.end_tokens },
            sampler: step.sampler,
            mask_time: step.mask_time,
        })
    }

    /// Chooses a token under a mask, or takes the token that the device sampled under it.
    fn choose(&mut self, mask: Option<&[u32]>) -> Result<(Choice, RowBasis), StepError> {
        match self.row {
            RowLogits::Host(logits) => Ok((self.choose_from(logits, mask)?, RowBasis::Host)),
            RowLogits::Device(device) => {
                let choice = self.known(device.sample)?;
                Ok((choice, RowBasis::Device(DeviceBasis::of(&choice, self.sampler.sampling()))))
            }
        }
    }

    fn choose_from(&mut self, logits: &[f32], mask: Option<&[u32]>) -> Result<Choice, StepError> {
        let chosen = self.sampler.choose(logits, mask, self.draw);
        self.known(chosen)
    }

    /// The choice, if there is one. An empty mask has an error of its own.
    fn known(&self, sampled: Sampled) -> Result<Choice, StepError> {
        sampled.map_err(|none| match none.allowed {
            0 => StepError::EmptyMask { remaining: self.limit.remaining },
            _ => none.into(),
        })
    }
}

/// Samples from the tight mask of a constraint.
#[derive(Debug)]
pub(crate) struct BudgetedSampler<C: TokenConstraint> {
    pub constraint: C,
}

impl<C: TokenConstraint> BudgetedSampler<C> {
    /// Chooses a token under the tight mask of a state. Returns it with the state after it.
    pub fn choose(&mut self, state: C::State, mut context: SampleContext<'_>) -> Result<(Choice, C::State), StepError> {
        let clock = Instant::now();
        let mask = self.constraint.mask(state);
        *context.mask_time += clock.elapsed();
        let (choice, basis) = context.choose(Some(mask))?;
        self.settle(state, choice, &basis, context)
    }

    /// The same distribution, but the mask is computed only if the first choice does not stand. The record has no
    /// [mask scores](crate::Scores::mask) where it stands.
    pub fn choose_lazily(
        &mut self,
        state: C::State,
        mut context: SampleContext<'_>,
    ) -> Result<(Choice, C::State), StepError> {
        let (mut choice, basis) = context.choose(None)?;
        choice.scores.mask = None;
        self.settle(state, choice, &basis, context)
    }

    /// The request for a token under the mask of a state.
    pub fn request(&mut self, state: C::State, draw: Draw, mask_time: &mut Duration) -> SampleRequest {
        let clock = Instant::now();
        let mask = Some(self.constraint.mask(state).into());
        *mask_time += clock.elapsed();
        SampleRequest { mask, draw }
    }

    /// The request for a token at a position under the tight mask of a state, if the device's first choice does not stand.
    pub fn request_again(
        &mut self,
        state: C::State,
        sample: &Sampled,
        position: usize,
        step: &mut PreSample<'_>,
    ) -> Option<SampleRequest> {
        let clock = Instant::now();
        let (limit, draw) = (step.limit_at(position), step.draw_at(position));
        let basis = DeviceBasis::of(sample.as_ref().ok()?, step.sampling);
        let request = match self.stands(state, basis.get(), limit) {
            true => None,
            false => {
                let mask = Some(self.constraint.mask_within(state, limit.remaining).into());
                Some(SampleRequest { mask, draw: if basis.is_drawn { draw.again() } else { draw } })
            }
        };
        *step.mask_time += clock.elapsed();
        request
    }

    /// The requests for the next token under the plain and the tight mask of a state, if the device's first choice among all
    /// tokens does not stand.
    pub fn requests_again_lazily(
        &mut self,
        state: C::State,
        sample: &Sampled,
        step: &mut PreSample<'_>,
    ) -> Vec<SampleRequest> {
        let (position, draw) = (step.tokens.len(), step.draw());
        match self.request_again(state, sample, position, step) {
            None => Vec::new(),
            Some(tight) => vec![self.request(state, draw, step.mask_time), tight],
        }
    }

    /// Keeps the first choice if it stands, or makes it again. Returns the token with the state after it.
    fn settle(
        &mut self,
        state: C::State,
        first: Choice,
        basis: &RowBasis,
        mut context: SampleContext<'_>,
    ) -> Result<(Choice, C::State), StepError> {
        let clock = Instant::now();
        // What was sampled again did not stand. It is not tested a second time: the constraint may know a shorter completion
        // by now.
        let is_first = context.row.sampled_again().is_empty();
        let stands = is_first && self.stands(state, basis.get(context.sampler), context.limit);
        *context.mask_time += clock.elapsed();
        let choice = match stands {
            true => first,
            false => self.choose_again(state, &mut context, first, basis)?,
        };
        let clock = Instant::now();
        let token = choice.token;
        let next = self.constraint.advance(state, token);
        *context.mask_time += clock.elapsed();
        Ok((choice, next.ok_or(StepError::Refused { token })?))
    }

    /// Whether every token of the basis is allowed and can be finished in time.
    fn stands(&mut self, state: C::State, basis: Basis<'_>, limit: Limit<'_>) -> bool {
        match basis {
            Basis::Many => false,
            Basis::Tokens(tokens) | Basis::Drawn(tokens) => tokens.iter().all(|&token| {
                self.constraint.advance(state, token).is_some_and(|next| {
                    // After an end token nothing is left to finish.
                    limit.end_tokens.contains(&token) || self.constraint.tokens_to_finish(next) < limit.remaining
                })
            }),
        }
    }

    /// Chooses again, under the tight mask, or takes what the device sampled under it. The record tells what the grammar
    /// removed and what the budget removed.
    fn choose_again(
        &mut self,
        state: C::State,
        context: &mut SampleContext<'_>,
        first: Choice,
        basis: &RowBasis,
    ) -> Result<Choice, StepError> {
        if let [plain @ .., tight] = context.row.sampled_again() {
            let plain = plain.first().map_or(Ok(first), |plain| context.known(plain.sample))?;
            let squeezed = tight.refuses(plain.token) || tight.refuses(plain.best);
            return Ok(context.known(tight.sample)?.within(&plain, squeezed));
        }
        let is_drawn = matches!(basis.get(context.sampler), Basis::Drawn(_));
        let logits = context.row.logits()?;
        // The choice under the plain mask is the first one, unless that was made without a mask.
        let plain = match first.scores.mask {
            Some(_) => first,
            None => {
                let clock = Instant::now();
                let mask = self.constraint.mask(state);
                *context.mask_time += clock.elapsed();
                context.choose_from(&logits, Some(mask))?
            }
        };
        if is_drawn {
            context.draw = context.draw.again();
        }
        let clock = Instant::now();
        let mask = self.constraint.mask_within(state, context.limit.remaining);
        *context.mask_time += clock.elapsed();
        let tight = Mask::Row(mask);
        let squeezed = !tight.contains(plain.token) || !tight.contains(plain.best);
        Ok(context.choose_from(&logits, Some(mask))?.within(&plain, squeezed))
    }
}
