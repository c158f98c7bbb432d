//! Decoding a single text, outside any run.

use std::ops::ControlFlow;

use gramask_decode::{
    BuildError, Layout, Output, Request, RequestError, Sampling, Settings, StrategyBuilder, StrategyTask, decode,
};
use gramask_grammar::{Format, Level, Program};
use gramask_ner::{Document, Schema, Text};
use thiserror::Error;

use super::engine::Engine;
use crate::evaluate::{Evaluation, evaluate};
use crate::experiment::StrategyChoice;

/// How a text is decoded.
#[derive(Clone, Debug)]
pub struct TextOptions {
    /// The format.
    pub format: Format,
    /// The labels.
    pub schema: Schema,
    /// The examples in the prompt.
    pub examples: Vec<Document>,
    /// The level of the constraint.
    pub level: Level,
    /// The strategy, which must go with the level.
    pub strategy: StrategyChoice,
    /// How tokens are sampled.
    pub sampling: Sampling,
    /// Whether the constraint allows only the tokens that the tokenizer itself would produce.
    pub canonical: bool,
    /// The most output tokens in addition to those of the output without entities.
    pub budget: usize,
}

/// Why a text could not be decoded.
#[derive(Debug, Error)]
#[allow(missing_docs, reason = "the messages name variants and fields")]
pub enum DecodeTextError {
    #[error(transparent)]
    Compile(#[from] gramask_grammar::CompileError),
    #[error(transparent)]
    Write(#[from] gramask_grammar::WriteError),
    #[error(transparent)]
    Strategy(#[from] BuildError),
    #[error(transparent)]
    Prompt(#[from] gramask_decode::PromptError),
    #[error(transparent)]
    Sampling(#[from] gramask_decode::InvalidSampling),
    #[error(transparent)]
    Decode(#[from] gramask_decode::DecodeError),
    #[error(transparent)]
    Request(#[from] RequestError),
    /// The decode loop ended without an outcome.
    #[error("the model ended without an output")]
    Nothing,
}

impl TextOptions {
    /// Checks what can be checked without a model.
    ///
    /// # Errors
    /// When the format cannot be compiled for the labels, the strategy does not go with the level, or a sampling parameter is out of
    /// range.
    pub fn check(&self) -> Result<(), DecodeTextError> {
        self.sampling.validate()?;
        self.strategy.check_level(self.level)?;
        if self.canonical {
            self.strategy.check_canonical(self.level)?;
        }
        Program::passes(&self.format, &self.schema)?;
        Ok(())
    }
}

/// One pass over a text.
#[derive(Debug)]
pub struct Pass {
    /// The label of the pass, if the format has a pass for each.
    pub label: Option<String>,
    /// The output of the model.
    pub output: Output,
}

/// Decodes a text in all passes of the format, and evaluates the outputs.
///
/// # Errors
/// As [`decode_one_pass`].
pub fn decode_text(
    engine: &mut Engine,
    how: &TextOptions,
    text: &Text,
) -> Result<(Vec<Pass>, Evaluation), DecodeTextError> {
    let labelled = how.format.grammar.directives.pass_label;
    let (mut passes, mut parts) = (Vec::new(), Vec::new());
    for program in Program::passes(&how.format, &how.schema)? {
        let one = TextOptions { schema: program.schema().clone(), ..how.clone() };
        let (output, judged) = decode_one_pass(engine, &one, text)?;
        let label = program.schema().labels().first().filter(|_| labelled).cloned();
        passes.push(Pass { label, output });
        parts.push(judged);
    }
    Ok((passes, Evaluation::join(parts, &how.schema)))
}

/// Decodes a text in one pass, and evaluates the output. A format with a pass for each label needs a schema of one label.
///
/// # Errors
/// When the text cannot be decoded: the prompt is longer than the model's context, a character cannot be written, ...
pub fn decode_one_pass(
    engine: &mut Engine,
    how: &TextOptions,
    text: &Text,
) -> Result<(Output, Evaluation), DecodeTextError> {
    let program = Program::compile(&how.format, &how.schema)?;
    let builder = engine.strategy_builder(how.sampling, how.canonical);
    let Engine { backbone, vocabulary, prompts, .. } = engine;
    let prompter = prompts.prompter(&program, &how.examples)?;
    let prompt = prompter.build(text.as_str())?;
    let shortest = program.write(text, &[])?;
    let task = StrategyTask {
        program: &program,
        text,
        level: how.level,
        prompt: &prompt.text,
        ngrams: &StrategyBuilder::ngrams(prompter.prompting()),
    };
    let mut strategy = builder.build(&how.strategy, task)?;
    let prompt = prompt.tokens;
    let allowance = how.budget + builder.extra_budget(&how.strategy);
    let budget = (prompts.count(&shortest.text) + 1 + allowance).max(strategy.least_budget());
    let mut model = backbone.language_model();
    let layout =
        Layout::plan(1, model.context(), Some(budget), [prompt.as_slice()]).with_hypotheses(how.strategy.hypotheses());
    let request = Request { id: "text".into(), prompt, budget: Some(budget), strategy };
    let mut outcome = None;
    decode(&mut *model, vocabulary, &Settings::new(layout, how.sampling), [request], |ended| {
        outcome = Some(ended.outcome);
        ControlFlow::Continue(())
    })?;
    let output = outcome.ok_or(DecodeTextError::Nothing)??;
    let judged = evaluate(how.strategy.name(), &program, text, &output.text, how.level);
    Ok((output, judged))
}
