//! `gramask verify`.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use anstyle::{AnsiColor, Style};
use clap::Args;
use gramask_decode::Sampling;
use gramask_grammar::{Format, Level, Program};
use gramask_model::device::DeviceName;
use gramask_ner::Document;
use rayon::prelude::*;

use super::shared::{CorpusArgs, at_least_one, bars, level, load_engine, note_problems, resolve, vocabulary};
use super::{CliError, DONE, FAILED};
use crate::experiment::StrategyName;
use crate::plan::{Placement, PlannedCorpus};
use crate::pull::{Cache, Model, NamedVocabulary};
use crate::runner::{TextOptions, decode_one_pass};
use crate::store::Record;
use crate::verify::{Case, Found, KEPT, Row, Sample, to_csv, to_table, verify as compare};

pub(super) const HELP: &str = "\
Constraint and oracle must agree at each state of the gold outputs, of random walks through the mask and, with --model or
--records, of a model's outputs. The oracle takes long for a whole mask, so whole masks are compared at a sample of the
states. --all-states compares them at every state. Exits with 1 if anything differs.";

#[derive(Debug, Args)]
pub(super) struct VerifyArgs {
    /// A format: a name or the path of a .gram file; may be repeated [default: all built-in formats]
    #[arg(long = "format", value_name = "FORMAT")]
    formats: Vec<String>,
    /// `syntax` or `grounded` [default: both]
    #[arg(long, value_name = "LEVEL", value_parser = level)]
    level: Option<Level>,
    /// A name (`gramask pull` lists them), a tokenizer.json, a .gguf file, or `bytes`, which needs no file
    /// [default: that of smollm2-135m-instruct if it is in the cache, else `bytes`]
    #[arg(long, value_name = "V")]
    vocabulary: Option<String>,
    /// The documents: a corpus by name or path
    #[arg(long, value_name = "CORPUS", default_value = "mini")]
    corpus: String,
    #[command(flatten)]
    reading: CorpusArgs,
    /// The part of the corpus
    #[arg(long, value_name = "SPLIT", default_value = "test")]
    split: String,
    /// At most N documents
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = at_least_one)]
    limit: usize,
    /// Compare whole masks at N random states of each output and walk; completeness and steps at every state
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = at_least_one)]
    states: usize,
    /// Compare whole masks at every state
    #[arg(long, conflicts_with = "states")]
    all_states: bool,
    /// Random walks through the mask for each document
    #[arg(long, value_name = "N", default_value_t = 2)]
    walks: usize,
    /// At most N tokens per random walk
    #[arg(long, value_name = "N", default_value_t = 48, value_parser = at_least_one)]
    steps: usize,
    /// The seed of walks and samples
    #[arg(long, value_name = "SEED", default_value_t = 0)]
    seed: u64,
    /// Also compare along the unconstrained outputs of this model; its vocabulary is then the default
    #[arg(long, value_name = "MODEL")]
    model: Option<String>,
    /// An adapter in PEFT's layout to merge into that model
    #[arg(long, value_name = "PATH", requires = "model")]
    adapter: Option<PathBuf>,
    /// Also compare along the outputs of a finished run: its records.jsonl, or its folder
    #[arg(long, value_name = "FILE")]
    records: Option<PathBuf>,
    /// Print JSON instead of the table
    #[arg(long, conflicts_with = "csv")]
    json: bool,
    /// Print CSV instead of the table
    #[arg(long)]
    csv: bool,
}

/// Outputs of models to follow, by format and document.
type Outputs = BTreeMap<(String, String), Vec<String>>;

/// Compares masks with the oracle, and prints what was compared and what differs.
pub(super) fn verify(args: VerifyArgs) -> Result<u8, CliError> {
    let formats = if args.formats.is_empty() {
        Format::builtin().map(Format::named).collect::<Result<Vec<_>, _>>()?
    } else {
        args.formats.iter().map(|name| Format::named(name)).collect::<Result<Vec<_>, _>>()?
    };
    let levels = match args.level {
        None => vec![Level::Syntax, Level::Grounded],
        Some(Level::None) => return Err(CliError::NoConstraint),
        Some(level) => vec![level],
    };
    let choice = args.reading.choice(&args.corpus, &args.split, Some(args.limit));
    let corpus = PlannedCorpus::read(&choice, 0, &args.split)?;
    note_problems(&corpus, None);
    let programs =
        formats.iter().map(|format| Program::passes(format, &corpus.schema)).collect::<Result<Vec<_>, _>>()?;
    let mut outputs = Outputs::new();
    if let Some(path) = &args.records {
        read_records(path, &corpus, &mut outputs)?;
    }
    let cache = Cache::from_env()?;
    let vocabulary = vocabulary(args.vocabulary.as_deref().or(args.model.as_deref()), &cache)?;
    if let Some(model) = &args.model {
        let mut found = resolve(model, &cache)?;
        found.adapter.clone_from(&args.adapter);
        decode(&found, &programs, &corpus, &mut outputs)?;
    }
    let sample = Sample {
        states: if args.all_states { usize::MAX } else { args.states },
        walks: args.walks,
        steps: args.steps,
        seed: args.seed,
    };
    let masks = if args.all_states {
        "whole masks at every state".into()
    } else {
        format!("whole masks at {} of the states of each (--states N, --all-states)", args.states)
    };
    anstream::eprintln!(
        "{} documents of {}, {} tokens of {}; the gold output and {} random walks each{}; {masks}",
        corpus.documents.len(),
        corpus.name,
        vocabulary.vocabulary.len(),
        vocabulary.name,
        args.walks,
        match outputs.values().map(Vec::len).sum::<usize>() {
            0 => String::new(),
            outputs => format!(", and {outputs} outputs of models"),
        },
    );

    let mut rows = Vec::new();
    for programs in &programs {
        for &level in &levels {
            rows.push(row(programs, level, &corpus.documents, &vocabulary, &outputs, &sample));
        }
    }
    if args.json {
        anstream::println!("{}", serde_json::to_string_pretty(&rows)?);
    } else if args.csv {
        anstream::print!("{}", to_csv(&rows)?);
    } else {
        anstream::println!("{}", to_table(&rows));
    }
    Ok(if tell(&rows) { FAILED } else { DONE })
}

/// Adds what a model writes without a constraint. Valid and invalid outputs both test where constraint and oracle end.
fn decode(
    model: &Model,
    programs: &[Vec<Arc<Program>>],
    corpus: &PlannedCorpus,
    outputs: &mut Outputs,
) -> Result<(), CliError> {
    let mut engine = load_engine(model, &Placement::on(DeviceName::Flex))?;
    let bar = bars::documents("decoding", programs.len() * corpus.documents.len(), 0);
    for programs in programs {
        for (number, document) in corpus.documents.iter().enumerate() {
            bar.inc(1);
            let program = &programs[number % programs.len()];
            let one = TextOptions {
                format: program.format().clone(),
                schema: program.schema().clone(),
                instruction: None,
                examples: Vec::new(),
                level: Level::None,
                strategy: StrategyName::UNCONSTRAINED.into(),
                sampling: Sampling::greedy(),
                canonical: false,
                budget: 64,
            };
            // A document that can't be written in the format has no shortest output to take a budget from.
            let Ok((output, _)) = decode_one_pass(&mut engine, &one, &document.text) else {
                continue;
            };
            let key = (program.format().name.clone(), document.id.clone());
            outputs.entry(key).or_default().push(output.text);
        }
    }
    bar.finish_and_clear();
    Ok(())
}

/// The outputs of a run for documents of the corpus.
fn read_records(path: &Path, corpus: &PlannedCorpus, outputs: &mut Outputs) -> Result<(), CliError> {
    let path = if path.is_dir() { path.join("records.jsonl") } else { path.into() };
    let fault = |line: usize, reason: String| CliError::Records { path: path.clone(), line, reason };
    let file = File::open(&path).map_err(|error| fault(0, error.to_string()))?;
    let (mut taken, mut all) = (0, 0);
    for (number, line) in BufReader::new(file).lines().enumerate() {
        let line = line.map_err(|error| fault(number + 1, error.to_string()))?;
        let record: Record = serde_json::from_str(&line).map_err(|error| fault(number + 1, error.to_string()))?;
        all += 1;
        let known = |document: &Document| document.id == record.document;
        let number = corpus.documents.iter().position(known);
        let Some(number) = number.filter(|_| record.cell.corpus == corpus.name) else {
            continue;
        };
        taken += 1;
        // Of several passes, the one in which the document is compared.
        let output = match record.passes.len() {
            0 => record.output,
            passes => record.passes[number % passes].clone(),
        };
        let key = (record.cell.format.clone(), record.document.clone());
        outputs.entry(key).or_default().push(output);
    }
    if taken == 0 {
        let reason = format!(
            "none of its {all} outputs is of one of the {} documents of corpus `{}`; name the run's corpus and split with \
             --corpus and --split, and raise --limit",
            corpus.documents.len(),
            corpus.name
        );
        return Err(fault(all, reason));
    }
    Ok(())
}

/// Compares all documents of a format and level in parallel. In a format with a pass for each label, a document is compared in
/// one of the passes.
fn row(
    programs: &[Arc<Program>],
    level: Level,
    documents: &[Document],
    vocabulary: &NamedVocabulary,
    outputs: &Outputs,
    sample: &Sample,
) -> Row {
    let format = programs[0].format().name.clone();
    let bar = bars::documents(&format!("{format} {level}"), documents.len(), 0);
    let begin = Instant::now();
    let found: Vec<Found> = documents
        .par_iter()
        .enumerate()
        .map(|(number, document)| {
            let case = Case { program: &programs[number % programs.len()], document, level, vocabulary };
            let outputs = outputs.get(&(format.clone(), document.id.clone()));
            let outputs: Vec<&str> = outputs.into_iter().flatten().map(String::as_str).collect();
            let found = compare(&case, &outputs, sample);
            bar.inc(1);
            found
        })
        .collect();
    bar.finish_and_clear();
    let mut row = Row {
        format,
        level: level.to_string(),
        tally: Default::default(),
        seconds: begin.elapsed().as_secs_f64(),
        first: Vec::new(),
    };
    for found in found {
        row.tally += found.tally;
        row.first.extend(found.differences);
    }
    row.first.truncate(KEPT);
    row
}

/// Names the first differences. Returns whether there are any.
fn tell(rows: &[Row]) -> bool {
    let differences: usize = rows.iter().map(|row| row.tally.differences).sum();
    let warn = Style::new().bold().fg_color(Some(AnsiColor::Red.into()));
    for difference in rows.iter().flat_map(|row| &row.first) {
        anstream::eprintln!("{warn}difference{warn:#}: {difference}");
    }
    if differences > 0 {
        anstream::eprintln!(
            "{warn}{differences} difference(s){warn:#}: a constraint is wrong; this is a bug of gramask, please report it"
        );
    }
    differences > 0
}
