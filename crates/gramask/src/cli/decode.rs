//! `gramask decode`.

mod plain;
mod trace;

use std::path::PathBuf;

use anstyle::{AnsiColor, Style};
use clap::Args;
use gramask_decode::registry::parameter_lines;
use gramask_decode::{Finish, Output, Sampling};
use gramask_grammar::{Format, Level};
use gramask_ner::{Schema, Text};

use super::shared::{
    ComputeArgs, CorpusArgs, GrammarArgs, PLAIN, TemplateArgs, at_least_one, bars, level, load_engine, note_problems,
    resolve, schema,
};
use super::{BROKEN, CliError, DONE};
use crate::evaluate::Evaluation;
use crate::experiment::{StrategyChoice, StrategyName, parse_strategy};
use crate::highlight;
use crate::plan::PlannedCorpus;
use crate::pull::Cache;
use crate::runner::{Pass, TextOptions, decode_text};

/// The end of the help: the strategies and their parameters are those that are registered.
pub(super) fn help() -> String {
    let of = |level: Level| StrategyName::of(level).map(StrategyName::as_str).collect::<Vec<_>>().join(", ");
    let parameters: Vec<String> = parameter_lines().map(|line| format!("  {line}")).collect();
    format!(
        "The labels and the examples of the prompt come from a corpus. With --labels, the prompt has these labels and no \
         examples.\n\
         \n\
         Strategies at level none: {}\n\
         Strategies at the levels syntax and grounded: {}\n\
         Their parameters (default; range):\n\
         {}\n\
         docs/strategies.md explains them.",
        of(Level::None),
        of(Level::Grounded),
        parameters.join("\n"),
    )
}

#[derive(Debug, Args)]
pub(super) struct DecodeArgs {
    /// The format: a name (`gramask formats` lists them) or the path of a .gram file
    #[arg(long, value_name = "FORMAT", default_value = "json-list", conflicts_with_all = PLAIN)]
    format: String,
    /// The text; with a plain grammar, the message that the model answers
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    text: String,
    /// What the model is told to do, in place of the built-in instruction
    #[arg(long, value_name = "TEXT")]
    instruction: Option<String>,
    /// The constraint: `none`, `syntax` (the output parses) or `grounded` (it parses and is true of the text)
    /// [default: grounded; with a plain grammar, syntax]
    #[arg(long, value_name = "LEVEL", value_parser = level)]
    level: Option<Level>,
    /// The strategy, with or without parameters: `lazy`, `beam = { k = 8 }` [default: masked; unconstrained at level none]
    #[arg(long, value_name = "STRATEGY")]
    strategy: Option<String>,
    /// Allow only the tokens that the model's tokenizer itself would produce; with level `grounded`
    #[arg(long, conflicts_with_all = PLAIN)]
    canonical: bool,
    /// Show the probabilities of each token, and what the mask removed
    #[arg(long)]
    trace: bool,
    /// The labels, separated by commas; the prompt then has no examples
    #[arg(long, value_name = "A,B", value_delimiter = ',', conflicts_with = "corpus", conflicts_with_all = PLAIN)]
    labels: Vec<String>,
    /// The corpus of the labels and examples: a name or a path
    #[arg(long, value_name = "CORPUS", default_value = "mini", conflicts_with_all = PLAIN)]
    corpus: String,
    #[command(flatten)]
    reading: CorpusArgs,
    /// How many examples the prompt has
    #[arg(long, value_name = "N", default_value_t = 3, conflicts_with_all = PLAIN)]
    examples: usize,
    /// Output tokens in addition to those of the output without entities
    #[arg(long, value_name = "N", default_value_t = 128, value_parser = at_least_one)]
    budget: usize,
    /// 0 takes the most likely token, 1 samples from the model's distribution
    #[arg(long, value_name = "T", default_value_t = 0.0, allow_negative_numbers = true)]
    temperature: f32,
    /// The seed of sampling
    #[arg(long, value_name = "SEED", default_value_t = 0)]
    seed: u64,
    /// The device: flex (the CPU), wgpu[:N] or cuda[:N]; `gramask devices` lists them
    #[arg(long, value_name = "DEVICE", default_value = "flex")]
    device: String,
    #[command(flatten)]
    compute: ComputeArgs,
    /// The model: a name, ORGANISATION/NAME of the hub, a folder or a .gguf file
    #[arg(long, value_name = "MODEL", default_value = "smollm2-135m-instruct")]
    model: String,
    /// An adapter in PEFT's layout to merge into the model
    #[arg(long, value_name = "PATH")]
    adapter: Option<PathBuf>,
    #[command(flatten)]
    template: TemplateArgs,
    #[command(flatten)]
    plain: GrammarArgs,
}

/// Decodes one text and prints output, entities and the marked text.
pub(super) fn decode(args: DecodeArgs) -> Result<u8, CliError> {
    let placement = args.compute.placement(args.device.parse()?)?;
    if let Some(grammar) = args.plain.grammar()? {
        return plain::decode(&args, &grammar, &placement);
    }
    let format = Format::named(&args.format)?;
    let (schema, examples) = match args.labels.is_empty() {
        false => (schema(&args.labels)?, Vec::new()),
        true => {
            let choice = args.reading.choice(&args.corpus, "train", None);
            let corpus = PlannedCorpus::read_for_prompt(&choice, args.examples)?;
            note_problems(&corpus, None);
            (corpus.schema, corpus.examples)
        }
    };
    let level = args.level.unwrap_or(Level::Grounded);
    let (strategy, sampling) = (args.strategy(level)?, args.sampling());
    let (canonical, budget, instruction) = (args.canonical, args.budget, args.instruction);
    let one = TextOptions { format, schema, examples, instruction, level, strategy, sampling, canonical, budget };
    one.check()?;

    let mut model = resolve(&args.model, &Cache::from_env()?)?;
    model.adapter = args.adapter;
    let mut engine = load_engine(&model, &placement)?.with_variables(&args.template.variables())?;
    let text = Text::new(args.text);
    let bar = bars::waiting("decoding");
    let decoded = decode_text(&mut engine, &one, &text);
    bar.finish_and_clear();
    let (passes, judged) = decoded?;

    show(&text, &passes, &judged, &one.schema);
    if args.trace {
        trace::show(&passes, engine.vocabulary());
    }
    passes.iter().for_each(|pass| show_speed(&pass.output));
    let masked = level != Level::None;
    let broken =
        !judged.parsed || judged.independent == Some(false) || level == Level::Grounded && !judged.faults.is_empty();
    Ok(if masked && broken { BROKEN } else { DONE })
}

impl DecodeArgs {
    /// The strategy: the one that is asked for, or the usual one of a level.
    fn strategy(&self, level: Level) -> Result<StrategyChoice, CliError> {
        Ok(match (&self.strategy, level) {
            (Some(text), _) => parse_strategy(text)?,
            (None, Level::None) => StrategyName::UNCONSTRAINED.into(),
            (None, _) => StrategyName::MASKED.into(),
        })
    }

    fn sampling(&self) -> Sampling {
        Sampling { temperature: self.temperature, seed: self.seed, ..Sampling::greedy() }
    }
}

/// Tokens, speed and end of an output, on standard error.
fn show_speed(output: &Output) {
    let (faint, times) = (Style::new().dimmed(), &output.times);
    let seconds = (times.prefill + times.decode + times.choose + times.mask).as_secs_f64();
    anstream::eprintln!(
        "{faint}{} tokens, {:.1} tokens/s with the prompt in the time, {:.4} ms of mask work per token, ended by {}{faint:#}",
        output.positions.output,
        output.positions.output as f64 / seconds.max(1e-9),
        times.mask.as_secs_f64() * 1e3 / output.positions.output.max(1) as f64,
        match output.finish {
            Finish::End => "an end token",
            Finish::Squeezed => "an end token, in time for the budget",
            Finish::Budget => "the budget",
            Finish::Context => "the model's context",
        }
    );
}

fn show(text: &Text, passes: &[Pass], judged: &Evaluation, schema: &Schema) {
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
        let style = highlight::label_style(schema, &entity.label);
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
    anstream::println!("\n{head}text{head:#}\n{}", highlight::highlighted(text, &judged.entities, schema));
}
