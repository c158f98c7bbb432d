//! Grammar-aligned sampling by ASAp: sample, learn where a valid continuation was improbable, and sample again.
//!
//! # What and why
//! Masked sampling draws a token by its probability alone, even if hardly anything valid follows it. The right weight of a token
//! is its probability times its **expected future grammaticality**: the probability that an unconstrained continuation is valid.
//! ASAp begins with the estimate 1 for every allowed token, which is masked sampling ("adaptive sampling with approximate
//! expected futures": Park, Wang, Berg-Kirkpatrick, Polikarpova and D'Antoni, "Grammar-Aligned Decoding", arXiv 2405.21047,
//! section 3, algorithm 1). Each sample then lowers the estimates along its path, from the last token to the first. The estimate
//! of a prefix is the sum over the allowed tokens of their probability times the estimate after them. All estimates are upper
//! bounds and fall towards the truth. The distribution of the samples converges to the model's, conditioned on validity. The
//! output is the last iteration's sample.
//!
//! # The target
//! The target is the model's distribution at the sampling's temperature, conditioned on the outputs that the constraint accepts
//! **within the budget**: every mask is the tight mask. Where the sampling is greedy the temperature of the target is 1, and the
//! search takes the likeliest token times its estimate. Top-k, top-p and min-p filter the reweighted distribution; the samples
//! then converge to no stated distribution. [`Effort::log_valid`] is the logarithm of the estimate before the first token, an
//! upper bound.
//!
//! # How
//! The sampled prefixes form a tree. A node keeps the sum of the probabilities of the tokens that have not been tried there, and
//! the tokens that have been tried. So its estimate is a sum of positive terms, in logarithms. (The kept mass minus the lost
//! mass would cancel to nothing where validity is improbable.)
//!
//! # What it costs
//! It takes as many samples as iterations, one after another in one hypothesis, except for what the tree remembers. A node that
//! allows at most [`REMEMBERED`] tokens keeps them with their scores, 3 KB at most, and is not computed again. The whole row of
//! logits after the prompt is kept. At other nodes, those within long free text, the model is asked again. So memory is bounded
//! by 3 KB for each sampled token, and one row. An iteration that visits only remembered nodes costs no forward pass. The tokens
//! of a path through several such nodes are appended in one pass. The common prefix of two consecutive samples stays in the
//! cache. The tight mask is computed for each node, and once where it is remembered.

use std::time::Instant;

use super::log_mass::{allowed, log_add, log_sum};
use gramask_kernels::sampling::Sampling;

use crate::constraint::TokenConstraint;
use crate::layout::common_prefix;
use crate::random::Draw;
use crate::record::{Chosen, TokenRecord};
use crate::registry::{Count, Least, Number, Parameter, Randomness, StrategyDefinition, with_constraint};
use crate::sampler::{Choice, Sampler};
use crate::strategy::{Effort, Ending, HypothesisMove, Move, Step, StepError, Strategy};

const ITERATIONS: Count =
    Count { name: "iterations", default: 8, most: 4096, help: "how many outputs are sampled for each document" };
/// Of the samples of both aligned strategies.
pub(super) const TEMPERATURE: Number = Number {
    name: "temperature",
    default: 1.0,
    least: Least::Above(0.0),
    most: 10.0,
    help: "the temperature of the samples; 1 samples from the model's own distribution, and 0 would give the same \
           output each time",
};

/// `aligned-asap`, as the program knows it.
pub(super) const DEFINITION: StrategyDefinition = StrategyDefinition {
    name: "aligned-asap",
    summary: "samples several outputs; each sample uses what the earlier ones showed of the mass that masks remove later \
              (Park et al., \"Grammar-Aligned Decoding\", arXiv 2405.21047); the last sample is the output",
    cost: "`iterations` outputs",
    parameters: &[Parameter::Count(ITERATIONS), Parameter::Number(TEMPERATURE)],
    randomness: Randomness::Always,
    build: |given, context| {
        let sampling = context.unfiltered(given.number(&TEMPERATURE));
        Ok(with_constraint!(context, |constraint| Asap::new(constraint, given.count(&ITERATIONS), sampling)))
    },
    ..StrategyDefinition::COMMON
};

/// A node with more allowed tokens than this asks the model again.
const REMEMBERED: usize = 32;

/// The strategy `aligned-asap`: grammar-aligned sampling by adaptive sampling with approximate expected futures.
#[derive(Clone, Debug)]
pub struct Asap<C: TokenConstraint> {
    constraint: C,
    sampler: Sampler,
    iterations: usize,
    /// The present iteration, from 0.
    iteration: usize,
    nodes: Vec<Node<C::State>>,
    /// The nodes of the present sample before the one at which it is.
    path: Vec<usize>,
    at: usize,
    /// The present sample.
    records: Vec<TokenRecord>,
    /// Tokens of all samples that are complete.
    sampled: usize,
    /// The logits after the prompt.
    first_row: Vec<f32>,
    /// The tokens allowed at the present node, ascending, and their log probabilities at temperature 1.
    open: Vec<(u32, f64)>,
    /// Their log probabilities plus the logarithms of the estimates.
    weighed: Vec<f32>,
    /// The grammar's mask of the present node, where it is not remembered.
    grammar: Vec<u32>,
    /// Of these, the tokens that the budget leaves.
    mask: Vec<u32>,
    scratch: Vec<f32>,
}

/// A prefix of outputs.
#[derive(Clone, Debug)]
struct Node<S> {
    state: S,
    /// The allowed tokens with their scores, where they are few.
    choices: Option<Box<[Choice]>>,
    /// The log probability at the temperature is the log probability divided by the temperature, minus this.
    log_norm: f64,
    children: Vec<Child>,
    /// The logarithm of the probability of the allowed tokens that are not among the children.
    log_untried: f64,
    /// The logarithm of the estimate; 0 until a sample has passed through.
    log_estimate: f64,
}

#[derive(Clone, Copy, Debug)]
struct Child {
    token: u32,
    log_probability: f64,
    /// Its node; none after an end token.
    node: Option<usize>,
}

impl<C: TokenConstraint> Asap<C> {
    /// This many iterations, 1 to 16,384, under a constraint. The caller has validated the sampling.
    pub fn new(constraint: C, iterations: usize, sampling: Sampling) -> Self {
        let root = Node::new(constraint.start());
        Asap {
            constraint,
            sampler: Sampler::new(sampling),
            iterations: iterations.clamp(1, 1 << 14),
            iteration: 0,
            nodes: vec![root],
            path: Vec::new(),
            at: 0,
            records: Vec::new(),
            sampled: 0,
            first_row: Vec::new(),
            open: Vec::new(),
            grammar: Vec::new(),
            mask: Vec::new(),
            weighed: Vec::new(),
            scratch: Vec::new(),
        }
    }

    /// The temperature of the target.
    fn temperature(&self) -> f32 {
        match self.sampler.sampling() {
            sampling if sampling.is_greedy() => 1.0,
            sampling => sampling.temperature,
        }
    }

    /// Lists the tokens allowed at the present node, from its memory or from the model's logits `row`.
    fn open(&mut self, row: &[f32], remaining: usize, step: &mut Step<'_>) -> Result<(), StepError> {
        let temperature = self.temperature();
        let node = &mut self.nodes[self.at];
        self.open.clear();
        if let Some(choices) = &node.choices {
            let listed = choices.iter().map(|choice| (choice.token, choice.scores.log_probability));
            self.open.extend(listed);
            return Ok(());
        }
        let clock = Instant::now();
        self.grammar.clear();
        self.grammar.extend_from_slice(self.constraint.mask(node.state));
        self.mask.clear();
        self.mask.extend_from_slice(self.constraint.mask_within(node.state, remaining));
        *step.mask_time += clock.elapsed();
        let log_sum_1 = log_sum(row, 1.0, &mut self.scratch);
        node.log_norm = match temperature == 1.0 {
            true => 0.0,
            false => log_sum(row, temperature, &mut self.scratch) - log_sum_1 / f64::from(temperature),
        };
        for token in allowed(&self.mask, row) {
            let logit = row[token as usize];
            if logit > f32::NEG_INFINITY {
                self.open.push((token, f64::from(logit) - log_sum_1));
            }
        }
        if self.open.is_empty() {
            return Err(match self.mask.iter().any(|&bits| bits != 0) {
                // The sampler says what is wrong with the logits.
                true => match self.sampler.choose(row, Some(&self.mask), step.draw()) {
                    Err(none) => none.into(),
                    Ok(_) => StepError::EmptyMask { remaining },
                },
                false => StepError::EmptyMask { remaining },
            });
        }
        if self.open.len() <= REMEMBERED && self.iterations > 1 {
            let score = |&(token, _): &(u32, f64)| self.sampler.score_within(row, &self.grammar, &self.mask, token);
            node.choices = Some(self.open.iter().map(score).collect::<Result<_, _>>()?);
        }
        Ok(())
    }

    /// Draws among the open tokens, each weighed by its estimate.
    fn draw(&mut self, step: &Step<'_>) -> Result<u32, StepError> {
        self.weighed.clear();
        self.weighed.extend(self.open.iter().map(|&(_, log)| log as f32));
        let temperature = f64::from(self.temperature());
        for child in &self.nodes[self.at].children {
            let Some(node) = child.node else { continue };
            if let Ok(place) = self.open.binary_search_by_key(&child.token, |&(token, _)| token) {
                self.weighed[place] += (temperature * self.nodes[node].log_estimate) as f32;
            }
        }
        let place = Draw { document: step.document, position: self.records.len() as u64 };
        // The row is of the open tokens alone, in their order, so that the draw costs no pass over the vocabulary.
        let drawn = self.sampler.choose(&self.weighed, None, place.attempt(self.iteration))?;
        Ok(self.open[drawn.token as usize].0)
    }

    /// The record of an open token.
    fn record(&mut self, token: u32, row: &[f32]) -> Result<TokenRecord, StepError> {
        let known = self.nodes[self.at].choices.as_ref();
        let choice = match known.and_then(|choices| choices.iter().find(|choice| choice.token == token)) {
            Some(&choice) => choice,
            None => self.sampler.score_within(row, &self.grammar, &self.mask, token)?,
        };
        Ok(TokenRecord::new(choice, Chosen::Sampled))
    }

    /// Makes the token a child of the present node, unless it is one. Returns its node, or none after an end token.
    fn child(&mut self, token: u32, step: &mut Step<'_>) -> Result<Option<usize>, StepError> {
        if let Some(child) = self.nodes[self.at].children.iter().find(|child| child.token == token) {
            return Ok(child.node);
        }
        let clock = Instant::now();
        let next = self.constraint.advance(self.nodes[self.at].state, token);
        *step.mask_time += clock.elapsed();
        let next = next.ok_or(StepError::Refused { token })?;
        let new = (!step.is_end(token)).then_some(self.nodes.len());
        if new.is_some() {
            self.nodes.push(Node::new(next));
        }
        let temperature = f64::from(self.temperature());
        let node = &mut self.nodes[self.at];
        let of = |log_probability: f64| log_probability / temperature - node.log_norm;
        let log_probability = match self.open.binary_search_by_key(&token, |&(open, _)| open) {
            Ok(place) => of(self.open[place].1),
            Err(_) => f64::NEG_INFINITY,
        };
        let mut tried: Vec<u32> = node.children.iter().map(|child| child.token).collect();
        tried.push(token);
        tried.sort_unstable();
        // What is open ascends too, so that one walk leaves out what was tried.
        let mut tried = tried.into_iter().peekable();
        let untried = self.open.iter().filter(|&&(open, _)| tried.next_if_eq(&open).is_none());
        let untried: Vec<f64> = untried.map(|&(_, log)| of(log)).collect();
        node.log_untried = log_add(untried.into_iter());
        node.children.push(Child { token, log_probability, node: new });
        Ok(new)
    }

    /// Renews the estimates along the present sample, from its end.
    fn learn(&mut self) {
        while let Some(at) = self.path.pop() {
            let node = &self.nodes[at];
            let estimate = |child: &Child| child.node.map_or(0.0, |node| self.nodes[node].log_estimate);
            let tried = node.children.iter().map(|child| child.log_probability + estimate(child));
            let log_estimate = log_add(tried.chain([node.log_untried]));
            self.nodes[at].log_estimate = log_estimate.min(0.0);
        }
    }
}

impl<S> Node<S> {
    fn new(state: S) -> Self {
        Node {
            state,
            choices: None,
            log_norm: 0.0,
            children: Vec::new(),
            log_untried: f64::NEG_INFINITY,
            log_estimate: 0.0,
        }
    }
}

impl<C: TokenConstraint> Strategy for Asap<C> {
    fn name(&self) -> &'static str {
        "aligned-asap"
    }

    fn least_budget(&mut self) -> usize {
        self.constraint.tokens_to_finish(self.constraint.start())
    }

    fn choose(&mut self, mut step: Step<'_>) -> Result<Move, StepError> {
        let mut row = step.last(0);
        let first_row = match self.first_row.is_empty() {
            true => row.to_vec(),
            false => std::mem::take(&mut self.first_row),
        };
        let there = step.hypothesis().tokens;
        let token_of = |record: &TokenRecord| record.token;
        let made = loop {
            if self.records.is_empty() {
                row = &first_row;
            }
            let remaining = step.budget - self.records.len();
            self.open(row, remaining, &mut step)?;
            let token = self.draw(&step)?;
            let record = self.record(token, row)?;
            self.records.push(record);
            let next = self.child(token, &mut step)?;
            self.path.push(self.at);
            match next {
                Some(next) => {
                    self.at = next;
                    if self.nodes[next].choices.is_none() {
                        // The model is asked. The cache already holds a part of this sample.
                        let wanted: Vec<u32> = self.records.iter().map(token_of).collect();
                        let held: Vec<u32> = there.iter().map(token_of).collect();
                        let common = common_prefix(&wanted, &held).min(wanted.len() - 1);
                        let mut hypothesis = HypothesisMove::append(0, self.records[common..].to_vec());
                        hypothesis.withdraw = held.len() - common;
                        break Move::one(hypothesis, false);
                    }
                }
                None => {
                    self.learn();
                    self.at = 0;
                    self.iteration += 1;
                    self.sampled += self.records.len();
                    if self.iteration == self.iterations {
                        break Move {
                            hypotheses: vec![HypothesisMove::append(0, Vec::new())],
                            ending: Some(Ending::Tokens(self.records.clone(), true)),
                        };
                    }
                    self.records.clear();
                }
            }
        };
        self.first_row = first_row;
        Ok(made)
    }

    fn effort(&self) -> Effort {
        Effort {
            attempts: self.iteration,
            discarded: self.sampled - self.records.len(),
            log_valid: Some(self.nodes[0].log_estimate),
            ..Effort::ONE_OUTPUT
        }
    }
}
