//! Figures of how far the masks bent the model: the probability that they removed.

use super::grid::Names;
use super::lines::{Line, lines};
use super::scatter::{Labels, scatter};
use super::{Dot, Figure, FigureTable, Grid, Text, dots, number};
use crate::report::error::ReportError;
use crate::report::tally::{PLACE, Place, Tally};

/// The mass removed per token, by format.
pub(super) fn by_format(tallies: &[Tally]) -> Result<Option<Figure>, ReportError> {
    let text = Text {
        id: "removed-by-format",
        title: "Probability removed by the mask, by format",
        caption: "The probability that the model gave to tokens that the mask refused, on average over the tokens that it was asked about. \
                  It is 0 where the model does by itself what the format wants. The mask holds the grammar and the budget; the \
                  table of the figure tells the budget's part. Cells whose strategy does not learn the mass of every token (lazy) \
                  are left out.",
    };
    if tallies.iter().all(|tally| tally.removed().is_none()) {
        return Ok(None);
    }
    let grid = Grid::of(tallies, |tally| tally.removed().is_some());
    let drawing = dots(&grid, text, "probability removed per token, %", |cell| {
        Some(Dot { value: tallies[cell].removed()?, interval: None })
    })?;
    let columns =
        ["removed_mass", "removed_by_budget", "known_steps", "removed_nats", "log_weight", "changed_best_per_output"];
    let mut table = FigureTable::of_cells(&columns);
    for tally in tallies.iter().filter(|tally| tally.masked()) {
        let row = &tally.row;
        let optional = |value: Option<f64>| value.map_or(String::new(), number);
        let values = [
            optional(tally.removed()),
            optional(row.removed_by_budget),
            row.known_steps.to_string(),
            number(row.removed_nats),
            optional(row.log_weight),
            number(row.changed_best_per_output),
        ];
        table.add(tally, values);
    }
    Ok(Some(Figure::new(text, drawing, table)))
}

/// A place in the outputs that fewer tokens than this reach is not drawn.
const LEAST: usize = 5;

/// The mass removed along the outputs.
pub(super) fn by_position(tallies: &[Tally]) -> Result<Option<Figure>, ReportError> {
    let text = Text {
        id: "removed-by-position",
        title: "Probability removed along the output",
        caption: "The probability that the mask removed, by the token's place in the output, four tokens to a point, as far as five tokens or \
                  more lie at a point; cells of several corpora or models together. A peak at the beginning is a model that would rather \
                  write something else first; mass removed throughout is one that keeps straying.",
    };
    let shown = |tally: &Tally| tally.masked() && !tally.places.is_empty();
    let grid = Grid::of(tallies, shown);
    if grid.panels.is_empty() {
        return Ok(None);
    }
    let names = Names::of(tallies);
    let of = |format: &str, series: usize| -> Vec<Place> {
        let mut sum: Vec<Place> = Vec::new();
        let cells = tallies.iter().filter(|tally| shown(tally) && tally.cell.format == format);
        for tally in cells.filter(|tally| names.series(tally) == grid.series[series]) {
            sum.resize(sum.len().max(tally.places.len()), Place::default());
            for (sum, place) in sum.iter_mut().zip(&tally.places) {
                sum.tokens += place.tokens;
                sum.removed += place.removed;
            }
        }
        sum
    };
    let mut panels: Vec<(String, Vec<Line>)> = Vec::new();
    for format in &grid.formats {
        let drawn = grid.used().into_iter().map(|series| {
            let places = of(format, series).into_iter().enumerate();
            let enough = places.filter(|(_, place)| place.tokens >= LEAST);
            let point = |(at, place): (usize, Place)| {
                let middle = (at * PLACE) as f64 + PLACE as f64 / 2.0;
                (middle, place.removed / place.tokens as f64)
            };
            Line { series, points: enough.map(point).collect() }
        });
        panels.push((format.clone(), drawn.collect()));
    }
    let legend: Vec<(usize, &str)> =
        grid.used().into_iter().map(|series| (series, grid.series[series].as_str())).collect();
    let drawing = lines(text, &legend, ["token of the output", "removed, %"], &panels)?;
    let mut table = FigureTable::of_cells(&["first_token", "tokens", "removed_mass"]);
    for tally in tallies.iter().filter(|tally| shown(tally)) {
        for (at, place) in tally.places.iter().enumerate().filter(|(_, place)| place.tokens > 0) {
            let mean = number(place.removed / place.tokens as f64);
            table.add(tally, [(at * PLACE).to_string(), place.tokens.to_string(), mean]);
        }
    }
    Ok(Some(Figure::new(text, drawing, table)))
}

/// The mass removed against F1.
pub(super) fn against_f1(tallies: &[Tally]) -> Result<Option<Figure>, ReportError> {
    let text = Text {
        id: "removed-against-f1",
        title: "Probability removed against F1",
        caption: "A point is a masked cell. Where formats lie from the upper left to the lower right, those that the model finds foreign are those \
                  that it does badly in.",
    };
    if tallies.iter().filter(|tally| tally.removed().is_some()).count() < 2 {
        return Ok(None);
    }
    let grid = Grid::of(tallies, |tally| tally.removed().is_some());
    let labels = Labels { x: "probability removed per token, %", y: "strict F1, %", x_percent: true };
    let drawing = scatter(&grid, text, labels, false, |cell| Some((tallies[cell].removed()?, tallies[cell].row.f1)))?;
    let mut table = FigureTable::of_cells(&["removed_mass", "f1"]);
    for tally in tallies {
        if let Some(removed) = tally.removed() {
            table.add(tally, [number(removed), number(tally.row.f1)]);
        }
    }
    Ok(Some(Figure::new(text, drawing, table)))
}
