//! `gramask run --dry-run`: what would be done, and how long it would take.

use std::path::Path;

use comfy_table::{Cell as TableCell, CellAlignment, LineStyle, Table, presets};

use crate::cli::{CliError, DONE};
use crate::plan::{Plan, Shard};
use crate::runner::{Basis, Estimate, estimate};
use crate::store::Manifest;

/// Prints the cells of a run with what is done and left, and an estimate of the time.
pub(super) fn show(plan: &Plan, run: &Manifest, folder: &Path, shard: Option<Shard>) -> Result<u8, CliError> {
    if folder.join("run.json").exists() {
        // The folder must hold this run, or the real run would refuse it.
        run.claim(folder)?;
    }
    let found = estimate(plan, run, folder, shard);
    anstream::println!("{}", cells(&found));
    anstream::eprintln!("{}", words(&found));
    Ok(DONE)
}

fn cells(found: &Estimate) -> String {
    let mut table = Table::new();
    table.load_style(presets::UTF8_HORIZONTAL_ONLY.row_separator(LineStyle::none()));
    let aligned = |(column, text): (usize, String)| {
        let side = if matches!(column, 0 | 1 | 7) { CellAlignment::Left } else { CellAlignment::Right };
        TableCell::new(text).set_alignment(side)
    };
    let heads = ["model", "cell", "documents", "done", "left", "s/document", "time left", "as measured with"];
    table.set_header(heads.iter().map(|head| (*head).to_string()).enumerate().map(aligned));
    for cell in &found.cells {
        let left = cell.documents - cell.done;
        let known = |text: fn(f64, Basis, usize) -> String| {
            cell.rate.map_or("-".into(), |(rate, basis)| text(rate, basis, left))
        };
        let row = [
            cell.cell.model.clone(),
            cell.cell.to_string(),
            cell.documents.to_string(),
            cell.done.to_string(),
            left.to_string(),
            known(|rate, _, _| format!("{rate:.3}")),
            known(|rate, _, left| duration(rate * left as f64)),
            known(|_, basis, _| basis.as_str().to_string()),
        ];
        table.add_row(row.into_iter().enumerate().map(aligned));
    }
    table.to_string()
}

fn words(found: &Estimate) -> String {
    let left: usize = found.cells.iter().map(|cell| cell.documents - cell.done).sum();
    let outputs = format!("{} cells, {left} outputs left", found.cells.len());
    let folders: Vec<String> = found.measured.iter().map(|folder| folder.display().to_string()).collect();
    let rests = format!("by runs on the same device, machine and batch: {}", folders.join(", "));
    match found.seconds() {
        Some(_) if left == 0 => format!("{outputs}: nothing to do"),
        Some(seconds) => format!("{outputs}: about {}, {rests}", duration(seconds)),
        None => {
            let unknown = found.cells.iter().filter(|cell| cell.done < cell.documents && cell.rate.is_none());
            format!(
                "{outputs}; {} cell(s) have no measured time on this device. To measure them, give --limit 4 --out DIR instead of \
                 --dry-run, with DIR next to the run's folder",
                unknown.count()
            )
        }
    }
}

/// A time in its two largest units.
fn duration(seconds: f64) -> String {
    let whole = seconds.round() as u64;
    match (whole / 86_400, whole / 3600 % 24, whole / 60 % 60, whole % 60) {
        (0, 0, 0, seconds) => format!("{seconds} s"),
        (0, 0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (0, hours, minutes, _) => format!("{hours} h {minutes} min"),
        (days, hours, ..) => format!("{days} d {hours} h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_said_in_two_units() {
        let said = [4.4, 59.6, 3661.0, 200_000.0].map(duration);
        assert_eq!(said, ["4 s", "1 min 0 s", "1 h 1 min", "2 d 7 h"]);
    }
}
