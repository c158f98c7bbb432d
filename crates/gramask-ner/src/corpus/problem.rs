//! What can be wrong with a corpus, with the place where it can be corrected.

use std::fmt;
use std::path::PathBuf;

use crate::{Fragment, did_you_mean, quoted};

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
    /// A tag that continues a mention, without a mention of its label before it; it is read as the beginning of one.
    StrayInside {
        /// The tag.
        tag: String,
    },
    /// A mention that has no end tag, in a tag scheme with end tags; it is read as if it had one.
    Unclosed {
        /// The tag of its first word.
        tag: String,
        /// The tag that its last word should have.
        expected: String,
    },
    /// A file of a standoff corpus whose partner is missing; it is left out.
    MissingPartner {
        /// The partner that was looked for.
        partner: PathBuf,
    },
    /// A file that is no part of the corpus, such as README.txt. This is a note: reading never stops at it.
    IgnoredFile,
    /// A label to rename that no entity has. This is a note: another split may have it.
    UnusedRename {
        /// The label.
        label: String,
        /// The labels of the entities, before renaming.
        known: Vec<String>,
    },
}

impl ProblemKind {
    /// The kind in words, the same for all problems that are counted together.
    pub fn title(&self) -> String {
        match self {
            ProblemKind::Corrupt { .. } => "content that does not have the form".to_owned(),
            ProblemKind::Mismatch { kept: true, .. } => "annotation and text differ in outer white space".to_owned(),
            ProblemKind::Mismatch { kept: false, .. } => "annotation and text differ".to_owned(),
            ProblemKind::BadFragments { .. } => "offsets outside the text".to_owned(),
            ProblemKind::DuplicateEntity { .. } => "entity annotated twice".to_owned(),
            ProblemKind::DuplicateDocument { kept_as: Some(_), .. } => {
                "identifier used twice, with different content".to_owned()
            }
            ProblemKind::DuplicateDocument { kept_as: None, .. } => "document given twice".to_owned(),
            ProblemKind::UnknownLabel { label, .. } => format!("unknown label {}", quoted(label)),
            ProblemKind::StrayInside { .. } => "tag without the beginning of its mention".to_owned(),
            ProblemKind::Unclosed { .. } => "tag without the end of its mention".to_owned(),
            ProblemKind::MissingPartner { .. } => "file without its partner".to_owned(),
            ProblemKind::IgnoredFile => "file that is not part of the corpus".to_owned(),
            ProblemKind::UnusedRename { label, .. } => format!("no entity with the label {} to rename", quoted(label)),
        }
    }

    /// The label to rename that no entity has, and the labels that entities have.
    fn unused_rename(&self) -> Option<(&str, &[String])> {
        match self {
            ProblemKind::UnusedRename { label, known } => Some((label, known)),
            _ => None,
        }
    }

    /// Whether this is a note, at which reading never stops.
    pub fn is_note(&self) -> bool {
        matches!(self, ProblemKind::IgnoredFile | ProblemKind::UnusedRename { .. })
    }
}

/// The labels to rename that none of several files has, and the labels that they have in their place.
///
/// One file tells by a note that it lacks a label ([`ProblemKind::UnusedRename`]), which another split may have. The notes are
/// taken out of the problems of each file. Notes about labels that no file has are returned, one for each label, with the
/// labels of all files.
pub fn take_unused_renames<'a>(files: impl IntoIterator<Item = &'a mut Vec<Problem>>) -> Vec<Problem> {
    let mut unused: Option<Vec<Problem>> = None;
    for problems in files {
        let (notes, others) = std::mem::take(problems).into_iter().partition(|p| p.kind.unused_rename().is_some());
        *problems = others;
        unused = Some(match unused {
            None => notes,
            Some(before) => before.into_iter().filter_map(|note| note.joined(&notes)).collect(),
        });
    }
    unused.unwrap_or_default()
}

impl Problem {
    /// A note about a label that is in `others`, too, with the labels of both.
    fn joined(mut self, others: &[Problem]) -> Option<Problem> {
        let ProblemKind::UnusedRename { label, known } = &mut self.kind else { return None };
        let (_, more) =
            others.iter().filter_map(|other| other.kind.unused_rename()).find(|(other, _)| other == label)?;
        known.extend_from_slice(more);
        known.sort();
        known.dedup();
        Some(self)
    }
}

/// The problems of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProblemCount<'a> {
    /// The kind in words.
    pub title: String,
    /// How many there are.
    pub count: usize,
    /// The first one.
    pub first: &'a Problem,
}

/// Counts problems by kind, in the order of the first one of each kind.
pub fn count_problems<'a>(problems: impl IntoIterator<Item = &'a Problem>) -> Vec<ProblemCount<'a>> {
    let mut counts: Vec<ProblemCount<'a>> = Vec::new();
    for problem in problems {
        let title = problem.kind.title();
        match counts.iter_mut().find(|count| count.title == title) {
            Some(count) => count.count += 1,
            None => counts.push(ProblemCount { title, count: 1, first: problem }),
        }
    }
    counts
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
                write!(f, "the annotation says that {} is {}, but ", Offsets(fragments), quoted(annotated))?;
                write!(f, "the text there is {}; ", quoted(found))?;
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
                let near = did_you_mean(label, known.iter().map(String::as_str));
                write!(f, "unknown label {}; expected one of {}{near}", quoted(label), known.join(", "))
            }
            ProblemKind::StrayInside { tag } => {
                let begin = format!("B{}", tag.get(1..).unwrap_or_default());
                write!(f, "{tag} does not follow a mention of its label; expected {begin} first, read as {begin}")
            }
            ProblemKind::Unclosed { tag, expected } => {
                write!(f, "the mention that begins with {tag} does not end with {expected}; read as if it did")
            }
            ProblemKind::MissingPartner { partner } => {
                write!(f, "there is no {} beside it; expected both files", partner.display())
            }
            ProblemKind::IgnoredFile => f.write_str("this file is not part of the corpus and is ignored"),
            ProblemKind::UnusedRename { label, known } => {
                let near = did_you_mean(label, known.iter().map(String::as_str));
                let label = quoted(label);
                write!(
                    f,
                    "`rename` has {label}, but no entity has this label; expected one of {}{near}",
                    known.join(", ")
                )
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
