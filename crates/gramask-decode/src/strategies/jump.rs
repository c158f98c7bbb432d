//! Jump-forward decoding: forced text is appended without asking the model.
//!
//! Before the first token and after each chosen one, the constraint says which bytes must follow. These bytes are retokenized
//! and appended with the chosen token, so that one forward pass computes them all. At both ends the tokens can change:
//!
//! - **on the left**, the tokenizer may join the chosen token and the forced text (`"` and `text` may be one token). Its tokens
//!   then replace the chosen token, which has not been computed yet. The text is the same;
//! - **on the right**, the last forced token is left to the model if the mask allows a longer token that begins with it. The
//!   model may prefer to write the longer token.
//!
//! The model's opinion of later text can depend on the tokens of earlier text, and masked decoding may write forced text in
//! other tokens. So the output of `jump` can differ from that of `masked`. It is valid all the same, and summaries count the
//! documents whose entities differ.

use std::time::Instant;

use gramask_grammar::tokens_of;

use crate::budgeted_sampler::{BudgetedSampler, SampleContext};
use crate::constraint::{ByteConstraint, TokenConstraint};
use crate::record::{Chosen, TokenRecord};
use crate::registry::{Flag, Parameter, StrategyDefinition};
use crate::retokenizer::Retokenizer;
use crate::strategy::{HypothesisMove, Move, Opening, Step, StepError, Strategy};

const SCORED: Flag =
    Flag { name: "scored", help: "ask the model about forced tokens too, so that the importance weight is known" };

/// `jump`, as the program knows it.
pub(super) const DEFINITION: StrategyDefinition = StrategyDefinition {
    name: "jump",
    summary: "masked; forced text is appended without asking the model, in the tokens that the tokenizer gives",
    cost: "fewer passes; with `scored` some time for logits",
    parameters: &[Parameter::Flag(SCORED)],
    build: |given, context| {
        Ok(Box::new(Jump::new(context.constraint()?, context.retokenizer()).scored(given.flag(&SCORED))))
    },
    canonical: false,
    ..StrategyDefinition::COMMON
};

/// The strategy `jump`: masked decoding, and forced text is appended in one forward pass.
#[derive(Debug)]
pub struct Jump<C: TokenConstraint> {
    sampler: BudgetedSampler<C>,
    state: C::State,
    retokenizer: Retokenizer,
    /// The bytes of the output so far.
    text: Vec<u8>,
    /// Whether forced tokens are scored too.
    scored: bool,
    /// The forced tokens of the last move, with the state before each.
    unscored: Vec<(C::State, u32)>,
}

impl<C: ByteConstraint> Jump<C> {
    /// Decodes under a constraint, from its start. `retokenizer` makes tokens of forced text.
    pub fn new(constraint: C, retokenizer: Retokenizer) -> Self {
        let state = constraint.start();
        Jump {
            sampler: BudgetedSampler { constraint },
            state,
            retokenizer,
            text: Vec::new(),
            scored: false,
            unscored: Vec::new(),
        }
    }

    /// Scores forced tokens too, so that the importance weight of the output is known. This takes time: the logits of each
    /// forced token are fetched.
    pub fn scored(self, scored: bool) -> Self {
        Jump { scored, ..self }
    }

    fn append(&mut self, tokens: &[u32]) {
        for &token in tokens {
            self.text.extend_from_slice(self.retokenizer.vocabulary().bytes(token));
        }
    }

    /// The chosen token with the forced tokens after it, retokenized together. `None` where nothing is gained.
    fn forced(&mut self, before: C::State, token: u32, end_tokens: &[u32]) -> Option<Forced<C::State>> {
        let constraint = &mut self.sampler.constraint;
        let after = constraint.advance(before, token)?;
        let (bytes, end) = constraint.forced(after);
        // A score of the end token needs the logits before it. Then the model is asked.
        let ends = !self.scored && constraint.accepts(end) && constraint.next_bytes(end).is_empty();
        if bytes.is_empty() && !ends {
            return None;
        }
        let chosen = self.retokenizer.vocabulary().bytes(token);
        let both = [chosen, &bytes].concat();
        let mut tokens = match self.retokenizer.retokenize(&self.text, &both) {
            _ if bytes.is_empty() => vec![token],
            Some(tokens) => tokens,
            // The tokenizer joins the chosen token with the text before it: then at least that token stays.
            None => {
                let rest = self.retokenizer.retokenize(&[&self.text[..], chosen].concat(), &bytes);
                let rest = rest.or_else(|| self.retokenizer.retokenize(&[], &bytes))?;
                [vec![token], rest].concat()
            }
        };
        // The states before each token and after the last; `None` would be a token that the constraint refuses.
        let mut states = vec![before];
        for &token in &tokens {
            states.push(constraint.advance(*states.last()?, token)?);
        }
        match ends {
            true => {
                let end = *end_tokens.first()?;
                states.push(constraint.advance(*states.last()?, end)?);
                tokens.push(end);
            }
            false => self.heal(&mut tokens, &mut states, 1),
        }
        (tokens.len() > 1 || tokens[0] != token).then_some(Forced { tokens, states, ends })
    }

    /// Takes back the last of several forced tokens where the model may want to write a longer one that begins with it.
    fn heal(&mut self, tokens: &mut Vec<u32>, states: &mut Vec<C::State>, least: usize) {
        let (Some(&last), Some(&state)) = (tokens.last(), states.iter().rev().nth(1)) else {
            return;
        };
        let vocabulary = self.retokenizer.vocabulary();
        let length = vocabulary.bytes(last).len();
        let longer = |token: u32| vocabulary.bytes(token).len() > length;
        if tokens.len() > least && tokens_of(self.sampler.constraint.mask(state)).any(longer) {
            tokens.pop();
            states.pop();
        }
    }

    /// The records of the last move's forced tokens, scored with the logits after those before them.
    fn score(&mut self, step: &mut Step<'_>) -> Result<Option<(usize, Vec<TokenRecord>)>, StepError> {
        let hypothesis = step.hypothesis();
        let forced = std::mem::take(&mut self.unscored);
        if forced.is_empty() {
            return Ok(None);
        }
        let from = hypothesis.tokens.len() - forced.len();
        let rows = hypothesis.logits.chunks_exact(step.width);
        let mut records = Vec::with_capacity(forced.len());
        for (row, (state, token)) in rows.zip(forced) {
            let mask = self.sampler.constraint.mask(state);
            let choice = step.sampler.score(row, Some(mask), token)?;
            records.push(TokenRecord::new(choice, Chosen::Forced));
        }
        Ok(Some((from, records)))
    }
}

/// Tokens that are appended together.
struct Forced<S> {
    /// The first is the chosen token, or its replacement.
    tokens: Vec<u32>,
    /// The state before each, and after the last.
    states: Vec<S>,
    /// Whether the last is an end token.
    ends: bool,
}

impl<C: ByteConstraint> Strategy for Jump<C> {
    fn name(&self) -> &'static str {
        "jump"
    }

    fn least_budget(&mut self) -> usize {
        self.sampler.constraint.tokens_to_finish(self.state)
    }

    fn opening(&mut self, budget: usize, _end_tokens: &[u32], _overhead: f64) -> Opening {
        let constraint = &mut self.sampler.constraint;
        let (bytes, _) = constraint.forced(self.state);
        let mut tokens = self.retokenizer.retokenize(&[], &bytes).unwrap_or_default();
        let mut states = vec![self.state];
        for &token in &tokens {
            let Some(next) = constraint.advance(states[states.len() - 1], token) else {
                return Opening::default();
            };
            states.push(next);
        }
        self.heal(&mut tokens, &mut states, 0);
        let end = states[tokens.len()];
        if budget.saturating_sub(tokens.len()) < self.sampler.constraint.tokens_to_finish(end) {
            return Opening::default();
        }
        self.state = end;
        self.append(&tokens);
        if self.scored {
            self.unscored = states.into_iter().zip(tokens.iter().copied()).collect();
        }
        let tokens = tokens.into_iter();
        Opening {
            tokens: tokens.map(|token| TokenRecord::unscored(token, Chosen::Forced)).collect(),
            all_rows: self.scored,
        }
    }

    fn prepare(&mut self) -> Result<(), StepError> {
        self.sampler.constraint.mask(self.state);
        Ok(())
    }

    fn choose(&mut self, mut step: Step<'_>) -> Result<Move, StepError> {
        let confirm = self.score(&mut step)?;
        let remaining = step.remaining();
        let before = self.state;
        let (choice, after) = self.sampler.choose(before, SampleContext::next(&mut step)?)?;
        let clock = Instant::now();
        let jumped = match step.is_end(choice.token) {
            true => None,
            false => self.forced(before, choice.token, step.end_tokens),
        };
        // Tokens in larger number than the shortest completion may be too many for the rest of the budget.
        let jumped = jumped.filter(|forced| {
            let left = remaining.checked_sub(forced.tokens.len());
            let end = forced.states[forced.tokens.len()];
            left.is_some_and(|left| forced.ends || self.sampler.constraint.tokens_to_finish(end) <= left)
        });
        *step.mask_time += clock.elapsed();

        let chosen = TokenRecord::new(choice, Chosen::Sampled);
        let (append, end, ends) = match jumped {
            None => (vec![chosen], after, step.is_end(choice.token)),
            Some(Forced { tokens, states, ends }) => {
                let first = match tokens[0] == choice.token {
                    true => chosen,
                    // The token that replaces it gets its score from the same logits.
                    false => {
                        let mask = self.sampler.constraint.mask(before);
                        let healed = step.sampler.score(step.last(0), Some(mask), tokens[0])?;
                        TokenRecord::new(healed, Chosen::Forced)
                    }
                };
                let mut records = vec![first];
                let rest = tokens[1..].iter();
                records.extend(rest.map(|&token| TokenRecord::unscored(token, Chosen::Forced)));
                if self.scored {
                    self.unscored = states[1..].iter().copied().zip(tokens[1..].iter().copied()).collect();
                }
                (records, states[tokens.len()], ends)
            }
        };
        self.append(&append.iter().map(|record| record.token).collect::<Vec<_>>());
        self.state = end;
        let hypothesis = HypothesisMove { confirm, rows: self.unscored.len() + 1, ..HypothesisMove::append(0, append) };
        Ok(Move::one(hypothesis, ends))
    }
}
