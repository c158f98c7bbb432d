//! Counts over the records of a cell that its summary row does not have.

use gramask_decode::{Chosen, Finish};
use gramask_ner::Schema;
use gramask_ner::metrics::{ErrorCounts, Scorer};

use super::read::RunData;
use crate::evaluate::ScoreRow;
use crate::evaluate::{SummaryRow, prediction};
use crate::experiment::Cell;
use crate::store::{FaultKind, Record};

/// The worst category that applies to an output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was read without faults.
    Clean,
    /// It was read, and an entity was refused.
    Refused,
    /// It was read, but its copy of the document is wrong.
    CopyFailed,
    /// It does not parse.
    Syntax,
    /// It was cut off, and does not parse.
    CutOff,
    /// The document could not be decoded.
    NotDecoded,
}

impl Outcome {
    /// All categories, from good to bad.
    pub const ALL: [Outcome; 6] =
        [Outcome::Clean, Outcome::Refused, Outcome::CopyFailed, Outcome::Syntax, Outcome::CutOff, Outcome::NotDecoded];

    /// In words.
    pub fn name(self) -> &'static str {
        match self {
            Outcome::Clean => "read, nothing objected",
            Outcome::Refused => "read, an entity refused",
            Outcome::CopyFailed => "read, the copy is wrong",
            Outcome::Syntax => "does not parse",
            Outcome::CutOff => "cut off",
            Outcome::NotDecoded => "not decoded",
        }
    }

    /// Of a record.
    pub fn of(record: &Record) -> Outcome {
        let has = |kind| record.errors.iter().any(|fault| fault.kind == kind);
        let (not_decoded, copy_failed) = (has(FaultKind::NotDecoded), has(FaultKind::CopyFailed));
        Outcome::judged(record.parsed, record.finish, not_decoded, copy_failed, !record.errors.is_empty())
    }

    /// Of scores.
    pub fn of_scores(scored: &ScoreRow) -> Outcome {
        let refused = scored.not_in_document + scored.unknown_label + scored.disagree + scored.duplicate;
        let (not_decoded, copy_failed) = (scored.not_decoded > 0, scored.copy_failed > 0);
        Outcome::judged(scored.parsed, scored.finish, not_decoded, copy_failed, refused > 0)
    }

    fn judged(parsed: bool, finish: Option<Finish>, not_decoded: bool, copy_failed: bool, refused: bool) -> Outcome {
        let cut = finish.is_some_and(|finish| !finish.is_complete());
        match () {
            _ if not_decoded => Outcome::NotDecoded,
            _ if !parsed && cut => Outcome::CutOff,
            _ if !parsed => Outcome::Syntax,
            _ if copy_failed => Outcome::CopyFailed,
            _ if refused => Outcome::Refused,
            _ => Outcome::Clean,
        }
    }
}

/// The probability removed at one place in the outputs.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Place {
    /// The tokens at this place for which the removed probability is known.
    pub tokens: usize,
    /// The removed probability, summed over these tokens.
    pub removed: f64,
}

/// The number of tokens that share a place of [`Tally::places`].
pub const PLACE: usize = 4;

/// A cell with the data of all figures.
#[derive(Clone, Debug)]
pub struct Tally {
    /// The cell.
    pub cell: Cell,
    /// Its row of the summary.
    pub row: SummaryRow,
    /// The outputs of each category, in the order of [`Outcome::ALL`].
    pub outcomes: [usize; 6],
    /// The number of outputs.
    pub outputs: usize,
    /// The errors of the entities, and the number found (label and boundaries). None if some outputs have no record.
    pub errors: Option<(ErrorCounts, usize)>,
    /// The probability removed along the outputs, [`PLACE`] tokens per place. Empty without traces.
    pub places: Vec<Place>,
}

impl Tally {
    fn of(cell: &Cell, row: &SummaryRow, scored: &[ScoreRow], records: &[Record], schema: &Schema) -> Tally {
        let mut scorer = Scorer::new(schema);
        let mut outcomes = [0; 6];
        for scored in scored {
            outcomes[Outcome::of_scores(scored) as usize] += 1;
        }
        let mut places: Vec<Place> = Vec::new();
        for record in records {
            scorer.add(&record.gold, prediction(record));
            let trace = record.trace.as_deref().unwrap_or_default();
            for (at, token) in trace.iter().enumerate() {
                let (Some(removed), true) = (token.removed, token.chosen != Chosen::Forced) else {
                    continue;
                };
                if places.len() <= at / PLACE {
                    places.resize(at / PLACE + 1, Place::default());
                }
                let place = &mut places[at / PLACE];
                place.tokens += 1;
                place.removed += removed;
            }
        }
        let summary = scorer.summary();
        Tally {
            cell: cell.clone(),
            row: row.clone(),
            outcomes,
            outputs: scored.len(),
            errors: (records.len() == scored.len()).then_some((summary.errors, summary.overall.strict.counts.correct)),
            places,
        }
    }

    /// Of all cells of a run, in their order.
    pub fn all(run: &RunData) -> Vec<Tally> {
        let of = |place: usize| {
            let cell = &run.cells[place];
            let schema = &run.corpora[&cell.corpus].schema;
            Tally::of(cell, &run.rows[place], &run.scored[place], &run.records[place], schema)
        };
        (0..run.cells.len()).map(of).collect()
    }

    /// Whether a mask was at work.
    pub fn masked(&self) -> bool {
        self.row.has_mask()
    }

    /// The probability that the mask removed, on average over the tokens that the model was asked about. None without a mask, or if
    /// it is known for some of these tokens only.
    pub fn removed(&self) -> Option<f64> {
        self.row.removed_mass.filter(|_| self.masked() && self.row.all_known())
    }
}
