//! Thompson automata of the bodies of rules.

use super::automaton::{Automaton, Label};
use crate::plain::expr::{Expr, RuleId, finishes};

/// A transition; without a label it reads nothing.
#[derive(Clone, Copy, Debug)]
struct Transition {
    label: Option<Label>,
    next: u32,
    /// The state's next transition.
    sibling: u32,
}

const NONE: u32 = u32::MAX;

/// The automata of one or several rules.
#[derive(Debug, Default)]
pub(super) struct Nfa {
    /// The first transition of each state.
    first: Vec<u32>,
    transitions: Vec<Transition>,
}

/// How a rule is used in the bodies of others.
#[derive(Debug, Default)]
pub(super) enum Use {
    /// By a call. That holds while the rule is not compiled too.
    #[default]
    Call,
    /// By a copy of its automaton, which may accept the empty string.
    Copy(Automaton),
}

/// What the bodies of rules refer to.
pub(super) struct Rules<'a> {
    pub productive: &'a [bool],
    /// Which rules stand for the empty string.
    pub nullable: &'a [bool],
    /// Which rules stand for any other string.
    pub solid: &'a [bool],
    pub uses: &'a [Use],
    pub specials: &'a [String],
}

impl Nfa {
    pub fn len(&self) -> usize {
        self.first.len()
    }

    pub fn state(&mut self) -> u32 {
        self.first.push(NONE);
        self.first.len() as u32 - 1
    }

    fn add(&mut self, from: u32, label: Option<Label>, next: u32) {
        let sibling = std::mem::replace(&mut self.first[from as usize], self.transitions.len() as u32);
        self.transitions.push(Transition { label, next, sibling });
    }

    /// A transition that reads nothing.
    pub fn link(&mut self, from: u32, next: u32) {
        self.add(from, None, next);
    }

    /// The transitions of a state, the last added first.
    pub fn transitions(&self, state: u32) -> impl Iterator<Item = (Option<Label>, u32)> {
        let mut at = self.first[state as usize];
        std::iter::from_fn(move || {
            let transition = self.transitions.get(at as usize)?;
            at = transition.sibling;
            Some((transition.label, transition.next))
        })
    }

    /// Lets `expr`, which stands for some string, lead from one state to another.
    ///
    /// Transitions are added out of `from` and into `to`, and between new states.
    pub fn expr(&mut self, rules: &Rules, expr: &Expr, from: u32, to: u32) {
        match expr {
            Expr::Bytes(bytes) => self.bytes(bytes, from, to),
            Expr::Regular(regex) => self.copy(&Automaton::of_regex(regex), from, to),
            Expr::Special(name) => {
                let number = rules.specials.iter().position(|known| known == name);
                self.add(from, number.map(|number| Label::Special(number as u32)), to);
            }
            Expr::Sequence(parts) => {
                let mut at = from;
                for (number, part) in parts.iter().enumerate() {
                    let next = if number + 1 == parts.len() { to } else { self.state() };
                    self.expr(rules, part, at, next);
                    at = next;
                }
                if parts.is_empty() {
                    self.link(from, to);
                }
            }
            Expr::Choice(parts) => {
                for part in parts.iter().filter(|part| finishes(part, rules.productive)) {
                    self.expr(rules, part, from, to);
                }
            }
            Expr::Repeat { body, min, max } => match finishes(body, rules.productive) {
                true => self.repeat(rules, body, (*min, *max), from, to),
                false => self.link(from, to),
            },
            Expr::Rule(rule) => self.rule(rules, *rule, from, to),
        }
    }

    fn bytes(&mut self, bytes: &[u8], from: u32, to: u32) {
        let mut at = from;
        for (number, &byte) in bytes.iter().enumerate() {
            let next = if number + 1 == bytes.len() { to } else { self.state() };
            self.add(at, Some(Label::Bytes(byte, byte)), next);
            at = next;
        }
        if bytes.is_empty() {
            self.link(from, to);
        }
    }

    fn repeat(&mut self, rules: &Rules, body: &Expr, (min, max): (u32, Option<u32>), from: u32, to: u32) {
        let mut at = from;
        for _ in 0..min {
            let next = self.state();
            self.expr(rules, body, at, next);
            at = next;
        }
        match max {
            None => {
                let hub = self.state();
                self.link(at, hub);
                self.expr(rules, body, hub, hub);
                at = hub;
            }
            Some(max) => {
                for _ in min..max {
                    self.link(at, to);
                    let next = self.state();
                    self.expr(rules, body, at, next);
                    at = next;
                }
            }
        }
        self.link(at, to);
    }

    fn rule(&mut self, rules: &Rules, rule: RuleId, from: u32, to: u32) {
        if let Use::Copy(automaton) = &rules.uses[rule.index()] {
            return self.copy(automaton, from, to);
        }
        if rules.nullable[rule.index()] {
            self.link(from, to);
        }
        if rules.solid[rule.index()] {
            self.add(from, Some(Label::Call(rule)), to);
        }
    }

    fn copy(&mut self, automaton: &Automaton, from: u32, to: u32) {
        let base = self.len() as u32;
        self.first.resize(self.first.len() + automaton.len(), NONE);
        self.link(from, base);
        for state in 0..automaton.len() {
            for edge in automaton.edges(state) {
                self.add(base + state as u32, Some(edge.label), base + edge.next);
            }
            if automaton.accepts[state] {
                self.link(base + state as u32, to);
            }
        }
    }
}
