//! A line of `scores.csv`: a record without its texts.
//!
//! Statistics need counts, not texts. Corpora may be used and may not be passed on, so that records, which quote them, stay
//! where they were made; scores can be published, and a run can go on from them elsewhere.

use std::collections::HashMap;
use std::sync::Arc;

use gramask_decode::Finish;
use gramask_grammar::{Lenient, LenientReadings, Program};
use gramask_ner::metrics::{Fault as ScoredFault, FaultKind as ScoredKind, Leniencies, Matches, Outcome};
use gramask_ner::metrics::{Prediction, Scorer};
use gramask_ner::{Document, Entity, Schema};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::error::RunError;
use super::plan::Plan;
use super::record::{FaultKind, Record};
use crate::experiment::{Cell, LevelName, StrategyName};
use crate::pull::sha256_hex;

/// What statistics need of a record. The fields are the columns of `scores.csv`, in order.
///
/// Numbers are rounded to six digits after the point, here and not only where they are written, so that figures computed from a
/// file are those computed from records.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Scored {
    /// The cell's model.
    pub model: String,
    /// The cell's corpus.
    pub corpus: String,
    /// The cell's format.
    pub format: String,
    /// The cell's level.
    pub level: LevelName,
    /// The cell's strategy.
    pub strategy: StrategyName,
    /// The cell's seed, where it has one of its own.
    pub seed: Option<u64>,
    /// The document's identifier.
    pub document: String,
    /// Gold entities.
    pub gold: usize,
    /// Predicted entities, those without a place in the document among them.
    pub predicted: usize,
    /// Of these, right: same label and fragments.
    pub strict: usize,
    /// Same fragments, whatever the label.
    pub exact: usize,
    /// Fragments that overlap those of another gold entity than an exact one; they count half in the partial scheme.
    pub overlapping: usize,
    /// Same label, overlapping fragments.
    #[serde(rename = "type")]
    pub type_: usize,
    /// Predicted entities where faults of syntax and of labels are forgiven. The columns from here to `count_found` are empty
    /// where they are not known.
    pub parse_predicted: Option<usize>,
    /// Of these, right.
    pub parse_right: Option<usize>,
    /// Predicted entities where faults of copied text are forgiven, too.
    pub copy_predicted: Option<usize>,
    /// Of these, right.
    pub copy_right: Option<usize>,
    /// Predicted entities where positions and numbers are forgiven, too.
    pub count_predicted: Option<usize>,
    /// Of these, right: a gold entity has their label and surface.
    pub count_right: Option<usize>,
    /// Gold entities whose label and surface a prediction has.
    pub count_found: Option<usize>,
    /// Whether the strict reader parses the output.
    pub parsed: bool,
    /// Why the output ended; empty where the document could not be decoded.
    pub finish: Option<Finish>,
    /// Whether an independent parser reads it; empty where none is asked.
    pub independent: Option<bool>,
    /// Gold entities that the format cannot express.
    pub inexpressible: usize,
    /// Faults of each kind.
    pub syntax: usize,
    /// Mentions that the document does not hold.
    pub not_in_document: usize,
    /// Labels that the schema does not have.
    pub unknown_label: usize,
    /// Views of an entity that disagree.
    pub disagree: usize,
    /// Entities that stand there twice.
    pub duplicate: usize,
    /// Copies that are not the document.
    pub copy_failed: usize,
    /// Documents that could not be decoded.
    pub not_decoded: usize,
    /// Tokens of the prompt.
    pub prompt_tokens: usize,
    /// Tokens of the output.
    pub output_tokens: usize,
    /// Of these, chosen from the model's logits.
    pub sampled: usize,
    /// Of these, forced.
    pub forced: usize,
    /// Of these, drafted.
    pub drafted: usize,
    /// Seconds by the wall clock.
    pub wall_s: f64,
    /// Seconds that its prompt took in the cell that it was taken over from.
    #[serde(default)]
    pub restored_s: f64,
    /// Microseconds of work on masks.
    pub mask_us: f64,
    /// Microseconds to compile the document's constraint.
    pub compile_us: f64,
    /// Minus the logarithm of the mass that the masks left.
    pub removed: f64,
    /// The logarithm of the importance weight.
    pub log_weight: Option<f64>,
    /// Steps at which it is known what the mask removed.
    pub known_steps: usize,
    /// The probability that the masks removed, summed over these.
    pub removed_mass: f64,
    /// Steps at which the mask refused the model's likeliest token.
    pub changed_best: usize,
    /// Tokens that the tokenizer would not have produced.
    pub non_canonical: Option<usize>,
    /// Outputs tried.
    pub attempts: usize,
    /// Tokens given up.
    pub discarded: usize,
    /// Drafted tokens that were not confirmed.
    pub refused_drafts: usize,
    /// The logarithm of the probability that a sample is valid, where it is estimated.
    pub log_valid: Option<f64>,
    /// Whether a repair changed the output; empty where none was made.
    pub repaired: Option<bool>,
    /// Tells whether two outputs say the same entities: the first digits of a SHA-256 of labels and fragments, in an order of
    /// their own.
    pub said: String,
}

impl Scored {
    /// Scores a record. The leniencies are left open: see [`Grader`].
    pub fn of(record: &Record, schema: &Schema) -> Scored {
        let mut scorer = Scorer::new(schema);
        scorer.add(&record.gold, prediction(record));
        let schemes = scorer.summary().overall;
        let faults = |kind| record.errors.iter().filter(|fault| fault.kind == kind).count();
        let Record { cell, tokens, times, distortion, effort, .. } = record;
        Scored {
            model: cell.model.clone(),
            corpus: cell.corpus.clone(),
            format: cell.format.clone(),
            level: cell.level,
            strategy: cell.strategy,
            seed: cell.seed,
            document: record.document.clone(),
            gold: schemes.strict.counts.possible(),
            predicted: schemes.strict.counts.actual(),
            strict: schemes.strict.counts.correct,
            exact: schemes.exact.counts.correct,
            overlapping: schemes.partial.counts.partial,
            type_: schemes.type_.counts.correct,
            parse_predicted: None,
            parse_right: None,
            copy_predicted: None,
            copy_right: None,
            count_predicted: None,
            count_right: None,
            count_found: None,
            parsed: record.parsed,
            finish: record.finish,
            independent: record.independent,
            inexpressible: record.inexpressible,
            syntax: faults(FaultKind::Syntax),
            not_in_document: faults(FaultKind::NotInDocument),
            unknown_label: faults(FaultKind::UnknownLabel),
            disagree: faults(FaultKind::Disagree),
            duplicate: faults(FaultKind::Duplicate),
            copy_failed: faults(FaultKind::CopyFailed),
            not_decoded: faults(FaultKind::NotDecoded),
            prompt_tokens: tokens.prompt,
            output_tokens: tokens.output,
            sampled: tokens.sampled,
            forced: tokens.forced,
            drafted: tokens.drafted,
            wall_s: rounded(times.wall_s),
            restored_s: rounded(times.restored_s),
            mask_us: rounded(times.mask_us),
            compile_us: rounded(times.compile_us),
            removed: rounded(record.removed),
            log_weight: distortion.log_weight.map(rounded),
            known_steps: distortion.known_steps,
            removed_mass: rounded(distortion.removed_mass),
            changed_best: distortion.changed_best,
            non_canonical: distortion.non_canonical,
            attempts: effort.attempts,
            discarded: effort.discarded,
            refused_drafts: effort.refused_drafts,
            log_valid: effort.log_valid.map(rounded),
            repaired: record.repaired.as_ref().map(|repaired| repaired.rewritten),
            said: said(&record.entities),
        }
    }

    /// The cell.
    pub fn cell(&self) -> Cell {
        Cell {
            model: self.model.clone(),
            corpus: self.corpus.clone(),
            format: self.format.clone(),
            level: self.level,
            strategy: self.strategy,
            seed: self.seed,
        }
    }

    /// The matches at each leniency; none where they are not known.
    pub fn leniencies(&self) -> Option<Leniencies> {
        let matches = |predicted, right, found| Matches { gold: self.gold, predicted, found, right };
        Some(Leniencies {
            strict: self.matches(),
            parse: matches(self.parse_predicted?, self.parse_right?, self.parse_right?),
            copy: matches(self.copy_predicted?, self.copy_right?, self.copy_right?),
            count: matches(self.count_predicted?, self.count_right?, self.count_found?),
        })
    }

    /// The strict matches.
    pub fn matches(&self) -> Matches {
        Matches { gold: self.gold, predicted: self.predicted, found: self.strict, right: self.strict }
    }

    /// The same scores with these matches.
    fn with(self, at: Leniencies) -> Scored {
        Scored {
            parse_predicted: Some(at.parse.predicted),
            parse_right: Some(at.parse.right),
            copy_predicted: Some(at.copy.predicted),
            copy_right: Some(at.copy.right),
            count_predicted: Some(at.count.predicted),
            count_right: Some(at.count.right),
            count_found: Some(at.count.found),
            ..self
        }
    }

    /// Whether two lines are of the same output of a document. Times differ, and so do the last digits of probabilities, which
    /// depend on the documents that are decoded beside it.
    pub fn same_output(&self, other: &Scored) -> bool {
        let output = |scored: &Scored| Scored {
            wall_s: 0.0,
            restored_s: 0.0,
            mask_us: 0.0,
            compile_us: 0.0,
            removed: 0.0,
            removed_mass: 0.0,
            log_weight: None,
            changed_best: 0,
            attempts: 0,
            discarded: 0,
            refused_drafts: 0,
            log_valid: None,
            ..scored.clone()
        };
        output(self) == output(other)
    }
}

fn rounded(value: f64) -> f64 {
    (value * 1e6).round() / 1e6
}

/// A digest of what is said, whatever the order.
fn said(entities: &[Entity]) -> String {
    let mut all: Vec<String> = entities.iter().map(Entity::to_string).collect();
    all.sort_unstable();
    sha256_hex(all.join("\n")).chars().take(16).collect()
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
        Some(ScoredFault { kind, label: fault.label.clone() })
    });
    Prediction { outcome, faults: faults.collect(), entities: record.entities.clone() }
}

/// Scores a plan's records, with the leniencies: for these an output is read again beside its document.
pub struct Grader<'a> {
    plan: &'a Plan,
    /// By corpus and format, one for each pass.
    programs: HashMap<(&'a str, &'a str), Vec<Arc<Program>>>,
    /// By corpus and identifier.
    documents: HashMap<(&'a str, &'a str), &'a Document>,
}

impl<'a> Grader<'a> {
    /// What the plan's records are scored with.
    ///
    /// # Errors
    /// When a format does not go with a corpus's labels.
    pub fn new(plan: &'a Plan) -> Result<Grader<'a>, RunError> {
        let mut programs = HashMap::new();
        let mut documents = HashMap::new();
        for corpus in &plan.corpora {
            for format in &plan.formats {
                let compiled = Program::passes(format, &corpus.schema)
                    .map_err(|source| RunError::Compile { format: format.name.clone(), source: Box::new(source) })?;
                programs.insert((corpus.name.as_str(), format.name.as_str()), compiled);
            }
            for document in &corpus.documents {
                documents.insert((corpus.name.as_str(), document.id.as_str()), document);
            }
        }
        Ok(Grader { plan, programs, documents })
    }

    /// The scores of records, in their order. Outputs that are no longer of the plan have no leniencies.
    pub fn grade(&self, records: &[&Record]) -> Vec<Scored> {
        records.par_iter().map(|record| self.one(record)).collect()
    }

    fn one(&self, record: &Record) -> Scored {
        let Cell { corpus, format, .. } = &record.cell;
        let empty = Schema::new([""; 0]);
        let schema = self.plan.corpus(corpus).map_or(&empty, |corpus| &corpus.schema);
        let scored = Scored::of(record, schema);
        let programs = self.programs.get(&(corpus.as_str(), format.as_str()));
        let document = self.documents.get(&(corpus.as_str(), record.document.as_str()));
        match programs.zip(document) {
            Some((programs, document)) => {
                let at = leniencies(record, scored.matches(), programs, document);
                scored.with(at)
            }
            None => scored,
        }
    }
}

/// What of a record's output is right at each leniency.
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
        // What was repaired is true of the document: there is nothing left to forgive but positions.
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
    use crate::run::record::Fault;
    use crate::run::record::tests::record;

    #[test]
    fn a_score_has_no_text_of_the_record() {
        let mut record = record(LevelName::None, "d1");
        record.gold = vec![Entity::new("Disease", 0, 4), Entity::new("Disease", 6, 9)];
        record.entities = vec![Entity::new("Disease", 0, 4), Entity::new("Disease", 6, 8)];
        record.output = "SECRET".into();
        record.passes = vec!["SECRET".into()];
        record.preamble = Some("SECRET".into());
        record.errors =
            vec![Fault { kind: FaultKind::NotInDocument, label: Some("SECRET".into()), message: "SECRET".into() }];
        record.times.wall_s = 0.123_456_789;
        let scored = Scored::of(&record, &Schema::new(["Disease"]));
        assert_eq!((scored.gold, scored.predicted, scored.strict), (2, 3, 1));
        assert_eq!((scored.exact, scored.overlapping, scored.type_), (1, 1, 2));
        assert_eq!((scored.not_in_document, scored.syntax, scored.wall_s), (1, 0, 0.123_457));
        assert_eq!((scored.cell(), scored.leniencies()), (record.cell.clone(), None));
        let line = serde_json::to_string(&scored).unwrap();
        assert!(!line.contains("SECRET"), "{line}");
        record.entities.reverse();
        record.times.wall_s = 3.0;
        assert!(scored.same_output(&Scored::of(&record, &Schema::new(["Disease"]))));
        record.entities.pop();
        assert_ne!(scored.said, said(&record.entities));
    }
}
