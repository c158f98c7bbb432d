//! A plain grammar as a recursive transition network: for each rule an automaton, whose transitions read a byte, a special
//! token, or what another rule stands for.
//!
//! ```text
//! expr: term "+" expr | term "-" expr | term            0 ─term─ 1 ─[+-]─ 2 ─expr─ 3       1 and 3 accept
//! ```
//!
//! Four things are made sure of here, so that a matcher needs no special cases.
//!
//! - **A call reads at least one byte or token.** A rule that stands for the empty string too can be passed over in its callers,
//!   and its automaton is that of its other strings.
//! - **No rule begins with a call of itself.** Left recursion is removed ([`left`]), also where it goes through other rules or
//!   is hidden after rules that can be empty. So a matcher that follows calls before a byte comes to an end.
//! - **Alternatives with a common beginning share it.** The automata are deterministic over bytes and calls ([`subsets`]), and
//!   equal states are merged. Where that takes too many steps, the automaton stays as it is, and a matcher follows several
//!   transitions for a byte.
//! - **From each state the rule can be finished.** Alternatives that never end are left out.
//!
//! Small rules that don't recurse are compiled in place. Repeats are written out, but their bodies are called where they are
//! large ([`outline`]). The sizes are limited, and what is over a limit is refused ([`NetworkError`]).

mod automaton;
mod facts;
mod left;
mod nfa;
mod outline;
mod rules;
mod subsets;

use std::sync::Arc;

use automaton::{Automaton, Label};
use rules::Compiled;

use super::PlainGrammar;
use crate::byte_set::ByteSet;

/// A state of a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct StateId(u32);

impl StateId {
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// A rule of a network. Rules that were compiled in place are not among them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct CallId(u32);

impl CallId {
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// A transition that reads one of the bytes `first..=last`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ByteEdge {
    pub first: u8,
    pub last: u8,
    pub next: StateId,
}

/// A transition that reads what a rule stands for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CallEdge {
    pub rule: CallId,
    pub next: StateId,
}

/// A transition that reads a special token, by its number in [`Network::specials`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct SpecialEdge {
    pub special: u32,
    pub next: StateId,
}

#[derive(Clone, Copy, Debug)]
struct State {
    /// Where the transitions end in the lists of the network. They begin where those of the previous state end.
    bytes: u32,
    calls: u32,
    specials: u32,
    accepts: bool,
    /// The bytes and special tokens from here to the end of the rule, at least.
    rest: u32,
}

#[derive(Clone, Debug)]
pub(crate) struct CalledRule {
    pub start: StateId,
    /// The bytes that it can begin with.
    pub first: ByteSet,
    /// Greater than the rank of each rule that it can begin with.
    pub rank: u32,
    /// Its shortest string, in bytes and special tokens.
    pub shortest: u32,
}

/// What a grammar may need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NetworkLimits {
    /// States of all rules, with repeats written out.
    pub states: usize,
    /// Steps to make the automata deterministic. A rule that would need more stays as it is.
    pub steps: usize,
    /// Bytes of the shortest string of a rule.
    pub shortest: u32,
}

impl Default for NetworkLimits {
    fn default() -> NetworkLimits {
        NetworkLimits { states: 400_000, steps: 4_000_000, shortest: crate::notation::MAX_SHORTEST as u32 }
    }
}

/// Why a grammar is not compiled.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)] // the messages explain the fields
pub enum NetworkError {
    /// Too many states.
    #[error(
        "up to `{rule}` the rules have {states} states with repeats written out; the limit is {limit}, so repeat less"
    )]
    States { rule: String, states: usize, limit: usize },
    /// A shortest string that is too long.
    #[error("the shortest text of `{rule}` has {} bytes; the limit is {limit}, so repeat less", at_least(*.bytes))]
    Shortest { rule: String, bytes: u32, limit: u32 },
}

fn at_least(bytes: u32) -> String {
    if bytes == u32::MAX { format!("{bytes} or more") } else { bytes.to_string() }
}

/// A grammar as a network.
#[derive(Clone, Debug)]
pub(crate) struct Network {
    states: Vec<State>,
    bytes: Vec<ByteEdge>,
    calls: Vec<CallEdge>,
    specials: Vec<SpecialEdge>,
    rules: Vec<CalledRule>,
    /// The names of the special tokens that occur.
    names: Vec<String>,
    start: CallId,
    nullable: bool,
    recursive: bool,
    /// For each byte the first one that no transition tells from it.
    classes: [u8; 256],
}

impl Network {
    /// Compiles a grammar.
    ///
    /// # Errors
    /// A grammar over one of the limits.
    pub fn compile(grammar: &PlainGrammar, limits: &NetworkLimits) -> Result<Arc<Network>, NetworkError> {
        let compiled = rules::compile(grammar, limits)?;
        let mut network = Network {
            states: Vec::new(),
            bytes: Vec::new(),
            calls: Vec::new(),
            specials: Vec::new(),
            rules: Vec::new(),
            names: compiled.specials.clone(),
            start: CallId(0),
            nullable: compiled.nullable,
            recursive: compiled.recursive,
            classes: [0; 256],
        };
        let names = network.place(&compiled);
        network.find_classes();
        network.find_facts(&names, limits)?;
        Ok(Arc::new(network))
    }

    /// Puts the automata of all rules that the start calls into the lists. Gives their names.
    fn place(&mut self, compiled: &Compiled) -> Vec<String> {
        // In the order in which they were compiled: rules mostly after those that they call.
        let called = compiled.called();
        let mut numbers = vec![0; compiled.automata.len()];
        let mut base = 0;
        for (number, &rule) in called.iter().enumerate() {
            numbers[rule] = number as u32;
            let start = StateId(base);
            base += compiled.automaton(rule).len() as u32;
            self.rules.push(CalledRule { start, first: ByteSet::default(), rank: 0, shortest: u32::MAX });
        }
        self.start = CallId(numbers[compiled.start.index()]);
        let mut base = 0;
        for &rule in &called {
            let automaton = compiled.automaton(rule);
            self.place_automaton(automaton, base, &numbers);
            base += automaton.len() as u32;
        }
        called.iter().map(|rule| compiled.names[*rule].clone()).collect()
    }

    fn place_automaton(&mut self, automaton: &Automaton, base: u32, numbers: &[u32]) {
        for state in 0..automaton.len() {
            for edge in automaton.edges(state) {
                let next = StateId(base + edge.next);
                match edge.label {
                    Label::Bytes(first, last) => self.bytes.push(ByteEdge { first, last, next }),
                    Label::Call(rule) => self.calls.push(CallEdge { rule: CallId(numbers[rule.index()]), next }),
                    Label::Special(special) => self.specials.push(SpecialEdge { special, next }),
                }
            }
            self.states.push(State {
                bytes: self.bytes.len() as u32,
                calls: self.calls.len() as u32,
                specials: self.specials.len() as u32,
                accepts: automaton.accepts[state],
                rest: u32::MAX,
            });
        }
    }

    fn find_classes(&mut self) {
        let mut begins = [false; 256];
        for edge in &self.bytes {
            begins[usize::from(edge.first)] = true;
            if let Some(after) = edge.last.checked_add(1) {
                begins[usize::from(after)] = true;
            }
        }
        for byte in 1..=255u8 {
            let before = self.classes[usize::from(byte) - 1];
            self.classes[usize::from(byte)] = if begins[usize::from(byte)] { byte } else { before };
        }
    }

    fn before(&self, state: StateId) -> (usize, usize, usize) {
        let before = state.index().checked_sub(1).map(|before| &self.states[before]);
        before.map_or((0, 0, 0), |before| (before.bytes as usize, before.calls as usize, before.specials as usize))
    }

    pub fn byte_edges(&self, state: StateId) -> &[ByteEdge] {
        &self.bytes[self.before(state).0..self.states[state.index()].bytes as usize]
    }

    /// The bytes that a state reads itself.
    pub fn bytes(&self, state: StateId) -> ByteSet {
        let mut bytes = ByteSet::default();
        for edge in self.byte_edges(state) {
            (edge.first..=edge.last).for_each(|byte| bytes.insert(byte));
        }
        bytes
    }

    pub fn call_edges(&self, state: StateId) -> &[CallEdge] {
        &self.calls[self.before(state).1..self.states[state.index()].calls as usize]
    }

    pub fn special_edges(&self, state: StateId) -> &[SpecialEdge] {
        &self.specials[self.before(state).2..self.states[state.index()].specials as usize]
    }

    /// Whether a rule may end here.
    pub fn accepts(&self, state: StateId) -> bool {
        self.states[state.index()].accepts
    }

    /// Whether a rule can go on from here.
    pub fn goes_on(&self, state: StateId) -> bool {
        let (bytes, calls, specials) = self.before(state);
        let own = &self.states[state.index()];
        (bytes, calls, specials) != (own.bytes as usize, own.calls as usize, own.specials as usize)
    }

    /// The bytes and special tokens from here to the end of the rule, at least.
    pub fn rest(&self, state: StateId) -> u32 {
        self.states[state.index()].rest
    }

    pub fn rule(&self, rule: CallId) -> &CalledRule {
        &self.rules[rule.index()]
    }

    /// The rule of a state.
    pub fn rule_of(&self, state: StateId) -> CallId {
        CallId(self.rules.partition_point(|rule| rule.start <= state) as u32 - 1)
    }

    /// The states of a rule.
    pub fn states_of(&self, rule: CallId) -> impl Iterator<Item = StateId> + use<> {
        let end = self.rules.get(rule.index() + 1).map_or(self.states.len() as u32, |next| next.start.0);
        (self.rule(rule).start.0..end).map(StateId)
    }

    pub fn rules(&self) -> usize {
        self.rules.len()
    }

    pub fn states(&self) -> usize {
        self.states.len()
    }

    pub fn start(&self) -> CallId {
        self.start
    }

    /// Whether the empty output is one.
    pub fn nullable(&self) -> bool {
        self.nullable
    }

    /// Whether a rule can hold itself. If not, the language is regular.
    pub fn recursive(&self) -> bool {
        self.recursive
    }

    /// The names of the special tokens that occur.
    pub fn specials(&self) -> &[String] {
        &self.names
    }

    /// For each byte the first one that no transition tells from it.
    pub fn classes(&self) -> &[u8; 256] {
        &self.classes
    }

    /// The memory of the network, in bytes.
    pub fn memory(&self) -> usize {
        size_of_val(self.states.as_slice())
            + size_of_val(self.bytes.as_slice())
            + size_of_val(self.calls.as_slice())
            + size_of_val(self.specials.as_slice())
            + size_of_val(self.rules.as_slice())
    }
}
