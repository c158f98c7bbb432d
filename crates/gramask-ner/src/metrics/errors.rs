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
    /// Adds the errors of one document's entities: exact matches are paired first, then same fragments, then the
    /// closest of the same label, then whatever overlaps.
    pub(super) fn add_entities(&mut self, gold: &[&Entity], predicted: &[&Entity]) {
        let mut pairing = Pairing::new(gold.iter().copied(), predicted.iter().copied());
        pairing.pair(|p, g| p == g);
        self.wrong_type += pairing.pair(|p, g| p.fragments == g.fragments);
        self.wrong_boundary += pairing.pair_closest(|p, g| p.label == g.label && overlaps(p, g), distance);
        self.wrong_both += pairing.pair_closest(overlaps, distance);
        self.spurious += pairing.free_predicted();
        self.missing += pairing.free_gold();
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
