//! The decoder-only transformer in Burn: from a checkpoint on disk to the logits of the next token.
//!
//! Nothing here knows of documents, formats or constraints. What it offers to decoding is small:
//!
//! - a [`Checkpoint`](checkpoint::Checkpoint) is a model as it lies on disk: a Hugging Face folder or a GGUF file, with
//!   its [`Tokenizer`](tokenizer::Tokenizer) and its [`ChatTemplate`](chat::ChatTemplate);
//! - a [`DeviceName`](device::DeviceName) opens the device to compute on: `flex` (the CPU), `wgpu:N`, `cuda:N`;
//! - a [`Transformer`](transformer::Transformer) is the model with its weights on a device: Llama, Qwen2, Qwen3 and Gemma 3 are
//!   one program and four configurations;
//! - a [`Cache`](cache::Cache) holds keys and values of several sequences, each in a **slot** of its own length;
//! - a [`Row`](transformer::Row) is new tokens for one slot. A forward pass takes any number of rows of any lengths;
//! - a [`Tunable`](tuning::Tunable) is a model in training, and an [`Adapter`](tuning::Adapter) what it has learnt.
//!
//! # Example
//! Two prompts that begin alike, in one batch. (This checkpoint is a tiny random one, so what it says is noise.)
//!
//! ```
//! use gramask_model::cache::Cache;
//! use gramask_model::checkpoint::Checkpoint;
//! use gramask_model::device::DeviceName;
//! use gramask_model::transformer::{Row, Select, Transformer, WeightType};
//!
//! let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/tiny-qwen3");
//! let device = "flex".parse::<DeviceName>()?.open()?;
//! let model = Transformer::load(&Checkpoint::open(folder.as_ref())?, &device, WeightType::F16)?;
//!
//! // Room for two sequences of 64 tokens. The beginning is computed once and shared.
//! let mut cache = Cache::new(model.config(), 2, 64, &device)?;
//! model.forward(&mut cache, &[Row { slot: 0, tokens: b"Diseases in: ".map(u32::from).as_slice() }], Select::Last)?;
//! cache.copy(0, 1, cache.len(0)?)?;
//!
//! let rows = [Row { slot: 0, tokens: &[97, 98] }, Row { slot: 1, tokens: &[99] }];
//! let logits = model.forward(&mut cache, &rows, Select::Last)?;
//! assert_eq!(logits.dims(), [2, model.config().vocabulary]);
//! assert_eq!((cache.len(0)?, cache.len(1)?), (15, 14));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod cache;
pub mod chat;
pub mod checkpoint;
pub mod device;
pub mod tokenizer;
pub mod transformer;
pub mod tuning;
