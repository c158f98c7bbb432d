//! Sets of threads, numbered: equal sets have the same number, so that a state is a number.

use rustc_hash::{FxHashMap, FxHasher};
use std::hash::{Hash, Hasher};

use std::sync::Arc;

use super::mask::Kept;
use crate::automaton::Thread;
use crate::text_loops::TextLoops;

/// A state of a constraint: a number, so that forking a sequence costs nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct State(u32);

impl State {
    /// Nothing can follow.
    pub(crate) const DEAD: State = State(0);
    /// In a table of steps: not computed yet.
    const UNKNOWN: State = State(u32::MAX);

    pub(crate) fn new(index: usize) -> State {
        State(index as u32)
    }

    pub(crate) fn index(self) -> usize {
        self.0 as usize
    }
}

/// The steps out of one state.
#[derive(Debug, Default)]
enum Steps {
    #[default]
    None,
    /// In any order.
    Few(Vec<(u8, State)>),
    All(Box<[State; 256]>),
}

/// A state with more steps gets a whole table.
const FEW: usize = 12;

/// After so many visits of a walk, the texts that lead from a state to itself are worth finding.
const OFTEN: u32 = 64;

/// One state, and everything that was computed for it.
#[derive(Debug, Default)]
pub(super) struct Known {
    begin: u32,
    length: u32,
    /// The next state with the same hash.
    same: Option<State>,
    pub accepts: bool,
    steps: Steps,
    /// The states after tokens: after the first token that was taken, and after others.
    token: Option<(u32, State)>,
    tokens: Vec<(u32, State)>,
    pub mask: Option<Kept>,
    /// How often a walk visited the state, and then the texts that lead from the state to itself.
    seen: u32,
    loops: Option<Box<TextLoops>>,
}

/// All states of an engine.
#[derive(Debug)]
pub(super) struct States {
    threads: Vec<Thread>,
    known: Vec<Known>,
    numbers: FxHashMap<u64, State>,
}

impl States {
    /// The dead state alone.
    pub fn new() -> States {
        let dead = Known { mask: Some(Kept::Few(Arc::from([]))), ..Known::default() };
        States { threads: Vec::new(), known: vec![dead], numbers: FxHashMap::default() }
    }

    pub fn len(&self) -> usize {
        self.known.len()
    }

    pub fn threads(&self, state: State) -> &[Thread] {
        let known = &self.known[state.index()];
        &self.threads[known.begin as usize..(known.begin + known.length) as usize]
    }

    pub fn known(&self, state: State) -> &Known {
        &self.known[state.index()]
    }

    pub fn known_mut(&mut self, state: State) -> &mut Known {
        &mut self.known[state.index()]
    }

    /// The state of live threads, which must be sorted and distinct.
    pub fn number(&mut self, threads: &[Thread], accepts: impl FnOnce() -> bool) -> State {
        if threads.is_empty() {
            return State::DEAD;
        }
        let mut hasher = FxHasher::default();
        threads.hash(&mut hasher);
        let hash = hasher.finish();
        let first = self.numbers.get(&hash).copied();
        let mut at = first;
        while let Some(state) = at {
            if self.threads(state) == threads {
                return state;
            }
            at = self.known[state.index()].same;
        }
        let number = State(self.known.len() as u32);
        self.known.push(Known {
            begin: self.threads.len() as u32,
            length: threads.len() as u32,
            same: first,
            accepts: accepts(),
            ..Known::default()
        });
        self.threads.extend_from_slice(threads);
        self.numbers.insert(hash, number);
        number
    }

    /// The state after a byte, if it was computed before.
    pub fn step(&self, state: State, byte: u8) -> Option<State> {
        match &self.known[state.index()].steps {
            Steps::All(table) => Some(table[usize::from(byte)]).filter(|next| *next != State::UNKNOWN),
            Steps::Few(steps) => steps.iter().find(|(known, _)| *known == byte).map(|(_, next)| *next),
            Steps::None => None,
        }
    }

    pub fn set_step(&mut self, state: State, byte: u8, next: State) {
        let steps = &mut self.known[state.index()].steps;
        match steps {
            Steps::All(table) => table[usize::from(byte)] = next,
            Steps::Few(few) if few.len() < FEW => few.push((byte, next)),
            Steps::None => *steps = Steps::Few(vec![(byte, next)]),
            Steps::Few(few) => {
                let mut table = Box::new([State::UNKNOWN; 256]);
                few.iter().for_each(|(byte, next)| table[usize::from(*byte)] = *next);
                table[usize::from(byte)] = next;
                *steps = Steps::All(table);
            }
        }
    }

    /// The texts that lead from a state to itself; `Err` when they are worth finding.
    pub fn loops(&mut self, state: State) -> Result<Option<&TextLoops>, ()> {
        let known = &mut self.known[state.index()];
        match &known.loops {
            Some(loops) => Ok(Some(loops)),
            None if known.seen >= OFTEN => Err(()),
            None => {
                known.seen += 1;
                Ok(None)
            }
        }
    }

    pub fn set_loops(&mut self, state: State, loops: TextLoops) {
        self.known[state.index()].loops = Some(Box::new(loops));
    }

    /// The state after a token, if it was computed before.
    pub fn after_token(&self, state: State, token: u32) -> Option<State> {
        let known = &self.known[state.index()];
        known.token.iter().chain(&known.tokens).find(|(known, _)| *known == token).map(|(_, next)| *next)
    }

    pub fn set_after_token(&mut self, state: State, token: u32, next: State) {
        let known = &mut self.known[state.index()];
        match known.token {
            None => known.token = Some((token, next)),
            Some(_) => known.tokens.push((token, next)),
        }
    }

    /// How many masks are kept.
    pub fn masks(&self) -> usize {
        self.known.iter().filter(|known| known.mask.is_some()).count() - 1
    }
}
