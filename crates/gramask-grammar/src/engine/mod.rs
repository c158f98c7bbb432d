//! The engine: states of the output, numbered, and what may follow each one, kept.
//!
//! A state is the set of live threads behind a token. How its mask is made depends on what it can write:
//!
//! - at `grounded` few tokens may follow; threads walk the trie ([`walk`]) and the tokens are kept as a list;
//! - at `syntax` nearly all may, but the document hardly matters: a state whose allowances one token can't use up has the
//!   same mask in all documents. It is made once for a program and a vocabulary, by an automaton over bytes
//!   ([`automaton`]), and shared.
//!
//! `docs/mask-engine.md` derives all this from the oracle.

mod automaton;
mod bytes;
mod mask;
mod states;
mod walk;

use std::sync::{Arc, Mutex, PoisonError};

pub(crate) use automaton::Automaton;
pub(crate) use bytes::Bytes;
use mask::Kept;
pub use mask::Mask;
pub(crate) use mask::set;
use states::DEAD;
use walk::Walk;

use crate::Vocabulary;
use crate::machine::{Machine, Thread};

/// A state of a constraint: a number, so that forking a sequence costs nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct State(pub(crate) u32);

/// The automaton at `syntax` that all documents of a program and a vocabulary share.
pub(crate) type Shared = Arc<Mutex<Automaton>>;

/// The engine of one document.
pub(crate) struct Engine {
    automaton: Automaton,
    walk: Walk,
    shared: Option<Shared>,
    /// Threads of a state, while they are changed.
    lifted: Vec<Thread>,
    made: usize,
}

impl Engine {
    pub fn new(machine: Machine, shared: Option<Shared>) -> Engine {
        Engine { automaton: Automaton::new(machine), walk: Walk::default(), shared, lifted: Vec::new(), made: 0 }
    }

    pub fn machine(&self) -> &Machine {
        &self.automaton.machine
    }

    /// How many states were visited.
    pub fn visited(&self) -> usize {
        self.automaton.states.len() - 1
    }

    /// How many masks are kept.
    pub fn kept_masks(&self) -> usize {
        self.automaton.states.masks()
    }

    /// How many masks were made here, and not found among those that documents share.
    pub fn made_masks(&self) -> usize {
        self.made
    }

    pub fn start(&mut self) -> State {
        let mut threads = self.automaton.machine.start();
        State(self.automaton.number(&mut threads))
    }

    pub fn accepts(&self, state: State) -> bool {
        self.automaton.states.known(state.0).accepts
    }

    /// The state behind these bytes.
    pub fn advance(&mut self, state: State, bytes: &[u8]) -> Option<State> {
        let automaton = &mut self.automaton;
        self.walk.pass(&mut automaton.machine, automaton.states.threads(state.0), bytes);
        match automaton.number_live(self.walk.threads()) {
            DEAD => None,
            next => Some(State(next)),
        }
    }

    /// The state behind a token that writes `bytes`; kept.
    pub fn advance_token(&mut self, state: State, token: u32, bytes: &[u8]) -> Option<State> {
        let next = match self.automaton.states.behind(state.0, token) {
            Some(next) => next,
            None => {
                let next = self.advance(state, bytes).map_or(DEAD, |next| next.0);
                self.automaton.states.set_behind(state.0, token, next);
                next
            }
        };
        (next != DEAD).then_some(State(next))
    }

    /// What may follow a state; made at the first visit.
    pub fn mask(&mut self, state: State, vocabulary: &Vocabulary) -> Mask<'_> {
        if self.automaton.states.known(state.0).mask.is_none() {
            let kept = self.make(state, vocabulary);
            self.automaton.states.known_mut(state.0).mask = Some(kept);
        }
        match &self.automaton.states.known(state.0).mask {
            Some(kept) => kept.mask(),
            None => Mask::Few(&[]),
        }
    }

    fn make(&mut self, state: State, vocabulary: &Vocabulary) -> Kept {
        if let Some(kept) = self.shared_mask(state, vocabulary) {
            return kept;
        }
        self.made += 1;
        let automaton = &mut self.automaton;
        let threads = automaton.states.threads(state.0);
        if !threads.iter().all(|thread| automaton.machine.is_narrow(thread)) {
            return automaton.mask(state.0, vocabulary);
        }
        self.walk.tokens(&mut automaton.machine, vocabulary, threads);
        if automaton.states.known(state.0).accepts {
            self.walk.found.extend_from_slice(vocabulary.ends());
        }
        match self.walk.row(vocabulary) {
            Some(row) => Kept::Row(row.into()),
            None => Kept::Few(self.walk.found.as_slice().into()),
        }
    }

    /// The mask that all documents share, where no token can use up the allowances of free text and of entities.
    fn shared_mask(&mut self, state: State, vocabulary: &Vocabulary) -> Option<Kept> {
        let shared = self.shared.as_ref()?;
        let longest = vocabulary.longest() as u32;
        let machine = &self.automaton.machine;
        self.lifted.clear();
        for thread in self.automaton.states.threads(state.0) {
            let lifted = machine.unlimited(*thread, longest);
            if !machine.is_unlimited(&lifted) {
                return None;
            }
            self.lifted.push(lifted);
        }
        let mut common = shared.lock().unwrap_or_else(PoisonError::into_inner);
        for thread in &mut self.lifted {
            thread.frame = machine.translate(thread.frame, &mut common.machine);
        }
        let number = common.number(&mut self.lifted);
        Some(common.kept_mask(number, vocabulary))
    }

    /// Calls `visit` with the tokens that lead from `state` to a live state, and that state.
    pub fn walk(&mut self, state: State, vocabulary: &Vocabulary, mut visit: impl FnMut(&[u32], State)) {
        self.automaton.walk(state.0, vocabulary, |ids, next| visit(ids, State(next)));
    }

    /// The length in bytes of the shortest rest of a complete output.
    pub fn finish(&mut self, state: State) -> u32 {
        let automaton = &mut self.automaton;
        let threads = automaton.states.threads(state.0).iter();
        threads.filter_map(|thread| automaton.machine.finish(*thread)).min().unwrap_or(u32::MAX)
    }

    /// The shortest rest of a complete output.
    pub fn way(&mut self, state: State) -> Vec<u8> {
        let automaton = &mut self.automaton;
        let threads = automaton.states.threads(state.0).iter();
        let ways = threads.filter_map(|thread| automaton.machine.way(*thread));
        ways.min_by_key(Vec::len).unwrap_or_default()
    }

    /// The only byte that can follow, where there is just one and the output is not complete.
    pub fn forced(&mut self, state: State) -> Option<(u8, State)> {
        if self.accepts(state) {
            return None;
        }
        let mut only = None;
        self.followers(state, |byte, next| {
            let first = only.is_none();
            only = Some((byte, next));
            first
        })
        .then_some(only)?
    }

    /// Calls `visit` with each byte that can follow and the state behind it, until it returns false; whether it never did.
    pub fn followers(&mut self, state: State, mut visit: impl FnMut(u8, State) -> bool) -> bool {
        let mut next = Bytes::default();
        for thread in self.automaton.states.threads(state.0) {
            self.automaton.machine.next_bytes(thread, &mut next);
        }
        for byte in (0..=255).filter(|byte| next.contains(*byte)) {
            let next = self.automaton.next(state.0, byte);
            if next != DEAD && !visit(byte, State(next)) {
                return false;
            }
        }
        true
    }
}
