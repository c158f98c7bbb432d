//! The lazy DFA: states are computed when a byte first leads to them. Masks are found by walking the vocabulary's trie.
//!
//! It gives the oracle's masks because it is the oracle with its answers kept. A state is the set of live threads. A step
//! that was never asked is made by the same [`Automaton::step`](crate::automaton::Automaton::step). A walk of the trie over
//! those steps tries every token, and shares the work of common beginnings. Where all texts of a subtree lead from a state to
//! itself, as mostly in free text, all tokens of the subtree are allowed and it is not walked.

use super::mask::{Kept, set_bit, tokens_of};
use super::states::{State, States};
use crate::Vocabulary;
use crate::automaton::Thread;
use crate::matcher::Matcher;
use crate::text_loops::TextLoops;

/// Masks of at most this many tokens are kept as a list.
const FEW_TOKENS: usize = 512;

/// The states so far, and the steps between them.
pub(crate) struct LazyDfa {
    pub matcher: Matcher,
    pub(super) states: States,
    /// For each byte the first one that the automaton can't tell from it.
    classes: [u8; 256],
    /// Threads after a step, before they are numbered.
    fresh: Vec<Thread>,
}

impl LazyDfa {
    pub fn new(matcher: Matcher) -> LazyDfa {
        let classes = matcher.automaton.byte_classes();
        LazyDfa { states: States::new(), classes, fresh: Vec::new(), matcher }
    }

    /// The state of these threads without the dead ones.
    pub fn state(&mut self, threads: &mut Vec<Thread>) -> State {
        self.matcher.keep_live(threads);
        self.live_state(threads)
    }

    /// The state of live threads, which must be sorted and distinct.
    pub fn live_state(&mut self, threads: &[Thread]) -> State {
        let matcher = &self.matcher;
        self.states.number(threads, || threads.iter().any(|thread| matcher.accepts(thread)))
    }

    /// The state after a byte, computed at the first call.
    pub fn next(&mut self, state: State, byte: u8) -> State {
        if let Some(known) = self.states.step(state, byte) {
            return known;
        }
        let class = self.classes[usize::from(byte)];
        let next = match class == byte {
            true => self.compute(state, byte),
            false => self.next(state, class),
        };
        self.states.set_step(state, byte, next);
        next
    }

    fn compute(&mut self, state: State, byte: u8) -> State {
        let mut next = std::mem::take(&mut self.fresh);
        next.clear();
        for thread in self.states.threads(state) {
            self.matcher.step(*thread, byte, &mut next);
        }
        let state = self.state(&mut next);
        self.fresh = next;
        state
    }

    /// The mask of a state, by a walk over all tokens.
    pub(super) fn mask(&mut self, state: State, vocabulary: &Vocabulary) -> Kept {
        let mut row = vec![0; vocabulary.words()];
        let mut count = 0;
        self.visit::<false>(state, vocabulary, |ids, _| {
            count += ids.len();
            ids.iter().for_each(|id| set_bit(&mut row, *id));
        });
        if self.states.known(state).accepts {
            count += vocabulary.ends().len();
            vocabulary.ends().iter().for_each(|id| set_bit(&mut row, *id));
        }
        if count > FEW_TOKENS {
            return Kept::Row(row.into());
        }
        Kept::Few(tokens_of(&row).collect())
    }

    /// The mask of a state, computed at the first call.
    pub(super) fn kept_mask(&mut self, state: State, vocabulary: &Vocabulary) -> Kept {
        if let Some(kept) = &self.states.known(state).mask {
            return kept.clone();
        }
        let kept = self.mask(state, vocabulary);
        self.states.known_mut(state).mask = Some(kept.clone());
        kept
    }

    /// Calls `visit` with the tokens that lead from `state` to a live state, and that state.
    pub fn walk(&mut self, state: State, vocabulary: &Vocabulary, visit: impl FnMut(&[u32], State)) {
        self.visit::<true>(state, vocabulary, visit);
    }

    /// The same. Where the states are not wanted (`STATES`), a token may come with another one.
    fn visit<const STATES: bool>(
        &mut self,
        state: State,
        vocabulary: &Vocabulary,
        mut visit: impl FnMut(&[u32], State),
    ) {
        let nodes = vocabulary.nodes();
        // The states after the first bytes of the current node, by depth.
        let mut path = vec![state; vocabulary.longest() + 1];
        let mut at = 0;
        while at < nodes.len() {
            let node = &nodes[at];
            let depth = usize::from(node.depth);
            let before = path[depth - 1];
            // Where all texts of the subtree lead from a state to itself, all of its tokens are allowed.
            if !STATES && self.loops(before).hold_from(vocabulary, at) {
                visit(vocabulary.subtree(node), before);
                at = node.next as usize;
                continue;
            }
            let next = self.next(before, node.byte);
            if next == State::DEAD {
                at = node.next as usize;
                continue;
            }
            path[depth] = next;
            if node.next as usize > at + 1 {
                let loops = self.loops(next);
                if loops.bytes_hold_below(vocabulary, at) || !STATES && loops.hold_below(vocabulary, at) {
                    visit(vocabulary.subtree(node), next);
                    at = node.next as usize;
                    continue;
                }
            }
            if node.ids.0 < node.ids.1 {
                visit(vocabulary.ids(node), next);
            }
            at += 1;
        }
    }

    /// The texts that lead from a state to itself; none before they are worth finding.
    fn loops(&mut self, state: State) -> TextLoops {
        if let Ok(loops) = self.states.loops(state) {
            return loops.copied().unwrap_or_default();
        }
        let loops =
            TextLoops::find(state, |state, byte| Some(self.next(state, byte)).filter(|next| *next != State::DEAD));
        self.states.set_loops(state, loops);
        loops
    }
}
