//! Regular expressions of a grammar, as DFAs.
//!
//! A regex stands for all strings that it matches as a whole. So the order of its alternatives has no meaning, and a lazy
//! repeat (`a*?`) is the same as a greedy one. Engines that search in a text prefer one match to another. Their automata
//! leave out the strings that come after the preferred match, and can't be used here.
//!
//! A [`Language`] is the same automaton as a value: languages are joined, cut and compared.
//!
//! `regex_automata` parses the pattern and builds its Thompson automaton. [`subsets`] follows all of its paths at once, and
//! [`minimise`] merges equal states. The steps are counted, so that no pattern takes long: [`Steps`] is the limit.

// Some operations are used by tests alone.
#[allow(dead_code)]
mod language;
#[cfg(test)]
mod language_tests;
mod minimise;
#[allow(dead_code)]
mod operations;
#[cfg(test)]
mod regex_tests;
mod states;
mod subsets;

use std::collections::VecDeque;

use regex_automata::nfa::thompson::{self, NFA, WhichCaptures};
use regex_automata::util::look::Look;
use regex_automata::util::syntax;

pub(crate) use language::Language;
pub(crate) use operations::joint;

/// A state of a regex's DFA.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct StateId(u32);

impl StateId {
    /// The state before the first byte.
    pub const START: StateId = StateId(0);
    /// No match can follow.
    const DEAD: StateId = StateId(u32::MAX);

    pub fn new(index: usize) -> StateId {
        StateId(index as u32)
    }

    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// How many steps the construction of DFAs may still take. All regexes of a grammar share one allowance.
#[derive(Debug)]
pub(crate) struct Steps(usize);

impl Steps {
    /// The allowance of a grammar: some tens of milliseconds.
    pub const LIMIT: usize = 1_500_000;

    pub fn new() -> Steps {
        Steps(Steps::LIMIT)
    }

    /// Another allowance. Who gives it says in errors how large it is.
    pub fn of(steps: usize) -> Steps {
        Steps(steps)
    }

    fn take(&mut self, steps: usize) -> Result<(), RegexError> {
        match self.0.checked_sub(steps) {
            Some(left) => self.0 = left,
            None => return Err(RegexError::TooLarge),
        }
        Ok(())
    }
}

/// Why a pattern has no DFA.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RegexError {
    #[error("{0}")]
    Syntax(String),
    #[error("compiling the regexes takes more than {} steps; repeat less in them", Steps::LIMIT)]
    TooLarge,
}

/// The Thompson automaton of a pattern may take this many bytes.
const NFA_LIMIT: usize = 4 << 20;

/// Larger tables are not minimised, which would take longer than to make them.
const MOST_TO_MINIMISE: usize = 400_000;

/// A DFA in a table, with a column for each class of bytes that the pattern treats alike.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Table {
    /// The column of each byte.
    classes: [u8; 256],
    columns: usize,
    /// `next[state * columns + class]`; [`StateId::DEAD`] where no match can follow.
    next: Vec<StateId>,
    accepts: Vec<bool>,
}

impl Table {
    fn row(&self, state: usize) -> &[StateId] {
        &self.next[state * self.columns..][..self.columns]
    }
}

/// A regular expression as a DFA over bytes, in which a match can follow every state.
#[derive(Debug)]
pub(crate) struct Regex {
    pub pattern: String,
    table: Table,
    /// The number of bytes from each state to the nearest match.
    distance: Vec<u32>,
}

impl Regex {
    /// Compiles a pattern.
    ///
    /// # Errors
    /// A pattern that is not a regex, that matches nothing, or that takes more than the steps that are left.
    pub fn new(pattern: &str, steps: &mut Steps) -> Result<Regex, RegexError> {
        Ok(Regex::of_table(pattern.to_owned(), trimmed(subsets::determinise(&nfa(pattern)?, steps)?)?))
    }

    /// The regex of a table in which a match can follow every state.
    fn of_table(pattern: String, mut table: Table) -> Regex {
        // Classes of Unicode have large automata that are nearly minimal as they are.
        if table.next.len() <= MOST_TO_MINIMISE {
            table = minimise::minimise(table);
        }
        Regex { pattern, distance: distances(&table), table }
    }

    /// The memory of the automaton, in bytes.
    pub fn memory(&self) -> usize {
        size_of_val(&self.table.classes)
            + size_of_val(self.table.next.as_slice())
            + size_of_val(self.table.accepts.as_slice())
            + size_of_val(self.distance.as_slice())
    }

    /// The number of states.
    pub fn states(&self) -> usize {
        self.table.accepts.len()
    }

    /// The bytes that lead on from a state, as ranges from a first byte to a last, in ascending order.
    pub fn ranges(&self, state: StateId) -> impl Iterator<Item = (u8, u8, StateId)> {
        let mut at = Some(0u8);
        std::iter::from_fn(move || {
            loop {
                let first = at?;
                let next = self.next(state, first);
                let last = (first..=255).take_while(|byte| self.next(state, *byte) == next).last()?;
                at = last.checked_add(1);
                if let Some(next) = next {
                    return Some((first, last, next));
                }
            }
        })
    }

    /// Whether the bytes so far are a match.
    pub fn matches(&self, state: StateId) -> bool {
        self.table.accepts[state.index()]
    }

    /// The state after `byte`, if a match can still follow.
    pub fn next(&self, state: StateId, byte: u8) -> Option<StateId> {
        let next =
            self.table.next[state.index() * self.table.columns + usize::from(self.table.classes[usize::from(byte)])];
        (next != StateId::DEAD).then_some(next)
    }

    /// The length in bytes of the shortest string that leads from `state` to a match.
    pub fn shortest_length(&self, state: StateId) -> u32 {
        self.distance[state.index()]
    }

    /// The shortest string that leads from `state` to a match.
    pub fn shortest(&self, mut state: StateId) -> Vec<u8> {
        let mut bytes = Vec::new();
        while let Some((byte, next)) = self.nearer(state, self.distance[state.index()]) {
            bytes.push(byte);
            state = next;
        }
        bytes
    }

    /// The shortest string of at least one byte that leads from `state` to a match.
    pub fn shortest_nonempty(&self, state: StateId) -> Option<Vec<u8>> {
        if !self.matches(state) {
            return Some(self.shortest(state));
        }
        let (byte, next) = followers(self, state).min_by_key(|(_, next)| self.distance[next.index()])?;
        Some([&[byte], self.shortest(next).as_slice()].concat())
    }

    /// The first byte from `state`, `distance` bytes from a match, to a state that is nearer.
    fn nearer(&self, state: StateId, distance: u32) -> Option<(u8, StateId)> {
        followers(self, state).find(|(_, next)| self.distance[next.index()] < distance)
    }
}

/// The bytes that can follow and the states after them, the bytes that people write first.
fn followers(regex: &Regex, state: StateId) -> impl Iterator<Item = (u8, StateId)> {
    let preferred = (b'a'..=b'z').chain(b'0'..=b'9').chain(b' '..=b'~').chain(0..=255);
    preferred.filter_map(move |byte| Some((byte, regex.next(state, byte)?)))
}

fn nfa(pattern: &str) -> Result<NFA, RegexError> {
    let hir = syntax::parse(pattern).map_err(|error| RegexError::Syntax(error.to_string()))?;
    let config = thompson::Config::new().nfa_size_limit(Some(NFA_LIMIT)).which_captures(WhichCaptures::None);
    let nfa = thompson::Compiler::new().configure(config).build_from_hir(&hir);
    let nfa = nfa.map_err(|error| match error.size_limit() {
        Some(_) => RegexError::TooLarge,
        None => RegexError::Syntax(error.to_string()),
    })?;
    if !nfa.look_set_any().remove(Look::Start).remove(Look::End).is_empty() {
        return Err(RegexError::Syntax("assertions other than the beginning and the end of the text".into()));
    }
    Ok(nfa)
}

/// The table without the states from which no match can follow.
fn trimmed(mut table: Table) -> Result<Table, RegexError> {
    let distance = distances(&table);
    if distance[StateId::START.index()] == u32::MAX {
        return Err(RegexError::Syntax("the pattern matches nothing".into()));
    }
    if !distance.contains(&u32::MAX) {
        return Ok(table);
    }
    let mut kept = vec![StateId::DEAD; distance.len()];
    let reaching = (0..distance.len()).filter(|state| distance[*state] != u32::MAX);
    reaching.enumerate().for_each(|(number, state)| kept[state] = StateId::new(number));
    let alive = |next: &StateId| if *next == StateId::DEAD { StateId::DEAD } else { kept[next.index()] };
    let rows = (0..distance.len()).filter(|state| kept[*state] != StateId::DEAD);
    table.next = rows.clone().flat_map(|state| table.row(state).iter().map(alive)).collect();
    table.accepts = rows.map(|state| table.accepts[state]).collect();
    Ok(table)
}

/// The number of bytes from each state to the nearest match; `u32::MAX` where there is none. Breadth first, backwards.
fn distances(table: &Table) -> Vec<u32> {
    let states = table.accepts.len();
    let (begin, before) = incoming(table);
    let mut distance: Vec<u32> = table.accepts.iter().map(|accepts| if *accepts { 0 } else { u32::MAX }).collect();
    let mut open: VecDeque<usize> = (0..states).filter(|state| table.accepts[*state]).collect();
    while let Some(state) = open.pop_front() {
        for &from in &before[begin[state]..begin[state + 1]] {
            let from = from as usize / table.columns;
            if distance[from] == u32::MAX {
                distance[from] = distance[state] + 1;
                open.push_back(from);
            }
        }
    }
    distance
}

/// The transitions into each state, as places in [`Table::next`]: those of state `s` are `before[begin[s]..begin[s + 1]]`.
fn incoming(table: &Table) -> (Vec<usize>, Vec<u32>) {
    let mut begin = vec![0; table.accepts.len() + 1];
    let alive = || table.next.iter().enumerate().filter(|(_, next)| **next != StateId::DEAD);
    alive().for_each(|(_, next)| begin[next.index() + 1] += 1);
    for state in 1..begin.len() {
        begin[state] += begin[state - 1];
    }
    let (mut at, mut before) = (begin.clone(), vec![0; begin[begin.len() - 1]]);
    for (place, next) in alive() {
        before[at[next.index()]] = place as u32;
        at[next.index()] += 1;
    }
    (begin, before)
}
