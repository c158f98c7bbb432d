//! Carrying out an experiment: records, summary, and going on where a run was stopped.
//!
//! An [`Experiment`](crate::experiment::Experiment) becomes a [`Plan`] (all names looked up), the plan and its models a
//! [`RunFile`] that claims the run's folder, and [`carry_out`] fills the folder's [`Journal`] with a [`Record`] for each
//! document of each cell. A [`Grader`] makes the [`Scores`] of the records, which hold no text of a corpus, and from these alone
//! come the figures of the table and of `summary.csv` ([`rows_of`]) and the [`comparisons`] of cells. A run can go on from
//! scores, be split into [`Shard`]s, and be [merged](merge).

mod begin;
mod canonical;
mod carry;
mod changed;
mod compare;
mod compare_table;
mod engine;
mod error;
mod estimate;
mod examples;
mod gather;
mod journal;
mod judge;
mod merge;
mod one;
mod passes;
mod plan;
mod record;
mod scored;
mod scores;
mod settings;
mod shard;
mod strategy;
mod summary;
mod table;
mod trace;

pub(crate) use begin::{machine, versions};
pub use begin::{run_file, write_summary};
pub use canonical::non_canonical;
pub use carry::{Watch, broken_promises, carry_out, rows, rows_of};
pub(crate) use compare::between;
pub use compare::{Against, CompareError, Comparison, comparisons};
pub use compare_table::{comparisons_csv, comparisons_table};
pub use engine::{Backbone, Engine, Placement, Prompts, SharedTokenizer};
pub use error::RunError;
pub use estimate::{Basis, CellEstimate, Estimate, estimate};
pub use examples::choose as choose_examples;
pub use journal::{Journal, JournalError, read_records};
pub use judge::{Judged, judge, judge_as};
pub use merge::{MergeError, Merged, merge};
pub use one::{OneError, OneText, Pass, decode_one, decode_passes};
pub use plan::{Plan, PlanError, PlannedCorpus};
#[cfg(test)]
pub(crate) use record::tests::record as record_for_tests;
pub use record::{Distortion, Effort, Fault, FaultKind, Record, Repaired, Times, Tokens};
pub(crate) use scored::prediction;
pub use scored::{Grader, Scored};
pub use scores::{Scores, ScoresError, read_scores};
pub use settings::{RunFile, SettingsError, now};
pub use shard::{NoShard, Shard};
pub use strategy::{BuildError, Task, Workshop};
pub use summary::{Row, summarise, summarise_scores, to_csv};
pub use table::table;
pub use trace::{TraceToken, WantedToken, trace};
