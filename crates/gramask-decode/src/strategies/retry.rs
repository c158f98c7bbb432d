//! Plain decoding, again and again until the output reads.
//!
//! What practitioners without masks do: sample, parse, and sample anew where that fails. The outputs that read are drawn from
//! the model's own distribution given that they read (rejection sampling), which is what masked sampling is not; the price is
//! whole outputs thrown away, and that the last attempt may fail too.
//!
//! It costs one sample for each attempt. The logits behind the prompt are kept, one row, so that the prompt is computed once.

use std::fmt;
use std::sync::Arc;

use crate::random::Draw;
use crate::record::{Chosen, TokenRecord};
use crate::registry::{Count, Least, Levels, Number, Parameter, Randomness, StrategyDefinition};
use crate::sampler::Sampler;
use crate::sampling::Sampling;
use crate::strategy::{Effort, LaneMove, Move, Step, StepError, Strategy};
use crate::vocabulary::TokenTable;

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
        Ok(Box::new(Retry::new(given.count(&N), None, again, reads, context.model.table.clone())))
    },
    ..StrategyDefinition::COMMON
};

/// Whether a text reads.
type Reads = dyn FnMut(&str) -> bool + Send;

/// The strategy `retry`: plain decoding, at most so many times, until the output's text reads.
///
/// An attempt ends with an end token or with the budget. One that reads is the output, also where the budget cut it off; the
/// last is the output as it is. Each attempt has draws of its own, so that it differs from the ones before, unless its
/// sampling is greedy.
pub struct Retry {
    attempts: usize,
    first: Option<Sampler>,
    again: Sampler,
    reads: Box<Reads>,
    table: Arc<TokenTable>,
    /// The attempt under way, from 0.
    attempt: usize,
    /// Tokens of attempts given up.
    discarded: usize,
    /// The logits behind the prompt.
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
    /// At most so many attempts, 1 to 16,384. The first is drawn by `first`, or by the run's sampling where that is none, the
    /// later ones by `again`; the caller has validated both. `reads` is asked of the text of each attempt, without end
    /// token, as `table` spells it, and not of the last, which nothing could follow.
    pub fn new(
        attempts: usize,
        first: Option<Sampling>,
        again: Sampling,
        reads: impl FnMut(&str) -> bool + Send + 'static,
        table: Arc<TokenTable>,
    ) -> Self {
        Retry {
            attempts: attempts.clamp(1, 1 << 14),
            first: first.map(Sampler::new),
            again: Sampler::new(again),
            reads: Box::new(reads),
            table,
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
        let held = step.lane().tokens;
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
                let (text, _) = self.table.text(tokens);
                if !(self.reads)(&text) {
                    self.discarded += before.len() + 1;
                    self.attempt += 1;
                    (row, before) = (&self.first_row, &[]);
                    continue;
                }
            }
            let mut lane = LaneMove::append(0, vec![record]);
            lane.withdraw = held.len() - before.len();
            return Ok(Move::one(lane, ended));
        }
    }

    fn effort(&self) -> Effort {
        Effort { attempts: self.attempt + 1, discarded: self.discarded, ..Effort::default() }
    }
}
