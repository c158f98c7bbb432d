//! Reports: a run's folder becomes one page to read, with every figure as a file beside it.
//!
//! The page needs nothing but itself: style, script, figures and documents are in it, and it asks no network for anything. The
//! folder gets
//!
//! | file | what it holds |
//! |---|---|
//! | `index.html` | the page |
//! | `summary.csv` | a line for each cell (of a comparison: `comparison.csv`) |
//! | `figures/NAME.svg` | each figure, right on light and on dark ground |
//! | `figures/NAME.csv` | its numbers |
//!
//! A report with documents holds their texts. The licences of most corpora forbid to publish them, so that what is published is made
//! [without](Options::documents).

mod browse;
mod compare;
mod error;
mod figure;
mod headline;
mod page;
mod read;
mod single;
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

/// What a report is to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Whether the documents are in it: their texts, their outputs, and, where the run has them, their traces.
    pub documents: bool,
    /// The most bytes of documents; those that go beyond are left out, and the page says how many.
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
