//! From a strategy's name and parameters to the strategy itself, for one pass over one document.

use std::sync::{Arc, Mutex};

use gramask_grammar::{Canonical, CanonicalError, Constraint, ConstraintError, Level, Program, Vocabulary};
use gramask_kernels::sampling::Sampling;
use gramask_ner::Text;
use thiserror::Error;

use super::{StrategyChoice, StrategyName};
use crate::ngram_draft::NgramDraftModel;
use crate::prompt::{PromptTokenizer, Prompting};
use crate::retokenizer::Retokenizer;
use crate::strategy::Strategy;

/// A tokenizer that several documents use at the same time.
pub type SharedTokenizer = dyn PromptTokenizer + Send + Sync;

/// Makes the strategies of a model.
#[derive(Clone)]
pub struct StrategyBuilder {
    /// The model's tokens.
    pub vocabulary: Arc<Vocabulary>,
    /// Cuts text into tokens.
    pub tokenizer: Arc<SharedTokenizer>,
    /// How the run samples. Some strategies sample in another way.
    pub sampling: Sampling,
    /// Whether constraints allow only the tokens that the tokenizer itself would produce. Without a constraint it has no effect.
    pub canonical: bool,
}

/// One pass over a document.
#[derive(Clone, Copy)]
pub struct StrategyTask<'a> {
    /// The compiled format with the labels.
    pub program: &'a Arc<Program>,
    /// The document.
    pub text: &'a Text,
    /// The level of the constraint.
    pub level: Level,
    /// The prompt's text, from which drafts are copied.
    pub prompt: &'a str,
    /// What usually comes next in the outputs: shared by all documents of a pass.
    pub ngrams: &'a Arc<Mutex<NgramDraftModel>>,
}

/// What a strategy's constructor can use.
#[derive(Clone, Copy)]
pub struct StrategyContext<'a> {
    /// The model's part.
    pub model: &'a StrategyBuilder,
    /// The document's part.
    pub task: StrategyTask<'a>,
}

impl StrategyContext<'_> {
    /// The document's constraint.
    ///
    /// # Errors
    /// Where the document cannot be constrained.
    pub fn constraint(&self) -> Result<Constraint, BuildError> {
        let StrategyTask { program, text, level, .. } = self.task;
        Ok(Constraint::new(program.clone(), text, level, self.model.vocabulary.clone())?)
    }

    /// The document's constraint, restricted to the tokens that the tokenizer itself would produce.
    ///
    /// # Errors
    /// Where the document cannot be constrained, or the tokenizer changes the text of every output.
    pub(crate) fn canonical(&self) -> Result<Canonical<Retokenizer>, BuildError> {
        Ok(Canonical::new(self.constraint()?, self.retokenizer())?)
    }

    /// Cuts forced text into the model's tokens.
    pub fn retokenizer(&self) -> Retokenizer {
        Retokenizer::new(self.model.tokenizer.clone(), self.model.vocabulary.clone())
    }

    /// The sampling of strategies that keep the model's distribution at a temperature. It has no filters: they would give
    /// no probability to tokens that have some in that distribution.
    pub fn unfiltered(&self, temperature: f64) -> Sampling {
        Sampling::at(temperature as f32, self.model.sampling.seed)
    }
}

/// Why a strategy could not be made for a document.
#[derive(Debug, Error)]
pub enum BuildError {
    /// The document cannot be constrained.
    #[error(transparent)]
    Constraint(#[from] ConstraintError),
    /// The document cannot be decoded in canonical tokens.
    #[error("`canonical` needs outputs that the tokenizer encodes and decodes without a change: {0}")]
    Canonical(#[from] CanonicalError),
    /// The strategy does not choose every token under the constraint.
    #[error("`canonical` does not go with strategy `{strategy}`: it goes with {known}")]
    CanonicalStrategy {
        /// The strategy.
        strategy: StrategyName,
        /// The strategies that it goes with.
        known: String,
    },
    /// At level `none` there is no constraint, and at level `syntax` a mask can allow most of the vocabulary.
    #[error("`canonical` does not go with level `{level}`, where {reason}: use level `grounded`")]
    CanonicalLevel {
        /// The level.
        level: Level,
        /// Why it does not go with it.
        reason: &'static str,
    },
    /// The strategy needs a constraint and the level has none, or the other way round.
    #[error("strategy `{strategy}` does not go with level `{level}`: that goes with {known}")]
    Level {
        /// The strategy.
        strategy: StrategyName,
        /// The level.
        level: Level,
        /// The strategies that go with the level.
        known: String,
    },
}

impl StrategyChoice {
    /// Checks that the strategy goes with a level.
    ///
    /// # Errors
    /// [`BuildError::Level`] where it does not.
    pub fn check_level(&self, level: Level) -> Result<(), BuildError> {
        match self.name().goes_with(level) {
            true => Ok(()),
            false => Err(BuildError::Level {
                strategy: self.name(),
                level,
                known: StrategyName::list(StrategyName::of(level)),
            }),
        }
    }
}

impl StrategyChoice {
    /// Checks that the strategy can decode canonical tokens only, at a level.
    ///
    /// # Errors
    /// [`BuildError::CanonicalStrategy`] or [`BuildError::CanonicalLevel`] where it cannot.
    pub fn check_canonical(&self, level: Level) -> Result<(), BuildError> {
        let can = |name: &StrategyName| name.definition().canonical;
        match level {
            Level::None => Err(BuildError::CanonicalLevel { level, reason: "no constraint chooses tokens" }),
            Level::Syntax => Err(BuildError::CanonicalLevel {
                level,
                reason: "the tokenizer would be asked about most of the vocabulary at each token",
            }),
            Level::Grounded if can(&self.name()) => Ok(()),
            Level::Grounded => Err(BuildError::CanonicalStrategy {
                strategy: self.name(),
                known: StrategyName::list(StrategyName::of(level).filter(can)),
            }),
        }
    }
}

/// Makes a boxed strategy for the document's constraint, whose type depends on whether tokens must be canonical.
macro_rules! with_constraint {
    ($context:expr, |$constraint:ident| $strategy:expr) => {
        match $context.model.canonical {
            false => {
                let $constraint = $context.constraint()?;
                Box::new($strategy) as Box<dyn $crate::Strategy>
            }
            true => {
                let $constraint = $context.canonical()?;
                Box::new($strategy)
            }
        }
    };
}
pub(crate) use with_constraint;

impl StrategyBuilder {
    /// Makes the strategy for a pass over a document.
    ///
    /// # Errors
    /// Where strategy and level do not go together, or the document cannot be constrained.
    pub fn build(&self, choice: &StrategyChoice, task: StrategyTask<'_>) -> Result<Box<dyn Strategy>, BuildError> {
        choice.check_level(task.level)?;
        if self.canonical && task.level != Level::None {
            choice.check_canonical(task.level)?;
        }
        (choice.name().definition().build)(choice.parameters(), &StrategyContext { model: self, task })
    }

    /// How many tokens a strategy may write in addition to the answer.
    pub fn extra_budget(&self, choice: &StrategyChoice) -> usize {
        (choice.name().definition().extra_budget)(choice.parameters(), &*self.tokenizer)
    }

    /// What usually comes next in outputs like those of the prompt's examples.
    pub fn ngrams(prompting: &Prompting) -> Arc<Mutex<NgramDraftModel>> {
        let outputs = prompting.examples.iter().map(|example| example.output.as_bytes());
        Arc::new(Mutex::new(NgramDraftModel::new(outputs)))
    }
}
