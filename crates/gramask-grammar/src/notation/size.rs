//! Finds what takes too long to compile or to write: rules with too many operations, regexes with too large automata, and a
//! shortest output that is too long.

use std::collections::HashMap;

use super::ast::{Expr, ExprKind, Grammar, RuleId, Terminal};
use super::check::{reachable, uses};
use super::problem::{MAX_OPERATIONS, MAX_SHORTEST, Problem};
use super::report::Located;
use crate::regex::{Regex, RegexError, StateId, Steps};

pub(super) fn problems(grammar: &Grammar) -> Vec<Located> {
    let lengths = match regexes(grammar) {
        Ok(lengths) => lengths,
        Err(problem) => return vec![problem],
    };
    operations(grammar).or_else(|| shortest(grammar, &lengths)).into_iter().collect()
}

/// The length of the shortest match of each regex, which is compiled for that.
fn regexes(grammar: &Grammar) -> Result<HashMap<&str, u64>, Located> {
    let (mut steps, mut lengths, mut problem) = (Steps::new(), HashMap::new(), None);
    for rule in &grammar.rules {
        rule.expr.walk(&mut |expr| {
            let ExprKind::Regex(pattern) = &expr.kind else { return };
            if problem.is_some() || lengths.contains_key(pattern.as_str()) {
                return;
            }
            match Regex::new(pattern, &mut steps) {
                Ok(regex) => {
                    lengths.insert(pattern.as_str(), u64::from(regex.shortest_length(StateId::START)));
                }
                Err(RegexError::TooLarge) => {
                    problem = Some((expr.span, Problem::RegexTooLarge { limit: Steps::LIMIT }));
                }
                Err(RegexError::Syntax(reason)) => problem = Some((expr.span, Problem::BadRegex { reason })),
            }
        });
    }
    problem.map_or(Ok(lengths), Err)
}

/// The first rule whose shortest output is too long although those of the rules in it are not.
fn shortest(grammar: &Grammar, regexes: &HashMap<&str, u64>) -> Option<Located> {
    let mut lengths = vec![u64::MAX; grammar.rules.len()];
    loop {
        let mut changed = false;
        for (index, rule) in grammar.rules.iter().enumerate() {
            let length = shortest_of(&rule.expr, &lengths, regexes);
            changed |= length < lengths[index];
            lengths[index] = length.min(lengths[index]);
        }
        if !changed {
            break;
        }
    }
    let limit = MAX_SHORTEST as u64;
    let long = (0..lengths.len()).filter(|rule| lengths[*rule] > limit).min_by_key(|rule| lengths[*rule])?;
    Some((grammar.rules[long].name_span(), Problem::ShortestTooLong { given: lengths[long].to_string() }))
}

/// The bytes that an expression writes at least, given those of the rules. A view of the document counts as one.
fn shortest_of(expr: &Expr, rules: &[u64], regexes: &HashMap<&str, u64>) -> u64 {
    let of = |expr: &Expr| shortest_of(expr, rules, regexes);
    match &expr.kind {
        ExprKind::Empty | ExprKind::Terminal(Terminal::Skip) => 0,
        ExprKind::Literal(bytes) => bytes.len() as u64,
        ExprKind::Regex(pattern) => regexes.get(pattern.as_str()).copied().unwrap_or(1),
        ExprKind::Terminal(_) => 1,
        ExprKind::Sequence(parts) => parts.iter().fold(0, |sum, part| of(part).saturating_add(sum)),
        ExprKind::Choice(parts) => parts.iter().map(of).min().unwrap_or(0),
        ExprKind::Repeat { min: 0, .. } => 0,
        ExprKind::Repeat { body, min, .. } => of(body).saturating_mul(u64::from(*min)),
        ExprKind::Rule(rule) => rules[rule.index()],
        ExprKind::Each { rule, .. } => rules[rule.index()],
    }
}

/// The first rule that has too many operations although none of the rules that it uses has.
fn operations(grammar: &Grammar) -> Option<Located> {
    let recursive = recursive(grammar);
    let mut sizes = Sizes { grammar, recursive: &recursive, known: vec![None; grammar.rules.len()] };
    let too_many =
        |given: u64| (given > MAX_OPERATIONS as u64).then(|| Problem::TooManyOperations { given: given.to_string() });
    // Rules in the order in which they use each other: each one after those that it uses.
    let mut total = 0u64;
    for rule in sizes.order() {
        let size = sizes.of(&grammar.rule(rule).expr);
        if size > MAX_OPERATIONS as u64 {
            let part = sizes.largest(&grammar.rule(rule).expr);
            return too_many(sizes.of(part)).map(|problem| (part.span, problem));
        }
        // What opens and closes an entity, or returns.
        let size = size + 2;
        sizes.known[rule.index()] = Some(size);
        if recursive[rule.index()] || rule == grammar.start {
            total = total.saturating_add(size);
        }
    }
    too_many(total).map(|problem| (grammar.rule(grammar.start).name_span(), problem))
}

/// Which rules can hold themselves: they are called, and all others are compiled in place.
pub(crate) fn recursive(grammar: &Grammar) -> Vec<bool> {
    let inside = |index: usize| {
        let mut next = uses(&grammar.rules[index].expr).into_iter();
        next.any(|(rule, _)| reachable(grammar, rule, |_| true)[index])
    };
    (0..grammar.rules.len()).map(inside).collect()
}

/// Counts operations as [`Program`](crate::Program) compiles them; `@each` counts once.
struct Sizes<'a> {
    grammar: &'a Grammar,
    recursive: &'a [bool],
    /// The operations of each rule that was counted.
    known: Vec<Option<u64>>,
}

impl Sizes<'_> {
    /// All rules, each after those that are compiled in place in it.
    fn order(&self) -> Vec<RuleId> {
        let (mut order, mut seen) = (Vec::new(), vec![false; self.grammar.rules.len()]);
        let mut stack: Vec<(RuleId, bool)> =
            (0..self.grammar.rules.len()).map(|index| (RuleId(index as u32), false)).collect();
        while let Some((rule, done)) = stack.pop() {
            if done {
                order.push(rule);
            } else if !std::mem::replace(&mut seen[rule.index()], true) {
                stack.push((rule, true));
                let inner = uses(&self.grammar.rule(rule).expr).into_iter().map(|(inner, _)| inner);
                stack.extend(inner.filter(|inner| !self.recursive[inner.index()]).map(|inner| (inner, false)));
            }
        }
        order
    }

    fn of(&self, expr: &Expr) -> u64 {
        let sum = |parts: &[Expr]| parts.iter().fold(0u64, |sum, part| sum.saturating_add(self.of(part)));
        match &expr.kind {
            ExprKind::Empty => 0,
            ExprKind::Literal(_) | ExprKind::Regex(_) | ExprKind::Terminal(_) => 1,
            ExprKind::Sequence(parts) => sum(parts),
            ExprKind::Choice(parts) => sum(parts).saturating_add(1 + parts.len() as u64),
            ExprKind::Repeat { body, min, max } => {
                let body = self.of(body);
                let required = body.saturating_mul(u64::from(*min));
                let optional = max
                    .map_or(body.saturating_add(2), |max| body.saturating_add(1).saturating_mul(u64::from(max - min)));
                required.saturating_add(optional)
            }
            ExprKind::Rule(rule) | ExprKind::Each { rule, .. } if self.recursive[rule.index()] => 1,
            ExprKind::Rule(rule) => self.known[rule.index()].unwrap_or(0),
            ExprKind::Each { rule, .. } => self.known[rule.index()].unwrap_or(0).saturating_add(2),
        }
    }

    /// The innermost part of `expr` that alone has too many operations; else the whole.
    fn largest<'e>(&self, expr: &'e Expr) -> &'e Expr {
        let parts: Vec<&Expr> = match &expr.kind {
            ExprKind::Sequence(parts) | ExprKind::Choice(parts) => parts.iter().collect(),
            ExprKind::Repeat { body, .. } => vec![body],
            _ => Vec::new(),
        };
        match parts.into_iter().find(|part| self.of(part) > MAX_OPERATIONS as u64) {
            Some(part) => self.largest(part),
            None => expr,
        }
    }
}
