//! What several commands need: arguments, models, progress bars, Ctrl-C and the report of problems.

mod args;
pub mod bars;
mod grammar;
mod interrupt;
mod models;
mod problems;

pub use args::{ComputeArgs, CorpusArgs, ReadingArgs, TemplateArgs, at_least_one, level, schema};
pub use grammar::{GrammarArgs, PLAIN};
pub use interrupt::stop_at_ctrl_c;
pub use models::{load_engine, resolve, resolve_model, vocabulary};
pub use problems::{note_problems, report_problems};
