//! Putting the parts of a run together: shards of several machines, or sessions in several folders.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::begin::write_summary;
use super::carry::rows_of;
use super::error::RunError;
use super::journal::{Journal, JournalError, read_records};
use super::plan::{Plan, PlanError};
use super::record::Record;
use super::scored::Grader;
use super::scores::{Scores, ScoresError, read_scores};
use super::settings::{RunFile, SettingsError};
use super::summary::Row;
use crate::experiment::{Cell, ExperimentError};

/// What was put together.
#[derive(Debug)]
pub struct Merged {
    /// The figures of all cells.
    pub rows: Vec<Row>,
    /// The records that were new in the folder.
    pub new: usize,
    /// All records of the folder.
    pub records: Vec<Record>,
    /// Documents of cells that have been scored.
    pub scored: usize,
    /// Those that the experiment has; none where its corpora are not at hand.
    pub wanted: Option<usize>,
}

/// Why parts cannot be put together.
#[derive(Debug, Error)]
pub enum MergeError {
    /// No part.
    #[error("nothing to merge: give the folders of the parts behind that of the whole")]
    Nothing,
    /// Parts with other settings, or without a `run.json`.
    #[error("the parts are not of one run: {0}")]
    Settings(#[from] SettingsError),
    /// Records that cannot be read or written.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// Scores that cannot be read or written, or are not the same.
    #[error(transparent)]
    Scores(#[from] ScoresError),
    /// Two different records of one document.
    #[error("{} has another output of document `{document}` in {cell} than the parts before it: they are not of one run", path.display())]
    Differs {
        /// The file.
        path: PathBuf,
        /// The document.
        document: String,
        /// The cell.
        cell: Box<Cell>,
    },
    /// The experiment in `run.json`.
    #[error("run.json: {0}")]
    Experiment(#[from] ExperimentError),
    /// Some records have no scores yet, which takes the corpora.
    #[error("some records have no scores, and to score them the experiment's corpora and formats are needed: {0}")]
    Plan(#[from] PlanError),
    /// The summary cannot be written.
    #[error(transparent)]
    Run(#[from] RunError),
}

/// Puts the records and scores of some folders into one, which may be new or hold a part already. Settings must be the same. A
/// document that several parts have must have the same output in each; the first counts.
///
/// # Errors
/// When the parts do not go together. What is in `out` by then is whole, and merging again goes on.
pub fn merge(out: &Path, parts: &[PathBuf]) -> Result<Merged, MergeError> {
    let mut whole: Option<RunFile> = None;
    for part in parts {
        let run = RunFile::read(part)?;
        match &whole {
            Some(first) => first.same_settings(&run, part)?,
            None => whole = Some(run),
        }
    }
    let whole = RunFile { shard: None, ..whole.ok_or(MergeError::Nothing)? };
    whole.claim(out)?;
    let experiment = whole.experiment()?;
    let cells = experiment.cells();

    let mut journal = Journal::open(&out.join("records.jsonl"))?;
    let mut scores = Scores::open(out)?;
    let mut known: HashMap<(Cell, String), Record> = HashMap::new();
    let place = |record: &Record| (record.cell.clone(), record.document.clone());
    let mut new: Vec<Record> = Vec::new();
    known.extend(journal.records().iter().map(|record| (place(record), record.clone())));
    for part in parts {
        let path = part.join("records.jsonl");
        // A part may be of scores alone.
        for record in if path.exists() { read_records(&path)? } else { Vec::new() } {
            match known.get(&place(&record)) {
                None => {
                    known.insert(place(&record), record.clone());
                    new.push(record);
                }
                Some(there) if output(there) == output(&record) => {}
                Some(_) => {
                    let (cell, document) = place(&record);
                    return Err(MergeError::Differs { path, document, cell: Box::new(cell) });
                }
            }
        }
        let path = part.join("scores.csv");
        for line in if path.exists() { read_scores(&path)? } else { Vec::new() } {
            scores.add(line, &path)?;
        }
    }
    // Cell by cell, as a run of one piece has them.
    let order: HashMap<&Cell, usize> = cells.iter().zip(0..).collect();
    new.sort_by_key(|record| order.get(&record.cell).copied());
    let count = new.len();
    for record in new {
        journal.append(record)?;
    }

    let plan = Plan::new(experiment);
    let unscored = journal.records().iter().any(|record| !scores.has(&record.cell, &record.document));
    let wanted = match (plan, unscored) {
        (Ok(plan), _) => {
            scores.update(&journal, &Grader::new(&plan)?)?;
            Some(plan.documents())
        }
        (Err(error), true) => return Err(error.into()),
        (Err(_), false) => {
            scores.write()?;
            None
        }
    };
    let rows = rows_of(&cells, scores.all());
    write_summary(out, &rows)?;
    Ok(Merged { rows, new: count, records: journal.records().to_vec(), scored: scores.all().len(), wanted })
}

/// A record without what differs from one time to another: times, and the last digits of probabilities, which depend on the
/// documents that are decoded beside it.
fn output(record: &Record) -> Record {
    Record {
        times: Default::default(),
        trace: None,
        removed: 0.0,
        distortion: Default::default(),
        effort: Default::default(),
        ..record.clone()
    }
}
