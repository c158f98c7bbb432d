//! From records to one row per cell.
//!
//! A summary is computed from the records alone, so that a run in several sessions gives the same figures as one that was
//! never stopped.

use gramask_decode::Finish;
use gramask_ner::Schema;
use gramask_ner::metrics::{Fault as Scored, FaultKind as ScoredKind, Outcome, Prediction, Scorer};
use serde::Serialize;

use super::record::{FaultKind, Record};
use crate::experiment::Cell;

/// The figures of a cell. Rates are between 0 and 1.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// The model.
    pub model: String,
    /// The corpus.
    pub corpus: String,
    /// The format.
    pub format: String,
    /// The level of the constraint.
    pub level: String,
    /// The strategy.
    pub strategy: String,
    /// How many documents.
    pub documents: usize,
    /// The share of outputs that the strict reader parses.
    pub parse_rate: f64,
    /// Strict precision, micro-averaged.
    pub precision: f64,
    /// Strict recall.
    pub recall: f64,
    /// Strict F1.
    pub f1: f64,
    /// The share of predicted entities whose text is not in the document.
    pub not_in_document_rate: f64,
    /// The share of outputs that were cut off by the budget or the context.
    pub truncation_rate: f64,
    /// Output tokens per second of wall clock, prompts included in the time.
    pub tokens_per_second: f64,
    /// Documents per second of wall clock.
    pub documents_per_second: f64,
    /// Microseconds of mask work per output token, the compilation of the documents' constraints not included.
    pub mask_us_per_token: f64,
    /// Microseconds to compile a document's constraint, on average.
    pub compile_us_per_document: f64,
    /// The share of outputs of a format that copies the document, of which the copy is not the document.
    pub copy_failure_rate: f64,
    /// Exact-boundary F1, whatever the label.
    pub f1_exact: f64,
    /// Partial F1.
    pub f1_partial: f64,
    /// Type F1.
    pub f1_type: f64,
    /// Gold entities.
    pub gold: usize,
    /// Predicted entities, those without a place in the document among them.
    pub predicted: usize,
    /// Gold entities that the format cannot express; they count as missed.
    pub inexpressible: usize,
    /// Documents that could not be decoded at all.
    pub not_decoded: usize,
    /// Minus the logarithm of the probability mass that the masks left, in nats per output.
    pub removed_nats: f64,
    /// Outputs that an independent parser of the syntax reads.
    pub independent_read: usize,
    /// Outputs that it was asked to read.
    pub independent_asked: usize,
    /// Tokens of the outputs.
    pub output_tokens: usize,
    /// Seconds by the wall clock.
    pub wall_s: f64,
}

/// The figures of a cell, from its records; those of other cells are passed over.
pub fn summarise<'a>(cell: &Cell, schema: &Schema, records: impl IntoIterator<Item = &'a Record>) -> Row {
    let mut scorer = Scorer::new(schema);
    let mut sums = Sums::default();
    for record in records.into_iter().filter(|record| record.cell == *cell) {
        scorer.add(&record.gold, prediction(record));
        sums.add(record);
    }
    let summary = scorer.summary();
    let per = |part: f64, whole: f64| if whole > 0.0 { part / whole } else { 0.0 };
    let (documents, tokens) = (summary.documents as f64, sums.tokens as f64);
    Row {
        model: cell.model.clone(),
        corpus: cell.corpus.clone(),
        format: cell.format.clone(),
        level: cell.level.to_string(),
        strategy: cell.strategy.to_string(),
        documents: summary.documents,
        parse_rate: summary.parse_rate,
        precision: summary.overall.strict.precision,
        recall: summary.overall.strict.recall,
        f1: summary.overall.strict.f1,
        not_in_document_rate: summary.not_in_document_rate,
        truncation_rate: per(sums.cut as f64, documents),
        tokens_per_second: per(tokens, sums.wall_s),
        documents_per_second: per(documents, sums.wall_s),
        mask_us_per_token: per(sums.mask_us, tokens),
        compile_us_per_document: per(sums.compile_us, documents),
        copy_failure_rate: per(sums.copy_failed as f64, documents),
        f1_exact: summary.overall.exact.f1,
        f1_partial: summary.overall.partial.f1,
        f1_type: summary.overall.type_.f1,
        gold: summary.gold,
        predicted: summary.predicted,
        inexpressible: sums.inexpressible,
        not_decoded: sums.not_decoded,
        removed_nats: per(sums.removed, documents),
        independent_read: sums.independent_read,
        independent_asked: sums.independent_asked,
        output_tokens: sums.tokens,
        wall_s: sums.wall_s,
    }
}

/// What the scorer is told of a record.
fn prediction(record: &Record) -> Prediction {
    let cut = matches!(record.finish, Some(Finish::Budget | Finish::Context));
    let outcome = match (record.parsed, cut) {
        (true, _) => Outcome::Read,
        (false, true) => Outcome::Truncated,
        (false, false) => Outcome::ParseFailure,
    };
    let faults = record.errors.iter().filter_map(|fault| {
        let kind = match fault.kind {
            FaultKind::NotInDocument => ScoredKind::NotInDocument,
            FaultKind::UnknownLabel => ScoredKind::UnknownLabel,
            FaultKind::Disagree => ScoredKind::Disagreeing,
            // No entity of its own stands behind these: the outcome and the copy failures tell of them.
            FaultKind::Syntax | FaultKind::CopyFailed | FaultKind::Duplicate | FaultKind::NotDecoded => return None,
        };
        Some(Scored {
            kind,
            label: fault.label.clone(),
        })
    });
    Prediction {
        outcome,
        faults: faults.collect(),
        entities: record.entities.clone(),
    }
}

#[derive(Default)]
struct Sums {
    tokens: usize,
    wall_s: f64,
    mask_us: f64,
    compile_us: f64,
    cut: usize,
    copy_failed: usize,
    inexpressible: usize,
    not_decoded: usize,
    removed: f64,
    independent_read: usize,
    independent_asked: usize,
}

impl Sums {
    fn add(&mut self, record: &Record) {
        let has = |kind| record.errors.iter().any(|fault| fault.kind == kind);
        self.tokens += record.tokens.output;
        self.wall_s += record.times.wall_s;
        self.mask_us += record.times.mask_us;
        self.compile_us += record.times.compile_us;
        self.cut += usize::from(matches!(record.finish, Some(Finish::Budget | Finish::Context)));
        self.copy_failed += usize::from(has(FaultKind::CopyFailed));
        self.not_decoded += usize::from(has(FaultKind::NotDecoded));
        self.inexpressible += record.inexpressible;
        self.removed += record.removed;
        self.independent_read += usize::from(record.independent == Some(true));
        self.independent_asked += usize::from(record.independent.is_some());
    }
}

/// `summary.csv`: a line per row, with the names of the columns first. Rates and times have six digits after the point.
///
/// # Errors
/// When a row cannot be written as CSV.
pub fn to_csv(rows: &[Row]) -> Result<String, csv::Error> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for row in rows {
        writer.serialize(row.rounded())?;
    }
    let bytes = writer
        .into_inner()
        .map_err(|error| csv::Error::from(error.into_error()))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

impl Row {
    /// The row as it is written: more digits would only pretend.
    fn rounded(&self) -> Row {
        let mut row = self.clone();
        for value in [
            &mut row.parse_rate,
            &mut row.precision,
            &mut row.recall,
            &mut row.f1,
            &mut row.not_in_document_rate,
            &mut row.truncation_rate,
            &mut row.tokens_per_second,
            &mut row.documents_per_second,
            &mut row.mask_us_per_token,
            &mut row.compile_us_per_document,
            &mut row.copy_failure_rate,
            &mut row.f1_exact,
            &mut row.f1_partial,
            &mut row.f1_type,
            &mut row.removed_nats,
            &mut row.wall_s,
        ] {
            *value = (*value * 1e6).round() / 1e6;
        }
        row
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::LevelName;
    use crate::run::record::Fault;
    use crate::run::record::tests::record;
    use gramask_ner::Entity;

    fn fault(kind: FaultKind) -> Fault {
        Fault {
            kind,
            label: Some("Disease".into()),
            message: String::new(),
        }
    }

    /// Four documents: a hit beside an invented mention, a truncated output, a failed copy, a clean empty one.
    fn records() -> Vec<Record> {
        let mut hit = record(LevelName::None, "d1");
        hit.gold = vec![Entity::new("Disease", 0, 4), Entity::new("Disease", 9, 12)];
        hit.entities = vec![Entity::new("Disease", 0, 4)];
        hit.errors = vec![fault(FaultKind::NotInDocument)];
        hit.tokens.output = 14;
        let mut cut = record(LevelName::None, "d2");
        cut.finish = Some(Finish::Budget);
        cut.parsed = false;
        cut.errors = vec![fault(FaultKind::Syntax)];
        cut.independent = Some(false);
        let mut copy = record(LevelName::None, "d3");
        copy.errors = vec![fault(FaultKind::CopyFailed)];
        copy.independent = None;
        vec![
            hit,
            cut,
            copy,
            record(LevelName::None, "d4"),
            record(LevelName::Grounded, "d1"),
        ]
    }

    #[test]
    fn the_figures_are_those_that_a_hand_computes() {
        let records = records();
        let row = summarise(&records[0].cell, &Schema::new(["Disease"]), &records);
        assert_eq!(row.documents, 4, "the other cell's record is passed over");
        assert_eq!(
            (row.parse_rate, row.truncation_rate, row.copy_failure_rate),
            (0.75, 0.25, 0.25)
        );
        assert_eq!((row.precision, row.recall, row.f1), (0.5, 0.5, 0.5));
        assert_eq!(row.not_in_document_rate, 0.5);
        assert_eq!((row.output_tokens, row.wall_s), (20, 2.0));
        assert_eq!((row.tokens_per_second, row.documents_per_second), (10.0, 2.0));
        assert_eq!((row.mask_us_per_token, row.compile_us_per_document), (12.0 / 20.0, 1.0));
        assert_eq!((row.independent_read, row.independent_asked), (2, 3));
    }

    #[test]
    fn the_csv_has_its_columns_in_order() {
        let records = records();
        let row = summarise(&records[0].cell, &Schema::new(["Disease"]), &records);
        let csv = to_csv(&[row]).unwrap();
        let columns = "model,corpus,format,level,strategy,documents,parse_rate,precision,recall,f1,not_in_document_rate,\
                       truncation_rate,tokens_per_second,documents_per_second,mask_us_per_token,";
        assert!(csv.starts_with(columns), "{csv}");
        assert!(
            csv.lines()
                .nth(1)
                .unwrap()
                .starts_with("m,mini,json-list,none,unconstrained,4,0.75,0.5,"),
            "{csv}"
        );
    }

    #[test]
    fn a_cell_without_records_has_no_figures() {
        let cell = records().remove(0).cell;
        let row = summarise(&cell, &Schema::new(["Disease"]), &[]);
        assert_eq!((row.documents, row.parse_rate, row.tokens_per_second), (0, 0.0, 0.0));
    }
}
