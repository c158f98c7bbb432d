//! Why a corpus could not be read.

use std::path::{Path, PathBuf};

use super::{Columns, Form, Problem};
use crate::{did_you_mean, quoted};

/// Why a corpus could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The first problem, with [`OnProblem::Stop`](super::OnProblem::Stop).
    #[error("{0}")]
    Problem(Box<Problem>),
    /// A file or folder could not be opened.
    #[error("cannot read {file}: {source}")]
    Io {
        /// The file or folder.
        file: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file is not UTF-8.
    #[error("{file}:{line}: not UTF-8 at byte {byte} of the file; expected text in UTF-8")]
    Encoding {
        /// The file.
        file: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The offset of the first bad byte.
        byte: usize,
    },
    /// The form cannot be told from the name or the first lines.
    #[error(
        "cannot tell the form of {file}; expected a .pubtator, .conll, .bio, .iob2, .tsv or .jsonl file, BioC in XML or \
         JSON, or a folder with .txt and .ann or .a1 files; or give the option `form`, one of {}",
        Form::ALL.map(Form::as_str).join(", ")
    )]
    UnknownForm {
        /// The file or folder.
        file: PathBuf,
    },
    /// A folder with files of several forms.
    #[error("{folder} holds files of several forms; give the option `form`, one of {}", .forms.join(", "))]
    MixedForms {
        /// The folder.
        folder: PathBuf,
        /// The names of the forms.
        forms: Vec<String>,
    },
    /// A folder whose files are the splits of a corpus.
    #[error(
        "{folder} holds the splits of a corpus, which are not read as one; give one file, or the path {} to choose by split",
        .folder.join(.pattern).display()
    )]
    FolderOfSplits {
        /// The folder.
        folder: PathBuf,
        /// The name of one of its files, with `{split}` in place of the split.
        pattern: String,
    },
    /// A file of a standoff corpus in place of its folder.
    #[error("{file} is one file of a standoff corpus; give the folder that holds it and its .txt file")]
    PartOfFolder {
        /// The file.
        file: PathBuf,
    },
    /// A file in a form that only folders have.
    #[error("{file} is a file, and {form} is a folder of files; give the folder")]
    NeedsFolder {
        /// The file.
        file: PathBuf,
        /// The form.
        form: Form,
    },
    /// It is not sure which columns of a CoNLL file hold word and tag.
    #[error(
        "{file}:{line}: cannot tell which columns hold the word and the tag: {why}; give the option `columns`, {example}"
    )]
    UnknownColumns {
        /// The file.
        file: PathBuf,
        /// The first row's line, from 1.
        line: usize,
        /// What stands against the usual reading.
        why: String,
        /// What to give.
        example: String,
    },
    /// The given columns are not in the file.
    #[error(
        "{file}:{line}: the row has {found} columns, and `columns` asks for {columns}; give columns from 1 to {found}"
    )]
    NoSuchColumns {
        /// The file.
        file: PathBuf,
        /// The first row's line, from 1.
        line: usize,
        /// How many columns there are.
        found: usize,
        /// The columns that were given.
        columns: Columns,
    },
    /// Columns were given for a form that has none.
    #[error("{file} is {form}, and the option `columns` goes with CoNLL alone; leave it out")]
    ColumnsOfForm {
        /// The file or folder.
        file: PathBuf,
        /// Its form.
        form: Form,
    },
    /// Nothing was read.
    #[error("{file} holds no document; expected at least one as {form}")]
    Empty {
        /// The file or folder.
        file: PathBuf,
        /// The form that it was read as.
        form: Form,
    },
    /// No corpus of that name.
    #[error("unknown corpus {}; expected one of {}{}", quoted(.name), .known.join(", "), near(.name, .known))]
    UnknownCorpus {
        /// The name that was asked for.
        name: String,
        /// The known names.
        known: Vec<String>,
    },
    /// The corpus has no split of that name.
    #[error("corpus {name} has no split {}; expected one of {}{}", quoted(.split), .known.join(", "), near(.split, .known))]
    UnknownSplit {
        /// The corpus.
        name: String,
        /// The split that was asked for.
        split: String,
        /// The known splits.
        known: Vec<String>,
    },
    /// The files of a named corpus are not there.
    #[error(
        "corpus {name} ({source_hint}) is not here; looked for {}; set GRAMASK_DATA to the folder that holds {name}/",
        list(.looked)
    )]
    NotFound {
        /// The corpus.
        name: String,
        /// Where it comes from.
        source_hint: String,
        /// The paths that were tried.
        looked: Vec<PathBuf>,
    },
}

fn near(name: &str, known: &[String]) -> String {
    did_you_mean(name, known.iter().map(String::as_str))
}

fn list(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
}

/// A whole file as text, without a byte order mark.
pub(super) fn read_text(file: &Path) -> Result<String, ReadError> {
    let bytes = std::fs::read(file).map_err(|source| ReadError::Io { file: file.to_owned(), source })?;
    let mut text = String::from_utf8(bytes).map_err(|error| {
        let byte = error.utf8_error().valid_up_to();
        let line = 1 + error.as_bytes()[..byte].iter().filter(|&&b| b == b'\n').count();
        ReadError::Encoding { file: file.to_owned(), line, byte }
    })?;
    if text.starts_with('\u{FEFF}') {
        text.drain(..'\u{FEFF}'.len_utf8());
    }
    Ok(text)
}
