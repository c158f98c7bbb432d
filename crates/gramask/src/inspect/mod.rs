//! What a model or a corpus holds: everything that decides how it is used, without decoding anything.
//!
//! [`Target::find`] tells a model from a corpus, [`ModelReport::read`] and [`CorpusReport::read`] say what is in them.

mod corpus;
mod formats;
mod model;

use std::path::{Path, PathBuf};

use gramask_ner::corpus::{NAMED, ReadError};
use gramask_ner::did_you_mean;
use thiserror::Error;

pub use corpus::{CorpusReport, FaultCount, SplitReport};
pub use formats::FormatReport;
pub use model::{ModelReport, SpecialToken, TemplateReport, TensorType};

use crate::pull::{Cache, Model, PullError, catalogue};

/// How the names of corpus files end.
const CORPUS_FILES: [&str; 11] =
    ["pubtator", "conll", "bio", "iob", "iob2", "tsv", "txt", "jsonl", "ndjson", "json", "xml"];

/// What a name or a path stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A model that is on this machine.
    Model(Model),
    /// A corpus, known by name or at a path.
    Corpus,
}

/// Why something can't be inspected.
#[derive(Debug, Error)]
#[allow(missing_docs, reason = "the messages name variants and fields")]
pub enum InspectError {
    /// Neither a path nor a known name.
    #[error(
        "`{name}` is neither a model nor a corpus: give the path of one, a corpus ({}), a model ({}) or ORGANISATION/NAME{near}",
        corpora().join(", "),
        catalogue::names()
    )]
    Unknown { name: String, near: String },
    /// A model that would have to be downloaded.
    #[error("the model `{name}` is not on this machine: `gramask pull {name}` downloads it")]
    NotHere { name: String },
    /// A file that is something else.
    #[error("{} is {what}, neither a model nor a corpus: {instead}", path.display())]
    Other { path: PathBuf, what: &'static str, instead: String },
    /// A path with `{split}`, where there is no file of any split.
    #[error("there is no file of a split at {pattern}: looked for {}", looked.join(", "))]
    NoSplit { pattern: String, looked: Vec<String> },
    #[error(transparent)]
    Pull(#[from] PullError),
    #[error(transparent)]
    Checkpoint(Box<gramask_model::checkpoint::CheckpointError>),
    #[error(transparent)]
    Corpus(#[from] ReadError),
    #[error(transparent)]
    Format(#[from] gramask_grammar::FormatErrors),
}

impl From<gramask_model::checkpoint::CheckpointError> for InspectError {
    fn from(error: gramask_model::checkpoint::CheckpointError) -> Self {
        InspectError::Checkpoint(Box::new(error))
    }
}

impl Target {
    /// Finds out whether a name or a path is a model or a corpus. Nothing is downloaded.
    ///
    /// A folder with `config.json`, `adapter_config.json` or safetensors and a `.gguf` file are models; any other file or folder,
    /// and a path with `{split}`, is read as a corpus. Names are looked up among the known corpora first, then among models.
    ///
    /// # Errors
    /// A name that is unknown, a model that is not on this machine, a file that is known to be something else.
    pub fn find(name: &str, cache: &Cache) -> Result<Target, InspectError> {
        let path = Path::new(name);
        if path.exists() {
            return of_path(name, path);
        }
        if name.contains("{split}") || NAMED.iter().any(|corpus| corpus.name == name) {
            return Ok(Target::Corpus);
        }
        let missing = |path: &Path| {
            let source = std::io::Error::from(std::io::ErrorKind::NotFound);
            Err(InspectError::Corpus(ReadError::Io { file: path.to_owned(), source }))
        };
        // Names of the model hub have a slash, too, but no such ending.
        if path.extension().is_some_and(|extension| CORPUS_FILES.iter().any(|known| extension == *known)) {
            return missing(path);
        }
        match Model::find(name, cache) {
            Ok(Some(model)) => Ok(Target::Model(model)),
            Ok(None) => Err(InspectError::NotHere { name: name.to_owned() }),
            Err(PullError::UnknownName { .. }) => {
                let models = catalogue::CATALOGUE.iter().map(|entry| entry.name);
                let near = did_you_mean(name, corpora().into_iter().chain(models));
                Err(InspectError::Unknown { name: name.to_owned(), near })
            }
            Err(PullError::MissingPath { path }) => missing(&path),
            Err(error) => Err(error.into()),
        }
    }
}

/// The names of the corpora that are known.
fn corpora() -> Vec<&'static str> {
    NAMED.iter().map(|corpus| corpus.name).collect()
}

fn of_path(name: &str, path: &Path) -> Result<Target, InspectError> {
    let extension = path.extension().map(|extension| extension.to_string_lossy().to_lowercase());
    let other = |what, instead: String| Err(InspectError::Other { path: path.to_owned(), what, instead });
    let model = || {
        let model = Model { name: name.to_owned(), path: path.to_owned(), expected: None, adapter: None };
        Ok(Target::Model(model))
    };
    if path.is_dir() {
        let holds = |file: &str| path.join(file).exists();
        let weights = || files(path).iter().any(|file| file.ends_with(".safetensors"));
        if holds("config.json") || holds("adapter_config.json") || weights() {
            return model();
        }
        if holds("records.jsonl") || holds("scores.csv") {
            return other("the folder of a run", format!("`gramask report {name}` makes its report"));
        }
        return match files(path).iter().find(|file| file.ends_with(".gguf")) {
            Some(file) => other("a folder with a GGUF file", format!("give the file, {}", path.join(file).display())),
            None => Ok(Target::Corpus),
        };
    }
    match extension.as_deref() {
        Some("gguf") => model(),
        Some("safetensors") => other("a file of weights", "give the folder that holds it".into()),
        Some("gram") => other("a grammar", format!("`gramask grammar check {name}` says what is in it")),
        Some("toml") => {
            other("a TOML file", format!("`gramask run {name} --dry-run` lists the cells of an experiment"))
        }
        _ if path.file_name().is_some_and(|file| file == "tokenizer.json") => {
            other("a tokenizer", format!("`gramask mask --vocabulary {name}` reads it; give the folder of a model"))
        }
        _ => Ok(Target::Corpus),
    }
}

/// The names of the files in a folder; none where it can't be listed.
fn files(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(name: &str) -> Result<Target, String> {
        Target::find(name, &Cache::new("nowhere")).map_err(|error| error.to_string())
    }

    #[test]
    fn models_and_corpora_are_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let put = |name: &str| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, "").unwrap();
            path.to_str().unwrap().to_owned()
        };
        let parent = |path: String| Path::new(&path).parent().unwrap().to_str().unwrap().to_owned();
        for model in [put("m.gguf"), parent(put("hf/config.json")), parent(put("adapter/adapter_config.json"))] {
            assert!(matches!(find(&model), Ok(Target::Model(_))), "{model}");
        }
        let corpora =
            [put("c.pubtator"), parent(put("brat/1.ann")), put("c.json"), "a/{split}.conll".into(), "mini".into()];
        for corpus in corpora {
            assert_eq!(find(&corpus), Ok(Target::Corpus), "{corpus}");
        }
        for (path, words) in [
            (put("x.toml"), "--dry-run"),
            (put("x.gram"), "gramask grammar check"),
            (put("x/tokenizer.json"), "a tokenizer"),
            (put("hf/model.safetensors"), "the folder that holds it"),
            (parent(put("many/b.gguf")), "b.gguf"),
            (parent(put("run/scores.csv")), "gramask report"),
            ("bc5cd".into(), "did you mean `bc5cdr`?"),
            ("smollm2-135m-instrct".into(), "did you mean `smollm2-135m-instruct`?"),
            ("smollm2-135m-instruct".into(), "`gramask pull smollm2-135m-instruct`"),
            ("org/name".into(), "`gramask pull org/name`"),
            ("./no.pubtator".into(), "cannot read ./no.pubtator"),
            ("data/no.conll".into(), "cannot read data/no.conll"),
        ] {
            let error = find(&path).unwrap_err();
            assert!(error.contains(words), "{path}: {error}");
        }
    }
}
