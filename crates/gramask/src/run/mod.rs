//! Carrying out an experiment: records, summary, and going on where a run was stopped.

mod journal;
mod record;
mod settings;
mod summary;
mod table;

pub use journal::{Journal, JournalError};
pub use record::{Fault, FaultKind, Record, Times, Tokens};
pub use settings::{RunFile, SettingsError, now};
pub use summary::{Row, summarise, to_csv};
pub use table::table;
