//! A strategy decides what happens to the logits of one document.
//!
//! The batch loop appends tokens to the cache and fetches logits; everything else is the strategy's: it is asked once after
//! every append, gets the logits, and answers with a [`Move`]. Strategies share the model, the cache, the sampler and the
//! constraint, so that a comparison compares only the strategy.
//!
//! The interface is wider than [`Unconstrained`] and [`crate::Masked`] need. A move may append several tokens (text that the
//! constraint forces, or a draft), ask for the logits of all of them, and withdraw those that turned out wrong.

use std::time::Duration;

use thiserror::Error;

use crate::model::Select;
use crate::output::{Chosen, TokenRecord};
use crate::random::Draw;
use crate::sampler::{Choice, NoChoice, Sampler};

/// What a strategy gets to see at a step.
pub struct Step<'a> {
    /// The logits behind the tokens appended last, `[rows, vocabulary]`: one row, or one for each of them where the last
    /// move asked for [`Select::All`].
    pub logits: &'a [f32],
    /// The size of the vocabulary.
    pub width: usize,
    /// The output so far, with tokens that may yet be withdrawn.
    pub tokens: &'a [TokenRecord],
    /// How many tokens may still come, the end token included; at least 1.
    pub remaining: usize,
    /// The tokens that end an output.
    pub end_tokens: &'a [u32],
    /// The random number of this document and position.
    pub draw: Draw,
    /// Chooses tokens.
    pub sampler: &'a mut Sampler,
    /// Where the strategy adds the time that its constraint took.
    pub mask_time: &'a mut Duration,
}

impl Step<'_> {
    /// The logits behind the very last token: `[vocabulary]`.
    pub fn last(&self) -> &[f32] {
        &self.logits[self.logits.len().saturating_sub(self.width)..]
    }

    /// Whether a token ends the output.
    pub fn is_end(&self, token: u32) -> bool {
        self.end_tokens.contains(&token)
    }

    /// Chooses from the last row, under a mask or not.
    ///
    /// # Errors
    /// Where no allowed token has a usable logit.
    pub fn choose(&mut self, mask: Option<&[u32]>) -> Result<Choice, StepError> {
        let last = &self.logits[self.logits.len().saturating_sub(self.width)..];
        Ok(self.sampler.choose(last, mask, self.draw)?)
    }
}

/// What a strategy wants done.
#[derive(Clone, Debug)]
pub struct Move {
    /// How many of the tokens appended by the last move are taken back.
    pub withdraw: usize,
    /// The tokens to append, at least one.
    pub append: Vec<TokenRecord>,
    /// Whether the output is complete with them.
    pub ended: bool,
    /// Of which of them the logits are wanted.
    pub select: Select,
}

impl Move {
    /// One sampled token.
    pub fn sampled(choice: Choice, ended: bool) -> Self {
        Move {
            withdraw: 0,
            append: vec![TokenRecord::new(choice, Chosen::Sampled)],
            ended,
            select: Select::Last,
        }
    }
}

/// Why a document's decoding could not go on.
#[derive(Debug, Error)]
pub enum StepError {
    /// Nothing can be chosen.
    #[error(transparent)]
    NoChoice(#[from] NoChoice),
    /// The constraint allows no token.
    #[error("the constraint allows no token here, although the output is not complete and {remaining} tokens remain")]
    EmptyMask {
        /// How many tokens may still come.
        remaining: usize,
    },
    /// The constraint refuses a token of its own mask.
    #[error("the constraint refused token {token}, which its mask allows")]
    Refused {
        /// The token.
        token: u32,
    },
    /// The move does not fit into the budget.
    #[error("the strategy wanted to append {append} tokens where between 1 and {remaining} were possible")]
    Append {
        /// How many tokens the move has.
        append: usize,
        /// How many fit.
        remaining: usize,
    },
    /// The move takes back more than was appended last.
    #[error("the strategy wanted to take back {withdraw} tokens of the {appended} appended last")]
    Withdraw {
        /// How many tokens the move takes back.
        withdraw: usize,
        /// How many there are to take.
        appended: usize,
    },
}

/// One document's decoding: decides, at each step, which tokens follow.
pub trait Strategy: Send {
    /// The strategy's name, as in experiment files and reports.
    fn name(&self) -> &'static str;

    /// The smallest budget with which this document can be decoded. Asked once, before anything is computed.
    fn least_budget(&mut self) -> usize {
        1
    }

    /// Does the work of the next step that needs no logits. Called before each [`Strategy::choose`] with the same
    /// `remaining`, and, where the run says so, while the device computes.
    ///
    /// # Errors
    /// Where the document cannot go on.
    fn prepare(&mut self, remaining: usize) -> Result<(), StepError> {
        let _ = remaining;
        Ok(())
    }

    /// Decides what follows.
    ///
    /// # Errors
    /// Where the document cannot go on.
    fn choose(&mut self, step: Step<'_>) -> Result<Move, StepError>;
}

/// Plain decoding: every token of the vocabulary may follow, until an end token comes or the budget is used up.
///
/// The mock model of the example likes the bytes of `ab` and then the end token:
///
/// ```
/// use std::ops::ControlFlow;
/// use gramask_decode::{decode, mock::MockModel, Layout, Request, Sampling, Settings, Unconstrained};
/// let mut model = MockModel::scripted(b"ab", 64);
/// let request = Request::new("doc-1", vec![b'?' as u32], Some(8), Unconstrained);
/// let settings = Settings::new(Layout { slots: 1, length: 16, prefix: vec![] }, Sampling::greedy());
/// let table = model.table().clone();
/// let mut texts = Vec::new();
/// decode(&mut model, &table, &settings, [request], |ended| {
///     texts.extend(ended.outcome.map(|output| output.text));
///     ControlFlow::Continue(())
/// }).unwrap();
/// assert_eq!(texts, ["ab"]);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unconstrained;

impl Strategy for Unconstrained {
    fn name(&self) -> &'static str {
        "unconstrained"
    }

    fn choose(&mut self, mut step: Step<'_>) -> Result<Move, StepError> {
        let choice = step.choose(None)?;
        let ended = step.is_end(choice.token);
        Ok(Move::sampled(choice, ended))
    }
}
