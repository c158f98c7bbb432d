//! Corpora.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use gramask::ner::corpus::{self, Columns, Form, NAMED, OnProblem, Options, Unit};
use gramask::ner::{Corpus, Schema};
use pyo3::prelude::*;

use crate::border::interruptible;
use crate::entity::to_python;
use crate::errors::{Kind, OrRaise, error};

/// Documents of a corpus for Python: name, labels, whether a document is a sentence, documents, problems.
type Read<'py> = (String, Vec<String>, bool, Vec<Row<'py>>, Vec<String>);

/// A document: identifier, text, entities, offset.
type Row<'py> = (String, String, Vec<Bound<'py, PyAny>>, usize);

/// The corpora that are known by name, each with its splits.
#[pyfunction]
pub fn corpus_names() -> Vec<(&'static str, Vec<&'static str>)> {
    NAMED.iter().map(|named| (named.name, named.splits.to_vec())).collect()
}

/// The parts of a corpus; `gramask.read_corpus` makes a `Corpus` of them.
#[pyfunction]
#[pyo3(signature = (path, *, split, form, columns, rename, labels, sentences, skip_problems))]
#[allow(clippy::too_many_arguments, reason = "each is an argument of the function that people call")]
pub fn read_corpus<'py>(
    py: Python<'py>,
    path: PathBuf,
    split: Option<String>,
    form: Option<String>,
    columns: Option<String>,
    rename: BTreeMap<String, String>,
    labels: Option<Vec<String>>,
    sentences: bool,
    skip_problems: bool,
) -> PyResult<Read<'py>> {
    let name = path.to_string_lossy().into_owned();
    if name.is_empty() {
        return Err(error(Kind::Corpus, "the path of the corpus is empty: give a path, or a name with a split"));
    }
    let by_name = !path.exists() && (split.is_some() || NAMED.iter().any(|named| named.name == name));
    let (corpus, problems) = if by_name {
        let named = corpus::named(&name).or_raise(Kind::Corpus)?;
        let Some(split) = split else {
            let splits = named.splits.join(", ");
            return Err(error(Kind::Corpus, format!("corpus {name} has splits: give split, one of {splits}")));
        };
        interruptible(py, move || corpus::find(&name, &split))?.or_raise(Kind::Corpus)?
    } else {
        if let Some(split) = split {
            let path = path.display();
            return Err(error(
                Kind::Corpus,
                format!("{path} is a path, and split {split:?} goes with a name: leave it out"),
            ));
        }
        let options = Options {
            form: form.map(|form| form.parse::<Form>()).transpose().or_raise(Kind::Corpus)?,
            columns: columns.map(|columns| columns.parse::<Columns>()).transpose().or_raise(Kind::Corpus)?,
            rename,
            schema: labels.map(Schema::new),
            on_problem: if skip_problems { OnProblem::Skip } else { OnProblem::Stop },
            ..Options::default()
        };
        interruptible(py, move || read(&path, &options))?.or_raise(Kind::Corpus)?
    };
    let corpus = if sentences { corpus.into_sentences() } else { corpus };
    let documents = corpus.documents.iter().map(|document| {
        let text = document.text.as_str().to_owned();
        Ok((document.id.clone(), text, to_python(py, &document.entities)?, document.offset))
    });
    Ok((
        corpus.name.clone(),
        corpus.schema.labels().to_vec(),
        corpus.unit == Unit::Sentence,
        documents.collect::<PyResult<Vec<_>>>()?,
        problems.iter().map(ToString::to_string).collect(),
    ))
}

fn read(path: &Path, options: &Options) -> Result<(Corpus, Vec<corpus::Problem>), corpus::ReadError> {
    Corpus::read(path, options)
}
