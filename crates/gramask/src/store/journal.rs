//! `records.jsonl`: a line is appended when a document ends. The file is read again when a run is continued.

use std::collections::HashSet;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use thiserror::Error;

use super::Record;
use crate::experiment::Cell;

/// The records of a run, on disk and in memory.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
    records: Vec<Record>,
    done: HashSet<(Cell, String)>,
    /// Documents that other machines decode.
    elsewhere: HashSet<(Cell, String)>,
    /// Whether the last line was incomplete and has been dropped.
    torn: bool,
}

/// Why `records.jsonl` cannot be read or written.
#[derive(Debug, Error)]
#[allow(missing_docs, reason = "the messages name the fields")]
pub enum JournalError {
    /// A line before the last one is no record.
    #[error("{}:{line}: {source}; this line was not written by a run: remove it, or give another folder with --out", path.display())]
    Line { path: PathBuf, line: usize, source: serde_json::Error },
    /// A cell has a document twice.
    #[error("{}:{line}: a second record of document `{document}` in cell {cell}: remove one of the two lines", path.display())]
    Twice { path: PathBuf, line: usize, document: String, cell: Box<Cell> },
    /// Another process writes the file.
    #[error("{} is being written by another process: wait for it, or give another folder with --out", path.display())]
    Busy { path: PathBuf },
    /// The file system reports an error.
    #[error("cannot {action} {}: {source}", path.display())]
    Io { action: &'static str, path: PathBuf, source: io::Error },
}

/// The content of a file.
struct Read {
    records: Vec<Record>,
    done: HashSet<(Cell, String)>,
    /// The bytes of all complete lines.
    good: u64,
    torn: bool,
}

impl Read {
    fn all(file: &File, path: &Path) -> Result<Read, JournalError> {
        let mut reader = BufReader::new(file);
        let (mut records, mut done) = (Vec::new(), HashSet::new());
        let (mut torn, mut good) = (false, 0);
        for line in 1.. {
            let mut bytes = Vec::new();
            let read = reader.read_until(b'\n', &mut bytes);
            if read.map_err(|source| JournalError::Io { action: "read", path: path.to_path_buf(), source })? == 0 {
                break;
            }
            // Only a line with its line break is complete.
            if bytes.last() != Some(&b'\n') {
                torn = true;
                break;
            }
            let record: Record = serde_json::from_slice(&bytes).map_err(|source| JournalError::Line {
                path: path.to_path_buf(),
                line,
                source,
            })?;
            good += bytes.len() as u64;
            if !done.insert((record.cell.clone(), record.document.clone())) {
                let (cell, document) = (Box::new(record.cell), record.document);
                return Err(JournalError::Twice { path: path.to_path_buf(), line, document, cell });
            }
            records.push(record);
        }
        Ok(Read { records, done, good, torn })
    }
}

/// Reads a `records.jsonl` that another process may be writing. An incomplete last line is skipped.
///
/// # Errors
/// When the file does not exist, or a line before the last one is no record.
pub fn read_records(path: &Path) -> Result<Vec<Record>, JournalError> {
    let file =
        File::open(path).map_err(|source| JournalError::Io { action: "read", path: path.to_path_buf(), source })?;
    Ok(Read::all(&file, path)?.records)
}

impl Journal {
    /// Opens or creates the file. The last line is dropped if it is incomplete, because the program or the machine stopped while
    /// it was written. Its document is then decoded again.
    ///
    /// # Errors
    /// When the file cannot be opened, or a line before the last one is no record.
    pub fn open(path: &Path) -> Result<Journal, JournalError> {
        let fail = |action, source| JournalError::Io { action, path: path.to_path_buf(), source };
        let file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .open(path)
            .map_err(|source| fail("open", source))?;
        // Two processes in one folder would write each record twice. The system releases the lock when the process ends, in
        // whatever way.
        match patiently_locked(&file) {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(JournalError::Busy { path: path.to_path_buf() });
            }
            // Some file systems have no locks.
            Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {}
            Err(TryLockError::Error(source)) => return Err(fail("lock", source)),
        }
        let Read { records, done, good, torn } = Read::all(&file, path)?;
        if torn {
            file.set_len(good).map_err(|source| fail("drop the incomplete last line of", source))?;
        }
        Ok(Journal { path: path.to_path_buf(), file, records, done, elsewhere: HashSet::new(), torn })
    }

    /// Whether an incomplete last line was dropped.
    pub fn was_torn(&self) -> bool {
        self.torn
    }

    /// Whether this document of a cell is decoded here, or left to another machine.
    pub fn has(&self, cell: &Cell, document: &str) -> bool {
        let place = (cell.clone(), document.to_string());
        self.done.contains(&place) || self.elsewhere.contains(&place)
    }

    /// Leaves a document of a cell to another machine. It counts as done and gets no record here.
    pub fn leave_out(&mut self, cell: Cell, document: String) {
        self.elsewhere.insert((cell, document));
    }

    /// Waits until all records are on the disk.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn sync(&self) -> Result<(), JournalError> {
        self.file.sync_data().map_err(|source| JournalError::Io { action: "write", path: self.path.clone(), source })
    }

    /// All records, in the order in which they were written.
    pub fn records(&self) -> &[Record] {
        &self.records
    }

    /// Appends a record. When the method returns, the operating system has it.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn append(&mut self, record: Record) -> Result<(), JournalError> {
        let fail = |source| JournalError::Io { action: "write", path: self.path.clone(), source };
        let mut line = serde_json::to_vec(&record).map_err(|error| fail(error.into()))?;
        line.push(b'\n');
        // One write for the whole line, so that a stop can leave at most the last line incomplete.
        self.file.write_all(&line).and_then(|()| self.file.flush()).map_err(fail)?;
        self.done.insert((record.cell.clone(), record.document.clone()));
        self.records.push(record);
        Ok(())
    }
}

/// Locks a file. Where it is locked, waits a moment for the lock: a process that this one is just starting has the same files
/// open until its program is loaded.
fn patiently_locked(file: &File) -> Result<(), TryLockError> {
    for _ in 0..20 {
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(10)),
            result => return result,
        }
    }
    file.try_lock()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::record::tests::record;
    use gramask_grammar::Level;

    #[test]
    fn a_run_goes_on_where_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("records.jsonl");
        let (first, second) = (record(Level::None, "d1"), record(Level::None, "d2"));
        let mut journal = Journal::open(&path).unwrap();
        journal.append(first.clone()).unwrap();
        journal.append(second.clone()).unwrap();
        drop(journal);

        // The machine stopped in the middle of the second line.
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() - 20]).unwrap();
        let mut journal = Journal::open(&path).unwrap();
        assert!(journal.was_torn());
        assert!(journal.has(&first.cell, "d1"));
        assert!(!journal.has(&second.cell, "d2"));
        assert!(!journal.has(&record(Level::Syntax, "d1").cell, "d1"));
        journal.append(second.clone()).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), bytes, "as if nothing had happened");
        drop(journal);
        let journal = Journal::open(&path).unwrap();
        assert!(!journal.was_torn());
        assert_eq!(journal.records(), [first, second]);
    }

    #[test]
    fn one_process_writes_and_others_may_do_the_rest() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("records.jsonl");
        let mut journal = Journal::open(&path).unwrap();
        let error = Journal::open(&path).unwrap_err();
        assert!(matches!(error, JournalError::Busy { .. }), "{error}");
        let cell = record(Level::None, "d1").cell;
        journal.leave_out(cell.clone(), "d1".into());
        assert!(journal.has(&cell, "d1") && !journal.has(&cell, "d2") && journal.records().is_empty());
        journal.sync().unwrap();
        drop(journal);
        assert!(!Journal::open(&path).unwrap().has(&cell, "d1"), "that is for a session");
    }

    #[test]
    fn a_line_that_is_no_record_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("records.jsonl");
        let mut journal = Journal::open(&path).unwrap();
        journal.append(record(Level::None, "d1")).unwrap();
        drop(journal);
        let mut lines = std::fs::read_to_string(&path).unwrap();
        lines += "{\"model\": 3}\n";
        std::fs::write(&path, &lines).unwrap();
        let error = Journal::open(&path).unwrap_err().to_string();
        assert!(error.contains("records.jsonl:2:"), "{error}");

        let line = lines.lines().next().unwrap();
        std::fs::write(&path, format!("{line}\n{line}\n")).unwrap();
        let error = Journal::open(&path).unwrap_err().to_string();
        assert!(error.contains("records.jsonl:2:") && error.contains("`d1`"), "{error}");
    }
}
