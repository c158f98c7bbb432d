//! What is known of a column of `summary.csv`, and how the tables and the report show it.

use super::SummaryRow;

/// What a column measures. The unit decides how a value is written for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A number of things.
    Count,
    /// A share from 0 to 1. Shown in percent, as 0 or 100 only where it is exactly so.
    Share,
    /// An F1, a precision or a recall from 0 to 1. Shown in percent.
    Score,
    /// So many per second.
    PerSecond,
    /// So many per output or document.
    PerOutput,
    /// Seconds.
    Seconds,
    /// Microseconds. Shown in milliseconds.
    Microseconds,
    /// Natural logarithms.
    Nats,
}

impl Unit {
    /// Whether a value counts or times what was done. Other values are figures of outputs, and unknown without any.
    pub(super) fn is_tally(self) -> bool {
        matches!(self, Unit::Count | Unit::Seconds)
    }

    /// The unit in words, as the files have the values.
    pub fn words(self) -> &'static str {
        match self {
            Unit::Count => "number",
            Unit::Share => "share, 0 to 1",
            Unit::Score => "0 to 1",
            Unit::PerSecond => "per second",
            Unit::PerOutput => "per output",
            Unit::Seconds => "s",
            Unit::Microseconds => "µs",
            Unit::Nats => "nats",
        }
    }
}

/// When a table shows a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Show {
    /// Always.
    Always,
    /// Where some row has a value other than 0.
    NonZero,
    /// Where some row has a value.
    Known,
    /// Where some row has a value above 1.
    Several,
}

/// How a table shows a column.
#[derive(Clone, Copy, Debug)]
pub struct Head {
    /// The place of the column among those of the table.
    pub place: u8,
    /// What stands above the column.
    pub title: &'static str,
    /// What the column means here, where the unit or the wording differs from the file's.
    pub meaning: Option<&'static str>,
    /// Digits after the point, for the units that do not fix them.
    pub digits: usize,
    /// When the table has the column.
    pub show: Show,
    /// Which columns a table that is too wide leaves out first: those of the highest number. A column of 0 stays.
    pub spare: u8,
    /// Whether a value is shown as the lower end of an interval, of which this is the upper end.
    pub upper_end: Option<fn(&SummaryRow) -> f64>,
    /// Whether the interval of F1 is drawn beside the value, and the highest value is marked.
    pub ranked: bool,
    /// Whether a cell that decoded nothing says so in this column.
    pub leading: bool,
}

impl Head {
    /// A head at this place, with this title, which is always shown.
    pub const fn new(place: u8, title: &'static str) -> Head {
        Head {
            place,
            title,
            meaning: None,
            digits: 2,
            show: Show::Always,
            spare: 0,
            upper_end: None,
            ranked: false,
            leading: false,
        }
    }

    pub(super) const fn meaning(self, meaning: &'static str) -> Head {
        Head { meaning: Some(meaning), ..self }
    }

    pub(super) const fn digits(self, digits: usize) -> Head {
        Head { digits, ..self }
    }

    pub(super) const fn when(self, show: Show) -> Head {
        Head { show, ..self }
    }

    pub(super) const fn spare(self, spare: u8) -> Head {
        Head { spare, ..self }
    }

    pub(super) const fn up_to(self, upper_end: fn(&SummaryRow) -> f64) -> Head {
        Head { upper_end: Some(upper_end), ..self }
    }

    pub(super) const fn ranked(self) -> Head {
        Head { ranked: true, ..self }
    }

    pub(super) const fn leading(self) -> Head {
        Head { leading: true, ..self }
    }
}

/// A column of `summary.csv`.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// Its name in the file.
    pub name: &'static str,
    /// What it measures.
    pub unit: Unit,
    /// What it means.
    pub meaning: &'static str,
    /// How the table of the terminal shows it, if at all.
    pub terminal: Option<Head>,
    /// How the report shows it, if at all.
    pub report: Option<Head>,
    value: fn(&SummaryRow) -> Option<f64>,
    applies: fn(&SummaryRow) -> bool,
    /// Whether it is a figure of entities, which tables of tasks do not have.
    of_entities: bool,
}

impl Column {
    pub(super) const fn new(
        name: &'static str,
        unit: Unit,
        meaning: &'static str,
        value: fn(&SummaryRow) -> Option<f64>,
    ) -> Column {
        Column { name, unit, meaning, terminal: None, report: None, value, applies: |_| true, of_entities: false }
    }

    pub(super) const fn terminal(self, head: Head) -> Column {
        Column { terminal: Some(head), ..self }
    }

    pub(super) const fn report(self, head: Head) -> Column {
        Column { report: Some(head), ..self }
    }

    /// The tables show a value only in the rows for which this holds.
    pub(super) const fn only(self, applies: fn(&SummaryRow) -> bool) -> Column {
        Column { applies, ..self }
    }

    /// It is a figure of entities.
    pub(super) const fn of_entities(self) -> Column {
        Column { of_entities: true, ..self }
    }

    /// The value as the file has it; none where it is not known.
    pub fn value(&self, row: &SummaryRow) -> Option<f64> {
        (self.value)(row).filter(|_| self.is_known(row))
    }

    /// Whether a row can have a value: a cell that decoded nothing has counts and times, and no other figures.
    pub fn is_known(&self, row: &SummaryRow) -> bool {
        self.unit.is_tally() || !row.decoded_nothing()
    }

    /// The value that tables show; none where it is not known or would mislead.
    pub fn shown(&self, row: &SummaryRow) -> Option<f64> {
        self.value(row).filter(|_| (self.applies)(row) && !(self.of_entities && row.is_of_tasks()))
    }

    /// Whether a table of these rows has the column.
    pub fn is_shown<'a>(&self, head: &Head, rows: impl IntoIterator<Item = &'a SummaryRow, IntoIter: Clone>) -> bool {
        let rows = rows.into_iter();
        if self.of_entities && rows.clone().next().is_some() && rows.clone().all(SummaryRow::is_of_tasks) {
            return false;
        }
        let mut values = rows.map(|row| self.value(row));
        match head.show {
            Show::Always => true,
            Show::NonZero => values.any(|value| value.is_some_and(|value| value != 0.0)),
            Show::Known => values.any(|value| value.is_some()),
            Show::Several => values.any(|value| value.is_some_and(|value| value > 1.0)),
        }
    }

    /// The columns that a table has, in its order, each with its head.
    pub fn of(columns: &'static [Column], table: fn(&Column) -> Option<Head>) -> Vec<(&'static Column, Head)> {
        let mut of_table: Vec<_> = columns.iter().filter_map(|column| Some((column, table(column)?))).collect();
        of_table.sort_by_key(|(_, head)| head.place);
        of_table
    }
}

/// A column with a name of the cell.
#[derive(Clone, Copy, Debug)]
pub struct Name {
    /// The column's name, and what stands above it.
    pub name: &'static str,
    /// What it means.
    pub meaning: &'static str,
    /// The name in a row.
    pub of: fn(&SummaryRow) -> &str,
    /// Whether it tells the rows of a table apart.
    pub tells: fn(&[&SummaryRow]) -> bool,
}

/// The names of a cell, in their order in the files.
pub static NAMES: [Name; 5] = [
    Name { name: "model", meaning: "The model", of: |row| &row.model, tells: |rows| differ(rows, |row| &row.model) },
    Name {
        name: "corpus",
        meaning: "The corpus",
        of: |row| &row.corpus,
        tells: |rows| differ(rows, |row| &row.corpus),
    },
    Name { name: "format", meaning: "The format of the output", of: |row| &row.format, tells: |_| true },
    Name {
        name: "level",
        meaning: "none: no constraint; syntax: the output parses; grounded: it parses, and is true of the document",
        of: |row| &row.level,
        tells: |_| true,
    },
    Name {
        name: "strategy",
        meaning: "How tokens were chosen",
        of: |row| &row.strategy,
        // The level tells these two apart.
        tells: |rows| !rows.iter().all(|row| matches!(row.strategy.as_str(), "unconstrained" | "masked")),
    },
];

fn differ(rows: &[&SummaryRow], name: fn(&SummaryRow) -> &str) -> bool {
    rows.iter().any(|row| name(row) != name(rows[0]))
}
