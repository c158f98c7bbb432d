//! The errors of reports.

use std::io;
use std::path::PathBuf;

use plotters::drawing::DrawingAreaErrorKind;
use thiserror::Error;

use crate::store::ScoresError;

/// Why a report cannot be made.
#[derive(Debug, Error)]
#[allow(missing_docs, reason = "the messages name variants and fields")]
pub enum ReportError {
    /// The folder holds no run.
    #[error("{} has no {lacks}: give the folder of a run, as `gramask run` makes it (runs/NAME)", folder.display())]
    NoRun { folder: PathBuf, lacks: &'static str },
    /// A run of which nothing is done.
    #[error("{} has no record: the run has not decoded a document yet", folder.display())]
    NoRecord { folder: PathBuf },
    #[error(transparent)]
    Scores(#[from] ScoresError),
    /// `run.json` is no such file.
    #[error("{}: {source}; this is no run.json of this program", path.display())]
    Settings { path: PathBuf, source: serde_json::Error },
    /// A line that is no record.
    #[error(
        "{}:{line}: {source}; this is no record that this version of the program knows: remove the line, or make the report \
         with the version that wrote it",
        path.display()
    )]
    Record { path: PathBuf, line: usize, source: serde_json::Error },
    /// Two runs that share no cell.
    #[error("{} and {} have no cell in common: the first has {first_cells}, the second {second_cells}", first.display(), second.display())]
    NothingInCommon { first: PathBuf, second: PathBuf, first_cells: String, second_cells: String },
    /// The file system refused.
    #[error("cannot {action} {}: {source}", path.display())]
    Io { action: &'static str, path: PathBuf, source: io::Error },
    /// A figure cannot be drawn.
    #[error("cannot draw a figure: {0}")]
    Draw(#[from] DrawingAreaErrorKind<io::Error>),
    /// A table cannot be written.
    #[error("cannot write a table: {0}")]
    Csv(#[from] csv::Error),
    /// The page cannot be written.
    #[error("cannot fill in the page: {0}")]
    Page(#[from] minijinja::Error),
    /// The documents cannot be put into the page.
    #[error("cannot put the documents into the page: {0}")]
    Json(#[from] serde_json::Error),
}
