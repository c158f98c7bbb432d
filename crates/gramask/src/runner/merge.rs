//! Merging the parts of a run: shards of several machines, or sessions in several folders.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::evaluate::{RecordScorer, SummaryRow, summary_rows};
use crate::experiment::{Cell, ExperimentError};
use crate::plan::{Plan, PlanError};
use crate::store::{
    Journal, JournalError, Manifest, ManifestError, Record, Scores, ScoresError, read_records, read_scores,
};

/// A merged run.
#[derive(Debug)]
pub struct Merged {
    /// The figures of all cells.
    pub rows: Vec<SummaryRow>,
    /// The records that were new in the folder.
    pub new: usize,
    /// All records of the folder.
    pub records: Vec<Record>,
    /// Documents of cells that have been scored.
    pub scored: usize,
    /// Documents of all cells of the experiment. None if its corpora are missing.
    pub wanted: Option<usize>,
}

/// Why parts cannot be merged.
#[derive(Debug, Error)]
#[allow(missing_docs, reason = "the messages name variants and fields")]
pub enum MergeError {
    /// There is no part.
    #[error("nothing to merge: give the folder of the whole, and after it the folders of the parts")]
    Nothing,
    /// Parts with other settings, or without a `run.json`.
    #[error("the parts are not of one run: {0}")]
    Settings(#[from] ManifestError),
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error(transparent)]
    Scores(#[from] ScoresError),
    /// Two parts have different records of a document.
    #[error("{} has another output of document `{document}` in {cell} than an earlier part: they are not of one run", path.display())]
    Differs { path: PathBuf, document: String, cell: Box<Cell> },
    /// The experiment in `run.json`.
    #[error("run.json: {0}")]
    Experiment(#[from] ExperimentError),
    /// Some records have no scores, and scoring them needs the corpora.
    #[error("some records have no scores, and scoring them needs the corpora and formats of the experiment: {0}")]
    Plan(#[from] PlanError),
}

/// Merges the records and scores of several folders into one, which may be new or hold a part already. The settings must be the
/// same. If several parts have a document, its outputs must be the same.
///
/// # Errors
/// When the parts are not of one run. `out` is then still a valid folder, and merging again continues.
pub fn merge(out: &Path, parts: &[PathBuf]) -> Result<Merged, MergeError> {
    let mut whole: Option<Manifest> = None;
    for part in parts {
        let run = Manifest::read(part)?;
        match &whole {
            Some(first) => first.same_settings(&run, part)?,
            None => whole = Some(run),
        }
    }
    let whole = Manifest { shard: None, ..whole.ok_or(MergeError::Nothing)? };
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
        // A part may have scores and no records.
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
    // Cell by cell, in the order of an unbroken run.
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
            RecordScorer::new(&plan)?.update(&mut scores, &journal)?;
            Some(plan.documents())
        }
        (Err(error), true) => return Err(error.into()),
        (Err(_), false) => {
            scores.write()?;
            None
        }
    };
    let rows = summary_rows(&cells, scores.all());
    Ok(Merged { rows, new: count, records: journal.records().to_vec(), scored: scores.all().len(), wanted })
}

/// A record without what can differ between two runs: times, and the last digits of probabilities, which depend on the documents
/// in the same batch.
fn output(record: &Record) -> Record {
    Record {
        offset: None,
        times: Default::default(),
        prompts: Vec::new(),
        trace: None,
        removed: 0.0,
        distortion: Default::default(),
        effort: Default::default(),
        ..record.clone()
    }
}
