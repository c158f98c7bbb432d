//! Requests, outputs and what is recorded of each token.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::record::{Chosen, TokenRecord};
use crate::strategy::{Effort, StepError, Strategy};

/// A document to decode.
pub struct Request {
    /// The document's id: names it in errors, and its draws depend on it.
    pub id: String,
    /// The prompt.
    pub prompt: Vec<u32>,
    /// The most tokens of the output, the end token included; `None` is as many as the slot has room for.
    pub budget: Option<usize>,
    /// How its tokens are chosen, with the document's constraint in it.
    pub strategy: Box<dyn Strategy>,
}

impl Request {
    /// A request.
    pub fn new(
        id: impl Into<String>,
        prompt: Vec<u32>,
        budget: Option<usize>,
        strategy: impl Strategy + 'static,
    ) -> Self {
        Request { id: id.into(), prompt, budget, strategy: Box::new(strategy) }
    }
}

/// Why an output ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Finish {
    /// An end token.
    End,
    /// The budget was used up: the output is truncated.
    Budget,
    /// The slot was full, where the request set no budget: the output is truncated.
    Context,
}

/// Where a document's time went.
///
/// A forward pass serves several documents; each counts an equal share of it, so that the times of all documents sum to the
/// time of the device. Mask and choice run on several threads at once; each document counts its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Times {
    /// Forward passes over its prompt, without the shared prefix.
    pub prefill: Duration,
    /// Forward passes over its output.
    pub decode: Duration,
    /// Its constraint's work.
    pub mask: Duration,
    /// Choosing tokens, without the mask.
    pub choose: Duration,
    /// What the prompt cost when it was computed, where it was taken from a [`PromptStore`](crate::PromptStore); not in
    /// `prefill`.
    pub restored: Duration,
}

/// How many positions a document took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Positions {
    /// Tokens of the prompt.
    pub prompt: usize,
    /// Of these, tokens taken over from the shared prefix.
    pub shared: usize,
    /// Of these, tokens taken from a [`PromptStore`](crate::PromptStore).
    pub restored: usize,
    /// Tokens of the output, the end token included.
    pub output: usize,
    /// Positions that the model computed for this document.
    pub computed: usize,
}

/// A decoded document.
#[derive(Clone, Debug, PartialEq)]
pub struct Output {
    /// The strategy's name.
    pub strategy: &'static str,
    /// The tokens, the end token included.
    pub tokens: Vec<TokenRecord>,
    /// The text of the answer: of the tokens from [`Effort::answer_from`] on, without the end token.
    pub text: String,
    /// The text before the answer; empty but for strategies that allow free text there.
    pub preamble: String,
    /// Whether the tokens' bytes were not UTF-8, so that `text` holds replacement characters.
    pub lossy: bool,
    /// Why it ended.
    pub finish: Finish,
    /// What the strategy did beyond these tokens.
    pub effort: Effort,
    /// Where the time went.
    pub times: Times,
    /// How many positions it took.
    pub positions: Positions,
}

impl Output {
    /// The natural logarithm of the output's probability under the model; `None` where it was not asked about some token.
    pub fn log_probability(&self) -> Option<f64> {
        self.tokens.iter().map(|token| Some(token.scores?.log_probability)).sum()
    }

    /// The natural logarithm of the output's importance weight: the sum of the masses kept. Under masked sampling at
    /// temperature 1 without filters, the model's probability of the output is that of the draw times this weight. `None`
    /// where the mass is not known of some token.
    pub fn log_weight(&self) -> Option<f64> {
        self.tokens.iter().map(|token| Some(token.mask()?.kept_log_mass)).sum()
    }

    /// How many tokens came in so.
    pub fn count(&self, chosen: Chosen) -> usize {
        self.tokens.iter().filter(|token| token.chosen == chosen).count()
    }
}

/// Why a document was not decoded. The others of the run go on.
#[derive(Debug, Error)]
pub enum RequestError {
    /// Without budget there is no output.
    #[error("document {id}: a budget of 0 tokens leaves no room for an output; it must be at least 1")]
    NoBudget {
        /// The document.
        id: String,
    },
    /// The budget cannot hold any valid output.
    #[error(
        "document {id}: the budget is {budget} tokens, but the constraint's shortest completion takes {needed} \
         (end token included)"
    )]
    BudgetTooSmall {
        /// The document.
        id: String,
        /// The budget.
        budget: usize,
        /// The tokens that suffice.
        needed: usize,
    },
    /// A strategy of more lanes than the layout has for a document.
    #[error("document {id}: strategy {strategy} follows {lanes} lanes, but the layout has {layout} for each document")]
    Lanes {
        /// The document.
        id: String,
        /// The strategy.
        strategy: &'static str,
        /// Its lanes.
        lanes: usize,
        /// The layout's.
        layout: usize,
    },
    /// Prompt and budget do not fit into a slot.
    #[error(
        "document {id}: the prompt's {prompt} tokens and a budget of {budget} need {} positions, but there are {length} \
         (the model's context is {context}); shorten the prompt or the budget{}",
        .prompt + .budget,
        if .length < .context { ", or open longer slots" } else { "" }
    )]
    TooLong {
        /// The document.
        id: String,
        /// Tokens of the prompt.
        prompt: usize,
        /// The budget, 1 where none was set.
        budget: usize,
        /// The positions of a slot.
        length: usize,
        /// The model's context.
        context: usize,
    },
    /// Nothing to begin from.
    #[error("document {id}: the prompt has no token; a model needs at least one to begin from")]
    EmptyPrompt {
        /// The document.
        id: String,
    },
    /// The prompt is of another vocabulary.
    #[error("document {id}: token {token} at position {position} of the prompt is not among the model's {vocabulary}")]
    PromptToken {
        /// The document.
        id: String,
        /// The token.
        token: u32,
        /// Where it stands.
        position: usize,
        /// The size of the vocabulary.
        vocabulary: usize,
    },
    /// A step failed.
    #[error("document {id}, token {step} of the output: {source}")]
    Step {
        /// The document.
        id: String,
        /// The number of tokens before, from 0.
        step: usize,
        /// What was wrong.
        source: StepError,
    },
}

/// A request that is done with, well or not.
#[derive(Debug)]
pub struct Ended {
    /// Its number in the order of the requests, from 0.
    pub index: usize,
    /// The document's id.
    pub id: String,
    /// Its output.
    pub outcome: Result<Output, RequestError>,
}
