//! The same output scored at increasing leniency.
//!
//! | leniency | what is forgiven |
//! |---|---|
//! | `strict` | nothing |
//! | `parse` | an output that is not of its format is read as far as can be |
//! | `copy` | and text that is not the document's stands for the document's text that it is nearest to |
//! | `count` | and it does not matter where and how often something is found: labels and surfaces are compared |
//!
//! Each forgives what those before it forgive. How outputs are read at the first three is the grammar's affair; here is how
//! they are scored.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::matching::Pairing;
use super::schemes::f1;
use super::significance::Tally;
use crate::{Entity, Text};

/// How much of a document's gold was found, and how much of what was predicted is right. Where entities are matched one to one
/// the two are the same number; where positions are forgiven they are not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Matches {
    /// Gold entities.
    pub gold: usize,
    /// Predicted entities.
    pub predicted: usize,
    /// Gold entities that a prediction matches.
    pub found: usize,
    /// Predictions that match a gold entity.
    pub right: usize,
}

impl Matches {
    /// Entities of the same label and fragments match, one to one. `strays` predictions have no place in the document or no
    /// label of the schema, so that they are wrong.
    pub fn exact(gold: &[Entity], predicted: &[Entity], strays: usize) -> Matches {
        let hits = Pairing::new(gold, predicted).pair(|p, g| p == g);
        Matches { gold: gold.len(), predicted: predicted.len() + strays, found: hits, right: hits }
    }

    /// Entities of the same label and surface match, wherever and however often they stand: each gold entity is found whose
    /// surface is predicted with its label, and each prediction is right whose surface is gold with its label.
    ///
    /// Of the same predictions it never counts fewer as found or right than [`Matches::exact`], because equal entities have
    /// equal surfaces.
    pub fn surfaces(text: &Text, gold: &[Entity], predicted: &[Entity], strays: usize) -> Matches {
        let count = |entities: &[Entity]| {
            let mut counts: HashMap<(String, Vec<String>), usize> = HashMap::new();
            for entity in entities {
                let fragments = entity.fragments.iter();
                let surface = fragments.map(|fragment| text.slice(*fragment).unwrap_or_default().to_owned());
                *counts.entry((entity.label.clone(), surface.collect())).or_default() += 1;
            }
            counts
        };
        let (of_gold, of_predicted) = (count(gold), count(predicted));
        let shared = |these: &HashMap<_, usize>, those: &HashMap<_, usize>| {
            let kept = these.iter().filter(|(surface, _)| those.contains_key(*surface));
            kept.map(|(_, count)| count).sum()
        };
        Matches {
            gold: gold.len(),
            predicted: predicted.len() + strays,
            found: shared(&of_gold, &of_predicted),
            right: shared(&of_predicted, &of_gold),
        }
    }
}

impl Tally for Matches {
    fn add(&mut self, other: &Self) {
        self.gold += other.gold;
        self.predicted += other.predicted;
        self.found += other.found;
        self.right += other.right;
    }

    fn figure(&self) -> f64 {
        let ratio = |part: usize, whole: usize| if whole == 0 { 0.0 } else { part as f64 / whole as f64 };
        f1(ratio(self.right, self.predicted), ratio(self.found, self.gold))
    }
}

/// A document's matches at each leniency.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leniencies {
    /// Nothing is forgiven.
    pub strict: Matches,
    /// Faults of syntax, and labels that are written otherwise.
    pub parse: Matches,
    /// And text that is not the document's.
    pub copy: Matches,
    /// And positions, numbers and how often something is found.
    pub count: Matches,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn surfaces_forgive_where_and_how_often() {
        let text = Text::new("gout, gout and gout; lupus");
        let disease = |start, end| Entity::new("Disease", start, end);
        let gold = [disease(0, 4), disease(6, 10), disease(21, 26)];
        // Another occurrence, the same twice, and another label.
        let predicted = [disease(15, 19), disease(0, 4), Entity::new("Chemical", 21, 26)];
        let exact = Matches::exact(&gold, &predicted, 1);
        assert_eq!((exact.gold, exact.predicted, exact.found, exact.right), (3, 4, 1, 1));
        let free = Matches::surfaces(&text, &gold, &predicted, 1);
        assert_eq!((free.gold, free.predicted, free.found, free.right), (3, 4, 2, 2));
        // Precision 2/4, recall 2/3.
        assert!((free.figure() - 2.0 * (0.5 * 2.0 / 3.0) / (0.5 + 2.0 / 3.0)).abs() < 1e-12);
        let once = Matches::surfaces(&text, &gold, &predicted[..1], 0);
        assert_eq!((once.found, once.right), (2, 1), "one prediction finds a surface that is gold twice");
        assert_eq!(Matches::default().figure(), 0.0);
    }

    #[test]
    fn exact_matches_are_those_of_the_strict_scheme() {
        let gold = [Entity::new("A", 0, 4), Entity::new("B", 2, 9)];
        let predicted = [Entity::new("A", 0, 4), Entity::new("A", 0, 4), Entity::new("B", 2, 8)];
        let mut scorer = crate::metrics::Scorer::new(&crate::Schema::new(["A", "B"]));
        scorer.add(&gold, predicted.to_vec());
        let strict = scorer.summary().overall.strict;
        let matches = Matches::exact(&gold, &predicted, 0);
        assert_eq!((matches.found, matches.predicted), (strict.counts.correct, strict.counts.actual()));
        assert_eq!(matches.figure(), strict.f1);
    }
}
