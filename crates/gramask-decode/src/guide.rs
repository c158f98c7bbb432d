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

use std::time::{Duration, Instant};

use crate::constraint::TokenConstraint;
use crate::random::Draw;
use crate::sampler::{Basis, Choice, Sampler};
use crate::strategy::{Step, StepError};

/// One token to choose.
pub(crate) struct Asked<'a> {
    /// The logits, `[vocabulary]`.
    pub logits: &'a [f32],
    /// The random number's place.
    pub draw: Draw,
    /// How many tokens may still come, this one included; at least 1.
    pub remaining: usize,
    pub end_tokens: &'a [u32],
    pub sampler: &'a mut Sampler,
    pub mask_time: &'a mut Duration,
}

impl<'a> Asked<'a> {
    /// The next token of the first lane of a step.
    pub fn next(step: &'a mut Step<'_>) -> Self {
        Asked {
            logits: step.last(0),
            draw: step.draw(),
            remaining: step.remaining(),
            end_tokens: step.end_tokens,
            sampler: step.sampler,
            mask_time: step.mask_time,
        }
    }

    fn choose(&mut self, mask: Option<&[u32]>) -> Result<Choice, StepError> {
        match self.sampler.choose(self.logits, mask, self.draw) {
            Ok(choice) => Ok(choice),
            Err(none) if none.allowed == 0 => Err(StepError::EmptyMask {
                remaining: self.remaining,
            }),
            Err(none) => Err(none.into()),
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
        let choice = asked.choose(Some(mask))?;
        let choice = match self.stands(state, &mut asked) {
            true => choice,
            false => self.anew(state, &mut asked)?,
        };
        self.advanced(state, choice, &mut asked)
    }

    /// The same distribution, where the mask is computed only if the first choice does not stand. The record then has no
    /// [mask scores](crate::Scores::mask).
    pub fn choose_lazily(&mut self, state: C::State, mut asked: Asked<'_>) -> Result<(Choice, C::State), StepError> {
        let mut choice = asked.choose(None)?;
        choice.scores.mask = None;
        let choice = match self.stands(state, &mut asked) {
            true => choice,
            false => self.anew(state, &mut asked)?,
        };
        self.advanced(state, choice, &mut asked)
    }

    /// Whether every token that the choice rested on is allowed and can be finished in time.
    fn stands(&mut self, state: C::State, asked: &mut Asked<'_>) -> bool {
        let clock = Instant::now();
        let after = asked.remaining - 1;
        let stands = match asked.sampler.basis() {
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
    fn anew(&mut self, state: C::State, asked: &mut Asked<'_>) -> Result<Choice, StepError> {
        if matches!(asked.sampler.basis(), Basis::Drawn(_)) {
            asked.draw = asked.draw.again();
        }
        let clock = Instant::now();
        let mask = self.constraint.mask_within(state, asked.remaining);
        *asked.mask_time += clock.elapsed();
        asked.choose(Some(mask))
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
