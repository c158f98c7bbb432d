//! The automaton together with its liveness: what oracle and engine step.

use crate::automaton::{Automaton, Thread};
use crate::completions::{Completions, Letter, TextId};
use crate::liveness::Liveness;

/// An automaton whose dead threads can be told from live ones.
pub(crate) struct Matcher {
    pub automaton: Automaton,
    liveness: Liveness,
}

impl Matcher {
    pub fn new(automaton: Automaton) -> Matcher {
        Matcher { liveness: Liveness::new(&automaton), automaton }
    }

    /// The threads before the first byte, dead ones included.
    pub fn start(&mut self) -> Vec<Thread> {
        self.automaton.start()
    }

    /// Adds the threads that `thread` becomes when `byte` is written, dead ones included.
    pub fn step(&mut self, thread: Thread, byte: u8, out: &mut Vec<Thread>) {
        self.automaton.step(thread, byte, out);
    }

    /// Keeps the threads from which an output can be completed, sorted and each once.
    pub fn keep_live(&mut self, threads: &mut Vec<Thread>) {
        threads.sort_unstable();
        threads.dedup();
        threads.retain(|thread| self.is_live(*thread));
    }

    /// Whether a complete output can follow.
    pub fn is_live(&mut self, thread: Thread) -> bool {
        self.liveness.alive(&mut self.automaton, thread)
    }

    /// Whether a thread is live for a reason that needs no search.
    pub fn is_surely_live(&self, thread: &Thread) -> bool {
        self.liveness.quick_check(&self.automaton, thread) == Some(true)
    }

    /// Whether a thread has nothing more to write.
    pub fn accepts(&self, thread: &Thread) -> bool {
        self.automaton.accepts(thread)
    }

    /// The shortest completion of any of these threads, as one of [`Matcher::completions`]; the empty one if there is none.
    pub fn shortest_text(&mut self, threads: &[Thread]) -> TextId {
        let found = threads.iter().filter_map(|thread| self.liveness.shortest(&mut self.automaton, *thread));
        found.min_by_key(|completion| completion.length).map_or(TextId::EMPTY, |completion| completion.text)
    }

    /// The completions so far.
    pub fn completions(&self) -> &Completions {
        self.liveness.texts()
    }

    /// The shortest completion of any of these threads, in bytes.
    pub fn shortest_completion(&mut self, threads: &[Thread]) -> Vec<u8> {
        let text = self.shortest_text(threads);
        let byte = |letter| if let Letter::Byte(byte) = letter { Some(byte) } else { None };
        self.completions().letters(text).filter_map(byte).collect()
    }

    /// A thread with its allowances of free text and of entities lifted, where no `bytes` more can use them up.
    pub fn lift_allowances(&self, thread: Thread, bytes: u32) -> Thread {
        self.liveness.lift_allowances(&self.automaton, thread, bytes)
    }
}
