//! From a record to its score row, which holds counts and no texts.

use std::collections::HashMap;
use std::sync::Arc;

use gramask_grammar::{Lenient, LenientReadings, Program};
use gramask_ner::metrics::{Fault as ScoredFault, FaultKind as ScoredKind, Leniencies, Matches, Outcome};
use gramask_ner::metrics::{Prediction, Schemes, Score, Scorer};
use gramask_ner::{Document, Entity, Schema};
use rayon::prelude::*;

use super::ScoreRow;
use super::metrics::{DocumentScores, strict_matches};
use crate::experiment::Cell;
use crate::plan::{Plan, PlanError};
use crate::pull::sha256_hex;
use crate::store::{FaultKind, Journal, Record, Scores, ScoresError};

impl ScoreRow {
    /// Scores a record. The leniencies are left open: see [`RecordScorer`].
    pub fn of(record: &Record, schema: &Schema) -> ScoreRow {
        ScoreRow::measure(&DocumentScores { record, schemes: schemes(record, schema), leniencies: None })
    }
}

fn schemes(record: &Record, schema: &Schema) -> Schemes<Score> {
    let mut scorer = Scorer::new(schema);
    scorer.add(&record.gold, prediction(record));
    scorer.summary().overall
}

/// A digest of the entities of an output, whatever their order.
pub(super) fn output_digest(entities: &[Entity]) -> String {
    let mut all: Vec<String> = entities.iter().map(Entity::to_string).collect();
    all.sort_unstable();
    sha256_hex(all.join("\n")).chars().take(16).collect()
}

/// A record as the scorer takes it.
pub(crate) fn prediction(record: &Record) -> Prediction {
    let cut = record.finish.is_some_and(|finish| !finish.is_complete());
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
            // These belong to no single entity: the outcome and the count of failed copies cover them.
            FaultKind::Syntax | FaultKind::CopyFailed | FaultKind::Duplicate | FaultKind::NotDecoded => return None,
        };
        Some(ScoredFault { kind, label: fault.label.clone() })
    });
    Prediction { outcome, faults: faults.collect(), entities: record.entities.clone() }
}

/// Scores the records of a plan at all leniencies. For these, outputs are read again with their documents.
pub struct RecordScorer<'a> {
    plan: &'a Plan,
    /// By corpus and format, one for each pass.
    programs: HashMap<(&'a str, &'a str), Vec<Arc<Program>>>,
    /// By corpus and identifier.
    documents: HashMap<(&'a str, &'a str), &'a Document>,
}

impl<'a> RecordScorer<'a> {
    /// A scorer for the records of a plan.
    ///
    /// # Errors
    /// When a format cannot be compiled for the labels of a corpus.
    pub fn new(plan: &'a Plan) -> Result<RecordScorer<'a>, PlanError> {
        let mut programs = HashMap::new();
        let mut documents = HashMap::new();
        for corpus in plan.corpora.iter().filter(|corpus| corpus.tasks.is_empty()) {
            for format in &plan.formats {
                let compiled = Program::passes(format, &corpus.schema).map_err(|source| PlanError::Compile {
                    format: format.name.clone(),
                    corpus: corpus.name.clone(),
                    source: Box::new(source),
                })?;
                programs.insert((corpus.name.as_str(), format.name.as_str()), compiled);
            }
            for document in &corpus.documents {
                documents.insert((corpus.name.as_str(), document.id.as_str()), document);
            }
        }
        Ok(RecordScorer { plan, programs, documents })
    }

    /// Scores the records of a journal that have no scores yet, and writes the file.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn update(&self, scores: &mut Scores, journal: &Journal) -> Result<(), ScoresError> {
        let new = |record: &&Record| !scores.has(&record.cell, &record.document);
        let new: Vec<&Record> = journal.records().iter().filter(new).collect();
        for row in self.score_all(&new) {
            scores.add_own(row)?;
        }
        // Records first: a score without its record would count as done elsewhere.
        journal.sync()?;
        scores.write()
    }

    /// The scores of records, in their order. Documents that are not in the plan get no leniencies.
    pub fn score_all(&self, records: &[&Record]) -> Vec<ScoreRow> {
        records.par_iter().map(|record| self.score(record)).collect()
    }

    fn score(&self, record: &Record) -> ScoreRow {
        let Cell { corpus, format, .. } = &record.cell;
        let empty = Schema::new([""; 0]);
        let schema = self.plan.corpus(corpus).map_or(&empty, |corpus| &corpus.schema);
        let schemes = schemes(record, schema);
        let programs = self.programs.get(&(corpus.as_str(), format.as_str()));
        let document = self.documents.get(&(corpus.as_str(), record.document.as_str()));
        let known = programs.zip(document);
        let leniencies =
            known.map(|(programs, document)| leniencies(record, strict_matches(&schemes), programs, document));
        ScoreRow::measure(&DocumentScores { record, schemes, leniencies })
    }
}

/// The matches of a record at each leniency.
fn leniencies(record: &Record, strict: Matches, programs: &[Arc<Program>], document: &Document) -> Leniencies {
    let (text, gold) = (&document.text, &record.gold);
    let outputs: Vec<&str> = match record.passes.is_empty() {
        true => vec![record.output.as_str()],
        false => record.passes.iter().map(String::as_str).collect(),
    };
    let mut all = LenientReadings::default();
    if record.finish.is_none() {
        // There is no output to read.
    } else if record.repaired.is_some() {
        // A repaired output is true of the document: only positions are left to forgive.
        let entities = record.entities.clone();
        let strays = strict.predicted.saturating_sub(entities.len());
        let same = Lenient { entities, strays };
        all = LenientReadings { parse: same.clone(), copy: same.clone(), count: same };
    } else {
        for (program, output) in programs.iter().zip(outputs) {
            let read = program.read_leniently(text, output.as_bytes());
            for (sum, part) in [(&mut all.parse, read.parse), (&mut all.copy, read.copy), (&mut all.count, read.count)]
            {
                sum.entities.extend(part.entities);
                sum.strays += part.strays;
            }
        }
    }
    let exact = |read: &Lenient| Matches::exact(gold, &read.entities, read.strays);
    Leniencies {
        strict,
        parse: exact(&all.parse),
        copy: exact(&all.copy),
        count: Matches::surfaces(text, gold, &all.count.entities, all.count.strays),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Fault, record_for_tests as record};
    use gramask_grammar::Level;

    #[test]
    fn a_score_has_no_text_of_the_record() {
        let mut record = record(Level::None, "d1");
        record.gold = vec![Entity::new("Disease", 0, 4), Entity::new("Disease", 6, 9)];
        record.entities = vec![Entity::new("Disease", 0, 4), Entity::new("Disease", 6, 8)];
        record.output = "SECRET".into();
        record.passes = vec!["SECRET".into()];
        record.preamble = Some("SECRET".into());
        record.errors =
            vec![Fault { kind: FaultKind::NotInDocument, label: Some("SECRET".into()), message: "SECRET".into() }];
        record.times.wall_s = 0.123_456_789;
        let scored = ScoreRow::of(&record, &Schema::new(["Disease"]));
        assert_eq!((scored.gold, scored.predicted, scored.strict), (2, 3, 1));
        assert_eq!((scored.exact, scored.overlapping, scored.type_), (1, 1, 2));
        assert_eq!((scored.not_in_document, scored.syntax, scored.wall_s), (1, 0, 0.123_457));
        assert_eq!((scored.cell(), scored.leniencies()), (record.cell.clone(), None));
        let line = serde_json::to_string(&scored).unwrap();
        assert!(!line.contains("SECRET"), "{line}");
        record.entities.reverse();
        record.times.wall_s = 3.0;
        assert!(scored.same_output(&ScoreRow::of(&record, &Schema::new(["Disease"]))));
        record.entities.pop();
        assert_ne!(scored.said, output_digest(&record.entities));
    }
}
