//! Errors of the command line: those of its parts, as they are.

use thiserror::Error;

use crate::experiment::ExperimentError;
use crate::pull::PullError;
use crate::run::{CompareError, JournalError, MergeError, OneError, PlanError, RunError, ScoresError, SettingsError};

/// Why a command failed.
#[derive(Debug, Error)]
pub enum CliError {
    /// The experiment file.
    #[error(transparent)]
    Experiment(#[from] ExperimentError),
    /// A name.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The run.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The run's folder.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The run's records.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The report.
    #[error(transparent)]
    Report(#[from] crate::report::ReportError),
    /// The run's scores.
    #[error(transparent)]
    Scores(#[from] ScoresError),
    /// Parts of a run.
    #[error(transparent)]
    Merge(Box<MergeError>),
    /// Cells.
    #[error(transparent)]
    Compare(#[from] CompareError),
    /// The model.
    #[error(transparent)]
    Pull(#[from] PullError),
    /// The format.
    #[error(transparent)]
    Format(#[from] gramask_grammar::FormatErrors),
    /// The page of the formats.
    #[error(transparent)]
    Page(#[from] gramask_grammar::docs::PageError),
    /// The format does not go with the labels.
    #[error(transparent)]
    Compile(#[from] gramask_grammar::CompileError),
    /// The text cannot be written in the format.
    #[error(transparent)]
    Write(#[from] gramask_grammar::WriteError),
    /// The device.
    #[error(transparent)]
    Device(#[from] gramask_model::device::DeviceError),
    /// The text could not be decoded.
    #[error(transparent)]
    One(#[from] OneError),
    /// The vocabulary.
    #[error(transparent)]
    Vocabulary(#[from] crate::pull::VocabularyFault),
    /// There is no constraint for the text.
    #[error(transparent)]
    Constraint(#[from] gramask_grammar::ConstraintError),
    /// Level `none` where a constraint is shown or compared.
    #[error("level `none` has no mask: take `syntax` or `grounded`")]
    NoConstraint,
    /// An output that is not the beginning of one.
    #[error("--after leaves the format at byte {offset}, `{byte}`: behind `{good}` there could be {could}")]
    After {
        /// The byte, from 0.
        offset: usize,
        /// What it is.
        byte: String,
        /// What is before it.
        good: String,
        /// What would be right.
        could: String,
    },
    /// The records of a run.
    #[error("{}:{line}: {reason}", path.display())]
    Records {
        /// The file.
        path: std::path::PathBuf,
        /// The line, from 1; 0 for the file itself.
        line: usize,
        /// What is wrong.
        reason: String,
    },
    /// A table that can't be written as CSV.
    #[error("cannot write CSV: {0}")]
    Csv(#[from] csv::Error),
    /// A table that can't be written as JSON.
    #[error("cannot write JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// There is no plain grammar.
    #[error(transparent)]
    Expand(#[from] gramask_grammar::ExpandError),
    /// The plain grammar can't be printed so.
    #[error(transparent)]
    Print(#[from] gramask_grammar::PrintError),
    /// The file of a document.
    #[error("cannot read the document {}: {source}", path.display())]
    Document {
        /// The file.
        path: std::path::PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// Labels without a name.
    #[error("--labels needs names with commas between, such as Chemical,Disease; an empty one was given")]
    Labels,
    /// The training.
    #[error(transparent)]
    Tune(Box<crate::tune::TuneError>),
    /// The test of a device cannot begin.
    #[error(transparent)]
    Conform(#[from] crate::conform::ConformError),
    /// A report can't be written.
    #[error("cannot write {}: {source}", path.display())]
    Output {
        /// The file.
        path: std::path::PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// Ctrl-C cannot be caught.
    #[error("cannot listen for Ctrl-C: {0}")]
    Signal(#[from] ctrlc::Error),
}

impl From<MergeError> for CliError {
    fn from(error: MergeError) -> Self {
        CliError::Merge(Box::new(error))
    }
}

impl From<crate::tune::TuneError> for CliError {
    fn from(error: crate::tune::TuneError) -> Self {
        CliError::Tune(Box::new(error))
    }
}
