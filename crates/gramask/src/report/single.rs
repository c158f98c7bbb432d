//! The report of one run.

use std::path::Path;

use serde_json::Value;

use super::browse::{Browser, BrowserCell, by_document};
use super::error::ReportError;
use super::figure::{Names, figures};
use super::headline::headline;
use super::page::Page;
use super::read::RunData;
use super::tally::Tally;
use super::{Options, Report};
use crate::report::tables::summary_csv;

/// Makes the report of the run in a folder.
///
/// # Errors
/// When the folder has no run or no record, or a line is no record.
pub fn single(folder: &Path, options: Options) -> Result<Report, ReportError> {
    let run = RunData::read(folder, options.documents)?;
    let tallies = Tally::all(&run);
    let (documents, documents_note) = match options.documents {
        true if run.records.iter().all(Vec::is_empty) => (None, SCORES_ALONE.to_string()),
        true => documents(&run, options.most)?,
        false => (None, LEFT_OUT.to_string()),
    };
    let page = Page {
        title: run.name().to_string(),
        about: about(&run.file.experiment),
        lead: lead(&tallies),
        notes: run.notes.clone(),
        facts: facts(&run),
        experiments: vec![(run.name().to_string(), run.file.experiment.clone())],
        table_title: "All cells".into(),
        table_caption: table_caption(&tallies),
        table: headline(&tallies),
        table_file: "summary.csv".into(),
        figures: figures(&tallies)?,
        documents,
        documents_note,
        compared: false,
        program: program(),
    };
    let summary = summary_csv(&run.rows)?;
    Ok(Report { page, summary })
}

/// The note of a report without documents.
pub(super) const LEFT_OUT: &str = "This report was made without documents: it holds no text of the corpora and no output. \
                                   With the run's folder at hand, `gramask report` makes one that has them.";

/// The note if the folder has no documents.
pub(super) const SCORES_ALONE: &str =
    "The run's folder has scores alone, which hold no text: there are no documents to show.";

/// The name and version of this program.
pub(super) fn program() -> String {
    format!("gramask {}", env!("CARGO_PKG_VERSION"))
}

fn documents(run: &RunData, most: usize) -> Result<(Option<String>, String), ReportError> {
    let cells: Vec<BrowserCell> = run.cells.iter().map(BrowserCell::of).collect();
    let places = (0..cells.len()).map(|place| (place, place)).collect();
    let document_outputs = by_document(&[(run, places)]);
    let browser = Browser::new(vec![run.name().to_string()], cells, &document_outputs, most)?;
    let note = embedded(&browser);
    Ok((Some(browser.to_script()?), note))
}

/// The note about the number of documents in the page.
pub(super) fn embedded(browser: &Browser) -> String {
    match browser.docs.len() {
        all if all == browser.of => format!("All {all} documents of the run are in this page."),
        some => format!(
            "The first {some} of {} documents are in this page, so that it does not grow too large; all figures are of all of them.",
            browser.of
        ),
    }
}

/// The description of the experiment.
pub(super) fn about(experiment: &str) -> String {
    let table: Option<toml::Table> = experiment.parse().ok();
    let about = table.as_ref().and_then(|table| table.get("about")?.as_str());
    about.unwrap_or_default().to_string()
}

fn table_caption(tallies: &[Tally]) -> String {
    let mut caption = "A line for each cell. ".to_owned();
    if tallies.iter().any(|tally| !tally.row.is_of_tasks()) {
        caption += "F1, precision and recall are strict (label and both boundaries) and micro-averaged; the best F1 is marked. ";
    }
    if tallies.iter().any(|tally| tally.row.is_of_tasks()) {
        caption += "A validator that shares no code with the masks tells valid answers. The shares of exact and equal answers are of the \
                    tasks that expect an answer. ";
    }
    caption + "Choose a heading to sort."
}

/// The main results, in a few sentences.
fn lead(tallies: &[Tally]) -> Vec<String> {
    let mut lead = Vec::new();
    let names = Names::of(tallies);
    let best = tallies.iter().max_by(|a, b| a.row.f1.total_cmp(&b.row.f1));
    if let Some(best) = best.filter(|best| best.row.f1 > 0.0) {
        let row = &best.row;
        lead.push(format!(
            "The best cell is {}, with a strict F1 of {:.1} (95 % interval {:.1} to {:.1}, {} documents).",
            names.cell(best),
            100.0 * row.f1,
            100.0 * row.f1_low,
            100.0 * row.f1_high,
            row.documents
        ));
    }
    let (free, masked) = (Parses::of(tallies, false), Parses::of(tallies, true));
    match (free.asked, masked.asked) {
        (0, 0) => {}
        (_, 0) => lead.push(format!("Without a mask, {free}. There is no masked cell.")),
        (0, _) => lead.push(format!("With a mask, {masked}.")),
        _ => lead.push(format!("Without a mask, {free}. With one, {masked}.")),
    }
    for (mask, masked) in [("Without", false), ("With", true)] {
        let cells = || tallies.iter().filter(|tally| tally.row.is_of_tasks() && tally.masked() == masked);
        let answers: usize = cells().map(|tally| tally.row.decoded).sum();
        let valid: f64 = cells().filter_map(|tally| Some(tally.row.valid_rate? * tally.row.decoded as f64)).sum();
        if answers > 0 {
            lead.push(format!("{mask} a mask, {:.0} of {answers} answers are valid.", valid));
        }
    }
    lead
}

/// How many outputs of some cells were decoded, and how many of these parse.
struct Parses {
    asked: usize,
    decoded: usize,
    read: usize,
}

impl Parses {
    fn of(tallies: &[Tally], masked: bool) -> Parses {
        let cells = || tallies.iter().filter(|tally| tally.masked() == masked);
        Parses {
            asked: cells().map(|tally| tally.outputs).sum(),
            decoded: cells().map(|tally| tally.row.decoded).sum(),
            read: cells().map(|tally| (tally.row.parse_rate * tally.row.decoded as f64).round() as usize).sum(),
        }
    }
}

impl std::fmt::Display for Parses {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Parses { asked, decoded, read } = self;
        let of_these = if read == decoded { "all".to_owned() } else { read.to_string() };
        match decoded {
            0 => write!(f, "none of {asked} outputs could be decoded"),
            _ if decoded < asked => {
                write!(f, "{decoded} of {asked} outputs could be decoded, and {of_these} of these parse")
            }
            _ if read == asked => write!(f, "all {asked} outputs parse"),
            _ => write!(f, "{read} of {asked} outputs parse"),
        }
    }
}

/// The origin of the figures.
pub(super) fn facts(run: &RunData) -> Vec<(String, String)> {
    let file = &run.file;
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let joined = |value: &Value| {
        let pairs = value.as_object().into_iter().flatten();
        pairs.map(|(key, value)| format!("{key} {}", text(value))).collect::<Vec<_>>().join(", ")
    };
    let digests = |value: &Value| {
        let pairs = value.as_object().into_iter().flatten();
        let short = |digest: String| digest.chars().take(12).collect::<String>();
        pairs.map(|(key, value)| format!("{key} {}", short(text(value)))).collect::<Vec<_>>().join(", ")
    };
    let outputs: usize = run.scored.iter().map(Vec::len).sum();
    let settings = &file.settings;
    let experiment = &settings["experiment"];
    let tasks = run.rows.iter().filter(|row| row.is_of_tasks()).count();
    let shortest = if tasks == 0 { "the output without entities" } else { "the shortest output" };
    let mut facts = vec![
        ("Begun".to_string(), file.date.replace('T', " ").replace('Z', " UTC")),
        ("Outputs".into(), format!("{outputs} in {} cells", run.cells.len())),
        ("Machine".into(), joined(&file.machine)),
        ("Device".into(), text(&settings["device"])),
        ("Versions".into(), joined(&file.versions)),
        ("Sampling".into(), joined(&experiment["sampling"])),
        ("Budget".into(), format!("{} tokens beyond those of {shortest}", text(&experiment["budget"]))),
        ("Examples in the prompt".into(), text(&experiment["examples"]["n"])),
        ("Models, SHA-256".into(), digests(&settings["model_sha256"])),
        ("Corpora, SHA-256".into(), digests(&settings["corpus_sha256"])),
    ];
    let overrides = file.overrides.as_object().is_some_and(|overrides| !overrides.is_empty());
    if overrides {
        // A path would only tell about the machine.
        let mut shown = file.overrides.clone();
        if let Some(Value::String(path)) = shown.get_mut("corpus") {
            *path = path.rsplit('/').next().unwrap_or_default().to_string();
        }
        facts.push(("Changed on the command line".into(), joined(&shown)));
    }
    // The prompts of tasks have no examples of a corpus.
    let of_tasks_alone = tasks == run.rows.len();
    facts.retain(|(name, value)| {
        !value.is_empty() && value != "null" && !(of_tasks_alone && name == "Examples in the prompt")
    });
    facts
}
