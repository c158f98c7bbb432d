//! The deterministic automaton over bytes, built as it is asked, and the vocabulary's trie walked against it.
//!
//! It equals the oracle because it *is* the oracle with its answers kept: a state is the set of live threads, a step that
//! was never asked is made by the same [`Machine::step`], and a mask is found by walking the trie over those steps, which
//! tries every token and shares the work of common beginnings. Where a state leads to itself by all bytes of a subtree, as
//! free text mostly does, the subtree is not walked: all its tokens are allowed.

use super::bytes::Bytes;
use super::mask::{Kept, set};
use super::states::{ASK, DEAD, States};
use crate::Vocabulary;
use crate::machine::{Machine, Thread};

/// So many tokens are kept as a list.
const FEW_TOKENS: usize = 512;

/// States, and steps between them.
pub(crate) struct Automaton {
    pub machine: Machine,
    pub(super) states: States,
    /// The first of all bytes that a byte can't be told from.
    alike: [u8; 256],
    /// Threads behind a step, before they are numbered.
    fresh: Vec<Thread>,
}

impl Automaton {
    pub fn new(machine: Machine) -> Automaton {
        Automaton { states: States::new(), alike: machine.alike(), fresh: Vec::new(), machine }
    }

    /// The number of a set of threads; those that can't come to accept are left out.
    pub fn number(&mut self, threads: &mut Vec<Thread>) -> u32 {
        threads.sort_unstable();
        threads.dedup();
        threads.retain(|thread| self.machine.alive(*thread));
        self.number_live(threads)
    }

    /// The number of a set of live threads, sorted and each once.
    pub fn number_live(&mut self, threads: &[Thread]) -> u32 {
        let machine = &self.machine;
        self.states.number(threads, || threads.iter().any(|thread| machine.accepts(thread)))
    }

    /// Where a byte leads.
    pub fn next(&mut self, state: u32, byte: u8) -> u32 {
        let known = self.states.step(state, byte);
        if known != ASK {
            return known;
        }
        let alike = self.alike[usize::from(byte)];
        let next = match alike == byte {
            true => self.ask(state, byte),
            false => self.next(state, alike),
        };
        self.states.set_step(state, byte, next);
        next
    }

    /// Makes a step.
    fn ask(&mut self, state: u32, byte: u8) -> u32 {
        let mut next = std::mem::take(&mut self.fresh);
        next.clear();
        for thread in self.states.threads(state) {
            self.machine.step(*thread, byte, &mut next);
        }
        let number = self.number(&mut next);
        self.fresh = next;
        number
    }

    /// The mask of a state, made by walking all tokens.
    pub(super) fn mask(&mut self, state: u32, vocabulary: &Vocabulary) -> Kept {
        let mut row = vec![0; vocabulary.words()];
        let mut count = 0;
        self.walk(state, vocabulary, |ids, _| {
            count += ids.len();
            ids.iter().for_each(|id| set(&mut row, *id));
        });
        if self.states.known(state).accepts {
            count += vocabulary.ends().len();
            vocabulary.ends().iter().for_each(|id| set(&mut row, *id));
        }
        if count > FEW_TOKENS {
            return Kept::Row(row.into());
        }
        let bits = |(word, bits): (usize, &u32)| {
            let (bits, word) = (*bits, word as u32);
            (0..32).filter(move |bit| bits >> bit & 1 == 1).map(move |bit| 32 * word + bit)
        };
        Kept::Few(row.iter().enumerate().filter(|(_, word)| **word != 0).flat_map(bits).collect())
    }

    /// The mask of a state, made at the first visit.
    pub(super) fn kept_mask(&mut self, state: u32, vocabulary: &Vocabulary) -> Kept {
        if let Some(kept) = &self.states.known(state).mask {
            return kept.clone();
        }
        let kept = self.mask(state, vocabulary);
        self.states.known_mut(state).mask = Some(kept.clone());
        kept
    }

    /// Calls `visit` with the tokens that lead from `state` to a live state, and that state.
    pub fn walk(&mut self, state: u32, vocabulary: &Vocabulary, mut visit: impl FnMut(&[u32], u32)) {
        let nodes = vocabulary.nodes();
        // The states behind the first bytes of the current node, by depth.
        let mut path = vec![state; vocabulary.longest() + 1];
        let mut at = 0;
        while at < nodes.len() {
            let node = &nodes[at];
            let depth = usize::from(node.depth);
            let next = self.next(path[depth - 1], node.byte);
            if next == DEAD {
                at = node.next as usize;
                continue;
            }
            path[depth] = next;
            // Where all that is below leads from the state to itself, all tokens below are allowed, and end in it.
            if node.next as usize > at + 1 && vocabulary.below(at).is_within(&self.loops(next)) {
                visit(vocabulary.subtree(node), next);
                at = node.next as usize;
                continue;
            }
            if node.ids.0 < node.ids.1 {
                visit(vocabulary.ids(node), next);
            }
            at += 1;
        }
    }

    /// The bytes that lead from a state to itself, as far as they are known.
    fn loops(&mut self, state: u32) -> Bytes {
        if let Ok(loops) = self.states.loops(state) {
            return loops.copied().unwrap_or_default();
        }
        let mut loops = Bytes::default();
        for byte in (0..=255).filter(|byte| self.next(state, *byte) == state) {
            loops.insert(byte);
        }
        self.states.set_loops(state, loops);
        loops
    }
}
