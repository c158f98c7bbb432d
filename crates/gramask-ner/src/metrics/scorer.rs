//! The scorer: documents in, summary out.

use serde::{Deserialize, Serialize};

use super::{Counts, ErrorCounts, Schemes, Score};
use crate::{Entity, Schema};

/// What became of an output as a whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It was read as its format.
    #[default]
    Read,
    /// It does not parse.
    ParseFailure,
    /// The token budget ended before it did, and it does not parse.
    Truncated,
}

/// Why an entity of an output has no place in the document or the schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// Its mention does not occur in the document.
    NotInDocument,
    /// Its label is not in the schema.
    UnknownLabel,
    /// Its offsets and its text say different things.
    Disagreeing,
}

/// An entity of an output that could not be grounded. In every scheme it is a spurious prediction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// Why.
    pub kind: FaultKind,
    /// The label that it was given.
    pub label: Option<String>,
}

/// What was predicted for a document.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prediction {
    /// What became of the output. The entities of an output that was not read count as they stand: none, as a rule, and
    /// what could be saved where a strategy repairs outputs.
    pub outcome: Outcome,
    /// The entities that could be grounded.
    pub entities: Vec<Entity>,
    /// Those that could not.
    pub faults: Vec<Fault>,
}

impl Prediction {
    /// The same prediction with one more entity that could not be grounded.
    pub fn with_fault(mut self, kind: FaultKind, label: Option<&str>) -> Self {
        self.faults.push(Fault { kind, label: label.map(str::to_owned) });
        self
    }
}

impl From<Vec<Entity>> for Prediction {
    fn from(entities: Vec<Entity>) -> Self {
        Prediction { entities, ..Prediction::default() }
    }
}

impl From<Outcome> for Prediction {
    fn from(outcome: Outcome) -> Self {
        Prediction { outcome, ..Prediction::default() }
    }
}

/// Gathers documents; see [`Scorer::add`] and [`Scorer::summary`].
///
/// ```
/// use gramask_ner::{Entity, Schema, metrics::{FaultKind, Outcome, Prediction, Scorer}};
/// let mut scorer = Scorer::new(&Schema::new(["Chemical", "Disease"]));
/// let gold = [Entity::new("Chemical", 0, 8), Entity::new("Disease", 20, 32)];
/// // One hit, one boundary off, one mention that the document does not hold.
/// let entities = vec![Entity::new("Chemical", 0, 8), Entity::new("Disease", 14, 32)];
/// scorer.add(&gold, Prediction::from(entities).with_fault(FaultKind::NotInDocument, Some("Disease")));
/// scorer.add(&gold, Outcome::Truncated);
/// let summary = scorer.summary();
/// assert_eq!(summary.overall.strict.precision, 1.0 / 3.0);
/// assert_eq!(summary.overall.strict.recall, 1.0 / 4.0);
/// assert_eq!(summary.overall.type_.recall, 2.0 / 4.0);
/// assert_eq!((summary.parse_rate, summary.truncation_rate), (0.5, 0.5));
/// assert_eq!((summary.errors.wrong_boundary, summary.errors.missing), (1, 2));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Scorer {
    schema: Schema,
    documents: usize,
    overall: Schemes<Counts>,
    /// In schema order.
    labels: Vec<Schemes<Counts>>,
    errors: ErrorCounts,
}

impl Scorer {
    /// A scorer that has seen no document.
    pub fn new(schema: &Schema) -> Self {
        Scorer {
            schema: schema.clone(),
            documents: 0,
            overall: Schemes::default(),
            labels: vec![Schemes::default(); schema.len()],
            errors: ErrorCounts::default(),
        }
    }

    /// Adds a document: its gold entities, and what was predicted (a [`Prediction`], a list of entities or an
    /// [`Outcome`]). Predicted entities with a label that the schema lacks count as faults of that kind.
    pub fn add(&mut self, gold: &[Entity], prediction: impl Into<Prediction>) {
        let prediction = prediction.into();
        let gold: Vec<&Entity> = gold.iter().collect();
        let (predicted, strangers): (Vec<&Entity>, Vec<&Entity>) =
            prediction.entities.iter().partition(|entity| self.schema.index(&entity.label).is_some());
        self.documents += 1;
        match prediction.outcome {
            Outcome::Read => {}
            Outcome::ParseFailure => self.errors.parse_failure += 1,
            Outcome::Truncated => self.errors.truncated += 1,
        }
        self.errors.unknown_label += strangers.len();
        self.errors.add_entities(&gold, &predicted);
        self.overall.add(&Schemes::of(&gold, &predicted));
        self.overall.add_spurious(strangers.len() + prediction.faults.len());
        for (label, counts) in self.schema.labels().iter().zip(&mut self.labels) {
            let gold: Vec<&Entity> = gold.iter().copied().filter(|entity| entity.label == *label).collect();
            let predicted: Vec<&Entity> = predicted.iter().copied().filter(|entity| entity.label == *label).collect();
            counts.add(&Schemes::of(&gold, &predicted));
        }
        for fault in &prediction.faults {
            match fault.kind {
                FaultKind::NotInDocument => self.errors.not_in_document += 1,
                FaultKind::UnknownLabel => self.errors.unknown_label += 1,
                FaultKind::Disagreeing => self.errors.disagreeing += 1,
            }
            if let Some(label) = fault.label.as_deref().and_then(|label| self.schema.index(label)) {
                self.labels[label].add_spurious(1);
            }
        }
    }

    /// The scores so far.
    pub fn summary(&self) -> Summary {
        let rate = |part: usize, whole: usize| if whole == 0 { 0.0 } else { part as f64 / whole as f64 };
        let overall = self.overall.scores();
        let (gold, predicted) = (overall.strict.counts.possible(), overall.strict.counts.actual());
        let failed = self.errors.parse_failure + self.errors.truncated;
        let labels = self.schema.labels().iter().zip(&self.labels);
        Summary {
            documents: self.documents,
            gold,
            predicted,
            parse_rate: rate(self.documents - failed, self.documents),
            truncation_rate: rate(self.errors.truncated, self.documents),
            not_in_document_rate: rate(self.errors.not_in_document, predicted),
            overall,
            labels: labels.map(|(label, s)| LabelScores { label: label.clone(), scores: s.scores() }).collect(),
            errors: self.errors,
        }
    }
}

/// The scores of one label; only entities of that label take part in them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LabelScores {
    /// The label.
    pub label: String,
    /// The scores.
    #[serde(flatten)]
    pub scores: Schemes<Score>,
}

/// The scores of all documents.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Documents.
    pub documents: usize,
    /// Gold entities.
    pub gold: usize,
    /// Predicted entities, those that could not be grounded among them.
    pub predicted: usize,
    /// The share of documents whose output was read, from 0 to 1.
    pub parse_rate: f64,
    /// The share of documents whose output was cut off.
    pub truncation_rate: f64,
    /// The share of predicted entities whose mention does not occur in the document.
    pub not_in_document_rate: f64,
    /// The scores over all labels, micro-averaged.
    pub overall: Schemes<Score>,
    /// The scores per label, in schema order.
    pub labels: Vec<LabelScores>,
    /// The errors.
    pub errors: ErrorCounts,
}
