//! What a plain grammar is, in a few facts for people.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::facts::shortest_cycle;
use crate::plain::{Expr, PlainGrammar};
use crate::regex::{Regex, StateId};

/// What a plain grammar is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlainFacts {
    /// The number of rules.
    pub rules: usize,
    /// A rule that holds itself, with the rules between, the first one again at the end. Without one the language is regular.
    pub recursion: Option<Vec<String>>,
    /// The number of its different regular terminals, each a deterministic automaton.
    pub regexes: usize,
    /// The memory of these automata, in bytes.
    pub regex_bytes: usize,
    /// The special tokens that it names, in alphabetical order.
    pub special: Vec<String>,
    /// A shortest output. A special token stands as its name.
    pub shortest: Vec<u8>,
}

/// More than any length.
const NONE: u64 = u64::MAX;

impl PlainFacts {
    pub(crate) fn new(grammar: &PlainGrammar) -> PlainFacts {
        let (mut special, mut regexes): (BTreeSet<String>, Vec<&Arc<Regex>>) = Default::default();
        for rule in grammar.rules() {
            rule.body.walk(&mut |expr| match expr {
                Expr::Special(name) => _ = special.insert(name.clone()),
                Expr::Regular(regex) if !regexes.iter().any(|known| Arc::ptr_eq(known, regex)) => regexes.push(regex),
                _ => {}
            });
        }
        let lengths = lengths(grammar);
        let mut shortest = Vec::new();
        write(&grammar.rule(grammar.start()).body, grammar, &lengths, &mut shortest);
        PlainFacts {
            rules: grammar.rules().len(),
            recursion: recursion(grammar),
            regexes: regexes.len(),
            regex_bytes: regexes.iter().map(|regex| regex.memory()).sum(),
            special: special.into_iter().collect(),
            shortest,
        }
    }

    /// The length in bytes of the shortest output. A special token has the length of its name.
    pub(crate) fn shortest_length(grammar: &PlainGrammar) -> u64 {
        lengths(grammar)[grammar.start().index()]
    }
}

/// The length of the shortest text of each rule; [`NONE`] where it has none.
fn lengths(grammar: &PlainGrammar) -> Vec<u64> {
    let mut lengths = vec![NONE; grammar.rules().len()];
    loop {
        let mut changed = false;
        for (index, rule) in grammar.rules().iter().enumerate() {
            let length = length(&rule.body, &lengths);
            changed |= length < lengths[index];
            lengths[index] = length.min(lengths[index]);
        }
        if !changed {
            return lengths;
        }
    }
}

fn length(expr: &Expr, rules: &[u64]) -> u64 {
    match expr {
        Expr::Bytes(bytes) => bytes.len() as u64,
        Expr::Regular(regex) => u64::from(regex.shortest_length(StateId::START)),
        Expr::Special(name) => name.len() as u64,
        Expr::Sequence(parts) => parts.iter().fold(0, |sum, part| length(part, rules).saturating_add(sum)),
        Expr::Choice(parts) => parts.iter().map(|part| length(part, rules)).min().unwrap_or(NONE),
        Expr::Repeat { min: 0, .. } => 0,
        Expr::Repeat { body, min, .. } => length(body, rules).saturating_mul(u64::from(*min)),
        Expr::Rule(rule) => rules[rule.index()],
    }
}

/// Appends a shortest text of an expression that has one. Where a rule is as short as one that holds it, this would not end:
/// the shorter of two alternatives comes first, and of two equal ones the one that is nested less, as lengths are found.
fn write(expr: &Expr, grammar: &PlainGrammar, lengths: &[u64], out: &mut Vec<u8>) {
    let depths = depths(grammar, lengths);
    write_within(expr, grammar, (lengths, &depths), out);
}

fn write_within(expr: &Expr, grammar: &PlainGrammar, (lengths, depths): (&[u64], &[u64]), out: &mut Vec<u8>) {
    match expr {
        Expr::Bytes(bytes) => out.extend(bytes),
        Expr::Regular(regex) => out.extend(regex.shortest(StateId::START)),
        Expr::Special(name) => out.extend(name.as_bytes()),
        Expr::Sequence(parts) => {
            parts.iter().for_each(|part| write_within(part, grammar, (lengths, depths), out));
        }
        Expr::Choice(parts) => {
            let best = parts.iter().min_by_key(|part| (length(part, lengths), depth(part, lengths, depths)));
            best.into_iter().for_each(|part| write_within(part, grammar, (lengths, depths), out));
        }
        Expr::Repeat { body, min, .. } => {
            let mut once = Vec::new();
            if *min > 0 {
                write_within(body, grammar, (lengths, depths), &mut once);
            }
            (0..*min).for_each(|_| out.extend(&once));
        }
        Expr::Rule(rule) => write_within(&grammar.rule(*rule).body, grammar, (lengths, depths), out),
    }
}

/// How deep the rules nest in the flattest of the shortest texts of each rule.
fn depths(grammar: &PlainGrammar, lengths: &[u64]) -> Vec<u64> {
    let mut depths = vec![NONE; grammar.rules().len()];
    loop {
        let mut changed = false;
        for (index, rule) in grammar.rules().iter().enumerate() {
            let depth = depth(&rule.body, lengths, &depths).saturating_add(1);
            changed |= depth < depths[index];
            depths[index] = depth.min(depths[index]);
        }
        if !changed {
            return depths;
        }
    }
}

fn depth(expr: &Expr, lengths: &[u64], depths: &[u64]) -> u64 {
    match expr {
        Expr::Bytes(_) | Expr::Regular(_) | Expr::Special(_) | Expr::Repeat { min: 0, .. } => 0,
        Expr::Sequence(parts) => parts.iter().map(|part| depth(part, lengths, depths)).max().unwrap_or(0),
        Expr::Choice(parts) => {
            let best = parts.iter().map(|part| (length(part, lengths), depth(part, lengths, depths))).min();
            best.map_or(NONE, |(_, depth)| depth)
        }
        Expr::Repeat { body, .. } => depth(body, lengths, depths),
        Expr::Rule(rule) => depths[rule.index()],
    }
}

/// The shortest way from a rule back to itself.
fn recursion(grammar: &PlainGrammar) -> Option<Vec<String>> {
    let used: Vec<Vec<usize>> = grammar
        .rules()
        .iter()
        .map(|rule| {
            let mut used = Vec::new();
            rule.body.walk(&mut |expr| {
                if let Expr::Rule(rule) = expr {
                    used.push(rule.index());
                }
            });
            used
        })
        .collect();
    Some(shortest_cycle(&used)?.into_iter().map(|rule| grammar.rules()[rule].name.clone()).collect())
}
