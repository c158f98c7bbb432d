//! Carrying out a plan: model after model, cell after cell, document after document.
//!
//! [`run_plan`] fills a run's [`Journal`] with a [`Record`](crate::store::Record) for each document of each cell that it lacks.
//! [`estimate`] says how long that takes, [`merge`] puts the parts of a run together, and [`decode_text`] decodes a single text
//! outside any run.

mod aggregate;
mod cell;
mod decode_text;
mod engine;
mod error;
mod estimate;
mod merge;
mod passes;
mod trace;

use std::sync::atomic::{AtomicBool, Ordering};

use gramask_decode::PromptStore;
use gramask_grammar::Program;

pub use decode_text::{AnswerOptions, DecodeTextError, Pass, TextOptions, decode_answer, decode_one_pass, decode_text};
pub use engine::{Backbone, Engine, Prompts};
pub use error::RunError;
pub use estimate::{Basis, CellEstimate, Estimate, estimate};
pub use merge::{MergeError, Merged, merge};
pub use trace::trace;

use self::cell::CellRun;
use crate::experiment::Cell;
use crate::plan::Plan;
use crate::store::{Journal, Record};

/// Observes the progress of a run.
pub trait Watch {
    /// A cell begins. `done` of its documents were decoded before.
    fn cell(&mut self, cell: &Cell, documents: usize, done: usize);
    /// A document has ended.
    fn record(&mut self, record: &Record);
    /// A cell has ended, or the run stops in it.
    fn left(&mut self, _journal: &Journal) {}
}

/// The most bytes of the shared prompts of a format. (A prompt of 60 tokens takes 3 MB in a model with 30 layers and 3 heads of
/// keys.)
const PROMPT_BYTES: usize = 4 << 30;

/// Decodes the documents of a plan that the journal lacks. `open` loads a model by name. It is called only for models that have
/// documents left. When `stop` becomes true, the run ends after the current documents.
///
/// Returns whether all documents are done.
///
/// # Errors
/// When a model cannot be loaded or fails, or a record cannot be written. If a document cannot be decoded, the run continues and
/// its record says why.
pub fn run_plan(
    plan: &Plan,
    journal: &mut Journal,
    open: &mut dyn FnMut(&str) -> Result<Engine, RunError>,
    watch: &mut dyn Watch,
    stop: &AtomicBool,
) -> Result<bool, RunError> {
    // The engine of the current model. Cells are sorted by model.
    let mut engine: Option<Engine> = None;
    // The prompts of the current model, corpus and format.
    let mut shared: Option<([String; 3], PromptStore)> = None;
    for cell in plan.experiment.cells() {
        let Some(corpus) = plan.corpus(&cell.corpus) else {
            continue;
        };
        let Some(strategy) = plan.experiment.strategies.get(cell.strategy) else {
            continue;
        };
        let done = corpus.documents.iter().filter(|document| journal.has(&cell, &document.id)).count();
        if done == corpus.documents.len() {
            continue;
        }
        if stop.load(Ordering::Relaxed) {
            return Ok(false);
        }
        let programs = match plan.format(&cell.format) {
            // Each task has its own.
            _ if !corpus.tasks.is_empty() => Vec::new(),
            Some(format) => Program::passes(format, &corpus.schema)
                .map_err(|source| RunError::Compile { format: format.name.clone(), source: Box::new(source) })?,
            None => continue,
        };
        let engine = match &mut engine {
            Some(engine) if engine.name == cell.model => engine,
            other => other.insert(open(&cell.model)?),
        };
        watch.cell(&cell, corpus.documents.len(), done);
        let asked = [cell.model.clone(), cell.corpus.clone(), cell.format.clone()];
        shared = match shared.take() {
            Some(store) if store.0 == asked => Some(store),
            // The old ones are dropped first, so that memory never holds both.
            _ => plan.experiment.share_prompts.then(|| (asked, PromptStore::new(PROMPT_BYTES))),
        };
        CellRun {
            plan,
            cell: &cell,
            corpus,
            programs: &programs,
            strategy,
            builder: engine.strategy_builder(plan.experiment.sampling_of(&cell), plan.experiment.canonical),
            stop,
        }
        .run(engine, shared.as_mut().map(|(_, store)| store), journal, watch)?;
        watch.left(journal);
    }
    Ok(!stop.load(Ordering::Relaxed))
}
