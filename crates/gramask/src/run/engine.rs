//! A loaded model with all that decoding needs besides: its tokens, the constraint's vocabulary, its prompts.

use std::sync::Arc;

use burn::tensor::Device;
use gramask_decode::{
    Examples, LanguageModel, PromptError, PromptTokenizer, Prompter, Prompting, TokenTable, TransformerModel,
    instruction,
};
use gramask_grammar::{Program, Vocabulary};
use gramask_model::chat::ChatTemplate;
use gramask_model::checkpoint::Checkpoint;
use gramask_model::device::{Demand, DeviceError, DeviceFault, DeviceName, Dtype, MemoryPool, OpenOptions, guard};
use gramask_model::transformer::{Precision, Transformer, UnknownWeights, WeightChoice};
use gramask_model::tuning::Adapter;
use gramask_ner::Document;

use super::error::RunError;
use crate::pull::Model;

/// What makes a language model for one cell of a run: weights that are shared, with a cache of its own.
pub trait Backbone {
    /// The model, with no cache yet.
    fn language_model(&mut self) -> Box<dyn LanguageModel + '_>;
}

impl Backbone for Transformer {
    fn language_model(&mut self) -> Box<dyn LanguageModel + '_> {
        Box::new(TransformerModel::new(self))
    }
}

/// A tokenizer that strategies can keep: those of several documents cut text at the same time.
pub type SharedTokenizer = dyn PromptTokenizer + Send + Sync;

/// A loaded model.
pub struct Engine {
    /// As the experiment names it.
    pub name: String,
    pub(super) backbone: Box<dyn Backbone>,
    pub(super) table: Arc<TokenTable>,
    pub(super) vocabulary: Arc<Vocabulary>,
    pub(super) prompts: Prompts,
}

/// What makes prompts for a model.
pub struct Prompts {
    tokenizer: Arc<SharedTokenizer>,
    chat: Option<ChatTemplate>,
}

/// Where a model is computed, and in what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placement {
    /// The device.
    pub device: DeviceName,
    /// How weights are kept, a [`WeightChoice`] by name. Where none is given it is `file`: the checkpoint's own numbers in the
    /// fewest bytes.
    pub weights: Option<String>,
    /// What is computed in; `f32` where none is given.
    pub float_type: Option<Dtype>,
    /// How the device hands out its memory.
    pub memory_pool: Option<MemoryPool>,
    /// Whether decoding steps are recorded and replayed; only GPUs do.
    pub record_steps: bool,
}

impl Placement {
    /// On a device, with its usual settings.
    pub fn on(device: DeviceName) -> Placement {
        Placement { device, weights: None, float_type: None, memory_pool: None, record_steps: false }
    }

    /// What the model is loaded in.
    ///
    /// # Errors
    /// When `weights` names no type.
    pub(super) fn precision(&self) -> Result<Precision, RunError> {
        let weights = self.weights.as_deref().map_or(Ok(WeightChoice::Stored), weight_choice)?;
        Ok(Precision::from(weights).with_dtype(self.float_type.unwrap_or_default()))
    }

    fn open(&self) -> Result<Device, DeviceError> {
        self.device.open_with(OpenOptions {
            memory_pool: self.memory_pool,
            float_type: self.float_type,
            record_steps: self.record_steps,
        })
    }
}

impl Engine {
    /// Loads a model onto a device, with its usual settings but for the weights: see [`Placement::weights`].
    ///
    /// # Errors
    /// When its files are faulty, or the device cannot take it.
    pub fn load(model: &Model, device: DeviceName, weights: Option<&str>) -> Result<Engine, RunError> {
        let placement = Placement { weights: weights.map(str::to_owned), ..Placement::on(device) };
        Engine::place(model, &placement)
    }

    /// Loads a model onto a device. An adapter is merged into the weights; what it changes is then kept in `f16` where the
    /// choice is `file`, as the file has none of it.
    ///
    /// # Errors
    /// When its files are faulty, or the device cannot take it.
    pub fn place(model: &Model, placement: &Placement) -> Result<Engine, RunError> {
        // What cannot be is said before the files are read.
        let (precision, device) = (placement.precision()?, placement.open()?);
        Engine::on(&model.name, open(model)?, precision, placement.record_steps, &device)
    }

    /// An engine of a checkpoint.
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
        // Uploads go on behind the call; a device that has no room says so now.
        let synced = guard(device, || device.sync()).map_err(fault)?;
        synced.map_err(|error| fault(DeviceFault::of_execution(device, &error)))?;
        let Checkpoint { tokenizer, chat, .. } = checkpoint;
        let table = TokenTable::of(&tokenizer).map_err(|source| RunError::Tokens { model: name.into(), source })?;
        Engine::new(name.into(), Box::new(transformer), table, Arc::new(tokenizer), chat)
    }

    /// An engine of these parts.
    ///
    /// # Errors
    /// When the tokens make no vocabulary.
    pub fn new(
        name: String,
        backbone: Box<dyn Backbone>,
        table: TokenTable,
        tokenizer: Arc<SharedTokenizer>,
        chat: Option<ChatTemplate>,
    ) -> Result<Engine, RunError> {
        let vocabulary = table.vocabulary().map_err(|source| RunError::Vocabulary { model: name.clone(), source })?;
        Ok(Engine { name, backbone, table: Arc::new(table), vocabulary, prompts: Prompts { tokenizer, chat } })
    }
}

impl Engine {
    /// The bytes of the model's tokens.
    pub fn table(&self) -> &TokenTable {
        &self.table
    }
}

impl Prompts {
    /// The prompts of a model with this tokenizer and, if it has one, chat template.
    pub fn new(tokenizer: Arc<SharedTokenizer>, chat: Option<ChatTemplate>) -> Prompts {
        Prompts { tokenizer, chat }
    }

    /// The prompts of a format, schema and list of examples. A format's description stands in where there is no example.
    ///
    /// # Errors
    /// When an example cannot be written in the format.
    pub fn prompter(
        &self,
        program: &Arc<Program>,
        examples: &[Document],
    ) -> Result<Prompter<'_, SharedTokenizer>, PromptError> {
        let examples = Examples::write(program, examples)?.examples;
        let description = program.format().description.as_str();
        let description = (examples.is_empty() && !description.is_empty()).then_some(description);
        let instruction = instruction(program.schema(), examples.len(), description)?;
        Ok(Prompter::new(&*self.tokenizer, self.chat.as_ref(), Prompting { instruction, examples }))
    }

    /// What cuts texts into tokens.
    pub(super) fn tokenizer(&self) -> &Arc<SharedTokenizer> {
        &self.tokenizer
    }

    /// How many tokens a text takes.
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

/// The type that weights are kept in.
fn weight_choice(given: &str) -> Result<WeightChoice, RunError> {
    given.parse().map_err(|_: UnknownWeights| RunError::Weights {
        given: given.into(),
        known: "`f32`, `f16`, `bf16`, `q8_0`, `q4_1` or `file` (as the checkpoint has them)".into(),
    })
}
