//! Summary rows and comparisons as tables for the terminal and as CSV.

mod comparison;
mod csv;
mod summary;

pub use comparison::{comparisons_csv, comparisons_table};
pub use csv::{SummaryError, summary_csv, write_summary};
pub(crate) use summary::NOT_DECODED;
pub use summary::summary_table;
