//! `gramask run`.

mod dry_run;
mod progress;

use std::path::{Path, PathBuf};

use clap::Args;
use gramask_grammar::Level;

use self::progress::Progress;
use super::shared::{
    ComputeArgs, CorpusArgs, TemplateArgs, at_least_one, level, load_engine, note_problems, report_problems,
    resolve_model, schema, stop_at_ctrl_c,
};
use super::{CliError, STOPPED};
use crate::evaluate::{RecordScorer, summary_rows};
use crate::experiment::{Builtin, Experiment, OnProblem, Overrides, StrategyName};
use crate::plan::{Plan, Shard};
use crate::pull::{Cache, Model};
use crate::report::tables::{summary_table, write_summary};
use crate::runner::{Prompts, RunError, run_plan};
use crate::store::{Journal, Manifest, Scores};

pub(super) const HELP: &str = "\
The folder runs/NAME/ (or --out DIR) gets four files: run.json (what is needed to repeat the run), records.jsonl (a line for each
document of each cell), scores.csv (the same without texts) and summary.csv (a line for each cell). The same command continues a
run that was stopped. A folder holds one run: with other settings the command fails. It also fails if no document of a cell could
be decoded. `gramask prompt` shows a prompt before a run. See docs/experiments.md.";

#[derive(Debug, Args)]
pub(super) struct RunArgs {
    /// The experiment file, or `quickstart`, which is in the program
    file: PathBuf,
    /// At most N documents of each corpus
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    limit: Option<usize>,
    /// The device: flex (the CPU), wgpu[:N] or cuda[:N]; `gramask devices` lists them
    #[arg(long, value_name = "DEVICE")]
    device: Option<String>,
    #[command(flatten)]
    compute: ComputeArgs,
    /// How many documents to decode at once
    #[arg(long, value_name = "B", value_parser = at_least_one)]
    batch: Option<usize>,
    /// A corpus at this path instead of those in the file; docs/corpora.md lists the forms
    #[arg(long, value_name = "PATH")]
    corpus: Option<PathBuf>,
    #[command(flatten)]
    reading: CorpusArgs,
    /// The labels of the corpus at --corpus, in order, with commas between [default: all that its splits have]
    #[arg(long, value_name = "A,B", value_delimiter = ',', requires = "corpus")]
    labels: Vec<String>,
    /// The run's folder [default: runs/NAME]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// A model instead of those in the file: a name, ORGANISATION/NAME of the hub, a folder or a .gguf file
    #[arg(long, value_name = "MODEL")]
    model: Option<String>,
    /// An adapter in PEFT's layout to merge into each model, instead of those in the file
    #[arg(long, value_name = "PATH")]
    adapter: Option<PathBuf>,
    #[command(flatten)]
    template: TemplateArgs,
    /// Formats instead of those in the file, separated by commas: names or paths
    #[arg(long, value_name = "A,B", value_delimiter = ',', num_args = 1..)]
    formats: Option<Vec<String>>,
    /// Levels instead of those in the file, separated by commas
    #[arg(long, value_name = "A,B", value_delimiter = ',', num_args = 1.., value_parser = level)]
    levels: Option<Vec<Level>>,
    /// Strategies instead of those in the file, separated by commas; their parameters are the file's, if it has them
    #[arg(long, value_name = "A,B", value_delimiter = ',', num_args = 1..)]
    strategies: Option<Vec<StrategyName>>,
    /// Record each token of each output: probabilities, entropies, what the mask removed
    #[arg(long)]
    trace: bool,
    /// Print the cells and an estimate of the time, and decode nothing
    #[arg(long)]
    dry_run: bool,
    /// Decode a part of the documents, such as 3/16; `gramask merge` merges the parts [folder: runs/NAME-shards/03-of-16]
    #[arg(long, value_name = "K/N")]
    shard: Option<Shard>,
    /// Leave out the documents of these scores.csv of the same settings; each needs its run.json in the same folder
    #[arg(long, value_name = "A,B", value_delimiter = ',', num_args = 1..)]
    done: Vec<PathBuf>,
}

/// Carries out an experiment file.
pub(super) fn run(args: RunArgs) -> Result<u8, CliError> {
    if !args.labels.is_empty() {
        schema(&args.labels)?;
    }
    let overrides = args.overrides();
    let (experiment, source) = match Builtin::find(&args.file) {
        Some(builtin) => Experiment::read(&builtin.unpack(&Cache::from_env()?)?)?,
        None => Experiment::read(&args.file)?,
    };
    let mut plan = Plan::new(experiment.with(&overrides))?;
    plan.trace = args.trace;
    plan.memory_pool = args.compute.memory_pool;
    plan.record_steps = args.compute.record_steps;
    plan.check_device().map_err(RunError::from)?;
    for corpus in &plan.corpora {
        note_problems(corpus, Some("run.json"));
    }

    let models = resolve_all(&plan)?;
    let dated = check_templates(&plan, &models)?;
    let folder = args.folder(&plan.experiment.name);
    let manifest = Manifest::of(&plan, &source, &overrides, &models)?;
    let manifest = Manifest { shard: args.shard, date: Manifest::date_of(&folder), ..manifest };
    let manifest = if dated { manifest.with_day_in_prompts() } else { manifest };
    if args.dry_run {
        return dry_run::show(&plan, &manifest, &folder, args.shard);
    }
    manifest.claim(&folder)?;
    let mut journal = Journal::open(&folder.join("records.jsonl"))?;
    if journal.was_torn() {
        anstream::eprintln!(
            "note: the last record is incomplete, since the run was stopped while it was written; its document is decoded again"
        );
    }
    let cells = plan.experiment.cells();
    let mut scores = Scores::open(&folder)?;
    for file in &args.done {
        let count = scores.import(file, &manifest, &cells)?;
        anstream::eprintln!("{count} document(s) are already done: {}", file.display());
    }
    let scorer = RecordScorer::new(&plan)?;
    scorer.update(&mut scores, &journal)?;
    scores.leave_out(&mut journal);
    if let Some(shard) = args.shard {
        leave_to_others(&plan, shard, &mut journal);
    }

    let complete = decode_all(&plan, &models, &manifest, &folder, &mut journal, &mut scores, &scorer)?;
    scorer.update(&mut scores, &journal)?;
    let rows = summary_rows(&cells, scores.all());
    write_summary(&folder, &rows).map_err(RunError::from)?;
    anstream::println!("{}", summary_table(&rows));
    anstream::eprintln!("{} has run.json, records.jsonl, scores.csv and summary.csv", folder.display());
    let code = report_problems(&rows, journal.records());
    if !complete {
        anstream::eprintln!("stopped: the same command continues the run");
        return Ok(STOPPED);
    }
    Ok(code)
}

/// Decodes what the journal lacks. Returns whether all is done; it is not where Ctrl-C stopped the run.
fn decode_all(
    plan: &Plan,
    models: &[Model],
    manifest: &Manifest,
    folder: &Path,
    journal: &mut Journal,
    scores: &mut Scores,
    scorer: &RecordScorer<'_>,
) -> Result<bool, CliError> {
    let stop = stop_at_ctrl_c("stopping after the next document")?;
    let (placement, day) = (plan.placement(), manifest.day()?);
    let mut open = |name: &str| match models.iter().find(|model| model.name == name) {
        Some(model) => Ok(load_engine(model, &placement)?.with_variables(&plan.experiment.template_of(name))?.at(day)),
        None => Err(RunError::NoModel { model: name.to_string() }),
    };
    let mut progress = Progress::new(plan.experiment.cells(), scores, scorer, &stop);
    let complete = run_plan(plan, journal, &mut open, &mut progress, &stop);
    progress.end()?;
    if complete.as_ref().is_err_and(|error| error.device_fault().is_some()) {
        anstream::eprintln!(
            "{} has the records of {} documents; the same command continues the run",
            folder.display(),
            journal.records().len()
        );
    }
    Ok(complete?)
}

impl RunArgs {
    /// What the command line changes of the experiment.
    fn overrides(&self) -> Overrides {
        Overrides {
            limit: self.limit,
            device: self.device.clone(),
            dtype: self.compute.dtype.map(|dtype| dtype.to_string()),
            batch: self.batch,
            corpus: self.corpus.clone(),
            on_problem: self.reading.skip_problems.then_some(OnProblem::Skip),
            form: self.reading.reading.form,
            columns: self.reading.reading.columns,
            labels: self.labels.iter().map(|label| label.trim().to_string()).collect(),
            rename: self.reading.reading.rename.iter().cloned().collect(),
            model: self.model.clone(),
            adapter: self.adapter.clone(),
            template: self.template.variables(),
            formats: self.formats.clone(),
            levels: self.levels.clone(),
            strategies: self.strategies.clone(),
        }
    }

    /// The folder of the run of this name.
    fn folder(&self, name: &str) -> PathBuf {
        match (&self.out, self.shard) {
            (Some(folder), _) => folder.clone(),
            (None, None) => PathBuf::from("runs").join(name),
            (None, Some(shard)) => PathBuf::from("runs").join(format!("{name}-shards")).join(shard.folder()),
        }
    }
}

/// The experiment's models, each under its name in the experiment; pulled where they are missing.
fn resolve_all(plan: &Plan) -> Result<Vec<Model>, CliError> {
    let cache = Cache::from_env()?;
    plan.experiment.models.iter().map(|name| resolve_model(&plan.experiment, name, &cache)).collect()
}

/// Checks the variables that are set in chat templates, before the run's folder is claimed for them. Returns whether a prompt can
/// depend on the time.
fn check_templates(plan: &Plan, models: &[Model]) -> Result<bool, RunError> {
    let mut dated = false;
    for model in models {
        let variables = plan.experiment.template_of(&model.name);
        match Prompts::open(model, &variables) {
            Ok((prompts, _)) => dated |= prompts.tell_time(),
            Err(error) if !variables.is_empty() => return Err(error),
            // A faulty model is reported when it is loaded.
            Err(_) => {}
        }
    }
    Ok(dated)
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
