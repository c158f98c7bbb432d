//! The files of a run's folder, and the types of their lines.
//!
//! | file | type | written |
//! |---|---|---|
//! | `run.json` | [`Manifest`] | once, when the folder is claimed |
//! | `records.jsonl` | [`Record`], kept by a [`Journal`] | a line as each document ends |
//! | `scores.csv` | [`ScoreRow`](crate::evaluate::ScoreRow), kept by [`Scores`] | as each cell ends |
//!
//! `summary.csv` follows from the scores: see [`crate::report::tables`]. Nothing here computes a figure.

mod journal;
mod manifest;
mod prompt;
mod provenance;
mod record;
mod scores;
mod trace;

pub use gramask_decode::Effort;
pub use journal::{Journal, JournalError, read_records};
pub use manifest::{CorpusProblem, Manifest, ManifestError, day_of};
pub use prompt::{Stretch, WrittenPrompt};
pub use provenance::now;
pub(crate) use provenance::{machine, versions};
#[cfg(test)]
pub(crate) use record::tests::record as record_for_tests;
pub use record::{Answer, Distortion, Fault, FaultKind, Record, RepairedOutput, Times, Tokens};
pub use scores::{Scores, ScoresError, read_scores};
pub use trace::{TraceToken, WantedToken};
