//! From records to one row per cell.
//!
//! A summary is computed from the records alone, so that a run in several sessions gives the same figures as one that was
//! never stopped.

use gramask_decode::Finish;
use gramask_ner::Schema;
use gramask_ner::metrics::{Counts, Fault as Scored, FaultKind as ScoredKind, Outcome, Prediction, Scorer, interval};
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
    /// Minus the logarithm of the probability mass that the masks left, in nats per output, over the steps where it is known.
    pub removed_nats: f64,
    /// Outputs that an independent parser of the syntax reads.
    pub independent_read: usize,
    /// Outputs that it was asked to read.
    pub independent_asked: usize,
    /// Tokens of the outputs.
    pub output_tokens: usize,
    /// Seconds by the wall clock.
    pub wall_s: f64,
    /// The share of output tokens that were forced.
    pub forced_rate: f64,
    /// The share of output tokens that were drafted and confirmed.
    pub drafted_rate: f64,
    /// The steps at which it is known what the mask removed.
    pub known_steps: usize,
    /// The probability that the masks removed, on average over the known steps; none where no step is known.
    pub removed_mass: Option<f64>,
    /// The logarithm of the importance weight, on average over the outputs of which it is known; none where of no output.
    pub log_weight: Option<f64>,
    /// The outputs of which the importance weight is known.
    pub log_weight_known: usize,
    /// Steps per output at which the mask refused the model's likeliest token.
    pub changed_best_per_output: f64,
    /// The share of output tokens that the tokenizer would not have produced for the output's text, over the outputs of which
    /// that is known; none where of no output.
    pub non_canonical_rate: Option<f64>,
    /// Documents whose entities differ from those of the strategy `masked` in the same place; none where that was not run.
    pub changed_documents: Option<usize>,
    /// Outputs tried per document.
    pub attempts_per_document: f64,
    /// Tokens per document that were chosen and then given up.
    pub discarded_per_document: f64,
    /// Tokens per document that were proposed and not confirmed.
    pub refused_drafts_per_document: f64,
    /// The estimates of the logarithm of the probability that an unconstrained sample is valid, on average over the documents
    /// that have one.
    pub log_valid: Option<f64>,
    /// The share of outputs that were changed by a repair.
    pub repaired_rate: f64,
    /// The lower end of strict F1's 95 % interval, by a bootstrap over the documents ([`interval`]).
    pub f1_low: f64,
    /// The upper end.
    pub f1_high: f64,
}

/// Bootstrap samples of an interval, and the seed that they are drawn with.
const SAMPLES: (usize, u64) = (2_000, 1);

/// The figures of a cell, from its records; those of other cells are passed over. What compares cells is left open: see
/// [`Row::changed_documents`].
pub fn summarise<'a>(cell: &Cell, schema: &Schema, records: impl IntoIterator<Item = &'a Record>) -> Row {
    let mut scorer = Scorer::new(schema);
    let mut sums = Sums::default();
    let mut strict: Vec<Counts> = Vec::new();
    for record in records.into_iter().filter(|record| record.cell == *cell) {
        let prediction = prediction(record);
        let mut alone = Scorer::new(schema);
        alone.add(&record.gold, prediction.clone());
        strict.push(alone.summary().overall.strict.counts);
        scorer.add(&record.gold, prediction);
        sums.add(record);
    }
    let sure = interval(&strict, 0.95, SAMPLES.0, SAMPLES.1);
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
        forced_rate: per(sums.forced as f64, tokens),
        drafted_rate: per(sums.drafted as f64, tokens),
        known_steps: sums.known_steps,
        removed_mass: mean(sums.removed_mass, sums.known_steps),
        log_weight: mean(sums.log_weight, sums.log_weights),
        log_weight_known: sums.log_weights,
        changed_best_per_output: per(sums.changed_best as f64, documents),
        non_canonical_rate: mean(sums.non_canonical as f64, sums.cut_known),
        changed_documents: None,
        attempts_per_document: per(sums.attempts as f64, documents),
        discarded_per_document: per(sums.discarded as f64, documents),
        refused_drafts_per_document: per(sums.refused_drafts as f64, documents),
        log_valid: mean(sums.log_valid, sums.log_valids),
        repaired_rate: per(sums.repaired as f64, documents),
        f1_low: sure.low,
        f1_high: sure.high,
    }
}

fn mean(sum: f64, of: usize) -> Option<f64> {
    (of > 0).then(|| sum / of as f64)
}

/// What the scorer is told of a record.
pub(crate) fn prediction(record: &Record) -> Prediction {
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
    forced: usize,
    drafted: usize,
    known_steps: usize,
    removed_mass: f64,
    log_weight: f64,
    log_weights: usize,
    changed_best: usize,
    non_canonical: usize,
    /// Tokens of the outputs of which it is known how they are cut.
    cut_known: usize,
    attempts: usize,
    discarded: usize,
    refused_drafts: usize,
    log_valid: f64,
    log_valids: usize,
    repaired: usize,
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
        self.forced += record.tokens.forced;
        self.drafted += record.tokens.drafted;
        let distortion = &record.distortion;
        self.known_steps += distortion.known_steps;
        self.removed_mass += distortion.removed_mass;
        self.log_weight += distortion.log_weight.unwrap_or(0.0);
        self.log_weights += usize::from(distortion.log_weight.is_some());
        self.changed_best += distortion.changed_best;
        if let Some(count) = distortion.non_canonical {
            self.non_canonical += count;
            self.cut_known += record.tokens.output;
        }
        let effort = &record.effort;
        self.attempts += effort.attempts;
        self.discarded += effort.discarded;
        self.refused_drafts += effort.refused_drafts;
        self.log_valid += effort.log_valid.unwrap_or(0.0);
        self.log_valids += usize::from(effort.log_valid.is_some());
        self.repaired += usize::from(record.repaired.as_ref().is_some_and(|repaired| repaired.rewritten));
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
    /// Whether the masks' work is known of all tokens that the model was asked about. Where it is known of a part only, as with
    /// `lazy` of the refused ones, its mean would mislead beside the others.
    pub fn all_known(&self) -> bool {
        let asked = self.output_tokens as f64 * (1.0 - self.forced_rate);
        self.known_steps as f64 >= asked - 0.5
    }

    /// The row as it is written: more digits would only pretend.
    fn rounded(&self) -> Row {
        let mut row = self.clone();
        let optional = [
            row.removed_mass.as_mut(),
            row.log_weight.as_mut(),
            row.non_canonical_rate.as_mut(),
            row.log_valid.as_mut(),
        ];
        let always = [
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
            &mut row.forced_rate,
            &mut row.drafted_rate,
            &mut row.changed_best_per_output,
            &mut row.attempts_per_document,
            &mut row.discarded_per_document,
            &mut row.refused_drafts_per_document,
            &mut row.repaired_rate,
            &mut row.f1_low,
            &mut row.f1_high,
        ];
        for value in always.into_iter().chain(optional.into_iter().flatten()) {
            *value = (*value * 1e6).round() / 1e6;
        }
        row
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::LevelName;
    use crate::run::record::tests::record;
    use crate::run::record::{Distortion, Effort, Fault, Repaired, Tokens};
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
        // One document has all the entities: without it there is nothing to find.
        assert_eq!((row.f1_low, row.f1_high), (0.0, 0.5));
        assert_eq!(row.not_in_document_rate, 0.5);
        assert_eq!((row.output_tokens, row.wall_s), (20, 2.0));
        assert_eq!((row.tokens_per_second, row.documents_per_second), (10.0, 2.0));
        assert_eq!((row.mask_us_per_token, row.compile_us_per_document), (12.0 / 20.0, 1.0));
        assert_eq!((row.independent_read, row.independent_asked), (2, 3));
    }

    #[test]
    fn distortion_and_effort_are_those_that_a_hand_computes() {
        let mut records = records();
        // 20 tokens in 4 outputs: 14, 2, 2 and 2.
        records[0].tokens = Tokens {
            prompt: 10,
            output: 14,
            sampled: 6,
            forced: 5,
            drafted: 3,
        };
        records[0].distortion = Distortion {
            log_weight: None,
            known_steps: 6,
            removed_mass: 2.5,
            mean_removed: 0.5,
            changed_best: 3,
            non_canonical: Some(4),
        };
        records[1].distortion = Distortion {
            log_weight: Some(-3.0),
            known_steps: 2,
            removed_mass: 0.5,
            mean_removed: 1.5,
            changed_best: 1,
            non_canonical: None,
        };
        records[2].distortion.log_weight = Some(-1.0);
        (records[0].removed, records[1].removed) = (3.0, 3.0);
        records[0].effort = Effort {
            attempts: 5,
            discarded: 8,
            refused_drafts: 2,
            log_valid: Some(-0.5),
        };
        records[3].repaired = Some(Repaired {
            text: "[]".into(),
            edits: Default::default(),
            rewritten: true,
        });
        let row = summarise(&records[0].cell, &Schema::new(["Disease"]), &records);
        assert_eq!((row.forced_rate, row.drafted_rate), (5.0 / 20.0, 3.0 / 20.0));
        // The fourth and third have two known steps each at which nothing was removed.
        assert_eq!((row.known_steps, row.removed_mass), (12, Some(3.0 / 12.0)));
        assert_eq!(row.removed_nats, 6.0 / 4.0);
        assert_eq!((row.log_weight, row.log_weight_known), (Some(-4.0 / 3.0), 3));
        assert_eq!(row.changed_best_per_output, 1.0);
        assert_eq!(row.non_canonical_rate, Some(4.0 / 18.0));
        assert_eq!((row.attempts_per_document, row.discarded_per_document), (2.0, 2.0));
        assert_eq!((row.refused_drafts_per_document, row.log_valid), (0.5, Some(-0.5)));
        assert_eq!((row.repaired_rate, row.changed_documents), (0.25, None));

        let csv = to_csv(&[row]).unwrap();
        let values: Vec<Vec<&str>> = csv.lines().map(|line| line.split(',').collect()).collect();
        let value = |name: &str| values[1][values[0].iter().position(|column| *column == name).unwrap()];
        assert_eq!((value("log_weight"), value("removed_mass")), ("-1.333333", "0.25"));
        assert_eq!(
            (value("changed_documents"), value("non_canonical_rate")),
            ("", "0.222222")
        );
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
        assert_eq!(
            (row.removed_mass, row.log_weight, row.non_canonical_rate),
            (None, None, None)
        );
    }
}
