//! Errors of loading a model and of its forward passes.

use gramask_kernels::KernelError;

use super::Dtype;
use crate::cache::CacheError;
use crate::checkpoint::CheckpointError;

/// Why a forward pass was refused. It is refused before anything is written: cache and model are as they were.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ModelError {
    /// Nothing to do.
    #[error("a forward pass of no rows: at least one is needed")]
    NoRows,
    /// A row has no tokens, so it has no logits either.
    #[error("row {row} (slot {slot}) has no tokens: at least one is needed")]
    EmptyRow {
        /// Number of the row.
        row: usize,
        /// Its slot.
        slot: usize,
    },
    /// The cache has no such slot.
    #[error("row {row}: {error}")]
    Slot {
        /// Number of the row.
        row: usize,
        /// What the cache says.
        error: CacheError,
    },
    /// The logits asked for do not go with the rows.
    #[error(
        "logits were asked for the last {tails:?} tokens of rows of {lengths:?} tokens: one number is needed for each row, \
         none above the row's length, and not all 0"
    )]
    Tails {
        /// How many were asked for, row by row.
        tails: Vec<usize>,
        /// How many tokens the rows have.
        lengths: Vec<usize>,
    },
    /// Two rows write to one slot, so that neither could know where.
    #[error("rows {first} and {second} both write to slot {slot}: give a slot's new tokens in one row")]
    SlotTwice {
        /// Number of the first row.
        first: usize,
        /// Number of the second row.
        second: usize,
        /// The slot.
        slot: usize,
    },
    /// More tokens than the slot has room for.
    #[error("slot {slot} holds {held} of at most {capacity} tokens: no room for {added} more")]
    ContextOverflow {
        /// The slot.
        slot: usize,
        /// Tokens in it.
        held: usize,
        /// Tokens to be added.
        added: usize,
        /// The most it can hold.
        capacity: usize,
    },
    /// A token that the vocabulary does not have.
    #[error("row {row}, token {position}: id {id} is outside the vocabulary of {vocabulary} tokens")]
    NoSuchToken {
        /// Number of the row.
        row: usize,
        /// Which of the row's tokens.
        position: usize,
        /// Its id.
        id: u32,
        /// Ids are below this.
        vocabulary: usize,
    },
    /// The cache lies on another device than the model.
    #[error("the cache is on {cache}, the model on {model}: make it on the model's device")]
    CacheOnAnotherDevice {
        /// The cache's device, as Burn names it.
        cache: String,
        /// The model's device.
        model: String,
    },
    /// The cache is kept in a type that this way to compute does not read.
    #[error("the cache is kept in {found}; on {device} the model reads f32: make the cache with `Transformer::cache`")]
    CacheInAnotherType {
        /// What the cache is kept in.
        found: Dtype,
        /// The model's device.
        device: String,
    },
    /// The cache was made for another model.
    #[error("the cache has {found}, the model needs {expected}: make it from this model's configuration")]
    CacheOfAnotherModel {
        /// What the cache has.
        found: String,
        /// What it would need.
        expected: String,
    },
}

/// Why a checkpoint did not become a model.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The checkpoint could not give a tensor.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// A tensor is missing.
    #[error("tensor `{name}` is missing: the configuration asks for one of shape {expected:?}")]
    MissingTensor {
        /// Its name.
        name: String,
        /// The shape it would have.
        expected: Vec<usize>,
    },
    /// A tensor has another shape than the configuration says.
    #[error("tensor `{name}` has shape {found:?}, the configuration asks for {expected:?}")]
    WrongShape {
        /// Its name.
        name: String,
        /// The shape it has.
        found: Vec<usize>,
        /// The shape it should have.
        expected: Vec<usize>,
    },
    /// The device cannot hold a weight in the type that was asked for.
    #[error("tensor `{name}`: {error}")]
    Weight {
        /// Its name; `a+b.weight` for tensors that are kept as one, `b` below `a`.
        name: String,
        /// What the device cannot do.
        error: KernelError,
    },
    /// The device does not compute in the type that was asked for.
    #[error("device {device} does not compute in {dtype}; it has {}", .available.join(", "))]
    Dtype {
        /// What was asked for.
        dtype: Dtype,
        /// The device, as Burn names it.
        device: String,
        /// What the device can do instead.
        available: Vec<&'static str>,
    },
    /// The shape makes no model.
    #[error("configuration: {what}")]
    Configuration {
        /// What is wrong, and what would be right.
        what: String,
    },
}
