//! Showing: the figures of a run as tables, CSV and one HTML page.
//!
//! The page needs no network and no other file: style, script, figures and documents are in it. A report's folder has
//!
//! | file | what it holds |
//! |---|---|
//! | `index.html` | the page |
//! | `summary.csv` | a line for each cell (of a comparison: `comparison.csv`) |
//! | `figures/NAME.svg` | each figure, for light and dark backgrounds |
//! | `figures/NAME.csv` | its numbers |
//!
//! A report with documents has their texts. The licences of most corpora forbid to publish them, so a report that is published must
//! be made [without](Options::documents) them.

mod browse;
mod compare;
mod error;
mod figure;
mod headline;
mod page;
mod read;
mod single;
pub mod tables;
mod tally;

use std::fs;
use std::path::{Path, PathBuf};

pub use compare::compare;
pub use error::ReportError;
pub use figure::{Figure, FigureTable};
pub use headline::{Column, Entry, Table};
pub use page::Page;
pub use read::{CorpusData, RunData};
pub use single::single;

/// The content of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Whether the documents are in it, with their texts, outputs and traces.
    pub documents: bool,
    /// The most bytes of documents. The page says how many documents are left out.
    pub most: usize,
}

impl Default for Options {
    fn default() -> Self {
        Options { documents: true, most: browse::MOST }
    }
}

/// A report, ready to be written.
#[derive(Debug)]
pub struct Report {
    /// The page.
    pub page: Page,
    /// The table of all figures, as CSV.
    pub summary: String,
}

impl Report {
    /// Writes the report into a folder, and returns the page's path.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn write(&self, folder: &Path) -> Result<PathBuf, ReportError> {
        let figures = folder.join("figures");
        let fail = |action, path: &Path| {
            let path = path.to_path_buf();
            move |source| ReportError::Io { action, path, source }
        };
        fs::create_dir_all(&figures).map_err(fail("create", &figures))?;
        let write = |path: PathBuf, text: &str| fs::write(&path, text).map_err(fail("write", &path));
        for figure in &self.page.figures {
            write(figures.join(format!("{}.svg", figure.id)), &figure.svg)?;
            write(figures.join(format!("{}.csv", figure.id)), &figure.table.to_csv()?)?;
        }
        write(folder.join(&self.page.table_file), &self.summary)?;
        let path = folder.join("index.html");
        write(path.clone(), &self.page.to_html()?)?;
        Ok(path)
    }
}
