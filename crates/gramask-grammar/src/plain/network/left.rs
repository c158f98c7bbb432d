//! Left recursion, and how it is removed.
//!
//! A rule is left recursive if it can begin with a call of itself: `expr: expr "+" term | term`. Rules that begin with each
//! other form a component `C`. Take a string of a rule `A` of the component, and follow the calls that it begins with down to the
//! last rule of the component:
//!
//! ```text
//! A = A0, which begins with A1, ... which begins with Ak, which begins with something outside of C
//! ```
//!
//! Read from the left, the string is first a string of `Ak` without a call of `C` in front. Then follows what `Ak-1` has after its
//! call of `Ak`, and so on to what `A0` has after its call of `A1`. This needs no stack. Where `Ak` ends, one goes on after any
//! call of `Ak` that a rule of `C` begins with. So one automaton does it:
//!
//! - it starts where all rules of `C` start, and does not read calls of `C` there;
//! - the end of each rule `B` of `C` leads, without reading, to where each call of `B` leads that a rule of `C` begins with;
//! - it accepts at the end of `A`.
//!
//! All rules of `C` share the states. They differ in where they accept. Nothing is multiplied out, and the language is the same.
//!
//! A call in front is found after transitions that read nothing. A rule that can be empty is passed over by such a transition,
//! so that left recursion hidden after it is found too.

use rustc_hash::{FxHashMap, FxHashSet};

use super::automaton::Label;
use super::nfa::Nfa;
use super::rules::components;
use super::subsets::Closure;

/// A rule of a recursive component: where its automaton begins and ends, and its place among all rules.
pub(super) struct Body {
    pub rule: usize,
    pub start: u32,
    pub end: u32,
}

/// The rules that begin with each other, for each rule: places in the list of bodies. Empty where a rule is not left recursive.
pub(super) struct LeftCorners {
    pub groups: Vec<Vec<usize>>,
}

impl LeftCorners {
    /// Finds left recursion and adds the transitions from the ends of rules.
    pub fn remove(nfa: &mut Nfa, bodies: &[Body]) -> LeftCorners {
        let ends: Vec<u32> = bodies.iter().map(|body| body.end).collect();
        // The calls that each body begins with: the body that is called, and where the call leads.
        let mut in_front: Vec<Vec<(usize, u32)>> = Vec::new();
        let places: FxHashMap<usize, usize> = bodies.iter().enumerate().map(|(at, body)| (body.rule, at)).collect();
        let mut closure = Closure::new(nfa, &ends);
        for body in bodies {
            let mut calls = Vec::new();
            for state in closure.of([body.start]) {
                for (label, next) in nfa.transitions(state) {
                    if let Some(Label::Call(rule)) = label
                        && let Some(&called) = places.get(&rule.index())
                    {
                        calls.push((called, next));
                    }
                }
            }
            in_front.push(calls);
        }
        let edges: Vec<Vec<usize>> =
            in_front.iter().map(|calls| calls.iter().map(|(called, _)| *called).collect()).collect();
        let mut groups = vec![Vec::new(); bodies.len()];
        for component in components(&edges) {
            let recursive = component.len() > 1 || edges[component[0]].contains(&component[0]);
            if !recursive {
                continue;
            }
            let members: FxHashSet<usize> = component.iter().copied().collect();
            for &body in &component {
                for &(called, next) in in_front[body].iter().filter(|(called, _)| members.contains(called)) {
                    nfa.link(bodies[called].end, next);
                }
                groups[body].clone_from(&component);
            }
        }
        LeftCorners { groups }
    }
}
