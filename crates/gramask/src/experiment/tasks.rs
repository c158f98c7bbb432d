//! The tasks of an experiment: `[[tasks]]`, each a file with a prompt and a grammar on each line.

use std::ops::Range;
use std::path::{Path, PathBuf};

use gramask_grammar::json_schema::Whitespace;
use serde::{Deserialize, Serialize};
use toml::Spanned;

use super::corpus::{corpus_name, is_zero};

/// What stands in the place of a format's name in the cells of tasks.
pub const TASK_FORMAT: &str = "task";
/// White space of JSON: so many characters at most in one place, where it is allowed at all.
const MOST_WHITESPACE: u32 = 16;

/// A file of tasks, or a part of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskChoice {
    /// What the tasks are called in the records; the name of the file where the experiment gives none.
    pub name: String,
    /// The file: JSON Lines.
    pub path: PathBuf,
    /// The folder that a relative path is relative to: that of the experiment file.
    #[serde(skip)]
    pub folder: PathBuf,
    /// So many tasks at the beginning are left out.
    #[serde(skip_serializing_if = "is_zero", default)]
    pub skip: usize,
    /// At most so many tasks, from the first that is not left out.
    pub limit: Option<usize>,
    /// The white space that instances of JSON Schemas may have.
    #[serde(skip_serializing_if = "WhitespaceChoice::is_compact", default)]
    pub whitespace: WhitespaceChoice,
}

/// The white space of JSON.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WhitespaceChoice {
    /// None.
    #[default]
    Compact,
    /// Up to 16 characters wherever JSON allows white space.
    Any,
}

impl WhitespaceChoice {
    #[allow(clippy::trivially_copy_pass_by_ref)] // serde hands a reference
    fn is_compact(&self) -> bool {
        *self == WhitespaceChoice::Compact
    }

    /// As the compiler of JSON Schemas takes it.
    pub fn whitespace(self) -> Whitespace {
        match self {
            WhitespaceChoice::Compact => Whitespace::Compact,
            WhitespaceChoice::Any => Whitespace::Any { most: MOST_WHITESPACE },
        }
    }
}

impl TaskChoice {
    /// The file.
    pub fn file(&self) -> PathBuf {
        self.folder.join(&self.path)
    }
}

/// An entry of `[[tasks]]` as written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WrittenTasks {
    name: Option<String>,
    path: PathBuf,
    #[serde(default)]
    skip: usize,
    limit: Option<Spanned<usize>>,
    #[serde(default)]
    whitespace: WhitespaceChoice,
}

impl WrittenTasks {
    /// The choice, if the entry is right. `file` is the experiment file.
    pub fn choice(&self, file: &Path) -> Result<TaskChoice, (Range<usize>, String)> {
        if let Some(limit) = self.limit.as_ref().filter(|limit| *limit.get_ref() == 0) {
            let message = "a limit of 0 leaves no task: give at least 1, or leave it out";
            return Err((limit.span(), message.into()));
        }
        Ok(TaskChoice {
            name: self.name.clone().unwrap_or_else(|| corpus_name(&self.path)),
            path: self.path.clone(),
            folder: file.parent().map(Path::to_path_buf).unwrap_or_default(),
            skip: self.skip,
            limit: self.limit.as_ref().map(|limit| *limit.get_ref()),
            whitespace: self.whitespace,
        })
    }
}
