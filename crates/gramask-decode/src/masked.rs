//! Masked decoding: at each step only the tokens that the constraint allows.
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
//! The probability mass recorded is that of the mask that was applied last.

use std::time::{Duration, Instant};

use crate::constraint::TokenConstraint;
#[cfg(doc)]
use crate::sampler::Sampler;
use crate::sampler::{Basis, Choice};
use crate::strategy::{Move, Step, StepError, Strategy};

/// The strategy `masked`: chooses among the tokens that the constraint allows, and always completes its output.
#[derive(Debug)]
pub struct Masked<C: TokenConstraint> {
    constraint: C,
    state: C::State,
}

impl<C: TokenConstraint> Masked<C> {
    /// Decodes under a constraint, from its start.
    pub fn new(constraint: C) -> Self {
        let state = constraint.start();
        Masked { constraint, state }
    }

    /// Whether every token that the choice rested on can be finished with `after` more tokens.
    fn in_time(&mut self, basis: Basis<'_>, after: usize, end_tokens: &[u32]) -> Result<bool, StepError> {
        let (Basis::Tokens(tokens) | Basis::Drawn(tokens)) = basis else {
            return Ok(false);
        };
        for &token in tokens {
            // Behind an end token there is nothing to finish.
            if end_tokens.contains(&token) {
                continue;
            }
            let next = self
                .constraint
                .advance(self.state, token)
                .ok_or(StepError::Refused { token })?;
            if self.constraint.tokens_to_finish(next) > after {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

impl<C: TokenConstraint> Strategy for Masked<C> {
    fn name(&self) -> &'static str {
        "masked"
    }

    fn least_budget(&mut self) -> usize {
        self.constraint.tokens_to_finish(self.state)
    }

    fn prepare(&mut self, _remaining: usize) -> Result<(), StepError> {
        // The constraint keeps the mask, so that asking again costs nothing.
        self.constraint.mask(self.state);
        Ok(())
    }

    fn choose(&mut self, mut step: Step<'_>) -> Result<Move, StepError> {
        let remaining = step.remaining;
        let mut spent = Duration::ZERO;
        let clock = Instant::now();
        let mask = self.constraint.mask(self.state);
        spent += clock.elapsed();
        let mut choice = choose(&mut step, mask)?;

        let clock = Instant::now();
        if !self.in_time(step.sampler.basis(), remaining - 1, step.end_tokens)? {
            if matches!(step.sampler.basis(), Basis::Drawn(_)) {
                step.draw = step.draw.again();
            }
            let mask = self.constraint.mask_within(self.state, remaining);
            spent += clock.elapsed();
            choice = choose(&mut step, mask)?;
        } else {
            spent += clock.elapsed();
        }

        let clock = Instant::now();
        let token = choice.token;
        self.state = self
            .constraint
            .advance(self.state, token)
            .ok_or(StepError::Refused { token })?;
        *step.mask_time += spent + clock.elapsed();
        let ended = step.is_end(token);
        Ok(Move::sampled(choice, ended))
    }
}

/// Chooses under a mask, and tells an empty mask from broken logits.
fn choose(step: &mut Step<'_>, mask: &[u32]) -> Result<Choice, StepError> {
    match step.choose(Some(mask)) {
        Err(StepError::NoChoice(none)) if none.allowed == 0 => Err(StepError::EmptyMask {
            remaining: step.remaining,
        }),
        other => other,
    }
}
