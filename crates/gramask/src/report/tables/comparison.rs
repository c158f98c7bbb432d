//! Comparisons as a table and as CSV.

use comfy_table::{Cell as TableCell, CellAlignment, LineStyle, Table, presets};
use gramask_ner::metrics::Interval;
use serde::Serialize;

use crate::evaluate::{Comparison, Metric};
use crate::experiment::Cell;

/// A table of comparisons, in percent and points. A difference that is significant at 5 % is marked `*`. Models are named if there are
/// several, and metrics if there is another than F1.
pub fn comparisons_table(comparisons: &[Comparison]) -> String {
    let mut table = Table::new();
    table.load_style(presets::UTF8_HORIZONTAL_ONLY.row_separator(LineStyle::none()));
    let other_metrics = comparisons.iter().any(|comparison| comparison.metric != Metric::F1);
    let f1 = comparisons.iter().any(|comparison| comparison.metric == Metric::F1);
    let mut heads = vec!["cell", "against"];
    if other_metrics {
        heads.push("metric");
    }
    let names = heads.len();
    heads.extend(["docs", if other_metrics { "%" } else { "F1" }, "against", "difference", "95 %", "p", "p Holm"]);
    if f1 {
        heads.extend(["parse", "copy", "count", "recognition"]);
    }
    let aligned = |column: usize, text: String| {
        let alignment = if column < names { CellAlignment::Left } else { CellAlignment::Right };
        TableCell::new(text).set_alignment(alignment)
    };
    let models = |comparison: &Comparison| [comparison.cell.model.clone(), comparison.against.model.clone()];
    let first = comparisons.first().map(models);
    let several = comparisons.iter().any(|comparison| Some(models(comparison)) != first);
    table.set_header(heads.iter().enumerate().map(|(at, head)| aligned(at, (*head).into())));
    for comparison in comparisons {
        let Comparison { cell, against, gap, .. } = comparison;
        let points = |value: f64| format!("{:+.2}", 100.0 * value + 0.0);
        let part = |pick: fn(&gramask_ner::metrics::Gap) -> Interval| match gap {
            Some(gap) => points(pick(gap).value),
            None => "-".into(),
        };
        let mut row = vec![named(cell, several), what_differs(against, cell)];
        if other_metrics {
            row.push(comparison.metric.title().into());
        }
        row.extend([
            comparison.documents.to_string(),
            format!("{:.2}", 100.0 * comparison.figure.value),
            format!("{:.2}", 100.0 * comparison.against_figure.value),
            points(comparison.difference.value),
            format!("{:+.1} to {:+.1}", 100.0 * comparison.difference.low, 100.0 * comparison.difference.high),
            probability(comparison.p),
            format!("{}{}", probability(comparison.p_holm), if comparison.p_holm < 0.05 { " *" } else { "  " }),
        ]);
        if f1 {
            row.extend([
                part(|gap| gap.parts.parse),
                part(|gap| gap.parts.copy),
                part(|gap| gap.parts.count),
                part(|gap| gap.parts.recognition),
            ]);
        }
        table.add_row(row.into_iter().enumerate().map(|(at, text)| aligned(at, text)));
    }
    table.to_string()
}

/// The name of a cell, with its model if there are several.
fn named(cell: &Cell, several: bool) -> String {
    match several {
        true => format!("{} {cell}", cell.model),
        false => cell.to_string(),
    }
}

/// The names in which the other cell differs.
fn what_differs(other: &Cell, cell: &Cell) -> String {
    let names =
        |cell: &Cell| [cell.model.clone(), cell.format.clone(), cell.level.to_string(), cell.strategy.to_string()];
    let (there, here) = (names(other), names(cell));
    let differing = there.into_iter().zip(here).filter(|(there, here)| there != here);
    differing.map(|(there, _)| there).collect::<Vec<_>>().join(" ")
}

/// Four digits are the resolution of 10,000 shuffles.
fn probability(p: f64) -> String {
    if p < 0.00005 { "<0.0001".into() } else { format!("{p:.4}") }
}

/// A line of `comparisons.csv`.
#[derive(Serialize)]
struct Line<'a> {
    corpus: &'a str,
    model: &'a str,
    format: &'a str,
    level: &'a str,
    strategy: &'a str,
    against_model: &'a str,
    against_format: &'a str,
    against_level: &'a str,
    against_strategy: &'a str,
    metric: &'a str,
    documents: usize,
    figure: f64,
    figure_low: f64,
    figure_high: f64,
    against_figure: f64,
    against_figure_low: f64,
    against_figure_high: f64,
    difference: f64,
    difference_low: f64,
    difference_high: f64,
    p: f64,
    p_holm: f64,
    parse: Option<f64>,
    parse_low: Option<f64>,
    parse_high: Option<f64>,
    copy: Option<f64>,
    copy_low: Option<f64>,
    copy_high: Option<f64>,
    count: Option<f64>,
    count_low: Option<f64>,
    count_high: Option<f64>,
    recognition: Option<f64>,
    recognition_low: Option<f64>,
    recognition_high: Option<f64>,
}

/// The comparisons as CSV with a header. Figures go from 0 to 1, with six digits after the point.
///
/// # Errors
/// When a line cannot be written.
pub fn comparisons_csv(comparisons: &[Comparison]) -> Result<String, csv::Error> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let rounded = |value: f64| (value * 1e6).round() / 1e6 + 0.0;
    // An exact test can give a p-value of which six digits after the point would leave nothing.
    let exact = |p: f64| if p < 1e-4 { format!("{p:.3e}").parse().unwrap_or(p) } else { rounded(p) };
    for comparison in comparisons {
        let Comparison { cell, against, .. } = comparison;
        let part = |pick: fn(&gramask_ner::metrics::Parts<Interval>) -> Interval| {
            let found = comparison.gap.as_ref().map(|gap| pick(&gap.parts));
            let end = |end: fn(&Interval) -> f64| found.as_ref().map(|found| rounded(end(found)));
            (end(|of| of.value), end(|of| of.low), end(|of| of.high))
        };
        let (parse, parse_low, parse_high) = part(|parts| parts.parse);
        let (copy, copy_low, copy_high) = part(|parts| parts.copy);
        let (count, count_low, count_high) = part(|parts| parts.count);
        let (recognition, recognition_low, recognition_high) = part(|parts| parts.recognition);
        writer.serialize(Line {
            corpus: &cell.corpus,
            model: &cell.model,
            format: &cell.format,
            level: cell.level.name(),
            strategy: cell.strategy.as_str(),
            against_model: &against.model,
            against_format: &against.format,
            against_level: against.level.name(),
            against_strategy: against.strategy.as_str(),
            metric: comparison.metric.name(),
            documents: comparison.documents,
            figure: rounded(comparison.figure.value),
            figure_low: rounded(comparison.figure.low),
            figure_high: rounded(comparison.figure.high),
            against_figure: rounded(comparison.against_figure.value),
            against_figure_low: rounded(comparison.against_figure.low),
            against_figure_high: rounded(comparison.against_figure.high),
            difference: rounded(comparison.difference.value),
            difference_low: rounded(comparison.difference.low),
            difference_high: rounded(comparison.difference.high),
            p: exact(comparison.p),
            p_holm: exact(comparison.p_holm),
            parse,
            parse_low,
            parse_high,
            copy,
            copy_low,
            copy_high,
            count,
            count_low,
            count_high,
            recognition,
            recognition_low,
            recognition_high,
        })?;
    }
    let bytes = writer.into_inner().map_err(|error| csv::Error::from(error.into_error()))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
