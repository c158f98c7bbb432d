//! Sets of threads, numbered: equal sets have the same number, so that a state is a number.

use rustc_hash::{FxHashMap, FxHasher};
use std::hash::{Hash, Hasher};

use std::sync::Arc;

use super::bytes::Bytes;
use super::mask::Kept;
use crate::machine::Thread;

/// Nothing can follow.
pub(super) const DEAD: u32 = 0;
/// No such state.
const NONE: u32 = u32::MAX;
/// Not yet asked.
pub(super) const ASK: u32 = u32::MAX;

/// The steps out of one state.
#[derive(Debug, Default)]
enum Steps {
    #[default]
    None,
    /// Few, in no order.
    Few(Vec<(u8, u32)>),
    All(Box<[u32; 256]>),
}

/// Beyond so many steps a state gets a whole table.
const FEW: usize = 12;

/// A state that a walk came by so often is worth a closer look.
const OFTEN: u32 = 64;

/// One state and what was found out about it.
#[derive(Debug, Default)]
pub(super) struct Known {
    begin: u32,
    length: u32,
    /// The next state with the same hash.
    same: u32,
    pub accepts: bool,
    steps: Steps,
    /// Where tokens lead: the one that was taken first, and others.
    token: Option<(u32, u32)>,
    tokens: Vec<(u32, u32)>,
    pub mask: Option<Kept>,
    /// How often a walk came by, and then the bytes that lead from the state to itself.
    seen: u32,
    loops: Option<Box<Bytes>>,
}

/// All states of an engine.
#[derive(Debug)]
pub(super) struct States {
    threads: Vec<Thread>,
    known: Vec<Known>,
    numbers: FxHashMap<u64, u32>,
}

impl States {
    /// The dead state alone.
    pub fn new() -> States {
        let dead = Known { mask: Some(Kept::Few(Arc::from([]))), same: NONE, ..Known::default() };
        States { threads: Vec::new(), known: vec![dead], numbers: FxHashMap::default() }
    }

    pub fn len(&self) -> usize {
        self.known.len()
    }

    pub fn threads(&self, state: u32) -> &[Thread] {
        let known = &self.known[state as usize];
        &self.threads[known.begin as usize..(known.begin + known.length) as usize]
    }

    pub fn known(&self, state: u32) -> &Known {
        &self.known[state as usize]
    }

    pub fn known_mut(&mut self, state: u32) -> &mut Known {
        &mut self.known[state as usize]
    }

    /// The number of a set of live threads, sorted and each once.
    pub fn number(&mut self, threads: &[Thread], accepts: impl FnOnce() -> bool) -> u32 {
        if threads.is_empty() {
            return DEAD;
        }
        let mut hasher = FxHasher::default();
        threads.hash(&mut hasher);
        let hash = hasher.finish();
        let first = self.numbers.get(&hash).copied().unwrap_or(NONE);
        let mut at = first;
        while at != NONE {
            if self.threads(at) == threads {
                return at;
            }
            at = self.known[at as usize].same;
        }
        let number = self.known.len() as u32;
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

    /// Where a byte leads, or [`ASK`].
    pub fn step(&self, state: u32, byte: u8) -> u32 {
        match &self.known[state as usize].steps {
            Steps::All(table) => table[usize::from(byte)],
            Steps::Few(steps) => steps.iter().find(|(known, _)| *known == byte).map_or(ASK, |(_, next)| *next),
            Steps::None => ASK,
        }
    }

    pub fn set_step(&mut self, state: u32, byte: u8, next: u32) {
        let steps = &mut self.known[state as usize].steps;
        match steps {
            Steps::All(table) => table[usize::from(byte)] = next,
            Steps::Few(few) if few.len() < FEW => few.push((byte, next)),
            Steps::None => *steps = Steps::Few(vec![(byte, next)]),
            Steps::Few(few) => {
                let mut table = Box::new([ASK; 256]);
                few.iter().for_each(|(byte, next)| table[usize::from(*byte)] = *next);
                table[usize::from(byte)] = next;
                *steps = Steps::All(table);
            }
        }
    }

    /// The bytes that lead from a state to itself; `Err` where it is time to find out.
    pub fn loops(&mut self, state: u32) -> Result<Option<&Bytes>, ()> {
        let known = &mut self.known[state as usize];
        match &known.loops {
            Some(loops) => Ok(Some(loops)),
            None if known.seen >= OFTEN => Err(()),
            None => {
                known.seen += 1;
                Ok(None)
            }
        }
    }

    pub fn set_loops(&mut self, state: u32, loops: Bytes) {
        self.known[state as usize].loops = Some(Box::new(loops));
    }

    /// Where a token leads, if it was taken before.
    pub fn behind(&self, state: u32, token: u32) -> Option<u32> {
        let known = &self.known[state as usize];
        known.token.iter().chain(&known.tokens).find(|(known, _)| *known == token).map(|(_, next)| *next)
    }

    pub fn set_behind(&mut self, state: u32, token: u32, next: u32) {
        let known = &mut self.known[state as usize];
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
