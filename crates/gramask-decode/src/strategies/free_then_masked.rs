//! Free text first, then the constraint.
//!
//! A format that is forced from the first token on keeps a model from reasoning in words (Tam et al., "Let me speak freely?",
//! 2024). Here the model writes freely until it has written a trigger, such as `Answer:`, and is masked after it. (Banerjee et
//! al., "CRANE: reasoning with constrained LLM generation", arXiv 2502.09061; arXiv 2601.07525.) If the trigger does not come
//! before the free text is used up or the model ends the output, the trigger is appended. So an answer always follows.

use crate::budgeted_sampler::{BudgetedSampler, SampleContext};
use crate::constraint::TokenConstraint;
use crate::record::{Chosen, TokenRecord};
use crate::registry::{Count, Parameter, StrategyDefinition, Text};
use crate::retokenizer::Retokenizer;
use crate::strategy::{Move, Step, StepError, Strategy};

const TRIGGER: Text = Text { name: "trigger", default: "Answer:", help: "the text after which the answer begins" };
const FREE: Count = Count {
    name: "free",
    default: 64,
    most: 4096,
    help: "how many tokens may come before the trigger; after them the trigger is written for the model",
};

/// `free-then-masked`, as the program knows it.
pub(super) const DEFINITION: StrategyDefinition = StrategyDefinition {
    name: "free-then-masked",
    summary: "free text until a trigger, then a masked answer (arXiv 2601.07525, arXiv 2502.09061)",
    cost: "up to `free` tokens and the trigger more",
    parameters: &[Parameter::Text(TRIGGER), Parameter::Count(FREE)],
    extra_budget: |given, tokenizer| given.count(&FREE) + tokenizer.encode(given.text(&TRIGGER), false).len(),
    build: |given, context| {
        let (trigger, free) = (given.text(&TRIGGER), given.count(&FREE));
        Ok(Box::new(FreeThenMasked::new(context.constraint()?, context.retokenizer(), trigger, free)))
    },
    canonical: false,
    ..StrategyDefinition::COMMON
};

/// The strategy `free-then-masked`: unconstrained until a trigger, masked after it.
#[derive(Debug)]
pub struct FreeThenMasked<C: TokenConstraint> {
    sampler: BudgetedSampler<C>,
    state: C::State,
    retokenizer: Retokenizer,
    trigger: Vec<u8>,
    /// The trigger's tokens, where it has to be appended.
    appended: Vec<u32>,
    /// The most tokens of free text.
    free: usize,
    /// The free text so far.
    text: Vec<u8>,
    /// Where the answer begins, once the trigger is there.
    answer_from: Option<usize>,
}

impl<C: TokenConstraint> FreeThenMasked<C> {
    /// Free text of at most `free` tokens up to `trigger`, then the constraint from its start. The part of a token after
    /// the trigger belongs to the free text.
    pub fn new(constraint: C, retokenizer: Retokenizer, trigger: &str, free: usize) -> Self {
        let state = constraint.start();
        FreeThenMasked {
            sampler: BudgetedSampler { constraint },
            state,
            trigger: trigger.as_bytes().to_vec(),
            appended: retokenizer.retokenize(&[], trigger.as_bytes()).unwrap_or_default(),
            retokenizer,
            free,
            text: Vec::new(),
            answer_from: None,
        }
    }

    /// The tokens that the answer needs at least, and those of the trigger.
    fn reserve(&mut self) -> usize {
        self.appended.len() + self.sampler.constraint.tokens_to_finish(self.state)
    }
}

impl<C: TokenConstraint> Strategy for FreeThenMasked<C> {
    fn name(&self) -> &'static str {
        "free-then-masked"
    }

    fn least_budget(&mut self) -> usize {
        self.reserve()
    }

    fn choose(&mut self, mut step: Step<'_>) -> Result<Move, StepError> {
        if self.answer_from.is_some() {
            let (choice, next) = self.sampler.choose(self.state, SampleContext::next(&mut step)?)?;
            self.state = next;
            return Ok(Move::sampled(choice, step.is_end(choice.token)));
        }
        let written = step.hypothesis().tokens.len();
        let has_room = written < self.free && step.remaining() > self.reserve();
        let choice = match has_room {
            true => Some(step.choose()?).filter(|choice| !step.is_end(choice.token)),
            false => None,
        };
        let Some(choice) = choice else {
            self.answer_from = Some(written + self.appended.len());
            let trigger = self.appended.iter();
            let trigger = trigger.map(|&token| TokenRecord::unscored(token, Chosen::Forced));
            return match self.appended.is_empty() {
                // An empty trigger: the answer begins here.
                true => self.choose(step),
                false => Ok(Move::append(trigger.collect(), false)),
            };
        };
        let seen = (self.text.len() + 1).saturating_sub(self.trigger.len());
        self.text.extend_from_slice(self.retokenizer.vocabulary().bytes(choice.token));
        let mut windows = self.text[seen..].windows(self.trigger.len().max(1));
        if windows.any(|window| window == self.trigger) {
            self.answer_from = Some(written + 1);
        }
        Ok(Move::sampled(choice, false))
    }

    fn answer_from(&self) -> usize {
        self.answer_from.unwrap_or(0)
    }
}
