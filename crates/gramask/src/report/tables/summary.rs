//! The table at the end of a run.

use comfy_table::{Cell, CellAlignment, LineStyle, Table, presets};

use crate::evaluate::{COLUMNS, Column, Head, NAMES, SummaryRow, Unit};

/// Wider tables are made narrower.
const WIDEST: usize = 160;

/// What stands in place of the F1 of a cell in which no document could be decoded.
pub(crate) const NOT_DECODED: &str = "not decoded";

/// The padding to the left and the right of a cell, from wide to narrow. A blank between two cells is added.
const GAPS: [(u16, u16); 3] = [(1, 1), (0, 1), (0, 0)];

/// A column to be drawn. Columns with the highest `spare` are left out first; a column with 0 stays.
struct Drawn<'a> {
    head: &'static str,
    spare: u8,
    text: bool,
    cell: Box<dyn Fn(&SummaryRow) -> String + 'a>,
}

/// One table of all cells, with rates in percent. Columns for model, corpus and strategy appear only if there are several, and most
/// columns about strategies only if one is not zero. A table wider than 160 characters first loses padding, and then precision,
/// recall and other columns in the order of [`Head::spare`]. `summary.csv` has all columns.
pub fn summary_table(rows: &[SummaryRow]) -> String {
    let mut columns = columns(rows);
    let mut gaps = GAPS[1..].iter();
    let mut gap = GAPS[0];
    loop {
        let text = draw(rows, &columns, gap);
        let width = text.lines().map(|line| line.chars().count()).max().unwrap_or(0);
        if width <= WIDEST {
            return text;
        }
        match gaps.next() {
            Some(&narrower) => gap = narrower,
            None => {
                let spare = columns.iter().map(|column| column.spare).max().unwrap_or(0);
                if spare == 0 {
                    return text;
                }
                columns.retain(|column| column.spare != spare);
            }
        }
    }
}

fn draw(rows: &[SummaryRow], columns: &[Drawn<'_>], gap: (u16, u16)) -> String {
    let mut table = Table::new();
    table.load_style(presets::UTF8_HORIZONTAL_ONLY.row_separator(LineStyle::none()));
    let aligned = |column: &Drawn<'_>, text: String| {
        let side = if column.text { CellAlignment::Left } else { CellAlignment::Right };
        Cell::new(text).set_alignment(side)
    };
    table.set_header(columns.iter().map(|column| aligned(column, column.head.into())));
    let mut last: Option<Vec<String>> = None;
    for row in rows {
        let texts: Vec<String> = columns.iter().map(|column| (column.cell)(row)).collect();
        // A name is written once for consecutive rows that share it.
        let mut same = last.is_some();
        let shown = columns.iter().enumerate().map(|(i, column)| {
            same &= column.text && last.as_ref().is_some_and(|last| last[i] == texts[i]);
            let blank = same && BLANKED.contains(&column.head);
            aligned(column, if blank { String::new() } else { texts[i].clone() })
        });
        table.add_row(shown);
        last = Some(texts);
    }
    table.column_iter_mut().for_each(|column| {
        column.set_padding(gap);
    });
    table.to_string()
}

/// Columns whose cells are left blank if the row above has the same text.
const BLANKED: [&str; 2] = ["format", "level"];

fn columns(rows: &[SummaryRow]) -> Vec<Drawn<'_>> {
    let all: Vec<&SummaryRow> = rows.iter().collect();
    let names = NAMES.iter().filter(|name| (name.tells)(&all)).map(|name| Drawn {
        head: name.name,
        spare: 0,
        text: true,
        cell: Box::new(move |row| (name.of)(row).to_string()),
    });
    let figures = Column::of(COLUMNS, |column| column.terminal).into_iter();
    let figures = figures.filter(|(column, head)| column.is_shown(head, rows)).map(|(column, head)| Drawn {
        head: head.title,
        spare: head.spare,
        text: false,
        cell: Box::new(move |row| match row.documents {
            0 => "-".into(),
            _ => figure(column, &head, row),
        }),
    });
    names.chain(figures).collect()
}

/// The text of a row and a column.
fn figure(column: &Column, head: &Head, row: &SummaryRow) -> String {
    if head.leading && row.decoded_nothing() {
        return NOT_DECODED.into();
    }
    let Some(value) = column.shown(row) else { return "-".into() };
    if let Some(upper_end) = head.upper_end {
        return format!("{:.1}-{:.1}", 100.0 * value, 100.0 * upper_end(row));
    }
    let digits = head.digits;
    match column.unit {
        Unit::Share => percent(value),
        Unit::Score => format!("{:.digits$}", 100.0 * value),
        Unit::Microseconds => format!("{:.digits$}", value / 1000.0),
        Unit::Count | Unit::PerSecond | Unit::PerOutput | Unit::Seconds | Unit::Nats => format!("{value:.digits$}"),
    }
}

/// A rate in percent. It is `100` or `0` only if it is exactly that, and never by rounding.
fn percent(rate: f64) -> String {
    match rate {
        1.0 => "100".into(),
        0.0 => "0".into(),
        rate => format!("{:.2}", (100.0 * rate).clamp(0.01, 99.99)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluate::summarise;
    use crate::experiment::StrategyName;
    use crate::report::tables::summary_csv;
    use crate::store::{Fault, FaultKind, record_for_tests as record};
    use gramask_grammar::Level;
    use gramask_ner::Schema;

    #[test]
    fn a_row_is_a_line_and_exact_rates_are_told_from_rounded_ones() {
        assert_eq!((percent(0.99999), percent(1.0), percent(0.00001)), ("99.99".into(), "100".into(), "0.01".into()));
        assert_eq!((percent(0.0), percent(0.123)), ("0".into(), "12.30".into()));
        let schema = Schema::new(["Disease"]);
        let mut rows: Vec<SummaryRow> = [Level::None, Level::Grounded]
            .map(|level| record(level, "d"))
            .iter()
            .map(|record| summarise(&record.cell, &schema, [record]))
            .collect();
        let text = summary_table(&rows);
        let lines: Vec<&str> = text.lines().filter(|line| line.contains("none") || line.contains("grounded")).collect();
        assert_eq!(lines.len(), 2, "{text}");
        assert!(lines[0].contains("json-list") && !lines[1].contains("json-list"), "{text}");
        assert!(lines[1].contains("100") && lines[1].contains("0.0015"), "{text}");
        assert!(!text.contains("decoded"), "{text}");
        // What is the same, zero or unknown everywhere has no column.
        for head in
            ["corpus", "model", "strategy", "copy", "forced", "drafted", "removed", "weight", "canon", "changed"]
        {
            assert!(!text.contains(head), "{head}: {text}");
        }
        rows[1].documents = 0;
        let text = summary_table(&rows);
        let lines: Vec<&str> = text.lines().filter(|line| line.contains("grounded")).collect();
        assert!(lines[0].contains('-') && !lines[0].contains("0.00"), "no figure of no document: {text}");
    }

    #[test]
    fn a_cell_that_decoded_nothing_has_no_figure() {
        let records = ["a", "b"].map(|id| {
            let mut record = record(Level::Grounded, id);
            (record.finish, record.parsed, record.independent) = (None, false, None);
            let why = "the prompt is too long".into();
            record.errors = vec![Fault { kind: FaultKind::NotDecoded, label: None, message: why }];
            record
        });
        let row = summarise(&records[0].cell, &Schema::new(["Disease"]), &records);
        assert!(row.decoded_nothing() && (row.documents, row.not_decoded, row.decoded) == (2, 2, 0));
        let text = summary_table(std::slice::from_ref(&row));
        let line = text.lines().find(|line| line.contains("grounded")).unwrap();
        assert!(line.contains("not decoded") && !line.contains("0.00"), "{text}");
        assert_eq!(text.matches("decoded").count(), 2, "a column says how many: {text}");
        let csv = summary_csv(&[row]).unwrap();
        let lines: Vec<Vec<&str>> = csv.lines().map(|line| line.split(',').collect()).collect();
        let value = |name: &str| lines[1][lines[0].iter().position(|column| *column == name).unwrap()];
        assert_eq!(["documents", "not_decoded", "decoded", "wall_s"].map(value), ["2", "2", "0", "1.0"]);
        assert_eq!(["f1", "parse_rate", "tokens_per_second", "f1_low", "removed_nats"].map(value), [""; 5]);
    }

    /// Rows of all strategies with all that strategies can do.
    fn full() -> Vec<SummaryRow> {
        let mut rows = Vec::new();
        for (level, strategy) in [Level::None, Level::Grounded]
            .into_iter()
            .flat_map(|level| StrategyName::of(level).map(move |strategy| (level, strategy)))
        {
            let mut record = record(level, "d");
            record.cell.strategy = strategy;
            let mut row = summarise(&record.cell, &Schema::new(["Disease"]), [&record]);
            let masked = level != Level::None;
            row.corpus = "bc5cdr".into();
            row.format = "inline-bracket".into();
            (row.parse_rate, row.truncation_rate, row.copy_failure_rate) = (0.995, 0.125, 0.465);
            (row.f1, row.precision, row.recall, row.not_in_document_rate) = (0.2345, 0.2, 0.3, 0.611);
            (row.tokens_per_second, row.documents_per_second, row.mask_us_per_token) = (1234.5, 56.78, 1587.0);
            (row.forced_rate, row.drafted_rate) = (0.3333, 0.4444);
            row.removed_mass = masked.then_some(0.1234);
            row.output_tokens = 20;
            row.known_steps = if strategy.as_str() == "lazy" { 1 } else { 20 };
            row.log_weight = (strategy.as_str() != "jump").then_some(-12.345);
            (row.changed_best_per_output, row.non_canonical_rate) = (3.25, Some(0.0125));
            row.changed_documents = (masked && strategy != StrategyName::MASKED).then_some(123);
            rows.push(row);
        }
        rows
    }

    #[test]
    fn what_strategies_did_has_columns_and_the_table_stays_readable() {
        let mut rows = full();
        let text = summary_table(&rows);
        for head in ["strategy", "forced", "drafted", "removed", "weight", "arg-max", "canon", "changed", "docs/s"] {
            assert!(text.contains(head), "{head}: {text}");
        }
        let line = |name: &str| text.lines().find(|line| line.contains(name)).unwrap().to_string();
        let of_jump: Vec<String> = line("jump").split_whitespace().map(String::from).collect();
        let tail = ["33.33", "44.44", "12.34", "-", "3.25", "1.25", "123"];
        assert_eq!(of_jump[of_jump.len() - 7..], tail, "{text}");
        let of_lazy: Vec<String> = line("lazy").split_whitespace().map(String::from).collect();
        assert_eq!(of_lazy[of_lazy.len() - 5], "-", "known of a part of the steps: {text}");
        assert!(!line("retry").contains("12.34 "), "no mask at level none: {text}");
        assert_eq!(line("unconstrained").matches("inline-bracket").count(), 1);
        assert!(!line("repair").contains("inline-bracket") && !line("repair").contains("none"), "{text}");

        let width = |text: &str| text.lines().map(|line| line.chars().count()).max().unwrap();
        assert!(width(&text) <= WIDEST, "{}", width(&text));
        assert!(text.contains("cut") && !text.contains(" P "), "precision goes first: {text}");
        // Two corpora and two models leave still less room.
        let other = rows.clone().into_iter().map(|row| SummaryRow {
            corpus: "ncbi-disease".into(),
            model: "smollm2-360m-instruct".into(),
            ..row
        });
        rows.extend(other);
        let text = summary_table(&rows);
        assert!(width(&text) <= WIDEST, "{} columns: {text}", width(&text));
        assert!(!text.contains("cut") && text.contains("F1") && text.contains("weight"), "{text}");
    }
}
