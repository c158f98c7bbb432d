//! What was compared and found, for people and for programs.

use comfy_table::{Cell, CellAlignment, LineStyle, Table, presets};
use serde::Serialize;

use super::{Difference, Tally};

/// The comparison of a format and level over all documents.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// The format.
    pub format: String,
    /// The level.
    pub level: String,
    /// What was compared.
    #[serde(flatten)]
    pub tally: Tally,
    /// Seconds by the wall clock.
    pub seconds: f64,
    /// The first differences.
    pub first: Vec<Difference>,
}

/// A table, with a line for all.
pub fn to_table(rows: &[Row]) -> String {
    let mut table = Table::new();
    table.load_style(presets::UTF8_HORIZONTAL_ONLY.row_separator(LineStyle::none()));
    table.set_header([
        "format",
        "level",
        "documents",
        "no output",
        "states",
        "masks",
        "tokens compared",
        "differences",
        "seconds",
    ]);
    let mut all = Tally::default();
    let mut seconds = 0.0;
    let mut line = |format: &str, level: &str, tally: &Tally, seconds: f64| {
        let number = |text: String| Cell::new(text).set_alignment(CellAlignment::Right);
        table.add_row([
            Cell::new(format),
            Cell::new(level),
            number(tally.documents.to_string()),
            number(tally.without.to_string()),
            number(tally.states.to_string()),
            number(tally.masks.to_string()),
            number(thousands(tally.tokens)),
            number(tally.differences.to_string()),
            number(format!("{seconds:.1}")),
        ]);
    };
    let mut last = "";
    for row in rows {
        // A format's name once, above its levels.
        let format = if last == row.format { "" } else { row.format.as_str() };
        line(format, &row.level, &row.tally, row.seconds);
        last = &row.format;
        all += row.tally;
        seconds += row.seconds;
    }
    line("all", "", &all, seconds);
    table.to_string()
}

/// A CSV file of the counts; the differences themselves are only in the JSON.
///
/// # Errors
/// None in practice: the rows are written to memory.
pub fn to_csv(rows: &[Row]) -> Result<String, csv::Error> {
    let mut out = csv::Writer::from_writer(Vec::new());
    out.write_record([
        "format",
        "level",
        "documents",
        "without_output",
        "states",
        "masks",
        "tokens",
        "differences",
        "seconds",
    ])?;
    for row in rows {
        let tally = &row.tally;
        let counts = [tally.documents, tally.without, tally.states, tally.masks, tally.tokens, tally.differences];
        let names = [row.format.clone(), row.level.clone()];
        let fields = names.into_iter().chain(counts.map(|count| count.to_string()));
        out.write_record(fields.chain([format!("{:.3}", row.seconds)]))?;
    }
    let bytes = out.into_inner().map_err(|error| error.into_error())?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// `1234567` as `1,234,567`.
fn thousands(number: usize) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_added_up() {
        let row = |format: &str, level: &str, masks| Row {
            format: format.into(),
            level: level.into(),
            tally: Tally { documents: 2, masks, tokens: masks * 49_152, ..Tally::default() },
            seconds: 0.25,
            first: Vec::new(),
        };
        let rows = [row("lines", "syntax", 3), row("lines", "grounded", 40)];
        let table = to_table(&rows);
        assert!(table.contains("2,113,536") && table.matches("lines").count() == 1, "{table}");
        let csv = to_csv(&rows).unwrap();
        assert_eq!(csv.lines().nth(2), Some("lines,grounded,2,0,0,40,1966080,0,0.250"));
        assert_eq!(thousands(7), "7");
        assert_eq!(thousands(1000), "1,000");
    }
}
