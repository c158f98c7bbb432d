//! Drafted decoding: several tokens are proposed, and one forward pass verifies them.
//!
//! Behind the prompt, and after each token that the model chose, a draft is made of what the constraint forces and of guesses
//! where it leaves a choice ([`Habits`]). Token and draft are appended together, and the logits behind all of them are fetched. Then each draft
//! token is compared with what masked decoding chooses from the logits before it; from the first one that differs, the rest is
//! taken back.
//!
//! **The output is that of [`Masked`](crate::Masked), token by token.** The chooser, the mask and the random number of a
//! position are the same; a draft only says for which tokens logits are computed in advance. (This is stronger than what
//! speculative sampling promises, which keeps the distribution; Leviathan, Kalman and Matias, "Fast inference from
//! transformers via speculative decoding", ICML 2023. It holds up to the rounding of the device's matrix products, which
//! may differ with the number of rows.)
//!
//! How long should a draft be? A token more costs a row of the forward pass, and is worth, if it is confirmed, what a token
//! costs. What that is, in rows, is counted: the rows of all passes so far, and what a pass costs beyond them
//! ([`Step::overhead`](crate::Step::overhead)), over the tokens that came of them. So a draft goes on while all of it is confirmed
//! with a probability of at least `tokens / cost`. (That is the rule which makes the average cost least, as for all gambles that
//! are repeated: with a lower bound, tokens are drafted that cost more than others do; with a higher one, some are left out
//! that cost less.) One document on a CPU is bold at first; sixteen, for which the arithmetic of the rows is all, are right or
//! silent; on a GPU, where rows are all but free, boldness costs nothing.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use crate::constraint::TokenConstraint;
use crate::cutter::Cutter;
use crate::guide::{Asked, Guide, Source, is_asked};
use crate::habits::{Ground, Habits};
use crate::model::Ask;
use crate::random::Draw;
use crate::record::{Chosen, TokenRecord};
use crate::registry::{Count, Parameter, StrategyDefinition};
use crate::strategy::{Coming, Effort, LaneMove, Move, Opening, Step, StepError, Strategy};

const MOST: Count = Count {
    name: "most",
    default: 24,
    most: 128,
    help: "how many tokens are proposed at once at most; a draft is shorter where more would not pay, see below",
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
        let habits = context.task.habits.clone();
        Ok(Box::new(Draft::new(context.constraint()?, context.cutter(), drafts, history, habits)))
    },
    ..StrategyDefinition::COMMON
};

/// So many bytes behind a draft are guessed, too: a word that ends with the draft is cut into other tokens than one that goes on.
const AHEAD: usize = 12;

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

/// The strategy `draft`: masked decoding, of which several steps are verified in one forward pass.
#[derive(Debug)]
pub struct Draft<C: TokenConstraint> {
    guide: Guide<C>,
    /// Behind the last token that is certain.
    state: C::State,
    cutter: Cutter,
    drafts: Drafts,
    /// The prompt's text, which guesses may recall.
    history: Arc<[u8]>,
    habits: Arc<Mutex<Habits>>,
    /// The bytes of the tokens that are certain.
    text: Vec<u8>,
    /// The tokens drafted last.
    draft: Vec<Proposed>,
    refused: usize,
}

impl<C: TokenConstraint> Draft<C> {
    /// Decodes under a constraint, from its start. `history` is the prompt's text; `habits` may be shared by all documents
    /// of a format.
    pub fn new(
        constraint: C,
        cutter: Cutter,
        drafts: Drafts,
        history: impl Into<Arc<[u8]>>,
        habits: Arc<Mutex<Habits>>,
    ) -> Self {
        let state = constraint.start();
        Draft {
            guide: Guide { constraint },
            state,
            cutter,
            drafts,
            history: history.into(),
            habits,
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

    /// What is likely to follow the state: at most `most` tokens.
    fn propose(&mut self, most: usize, end_tokens: &[u32], overhead: f64) -> Vec<Proposed> {
        let Draft { guide, habits, .. } = self;
        let constraint = &mut guide.constraint;
        let habits = habits.lock().unwrap_or_else(PoisonError::into_inner);
        let least = self.drafts.least_probability.unwrap_or(1.0 / habits.cost(overhead));
        // The bytes, and of each the ground and the estimated probability that all up to it are confirmed.
        let (mut bytes, mut grounds) = (Vec::new(), Vec::new());
        let (mut state, mut probability, mut ends) = (self.state, 1.0, false);
        // How many of the bytes are likely enough. What follows them says where the last token among them ends.
        let mut likely = None;
        let mut text = self.text.clone();
        // No vocabulary has so long tokens that more bytes would be needed.
        while bytes.len() < 16 * most && likely.is_none_or(|likely| bytes.len() < likely + AHEAD) {
            let next = constraint.next_bytes(state);
            let may_end = constraint.accepts(state);
            let (byte, ground) = match next[..] {
                [(byte, _)] if !may_end => (Some(byte), Ground::Forced),
                [] => (None, Ground::Forced),
                _ => {
                    let allowed: Vec<u8> = next.iter().map(|&(byte, _)| byte).collect();
                    match habits.guess(&self.history, &text, &allowed, may_end) {
                        Some(guess) => (guess.byte, guess.ground),
                        None => break,
                    }
                }
            };
            if ground != Ground::Forced {
                probability *= habits.trust(ground);
            }
            if habits.chance(probability) < least {
                likely.get_or_insert(bytes.len());
            }
            let Some(byte) = byte else {
                ends = likely.is_none();
                grounds.push((ground, probability));
                break;
            };
            let Some(&(_, behind)) = next.iter().find(|(other, _)| *other == byte) else {
                break;
            };
            bytes.push(byte);
            grounds.push((ground, probability));
            text.push(byte);
            state = behind;
        }
        drop(habits);
        // A character that is not whole can't be cut.
        let whole =
            (0..=bytes.len()).rev().take(4).find(|&end| std::str::from_utf8(&text[..self.text.len() + end]).is_ok());
        let Some(whole) = whole else { return Vec::new() };
        ends &= whole == bytes.len();
        bytes.truncate(whole);
        let cut = self.cutter.cut(&self.text, &bytes).or_else(|| self.cutter.cut(&[], &bytes));
        let (mut draft, mut at) = (Vec::new(), 0);
        for token in cut.unwrap_or_default() {
            let length = self.cutter.table().bytes(token).len();
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
}

impl<C: TokenConstraint> Strategy for Draft<C> {
    fn name(&self) -> &'static str {
        "draft"
    }

    fn least_budget(&mut self) -> usize {
        self.guide.constraint.tokens_to_finish(self.state)
    }

    fn opening(&mut self, budget: usize, end_tokens: &[u32], overhead: f64) -> Opening {
        self.draft = self.propose(self.drafts.most.min(budget - 1), end_tokens, overhead);
        Opening { tokens: self.drafted().collect(), all_rows: true }
    }

    fn prepare(&mut self) -> Result<(), StepError> {
        self.guide.constraint.mask(self.state);
        Ok(())
    }

    fn asks(&mut self, coming: Coming<'_>) -> Option<Vec<Ask>> {
        if !is_asked(coming.sampling) {
            return None;
        }
        let first = coming.tokens.len() - self.draft.len();
        let mut asks = Vec::with_capacity(self.draft.len() + 1);
        // Behind a token that is refused, or ends the output, nothing is looked at.
        let mut state = Some(self.state);
        for number in 0..=self.draft.len() {
            let draw = Draw { document: coming.document, position: (first + number) as u64 };
            asks.push(match state {
                Some(state) => self.guide.ask(state, draw, coming.mask_time),
                None => Ask { mask: None, draw },
            });
            if let Some(&Proposed { token, .. }) = self.draft.get(number) {
                state = state.and_then(|state| self.guide.constraint.advance(state, token));
            }
        }
        Some(asks)
    }

    fn choose(&mut self, step: Step<'_>) -> Result<Move, StepError> {
        let lane = step.lane();
        let draft = std::mem::take(&mut self.draft);
        let first = lane.tokens.len() - draft.len();
        let mut confirmed = Vec::with_capacity(draft.len());
        let mut new = None;
        let mut ended = false;
        // Row i stands behind draft token i - 1; row 0 behind the token before the draft.
        let rows = match step.given {
            Some(given) => given.picks.len(),
            None => lane.logits.len() / step.width,
        };
        for i in 0..rows {
            let source = match step.given {
                Some(given) => Source::Given(i, given),
                None => Source::Logits(&lane.logits[i * step.width..][..step.width]),
            };
            let mut draw = step.draw();
            draw.position = (first + i) as u64;
            let asked = Asked {
                source,
                draw,
                remaining: step.budget - (first + i),
                end_tokens: step.end_tokens,
                sampler: step.sampler,
                mask_time: step.mask_time,
            };
            let (choice, next) = self.guide.choose(self.state, asked)?;
            self.state = next;
            ended = step.end_tokens.contains(&choice.token);
            if !ended {
                self.text.extend_from_slice(self.cutter.table().bytes(choice.token));
            }
            let proposed = draft.get(i);
            let is_confirmed = proposed.is_some_and(|proposed| proposed.token == choice.token);
            if let Some(&Proposed { ground, .. }) = proposed {
                let mut habits = self.habits.lock().unwrap_or_else(PoisonError::into_inner);
                habits.judge(ground, is_confirmed);
            }
            if !is_confirmed {
                new = Some(TokenRecord::new(choice, Chosen::Sampled));
                break;
            }
            confirmed.push(TokenRecord::new(choice, Chosen::Drafted));
            if ended {
                break;
            }
        }
        let withdraw = draft.len() - confirmed.len();
        self.refused += withdraw;
        let certain = first + confirmed.len() + usize::from(new.is_some());
        let mut append: Vec<TokenRecord> = new.into_iter().collect();
        let mut habits = self.habits.lock().unwrap_or_else(PoisonError::into_inner);
        habits.pay(rows as f64 + step.overhead, certain - first);
        for (number, proposed) in draft.iter().enumerate() {
            habits.judge_draft(proposed.estimated, number < confirmed.len());
        }
        if ended {
            habits.learn(&self.text);
        } else {
            drop(habits);
            let clock = Instant::now();
            // The token behind the draft needs room, too.
            let room = step.budget.saturating_sub(certain + 1);
            self.draft = self.propose(self.drafts.most.min(room), step.end_tokens, step.overhead);
            *step.mask_time += clock.elapsed();
            append.extend(self.drafted());
        }
        let lane = LaneMove {
            from: 0,
            confirm: (!confirmed.is_empty()).then_some((first, confirmed)),
            withdraw,
            rows: append.len(),
            append,
        };
        Ok(Move::one(lane, ended))
    }

    fn effort(&self) -> Effort {
        Effort { refused_drafts: self.refused, ..Effort::default() }
    }
}
