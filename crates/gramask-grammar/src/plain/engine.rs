//! The engine of one constraint of a plain grammar: numbers the positions of the output, and keeps their masks.

use std::sync::{Arc, Mutex, PoisonError};

use rustc_hash::FxHashMap;

use super::machine::Machine;
use super::masks::{Parts, PartsOf};
use super::network::Network;
use super::shortest::Shortest;
use super::stacks::StackId;
use crate::Vocabulary;
use crate::completions::{Completions, Letter, TextId};
use crate::engine::{Kept, Mask, State};

/// A position, and what is kept of it.
#[derive(Debug)]
struct Known {
    node: StackId,
    mask: Option<Kept>,
}

/// The engine of one constraint. Its stacks are its own, and its parts of masks are shared.
#[derive(Debug)]
pub(crate) struct PlainEngine {
    machine: Machine,
    shortest: Shortest,
    parts: Arc<Mutex<Parts>>,
    parts_of: PartsOf,
    known: Vec<Known>,
    numbers: FxHashMap<StackId, State>,
    after: FxHashMap<(State, u32), State>,
    /// The tokens of each special token's name, and the other way round.
    specials: Vec<Vec<u32>>,
    special_of: FxHashMap<u32, u32>,
    made: usize,
}

impl PlainEngine {
    /// An engine in which `specials` are the tokens that have the names of the network's special tokens.
    pub fn new(network: &Arc<Network>, vocabulary: &Vocabulary, specials: Vec<Vec<u32>>) -> PlainEngine {
        let numbered = specials.iter().enumerate();
        let special_of = numbered.flat_map(|(number, tokens)| tokens.iter().map(move |token| (*token, number as u32)));
        PlainEngine {
            machine: Machine::new(Arc::clone(network)),
            shortest: Shortest::new(),
            parts: vocabulary.parts(network),
            parts_of: PartsOf::default(),
            known: vec![Known { node: StackId::NONE, mask: Some(Kept::Few(Arc::from([]))) }],
            numbers: [(StackId::NONE, State::DEAD)].into_iter().collect(),
            after: FxHashMap::default(),
            special_of: special_of.collect(),
            specials,
            made: 0,
        }
    }

    /// How many states were visited.
    pub fn visited(&self) -> usize {
        self.known.len() - 1
    }

    /// How many masks are kept.
    pub fn kept_masks(&self) -> usize {
        self.known.iter().filter(|known| known.mask.is_some()).count() - 1
    }

    /// How many masks were asked for that were not known here.
    pub fn made_masks(&self) -> usize {
        self.made
    }

    fn state(&mut self, node: StackId) -> State {
        let fresh = State::new(self.known.len());
        let state = *self.numbers.entry(node).or_insert(fresh);
        if state == fresh {
            self.known.push(Known { node, mask: None });
        }
        state
    }

    fn node(&self, state: State) -> StackId {
        self.known[state.index()].node
    }

    pub fn start(&mut self) -> State {
        let node = self.machine.start();
        self.state(node)
    }

    pub fn accepts(&self, state: State) -> bool {
        self.machine.accepts(self.node(state))
    }

    /// The state after these bytes.
    pub fn advance(&mut self, state: State, bytes: &[u8]) -> Option<State> {
        let node = self.machine.pass(self.node(state), bytes);
        let next = self.state(node);
        (next != State::DEAD).then_some(next)
    }

    /// The state after a token, computed at the first call.
    pub fn advance_token(&mut self, state: State, token: u32, vocabulary: &Vocabulary) -> Option<State> {
        let next = match self.after.get(&(state, token)) {
            Some(next) => *next,
            None => {
                let node = match (vocabulary.text(token), self.special_of.get(&token)) {
                    (Some(bytes), _) => self.machine.pass(self.node(state), bytes),
                    (None, Some(special)) => self.machine.step_special(self.node(state), *special),
                    (None, None) => return None,
                };
                let next = self.state(node);
                self.after.insert((state, token), next);
                next
            }
        };
        (next != State::DEAD).then_some(next)
    }

    /// The mask of a state, computed at the first call.
    pub fn mask(&mut self, state: State, vocabulary: &Vocabulary) -> Mask<'_> {
        if self.known[state.index()].mask.is_none() {
            self.made += 1;
            let node = self.node(state);
            let more: Vec<u32> = self.next_specials(node).map(|(token, _)| token).collect();
            let mut parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
            let kept = parts.mask(vocabulary, &self.machine, node, &mut self.parts_of, &more);
            self.known[state.index()].mask = Some(kept);
        }
        match &self.known[state.index()].mask {
            Some(kept) => kept.mask(),
            None => Mask::Few(&[]),
        }
    }

    /// The special tokens that may follow, with their numbers in the network.
    fn next_specials(&mut self, node: StackId) -> impl Iterator<Item = (u32, u32)> {
        let numbers = self.machine.next_specials(node);
        numbers.into_iter().flat_map(|number| self.specials[number as usize].iter().map(move |token| (*token, number)))
    }

    /// Calls `visit` with the tokens that lead from a state on, and the state after them.
    pub fn walk(&mut self, state: State, vocabulary: &Vocabulary, mut visit: impl FnMut(&[u32], State)) {
        let node = self.node(state);
        let mut reached = Vec::new();
        self.machine.walk::<true>(vocabulary, &[0], node, &mut |place| {
            if !place.tokens.is_empty() {
                reached.push((place.tokens.to_vec(), place.node));
            }
        });
        for (tokens, node) in reached {
            let state = self.state(node);
            visit(&tokens, state);
        }
        for (token, special) in self.next_specials(node).collect::<Vec<_>>() {
            let next = self.machine.step_special(node, special);
            let next = self.state(next);
            visit(&[token], next);
        }
    }

    /// The shortest completion, as one of [`PlainEngine::completions`]; the empty one for the dead state.
    pub fn shortest_text(&mut self, state: State) -> TextId {
        self.shortest.of(&self.machine, self.known[state.index()].node)
    }

    /// The completions so far.
    pub fn completions(&self) -> &Completions {
        &self.shortest.texts
    }

    /// A token with the name of a special token of the network.
    pub fn special_token(&self, special: u32) -> Option<u32> {
        self.specials[special as usize].first().copied()
    }

    /// The shortest completion, in bytes. Special tokens are written by their names.
    pub fn shortest_completion(&mut self, state: State) -> Vec<u8> {
        let text = self.shortest_text(state);
        let names = self.machine.network().specials();
        let mut bytes = Vec::new();
        for letter in self.shortest.texts.letters(text) {
            match letter {
                Letter::Byte(byte) => bytes.push(byte),
                Letter::Special(special) => bytes.extend_from_slice(names[special as usize].as_bytes()),
            }
        }
        bytes
    }

    /// Whether tokens can write the shortest completion. The error is a byte that no token writes.
    pub fn check_shortest(&mut self, state: State, vocabulary: &Vocabulary) -> Result<(), u8> {
        let text = self.shortest_text(state);
        let letters: Vec<Letter> = self.shortest.texts.letters(text).collect();
        let byte = |letter: &Letter| if let Letter::Byte(byte) = letter { Some(*byte) } else { None };
        for part in letters.split(|letter| byte(letter).is_none()) {
            let bytes: Vec<u8> = part.iter().filter_map(byte).collect();
            vocabulary.fewest(&bytes).map_err(|at| bytes[at])?;
        }
        Ok(())
    }

    /// The next byte, if nothing else can follow and the output is not complete.
    pub fn forced(&mut self, state: State) -> Option<(u8, State)> {
        let node = self.node(state);
        let bytes = self.machine.next_bytes(node);
        if self.machine.accepts(node) || bytes.len() != 1 || !self.machine.next_specials(node).is_empty() {
            return None;
        }
        let byte = bytes.iter().next()?;
        let next = self.machine.step(node, byte);
        Some((byte, self.state(next)))
    }

    /// Calls `visit` with each byte that can follow and the state after it.
    pub fn followers(&mut self, state: State, mut visit: impl FnMut(u8, State) -> bool) -> bool {
        let node = self.node(state);
        for byte in self.machine.next_bytes(node).iter() {
            let next = self.machine.step(node, byte);
            let next = self.state(next);
            if !visit(byte, next) {
                return false;
            }
        }
        true
    }

    /// How many sets of stacks there are.
    #[cfg(test)]
    pub fn nodes(&self) -> usize {
        self.machine.stacks().len()
    }
}
