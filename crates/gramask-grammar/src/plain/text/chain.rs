//! A text of limited length, which calls the rule of a character once for each character that is left.
//!
//! ```text
//! q3 ─char─ q2 ─char─ q1 ─char─ q0        each of q3, q2 and q1 may read `"` as well
//! ```
//!
//! The states of a chain differ only in how far its end is away. Let `run(q)` be the number of states of the chain from `q`
//! on: 3 for `q3`. A character has at least one byte. So what is read from `q` is the text without limit for the first `run(q)`
//! bytes, and no search has to find that out.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::Text;
use super::agreement::TextPair;
use super::automaton::NONE;
use super::position::Position;
use crate::plain::network::{ByteEdge, CallId, Network, StateId};

/// What the states of a chain have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Link {
    rule: CallId,
    accepts: bool,
    edges: Vec<ByteEdge>,
}

impl Link {
    /// A state that calls one rule, and the state after the call.
    pub fn of(network: &Network, state: StateId) -> Option<(Link, StateId)> {
        let [call] = network.call_edges(state) else { return None };
        let edges = network.byte_edges(state).to_vec();
        let link = Link { rule: call.rule, accepts: network.accepts(state), edges };
        network.special_edges(state).is_empty().then_some((link, call.next))
    }

    /// Whether another state is as this one; the state after the call.
    fn holds(&self, network: &Network, state: StateId) -> Option<StateId> {
        let [call] = network.call_edges(state) else { return None };
        let same = call.rule == self.rule
            && network.accepts(state) == self.accepts
            && network.byte_edges(state) == self.edges
            && network.special_edges(state).is_empty();
        same.then_some(call.next)
    }

    /// How many states of the chain there are from a state on, at most so many.
    pub fn run(&self, network: &Network, mut state: StateId, most: usize) -> usize {
        let mut run = 0;
        while run < most
            && let Some(next) = self.holds(network, state)
        {
            (run, state) = (run + 1, next);
        }
        run
    }
}

/// A chain, and the text without limit that its states begin as.
#[derive(Debug)]
pub(super) struct Chain {
    pub link: Link,
    pub text: Arc<Text>,
    /// The states of the text, by the state in a character; nothing is between two characters.
    pub states: FxHashMap<Option<StateId>, u16>,
    /// By state: its run, up to the longest token.
    runs: FxHashMap<StateId, usize>,
}

impl Chain {
    pub fn new(link: Link, text: Arc<Text>, states: FxHashMap<Option<StateId>, u16>) -> Chain {
        Chain { link, text, states, runs: FxHashMap::default() }
    }

    /// Whether a pair agrees for so many bytes, where it belongs to the chain and to its text.
    pub fn holds(&mut self, network: &Network, (position, other): TextPair, bytes: usize, longest: usize) -> bool {
        let Some(Position { inner, outer }) = position else { return other == NONE };
        if self.states.get(&inner) != Some(&other) {
            return false;
        }
        let link = &self.link;
        let run = *self.runs.entry(outer).or_insert_with(|| link.run(network, outer, longest + 1));
        run > bytes
    }
}
