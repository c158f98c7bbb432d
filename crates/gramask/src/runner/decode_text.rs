//! Decoding a single text, outside any run.

use std::ops::ControlFlow;
use std::sync::Arc;

use gramask_decode::{
    BuildError, Layout, Output, Request, RequestError, Sampling, Settings, StrategyBuilder, StrategyTask, decode,
};
use gramask_grammar::{Format, Level, Program};
use gramask_model::chat::Message;
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
    /// What the model is told, in place of the built-in instruction.
    pub instruction: Option<String>,
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
    let prompter = engine.prompts.prompter(&program, &how.examples, how.instruction.as_deref())?;
    let (prompt, ngrams) = (prompter.build(text.as_str())?, StrategyBuilder::ngrams(prompter.prompting()));
    let task = StrategyTask { program: &program, text, level: how.level, prompt: &prompt.text, ngrams: &ngrams };
    let choice =
        Choices { strategy: &how.strategy, sampling: how.sampling, canonical: how.canonical, budget: how.budget };
    answer(engine, task, &prompt.tokens, &choice)
}

/// How a prompt with a plain grammar is answered.
#[derive(Clone, Debug)]
pub struct AnswerOptions {
    /// The program of the grammar.
    pub program: Arc<Program>,
    /// `none` or `syntax`.
    pub level: Level,
    /// The strategy, which must go with the level.
    pub strategy: StrategyChoice,
    /// How tokens are sampled.
    pub sampling: Sampling,
    /// The most output tokens in addition to those of the shortest output.
    pub budget: usize,
}

/// Answers a conversation in the language of a plain grammar, and evaluates the answer.
///
/// # Errors
/// When it cannot be answered: the prompt is longer than the model's context, the grammar names a token that the model does not
/// have, ...
pub fn decode_answer(
    engine: &mut Engine,
    how: &AnswerOptions,
    messages: &[Message],
) -> Result<(Output, Evaluation), DecodeTextError> {
    how.sampling.validate()?;
    let prompter = engine.prompts.conversations();
    let (prompt, ngrams) = (prompter.conversation(messages)?, StrategyBuilder::ngrams(prompter.prompting()));
    let text = Text::new(messages.last().map_or("", |message| message.content.as_str()));
    let task =
        StrategyTask { program: &how.program, text: &text, level: how.level, prompt: &prompt.text, ngrams: &ngrams };
    let choice = Choices { strategy: &how.strategy, sampling: how.sampling, canonical: false, budget: how.budget };
    answer(engine, task, &prompt.tokens, &choice)
}

/// What a prompt is answered with.
struct Choices<'a> {
    strategy: &'a StrategyChoice,
    sampling: Sampling,
    canonical: bool,
    budget: usize,
}

/// Decodes one sequence, and evaluates it.
fn answer(
    engine: &mut Engine,
    task: StrategyTask<'_>,
    prompt: &[u32],
    choices: &Choices<'_>,
) -> Result<(Output, Evaluation), DecodeTextError> {
    let builder = engine.strategy_builder(choices.sampling, choices.canonical);
    let Engine { backbone, vocabulary, prompts, .. } = engine;
    let shortest = task.program.write(task.text, &[])?;
    let mut strategy = builder.build(choices.strategy, task)?;
    let allowance = choices.budget + builder.extra_budget(choices.strategy);
    let budget = (prompts.count(&shortest.text) + 1 + allowance).max(strategy.least_budget());
    let mut model = backbone.language_model();
    let layout =
        Layout::plan(1, model.context(), Some(budget), [prompt]).with_hypotheses(choices.strategy.hypotheses());
    let request = Request { id: "text".into(), prompt: prompt.to_vec(), budget: Some(budget), strategy };
    let mut outcome = None;
    decode(&mut *model, vocabulary, &Settings::new(layout, choices.sampling), [request], |ended| {
        outcome = Some(ended.outcome);
        ControlFlow::Continue(())
    })?;
    let output = outcome.ok_or(DecodeTextError::Nothing)??;
    let judged = evaluate(choices.strategy.name(), task.program, task.text, &output.text, task.level);
    Ok((output, judged))
}
