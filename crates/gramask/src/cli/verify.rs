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
use gramask_ner::Document;
use rayon::prelude::*;

use super::run::resolve;
use super::{CliError, DONE, FAILED, at_least_one, bars};
use crate::experiment::{CorpusChoice, LevelName, OnProblem, StrategyChoice, Unit};
use crate::pull::{BYTES, Cache, Model, NamedVocabulary};
use crate::run::{Engine, OneText, PlannedCorpus, Record, decode_one};
use crate::verify::{Case, Found, KEPT, Row, Sample, to_csv, to_table, verify as compare};

/// Whose vocabulary is taken where none is named, if it is in the cache.
const USUAL: &str = "smollm2-135m-instruct";

#[derive(Debug, Args)]
pub(super) struct VerifyArgs {
    /// A format: a name or the path of a .gram file; may be given several times [default: all that come with the program]
    #[arg(long = "format", value_name = "FORMAT")]
    formats: Vec<String>,
    /// `syntax` or `grounded` [default: both]
    #[arg(long, value_name = "LEVEL", value_parser = super::level)]
    level: Option<Level>,
    /// A name (`gramask pull` lists them), a tokenizer.json, a .gguf file, or `bytes`, which needs no file
    /// [default: that of smollm2-135m-instruct if it is in the cache, else `bytes`]
    #[arg(long, value_name = "V")]
    vocabulary: Option<String>,
    /// The documents: a corpus by name or path
    #[arg(long, value_name = "CORPUS", default_value = "mini")]
    corpus: String,
    /// Which part of the corpus
    #[arg(long, value_name = "SPLIT", default_value = "test")]
    split: String,
    /// At most N documents, from the first on
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = at_least_one)]
    limit: usize,
    /// Compare whole masks at N states of each output and walk, drawn at random; completeness and steps at all
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
    /// Also along what this model writes for the documents, unconstrained; its vocabulary is the default then
    #[arg(long, value_name = "MODEL")]
    model: Option<String>,
    /// An adapter in PEFT's layout to merge into that model
    #[arg(long, value_name = "PATH", requires = "model")]
    adapter: Option<PathBuf>,
    /// Also along the outputs of a finished run: its records.jsonl, or its folder
    #[arg(long, value_name = "FILE")]
    records: Option<PathBuf>,
    /// Print JSON in place of the table
    #[arg(long, conflicts_with = "csv")]
    json: bool,
    /// Print CSV in place of the table
    #[arg(long)]
    csv: bool,
}

/// What to follow beside gold outputs and random walks: by format and document.
type Outputs = BTreeMap<(String, String), Vec<String>>;

/// Compares masks with the oracle's, and prints what was compared and what differs.
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
    let corpus = corpus(&args)?;
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

/// Schema and documents.
fn corpus(args: &VerifyArgs) -> Result<PlannedCorpus, CliError> {
    let path = Path::new(&args.corpus);
    let path = (path.exists() || args.corpus.contains(['/', '\\'])).then(|| PathBuf::from(&args.corpus));
    let choice = CorpusChoice {
        name: args.corpus.clone(),
        path,
        split: args.split.clone(),
        unit: Unit::Sentence,
        limit: Some(args.limit),
        on_problem: OnProblem::Stop,
    };
    Ok(PlannedCorpus::read(&choice, 0, &args.split)?)
}

/// The vocabulary of this name, pulled where it is missing; without a name, what is here.
pub(super) fn vocabulary(name: Option<&str>, cache: &Cache) -> Result<NamedVocabulary, CliError> {
    let model = match name {
        Some(BYTES) => return Ok(NamedVocabulary::bytes()?),
        Some(name) => resolve(name, cache)?,
        None => match Model::find(USUAL, cache)? {
            Some(model) => model,
            None => return Ok(NamedVocabulary::bytes()?),
        },
    };
    let bar = bars::waiting(&format!("reading the tokens of {}", model.name));
    let vocabulary = NamedVocabulary::open(&model);
    bar.finish_and_clear();
    Ok(vocabulary?)
}

/// What a model writes without a constraint: right and wrong outputs alike show how far both go.
fn decode(
    model: &Model,
    programs: &[Vec<Arc<Program>>],
    corpus: &PlannedCorpus,
    outputs: &mut Outputs,
) -> Result<(), CliError> {
    let bar = bars::waiting(&format!("loading {}", model.name));
    let engine = Engine::load(model, "flex".parse()?, None);
    bar.finish_and_clear();
    let mut engine = engine?;
    let bar = bars::documents("decoding", programs.len() * corpus.documents.len(), 0);
    for programs in programs {
        for (number, document) in corpus.documents.iter().enumerate() {
            bar.inc(1);
            let program = &programs[number % programs.len()];
            let one = OneText {
                format: program.format().clone(),
                schema: program.schema().clone(),
                examples: Vec::new(),
                level: LevelName::None,
                strategy: StrategyChoice::Unconstrained,
                sampling: Sampling::greedy(),
                budget: 64,
            };
            // A document that can't be written in the format has no shortest output to take a budget from.
            let Ok((output, _)) = decode_one(&mut engine, &one, &document.text) else {
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
        // Of several passes that which the document is compared in.
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

/// All documents of a format and level, side by side; of a format with a pass for each label each document in one of them.
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
            "{warn}{differences} difference(s){warn:#}: a constraint is not what it must be; this is a fault of the program"
        );
    }
    differences > 0
}
