//! The corpora of an experiment: `[[corpora]]` with a name or a path, and how a file is read.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use gramask_ner::Schema;
use gramask_ner::corpus::{Columns, Form, OnProblem, Options};
use serde::{Deserialize, Serialize};
use toml::Spanned;

/// A corpus, or a part of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CorpusChoice {
    /// The name of a known corpus; with a path, the corpus's name in the records.
    pub name: String,
    /// A file or folder of the user; `{split}` in it stands for the split.
    pub path: Option<PathBuf>,
    /// The folder that a relative path is relative to: that of the experiment file, or none for the current one.
    #[serde(skip)]
    pub folder: PathBuf,
    /// `train`, `dev`, `test`, ...
    pub split: String,
    /// What a document is.
    pub unit: Unit,
    /// So many documents at the beginning are left out.
    #[serde(skip_serializing_if = "is_zero", default)]
    pub skip: usize,
    /// At most so many documents, from the first that is not left out.
    pub limit: Option<usize>,
    /// What to do at a fault of a file at `path`. Known corpora have known faults, which are always passed over.
    pub on_problem: OnProblem,
    /// The form of the file; told from its name and its first lines where none is given.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub form: Option<Form>,
    /// The columns of a CoNLL file.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub columns: Option<Columns>,
    /// The labels, in order. Where none is given, all labels of all splits, in alphabetical order.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub labels: Vec<String>,
    /// New names of labels.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub rename: BTreeMap<String, String>,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde hands a reference
pub(super) fn is_zero(number: &usize) -> bool {
    *number == 0
}

/// What a document is: a sentence, or what the corpus calls a document.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    /// Sentences, cut without ever cutting an entity.
    #[default]
    Sentence,
    /// Whole documents.
    Document,
}

impl Unit {
    /// As written in files and tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Unit::Sentence => "sentence",
            Unit::Document => "document",
        }
    }
}

impl CorpusChoice {
    /// A split of a known corpus, in sentences.
    pub fn named(name: impl Into<String>, split: impl Into<String>) -> CorpusChoice {
        CorpusChoice {
            name: name.into(),
            path: None,
            folder: PathBuf::new(),
            split: split.into(),
            unit: Unit::Sentence,
            skip: 0,
            limit: None,
            on_problem: OnProblem::Stop,
            form: None,
            columns: None,
            labels: Vec::new(),
            rename: BTreeMap::new(),
        }
    }

    /// A split of a corpus at a path, in sentences, called after its file.
    pub fn at(path: impl Into<PathBuf>, split: impl Into<String>) -> CorpusChoice {
        let path = path.into();
        CorpusChoice { name: corpus_name(&path), path: Some(path), ..CorpusChoice::named("", split) }
    }

    /// The file or folder of a split, for a corpus at a path.
    pub fn file(&self, split: &str) -> Option<PathBuf> {
        let path = self.folder.join(self.path.as_ref()?);
        Some(path.to_str().map_or_else(|| path.clone(), |text| text.replace("{split}", split).into()))
    }

    /// Whether its path has a place for the split.
    pub fn has_splits(&self) -> bool {
        self.path.as_ref().is_none_or(|path| path.to_string_lossy().contains("{split}"))
    }

    /// How a file of it is read.
    pub fn options(&self) -> Options {
        Options {
            form: self.form,
            name: Some(self.name.clone()),
            columns: self.columns,
            rename: self.rename.clone(),
            schema: (!self.labels.is_empty()).then(|| Schema::new(self.labels.iter().cloned())),
            on_problem: self.on_problem,
            ..Options::default()
        }
    }
}

/// The name of a corpus at a path: its file name without the extension.
pub(super) fn corpus_name(path: &Path) -> String {
    let stem = path.file_stem().map_or_else(|| path.to_string_lossy(), |stem| stem.to_string_lossy());
    stem.into_owned()
}

/// An entry of `[[corpora]]` as written, in an experiment or a tuning file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WrittenCorpus {
    name: Option<String>,
    path: Option<PathBuf>,
    split: Option<String>,
    #[serde(default)]
    unit: Unit,
    #[serde(default)]
    skip: usize,
    limit: Option<Spanned<usize>>,
    #[serde(default)]
    on_problem: OnProblem,
    form: Option<Form>,
    columns: Option<Columns>,
    labels: Option<Spanned<Vec<String>>>,
    rename: Option<Spanned<BTreeMap<String, String>>>,
}

/// A place in the file, `None` for the whole entry, and what is wrong there.
pub(crate) type WrongCorpus = (Option<Range<usize>>, String);

impl WrittenCorpus {
    /// The choice, if the entry is right. `file` is the experiment file, `split` the usual split.
    pub fn choice(&self, file: &Path, split: &str) -> Result<CorpusChoice, WrongCorpus> {
        let mut choice = match (&self.name, &self.path) {
            (name, Some(path)) => {
                let choice = CorpusChoice::at(path, "");
                CorpusChoice { name: name.clone().unwrap_or(choice.name), ..choice }
            }
            (Some(name), None) => CorpusChoice::named(name, ""),
            (None, None) => return Err((None, "a corpus needs `name = \"...\"` or `path = \"...\"`".into())),
        };
        if let Some(limit) = self.limit.as_ref().filter(|limit| *limit.get_ref() == 0) {
            let message = "a limit of 0 leaves no document: give at least 1, or leave it out";
            return Err((Some(limit.span()), message.into()));
        }
        if self.path.is_none() {
            let given = [
                ("form", self.form.is_some()),
                ("columns", self.columns.is_some()),
                ("labels", self.labels.is_some()),
                ("rename", self.rename.is_some()),
            ];
            if let Some((option, _)) = given.into_iter().find(|(_, given)| *given) {
                let message = format!("`{option}` says how a file is read: give its `path`, or leave `{option}` out");
                return Err((None, message));
            }
        }
        if let Some(labels) = &self.labels {
            let list = labels.get_ref();
            let twice = || (1..list.len()).find(|&i| list[..i].contains(&list[i]));
            if list.is_empty() || list.iter().any(|label| label.trim().is_empty()) || twice().is_some() {
                let message = "`labels` needs names such as [\"Chemical\", \"Disease\"], none empty and none twice";
                return Err((Some(labels.span()), message.into()));
            }
            choice.labels = list.clone();
        }
        if let Some(rename) = &self.rename {
            if rename.get_ref().values().any(|label| label.trim().is_empty()) {
                let message =
                    "`rename` gives a label an empty name: give one such as { SpecificDisease = \"Disease\" }";
                return Err((Some(rename.span()), message.into()));
            }
            choice.rename = rename.get_ref().clone();
        }
        Ok(CorpusChoice {
            folder: file.parent().map(Path::to_path_buf).unwrap_or_default(),
            split: self.split.clone().unwrap_or_else(|| split.to_owned()),
            unit: self.unit,
            skip: self.skip,
            limit: self.limit.as_ref().map(|limit| *limit.get_ref()),
            on_problem: self.on_problem,
            form: self.form,
            columns: self.columns,
            ..choice
        })
    }
}
