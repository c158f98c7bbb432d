//! Validation: a run over a few documents, as `gramask run` would do it.

use std::path::Path;
use std::sync::atomic::AtomicBool;

use gramask_grammar::Level;
use serde::Serialize;

use super::curve::Score;
use super::error::TuneError;
use super::file::{Tuning, Validation};
use crate::evaluate::journal_rows;
use crate::experiment::{CorpusChoice, Experiment};
use crate::plan::Plan;
use crate::runner::{Engine, RunError, Watch, run_plan};
use crate::store::Journal;

/// The experiment of a validation, as its file would say it.
#[derive(Serialize)]
struct Written<'a> {
    name: &'a str,
    models: [&'a str; 1],
    formats: &'a [String],
    levels: &'a [Level],
    budget: usize,
    batch: usize,
    device: &'a str,
    corpora: Vec<WrittenCorpus<'a>>,
    strategies: toml::Table,
    examples: toml::Table,
}

/// The name alone: all else is taken over from the tuning.
#[derive(Serialize)]
struct WrittenCorpus<'a> {
    name: &'a str,
}

/// The plan of a validation: the documents of the first corpus in the split that is named for it, prompts without examples,
/// the likeliest token at each step.
pub(super) fn plan(tuning: &Tuning, validation: &Validation) -> Result<Plan, TuneError> {
    let mut strategies = toml::Table::new();
    let free = validation.levels.contains(&Level::None);
    let masked = validation.levels.iter().any(|level| *level != Level::None);
    for (name, used) in [("unconstrained", free), ("masked", masked)] {
        if used {
            strategies.insert(name.into(), toml::Table::new().into());
        }
    }
    let corpus = tuning.corpora.first();
    let written = Written {
        name: &tuning.name,
        models: [&tuning.model],
        formats: &tuning.formats,
        levels: &validation.levels,
        budget: validation.budget,
        batch: validation.batch,
        device: &tuning.device,
        corpora: corpus.iter().map(|corpus| WrittenCorpus { name: &corpus.name }).collect(),
        strategies,
        examples: toml::Table::from_iter([("n".into(), 0.into())]),
    };
    let source = toml::to_string(&written)
        .map_err(|error| TuneError::Table { path: "the validation's experiment".into(), message: error.to_string() })?;
    let mut experiment = Experiment::parse("validation.toml".as_ref(), &source)?;
    experiment.folders.clone_from(&tuning.folders);
    let choice = |corpus: &CorpusChoice| CorpusChoice {
        split: validation.split.clone(),
        skip: 0,
        limit: Some(validation.limit),
        ..corpus.clone()
    };
    experiment.corpora = corpus.into_iter().map(choice).collect();
    Ok(Plan::new(experiment)?)
}

/// Nobody watches.
struct Quiet;

impl Watch for Quiet {
    fn cell(&mut self, _: &crate::experiment::Cell, _: usize, _: usize) {}
    fn record(&mut self, _: &crate::store::Record) {}
}

/// Decodes with an engine; the records go to `folder`. None where it was stopped.
pub(super) fn validate(
    plan: &Plan,
    engine: Engine,
    folder: &Path,
    step: usize,
    stop: &AtomicBool,
) -> Result<Option<Vec<Score>>, TuneError> {
    std::fs::create_dir_all(folder).map_err(|source| TuneError::io("create", folder, source))?;
    let mut journal = Journal::open(&folder.join("records.jsonl")).map_err(RunError::from)?;
    let mut engine = Some(engine);
    let mut open = |name: &str| engine.take().ok_or_else(|| RunError::NoModel { model: name.to_string() });
    if !run_plan(plan, &mut journal, &mut open, &mut Quiet, stop)? {
        return Ok(None);
    }
    let scores = journal_rows(plan, &journal).into_iter().map(|row| Score {
        step,
        format: row.format,
        level: row.level,
        documents: row.documents,
        parse_rate: row.parse_rate,
        precision: row.precision,
        recall: row.recall,
        f1: row.f1,
    });
    Ok(Some(scores.collect()))
}

/// What decides which model is the best: the mean F1 at the last level.
pub(super) fn merit(scores: &[Score], validation: &Validation) -> f64 {
    let level = validation.levels.last().map_or("", |level| level.name());
    let of_level: Vec<f64> = scores.iter().filter(|s| s.level == level).map(|s| s.f1).collect();
    of_level.iter().sum::<f64>() / of_level.len().max(1) as f64
}
