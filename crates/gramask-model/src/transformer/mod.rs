//! The decoder-only transformer, from scratch on Burn's tensors.
//!
//! Read the files in this order:
//!
//! | file | what it holds |
//! |---|---|
//! | `step.rs` | the rows of one forward pass: new tokens, each appended to its slot of the cache |
//! | `norm.rs` | RMSNorm |
//! | `attention.rs` | grouped-query attention over the cache |
//! | `feed_forward.rs` | the gated feed-forward layer |
//! | `block.rs`, `model.rs` | one layer, and all of them between embedding and head |
//! | `weight_choice.rs`, `precision.rs` | the types of weights, activations and cache |
//! | `load.rs` | from a checkpoint's tensors to a model |
//! | `fused.rs`, `recorded.rs` | the same layers for GPUs, in few launches; a decoding step that is recorded and replayed |
//!
//! The families differ by configuration only. Qwen2 adds a bias to queries, keys and values. Qwen3 normalises each head's queries
//! and keys. Gemma 3 does that too, normalises what each half of a layer adds to the stream, scales embeddings, and has layers
//! that see the last positions only. A model without `lm_head` uses the embedding as its head.
//!
//! **Scopes.** What a layer sees and how it rotates heads is its scope. The layers of a scope share angles and masks, which are
//! made once per pass. Most models have one scope.
//!
//! **Ragged rows.** The tokens of all rows are the rows of one matrix `[tokens, width]`, without padding. Everything but
//! attention works token by token on that matrix, so every product is a 2-D matrix product. Attention knows which tokens
//! belong to which row.
//!
//! **Three ways to compute the same.** Burn's tensor operations run on every device and are the definition. The CPU back end
//! `flex` uses the CPU kernels of [`gramask_kernels`], because a step of one token would otherwise spend more time on calls than
//! on arithmetic. GPUs use its GPU kernels, because they would otherwise wait for launches. Tests compare the kernels with the
//! definition.

mod attention;
mod block;
mod error;
mod feed_forward;
mod fused;
mod linear;
mod load;
mod model;
mod norm;
mod precision;
mod recorded;
mod step;
mod weight_choice;

pub use crate::device::{Dtype, UnknownDtype};
pub use error::{LoadError, ModelError};
pub use fused::Kernels;
/// How weight matrices are kept on the device.
pub use gramask_kernels::WeightType;
pub use load::Progress;
pub use model::Transformer;
pub use precision::Precision;
pub(crate) use recorded::Recorded;
pub use step::{Row, Select};
pub use weight_choice::{UnknownWeights, WeightChoice};

// For training, whose forward pass is made of the same operations.
pub(crate) use gramask_kernels::cpu::vector::{dot, exp, fma};
pub(crate) use gramask_kernels::widest;
