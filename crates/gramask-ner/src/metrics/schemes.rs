//! The four schemes of SemEval 2013 task 9.1 (Segura-Bedmar et al. 2013), with the counts of MUC-5.

use serde::{Deserialize, Serialize};

use super::matching::{Pairing, distance, overlaps};
use crate::Entity;

/// What became of the entities, in one scheme.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Predictions that match a gold entity.
    pub correct: usize,
    /// Predictions that overlap a gold entity and do not match it.
    pub incorrect: usize,
    /// Predictions that overlap a gold entity; only in the partial scheme, where they count half.
    pub partial: usize,
    /// Gold entities without a prediction.
    pub missed: usize,
    /// Predictions without a gold entity.
    pub spurious: usize,
}

impl Counts {
    /// Gold entities.
    pub fn possible(&self) -> usize {
        self.correct + self.incorrect + self.partial + self.missed
    }

    /// Predicted entities.
    pub fn actual(&self) -> usize {
        self.correct + self.incorrect + self.partial + self.spurious
    }

    /// Adds the counts of other documents.
    pub fn add(&mut self, other: &Counts) {
        self.correct += other.correct;
        self.incorrect += other.incorrect;
        self.partial += other.partial;
        self.missed += other.missed;
        self.spurious += other.spurious;
    }

    /// Precision, recall and F1.
    pub fn score(&self) -> Score {
        let hits = self.correct as f64 + 0.5 * self.partial as f64;
        let ratio = |whole: usize| if whole == 0 { 0.0 } else { hits / whole as f64 };
        let (precision, recall) = (ratio(self.actual()), ratio(self.possible()));
        Score { counts: *self, precision, recall, f1: f1(precision, recall) }
    }
}

/// The harmonic mean; 0 where both are 0.
pub(super) fn f1(precision: f64, recall: f64) -> f64 {
    if precision + recall > 0.0 { 2.0 * (precision * recall) / (precision + recall) } else { 0.0 }
}

/// Counts and what follows from them, from 0 to 1; 0 where nothing was predicted or nothing was to find.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// The counts.
    #[serde(flatten)]
    pub counts: Counts,
    /// Matches per prediction.
    pub precision: f64,
    /// Matches per gold entity.
    pub recall: f64,
    /// The harmonic mean of the two.
    pub f1: f64,
}

/// One value per scheme.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schemes<T> {
    /// Same label, same fragments.
    pub strict: T,
    /// Same fragments, whatever the label.
    pub exact: T,
    /// Same fragments: a match; overlapping ones: half a match; whatever the label.
    pub partial: T,
    /// Same label, overlapping fragments.
    #[serde(rename = "type")]
    pub type_: T,
}

impl Schemes<Counts> {
    /// The counts of one document.
    pub(super) fn of(gold: &[&Entity], predicted: &[&Entity]) -> Self {
        let pairing = || Pairing::new(gold.iter().copied(), predicted.iter().copied());
        let equal = |p: &Entity, g: &Entity| p == g;
        let aligned = |p: &Entity, g: &Entity| p.fragments == g.fragments;
        let incorrect = |mut pairing: Pairing<'_>, correct| {
            let incorrect = pairing.pair(overlaps);
            rest(pairing, Counts { correct, incorrect, ..Counts::default() })
        };
        let mut strict = pairing();
        let strict_hits = strict.pair(equal);
        let mut exact = pairing();
        let exact_hits = exact.pair(aligned);
        let mut partial = pairing();
        let correct = partial.pair(aligned);
        let halves = partial.pair(overlaps);
        Schemes {
            strict: incorrect(strict, strict_hits),
            exact: incorrect(exact, exact_hits),
            partial: rest(partial, Counts { correct, partial: halves, ..Counts::default() }),
            type_: type_counts(pairing()),
        }
    }

    /// Adds the counts of other documents.
    pub fn add(&mut self, other: &Self) {
        self.strict.add(&other.strict);
        self.exact.add(&other.exact);
        self.partial.add(&other.partial);
        self.type_.add(&other.type_);
    }

    /// Adds predictions that lie nowhere in the document.
    pub(super) fn add_spurious(&mut self, count: usize) {
        for counts in [&mut self.strict, &mut self.exact, &mut self.partial, &mut self.type_] {
            counts.spurious += count;
        }
    }

    /// The scores.
    pub fn scores(&self) -> Schemes<Score> {
        Schemes {
            strict: self.strict.score(),
            exact: self.exact.score(),
            partial: self.partial.score(),
            type_: self.type_.score(),
        }
    }
}

/// Prediction by prediction: the closest overlapping gold entity of its label, else the first of another label.
fn type_counts(mut pairing: Pairing<'_>) -> Counts {
    let mut counts = Counts { correct: pairing.pair(|p, g| p == g), ..Counts::default() };
    for p in 0..pairing.predicted.len() {
        if pairing.pair_one(p, |p, g| p.label == g.label && overlaps(p, g), distance) {
            counts.correct += 1;
        } else if pairing.pair_one(p, overlaps, |_, _| 0) {
            counts.incorrect += 1;
        }
    }
    rest(pairing, counts)
}

/// Completes counts with what is not paired.
fn rest(pairing: Pairing<'_>, counts: Counts) -> Counts {
    Counts { missed: pairing.free_gold(), spurious: pairing.free_predicted(), ..counts }
}
