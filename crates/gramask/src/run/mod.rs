//! Carrying out an experiment: records, summary, and going on where a run was stopped.
//!
//! An [`Experiment`](crate::experiment::Experiment) becomes a [`Plan`] (all names looked up), the plan and its models a
//! [`RunFile`] that claims the run's folder, and [`carry_out`] fills the folder's [`Journal`] with a [`Record`] for each
//! document of each cell. [`rows`] makes the figures of the table and of `summary.csv` from the journal alone.

mod begin;
mod canonical;
mod carry;
mod changed;
mod engine;
mod error;
mod examples;
mod gather;
mod journal;
mod judge;
mod one;
mod passes;
mod plan;
mod record;
mod settings;
mod strategy;
mod summary;
mod table;
mod trace;

pub use begin::{run_file, write_summary};
pub use canonical::non_canonical;
pub use carry::{Watch, broken_promises, carry_out, rows};
pub use engine::{Backbone, Engine, Placement, Prompts, SharedTokenizer};
pub use error::RunError;
pub use examples::choose as choose_examples;
pub use journal::{Journal, JournalError};
pub use judge::{Judged, judge, judge_as};
pub use one::{OneError, OneText, Pass, decode_one, decode_passes};
pub use plan::{Plan, PlanError, PlannedCorpus};
pub use record::{Distortion, Effort, Fault, FaultKind, Record, Repaired, Times, Tokens};
pub use settings::{RunFile, SettingsError, now};
pub use strategy::{BuildError, Task, Workshop};
pub use summary::{Row, summarise, to_csv};
pub use table::table;
pub use trace::{TraceToken, trace};
