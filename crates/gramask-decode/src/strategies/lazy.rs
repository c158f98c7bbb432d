//! Lazy masking: check the one token, and compute the mask only when it is refused.

use crate::budgeted_sampler::{BudgetedSampler, SampleContext, is_presampled};
use crate::constraint::TokenConstraint;
use crate::model::{SampleRequest, Sampled};
use crate::registry::{StrategyDefinition, with_constraint};
use crate::strategy::{Move, PreSample, Step, StepError, Strategy};

/// `lazy`, as the program knows it.
pub(super) const DEFINITION: StrategyDefinition = StrategyDefinition {
    name: "lazy",
    summary: "chooses among all tokens, and again under the mask where the constraint refuses the choice; \
              same distribution as `masked`",
    cost: "as `masked` with fewer masks; without a mask it is unknown what the mask would have removed",
    build: |_, context| Ok(with_constraint!(context, |constraint| Lazy::new(constraint))),
    ..StrategyDefinition::COMMON
};

/// The strategy `lazy`: chooses among all tokens, and again under the mask if the choice is refused.
///
/// It has exactly the distribution of [`Masked`](crate::Masked), and greedily the same tokens; the module `budgeted_sampler`
/// derives this. It saves masks. Where no mask was computed, it is not known which probability the mask would have removed.
#[derive(Debug)]
pub struct Lazy<C: TokenConstraint> {
    sampler: BudgetedSampler<C>,
    state: C::State,
}

impl<C: TokenConstraint> Lazy<C> {
    /// Decodes under a constraint, from its start.
    pub fn new(constraint: C) -> Self {
        let state = constraint.start();
        Lazy { sampler: BudgetedSampler { constraint }, state }
    }
}

impl<C: TokenConstraint> Strategy for Lazy<C> {
    fn name(&self) -> &'static str {
        "lazy"
    }

    fn least_budget(&mut self) -> usize {
        self.sampler.constraint.tokens_to_finish(self.state)
    }

    fn sample_requests(&mut self, step: PreSample<'_>) -> Option<Vec<SampleRequest>> {
        is_presampled(step.sampling).then(|| vec![SampleRequest { mask: None, draw: step.draw() }])
    }

    fn sample_again(&mut self, mut step: PreSample<'_>, samples: &[Sampled]) -> Vec<(usize, SampleRequest)> {
        let one = |(row, sample)| {
            let requests = self.sampler.requests_again_lazily(self.state, sample, &mut step);
            requests.into_iter().map(move |request| (row, request))
        };
        samples.iter().enumerate().flat_map(one).collect()
    }

    fn choose(&mut self, mut step: Step<'_>) -> Result<Move, StepError> {
        let (choice, next) = self.sampler.choose_lazily(self.state, SampleContext::next(&mut step)?)?;
        self.state = next;
        Ok(Move::sampled(choice, step.is_end(choice.token)))
    }
}
