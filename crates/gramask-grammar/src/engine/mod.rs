//! The engine: numbers the states of the output, and keeps the mask of each one.
//!
//! A state is the set of live threads after a token. How its mask is made depends on what it can write.
//!
//! - At `grounded` few tokens may follow. Threads walk the trie ([`trie_walk`]), and the tokens are kept as a list.
//! - At `syntax` nearly all tokens may follow, but the document hardly matters. A state whose allowances one token can't use
//!   up has the same mask in all documents. A lazy DFA ([`lazy_dfa`]) makes it once for a program and a vocabulary, and all
//!   documents share it.
//!
//! `docs/mask-engine.md` derives all this from the oracle.

mod any;
mod finish;
mod lazy_dfa;
mod mask;
mod states;
mod trie_walk;

use std::sync::{Arc, Mutex, PoisonError};

pub(crate) use any::AnyEngine;
pub(crate) use finish::Finish;
pub(crate) use lazy_dfa::LazyDfa;
pub(crate) use mask::{Kept, set_bit};
pub use mask::{Mask, tokens_of};
pub use states::State;
use trie_walk::{Places, TrieWalk};

use crate::automaton::Thread;
use crate::byte_set::ByteSet;
use crate::completions::{Completions, TextId};
use crate::matcher::Matcher;
use crate::{Level, Vocabulary};

/// The DFA at `syntax` that all documents of a program and a vocabulary share.
pub(crate) type Shared = Arc<Mutex<LazyDfa>>;

/// The engine of one document.
pub(crate) struct Engine {
    dfa: LazyDfa,
    walk: TrieWalk,
    places: Places,
    shared: Option<Shared>,
    /// Room for threads without allowances.
    lifted: Vec<Thread>,
    made: usize,
}

impl Engine {
    pub fn new(matcher: Matcher, shared: Option<Shared>) -> Engine {
        Engine {
            dfa: LazyDfa::new(matcher),
            walk: TrieWalk::default(),
            places: Places::default(),
            shared,
            lifted: Vec::new(),
            made: 0,
        }
    }

    pub fn level(&self) -> Level {
        self.dfa.matcher.automaton.level
    }

    /// How many states were visited.
    pub fn visited(&self) -> usize {
        self.dfa.states.len() - 1
    }

    /// How many masks are kept.
    pub fn kept_masks(&self) -> usize {
        self.dfa.states.masks()
    }

    /// How many masks were computed here, and not taken from the shared DFA.
    pub fn made_masks(&self) -> usize {
        self.made
    }

    pub fn start(&mut self) -> State {
        let mut threads = self.dfa.matcher.start();
        self.dfa.state(&mut threads)
    }

    pub fn accepts(&self, state: State) -> bool {
        self.dfa.states.known(state).accepts
    }

    /// The state after these bytes.
    pub fn advance(&mut self, state: State, bytes: &[u8]) -> Option<State> {
        let dfa = &mut self.dfa;
        self.walk.pass(&mut dfa.matcher, dfa.states.threads(state), bytes);
        match dfa.live_state(self.walk.threads()) {
            State::DEAD => None,
            next => Some(next),
        }
    }

    /// The state after a token that writes `bytes`, computed at the first call.
    pub fn advance_token(&mut self, state: State, token: u32, bytes: &[u8]) -> Option<State> {
        let next = match self.dfa.states.after_token(state, token) {
            Some(next) => next,
            None => {
                let next = self.advance(state, bytes).unwrap_or(State::DEAD);
                self.dfa.states.set_after_token(state, token, next);
                next
            }
        };
        (next != State::DEAD).then_some(next)
    }

    /// The mask of a state, computed at the first call.
    pub fn mask(&mut self, state: State, vocabulary: &Vocabulary) -> Mask<'_> {
        if self.dfa.states.known(state).mask.is_none() {
            let kept = self.make(state, vocabulary);
            self.dfa.states.known_mut(state).mask = Some(kept);
        }
        match &self.dfa.states.known(state).mask {
            Some(kept) => kept.mask(),
            None => Mask::Few(&[]),
        }
    }

    fn make(&mut self, state: State, vocabulary: &Vocabulary) -> Kept {
        if let Some(kept) = self.shared_mask(state, vocabulary) {
            return kept;
        }
        self.made += 1;
        let dfa = &mut self.dfa;
        let threads = dfa.states.threads(state);
        if !threads.iter().all(|thread| dfa.matcher.automaton.is_narrow(thread)) {
            return dfa.mask(state, vocabulary);
        }
        self.walk.tokens(&mut dfa.matcher, vocabulary, threads);
        if dfa.states.known(state).accepts {
            self.walk.found.extend_from_slice(vocabulary.ends());
        }
        match self.walk.row(vocabulary) {
            Some(row) => Kept::Row(row.into()),
            None => Kept::Few(self.walk.found.as_slice().into()),
        }
    }

    /// The mask from the shared DFA, if no token can use up an allowance of the state.
    fn shared_mask(&mut self, state: State, vocabulary: &Vocabulary) -> Option<Kept> {
        let shared = self.shared.as_ref()?;
        let longest = vocabulary.longest() as u32;
        let matcher = &self.dfa.matcher;
        self.lifted.clear();
        for thread in self.dfa.states.threads(state) {
            let lifted = matcher.lift_allowances(*thread, longest);
            if !matcher.automaton.is_unlimited(&lifted) {
                return None;
            }
            self.lifted.push(lifted);
        }
        let mut common = shared.lock().unwrap_or_else(PoisonError::into_inner);
        for thread in &mut self.lifted {
            thread.frame = matcher.automaton.frames.translate(thread.frame, &mut common.matcher.automaton.frames);
        }
        let state = common.state(&mut self.lifted);
        Some(common.kept_mask(state, vocabulary))
    }

    /// Calls `visit` with the tokens that lead from `state` to a live state, and that state.
    pub fn walk(&mut self, state: State, vocabulary: &Vocabulary, mut visit: impl FnMut(&[u32], State)) {
        let dfa = &mut self.dfa;
        let threads = dfa.states.threads(state);
        if !threads.iter().all(|thread| dfa.matcher.automaton.is_narrow(thread)) {
            return dfa.walk(state, vocabulary, visit);
        }
        self.places.clear();
        self.walk.walk(&mut dfa.matcher, vocabulary, threads, &mut self.places);
        for (ids, threads) in self.places.iter() {
            visit(ids, dfa.live_state(threads));
        }
    }

    /// The shortest completion, as one of [`Engine::completions`].
    pub fn shortest_text(&mut self, state: State) -> TextId {
        self.dfa.matcher.shortest_text(self.dfa.states.threads(state))
    }

    /// The completions so far.
    pub fn completions(&self) -> &Completions {
        self.dfa.matcher.completions()
    }

    /// The shortest completion, in bytes.
    pub fn shortest_completion(&mut self, state: State) -> Vec<u8> {
        self.dfa.matcher.shortest_completion(self.dfa.states.threads(state))
    }

    /// The next byte, if only one can follow and the output is not complete.
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

    /// Calls `visit` with each byte that can follow and the state after it, until `visit` returns false. Returns whether it
    /// never did.
    pub fn followers(&mut self, state: State, mut visit: impl FnMut(u8, State) -> bool) -> bool {
        let mut next = ByteSet::default();
        for thread in self.dfa.states.threads(state) {
            self.dfa.matcher.automaton.next_bytes(thread, &mut next);
        }
        for byte in (0..=255).filter(|byte| next.contains(*byte)) {
            let next = self.dfa.next(state, byte);
            if next != State::DEAD && !visit(byte, next) {
                return false;
            }
        }
        true
    }
}
