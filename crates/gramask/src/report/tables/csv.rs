//! `summary.csv`: the rows of a run as CSV.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::evaluate::SummaryRow;

/// `summary.csv`: a line per row, with the names of the columns first. Rates and times have six digits after the point.
///
/// # Errors
/// When a row cannot be written as CSV.
pub fn summary_csv(rows: &[SummaryRow]) -> Result<String, csv::Error> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for row in rows {
        writer.serialize(row.rounded())?;
    }
    let bytes = writer.into_inner().map_err(|error| csv::Error::from(error.into_error()))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Writes `summary.csv` into a run's folder.
///
/// # Errors
/// When it cannot be written.
pub fn write_summary(folder: &Path, rows: &[SummaryRow]) -> Result<(), SummaryError> {
    let path = folder.join("summary.csv");
    let csv = summary_csv(rows).map_err(io::Error::other);
    csv.and_then(|csv| std::fs::write(&path, csv)).map_err(|source| SummaryError { path, source })
}

/// `summary.csv` cannot be written.
#[derive(Debug, Error)]
#[error("cannot write {}: {source}", path.display())]
pub struct SummaryError {
    path: PathBuf,
    source: io::Error,
}
