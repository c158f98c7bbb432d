//! Errors of the command line. Most are errors of other modules, passed on unchanged.

use thiserror::Error;

use crate::evaluate::CompareError;
use crate::experiment::ExperimentError;
use crate::plan::PlanError;
use crate::pull::PullError;
use crate::runner::{DecodeTextError, MergeError, RunError};
use crate::store::{JournalError, ManifestError, ScoresError};

/// Why a command failed.
#[derive(Debug, Error)]
#[allow(missing_docs, reason = "the messages name variants and fields")]
pub enum CliError {
    #[error(transparent)]
    Experiment(#[from] ExperimentError),
    #[error(transparent)]
    Plan(#[from] PlanError),
    #[error(transparent)]
    Run(#[from] RunError),
    #[error(transparent)]
    Settings(#[from] ManifestError),
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error(transparent)]
    Report(#[from] crate::report::ReportError),
    #[error(transparent)]
    Scores(#[from] ScoresError),
    #[error(transparent)]
    Merge(Box<MergeError>),
    #[error(transparent)]
    Compare(#[from] CompareError),
    #[error(transparent)]
    Pull(#[from] PullError),
    #[error(transparent)]
    Format(#[from] gramask_grammar::FormatErrors),
    #[error(transparent)]
    Grammar(#[from] gramask_grammar::GrammarErrors),
    #[error(transparent)]
    Page(#[from] gramask_grammar::docs::PageError),
    #[error(transparent)]
    Compile(#[from] gramask_grammar::CompileError),
    #[error(transparent)]
    Write(#[from] gramask_grammar::WriteError),
    #[error(transparent)]
    Device(#[from] gramask_model::device::DeviceError),
    #[error(transparent)]
    One(#[from] DecodeTextError),
    #[error(transparent)]
    Vocabulary(#[from] crate::pull::VocabularyFault),
    #[error(transparent)]
    Constraint(#[from] gramask_grammar::ConstraintError),
    #[error(transparent)]
    Plain(#[from] gramask_grammar::PlainProgramError),
    /// White space without JSON.
    #[error("--whitespace goes with a JSON Schema: give --json-schema, or leave it out")]
    Whitespace,
    /// Strategy `repair` with a plain grammar.
    #[error("strategy `repair` mends outputs that say entities: a plain grammar has none, so take another strategy")]
    NoRepair,
    /// Level `grounded` with a plain grammar.
    #[error("a plain grammar refers to no document, so that level `grounded` does not go with it: give `syntax`")]
    NotGrounded,
    /// Level `none` where a constraint is shown or compared.
    #[error("level `none` has no mask: give `syntax` or `grounded`")]
    NoConstraint,
    /// The text after `--after` is not the beginning of an output.
    #[error("--after leaves the format at byte {offset}, `{byte}`: after `{good}` there could be {could}")]
    After { offset: usize, byte: String, good: String, could: String },
    /// The records of a run.
    #[error("{}:{line}: {reason}", path.display())]
    Records { path: std::path::PathBuf, line: usize, reason: String },
    /// A table cannot be written as CSV.
    #[error("cannot write CSV: {0}")]
    Csv(#[from] csv::Error),
    /// A table cannot be written as JSON.
    #[error("cannot write JSON: {0}")]
    Json(#[from] serde_json::Error),
    #[error(transparent)]
    Expand(#[from] gramask_grammar::ExpandError),
    #[error(transparent)]
    Print(#[from] gramask_grammar::PrintError),
    /// The file of a document.
    #[error("cannot read the document {}: {source}", path.display())]
    Document { path: std::path::PathBuf, source: std::io::Error },
    /// An option names what an experiment lacks.
    #[error("the experiment has no {what} `{name}`; it has {known}{near}")]
    NotInExperiment { what: &'static str, name: String, known: String, near: String },
    /// An option names a document that a corpus lacks.
    #[error("corpus `{corpus}` has no document `{id}` among those to decode; the first is `{first}`{near}")]
    NoSuchDocument { corpus: String, id: String, first: String, near: String },
    /// Labels without a name.
    #[error("--labels has an empty name: give names separated by commas, such as Chemical,Disease")]
    Labels,
    #[error(transparent)]
    Tune(Box<crate::tune::TuneError>),
    #[error(transparent)]
    Export(#[from] super::export::ExportError),
    #[error(transparent)]
    Inspect(Box<crate::inspect::InspectError>),
    #[error(transparent)]
    Conform(#[from] crate::conform::ConformError),
    /// A report can't be written.
    #[error("cannot write {}: {source}", path.display())]
    Output { path: std::path::PathBuf, source: std::io::Error },
    /// Ctrl-C cannot be caught.
    #[error("cannot listen for Ctrl-C: {0}")]
    Signal(#[from] ctrlc::Error),
}

impl From<MergeError> for CliError {
    fn from(error: MergeError) -> Self {
        CliError::Merge(Box::new(error))
    }
}

impl From<crate::inspect::InspectError> for CliError {
    fn from(error: crate::inspect::InspectError) -> Self {
        CliError::Inspect(Box::new(error))
    }
}

impl From<crate::tune::TuneError> for CliError {
    fn from(error: crate::tune::TuneError) -> Self {
        CliError::Tune(Box::new(error))
    }
}
