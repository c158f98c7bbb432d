//! `gramask compare`.

use std::path::PathBuf;

use clap::Args;

use super::{CliError, DONE};
use crate::evaluate::{Against, Metric, ScoreRow, cells_without_outputs, comparisons};
use crate::report::tables::{comparisons_csv, comparisons_table};
use crate::store::read_scores;

pub(super) const HELP: &str = "\
Each cell is compared with the cell of the same corpus that has what --against names and is equal otherwise. `none` (the
default) compares every masked cell with the unmasked cell of its format. `json-list` compares every format with that one,
`masked` every other strategy with that one. Cells of corpora are compared by F1, cells of tasks by the shares of answers that are
valid, the expected text (exact), or JSON of the expected value (equal). docs/statistics.md explains the figures.";

#[derive(Debug, Args)]
pub(super) struct CompareArgs {
    /// Folders of runs, or scores.csv files
    #[arg(value_name = "RUN", required = true)]
    runs: Vec<PathBuf>,
    /// What to compare each cell with: a model, format, level or strategy, or several separated by commas
    #[arg(long, value_name = "NAME", default_value = "none")]
    against: String,
    /// What to compare: f1, valid, exact, equal, or several separated by commas [default: all that the cells have]
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    metric: Vec<Metric>,
    /// Print CSV, with all intervals
    #[arg(long)]
    csv: bool,
}

/// Compares the cells of runs.
pub(super) fn compare(args: CompareArgs) -> Result<u8, CliError> {
    let mut scored: Vec<ScoreRow> = Vec::new();
    for run in &args.runs {
        let file = if run.is_dir() { run.join("scores.csv") } else { run.clone() };
        scored.extend(read_scores(&file)?);
    }
    for cell in cells_without_outputs(&scored) {
        anstream::eprintln!(
            "note: {} {cell}: no document could be decoded, so that there is nothing to compare",
            cell.model
        );
    }
    let metrics = if args.metric.is_empty() { &Metric::ALL[..] } else { &args.metric };
    let found = comparisons(&scored, &Against::parse(&args.against, &scored)?, metrics)?;
    if args.csv {
        anstream::print!("{}", comparisons_csv(&found)?);
        return Ok(DONE);
    }
    anstream::println!("{}", comparisons_table(&found));
    let has = |shares: bool| found.iter().any(|comparison| (comparison.metric != Metric::F1) == shares);
    let mut about = vec!["differences in points, with the 95 % interval of a paired bootstrap".to_owned()];
    if has(false) {
        about.push("F1 is strict, and its p is by 10,000 paired shuffles".into());
        about.push("parse, copy, count and recognition sum to the difference of F1".into());
    }
    if has(true) {
        about.push("the p of shares of answers is exact (McNemar's test, if a cell has one seed)".into());
    }
    about.push(format!("p is corrected for {} comparison(s) by Holm's method, * below 0.05", found.len()));
    anstream::eprintln!("{}", about.join("; "));
    Ok(DONE)
}
