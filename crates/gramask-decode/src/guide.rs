//! Choosing a token under a constraint so that the output is complete within its budget: what all constrained strategies share.
//!
//! # The budget
//! An output must be complete when the budget is used up. Let `r` be the tokens that may still come. The **tight mask** at a
//! state holds the allowed tokens after which the output can be finished with `r - 1` more. Sampling from it at every step,
//! beginning with `tokens_to_finish(start) <= budget`, never runs out: the tight mask is not empty (the constraint's own
//! completion is in it), and whatever is chosen keeps the condition for the next step.
//!
//! The tight mask is costly: every allowed token must be followed to see what it leaves to do. And almost always it is the
//! plain mask as far as it matters. So the plain mask is applied first, and then the tokens of the choice's
//! [basis](Sampler::basis) alone are tested:
//!
//! - where all of them can be finished in time, the choice stands;
//! - else, or where the basis is too large to test, the choice is made anew under the tight mask.
//!
//! **The token always has exactly the tight mask's distribution.** For [`Basis::Tokens`] since the filters keep the same
//! tokens under both masks, and then it is the very token that the tight mask alone would have given with this random number.
//! For [`Basis::Drawn`] by rejection: let `P` be the plain distribution and `q` the part of it within the tight mask `T`. A
//! token `t` of `T` comes from the first draw with `P(t)`, and from the second, independent one with `(1 - q) P(t) / q`;
//! together `P(t) / q`, which is its probability under the tight mask.
//!
//! Nothing in this argument needs the plain mask: [`Guide::choose_lazily`] makes its first choice from all tokens, and tests
//! of the basis also whether the tokens are allowed. That is where naive lazy decoding goes wrong: with top-k or top-p the
//! filters keep other tokens of the whole vocabulary than of the allowed ones, so that a drawn token that happens to be
//! allowed has not the masked distribution. Here the choice stands only where the filters would have kept the same tokens.
//!
//! The probability mass recorded is that of the mask that was applied last.
//!
//! # Where tokens are chosen
//! The first choice may have been made where the logits are, under the plain mask. It is the same token, since both sides
//! draw alike, and its basis is known without the logits as long as no top-k and no top-p cuts: [`is_asked`] says so. Where
//! it does not stand, this step's logits come to the host for the second.

use std::time::{Duration, Instant};

use crate::constraint::TokenConstraint;
use crate::model::Ask;
use crate::random::Draw;
use crate::sampler::{Basis, Choice, Sampler};
use crate::sampling::Sampling;
use crate::strategy::{Given, Step, StepError};

/// What a token is chosen from.
#[derive(Clone, Copy)]
pub(crate) enum Source<'a> {
    /// The logits, `[vocabulary]`.
    Logits(&'a [f32]),
    /// The number of an ask, and what was chosen.
    Given(usize, Given<'a>),
}

impl<'a> Source<'a> {
    /// The next token of the first lane of a step.
    pub fn next(step: &Step<'a>) -> Self {
        match step.given {
            Some(given) => Source::Given(0, given),
            None => Source::Logits(step.last(0)),
        }
    }
}

/// Whether a first choice can be made where the logits are: what it rests on is then one token, or two.
pub(crate) fn is_asked(sampling: &Sampling) -> bool {
    sampling.is_greedy() || sampling.top_k == 0 && sampling.top_p >= 1.0
}

/// One token to choose.
pub(crate) struct Asked<'a> {
    pub source: Source<'a>,
    /// The random number's place.
    pub draw: Draw,
    /// How many tokens may still come, this one included; at least 1.
    pub remaining: usize,
    pub end_tokens: &'a [u32],
    pub sampler: &'a mut Sampler,
    pub mask_time: &'a mut Duration,
}

/// A first choice, and what it rested on.
struct First {
    choice: Choice,
    rested: Rested,
}

enum Rested {
    /// On what the sampler says.
    Sampler,
    /// On these tokens, which may be one; and whether they were drawn.
    Tokens([u32; 2], bool),
}

impl<'a> Asked<'a> {
    /// The next token of the first lane of a step.
    pub fn next(step: &'a mut Step<'_>) -> Self {
        Asked {
            source: Source::next(step),
            draw: step.draw(),
            remaining: step.remaining(),
            end_tokens: step.end_tokens,
            sampler: step.sampler,
            mask_time: step.mask_time,
        }
    }

    /// The choice under a mask; or the one that was made under it elsewhere.
    fn first(&mut self, mask: Option<&[u32]>) -> Result<First, StepError> {
        match self.source {
            Source::Logits(logits) => Ok(First { choice: self.choose(logits, mask)?, rested: Rested::Sampler }),
            Source::Given(ask, given) => {
                let pick = given.pick(ask).map_err(|error| self.named(error))?;
                let sampling = self.sampler.sampling();
                // As [`Sampler::basis`] has it.
                let second = if !sampling.is_greedy() && sampling.min_p > 0.0 { pick.best } else { pick.token };
                Ok(First { choice: pick.into(), rested: Rested::Tokens([pick.token, second], !sampling.is_greedy()) })
            }
        }
    }

    fn choose(&mut self, logits: &[f32], mask: Option<&[u32]>) -> Result<Choice, StepError> {
        let chosen = self.sampler.choose(logits, mask, self.draw);
        chosen.map_err(|none| self.named(none.into()))
    }

    /// Nothing to choose because nothing is allowed has an error of its own.
    fn named(&self, error: StepError) -> StepError {
        match error {
            StepError::NoChoice(none) if none.allowed == 0 => StepError::EmptyMask { remaining: self.remaining },
            error => error,
        }
    }
}

impl Rested {
    fn basis<'s>(&'s self, sampler: &'s Sampler) -> Basis<'s> {
        match self {
            Rested::Sampler => sampler.basis(),
            Rested::Tokens(tokens, true) => Basis::Drawn(tokens),
            Rested::Tokens(tokens, false) => Basis::Tokens(tokens),
        }
    }
}

/// A constraint that chooses.
#[derive(Debug)]
pub(crate) struct Guide<C: TokenConstraint> {
    pub constraint: C,
}

impl<C: TokenConstraint> Guide<C> {
    /// Chooses under the tight mask of a state; also returns the state behind the token.
    pub fn choose(&mut self, state: C::State, mut asked: Asked<'_>) -> Result<(Choice, C::State), StepError> {
        let clock = Instant::now();
        let mask = self.constraint.mask(state);
        *asked.mask_time += clock.elapsed();
        let first = asked.first(Some(mask))?;
        let choice = match self.stands(state, &mut asked, &first.rested) {
            true => first.choice,
            false => self.anew(state, &mut asked, &first.rested)?,
        };
        self.advanced(state, choice, &mut asked)
    }

    /// What is to be chosen under the mask of a state.
    pub fn ask(&mut self, state: C::State, draw: Draw, mask_time: &mut Duration) -> Ask {
        let clock = Instant::now();
        let mask = Some(self.constraint.mask(state).into());
        *mask_time += clock.elapsed();
        Ask { mask, draw }
    }

    /// The same distribution, where the mask is computed only if the first choice does not stand. The record then has no
    /// [mask scores](crate::Scores::mask).
    pub fn choose_lazily(&mut self, state: C::State, mut asked: Asked<'_>) -> Result<(Choice, C::State), StepError> {
        let mut first = asked.first(None)?;
        first.choice.scores.mask = None;
        let choice = match self.stands(state, &mut asked, &first.rested) {
            true => first.choice,
            false => self.anew(state, &mut asked, &first.rested)?,
        };
        self.advanced(state, choice, &mut asked)
    }

    /// Whether every token that the choice rested on is allowed and can be finished in time.
    fn stands(&mut self, state: C::State, asked: &mut Asked<'_>, rested: &Rested) -> bool {
        let clock = Instant::now();
        let after = asked.remaining - 1;
        let stands = match rested.basis(asked.sampler) {
            Basis::Many => false,
            Basis::Tokens(tokens) | Basis::Drawn(tokens) => tokens.iter().all(|&token| {
                self.constraint.advance(state, token).is_some_and(|next| {
                    // Behind an end token there is nothing to finish.
                    asked.end_tokens.contains(&token) || self.constraint.tokens_to_finish(next) <= after
                })
            }),
        };
        *asked.mask_time += clock.elapsed();
        stands
    }

    /// Chooses anew, under the tight mask.
    fn anew(&mut self, state: C::State, asked: &mut Asked<'_>, rested: &Rested) -> Result<Choice, StepError> {
        if matches!(rested.basis(asked.sampler), Basis::Drawn(_)) {
            asked.draw = asked.draw.again();
        }
        let fetched;
        let logits = match asked.source {
            Source::Logits(logits) => logits,
            Source::Given(ask, given) => {
                fetched = (given.fetch)(ask)?;
                &fetched
            }
        };
        let clock = Instant::now();
        let mask = self.constraint.mask_within(state, asked.remaining);
        *asked.mask_time += clock.elapsed();
        asked.choose(logits, Some(mask))
    }

    fn advanced(
        &mut self,
        state: C::State,
        choice: Choice,
        asked: &mut Asked<'_>,
    ) -> Result<(Choice, C::State), StepError> {
        let clock = Instant::now();
        let token = choice.token;
        let next = self.constraint.advance(state, token);
        *asked.mask_time += clock.elapsed();
        Ok((choice, next.ok_or(StepError::Refused { token })?))
    }
}
