//! How long the rest of a run takes, from times that were measured before.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::experiment::Cell;
use crate::plan::{Plan, Shard};
use crate::store::{Manifest, read_records, read_scores};

/// The documents of a cell, and the time per document.
#[derive(Clone, Debug, PartialEq)]
pub struct CellEstimate {
    /// The cell.
    pub cell: Cell,
    /// The documents of the cell in this shard.
    pub documents: usize,
    /// The documents that are done.
    pub done: usize,
    /// Seconds per document, and where this was measured. None if nothing comparable was measured.
    pub rate: Option<(f64, Basis)>,
}

/// Where a rate was measured, from the best source to the worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Basis {
    /// Documents of the same cell, with any seed.
    Cell,
    /// The cell on other corpora.
    OtherCorpora,
    /// The model and format, with another level or strategy.
    Format,
    /// The model.
    Model,
}

impl Basis {
    /// In words.
    pub fn as_str(self) -> &'static str {
        match self {
            Basis::Cell => "this cell",
            Basis::OtherCorpora => "this cell on other corpora",
            Basis::Format => "this model and format",
            Basis::Model => "this model",
        }
    }
}

/// An estimate of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Estimate {
    /// Cell by cell.
    pub cells: Vec<CellEstimate>,
    /// The runs that were measured on the same device of the same machine.
    pub measured: Vec<PathBuf>,
}

impl Estimate {
    /// Seconds for all documents that are left. None if the rate of a cell is unknown.
    pub fn seconds(&self) -> Option<f64> {
        self.cells
            .iter()
            .filter(|cell| cell.done < cell.documents)
            .map(|cell| cell.rate.map(|(rate, _)| rate * (cell.documents - cell.done) as f64))
            .sum()
    }
}

/// The time of a document. None if it could not be decoded.
struct Timed {
    cell: Cell,
    document: String,
    seconds: Option<f64>,
}

/// Estimates how long the run of this manifest takes. Times come from its `folder` and the folders next to it, if they were
/// measured on the same device and machine with the same batch. Runs in progress count, too.
pub fn estimate(plan: &Plan, run: &Manifest, folder: &Path, shard: Option<Shard>) -> Estimate {
    let own = times(folder);
    let models: BTreeSet<String> = plan.experiment.cells().into_iter().map(|cell| cell.model).collect();
    let mut timed: Vec<Timed> = Vec::new();
    let mut measured = Vec::new();
    for other in beside(folder) {
        let comparable = Manifest::read(&other).is_ok_and(|other| same_machine(&other, run));
        let mut times = if comparable { times(&other) } else { Vec::new() };
        times.retain(|timed| timed.seconds.is_some() && models.contains(&timed.cell.model));
        if !times.is_empty() {
            measured.push(other);
            timed.extend(times);
        }
    }
    let done: BTreeSet<(Cell, String)> = own.into_iter().map(|timed| (timed.cell, timed.document)).collect();
    let cells = plan.experiment.cells().into_iter().filter_map(|cell| {
        let corpus = plan.corpus(&cell.corpus)?;
        let documents = corpus.documents.iter().enumerate();
        let ours: Vec<&str> = documents
            .filter(|(place, _)| shard.is_none_or(|shard| shard.has(*place)))
            .map(|(_, document)| document.id.as_str())
            .collect();
        let is_done = |id: &&&str| done.contains(&(cell.clone(), (**id).to_string()));
        Some(CellEstimate {
            documents: ours.len(),
            done: ours.iter().filter(is_done).count(),
            rate: rate(&cell, &timed),
            cell,
        })
    });
    Estimate { cells: cells.collect(), measured }
}

/// Seconds for a document of a cell.
fn rate(cell: &Cell, timed: &[Timed]) -> Option<(f64, Basis)> {
    let basis = |other: &Cell| {
        let format = other.format == cell.format;
        let way = (other.level, other.strategy) == (cell.level, cell.strategy);
        match (other.model == cell.model, format, way, other.corpus == cell.corpus) {
            (false, ..) => None,
            (true, true, true, true) => Some(Basis::Cell),
            (true, true, true, false) => Some(Basis::OtherCorpora),
            (true, true, false, _) => Some(Basis::Format),
            (true, false, ..) => Some(Basis::Model),
        }
    };
    let best = timed.iter().filter_map(|timed| basis(&timed.cell)).min()?;
    let alike = timed.iter().filter(|timed| basis(&timed.cell) == Some(best));
    let seconds: Vec<f64> = alike.filter_map(|timed| timed.seconds).collect();
    (!seconds.is_empty()).then(|| (seconds.iter().sum::<f64>() / seconds.len() as f64, best))
}

/// The times of the documents of a run, from its records and scores.
fn times(folder: &Path) -> Vec<Timed> {
    let records = read_records(&folder.join("records.jsonl")).unwrap_or_default();
    let mut timed: Vec<Timed> = records
        .into_iter()
        .map(|record| Timed {
            cell: record.cell,
            document: record.document,
            seconds: record.finish.map(|_| record.times.wall_s),
        })
        .collect();
    let seen: BTreeSet<(Cell, String)> =
        timed.iter().map(|timed| (timed.cell.clone(), timed.document.clone())).collect();
    let scored = read_scores(&folder.join("scores.csv")).unwrap_or_default();
    let others = scored.into_iter().map(|scored| Timed {
        cell: scored.cell(),
        seconds: scored.finish.map(|_| scored.wall_s),
        document: scored.document,
    });
    timed.extend(others.filter(|timed| !seen.contains(&(timed.cell.clone(), timed.document.clone()))));
    timed
}

/// A folder and the folders next to it, in order.
fn beside(folder: &Path) -> Vec<PathBuf> {
    let parent = match folder.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    let entries = std::fs::read_dir(parent).into_iter().flatten().flatten();
    let mut folders: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
    folders.sort();
    folders
}

fn same_machine(there: &Manifest, here: &Manifest) -> bool {
    let same = |pointer| there.settings.pointer(pointer) == here.settings.pointer(pointer);
    there.machine == here.machine && same("/device") && same("/experiment/batch") && same("/experiment/weights")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::record_for_tests as record;
    use gramask_grammar::Level;

    #[test]
    fn a_rate_rests_on_what_is_most_alike() {
        let timed = |change: fn(&mut Cell), seconds: f64| {
            let mut cell = record(Level::Grounded, "d").cell;
            change(&mut cell);
            Timed { cell, document: "d".into(), seconds: Some(seconds) }
        };
        let cell = record(Level::Grounded, "d").cell;
        let mut all = vec![timed(|cell| cell.model = "other".into(), 99.0)];
        assert_eq!(rate(&cell, &all), None);
        all.push(timed(|cell| cell.format = "tuples".into(), 8.0));
        assert_eq!(rate(&cell, &all), Some((8.0, Basis::Model)));
        all.push(timed(|cell| cell.level = Level::Syntax, 4.0));
        all.push(timed(|cell| (cell.level, cell.corpus) = (Level::None, "x".into()), 6.0));
        assert_eq!(rate(&cell, &all), Some((5.0, Basis::Format)));
        all.push(timed(|cell| cell.corpus = "x".into(), 2.0));
        assert_eq!(rate(&cell, &all), Some((2.0, Basis::OtherCorpora)));
        all.push(timed(|cell| cell.seed = Some(4), 1.0));
        all.push(timed(|_| {}, 2.0));
        assert_eq!(rate(&cell, &all), Some((1.5, Basis::Cell)));
    }

    #[test]
    fn what_is_left_takes_time_and_what_is_not_known_says_so() {
        let cell = |documents, done, rate: Option<f64>| CellEstimate {
            cell: record(Level::Grounded, "d").cell,
            documents,
            done,
            rate: rate.map(|rate| (rate, Basis::Cell)),
        };
        let of = |cells: Vec<CellEstimate>| Estimate { cells, measured: Vec::new() }.seconds();
        assert_eq!(of(vec![cell(9, 4, Some(2.0)), cell(3, 3, None)]), Some(10.0));
        assert_eq!(of(vec![cell(9, 4, Some(2.0)), cell(3, 2, None)]), None);
        assert_eq!(of(Vec::new()), Some(0.0));
    }
}
