//! `gramask run`.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anstyle::{AnsiColor, Style};
use indicatif::ProgressBar;

use super::progress::Progress;
use super::{BROKEN, CliError, DONE, STOPPED, bars, dry};
use crate::experiment::{Experiment, OnProblem, Overrides};
use crate::pull::{Cache, Model};
use crate::run::{
    Engine, FaultKind, Grader, Journal, Plan, Record, Row, RunError, RunFile, Scores, Shard, broken_promises,
    carry_out, rows_of, run_file, table, write_summary,
};

/// Carries out an experiment file.
pub(super) fn run(args: super::RunArgs) -> Result<u8, CliError> {
    let overrides = Overrides {
        limit: args.limit,
        device: args.device,
        dtype: args.compute.dtype.map(|dtype| dtype.to_string()),
        batch: args.batch,
        corpus: args.corpus,
        on_problem: args.skip_problems.then_some(OnProblem::Skip),
        model: args.model,
        adapter: args.adapter,
        formats: args.formats,
        levels: args.levels.map(|levels| levels.into_iter().map(Into::into).collect()),
        strategies: args.strategies,
    };
    let (experiment, source) = Experiment::read(&args.file)?;
    let mut plan = Plan::new(experiment.with(&overrides))?;
    plan.trace = args.trace;
    plan.memory_pool = args.compute.memory_pool;
    plan.record_steps = args.compute.record_steps;
    plan.check_device().map_err(RunError::from)?;
    for corpus in &plan.corpora {
        if let Some(first) = corpus.problems.first() {
            let count = corpus.problems.len();
            anstream::eprintln!(
                "note: {} fault(s) in corpus `{}` were passed over, the first: {first}",
                count,
                corpus.name
            );
        }
    }

    let cache = Cache::from_env()?;
    let mut models = Vec::new();
    for name in &plan.experiment.models {
        let (model, adapter) = plan.experiment.model(name);
        let model = resolve(model, &cache)?;
        models.push(match adapter {
            None => model,
            Some(adapter) => model.with_adapter(name, adapter),
        });
    }
    let name = &plan.experiment.name;
    let folder = args.out.unwrap_or_else(|| match args.shard {
        None => PathBuf::from("runs").join(name),
        Some(shard) => PathBuf::from("runs").join(format!("{name}-shards")).join(shard.folder()),
    });
    let run = RunFile { shard: args.shard, ..run_file(&plan, &source, &overrides, &models)? };
    if args.dry_run {
        return dry::dry(&plan, &run, &folder, args.shard);
    }
    run.claim(&folder)?;
    let mut journal = Journal::open(&folder.join("records.jsonl"))?;
    if journal.was_torn() {
        anstream::eprintln!(
            "note: the last record was cut off when the run was stopped; its document is decoded again"
        );
    }
    let mut scores = Scores::open(&folder)?;
    for file in &args.done {
        let count = scores.import(file, &run, &plan)?;
        anstream::eprintln!("{count} document(s) were done before: {}", file.display());
    }
    let grader = Grader::new(&plan)?;
    scores.update(&journal, &grader)?;
    scores.leave_out(&mut journal);
    if let Some(shard) = args.shard {
        leave_to_others(&plan, shard, &mut journal);
    }

    let stop = stop_at_ctrl_c("stopping after the next document")?;
    let mut open = |name: &str| -> Result<Engine, RunError> {
        let (model, adapter) = plan.experiment.model(name);
        let model = Model::resolve(model, &cache, &ProgressBar::hidden())?;
        let model = match adapter {
            None => model,
            Some(adapter) => model.with_adapter(name, adapter),
        };
        let bar = bars::waiting(&format!("loading {name}"));
        let engine = Engine::place(&model, &plan.placement());
        bar.finish_and_clear();
        engine
    };
    let mut progress = Progress::new(plan.experiment.cells(), &mut scores, &grader, &stop);
    let complete = carry_out(&plan, &mut journal, &mut open, &mut progress, &stop);
    progress.end()?;
    if complete.as_ref().is_err_and(|error| error.device_fault().is_some()) {
        anstream::eprintln!(
            "{} has the records of {} documents; the same command goes on where it was",
            folder.display(),
            journal.records().len()
        );
    }
    let complete = complete?;

    scores.update(&journal, &grader)?;
    let rows = rows_of(&plan.experiment.cells(), scores.all());
    write_summary(&folder, &rows)?;
    anstream::println!("{}", table(&rows));
    anstream::eprintln!("{} has run.json, records.jsonl, scores.csv and summary.csv", folder.display());
    let broken = tell(&rows, journal.records());
    if !complete {
        anstream::eprintln!("stopped: the same command goes on where it was");
        return Ok(STOPPED);
    }
    Ok(if broken { BROKEN } else { DONE })
}

/// Documents of other shards are done elsewhere.
fn leave_to_others(plan: &Plan, shard: Shard, journal: &mut Journal) {
    for cell in plan.experiment.cells() {
        let Some(corpus) = plan.corpus(&cell.corpus) else {
            continue;
        };
        for (place, document) in corpus.documents.iter().enumerate() {
            if !shard.has(place) {
                journal.leave_out(cell.clone(), document.id.clone());
            }
        }
    }
}

/// A model that is here, or a pull with its bar.
pub(super) fn resolve(name: &str, cache: &Cache) -> Result<Model, CliError> {
    if let Some(model) = Model::find(name, cache)? {
        return Ok(model);
    }
    let bar = bars::bytes();
    let model = Model::resolve(name, cache, &bar);
    bar.finish_and_clear();
    Ok(model?)
}

/// Becomes true at the first Ctrl-C; at the second the program ends at once.
pub(super) fn stop_at_ctrl_c(what: &'static str) -> Result<Arc<AtomicBool>, CliError> {
    let stop = Arc::new(AtomicBool::new(false));
    let seen = stop.clone();
    ctrlc::set_handler(move || {
        if seen.swap(true, Ordering::Relaxed) {
            std::process::exit(i32::from(STOPPED));
        }
        anstream::eprintln!("{what}; Ctrl-C again ends at once");
    })?;
    Ok(stop)
}

/// Says how many masked outputs an independent parser read, what could not be decoded, and, loudly, what broke a promise.
/// Returns whether anything did.
pub(super) fn tell(rows: &[Row], records: &[Record]) -> bool {
    let masked: Vec<&Row> = rows.iter().filter(|row| row.level != "none").collect();
    let asked: usize = masked.iter().map(|row| row.independent_asked).sum();
    let read: usize = masked.iter().map(|row| row.independent_read).sum();
    if asked > 0 {
        anstream::eprintln!("independent parsers read {read} of {asked} masked outputs");
    }
    let kind = |record: &&Record| record.errors.iter().any(|fault| fault.kind == FaultKind::NotDecoded);
    let not_decoded: Vec<&Record> = records.iter().filter(kind).collect();
    if let Some(first) = not_decoded.first() {
        let why = first.errors.first().map_or("", |fault| fault.message.as_str());
        let count = not_decoded.len();
        anstream::eprintln!("{count} document(s) could not be decoded, the first in {}: {why}", first.cell);
    }
    let broken = broken_promises(records);
    let loud = Style::new().bold().fg_color(Some(AnsiColor::White.into())).bg_color(Some(AnsiColor::Red.into()));
    for record in broken.iter().take(5) {
        let why = record.errors.first().map_or("an independent parser refuses it", |fault| fault.message.as_str());
        anstream::eprintln!("{loud} BROKEN PROMISE {loud:#} {}, document {}: {why}", record.cell, record.document);
        anstream::eprintln!("  {}", record.output);
    }
    if !broken.is_empty() {
        anstream::eprintln!(
            "{loud} {} masked output(s) are not what their constraint promises {loud:#}: this is a fault of the program",
            broken.len()
        );
    }
    !broken.is_empty()
}
