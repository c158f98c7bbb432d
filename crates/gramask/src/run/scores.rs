//! `scores.csv`: the scores of all records of a run, those made elsewhere among them.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::journal::{Journal, JournalError};
use super::plan::Plan;
use super::record::Record;
use super::scored::{Grader, Scored};
use super::settings::{RunFile, SettingsError};
use crate::experiment::Cell;

/// The scores of a run, on disk and in memory.
///
/// The records are what counts: scores that they lack are computed anew. A line without a record was made elsewhere, and its
/// document counts as done.
#[derive(Debug)]
pub struct Scores {
    path: PathBuf,
    lines: Vec<Scored>,
    places: HashMap<(Cell, String), usize>,
}

/// Scores cannot be read or written, or do not go together.
#[derive(Debug, Error)]
pub enum ScoresError {
    /// A line that is no score.
    #[error("{}: {source}; this line was not written by a run of this version", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// What is wrong, with the line.
        source: csv::Error,
    },
    /// Two different outputs of one document.
    #[error(
        "{} and what is there already have different outputs of document `{document}` in {cell}: they are not of one run",
        path.display()
    )]
    Differs {
        /// The file.
        path: PathBuf,
        /// The document.
        document: String,
        /// The cell.
        cell: Box<Cell>,
    },
    /// Scores of another run.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The records cannot be brought to the disk.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The file system refused.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
}

impl Scores {
    /// Those in a run's folder; none where it has no `scores.csv`.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn open(folder: &Path) -> Result<Scores, ScoresError> {
        let path = folder.join("scores.csv");
        let mut scores = Scores { path: path.clone(), lines: Vec::new(), places: HashMap::new() };
        if path.exists() {
            for line in read_scores(&path)? {
                scores.add(line, &path)?;
            }
        }
        Ok(scores)
    }

    /// Takes in scores that were made elsewhere, as far as they are of the plan's cells; how many there were.
    ///
    /// # Errors
    /// When the `run.json` beside the file is missing or has other settings; when the file cannot be read, or has another output
    /// of a document that is there already.
    pub fn import(&mut self, path: &Path, run: &RunFile, plan: &Plan) -> Result<usize, ScoresError> {
        let path = if path.is_dir() { path.join("scores.csv") } else { path.to_path_buf() };
        run.goes_on_from(path.parent().unwrap_or(Path::new("")))?;
        let cells: HashSet<Cell> = plan.experiment.cells().into_iter().collect();
        let mut count = 0;
        for line in read_scores(&path)? {
            if cells.contains(&line.cell()) {
                count += 1;
                self.add(line, &path)?;
            }
        }
        Ok(count)
    }

    /// Takes in a line; one that is there already must be the same.
    pub(super) fn add(&mut self, line: Scored, from: &Path) -> Result<(), ScoresError> {
        let place = (line.cell(), line.document.clone());
        match self.places.get(&place) {
            None => {
                self.places.insert(place, self.lines.len());
                self.lines.push(line);
            }
            Some(&at) if self.lines[at].same_output(&line) => {}
            Some(_) => {
                let (cell, document) = place;
                return Err(ScoresError::Differs { path: from.to_path_buf(), document, cell: Box::new(cell) });
            }
        }
        Ok(())
    }

    /// All of them.
    pub fn all(&self) -> &[Scored] {
        &self.lines
    }

    /// Whether a document of a cell has been scored.
    pub fn has(&self, cell: &Cell, document: &str) -> bool {
        self.places.contains_key(&(cell.clone(), document.to_string()))
    }

    /// What has been scored is done: the journal need not get a record of it.
    pub fn leave_out(&self, journal: &mut Journal) {
        for line in &self.lines {
            journal.leave_out(line.cell(), line.document.clone());
        }
    }

    /// Scores the records that have no scores yet, and writes the file where anything is new in it.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn update(&mut self, journal: &Journal, grader: &Grader<'_>) -> Result<(), ScoresError> {
        self.grade(journal.records(), grader)?;
        // A score must not outlive its record: nobody would miss the record then.
        journal.sync()?;
        self.write()
    }

    /// Scores the records that have no scores yet.
    pub(super) fn grade(&mut self, records: &[Record], grader: &Grader<'_>) -> Result<(), ScoresError> {
        let new = |record: &&Record| !self.has(&record.cell, &record.document);
        let new: Vec<&Record> = records.iter().filter(new).collect();
        let path = self.path.clone();
        for line in grader.grade(&new) {
            self.add(line, &path)?;
        }
        Ok(())
    }

    /// Writes the file.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self) -> Result<(), ScoresError> {
        let fail = |source| ScoresError::Io { action: "write", path: self.path.clone(), source };
        let mut writer = csv::Writer::from_writer(Vec::new());
        for line in &self.lines {
            writer.serialize(line).map_err(|error| fail(error.into()))?;
        }
        let bytes = writer.into_inner().map_err(|error| fail(error.into_error()))?;
        // Written beside and moved: a stop leaves the old file or the new one.
        let beside = self.path.with_extension("csv.part");
        std::fs::write(&beside, bytes).and_then(|()| std::fs::rename(&beside, &self.path)).map_err(fail)
    }
}

/// Reads a `scores.csv`.
///
/// # Errors
/// When it cannot be read, or a line is no score.
pub fn read_scores(path: &Path) -> Result<Vec<Scored>, ScoresError> {
    let line = |source| ScoresError::Line { path: path.to_path_buf(), source };
    let file = std::fs::File::open(path).map_err(|source| ScoresError::Io {
        action: "read",
        path: path.to_path_buf(),
        source,
    })?;
    let mut reader = csv::Reader::from_reader(std::io::BufReader::new(file));
    reader.deserialize().map(|scored| scored.map_err(line)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::LevelName;
    use crate::run::record::tests::record;
    use crate::run::summary::{summarise, summarise_scores};
    use gramask_ner::{Entity, Schema};

    #[test]
    fn a_summary_of_scores_is_that_of_the_records() {
        let folder = tempfile::tempdir().unwrap();
        let schema = Schema::new(["Disease"]);
        let records: Vec<Record> = (0..40)
            .map(|number| {
                let mut record = record(LevelName::Grounded, &format!("d,{number} \"x\""));
                record.gold = vec![Entity::new("Disease", 0, 4); number % 3];
                record.entities = vec![Entity::new("Disease", 0, 4 + number % 2); number % 2];
                record.times.wall_s = 0.1 / (1.0 + number as f64);
                record.times.mask_us = 1e3 / 7.0 + number as f64;
                (record.removed, record.distortion.log_weight) = (1.0 / 3.0, Some(-1.0 / 3.0));
                (record.finish, record.independent) = match number % 5 {
                    0 => (None, None),
                    1 => (Some(gramask_decode::Finish::Budget), Some(false)),
                    _ => (Some(gramask_decode::Finish::End), Some(true)),
                };
                record
            })
            .collect();
        let mut scores = Scores::open(folder.path()).unwrap();
        for record in &records {
            scores.add(Scored::of(record, &schema), "here".as_ref()).unwrap();
        }
        scores.write().unwrap();
        let read = Scores::open(folder.path()).unwrap();
        assert_eq!(read.all(), scores.all(), "the file has all that the scores have");
        let cell = &records[0].cell;
        assert_eq!(summarise_scores(cell, read.all()), summarise(cell, &schema, &records));
        assert!(read.has(cell, "d,3 \"x\"") && !read.has(cell, "d"));

        // The same output at another time is the same; another output is not.
        let mut again = scores.all()[1].clone();
        again.wall_s = 9.0;
        scores.add(again.clone(), "there".as_ref()).unwrap();
        again.strict += 1;
        let error = scores.add(again, "there".as_ref()).unwrap_err().to_string();
        assert!(error.contains("there") && error.contains("d,1"), "{error}");
        std::fs::write(folder.path().join("scores.csv"), "model,corpus\na,b\n").unwrap();
        let error = Scores::open(folder.path()).unwrap_err().to_string();
        assert!(error.contains("scores.csv") && error.contains("line"), "{error}");
    }
}
