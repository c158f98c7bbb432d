//! The progress of a run: a bar, or lines in a log where there is no terminal.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use indicatif::ProgressBar;

use crate::cli::shared::bars;
use crate::evaluate::RecordScorer;
use crate::experiment::Cell;
use crate::runner::Watch;
use crate::store::{Journal, Record, Scores, ScoresError};

/// A log gets a line when a cell ends, and at most one per minute for a cell in work.
const EVERY: Duration = Duration::from_secs(60);

/// Shows the progress, and keeps `scores.csv` up to date, so that the run can be continued elsewhere.
pub(super) struct Progress<'a> {
    cells: Vec<Cell>,
    bar: Option<ProgressBar>,
    at: Option<At>,
    /// When the log was last written.
    said: Instant,
    scores: &'a mut Scores,
    grader: &'a RecordScorer<'a>,
    failed: Option<ScoresError>,
    stop: &'a AtomicBool,
}

impl<'a> Progress<'a> {
    /// The progress of a run of these cells. It sets `stop` if scores cannot be written.
    pub fn new(cells: Vec<Cell>, scores: &'a mut Scores, grader: &'a RecordScorer<'a>, stop: &'a AtomicBool) -> Self {
        Self { cells, bar: None, at: None, said: Instant::now(), scores, grader, failed: None, stop }
    }

    /// Removes the bar.
    ///
    /// # Errors
    /// When the scores could not be written.
    pub fn end(mut self) -> Result<(), ScoresError> {
        self.clear();
        self.failed.map_or(Ok(()), Err)
    }

    fn clear(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }

    /// Writes a line if the bar is not visible.
    fn say(&mut self) {
        if let (Some(at), Some(true)) = (&self.at, self.bar.as_ref().map(ProgressBar::is_hidden)) {
            anstream::eprintln!("{}", at.line(at.begun.elapsed()));
            self.said = Instant::now();
        }
    }
}

impl Watch for Progress<'_> {
    fn cell(&mut self, cell: &Cell, documents: usize, done: usize) {
        self.clear();
        let of = self.cells.len();
        let place = self.cells.iter().position(|other| other == cell).map_or(0, |at| at + 1);
        self.bar = Some(bars::documents(&format!("{place}/{of} {cell}"), documents, done));
        self.at = Some(At {
            place: format!("cell {place} of {of}"),
            cell: format!("{} {cell}", cell.model),
            documents,
            before: done,
            done,
            begun: Instant::now(),
        });
    }

    fn record(&mut self, _record: &Record) {
        if let Some(bar) = &self.bar {
            bar.inc(1);
        }
        if let Some(at) = &mut self.at {
            at.done += 1;
        }
        // The last line of a cell is written when it is left.
        let goes_on = self.at.as_ref().is_some_and(|at| at.done < at.documents);
        if goes_on && self.said.elapsed() >= EVERY {
            self.say();
        }
    }

    fn left(&mut self, journal: &Journal) {
        self.say();
        if let Err(error) = self.grader.update(self.scores, journal) {
            self.failed = Some(error);
            self.stop.store(true, Ordering::Relaxed);
        }
    }
}

/// Where a run is.
struct At {
    place: String,
    cell: String,
    documents: usize,
    /// Documents done in earlier sessions, which are no work of this one.
    before: usize,
    done: usize,
    begun: Instant,
}

impl At {
    /// What a log is told after this time in the cell.
    fn line(&self, elapsed: Duration) -> String {
        let rate = (self.done - self.before) as f64 / elapsed.as_secs_f64().max(1e-3);
        format!("{}, {}: {} of {} documents, {rate:.1} per second", self.place, self.cell, self.done, self.documents)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_of_this_session_alone() {
        let at = At {
            place: "cell 2 of 3".into(),
            cell: "mock mini json-list none unconstrained".into(),
            documents: 500,
            before: 100,
            done: 220,
            begun: Instant::now(),
        };
        assert_eq!(
            at.line(Duration::from_secs(60)),
            "cell 2 of 3, mock mini json-list none unconstrained: 220 of 500 documents, 2.0 per second"
        );
    }
}
