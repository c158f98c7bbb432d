//! Pairing predicted entities with gold ones.
//!
//! Exact matches come first, so that no near miss uses up the gold entity of a hit. What is left is paired greedily in
//! document order of the predictions.

use crate::Entity;

/// Which entities of a document are paired so far.
pub(super) struct Pairing<'a> {
    pub gold: Vec<&'a Entity>,
    pub predicted: Vec<&'a Entity>,
    gold_taken: Vec<bool>,
    /// The gold entity of each prediction that has one.
    partners: Vec<Option<usize>>,
}

impl<'a> Pairing<'a> {
    /// Nothing paired; both sides in document order, so that the order of the lists never changes a score.
    pub fn new(gold: impl IntoIterator<Item = &'a Entity>, predicted: impl IntoIterator<Item = &'a Entity>) -> Self {
        let (gold, predicted) = (in_order(gold), in_order(predicted));
        let (gold_taken, partners) = (vec![false; gold.len()], vec![None; predicted.len()]);
        Pairing { gold, predicted, gold_taken, partners }
    }

    /// Pairs each free prediction with the first free gold entity that `fits`; how many pairs were made.
    pub fn pair(&mut self, fits: impl Fn(&Entity, &Entity) -> bool) -> usize {
        self.pair_closest(fits, |_, _| 0)
    }

    /// Pairs each free prediction with that free gold entity that `fits` and is the least distant, the first of equals.
    pub fn pair_closest(
        &mut self,
        fits: impl Fn(&Entity, &Entity) -> bool,
        distance: impl Fn(&Entity, &Entity) -> usize,
    ) -> usize {
        let mut pairs = 0;
        for p in 0..self.predicted.len() {
            pairs += usize::from(self.pair_one(p, &fits, &distance));
        }
        pairs
    }

    /// The same for one prediction; whether it is paired now and was not before.
    pub fn pair_one(
        &mut self,
        p: usize,
        fits: impl Fn(&Entity, &Entity) -> bool,
        distance: impl Fn(&Entity, &Entity) -> usize,
    ) -> bool {
        if self.partners[p].is_some() {
            return false;
        }
        let predicted = self.predicted[p];
        let free = (0..self.gold.len()).filter(|&g| !self.gold_taken[g] && fits(predicted, self.gold[g]));
        let Some(g) = free.min_by_key(|&g| distance(predicted, self.gold[g])) else {
            return false;
        };
        self.gold_taken[g] = true;
        self.partners[p] = Some(g);
        true
    }

    /// How many gold entities are free.
    pub fn free_gold(&self) -> usize {
        self.gold_taken.iter().filter(|taken| !**taken).count()
    }

    /// How many predictions are free.
    pub fn free_predicted(&self) -> usize {
        self.partners.iter().filter(|partner| partner.is_none()).count()
    }

    /// The gold entity that a prediction is paired with.
    pub fn partner(&self, p: usize) -> Option<&'a Entity> {
        self.partners[p].map(|g| self.gold[g])
    }

    /// The gold entities that are free.
    pub fn left(&self) -> impl Iterator<Item = &'a Entity> + '_ {
        let taken = self.gold.iter().zip(&self.gold_taken);
        taken.filter(|(_, taken)| !**taken).map(|(gold, _)| *gold)
    }
}

fn in_order<'a>(entities: impl IntoIterator<Item = &'a Entity>) -> Vec<&'a Entity> {
    let mut entities: Vec<&Entity> = entities.into_iter().collect();
    entities.sort_by_key(|entity| (entity.start(), std::cmp::Reverse(entity.end()), &entity.label, &entity.fragments));
    entities
}

/// Characters of an entity.
fn length(entity: &Entity) -> usize {
    entity.fragments.iter().map(|fragment| fragment.end.saturating_sub(fragment.start)).sum()
}

/// Characters that two entities share.
fn shared(a: &Entity, b: &Entity) -> usize {
    let pairs = a.fragments.iter().flat_map(|x| b.fragments.iter().map(move |y| (x, y)));
    pairs.map(|(x, y)| x.end.min(y.end).saturating_sub(x.start.max(y.start))).sum()
}

/// Whether a prediction overlaps a gold entity: they share a character, and at least one in a hundred of the gold
/// entity's (the threshold that `nervaluate` has by default).
pub(super) fn overlaps(predicted: &Entity, gold: &Entity) -> bool {
    let shared = shared(predicted, gold);
    shared > 0 && shared * 100 >= length(gold)
}

/// Characters that only one of the two has: for contiguous entities that overlap, how far their ends are apart.
pub(super) fn distance(a: &Entity, b: &Entity) -> usize {
    (length(a) + length(b)).saturating_sub(2 * shared(a, b))
}
