//! Experiments that are in the program, so that they run where no file of the project is at hand.

use std::fs;
use std::path::{Path, PathBuf};

use crate::pull::{Cache, PullError, sha256_hex};

/// An experiment that is in the program.
#[derive(Debug)]
pub struct Builtin {
    /// Its name, which stands in place of a path.
    pub name: &'static str,
    /// Its files: a path relative to their common folder, and the content. The first is the experiment file.
    files: &'static [(&'static str, &'static [u8])],
}

/// Paths in `experiments/` with the content of these files.
macro_rules! files {
    ($($path:literal),* $(,)?) => {
        &[$(($path, include_bytes!(concat!("../../../../experiments/", $path)) as &[u8])),*]
    };
}

/// All experiments that are in the program.
static ALL: &[Builtin] = &[Builtin {
    name: "quickstart",
    files: files![
        "quickstart.toml",
        "adapters/study/bc5cdr-one-of-five/adapter_config.json",
        "adapters/study/bc5cdr-one-of-five/adapter_model.safetensors",
    ],
}];

impl Builtin {
    /// The experiment that a path names, where no file of that path exists.
    pub fn find(path: &Path) -> Option<&'static Builtin> {
        ALL.iter().find(|builtin| Path::new(builtin.name) == path && !path.is_file())
    }

    /// Writes the files to the cache, unless they are there, and returns the path of the experiment file. The folder is
    /// named after the content, so that versions of the program do not get in each other's way.
    ///
    /// # Errors
    /// When the cache cannot be written.
    pub fn unpack(&self, cache: &Cache) -> Result<PathBuf, PullError> {
        let lines: String =
            self.files.iter().map(|(path, content)| format!("{}  {path}\n", sha256_hex(content))).collect();
        let folder = cache.folder().join("experiments");
        let target = folder.join(format!("{}-{}", self.name, &sha256_hex(lines)[..12]));
        let file = target.join(self.files[0].0);
        if file.is_file() {
            return Ok(file);
        }
        // Moved in place at once, so that no other process sees half of it.
        let work = folder.join(format!(".unpack-{}", std::process::id()));
        for (path, content) in self.files {
            let path = work.join(path);
            let parent = path.parent().unwrap_or(&work);
            fs::create_dir_all(parent).map_err(|source| PullError::io("create", parent, source))?;
            fs::write(&path, content).map_err(|source| PullError::io("write", &path, source))?;
        }
        match fs::rename(&work, &target) {
            // Another process was faster.
            Err(_) if file.is_file() => {
                let _ = fs::remove_dir_all(&work);
            }
            moved => moved.map_err(|source| PullError::io("move the experiment to", &target, source))?,
        }
        Ok(file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::Experiment;

    #[test]
    fn each_is_complete_and_unpacked_once() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::new(folder.path());
        for builtin in ALL {
            assert!(std::ptr::eq(Builtin::find(builtin.name.as_ref()).unwrap(), builtin));
            let file = builtin.unpack(&cache).unwrap();
            let (experiment, _) = Experiment::read(&file).unwrap();
            assert_eq!(experiment.name, builtin.name);
            for adapter in experiment.variants.iter().filter_map(|variant| experiment.model(&variant.called).1) {
                let weights = adapter.join("adapter_model.safetensors");
                assert!(weights.is_file(), "{} is not in the program", weights.display());
            }
            let written = fs::metadata(&file).unwrap().modified().unwrap();
            assert_eq!(builtin.unpack(&cache).unwrap(), file);
            assert_eq!(fs::metadata(&file).unwrap().modified().unwrap(), written);
            assert_eq!(fs::read_dir(folder.path().join("experiments")).unwrap().count(), 1);
        }
    }

    #[test]
    fn a_file_comes_before_a_name() {
        assert!(Builtin::find("quickstart.toml".as_ref()).is_none());
        assert!(Builtin::find("no-such-experiment".as_ref()).is_none());
    }
}
