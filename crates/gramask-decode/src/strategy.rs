//! A strategy decides what happens to the logits of one document.
//!
//! The batch loop appends tokens to the cache and fetches logits. The strategy does the rest: after every append it is called
//! once, gets the logits, and answers with a [`Move`]. All strategies share the model, the cache, the sampler and the
//! constraint, so that a comparison compares only the strategy.
//!
//! # Hypotheses
//! A **hypothesis** is one version of the document's output, in a slot of its own. Most strategies have one. A strategy with
//! several ([`Strategy::hypotheses`]) begins with one, which holds the prompt. Each move lists the next hypotheses, and for
//! each of them the hypothesis that it continues. A hypothesis that is continued twice is forked; one that is not continued
//! is dropped. A move can take tokens of a hypothesis back, append others, or let it rest.
//!
//! # Sampling on the device
//! A strategy that needs one token for each row of logits can ask for it in advance ([`Strategy::sample_requests`]). Where the
//! logits are on a GPU, the tokens are then sampled on the GPU, with the draws and filters of the [`Sampler`]. The strategy gets
//! them in place of the logits ([`RowLogits`]). If it cannot take a token, since the output could not be finished after it, it
//! asks for another in a second round ([`Strategy::sample_again`]). `unconstrained`, `masked`, `lazy` and `draft` sample on the
//! device; the others work on logits on the host.

use std::time::Duration;

use gramask_kernels::sampling::Sampling;
use serde::{Deserialize, Serialize};

use crate::budgeted_sampler::Limit;
use crate::model::{SampleRequest, Sampled};
use crate::random::Draw;
use crate::record::{Chosen, TokenRecord};
use crate::row_logits::{DeviceSamples, RowLogits};
use crate::sampler::{Choice, Sampler};

pub use crate::step_error::StepError;

/// One version of the output, as a strategy sees it.
#[derive(Clone, Copy, Debug)]
pub struct Hypothesis<'a> {
    /// The logits after each of the last tokens, `[rows, vocabulary]`. There are as many rows as the last move asked for, and
    /// none where the hypothesis rested or its tokens were sampled on the device.
    pub logits: &'a [f32],
    /// Its tokens so far, including those that may yet be taken back.
    pub tokens: &'a [TokenRecord],
}

/// What is known of a step before its logits are.
pub struct PreSample<'a> {
    /// The first hypothesis's tokens so far, drafted ones included.
    pub tokens: &'a [TokenRecord],
    /// How many rows of logits the first hypothesis asked for.
    pub rows: usize,
    /// How tokens are sampled.
    pub sampling: &'a Sampling,
    /// The most tokens of an output, the end token included.
    pub budget: usize,
    /// The tokens that end an output.
    pub end_tokens: &'a [u32],
    /// The document's number in draws.
    pub document: u64,
    /// The strategy adds the time that its constraint took.
    pub mask_time: &'a mut Duration,
}

impl PreSample<'_> {
    /// The draw of the first hypothesis's next token.
    pub fn draw(&self) -> Draw {
        self.draw_at(self.tokens.len())
    }

    /// The draw of the first hypothesis's token at a position.
    pub fn draw_at(&self, position: usize) -> Draw {
        Draw { document: self.document, position: position as u64 }
    }

    /// How many tokens may come from a position on.
    pub(crate) fn limit_at(&self, position: usize) -> Limit<'_> {
        Limit { remaining: self.budget.saturating_sub(position), end_tokens: self.end_tokens }
    }
}

/// What a strategy sees at a step.
pub struct Step<'a> {
    /// The hypotheses, as the last move made them. At first there is one, which holds the prompt. Never empty.
    pub hypotheses: &'a [Hypothesis<'a>],
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
    /// The tokens that were sampled on the device, if the strategy has asked for that.
    pub(crate) on_device: Option<DeviceSamples<'a>>,
    /// What this document's share of a forward pass costs in addition to its own rows, in rows: see
    /// [`LanguageModel::overhead`](crate::LanguageModel::overhead).
    pub overhead: f64,
    /// The strategy adds the time that its constraint took.
    pub mask_time: &'a mut Duration,
}

impl<'a> Step<'a> {
    /// The first hypothesis: the only one of most strategies.
    pub fn hypothesis(&self) -> Hypothesis<'a> {
        self.hypotheses[0]
    }

    /// How many rows of logits the first hypothesis has.
    pub fn rows(&self) -> usize {
        match self.on_device {
            Some(device) => device.samples.len(),
            None => self.hypothesis().logits.len() / self.width,
        }
    }

    /// A row of the first hypothesis's logits. Row `i` stands after the token that comes `rows - 1 - i` before the last.
    ///
    /// # Errors
    /// Where the row does not exist.
    pub fn row(&self, row: usize) -> Result<RowLogits<'a>, StepError> {
        let found = match self.on_device {
            Some(device) => device.get(row).map(RowLogits::Device),
            None => {
                let logits = self.hypothesis().logits;
                logits.chunks_exact(self.width).nth(row).map(RowLogits::Host)
            }
        };
        found.ok_or(StepError::NoRow { row, rows: self.rows() })
    }

    /// The logits after the last token of the first hypothesis.
    ///
    /// # Errors
    /// Where there are none.
    pub fn last_row(&self) -> Result<RowLogits<'a>, StepError> {
        self.row(self.rows().saturating_sub(1))
    }

    /// The logits after the last token of a hypothesis, on the host: `[vocabulary]`.
    pub fn last(&self, hypothesis: usize) -> &'a [f32] {
        let logits = self.hypotheses[hypothesis].logits;
        &logits[logits.len().saturating_sub(self.width)..]
    }

    /// How many tokens may still come in the first hypothesis, the end token included; at least 1.
    pub fn remaining(&self) -> usize {
        self.budget - self.hypothesis().tokens.len()
    }

    /// Whether a token ends the output.
    pub fn is_end(&self, token: u32) -> bool {
        self.end_tokens.contains(&token)
    }

    /// The draw of the first hypothesis's next token.
    pub fn draw(&self) -> Draw {
        Draw { document: self.document, position: self.hypothesis().tokens.len() as u64 }
    }

    /// Chooses the first hypothesis's next token among all tokens, or takes the one that was sampled on the device.
    ///
    /// # Errors
    /// Where no token has a usable logit.
    pub fn choose(&mut self) -> Result<Choice, StepError> {
        let draw = self.draw();
        Ok(match self.last_row()? {
            RowLogits::Host(logits) => self.sampler.choose(logits, None, draw)?,
            RowLogits::Device(device) => device.sample?,
        })
    }
}

/// How a hypothesis continues.
#[derive(Clone, Debug)]
pub struct HypothesisMove {
    /// The hypothesis that it continues.
    pub from: usize,
    /// New records of the same tokens from a position on: drafted or forced tokens that now have scores.
    pub confirm: Option<(usize, Vec<TokenRecord>)>,
    /// How many tokens are then taken back, at most all of the output.
    pub withdraw: usize,
    /// The tokens that are then appended. If empty, the hypothesis rests until a later move.
    pub append: Vec<TokenRecord>,
    /// The logits after this many of the appended tokens are wanted, counted from the last; at least 1 if any are appended.
    pub rows: usize,
}

impl HypothesisMove {
    /// Continues a hypothesis with these tokens.
    pub fn append(from: usize, append: Vec<TokenRecord>) -> Self {
        HypothesisMove { from, confirm: None, withdraw: 0, append, rows: 1 }
    }
}

/// Tokens that are appended to a prompt and computed with it: forced text, or a draft.
#[derive(Clone, Debug, Default)]
pub struct Opening {
    /// The tokens, fewer than the budget.
    pub tokens: Vec<TokenRecord>,
    /// Whether the first step wants the logits after the prompt and after each of these tokens, and not only the last.
    pub all_rows: bool,
}

/// How an output ends.
#[derive(Clone, Debug)]
pub enum Ending {
    /// With the tokens of this hypothesis of the move, the appended ones included. The output is complete.
    Hypothesis(usize),
    /// With these tokens, complete or not.
    Tokens(Vec<TokenRecord>, bool),
}

/// What a strategy decides.
#[derive(Clone, Debug)]
pub struct Move {
    /// The next hypotheses: at least one, at most as many as [`Strategy::hypotheses`].
    pub hypotheses: Vec<HypothesisMove>,
    /// How the output ends, if it does. If it does not, and no hypothesis has appended tokens with room for more in the budget,
    /// the output is cut off: it is the first hypothesis.
    pub ending: Option<Ending>,
}

impl Move {
    /// One sampled token.
    pub fn sampled(choice: Choice, ended: bool) -> Self {
        Move::append(vec![TokenRecord::new(choice, Chosen::Sampled)], ended)
    }

    /// Tokens for the only hypothesis. The logits after the last are wanted.
    pub fn append(tokens: Vec<TokenRecord>, ended: bool) -> Self {
        Move::one(HypothesisMove::append(0, tokens), ended)
    }

    /// A move of the only hypothesis.
    pub fn one(hypothesis: HypothesisMove, ended: bool) -> Self {
        Move { hypotheses: vec![hypothesis], ending: ended.then_some(Ending::Hypothesis(0)) }
    }
}

/// What a strategy did in addition to the tokens of its output. The default is nothing: no output was tried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Effort {
    /// How many outputs were tried: repeated samples, iterations, particles, finished hypotheses.
    pub attempts: usize,
    /// Tokens of outputs, or of parts of them, that were dropped.
    pub discarded: usize,
    /// Proposed tokens that the model did not confirm.
    pub refused_drafts: usize,
    /// An estimate of the logarithm of the probability that an unconstrained sample is valid, if the strategy makes one.
    pub log_valid: Option<f64>,
}

impl Effort {
    /// One output, and nothing else.
    pub const ONE_OUTPUT: Effort = Effort { attempts: 1, discarded: 0, refused_drafts: 0, log_valid: None };
}

/// One document's decoding: decides, at each step, which tokens follow.
pub trait Strategy: Send {
    /// The strategy's name, as in experiment files and reports.
    fn name(&self) -> &'static str;

    /// The most hypotheses that it follows, at least 1.
    fn hypotheses(&self) -> usize {
        1
    }

    /// The smallest budget for this document. Called once, before anything is computed.
    fn least_budget(&mut self) -> usize {
        1
    }

    /// The tokens that are appended to the prompt before the model is first asked; none by default. `overhead` as in
    /// [`Step::overhead`].
    fn opening(&mut self, budget: usize, end_tokens: &[u32], overhead: f64) -> Opening {
        let _ = (budget, end_tokens, overhead);
        Opening::default()
    }

    /// Does the work of the next step that needs no logits. Called before each [`Strategy::choose`]; if the run says so, while
    /// the device computes.
    ///
    /// # Errors
    /// Where the document cannot continue.
    fn prepare(&mut self) -> Result<(), StepError> {
        Ok(())
    }

    /// The tokens to sample on the device: a request for each row of logits, in order. `None`, the default, asks for the logits
    /// themselves. Called after [`Strategy::prepare`], and only if the logits are not on the host. The next
    /// [`Strategy::choose`] gets the samples as [`RowLogits::Device`].
    fn sample_requests(&mut self, step: PreSample<'_>) -> Option<Vec<SampleRequest>> {
        let _ = step;
        None
    }

    /// The tokens to sample again on the device, where the strategy cannot take the sample that it got: rows of logits, each
    /// with a request. A row may come several times. None by default. Called with the samples of the first round, one for
    /// each row. The device then samples once for the second requests of all documents. The next [`Strategy::choose`] gets
    /// the samples of both rounds as [`RowLogits::Device`].
    fn sample_again(&mut self, step: PreSample<'_>, samples: &[Sampled]) -> Vec<(usize, SampleRequest)> {
        let _ = (step, samples);
        Vec::new()
    }

    /// Decides what follows.
    ///
    /// # Errors
    /// Where the document cannot continue.
    fn choose(&mut self, step: Step<'_>) -> Result<Move, StepError>;

    /// The output token that the answer begins with: the tokens before it are free text. Called once, when the output is
    /// complete.
    fn answer_from(&self) -> usize {
        0
    }

    /// What it did in addition to the tokens of the output. Called once, when the output is complete.
    fn effort(&self) -> Effort {
        Effort::ONE_OUTPUT
    }
}
