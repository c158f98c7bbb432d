//! Plain decoding, repeated until the output reads.
//!
//! People without masks do this: sample, parse, and sample again if the output does not parse. The outputs that read are drawn
//! from the model's own distribution given that they read (rejection sampling); masked sampling does not draw from it. The
//! price is whole outputs that are thrown away, and the last attempt may fail too.
//!
//! Each attempt costs one sample. The logits after the prompt are kept, so that the prompt is computed once.

use std::fmt;
use std::sync::Arc;

use gramask_grammar::Vocabulary;
use gramask_kernels::sampling::Sampling;

use crate::random::Draw;
use crate::record::{Chosen, TokenRecord};
use crate::registry::{Count, Least, Levels, Number, Parameter, Randomness, StrategyDefinition};
use crate::sampler::Sampler;
use crate::strategy::{Effort, HypothesisMove, Move, Step, StepError, Strategy};

const N: Count = Count { name: "n", default: 4, most: 64, help: "how many outputs are tried at most" };
const TEMPERATURE: Number = Number {
    name: "temperature",
    default: 0.7,
    least: Least::Above(0.0),
    most: 10.0,
    help: "the temperature of all outputs after the first; 1 samples from the model's own distribution, and 0 would \
           give the same output each time",
};

/// `retry`, as the program knows it.
pub(super) const DEFINITION: StrategyDefinition = StrategyDefinition {
    name: "retry",
    levels: Levels::Unconstrained,
    summary: "plain decoding, repeated until the strict reader reads the output",
    cost: "up to `n` outputs",
    parameters: &[Parameter::Count(N), Parameter::Number(TEMPERATURE)],
    randomness: Randomness::Always,
    build: |given, context| {
        let sampling = context.model.sampling;
        let again = Sampling { temperature: given.number(&TEMPERATURE) as f32, ..sampling };
        let (program, text) = (context.task.program.clone(), context.task.text.clone());
        let reads = move |output: &str| program.read(&text, output.as_bytes()).is_ok();
        Ok(Box::new(Retry::new(given.count(&N), None, again, reads, context.model.vocabulary.clone())))
    },
    ..StrategyDefinition::COMMON
};

/// Whether a text reads.
type Reads = dyn FnMut(&str) -> bool + Send;

/// The strategy `retry`: plain decoding, repeated up to a number of attempts until the output's text reads.
///
/// An attempt ends with an end token or with the budget. An attempt that reads is the output, even if the budget cut it off.
/// The last attempt is the output in any case. Each attempt has draws of its own, so that the attempts differ unless their
/// sampling is greedy.
pub struct Retry {
    attempts: usize,
    first: Option<Sampler>,
    again: Sampler,
    reads: Box<Reads>,
    vocabulary: Arc<Vocabulary>,
    /// The present attempt, from 0.
    attempt: usize,
    /// Tokens of attempts that failed.
    discarded: usize,
    /// The logits after the prompt.
    first_row: Vec<f32>,
}

impl fmt::Debug for Retry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Retry")
            .field("attempts", &self.attempts)
            .field("attempt", &self.attempt)
            .field("first", &self.first.as_ref().map(Sampler::sampling))
            .field("again", self.again.sampling())
            .finish_non_exhaustive()
    }
}

impl Retry {
    /// At most `attempts` attempts, 1 to 16,384. The first is sampled by `first`, or by the run's sampling if that is `None`;
    /// the later ones are sampled by `again`. The caller has validated both. `reads` gets the text of each attempt but the
    /// last, as `vocabulary` spells it, without the end token.
    pub fn new(
        attempts: usize,
        first: Option<Sampling>,
        again: Sampling,
        reads: impl FnMut(&str) -> bool + Send + 'static,
        vocabulary: Arc<Vocabulary>,
    ) -> Self {
        Retry {
            attempts: attempts.clamp(1, 1 << 14),
            first: first.map(Sampler::new),
            again: Sampler::new(again),
            reads: Box::new(reads),
            vocabulary,
            attempt: 0,
            discarded: 0,
            first_row: Vec::new(),
        }
    }
}

impl Strategy for Retry {
    fn name(&self) -> &'static str {
        "retry"
    }

    fn choose(&mut self, step: Step<'_>) -> Result<Move, StepError> {
        let held = step.hypothesis().tokens;
        if self.first_row.is_empty() && self.attempts > 1 {
            self.first_row = step.last(0).to_vec();
        }
        let (mut row, mut before) = (step.last(0), held);
        loop {
            let place = Draw { document: step.document, position: before.len() as u64 };
            let sampler = match (self.attempt, &mut self.first) {
                (0, Some(first)) => first,
                (0, None) => &mut *step.sampler,
                _ => &mut self.again,
            };
            let choice = sampler.choose(row, None, place.attempt(self.attempt))?;
            let record = TokenRecord::new(choice, Chosen::Sampled);
            let ended = step.is_end(choice.token);
            let over = ended || before.len() + 1 == step.budget;
            let last = self.attempt + 1 == self.attempts;
            if over && !last {
                let tokens = before.iter().chain([&record]).map(|record| record.token);
                let (text, _) = self.vocabulary.decode(tokens);
                if !(self.reads)(&text) {
                    self.discarded += before.len() + 1;
                    self.attempt += 1;
                    (row, before) = (&self.first_row, &[]);
                    continue;
                }
            }
            let mut hypothesis = HypothesisMove::append(0, vec![record]);
            hypothesis.withdraw = held.len() - before.len();
            return Ok(Move::one(hypothesis, ended));
        }
    }

    fn effort(&self) -> Effort {
        Effort { attempts: self.attempt + 1, discarded: self.discarded, ..Effort::ONE_OUTPUT }
    }
}
