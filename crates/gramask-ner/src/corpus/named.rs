//! The corpora that are known by name: where their files are, and by which convention their labels are read.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use gramask_random::Fnv;

use super::{Corpus, Form, OnProblem, Options, Problem, ProblemKind, ReadError, Unit};
use crate::Schema;

/// A corpus that is known by name.
#[derive(Clone, Copy, Debug)]
pub struct Named {
    /// The name.
    pub name: &'static str,
    /// The corpus's source.
    pub source: &'static str,
    /// What one document is.
    pub unit: Unit,
    /// The splits.
    pub splits: &'static [&'static str],
    /// The schema's labels, in order.
    pub labels: &'static [&'static str],
    /// Labels of the files that are read as another: `(from, to)`.
    pub renamed: &'static [(&'static str, &'static str)],
    /// Where the documents are.
    files: Files,
}

/// Where a corpus's documents are.
#[derive(Clone, Copy, Debug)]
enum Files {
    /// `NAME/SPLIT.EXTENSION` in the data folder.
    PerSplit(&'static str),
    /// The folder `NAME` holds all BRAT pairs, whose stems are `ABSTRACT_NUMBER`; splits are drawn by abstract.
    BratFolder,
    /// In the program: `(split, file, content)`.
    Embedded(&'static [(&'static str, &'static str, &'static str)]),
}

/// The nested mini corpus is one list, too short to be split.
const MINI_NESTED: (&str, &str) = ("mini/nested.jsonl", include_str!("../../data/mini/nested.jsonl"));

/// All corpora that are known by name.
///
/// `mini` and `mini-nested` are in the program; the others are read from files that are not part of it.
/// By convention the four labels of the NCBI disease corpus are read as one, Disease (as in Dogan et al. 2014,
/// section 4, and since). PGxCorpus has no official split; see [`find`].
pub const NAMED: &[Named] = &[
    Named {
        name: "mini",
        source: "this project",
        unit: Unit::Abstract,
        splits: &["train", "test"],
        labels: &["Chemical", "Disease", "Gene"],
        renamed: &[],
        files: Files::Embedded(&[
            ("train", "mini/train.pubtator", include_str!("../../data/mini/train.pubtator")),
            ("test", "mini/test.pubtator", include_str!("../../data/mini/test.pubtator")),
        ]),
    },
    Named {
        name: "mini-nested",
        source: "this project",
        unit: Unit::Sentence,
        splits: &["all", "test"],
        labels: &["Chemical", "Disease", "Gene"],
        renamed: &[],
        files: Files::Embedded(&[("all", MINI_NESTED.0, MINI_NESTED.1), ("test", MINI_NESTED.0, MINI_NESTED.1)]),
    },
    Named {
        name: "ncbi-disease",
        source: "Dogan et al. 2014",
        unit: Unit::Abstract,
        splits: &["train", "dev", "test"],
        labels: &["Disease"],
        renamed: &[
            ("SpecificDisease", "Disease"),
            ("DiseaseClass", "Disease"),
            ("Modifier", "Disease"),
            ("CompositeMention", "Disease"),
        ],
        files: Files::PerSplit("pubtator"),
    },
    Named {
        name: "bc5cdr",
        source: "Li et al. 2016",
        unit: Unit::Abstract,
        splits: &["train", "dev", "test"],
        labels: &["Chemical", "Disease"],
        renamed: &[],
        files: Files::PerSplit("pubtator"),
    },
    Named {
        name: "bc2gm",
        source: "Smith et al. 2008",
        unit: Unit::Sentence,
        splits: &["train", "dev", "test"],
        labels: &["Gene"],
        renamed: &[("GENE", "Gene")],
        files: Files::PerSplit("conll"),
    },
    Named {
        name: "pgxcorpus",
        source: "Legrand et al. 2020",
        unit: Unit::Sentence,
        splits: &["all", "train", "dev", "test"],
        labels: &[
            "Chemical",
            "Genomic_factor",
            "Gene_or_protein",
            "Genomic_variation",
            "Limited_variation",
            "Haplotype",
            "Phenotype",
            "Disease",
            "Pharmacodynamic_phenotype",
            "Pharmacokinetic_phenotype",
        ],
        renamed: &[],
        files: Files::BratFolder,
    },
];

impl Named {
    /// The schema.
    pub fn schema(&self) -> Schema {
        Schema::new(self.labels.iter().copied())
    }

    /// The form of its files.
    pub fn form(&self) -> Form {
        match self.files {
            Files::PerSplit("conll") => Form::Conll,
            Files::BratFolder => Form::Brat,
            Files::Embedded([(_, file, _), ..]) if file.ends_with(".jsonl") => Form::Jsonl,
            Files::PerSplit(_) | Files::Embedded(_) => Form::PubTator,
        }
    }

    /// The options that its files are read with: its label convention, and going on at a problem.
    pub fn options(&self) -> Options {
        let rename: BTreeMap<_, _> = self.renamed.iter().map(|&(a, b)| (a.to_owned(), b.to_owned())).collect();
        Options {
            name: Some(self.name.to_owned()),
            unit: Some(self.unit),
            rename,
            schema: Some(self.schema()),
            on_problem: OnProblem::Skip,
            ..Options::default()
        }
    }
}

/// The corpus of this name.
///
/// # Errors
/// An unknown name; the error lists the known ones.
pub fn named(name: &str) -> Result<&'static Named, ReadError> {
    NAMED.iter().find(|named| named.name == name).ok_or_else(|| ReadError::UnknownCorpus {
        name: name.to_owned(),
        known: NAMED.iter().map(|named| named.name.to_owned()).collect(),
    })
}

/// Reads a split of a corpus by name, by the corpus's label convention.
///
/// The files are looked for in the folder that `GRAMASK_DATA` names, else in `../shared/data` beside the current folder
/// and beside the workspace that holds it. Known faults of a corpus (one annotation of NCBI disease has a space too many,
/// one abstract stands there twice) are returned as problems; a corrupt line is an error.
///
/// PGxCorpus has no official split. Its `train`, `dev` and `test` are 8, 1 and 1 tenths of the abstracts, drawn by a
/// hash (FNV-1a, 64 bits) of the abstract's identifier, so that the sentences of an abstract stay together.
///
/// # Errors
/// An unknown name or split, files that are not there (the error lists what was looked for), a corrupt line.
pub fn find(name: &str, split: &str) -> Result<(Corpus, Vec<Problem>), ReadError> {
    let corpus = named(name)?;
    let unknown_split = || ReadError::UnknownSplit {
        name: name.to_owned(),
        split: split.to_owned(),
        known: corpus.splits.iter().map(|&split| split.to_owned()).collect(),
    };
    if !corpus.splits.contains(&split) {
        return Err(unknown_split());
    }
    let options = corpus.options();
    let (read, mut problems) = match corpus.files {
        Files::PerSplit(extension) => Corpus::read(locate(corpus, &format!("{name}/{split}.{extension}"))?, &options)?,
        Files::BratFolder => {
            let (mut read, problems) = Corpus::read(locate(corpus, name)?, &options)?;
            read.documents.retain(|document| split == "all" || tenth(&document.id) == split);
            (read, problems)
        }
        Files::Embedded(parts) => match parts.iter().find(|part| part.0 == split) {
            Some((_, file, content)) => Corpus::read_str(file, content, &options)?,
            None => return Err(unknown_split()),
        },
    };
    // A split need not have all labels of the corpus.
    problems.retain(|problem| !matches!(problem.kind, ProblemKind::UnusedRename { .. }));
    match problems.iter().find(|problem| matches!(problem.kind, ProblemKind::Corrupt { .. })) {
        Some(corrupt) => Err(ReadError::Problem(Box::new(corrupt.clone()))),
        None => Ok((read, problems)),
    }
}

/// The split of a sentence, drawn by the abstract's part of its identifier `ABSTRACT_NUMBER`.
fn tenth(id: &str) -> &'static str {
    let abstract_ = id.split('_').next().unwrap_or(id);
    match Fnv::hash(abstract_.as_bytes()) % 10 {
        0 => "test",
        1 => "dev",
        _ => "train",
    }
}

/// The paths under which `relative` may be, in order.
fn candidates(relative: &str) -> Vec<PathBuf> {
    if let Some(data) = std::env::var_os("GRAMASK_DATA").filter(|data| !data.is_empty()) {
        return vec![Path::new(&data).join(relative)];
    }
    let shared = Path::new("../shared/data").join(relative);
    let mut paths = vec![shared.clone()];
    if let Ok(current) = std::env::current_dir() {
        let workspace = current.ancestors().find(|folder| folder.join("Cargo.lock").is_file());
        if let Some(workspace) = workspace.filter(|&workspace| workspace != current) {
            paths.push(workspace.join(shared));
        }
    }
    paths
}

fn locate(corpus: &Named, relative: &str) -> Result<PathBuf, ReadError> {
    let looked = candidates(relative);
    looked.iter().find(|path| path.exists()).cloned().ok_or_else(|| ReadError::NotFound {
        name: corpus.name.to_owned(),
        source_hint: corpus.source.to_owned(),
        looked,
    })
}

/// The folder of a corpus, where it is there: `GRAMASK_DATA/NAME`, else as [`find`] looks.
pub fn data_folder(name: &str) -> Option<PathBuf> {
    candidates(name).into_iter().find(|path| path.is_dir())
}
