//! The memoised matcher: the oracle's states, numbered, with a lazily built table of their steps.
//!
//! It equals the oracle because it *is* the oracle with its answers kept: a state is the interned list of live threads,
//! a step that was never asked is made by the same [`Machine::step`], and a mask is found by walking the vocabulary's
//! trie over those steps, which tries every token and shares the work of common beginnings.

use rustc_hash::FxHashMap;
use std::sync::Arc;

use crate::Vocabulary;
use crate::machine::{Machine, Thread};
use crate::matcher::{Matcher, Naive};

/// A state of a constraint: a number, so that forking a sequence costs nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct State(pub(crate) u32);

/// Nothing can follow.
const DEAD: u32 = 0;
/// Not yet asked.
const ASK: u32 = u32::MAX;

/// The steps out of one state.
enum Steps {
    /// Few, in no order.
    Few(Vec<(u8, u32)>),
    All(Box<[u32; 256]>),
}

/// Beyond so many steps a state gets a whole table.
const FEW: usize = 12;

struct Known {
    threads: Arc<[Thread]>,
    accepts: bool,
    steps: Steps,
}

/// The memoised matcher.
pub(crate) struct Engine {
    machine: Machine,
    states: Vec<Known>,
    numbers: FxHashMap<Arc<[Thread]>, u32>,
    masks: FxHashMap<u32, Arc<[u32]>>,
    /// The first of all bytes that a byte can't be told from.
    alike: [u8; 256],
}

impl Engine {
    pub fn new(machine: Machine) -> Engine {
        let dead = Known {
            threads: Arc::from([]),
            accepts: false,
            steps: Steps::Few(Vec::new()),
        };
        let alike = machine.alike();
        Engine {
            machine,
            states: vec![dead],
            numbers: FxHashMap::default(),
            masks: FxHashMap::default(),
            alike,
        }
    }

    pub fn machine(&self) -> &Machine {
        &self.machine
    }

    /// How many states were visited.
    pub fn visited(&self) -> usize {
        self.states.len() - 1
    }

    /// How many masks are kept.
    pub fn kept_masks(&self) -> usize {
        self.masks.len()
    }

    fn number(&mut self, threads: Vec<Thread>) -> u32 {
        if threads.is_empty() {
            return DEAD;
        }
        if let Some(&number) = self.numbers.get(threads.as_slice()) {
            return number;
        }
        let number = self.states.len() as u32;
        let threads: Arc<[Thread]> = threads.into();
        let accepts = threads.iter().any(|thread| self.machine.accepts(thread));
        self.states.push(Known {
            threads: Arc::clone(&threads),
            accepts,
            steps: Steps::Few(Vec::new()),
        });
        self.numbers.insert(threads, number);
        number
    }

    fn next(&mut self, state: u32, byte: u8) -> u32 {
        match &self.states[state as usize].steps {
            Steps::All(table) if table[usize::from(byte)] != ASK => return table[usize::from(byte)],
            Steps::Few(steps) => {
                if let Some((_, next)) = steps.iter().find(|(known, _)| *known == byte) {
                    return *next;
                }
            }
            Steps::All(_) => {}
        }
        let alike = self.alike[usize::from(byte)];
        let next = match alike == byte {
            true => self.ask(state, byte),
            false => self.next(state, alike),
        };
        match &mut self.states[state as usize].steps {
            Steps::All(table) => table[usize::from(byte)] = next,
            Steps::Few(steps) if steps.len() < FEW => steps.push((byte, next)),
            steps @ Steps::Few(_) => {
                let mut table = Box::new([ASK; 256]);
                if let Steps::Few(few) = steps {
                    few.iter().for_each(|(byte, next)| table[usize::from(*byte)] = *next);
                }
                table[usize::from(byte)] = next;
                *steps = Steps::All(table);
            }
        }
        next
    }

    /// Makes a step.
    fn ask(&mut self, state: u32, byte: u8) -> u32 {
        let threads = Arc::clone(&self.states[state as usize].threads);
        let mut next = Vec::new();
        for thread in threads.iter() {
            self.machine.step(*thread, byte, &mut next);
        }
        let next = Naive::live(&mut self.machine, next);
        self.number(next)
    }

    /// The state behind a token's bytes.
    pub fn advance(&mut self, state: State, bytes: &[u8]) -> Option<State> {
        let mut at = state.0;
        for &byte in bytes {
            at = self.next(at, byte);
            if at == DEAD {
                return None;
            }
        }
        Some(State(at))
    }

    /// The state that stands for all those with the same mask: one token can't use up a long allowance of free text,
    /// so that states that differ in it alone, as they do from one token to the next, share their mask.
    fn representative(&mut self, state: State, vocabulary: &Vocabulary) -> State {
        let longest = vocabulary.longest() as u32;
        let threads = Arc::clone(&self.states[state.0 as usize].threads);
        let near: Vec<Thread> = threads
            .iter()
            .map(|thread| self.machine.unlimited(*thread, longest))
            .collect();
        if near[..] == threads[..] {
            return state;
        }
        let near = Naive::live(&mut self.machine, near);
        State(self.number(near))
    }

    /// The mask of a state, made at the first visit.
    pub fn kept_mask(&mut self, state: State, vocabulary: &Vocabulary) -> &Arc<[u32]> {
        let state = self.representative(state, vocabulary);
        if !self.masks.contains_key(&state.0) {
            let mut mask = vec![0; vocabulary.words()];
            self.walk(state, vocabulary, |ids, _| {
                for id in ids {
                    mask[*id as usize / 32] |= 1 << (id % 32);
                }
            });
            if self.accepts(&state) {
                for id in vocabulary.ends() {
                    mask[*id as usize / 32] |= 1 << (id % 32);
                }
            }
            self.masks.insert(state.0, mask.into());
        }
        &self.masks[&state.0]
    }

    /// Calls `visit` with the tokens that lead from `state` to a live state, and that state.
    pub fn walk(&mut self, state: State, vocabulary: &Vocabulary, mut visit: impl FnMut(&[u32], State)) {
        let nodes = vocabulary.nodes();
        // The states behind the first bytes of the current node, by depth.
        let mut path = vec![state.0; vocabulary.longest() + 1];
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
            if node.ids.0 < node.ids.1 {
                visit(vocabulary.ids(node), State(next));
            }
            at += 1;
        }
    }

    /// The length in bytes of the shortest rest of a complete output.
    pub fn finish(&mut self, state: State) -> u32 {
        let threads = Arc::clone(&self.states[state.0 as usize].threads);
        threads
            .iter()
            .filter_map(|thread| self.machine.finish(*thread))
            .min()
            .unwrap_or(u32::MAX)
    }

    /// The only byte that can follow, where there is just one and the output is not complete.
    pub fn forced(&mut self, state: State) -> Option<(u8, State)> {
        if self.accepts(&state) {
            return None;
        }
        let mut only = None;
        for byte in 0..=255 {
            let next = self.next(state.0, byte);
            if next != DEAD {
                if only.is_some() {
                    return None;
                }
                only = Some((byte, State(next)));
            }
        }
        only
    }
}

impl Matcher for Engine {
    type State = State;

    fn start(&mut self) -> State {
        let threads = self.machine.start();
        let threads = Naive::live(&mut self.machine, threads);
        State(self.number(threads))
    }

    fn step(&mut self, state: &State, byte: u8) -> Option<State> {
        self.advance(*state, &[byte])
    }

    fn accepts(&self, state: &State) -> bool {
        self.states[state.0 as usize].accepts
    }

    fn way(&mut self, state: &State) -> Vec<u8> {
        let threads = Arc::clone(&self.states[state.0 as usize].threads);
        threads
            .iter()
            .filter_map(|thread| self.machine.way(*thread))
            .min_by_key(Vec::len)
            .unwrap_or_default()
    }

    fn mask(&mut self, state: &State, vocabulary: &Vocabulary) -> Vec<u32> {
        self.kept_mask(*state, vocabulary).to_vec()
    }
}
