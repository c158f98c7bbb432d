//! What is known of states and rules: the bytes that a rule begins with, an order of the rules, and shortest strings.

use super::{CallId, Network, NetworkError, NetworkLimits, StateId};
use crate::byte_set::ByteSet;

impl Network {
    pub(super) fn find_facts(&mut self, names: &[String], limits: &NetworkLimits) -> Result<(), NetworkError> {
        self.find_first();
        self.find_shortest();
        // A start that stands for the empty string alone has no transition.
        let long = |rule: &usize| self.rules[*rule].shortest > limits.shortest && self.goes_on(self.rules[*rule].start);
        match (0..self.rules.len()).find(long) {
            Some(rule) => Err(NetworkError::Shortest {
                rule: names[rule].clone(),
                bytes: self.rules[rule].shortest,
                limit: limits.shortest,
            }),
            None => Ok(()),
        }
    }

    /// Finds first bytes and ranks: depth first along the calls that rules begin with, which have no cycle.
    fn find_first(&mut self) {
        let mut done = vec![false; self.rules.len()];
        let mut stack: Vec<(usize, bool)> = (0..self.rules.len()).map(|rule| (rule, false)).collect();
        while let Some((rule, children_done)) = stack.pop() {
            let start = self.rules[rule].start;
            if done[rule] {
                continue;
            }
            if !children_done {
                stack.push((rule, true));
                stack.extend(self.call_edges(start).iter().map(|call| (call.rule.index(), false)));
                continue;
            }
            let (mut first, mut rank) = (ByteSet::default(), 0);
            for edge in self.byte_edges(start) {
                (edge.first..=edge.last).for_each(|byte| first.insert(byte));
            }
            for call in self.call_edges(start) {
                let inner = &self.rules[call.rule.index()];
                first.union(&inner.first);
                rank = rank.max(inner.rank + 1);
            }
            (self.rules[rule].first, self.rules[rule].rank) = (first, rank);
            done[rule] = true;
        }
    }

    /// Finds shortest strings: all states again and again, the last first, until nothing changes.
    ///
    /// States are numbered breadth first, and rules mostly after those that they call. So few rounds are enough.
    fn find_shortest(&mut self) {
        loop {
            let mut changed = false;
            let mut end = 0;
            for rule in 0..self.rules.len() {
                let start = end;
                end = self.rules.get(rule + 1).map_or(self.states.len(), |next| next.start.index());
                for state in (start..end).rev() {
                    let rest = self.rest_of(StateId(state as u32));
                    changed |= rest < self.states[state].rest;
                    self.states[state].rest = rest;
                }
                self.rules[rule].shortest = self.states[start].rest;
            }
            if !changed {
                return;
            }
        }
    }

    fn rest_of(&self, state: StateId) -> u32 {
        if self.accepts(state) {
            return 0;
        }
        let one = |next: StateId| self.rest(next).saturating_add(1);
        let bytes = self.byte_edges(state).iter().map(|edge| one(edge.next));
        let specials = self.special_edges(state).iter().map(|edge| one(edge.next));
        let calls = self.call_edges(state).iter();
        let calls = calls.map(|call| self.rest(call.next).saturating_add(self.rule(call.rule).shortest));
        bytes.chain(specials).chain(calls).min().unwrap_or(u32::MAX)
    }

    /// The order in which a matcher must follow calls: the rule first that none of the others can begin with.
    pub fn rank(&self, rule: CallId) -> u32 {
        self.rules[rule.index()].rank
    }
}
