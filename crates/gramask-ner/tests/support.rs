//! What the tests of readers share.

use std::path::PathBuf;

use gramask_ner::Document;
use gramask_ner::corpus::{Corpus, OnProblem, Options, Problem, ReadError};

/// Options that go on at a problem.
pub fn skip() -> Options {
    Options { on_problem: OnProblem::Skip, ..Options::default() }
}

/// Reads a string, going on at problems.
pub fn read(file: &str, content: &str) -> Result<(Corpus, Vec<Problem>), ReadError> {
    Corpus::read_str(file, content, &skip())
}

/// Reads a string that has no problem.
pub fn clean(file: &str, content: &str) -> Corpus {
    Corpus::read_str(file, content, &Options::default()).unwrap().0
}

/// The message of the error, which is the first problem, where reading stops at it.
pub fn stops(file: &str, content: &str) -> String {
    let error = Corpus::read_str(file, content, &Options::default()).unwrap_err();
    assert!(matches!(error, ReadError::Problem(_)), "{error}");
    error.to_string()
}

/// Reads a folder with these files.
pub fn folder(files: &[(&str, &str)], options: &Options) -> Result<(Corpus, Vec<Problem>), ReadError> {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in files {
        std::fs::write(folder.path().join(name), content).unwrap();
    }
    Corpus::read(folder.path(), options)
}

/// A file of `tests/cases`.
pub fn case(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/cases").join(name)
}

/// The entities of a document, as labels and surfaces.
pub fn surfaces(document: &Document) -> Vec<(&str, String)> {
    let surface = |entity: &gramask_ner::Entity| {
        let parts: Vec<&str> = entity.fragments.iter().map(|&f| document.text.slice(f).unwrap()).collect();
        parts.join(" ")
    };
    document.entities.iter().map(|entity| (entity.label.as_str(), surface(entity))).collect()
}
