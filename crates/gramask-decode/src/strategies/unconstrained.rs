//! Plain decoding.

use crate::model::SampleRequest;
use crate::registry::{Levels, StrategyDefinition};
use crate::strategy::{Move, PreSample, Step, StepError, Strategy};

/// `unconstrained`, as the program knows it.
pub(super) const DEFINITION: StrategyDefinition = StrategyDefinition {
    name: "unconstrained",
    levels: Levels::Unconstrained,
    summary: "plain decoding; the output is read strictly",
    cost: "one pass of the model per token",
    build: |_, _| Ok(Box::new(Unconstrained)),
    ..StrategyDefinition::COMMON
};

/// Plain decoding: every token of the vocabulary may follow, until an end token comes or the budget is used up.
///
/// The mock model of the example likes the bytes of `ab` and then the end token:
///
/// ```
/// use std::ops::ControlFlow;
/// use gramask_decode::{decode, mock::MockModel, Layout, Request, Sampling, Settings, Unconstrained};
/// let mut model = MockModel::scripted(b"ab", 64);
/// let request = Request::new("doc-1", vec![b'?' as u32], Some(8), Unconstrained);
/// let settings = Settings::new(Layout { slots: 1, hypotheses: 1, length: 16, prefix: vec![] }, Sampling::greedy());
/// let vocabulary = model.tokens().clone();
/// let mut texts = Vec::new();
/// decode(&mut model, &vocabulary, &settings, [request], |ended| {
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

    fn sample_requests(&mut self, step: PreSample<'_>) -> Option<Vec<SampleRequest>> {
        Some(vec![SampleRequest { mask: None, draw: step.draw() }])
    }

    fn choose(&mut self, mut step: Step<'_>) -> Result<Move, StepError> {
        let choice = step.choose()?;
        let ended = step.is_end(choice.token);
        Ok(Move::sampled(choice, ended))
    }
}
