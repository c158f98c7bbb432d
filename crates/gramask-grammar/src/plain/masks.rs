//! Masks by the state on top of the stacks.
//!
//! A position is a set of pairs: a state, and the stacks below it. Nearly all tokens end inside the rule of the state, so that
//! the stacks below do not matter. So a mask is put together from *parts*:
//!
//! ```text
//! part(places, state) = the tokens that the state can write from these places of the trie on, where it reads the first byte
//!                       itself, and its exits: the places where its rule may end inside a token
//!
//! mask(places, node)  = for each entry (state, below) of the node, and for each rule that it calls, with its start and the
//!                       callers below:
//!                           the tokens of part(places, state), and mask(its exits, below)
//! ```
//!
//! A position's mask begins at the root of the trie. This is the obvious walk over the trie, grouped by the rule that reads
//! a token's bytes: a token is read by the state on top up to an exit, and from there on by what stands below. So the result
//! is the same. Exits lie deeper in the trie each time, and no place without children is one. So the recursion is not deeper than
//! the longest token.
//!
//! Parts don't depend on the output. All constraints of a grammar and a vocabulary share them, and the masks that were put
//! together of the same parts. A new depth of nesting then costs some look-ups.
//!
//! # Free text
//!
//! The part of a state in free text holds most of the vocabulary, and is the only one that takes long to make. It depends on
//! no more than what the state can read before its rule ends, in as many bytes as the longest token has. That is written
//! down as a [`residual`](super::residual), and grammars with the same residual share the part: text in a JSON string is walked
//! once for a vocabulary. So are the states of a counted text whose end is further away than a token reaches.

use std::sync::{Arc, Mutex, PoisonError};

use rustc_hash::FxHashMap;

use super::machine::Machine;
use super::network::{Network, StateId};
use super::residual::{Residual, residual};
use super::stacks::StackId;
use crate::Vocabulary;
use crate::engine::{Kept, set_bit, tokens_of};
use crate::vocabulary::Place;

/// Masks of at most this many tokens are kept as a list.
const FEW_TOKENS: usize = 512;

/// A state that can read so many bytes is in free text.
const WIDE: usize = 64;

/// So many masks that were put together are kept for all constraints.
const MOST_MASKS: usize = 4096;

/// So many parts of free text are kept for all grammars of a vocabulary.
const MOST_TEXTS: usize = 4096;

/// Places of the trie where rules end inside a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct ExitsId(u32);

impl ExitsId {
    /// The root alone: the beginning of each token.
    pub const ROOT: ExitsId = ExitsId(0);
    /// No place.
    const NONE: ExitsId = ExitsId(1);
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct PartId(u32);

/// What a state alone can write.
#[derive(Clone, Debug)]
struct Part {
    tokens: Kept,
    /// There is some token.
    some: bool,
    exits: ExitsId,
}

/// What stacks above something unknown read: parts, and the places where they may be empty.
#[derive(Clone, Debug)]
struct Reads {
    parts: Arc<[PartId]>,
    exits: ExitsId,
}

/// The parts of free text that the grammars of a vocabulary share: the tokens, and the exits.
pub(crate) type Texts = Mutex<FxHashMap<Residual, (Kept, Arc<[Place]>)>>;

/// The parts of a grammar and a vocabulary.
#[derive(Debug)]
pub(crate) struct Parts {
    /// Its stacks stand above what is not known.
    machine: Machine,
    exits: Vec<Arc<[Place]>>,
    exit_numbers: FxHashMap<Arc<[Place]>, ExitsId>,
    parts: Vec<Part>,
    part_numbers: FxHashMap<(ExitsId, StateId), PartId>,
    /// What nodes of this machine read from places on.
    reads: FxHashMap<(ExitsId, StackId), Reads>,
    /// By parts, and what [`Parts::mask`] adds to them.
    masks: FxHashMap<Box<[u32]>, Kept>,
    /// How many walks over free text were made here, for tests.
    walked: usize,
}

/// The parts of the nodes of one constraint.
pub(crate) type PartsOf = FxHashMap<(ExitsId, StackId), Arc<[PartId]>>;

impl Parts {
    pub fn new(network: Arc<Network>) -> Parts {
        let (root, none): (Arc<[Place]>, Arc<[Place]>) = (Arc::from([0]), Arc::from([]));
        Parts {
            machine: Machine::new(network),
            exit_numbers: [(Arc::clone(&root), ExitsId::ROOT), (Arc::clone(&none), ExitsId::NONE)]
                .into_iter()
                .collect(),
            exits: vec![root, none],
            parts: Vec::new(),
            part_numbers: FxHashMap::default(),
            reads: FxHashMap::default(),
            masks: FxHashMap::default(),
            walked: 0,
        }
    }

    /// How many parts there are, and how many of them took a walk over free text.
    #[cfg(test)]
    pub fn made(&self) -> (usize, usize) {
        (self.parts.len(), self.walked)
    }

    /// The mask of a position: its tokens, `more` tokens, and end tokens if the output is complete.
    pub fn mask(
        &mut self,
        vocabulary: &Vocabulary,
        machine: &Machine,
        node: StackId,
        known: &mut PartsOf,
        more: &[u32],
    ) -> Kept {
        let parts = self.parts_of(vocabulary, machine, ExitsId::ROOT, node, known);
        let accepts = machine.accepts(node);
        if let ([part], false, true) = (&*parts, accepts, more.is_empty()) {
            return self.parts[part.0 as usize].tokens.clone();
        }
        let key: Box<[u32]> =
            parts.iter().map(|part| part.0).chain([u32::MAX, u32::from(accepts)]).chain(more.iter().copied()).collect();
        if let Some(kept) = self.masks.get(&key) {
            return kept.clone();
        }
        let ends = if accepts { vocabulary.ends() } else { &[] };
        let kept = self.united(vocabulary, &parts, &[ends, more].concat());
        if self.masks.len() < MOST_MASKS {
            self.masks.insert(key, kept.clone());
        }
        kept
    }

    /// The parts of a set of stacks that reads on from these places.
    fn parts_of(
        &mut self,
        vocabulary: &Vocabulary,
        machine: &Machine,
        exits: ExitsId,
        node: StackId,
        known: &mut PartsOf,
    ) -> Arc<[PartId]> {
        if let Some(parts) = known.get(&(exits, node)) {
            return Arc::clone(parts);
        }
        let mut found = Vec::new();
        for &(state, below) in machine.stacks().entries(node) {
            let alone = self.machine.alone(state);
            let reads = self.reads(vocabulary, exits, alone);
            found.extend_from_slice(&reads.parts);
            if reads.exits != ExitsId::NONE && below != StackId::BOTTOM {
                found.extend_from_slice(&self.parts_of(vocabulary, machine, reads.exits, below, known));
            }
        }
        found.sort_unstable();
        found.dedup();
        let found: Arc<[PartId]> = found.into();
        known.insert((exits, node), Arc::clone(&found));
        found
    }

    /// What a node of this machine reads from these places on.
    fn reads(&mut self, vocabulary: &Vocabulary, exits: ExitsId, node: StackId) -> Reads {
        if let Some(reads) = self.reads.get(&(exits, node)) {
            return reads.clone();
        }
        let (mut parts, mut places) = (Vec::new(), Vec::new());
        for (state, below) in self.machine.readers(node) {
            let number = self.part(vocabulary, exits, state);
            let part = &self.parts[number.0 as usize];
            if part.some {
                parts.push(number);
            }
            let exits = part.exits;
            if exits == ExitsId::NONE {
                continue;
            }
            if self.machine.accepts(below) {
                places.extend_from_slice(&self.exits[exits.0 as usize]);
            }
            if below != StackId::BOTTOM {
                let reads = self.reads(vocabulary, exits, below);
                parts.extend_from_slice(&reads.parts);
                places.extend_from_slice(&self.exits[reads.exits.0 as usize]);
            }
        }
        parts.sort_unstable();
        parts.dedup();
        places.sort_unstable();
        places.dedup();
        let reads = Reads { parts: parts.into(), exits: self.number(places.into()) };
        self.reads.insert((exits, node), reads.clone());
        reads
    }

    fn part(&mut self, vocabulary: &Vocabulary, exits: ExitsId, state: StateId) -> PartId {
        if let Some(number) = self.part_numbers.get(&(exits, state)) {
            return *number;
        }
        let bytes = self.machine.network().bytes(state);
        let shared = exits == ExitsId::ROOT && bytes.len() >= WIDE;
        let key = if shared { residual(self.machine.network(), state, vocabulary.longest()) } else { None };
        let texts = || vocabulary.texts().lock().unwrap_or_else(PoisonError::into_inner);
        let known = key.as_ref().and_then(|key| texts().get(key).cloned());
        let (tokens, places) = known.unwrap_or_else(|| {
            self.walked += usize::from(shared);
            let made = self.walk(vocabulary, exits, state);
            if let Some(key) = key {
                let mut texts = texts();
                if texts.len() < MOST_TEXTS {
                    texts.insert(key, made.clone());
                }
            }
            made
        });
        let part = Part { some: !tokens.mask().is_empty(), tokens, exits: self.number(places) };
        let number = PartId(self.parts.len() as u32);
        self.parts.push(part);
        self.part_numbers.insert((exits, state), number);
        number
    }

    fn number(&mut self, places: Arc<[Place]>) -> ExitsId {
        if let Some(number) = self.exit_numbers.get(&places) {
            return *number;
        }
        let number = ExitsId(self.exits.len() as u32);
        self.exits.push(Arc::clone(&places));
        self.exit_numbers.insert(places, number);
        number
    }

    /// The tokens that a state above what is not known can write from these places on, where it reads the first byte itself, and
    /// its exits.
    fn walk(&mut self, vocabulary: &Vocabulary, exits: ExitsId, state: StateId) -> (Kept, Arc<[Place]>) {
        let (mut found, mut ends) = (Vec::new(), Vec::new());
        let places = Arc::clone(&self.exits[exits.0 as usize]);
        self.machine.walk_alone(vocabulary, &places, state, &mut |reached| {
            found.extend_from_slice(reached.tokens);
            if reached.accepts {
                let last = if reached.subtree { vocabulary.last_below(reached.place) } else { reached.place };
                ends.extend((reached.place..=last).filter(|place| vocabulary.has_kids(*place)));
            }
        });
        ends.sort_unstable();
        ends.dedup();
        (kept(vocabulary, found), ends.into())
    }

    fn united(&self, vocabulary: &Vocabulary, parts: &[PartId], more: &[u32]) -> Kept {
        let parts = || parts.iter().map(|part| self.parts[part.0 as usize].tokens.mask());
        let is_row = |mask: crate::Mask| matches!(mask, crate::Mask::Row(_));
        if !parts().any(is_row) {
            let lists = parts().flat_map(|mask| match mask {
                crate::Mask::Few(tokens) => tokens,
                crate::Mask::Row(_) => &[],
            });
            return kept(vocabulary, lists.chain(more).copied().collect());
        }
        let mut row = vec![0; vocabulary.words()];
        for part in parts() {
            match part {
                crate::Mask::Few(tokens) => tokens.iter().for_each(|token| set_bit(&mut row, *token)),
                crate::Mask::Row(other) => row.iter_mut().zip(other).for_each(|(word, other)| *word |= other),
            }
        }
        more.iter().for_each(|token| set_bit(&mut row, *token));
        Kept::Row(row.into())
    }
}

/// A list of tokens, or a bit row where they are many. A token may be in the list several times.
fn kept(vocabulary: &Vocabulary, mut found: Vec<u32>) -> Kept {
    if found.len() <= FEW_TOKENS {
        found.sort_unstable();
        found.dedup();
        return Kept::Few(found.into());
    }
    let mut row = vec![0; vocabulary.words()];
    found.iter().for_each(|token| set_bit(&mut row, *token));
    let count: u32 = row.iter().map(|word| word.count_ones()).sum();
    match count as usize <= FEW_TOKENS {
        true => Kept::Few(tokens_of(&row).collect()),
        false => Kept::Row(row.into()),
    }
}

/// A grammar, and the parts that its constraints share.
type SharedParts = (Arc<Network>, Arc<Mutex<Parts>>);

/// The parts that the constraints of each grammar share; kept as long as both grammar and vocabulary exist.
#[derive(Debug, Default)]
pub(crate) struct PlainShared {
    by_network: Mutex<Vec<SharedParts>>,
    texts: Texts,
}

impl PlainShared {
    pub fn texts(&self) -> &Texts {
        &self.texts
    }

    /// The parts of a grammar.
    pub fn parts(&self, network: &Arc<Network>) -> Arc<Mutex<Parts>> {
        let mut all = self.by_network.lock().unwrap_or_else(PoisonError::into_inner);
        // Of a network that nobody else has any more only this list and the machine of the parts know.
        all.retain(|(known, parts)| Arc::strong_count(parts) > 1 || Arc::strong_count(known) > 2);
        if let Some((_, parts)) = all.iter().find(|(known, _)| Arc::ptr_eq(known, network)) {
            return Arc::clone(parts);
        }
        let parts = Arc::new(Mutex::new(Parts::new(Arc::clone(network))));
        all.push((Arc::clone(network), Arc::clone(&parts)));
        parts
    }
}
