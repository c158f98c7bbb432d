//! A part while it is made.

use std::sync::Arc;

use crate::Vocabulary;
use crate::engine::{Kept, set_bit, tokens_of};
use crate::vocabulary::Place;

/// Masks of at most this many tokens are kept as a list.
pub(in crate::plain) const FEW_TOKENS: usize = 512;

/// The tokens that a state can write, and its exits: the places where its rule may end inside a token, ascending.
pub(crate) type Written = (Kept, Arc<[Place]>);

/// Bits and exits. Places must come in ascending order.
pub(in crate::plain) struct PartBuilder<'v> {
    vocabulary: &'v Vocabulary,
    row: Vec<u32>,
    /// The exits that it began with.
    known: Arc<[Place]>,
    /// Ranges of places that are no exits any more, first and last.
    removed: Vec<(Place, Place)>,
    added: Vec<Place>,
}

impl<'v> PartBuilder<'v> {
    /// Begins with these tokens and no exits.
    pub fn of_row(vocabulary: &'v Vocabulary, row: &[u32]) -> PartBuilder<'v> {
        PartBuilder { vocabulary, row: row.to_vec(), known: Arc::from([]), removed: Vec::new(), added: Vec::new() }
    }

    pub fn empty(vocabulary: &'v Vocabulary) -> PartBuilder<'v> {
        PartBuilder::of_row(vocabulary, &vec![0; vocabulary.words()])
    }

    /// Begins with another part.
    pub fn of_part(vocabulary: &'v Vocabulary, (tokens, exits): &Written) -> PartBuilder<'v> {
        let mut row = vec![0; vocabulary.words()];
        tokens.mask().copy_to(&mut row);
        PartBuilder { known: Arc::clone(exits), row, ..PartBuilder::of_row(vocabulary, &[]) }
    }

    pub fn allow(&mut self, tokens: &[u32]) {
        tokens.iter().for_each(|token| set_bit(&mut self.row, *token));
    }

    /// Forbids all tokens from a place on, and removes the exits there.
    pub fn forbid_from(&mut self, place: Place) {
        let node = &self.vocabulary.nodes()[place as usize - 1];
        for &token in self.vocabulary.subtree(node) {
            self.row[token as usize / 32] &= !(1 << (token % 32));
        }
        self.removed.push((place, self.vocabulary.last_below(place)));
    }

    /// The place is an exit, or it is none. Tokens that end there need none.
    pub fn set_exit(&mut self, place: Place, exit: bool) {
        match exit {
            true if self.vocabulary.has_kids(place) => self.added.push(place),
            true => {}
            false => self.removed.push((place, place)),
        }
    }

    /// All places from one on are exits.
    pub fn exit_from(&mut self, place: Place) {
        let all = place..=self.vocabulary.last_below(place);
        self.added.extend(all.filter(|place| self.vocabulary.has_kids(*place)));
    }

    pub fn finish(self) -> Written {
        let mut removed = self.removed.iter().copied().peekable();
        let mut exits: Vec<Place> = Vec::with_capacity(self.known.len() + self.added.len());
        exits.extend(self.known.iter().copied().filter(|place| {
            while removed.next_if(|(_, last)| last < place).is_some() {}
            removed.peek().is_none_or(|(first, _)| place < first)
        }));
        if !self.added.is_empty() {
            exits.extend_from_slice(&self.added);
            exits.sort_unstable();
            exits.dedup();
        }
        (kept_row(self.row), exits.into())
    }
}

/// A bit row, or a list of its tokens where they are few.
fn kept_row(row: Vec<u32>) -> Kept {
    let count: u32 = row.iter().map(|word| word.count_ones()).sum();
    match count as usize <= FEW_TOKENS {
        true => Kept::Few(tokens_of(&row).collect()),
        false => Kept::Row(row.into()),
    }
}

/// A list of tokens, or a bit row where they are many. A token may be in the list several times.
pub(in crate::plain) fn kept(vocabulary: &Vocabulary, mut found: Vec<u32>) -> Kept {
    if found.len() <= FEW_TOKENS {
        found.sort_unstable();
        found.dedup();
        return Kept::Few(found.into());
    }
    let mut row = vec![0; vocabulary.words()];
    found.iter().for_each(|token| set_bit(&mut row, *token));
    kept_row(row)
}
