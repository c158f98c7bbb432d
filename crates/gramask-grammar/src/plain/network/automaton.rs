//! The automaton of one rule.

use std::collections::hash_map::Entry;

use rustc_hash::FxHashMap;

use crate::plain::RuleId;
use crate::regex::{self, Regex};

/// What a transition reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Label {
    /// One of the bytes from the first to the last.
    Bytes(u8, u8),
    /// What another rule stands for, but not the empty string.
    Call(RuleId),
    /// A special token, by its number in the network.
    Special(u32),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Edge {
    pub label: Label,
    pub next: u32,
}

/// So many bytes lead on where text is free.
const WIDE: usize = 64;

/// States with transitions. State 0 is the start.
#[derive(Clone, Debug)]
pub(super) struct Automaton {
    pub accepts: Vec<bool>,
    /// The transitions of state `s` are `edges[begin[s]..begin[s + 1]]`, in the order of their labels.
    begin: Vec<u32>,
    edges: Vec<Edge>,
}

impl Automaton {
    pub fn new() -> Automaton {
        Automaton { accepts: Vec::new(), begin: vec![0], edges: Vec::new() }
    }

    /// Adds a state, whose transitions must be sorted. Neighbouring ranges of bytes that lead to one state become one range.
    pub fn push(&mut self, accepts: bool, edges: &[Edge]) {
        self.accepts.push(accepts);
        let begin = self.edges.len();
        for edge in edges {
            if self.edges.len() > begin
                && let Some(last) = self.edges.last_mut()
                && last.next == edge.next
                && let (Label::Bytes(first, end), Label::Bytes(next, new_end)) = (last.label, edge.label)
                && u16::from(end) + 1 == u16::from(next)
            {
                last.label = Label::Bytes(first, new_end);
                continue;
            }
            self.edges.push(*edge);
        }
        self.begin.push(self.edges.len() as u32);
    }

    pub fn len(&self) -> usize {
        self.accepts.len()
    }

    pub fn edges(&self, state: usize) -> &[Edge] {
        &self.edges[self.begin[state] as usize..self.begin[state + 1] as usize]
    }

    pub fn all_edges(&self) -> &[Edge] {
        &self.edges
    }

    /// The automaton of a regex.
    pub fn of_regex(regex: &Regex) -> Automaton {
        let mut automaton = Automaton::new();
        let mut edges = Vec::new();
        for state in 0..regex.states() {
            edges.clear();
            let ranges = regex.ranges(regex::StateId::new(state));
            edges.extend(
                ranges.map(|(first, last, next)| Edge { label: Label::Bytes(first, last), next: next.index() as u32 }),
            );
            automaton.push(regex.matches(regex::StateId::new(state)), &edges);
        }
        automaton
    }

    /// Whether it reads free text and then something that ends the text, as a string in quotes does.
    ///
    /// Such a rule is called and never compiled in place. Its masks are large, and all its callers can share them.
    pub fn is_closed_text(&self) -> bool {
        let wide = |state: &usize| self.width(*state) >= WIDE;
        (0..self.len()).any(|state| wide(&state)) && !(0..self.len()).any(|state| self.accepts[state] && wide(&state))
    }

    fn width(&self, state: usize) -> usize {
        let width = |edge: &Edge| match edge.label {
            Label::Bytes(first, last) => usize::from(last - first) + 1,
            _ => 0,
        };
        self.edges(state).iter().map(width).sum()
    }

    /// The same language without the empty string. The start then has no transition into it, if it accepted.
    pub fn without_empty(mut self) -> Automaton {
        if !self.accepts[0] {
            return self;
        }
        if self.edges.iter().any(|edge| edge.next == 0) {
            let again = self.len() as u32;
            self.edges.iter_mut().filter(|edge| edge.next == 0).for_each(|edge| edge.next = again);
            let edges = self.edges(0).to_vec();
            self.push(true, &edges);
        }
        self.accepts[0] = false;
        self
    }

    /// Without the states from which no accepting state can be reached.
    pub fn trimmed(&self) -> Automaton {
        let mut lives = self.accepts.clone();
        loop {
            let mut changed = false;
            for state in (0..self.len()).rev().filter(|state| !lives[*state]).collect::<Vec<_>>() {
                if self.edges(state).iter().any(|edge| lives[edge.next as usize]) {
                    lives[state] = true;
                    changed = true;
                }
            }
            if !changed {
                break;
            }
        }
        lives[0] = true;
        let mut numbers = vec![0; self.len()];
        (0..self.len()).filter(|state| lives[*state]).enumerate().for_each(|(new, old)| numbers[old] = new as u32);
        let mut trimmed = Automaton::new();
        for state in (0..self.len()).filter(|state| lives[*state]) {
            let kept = self.edges(state).iter().filter(|edge| lives[edge.next as usize]);
            let edges: Vec<Edge> =
                kept.map(|edge| Edge { label: edge.label, next: numbers[edge.next as usize] }).collect();
            trimmed.push(self.accepts[state], &edges);
        }
        trimmed
    }

    /// Merges states with equal futures, in linear time, and numbers the rest breadth first.
    ///
    /// States are compared after those that they lead to. So states with the same transitions to the same merged states, or to
    /// themselves, are found. Equal longer cycles stay apart, which costs states and never changes the language. Regexes come
    /// in minimal already.
    pub fn merged(&self) -> Automaton {
        const SELF: u32 = u32::MAX;
        let mut same = vec![SELF; self.len()];
        let mut known: FxHashMap<(bool, Vec<Edge>), u32> = FxHashMap::default();
        for state in self.postorder() {
            let name = |next: u32| match next as usize {
                next if next == state => SELF,
                next if same[next] == SELF => next as u32,
                next => same[next],
            };
            let mut edges: Vec<Edge> = Vec::with_capacity(self.edges(state).len());
            for edge in self.edges(state) {
                let edge = Edge { label: edge.label, next: name(edge.next) };
                match (edges.last_mut(), edge.label) {
                    (Some(Edge { label: Label::Bytes(_, end), next }), Label::Bytes(first, last))
                        if *next == edge.next && u16::from(*end) + 1 == u16::from(first) =>
                    {
                        *end = last
                    }
                    _ => edges.push(edge),
                }
            }
            same[state] = match known.entry((self.accepts[state], edges)) {
                Entry::Occupied(entry) => *entry.get(),
                Entry::Vacant(entry) => *entry.insert(state as u32),
            };
        }
        self.renumbered(&same)
    }

    /// The states `same[state]` that the start leads to, breadth first.
    fn renumbered(&self, same: &[u32]) -> Automaton {
        const NEW: u32 = u32::MAX;
        let mut numbers = vec![NEW; self.len()];
        let mut order = vec![same[0]];
        numbers[same[0] as usize] = 0;
        let (mut automaton, mut edges) = (Automaton::new(), Vec::new());
        while let Some(&state) = order.get(automaton.len()) {
            edges.clear();
            for edge in self.edges(state as usize) {
                let next = same[edge.next as usize];
                if numbers[next as usize] == NEW {
                    numbers[next as usize] = order.len() as u32;
                    order.push(next);
                }
                edges.push(Edge { label: edge.label, next: numbers[next as usize] });
            }
            automaton.push(self.accepts[state as usize], &edges);
        }
        automaton
    }

    /// The states that the start leads to, each one after those that it leads to, where no cycle prevents it.
    fn postorder(&self) -> Vec<usize> {
        let (mut order, mut seen, mut stack) = (Vec::new(), vec![false; self.len()], vec![(0, 0)]);
        seen[0] = true;
        while let Some((state, at)) = stack.last_mut() {
            match self.edges(*state).get(*at) {
                None => {
                    order.push(*state);
                    stack.pop();
                }
                Some(edge) => {
                    *at += 1;
                    if !std::mem::replace(&mut seen[edge.next as usize], true) {
                        stack.push((edge.next as usize, 0));
                    }
                }
            }
        }
        order
    }
}
