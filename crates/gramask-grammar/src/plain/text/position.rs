//! Positions in a text: a state of a network, or a state of a rule that it calls for a character.
//!
//! A text of limited length calls the rule of a character again and again, so that it has few states. A position then is the
//! state in the character, if one has begun, and the state that follows the call. This is the network as a finite automaton, as
//! far as calls don't go deeper.

use std::cmp::Reverse;
use std::hash::Hash;

use rustc_hash::FxHashMap;

use crate::byte_set::ByteSet;
use crate::plain::network::{Network, StateId};

/// A position in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(in crate::plain) struct Position {
    /// The state in a rule that was called.
    pub inner: Option<StateId>,
    /// The state itself, or the one after the call.
    pub outer: StateId,
}

/// A transition of a position by the bytes from the first to the last.
pub(super) type PositionEdge = (u8, u8, Position);

/// The network goes deeper than a text may, or a byte leads to two positions.
#[derive(Debug)]
pub(in crate::plain) struct NotText;

impl Position {
    /// A state in no call.
    pub fn of(state: StateId) -> Position {
        Position { inner: None, outer: state }
    }

    pub fn accepts(self, network: &Network) -> bool {
        self.inner.is_none() && network.accepts(self.outer)
    }

    /// The bytes that can come next, whatever reads them.
    pub fn bytes(self, network: &Network) -> ByteSet {
        let state = self.inner.unwrap_or(self.outer);
        let mut bytes = network.bytes(state);
        network.call_edges(state).iter().for_each(|call| bytes.union(&network.rule(call.rule).first));
        bytes
    }

    /// Where a byte leads, which reads in a rule that was called.
    fn inside(network: &Network, inner: StateId, outer: StateId) -> Result<Position, NotText> {
        match (network.goes_on(inner), network.accepts(inner)) {
            (true, true) => Err(NotText),
            (true, false) => Ok(Position { inner: Some(inner), outer }),
            (false, _) => Ok(Position::of(outer)),
        }
    }

    /// The transitions, ascending and disjoint.
    pub fn edges(self, network: &Network, edges: &mut Vec<PositionEdge>) -> Result<(), NotText> {
        edges.clear();
        let state = self.inner.unwrap_or(self.outer);
        if !network.special_edges(state).is_empty() {
            return Err(NotText);
        }
        for edge in network.byte_edges(state) {
            let next = match self.inner {
                Some(_) => Position::inside(network, edge.next, self.outer)?,
                None => Position::of(edge.next),
            };
            edges.push((edge.first, edge.last, next));
        }
        for call in network.call_edges(state) {
            let start = network.rule(call.rule).start;
            if self.inner.is_some() || !network.call_edges(start).is_empty() || !network.special_edges(start).is_empty()
            {
                return Err(NotText);
            }
            for edge in network.byte_edges(start) {
                edges.push((edge.first, edge.last, Position::inside(network, edge.next, call.next)?));
            }
        }
        edges.sort_unstable();
        match edges.windows(2).any(|pair| pair[0].1 >= pair[1].0) {
            true => Err(NotText),
            false => Ok(()),
        }
    }

    /// The position that most printable bytes lead to; `None` where no byte leads on.
    pub fn main_successor(self, network: &Network) -> Result<Option<Position>, NotText> {
        let mut edges = Vec::new();
        self.edges(network, &mut edges)?;
        Ok(main_target(edges))
    }
}

/// Where most printable bytes lead, by transitions that read the bytes from the first to the last.
pub(in crate::plain) fn main_target<T: Copy + Ord + Hash>(edges: impl IntoIterator<Item = (u8, u8, T)>) -> Option<T> {
    let mut counts: FxHashMap<T, usize> = FxHashMap::default();
    for (first, last, next) in edges {
        let (first, last) = (first.max(b' '), last.min(b'~'));
        *counts.entry(next).or_default() += usize::from((last + 1).saturating_sub(first));
    }
    counts.into_iter().max_by_key(|(next, count)| (*count, Reverse(*next))).map(|(next, _)| next)
}
