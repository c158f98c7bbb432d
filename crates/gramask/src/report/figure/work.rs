//! Figures of what the outputs cost: throughput against F1, where the tokens came from, what was done besides.

use super::bars::{Part, bars};
use super::scatter::{Labels, dominates, scatter};
use super::{Figure, FigureTable, Grid, Text, number};
use crate::report::error::ReportError;
use crate::report::tally::Tally;

/// Throughput against F1.
pub(super) fn pareto(tallies: &[Tally]) -> Result<Option<Figure>, ReportError> {
    let text = Text {
        id: "pareto",
        title: "Throughput against F1",
        caption: "A point is a cell; further right is faster, higher is better. The line is the Pareto front: for each point on it (named in \
                  bold) no other is both faster and better. Documents per second are of the wall clock of the machine of the run, prompts \
                  included.",
    };
    if tallies.len() < 2 || tallies.iter().all(|tally| tally.row.documents_per_second == 0.0) {
        return Ok(None);
    }
    let grid = Grid::of(tallies, |_| true);
    let labels = Labels { x: "documents per second", y: "strict F1, %", x_percent: false };
    let at = |tally: &Tally| (tally.row.documents_per_second, tally.row.f1);
    let drawing = scatter(&grid, text, labels, true, |cell| Some(at(&tallies[cell])))?;
    let mut table = FigureTable::of_cells(&["documents_per_second", "tokens_per_second", "f1", "on_the_front"]);
    for tally in tallies {
        let beside = |other: &&Tally| other.cell.corpus == tally.cell.corpus && other.cell.model == tally.cell.model;
        let beaten = tallies.iter().filter(beside).any(|other| dominates(at(other), at(tally)));
        let row = &tally.row;
        let figures = [row.documents_per_second, row.tokens_per_second, row.f1].map(number);
        let front = if beaten || row.f1 == 0.0 { "no" } else { "yes" };
        table.add(tally, figures.into_iter().chain([front.to_string()]));
    }
    Ok(Some(Figure::new(text, drawing, table)))
}

/// Where the tokens came from.
pub(super) fn shares(tallies: &[Tally]) -> Result<Option<Figure>, ReportError> {
    let text = Text {
        id: "shares",
        title: "Sampled, forced and drafted tokens",
        caption: "Of each cell's output tokens: those that the model chose, those that were appended because the constraint left no choice \
                  (the model was not asked), and those that were proposed without the model and confirmed by it in one pass with others.",
    };
    let some = |tally: &Tally| tally.row.forced_rate + tally.row.drafted_rate > 0.0;
    if !tallies.iter().any(some) {
        return Ok(None);
    }
    let grid = Grid::of(tallies, |_| true);
    let parts: [Part; 3] = [(0, "sampled"), (1, "forced"), (2, "drafted")];
    let of = |tally: &Tally| {
        let row = &tally.row;
        let sampled = (1.0 - row.forced_rate - row.drafted_rate).max(0.0);
        vec![sampled, row.forced_rate, row.drafted_rate]
    };
    let drawing = bars(&grid, text, "output tokens, %", &parts, |cell| {
        (tallies[cell].row.output_tokens > 0).then(|| of(&tallies[cell]))
    })?;
    let mut table = FigureTable::of_cells(&["output_tokens", "sampled_rate", "forced_rate", "drafted_rate"]);
    for tally in tallies {
        let figures = of(tally).into_iter().map(number);
        table.add(tally, [tally.row.output_tokens.to_string()].into_iter().chain(figures));
    }
    Ok(Some(Figure::new(text, drawing, table)))
}

/// What was done beyond the outputs' tokens.
pub(super) fn effort(tallies: &[Tally]) -> Result<Option<Figure>, ReportError> {
    let text = Text {
        id: "effort",
        title: "Effort beyond the outputs",
        caption: "Tokens that were chosen for outputs, or parts of them, that were then given up, and tokens that were proposed and not \
                  confirmed, as shares of all tokens that were chosen or proposed. Only strategies that do more than one pass over an output \
                  have any; how many outputs they tried per document is in the table.",
    };
    let extra = |tally: &Tally| tally.row.discarded_per_document + tally.row.refused_drafts_per_document;
    if tallies.iter().all(|tally| extra(tally) == 0.0) {
        return Ok(None);
    }
    let grid = Grid::of(tallies, |_| true);
    // Most strategies draft nothing, and a part that no cell has would only lengthen the key.
    let parts: [Part; 3] = [(0, "in the output"), (1, "given up"), (4, "drafts refused")];
    let drafts = tallies.iter().any(|tally| tally.row.refused_drafts_per_document + tally.row.drafted_rate > 0.0);
    let parts = if drafts { &parts[..] } else { &parts[..2] };
    let drawing = bars(&grid, text, "tokens chosen or proposed, %", parts, |cell| {
        let tally = &tallies[cell];
        let row = &tally.row;
        let kept = row.output_tokens as f64 / (tally.outputs as f64).max(1.0);
        let whole = kept + extra(tally);
        let of = [kept, row.discarded_per_document, row.refused_drafts_per_document];
        (whole > 0.0).then(|| of.iter().take(parts.len()).map(|part| part / whole).collect())
    })?;
    let columns = [
        "output_tokens_per_document",
        "attempts_per_document",
        "discarded_per_document",
        "refused_drafts_per_document",
        "mask_us_per_token",
        "compile_us_per_document",
    ];
    let mut table = FigureTable::of_cells(&columns);
    for tally in tallies {
        let row = &tally.row;
        let figures = [
            row.output_tokens as f64 / (tally.outputs as f64).max(1.0),
            row.attempts_per_document,
            row.discarded_per_document,
            row.refused_drafts_per_document,
            row.mask_us_per_token,
            row.compile_us_per_document,
        ];
        table.add(tally, figures.map(number));
    }
    Ok(Some(Figure::new(text, drawing, table)))
}
