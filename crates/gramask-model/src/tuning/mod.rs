//! Supervised tuning: a model learns to write given outputs after given prompts.
//!
//! Either all weights are learnt, or an **adapter** of low rank beside frozen ones (Hu et al. 2021, "LoRA"), which is a
//! hundredth of the model and can be merged into it afterwards. Adapters are PEFT's, file by file.
//!
//! | file | what it holds |
//! |---|---|
//! | `lora.rs` | which matrices an adapter changes, and by how large a product |
//! | `pack.rs` | several sequences as one row of tokens, their common beginning only once |
//! | `dropout.rs` | which inputs of adapters a step leaves out |
//! | `graph.rs` | the forward pass, differentiable |
//! | `native/` | the same step with its gradients written out, as plain Rust for the CPU |
//! | `model.rs` | what is frozen, what is learnt, and its gradients |
//! | `adamw.rs` | the optimiser and the learning rate over the steps |
//! | `adapter.rs`, `merge.rs` | adapters on disk, and merged into a model's weights |
//! | `scratch.rs` | a small model that has learnt nothing yet |
//! | `state.rs` | going on exactly where a training was stopped |
//! | `random.rs` | numbers that are the same on every machine |
//!
//! Everything is computed in `f32`. As in the [transformer](crate::transformer), the step is written twice. One is in Burn's
//! tensor operations, which Burn differentiates on every device. The other is native for the CPU, where it is several times as
//! fast. The first is the definition, and tests hold the second to it.
//!
//! # Example
//! One step of a tiny random model towards one sequence.
//!
//! ```
//! use gramask_model::checkpoint::Checkpoint;
//! use gramask_model::device::DeviceName;
//! use gramask_model::tuning::{AdamW, AdamWSettings, Draw, Lora, Pack, Sequence, Tunable};
//!
//! let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/tiny-llama");
//! let checkpoint = Checkpoint::open(folder.as_ref())?;
//! let device = "flex".parse::<DeviceName>()?.open()?;
//! let mut model = Tunable::with_adapter(&checkpoint.config, &*checkpoint.tensors, Lora::default(), 1, &device)?;
//! let mut optimiser = AdamW::new(AdamWSettings::default(), &model);
//!
//! let pack = Pack::new(&[Sequence { prompt: &[1, 2, 3], output: &[4, 5, 0] }])?;
//! let before = model.gradients(&pack, 1.0 / 3.0, &Draw::default())?;
//! optimiser.step(&mut model, before.gradients, 1e-2)?;
//! assert!(model.loss(&pack)? < before.loss);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod adamw;
mod adapter;
mod dropout;
mod error;
mod graph;
mod lora;
mod merge;
mod model;
mod native;
mod pack;
mod scratch;
mod state;

pub use adamw::{AdamW, AdamWSettings, Schedule};
pub use adapter::{Adapter, Pair, Precision};
pub use dropout::Draw;
pub use error::TuningError;
pub use lora::{Lora, Target};
pub use model::{Gradients, Parameter, Snapshot, Tunable};
pub use pack::{Pack, Sequence};
pub use scratch::Scratch;
pub use state::{read_state, write_state};
