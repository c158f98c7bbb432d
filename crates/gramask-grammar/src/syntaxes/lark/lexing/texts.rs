//! The texts of lexemes as automata, and what comparing them says of the lexer.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::byte_set::ByteSet;
use crate::regex::{Regex, StateId};

/// The automaton of a lexeme's texts, each state with its transitions.
pub(super) struct Texts {
    next: Vec<[Option<u32>; 256]>,
    accepts: Vec<bool>,
    /// The bytes with which a text goes on from each state.
    onward: Vec<ByteSet>,
}

/// A text of one lexeme, and how another lexeme takes it.
pub(super) struct Clash {
    /// A shortest text for which this holds.
    pub text: Vec<u8>,
    /// Whether it is a text of the other one too.
    pub both: bool,
    /// The bytes with which only the other one goes on.
    pub longer: ByteSet,
}

impl Texts {
    /// `None` beyond so many states.
    pub fn new(regex: &Regex, most: usize) -> Option<Texts> {
        let mut numbers: HashMap<StateId, u32> = [(StateId::START, 0)].into_iter().collect();
        let mut states = vec![StateId::START];
        let mut texts = Texts { next: Vec::new(), accepts: Vec::new(), onward: Vec::new() };
        while let Some(&state) = states.get(texts.next.len()) {
            let mut onward = ByteSet::default();
            let row = std::array::from_fn(|byte| {
                let target = regex.next(state, byte as u8)?;
                onward.insert(byte as u8);
                let fresh = states.len() as u32;
                let number = *numbers.entry(target).or_insert(fresh);
                if number == fresh {
                    states.push(target);
                }
                Some(number)
            });
            texts.next.push(row);
            texts.accepts.push(regex.matches(state));
            texts.onward.push(onward);
            if states.len() > most {
                return None;
            }
        }
        Some(texts)
    }

    /// The bytes that texts begin with.
    pub fn first(&self) -> ByteSet {
        self.onward[0]
    }

    /// The bytes with which a text goes on after a text.
    pub fn all_onward(&self) -> ByteSet {
        let mut all = ByteSet::default();
        let accepting = (0..self.accepts.len()).filter(|state| self.accepts[*state]);
        accepting.for_each(|state| all.union(&self.onward[state]));
        all
    }

    /// How another lexeme takes the texts of this one: each way once. The empty text is none. Each pair of states takes one of
    /// the steps, and what is found without any left is not complete.
    pub fn clashes(&self, other: &Texts, steps: &mut usize) -> Vec<Clash> {
        let mut clashes: Vec<Clash> = Vec::new();
        if self.first().and(&other.first()).is_empty() {
            return clashes;
        }
        // Pairs of states, each with the pair before it and the byte between.
        let mut seen: HashSet<(u32, u32)> = HashSet::new();
        let mut pairs: Vec<(u32, u32, usize, u8)> = vec![(0, 0, 0, 0)];
        let mut at = 0;
        while let Some(&(one, two, ..)) = pairs.get(at).filter(|_| *steps > 0) {
            *steps -= 1;
            for byte in 0..256 {
                let (Some(one), Some(two)) = (self.next[one as usize][byte], other.next[two as usize][byte]) else {
                    continue;
                };
                if !seen.insert((one, two)) {
                    continue;
                }
                pairs.push((one, two, at, byte as u8));
                let (one, two) = (one as usize, two as usize);
                let both = self.accepts[one] && other.accepts[two];
                let longer = other.onward[two].without(&self.onward[one]);
                let new = !clashes.iter().any(|clash| clash.both == both && clash.longer == longer);
                if self.accepts[one] && (both || !longer.is_empty()) && new {
                    clashes.push(Clash { text: way(&pairs, pairs.len() - 1), both, longer });
                }
            }
            at += 1;
        }
        clashes
    }

    /// A shortest text of another lexeme with which a text of this one begins, or that it is.
    pub fn begins_with(&self, other: &Texts) -> Option<Vec<u8>> {
        let mut seen: HashSet<(u32, u32)> = HashSet::new();
        let mut pairs: Vec<(u32, u32, usize, u8)> = vec![(0, 0, 0, 0)];
        let mut at = 0;
        while let Some(&(one, two, ..)) = pairs.get(at) {
            for byte in 0..256 {
                let next = (self.next[one as usize][byte], other.next[two as usize][byte]);
                let (Some(one), Some(two)) = next else { continue };
                if seen.insert((one, two)) {
                    pairs.push((one, two, at, byte as u8));
                    if other.accepts[two as usize] {
                        return Some(way(&pairs, pairs.len() - 1));
                    }
                }
            }
            at += 1;
        }
        None
    }

    /// Whether a text has only one byte.
    pub fn has_byte(&self) -> bool {
        self.next[0].iter().flatten().any(|state| self.accepts[*state as usize])
    }

    /// Whether a text after a text is a text, so that several in a row are as one.
    pub fn is_closed(&self) -> bool {
        // Whatever can follow the start can follow each accepting state.
        let mut seen: HashSet<(u32, u32)> = HashSet::new();
        let accepting = (0..self.accepts.len()).filter(|state| self.accepts[*state]);
        let mut open: Vec<(u32, u32)> = accepting.map(|state| (0, state as u32)).collect();
        while let Some(pair) = open.pop() {
            if !seen.insert(pair) {
                continue;
            }
            let (from_start, here) = (pair.0 as usize, pair.1 as usize);
            if self.accepts[from_start] && !self.accepts[here] {
                return false;
            }
            for byte in 0..256 {
                match (self.next[from_start][byte], self.next[here][byte]) {
                    (Some(one), Some(two)) => open.push((one, two)),
                    (Some(_), None) => return false,
                    (None, _) => {}
                }
            }
        }
        true
    }

    /// The texts, cut by what must not follow them: by a set of bytes those texts after which the lexer would go on with each of
    /// them. `others` are the lexemes that it looks for at the same time, `forbidden` the bytes that no text may begin with, and
    /// only bytes of `mask` are told apart. `None` beyond so many states.
    pub fn cut(
        &self,
        others: &[&Texts],
        forbidden: &ByteSet,
        mask: &ByteSet,
        most: usize,
    ) -> Option<Vec<(ByteSet, Arc<Regex>)>> {
        let start: Vec<Option<u32>> = vec![Some(0); 1 + others.len()];
        let mut numbers: HashMap<Vec<Option<u32>>, u32> = HashMap::new();
        // The start is a state of its own, since texts are not empty.
        let mut states = vec![start];
        let mut next: Vec<[Option<u32>; 256]> = Vec::new();
        let (mut key, mut before): (Vec<Option<u32>>, Vec<Option<u32>>) = (Vec::new(), Vec::new());
        while let Some(state) = states.get(next.len()).cloned() {
            let first = next.is_empty();
            let own = state[0]? as usize;
            let mut row = [None; 256];
            // Neighbouring bytes mostly lead to the same state.
            let mut number = 0;
            before.clear();
            for (byte, target) in row.iter_mut().enumerate() {
                if first && forbidden.contains(byte as u8) {
                    continue;
                }
                let Some(after) = self.next[own][byte] else { continue };
                let others = others.iter().zip(&state[1..]);
                key.clear();
                key.push(Some(after));
                key.extend(others.map(|(texts, at)| at.and_then(|at| texts.next[at as usize][byte])));
                if key != before {
                    let fresh = states.len() as u32;
                    number = numbers.get(&key).copied().unwrap_or(fresh);
                    if number == fresh {
                        numbers.insert(key.clone(), fresh);
                        states.push(key.clone());
                    }
                    before.clone_from(&key);
                }
                *target = Some(number);
            }
            next.push(row);
            if states.len() > most {
                return None;
            }
        }
        let after = |state: &[Option<u32>]| {
            let mut after = state[0].map_or(ByteSet::default(), |own| self.onward[own as usize]);
            for (texts, at) in others.iter().zip(&state[1..]) {
                at.iter().for_each(|at| after.union(&texts.onward[*at as usize]));
            }
            after.and(mask)
        };
        let mut groups: Vec<(ByteSet, Vec<bool>)> = Vec::new();
        for (number, state) in states.iter().enumerate().skip(1) {
            if !state[0].is_some_and(|own| self.accepts[own as usize]) {
                continue;
            }
            let after = after(state);
            let group = groups.iter().position(|(set, _)| *set == after).unwrap_or_else(|| {
                groups.push((after, vec![false; states.len()]));
                groups.len() - 1
            });
            groups[group].1[number] = true;
        }
        let regex = |(after, accepts)| Some((after, Arc::new(Regex::from_states(String::new(), &next, accepts)?)));
        Some(groups.into_iter().filter_map(regex).collect())
    }
}

/// The bytes on the way to a pair.
fn way(pairs: &[(u32, u32, usize, u8)], mut at: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while at != 0 {
        bytes.push(pairs[at].3);
        at = pairs[at].2;
    }
    bytes.reverse();
    bytes
}
