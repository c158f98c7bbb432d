//! The table at the head of a report: a line for each cell, the columns that people want first.

use serde::Serialize;

use super::tally::Tally;
use crate::run::Row;

/// A table that the page can sort.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Table {
    /// The columns.
    pub columns: Vec<Column>,
    /// The lines.
    pub rows: Vec<Vec<Entry>>,
}

/// A column.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Column {
    /// What stands above it.
    pub head: String,
    /// What it means.
    pub meaning: String,
    /// Whether it holds numbers.
    pub numeric: bool,
}

/// What stands in a line under a column.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Entry {
    /// What is shown.
    pub text: String,
    /// What the line is sorted by; none sorts last.
    pub key: Option<f64>,
    /// The interval of a share, to be drawn.
    pub interval: Option<[f64; 3]>,
    /// Whether it is the best of its column.
    pub best: bool,
}

impl Entry {
    /// A text.
    pub fn text(text: impl Into<String>) -> Entry {
        Entry { text: text.into(), ..Entry::default() }
    }

    /// A number with so many digits behind the point.
    pub fn number(value: f64, digits: usize) -> Entry {
        Entry {
            // Adding 0 keeps nothing from being written as -0.
            text: format!("{:.digits$}", value + 0.0),
            key: Some(value),
            ..Entry::default()
        }
    }

    /// A number, or a dash where there is none.
    pub fn optional(value: Option<f64>, digits: usize) -> Entry {
        value.map_or(Entry::text("–"), |value| Entry::number(value, digits))
    }

    /// A share in percent: `100` and `0` only where it is exactly so, never by rounding.
    pub fn percent(share: f64) -> Entry {
        let text = match share {
            1.0 => "100".into(),
            0.0 => "0".into(),
            share => format!("{:.1}", (100.0 * share).clamp(0.1, 99.9)),
        };
        Entry { text, key: Some(share), ..Entry::default() }
    }
}

/// A column to be filled.
struct Filled<'a> {
    head: &'a str,
    meaning: &'a str,
    shown: bool,
    entry: Box<dyn Fn(&Tally) -> Entry + 'a>,
}

/// The table of these cells. What is the same, zero or unknown everywhere has no column.
pub fn headline(tallies: &[Tally]) -> Table {
    let any = |value: fn(&Row) -> f64| tallies.iter().any(|tally| value(&tally.row) != 0.0);
    let several = |name: fn(&Tally) -> &String| tallies.iter().any(|tally| name(tally) != name(&tallies[0]));
    let plain = |tally: &Tally| matches!(tally.row.strategy.as_str(), "unconstrained" | "masked");
    let column = |shown, head, meaning, entry: Box<dyn Fn(&Tally) -> Entry>| Filled { head, meaning, shown, entry };
    let name = |shown, head, meaning, name: fn(&Tally) -> &String| {
        column(shown, head, meaning, Box::new(move |tally| Entry::text(name(tally))))
    };
    let best = tallies.iter().map(|tally| tally.row.f1).fold(0.0, f64::max);
    let columns = [
        name(several(|tally| &tally.cell.model), "model", "The model", |tally| &tally.cell.model),
        name(several(|tally| &tally.cell.corpus), "corpus", "The corpus", |tally| &tally.cell.corpus),
        name(true, "format", "The format of the output", |tally| &tally.cell.format),
        name(
            true,
            "level",
            "none: no constraint; syntax: the output parses; grounded: it parses, and is true of the document",
            |tally| &tally.row.level,
        ),
        name(!tallies.iter().all(plain), "strategy", "How tokens were chosen", |tally| &tally.row.strategy),
        column(
            true,
            "F1",
            "Strict F1 in percent, with its 95 % interval by a bootstrap over the documents",
            Box::new(move |tally| {
                let row = &tally.row;
                Entry {
                    interval: Some([row.f1_low, row.f1, row.f1_high]),
                    best: row.f1 == best && best > 0.0,
                    ..Entry::number(100.0 * row.f1, 1)
                }
            }),
        ),
        column(
            true,
            "95 %",
            "The interval of F1",
            Box::new(|tally| Entry {
                text: format!("{:.1}–{:.1}", 100.0 * tally.row.f1_low, 100.0 * tally.row.f1_high),
                key: Some(tally.row.f1_low),
                ..Entry::default()
            }),
        ),
        column(
            any(|row| row.seeds.saturating_sub(1) as f64),
            "sd of seeds",
            "The standard deviation of F1 over the seeds of sampling, in points",
            Box::new(|tally| Entry::optional(tally.row.f1_seeds_sd.map(|sd| 100.0 * sd), 1)),
        ),
        column(true, "P", "Strict precision, %", Box::new(|tally| Entry::number(100.0 * tally.row.precision, 1))),
        column(true, "R", "Strict recall, %", Box::new(|tally| Entry::number(100.0 * tally.row.recall, 1))),
        column(
            true,
            "parses %",
            "The share of outputs that the strict reader parses",
            Box::new(|tally| Entry::percent(tally.row.parse_rate)),
        ),
        column(
            any(|row| row.not_in_document_rate),
            "not in doc %",
            "The share of predicted entities whose text the document does not hold",
            Box::new(|tally| Entry::percent(tally.row.not_in_document_rate)),
        ),
        column(
            any(|row| row.copy_failure_rate),
            "copy failed %",
            "The share of outputs whose copied text is not the document",
            Box::new(|tally| Entry::percent(tally.row.copy_failure_rate)),
        ),
        column(
            any(|row| row.truncation_rate),
            "cut off %",
            "The share of outputs that the budget or the context ended",
            Box::new(|tally| Entry::percent(tally.row.truncation_rate)),
        ),
        column(
            any(|row| row.documents_per_second),
            "docs/s",
            "Documents per second of wall clock",
            Box::new(|tally| Entry::number(tally.row.documents_per_second, 2)),
        ),
        column(
            any(|row| row.tokens_per_second),
            "tok/s",
            "Output tokens per second of wall clock, prompts included in the time",
            Box::new(|tally| Entry::number(tally.row.tokens_per_second, 0)),
        ),
        column(
            any(|row| row.removed_mass.unwrap_or(0.0)),
            "removed %",
            "The probability that the mask removed, on average over the tokens that the model was asked about",
            Box::new(|tally| tally.removed().map_or(Entry::text("–"), Entry::percent)),
        ),
        column(
            any(|row| row.log_weight.unwrap_or(0.0)),
            "log weight",
            "The logarithm of the output's importance weight, in nats, on average",
            Box::new(|tally| Entry::optional(tally.row.log_weight.filter(|_| tally.masked()), 2)),
        ),
        column(
            any(|row| row.changed_best_per_output),
            "arg-max changed",
            "Steps per output at which the mask refused the model's likeliest token",
            Box::new(|tally| {
                let known = tally.masked() && tally.row.known_steps > 0;
                Entry::optional(known.then_some(tally.row.changed_best_per_output), 2)
            }),
        ),
        column(
            any(|row| row.forced_rate),
            "forced %",
            "The share of output tokens that were appended without asking the model",
            Box::new(|tally| Entry::percent(tally.row.forced_rate)),
        ),
        column(
            any(|row| row.drafted_rate),
            "drafted %",
            "The share of output tokens that were proposed without the model and confirmed by it",
            Box::new(|tally| Entry::percent(tally.row.drafted_rate)),
        ),
        column(
            tallies.iter().any(|tally| tally.row.changed_documents.is_some()),
            "docs changed",
            "Documents whose entities differ from those of the strategy masked",
            Box::new(|tally| Entry::optional(tally.row.changed_documents.map(|count| count as f64), 0)),
        ),
    ];
    fill(columns.into_iter().filter(|column| column.shown).collect(), tallies)
}

fn fill(columns: Vec<Filled<'_>>, tallies: &[Tally]) -> Table {
    let rows = tallies.iter().map(|tally| columns.iter().map(|column| (column.entry)(tally)).collect());
    let rows: Vec<Vec<Entry>> = rows.collect();
    let heads = columns.iter().enumerate().map(|(place, column)| Column {
        // A unit stays with its word.
        head: column.head.replace(" %", "\u{a0}%"),
        meaning: column.meaning.into(),
        numeric: rows.iter().any(|row| row[place].key.is_some()),
    });
    Table { columns: heads.collect(), rows }
}
