//! The columns of `scores.csv` and `summary.csv`. Each column is defined once: its name, its meaning, its formula, and where
//! and how it is shown.
//!
//! - A column of `scores.csv`, which is computed from one [`Record`](crate::store::Record), is an entry of the table in
//!   `document.rs`.
//! - A column of `summary.csv`, which is computed from all [`ScoreRow`]s of a cell, is an entry of the table in `cell.rs`. The
//!   same entry says whether the table of the terminal and the report have it.
//!
//! To add a metric, add an entry. The files, the tables, the report and `docs/columns.md` follow from it.

mod cell;
mod cell_scores;
mod column;
mod document;
mod page;

pub use cell::{COLUMNS, SummaryRow};
pub use cell_scores::CellScores;
pub(super) use cell_scores::{Seeds, by_seed};
pub use column::{Column, Head, NAMES, Name, Show, Unit};
pub(super) use document::{DocumentScores, strict_matches};
pub use document::{SCORE_COLUMNS, ScoreRow};
pub use page::columns_page;
