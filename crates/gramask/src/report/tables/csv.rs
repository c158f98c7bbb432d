//! `summary.csv`: the rows of a run as CSV.

use std::io;
use std::path::{Path, PathBuf};

use csv::StringRecord;
use thiserror::Error;

use crate::evaluate::{COLUMNS, SummaryRow};

/// `summary.csv`: a line per row, with the names of the columns first. Rates and times have six digits after the point.
///
/// # Errors
/// When a row cannot be written as CSV.
pub fn summary_csv(rows: &[SummaryRow]) -> Result<String, csv::Error> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for (number, row) in rows.iter().enumerate() {
        let (heads, values) = written(row)?;
        if number == 0 {
            writer.write_record(&heads)?;
        }
        writer.write_record(&values)?;
    }
    let bytes = writer.into_inner().map_err(|error| csv::Error::from(error.into_error()))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The names of the columns, and a row's values; empty where a cell that decoded nothing has no figure.
fn written(row: &SummaryRow) -> Result<(StringRecord, StringRecord), csv::Error> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.serialize(row.rounded())?;
    let bytes = writer.into_inner().map_err(|error| csv::Error::from(error.into_error()))?;
    let mut reader = csv::Reader::from_reader(bytes.as_slice());
    let heads = reader.headers()?.clone();
    let mut values = StringRecord::new();
    reader.read_record(&mut values)?;
    let known =
        |name: &str| COLUMNS.iter().find(|column| column.name == name).is_none_or(|column| column.is_known(row));
    let kept = heads.iter().zip(&values).map(|(name, value)| if known(name) { value } else { "" }).collect();
    Ok((heads, kept))
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
