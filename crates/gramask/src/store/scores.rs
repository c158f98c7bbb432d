//! `scores.csv`: the scores of all records of a run, including those of other machines.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::{Journal, JournalError, Manifest, ManifestError};
use crate::evaluate::ScoreRow;
use crate::experiment::Cell;

/// The scores of a run, on disk and in memory.
///
/// Records without scores are scored when the file is updated. A line without a record comes from another machine, and its document
/// counts as done.
#[derive(Debug)]
pub struct Scores {
    path: PathBuf,
    lines: Vec<ScoreRow>,
    places: HashMap<(Cell, String), usize>,
}

/// Why scores cannot be read or written, or cannot be in one file.
#[derive(Debug, Error)]
#[allow(missing_docs, reason = "the messages name variants and fields")]
pub enum ScoresError {
    /// A line has another structure.
    #[error("{}: {source}; this line was not written by a run of this version", path.display())]
    Line { path: PathBuf, source: csv::Error },
    /// Two different outputs of one document.
    #[error(
        "{} has another output of document `{document}` in {cell} than the scores read before: they are not of one run",
        path.display()
    )]
    Differs { path: PathBuf, document: String, cell: Box<Cell> },
    #[error(transparent)]
    Settings(#[from] ManifestError),
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The file system reports an error.
    #[error("cannot {action} {}: {source}", path.display())]
    Io { action: &'static str, path: PathBuf, source: std::io::Error },
}

impl Scores {
    /// The scores in the folder of a run. Empty if it has no `scores.csv`.
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

    /// Adds scores of another run that are of these cells. Returns their number.
    ///
    /// # Errors
    /// When the `run.json` in the same folder is missing or has other settings, when the file cannot be read, or when it has another
    /// output of a document that was scored already.
    pub fn import(&mut self, path: &Path, run: &Manifest, cells: &[Cell]) -> Result<usize, ScoresError> {
        let path = if path.is_dir() { path.join("scores.csv") } else { path.to_path_buf() };
        run.goes_on_from(path.parent().unwrap_or(Path::new("")))?;
        let cells: HashSet<&Cell> = cells.iter().collect();
        let mut count = 0;
        for line in read_scores(&path)? {
            if cells.contains(&line.cell()) {
                count += 1;
                self.add(line, &path)?;
            }
        }
        Ok(count)
    }

    /// Adds a line. If the document was scored already, its output must be the same.
    pub(crate) fn add(&mut self, line: ScoreRow, from: &Path) -> Result<(), ScoresError> {
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

    /// Adds a line that was computed from a record of this folder.
    ///
    /// # Errors
    /// When the document was scored already, with another output.
    pub(crate) fn add_own(&mut self, line: ScoreRow) -> Result<(), ScoresError> {
        let path = self.path.clone();
        self.add(line, &path)
    }

    /// All lines, in the order of the file.
    pub fn all(&self) -> &[ScoreRow] {
        &self.lines
    }

    /// Whether a document of a cell has been scored.
    pub fn has(&self, cell: &Cell, document: &str) -> bool {
        self.places.contains_key(&(cell.clone(), document.to_string()))
    }

    /// Marks all scored documents as done in the journal.
    pub fn leave_out(&self, journal: &mut Journal) {
        for line in &self.lines {
            journal.leave_out(line.cell(), line.document.clone());
        }
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
        // Written to another file and renamed, so that a stop leaves the old file or the new one.
        let beside = self.path.with_extension("csv.part");
        std::fs::write(&beside, bytes).and_then(|()| std::fs::rename(&beside, &self.path)).map_err(fail)
    }
}

/// Reads a `scores.csv`.
///
/// # Errors
/// When the file cannot be read, or a line has another structure.
pub fn read_scores(path: &Path) -> Result<Vec<ScoreRow>, ScoresError> {
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
    use crate::evaluate::{summarise, summarise_scores};
    use crate::store::Record;
    use crate::store::record::tests::record;
    use gramask_grammar::Level;
    use gramask_ner::{Entity, Schema};

    #[test]
    fn a_summary_of_scores_is_that_of_the_records() {
        let folder = tempfile::tempdir().unwrap();
        let schema = Schema::new(["Disease"]);
        let records: Vec<Record> = (0..40)
            .map(|number| {
                let mut record = record(Level::Grounded, &format!("d,{number} \"x\""));
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
            scores.add(ScoreRow::of(record, &schema), "here".as_ref()).unwrap();
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
