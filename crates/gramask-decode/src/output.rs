//! Requests, outputs and what is recorded of each token.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::sampler::Choice;
use crate::strategy::{StepError, Strategy};

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
        Request {
            id: id.into(),
            prompt,
            budget,
            strategy: Box::new(strategy),
        }
    }
}

/// How a token came into an output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Chosen {
    /// Chosen from the model's logits.
    Sampled,
    /// The only text that the constraint allowed, appended without asking the model.
    Forced,
    /// Proposed without the model, and confirmed by it.
    Drafted,
}

/// One token of an output.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct TokenRecord {
    /// The token.
    pub token: u32,
    /// How it came in.
    pub chosen: Chosen,
    /// The natural logarithm of its probability under the model, before mask, temperature and filters.
    pub log_probability: f64,
    /// The natural logarithm of the probability that the model gave to the allowed tokens together; 0 without a mask.
    ///
    /// The logarithm is kept, since a removed mass of nearly 1 would lose it; see [`TokenRecord::removed_mass`].
    pub kept_log_mass: f64,
}

impl TokenRecord {
    /// The record of a choice.
    pub fn new(choice: Choice, chosen: Chosen) -> Self {
        TokenRecord {
            token: choice.token,
            chosen,
            log_probability: choice.log_probability,
            kept_log_mass: choice.kept_log_mass,
        }
    }

    /// The probability mass that the mask removed at this step, from 0 to 1.
    pub fn removed_mass(&self) -> f64 {
        -self.kept_log_mass.exp_m1()
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
}

/// How many positions a document took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Positions {
    /// Tokens of the prompt.
    pub prompt: usize,
    /// Of these, tokens taken over from the shared prefix.
    pub shared: usize,
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
    /// The text of the tokens, without the end token.
    pub text: String,
    /// Whether the tokens' bytes were not UTF-8, so that `text` holds replacement characters.
    pub lossy: bool,
    /// Why it ended.
    pub finish: Finish,
    /// Where the time went.
    pub times: Times,
    /// How many positions it took.
    pub positions: Positions,
}

impl Output {
    /// The natural logarithm of the output's probability under the model.
    pub fn log_probability(&self) -> f64 {
        self.tokens.iter().map(|token| token.log_probability).sum()
    }

    /// The natural logarithm of the output's importance weight: the sum of the masses kept. Under masked sampling at
    /// temperature 1 without filters, the model's probability of the output is that of the draw times this weight.
    pub fn log_weight(&self) -> f64 {
        self.tokens.iter().map(|token| token.kept_log_mass).sum()
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
