//! A text as an automaton of its own.

use std::collections::VecDeque;

use rustc_hash::FxHashMap;

use super::builder::{PartBuilder, Written};
use super::position::{NotText, Position};
use crate::Vocabulary;
use crate::plain::network::Network;
use crate::text_loops::TextLoops;
use crate::vocabulary::Place;

/// Texts with more states are not folded.
const MOST_STATES: usize = 500;

/// No state.
pub(super) const NONE: u16 = u16::MAX;

/// A deterministic automaton over bytes. State 0 is the start.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TextAutomaton {
    accepts: Vec<bool>,
    next: Vec<[u16; 256]>,
    /// The transitions again, as ranges of bytes: the last byte of each one, and where it leads.
    ranges: Vec<Vec<(u8, u16)>>,
}

impl TextAutomaton {
    /// What can be read from a position, with the position that most letters lead to taken for the position itself. An error
    /// where the network is no text, and where there are too many states.
    ///
    /// A text of limited length becomes one without limits: `"a{3}b"` becomes `"a*b"`. States are numbered in the order in which
    /// the bytes lead to them, so that equal texts are equal automata. The second value is the number of each position.
    pub fn folded(network: &Network, start: Position) -> Result<(TextAutomaton, FxHashMap<Position, u16>), NotText> {
        let folds = start.main_successor(network)?.ok_or(NotText)?;
        let mut numbers: FxHashMap<Position, u16> = [(start, 0), (folds, 0)].into_iter().collect();
        let mut open = VecDeque::from([start]);
        let mut automaton = TextAutomaton { accepts: Vec::new(), next: Vec::new(), ranges: Vec::new() };
        let (mut count, mut edges) = (1, Vec::new());
        while let Some(position) = open.pop_front() {
            position.edges(network, &mut edges)?;
            let mut next = [NONE; 256];
            for &(first, last, to) in &edges {
                let number = *numbers.entry(to).or_insert_with(|| {
                    open.push_back(to);
                    count += 1;
                    count - 1
                });
                next[usize::from(first)..=usize::from(last)].fill(number);
            }
            automaton.accepts.push(position.accepts(network));
            automaton.ranges.push(ranges(&next));
            automaton.next.push(next);
            if usize::from(count) > MOST_STATES {
                return Err(NotText);
            }
        }
        Ok((automaton, numbers))
    }

    /// The transitions of a state as ranges that cover all bytes: the last byte of each one, and where it leads.
    pub fn ranges(&self, state: u16) -> &[(u8, u16)] {
        &self.ranges[usize::from(state)]
    }

    pub fn step(&self, state: u16, byte: u8) -> u16 {
        self.next[usize::from(state)][usize::from(byte)]
    }

    pub fn accepts(&self, state: u16) -> bool {
        self.accepts[usize::from(state)]
    }

    /// What can be written from a state on.
    pub fn part(&self, vocabulary: &Vocabulary, state: u16) -> Written {
        if state != 0 || self.accepts(0) {
            let mut part = PartBuilder::empty(vocabulary).whole();
            self.walk(vocabulary, 0, state, &mut part);
            return part.finish();
        }
        let loops = TextLoops::find(0, |state, byte| Some(self.step(state, byte)).filter(|next| *next != NONE));
        let staying = vocabulary.texts().loop_tokens(vocabulary, &loops);
        let mut part = PartBuilder::of_row(vocabulary, &staying.row).whole();
        for &place in &staying.leaves {
            let next = self.step(0, vocabulary.nodes()[place as usize - 1].byte);
            if next != NONE {
                self.visit(vocabulary, place, next, &mut part);
                self.walk(vocabulary, place, next, &mut part);
            }
        }
        part.finish()
    }

    fn visit(&self, vocabulary: &Vocabulary, place: Place, state: u16, part: &mut PartBuilder) {
        part.allow(vocabulary.ids_at(place));
        if self.accepts(state) {
            part.set_exit(place, true);
        }
    }

    /// All that can be written below a place.
    fn walk(&self, vocabulary: &Vocabulary, place: Place, state: u16, part: &mut PartBuilder) {
        let nodes = vocabulary.nodes();
        let (below, base) = vocabulary.nodes_below(place);
        let (mut at, end) = (below.start, below.end);
        if at == end {
            return;
        }
        let mut path = vec![state; vocabulary.longest() + 1 - base];
        while at < end {
            let node = &nodes[at];
            let depth = usize::from(node.depth) - base;
            let next = self.step(path[depth - 1], node.byte);
            if next == NONE {
                at = node.next as usize;
                continue;
            }
            path[depth] = next;
            self.visit(vocabulary, at as Place + 1, next, part);
            at += 1;
        }
    }
}

fn ranges(next: &[u16; 256]) -> Vec<(u8, u16)> {
    let mut ranges: Vec<(u8, u16)> = Vec::new();
    for (byte, &next) in (0..=255).zip(next) {
        match ranges.last_mut() {
            Some((last, same)) if *same == next => *last = byte,
            _ => ranges.push((byte, next)),
        }
    }
    ranges
}
