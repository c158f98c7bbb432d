//! Evaluation: from the text of an output to the figures of a cell.
//!
//! ```text
//! output text ─ evaluate ─ Evaluation ─ (runner) ─ Record ─ RecordScorer ─ ScoreRow ─ summary_rows ─ SummaryRow
//!                                                                           └──────── comparisons ── Comparison
//! ```
//!
//! [`metrics`] has the formula of every figure, and says where it is shown. Nothing here reads or writes a file: that is the task of
//! [`store`](crate::store). [`report`](crate::report) shows the figures.

mod answer;
mod canonical;
mod changed;
mod compare;
pub mod metrics;
mod output;
mod promises;
mod score;
mod summary;

pub use answer::evaluate_answer;
pub use canonical::non_canonical;
pub(crate) use compare::between;
pub use compare::{Against, CompareError, Comparison, Metric, cells_without_outputs, comparisons};
pub use metrics::{
    COLUMNS, CellScores, Column, Head, NAMES, Name, SCORE_COLUMNS, ScoreRow, Show, SummaryRow, Unit, columns_page,
};
pub use output::{Evaluation, evaluate, read_strictly};
pub use promises::broken_promises;
pub use score::RecordScorer;
pub(crate) use score::prediction;
pub use summary::{journal_rows, summarise, summarise_scores, summary_rows};
