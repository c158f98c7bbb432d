//! A strategy decides what happens to the logits of one document.
//!
//! The batch loop appends tokens to the cache and fetches logits; everything else is the strategy's: it is asked once after
//! every append, gets the logits, and answers with a [`Move`]. Strategies share the model, the cache, the sampler and the
//! constraint, so that a comparison compares only the strategy.
//!
//! # Lanes
//! A **lane** is one version of the document's output, in a slot of its own. Most strategies have one. A strategy that follows
//! several ([`Strategy::lanes`]) begins with one lane, the prompt's, and says in each move which lanes there are next and
//! from which lane each goes on: a lane named twice is forked, one not named is given up. Of each lane it can take tokens
//! back, append others, or let it rest.
//!
//! # Where tokens are chosen
//! A strategy that wants one token of each row of logits can say so beforehand ([`Strategy::asks`]). Where the logits are on
//! a GPU, the tokens are then chosen there, with the draws and filters of the [`Sampler`], and it gets these in place of the
//! logits ([`Step::given`]). `unconstrained`, `masked` and `draft` do so; the others work on logits on the host.

use std::time::Duration;

use gramask_kernels::sampling::{NoPick, Pick};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::model::Ask;
use crate::random::Draw;
use crate::record::{Chosen, TokenRecord};
use crate::sampler::{Choice, NoChoice, Sampler};
use crate::sampling::Sampling;

/// One version of the output, as a strategy sees it.
#[derive(Clone, Copy, Debug)]
pub struct Lane<'a> {
    /// The logits behind its tokens appended last, `[rows, vocabulary]`: as many rows as the last move asked for; none where
    /// the lane rested.
    pub logits: &'a [f32],
    /// Its tokens so far, those that may yet be withdrawn among them.
    pub tokens: &'a [TokenRecord],
}

/// What was chosen where the logits are, in place of the logits: see [`Strategy::asks`].
#[derive(Clone, Copy)]
pub struct Given<'a> {
    /// What was chosen for each of the asks.
    pub picks: &'a [Result<Pick, NoPick>],
    /// Fetches the logits of an ask's row after all.
    pub(crate) fetch: &'a Fetch<'a>,
}

/// Fetches the logits of one of a document's rows.
pub(crate) type Fetch<'a> = dyn Fn(usize) -> Result<Vec<f32>, StepError> + Sync + 'a;

impl<'a> Given<'a> {
    /// What was chosen for an ask.
    pub(crate) fn pick(&self, ask: usize) -> Result<Pick, StepError> {
        match self.picks.get(ask) {
            Some(pick) => pick.map_err(|none| NoChoice::from(none).into()),
            None => Err(StepError::Unasked { ask, asks: self.picks.len() }),
        }
    }
}

/// What is known of a step before its logits are.
pub struct Coming<'a> {
    /// The first lane's tokens so far, drafted ones among them.
    pub tokens: &'a [TokenRecord],
    /// How many rows of logits the first lane asked for.
    pub rows: usize,
    /// How tokens are drawn.
    pub sampling: &'a Sampling,
    /// The document's number in draws.
    pub document: u64,
    /// Where the strategy adds the time that its constraint took.
    pub mask_time: &'a mut Duration,
}

impl Coming<'_> {
    /// The place of the draw of the first lane's next token.
    pub fn draw(&self) -> Draw {
        Draw { document: self.document, position: self.tokens.len() as u64 }
    }
}

/// What a strategy gets to see at a step.
pub struct Step<'a> {
    /// The lanes, as the last move made them; at first one, behind the prompt. Never empty.
    pub lanes: &'a [Lane<'a>],
    /// The size of the vocabulary.
    pub width: usize,
    /// The most tokens of an output, the end token included.
    pub budget: usize,
    /// The tokens that end an output.
    pub end_tokens: &'a [u32],
    /// The document's number in draws; see [`Draw`].
    pub document: u64,
    /// Chooses tokens.
    pub sampler: &'a mut Sampler,
    /// What was chosen where the logits are, if the strategy has asked for that; the lanes then have no logits.
    pub given: Option<Given<'a>>,
    /// What this document's share of a forward pass costs beyond its own rows, in rows: see
    /// [`LanguageModel::overhead`](crate::LanguageModel::overhead).
    pub overhead: f64,
    /// Where the strategy adds the time that its constraint took.
    pub mask_time: &'a mut Duration,
}

impl<'a> Step<'a> {
    /// The first lane: the only one of most strategies.
    pub fn lane(&self) -> Lane<'a> {
        self.lanes[0]
    }

    /// The logits behind the very last token of a lane: `[vocabulary]`.
    pub fn last(&self, lane: usize) -> &'a [f32] {
        let logits = self.lanes[lane].logits;
        &logits[logits.len().saturating_sub(self.width)..]
    }

    /// How many tokens may still come in the first lane, the end token included; at least 1.
    pub fn remaining(&self) -> usize {
        self.budget - self.lane().tokens.len()
    }

    /// Whether a token ends the output.
    pub fn is_end(&self, token: u32) -> bool {
        self.end_tokens.contains(&token)
    }

    /// The random number of the first lane's next token.
    pub fn draw(&self) -> Draw {
        Draw { document: self.document, position: self.lane().tokens.len() as u64 }
    }

    /// Chooses the first lane's next token from its logits, under a mask or not.
    ///
    /// # Errors
    /// Where no allowed token has a usable logit.
    pub fn choose(&mut self, mask: Option<&[u32]>) -> Result<Choice, StepError> {
        let (last, draw) = (self.last(0), self.draw());
        Ok(self.sampler.choose(last, mask, draw)?)
    }
}

/// What becomes of a lane.
#[derive(Clone, Debug)]
pub struct LaneMove {
    /// The lane that it goes on from.
    pub from: usize,
    /// Records in place of those from a position on, of the same tokens: what has been learnt of drafted or forced ones.
    pub confirm: Option<(usize, Vec<TokenRecord>)>,
    /// How many tokens are then taken back, up to all of the output.
    pub withdraw: usize,
    /// The tokens that are then appended. None: the lane rests until a later move.
    pub append: Vec<TokenRecord>,
    /// Of how many of the appended tokens, the last ones, the logits are wanted; at least 1 where there are any.
    pub rows: usize,
}

impl LaneMove {
    /// A lane that goes on with these tokens.
    pub fn append(from: usize, append: Vec<TokenRecord>) -> Self {
        LaneMove { from, confirm: None, withdraw: 0, append, rows: 1 }
    }
}

/// Tokens that are appended to a prompt and computed with it: forced text, or a draft.
#[derive(Clone, Debug, Default)]
pub struct Opening {
    /// The tokens, fewer than the budget.
    pub tokens: Vec<TokenRecord>,
    /// Whether the logits behind the prompt and behind all of these are wanted in the first step, and not only the last.
    pub all_rows: bool,
}

/// How an output ends.
#[derive(Clone, Debug)]
pub enum Ending {
    /// With the tokens of this lane of the move, its appended ones among them; the output is complete.
    Lane(usize),
    /// With these tokens, complete or not.
    Tokens(Vec<TokenRecord>, bool),
}

/// What a strategy wants done.
#[derive(Clone, Debug)]
pub struct Move {
    /// The lanes from now on: at least one, at most as many as [`Strategy::lanes`].
    pub lanes: Vec<LaneMove>,
    /// Whether the output is there. Where it is not, and no lane has tokens appended to which others could follow within the
    /// budget, the output is cut off, and is what the first lane has.
    pub ending: Option<Ending>,
}

impl Move {
    /// One sampled token.
    pub fn sampled(choice: Choice, ended: bool) -> Self {
        Move::append(vec![TokenRecord::new(choice, Chosen::Sampled)], ended)
    }

    /// Tokens for the only lane, of the last of which the logits are wanted.
    pub fn append(tokens: Vec<TokenRecord>, ended: bool) -> Self {
        Move::one(LaneMove::append(0, tokens), ended)
    }

    /// A move of the only lane.
    pub fn one(lane: LaneMove, ended: bool) -> Self {
        Move { lanes: vec![lane], ending: ended.then_some(Ending::Lane(0)) }
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
    /// The logits could not be fetched.
    #[error("the logits that the choice was made from could not be fetched: {message}")]
    Fetch {
        /// What the model reports.
        message: String,
    },
    /// A choice that was not asked for.
    #[error("the strategy wanted choice {ask} of the {asks} that it had asked for")]
    Unasked {
        /// The choice.
        ask: usize,
        /// How many it had asked for.
        asks: usize,
    },
    /// The move does not fit into the budget.
    #[error("the strategy wanted to append {append} tokens where {remaining} remained")]
    Append {
        /// How many tokens the move has.
        append: usize,
        /// How many fit.
        remaining: usize,
    },
    /// The move takes back more than the output has.
    #[error("the strategy wanted to take back {withdraw} tokens of the {tokens} that the output has")]
    Withdraw {
        /// How many tokens the move takes back.
        withdraw: usize,
        /// How many there are to take.
        tokens: usize,
    },
    /// The move confirms other tokens than there are.
    #[error("the strategy confirmed tokens {from} to {to} of the output, which has others there, or none")]
    Confirm {
        /// The first.
        from: usize,
        /// Behind the last.
        to: usize,
    },
    /// More logits than appended tokens, or none.
    #[error("the strategy wanted the logits of {rows} of {append} appended tokens: it must be 1 to {append}")]
    Rows {
        /// How many rows.
        rows: usize,
        /// How many tokens.
        append: usize,
    },
    /// Lanes that do not exist.
    #[error(
        "the strategy wanted {lanes} lanes, one of them from lane {from}: there are {there}, and it may have {most}"
    )]
    Lanes {
        /// The lanes of the move.
        lanes: usize,
        /// The highest lane that one of them goes on from, or ends with.
        from: usize,
        /// The lanes that there are.
        there: usize,
        /// The most lanes of this strategy.
        most: usize,
    },
}

/// What a strategy has to say of its way to an output, beyond the output's tokens.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Effort {
    /// How many outputs were tried: samples drawn again, iterations, particles.
    pub attempts: usize,
    /// Tokens that were chosen for outputs, or parts of them, that were then given up.
    pub discarded: usize,
    /// Tokens proposed without the model that it did not confirm.
    pub refused_drafts: usize,
    /// Where the answer begins among the output's tokens: behind free text, where the strategy allows it.
    pub answer_from: usize,
    /// An estimate of the logarithm of the probability that an unconstrained sample is valid, where the strategy makes one.
    pub log_valid: Option<f64>,
}

impl Default for Effort {
    fn default() -> Self {
        Effort { attempts: 1, discarded: 0, refused_drafts: 0, answer_from: 0, log_valid: None }
    }
}

/// One document's decoding: decides, at each step, which tokens follow.
pub trait Strategy: Send {
    /// The strategy's name, as in experiment files and reports.
    fn name(&self) -> &'static str;

    /// How many lanes it follows at most; at least 1.
    fn lanes(&self) -> usize {
        1
    }

    /// The smallest budget with which this document can be decoded. Asked once, before anything is computed.
    fn least_budget(&mut self) -> usize {
        1
    }

    /// What is appended to the prompt before the model is first asked, within a budget; nothing by default. `overhead` as in
    /// [`Step::overhead`].
    fn opening(&mut self, budget: usize, end_tokens: &[u32], overhead: f64) -> Opening {
        let _ = (budget, end_tokens, overhead);
        Opening::default()
    }

    /// Does the work of the next step that needs no logits. Called before each [`Strategy::choose`] and, where the run says so, while the device computes.
    ///
    /// # Errors
    /// Where the document cannot go on.
    fn prepare(&mut self) -> Result<(), StepError> {
        Ok(())
    }

    /// What is to be chosen where the logits are: an ask for each row of them, in order. By default `None`: the strategy
    /// wants the logits themselves. Called only where the logits are not on the host, and after [`Strategy::prepare`]; the
    /// next [`Strategy::choose`] then gets the choices ([`Step::given`]).
    fn asks(&mut self, coming: Coming<'_>) -> Option<Vec<Ask>> {
        let _ = coming;
        None
    }

    /// Decides what follows.
    ///
    /// # Errors
    /// Where the document cannot go on.
    fn choose(&mut self, step: Step<'_>) -> Result<Move, StepError>;

    /// What it did beyond the tokens of the output. Asked once, when the output is there.
    fn effort(&self) -> Effort {
        Effort::default()
    }
}
