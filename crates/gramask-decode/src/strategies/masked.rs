//! Masked decoding: at each step only the tokens that the constraint allows.

use crate::budgeted_sampler::{BudgetedSampler, SampleContext, is_presampled};
use crate::constraint::TokenConstraint;
use crate::model::{SampleRequest, Sampled};
use crate::registry::{StrategyDefinition, with_constraint};
use crate::strategy::{Move, PreSample, Step, StepError, Strategy};

/// `masked`, as the program knows it.
pub(super) const DEFINITION: StrategyDefinition = StrategyDefinition {
    name: "masked",
    summary: "each step chooses among the tokens that the constraint allows",
    cost: "as `unconstrained`, and the masks",
    build: |_, context| Ok(with_constraint!(context, |constraint| Masked::new(constraint))),
    ..StrategyDefinition::COMMON
};

/// The strategy `masked`: chooses among the tokens that the constraint allows, and always completes its output.
///
/// The distribution is the model's, renormalised at each step over the allowed tokens after which the output can still be
/// completed within its budget.
#[derive(Debug)]
pub struct Masked<C: TokenConstraint> {
    sampler: BudgetedSampler<C>,
    state: C::State,
}

impl<C: TokenConstraint> Masked<C> {
    /// Decodes under a constraint, from its start.
    pub fn new(constraint: C) -> Self {
        let state = constraint.start();
        Masked { sampler: BudgetedSampler { constraint }, state }
    }
}

impl<C: TokenConstraint> Strategy for Masked<C> {
    fn name(&self) -> &'static str {
        "masked"
    }

    fn least_budget(&mut self) -> usize {
        self.sampler.constraint.tokens_to_finish(self.state)
    }

    fn prepare(&mut self) -> Result<(), StepError> {
        // The constraint keeps the mask, so that asking again costs nothing.
        self.sampler.constraint.mask(self.state);
        Ok(())
    }

    fn sample_requests(&mut self, step: PreSample<'_>) -> Option<Vec<SampleRequest>> {
        let draw = step.draw();
        is_presampled(step.sampling).then(|| vec![self.sampler.request(self.state, draw, step.mask_time)])
    }

    fn sample_again(&mut self, mut step: PreSample<'_>, samples: &[Sampled]) -> Vec<(usize, SampleRequest)> {
        let position = step.tokens.len();
        let one = |(row, sample)| Some((row, self.sampler.request_again(self.state, sample, position, &mut step)?));
        samples.iter().enumerate().filter_map(one).collect()
    }

    fn choose(&mut self, mut step: Step<'_>) -> Result<Move, StepError> {
        let (choice, next) = self.sampler.choose(self.state, SampleContext::next(&mut step)?)?;
        self.state = next;
        Ok(Move::sampled(choice, step.is_end(choice.token)))
    }
}
