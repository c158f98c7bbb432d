//! The number of tokens that are enough, against the fewest that there are.
//!
//! `tokens_to_finish` is a bound: the fewest bytes, cut into the longest tokens. All states of small documents are visited, and a
//! search from the ends finds the fewest tokens. The rest of the rules of a budget is checked at each state.

use std::collections::HashMap;
use std::sync::Arc;

use gramask_grammar::{Constraint, Level, State};
use gramask_ner::Text;
use gramask_random::Rng;

use super::{enough, programs, sample, vocabulary};
use crate::support::walk::allowed;

/// So many states are visited at most.
const STATES: usize = 2000;

/// All states, each with where its tokens lead; `None` where there are too many.
fn graph(constraint: &mut Constraint) -> Option<HashMap<State, Vec<State>>> {
    let mut graph = HashMap::new();
    let mut open = vec![constraint.start()];
    while let Some(state) = open.pop() {
        if graph.contains_key(&state) {
            continue;
        }
        if graph.len() == STATES {
            return None;
        }
        let tokens = match state {
            Constraint::ENDED => Vec::new(),
            _ => allowed(constraint.mask(state)),
        };
        let advance = |token: &u32| constraint.advance(state, *token).expect("the mask allows it");
        let mut next: Vec<State> = tokens.iter().map(advance).collect();
        next.sort();
        next.dedup();
        open.extend(next.iter().filter(|next| !graph.contains_key(*next)));
        graph.insert(state, next);
    }
    Some(graph)
}

/// The fewest tokens to the end from each state that can come there, by a search from the end.
fn fewest(graph: &HashMap<State, Vec<State>>) -> HashMap<State, usize> {
    let mut before: HashMap<State, Vec<State>> = HashMap::new();
    for (state, next) in graph {
        next.iter().for_each(|next| before.entry(*next).or_default().push(*state));
    }
    let mut fewest = HashMap::from([(Constraint::ENDED, 0)]);
    let (mut last, mut tokens) = (vec![Constraint::ENDED], 0);
    while !last.is_empty() {
        tokens += 1;
        let reached: Vec<State> =
            last.iter().flat_map(|state| before.get(state).into_iter().flatten()).copied().collect();
        last = reached.into_iter().filter(|state| fewest.insert_new(*state, tokens)).collect();
    }
    fewest
}

trait InsertNew {
    fn insert_new(&mut self, state: State, tokens: usize) -> bool;
}

impl InsertNew for HashMap<State, usize> {
    /// Inserts what is not there yet.
    fn insert_new(&mut self, state: State, tokens: usize) -> bool {
        let mut new = false;
        self.entry(state).or_insert_with(|| {
            new = true;
            tokens
        });
        new
    }
}

/// What was found, over all states.
#[derive(Default)]
struct Count {
    graphs: usize,
    too_large: usize,
    states: usize,
    above: usize,
    most: usize,
    starts_above: usize,
    best_above: usize,
    best_starts_above: usize,
}

/// The fewest tokens that write the shortest rest, which the constraint cuts greedily.
fn best_cut(constraint: &mut Constraint, state: State) -> usize {
    let rest = constraint.shortest_rest(state);
    let vocabulary = Arc::clone(constraint.vocabulary());
    let mut best = vec![usize::MAX; rest.len() + 1];
    best[0] = 0;
    for at in 0..rest.len() {
        for token in (0..vocabulary.len() as u32).filter_map(|id| vocabulary.text(id)) {
            if best[at] < usize::MAX && rest[at..].starts_with(token) {
                let end = at + token.len();
                best[end] = best[end].min(best[at] + 1);
            }
        }
    }
    best[rest.len()]
}

impl Count {
    fn add(&mut self, constraint: &mut Constraint, place: &str) {
        // Nothing is known yet that could make the bound smaller than that of the shortest completion.
        let (start, bound) = (constraint.start(), constraint.tokens_to_finish(constraint.start()));
        assert_eq!(bound, best_cut(constraint, start).saturating_add(1), "{place}: the first bound");
        let Some(graph) = graph(constraint) else {
            self.too_large += 1;
            return;
        };
        self.graphs += 1;
        let fewest = fewest(&graph);
        let first: HashMap<State, usize> =
            graph.keys().map(|state| (*state, constraint.tokens_to_finish(*state))).collect();
        for (&state, next) in graph.iter().filter(|(state, _)| **state != Constraint::ENDED) {
            let bound = constraint.tokens_to_finish(state);
            assert!(bound <= first[&state], "{place}: a state's bound rose from {} to {bound}", first[&state]);
            let Some(&fewest) = fewest.get(&state) else {
                assert_eq!(bound, usize::MAX, "{place}: a state without an end claims one");
                continue;
            };
            assert!(fewest <= bound, "{place}: {bound} tokens are not enough, {fewest} are needed");
            if bound == usize::MAX {
                continue;
            }
            self.states += 1;
            self.above += usize::from(bound > fewest);
            self.most = self.most.max(bound - fewest);
            self.starts_above += usize::from(bound > fewest && state == start);
            let best = best_cut(constraint, state) + 1;
            assert!(fewest <= best, "{place}: {best}");
            self.best_above += usize::from(best > fewest);
            self.best_starts_above += usize::from(best > fewest && state == start);
            // Safe: some token leads to where one token less is enough.
            let mut left = |next: &State| match *next {
                Constraint::ENDED => 0,
                next => constraint.tokens_to_finish(next),
            };
            assert!(next.iter().any(|next| left(next) < bound), "{place}: {bound} tokens, and none leads nearer");
            // The mask for a budget: exactly the tokens after which it is enough.
            let mask = allowed(constraint.mask(state));
            for budget in [1, fewest, bound - 1, bound, bound + 1, bound + 4] {
                let fits = |token: &u32| enough(constraint, state, *token) < budget;
                let expected: Vec<u32> = mask.iter().copied().filter(fits).collect();
                assert_eq!(
                    allowed(constraint.mask_within(state, budget)),
                    expected,
                    "{place}: budget {budget} of {bound}"
                );
                assert!(budget < bound || !expected.is_empty(), "{place}: nothing may follow with {budget} tokens");
            }
        }
    }
}

#[test]
fn the_bound_is_safe() {
    let mut count = Count::default();
    for level in [Level::Grounded, Level::Syntax] {
        for program in programs(&["X", "XY"]) {
            // At `syntax` texts are free, and long: most formats have more states than can be visited.
            let documents = if level == Level::Grounded { &["", "a", "a b", "b [b"][..] } else { &["a"] };
            for (number, document) in documents.iter().copied().enumerate() {
                let text = Text::new(document);
                let source = sample(&program, &text);
                let mut rng = Rng::new(number as u64 + 7);
                // The bytes of one output and of the smallest, so that some states can't be left.
                let mut bytes = [source.as_bytes(), document.as_bytes(), program.format().source.as_bytes()].concat();
                bytes.extend(b"0123456789");
                bytes.sort_unstable();
                bytes.dedup();
                let vocabulary = vocabulary(&mut rng, bytes, source.as_bytes(), 25);
                let Ok(mut constraint) = Constraint::new(Arc::clone(&program), &text, level, vocabulary) else {
                    continue;
                };
                let place = format!("{} {level} {document:?}", program.format().name);
                count.add(&mut constraint, &place);
            }
        }
    }
    println!(
        "the bound is above the fewest tokens at {} of {} states, by {} at most, and at {} of {} starts; the \
         same bytes in as few tokens as possible: {} and {}; {} graphs are larger than {STATES} states",
        count.above,
        count.states,
        count.most,
        count.starts_above,
        count.graphs,
        count.best_above,
        count.best_starts_above,
        count.too_large
    );
    assert!(count.graphs > count.too_large && count.states > 1000, "{} states", count.states);
}
