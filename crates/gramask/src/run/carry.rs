//! Carrying out a plan: cell after cell, document after document.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use gramask_decode::{Ended, Habits, Layout, Output, PromptStore, Prompter, Request, Settings, decode_with};
use gramask_grammar::{Constraint, Program};
use gramask_ner::{Document, Schema, Text};

use super::changed::count_changed;
use super::engine::{Engine, Prompts, SharedTokenizer};
use super::error::RunError;
use super::gather::preamble;
use super::journal::{Journal, JournalError};
use super::judge::{Judged, judge_as};
use super::passes::{self, Gathered, Prepared, Prompted};
use super::plan::{Plan, PlannedCorpus};
use super::record::{Distortion, Effort, Fault, FaultKind, Record, Times, Tokens};
use super::scored::Scored;
use super::strategy::{BuildError, Task, Workshop};
use super::summary::{Row, summarise_scores};
use super::trace::{TraceToken, follow, trace};
use crate::experiment::{Cell, LevelName, StrategyChoice};
use crate::pull::sha256_hex;

/// Who wants to know how a run goes on.
pub trait Watch {
    /// A cell begins: so many documents, so many of them done before.
    fn cell(&mut self, cell: &Cell, documents: usize, done: usize);
    /// A document is done.
    fn record(&mut self, record: &Record);
    /// A cell ends, or is left for now.
    fn left(&mut self, _journal: &Journal) {}
}

/// Memory that the shared prompts of a format may take, in bytes. (A prompt of 60 tokens of a model with 30 layers and 3 heads
/// of keys takes 3 MB.)
const PROMPT_BYTES: usize = 4 << 30;

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
    // The prompts of the model, corpus and format at hand.
    let mut shared: Option<([String; 3], PromptStore)> = None;
    for cell in plan.experiment.cells() {
        let (Some(corpus), Some(format)) = (plan.corpus(&cell.corpus), plan.format(&cell.format)) else {
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
        let engine = match &mut engine {
            Some(engine) if engine.name == cell.model => engine,
            other => other.insert(open(&cell.model)?),
        };
        let programs = Program::passes(format, &corpus.schema)
            .map_err(|source| RunError::Compile { format: format.name.clone(), source: Box::new(source) })?;
        watch.cell(&cell, corpus.documents.len(), done);
        let asked = [cell.model.clone(), cell.corpus.clone(), cell.format.clone()];
        shared = match shared.take() {
            Some(store) if store.0 == asked => Some(store),
            // The old ones go first, so that memory need never hold both.
            _ => plan.experiment.share_prompts.then(|| (asked, PromptStore::new(PROMPT_BYTES))),
        };
        CellRun {
            plan,
            cell: &cell,
            corpus,
            programs: &programs,
            strategy: &strategy,
            workshop: Workshop::of(engine, plan.experiment.sampling_of(&cell)),
            stop,
        }
        .run(engine, shared.as_mut().map(|(_, store)| store), journal, watch)?;
        watch.left(journal);
    }
    Ok(!stop.load(Ordering::Relaxed))
}

/// The rows of all cells, from the journal alone.
pub fn rows(plan: &Plan, journal: &Journal) -> Vec<Row> {
    let empty = Schema::new([""; 0]);
    let scored = journal.records().iter().map(|record| {
        let corpus = plan.corpus(&record.cell.corpus);
        Scored::of(record, corpus.map_or(&empty, |corpus| &corpus.schema))
    });
    rows_of(&plan.experiment.cells(), &scored.collect::<Vec<_>>())
}

/// The rows of these cells, from scores: one for all seeds of a cell.
pub fn rows_of(cells: &[Cell], scored: &[Scored]) -> Vec<Row> {
    let mut by_cell: HashMap<Cell, Vec<&Scored>> = HashMap::new();
    for scored in scored {
        by_cell.entry(scored.cell().seedless()).or_default().push(scored);
    }
    let mut seen: HashSet<Cell> = HashSet::new();
    let once = cells.iter().map(Cell::seedless).filter(|cell| seen.insert(cell.clone()));
    let mut rows: Vec<Row> =
        once.map(|cell| summarise_scores(&cell, by_cell.get(&cell).into_iter().flatten().copied())).collect();
    count_changed(&mut rows, scored);
    rows
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
    /// One for each pass.
    programs: &'a [Arc<Program>],
    strategy: &'a StrategyChoice,
    workshop: Workshop,
    stop: &'a AtomicBool,
}

impl CellRun<'_> {
    fn run(
        &self,
        engine: &mut Engine,
        store: Option<&mut PromptStore>,
        journal: &mut Journal,
        watch: &mut dyn Watch,
    ) -> Result<(), RunError> {
        let mut refused: Vec<Record> = Vec::new();
        let mut prepared: Vec<Prepared<'_>> = Vec::new();
        // All documents, not only those that are left: the shared prefix and the length of the slots must not depend on
        // where an earlier session was stopped.
        let Engine { backbone, table, prompts, .. } = engine;
        let examples = self.plan.experiment.examples_of(&self.cell.model);
        let examples = &self.corpus.examples[..examples.min(self.corpus.examples.len())];
        let prompters = self
            .programs
            .iter()
            .map(|program| prompts.prompter(program, examples))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|source| RunError::Prompt { format: self.cell.format.clone(), source })?;
        let habits: Vec<Arc<Mutex<Habits>>> =
            prompters.iter().map(|prompter| Workshop::habits(prompter.prompting())).collect();
        for document in &self.corpus.documents {
            match self.prepare(prompts, &prompters, document) {
                Ok(ready) => prepared.push(ready),
                Err(why) => refused.push(self.not_decoded(document, Vec::new(), why)),
            }
        }
        let mut model = backbone.language_model();
        let layout = self.layout(model.context(), &prepared);
        let mut settings = Settings::new(layout, self.workshop.sampling);
        settings.overlap = self.plan.device != gramask_model::device::DeviceName::Flex;

        let in_order: Vec<&Prepared<'_>> =
            prepared.iter().filter(|ready| !journal.has(self.cell, &ready.document.id)).collect();
        // The document and the pass of each request.
        let mut left: HashMap<String, (&Prepared<'_>, usize)> = HashMap::new();
        for ready in &in_order {
            for pass in 0..ready.passes.len() {
                left.insert(ready.request_id(&self.corpus.schema, pass), (*ready, pass));
            }
        }
        let refused = RefCell::new(refused);
        let compile_us: RefCell<HashMap<String, f64>> = RefCell::default();
        let requests = in_order.iter().flat_map(|ready| {
            let clock = Instant::now();
            match self.requests(ready, &habits) {
                Ok(requests) => {
                    let spent = clock.elapsed().as_secs_f64() * 1e6;
                    compile_us.borrow_mut().insert(ready.document.id.clone(), spent);
                    requests
                }
                Err(error) => {
                    let record = self.not_decoded(ready.document, ready.prompt(), error.to_string());
                    refused.borrow_mut().push(record);
                    Vec::new()
                }
            }
        });

        let mut failed: Option<JournalError> = None;
        let mut gathered: HashMap<&str, Gathered> = HashMap::new();
        let mut clock = Instant::now();
        let on_end = |ended: Ended| {
            let Some(&(ready, pass)) = left.get(ended.id.as_str()) else {
                return ControlFlow::Continue(());
            };
            let id = ready.document.id.as_str();
            let passes = gathered.entry(id).or_insert_with(|| Gathered::new(ready.passes.len()));
            if let Some(outcome) = passes.add(pass, ended.outcome) {
                gathered.remove(id);
                let mut record = match outcome {
                    Ok(outputs) => self.record(ready, &outputs),
                    Err(error) => self.not_decoded(ready.document, ready.prompt(), error.to_string()),
                };
                record.times.compile_us = compile_us.borrow().get(id).copied().unwrap_or_default();
                record.times.wall_s = clock.elapsed().as_secs_f64();
                clock = Instant::now();
                watch.record(&record);
                if let Err(error) = journal.append(record) {
                    failed = Some(error);
                    return ControlFlow::Break(());
                }
            }
            match self.stop.load(Ordering::Relaxed) {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        };
        let decoded = decode_with(&mut *model, table, &settings, store, requests, on_end);
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

    /// The prompts, and the budgets: what the output without entities takes, and the experiment's allowance. A format that
    /// copies the document needs more for a long one; the allowance is what entities may add, in every format.
    fn prepare<'a>(
        &self,
        prompts: &Prompts,
        prompters: &[Prompter<'_, SharedTokenizer>],
        document: &'a Document,
    ) -> Result<Prepared<'a>, String> {
        let mut passes = Vec::with_capacity(prompters.len());
        let allowance = self.plan.experiment.budget + self.workshop.extra_budget(self.strategy);
        for (program, prompter) in self.programs.iter().zip(prompters) {
            let shortest = program.write(&document.text, &[]).map_err(|error| error.to_string())?;
            let prompt = prompter.build(document.text.as_str()).map_err(|error| error.to_string())?;
            passes.push(Prompted {
                prompt: prompt.tokens,
                text: prompt.text,
                budget: prompts.count(&shortest.text) + 1 + allowance,
            });
        }
        Ok(Prepared { document, passes })
    }

    /// The cache of the cell. A strategy that follows several versions of an output takes a slot for each, so that fewer
    /// documents are decoded at once: the memory stays that of a batch of one-laned ones, or of one document's lanes.
    fn layout(&self, context: usize, prepared: &[Prepared<'_>]) -> Layout {
        let lanes = self.strategy.lanes();
        let passes = || prepared.iter().flat_map(|ready| &ready.passes);
        let prompts = passes().map(|pass| pass.prompt.as_slice());
        let length = passes().map(|pass| pass.prompt.len() + pass.budget).max().unwrap_or(1).min(context);
        let slots = (self.plan.experiment.batch / lanes).max(1);
        let mut layout = Layout::plan(slots, context, Some(0), prompts).with_lanes(lanes);
        layout.length = length.max(1);
        layout.prefix.truncate(layout.length - 1);
        layout
    }

    /// A document's requests, one for each pass.
    fn requests(&self, ready: &Prepared<'_>, habits: &[Arc<Mutex<Habits>>]) -> Result<Vec<Request>, BuildError> {
        let request = |(pass, (program, prompted)): (usize, (&Arc<Program>, &Prompted))| {
            let task = Task {
                program,
                text: &ready.document.text,
                level: self.cell.level,
                prompt: &prompted.text,
                habits: &habits[pass],
            };
            Ok(Request {
                id: ready.request_id(&self.corpus.schema, pass),
                prompt: prompted.prompt.clone(),
                budget: Some(prompted.budget),
                strategy: self.workshop.build(self.strategy, task)?,
            })
        };
        self.programs.iter().zip(&ready.passes).enumerate().map(request).collect()
    }

    fn record(&self, ready: &Prepared<'_>, outputs: &[Output]) -> Record {
        let text = &ready.document.text;
        let Cell { strategy, level, .. } = self.cell;
        let judge = |(program, output): (_, &Output)| judge_as(*strategy, program, text, &output.text, *level);
        let judged = Judged::join(self.programs.iter().zip(outputs).map(judge), &self.corpus.schema);
        let mut record = self.blank(ready.document, &ready.prompt());
        let texts: Vec<String> = outputs.iter().map(|output| output.text.clone()).collect();
        record.output = texts.join("\n");
        if texts.len() > 1 {
            record.passes = texts;
        }
        record.preamble = preamble(outputs);
        record.repaired = judged.repaired;
        record.entities = judged.entities;
        record.tokens = Tokens::of(record.tokens.prompt, outputs);
        if self.cell.level != LevelName::None {
            let mask: std::time::Duration = outputs.iter().map(|output| output.times.mask).sum();
            record.times.mask_us = mask.as_secs_f64() * 1e6;
        }
        let restored: std::time::Duration = outputs.iter().map(|output| output.times.restored).sum();
        record.times.restored_s = restored.as_secs_f64();
        record.finish = passes::finish(outputs);
        record.parsed = judged.parsed;
        record.errors = judged.faults;
        let Workshop { table, tokenizer, .. } = &self.workshop;
        (record.distortion, record.removed) = Distortion::of(outputs, table, &**tokenizer);
        record.effort = Effort::of(outputs);
        record.trace = self.plan.trace.then(|| self.trace(text, outputs));
        record.independent = judged.independent;
        record
    }

    fn trace(&self, text: &Text, outputs: &[Output]) -> Vec<TraceToken> {
        let mut tokens = trace(outputs, &self.workshop.table);
        for (pass, (program, output)) in self.programs.iter().zip(outputs).enumerate() {
            let vocabulary = self.workshop.vocabulary.clone();
            // There is none at level `none`, and then nothing to say.
            if let Ok(mut constraint) = Constraint::new(program.clone(), text, self.cell.level.into(), vocabulary) {
                follow(&mut tokens, pass, output.effort.answer_from, &mut constraint);
            }
        }
        tokens
    }

    fn not_decoded(&self, document: &Document, prompt: Vec<u32>, why: String) -> Record {
        let mut record = self.blank(document, &prompt);
        record.errors = vec![Fault { kind: FaultKind::NotDecoded, label: None, message: why }];
        record
    }

    fn blank(&self, document: &Document, prompt: &[u32]) -> Record {
        let bytes: Vec<u8> = prompt.iter().flat_map(|token| token.to_le_bytes()).collect();
        let unexpressed = Program::unexpressed(self.programs, &document.text, &document.entities);
        let inexpressible = unexpressed.map_or(document.entities.len(), |entities| entities.len());
        Record {
            cell: self.cell.clone(),
            document: document.id.clone(),
            prompt: sha256_hex(bytes),
            output: String::new(),
            preamble: None,
            repaired: None,
            passes: Vec::new(),
            entities: Vec::new(),
            gold: document.entities.clone(),
            tokens: Tokens { prompt: prompt.len(), ..Tokens::default() },
            times: Times::default(),
            finish: None,
            parsed: false,
            errors: Vec::new(),
            inexpressible,
            removed: 0.0,
            distortion: Distortion::default(),
            effort: Effort::default(),
            independent: None,
            trace: None,
        }
    }
}
