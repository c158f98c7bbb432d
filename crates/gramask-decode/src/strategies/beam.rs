//! Beam search: the best output instead of a sampled one, with or without a constraint.
//!
//! # What
//! Each step continues every hypothesis by its likeliest tokens, and keeps the `k` continuations of the highest log probability.
//! A hypothesis that takes an end token is finished and leaves the beam. The best finished one is the output. (Lowerre, "The
//! Harpy speech recognition system", 1976. The form here is that of Meister, Vieira and Cotterell, "Best-First Beam Search",
//! TACL 2020, section 2, except that finished hypotheses take no place in later steps.) With `k = 1` this is greedy decoding.
//!
//! # The score
//! Hypotheses of one step have the same length, and are compared by log probability. Finished ones have different lengths, and a
//! sum of logarithms favours short outputs. So they are compared by **log probability / tokens^alpha**, with the end token
//! counted. `alpha = 1`, the default, is the mean log probability of a token; `alpha = 0` is no normalisation. (Wu et al.,
//! "Google's Neural Machine Translation System", 2016, section 7, uses `(5 + tokens) / 6` in place of `tokens`.)
//!
//! The log probability is the model's own, **not renormalised under the mask**. A hypothesis loses score where the mask forces
//! it into text that the model finds unlikely. So the search looks for the likeliest valid output under the model, and not
//! under the distribution of masked sampling. If `k` is at least the number of prefixes of the language, the search finds it
//! exactly. Two tokenisations of one text are two hypotheses.
//!
//! # The end
//! The search ends when no live hypothesis can beat the best finished one. A live hypothesis of log probability `L <= 0` can
//! never score more than `L / budget^alpha`: its log probability only falls, and its length only grows, up to the budget.
//! [`BeamStop::Exact`] waits until the best finished hypothesis has reached this bound of all live ones, so that nothing is lost
//! (for `alpha = 0` the bound is `L` itself). [`BeamStop::Present`] uses the present length as the final one. This is faster,
//! exact only for `alpha = 0`, and otherwise a disadvantage for hypotheses whose unlikely tokens come first.
//!
//! # The budget
//! Under a constraint a token is kept only if the output can be finished in time after it. The plain mask is applied first, and
//! its `k` likeliest tokens are tested. If one of them fails, the tight mask is applied instead. (See the module
//! `budgeted_sampler`: if all of the greatest `k` stay allowed, they are also the greatest `k` of what stays allowed.)
//!
//! # What it costs
//! Up to `k` rows in each forward pass, and `k` slots of the cache. For each hypothesis: one linear pass over the vocabulary to
//! select the `k` likeliest tokens (no sort), and two scorings.

use std::cmp::Ordering;
use std::time::Instant;

use gramask_grammar::{Level, tokens_of};

use crate::constraint::TokenConstraint;
use crate::record::{Chosen, TokenRecord};
use crate::registry::{Count, Flag, Least, Levels, Number, Parameter, Randomness, StrategyDefinition, with_constraint};
use crate::strategy::{Effort, Ending, HypothesisMove, Move, Step, StepError, Strategy};

const K: Count = Count { name: "k", default: 4, most: 64, help: "how many hypotheses are kept" };
const ALPHA: Number = Number {
    name: "alpha",
    default: 1.0,
    least: Least::From(0.0),
    most: 10.0,
    help: "the power of the length by which scores are divided; 0 leaves them as they are",
};
const EXACT: Flag = Flag {
    name: "exact",
    help: "go on until no longer output can score more; otherwise stop when none scores more at its present length",
};

/// `beam`, as the program knows it.
pub(super) const DEFINITION: StrategyDefinition = StrategyDefinition {
    name: "beam",
    levels: Levels::All,
    summary: "beam search: follows the likeliest hypotheses side by side and takes the best; without a mask at level none",
    cost: "up to `k` times the work, `k` slots of the cache",
    parameters: &[Parameter::Count(K), Parameter::Number(ALPHA), Parameter::Flag(EXACT)],
    randomness: Randomness::Never,
    hypotheses: |given| given.count(&K),
    build: |given, context| {
        let (k, alpha) = (given.count(&K), given.number(&ALPHA));
        let stop = match given.flag(&EXACT) {
            true => BeamStop::Exact,
            false => BeamStop::Present,
        };
        Ok(match context.task.level {
            Level::None => Box::new(Beam::unconstrained(k).with_alpha(alpha).stopping(stop)),
            _ => {
                with_constraint!(context, |constraint| Beam::masked(constraint, k).with_alpha(alpha).stopping(stop))
            }
        })
    },
    ..StrategyDefinition::COMMON
};

/// When a beam search ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BeamStop {
    /// When no live hypothesis can score more, whatever its length will be within the budget.
    #[default]
    Exact,
    /// When no live hypothesis would score more if it ended here with nothing lost.
    Present,
}

/// The constraint of a strategy without one. The type has no value.
#[derive(Clone, Copy, Debug)]
pub enum NoConstraint {}

impl TokenConstraint for NoConstraint {
    type State = ();

    fn start(&self) {
        match *self {}
    }

    fn mask(&mut self, (): ()) -> &[u32] {
        match *self {}
    }

    fn mask_within(&mut self, (): (), _: usize) -> &[u32] {
        match *self {}
    }

    fn advance(&mut self, (): (), _: u32) -> Option<()> {
        match *self {}
    }

    fn accepts(&self, (): ()) -> bool {
        match *self {}
    }

    fn tokens_to_finish(&mut self, (): ()) -> usize {
        match *self {}
    }
}

/// The strategy `beam`: beam search, with or without a constraint. It follows as many hypotheses as it is wide. The run's
/// sampling has no effect on it.
#[derive(Debug)]
pub struct Beam<C: TokenConstraint> {
    constraint: Option<C>,
    width: usize,
    alpha: f64,
    stop: BeamStop,
    /// The live hypotheses.
    live: Vec<Live<C::State>>,
    /// The best finished hypothesis and its score.
    best: Option<(f64, Vec<TokenRecord>)>,
    /// How many hypotheses were finished.
    finished: usize,
    /// Tokens of all hypotheses; those of a common prefix are counted once.
    grown: usize,
    /// Tokens of the output.
    kept: usize,
}

#[derive(Clone, Copy, Debug)]
struct Live<S> {
    log_probability: f64,
    /// The constraint's state; none without a constraint.
    state: Option<S>,
}

/// A continuation of a hypothesis.
#[derive(Clone, Copy, Debug)]
struct Candidate<S> {
    hypothesis: usize,
    token: u32,
    log_probability: f64,
    state: Option<S>,
    /// Whether the hypothesis's tokens were selected under the tight mask.
    tight: bool,
}

impl<C: TokenConstraint> Beam<C> {
    /// Beam search of this width, at least 1, under a constraint, from its start.
    pub fn masked(constraint: C, width: usize) -> Self {
        let state = constraint.start();
        Beam::new(Some(constraint), Some(state), width)
    }

    fn new(constraint: Option<C>, state: Option<C::State>, width: usize) -> Self {
        Beam {
            constraint,
            width: width.max(1),
            alpha: 1.0,
            stop: BeamStop::Exact,
            live: vec![Live { log_probability: 0.0, state }],
            best: None,
            finished: 0,
            grown: 0,
            kept: 0,
        }
    }

    /// The exponent of the length normalisation, at least 0: 1 is the mean log probability of a token, 0 none.
    pub fn with_alpha(self, alpha: f64) -> Self {
        Beam { alpha: alpha.max(0.0), ..self }
    }

    /// When the search ends.
    pub fn stopping(self, stop: BeamStop) -> Self {
        Beam { stop, ..self }
    }

    /// The score of a hypothesis of so many tokens.
    fn score(&self, log_probability: f64, tokens: usize) -> f64 {
        log_probability / (tokens as f64).powf(self.alpha)
    }

    /// The likeliest continuations of a hypothesis, at most as many as the beam is wide.
    fn continuations(&mut self, hypothesis: usize, step: &mut Step<'_>) -> Result<Vec<Candidate<C::State>>, StepError> {
        let (live, logits) = (self.live[hypothesis], step.last(hypothesis));
        let remaining = step.budget - step.hypotheses[hypothesis].tokens.len();
        let (Some(constraint), Some(state)) = (&mut self.constraint, live.state) else {
            let tokens = likeliest(logits, None, self.width);
            let Some(&(first, best)) = tokens.first() else {
                return Ok(Vec::new());
            };
            let of_best = step.sampler.score(logits, None, first)?.scores.log_probability;
            let of = |&(token, logit)| Candidate {
                hypothesis,
                token,
                log_probability: live.log_probability + of_best + below(logit, best),
                state: None,
                tight: false,
            };
            return Ok(tokens.iter().map(of).collect());
        };
        let mut tight = false;
        let (tokens, of_best) = loop {
            let clock = Instant::now();
            let mask = match tight {
                false => constraint.mask(state),
                true => constraint.mask_within(state, remaining),
            };
            *step.mask_time += clock.elapsed();
            let tokens = likeliest(logits, Some(mask), self.width);
            let of_best = match tokens.first() {
                Some(&(first, _)) => step.sampler.score(logits, Some(mask), first)?.scores.log_probability,
                None => 0.0,
            };
            let clock = Instant::now();
            let mut continued = Vec::with_capacity(tokens.len());
            let mut in_time = true;
            for &(token, logit) in &tokens {
                let next = constraint.advance(state, token).ok_or(StepError::Refused { token })?;
                in_time &= step.end_tokens.contains(&token) || constraint.tokens_to_finish(next) < remaining;
                continued.push((token, logit, next));
            }
            *step.mask_time += clock.elapsed();
            if in_time || tight {
                break (continued, of_best);
            }
            tight = true;
        };
        let best = tokens.first().map_or(0.0, |&(_, logit, _)| logit);
        let of = |(token, logit, next)| Candidate {
            hypothesis,
            token,
            log_probability: live.log_probability + of_best + below(logit, best),
            state: Some(next),
            tight,
        };
        Ok(tokens.into_iter().map(of).collect())
    }

    /// The record of a continuation that is kept.
    fn record(&mut self, of: &Candidate<C::State>, step: &mut Step<'_>) -> Result<TokenRecord, StepError> {
        let logits = step.last(of.hypothesis);
        let remaining = step.budget - step.hypotheses[of.hypothesis].tokens.len();
        let Some((constraint, state)) = self.constraint.as_mut().zip(self.live[of.hypothesis].state) else {
            let choice = step.sampler.score(logits, None, of.token)?;
            return Ok(TokenRecord::new(choice, Chosen::Sampled));
        };
        let clock = Instant::now();
        let grammar = constraint.mask(state);
        let choice = if of.tight {
            let grammar = grammar.to_vec();
            let tight = constraint.mask_within(state, remaining);
            *step.mask_time += clock.elapsed();
            step.sampler.score_within(logits, &grammar, tight, of.token)?
        } else {
            *step.mask_time += clock.elapsed();
            step.sampler.score(logits, Some(grammar), of.token)?
        };
        Ok(TokenRecord::new(choice, Chosen::Sampled))
    }

    /// Whether no live hypothesis, after `tokens` tokens each, can beat the best finished one.
    fn is_decided(&self, tokens: usize, budget: usize) -> bool {
        let length = match self.stop {
            BeamStop::Exact => budget,
            BeamStop::Present => tokens,
        };
        let mut scores = self.live.iter().map(|live| self.score(live.log_probability, length));
        match &self.best {
            Some((best, _)) => scores.all(|score| score <= *best),
            None => false,
        }
    }

    fn end(&mut self, tokens: Vec<TokenRecord>, complete: bool) -> Move {
        self.kept = tokens.len();
        Move { hypotheses: vec![HypothesisMove::append(0, Vec::new())], ending: Some(Ending::Tokens(tokens, complete)) }
    }
}

impl Beam<NoConstraint> {
    /// Beam search of this width, at least 1, over all tokens; at the budget the best hypothesis is cut off, unless one has
    /// finished before.
    pub fn unconstrained(width: usize) -> Self {
        Beam::new(None, None, width)
    }
}

impl<C: TokenConstraint> Strategy for Beam<C> {
    fn name(&self) -> &'static str {
        "beam"
    }

    fn hypotheses(&self) -> usize {
        self.width
    }

    fn least_budget(&mut self) -> usize {
        match (&mut self.constraint, self.live.first().and_then(|live| live.state)) {
            (Some(constraint), Some(state)) => constraint.tokens_to_finish(state),
            _ => 1,
        }
    }

    fn prepare(&mut self) -> Result<(), StepError> {
        if let Some(constraint) = &mut self.constraint {
            for state in self.live.iter().filter_map(|live| live.state) {
                // The constraint keeps the masks, so that asking again costs nothing.
                constraint.mask(state);
            }
        }
        Ok(())
    }

    fn choose(&mut self, mut step: Step<'_>) -> Result<Move, StepError> {
        let tokens = step.hypothesis().tokens.len();
        let mut all = Vec::with_capacity(self.width * step.hypotheses.len());
        for hypothesis in 0..step.hypotheses.len() {
            all.extend(self.continuations(hypothesis, &mut step)?);
        }
        if all.len() > self.width {
            all.select_nth_unstable_by(self.width - 1, likelier);
            all.truncate(self.width);
        }
        all.sort_unstable_by(likelier);
        if all.is_empty() && self.best.is_none() {
            // No hypothesis can be continued: the sampler says why for the first.
            step.choose()?;
            return Err(StepError::EmptyMask { remaining: step.remaining() });
        }

        let (mut hypotheses, mut live) = (Vec::new(), Vec::new());
        for candidate in all {
            let record = self.record(&candidate, &mut step)?;
            self.grown += 1;
            if step.is_end(candidate.token) {
                self.finished += 1;
                let score = self.score(candidate.log_probability, tokens + 1);
                if self.best.as_ref().is_none_or(|(best, _)| score > *best) {
                    let whole = [step.hypotheses[candidate.hypothesis].tokens, &[record]].concat();
                    self.best = Some((score, whole));
                }
            } else {
                hypotheses.push(HypothesisMove::append(candidate.hypothesis, vec![record]));
                live.push(Live { log_probability: candidate.log_probability, state: candidate.state });
            }
        }
        self.live = live;
        let out_of_budget = tokens + 1 >= step.budget;
        if out_of_budget || self.is_decided(tokens + 1, step.budget) {
            if let Some((_, best)) = self.best.take() {
                return Ok(self.end(best, true));
            }
            // The likeliest live one comes first.
            let first = &hypotheses[0];
            let cut = [step.hypotheses[first.from].tokens, &first.append].concat();
            return Ok(self.end(cut, false));
        }
        Ok(Move { hypotheses, ending: None })
    }

    fn effort(&self) -> Effort {
        Effort { attempts: self.finished.max(1), discarded: self.grown - self.kept, ..Effort::ONE_OUTPUT }
    }
}

/// By log probability from high to low, of equal ones by hypothesis and token from low to high.
fn likelier<S>(a: &Candidate<S>, b: &Candidate<S>) -> Ordering {
    b.log_probability.total_cmp(&a.log_probability).then((a.hypothesis, a.token).cmp(&(b.hypothesis, b.token)))
}

/// `logit - best`, where equal infinities differ by nothing.
fn below(logit: f32, best: f32) -> f64 {
    if logit == best { 0.0 } else { f64::from(logit) - f64::from(best) }
}

/// The `most` allowed tokens of the highest logits, from high to low, of equal ones the lower tokens first. Logits of `-inf`
/// and NaN are left out.
///
/// One pass keeps every logit above the least of the best so far. When they are too many, they are cut back to the best.
fn likeliest(logits: &[f32], allowed: Option<&[u32]>, most: usize) -> Vec<(u32, f32)> {
    let order = |a: &(u32, f32), b: &(u32, f32)| b.1.partial_cmp(&a.1).unwrap_or(Ordering::Equal).then(a.0.cmp(&b.0));
    let room = (2 * most).max(64);
    let mut kept: Vec<(u32, f32)> = Vec::with_capacity(room);
    // Tokens come in ascending order, so that a later one must exceed the least, and not only reach it.
    let mut least = f32::NEG_INFINITY;
    let mut offer = |token: usize, logit: f32| {
        if logit > least {
            kept.push((token as u32, logit));
            if kept.len() >= room && most < room {
                kept.select_nth_unstable_by(most - 1, order);
                kept.truncate(most);
                least = kept[most - 1].1;
            }
        }
    };
    match allowed {
        None => logits.iter().enumerate().for_each(|(token, &logit)| offer(token, logit)),
        Some(mask) => tokens_of(mask).map(|token| token as usize).for_each(|token| {
            if let Some(&logit) = logits.get(token) {
                offer(token, logit);
            }
        }),
    }
    kept.sort_unstable_by(order);
    kept.truncate(most);
    kept
}

#[cfg(test)]
mod tests {
    use super::likeliest;

    #[test]
    fn the_likeliest_are_those_that_a_sort_finds() {
        let logits: Vec<f32> = (0..2000u64)
            .map(|i| match i % 97 {
                0 => f32::NAN,
                1 => f32::NEG_INFINITY,
                // Few values, so that there are many equal ones.
                _ => (i.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 58) as f32,
            })
            .collect();
        let mask: Vec<u32> = (0..63u32).map(|word| word.wrapping_mul(0x8088_405F) ^ 0x5A5A_0FF0).collect();
        for allowed in [None, Some(&mask[..])] {
            let is_allowed = |i: usize| allowed.is_none_or(|mask| mask[i / 32] >> (i % 32) & 1 == 1);
            let mut sorted: Vec<(u32, f32)> = (0..2000)
                .filter(|&i| is_allowed(i) && logits[i] > f32::NEG_INFINITY)
                .map(|i| (i as u32, logits[i]))
                .collect();
            sorted.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
            for most in [1, 2, 31, 32, 33, 100, 5000] {
                assert_eq!(likeliest(&logits, allowed, most), sorted[..most.min(sorted.len())]);
            }
        }
    }
}
