//! What can go wrong between a checkpoint and an adapter.

use std::path::PathBuf;

use crate::checkpoint::CheckpointError;
use crate::transformer::LoadError;

/// Why a model cannot be tuned, or an adapter not be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TuningError {
    /// A setting is out of its range.
    #[error("`{what}` is {given}: it must be {right}")]
    Setting {
        /// The setting.
        what: &'static str,
        /// What was given.
        given: String,
        /// What would be right.
        right: &'static str,
    },
    /// No matrix has this name.
    #[error("unknown target `{name}`: give q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj or down_proj")]
    UnknownTarget {
        /// The name.
        name: String,
    },
    /// The checkpoint could not give a tensor.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The checkpoint does not fit its own configuration.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The model has a part that training does not compute.
    #[error(
        "training is not implemented for {what}; tune the model elsewhere, and give the tuned model or its adapter"
    )]
    Model {
        /// The part.
        what: &'static str,
    },
    /// A file of an adapter cannot be read or written.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file is not what its name says.
    #[error("{}: {message}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what would be right.
        message: String,
    },
    /// The adapter asks for something that is not implemented.
    #[error("{}: `{key}` is {found}; this program knows {known}; merge the adapter into its base model with PEFT (`merge_and_unload`) and give the merged model", path.display())]
    Unsupported {
        /// The file.
        path: PathBuf,
        /// The setting.
        key: String,
        /// Its value.
        found: String,
        /// What would be accepted.
        known: &'static str,
    },
    /// The adapter was made for a model of another shape.
    #[error("{}: tensor `{name}` has shape {found:?}, this model needs {expected:?}: the adapter is of another model", path.display())]
    OtherModel {
        /// The file.
        path: PathBuf,
        /// The tensor.
        name: String,
        /// The shape it has.
        found: Vec<usize>,
        /// The shape it should have.
        expected: Vec<usize>,
    },
    /// Sequences that cannot be learnt from.
    #[error("sequence {number}: {what}")]
    Sequence {
        /// Which one, from 0.
        number: usize,
        /// What is wrong, and what would be right.
        what: String,
    },
    /// A gradient or the loss is no number any more.
    #[error("{what} is not finite: lower the learning rate")]
    NotFinite {
        /// What.
        what: &'static str,
    },
    /// The device failed.
    #[error("the device failed: {what}")]
    Device {
        /// What it said.
        what: String,
    },
}

impl TuningError {
    /// The model has no tensor of this name.
    pub(super) fn missing(name: &str) -> TuningError {
        TuningError::Load(LoadError::MissingTensor { name: name.into(), expected: Vec::new() })
    }
}
