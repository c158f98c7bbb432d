//! A check, and what it finds.

use gramask_decode::{DecodeError, InvalidSampling, LanguageModelError, LayoutError};
use gramask_grammar::{CompileError, ConstraintError, FormatErrors, VocabularyError, WriteError};
use gramask_kernels::KernelError;
use gramask_kernels::checks::CheckError;
pub use gramask_kernels::checks::Tally;
use gramask_model::cache::CacheError;
use gramask_model::checkpoint::CheckpointError;
use gramask_model::device::DeviceFault;
use gramask_model::transformer::{LoadError, ModelError};
use serde::Serialize;

use super::pair::Pair;
use crate::pull::VocabularyFault;

/// What a check is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Group {
    /// An operation of Burn's: what is wrong is the device's fault.
    Operation,
    /// A kernel of this workspace.
    Kernel,
    /// A model's forward passes.
    Model,
    /// What a cache does between them.
    Cache,
    /// Decoded outputs.
    Output,
    /// Masks.
    Mask,
}

impl Group {
    /// As it stands in the table.
    pub const fn name(self) -> &'static str {
        match self {
            Group::Operation => "operation",
            Group::Kernel => "kernel",
            Group::Model => "model",
            Group::Cache => "cache",
            Group::Output => "output",
            Group::Mask => "mask",
        }
    }
}

/// What a check does with a device and its reference.
type Comparison = dyn Fn(&Pair) -> Result<Tally, Failure>;

/// One line of the report: a name, and what is done for it.
pub struct Check {
    /// What it is of.
    pub group: Group,
    /// What it compares.
    pub name: String,
    /// Does it.
    pub(super) run: Box<Comparison>,
}

impl Check {
    /// A check.
    pub(super) fn new(
        group: Group,
        name: impl Into<String>,
        run: impl Fn(&Pair) -> Result<Tally, Failure> + 'static,
    ) -> Check {
        Check { group, name: name.into(), run: Box::new(run) }
    }
}

/// Why nothing could be compared.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "each is the error that it holds")]
pub(super) enum Failure {
    #[error(transparent)]
    Fault(#[from] DeviceFault),
    #[error(transparent)]
    Kernel(#[from] KernelError),
    #[error(transparent)]
    Load(#[from] LoadError),
    #[error(transparent)]
    Model(#[from] ModelError),
    #[error(transparent)]
    Cache(#[from] CacheError),
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    #[error(transparent)]
    LanguageModel(#[from] LanguageModelError),
    #[error(transparent)]
    Decode(#[from] DecodeError),
    #[error(transparent)]
    Layout(#[from] LayoutError),
    #[error(transparent)]
    Sampling(#[from] InvalidSampling),
    #[error(transparent)]
    Format(#[from] FormatErrors),
    #[error(transparent)]
    Compile(#[from] CompileError),
    #[error(transparent)]
    Constraint(#[from] ConstraintError),
    #[error(transparent)]
    Write(#[from] WriteError),
    #[error(transparent)]
    Vocabulary(#[from] VocabularyError),
    #[error(transparent)]
    Tokens(#[from] VocabularyFault),
    #[error("{0}")]
    Other(String),
}

impl From<CheckError> for Failure {
    fn from(error: CheckError) -> Self {
        match error {
            CheckError::Kernel(error) => Failure::Kernel(error),
            CheckError::Sampling(error) => Failure::Other(error.to_string()),
            CheckError::Read(device, error) => Failure::Fault(DeviceFault::of_execution(&device, &error)),
        }
    }
}

impl Failure {
    /// Whether the device is gone.
    pub fn is_lost(&self) -> bool {
        match self {
            Failure::Fault(fault) => fault.is_lost(),
            Failure::LanguageModel(LanguageModelError::Device(fault))
            | Failure::Decode(DecodeError::Model { source: LanguageModelError::Device(fault), .. }) => fault.is_lost(),
            _ => false,
        }
    }
}

/// How a check came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// All within the tolerance.
    Passed,
    /// Something this program relies on is wrong.
    Failed,
    /// An operation of Burn's that this program does not rely on is wrong.
    FaultOfTheDevice,
    /// The device does not have what is compared.
    Skipped,
}

/// A check that was run.
#[derive(Clone, Debug, Serialize)]
pub struct Checked {
    /// What it is of.
    pub group: Group,
    /// What it compares.
    pub name: String,
    /// How it came out.
    pub verdict: Verdict,
    /// How many things were compared.
    pub cases: usize,
    /// The largest error; none where nothing could be compared.
    pub worst: Option<f64>,
    /// The largest error that passes; 0 where things must be the same.
    pub tolerance: f64,
    /// Tokens that differ, and may.
    pub near_ties: usize,
    /// What is wrong, or why nothing was compared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Seconds by the wall clock.
    pub seconds: f64,
    /// Whether the device was lost.
    #[serde(skip)]
    pub lost: bool,
}

impl Checked {
    pub(super) fn new(
        check: &Check,
        tally: Option<Tally>,
        failure: Option<String>,
        lost: bool,
        seconds: f64,
    ) -> Checked {
        let broken = match check.group {
            Group::Operation => Verdict::FaultOfTheDevice,
            _ => Verdict::Failed,
        };
        let empty = "nothing was compared";
        let (verdict, note) = match &tally {
            None => (broken, failure),
            Some(Tally { skipped: Some(why), .. }) => (Verdict::Skipped, Some((*why).to_owned())),
            Some(tally) if tally.wrong.is_some() => (broken, tally.wrong.clone()),
            // A check that can't fail is no check.
            Some(Tally { cases: 0, .. }) => (broken, Some(empty.to_owned())),
            Some(_) => (Verdict::Passed, None),
        };
        let tally_or = tally.unwrap_or_else(Tally::exact);
        Checked {
            group: check.group,
            name: check.name.clone(),
            verdict,
            cases: tally_or.cases,
            worst: (tally_or.cases > 0).then_some(tally_or.worst),
            tolerance: tally_or.tolerance,
            near_ties: tally_or.near_ties,
            note,
            seconds,
            lost,
        }
    }
}
