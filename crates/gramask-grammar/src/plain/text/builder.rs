//! A part while it is made.

use std::sync::Arc;

use crate::Vocabulary;
use crate::engine::{Kept, set_bit, tokens_of};
use crate::plain::network::StateId;
use crate::vocabulary::Place;

/// Masks of at most this many tokens are kept as a list.
pub(in crate::plain) const FEW_TOKENS: usize = 512;

/// What a state can write.
#[derive(Clone, Debug)]
pub(crate) struct Written {
    pub tokens: Kept,
    /// The places where its rule may end inside a token, ascending.
    pub exits: Arc<[Place]>,
    /// States that call rules, with the places where they are reached inside a token. What is written from there on is not
    /// among the tokens.
    pub calls: Vec<(StateId, Arc<[Place]>)>,
    /// What is written beyond a call is among the tokens, and there are no `calls`.
    pub whole: bool,
}

/// Bits, exits and calls. Places must come in ascending order.
pub(in crate::plain) struct PartBuilder<'v> {
    vocabulary: &'v Vocabulary,
    row: Vec<u32>,
    /// The exits and calls that it began with.
    exits: Arc<[Place]>,
    calls: Vec<(StateId, Arc<[Place]>)>,
    whole: bool,
    /// Ranges of places that are no exits any more, first and last, and such as are no calls any more.
    no_exits: Vec<(Place, Place)>,
    no_calls: Vec<(Place, Place)>,
    more_exits: Vec<Place>,
    more_calls: Vec<(StateId, Place)>,
}

impl<'v> PartBuilder<'v> {
    /// Begins with these tokens.
    pub fn of_row(vocabulary: &'v Vocabulary, row: &[u32]) -> PartBuilder<'v> {
        PartBuilder {
            vocabulary,
            row: row.to_vec(),
            exits: Arc::from([]),
            calls: Vec::new(),
            whole: false,
            no_exits: Vec::new(),
            no_calls: Vec::new(),
            more_exits: Vec::new(),
            more_calls: Vec::new(),
        }
    }

    pub fn empty(vocabulary: &'v Vocabulary) -> PartBuilder<'v> {
        PartBuilder::of_row(vocabulary, &vec![0; vocabulary.words()])
    }

    /// Begins with another part.
    pub fn of_part(vocabulary: &'v Vocabulary, known: &Written) -> PartBuilder<'v> {
        let mut row = vec![0; vocabulary.words()];
        known.tokens.mask().copy_to(&mut row);
        let (exits, calls) = (Arc::clone(&known.exits), known.calls.clone());
        PartBuilder { exits, calls, row, whole: known.whole, ..PartBuilder::of_row(vocabulary, &[]) }
    }

    /// No walk ends at a call.
    pub fn whole(mut self) -> PartBuilder<'v> {
        self.whole = true;
        self
    }

    pub fn allow(&mut self, tokens: &[u32]) {
        tokens.iter().for_each(|token| set_bit(&mut self.row, *token));
    }

    fn forbid(&mut self, tokens: &[u32]) {
        tokens.iter().for_each(|token| self.row[*token as usize / 32] &= !(1 << (token % 32)));
    }

    /// Nothing can be written from a place on.
    pub fn forbid_from(&mut self, place: Place) {
        let vocabulary = self.vocabulary;
        self.forbid(vocabulary.subtree(&vocabulary.nodes()[place as usize - 1]));
        self.no_exits.push((place, vocabulary.last_below(place)));
        self.no_calls.push((place, vocabulary.last_below(place)));
    }

    /// Nothing of what was known is written below a place.
    pub fn forbid_below(&mut self, place: Place) {
        let vocabulary = self.vocabulary;
        let own = vocabulary.ids_at(place).len();
        self.forbid(&vocabulary.subtree(&vocabulary.nodes()[place as usize - 1])[own..]);
        if vocabulary.has_kids(place) {
            self.no_exits.push((place + 1, vocabulary.last_below(place)));
            self.no_calls.push((place + 1, vocabulary.last_below(place)));
        }
    }

    /// The place is an exit, or it is none. Tokens that end there need none.
    pub fn set_exit(&mut self, place: Place, exit: bool) {
        match exit {
            true if self.vocabulary.has_kids(place) => self.more_exits.push(place),
            true => {}
            false => self.no_exits.push((place, place)),
        }
    }

    /// All places from one on are exits.
    pub fn exit_from(&mut self, place: Place) {
        let all = place..=self.vocabulary.last_below(place);
        self.more_exits.extend(all.filter(|place| self.vocabulary.has_kids(*place)));
    }

    /// At a place a state is reached that calls rules.
    pub fn call(&mut self, state: StateId, place: Place) {
        if self.vocabulary.has_kids(place) {
            self.more_calls.push((state, place));
        }
    }

    /// At a place no such state is reached any more.
    pub fn no_call(&mut self, place: Place) {
        self.no_calls.push((place, place));
    }

    pub fn finish(mut self) -> Written {
        let exits = changed(&self.exits, &self.no_exits, &mut self.more_exits);
        let mut states: Vec<StateId> = self.calls.iter().map(|(state, _)| *state).collect();
        states.extend(self.more_calls.iter().map(|(state, _)| *state));
        states.sort_unstable();
        states.dedup();
        let mut calls = Vec::with_capacity(states.len());
        for state in states {
            let known = self.calls.iter().find(|(known, _)| *known == state).map(|(_, places)| Arc::clone(places));
            let more = self.more_calls.iter().filter(|(other, _)| *other == state);
            let mut more: Vec<Place> = more.map(|(_, place)| *place).collect();
            let places = changed(&known.unwrap_or_default(), &self.no_calls, &mut more);
            if !places.is_empty() {
                calls.push((state, places));
            }
        }
        Written { tokens: kept_row(self.row), exits, calls, whole: self.whole }
    }
}

/// Places without those in some ranges, and with others. The ranges are in ascending order; a range may hold a later one.
fn changed(known: &Arc<[Place]>, removed: &[(Place, Place)], added: &mut Vec<Place>) -> Arc<[Place]> {
    if removed.is_empty() && added.is_empty() {
        return Arc::clone(known);
    }
    let (mut removed, mut end) = (removed.iter().peekable(), 0);
    let mut places: Vec<Place> = Vec::with_capacity(known.len() + added.len());
    places.extend(known.iter().copied().filter(|place| {
        while let Some((_, last)) = removed.next_if(|(first, _)| first <= place) {
            end = end.max(last + 1);
        }
        *place >= end
    }));
    if !added.is_empty() {
        places.append(added);
        places.sort_unstable();
        places.dedup();
    }
    places.into()
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
