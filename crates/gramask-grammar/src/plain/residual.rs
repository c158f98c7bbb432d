//! What a state can read before its rule ends, written down so that states of different grammars can be compared.

use std::collections::VecDeque;

use rustc_hash::FxHashMap;

use super::network::{Network, StateId};

/// The automaton of a state, in canonical order. Equal residuals read the same strings of up to so many bytes.
pub(super) type Residual = Box<[u32]>;

/// Longer residuals are not compared.
const MOST_STATES: usize = 3000;

/// The residual of a state, as far as `longest` bytes lead; `None` if it has too many states.
///
/// States are numbered in the order in which the transitions lead to them. States that are `longest` bytes away or more are not
/// looked into. A call counts as a byte, which it has at least. Special tokens are left out, since no text writes them.
pub(super) fn residual(network: &Network, state: StateId, longest: usize) -> Option<Residual> {
    let distance = distances(network, state, longest)?;
    let mut numbers: FxHashMap<StateId, u32> = [(state, 0)].into_iter().collect();
    let (mut order, mut written) = (vec![state], vec![longest as u32]);
    let mut at = 0;
    while let Some(&state) = order.get(at) {
        at += 1;
        if distance.get(&state).is_none_or(|distance| *distance >= longest) {
            written.push(u32::MAX);
            continue;
        }
        let mut number = |state: StateId| {
            let fresh = order.len() as u32;
            *numbers.entry(state).or_insert_with(|| {
                order.push(state);
                fresh
            })
        };
        let (bytes, calls) = (network.byte_edges(state), network.call_edges(state));
        written.extend([u32::from(network.accepts(state)), bytes.len() as u32, calls.len() as u32]);
        for edge in bytes {
            written.extend([u32::from(edge.first) << 8 | u32::from(edge.last), number(edge.next)]);
        }
        // Equal rules have different places in different grammars.
        for call in calls {
            written.extend([number(network.rule(call.rule).start), number(call.next)]);
        }
    }
    Some(written.into())
}

/// How many bytes lead to each state at least, where fewer than `longest` do.
fn distances(network: &Network, state: StateId, longest: usize) -> Option<FxHashMap<StateId, usize>> {
    let mut found: FxHashMap<StateId, usize> = FxHashMap::default();
    let mut open = VecDeque::from([(state, 0)]);
    while let Some((state, distance)) = open.pop_front() {
        if distance >= longest || found.get(&state).is_some_and(|known| *known <= distance) {
            continue;
        }
        found.insert(state, distance);
        if found.len() > MOST_STATES {
            return None;
        }
        for edge in network.byte_edges(state) {
            open.push_back((edge.next, distance + 1));
        }
        for call in network.call_edges(state) {
            open.push_back((call.next, distance + 1));
            open.push_front((network.rule(call.rule).start, distance));
        }
    }
    Some(found)
}
