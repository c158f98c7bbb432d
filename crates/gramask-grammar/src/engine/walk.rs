//! The tokens that may follow where few may: the trie is walked by threads, without an automaton.
//!
//! Held to a document, an output can nearly always go on in a handful of ways, and each state is seen once or twice. An
//! automaton would number every state between two bytes; here threads step from node to node of the trie and are forgotten.
//! It visits the same nodes and makes the same steps as the automaton, but for two shortcuts, neither of which can be seen in
//! the result:
//!
//! - what all threads must write alike is followed at one go, for as long as no operation ends;
//! - an operation that could end, or go on, is not ended where no token goes on behind it and going on is possible.

use super::bytes::Bytes;
use super::mask::set;
use crate::Vocabulary;
use crate::machine::{Follow, Machine, Thread};
use crate::vocabulary::Place;

/// Room for the threads on the way from the root to a node.
#[derive(Debug, Default)]
pub(super) struct Walk {
    arena: Vec<Thread>,
    fresh: Vec<Thread>,
    /// What surfaces go on with, on the way: the byte, where it leads, the thread behind.
    on: Vec<(u8, Place, Thread)>,
    /// What was found.
    pub found: Vec<u32>,
}

impl Walk {
    /// Finds the tokens that live threads can write, in the order of their bytes.
    pub fn tokens(&mut self, machine: &mut Machine, vocabulary: &Vocabulary, threads: &[Thread]) {
        self.found.clear();
        self.arena.clear();
        self.arena.extend_from_slice(threads);
        self.visit(machine, vocabulary, 0, 0);
    }

    /// The threads from `from` on in the arena stand at `place`.
    fn visit(&mut self, machine: &mut Machine, vocabulary: &Vocabulary, mut place: Place, from: usize) {
        let until = self.arena.len();
        let alike = alike(machine, &self.arena[from..]);
        if alike > 0 {
            for &byte in machine.known(&self.arena[from]).iter().take(alike) {
                let Some(kid) = vocabulary.kid(place, byte) else { return };
                place = kid;
                self.found.extend_from_slice(vocabulary.ids_at(place));
            }
            self.arena[from..].iter_mut().for_each(|thread| machine.pass(thread, alike as u32));
        }
        let (bytes, kids) = vocabulary.kids(place);
        if bytes.is_empty() {
            return;
        }
        if from + 1 == until && machine.is_surface(&self.arena[from]) {
            return self.visit_surfaces(machine, vocabulary, place, from);
        }
        let mut next = Bytes::default();
        self.arena[from..].iter().for_each(|thread| machine.next_bytes(thread, &mut next));
        for (&byte, &kid) in bytes.iter().zip(kids) {
            if !next.contains(byte) {
                continue;
            }
            self.step_all(machine, from, until, byte);
            self.behind(machine, vocabulary, kid, until);
        }
    }

    /// Steps the threads `from..until` of the arena; those that live are put behind them.
    fn step_all(&mut self, machine: &mut Machine, from: usize, until: usize, byte: u8) {
        for at in from..until {
            machine.step(self.arena[at], byte, &mut self.fresh);
            for thread in self.fresh.drain(..) {
                if machine.alive(thread) {
                    self.arena.push(thread);
                }
            }
        }
    }

    /// Goes on from `place` with the threads from `from` on, and drops them.
    fn behind(&mut self, machine: &mut Machine, vocabulary: &Vocabulary, place: Place, from: usize) {
        if self.arena.len() > from {
            self.found.extend_from_slice(vocabulary.ids_at(place));
            self.visit(machine, vocabulary, place, from);
            self.arena.truncate(from);
        }
    }

    /// The thread `at`, the last of the arena, writes a surface: what it writes next is read off the document.
    fn visit_surfaces(&mut self, machine: &mut Machine, vocabulary: &Vocabulary, place: Place, at: usize) {
        let thread = self.arena[at];
        let begin = self.on.len();
        machine.surfaces_on(&thread, |byte, on| {
            if let Some(kid) = vocabulary.kid(place, byte) {
                self.on.push((byte, kid, on));
            }
        });
        for number in begin..self.on.len() {
            let (byte, kid, on) = self.on[number];
            let ends = match machine.follow(&thread) {
                Follow::Few(bytes) => bytes.iter().any(|byte| vocabulary.kid(kid, *byte).is_some()),
                Follow::Any => true,
            };
            if !ends && machine.look(&on) == Some(true) {
                self.arena.push(on);
            } else {
                self.step_all(machine, at, at + 1, byte);
            }
            self.behind(machine, vocabulary, kid, at + 1);
        }
        self.on.truncate(begin);
    }

    /// Steps live threads through `bytes`; what is left of them is in [`Walk::threads`], sorted and each once.
    pub fn pass(&mut self, machine: &mut Machine, threads: &[Thread], mut bytes: &[u8]) {
        self.arena.clear();
        self.arena.extend_from_slice(threads);
        while !bytes.is_empty() && !self.arena.is_empty() {
            let alike = alike(machine, &self.arena);
            if alike > 0 {
                let known = machine.known(&self.arena[0]);
                let length = alike.min(bytes.len());
                if known[..length] != bytes[..length] {
                    self.arena.clear();
                    return;
                }
                self.arena.iter_mut().for_each(|thread| machine.pass(thread, length as u32));
                bytes = &bytes[length..];
                continue;
            }
            for at in 0..self.arena.len() {
                machine.step(self.arena[at], bytes[0], &mut self.fresh);
            }
            self.fresh.sort_unstable();
            self.fresh.dedup();
            self.fresh.retain(|thread| machine.alive(*thread));
            std::mem::swap(&mut self.arena, &mut self.fresh);
            self.fresh.clear();
            bytes = &bytes[1..];
        }
        self.arena.sort_unstable();
    }

    /// What [`Walk::pass`] left.
    pub fn threads(&self) -> &[Thread] {
        &self.arena
    }

    /// What was found as a bit row, where that is shorter.
    pub fn row(&self, vocabulary: &Vocabulary) -> Option<Vec<u32>> {
        (self.found.len() > vocabulary.words()).then(|| {
            let mut row = vec![0; vocabulary.words()];
            self.found.iter().for_each(|id| set(&mut row, *id));
            row
        })
    }
}

/// How many bytes all threads must write alike before any operation ends.
fn alike(machine: &Machine, threads: &[Thread]) -> usize {
    let Some((first, others)) = threads.split_first() else {
        return 0;
    };
    let run = machine.known(first);
    let mut length = run.len();
    for other in others {
        let known = machine.known(other);
        length = length.min(known.len());
        length = run.iter().zip(known).take(length).take_while(|(a, b)| a == b).count();
        if length < 2 {
            break;
        }
    }
    // The last byte of an operation is left to a real step.
    let shortest = threads.iter().map(|thread| machine.known(thread).len()).min().unwrap_or(0);
    length.min(shortest.saturating_sub(1))
}
