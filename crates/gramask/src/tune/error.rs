//! Why a training cannot begin or go on.

use std::path::PathBuf;

use gramask_decode::PromptError;
use gramask_grammar::{CompileError, FormatErrors, VocabularyError};
use gramask_model::checkpoint::CheckpointError;
use gramask_model::device::DeviceError;
use gramask_model::tuning::TuningError;
use thiserror::Error;

use crate::experiment::ExperimentError;
use crate::plan::PlanError;
use crate::pull::PullError;
use crate::runner::RunError;
use crate::store::ManifestError;

/// Why a training cannot begin or go on.
#[derive(Debug, Error)]
pub enum TuneError {
    /// The tuning file.
    #[error(transparent)]
    File(#[from] ExperimentError),
    /// An option of the command line makes no sense.
    #[error("`{option} {given}`: give {right}")]
    Override {
        /// The option.
        option: &'static str,
        /// What was given.
        given: String,
        /// What would be right.
        right: &'static str,
    },
    /// A name means nothing.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The model is not there and cannot be brought.
    #[error(transparent)]
    Pull(#[from] PullError),
    /// A format file.
    #[error(transparent)]
    Format(#[from] FormatErrors),
    /// The device.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// The model's files.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The model, the adapter or the optimiser.
    #[error(transparent)]
    Tuning(#[from] TuningError),
    /// The model's tokens.
    #[error(transparent)]
    Tokens(#[from] VocabularyError),
    /// No prompt can be made.
    #[error(transparent)]
    Prompt(#[from] PromptError),
    /// The folder belongs to another run.
    #[error(transparent)]
    Settings(#[from] ManifestError),
    /// The variables of the chat template.
    #[error("{0}")]
    Template(RunError),
    /// Validation failed.
    #[error("validation: {0}")]
    Validation(#[from] RunError),
    /// A format with a pass for each label.
    #[error(
        "format `{format}` is decoded once for each label: such formats cannot be learnt yet; take one with all labels in one \
         output (`gramask formats` lists them)"
    )]
    Passes {
        /// The format.
        format: String,
    },
    /// A format that does not go with a corpus's labels.
    #[error("format `{format}`: {source}")]
    Compile {
        /// The format.
        format: String,
        /// What is wrong.
        source: Box<CompileError>,
    },
    /// All examples are too long.
    #[error("no example has at most {longest} tokens: set `longest` under [training] to more")]
    NoExample {
        /// The limit.
        longest: usize,
    },
    /// An adapter to go on from, where all weights are learnt.
    #[error("an adapter to go on from and `weights = \"all\"` do not go together: leave one out")]
    AdapterOfWhole,
    /// A file of the run cannot be read or written.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// A table of the run is none.
    #[error("{}: {message}; it was not written by a training: remove it", path.display())]
    Table {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        message: String,
    },
    /// The plot cannot be drawn.
    #[error("cannot draw {}: {message}", path.display())]
    Plot {
        /// The file.
        path: PathBuf,
        /// Why not.
        message: String,
    },
}

impl TuneError {
    pub(super) fn io(action: &'static str, path: impl Into<PathBuf>, source: std::io::Error) -> TuneError {
        let path = path.into();
        TuneError::Io { action, path, source }
    }
}
