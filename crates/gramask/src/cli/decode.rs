//! `gramask decode`.

use std::path::{Path, PathBuf};

use anstyle::{AnsiColor, Style};
use gramask_decode::Sampling;
use gramask_grammar::Format;
use gramask_ner::{Document, Schema, Text};

use super::run::resolve;
use super::{BROKEN, CliError, DONE, bars, trace};
use crate::experiment::{CorpusChoice, LevelName, OnProblem, StrategyChoice, Unit};
use crate::mark;
use crate::pull::Cache;
use crate::run::{Engine, Judged, OneText, Pass, PlannedCorpus, decode_passes};

/// Decodes one text and prints output, entities and the marked text.
pub(super) fn decode(args: super::DecodeArgs) -> Result<u8, CliError> {
    let placement = args.compute.placement(args.device.parse()?)?;
    let format = Format::named(&args.format)?;
    let (schema, examples) = match args.labels.is_empty() {
        false if args.labels.iter().any(|label| label.trim().is_empty()) => return Err(CliError::Labels),
        false => (Schema::new(args.labels.iter().map(|label| label.trim())), Vec::new()),
        true => from_corpus(&args.corpus, args.examples)?,
    };
    let level = LevelName::from(args.level);
    let strategy = match (&args.strategy, level) {
        (Some(text), _) => StrategyChoice::parse(text)?,
        (None, LevelName::None) => StrategyChoice::Unconstrained,
        (None, _) => StrategyChoice::Masked,
    };
    let sampling = Sampling { temperature: args.temperature, seed: args.seed, ..Sampling::greedy() };
    let one = OneText { format, schema, examples, level, strategy, sampling, budget: args.budget };
    one.check()?;

    let mut model = resolve(&args.model, &Cache::from_env()?)?;
    model.adapter = args.adapter;
    let bar = bars::waiting(&format!("loading {}", args.model));
    let engine = Engine::place(&model, &placement);
    bar.finish_and_clear();
    let text = Text::new(args.text);
    let bar = bars::waiting("decoding");
    let mut engine = engine?;
    let decoded = decode_passes(&mut engine, &one, &text);
    bar.finish_and_clear();
    let (passes, judged) = decoded?;

    show(&text, &passes, &judged, &one.schema);
    if args.trace {
        trace::show(&passes, engine.table());
    }
    let faint = Style::new().dimmed();
    for Pass { output, .. } in &passes {
        let times = &output.times;
        let seconds = (times.prefill + times.decode + times.choose + times.mask).as_secs_f64();
        anstream::eprintln!(
            "{faint}{} tokens, {:.1} tokens/s with the prompt in the time, {:.4} ms of mask work per token, ended by {}{faint:#}",
            output.positions.output,
            output.positions.output as f64 / seconds.max(1e-9),
            times.mask.as_secs_f64() * 1e3 / output.positions.output.max(1) as f64,
            match output.finish {
                gramask_decode::Finish::End => "an end token",
                gramask_decode::Finish::Budget => "the budget",
                gramask_decode::Finish::Context => "the model's context",
            }
        );
    }
    let masked = level != LevelName::None;
    let broken = !judged.parsed
        || judged.independent == Some(false)
        || level == LevelName::Grounded && !judged.faults.is_empty();
    Ok(if masked && broken { BROKEN } else { DONE })
}

/// Schema and examples of a corpus by name or path.
fn from_corpus(name: &str, examples: usize) -> Result<(Schema, Vec<Document>), CliError> {
    let path = Path::new(name);
    let path = (path.exists() || name.contains(['/', '\\'])).then(|| PathBuf::from(name));
    let choice = CorpusChoice {
        name: name.to_string(),
        path,
        split: "test".into(),
        unit: Unit::Sentence,
        limit: None,
        on_problem: OnProblem::Stop,
    };
    let corpus = PlannedCorpus::read(&choice, examples, "train")?;
    Ok((corpus.schema, corpus.examples))
}

fn show(text: &Text, passes: &[Pass], judged: &Judged, schema: &Schema) {
    let head = Style::new().bold();
    for Pass { label, output } in passes {
        let of = label.as_ref().map_or(String::new(), |label| format!(" of {label}"));
        if !output.preamble.is_empty() {
            anstream::println!("{head}before the output{of}{head:#}\n{}\n", output.preamble);
        }
        anstream::println!("{head}output{of}{head:#}\n{}\n", output.text);
    }
    if let Some(repaired) = judged.repaired.as_ref().filter(|repaired| repaired.rewritten) {
        let edits: Vec<String> = repaired.edits.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
        let edits = if edits.is_empty() { String::new() } else { format!(" ({})", edits.join(", ")) };
        anstream::println!("{head}repaired{edits}{head:#}\n{}\n", repaired.text);
    }
    anstream::println!("{head}entities{head:#}");
    for entity in &judged.entities {
        let fragments: Vec<&str> = entity.fragments.iter().filter_map(|&fragment| text.slice(fragment)).collect();
        let style = mark::style(schema, &entity.label);
        let places: Vec<String> = entity.fragments.iter().map(|fragment| fragment.to_string()).collect();
        anstream::println!("{style}{}{style:#}  {}  {}", entity.label, places.join(";"), fragments.join(" ... "));
    }
    if judged.entities.is_empty() {
        anstream::println!("none");
    }
    let warn = Style::new().fg_color(Some(AnsiColor::Yellow.into()));
    for fault in &judged.faults {
        anstream::println!("{warn}not read: {}{warn:#}", fault.message);
    }
    if judged.independent == Some(false) {
        anstream::println!("{warn}an independent parser of the syntax refuses this output{warn:#}");
    }
    anstream::println!("\n{head}text{head:#}\n{}", mark::marked(text, &judged.entities, schema));
}
