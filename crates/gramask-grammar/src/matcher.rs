//! The naive matcher, which is the oracle, and the interface that it shares with the memoised engine.
//!
//! The oracle's state is the list of live threads; a mask is made by trying every token, byte by byte. Nothing is
//! remembered from one byte to the next but the lengths of shortest ways, and those have tests of their own.

use crate::Vocabulary;
use crate::machine::{Machine, Thread};

/// Follows an output byte by byte.
pub(crate) trait Matcher {
    /// What was written so far, as far as it matters for what may follow.
    type State: Clone + PartialEq + std::fmt::Debug;

    /// Before the first byte.
    fn start(&mut self) -> Self::State;
    /// After `byte`; `None` where no valid output goes on so.
    fn step(&mut self, state: &Self::State, byte: u8) -> Option<Self::State>;
    /// Whether the output is complete.
    fn accepts(&self, state: &Self::State) -> bool;
    /// The shortest rest of a complete output.
    fn way(&mut self, state: &Self::State) -> Vec<u8>;

    /// The tokens that may come next, one bit each: by trying all of them.
    fn mask(&mut self, state: &Self::State, vocabulary: &Vocabulary) -> Vec<u32> {
        let mut mask = vec![0; vocabulary.words()];
        for id in 0..vocabulary.len() as u32 {
            let allowed = match vocabulary.text(id) {
                _ if vocabulary.is_end(id) => self.accepts(state),
                Some(text) => {
                    let mut at = Some(state.clone());
                    for &byte in text {
                        at = at.and_then(|state| self.step(&state, byte));
                    }
                    at.is_some()
                }
                None => false,
            };
            if allowed {
                mask[id as usize / 32] |= 1 << (id % 32);
            }
        }
        mask
    }
}

/// The oracle.
pub(crate) struct Naive(pub Machine);

impl Naive {
    /// The threads that can still come to accept, each once, in a fixed order.
    pub fn live(machine: &mut Machine, mut threads: Vec<Thread>) -> Vec<Thread> {
        threads.sort_unstable();
        threads.dedup();
        threads.retain(|thread| machine.alive(*thread));
        threads
    }
}

impl Matcher for Naive {
    type State = Vec<Thread>;

    fn start(&mut self) -> Vec<Thread> {
        let threads = self.0.start();
        Naive::live(&mut self.0, threads)
    }

    fn step(&mut self, state: &Vec<Thread>, byte: u8) -> Option<Vec<Thread>> {
        let mut next = Vec::new();
        for thread in state {
            self.0.step(*thread, byte, &mut next);
        }
        let next = Naive::live(&mut self.0, next);
        (!next.is_empty()).then_some(next)
    }

    fn accepts(&self, state: &Vec<Thread>) -> bool {
        state.iter().any(|thread| self.0.accepts(thread))
    }

    fn way(&mut self, state: &Vec<Thread>) -> Vec<u8> {
        state.iter().filter_map(|thread| self.0.way(*thread)).min_by_key(Vec::len).unwrap_or_default()
    }
}
