//! Requests, outputs, and why a request failed.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::record::{Chosen, MaskScores, TokenRecord};
use crate::strategy::{Effort, StepError, Strategy};

/// A document to decode.
pub struct Request {
    /// The document's id. Errors name it, and the draws depend on it.
    pub id: String,
    /// The prompt.
    pub prompt: Vec<u32>,
    /// The most tokens of the output, the end token included; `None` allows as many as the slot has room for.
    pub budget: Option<usize>,
    /// How its tokens are chosen. It holds the document's constraint.
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
    /// An end token, but not by itself: at some step the budget refused a token that would have been taken, so that the output
    /// ended in time ([`BudgetScores::squeezed`](crate::BudgetScores::squeezed)).
    Squeezed,
    /// The budget was used up: the output is truncated.
    Budget,
    /// The slot was full, where the request set no budget: the output is truncated.
    Context,
}

impl Finish {
    /// Why an output ended that an end token ended.
    pub(crate) fn of_complete(tokens: &[TokenRecord]) -> Finish {
        match tokens.iter().filter_map(TokenRecord::mask).any(MaskScores::squeezed) {
            true => Finish::Squeezed,
            false => Finish::End,
        }
    }

    /// Whether the output is complete: an end token ended it.
    pub fn is_complete(self) -> bool {
        matches!(self, Finish::End | Finish::Squeezed)
    }
}

/// Where a document's time went.
///
/// A forward pass serves several documents, and each counts its share, so that the times of all documents sum to the time of the
/// device. Masks and choices run on several threads at once, and each document counts its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Times {
    /// Forward passes over its prompt, without the shared prefix.
    pub prefill: Duration,
    /// Forward passes over its output.
    pub decode: Duration,
    /// The constraint's work.
    pub mask: Duration,
    /// Choosing tokens, without the mask.
    pub choose: Duration,
    /// For a prompt from a [`PromptStore`](crate::PromptStore): the time that it took when it was computed. Not in `prefill`.
    pub restored: Duration,
}

/// How many tokens a document took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenCounts {
    /// Tokens of the prompt.
    pub prompt: usize,
    /// Of these, tokens of the shared prefix.
    pub shared: usize,
    /// Of these, tokens taken from a [`PromptStore`](crate::PromptStore).
    pub restored: usize,
    /// Tokens of the output, the end token included.
    pub output: usize,
    /// Tokens that the model computed for this document.
    pub computed: usize,
}

/// A decoded document.
#[derive(Clone, Debug, PartialEq)]
pub struct Output {
    /// The strategy's name.
    pub strategy: &'static str,
    /// The tokens, the end token included.
    pub tokens: Vec<TokenRecord>,
    /// The text of the answer: of the tokens from `answer_from` on, without the end token.
    pub text: String,
    /// The token that the answer begins with: after free text, if the strategy allows it, else 0.
    pub answer_from: usize,
    /// The text before the answer; empty unless the strategy allows free text.
    pub preamble: String,
    /// Whether `text` holds replacement characters, since the tokens' bytes are not UTF-8.
    pub lossy: bool,
    /// Why it ended.
    pub finish: Finish,
    /// What the strategy did in addition to these tokens.
    pub effort: Effort,
    /// Where the time went.
    pub times: Times,
    /// How many positions it took.
    pub positions: TokenCounts,
}

impl Output {
    /// The natural logarithm of the output's probability under the model; `None` if the model was not asked about every token.
    pub fn log_probability(&self) -> Option<f64> {
        self.tokens.iter().map(|token| Some(token.scores?.log_probability)).sum()
    }

    /// The natural logarithm of the output's importance weight: the sum of the masses kept. Under masked sampling at
    /// temperature 1 without filters, the model's probability of the output is the probability of the draw times this
    /// weight. `None` if the mass is not known for every token.
    pub fn log_weight(&self) -> Option<f64> {
        self.tokens.iter().map(|token| Some(token.mask()?.kept_log_mass)).sum()
    }

    /// How many tokens were chosen in this way.
    pub fn count(&self, chosen: Chosen) -> usize {
        self.tokens.iter().filter(|token| token.chosen == chosen).count()
    }
}

/// Why a document was not decoded. The other documents of the run continue.
#[derive(Debug, Error)]
pub enum RequestError {
    /// A budget of 0.
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
    /// The strategy follows more hypotheses than the layout has for a document.
    #[error(
        "document {id}: strategy {strategy} follows {hypotheses} hypotheses, but the layout has {layout} for each document"
    )]
    Hypotheses {
        /// The document.
        id: String,
        /// The strategy.
        strategy: &'static str,
        /// Its hypotheses.
        hypotheses: usize,
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
    /// The prompt is empty.
    #[error("document {id}: the prompt has no token; a model needs at least one to begin from")]
    EmptyPrompt {
        /// The document.
        id: String,
    },
    /// The prompt has a token of another vocabulary.
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

/// A request that has ended, with an output or an error.
#[derive(Debug)]
pub struct Ended {
    /// The number of the request, from 0.
    pub index: usize,
    /// The document's id.
    pub id: String,
    /// Its output.
    pub outcome: Result<Output, RequestError>,
}
