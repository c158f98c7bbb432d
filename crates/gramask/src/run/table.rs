//! The table at the end of a run.

use comfy_table::{Cell, CellAlignment, LineStyle, Table, presets};

use super::summary::Row;

/// One table of all cells; rates in percent. Corpus and model have columns only where there are several, and the share of
/// outputs that do not copy the document where they should has one only where it happened.
pub fn table(rows: &[Row]) -> String {
    let several = |name: fn(&Row) -> &String| rows.iter().any(|row| name(row) != name(&rows[0]));
    let (models, corpora) = (several(|row| &row.model), several(|row| &row.corpus));
    let copies = rows.iter().any(|row| row.copy_failure_rate > 0.0);
    let mut table = Table::new();
    table.load_style(presets::UTF8_HORIZONTAL_ONLY.row_separator(LineStyle::none()));
    let mut head = Vec::new();
    head.extend(models.then_some("model"));
    head.extend(corpora.then_some("corpus"));
    head.extend(["format", "level", "parse %", "F1", "P", "R", "not in doc %"]);
    head.extend(copies.then_some("copy failed %"));
    head.extend(["cut off %", "tok/s", "docs/s", "mask ms/tok"]);
    table.set_header(head);
    let mut last: Option<&Row> = None;
    for row in rows {
        // A format's name once, above its levels.
        let same = |name: fn(&Row) -> &String| last.is_some_and(|last| name(last) == name(row));
        let again = same(|row| &row.format) && same(|row| &row.corpus) && same(|row| &row.model);
        let format = if again { "" } else { &row.format };
        let number = |text: String| Cell::new(text).set_alignment(CellAlignment::Right);
        let figure = |value: f64, digits: usize| match row.documents {
            0 => number("-".into()),
            _ => number(format!("{value:.digits$}")),
        };
        let mut cells = Vec::new();
        cells.extend(models.then(|| Cell::new(&row.model)));
        cells.extend(corpora.then(|| Cell::new(&row.corpus)));
        cells.extend([
            Cell::new(format),
            Cell::new(&row.level),
            number(percent(row.parse_rate, row.documents)),
            figure(100.0 * row.f1, 2),
            figure(100.0 * row.precision, 2),
            figure(100.0 * row.recall, 2),
            number(percent(row.not_in_document_rate, row.documents)),
        ]);
        cells.extend(copies.then(|| number(percent(row.copy_failure_rate, row.documents))));
        cells.extend([
            number(percent(row.truncation_rate, row.documents)),
            figure(row.tokens_per_second, 1),
            figure(row.documents_per_second, 2),
            if row.level == "none" {
                number("-".into())
            } else {
                figure(row.mask_us_per_token / 1000.0, 4)
            },
        ]);
        table.add_row(cells);
        last = Some(row);
    }
    table.to_string()
}

/// A rate in percent: `100` and `0` only where it is exactly so, never by rounding.
fn percent(rate: f64, documents: usize) -> String {
    if documents == 0 {
        return "-".into();
    }
    match rate {
        1.0 => "100".into(),
        0.0 => "0".into(),
        rate => format!("{:.2}", (100.0 * rate).clamp(0.01, 99.99)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::LevelName;
    use crate::run::record::tests::record;
    use crate::run::summary::summarise;
    use gramask_ner::Schema;

    #[test]
    fn a_row_is_a_line_and_exact_rates_are_told_from_rounded_ones() {
        assert_eq!(
            (percent(0.99999, 9), percent(1.0, 9), percent(0.00001, 9)),
            ("99.99".into(), "100".into(), "0.01".into())
        );
        assert_eq!(
            (percent(0.0, 9), percent(1.0, 0), percent(0.123, 9)),
            ("0".into(), "-".into(), "12.30".into())
        );
        let schema = Schema::new(["Disease"]);
        let rows: Vec<Row> = [LevelName::None, LevelName::Grounded]
            .map(|level| record(level, "d"))
            .iter()
            .map(|record| summarise(&record.cell, &schema, [record]))
            .collect();
        let table = table(&rows);
        let lines: Vec<&str> = table
            .lines()
            .filter(|line| line.contains("none") || line.contains("grounded"))
            .collect();
        assert_eq!(lines.len(), 2, "{table}");
        assert!(
            lines[0].contains("json-list") && !lines[1].contains("json-list"),
            "{table}"
        );
        assert!(lines[1].contains("100") && lines[1].contains("0.0015"), "{table}");
        assert!(!table.contains("corpus"), "{table}");
    }
}
