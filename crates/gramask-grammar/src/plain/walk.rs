//! Walks over the vocabulary's trie, which step a position from node to node.
//!
//! Where few bytes can follow, they are looked up among the children. Where many can, all children are tried in the order in
//! which the trie lies in memory, and the steps are kept in tables. If all texts of a subtree lead from a position to itself, as
//! mostly in free text, all of its tokens are reached at once.

use super::machine::{Machine, Table};
use super::network::StateId;
use super::stacks::StackId;
use crate::Vocabulary;
use crate::vocabulary::Place;

/// Up to so many bytes are looked up one by one.
const FEW_BYTES: usize = 16;

/// Tokens that lead to a position.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reached<'v> {
    pub node: StackId,
    /// The tokens that end at the place, or in the whole subtree.
    pub tokens: &'v [u32],
    pub place: Place,
    /// All places below lead to the same position.
    pub subtree: bool,
    /// All rules may have ended there.
    pub accepts: bool,
    /// The position is this state above what is not known, and it calls rules. What they read is not walked.
    pub calls: Option<StateId>,
}

impl Machine {
    /// The state of a position that is one state above what is not known, if it calls rules.
    pub(super) fn calls_at(&self, node: StackId) -> Option<StateId> {
        match self.stacks().entries(node) {
            &[(state, StackId::BOTTOM)] if !self.network().call_edges(state).is_empty() => Some(state),
            _ => None,
        }
    }

    /// Calls `visit` with each place below `places` that can be reached from a state above what is not known, where it reads the
    /// first byte itself, and not a rule that it calls.
    pub(super) fn walk_alone(
        &mut self,
        vocabulary: &Vocabulary,
        places: &[Place],
        state: StateId,
        visit: &mut impl FnMut(Reached),
    ) {
        if self.network().call_edges(state).is_empty() {
            let node = self.alone(state);
            return self.walk::<false>(vocabulary, places, node, visit);
        }
        for byte in self.network().bytes(state).iter() {
            let next = self.step_alone(state, byte);
            for kid in places.iter().filter_map(|place| vocabulary.kid(*place, byte)) {
                self.visit_place::<false>(vocabulary, kid, next, visit);
            }
        }
    }

    /// Visits a place, and what lies below it.
    fn visit_place<const POSITIONS: bool>(
        &mut self,
        vocabulary: &Vocabulary,
        place: Place,
        node: StackId,
        visit: &mut impl FnMut(Reached),
    ) {
        let (tokens, accepts) = (vocabulary.ids_at(place), self.accepts(node));
        let calls = if POSITIONS { None } else { self.calls_at(node) };
        visit(Reached { node, tokens, place, subtree: false, accepts, calls });
        if calls.is_none() && node != StackId::BOTTOM && vocabulary.has_kids(place) {
            self.walk::<POSITIONS>(vocabulary, &[place], node, visit);
        }
    }

    /// Calls `visit` with those of the places whose own byte can be read next from a position, and with each place below them.
    pub(super) fn walk_from(
        &mut self,
        vocabulary: &Vocabulary,
        places: &[Place],
        node: StackId,
        visit: &mut impl FnMut(Reached),
    ) {
        let table = self.table(node);
        for &place in places {
            let next = self.step_in(node, table, vocabulary.nodes()[place as usize - 1].byte);
            if next == StackId::NONE {
                continue;
            }
            self.visit_place::<false>(vocabulary, place, next, visit);
        }
    }

    /// Calls `visit` with each place below `places` that can be reached from a position, and the tokens there.
    ///
    /// Where the positions are not wanted (`POSITIONS`), a token that ends in the midst of a character may come with another one.
    pub(super) fn walk<const POSITIONS: bool>(
        &mut self,
        vocabulary: &Vocabulary,
        places: &[Place],
        node: StackId,
        visit: &mut impl FnMut(Reached),
    ) {
        let bytes = self.next_bytes(node);
        if bytes.len() > FEW_BYTES {
            places.iter().for_each(|place| self.walk_all::<POSITIONS>(vocabulary, *place, node, visit));
            return;
        }
        for (&place, byte) in places.iter().flat_map(|place| bytes.iter().map(move |byte| (place, byte))) {
            let Some(kid) = vocabulary.kid(place, byte) else { continue };
            let next = self.step(node, byte);
            self.visit_place::<POSITIONS>(vocabulary, kid, next, visit);
        }
    }

    fn walk_all<const POSITIONS: bool>(
        &mut self,
        vocabulary: &Vocabulary,
        place: Place,
        node: StackId,
        visit: &mut impl FnMut(Reached),
    ) {
        let nodes = vocabulary.nodes();
        let (below, base) = vocabulary.nodes_below(place);
        let (mut at, end) = (below.start, below.end);
        // The positions after the first bytes of the current place, by depth.
        let mut path: Vec<(StackId, Table)> = vec![(node, self.table(node)); vocabulary.longest() + 1 - base];
        while at < end {
            let entry = &nodes[at];
            let depth = usize::from(entry.depth) - base;
            let (before, table) = path[depth - 1];
            let mut reached = Reached {
                node: before,
                tokens: vocabulary.subtree(entry),
                place: at as Place + 1,
                subtree: true,
                accepts: self.accepts(before),
                calls: None,
            };
            if !POSITIONS && self.loops(before, table).hold_from(vocabulary, at) {
                visit(reached);
                at = entry.next as usize;
                continue;
            }
            let next = self.step_in(before, table, entry.byte);
            if next == StackId::NONE {
                at = entry.next as usize;
                continue;
            }
            let place = reached.place;
            reached = Reached {
                node: next,
                tokens: vocabulary.ids(entry),
                place,
                subtree: false,
                accepts: self.accepts(next),
                calls: if POSITIONS { None } else { self.calls_at(next) },
            };
            let (has_kids, ends) = (entry.next as usize > at + 1, next == StackId::BOTTOM);
            if !has_kids || ends || reached.calls.is_some() {
                visit(reached);
                at = entry.next as usize;
                continue;
            }
            let table = self.table(next);
            path[depth] = (next, table);
            let loops = self.loops(next, table);
            if loops.bytes_hold_below(vocabulary, at) || !POSITIONS && loops.hold_below(vocabulary, at) {
                (reached.subtree, reached.tokens) = (true, vocabulary.subtree(entry));
                visit(reached);
                at = entry.next as usize;
                continue;
            }
            visit(reached);
            at += 1;
        }
    }
}
