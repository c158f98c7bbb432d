//! The decoder-only transformer, from scratch on Burn's tensors.
//!
//! Read the files in this order:
//!
//! | file | what it holds |
//! |---|---|
//! | `step.rs` | what one forward pass is asked: rows of new tokens, each behind what its slot of the cache holds |
//! | `norm.rs` | RMSNorm |
//! | `rope.rs` | rotary positions, rotate-half form |
//! | `attention.rs` | grouped-query attention over the cache |
//! | `feed_forward.rs` | SwiGLU |
//! | `block.rs`, `model.rs` | one layer, and all of them between embedding and head |
//! | `choice.rs`, `load.rs` | a checkpoint's tensors become a model |
//! | `native.rs`, `simd.rs` | the same operations as plain Rust, for the CPU |
//!
//! The families differ by configuration only: Qwen2 adds a bias to queries, keys and values; Qwen3 normalises each
//! head's queries and keys; a model without `lm_head` uses the embedding as its head.
//!
//! **Ragged by construction.** Tokens of all rows lie one after the other in a matrix `[tokens, width]`; there is no
//! padding. Everything but attention works token by token and sees only that matrix, so that every product is a plain
//! 2-D matrix product. Attention knows which tokens belong to which row.
//!
//! **Two ways to compute the same.** Each operation that is not a matrix product is written twice: in Burn's tensor
//! operations, which run on every device, and natively for the CPU back end `flex`, where a step of one token would
//! otherwise spend more time on calls than on arithmetic. The first is the definition, and tests hold the second to it.

mod attention;
mod block;
mod choice;
mod error;
mod feed_forward;
mod linear;
mod load;
mod model;
mod native;
mod norm;
mod rope;
mod simd;
mod step;

pub use choice::{UnknownWeights, WeightChoice};
pub use error::{LoadError, ModelError};
/// How weight matrices are kept on the device; activations, norms, biases and the cache are `f32` always.
pub use gramask_kernels::WeightType;
pub use load::Progress;
pub use model::Transformer;
pub(crate) use native::copy_positions;
pub(crate) use rope::rotate;
pub(crate) use simd::{dot, exp, fma, widest};
pub use step::{Row, Select};
