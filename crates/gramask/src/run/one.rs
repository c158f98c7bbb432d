//! Decoding a single text, outside any run.

use std::ops::ControlFlow;

use gramask_decode::{Layout, Output, Request, RequestError, Sampling, Settings, decode};
use gramask_grammar::{Format, Program};
use gramask_ner::{Document, Schema, Text};
use thiserror::Error;

use super::engine::Engine;
use super::judge::{Judged, judge_as};
use super::strategy::{BuildError, Task, Workshop};
use crate::experiment::{LevelName, StrategyChoice};

/// How a text is decoded.
#[derive(Clone, Debug)]
pub struct OneText {
    /// The format.
    pub format: Format,
    /// The labels.
    pub schema: Schema,
    /// The examples in the prompt.
    pub examples: Vec<Document>,
    /// The level of the constraint.
    pub level: LevelName,
    /// How tokens are chosen: a strategy that goes with the level.
    pub strategy: StrategyChoice,
    /// How tokens are drawn.
    pub sampling: Sampling,
    /// At most so many tokens beyond those of the output without entities.
    pub budget: usize,
}

/// Why a text could not be decoded.
#[derive(Debug, Error)]
pub enum OneError {
    /// The format does not go with the labels.
    #[error(transparent)]
    Compile(#[from] gramask_grammar::CompileError),
    /// The text cannot be written in the format.
    #[error(transparent)]
    Write(#[from] gramask_grammar::WriteError),
    /// There is no such strategy for the text.
    #[error(transparent)]
    Strategy(#[from] BuildError),
    /// There is no prompt.
    #[error(transparent)]
    Prompt(#[from] gramask_decode::PromptError),
    /// The sampling is none.
    #[error(transparent)]
    Sampling(#[from] gramask_decode::SamplingError),
    /// Decoding failed.
    #[error(transparent)]
    Decode(#[from] gramask_decode::DecodeError),
    /// The text could not be decoded.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// The batch loop ended without a word about the text.
    #[error("the model ended without an output")]
    Nothing,
}

impl OneText {
    /// Checks what can be checked without a model.
    ///
    /// # Errors
    /// When format and labels do not go together, or level and strategy, or the sampling is out of its range.
    pub fn check(&self) -> Result<(), OneError> {
        self.sampling.validate()?;
        BuildError::check(&self.strategy, self.level)?;
        Program::passes(&self.format, &self.schema)?;
        Ok(())
    }
}

/// One pass over a text.
#[derive(Debug)]
pub struct Pass {
    /// Its label, where the format has a pass for each.
    pub label: Option<String>,
    /// What the model wrote.
    pub output: Output,
}

/// Decodes a text, in as many passes as the format has, and reads the outputs.
///
/// # Errors
/// As [`decode_one`].
pub fn decode_passes(engine: &mut Engine, how: &OneText, text: &Text) -> Result<(Vec<Pass>, Judged), OneError> {
    let labelled = how.format.grammar.directives.pass_label;
    let (mut passes, mut parts) = (Vec::new(), Vec::new());
    for program in Program::passes(&how.format, &how.schema)? {
        let one = OneText { schema: program.schema().clone(), ..how.clone() };
        let (output, judged) = decode_one(engine, &one, text)?;
        let label = program.schema().labels().first().filter(|_| labelled).cloned();
        passes.push(Pass { label, output });
        parts.push(judged);
    }
    Ok((passes, Judged::join(parts, &how.schema)))
}

/// Decodes a text in one pass, and reads the output. A format with a pass for each label takes a schema of one.
///
/// # Errors
/// When it cannot be decoded: the prompt is longer than the model's context, a character cannot be written, ...
pub fn decode_one(engine: &mut Engine, how: &OneText, text: &Text) -> Result<(Output, Judged), OneError> {
    let program = Program::compile(&how.format, &how.schema)?;
    let workshop = Workshop::of(engine, how.sampling);
    let Engine { backbone, table, prompts, .. } = engine;
    let prompter = prompts.prompter(&program, &how.examples)?;
    let prompt = prompter.build(text.as_str())?;
    let shortest = program.write(text, &[])?;
    let task = Task {
        program: &program,
        text,
        level: how.level,
        prompt: &prompt.text,
        habits: &Workshop::habits(prompter.prompting()),
    };
    let mut strategy = workshop.build(&how.strategy, task)?;
    let prompt = prompt.tokens;
    let allowance = how.budget + workshop.extra_budget(&how.strategy);
    let budget = (prompts.count(&shortest.text) + 1 + allowance).max(strategy.least_budget());
    let mut model = backbone.language_model();
    let layout = Layout::plan(1, model.context(), Some(budget), [prompt.as_slice()]).with_lanes(how.strategy.lanes());
    let request = Request { id: "text".into(), prompt, budget: Some(budget), strategy };
    let mut outcome = None;
    decode(&mut *model, table, &Settings::new(layout, how.sampling), [request], |ended| {
        outcome = Some(ended.outcome);
        ControlFlow::Continue(())
    })?;
    let output = outcome.ok_or(OneError::Nothing)??;
    let judged = judge_as(how.strategy.name(), &program, text, &output.text, how.level);
    Ok((output, judged))
}
