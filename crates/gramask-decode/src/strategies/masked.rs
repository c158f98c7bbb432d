//! Masked decoding: at each step only the tokens that the constraint allows.

use crate::constraint::TokenConstraint;
use crate::guide::{Asked, Guide, is_asked};
use crate::model::Ask;
use crate::registry::StrategyDefinition;
use crate::strategy::{Coming, Move, Step, StepError, Strategy};

/// `masked`, as the program knows it.
pub(super) const DEFINITION: StrategyDefinition = StrategyDefinition {
    name: "masked",
    summary: "each step chooses among the tokens that the constraint allows",
    cost: "as `unconstrained`, and the masks",
    build: |_, context| Ok(Box::new(Masked::new(context.constraint()?))),
    ..StrategyDefinition::COMMON
};

/// The strategy `masked`: chooses among the tokens that the constraint allows, and always completes its output.
///
/// The distribution is that of the model, at each step renormalised over the allowed tokens after which the output can still
/// be completed within its budget.
#[derive(Debug)]
pub struct Masked<C: TokenConstraint> {
    guide: Guide<C>,
    state: C::State,
}

impl<C: TokenConstraint> Masked<C> {
    /// Decodes under a constraint, from its start.
    pub fn new(constraint: C) -> Self {
        let state = constraint.start();
        Masked { guide: Guide { constraint }, state }
    }
}

impl<C: TokenConstraint> Strategy for Masked<C> {
    fn name(&self) -> &'static str {
        "masked"
    }

    fn least_budget(&mut self) -> usize {
        self.guide.constraint.tokens_to_finish(self.state)
    }

    fn prepare(&mut self) -> Result<(), StepError> {
        // The constraint keeps the mask, so that asking again costs nothing.
        self.guide.constraint.mask(self.state);
        Ok(())
    }

    fn asks(&mut self, coming: Coming<'_>) -> Option<Vec<Ask>> {
        let draw = coming.draw();
        is_asked(coming.sampling).then(|| vec![self.guide.ask(self.state, draw, coming.mask_time)])
    }

    fn choose(&mut self, mut step: Step<'_>) -> Result<Move, StepError> {
        let (choice, next) = self.guide.choose(self.state, Asked::next(&mut step))?;
        self.state = next;
        Ok(Move::sampled(choice, step.is_end(choice.token)))
    }
}
