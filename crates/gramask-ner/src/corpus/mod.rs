//! Corpora: readers for the forms in which they are published, and the corpora that are known by name.
//!
//! A reader holds every annotated string against the text at its offsets. What does not fit is a [`Problem`] that names
//! file, line and document; reading stops at the first or goes on, as [`Options::on_problem`] says. [`Corpus::read`]
//! tells the form from the path; [`find`] opens a corpus by name.

mod brat;
mod collect;
mod conll;
mod jsonl;
mod named;
mod problem;
mod pubtator;

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

pub use conll::detokenise;
pub use jsonl::write_jsonl;
pub use named::{NAMED, Named, Unit, data_folder, find, named};
pub use problem::{Problem, ProblemKind, ReadError};

use crate::{Document, Schema};
use collect::Collector;

/// Documents with a schema.
#[derive(Clone, Debug, PartialEq)]
pub struct Corpus {
    /// What reports call it: the corpus's name, or the file's stem.
    pub name: String,
    /// The labels, in order.
    pub schema: Schema,
    /// The documents, in the order of the file, entities in document order.
    pub documents: Vec<Document>,
}

/// How a corpus is written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Form {
    /// Title, abstract and one line per mention; see `corpus/pubtator.rs`.
    PubTator,
    /// A folder of `.txt` and `.ann` pairs.
    Brat,
    /// A word and a BIO tag per line.
    Conll,
    /// A JSON object per line.
    Jsonl,
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Form::PubTator => "PubTator",
            Form::Brat => "BRAT standoff",
            Form::Conll => "CoNLL",
            Form::Jsonl => "JSON lines",
        })
    }
}

/// What a reader does at a problem.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnProblem {
    /// Stop: the problem is the error.
    #[default]
    Stop,
    /// Go on without what is wrong, as far as the problem's message says; all problems are returned.
    Skip,
}

/// How a corpus is read.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The form; `None` tells it from the path, then from the first lines.
    pub form: Option<Form>,
    /// The name; `None` takes the file's stem.
    pub name: Option<String>,
    /// New names for labels of the corpus. A label that is not in the map keeps its name.
    pub labels: Option<BTreeMap<String, String>>,
    /// The schema, after renaming: fixes the order, and makes any other label a problem. `None` takes the labels that
    /// occur, in alphabetical order.
    pub schema: Option<Schema>,
    /// What to do at a problem.
    pub on_problem: OnProblem,
}

impl Corpus {
    /// Reads a file, or a folder of BRAT pairs: the corpus, and the problems where reading was to go on.
    ///
    /// # Errors
    /// A path that can't be read, a form that can't be told, no document at all, and, with [`OnProblem::Stop`], the
    /// first problem.
    pub fn read(path: impl AsRef<Path>, options: &Options) -> Result<(Corpus, Vec<Problem>), ReadError> {
        let path = path.as_ref();
        let folder = path.is_dir();
        let content = if folder { String::new() } else { problem::read_text(path)? };
        let form = match options.form {
            Some(form) => form,
            None => detect(path, folder, &content)?,
        };
        let stem = path.file_stem().map_or_else(|| "corpus".to_owned(), |stem| stem.to_string_lossy().into_owned());
        read(path, form, &content, options, options.name.clone().unwrap_or(stem))
    }

    /// Reads a corpus from a string; `file` names it in problems. BRAT needs a folder and can't be read so.
    ///
    /// # Errors
    /// As [`Corpus::read`].
    pub fn read_str(
        file: impl AsRef<Path>,
        content: &str,
        options: &Options,
    ) -> Result<(Corpus, Vec<Problem>), ReadError> {
        let file = file.as_ref();
        let form = match options.form {
            Some(form) => form,
            None => detect(file, false, content)?,
        };
        let stem = file.file_stem().map_or_else(|| "corpus".to_owned(), |stem| stem.to_string_lossy().into_owned());
        read(file, form, content, options, options.name.clone().unwrap_or(stem))
    }

    /// The corpus with each document cut into sentences ([`sentences`](crate::sentences)).
    pub fn into_sentences(self) -> Corpus {
        let documents = self.documents.iter().flat_map(crate::sentences).collect();
        Corpus { documents, ..self }
    }

    /// The number of gold entities.
    pub fn entities(&self) -> usize {
        self.documents.iter().map(|document| document.entities.len()).sum()
    }
}

fn read(
    path: &Path,
    form: Form,
    content: &str,
    options: &Options,
    name: String,
) -> Result<(Corpus, Vec<Problem>), ReadError> {
    let mut out = Collector::new(options);
    match form {
        Form::PubTator => pubtator::read(path, content, &mut out)?,
        Form::Brat => brat::read(path, &mut out)?,
        Form::Conll => conll::read(path, content, &mut out)?,
        Form::Jsonl => jsonl::read(path, content, &mut out)?,
    }
    if out.len() == 0 {
        return Err(ReadError::Empty { file: path.to_owned(), form });
    }
    Ok(out.finish(name))
}

/// Tells the form from the path's extension, else from what is there.
fn detect(path: &Path, folder: bool, content: &str) -> Result<Form, ReadError> {
    let extension = path.extension().map(|extension| extension.to_string_lossy().to_lowercase());
    let form = match extension.as_deref() {
        _ if folder => brat::sniff(path).then_some(Form::Brat),
        Some("pubtator") => Some(Form::PubTator),
        Some("conll" | "bio" | "iob" | "iob2") => Some(Form::Conll),
        Some("jsonl" | "ndjson") => Some(Form::Jsonl),
        _ if pubtator::sniff(content) => Some(Form::PubTator),
        _ if content.trim_start().starts_with('{') => Some(Form::Jsonl),
        _ => None,
    };
    form.ok_or_else(|| ReadError::UnknownForm { file: path.to_owned() })
}
