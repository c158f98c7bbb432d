//! The errors of a run.

use gramask_decode::{DecodeError, LanguageModelError, PromptError};
use gramask_grammar::{CompileError, VocabularyError};
use gramask_model::device::{DeviceError, DeviceFault};
use gramask_model::transformer::LoadError;
use gramask_model::tuning::TuningError;
use thiserror::Error;

use crate::plan::{PlanError, UnknownWeightType};
use crate::pull::PullError;
use crate::report::tables::SummaryError;
use crate::store::{JournalError, ManifestError, ScoresError};

/// Why a run cannot begin or continue.
#[derive(Debug, Error)]
#[allow(missing_docs, reason = "the messages name variants and fields")]
pub enum RunError {
    #[error(transparent)]
    Plan(#[from] PlanError),
    #[error(transparent)]
    Pull(#[from] PullError),
    #[error(transparent)]
    Settings(#[from] ManifestError),
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error(transparent)]
    Scores(Box<ScoresError>),
    #[error(transparent)]
    Device(#[from] DeviceError),
    #[error(transparent)]
    Fault(Box<DeviceFault>),
    #[error(transparent)]
    Weights(#[from] UnknownWeightType),
    #[error(transparent)]
    Checkpoint(#[from] gramask_model::checkpoint::CheckpointError),
    #[error(transparent)]
    Load(Box<LoadError>),
    #[error(transparent)]
    Tuning(Box<TuningError>),
    /// No prompt can be made.
    #[error("format `{format}`: {source}")]
    Prompt { format: String, source: PromptError },
    /// The model's tokens.
    #[error("the model `{model}`: {source}")]
    Vocabulary { model: String, source: VocabularyError },
    /// Variables were given for a chat template that the model lacks.
    #[error(
        "the model `{model}` has no chat template, so that no variable of it can be set: leave `template` out for this model"
    )]
    NoTemplate { model: String },
    /// A variable of the chat template cannot be set.
    #[error(
        "the model `{model}`: {source}. A variable for one of several models stands in that model's table: {{ name = {model:?}, template = {{ ... }} }}"
    )]
    Template { model: String, source: gramask_model::chat::ChatError },
    /// A format does not go with a schema.
    #[error("format `{format}`: {source}")]
    Compile { format: String, source: Box<CompileError> },
    #[error(transparent)]
    Decode(#[from] DecodeError),
    #[error(transparent)]
    Summary(#[from] SummaryError),
    /// A cell names a model for which the caller has no engine.
    #[error("no engine for model `{model}`: it was not resolved, or its engine was taken twice")]
    NoModel { model: String },
}

// Boxed, to keep `Result`s small.
impl From<ScoresError> for RunError {
    fn from(error: ScoresError) -> Self {
        RunError::Scores(Box::new(error))
    }
}

impl From<LoadError> for RunError {
    fn from(error: LoadError) -> Self {
        RunError::Load(Box::new(error))
    }
}

impl From<TuningError> for RunError {
    fn from(error: TuningError) -> Self {
        RunError::Tuning(Box::new(error))
    }
}

impl RunError {
    /// The fault of the device, if the error is one.
    pub fn device_fault(&self) -> Option<&DeviceFault> {
        match self {
            RunError::Fault(fault) => Some(fault),
            RunError::Decode(DecodeError::Model { source: LanguageModelError::Device(fault), .. }) => Some(fault),
            _ => None,
        }
    }
}
