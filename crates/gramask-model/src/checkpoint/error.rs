//! Errors of checkpoints. Each names the file, the place, and what would be right.

use crate::chat::ChatError;
use crate::tokenizer::TokenizerError;
use std::path::PathBuf;

/// Why a checkpoint can't be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// The operating system refused to open, read or map a file.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The path is neither a Hugging Face folder nor a GGUF file.
    #[error("{}: not a checkpoint: {found}; expected a folder with config.json or a file that ends in .gguf", path.display())]
    NotACheckpoint {
        /// The path as given.
        path: PathBuf,
        /// What was found instead.
        found: String,
    },
    /// The file is the pointer that Git LFS leaves in place of a large file.
    #[error("{}: a Git LFS pointer, not the file itself; run `git lfs pull` in its folder", path.display())]
    LfsPointer {
        /// The file.
        path: PathBuf,
    },
    /// An adapter was given as a model.
    #[error(
        "{}: an adapter of PEFT, not a model; give its base model as the model, and this folder as the adapter",
        path.display()
    )]
    IsAdapter {
        /// The folder.
        path: PathBuf,
    },
    /// The weights are quantised in a form of Hugging Face folders that is not read.
    #[error(
        "{}: the weights are quantised by `{method}`, which is not read; give the unquantised model or a GGUF file",
        path.display()
    )]
    Quantised {
        /// The file that says so.
        path: PathBuf,
        /// The method.
        method: String,
    },
    /// A folder lacks a file that it must have.
    #[error("{}: the folder has no {file}", folder.display())]
    MissingFile {
        /// The checkpoint's folder.
        folder: PathBuf,
        /// The file's name, or several names of which one would do.
        file: String,
    },
    /// A JSON file can't be parsed.
    #[error("{}:{line}:{column}: {message}", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
        /// What the parser said.
        message: String,
    },
    /// The model belongs to no family that is implemented.
    #[error("{}: unknown architecture `{found}`; known are {known}", path.display())]
    UnknownArchitecture {
        /// The file that names the architecture.
        path: PathBuf,
        /// The architecture's name.
        found: String,
        /// The names that would be accepted.
        known: String,
    },
    /// A required setting is absent.
    #[error("{}: the setting `{key}` is missing; expected {expected}", path.display())]
    MissingSetting {
        /// The file.
        path: PathBuf,
        /// The setting's key.
        key: String,
        /// What would be accepted.
        expected: String,
    },
    /// A setting has a value that makes no sense or is not implemented.
    #[error("{}: the setting `{key}` is {found}; expected {expected}", path.display())]
    BadSetting {
        /// The file.
        path: PathBuf,
        /// The setting's key.
        key: String,
        /// The value found.
        found: String,
        /// What would be accepted.
        expected: String,
    },
    /// A header is malformed.
    #[error("{}: byte {offset}: {what}: found {found}, expected {expected}", path.display())]
    BadHeader {
        /// The file.
        path: PathBuf,
        /// Byte offset in the file.
        offset: u64,
        /// What was being read.
        what: String,
        /// What was found.
        found: String,
        /// What would be right.
        expected: String,
    },
    /// The file ends inside its header.
    #[error("{}: truncated: {what} at byte {offset} needs {needed} bytes, the file ends {missing} bytes too early", path.display())]
    TruncatedHeader {
        /// The file.
        path: PathBuf,
        /// What was being read.
        what: String,
        /// Where it starts in the file.
        offset: u64,
        /// How many bytes it needs.
        needed: u64,
        /// How many of them are missing.
        missing: u64,
    },
    /// The file ends before or inside a tensor's data.
    #[error("{}: truncated: tensor `{tensor}` needs bytes {start}..{end}, the file has {size}: {missing} bytes are missing", path.display())]
    TruncatedTensor {
        /// The file.
        path: PathBuf,
        /// The tensor's name in that file.
        tensor: String,
        /// First byte of the tensor in the file.
        start: u64,
        /// One past its last byte.
        end: u64,
        /// The file's size in bytes.
        size: u64,
        /// How many of the tensor's bytes are not in the file.
        missing: u64,
    },
    /// The parts of a model in several GGUF files don't fit together.
    #[error("{}: {what}", path.display())]
    Split {
        /// The part.
        path: PathBuf,
        /// What is wrong, and what would be right.
        what: String,
    },
    /// A tensor's element type is not implemented.
    #[error("{}: tensor `{tensor}` has the type {found}; known are {known}", path.display())]
    UnknownTensorType {
        /// The file.
        path: PathBuf,
        /// The tensor's name in that file.
        tensor: String,
        /// The type's name or code.
        found: String,
        /// The types that would be accepted.
        known: String,
    },
    /// Tensors are missing, superfluous or of another shape than the configuration says.
    #[error("{}: the tensors don't fit the configuration: {}", path.display(), super::names::list_problems(problems))]
    Tensors {
        /// The file or folder.
        path: PathBuf,
        /// All that doesn't fit, in the order of the names.
        problems: Vec<super::TensorProblem>,
    },
    /// A tensor was asked for that the checkpoint does not have.
    #[error("{}: there is no tensor `{tensor}`", path.display())]
    NoSuchTensor {
        /// The file or folder.
        path: PathBuf,
        /// The name asked for.
        tensor: String,
    },
    /// The checkpoint has something that a Hugging Face folder cannot say.
    #[error("{} cannot be written as a Hugging Face folder: {what}", path.display())]
    Unwritable {
        /// The checkpoint.
        path: PathBuf,
        /// What.
        what: String,
    },
    /// The tokenizer can't be built.
    #[error("{}: tokenizer: {source}", path.display())]
    Tokenizer {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: TokenizerError,
    },
    /// The chat template can't be compiled.
    #[error("{}: {source}", path.display())]
    Chat {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: ChatError,
    },
}
