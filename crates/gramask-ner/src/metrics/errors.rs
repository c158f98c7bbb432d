//! Counting each kind of error.

use serde::{Deserialize, Serialize};

use super::matching::{Pairing, distance, overlaps};
use crate::Entity;

/// How often each error occurs.
///
/// The first two count documents, the others entities. Every predicted entity is strictly correct or has exactly one of
/// `not_in_document`, `unknown_label`, `disagreeing`, `wrong_boundary`, `wrong_type`, `wrong_both` and `spurious`; every
/// gold entity is found or has exactly one of the three `wrong_*` and `missing`. The gold entities of an output that
/// does not parse are missing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorCounts {
    /// Documents whose output does not parse.
    pub parse_failure: usize,
    /// Documents whose output was cut off by the token budget.
    pub truncated: usize,
    /// Mentions that do not occur in the document.
    pub not_in_document: usize,
    /// Entities with a label that the schema does not have.
    pub unknown_label: usize,
    /// Entities whose offsets and text say different things.
    pub disagreeing: usize,
    /// Right label, overlapping fragments.
    pub wrong_boundary: usize,
    /// Right fragments, wrong label.
    pub wrong_type: usize,
    /// Overlapping fragments, wrong label.
    pub wrong_both: usize,
    /// Predictions that overlap no free gold entity.
    pub spurious: usize,
    /// Gold entities that nothing predicts.
    pub missing: usize,
}

impl ErrorCounts {
    /// Adds the errors of one document's entities.
    pub(super) fn add_entities(&mut self, gold: &[&Entity], predicted: &[&Entity]) {
        for verdict in verdicts(gold.iter().copied(), predicted.iter().copied()) {
            match verdict.kind {
                VerdictKind::Correct => {}
                VerdictKind::WrongBoundary => self.wrong_boundary += 1,
                VerdictKind::WrongType => self.wrong_type += 1,
                VerdictKind::WrongBoth => self.wrong_both += 1,
                VerdictKind::Spurious => self.spurious += 1,
                VerdictKind::Missing => self.missing += 1,
            }
        }
    }

    /// Adds the counts of other documents.
    pub fn add(&mut self, other: &ErrorCounts) {
        self.parse_failure += other.parse_failure;
        self.truncated += other.truncated;
        self.not_in_document += other.not_in_document;
        self.unknown_label += other.unknown_label;
        self.disagreeing += other.disagreeing;
        self.wrong_boundary += other.wrong_boundary;
        self.wrong_type += other.wrong_type;
        self.wrong_both += other.wrong_both;
        self.spurious += other.spurious;
        self.missing += other.missing;
    }
}

/// What became of an entity, gold or predicted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VerdictKind {
    /// Right label, right fragments.
    Correct,
    /// Right label, overlapping fragments.
    WrongBoundary,
    /// Right fragments, wrong label.
    WrongType,
    /// Overlapping fragments, wrong label.
    WrongBoth,
    /// A prediction that overlaps no free gold entity.
    Spurious,
    /// A gold entity that nothing predicts.
    Missing,
}

/// A prediction with the gold entity that it is compared with, or one of the two alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict<'a> {
    /// What became of them.
    pub kind: VerdictKind,
    /// None where the prediction is spurious.
    pub gold: Option<&'a Entity>,
    /// None where the gold entity is missing.
    pub predicted: Option<&'a Entity>,
}

/// What became of each entity of one document: exact matches are paired first, then same fragments, then the closest of the
/// same label, then whatever overlaps. The predictions come first, in document order, then the gold entities that are left.
///
/// ```
/// use gramask_ner::{Entity, metrics::{VerdictKind, verdicts}};
/// let gold = [Entity::new("Disease", 0, 8), Entity::new("Chemical", 20, 32)];
/// let predicted = [Entity::new("Disease", 4, 8)];
/// let kinds: Vec<VerdictKind> = verdicts(&gold, &predicted).iter().map(|verdict| verdict.kind).collect();
/// assert_eq!(kinds, [VerdictKind::WrongBoundary, VerdictKind::Missing]);
/// ```
pub fn verdicts<'a>(
    gold: impl IntoIterator<Item = &'a Entity>,
    predicted: impl IntoIterator<Item = &'a Entity>,
) -> Vec<Verdict<'a>> {
    let mut pairing = Pairing::new(gold, predicted);
    let mut kinds = vec![VerdictKind::Spurious; pairing.predicted.len()];
    let mut settle = |pairing: &Pairing<'_>, kind| {
        for (p, settled) in kinds.iter_mut().enumerate() {
            if *settled == VerdictKind::Spurious && pairing.partner(p).is_some() {
                *settled = kind;
            }
        }
    };
    pairing.pair(|p, g| p == g);
    settle(&pairing, VerdictKind::Correct);
    pairing.pair(|p, g| p.fragments == g.fragments);
    settle(&pairing, VerdictKind::WrongType);
    pairing.pair_closest(|p, g| p.label == g.label && overlaps(p, g), distance);
    settle(&pairing, VerdictKind::WrongBoundary);
    pairing.pair_closest(overlaps, distance);
    settle(&pairing, VerdictKind::WrongBoth);
    let predictions = kinds.into_iter().enumerate().map(|(p, kind)| Verdict {
        kind,
        gold: pairing.partner(p),
        predicted: Some(pairing.predicted[p]),
    });
    let missing = pairing.left().map(|gold| Verdict { kind: VerdictKind::Missing, gold: Some(gold), predicted: None });
    predictions.chain(missing).collect()
}
