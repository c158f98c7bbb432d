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
//! A rule that is called inside a token is treated like an exit: the walk ends at the state that calls it, and what the called
//! rule reads from that place on is a part of its own. So the tokens ` name` and ` age` after `SELECT ` share a part with
//! those after `, `.
//!
//! Parts don't depend on the output. All constraints of a grammar and a vocabulary share them, and the masks that were put
//! together of the same parts. A new depth of nesting then costs some look-ups.
//!
//! # Free text
//!
//! The part of a state in free text holds most of the vocabulary, and is the only one that takes long to make. Such parts are made
//! from others that they hardly differ from ([`text`](super::text)).

use std::sync::{Arc, Mutex, PoisonError};

use rustc_hash::FxHashMap;

use super::machine::Machine;
use super::network::{Network, StateId};
use super::stacks::StackId;
use super::text::{Nodes, PartBuilder, Position, TextStore, Texts, Written, differ, kept, main_target};
use crate::Vocabulary;
use crate::engine::{Kept, set_bit};
use crate::vocabulary::Place;

/// A state that can read so many bytes is in a text.
const WIDE: usize = 16;

/// So many masks that were put together are kept for all constraints.
const MOST_MASKS: usize = 4096;

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
    /// States that call rules, and the places where the state reaches them inside a token.
    calls: Arc<[(StateId, ExitsId)]>,
    /// See [`Written::whole`].
    whole: bool,
}

/// What stacks above something unknown read: parts, and the places where they may be empty.
#[derive(Clone, Debug)]
struct Reads {
    parts: Arc<[PartId]>,
    exits: ExitsId,
}

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
    /// What positions in a text read, up to the end of their rule; nothing for those that are in no text.
    text_reads: FxHashMap<(ExitsId, Position), Option<Reads>>,
    /// The free text of other grammars that this one was compared with.
    texts: Texts,
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
            text_reads: FxHashMap::default(),
            texts: Texts::default(),
        }
    }

    /// How many parts there are, and how many of them took a walk over free text.
    #[cfg(test)]
    pub fn made(&self) -> (usize, usize) {
        (self.parts.len(), self.texts.walked)
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
        for &(state, mut below) in machine.stacks().entries(node) {
            let reads = self.text_above(vocabulary, machine, exits, state, &mut below);
            let reads = reads.unwrap_or_else(|| {
                let alone = self.machine.alone(state);
                self.reads(vocabulary, exits, alone)
            });
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

    /// What a state in a text reads from these places on, up to the end of the rule of the text, and what stands below that rule.
    fn text_above(
        &mut self,
        vocabulary: &Vocabulary,
        machine: &Machine,
        exits: ExitsId,
        state: StateId,
        below: &mut StackId,
    ) -> Option<Reads> {
        if let Some(reads) = self.text_reads(vocabulary, exits, Position::of(state)) {
            return Some(reads);
        }
        // A state in a character, on top of a text.
        let (&[(outer, deeper)], false) = (machine.stacks().entries(*below), machine.accepts(*below)) else {
            return None;
        };
        let reads = self.text_reads(vocabulary, exits, Position { inner: Some(state), outer })?;
        *below = deeper;
        Some(reads)
    }

    fn text_reads(&mut self, vocabulary: &Vocabulary, exits: ExitsId, position: Position) -> Option<Reads> {
        if let Some(known) = self.text_reads.get(&(exits, position)) {
            return known.clone();
        }
        let network = self.machine.network();
        let wide = Position::of(position.outer).bytes(network).len() >= WIDE;
        let made = match wide {
            true => self.texts.part(vocabulary, network, &self.exits[exits.0 as usize], position),
            false => None,
        };
        let reads = made.map(|written| {
            let number = self.keep(written);
            Reads { parts: Arc::from([number]), exits: self.parts[number.0 as usize].exits }
        });
        self.text_reads.insert((exits, position), reads.clone());
        reads
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
            let exits = self.with_calls(vocabulary, number, &mut parts);
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

    /// The exits of a part, those that lie beyond its calls among them. Adds the parts of what its calls read.
    fn with_calls(&mut self, vocabulary: &Vocabulary, part: PartId, parts: &mut Vec<PartId>) -> ExitsId {
        let (own, calls) = (self.parts[part.0 as usize].exits, Arc::clone(&self.parts[part.0 as usize].calls));
        if calls.is_empty() {
            return own;
        }
        let mut places = self.exits[own.0 as usize].to_vec();
        for &(state, exits) in &*calls {
            let node = self.machine.alone(state);
            let reads = self.reads(vocabulary, exits, node);
            parts.extend_from_slice(&reads.parts);
            places.extend_from_slice(&self.exits[reads.exits.0 as usize]);
        }
        places.sort_unstable();
        places.dedup();
        self.number(places.into())
    }

    /// Keeps a part.
    fn keep(&mut self, Written { tokens, exits, calls, whole }: Written) -> PartId {
        let exits = self.number(exits);
        let calls = calls.into_iter().map(|(state, places)| (state, self.number(places))).collect();
        let number = PartId(self.parts.len() as u32);
        self.parts.push(Part { some: !tokens.mask().is_empty(), tokens, exits, calls, whole });
        number
    }

    fn part(&mut self, vocabulary: &Vocabulary, exits: ExitsId, state: StateId) -> PartId {
        if let Some(number) = self.part_numbers.get(&(exits, state)) {
            return *number;
        }
        let written = match self.machine.network().bytes(state).len() >= WIDE {
            true => self.text(vocabulary, exits, state),
            false => self.walk(vocabulary, exits, state),
        };
        let number = self.keep(written);
        self.part_numbers.insert((exits, state), number);
        number
    }

    /// The part of a state in free text.
    fn text(&mut self, vocabulary: &Vocabulary, exits: ExitsId, state: StateId) -> Written {
        let network = self.machine.network();
        if network.call_edges(state).is_empty()
            && let Some(part) = self.texts.part(vocabulary, network, &self.exits[exits.0 as usize], Position::of(state))
        {
            return part;
        }
        if exits != ExitsId::ROOT {
            return self.walk(vocabulary, exits, state);
        }
        let part = match main_successor(network, state) {
            Some(next) if next == state => self.looping(vocabulary, state),
            Some(next) if main_successor(network, next) == Some(next) => self.beside(vocabulary, state, next),
            _ => None,
        };
        part.unwrap_or_else(|| self.walk(vocabulary, ExitsId::ROOT, state))
    }

    /// The part of a state that most bytes lead back to, from the tokens that stay there.
    fn looping(&mut self, vocabulary: &Vocabulary, state: StateId) -> Option<Written> {
        let node = self.machine.alone(state);
        if self.machine.accepts(node) || !self.machine.network().call_edges(state).is_empty() {
            return None;
        }
        let loops = self.machine.find_loops(node);
        let staying = vocabulary.texts().loop_tokens(vocabulary, &loops);
        let mut part = PartBuilder::of_row(vocabulary, &staying.row);
        self.machine.walk_from(vocabulary, &staying.leaves, node, &mut |reached| {
            part.allow(reached.tokens);
            if let Some(state) = reached.calls {
                part.call(state, reached.place);
            }
            match (reached.accepts, reached.subtree) {
                (false, _) => {}
                (true, false) => part.set_exit(reached.place, true),
                (true, true) => part.exit_from(reached.place),
            }
        });
        Some(part.finish())
    }

    /// The part of a state, from that of another state which most bytes lead to and which loops.
    fn beside(&mut self, vocabulary: &Vocabulary, state: StateId, next: StateId) -> Option<Written> {
        if !self.machine.network().call_edges(next).is_empty() {
            return None;
        }
        let known = self.part(vocabulary, ExitsId::ROOT, next);
        let part = &self.parts[known.0 as usize];
        if part.whole {
            return None;
        }
        let places = |exits: ExitsId| Arc::clone(&self.exits[exits.0 as usize]);
        let calls = part.calls.iter().map(|(state, exits)| (*state, places(*exits))).collect();
        let known = Written { tokens: part.tokens.clone(), exits: places(part.exits), calls, whole: false };
        let other = self.machine.alone(next);
        differ(&mut Nodes { machine: &mut self.machine, state, other }, vocabulary, &known)
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

    /// What a state above what is not known can write from these places on, where it reads the first byte itself.
    fn walk(&mut self, vocabulary: &Vocabulary, exits: ExitsId, state: StateId) -> Written {
        let (mut found, mut ends, mut calls): (Vec<u32>, Vec<Place>, Vec<(StateId, Place)>) = Default::default();
        let places = Arc::clone(&self.exits[exits.0 as usize]);
        self.machine.walk_alone(vocabulary, &places, state, &mut |reached| {
            found.extend_from_slice(reached.tokens);
            if let Some(state) = reached.calls.filter(|_| vocabulary.has_kids(reached.place)) {
                calls.push((state, reached.place));
            }
            if reached.accepts {
                let last = if reached.subtree { vocabulary.last_below(reached.place) } else { reached.place };
                ends.extend((reached.place..=last).filter(|place| vocabulary.has_kids(*place)));
            }
        });
        ends.sort_unstable();
        ends.dedup();
        calls.sort_unstable();
        let calls = calls.chunk_by(|(a, _), (b, _)| a == b);
        let calls = calls.map(|same| (same[0].0, same.iter().map(|(_, place)| *place).collect())).collect();
        Written { tokens: kept(vocabulary, found), exits: ends.into(), calls, whole: false }
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

/// The state that most printable bytes lead to.
fn main_successor(network: &Network, state: StateId) -> Option<StateId> {
    main_target(network.byte_edges(state).iter().map(|edge| (edge.first, edge.last, edge.next)))
}

/// A grammar, and the parts that its constraints share.
type SharedParts = (Arc<Network>, Arc<Mutex<Parts>>);

/// The parts that the constraints of each grammar share; kept as long as both grammar and vocabulary exist.
#[derive(Debug, Default)]
pub(crate) struct PlainShared {
    by_network: Mutex<Vec<SharedParts>>,
    texts: TextStore,
}

impl PlainShared {
    pub fn texts(&self) -> &TextStore {
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
