//! The first table of a report: a line for each cell.

use serde::Serialize;

use super::tables::NOT_DECODED;
use super::tally::Tally;
use crate::evaluate::metrics::{self, COLUMNS, Head, NAMES, Name, SummaryRow, Unit};

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
    /// Its title.
    pub head: String,
    /// What it means.
    pub meaning: String,
    /// Whether it holds numbers.
    pub numeric: bool,
}

/// A value in a line and a column.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Entry {
    /// The text that is shown.
    pub text: String,
    /// The value to sort by. Lines without one are last.
    pub key: Option<f64>,
    /// An interval that is drawn: lower end, value and upper end.
    pub interval: Option<[f64; 3]>,
    /// Whether the value is marked as the best.
    pub best: bool,
}

impl Entry {
    /// A text.
    pub fn text(text: impl Into<String>) -> Entry {
        Entry { text: text.into(), ..Entry::default() }
    }

    /// A number with so many digits after the point.
    pub fn number(value: f64, digits: usize) -> Entry {
        Entry {
            // Adding 0 turns -0 into 0.
            text: format!("{:.digits$}", value + 0.0),
            key: Some(value),
            ..Entry::default()
        }
    }

    /// A share in percent. It is `100` or `0` only if it is exactly that, and never by rounding.
    pub fn percent(share: f64) -> Entry {
        let text = match share {
            1.0 => "100".into(),
            0.0 => "0".into(),
            share => format!("{:.1}", (100.0 * share).clamp(0.1, 99.9)),
        };
        Entry { text, key: Some(share), ..Entry::default() }
    }
}

/// The table of these cells. A column that would be the same, zero or unknown in all lines is left out.
pub fn headline(tallies: &[Tally]) -> Table {
    let rows: Vec<&SummaryRow> = tallies.iter().map(|tally| &tally.row).collect();
    let best = rows.iter().map(|row| row.f1).fold(0.0, f64::max);
    let names: Vec<&Name> = NAMES.iter().filter(|name| (name.tells)(&rows)).collect();
    let figures = metrics::Column::of(COLUMNS, |column| column.report).into_iter();
    let figures: Vec<(&metrics::Column, Head)> =
        figures.filter(|(column, head)| column.is_shown(head, rows.iter().copied())).collect();
    let line = |row: &&SummaryRow| {
        let named = names.iter().map(|name| Entry::text((name.of)(row)));
        named.chain(figures.iter().map(|(column, head)| entry(column, head, row, best))).collect()
    };
    let lines: Vec<Vec<Entry>> = rows.iter().map(line).collect();
    let of_names = names.iter().map(|name| (name.name, name.meaning));
    let heads =
        of_names.chain(figures.iter().map(|(column, head)| (head.title, head.meaning.unwrap_or(column.meaning))));
    let columns = heads.enumerate().map(|(place, (head, meaning))| Column {
        // No line break before a unit.
        head: head.replace(" %", "\u{a0}%"),
        meaning: meaning.into(),
        numeric: lines.iter().any(|line| line[place].key.is_some()),
    });
    Table { columns: columns.collect(), rows: lines }
}

/// The entry of a row and a column.
fn entry(column: &metrics::Column, head: &Head, row: &SummaryRow, best: f64) -> Entry {
    if head.leading && row.decoded_nothing() {
        return Entry::text(NOT_DECODED);
    }
    let Some(value) = column.shown(row) else { return Entry::text("–") };
    if let Some(upper_end) = head.upper_end {
        let text = format!("{:.1}–{:.1}", 100.0 * value, 100.0 * upper_end(row));
        return Entry { text, key: Some(value), ..Entry::default() };
    }
    let entry = match column.unit {
        Unit::Share => Entry::percent(value),
        Unit::Score => Entry::number(100.0 * value, head.digits),
        Unit::Microseconds => Entry::number(value / 1000.0, head.digits),
        Unit::Count | Unit::PerSecond | Unit::PerOutput | Unit::Seconds | Unit::Nats => {
            Entry::number(value, head.digits)
        }
    };
    match head.ranked {
        true => Entry { interval: Some([row.f1_low, row.f1, row.f1_high]), best: value == best && best > 0.0, ..entry },
        false => entry,
    }
}
