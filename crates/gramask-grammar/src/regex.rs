//! Regular expressions of a format, as DFAs that know the shortest string to a match.

use std::collections::HashMap;

use regex_automata::dfa::{Automaton, StartKind, dense};
use regex_automata::{Anchored, Input, util::primitives::StateID, util::start};

/// A regular expression as an anchored automaton over bytes.
#[derive(Debug)]
pub(crate) struct Regex {
    pub pattern: String,
    pub dfa: dense::DFA<Vec<u32>>,
    pub start: StateID,
    /// The shortest string to a match from each state that has one.
    shortest: HashMap<StateID, Vec<u8>>,
}

impl Regex {
    /// Compiles a pattern.
    ///
    /// # Errors
    /// Where the automaton would take more than some tens of megabytes.
    pub fn new(pattern: &str) -> Result<Regex, Box<dyn std::error::Error + Send + Sync>> {
        let dfa = dense::Builder::new()
            .configure(
                dense::Config::new()
                    .minimize(true)
                    .start_kind(StartKind::Anchored)
                    .dfa_size_limit(Some(16 << 20))
                    .determinize_size_limit(Some(64 << 20)),
            )
            .build(&format!("(?:{pattern})"))?;
        let start = dfa.start_state(&start::Config::from_input_forward(&Input::new(b"").anchored(Anchored::Yes)))?;
        let mut regex = Regex { pattern: pattern.to_owned(), dfa, start, shortest: HashMap::new() };
        regex.measure();
        Ok(regex)
    }

    /// Whether the bytes so far are a match.
    pub fn matches(&self, state: StateID) -> bool {
        self.dfa.is_match_state(self.dfa.next_eoi_state(state))
    }

    /// The state after `byte`, if a match can still follow.
    pub fn next(&self, state: StateID, byte: u8) -> Option<StateID> {
        let next = self.dfa.next_state(state, byte);
        self.shortest.contains_key(&next).then_some(next)
    }

    /// The shortest string that leads from `state` to a match.
    pub fn shortest(&self, state: StateID) -> Option<&[u8]> {
        self.shortest.get(&state).map(Vec::as_slice)
    }

    /// The shortest string of at least one byte that leads from `state` to a match.
    pub fn shortest_nonempty(&self, state: StateID) -> Option<Vec<u8>> {
        match self.shortest(state)? {
            [] => (0..=255u8).find_map(|byte| Some([&[byte], self.shortest(self.next(state, byte)?)?].concat())),
            bytes => Some(bytes.to_vec()),
        }
    }

    /// Breadth first over all states, then backwards from the matching ones by length.
    fn measure(&mut self) {
        let (mut states, mut at) = (vec![self.start], 0);
        let mut seen: HashMap<StateID, ()> = [(self.start, ())].into();
        while at < states.len() {
            for byte in 0..=255u8 {
                let next = self.dfa.next_state(states[at], byte);
                if seen.insert(next, ()).is_none() {
                    states.push(next);
                }
            }
            at += 1;
        }
        for &state in &states {
            if self.matches(state) {
                self.shortest.insert(state, Vec::new());
            }
        }
        loop {
            let mut shorter = Vec::new();
            for &state in states.iter().filter(|state| !self.shortest.contains_key(state)) {
                let reach = |byte: u8| Some((byte, self.shortest.get(&self.dfa.next_state(state, byte))?));
                if let Some((byte, rest)) = preferred_bytes().filter_map(reach).min_by_key(|(_, rest)| rest.len()) {
                    shorter.push((state, [&[byte], rest.as_slice()].concat()));
                }
            }
            if shorter.is_empty() {
                return;
            }
            self.shortest.extend(shorter);
        }
    }
}

/// All bytes, those that people write first.
fn preferred_bytes() -> impl Iterator<Item = u8> {
    (b'a'..=b'z').chain(b'0'..=b'9').chain(b' '..=b'~').chain(0..=255)
}
