//! For how many bytes two automata agree.
//!
//! A position `p` of a network and a state `q` of a text *agree for `n` bytes* if after each string of up to `n` bytes both go on or
//! neither does, and both accept or neither does. The smallest `n` for which they don't agree is their distance:
//!
//! ```text
//! distance(p, q) = 0                                       if one goes on and the other does not, or one accepts alone
//!                = 1 + min over bytes b of distance(p b, q b)       otherwise
//! ```
//!
//! Distances are found for all pairs that a pair leads to, up to a horizon, by a search backwards from the pairs that differ. A
//! text of limited length has a pair for each character that is left. So the horizon lies beyond the longest token, and a text is
//! searched once in so many characters.

use rustc_hash::FxHashMap;

use super::automaton::{NONE, TextAutomaton};
use super::position::{NotText, Position, PositionEdge};
use crate::plain::network::Network;

/// The search goes so many bytes beyond the longest token.
const AHEAD: usize = 16;

/// A search ends at so many pairs.
const MOST_PAIRS: usize = 4_000;

/// So many pairs are kept.
const MOST_KEPT: usize = 200_000;

/// A position of a network or none, and a state of a text or none.
pub(in crate::plain) type TextPair = (Option<Position>, u16);

/// The distance of a pair is at least so many bytes.
#[derive(Clone, Copy, Debug)]
struct Known {
    least: usize,
    /// It is not more either.
    exact: bool,
}

/// The distances between the positions of a network and the states of a text.
#[derive(Debug, Default)]
pub(in crate::plain) struct Agreement {
    known: FxHashMap<(Position, u16), Known>,
}

impl Agreement {
    /// Whether a known pair agrees for so many bytes; `None` if that is not known.
    pub fn holds(&self, pair: TextPair, bytes: usize) -> Option<bool> {
        let state = match pair {
            (None, NONE) => return Some(true),
            (None, _) | (_, NONE) => return Some(false),
            (Some(state), _) => state,
        };
        let known = self.known.get(&(state, pair.1))?;
        (known.exact || known.least > bytes).then_some(known.least > bytes)
    }

    /// Finds out whether a pair agrees as far as a token of so many bytes leads, and the same for all pairs on the way. An error
    /// where the network is no text, and where there are too many pairs.
    pub fn explore(
        &mut self,
        network: &Network,
        text: &TextAutomaton,
        start: Position,
        longest: usize,
    ) -> Result<(), NotText> {
        if self.holds((Some(start), 0), longest).is_some() {
            return Ok(());
        }
        if self.known.len() > MOST_KEPT {
            self.known.clear();
        }
        let horizon = longest + AHEAD;
        let mut numbers: FxHashMap<(Position, u16), u32> = [((start, 0), 0)].into_iter().collect();
        let mut pairs = vec![(start, 0, 0)];
        // Each pair with those that lead to it, and the pairs that differ.
        let (mut edges, mut differ): (Vec<(u32, u32)>, Vec<u32>) = (Vec::new(), Vec::new());
        let (mut at, mut room) = (0, Vec::new());
        while let Some(&(state, other, depth)) = pairs.get(at) {
            let number = at as u32;
            at += 1;
            state.edges(network, &mut room)?;
            if state.accepts(network) != text.accepts(other) {
                differ.push(number);
                continue;
            }
            if depth == horizon {
                continue;
            }
            let mut alone = false;
            successors(&room, text, other, |next, other| match (next, other) {
                (None, NONE) => {}
                (None, _) | (_, NONE) => alone = true,
                (Some(next), other) => {
                    let fresh = pairs.len() as u32;
                    let child = *numbers.entry((next, other)).or_insert_with(|| {
                        pairs.push((next, other, depth + 1));
                        fresh
                    });
                    edges.push((child, number));
                }
            });
            if alone {
                differ.push(number);
            }
            if pairs.len() > MOST_PAIRS {
                return Err(NotText);
            }
        }
        self.settle(network, text, &pairs, edges, differ, horizon);
        Ok(())
    }

    /// Searches backwards from the pairs that differ.
    fn settle(
        &mut self,
        network: &Network,
        text: &TextAutomaton,
        pairs: &[(Position, u16, usize)],
        mut edges: Vec<(u32, u32)>,
        differ: Vec<u32>,
        horizon: usize,
    ) {
        edges.sort_unstable();
        edges.dedup();
        let mut distance = vec![usize::MAX; pairs.len()];
        // Those at distance 0, where one accepts alone, and those at distance 1, where one goes on alone.
        let mut open = [Vec::new(), Vec::new()];
        for number in differ {
            let (state, other, _) = pairs[number as usize];
            let first = usize::from(state.accepts(network) == text.accepts(other));
            distance[number as usize] = first;
            open[first].push(number);
        }
        let [mut now, mut next] = open;
        let mut steps = 0;
        while !now.is_empty() || !next.is_empty() {
            steps += 1;
            for number in now {
                let from = edges.partition_point(|(child, _)| *child < number);
                for &(_, parent) in edges[from..].iter().take_while(|(child, _)| *child == number) {
                    if distance[parent as usize] > steps {
                        distance[parent as usize] = steps;
                        next.push(parent);
                    }
                }
            }
            now = std::mem::take(&mut next);
        }
        for (&(state, other, depth), distance) in pairs.iter().zip(distance) {
            let seen = horizon - depth + 1;
            let known = Known { least: distance.min(seen), exact: distance <= seen };
            self.known.insert((state, other), known);
        }
    }
}

/// Calls `visit` with what the bytes lead to, once for each range of bytes in which neither side changes.
fn successors(edges: &[PositionEdge], text: &TextAutomaton, other: u16, mut visit: impl FnMut(Option<Position>, u16)) {
    let mut edges = edges.iter().peekable();
    let mut begin = 0u16;
    for &(end, other) in text.ranges(other) {
        let end = u16::from(end);
        while begin <= end {
            let (next, last) = match edges.peek() {
                Some((first, _, _)) if u16::from(*first) > begin => (None, u16::from(*first) - 1),
                Some((_, last, next)) => (Some(*next), u16::from(*last)),
                None => (None, end),
            };
            visit(next, other);
            begin = last.min(end) + 1;
            if next.is_some() && last <= end {
                edges.next();
            }
        }
    }
}
