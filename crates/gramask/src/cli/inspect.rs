//! `gramask inspect`.

use anstyle::{AnsiColor, Style};
use clap::Args;
use comfy_table::{Cell, CellAlignment, LineStyle, Table, presets};
use gramask_grammar::Format;

use super::shared::{ReadingArgs, bars};
use super::{CliError, DONE};
use crate::experiment::Unit;
use crate::inspect::{CorpusReport, FormatReport, ModelReport, SpecialToken, SplitReport, Target};
use crate::pull::{Cache, Model};

pub(super) const HELP: &str = "\
It finds out whether PATH is a model or a corpus. Nothing is downloaded. docs/models.md and docs/corpora.md say how both are read.

  gramask inspect smollm2-135m-instruct
  gramask inspect bc5cdr --formats json-list,inline-bracket
  gramask inspect 'data/mine-{split}.conll' --columns word=1,tag=3 --json";

/// So many lines of a chat template are shown.
const TEMPLATE_LINES: usize = 12;
/// So many characters of a line of it.
const TEMPLATE_WIDTH: usize = 120;

#[derive(Debug, Args)]
pub(super) struct InspectArgs {
    /// A model (a folder, a .gguf file or the name of one that was pulled) or a corpus (a file, a folder, a path with {split}, or a name)
    #[arg(id = "corpus", value_name = "PATH")]
    path: String,
    #[command(flatten)]
    reading: ReadingArgs,
    /// What the formats write: `sentence` or `document`
    #[arg(long, value_name = "UNIT", default_value = "sentence", value_parser = unit)]
    unit: Unit,
    /// The formats to write the corpus in, separated by commas: names or paths [default: all that come with the program]
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    formats: Vec<String>,
    /// Print everything as JSON
    #[arg(long)]
    json: bool,
}

fn unit(text: &str) -> Result<Unit, String> {
    match text {
        "sentence" => Ok(Unit::Sentence),
        "document" => Ok(Unit::Document),
        _ => Err("must be sentence or document".into()),
    }
}

/// Shows what a model or a corpus holds.
pub(super) fn inspect(args: InspectArgs) -> Result<u8, CliError> {
    match Target::find(&args.path, &Cache::from_env()?)? {
        Target::Model(model) => of_model(&args, &model),
        Target::Corpus => of_corpus(&args),
    }
}

fn of_model(args: &InspectArgs, model: &Model) -> Result<u8, CliError> {
    let bar = bars::waiting(&format!("reading {}", model.name));
    let report = ModelReport::read(model);
    bar.finish_and_clear();
    let report = report?;
    if args.json {
        let mut json = serde_json::to_value(&report)?;
        json["kind"] = "model".into();
        anstream::println!("{}", serde_json::to_string_pretty(&json)?);
        return Ok(DONE);
    }
    let (head, faint) = (Style::new().bold(), Style::new().dimmed());
    anstream::println!("{head}model {}{head:#}  {}, {}", report.name, report.files, report.path);
    for (name, value) in facts(&report) {
        anstream::println!("  {faint}{name:<12}{faint:#} {value}");
    }
    match &report.template {
        None => anstream::println!("\nno chat template: prompts are plain text"),
        Some(template) => {
            anstream::println!("\n{head}chat template{head:#}, {}", variables(&template.variables));
            let lines: Vec<&str> = template.source.lines().collect();
            for line in lines.iter().take(TEMPLATE_LINES) {
                let cut = line.chars().count() > TEMPLATE_WIDTH;
                let shown: String = line.chars().take(TEMPLATE_WIDTH).collect();
                anstream::println!("  {shown}{}", if cut { " ..." } else { "" });
            }
            if lines.len() > TEMPLATE_LINES {
                anstream::println!("  {faint}... {} more lines{faint:#}", lines.len() - TEMPLATE_LINES);
            }
        }
    }
    let warn = Style::new().fg_color(Some(AnsiColor::Yellow.into()));
    for note in &report.notes {
        anstream::println!("{warn}unusual:{warn:#} {note}");
    }
    Ok(DONE)
}

fn variables(names: &[String]) -> String {
    match names {
        [] => "without variables to set".into(),
        [one] => format!("with the variable {one} (--template {one}=VALUE)"),
        several => format!("with the variables {} (--template NAME=VALUE)", several.join(", ")),
    }
}

/// What is known of a model, by name.
fn facts(report: &ModelReport) -> Vec<(&'static str, String)> {
    let config = &report.config;
    let token = |token: &SpecialToken| format!("{} {}", token.id, token.text);
    let types = report.tensors.iter().map(|of| format!("{} x {} ({})", of.tensors, of.stored_as, short(of.elements)));
    let bos = match (&report.bos, report.adds_bos) {
        (None, _) => "none".into(),
        (Some(bos), true) => format!("{}, before plain prompts", token(bos)),
        (Some(bos), false) => format!("{}, not before plain prompts", token(bos)),
    };
    let ends: Vec<String> = report.ends.iter().map(token).collect();
    let scaling = match &config.rope_scaling {
        None => "no scaling".into(),
        Some(scaling) => format!("scaled: {}", serde_json::to_string(scaling).unwrap_or_default()),
    };
    let mut facts = vec![
        ("family", config.family.hugging_face_name().to_owned()),
        ("parameters", short(report.parameters)),
        ("tensors", types.collect::<Vec<_>>().join(", ")),
        (
            "shape",
            format!(
                "{} layers, width {}, {} heads of {} ({} of keys and values), hidden {}, {}",
                config.layers,
                config.width,
                config.heads,
                config.head_width,
                config.kv_heads,
                config.hidden,
                if config.tied_head { "the head is the embedding" } else { "a head of its own" }
            ),
        ),
        ("context", format!("{} tokens", grouped(config.context))),
        ("RoPE", format!("base {}, {scaling}", config.rope_theta)),
        ("vocabulary", format!("{} ids, {} of them write no text", grouped(config.vocabulary), report.special_tokens)),
        ("BOS", bos),
        ("end", if ends.is_empty() { "none: outputs end by the budget".into() } else { ends.join(", ") }),
        ("pad", report.pad.as_ref().map_or("none".into(), token)),
        ("SHA-256", report.sha256.clone()),
    ];
    // What other families have beside that.
    let shown = [
        "family",
        "layers",
        "width",
        "heads",
        "head_width",
        "kv_heads",
        "hidden",
        "tied_head",
        "context",
        "rope_theta",
        "rope_scaling",
        "vocabulary",
    ];
    let config = serde_json::to_value(config).unwrap_or_default();
    let rest = config.as_object().into_iter().flatten().filter(|(name, value)| {
        !shown.contains(&name.as_str()) && !value.is_null() && **value != false && value.as_f64() != Some(0.0)
    });
    let rest: Vec<String> = rest.map(|(name, value)| format!("{name} {value}")).collect();
    facts.insert(6, ("also", rest.join(", ")));
    facts
}

/// A number with commas.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let groups = digits.as_bytes().rchunks(3).rev().map(|group| String::from_utf8_lossy(group).into_owned());
    groups.collect::<Vec<_>>().join(",")
}

/// A number in millions or billions.
fn short(number: usize) -> String {
    match number as f64 {
        number if number >= 1e9 => format!("{:.2} billion", number / 1e9),
        number if number >= 1e6 => format!("{:.1} million", number / 1e6),
        _ => grouped(number),
    }
}

fn of_corpus(args: &InspectArgs) -> Result<u8, CliError> {
    let names: Vec<&str> = match args.formats.is_empty() {
        true => Format::builtin().collect(),
        false => args.formats.iter().map(String::as_str).collect(),
    };
    let formats: Vec<Format> = names.into_iter().map(Format::named).collect::<Result<_, _>>()?;
    let bar = bars::waiting(&format!("reading {}", args.path));
    let report = CorpusReport::read(&args.reading.choice(&args.path, ""), args.unit, &formats);
    bar.finish_and_clear();
    let report = report?;
    if args.json {
        let mut json = serde_json::to_value(&report)?;
        json["kind"] = "corpus".into();
        anstream::println!("{}", serde_json::to_string_pretty(&json)?);
        return Ok(DONE);
    }
    let head = Style::new().bold();
    let source = report.source.as_ref().map_or(String::new(), |source| format!(" ({source})"));
    let unit = report.unit.as_str();
    anstream::println!("{head}corpus {}{head:#}{source}  {}, one {unit} at a time", report.name, report.form);
    anstream::println!("{}", splits(&report));
    let warn = Style::new().fg_color(Some(AnsiColor::Yellow.into()));
    for fault in &report.faults {
        anstream::println!("{warn}{} x {}{warn:#}; the first: {}", fault.count, fault.kind, fault.first);
    }
    if report.faults.is_empty() {
        anstream::println!("no faults");
    }
    let total = report.entities;
    let unit = report.written.as_str();
    anstream::println!("\n{head}not expressible{head:#} of {total} entities, each {unit} written on its own");
    anstream::println!("{}", format_table(&report.formats));
    Ok(DONE)
}

/// A table of figures for people.
fn table(head: Vec<String>, rows: Vec<Vec<String>>, numbers: std::ops::Range<usize>) -> String {
    let mut table = Table::new();
    table.load_style(presets::UTF8_HORIZONTAL_ONLY.row_separator(LineStyle::none()));
    let aligned = |(place, text): (usize, String)| {
        let side = if numbers.contains(&place) { CellAlignment::Right } else { CellAlignment::Left };
        Cell::new(text).set_alignment(side)
    };
    table.set_header(head.into_iter().enumerate().map(aligned));
    for row in rows {
        table.add_row(row.into_iter().enumerate().map(aligned));
    }
    table.to_string()
}

/// The figures of all splits.
fn splits(report: &CorpusReport) -> String {
    let named = |split: &SplitReport| split.split.clone().unwrap_or_else(|| "all".into());
    let head = std::iter::once("split".to_owned()).chain(report.splits.iter().map(named));
    let row = |name: String, figure: &dyn Fn(&SplitReport) -> usize| {
        std::iter::once(name).chain(report.splits.iter().map(|split| grouped(figure(split)))).collect::<Vec<_>>()
    };
    let mut rows = vec![
        row("documents".into(), &|split| split.documents),
        row("sentences".into(), &|split| split.sentences),
        row("  without an entity".into(), &|split| split.empty_sentences),
        row("words".into(), &|split| split.words),
        row("entities".into(), &|split| split.entities),
    ];
    for (place, label) in report.labels.iter().enumerate() {
        rows.push(row(format!("  {label}"), &|split| split.labels.get(place).map_or(0, |(_, count)| *count)));
    }
    rows.push(row("nested in another".into(), &|split| split.nested));
    rows.push(row("crossing another".into(), &|split| split.crossing));
    rows.push(row("same text, two labels".into(), &|split| split.same_text));
    rows.push(row("discontinuous".into(), &|split| split.discontinuous));
    table(head.collect(), rows, 1..report.splits.len() + 1)
}

/// What each format can't express, those without a fault first.
fn format_table(reports: &[FormatReport]) -> String {
    let mut reports: Vec<&FormatReport> = reports.iter().collect();
    reports.sort_by_key(|report| (report.refused.is_some(), report.inexpressible));
    let row = |report: &&FormatReport| {
        let (count, why) = match &report.refused {
            Some(error) => ("-".to_owned(), error.clone()),
            None => (grouped(report.inexpressible), reasons(report)),
        };
        vec![report.format.clone(), count, why]
    };
    let head = ["format", "entities", "why"].map(str::to_owned).to_vec();
    table(head, reports.iter().map(row).collect(), 1..2)
}

fn reasons(report: &FormatReport) -> String {
    let mut reasons: Vec<(&String, &usize)> = report.reasons.iter().collect();
    reasons.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    let mut words: Vec<String> = reasons.into_iter().map(|(reason, count)| format!("{count}: {reason}")).collect();
    if let Some(first) = &report.unwritable_first {
        words.push(format!("{} not writable at all, such as {first}", report.unwritable));
    }
    words.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped() {
        assert_eq!([0, 999, 1000, 1234567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!([12, 134_515_008, 1_100_000_000].map(short), ["12", "134.5 million", "1.10 billion"]);
    }
}
