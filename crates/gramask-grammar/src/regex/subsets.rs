//! The subset construction: from a Thompson automaton to a DFA whose states are sets of its states.
//!
//! The assertion that the text begins holds before the first byte alone. The assertion that it ends stays in the set: no
//! byte can follow it, but a match.

use regex_automata::nfa::thompson::{NFA, State};
use regex_automata::util::look::Look;
use rustc_hash::FxHashMap;

use super::{RegexError, StateId, Steps, Table};

/// A set of states that read a byte or match, sorted.
type Set = Box<[u32]>;

/// The DFA of all strings that the automaton matches as a whole. Its states are those that can be reached.
pub(super) fn determinise(nfa: &NFA, steps: &mut Steps) -> Result<Table, RegexError> {
    let mut classes = [0; 256];
    (0..=255u8).for_each(|byte| classes[usize::from(byte)] = nfa.byte_classes().get(byte));
    let columns = classes.iter().max().map_or(0, |last| usize::from(*last) + 1);
    let mut closure = Closure { nfa, stack: Vec::new(), seen: vec![0; nfa.states().len()], round: 0 };
    let start = closure.of([nfa.start_anchored().as_u32()], Place::START, steps)?;
    let mut numbers: FxHashMap<Set, u32> = FxHashMap::default();
    // The same set later does not stand at the beginning.
    if !nfa.look_set_any().contains(Look::Start) {
        numbers.insert(start.clone(), 0);
    }
    let mut sets = vec![start];
    let mut table = Table { classes, columns, next: Vec::new(), accepts: Vec::new() };
    let mut targets: Vec<Vec<u32>> = vec![Vec::new(); columns];
    while let Some(set) = sets.get(table.accepts.len()).cloned() {
        steps.take(cells(columns))?;
        let place = Place { start: table.accepts.is_empty(), end: true };
        let ends = closure.of(set.iter().copied(), place, steps)?;
        table.accepts.push(ends.iter().any(|state| matches!(closure.state(*state), State::Match { .. })));
        for &state in &set {
            spread(closure.state(state), &classes, &mut targets, steps)?;
        }
        // Neighbouring classes often lead to the same states.
        let mut last: Option<(usize, StateId)> = None;
        for class in 0..columns {
            let next = match last {
                _ if targets[class].is_empty() => StateId::DEAD,
                Some((same, next)) if targets[same] == targets[class] => next,
                _ => {
                    let set = closure.of(targets[class].iter().copied(), Place::WITHIN, steps)?;
                    let fresh = sets.len() as u32;
                    let number = *numbers.entry(set.clone()).or_insert(fresh);
                    if number == fresh {
                        sets.push(set);
                    }
                    last = Some((class, StateId(number)));
                    StateId(number)
                }
            };
            table.next.push(next);
        }
        targets.iter_mut().for_each(Vec::clear);
    }
    Ok(table)
}

/// What it costs to fill so many neighbouring cells, in steps.
fn cells(count: usize) -> usize {
    1 + count / 4
}

/// Adds the transitions of a state to the classes of bytes that they read.
fn spread(state: &State, classes: &[u8; 256], targets: &mut [Vec<u32>], steps: &mut Steps) -> Result<(), RegexError> {
    let mut add = |first: u8, last: u8, next: u32| {
        let (first, last) = (usize::from(classes[usize::from(first)]), usize::from(classes[usize::from(last)]));
        targets[first..=last].iter_mut().for_each(|target| target.push(next));
        steps.take(cells(last - first))
    };
    match state {
        State::ByteRange { trans } => add(trans.start, trans.end, trans.next.as_u32()),
        State::Sparse(sparse) => sparse.transitions.iter().try_for_each(|t| add(t.start, t.end, t.next.as_u32())),
        State::Dense(dense) => (0..=255).try_for_each(|byte| match dense.matches_byte(byte) {
            Some(next) => add(byte, byte, next.as_u32()),
            None => Ok(()),
        }),
        _ => Ok(()),
    }
}

/// Where in the text a closure stands, as far as assertions ask.
#[derive(Clone, Copy)]
struct Place {
    start: bool,
    end: bool,
}

impl Place {
    const START: Place = Place { start: true, end: false };
    const WITHIN: Place = Place { start: false, end: false };
}

/// Follows the transitions that read nothing.
struct Closure<'a> {
    nfa: &'a NFA,
    stack: Vec<u32>,
    /// The round in which each state was visited last.
    seen: Vec<u32>,
    round: u32,
}

impl Closure<'_> {
    fn state(&self, state: u32) -> &State {
        &self.nfa.states()[state as usize]
    }

    /// The states that read a byte or match, and are reached from `from` without reading.
    fn of(&mut self, from: impl IntoIterator<Item = u32>, place: Place, steps: &mut Steps) -> Result<Set, RegexError> {
        self.round += 1;
        let mut found = Vec::new();
        self.stack.extend(from);
        let mut visited = 0;
        while let Some(state) = self.stack.pop() {
            visited += 1;
            if std::mem::replace(&mut self.seen[state as usize], self.round) == self.round {
                continue;
            }
            match &self.nfa.states()[state as usize] {
                State::Union { alternates } => self.stack.extend(alternates.iter().map(|next| next.as_u32())),
                State::BinaryUnion { alt1, alt2 } => self.stack.extend([alt1.as_u32(), alt2.as_u32()]),
                State::Capture { next, .. } => self.stack.push(next.as_u32()),
                State::Look { look: Look::Start, next } if place.start => self.stack.push(next.as_u32()),
                State::Look { look: Look::End, next } if place.end => self.stack.push(next.as_u32()),
                State::Look { look: Look::End, .. } => found.push(state),
                // `nfa` refuses all other assertions.
                State::Look { .. } | State::Fail => {}
                _ => found.push(state),
            }
        }
        steps.take(visited)?;
        found.sort_unstable();
        Ok(found.into_boxed_slice())
    }
}
