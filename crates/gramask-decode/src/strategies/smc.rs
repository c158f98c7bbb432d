//! Grammar-aligned sampling by sequential Monte Carlo: several samples are weighted by what the mask removed, and resampled.
//!
//! # What and why
//! Masked sampling does not draw from the model's distribution given that the output is valid. Each step renormalises over the
//! tokens that are allowed *now*. So the output can reach places where the model gives little probability to all allowed
//! tokens, as often as places where it gives much. The mass that each mask has left is lost. Here `n` particles are drawn by
//! masked sampling, and each carries the product of these masses as its importance weight. The weighted particles represent
//! the model's distribution over the valid outputs. When the weights become uneven, the particles are **resampled**: heavy
//! particles are forked, and light ones dropped. In the end one particle is drawn in proportion to its weight.
//!
//! Sources, section 2 of each: Lew, Zhi-Xuan, Grand and Mansinghka, "Sequential Monte Carlo Steering of Large Language Models
//! using Probabilistic Programs", arXiv 2306.03081. Loula et al., "Syntactic and Semantic Control of Large Language Models via
//! Sequential Monte Carlo", arXiv 2504.13139. Lipkin et al., "Fast Controlled Generation from Language Models with Adaptive
//! Weighted Rejection Sampling", arXiv 2504.05410. Resampling is systematic (Douc and Cappé, "Comparison of resampling schemes
//! for particle filtering", 2005, section 2.4). It happens when the effective sample size `(sum w)^2 / sum w^2` is below a share
//! of `n`.
//!
//! # The target
//! The target is the model's distribution at the sampling's temperature, conditioned on the outputs that the constraint accepts
//! **within the budget**. So each step needs the tight mask and its mass; a check of the drawn token is not enough. With top-k,
//! top-p or min-p the proposals do not cover the target, and the result only approximates it. Greedy sampling makes all
//! particles equal.
//!
//! The error falls as `1 / n`. The mean weight estimates the probability that an unconstrained sample is valid within the
//! budget. The estimate is unbiased for every `n`: [`Effort::log_valid`] is its logarithm.
//!
//! # What it costs
//! Particles with the same tokens share a hypothesis. It is computed once, and forks where their draws differ. So a pass has as
//! many rows as there are different unfinished particles: one at first. Finished particles have no hypothesis, but they keep
//! their weights, and can be forked and dropped like the others. The tight mask is computed for each hypothesis and step.

use std::time::Instant;

use super::asap::TEMPERATURE;
use super::log_mass::{allowed, kept_log_mass, log_add};
use gramask_kernels::sampling::Sampling;

use crate::constraint::TokenConstraint;
use crate::random::Draw;
use crate::record::{Chosen, TokenRecord};
use crate::registry::{Count, Least, Number, Parameter, Randomness, StrategyDefinition, with_constraint};
use crate::sampler::{Choice, Sampler};
use crate::strategy::{Effort, Ending, HypothesisMove, Move, Step, StepError, Strategy};

const PARTICLES: Count =
    Count { name: "particles", default: 8, most: 256, help: "how many outputs are followed at once" };
const RESAMPLE: Number = Number {
    name: "resample",
    default: 0.5,
    least: Least::From(0.0),
    most: 1.0,
    help: "the share of effective particles below which the particles are resampled",
};

/// `aligned-smc`, as the program knows it.
pub(super) const DEFINITION: StrategyDefinition = StrategyDefinition {
    name: "aligned-smc",
    summary: "sequential Monte Carlo; the weights are the mass that the masks leave (Loula et al., arXiv 2504.13139; \
              Lipkin et al., arXiv 2504.05410)",
    cost: "`particles` times the work, as many slots",
    parameters: &[Parameter::Count(PARTICLES), Parameter::Number(TEMPERATURE), Parameter::Number(RESAMPLE)],
    randomness: Randomness::Always,
    hypotheses: |given| given.count(&PARTICLES),
    build: |given, context| {
        let sampling = context.unfiltered(given.number(&TEMPERATURE));
        let (particles, resample) = (given.count(&PARTICLES), given.number(&RESAMPLE));
        Ok(with_constraint!(context, |constraint| Smc::new(constraint, particles, sampling).with_threshold(resample)))
    },
    ..StrategyDefinition::COMMON
};

/// The strategy `aligned-smc`: grammar-aligned sampling by sequential Monte Carlo. It needs as many hypotheses as particles.
#[derive(Clone, Debug)]
pub struct Smc<C: TokenConstraint> {
    constraint: C,
    sampler: Sampler,
    threshold: f64,
    particles: Vec<Particle<C::State>>,
    /// The logarithm of the product of the mean weights at the resamplings.
    log_mean: f64,
    /// Tokens drawn, of all particles.
    drawn: usize,
    /// Tokens of the output.
    kept: usize,
    scratch: Vec<f32>,
}

#[derive(Clone, Debug)]
struct Particle<S> {
    /// Its hypothesis in the present step, and the token drawn last.
    hypothesis: usize,
    last: Option<TokenRecord>,
    state: S,
    /// All its tokens, where it has ended.
    whole: Option<Vec<TokenRecord>>,
    log_weight: f64,
}

impl<C: TokenConstraint> Smc<C> {
    /// This many particles, 1 to 65,536, under a constraint. The caller has validated the sampling.
    pub fn new(constraint: C, particles: usize, sampling: Sampling) -> Self {
        let particle = Particle { hypothesis: 0, last: None, state: constraint.start(), whole: None, log_weight: 0.0 };
        Smc {
            constraint,
            sampler: Sampler::new(sampling),
            threshold: 0.5,
            particles: vec![particle; particles.clamp(1, 1 << 16)],
            log_mean: 0.0,
            drawn: 0,
            kept: 0,
            scratch: Vec::new(),
        }
    }

    /// Resamples when the effective sample size is below this share of the particles; the default is 0.5. 0 never resamples,
    /// which is plain importance sampling; 1 resamples almost always.
    pub fn with_threshold(self, threshold: f64) -> Self {
        Smc { threshold, ..self }
    }

    /// Draws the next token of each particle in a hypothesis.
    fn extend(&mut self, hypothesis: usize, step: &mut Step<'_>) -> Result<(), StepError> {
        let (logits, tokens) = (step.last(hypothesis), step.hypotheses[hypothesis].tokens);
        let here = |particle: &Particle<C::State>| particle.hypothesis == hypothesis && particle.whole.is_none();
        let Some(state) = self.particles.iter().find(|&particle| here(particle)).map(|p| p.state) else {
            return Ok(());
        };
        let remaining = step.budget - tokens.len();
        let clock = Instant::now();
        let grammar = self.constraint.mask(state).to_vec();
        let mask = self.constraint.mask_within(state, remaining).to_vec();
        *step.mask_time += clock.elapsed();
        let temperature = self.sampler.sampling().temperature;
        let tempered = (temperature != 0.0 && temperature != 1.0)
            .then(|| kept_log_mass(logits, &mask, temperature, &mut self.scratch));
        let place = Draw { document: step.document, position: tokens.len() as u64 };
        // The particles draw from a row of the allowed tokens alone, in their order, and each token drawn is scored once.
        let allowed: Vec<u32> = allowed(&mask, logits);
        let row: Vec<f32> = allowed.iter().map(|&token| logits[token as usize]).collect();
        let mut drawn: Vec<(Choice, C::State)> = Vec::new();
        for (number, particle) in self.particles.iter_mut().enumerate() {
            if !here(particle) {
                continue;
            }
            let token = match self.sampler.choose(&row, None, place.lane(number)) {
                Ok(choice) => allowed[choice.token as usize],
                Err(none) if none.allowed == 0 => return Err(StepError::EmptyMask { remaining }),
                Err(none) => return Err(none.into()),
            };
            let (choice, next) = match drawn.iter().find(|(choice, _)| choice.token == token) {
                Some(&known) => known,
                None => {
                    let choice = self.sampler.score_within(logits, &grammar, &mask, token)?;
                    let clock = Instant::now();
                    let next = self.constraint.advance(state, token);
                    *step.mask_time += clock.elapsed();
                    drawn.push((choice, next.ok_or(StepError::Refused { token })?));
                    drawn[drawn.len() - 1]
                }
            };
            let kept = choice.scores.mask.map_or(0.0, |mask| mask.kept_log_mass);
            particle.log_weight += tempered.unwrap_or(kept);
            self.drawn += 1;
            let record = TokenRecord::new(choice, Chosen::Sampled);
            if step.end_tokens.contains(&token) {
                particle.whole = Some([tokens, &[record]].concat());
            } else {
                (particle.state, particle.last) = (next, Some(record));
            }
        }
        Ok(())
    }

    /// The weights, divided by the greatest.
    fn weights(&self) -> Vec<f64> {
        let logs = self.particles.iter().map(|particle| particle.log_weight);
        let best = logs.clone().fold(f64::NEG_INFINITY, f64::max);
        match best.is_finite() {
            true => logs.map(|log| (log - best).exp()).collect(),
            false => vec![1.0; self.particles.len()],
        }
    }

    /// The logarithm of the mean weight.
    fn log_mean_weight(&self) -> f64 {
        log_add(self.particles.iter().map(|particle| particle.log_weight)) - (self.particles.len() as f64).ln()
    }

    /// Resamples where the weights are uneven.
    fn resample(&mut self, place: Draw) {
        let (weights, n) = (self.weights(), self.particles.len());
        let total: f64 = weights.iter().sum();
        let squares: f64 = weights.iter().map(|weight| weight * weight).sum();
        if total * total / squares >= self.threshold * n as f64 {
            return;
        }
        self.log_mean += self.log_mean_weight();
        let offset = place.attempt(1).uniform(self.sampler.sampling().seed);
        let mut chosen = Vec::with_capacity(n);
        let (mut reached, mut at) = (weights[0], 0);
        for number in 0..n {
            let target = (number as f64 + offset) / n as f64 * total;
            while reached <= target && at + 1 < n {
                at += 1;
                reached += weights[at];
            }
            chosen.push(Particle { log_weight: 0.0, ..self.particles[at].clone() });
        }
        self.particles = chosen;
    }

    fn all_ended(&self) -> bool {
        self.particles.iter().all(|particle| particle.whole.is_some())
    }

    /// Draws one particle in proportion to its weight, and takes its tokens.
    fn draw_one(&mut self, place: Draw) -> Vec<TokenRecord> {
        let weights = self.weights();
        let target = place.attempt(2).uniform(self.sampler.sampling().seed) * weights.iter().sum::<f64>();
        let mut reached = 0.0;
        let passed = |weight: &f64| {
            reached += weight;
            reached > target
        };
        // Rounding may leave the sum below the target.
        let drawn = weights.iter().position(passed).unwrap_or(weights.len() - 1);
        self.particles[drawn].whole.take().unwrap_or_default()
    }
}

impl<C: TokenConstraint> Strategy for Smc<C> {
    fn name(&self) -> &'static str {
        "aligned-smc"
    }

    fn hypotheses(&self) -> usize {
        self.particles.len()
    }

    fn least_budget(&mut self) -> usize {
        self.constraint.tokens_to_finish(self.constraint.start())
    }

    fn choose(&mut self, mut step: Step<'_>) -> Result<Move, StepError> {
        for hypothesis in 0..step.hypotheses.len() {
            self.extend(hypothesis, &mut step)?;
        }
        let place = step.draw();
        if !self.all_ended() {
            self.resample(place);
        }
        if self.all_ended() {
            self.log_mean += self.log_mean_weight();
            let tokens = self.draw_one(place);
            self.kept = tokens.len();
            return Ok(Move {
                hypotheses: vec![HypothesisMove::append(0, Vec::new())],
                ending: Some(Ending::Tokens(tokens, true)),
            });
        }
        let mut hypotheses: Vec<(HypothesisMove, u32)> = Vec::new();
        for particle in self.particles.iter_mut().filter(|particle| particle.whole.is_none()) {
            let Some(record) = particle.last else { continue };
            let same = |(hypothesis, token): &(HypothesisMove, u32)| {
                (hypothesis.from, *token) == (particle.hypothesis, record.token)
            };
            particle.hypothesis = match hypotheses.iter().position(same) {
                Some(hypothesis) => hypothesis,
                None => {
                    hypotheses.push((HypothesisMove::append(particle.hypothesis, vec![record]), record.token));
                    hypotheses.len() - 1
                }
            };
        }
        Ok(Move { hypotheses: hypotheses.into_iter().map(|(hypothesis, _)| hypothesis).collect(), ending: None })
    }

    fn effort(&self) -> Effort {
        Effort {
            attempts: self.particles.len(),
            discarded: self.drawn - self.kept,
            log_valid: Some(self.log_mean),
            ..Effort::ONE_OUTPUT
        }
    }
}
