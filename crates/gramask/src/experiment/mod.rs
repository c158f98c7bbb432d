//! Experiment files: what to decode, with what, and how.
//!
//! One TOML file describes a grid of cells, **corpus x format x level x strategy** (for each model); a run carries out
//! every cell over the same documents. [`StrategyName::goes_with`] says which strategies go with which level: strategies
//! without a constraint with level `none`, the others with `syntax` and `grounded`. Tasks stand beside corpora: a [`TaskChoice`] has
//! prompts with a grammar each, and no format.
//!
//! ```
//! use gramask::experiment::Experiment;
//! let experiment = Experiment::parse("tiny.toml".as_ref(), r#"
//!     models  = ["smollm2-135m-instruct"]
//!     formats = ["json-list", "inline-xml"]
//!     levels  = ["none", "grounded"]
//!     budget  = 96
//!
//!     [[corpora]]
//!     name  = "mini"
//!     split = "test"
//!
//!     [strategies]
//!     unconstrained = {}
//!     masked        = {}
//! "#)?;
//! assert_eq!(experiment.name, "tiny");
//! assert_eq!(experiment.cells().len(), 4);
//! # Ok::<(), gramask::experiment::ExperimentError>(())
//! ```

mod builtin;
mod corpus;
mod error;
mod models;
mod overrides;
mod parse;
mod strategies;
mod tasks;
mod template;

pub use builtin::Builtin;
pub(crate) use corpus::WrittenCorpus;
pub use corpus::{CorpusChoice, Unit};
pub use error::{ExperimentError, Place};
pub(crate) use error::{read_text, read_toml};
pub use gramask_decode::{StrategyChoice, StrategyName, UnknownStrategy};
pub use models::ModelVariant;
pub use overrides::Overrides;
pub use strategies::{Strategies, parse_strategy};
pub use tasks::{TASK_FORMAT, TaskChoice, WhitespaceChoice};
pub use template::{TemplateVariables, parse_variable};
pub(crate) use template::{WrittenValue, variables};

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

use gramask_decode::{BuildError, Sampling};
use gramask_grammar::Level;
pub use gramask_ner::corpus::OnProblem;
use serde::{Deserialize, Serialize};
use toml::Spanned;

/// An experiment file, read and checked.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Experiment {
    /// The run's folder is named after it; the file's name where the file gives none.
    pub name: String,
    /// One sentence for people.
    pub about: String,
    /// Names or paths: see [`crate::pull`]; and what the models of [`variants`](Self::variants) are called.
    pub models: Vec<String>,
    /// Those of the models that have an adapter, examples or template variables of their own. `run.json` calls them after the
    /// first kind, which was the only one in earlier versions.
    #[serde(skip_serializing_if = "Vec::is_empty", rename = "adapters")]
    pub variants: Vec<ModelVariant>,
    /// The documents.
    pub corpora: Vec<CorpusChoice>,
    /// Prompts, each with a grammar of its own.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tasks: Vec<TaskChoice>,
    /// What the model is told to do, in place of the built-in instruction.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instruction: Option<String>,
    /// The folders that relative paths are relative to.
    #[serde(skip)]
    pub folders: Folders,
    /// Names of shipped formats, or paths of `.gram` files.
    pub formats: Vec<String>,
    /// Which constraints.
    pub levels: Vec<Level>,
    /// Which strategies, with their parameters.
    pub strategies: Strategies,
    /// The examples in the prompt.
    pub examples: Examples,
    /// Variables of the models' chat templates.
    #[serde(skip_serializing_if = "TemplateVariables::is_empty")]
    pub template: TemplateVariables,
    /// How tokens are drawn.
    pub sampling: Sampling,
    /// Each cell whose strategy draws tokens is carried out with each of these seeds. Empty where the file gives one `seed`.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub seeds: Vec<u64>,
    /// At most so many tokens per output.
    pub budget: usize,
    /// How many sequences are decoded at once.
    pub batch: usize,
    /// `flex`, `wgpu`, `cuda:1`, ...
    pub device: String,
    /// What the weights are kept as; the model's own choice for the device where none is given.
    pub weights: Option<String>,
    /// Whether cells that ask the same prompts (those of a model, corpus and format) compute each of them once. What a prompt
    /// cost is then counted in each cell all the same.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub share_prompts: bool,
    /// Whether constraints allow only the tokens that the model's tokenizer itself would produce.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub canonical: bool,
    /// The float type that is computed in: `f32`, `f16` or `bf16`; the device's usual one where none is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dtype: Option<String>,
}

/// The folders that relative paths of an experiment are relative to. Paths in the file are relative to the file; paths on
/// the command line to the current folder, which is the empty path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Folders {
    /// The experiment file's.
    pub file: PathBuf,
    /// For formats.
    pub formats: PathBuf,
    /// For models and, in a tuning file, its adapter.
    pub models: PathBuf,
}

impl Folders {
    /// All paths are relative to this file.
    pub(crate) fn of(file: &Path) -> Folders {
        let folder = file.parent().map(Path::to_path_buf).unwrap_or_default();
        Folders { file: folder.clone(), formats: folder.clone(), models: folder }
    }
}

/// The examples in the prompt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Examples {
    /// How many.
    pub n: usize,
    /// From which split of the corpus.
    pub split: String,
}

impl Default for Examples {
    fn default() -> Self {
        Examples { n: 3, split: "train".into() }
    }
}

/// One cell of the grid. Names only; indices would not survive a change of the file.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Cell {
    /// The model's name.
    pub model: String,
    /// The corpus's name.
    pub corpus: String,
    /// The format's name.
    pub format: String,
    /// The level.
    pub level: Level,
    /// The strategy.
    pub strategy: StrategyName,
    /// The seed, where the experiment has several and the strategy draws tokens. None in records of earlier versions, and where
    /// the seed is that of the experiment.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub seed: Option<u64>,
}

impl Experiment {
    /// Checks that every strategy can decode canonical tokens only, where the experiment asks for that. Cells of level `none`
    /// may stand beside the others, for comparison.
    ///
    /// # Errors
    /// Where a level or a strategy cannot, or there is no constraint at all.
    pub fn check_canonical(&self) -> Result<(), BuildError> {
        let unconstrained = self.levels.iter().all(|level| *level == Level::None);
        for level in self.levels.iter().filter(|level| self.canonical && (unconstrained || **level != Level::None)) {
            for strategy in self.strategies.chosen() {
                if strategy.name().goes_with(*level) {
                    strategy.check_canonical(*level)?;
                }
            }
        }
        Ok(())
    }

    /// The cells, in the order in which they are carried out: all formats of a corpus before the next corpus.
    pub fn cells(&self) -> Vec<Cell> {
        let mut cells = Vec::new();
        for model in &self.models {
            for corpus in &self.corpora {
                let own = |format: &&String| self.decodes(model, &format_name(format));
                for format in self.formats.iter().filter(own) {
                    self.add_cells([model, &corpus.name, &format_name(format)], |_| true, &mut cells);
                }
            }
            for tasks in &self.tasks {
                // There is no document that an output could be true of.
                self.add_cells([model, &tasks.name, TASK_FORMAT], |level| level != Level::Grounded, &mut cells);
            }
        }
        cells
    }

    /// Adds the cells of a model, a corpus and a format.
    fn add_cells(&self, names: [&str; 3], has: impl Fn(Level) -> bool, cells: &mut Vec<Cell>) {
        let [model, corpus, format] = names.map(str::to_owned);
        for &level in self.levels.iter().filter(|level| has(**level)) {
            for strategy in self.strategies.of(level) {
                cells.extend(self.seeds_of(strategy).into_iter().map(|seed| Cell {
                    model: model.clone(),
                    corpus: corpus.clone(),
                    format: format.clone(),
                    level,
                    strategy,
                    seed,
                }));
            }
        }
    }

    /// The seeds that a strategy is carried out with: one, or each of several where it draws tokens.
    fn seeds_of(&self, strategy: StrategyName) -> Vec<Option<u64>> {
        match self.seeds.is_empty() || !strategy.draws(&self.sampling) {
            true => vec![None],
            false => self.seeds.iter().copied().map(Some).collect(),
        }
    }

    /// How tokens are drawn in a cell.
    pub fn sampling_of(&self, cell: &Cell) -> Sampling {
        Sampling { seed: cell.seed.unwrap_or(self.sampling.seed), ..self.sampling }
    }
}

impl Cell {
    /// The cell without its seed: cells that differ by that alone are one row of a table.
    pub fn seedless(&self) -> Cell {
        Cell { seed: None, ..self.clone() }
    }
}

/// What a format is called in the records: a path's file name without its ending.
pub fn format_name(name_or_path: &str) -> String {
    let file = name_or_path.rsplit(['/', '\\']).next().unwrap_or(name_or_path);
    file.strip_suffix(".gram").unwrap_or(file).to_string()
}

/// The name of a shipped format as it is, and a relative path of a `.gram` file from the folder of the file that names it.
pub(crate) fn format_path(folder: &Path, name_or_path: &str) -> String {
    let is_path = name_or_path.contains(['/', '\\']) || name_or_path.ends_with(".gram");
    match is_path {
        true => folder.join(name_or_path).to_string_lossy().into_owned(),
        false => name_or_path.to_string(),
    }
}

/// The name of a run: what its file says, else the file's own name without its ending. What is wrong with it has its place.
pub(crate) fn run_name(path: &Path, written: Option<&Spanned<String>>) -> Result<String, (Range<usize>, String)> {
    let name = match written {
        Some(name) => name.get_ref().clone(),
        None => path.file_stem().unwrap_or_default().to_string_lossy().into_owned(),
    };
    match is_run_name(&name) {
        true => Ok(name),
        false => {
            let span = written.map_or(0..0, Spanned::span);
            Err((span, format!("`{name}` cannot be the name of a run: use {RUN_NAMES}")))
        }
    }
}

/// What the names of runs are made of.
pub(crate) const RUN_NAMES: &str = "letters, digits, `-`, `_` and `.`, the first no `.`, as it becomes a folder's";

/// Whether a run can have this name.
pub(crate) fn is_run_name(name: &str) -> bool {
    let plain = |c: char| c.is_alphanumeric() || "-_.".contains(c);
    !name.is_empty() && !name.starts_with('.') && name.chars().all(plain)
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {} {}", self.corpus, self.format, self.level, self.strategy)?;
        match self.seed {
            Some(seed) => write!(f, " seed {seed}"),
            None => Ok(()),
        }
    }
}
