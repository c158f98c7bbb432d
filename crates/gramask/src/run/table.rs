//! The table at the end of a run.

use comfy_table::{Cell, CellAlignment, LineStyle, Table, presets};

use super::summary::Row;

/// Wider tables are made narrower.
const WIDEST: usize = 160;

/// What stands to the left and the right of a cell, from wide to narrow; a blank between two cells comes on top.
const GAPS: [(u16, u16); 3] = [(1, 1), (0, 1), (0, 0)];

/// A column: its head, what goes first where the table is too wide (0 stays), and a row's cell.
struct Column<'a> {
    head: &'static str,
    spare: u8,
    text: bool,
    cell: Box<dyn Fn(&Row) -> String + 'a>,
}

/// One table of all cells; rates in percent. Model, corpus and strategy have columns only where there are several, and most of
/// what a strategy did has one only where it did it. A table wider than 160 columns is set more narrowly, and then loses
/// precision, recall and what else can be missed best: `summary.csv` has them all.
pub fn table(rows: &[Row]) -> String {
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

fn draw(rows: &[Row], columns: &[Column<'_>], gap: (u16, u16)) -> String {
    let mut table = Table::new();
    table.load_style(presets::UTF8_HORIZONTAL_ONLY.row_separator(LineStyle::none()));
    let aligned = |column: &Column<'_>, text: String| {
        let side = if column.text { CellAlignment::Left } else { CellAlignment::Right };
        Cell::new(text).set_alignment(side)
    };
    table.set_header(columns.iter().map(|column| aligned(column, column.head.into())));
    let mut last: Option<Vec<String>> = None;
    for row in rows {
        let texts: Vec<String> = columns.iter().map(|column| (column.cell)(row)).collect();
        // Names once, above those that they go on to hold for.
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

/// Columns whose cells are left blank where the row above says the same.
const BLANKED: [&str; 2] = ["format", "level"];

fn columns<'a>(rows: &'a [Row]) -> Vec<Column<'a>> {
    let several = |name: fn(&Row) -> &String| rows.iter().any(|row| name(row) != name(&rows[0]));
    // The level tells these two apart.
    let plain = |row: &Row| matches!(row.strategy.as_str(), "unconstrained" | "masked");
    let strategies = rows.iter().any(|row| !plain(row));
    let mut columns: Vec<Column<'a>> = Vec::new();
    let mut name = |shown: bool, head, cell: fn(&Row) -> String| {
        columns.extend(shown.then(|| Column { head, spare: 0, text: true, cell: Box::new(cell) }));
    };
    name(several(|row| &row.model), "model", |row| row.model.clone());
    name(several(|row| &row.corpus), "corpus", |row| row.corpus.clone());
    name(true, "format", |row| row.format.clone());
    name(true, "level", |row| row.level.clone());
    name(strategies, "strategy", |row| row.strategy.clone());

    let mut number = |shown: bool, head, spare, cell: fn(&Row) -> String| {
        let cell = move |row: &Row| match row.documents {
            0 => "-".into(),
            _ => cell(row),
        };
        columns.extend(shown.then(|| Column { head, spare, text: false, cell: Box::new(cell) }));
    };
    let any = |value: fn(&Row) -> f64| rows.iter().any(|row| value(row) != 0.0);
    number(true, "parse\n%", 0, |row| percent(row.parse_rate));
    number(true, "F1", 0, |row| format!("{:.2}", 100.0 * row.f1));
    number(true, "95 %", 6, |row| format!("{:.1}-{:.1}", 100.0 * row.f1_low, 100.0 * row.f1_high));
    number(any(|row| row.seeds.saturating_sub(1) as f64), "seeds", 0, |row| row.seeds.to_string());
    number(true, "P", 8, |row| format!("{:.2}", 100.0 * row.precision));
    number(true, "R", 8, |row| format!("{:.2}", 100.0 * row.recall));
    number(true, "not in\ndoc %", 5, |row| percent(row.not_in_document_rate));
    number(any(|row| row.copy_failure_rate), "copy\nfailed %", 6, |row| percent(row.copy_failure_rate));
    number(true, "cut\noff %", 7, |row| percent(row.truncation_rate));
    number(true, "tok/s", 0, |row| format!("{:.1}", row.tokens_per_second));
    number(true, "docs/s", 0, |row| format!("{:.2}", row.documents_per_second));
    number(true, "mask\nms/tok", 4, |row| masked(row, Some(format!("{:.4}", row.mask_us_per_token / 1000.0))));
    number(any(|row| row.forced_rate), "forced\n%", 0, |row| percent(row.forced_rate));
    number(any(|row| row.drafted_rate), "drafted\n%", 0, |row| percent(row.drafted_rate));
    number(any(|row| row.removed_mass.unwrap_or(0.0)), "removed\n%", 0, |row| {
        masked(row, row.removed_mass.filter(|_| row.all_known()).map(percent))
    });
    number(any(|row| row.log_weight.unwrap_or(0.0)), "log\nweight", 0, |row| {
        masked(row, row.log_weight.map(|weight| format!("{weight:.2}")))
    });
    number(any(|row| row.changed_best_per_output), "arg-max\nchanged", 3, |row| {
        masked(row, (row.known_steps > 0).then(|| format!("{:.2}", row.changed_best_per_output)))
    });
    number(any(|row| row.non_canonical_rate.unwrap_or(0.0)), "non-\ncanon. %", 2, |row| {
        row.non_canonical_rate.map_or("-".into(), percent)
    });
    let changed = rows.iter().any(|row| row.changed_documents.is_some_and(|count| count > 0));
    number(changed, "docs\nchanged", 0, |row| row.changed_documents.map_or("-".into(), |count| count.to_string()));
    columns
}

/// What a mask did; nothing is said of it where there is none, or where it is not known.
fn masked(row: &Row, cell: Option<String>) -> String {
    cell.filter(|_| row.level != "none").unwrap_or("-".into())
}

/// A rate in percent: `100` and `0` only where it is exactly so, never by rounding.
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
    use crate::experiment::{LevelName, StrategyName};
    use crate::run::record::tests::record;
    use crate::run::summary::summarise;
    use gramask_ner::Schema;

    #[test]
    fn a_row_is_a_line_and_exact_rates_are_told_from_rounded_ones() {
        assert_eq!((percent(0.99999), percent(1.0), percent(0.00001)), ("99.99".into(), "100".into(), "0.01".into()));
        assert_eq!((percent(0.0), percent(0.123)), ("0".into(), "12.30".into()));
        let schema = Schema::new(["Disease"]);
        let mut rows: Vec<Row> = [LevelName::None, LevelName::Grounded]
            .map(|level| record(level, "d"))
            .iter()
            .map(|record| summarise(&record.cell, &schema, [record]))
            .collect();
        let text = table(&rows);
        let lines: Vec<&str> = text.lines().filter(|line| line.contains("none") || line.contains("grounded")).collect();
        assert_eq!(lines.len(), 2, "{text}");
        assert!(lines[0].contains("json-list") && !lines[1].contains("json-list"), "{text}");
        assert!(lines[1].contains("100") && lines[1].contains("0.0015"), "{text}");
        // What is the same, zero or unknown everywhere has no column.
        for head in
            ["corpus", "model", "strategy", "copy", "forced", "drafted", "removed", "weight", "canon", "changed"]
        {
            assert!(!text.contains(head), "{head}: {text}");
        }
        rows[1].documents = 0;
        let text = table(&rows);
        let lines: Vec<&str> = text.lines().filter(|line| line.contains("grounded")).collect();
        assert!(lines[0].contains('-') && !lines[0].contains("0.00"), "no figure of no document: {text}");
    }

    /// Rows of all strategies with all that strategies can do.
    fn full() -> Vec<Row> {
        let mut rows = Vec::new();
        for (level, strategy) in [LevelName::None, LevelName::Grounded]
            .into_iter()
            .flat_map(|level| StrategyName::of(level).map(move |strategy| (level, strategy)))
        {
            let mut record = record(level, "d");
            record.cell.strategy = strategy;
            let mut row = summarise(&record.cell, &Schema::new(["Disease"]), [&record]);
            let masked = level != LevelName::None;
            row.corpus = "bc5cdr".into();
            row.format = "inline-bracket".into();
            (row.parse_rate, row.truncation_rate, row.copy_failure_rate) = (0.995, 0.125, 0.465);
            (row.f1, row.precision, row.recall, row.not_in_document_rate) = (0.2345, 0.2, 0.3, 0.611);
            (row.tokens_per_second, row.documents_per_second, row.mask_us_per_token) = (1234.5, 56.78, 1587.0);
            (row.forced_rate, row.drafted_rate) = (0.3333, 0.4444);
            row.removed_mass = masked.then_some(0.1234);
            row.output_tokens = 20;
            row.known_steps = if strategy == StrategyName::Lazy { 1 } else { 20 };
            row.log_weight = (strategy != StrategyName::Jump).then_some(-12.345);
            (row.changed_best_per_output, row.non_canonical_rate) = (3.25, Some(0.0125));
            row.changed_documents = (masked && strategy != StrategyName::Masked).then_some(123);
            rows.push(row);
        }
        rows
    }

    #[test]
    fn what_strategies_did_has_columns_and_the_table_stays_readable() {
        let mut rows = full();
        let text = table(&rows);
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
        let other = rows.clone().into_iter().map(|row| Row {
            corpus: "ncbi-disease".into(),
            model: "smollm2-360m-instruct".into(),
            ..row
        });
        rows.extend(other);
        let text = table(&rows);
        assert!(width(&text) <= WIDEST, "{} columns: {text}", width(&text));
        assert!(!text.contains("cut") && text.contains("F1") && text.contains("weight"), "{text}");
    }
}
