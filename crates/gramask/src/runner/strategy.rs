//! From the name and parameters of a strategy to the strategy itself, for one document.

use std::sync::{Arc, Mutex};

use gramask_decode::{
    Asap, Beam, BeamStop, Cutter, Draft, Drafts, FreeThenMasked, Habits, Jump, Lazy, Masked, Particles, Prompting,
    Retry, Sampling, Strategy, TokenTable, Unconstrained,
};
use gramask_grammar::{Constraint, ConstraintError, Program, Vocabulary};
use gramask_ner::Text;
use thiserror::Error;

use super::engine::{Engine, SharedTokenizer};
use crate::experiment::{LevelName, StrategyChoice, StrategyName};

/// What the strategies of a model are built with.
#[derive(Clone)]
pub struct StrategyBuilder {
    /// The constraint's vocabulary.
    pub vocabulary: Arc<Vocabulary>,
    /// The bytes of the tokens.
    pub table: Arc<TokenTable>,
    /// Cuts texts into tokens.
    pub tokenizer: Arc<SharedTokenizer>,
    /// How the run draws tokens; some strategies draw some otherwise.
    pub sampling: Sampling,
}

/// One pass over a document: what a strategy is built for.
#[derive(Clone, Copy)]
pub struct Task<'a> {
    /// Format and labels.
    pub program: &'a Arc<Program>,
    /// The document.
    pub text: &'a Text,
    /// The level of the constraint.
    pub level: LevelName,
    /// The prompt's text, which drafts may recall.
    pub prompt: &'a str,
    /// What usually comes next in the outputs, shared by all documents of a pass.
    pub habits: &'a Arc<Mutex<Habits>>,
}

/// Why there is no strategy for a document.
#[derive(Debug, Error)]
pub enum BuildError {
    /// There is no constraint for the document.
    #[error(transparent)]
    Constraint(#[from] ConstraintError),
    /// A strategy without constraint at a level that has one, or the other way round.
    #[error("strategy `{strategy}` does not go with level `{level}`: that goes with {known}")]
    Level {
        /// The strategy.
        strategy: StrategyName,
        /// The level.
        level: LevelName,
        /// The strategies that go with the level.
        known: String,
    },
}

impl BuildError {
    /// Whether a strategy goes with a level.
    ///
    /// # Errors
    /// [`BuildError::Level`] where it does not.
    pub fn check(choice: &StrategyChoice, level: LevelName) -> Result<(), BuildError> {
        match choice.name().goes_with(level) {
            true => Ok(()),
            false => Err(BuildError::Level {
                strategy: choice.name(),
                level,
                known: StrategyName::list(StrategyName::of(level)),
            }),
        }
    }
}

impl StrategyBuilder {
    /// What an engine builds with.
    pub fn of(engine: &Engine, sampling: Sampling) -> StrategyBuilder {
        StrategyBuilder {
            vocabulary: engine.vocabulary.clone(),
            table: engine.table.clone(),
            tokenizer: engine.prompts.tokenizer().clone(),
            sampling,
        }
    }

    /// The strategy for a pass over a document.
    ///
    /// # Errors
    /// When strategy and level do not go together, or there is no constraint for the document.
    pub fn build(&self, choice: &StrategyChoice, task: Task<'_>) -> Result<Box<dyn Strategy>, BuildError> {
        BuildError::check(choice, task.level)?;
        let constraint = || {
            let vocabulary = self.vocabulary.clone();
            Constraint::new(task.program.clone(), task.text, task.level.into(), vocabulary)
        };
        let cutter = || Cutter::new(self.tokenizer.clone(), self.table.clone());
        Ok(match choice {
            // What is repaired is the output: see `evaluate`.
            StrategyChoice::Unconstrained | StrategyChoice::Repair => Box::new(Unconstrained),
            StrategyChoice::Retry(retry) => {
                let again = Sampling { temperature: retry.temperature as f32, ..self.sampling };
                let (program, text) = (task.program.clone(), task.text.clone());
                let reads = move |output: &str| program.read(&text, output.as_bytes()).is_ok();
                Box::new(Retry::new(retry.n, None, again, reads, self.table.clone()))
            }
            StrategyChoice::Masked => Box::new(Masked::new(constraint()?)),
            StrategyChoice::Lazy => Box::new(Lazy::new(constraint()?)),
            StrategyChoice::Jump(jump) => Box::new(Jump::new(constraint()?, cutter()).scored(jump.scored)),
            StrategyChoice::Draft(draft) => {
                let drafts = Drafts { most: draft.most, ..Drafts::default() };
                let history = task.prompt.as_bytes();
                Box::new(Draft::new(constraint()?, cutter(), drafts, history, task.habits.clone()))
            }
            StrategyChoice::FreeThenMasked(free) => {
                Box::new(FreeThenMasked::new(constraint()?, cutter(), &free.trigger, free.free))
            }
            StrategyChoice::Beam(beam) => {
                let stop = match beam.exact {
                    true => BeamStop::Exact,
                    false => BeamStop::Present,
                };
                match task.level {
                    LevelName::None => {
                        Box::new(Beam::unconstrained(beam.k).with_alpha(beam.alpha).stopping(stop)) as Box<dyn Strategy>
                    }
                    _ => Box::new(Beam::masked(constraint()?, beam.k).with_alpha(beam.alpha).stopping(stop)),
                }
            }
            StrategyChoice::AlignedAsap(asap) => {
                Box::new(Asap::new(constraint()?, asap.iterations, self.samples(asap.temperature)))
            }
            StrategyChoice::AlignedSmc(smc) => {
                let particles = Particles::new(constraint()?, smc.particles, self.samples(smc.temperature));
                Box::new(particles.with_threshold(smc.resample))
            }
        })
    }

    /// How aligned strategies sample: from the model's distribution at a temperature. Filters would give tokens no probability
    /// that the distribution to be kept gives some.
    fn samples(&self, temperature: f64) -> Sampling {
        Sampling::at(temperature as f32, self.sampling.seed)
    }

    /// How many tokens a strategy may write beyond those of the answer.
    pub fn extra_budget(&self, choice: &StrategyChoice) -> usize {
        match choice {
            StrategyChoice::FreeThenMasked(free) => free.free + self.tokenizer.encode(&free.trigger, false).len(),
            _ => 0,
        }
    }

    /// What usually comes next in outputs like those of the prompt's examples.
    pub fn habits(prompting: &Prompting) -> Arc<Mutex<Habits>> {
        let outputs = prompting.examples.iter().map(|example| example.output.as_bytes());
        Arc::new(Mutex::new(Habits::new(outputs)))
    }
}
