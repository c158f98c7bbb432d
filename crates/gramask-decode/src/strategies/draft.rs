//! Drafted decoding: several tokens are proposed, and one forward pass verifies them.
//!
//! A draft is made after the prompt, and after each token that the model chose. It consists of what the constraint forces, and
//! of guesses where the constraint leaves a choice ([`NgramDraftModel`]). Token and draft are appended together, and the logits
//! after each of them are computed in one pass. Each draft token is then compared with the token that masked decoding chooses
//! from the logits before it. From the first difference on, the draft is taken back.
//!
//! **The output is that of [`Masked`](crate::Masked), token by token.** The chooser, the mask and the random number of a position
//! are the same. A draft only says for which tokens logits are computed in advance. (This is stronger than what speculative
//! sampling promises, which keeps the distribution; Leviathan, Kalman and Matias, "Fast inference from transformers via
//! speculative decoding", ICML 2023. It holds up to the rounding of the device's matrix products, which may differ with the
//! number of rows.)
//!
//! How long should a draft be? One more token costs one more row of the forward pass. If it is confirmed, it is worth what a
//! token costs otherwise. That cost is counted in rows: the rows of all passes so far and their overhead
//! ([`Step::overhead`](crate::Step::overhead)), divided by the tokens that they gave. So a draft goes on while all of it is
//! confirmed with a probability of at least `tokens / cost`. This rule has the least average cost, as in every repeated gamble. A
//! lower bound drafts tokens that cost more than others. A higher bound leaves out tokens that cost less. One document on a CPU
//! begins with long drafts. With sixteen documents the rows themselves take most of the time, and drafts are short unless they
//! are almost certain. On a GPU rows cost almost nothing, and drafts are long.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use crate::budgeted_sampler::{BudgetedSampler, Limit, SampleContext, is_presampled};
use crate::constraint::{ByteConstraint, TokenConstraint};
use crate::model::{SampleRequest, Sampled};
use crate::ngram_draft::{Ground, NgramDraftModel};
use crate::random::Draw;
use crate::record::{Chosen, TokenRecord};
use crate::registry::{Count, Parameter, StrategyDefinition};
use crate::retokenizer::Retokenizer;
use crate::strategy::{Effort, HypothesisMove, Move, Opening, PreSample, Step, StepError, Strategy};

const MOST: Count = Count {
    name: "most",
    default: 24,
    most: 128,
    help: "how many tokens are proposed at once at most; a draft is shorter where more would not pay",
};

/// `draft`, as the program knows it.
pub(super) const DEFINITION: StrategyDefinition = StrategyDefinition {
    name: "draft",
    summary: "masked; several tokens are proposed, and one pass verifies them; same output as `masked`",
    cost: "fewer passes of more tokens",
    parameters: &[Parameter::Count(MOST)],
    build: |given, context| {
        let drafts = Drafts { most: given.count(&MOST), ..Drafts::default() };
        let history = context.task.prompt.as_bytes();
        let ngrams = context.task.ngrams.clone();
        Ok(Box::new(Draft::new(context.constraint()?, context.retokenizer(), drafts, history, ngrams)))
    },
    canonical: false,
    ..StrategyDefinition::COMMON
};

/// This many bytes after a draft are guessed too, since a word that goes on has other tokens than one that ends.
const LOOKAHEAD: usize = 12;

/// How long drafts are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Drafts {
    /// At most so many tokens are drafted at once.
    pub most: usize,
    /// A draft goes on while it is confirmed as a whole with at least this estimated probability; `None`: as long as that pays.
    pub least_probability: Option<f64>,
}

impl Default for Drafts {
    fn default() -> Self {
        Drafts { most: 24, least_probability: None }
    }
}

/// A drafted token.
#[derive(Clone, Copy, Debug)]
struct Proposed {
    token: u32,
    /// Of the first guess in it.
    ground: Ground,
    /// The estimated probability that it and all before it are confirmed.
    estimated: f64,
}

/// Guessed bytes.
struct Guessed {
    bytes: Vec<u8>,
    /// For each byte the ground of its guess, and the estimated probability that all bytes up to it are confirmed. If the
    /// output ends after the bytes, one more for its end.
    grounds: Vec<(Ground, f64)>,
    /// How many of the bytes are likely enough; all if `None`. The bytes after them show where the last token among them ends.
    likely: Option<usize>,
    /// Whether the output ends after the bytes.
    ends: bool,
}

/// The strategy `draft`: masked decoding, of which several steps are verified in one forward pass.
#[derive(Debug)]
pub struct Draft<C: TokenConstraint> {
    sampler: BudgetedSampler<C>,
    /// The state after the last token that is certain.
    state: C::State,
    retokenizer: Retokenizer,
    drafts: Drafts,
    /// The prompt's text, which guesses may recall.
    history: Arc<[u8]>,
    ngrams: Arc<Mutex<NgramDraftModel>>,
    /// The bytes of the tokens that are certain.
    text: Vec<u8>,
    /// The tokens drafted last.
    draft: Vec<Proposed>,
    refused: usize,
}

impl<C: ByteConstraint> Draft<C> {
    /// Decodes under a constraint, from its start. `history` is the prompt's text; `ngrams` may be shared by all documents
    /// of a format.
    pub fn new(
        constraint: C,
        retokenizer: Retokenizer,
        drafts: Drafts,
        history: impl Into<Arc<[u8]>>,
        ngrams: Arc<Mutex<NgramDraftModel>>,
    ) -> Self {
        let state = constraint.start();
        Draft {
            sampler: BudgetedSampler { constraint },
            state,
            retokenizer,
            drafts,
            history: history.into(),
            ngrams,
            text: Vec::new(),
            draft: Vec::new(),
            refused: 0,
        }
    }

    /// The draft as tokens that the model has not seen yet.
    fn drafted(&self) -> impl Iterator<Item = TokenRecord> {
        let tokens = self.draft.iter();
        tokens.map(|proposed| TokenRecord::unscored(proposed.token, Chosen::Drafted))
    }

    /// Guesses the bytes after the state, until a draft of them no longer pays or is long enough for `most` tokens.
    fn guess(&mut self, most: usize, overhead: f64) -> Guessed {
        let Draft { sampler, ngrams, .. } = self;
        let constraint = &mut sampler.constraint;
        let ngrams = ngrams.lock().unwrap_or_else(PoisonError::into_inner);
        let least = self.drafts.least_probability.unwrap_or(1.0 / ngrams.cost(overhead));
        let mut guessed = Guessed { bytes: Vec::new(), grounds: Vec::new(), likely: None, ends: false };
        let (mut state, mut probability) = (self.state, 1.0);
        let mut text = self.text.clone();
        // No vocabulary has so long tokens that more bytes would be needed.
        while guessed.bytes.len() < 16 * most
            && guessed.likely.is_none_or(|likely| guessed.bytes.len() < likely + LOOKAHEAD)
        {
            let next = constraint.next_bytes(state);
            let may_end = constraint.accepts(state);
            let (byte, ground) = match next[..] {
                [(byte, _)] if !may_end => (Some(byte), Ground::Forced),
                [] => (None, Ground::Forced),
                _ => {
                    let allowed: Vec<u8> = next.iter().map(|&(byte, _)| byte).collect();
                    match ngrams.guess(&self.history, &text, &allowed, may_end) {
                        Some(guess) => (guess.byte, guess.ground),
                        None => break,
                    }
                }
            };
            if ground != Ground::Forced {
                probability *= ngrams.trust(ground);
            }
            if ngrams.chance(probability) < least {
                guessed.likely.get_or_insert(guessed.bytes.len());
            }
            let Some(byte) = byte else {
                guessed.ends = guessed.likely.is_none();
                guessed.grounds.push((ground, probability));
                break;
            };
            let Some(&(_, after)) = next.iter().find(|(other, _)| *other == byte) else {
                break;
            };
            guessed.bytes.push(byte);
            guessed.grounds.push((ground, probability));
            text.push(byte);
            state = after;
        }
        guessed
    }

    /// The tokens that are likely to follow the state, at most `most`.
    fn propose(&mut self, most: usize, end_tokens: &[u32], overhead: f64) -> Vec<Proposed> {
        let Guessed { mut bytes, grounds, likely, mut ends } = self.guess(most, overhead);
        // Only whole characters can be tokenized.
        let text = [&self.text[..], &bytes].concat();
        let whole =
            (0..=bytes.len()).rev().take(4).find(|&end| std::str::from_utf8(&text[..self.text.len() + end]).is_ok());
        let Some(whole) = whole else { return Vec::new() };
        ends &= whole == bytes.len();
        bytes.truncate(whole);
        let retokenizer = &self.retokenizer;
        let tokens = retokenizer.retokenize(&self.text, &bytes).or_else(|| retokenizer.retokenize(&[], &bytes));
        let (mut draft, mut at) = (Vec::new(), 0);
        for token in tokens.unwrap_or_default() {
            let length = retokenizer.vocabulary().bytes(token).len();
            if likely.is_some_and(|likely| at + length > likely) {
                break;
            }
            let grounds = &grounds[at..at + length];
            let guess = grounds.iter().find(|(ground, _)| *ground != Ground::Forced);
            draft.push(Proposed {
                token,
                ground: guess.map_or(Ground::Forced, |(ground, _)| *ground),
                estimated: grounds.last().map_or(0.0, |(_, estimated)| *estimated),
            });
            at += length;
        }
        if ends && let (Some(&token), Some(&(ground, estimated))) = (end_tokens.first(), grounds.last()) {
            draft.push(Proposed { token, ground, estimated });
        }
        draft.truncate(most);
        draft
    }

    /// Chooses a token from each row of logits until one differs from the draft, whose first token is token `first` of the
    /// output.
    fn verify(&mut self, draft: &[Proposed], first: usize, step: &mut Step<'_>) -> Result<Verified, StepError> {
        let mut verified = Verified { confirmed: Vec::with_capacity(draft.len()), new: None, ended: false };
        // Row i stands after draft token i - 1; row 0 after the token before the draft.
        for number in 0..step.rows() {
            let row = step.row(number)?;
            let context = SampleContext {
                row,
                draw: Draw { document: step.document, position: (first + number) as u64 },
                limit: Limit { remaining: step.budget - (first + number), end_tokens: step.end_tokens },
                sampler: step.sampler,
                mask_time: step.mask_time,
            };
            let (choice, next) = self.sampler.choose(self.state, context)?;
            self.state = next;
            verified.ended = step.end_tokens.contains(&choice.token);
            if !verified.ended {
                self.text.extend_from_slice(self.retokenizer.vocabulary().bytes(choice.token));
            }
            let proposed = draft.get(number);
            let is_confirmed = proposed.is_some_and(|proposed| proposed.token == choice.token);
            if let Some(&Proposed { ground, .. }) = proposed {
                let mut ngrams = self.ngrams.lock().unwrap_or_else(PoisonError::into_inner);
                ngrams.judge(ground, is_confirmed);
            }
            // The samples after a token that was sampled again are not tested yet. So it ends the draft, even if it is the
            // draft's.
            if !is_confirmed || !row.sampled_again().is_empty() {
                verified.new = Some(TokenRecord::new(choice, Chosen::Sampled));
                break;
            }
            verified.confirmed.push(TokenRecord::new(choice, Chosen::Drafted));
            if verified.ended {
                break;
            }
        }
        Ok(verified)
    }
}

/// What the model made of a draft.
struct Verified {
    /// The drafted tokens that masked decoding chooses too.
    confirmed: Vec<TokenRecord>,
    /// The token that it chooses after them.
    new: Option<TokenRecord>,
    /// Whether the last of these tokens ends the output.
    ended: bool,
}

impl<C: ByteConstraint> Strategy for Draft<C> {
    fn name(&self) -> &'static str {
        "draft"
    }

    fn least_budget(&mut self) -> usize {
        self.sampler.constraint.tokens_to_finish(self.state)
    }

    fn opening(&mut self, budget: usize, end_tokens: &[u32], overhead: f64) -> Opening {
        self.draft = self.propose(self.drafts.most.min(budget - 1), end_tokens, overhead);
        Opening { tokens: self.drafted().collect(), all_rows: true }
    }

    fn prepare(&mut self) -> Result<(), StepError> {
        self.sampler.constraint.mask(self.state);
        Ok(())
    }

    fn sample_requests(&mut self, step: PreSample<'_>) -> Option<Vec<SampleRequest>> {
        if !is_presampled(step.sampling) {
            return None;
        }
        let first = step.tokens.len() - self.draft.len();
        let mut requests = Vec::with_capacity(self.draft.len() + 1);
        // After a token that is refused or that ends the output, samples are not used.
        let mut state = Some(self.state);
        for number in 0..=self.draft.len() {
            let draw = Draw { document: step.document, position: (first + number) as u64 };
            requests.push(match state {
                Some(state) => self.sampler.request(state, draw, step.mask_time),
                None => SampleRequest { mask: None, draw },
            });
            if let Some(&Proposed { token, .. }) = self.draft.get(number) {
                state = state.and_then(|state| self.sampler.constraint.advance(state, token));
            }
        }
        Some(requests)
    }

    fn sample_again(&mut self, mut step: PreSample<'_>, samples: &[Sampled]) -> Vec<(usize, SampleRequest)> {
        let first = step.tokens.len() - self.draft.len();
        let (mut state, mut again) = (self.state, Vec::new());
        // As in `verify`: up to the first row that is sampled again or whose token is not the draft's.
        for (number, sample) in samples.iter().enumerate() {
            if let Some(request) = self.sampler.request_again(state, sample, first + number, &mut step) {
                again.push((number, request));
                break;
            }
            let drafted = self.draft.get(number).map(|proposed| proposed.token);
            let confirmed = drafted.filter(|&token| sample.is_ok_and(|choice| choice.token == token));
            match confirmed.and_then(|token| self.sampler.constraint.advance(state, token)) {
                Some(next) => state = next,
                None => break,
            }
        }
        again
    }

    fn choose(&mut self, mut step: Step<'_>) -> Result<Move, StepError> {
        let draft = std::mem::take(&mut self.draft);
        let first = step.hypothesis().tokens.len() - draft.len();
        let Verified { confirmed, new, ended } = self.verify(&draft, first, &mut step)?;
        let withdraw = draft.len() - confirmed.len();
        self.refused += withdraw;
        let certain = first + confirmed.len() + usize::from(new.is_some());
        let mut append: Vec<TokenRecord> = new.into_iter().collect();
        let mut ngrams = self.ngrams.lock().unwrap_or_else(PoisonError::into_inner);
        ngrams.pay(step.rows() as f64 + step.overhead, certain - first);
        for (number, proposed) in draft.iter().enumerate() {
            ngrams.judge_draft(proposed.estimated, number < confirmed.len());
        }
        if ended {
            ngrams.learn(&self.text);
        } else {
            drop(ngrams);
            let clock = Instant::now();
            // The token after the draft needs room too.
            let room = step.budget.saturating_sub(certain + 1);
            self.draft = self.propose(self.drafts.most.min(room), step.end_tokens, step.overhead);
            *step.mask_time += clock.elapsed();
            append.extend(self.drafted());
        }
        let hypothesis = HypothesisMove {
            from: 0,
            confirm: (!confirmed.is_empty()).then_some((first, confirmed)),
            withdraw,
            rows: append.len(),
            append,
        };
        Ok(Move::one(hypothesis, ended))
    }

    fn effort(&self) -> Effort {
        Effort { refused_drafts: self.refused, ..Effort::ONE_OUTPUT }
    }
}
