//! Planning: every name of an experiment is looked up, so that mistakes are reported before a model is loaded.
//!
//! An [`Experiment`] becomes a [`Plan`]: corpora are read ([`PlannedCorpus`]), formats compiled, the device checked. The
//! [`runner`](crate::runner) carries a plan out.

mod corpus;
mod examples;
mod placement;
mod shard;
mod tasks;
mod validator;

use std::path::PathBuf;

use gramask_decode::BuildError;
use gramask_grammar::{CompileError, Format, FormatErrors};
use gramask_model::device::{DeviceError, DeviceName, Dtype, MemoryPool, OpenOptions, UnknownDtype};
use gramask_ner::Document;
use gramask_ner::corpus::{Problem, ReadError};
use thiserror::Error;

pub(crate) use corpus::SPLITS;
pub use corpus::{PlannedCorpus, whole_documents};
pub use examples::choose as choose_examples;
pub use placement::{Placement, UnknownWeightType};
pub use shard::{NoShard, Shard};
pub use tasks::Task;
pub use validator::Validator;

use crate::experiment::{Cell, Experiment, StrategyName, format_name, format_path};

/// An experiment with all its names looked up.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The experiment, with the changes by the command line.
    pub experiment: Experiment,
    /// The corpora, in the experiment's order, and after them the tasks.
    pub corpora: Vec<PlannedCorpus>,
    /// The formats, in the experiment's order.
    pub formats: Vec<Format>,
    /// The device.
    pub device: DeviceName,
    /// The float type of computations, if the experiment names one.
    pub float_type: Option<Dtype>,
    /// How the device allocates memory. It changes no output, so it is not among the settings of a run.
    pub memory_pool: Option<MemoryPool>,
    /// Whether decoding steps are recorded and replayed. Only GPUs do so.
    pub record_steps: bool,
    /// Whether records have traces. It changes no output, so it is not among the settings of a run.
    pub trace: bool,
}

/// Why an experiment cannot be planned.
#[derive(Debug, Error)]
#[allow(missing_docs, reason = "the messages name variants and fields")]
pub enum PlanError {
    /// A corpus.
    #[error("corpus `{name}`: {source}{}", advice(source, *.from_path))]
    Corpus { name: String, from_path: bool, source: Box<ReadError> },
    /// The split that the examples come from.
    #[error(
        "corpus `{name}`: the examples of the prompt come from split {split:?}, which cannot be read: {source}; give another \
         `split` under [examples], or n = 0 for prompts without examples"
    )]
    Examples { name: String, split: String, source: Box<ReadError> },
    /// Examples and documents would come from the same file.
    #[error(
        "corpus `{name}`: the examples of the prompt would come from the evaluated file, {}; give a path with {{split}}, such as \
         {pattern:?}, and two files, or n = 0 under [examples]",
        file.display()
    )]
    SameFile { name: String, file: PathBuf, pattern: String },
    /// Examples and documents would come from the same split.
    #[error(
        "corpus `{name}`: the examples of the prompt would come from the evaluated split, {split:?}; give another `split` under \
         [examples], or n = 0 there"
    )]
    SameSplit { name: String, split: String },
    /// A label to rename that no split of the corpus has.
    #[error("corpus `{name}`: {}", note.kind)]
    Rename { name: String, note: Box<Problem> },
    /// A corpus that has nothing to decode.
    #[error("corpus `{name}` has nothing to decode: its documents hold no text")]
    NoDocument { name: String },
    /// A corpus of which all documents are left out.
    #[error("corpus `{name}`: `skip = {skip}` leaves no document: it has {found}")]
    SkippedAll { name: String, skip: usize, found: usize },
    /// A file of tasks that cannot be read.
    #[error("cannot read the tasks {}: {source}", file.display())]
    TaskFile { file: PathBuf, source: std::io::Error },
    /// A faulty task.
    #[error("{}:{line}: {what}", file.display())]
    Task { file: PathBuf, line: usize, what: String },
    /// A format file.
    #[error("{0}")]
    Format(#[from] FormatErrors),
    /// A format cannot be compiled for the labels of a corpus.
    #[error("format `{format}` and corpus `{corpus}`: {source}")]
    Compile { format: String, corpus: String, source: Box<CompileError> },
    #[error(transparent)]
    Device(#[from] DeviceError),
    #[error(transparent)]
    Dtype(#[from] UnknownDtype),
    #[error(transparent)]
    Weights(#[from] UnknownWeightType),
    /// A level or a strategy cannot decode canonical tokens only.
    #[error(transparent)]
    Canonical(#[from] BuildError),
    /// The experiment has no cell.
    #[error("none of the strategies {strategies} goes with a level of {levels}: {known}")]
    NoCell { strategies: String, levels: String, known: String },
    /// Every model has formats of its own, and none of them is asked for.
    #[error(
        "no model decodes any of the formats {formats}: each model has `formats` of its own in the experiment file"
    )]
    NoFormat { formats: String },
}

/// How to go on at a fault of a corpus of the user.
fn advice(source: &ReadError, from_path: bool) -> &'static str {
    match source {
        ReadError::Problem(_) if from_path => {
            "; reading stopped here: with on_problem = \"skip\" for this corpus, or --skip-problems, it goes on as far as it can"
        }
        _ => "",
    }
}

impl Plan {
    /// Looks up all names of an experiment.
    ///
    /// # Errors
    /// An unknown name, with the known ones; a fault in a corpus or format file.
    pub fn new(experiment: Experiment) -> Result<Plan, PlanError> {
        let device: DeviceName = experiment.device.parse()?;
        let float_type = experiment.dtype.as_deref().map(str::parse).transpose()?;
        if experiment.cells().is_empty() {
            return Err(no_cell(&experiment));
        }
        experiment.check_canonical()?;
        Placement { weights: experiment.weights.clone(), ..Placement::on(device) }.precision()?;
        device.open()?;
        let formats: Vec<Format> = experiment
            .formats
            .iter()
            .map(|name| Format::named(&format_path(&experiment.folders.formats, name)))
            .collect::<Result<_, _>>()?;
        let mut corpora = Vec::new();
        for choice in &experiment.corpora {
            corpora.push(PlannedCorpus::read(choice, experiment.examples.n, &experiment.examples.split)?);
        }
        let tasks = experiment.tasks.iter().map(PlannedCorpus::of_tasks).collect::<Result<Vec<_>, _>>()?;
        for corpus in &corpora {
            for format in &formats {
                gramask_grammar::Program::passes(format, &corpus.schema).map_err(|source| PlanError::Compile {
                    format: format.name.clone(),
                    corpus: corpus.name.clone(),
                    source: Box::new(source),
                })?;
            }
        }
        corpora.extend(tasks);
        Ok(Plan {
            experiment,
            corpora,
            formats,
            device,
            float_type,
            memory_pool: None,
            record_steps: false,
            trace: false,
        })
    }

    /// The number of documents of all cells together.
    pub fn documents(&self) -> usize {
        let of = |cell: &Cell| self.corpus(&cell.corpus).map_or(0, |corpus| corpus.documents.len());
        self.experiment.cells().iter().map(of).sum()
    }

    /// Checks that the device has the float type and the memory pool. The memory pool is used from then on.
    ///
    /// # Errors
    /// When it lacks the float type or the memory pool, or does not open.
    pub fn check_device(&self) -> Result<(), DeviceError> {
        let options =
            OpenOptions { memory_pool: self.memory_pool, float_type: self.float_type, record_steps: self.record_steps };
        self.device.open_with(options).map(|_| ())
    }

    /// Where and in which number types models are computed.
    pub fn placement(&self) -> Placement {
        Placement {
            device: self.device,
            weights: self.experiment.weights.clone(),
            float_type: self.float_type,
            memory_pool: self.memory_pool,
            record_steps: self.record_steps,
        }
    }

    /// The examples in the prompts of a model, by its name in the cells, for a corpus.
    pub fn examples_for<'a>(&self, model: &str, corpus: &'a PlannedCorpus) -> &'a [Document] {
        let most = self.experiment.examples_of(model).min(corpus.examples.len());
        &corpus.examples[..most]
    }

    /// The corpus of this name.
    pub fn corpus(&self, name: &str) -> Option<&PlannedCorpus> {
        self.corpora.iter().find(|corpus| corpus.name == name)
    }

    /// The format of this name.
    pub fn format(&self, name: &str) -> Option<&Format> {
        let place = self.experiment.formats.iter().position(|given| format_name(given) == name)?;
        self.formats.get(place)
    }
}

/// The command line named strategies without their levels, or levels without a strategy.
fn no_cell(experiment: &Experiment) -> PlanError {
    let names = |names: Vec<String>| names.join(", ");
    if experiment.levels.iter().any(|&level| !experiment.strategies.of(level).is_empty()) {
        return PlanError::NoFormat { formats: names(experiment.formats.clone()) };
    }
    let chosen = experiment.strategies.chosen();
    let known = |level| {
        let names = StrategyName::of(level).map(|name| name.to_string());
        format!("`{level}` goes with {}", names.collect::<Vec<_>>().join(", "))
    };
    PlanError::NoCell {
        strategies: names(chosen.iter().map(|choice| choice.name().to_string()).collect()),
        levels: names(experiment.levels.iter().map(|level| level.to_string()).collect()),
        known: names(experiment.levels.iter().map(|&level| known(level)).collect()),
    }
}
