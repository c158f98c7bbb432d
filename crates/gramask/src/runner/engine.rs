//! A loaded model with what decoding needs: its tokens, the vocabulary for constraints, and its prompts.

use std::sync::Arc;

use burn::tensor::Device;
use gramask_decode::{
    LanguageModel, PromptError, Prompter, Prompting, Sampling, SharedTokenizer, StrategyBuilder, TransformerModel,
    vocabulary_of,
};
use gramask_grammar::{Program, Vocabulary};
use gramask_model::chat::ChatTemplate;
use gramask_model::checkpoint::Checkpoint;
use gramask_model::device::{Demand, DeviceFault, DeviceName, guard};
use gramask_model::transformer::{Precision, Transformer};
use gramask_model::tuning::Adapter;
use gramask_ner::Document;

use super::RunError;
use crate::experiment::TemplateVariables;
use crate::plan::Placement;
use crate::pull::Model;

/// The weights of a model. Each cell makes a language model of them, with a cache of its own.
pub trait Backbone {
    /// A language model with an empty cache.
    fn language_model(&mut self) -> Box<dyn LanguageModel + '_>;
}

impl Backbone for Transformer {
    fn language_model(&mut self) -> Box<dyn LanguageModel + '_> {
        Box::new(TransformerModel::new(self))
    }
}

/// A loaded model.
pub struct Engine {
    /// The name of the model in the experiment.
    pub name: String,
    pub(super) backbone: Box<dyn Backbone>,
    pub(super) vocabulary: Arc<Vocabulary>,
    pub(super) prompts: Prompts,
    notes: Vec<String>,
}

/// What makes prompts for a model.
pub struct Prompts {
    tokenizer: Arc<SharedTokenizer>,
    chat: Option<ChatTemplate>,
}

impl Engine {
    /// Loads a model onto a device, with the default settings except for [`Placement::weights`].
    ///
    /// # Errors
    /// When its files are faulty, or it does not fit on the device.
    pub fn load(model: &Model, device: DeviceName, weights: Option<&str>) -> Result<Engine, RunError> {
        let placement = Placement { weights: weights.map(str::to_owned), ..Placement::on(device) };
        Engine::place(model, &placement)
    }

    /// Loads a model onto a device. An adapter is merged into the weights. With weight type `file`, the weights that it changes are
    /// kept in `f16`, since the file does not have them.
    ///
    /// # Errors
    /// When its files are faulty, or it does not fit on the device.
    pub fn place(model: &Model, placement: &Placement) -> Result<Engine, RunError> {
        // Mistakes are reported before the files are read.
        let (precision, device) = (placement.precision()?, placement.open()?);
        Engine::on(&model.name, open(model)?, precision, placement.record_steps, &device)
    }

    /// Loads an opened checkpoint.
    ///
    /// # Errors
    /// As [`Engine::place`].
    pub fn of(name: &str, checkpoint: Checkpoint, placement: &Placement) -> Result<Engine, RunError> {
        Engine::on(name, checkpoint, placement.precision()?, placement.record_steps, &placement.open()?)
    }

    fn on(
        name: &str,
        checkpoint: Checkpoint,
        precision: Precision,
        record_steps: bool,
        device: &Device,
    ) -> Result<Engine, RunError> {
        // At least half as much as in 16 bits, whatever the weights are kept in.
        let least = Demand::of(&checkpoint.config, checkpoint.config.parameters(), 4, 1, 1);
        let fault = |fault: DeviceFault| RunError::Fault(Box::new(fault.asking(least)));
        let transformer = guard(device, || Transformer::load(&checkpoint, device, precision)).map_err(fault)??;
        let transformer = if record_steps { transformer.with_recorded_steps() } else { transformer };
        // Uploads go on after the call returns. A device without enough memory reports it now.
        let synced = guard(device, || device.sync()).map_err(fault)?;
        synced.map_err(|error| fault(DeviceFault::of_execution(device, &error)))?;
        let Checkpoint { tokenizer, chat, notes, .. } = checkpoint;
        let vocabulary =
            vocabulary_of(&tokenizer).map_err(|source| RunError::Vocabulary { model: name.into(), source })?;
        let engine = Engine::new(name.into(), Box::new(transformer), vocabulary, Arc::new(tokenizer), chat);
        Ok(Engine { notes, ..engine })
    }

    /// An engine made of these parts.
    pub fn new(
        name: String,
        backbone: Box<dyn Backbone>,
        vocabulary: Arc<Vocabulary>,
        tokenizer: Arc<SharedTokenizer>,
        chat: Option<ChatTemplate>,
    ) -> Engine {
        Engine { name, backbone, vocabulary, prompts: Prompts { tokenizer, chat }, notes: Vec::new() }
    }

    /// Sets variables of the chat template.
    ///
    /// # Errors
    /// As [`Prompts::with_variables`].
    pub fn with_variables(self, variables: &TemplateVariables) -> Result<Engine, RunError> {
        let prompts = self.prompts.with_variables(&self.name, variables)?;
        Ok(Engine { prompts, ..self })
    }

    /// Fixes the time that prompts tell, in seconds since 1970 (UTC).
    pub fn at(self, seconds: u64) -> Engine {
        Engine { prompts: self.prompts.at(seconds), ..self }
    }
}

impl Engine {
    /// The model's tokens.
    pub fn vocabulary(&self) -> &Vocabulary {
        &self.vocabulary
    }

    /// Unusual properties of the model's files, each with how it was resolved.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Makes the model's strategies, for runs that sample in this way. `canonical`: see [`StrategyBuilder::canonical`].
    pub fn strategy_builder(&self, sampling: Sampling, canonical: bool) -> StrategyBuilder {
        let (vocabulary, tokenizer) = (self.vocabulary.clone(), self.prompts.tokenizer.clone());
        StrategyBuilder { vocabulary, tokenizer, sampling, canonical }
    }
}

impl Prompts {
    /// The prompts of a model with this tokenizer and, if it has one, chat template.
    pub fn new(tokenizer: Arc<SharedTokenizer>, chat: Option<ChatTemplate>) -> Prompts {
        Prompts { tokenizer, chat }
    }

    /// The prompts of a model, and its tokens. Its weights are not read.
    ///
    /// # Errors
    /// When its files are faulty, and as [`Prompts::with_variables`].
    pub fn open(model: &Model, variables: &TemplateVariables) -> Result<(Prompts, Arc<Vocabulary>), RunError> {
        let Checkpoint { tokenizer, chat, .. } = Checkpoint::open(&model.path)?;
        let vocabulary =
            vocabulary_of(&tokenizer).map_err(|source| RunError::Vocabulary { model: model.name.clone(), source })?;
        let prompts = Prompts::new(Arc::new(tokenizer), chat).with_variables(&model.name, variables)?;
        Ok((prompts, vocabulary))
    }

    /// Sets variables of the chat template. `model` names the model in messages.
    ///
    /// # Errors
    /// When the program itself sets a variable, the template does not use it, or the model has no template.
    pub fn with_variables(self, model: &str, variables: &TemplateVariables) -> Result<Prompts, RunError> {
        if variables.is_empty() {
            return Ok(self);
        }
        let model = || model.to_owned();
        let chat = self.chat.ok_or_else(|| RunError::NoTemplate { model: model() })?;
        let chat = chat.with_variables(variables).map_err(|source| RunError::Template { model: model(), source })?;
        Ok(Prompts { chat: Some(chat), ..self })
    }

    /// Fixes the time that prompts tell, in seconds since 1970 (UTC).
    pub fn at(self, seconds: u64) -> Prompts {
        Prompts { chat: self.chat.map(|chat| chat.at(seconds)), ..self }
    }

    /// Whether prompts can depend on the time.
    pub fn tell_time(&self) -> bool {
        self.chat.as_ref().is_some_and(ChatTemplate::tells_time)
    }

    /// The prompts of a format, schema and list of examples. Without examples, the prompt has the description of the format. An
    /// `instruction` stands in the place of the built-in one, and of the description.
    ///
    /// # Errors
    /// When an example cannot be written in the format.
    pub fn prompter(
        &self,
        program: &Arc<Program>,
        examples: &[Document],
        instruction: Option<&str>,
    ) -> Result<Prompter<'_, SharedTokenizer>, PromptError> {
        let prompting = match instruction {
            None => Prompting::of(program, examples)?,
            Some(instruction) => Prompting::told(instruction, program, examples)?,
        };
        Ok(Prompter::new(&*self.tokenizer, self.chat.as_ref(), prompting))
    }

    /// Prompts that are conversations, with nothing before them.
    pub fn conversations(&self) -> Prompter<'_, SharedTokenizer> {
        Prompter::new(&*self.tokenizer, self.chat.as_ref(), Prompting::default())
    }

    /// The number of tokens of a text.
    pub fn count(&self, text: &str) -> usize {
        self.tokenizer.encode(text, false).len()
    }
}

/// Opens a model's checkpoint, and merges its adapter into it.
fn open(model: &Model) -> Result<Checkpoint, RunError> {
    let checkpoint = Checkpoint::open(&model.path)?;
    match &model.adapter {
        None => Ok(checkpoint),
        Some(folder) => Ok(Adapter::read(folder)?.merge(checkpoint)?),
    }
}
