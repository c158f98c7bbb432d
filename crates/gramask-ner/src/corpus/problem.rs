//! What can be wrong with a corpus, said so that the line can be found and put right.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::Fragment;

/// A fault in a corpus file and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file.
    pub file: PathBuf,
    /// The line, from 1.
    pub line: usize,
    /// The document, where one is open.
    pub document: Option<String>,
    /// What is wrong there.
    pub kind: ProblemKind,
}

/// What is wrong at a place of a corpus.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProblemKind {
    /// The line does not have the form of the file.
    Corrupt {
        /// What was found.
        found: String,
        /// What would be right.
        expected: String,
    },
    /// The annotated string is not the text at its offsets.
    Mismatch {
        /// The offsets, in the file's order, in characters.
        fragments: Vec<Fragment>,
        /// What the annotation says stands there.
        annotated: String,
        /// What stands there.
        found: String,
        /// Whether the entity is kept: the two differ in outer white space only, so its offsets are believed.
        kept: bool,
    },
    /// Fragments that are empty, reversed, overlapping or beyond the text; the entity is left out.
    BadFragments {
        /// The offsets, in the file's order, in characters.
        fragments: Vec<Fragment>,
        /// The length of the text in characters.
        length: usize,
    },
    /// The same entity a second time; it is left out.
    DuplicateEntity {
        /// The entity, as label and offsets.
        entity: String,
    },
    /// A document identifier that was there before.
    DuplicateDocument {
        /// How many entities the second one has.
        entities: usize,
        /// The new identifier that it is kept under; `None` where it equals the first one and is left out.
        kept_as: Option<String>,
    },
    /// A label that the given schema does not have; the entity is left out.
    UnknownLabel {
        /// The label, after renaming.
        label: String,
        /// The labels of the schema.
        known: Vec<String>,
    },
    /// An `I-` tag without a mention of its label before it; it is read as the beginning of one.
    StrayInside {
        /// The tag.
        tag: String,
    },
    /// A file of a BRAT pair whose partner is missing; the pair is left out.
    MissingPartner {
        /// The partner that was looked for.
        partner: PathBuf,
    },
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: ", self.file.display(), self.line)?;
        if let Some(document) = &self.document {
            write!(f, "document {document}: ")?;
        }
        write!(f, "{}", self.kind)
    }
}

impl fmt::Display for ProblemKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ProblemKind::Corrupt { found, expected } => write!(f, "found {found}; expected {expected}"),
            ProblemKind::Mismatch { fragments, annotated, found, kept } => {
                write!(f, "the annotation says that {} is {annotated:?}, but ", Offsets(fragments))?;
                write!(f, "the text there is {found:?}; ")?;
                f.write_str(if *kept { "kept, as only outer white space differs" } else { "expected the same text" })
            }
            ProblemKind::BadFragments { fragments, length } => write!(
                f,
                "offsets {} are not fragments of a text of {length} characters; \
                 expected start < end <= {length} without overlap",
                Offsets(fragments)
            ),
            ProblemKind::DuplicateEntity { entity } => {
                write!(f, "the entity {entity} is annotated twice; expected once, the second is left out")
            }
            ProblemKind::DuplicateDocument { entities, kept_as: Some(id) } => {
                write!(
                    f,
                    "this identifier stands twice with different content; the second ({entities} entities) is kept as {id}"
                )
            }
            ProblemKind::DuplicateDocument { entities, kept_as: None } => {
                write!(f, "this document stands twice; the second ({entities} entities) is left out")
            }
            ProblemKind::UnknownLabel { label, known } => {
                write!(f, "unknown label {label:?}; expected one of {}", known.join(", "))
            }
            ProblemKind::StrayInside { tag } => {
                write!(
                    f,
                    "{tag} does not follow a mention of its label; expected B-{0} first, read as B-{0}",
                    &tag[2..]
                )
            }
            ProblemKind::MissingPartner { partner } => {
                write!(f, "there is no {} beside it; expected a pair of .txt and .ann", partner.display())
            }
        }
    }
}

/// Writes fragments as `1..4;7..9`.
struct Offsets<'a>(&'a [Fragment]);

impl fmt::Display for Offsets<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, fragment) in self.0.iter().enumerate() {
            write!(f, "{}{fragment}", if i == 0 { "" } else { ";" })?;
        }
        Ok(())
    }
}

/// Why a corpus could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// A problem, where reading was to stop at the first.
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
    /// The form of the file is not told by its name or its first lines.
    #[error(
        "cannot tell the form of {file}; expected a .pubtator, .conll, .bio, .iob2 or .jsonl file or a folder of \
         .txt and .ann pairs, or give the form"
    )]
    UnknownForm {
        /// The file.
        file: PathBuf,
    },
    /// Nothing was read.
    #[error("{file} holds no document; expected at least one as {form}")]
    Empty {
        /// The file or folder.
        file: PathBuf,
        /// The form that it was read as.
        form: crate::corpus::Form,
    },
    /// No corpus of that name.
    #[error("unknown corpus {name:?}; expected one of {}", .known.join(", "))]
    UnknownCorpus {
        /// The name that was asked for.
        name: String,
        /// The names that there are.
        known: Vec<String>,
    },
    /// No such part of the corpus.
    #[error("corpus {name} has no split {split:?}; expected one of {}", .known.join(", "))]
    UnknownSplit {
        /// The corpus.
        name: String,
        /// The split that was asked for.
        split: String,
        /// The splits that there are.
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
