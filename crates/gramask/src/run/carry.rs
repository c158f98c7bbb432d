//! Carrying out a plan: cell after cell, document after document.

use std::cell::RefCell;
use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use gramask_decode::{
    Ended, Layout, Masked, Output, PromptTokenizer, Prompter, Request, Settings, Unconstrained, decode,
};
use gramask_grammar::{Constraint, Program};
use gramask_ner::Document;

use super::engine::{Engine, Prompts};
use super::error::RunError;
use super::journal::{Journal, JournalError};
use super::judge::judge;
use super::plan::{Plan, PlannedCorpus};
use super::record::{Fault, FaultKind, Record, Times, Tokens};
use super::summary::{Row, summarise};
use crate::experiment::{Cell, LevelName};
use crate::pull::sha256_hex;

/// Who wants to know how a run goes on.
pub trait Watch {
    /// A cell begins: so many documents, so many of them done before.
    fn cell(&mut self, cell: &Cell, documents: usize, done: usize);
    /// A document is done.
    fn record(&mut self, record: &Record);
}

/// Carries out what the journal lacks of a plan. `open` loads a model by name, and is asked only for models that have
/// something left to do. Where `stop` becomes true, the run ends after the documents that end next.
///
/// Returns whether all is done.
///
/// # Errors
/// When a model cannot be loaded or fails, or a record cannot be written. A document that cannot be decoded is no error of
/// the run: its record says so.
pub fn carry_out(
    plan: &Plan,
    journal: &mut Journal,
    open: &mut dyn FnMut(&str) -> Result<Engine, RunError>,
    watch: &mut dyn Watch,
    stop: &AtomicBool,
) -> Result<bool, RunError> {
    // The engine of the model at hand; models follow each other in the cells.
    let mut engine: Option<Engine> = None;
    for cell in plan.experiment.cells() {
        let (Some(corpus), Some(format)) = (plan.corpus(&cell.corpus), plan.format(&cell.format)) else {
            continue;
        };
        let done = corpus
            .documents
            .iter()
            .filter(|document| journal.has(&cell, &document.id))
            .count();
        if done == corpus.documents.len() {
            continue;
        }
        if stop.load(Ordering::Relaxed) {
            return Ok(false);
        }
        let engine = match &mut engine {
            Some(engine) if engine.name == cell.model => engine,
            other => other.insert(open(&cell.model)?),
        };
        let program = Program::compile(format, &corpus.schema).map_err(|source| RunError::Compile {
            format: format.name.clone(),
            source: Box::new(source),
        })?;
        watch.cell(&cell, corpus.documents.len(), done);
        CellRun {
            plan,
            cell: &cell,
            corpus,
            program: &program,
            stop,
        }
        .run(engine, journal, watch)?;
    }
    Ok(!stop.load(Ordering::Relaxed))
}

/// The rows of all cells, from the journal.
pub fn rows(plan: &Plan, journal: &Journal) -> Vec<Row> {
    let cells = plan.experiment.cells();
    let rows = cells.iter().filter_map(|cell| {
        let corpus = plan.corpus(&cell.corpus)?;
        Some(summarise(cell, &corpus.schema, journal.records()))
    });
    rows.collect()
}

/// Masked outputs that are not what their constraint promises: they do not parse, an independent parser refuses them, or, at
/// level `grounded`, they say what is not true of their document. Each is a fault of this program.
pub fn broken_promises(records: &[Record]) -> Vec<&Record> {
    let broken = |record: &&Record| {
        let level = record.cell.level;
        level != LevelName::None
            && record.finish.is_some()
            && (!record.parsed
                || record.independent == Some(false)
                || level == LevelName::Grounded && !record.errors.is_empty())
    };
    records.iter().filter(broken).collect()
}

/// One cell's run.
struct CellRun<'a> {
    plan: &'a Plan,
    cell: &'a Cell,
    corpus: &'a PlannedCorpus,
    program: &'a Arc<Program>,
    stop: &'a AtomicBool,
}

/// What is known of a document before it is decoded.
struct Prepared<'a> {
    document: &'a Document,
    prompt: Vec<u32>,
    budget: usize,
}

impl CellRun<'_> {
    fn run(&self, engine: &mut Engine, journal: &mut Journal, watch: &mut dyn Watch) -> Result<(), RunError> {
        let mut refused: Vec<Record> = Vec::new();
        let mut prepared: Vec<Prepared<'_>> = Vec::new();
        // All documents, not only those that are left: the shared prefix and the length of the slots must not depend on
        // where an earlier session was stopped.
        let Engine {
            backbone,
            table,
            vocabulary,
            prompts,
            ..
        } = engine;
        let prompter = prompts
            .prompter(self.program, &self.corpus.examples)
            .map_err(|source| RunError::Prompt {
                format: self.cell.format.clone(),
                source,
            })?;
        for document in &self.corpus.documents {
            match self.prepare(prompts, &prompter, document) {
                Ok(ready) => prepared.push(ready),
                Err(why) => refused.push(self.not_decoded(document, Vec::new(), why)),
            }
        }
        let mut model = backbone.language_model();
        let layout = self.layout(model.context(), &prepared);
        let mut settings = Settings::new(layout, self.plan.experiment.sampling);
        settings.overlap = self.plan.device != gramask_model::device::DeviceName::Flex;

        let left: HashMap<&str, &Prepared<'_>> = prepared
            .iter()
            .filter(|ready| !journal.has(self.cell, &ready.document.id))
            .map(|ready| (ready.document.id.as_str(), ready))
            .collect();
        let refused = RefCell::new(refused);
        let compile_us: RefCell<HashMap<String, f64>> = RefCell::default();
        let in_order = prepared
            .iter()
            .filter(|ready| left.contains_key(ready.document.id.as_str()));
        let requests = in_order.filter_map(|ready| {
            let clock = Instant::now();
            let request = match self.cell.level {
                LevelName::None => Ok(self.request(ready, Unconstrained)),
                level => {
                    let text = &ready.document.text;
                    Constraint::new(self.program.clone(), text, level.into(), vocabulary.clone())
                        .map(|constraint| self.request(ready, Masked::new(constraint)))
                }
            };
            match request {
                Ok(request) => {
                    let spent = clock.elapsed().as_secs_f64() * 1e6;
                    compile_us.borrow_mut().insert(request.id.clone(), spent);
                    Some(request)
                }
                Err(error) => {
                    let why = error.to_string();
                    refused
                        .borrow_mut()
                        .push(self.not_decoded(ready.document, ready.prompt.clone(), why));
                    None
                }
            }
        });

        let mut failed: Option<JournalError> = None;
        let mut clock = Instant::now();
        let on_end = |ended: Ended| {
            let Some(ready) = left.get(ended.id.as_str()) else {
                return ControlFlow::Continue(());
            };
            let mut record = match ended.outcome {
                Ok(output) => self.record(ready, &output),
                Err(error) => self.not_decoded(ready.document, ready.prompt.clone(), error.to_string()),
            };
            record.times.compile_us = compile_us.borrow().get(&ended.id).copied().unwrap_or_default();
            record.times.wall_s = clock.elapsed().as_secs_f64();
            clock = Instant::now();
            watch.record(&record);
            if let Err(error) = journal.append(record) {
                failed = Some(error);
                return ControlFlow::Break(());
            }
            match self.stop.load(Ordering::Relaxed) {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        };
        let decoded = decode(&mut *model, table, &settings, requests, on_end);
        if let Some(error) = failed {
            return Err(error.into());
        }
        decoded?;
        for record in refused.into_inner() {
            if !journal.has(self.cell, &record.document) {
                watch.record(&record);
                journal.append(record)?;
            }
        }
        Ok(())
    }

    /// The prompt, and the budget: what the output without entities takes, and the experiment's allowance. A format that
    /// copies the document needs more for a long one; the allowance is what entities may add, in every format.
    fn prepare<'a>(
        &self,
        prompts: &Prompts,
        prompter: &Prompter<'_, dyn PromptTokenizer>,
        document: &'a Document,
    ) -> Result<Prepared<'a>, String> {
        let shortest = self
            .program
            .write(&document.text, &[])
            .map_err(|error| error.to_string())?;
        let prompt = prompter
            .build(document.text.as_str())
            .map_err(|error| error.to_string())?;
        let budget = prompts.count(&shortest.text) + 1 + self.plan.experiment.budget;
        Ok(Prepared {
            document,
            prompt: prompt.tokens,
            budget,
        })
    }

    fn layout(&self, context: usize, prepared: &[Prepared<'_>]) -> Layout {
        let prompts = prepared.iter().map(|ready| ready.prompt.as_slice());
        let length = prepared
            .iter()
            .map(|ready| ready.prompt.len() + ready.budget)
            .max()
            .unwrap_or(1)
            .min(context);
        let mut layout = Layout::plan(self.plan.experiment.batch, context, Some(0), prompts);
        layout.length = length.max(1);
        layout.prefix.truncate(layout.length - 1);
        layout
    }

    fn request(&self, ready: &Prepared<'_>, strategy: impl gramask_decode::Strategy + 'static) -> Request {
        Request::new(&ready.document.id, ready.prompt.clone(), Some(ready.budget), strategy)
    }

    fn record(&self, ready: &Prepared<'_>, output: &Output) -> Record {
        let judged = judge(self.program, &ready.document.text, &output.text, self.cell.level);
        let mut record = self.blank(ready.document, &ready.prompt);
        record.output = output.text.clone();
        record.entities = judged.entities;
        record.tokens.output = output.positions.output;
        if self.cell.level != LevelName::None {
            record.times.mask_us = output.times.mask.as_secs_f64() * 1e6;
        }
        record.finish = Some(output.finish);
        record.parsed = judged.parsed;
        record.errors = judged.faults;
        // Adding 0 keeps a sum of nothing from being written as -0.
        record.removed = 0.0 - output.log_weight();
        record.independent = judged.independent;
        record
    }

    fn not_decoded(&self, document: &Document, prompt: Vec<u32>, why: String) -> Record {
        let mut record = self.blank(document, &prompt);
        record.errors = vec![Fault {
            kind: FaultKind::NotDecoded,
            label: None,
            message: why,
        }];
        record
    }

    fn blank(&self, document: &Document, prompt: &[u32]) -> Record {
        let bytes: Vec<u8> = prompt.iter().flat_map(|token| token.to_le_bytes()).collect();
        let written = self.program.write(&document.text, &document.entities);
        let inexpressible = written.map_or(document.entities.len(), |written| written.unexpressed.len());
        Record {
            cell: self.cell.clone(),
            document: document.id.clone(),
            prompt: sha256_hex(bytes),
            output: String::new(),
            entities: Vec::new(),
            gold: document.entities.clone(),
            tokens: Tokens {
                prompt: prompt.len(),
                output: 0,
            },
            times: Times::default(),
            finish: None,
            parsed: false,
            errors: Vec::new(),
            inexpressible,
            removed: 0.0,
            independent: None,
        }
    }
}
