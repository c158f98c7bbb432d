//! Checkpoints: all parts of a model, read from a Hugging Face folder or from one GGUF file.
//!
//! A [`Checkpoint`] has a configuration, a source of tensors, a tokenizer and, usually, a chat template. Tensors have Hugging
//! Face's names and shapes in both kinds of files. [`Checkpoint::open`] checks that exactly the tensors of
//! [`expected_tensors`] are present, each with all of its bytes. Files are memory-mapped: opening reads only the headers, and
//! a tensor is converted when it is read. The files must not change during that time.
//!
//! | in this folder | |
//! |---|---|
//! | `config.rs`, `rope.rs` | the shape of a model, and how its heads are rotated |
//! | `names.rs` | which tensors a shape asks for |
//! | `folder.rs`, `safetensors.rs` | Hugging Face folders |
//! | `gguf.rs`, `gguf/` | GGUF files |
//! | `dequantise.rs` | the block formats of quantised tensors |
//! | `seeded.rs` | weights made of a seed, for tests and benchmarks |
//! | `identity.rs` | a short digest that tells checkpoints apart |
//! | `write.rs` | checkpoints written out as Hugging Face folders |

mod config;
mod dequantise;
mod error;
mod folder;
mod gguf;
mod identity;
mod names;
mod rope;
mod safetensors;
mod seeded;
mod settings;
mod source;
mod write;

pub use config::{Family, ModelConfig, SlidingWindow};
pub use dequantise::{BlockType, dequantise};
pub use error::CheckpointError;
pub use gguf::{GgufFile, GgufTensor, GgufValue, gguf_parts};
pub(crate) use names::{ATTENDED_NORM, FED_NORM, feed_forward_norm};
pub use names::{TensorProblem, check_tensors, expected_tensors};
pub use rope::{RopeScaling, Yarn};
pub use seeded::SeededTensors;
pub use source::TensorSource;

use crate::chat::ChatTemplate;
use crate::tokenizer::Tokenizer;
use std::path::{Path, PathBuf};

/// A model as it lies on disk: what it looks like, its tensors, its tokenizer, its chat template.
pub struct Checkpoint {
    /// The shape of the model.
    pub config: ModelConfig,
    /// The tensors, by Hugging Face name; exactly those of [`expected_tensors`].
    pub tensors: Box<dyn TensorSource + Send + Sync>,
    /// The tokenizer; its size is the configuration's vocabulary.
    pub tokenizer: Tokenizer,
    /// How to write a conversation, for models that were tuned on conversations.
    pub chat: Option<ChatTemplate>,
    /// Tells checkpoints apart: file names, sizes and a hash of samples. Not a cryptographic digest.
    pub digest: String,
    /// The folder or file as it was given.
    pub path: PathBuf,
    /// Unusual properties of the files, each with how it was resolved, one sentence each. Mostly empty.
    pub notes: Vec<String>,
}

impl std::fmt::Debug for Checkpoint {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Checkpoint")
            .field("path", &self.path)
            .field("config", &self.config)
            .field("digest", &self.digest)
            .finish_non_exhaustive()
    }
}

impl Checkpoint {
    /// Opens a Hugging Face folder (`config.json`, `tokenizer.json`, `*.safetensors`) or a `.gguf` file. Of a model in several
    /// GGUF files, any one stands for all.
    ///
    /// # Errors
    /// A [`CheckpointError`] that names the file and what is wrong with it: a missing file or setting, an unknown
    /// architecture or tensor type, a truncated file, tensors that don't fit the configuration, a tokenizer that can't
    /// be built, a chat template that doesn't compile.
    pub fn open(path: &Path) -> Result<Checkpoint, CheckpointError> {
        let metadata =
            std::fs::metadata(path).map_err(|source| CheckpointError::Io { path: path.to_owned(), source })?;
        if metadata.is_dir() {
            folder::open(path)
        } else if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("gguf")) {
            gguf::open(path)
        } else {
            Err(CheckpointError::NotACheckpoint { path: path.to_owned(), found: "a file of another kind".to_owned() })
        }
    }
}
