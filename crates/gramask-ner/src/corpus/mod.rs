//! Corpora: readers for the published forms, and the corpora that are known by name.
//!
//! A reader compares every annotated string with the text at its offsets. A difference is a [`Problem`] that names the
//! file, the line and the document. [`Options::on_problem`] says whether reading stops at the first problem.
//! [`Corpus::read`] tells the form from the path. [`find`] opens a corpus by name.
//!
//! A reader never guesses. Where a file can be read in two ways, the reader returns an error that says which option
//! decides between them.

mod bioc;
mod collect;
mod conll;
mod detect;
mod error;
mod jsonl;
mod named;
mod options;
mod problem;
mod pubtator;
mod standoff;
mod write;

use std::path::Path;

pub use conll::detokenise::detokenise;
pub use error::ReadError;
pub use jsonl::write_jsonl;
pub use named::{NAMED, Named, data_folder, find, named};
pub use options::{Columns, Form, OnProblem, Options, Unit, UnknownForm, WrongColumns};
pub use problem::{Problem, ProblemCount, ProblemKind, count_problems, take_unused_renames};
pub use write::{WriteError, write_bioc, write_brat, write_pubtator};

use crate::{Document, Schema};
use collect::{Collector, Place};

/// Documents with a schema.
#[derive(Clone, Debug, PartialEq)]
pub struct Corpus {
    /// The corpus's name, else the file's stem.
    pub name: String,
    /// The labels, in order.
    pub schema: Schema,
    /// Whether a document is a sentence.
    pub unit: Unit,
    /// The documents, in the order of the file, entities in document order.
    pub documents: Vec<Document>,
}

impl Corpus {
    /// Reads a file or a folder: the corpus, and the problems that reading went past.
    ///
    /// # Errors
    /// A path that cannot be read, a form or columns that cannot be told, no document at all, and, with
    /// [`OnProblem::Stop`], the first problem.
    pub fn read(path: impl AsRef<Path>, options: &Options) -> Result<(Corpus, Vec<Problem>), ReadError> {
        let path = path.as_ref();
        let mut out = Collector::new(options);
        let form = if path.is_dir() {
            let form = form_of(path, options.form)?;
            read_folder(path, form, &mut out)?;
            form
        } else {
            let content = error::read_text(path)?;
            let form = detect::file(path, &content, options.form)?;
            read_content(path, form, &content, &mut out)?;
            form
        };
        finish(path, form, out, options)
    }

    /// Reads a corpus from a string; `file` names it in problems. BRAT and BioNLP need a folder and cannot be read so.
    ///
    /// # Errors
    /// As [`Corpus::read`].
    pub fn read_str(
        file: impl AsRef<Path>,
        content: &str,
        options: &Options,
    ) -> Result<(Corpus, Vec<Problem>), ReadError> {
        let file = file.as_ref();
        let mut out = Collector::new(options);
        let form = detect::file(file, content, options.form)?;
        read_content(file, form, content, &mut out)?;
        finish(file, form, out, options)
    }

    /// The corpus with each document cut into sentences ([`sentences`](crate::sentences)). A corpus of sentences is
    /// returned as it is.
    pub fn into_sentences(self) -> Corpus {
        if self.unit == Unit::Sentence {
            return self;
        }
        let documents = self.documents.iter().flat_map(crate::sentences).collect();
        Corpus { documents, unit: Unit::Sentence, ..self }
    }

    /// The number of gold entities.
    pub fn entities(&self) -> usize {
        self.documents.iter().map(|document| document.entities.len()).sum()
    }
}

/// The form of a file or folder: as given, else told from its name and its first lines.
///
/// # Errors
/// A path that cannot be read, a form that cannot be told.
pub fn form_of(path: &Path, given: Option<Form>) -> Result<Form, ReadError> {
    match path.is_dir() {
        true => detect::folder(path, given),
        false => detect::file(path, &error::read_text(path)?, given),
    }
}

fn read_content(file: &Path, form: Form, content: &str, out: &mut Collector<'_>) -> Result<(), ReadError> {
    match form {
        Form::PubTator => pubtator::read(file, content, out),
        Form::Conll => conll::read(file, content, out),
        Form::Jsonl => jsonl::read(file, content, out),
        Form::BiocXml => bioc::xml::read(file, content, out),
        Form::BiocJson => bioc::json::read(file, content, out),
        Form::Brat | Form::BioNlp => Err(ReadError::NeedsFolder { file: file.to_owned(), form }),
    }
}

fn read_folder(folder: &Path, form: Form, out: &mut Collector<'_>) -> Result<(), ReadError> {
    if matches!(form, Form::Brat | Form::BioNlp) {
        return standoff::read(folder, form, out);
    }
    for file in detect::files(folder, form)? {
        read_content(&file, form, &error::read_text(&file)?, out)?;
    }
    Ok(())
}

fn finish(path: &Path, form: Form, out: Collector<'_>, options: &Options) -> Result<(Corpus, Vec<Problem>), ReadError> {
    if options.columns.is_some() && form != Form::Conll {
        return Err(ReadError::ColumnsOfForm { file: path.to_owned(), form });
    }
    if out.len() == 0 {
        return Err(ReadError::Empty { file: path.to_owned(), form });
    }
    let stem = || path.file_stem().map_or_else(|| "corpus".to_owned(), |stem| stem.to_string_lossy().into_owned());
    let unit = options.unit.unwrap_or(form.unit());
    let place = Place { file: path, line: 1, document: None };
    Ok(out.finish(place, options.name.clone().unwrap_or_else(stem), unit))
}
