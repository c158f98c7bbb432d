//! An experiment with all its names looked up: what can be known to be wrong is known before a model is loaded.

use std::path::{Path, PathBuf};

use gramask_grammar::{CompileError, Format, FormatErrors};
use gramask_model::device::{DeviceError, DeviceName, Dtype, MemoryPool, OpenOptions, UnknownDtype};
use gramask_ner::corpus::{self, Problem, ReadError};
use gramask_ner::{Corpus, Document, Schema};
use serde::Serialize;
use thiserror::Error;

use super::engine::Placement;
use super::examples;
use crate::experiment::{Cell, CorpusChoice, Experiment, OnProblem, StrategyName, Unit, format_name};
use crate::pull::sha256_hex;

/// A corpus of a run: its documents, and the examples of its prompts.
#[derive(Clone, Debug)]
pub struct PlannedCorpus {
    /// Its name in the records.
    pub name: String,
    /// The labels.
    pub schema: Schema,
    /// The documents to decode.
    pub documents: Vec<Document>,
    /// The examples in the prompt.
    pub examples: Vec<Document>,
    /// The SHA-256 of identifiers, texts and entities of documents and examples.
    pub digest: String,
    /// Faults of the corpus that reading went past.
    pub problems: Vec<Problem>,
}

/// An experiment, ready to be carried out.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The experiment, with what the command line changed.
    pub experiment: Experiment,
    /// The corpora, in the experiment's order.
    pub corpora: Vec<PlannedCorpus>,
    /// The formats, in the experiment's order.
    pub formats: Vec<Format>,
    /// The device.
    pub device: DeviceName,
    /// What is computed in, where the experiment says it.
    pub float_type: Option<Dtype>,
    /// How the device hands out its memory. Changes no output, so that it is no setting of a run.
    pub memory_pool: Option<MemoryPool>,
    /// Whether decoding steps are recorded and replayed; only GPUs do.
    pub record_steps: bool,
    /// Whether records hold their tokens one by one. Changes no output, so that it is no setting of a run.
    pub trace: bool,
}

/// A name in an experiment means nothing, or what it means cannot be used.
#[derive(Debug, Error)]
pub enum PlanError {
    /// A corpus.
    #[error("corpus `{name}`: {source}")]
    Corpus {
        /// The corpus.
        name: String,
        /// What is wrong.
        source: Box<ReadError>,
    },
    /// A corpus that has nothing to decode.
    #[error(
        "corpus `{name}` has no document left beside the {examples} examples: give it more documents, or set `n` under [examples] to less"
    )]
    NoDocument {
        /// The corpus.
        name: String,
        /// How many examples were taken.
        examples: usize,
    },
    /// A format file.
    #[error("{0}")]
    Format(#[from] FormatErrors),
    /// A format that does not go with a corpus's labels.
    #[error("format `{format}` and corpus `{corpus}`: {source}")]
    Compile {
        /// The format.
        format: String,
        /// The corpus.
        corpus: String,
        /// What is wrong.
        source: Box<CompileError>,
    },
    /// The device.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// The float type has no such name.
    #[error(transparent)]
    Dtype(#[from] UnknownDtype),
    /// Nothing to carry out.
    #[error("none of the strategies {strategies} goes with a level of {levels}: {known}")]
    NoCell {
        /// The strategies.
        strategies: String,
        /// The levels.
        levels: String,
        /// What goes with what.
        known: String,
    },
}

impl Plan {
    /// Looks up all names of an experiment.
    ///
    /// # Errors
    /// The first name that means nothing, with those that would; a corpus or format file with a fault.
    pub fn new(experiment: Experiment) -> Result<Plan, PlanError> {
        let device: DeviceName = experiment.device.parse()?;
        let float_type = experiment.dtype.as_deref().map(str::parse).transpose()?;
        if experiment.cells().is_empty() {
            return Err(no_cell(&experiment));
        }
        device.open()?;
        let formats: Vec<Format> =
            experiment.formats.iter().map(|name| Format::named(name)).collect::<Result<_, _>>()?;
        let mut corpora = Vec::new();
        for choice in &experiment.corpora {
            corpora.push(PlannedCorpus::read(choice, experiment.examples.n, &experiment.examples.split)?);
        }
        for corpus in &corpora {
            for format in &formats {
                gramask_grammar::Program::passes(format, &corpus.schema).map_err(|source| PlanError::Compile {
                    format: format.name.clone(),
                    corpus: corpus.name.clone(),
                    source: Box::new(source),
                })?;
            }
        }
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

    /// How many documents all cells have together.
    pub fn documents(&self) -> usize {
        let of = |cell: &Cell| self.corpus(&cell.corpus).map_or(0, |corpus| corpus.documents.len());
        self.experiment.cells().iter().map(of).sum()
    }

    /// Checks that the device has what the plan asks of it. The memory pool holds from then on.
    ///
    /// # Errors
    /// When it lacks the float type or the memory pool, or does not open.
    pub fn check_device(&self) -> Result<(), DeviceError> {
        let options =
            OpenOptions { memory_pool: self.memory_pool, float_type: self.float_type, record_steps: self.record_steps };
        self.device.open_with(options).map(|_| ())
    }

    /// Where its models are computed, and in what.
    pub fn placement(&self) -> Placement {
        Placement {
            device: self.device,
            weights: self.experiment.weights.clone(),
            float_type: self.float_type,
            memory_pool: self.memory_pool,
            record_steps: self.record_steps,
        }
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

impl PlannedCorpus {
    /// Reads a corpus and chooses its examples.
    ///
    /// The examples come from the split that is named for them. A path has splits where it holds `{split}`
    /// (`data/mine-{split}.pubtator`); in one that does not, the examples are taken out of the documents.
    ///
    /// # Errors
    /// An unknown name or split, a file that is missing or corrupt, nothing to decode.
    pub fn read(choice: &CorpusChoice, examples: usize, examples_split: &str) -> Result<PlannedCorpus, PlanError> {
        let fail = |source| PlanError::Corpus { name: choice.name.clone(), source: Box::new(source) };
        let (corpus, problems) = read(choice, &choice.split).map_err(fail)?;
        let Corpus { schema, mut documents, .. } = corpus;
        let one_file = choice.path.as_ref().is_some_and(|path| in_split(path, "") == *path);
        let chosen = if examples == 0 {
            Vec::new()
        } else if one_file || examples_split == choice.split {
            let chosen = examples::choose(&documents, &schema, examples);
            documents.retain(|document| !chosen.iter().any(|example| example.id == document.id));
            chosen
        } else {
            let (others, _) = read(choice, examples_split).map_err(fail)?;
            examples::choose(&others.documents, &schema, examples)
        };
        documents.truncate(choice.limit.unwrap_or(usize::MAX));
        if documents.is_empty() {
            return Err(PlanError::NoDocument { name: choice.name.clone(), examples: chosen.len() });
        }
        let digest = digest(&schema, documents.iter().chain(&chosen));
        Ok(PlannedCorpus { name: choice.name.clone(), schema, documents, examples: chosen, digest, problems })
    }
}

/// What the command line can ask for: strategies without their levels, or levels without a strategy.
fn no_cell(experiment: &Experiment) -> PlanError {
    let names = |names: Vec<String>| names.join(", ");
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

fn read(choice: &CorpusChoice, split: &str) -> Result<(Corpus, Vec<Problem>), ReadError> {
    let Some(path) = &choice.path else {
        let (corpus, problems) = corpus::find(&choice.name, split)?;
        let whole = corpus::named(&choice.name)?.unit == corpus::Unit::Abstract && choice.unit == Unit::Sentence;
        return Ok((if whole { corpus.into_sentences() } else { corpus }, problems));
    };
    let options = corpus::Options {
        name: Some(choice.name.clone()),
        on_problem: match choice.on_problem {
            OnProblem::Stop => corpus::OnProblem::Stop,
            OnProblem::Skip => corpus::OnProblem::Skip,
        },
        ..corpus::Options::default()
    };
    let (corpus, problems) = Corpus::read(in_split(path, split), &options)?;
    Ok((if choice.unit == Unit::Sentence { corpus.into_sentences() } else { corpus }, problems))
}

/// A path with `{split}` filled in.
fn in_split(path: &Path, split: &str) -> PathBuf {
    path.to_str().map_or_else(|| path.to_path_buf(), |text| text.replace("{split}", split).into())
}

/// Tells whether two runs saw the same documents.
fn digest<'a>(schema: &Schema, documents: impl Iterator<Item = &'a Document>) -> String {
    #[derive(Serialize)]
    struct Line<'a>(&'a str, &'a str, &'a [gramask_ner::Entity]);
    let mut lines = serde_json::to_string(schema).unwrap_or_default();
    for document in documents {
        let line = Line(&document.id, document.text.as_str(), &document.entities);
        lines += "\n";
        lines += &serde_json::to_string(&line).unwrap_or_default();
    }
    sha256_hex(lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PUBTATOR: &str = "1|t|Naloxone reverses the effect of clonidine.\n1|a|Nothing else is in this abstract at all here.\n\
        1\t0\t8\tNaloxone\tChemical\tD009270\n1\t32\t41\tclonidine\tChemical\tD003000\n\n\
        2|t|Aspirin may cause a headache in some.\n2|a|It did not do so.\n2\t0\t7\tAspirin\tChemical\tD1\n\
        2\t20\t28\theadache\tDisease\tD2\n\n";

    fn choice(path: &Path) -> CorpusChoice {
        CorpusChoice {
            name: "own".into(),
            path: Some(path.into()),
            split: "test".into(),
            unit: Unit::Sentence,
            limit: None,
            on_problem: OnProblem::Stop,
        }
    }

    #[test]
    fn examples_of_a_single_file_are_taken_out_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("own.pubtator");
        std::fs::write(&path, PUBTATOR).unwrap();
        let all = PlannedCorpus::read(&choice(&path), 0, "train").unwrap();
        assert_eq!((all.documents.len(), all.examples.len()), (4, 0));
        let some = PlannedCorpus::read(&choice(&path), 1, "train").unwrap();
        assert_eq!((some.documents.len(), some.examples.len()), (3, 1));
        assert_ne!(all.digest, some.digest);
        let few = PlannedCorpus::read(&CorpusChoice { limit: Some(1), ..choice(&path) }, 1, "train").unwrap();
        assert_eq!(few.documents.len(), 1);
        let error = PlannedCorpus::read(&choice(&path), 9, "train");
        assert!(error.is_ok(), "documents without entities are left");
    }

    #[test]
    fn a_path_may_name_the_split() {
        let folder = tempfile::tempdir().unwrap();
        for split in ["train", "test"] {
            std::fs::write(folder.path().join(format!("own-{split}.pubtator")), PUBTATOR).unwrap();
        }
        let planned = PlannedCorpus::read(&choice(&folder.path().join("own-{split}.pubtator")), 1, "train").unwrap();
        assert_eq!((planned.documents.len(), planned.examples.len()), (4, 1));
    }

    #[test]
    fn faults_name_corpus_and_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("own.pubtator");
        let error = PlannedCorpus::read(&choice(&path), 0, "train").unwrap_err().to_string();
        assert!(error.contains("`own`") && error.contains("own.pubtator"), "{error}");
        std::fs::write(&path, PUBTATOR.replace("32\t41", "33\t41")).unwrap();
        let error = PlannedCorpus::read(&choice(&path), 0, "train").unwrap_err().to_string();
        assert!(error.contains("own.pubtator:4"), "{error}");
    }
}
