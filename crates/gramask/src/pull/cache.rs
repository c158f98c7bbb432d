//! Where pulled models lie.

use std::path::{Path, PathBuf};

use etcetera::BaseStrategy;

use super::PullError;

/// The folder that pulled models are kept in.
///
/// Below it, `models/NAME/` holds the models of the catalogue, and `hub/` those of the model hub in the hub's own layout
/// (blobs under their digest, a folder of links for each revision), so that files that two revisions share are kept once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cache {
    folder: PathBuf,
}

impl Cache {
    /// The cache at this folder, which need not exist yet.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Cache { folder: folder.into() }
    }

    /// `$GRAMASK_CACHE`, else `gramask` in the user's cache folder.
    ///
    /// # Errors
    /// When neither is known, because the user has no home folder.
    pub fn from_env() -> Result<Self, PullError> {
        match std::env::var_os("GRAMASK_CACHE") {
            Some(folder) if !folder.is_empty() => Ok(Cache::new(folder)),
            _ => etcetera::choose_base_strategy()
                .map(|user| Cache::new(user.cache_dir().join("gramask")))
                .map_err(|_| PullError::NoCacheFolder),
        }
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The folder of a model of the catalogue.
    pub fn model_folder(&self, name: &str) -> PathBuf {
        self.folder.join("models").join(name)
    }

    /// The folder of the model hub's files.
    pub fn hub_folder(&self) -> PathBuf {
        self.folder.join("hub")
    }
}
