//! One cell of a plan: a model, a corpus, a format, a level and a strategy.

use std::cell::RefCell;
use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use gramask_decode::{
    BuildError, Ended, Layout, NgramDraftModel, Output, PromptStore, Prompter, Request, Settings, SharedTokenizer,
    StrategyBuilder, StrategyTask, decode_with,
};
use gramask_grammar::{Constraint, Level, Program};
use gramask_ner::Document;

use super::aggregate::{effort, preamble};
use super::engine::{Engine, Prompts};
use super::passes::{PassOutcomes, PreparedDocument, PreparedPass, finish};
use super::trace::{follow, trace};
use super::{RunError, Watch};
use crate::evaluate::{Evaluation, evaluate, evaluate_answer};
use crate::experiment::{Cell, StrategyChoice};
use crate::plan::{Plan, PlannedCorpus};
use crate::pull::sha256_hex;
use crate::store::{
    Distortion, Effort, Fault, FaultKind, Journal, JournalError, Record, Times, Tokens, TraceToken, WrittenPrompt,
};

/// A cell that is decoded.
pub(super) struct CellRun<'a> {
    pub plan: &'a Plan,
    pub cell: &'a Cell,
    pub corpus: &'a PlannedCorpus,
    /// One for each pass over a document; none for tasks, which have their own.
    pub programs: &'a [Arc<Program>],
    pub strategy: &'a StrategyChoice,
    pub builder: StrategyBuilder,
    pub stop: &'a AtomicBool,
}

/// What is learnt while requests are made.
#[derive(Default)]
struct Built {
    /// The records of documents for which no request could be made.
    refused: Vec<Record>,
    /// The time that the constraint of each document took to compile.
    compile_us: HashMap<String, f64>,
}

impl CellRun<'_> {
    /// Decodes the documents that the journal lacks.
    pub fn run(
        &self,
        engine: &mut Engine,
        store: Option<&mut PromptStore>,
        journal: &mut Journal,
        watch: &mut dyn Watch,
    ) -> Result<(), RunError> {
        let Engine { backbone, vocabulary, prompts, .. } = engine;
        let prompters = self.prompters(prompts)?;
        let ngrams: Vec<Arc<Mutex<NgramDraftModel>>> =
            prompters.iter().map(|prompter| StrategyBuilder::ngrams(prompter.prompting())).collect();
        let (prepared, mut refused) = self.prepare_all(prompts, &prompters);
        let mut model = backbone.language_model();
        let mut settings = Settings::new(self.layout(model.context(), &prepared), self.builder.sampling);
        settings.overlap = self.plan.device != gramask_model::device::DeviceName::Flex;

        let left: Vec<&PreparedDocument<'_>> =
            prepared.iter().filter(|document| !journal.has(self.cell, &document.document.id)).collect();
        let built = RefCell::new(Built::default());
        let requests = left.iter().flat_map(|document| self.timed_requests(document, &ngrams, &built));
        let mut collector = Collector::new(self, &left);
        let mut failed: Option<JournalError> = None;
        let on_end = |ended: Ended| {
            if let Some(mut record) = collector.take(ended) {
                record.times.compile_us = built.borrow().compile_us.get(&record.document).copied().unwrap_or_default();
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
        let decoded = decode_with(&mut *model, vocabulary, &settings, store, requests, on_end);
        if let Some(error) = failed {
            return Err(error.into());
        }
        decoded?;
        refused.extend(built.into_inner().refused);
        for record in refused {
            if !journal.has(self.cell, &record.document) {
                watch.record(&record);
                journal.append(record)?;
            }
        }
        Ok(())
    }

    /// The programs of a document, one for each pass.
    fn programs_of(&self, document: &Document) -> &[Arc<Program>] {
        self.corpus.tasks.get(&document.id).map_or(self.programs, |task| std::slice::from_ref(&task.program))
    }

    /// The makers of prompts, one for each pass.
    fn prompters<'p>(&self, prompts: &'p Prompts) -> Result<Vec<Prompter<'p, SharedTokenizer>>, RunError> {
        if !self.corpus.tasks.is_empty() {
            return Ok(vec![prompts.conversations()]);
        }
        let examples = self.plan.examples_for(&self.cell.model, self.corpus);
        let instruction = self.plan.experiment.instruction.as_deref();
        let prompters = self.programs.iter().map(|program| prompts.prompter(program, examples, instruction));
        prompters
            .collect::<Result<_, _>>()
            .map_err(|source| RunError::Prompt { format: self.cell.format.clone(), source })
    }

    /// Makes the prompts of all documents, also of those that are done: the shared prefix and the length of the slots must not
    /// depend on where an earlier session was stopped. The second list has the records of documents that cannot be decoded.
    fn prepare_all(
        &self,
        prompts: &Prompts,
        prompters: &[Prompter<'_, SharedTokenizer>],
    ) -> (Vec<PreparedDocument<'_>>, Vec<Record>) {
        let (mut prepared, mut refused) = (Vec::new(), Vec::new());
        for document in &self.corpus.documents {
            match self.prepare(prompts, prompters, document) {
                Ok(ready) => prepared.push(ready),
                Err(why) => refused.push(self.not_decoded(document, &[], why)),
            }
        }
        (prepared, refused)
    }

    /// The requests of a document, one for each pass. Empty if its constraint cannot be compiled.
    fn timed_requests(
        &self,
        prepared: &PreparedDocument<'_>,
        ngrams: &[Arc<Mutex<NgramDraftModel>>],
        built: &RefCell<Built>,
    ) -> Vec<Request> {
        let clock = Instant::now();
        let requests = self.requests(prepared, ngrams);
        let mut built = built.borrow_mut();
        match requests {
            Ok(requests) => {
                built.compile_us.insert(prepared.document.id.clone(), clock.elapsed().as_secs_f64() * 1e6);
                requests
            }
            Err(error) => {
                built.refused.push(self.not_begun(prepared, error.to_string()));
                Vec::new()
            }
        }
    }

    /// The prompts and budgets of a document. A budget is the length of the output without entities plus the experiment's `budget`,
    /// which is for the entities. So formats that copy the document have enough tokens for long documents.
    fn prepare<'a>(
        &self,
        prompts: &Prompts,
        prompters: &[Prompter<'_, SharedTokenizer>],
        document: &'a Document,
    ) -> Result<PreparedDocument<'a>, String> {
        let mut passes = Vec::with_capacity(prompters.len());
        let allowance = self.plan.experiment.budget + self.builder.extra_budget(self.strategy);
        let task = self.corpus.tasks.get(&document.id);
        for (program, prompter) in self.programs_of(document).iter().zip(prompters) {
            let shortest = program.write(&document.text, &[]).map_err(|error| error.to_string())?;
            let prompt = match task {
                None => prompter.build(document.text.as_str()),
                Some(task) => prompter.conversation(&task.told(self.plan.experiment.instruction.as_deref())),
            };
            let prompt = prompt.map_err(|error| error.to_string())?;
            passes.push(PreparedPass { prompt, budget: prompts.count(&shortest.text) + 1 + allowance });
        }
        Ok(PreparedDocument { document, passes })
    }

    /// The slots of the cache. A strategy with several hypotheses needs a slot for each, so fewer documents are decoded at once. The
    /// memory stays the same as with one hypothesis per document, unless one document alone needs more.
    fn layout(&self, context: usize, prepared: &[PreparedDocument<'_>]) -> Layout {
        let lanes = self.strategy.hypotheses();
        let passes = || prepared.iter().flat_map(|ready| &ready.passes);
        let prompts = passes().map(|pass| pass.prompt.tokens.as_slice());
        let length = passes().map(|pass| pass.prompt.tokens.len() + pass.budget).max().unwrap_or(1).min(context);
        let slots = (self.plan.experiment.batch / lanes).max(1);
        let mut layout = Layout::plan(slots, context, Some(0), prompts).with_hypotheses(lanes);
        layout.length = length.max(1);
        layout.prefix.truncate(layout.length - 1);
        layout
    }

    /// The requests of a document, one for each pass.
    fn requests(
        &self,
        prepared: &PreparedDocument<'_>,
        ngrams: &[Arc<Mutex<NgramDraftModel>>],
    ) -> Result<Vec<Request>, BuildError> {
        let request = |(pass, (program, ready)): (usize, (&Arc<Program>, &PreparedPass))| {
            let task = StrategyTask {
                program,
                text: &prepared.document.text,
                level: self.cell.level,
                prompt: &ready.prompt.text,
                ngrams: &ngrams[pass],
            };
            Ok(Request {
                id: prepared.request_id(&self.corpus.schema, pass),
                prompt: ready.prompt.tokens.clone(),
                budget: Some(ready.budget),
                strategy: self.builder.build(self.strategy, task)?,
            })
        };
        self.programs_of(prepared.document).iter().zip(&prepared.passes).enumerate().map(request).collect()
    }

    fn record(&self, prepared: &PreparedDocument<'_>, outputs: &[Output]) -> Record {
        let text = &prepared.document.text;
        let Cell { strategy, level, .. } = self.cell;
        let judge = |(program, output): (_, &Output)| evaluate(*strategy, program, text, &output.text, *level);
        let programs = self.programs_of(prepared.document);
        let judged = Evaluation::join(programs.iter().zip(outputs).map(judge), &self.corpus.schema);
        let mut record = self.blank(prepared.document, &prepared.prompt());
        let texts: Vec<String> = outputs.iter().map(|output| output.text.clone()).collect();
        record.output = texts.join("\n");
        if texts.len() > 1 {
            record.passes = texts;
        }
        record.preamble = preamble(outputs);
        record.repaired = judged.repaired;
        record.entities = judged.entities;
        record.tokens = Tokens::of(record.tokens.prompt, outputs);
        if self.cell.level != Level::None {
            let mask: std::time::Duration = outputs.iter().map(|output| output.times.mask).sum();
            record.times.mask_us = mask.as_secs_f64() * 1e6;
        }
        let restored: std::time::Duration = outputs.iter().map(|output| output.times.restored).sum();
        record.times.restored_s = restored.as_secs_f64();
        record.finish = finish(outputs);
        record.parsed = judged.parsed;
        record.errors = judged.faults;
        let StrategyBuilder { vocabulary, tokenizer, .. } = &self.builder;
        (record.distortion, record.removed) = Distortion::of(outputs, vocabulary, &**tokenizer);
        record.effort = effort(outputs);
        record.prompts = self.written_prompts(prepared);
        record.trace = self.plan.trace.then(|| self.trace(prepared.document, outputs));
        record.independent = judged.independent;
        if let Some(task) = self.corpus.tasks.get(&prepared.document.id) {
            record.answer = Some(evaluate_answer(task, &record.output));
        }
        record
    }

    fn trace(&self, document: &Document, outputs: &[Output]) -> Vec<TraceToken> {
        let (text, mut tokens) = (&document.text, trace(outputs, &self.builder.vocabulary));
        for (pass, (program, output)) in self.programs_of(document).iter().zip(outputs).enumerate() {
            let vocabulary = self.builder.vocabulary.clone();
            // Level `none` has no constraint, and nothing to add.
            if let Ok(mut constraint) = Constraint::new(program.clone(), text, self.cell.level, vocabulary) {
                follow(&mut tokens, pass, output.answer_from, &mut constraint);
            }
        }
        tokens
    }

    /// The record of a document that has prompts and could not be decoded.
    fn not_begun(&self, prepared: &PreparedDocument<'_>, why: String) -> Record {
        let mut record = self.not_decoded(prepared.document, &prepared.prompt(), why);
        record.prompts = self.written_prompts(prepared);
        record
    }

    /// The prompts of all passes, for records with traces.
    fn written_prompts(&self, prepared: &PreparedDocument<'_>) -> Vec<WrittenPrompt> {
        let passes = prepared.passes.iter().filter(|_| self.plan.trace);
        passes.map(|pass| WrittenPrompt::of(&pass.prompt, &self.builder.vocabulary)).collect()
    }

    fn not_decoded(&self, document: &Document, prompt: &[u32], why: String) -> Record {
        let mut record = self.blank(document, prompt);
        record.errors = vec![Fault { kind: FaultKind::NotDecoded, label: None, message: why }];
        record
    }

    fn blank(&self, document: &Document, prompt: &[u32]) -> Record {
        let bytes: Vec<u8> = prompt.iter().flat_map(|token| token.to_le_bytes()).collect();
        let unexpressed = Program::unexpressed(self.programs_of(document), &document.text, &document.entities);
        let inexpressible = unexpressed.map_or(document.entities.len(), |entities| entities.len());
        Record {
            cell: self.cell.clone(),
            document: document.id.clone(),
            offset: Some(document.offset),
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
            answer: None,
            prompts: Vec::new(),
            trace: None,
        }
    }
}

/// Collects the outputs of each document's passes, and makes its record when the last pass has ended.
struct Collector<'r, 'd> {
    run: &'r CellRun<'r>,
    /// The document and the pass of each request.
    requests: HashMap<String, (&'d PreparedDocument<'d>, usize)>,
    outcomes: HashMap<&'d str, PassOutcomes>,
    /// When the last document ended.
    clock: Instant,
}

impl<'r, 'd> Collector<'r, 'd> {
    fn new(run: &'r CellRun<'r>, documents: &[&'d PreparedDocument<'d>]) -> Self {
        let mut requests = HashMap::new();
        for &document in documents {
            for pass in 0..document.passes.len() {
                requests.insert(document.request_id(&run.corpus.schema, pass), (document, pass));
            }
        }
        Collector { run, requests, outcomes: HashMap::new(), clock: Instant::now() }
    }

    /// Adds an outcome. Returns the record if it was the last outcome of its document.
    fn take(&mut self, ended: Ended) -> Option<Record> {
        let &(prepared, pass) = self.requests.get(ended.id.as_str())?;
        let id = prepared.document.id.as_str();
        let outcomes = self.outcomes.entry(id).or_insert_with(|| PassOutcomes::new(prepared.passes.len()));
        let outputs = outcomes.add(pass, ended.outcome)?;
        self.outcomes.remove(id);
        let mut record = match outputs {
            Ok(outputs) => self.run.record(prepared, &outputs),
            Err(error) => self.run.not_begun(prepared, error.to_string()),
        };
        record.times.wall_s = self.clock.elapsed().as_secs_f64();
        self.clock = Instant::now();
        Some(record)
    }
}
