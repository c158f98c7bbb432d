//! The subset construction: from Thompson automata to deterministic ones.

use rustc_hash::FxHashMap;

use super::automaton::{Automaton, Edge, Label};
use super::nfa::Nfa;

/// A set of states that read something or are a goal, sorted.
type Set = Box<[u32]>;

/// Follows the transitions that read nothing.
pub(super) struct Closure<'n> {
    nfa: &'n Nfa,
    stack: Vec<u32>,
    /// The round in which each state was visited last.
    seen: Vec<u32>,
    round: u32,
    /// The ends of rules, which sets keep.
    ends: Vec<bool>,
}

impl<'n> Closure<'n> {
    pub fn new(nfa: &'n Nfa, ends: &[u32]) -> Closure<'n> {
        let mut is_end = vec![false; nfa.len()];
        ends.iter().for_each(|end| is_end[*end as usize] = true);
        Closure { nfa, stack: Vec::new(), seen: vec![0; nfa.len()], round: 0, ends: is_end }
    }

    /// The states reached from `from` without reading, those that read something or are an end.
    pub fn of(&mut self, from: impl IntoIterator<Item = u32>) -> Set {
        self.round += 1;
        self.stack.extend(from);
        let mut found = Vec::new();
        while let Some(state) = self.stack.pop() {
            if std::mem::replace(&mut self.seen[state as usize], self.round) == self.round {
                continue;
            }
            let mut keep = self.ends[state as usize];
            for (label, next) in self.nfa.transitions(state) {
                match label {
                    Some(_) => keep = true,
                    None => self.stack.push(next),
                }
            }
            if keep {
                found.push(state);
            }
        }
        found.sort_unstable();
        found.into_boxed_slice()
    }
}

/// Where an automaton begins and ends in an [`Nfa`].
pub(super) struct Task<'a> {
    /// The states before the first letter.
    pub start: &'a [u32],
    /// Labels that the start does not read, since they are left recursive.
    pub barred: &'a dyn Fn(Label) -> bool,
    pub end: u32,
}

/// The deterministic automaton of a task; `None` where that takes more steps than are allowed.
pub(super) fn determinise(closure: &mut Closure, task: &Task, allowance: &mut usize) -> Option<Automaton> {
    let mut numbers: FxHashMap<Set, u32> = FxHashMap::default();
    // The start has a number of its own, since it may bar labels, and since only it is left out of calls.
    let mut sets: Vec<Set> = vec![task.start.into()];
    // The sets that single states lead to.
    let mut singles: FxHashMap<u32, u32> = FxHashMap::default();
    let (mut automaton, mut edges, mut read) = (Automaton::new(), Vec::new(), Vec::new());
    while let Some(set) = sets.get(automaton.len()).cloned() {
        read.clear();
        for &state in &set {
            let labels = closure.nfa.transitions(state).filter_map(|(label, next)| Some((label?, next)));
            read.extend(labels.filter(|(label, _)| automaton.len() > 0 || !(task.barred)(*label)));
        }
        read.sort_unstable();
        read.dedup();
        *allowance = allowance.checked_sub(1 + read.len())?;
        edges.clear();
        let mut target = |targets: &[u32]| -> Option<u32> {
            if let [single] = targets
                && let Some(number) = singles.get(single)
            {
                return Some(*number);
            }
            let set = closure.of(targets.iter().copied());
            *allowance = allowance.checked_sub(targets.len() + set.len())?;
            let fresh = sets.len() as u32;
            let number = *numbers.entry(set).or_insert_with_key(|set| {
                sets.push(set.clone());
                fresh
            });
            if let [single] = targets {
                singles.insert(*single, number);
            }
            Some(number)
        };
        let bytes = read.partition_point(|(label, _)| matches!(label, Label::Bytes(..)));
        split_ranges(&read[..bytes], &mut edges, &mut target)?;
        let mut at = bytes;
        while at < read.len() {
            let label = read[at].0;
            let end = at + read[at..].iter().take_while(|(other, _)| *other == label).count();
            let targets: Vec<u32> = read[at..end].iter().map(|(_, next)| *next).collect();
            edges.push(Edge { label, next: target(&targets)? });
            at = end;
        }
        automaton.push(set.binary_search(&task.end).is_ok(), &edges);
    }
    Some(automaton)
}

/// Cuts overlapping ranges of bytes where one of them begins or ends. The ranges are sorted.
fn split_ranges(
    read: &[(Label, u32)],
    edges: &mut Vec<Edge>,
    target: &mut impl FnMut(&[u32]) -> Option<u32>,
) -> Option<()> {
    let range = |(label, next): &(Label, u32)| match label {
        Label::Bytes(first, last) => (u16::from(*first), u16::from(*last), *next),
        _ => (0, 0, *next),
    };
    if read.windows(2).all(|pair| range(&pair[0]).1 < range(&pair[1]).0) {
        for (label, next) in read {
            edges.push(Edge { label: *label, next: target(&[*next])? });
        }
        return Some(());
    }
    let mut cuts: Vec<u16> = read.iter().map(range).flat_map(|(first, last, _)| [first, last + 1]).collect();
    cuts.sort_unstable();
    cuts.dedup();
    let (mut targets, mut open, mut at): (Vec<u32>, Vec<(u16, u32)>, usize) = (Vec::new(), Vec::new(), 0);
    for pair in cuts.windows(2) {
        open.retain(|(last, _)| *last >= pair[0]);
        while let Some((first, last, next)) = read.get(at).map(range)
            && first == pair[0]
        {
            open.push((last, next));
            at += 1;
        }
        if open.is_empty() {
            continue;
        }
        targets.clear();
        targets.extend(open.iter().map(|(_, next)| *next));
        targets.sort_unstable();
        targets.dedup();
        let label = Label::Bytes(pair[0] as u8, (pair[1] - 1) as u8);
        edges.push(Edge { label, next: target(&targets)? });
    }
    Some(())
}

/// The automaton of a task with the transitions that read nothing removed: several transitions may read the same letter.
/// `None` where it has more transitions than are allowed.
pub(super) fn without_links(closure: &mut Closure, task: &Task, most: usize) -> Option<Automaton> {
    let mut numbers: FxHashMap<u32, u32> = FxHashMap::default();
    let mut order: Vec<u32> = Vec::new();
    let (mut automaton, mut edges, mut total) = (Automaton::new(), Vec::new(), 0);
    loop {
        let at = automaton.len();
        let set: &[u32] = if at == 0 { task.start } else { std::slice::from_ref(&order[at - 1]) };
        edges.clear();
        for (label, next) in set.iter().flat_map(|state| closure.nfa.transitions(*state)).collect::<Vec<_>>() {
            let Some(label) = label.filter(|label| at > 0 || !(task.barred)(*label)) else { continue };
            for state in closure.of([next]) {
                let number = *numbers.entry(state).or_insert_with(|| {
                    order.push(state);
                    order.len() as u32
                });
                edges.push(Edge { label, next: number });
            }
        }
        edges.sort_unstable();
        edges.dedup();
        total += edges.len();
        if total > most {
            return None;
        }
        let set: &[u32] = if at == 0 { task.start } else { std::slice::from_ref(&order[at - 1]) };
        automaton.push(set.contains(&task.end), &edges);
        if automaton.len() > order.len() {
            return Some(automaton);
        }
    }
}
