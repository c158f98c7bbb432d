//! From scores to one summary row per cell.
//!
//! A summary is computed from the scores alone. So a run in several sessions or on several machines gives the same figures as an
//! unbroken run. The formulas are in [`metrics`](super::metrics).

use std::collections::{HashMap, HashSet};

use gramask_ner::Schema;

use super::changed::count_changed;
use super::metrics::CellScores;
use super::{ScoreRow, SummaryRow};
use crate::experiment::Cell;
use crate::plan::Plan;
use crate::store::{Journal, Record};

/// The figures of a cell, from records. Records of other cells are ignored. [`SummaryRow::changed_documents`] is left open, since it
/// compares cells.
pub fn summarise<'a>(cell: &Cell, schema: &Schema, records: impl IntoIterator<Item = &'a Record>) -> SummaryRow {
    let of_cell = records.into_iter().filter(|record| record.cell.seedless() == cell.seedless());
    let scored: Vec<ScoreRow> = of_cell.map(|record| ScoreRow::of(record, schema)).collect();
    summarise_scores(cell, &scored)
}

/// The figures of a cell, from scores in any order. Scores of other cells are ignored; all seeds of the cell count.
pub fn summarise_scores<'a>(cell: &Cell, scored: impl IntoIterator<Item = &'a ScoreRow>) -> SummaryRow {
    let cell = cell.seedless();
    let of_cell = scored.into_iter().filter(|scored| scored.cell().seedless() == cell);
    SummaryRow::of(&cell, &CellScores::new(of_cell.collect()))
}

/// The summary rows of all cells of a plan, from the journal.
pub fn journal_rows(plan: &Plan, journal: &Journal) -> Vec<SummaryRow> {
    let empty = Schema::new([""; 0]);
    let scored = journal.records().iter().map(|record| {
        let corpus = plan.corpus(&record.cell.corpus);
        ScoreRow::of(record, corpus.map_or(&empty, |corpus| &corpus.schema))
    });
    summary_rows(&plan.experiment.cells(), &scored.collect::<Vec<_>>())
}

/// The summary rows of these cells, from scores: one row for all seeds of a cell.
pub fn summary_rows(cells: &[Cell], scored: &[ScoreRow]) -> Vec<SummaryRow> {
    let mut by_cell: HashMap<Cell, Vec<&ScoreRow>> = HashMap::new();
    for scored in scored {
        by_cell.entry(scored.cell().seedless()).or_default().push(scored);
    }
    let mut seen: HashSet<Cell> = HashSet::new();
    let once = cells.iter().map(Cell::seedless).filter(|cell| seen.insert(cell.clone()));
    let mut rows: Vec<SummaryRow> =
        once.map(|cell| summarise_scores(&cell, by_cell.get(&cell).into_iter().flatten().copied())).collect();
    count_changed(&mut rows, scored);
    rows
}

#[cfg(test)]
mod tests;
