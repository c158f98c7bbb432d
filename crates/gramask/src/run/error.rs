//! Why a run cannot begin or go on.

use gramask_decode::{DecodeError, LanguageModelError, PromptError, TokenTableError};
use gramask_grammar::{CompileError, VocabularyError};
use gramask_model::device::{DeviceError, DeviceFault};
use gramask_model::transformer::LoadError;
use gramask_model::tuning::TuningError;
use thiserror::Error;

use super::journal::JournalError;
use super::plan::PlanError;
use super::scores::ScoresError;
use super::settings::SettingsError;
use crate::pull::PullError;

/// Why a run cannot begin or go on.
#[derive(Debug, Error)]
pub enum RunError {
    /// A name means nothing.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The model is not there and cannot be brought.
    #[error(transparent)]
    Pull(#[from] PullError),
    /// The folder belongs to another run.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The records cannot be read or written.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The scores cannot be read or written.
    #[error(transparent)]
    Scores(Box<ScoresError>),
    /// The device.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// The device failed.
    #[error(transparent)]
    Fault(Box<DeviceFault>),
    /// The weights are kept in no such type.
    #[error("unknown weight type `{given}`: give {known}, or leave `weights` out")]
    Weights {
        /// What was given.
        given: String,
        /// The types there are.
        known: String,
    },
    /// The model's files.
    #[error(transparent)]
    Checkpoint(#[from] gramask_model::checkpoint::CheckpointError),
    /// The model cannot be put on the device.
    #[error(transparent)]
    Load(Box<LoadError>),
    /// The adapter.
    #[error(transparent)]
    Tuning(Box<TuningError>),
    /// The model has no end token.
    #[error("the model `{model}`: {source}")]
    Tokens {
        /// The model.
        model: String,
        /// What is wrong.
        source: TokenTableError,
    },
    /// No prompt can be made.
    #[error("format `{format}`: {source}")]
    Prompt {
        /// The format.
        format: String,
        /// What is wrong.
        source: PromptError,
    },
    /// The model's tokens.
    #[error("the model `{model}`: {source}")]
    Vocabulary {
        /// The model.
        model: String,
        /// What is wrong.
        source: VocabularyError,
    },
    /// A format does not go with a schema.
    #[error("format `{format}`: {source}")]
    Compile {
        /// The format.
        format: String,
        /// What is wrong.
        source: Box<CompileError>,
    },
    /// The model failed.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// A file of the run cannot be written.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// The file.
        path: std::path::PathBuf,
        /// Why not.
        source: std::io::Error,
    },
}

// Boxed, so that results are small where all goes well.
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
    /// The device's fault, where it is one.
    pub fn device_fault(&self) -> Option<&DeviceFault> {
        match self {
            RunError::Fault(fault) => Some(fault),
            RunError::Decode(DecodeError::Model { source: LanguageModelError::Device(fault), .. }) => Some(fault),
            _ => None,
        }
    }
}
