//! Finds rules that no engine can run: unused, left recursive, without a finite output, or looping without output.

use std::collections::VecDeque;

use super::ast::{Expr, ExprKind, Grammar, RuleId, Span};
use super::problem::{MAX_REPEAT, Problem};
use super::report::Located;

/// The engine of plain grammars takes left recursion and empty loops.
pub(super) fn problems(grammar: &Grammar, plain: bool) -> Vec<Located> {
    let mut problems = Vec::new();
    let used = reachable(grammar, grammar.start, |_| true);
    for (rule, used) in grammar.rules.iter().zip(used) {
        if !used {
            problems.push((rule.name_span(), Problem::UnusedRule { name: rule.name.clone() }));
        }
    }

    let empty = fixpoint(grammar, can_be_empty);
    if !plain {
        left_recursion(grammar, &empty, &mut problems);
    }

    let ends = fixpoint(grammar, |expr, ends| can_avoid(expr, ends, &|_| false));
    let endless: Vec<Vec<(RuleId, Span)>> = (0..grammar.rules.len())
        .map(|index| {
            // What keeps an endless rule from ending is a cycle of endless rules; the rules that lead to it are fine.
            let mut uses = if ends[index] { Vec::new() } else { uses(&grammar.rules[index].expr) };
            uses.retain(|(rule, _)| !ends[rule.index()]);
            uses
        })
        .collect();
    for cycle in cycles(&endless) {
        let problem = Problem::DerivesNothing { cycle: names(grammar, &cycle.rules) };
        // A rule that begins with itself is reported as that.
        let reported = problems.iter().any(|(_, problem)| {
            let Problem::LeftRecursion { cycle: left } = problem else {
                return false;
            };
            cycle.rules.iter().any(|&rule| left.contains(&grammar.rule(rule).name))
        });
        if !reported {
            problems.push((grammar.rule(cycle.rules[0]).name_span(), problem));
        }
    }

    for rule in grammar.rules.iter().filter(|_| !plain) {
        rule.expr.walk(&mut |expr| {
            if let ExprKind::Repeat { body, max: None, .. } = &expr.kind
                && can_be_empty(body, &empty)
            {
                problems.push((expr.span, Problem::EmptyLoop));
            }
        });
    }
    grammar.rules.iter().for_each(|rule| expansion(&rule.expr, 1, &mut problems));
    problems
}

/// Reports rules that begin with themselves, given the rules that can be empty.
fn left_recursion(grammar: &Grammar, empty: &[bool], problems: &mut Vec<Located>) {
    let first = grammar.rules.iter().map(|rule| {
        let mut found = Vec::new();
        leftmost(&rule.expr, empty, &mut found);
        found
    });
    for cycle in cycles(&first.collect::<Vec<_>>()) {
        problems.push((cycle.span, Problem::LeftRecursion { cycle: names(grammar, &cycle.rules) }));
    }
}

/// Reports counted repeats which, those around them in the same rule included, go beyond the limit: an engine may write
/// them out.
fn expansion(expr: &Expr, around: u64, problems: &mut Vec<Located>) {
    match &expr.kind {
        ExprKind::Sequence(parts) | ExprKind::Choice(parts) => {
            parts.iter().for_each(|part| expansion(part, around, problems));
        }
        ExprKind::Repeat { body, min, max } => {
            let times = around * u64::from(max.unwrap_or(*min).max(1));
            if times > u64::from(MAX_REPEAT) {
                problems.push((expr.span, Problem::RepeatTooLarge { given: times.to_string() }));
            } else {
                expansion(body, times, problems);
            }
        }
        _ => {}
    }
}

/// How often each rule can write an expression of this kind in one output; 2 stands for any number above 1.
pub(crate) fn most(grammar: &Grammar, kind: impl Fn(&ExprKind) -> bool) -> Vec<u32> {
    // Grown from 0 until nothing changes, at most twice per rule.
    let mut counts = vec![0; grammar.rules.len()];
    loop {
        let mut grown = false;
        for (index, rule) in grammar.rules.iter().enumerate() {
            let count = most_of(&rule.expr, &counts, &kind);
            grown |= std::mem::replace(&mut counts[index], count) != count;
        }
        if !grown {
            return counts;
        }
    }
}

fn most_of(expr: &Expr, rules: &[u32], kind: &impl Fn(&ExprKind) -> bool) -> u32 {
    let inside = match &expr.kind {
        ExprKind::Sequence(parts) => parts.iter().map(|part| most_of(part, rules, kind)).sum(),
        ExprKind::Choice(parts) => parts.iter().map(|part| most_of(part, rules, kind)).max().unwrap_or(0),
        ExprKind::Repeat { body, max, .. } => most_of(body, rules, kind) * max.unwrap_or(2).min(2),
        ExprKind::Rule(rule) => rules[rule.index()],
        ExprKind::Each { rule, .. } => rules[rule.index()] * 2,
        ExprKind::Empty | ExprKind::Literal(_) | ExprKind::Regex(_) | ExprKind::Terminal(_) => 0,
    };
    (inside + u32::from(kind(&expr.kind))).min(2)
}

/// Which rules `from` leads to, itself included, through uses that `follow` agrees to.
pub(super) fn reachable(grammar: &Grammar, from: RuleId, follow: impl Fn(&Expr) -> bool) -> Vec<bool> {
    let mut found = vec![false; grammar.rules.len()];
    found[from.index()] = true;
    let mut open = vec![from];
    while let Some(rule) = open.pop() {
        grammar.rule(rule).expr.walk(&mut |expr| {
            if let ExprKind::Rule(next) | ExprKind::Each { rule: next, .. } = expr.kind
                && follow(expr)
                && !std::mem::replace(&mut found[next.index()], true)
            {
                open.push(next);
            }
        });
    }
    found
}

/// The smallest set of rules for which `holds` is true, given that set.
pub(super) fn fixpoint(grammar: &Grammar, holds: impl Fn(&Expr, &[bool]) -> bool) -> Vec<bool> {
    let mut set = vec![false; grammar.rules.len()];
    loop {
        let mut grown = false;
        for (index, rule) in grammar.rules.iter().enumerate() {
            if !set[index] && holds(&rule.expr, &set) {
                set[index] = true;
                grown = true;
            }
        }
        if !grown {
            return set;
        }
    }
}

/// Whether `expr` can write the empty string without moving in the document, given the rules that can. `@skip` writes
/// nothing and yet moves.
fn can_be_empty(expr: &Expr, rules: &[bool]) -> bool {
    match &expr.kind {
        ExprKind::Empty => true,
        ExprKind::Sequence(parts) => parts.iter().all(|part| can_be_empty(part, rules)),
        ExprKind::Choice(parts) => parts.iter().any(|part| can_be_empty(part, rules)),
        ExprKind::Repeat { body, min, .. } => *min == 0 || can_be_empty(body, rules),
        ExprKind::Literal(_) | ExprKind::Regex(_) | ExprKind::Terminal(_) => false,
        ExprKind::Rule(rule) | ExprKind::Each { rule, .. } => rules[rule.index()],
    }
}

/// Whether `expr` can write something finite without any expression that is `hidden`, given the rules that can.
pub(super) fn can_avoid(expr: &Expr, rules: &[bool], hidden: &dyn Fn(&Expr) -> bool) -> bool {
    if hidden(expr) {
        return false;
    }
    match &expr.kind {
        ExprKind::Sequence(parts) => parts.iter().all(|part| can_avoid(part, rules, hidden)),
        ExprKind::Choice(parts) => parts.iter().any(|part| can_avoid(part, rules, hidden)),
        ExprKind::Repeat { body, min, .. } => *min == 0 || can_avoid(body, rules, hidden),
        ExprKind::Rule(rule) | ExprKind::Each { rule, .. } => rules[rule.index()],
        ExprKind::Empty | ExprKind::Literal(_) | ExprKind::Regex(_) | ExprKind::Terminal(_) => true,
    }
}

/// Collects the rules that `expr` can begin with before anything is written.
fn leftmost(expr: &Expr, empty: &[bool], found: &mut Vec<(RuleId, Span)>) {
    match &expr.kind {
        ExprKind::Sequence(parts) => {
            for part in parts {
                leftmost(part, empty, found);
                if !can_be_empty(part, empty) {
                    break;
                }
            }
        }
        ExprKind::Choice(parts) => parts.iter().for_each(|part| leftmost(part, empty, found)),
        ExprKind::Repeat { body, .. } => leftmost(body, empty, found),
        ExprKind::Rule(rule) | ExprKind::Each { rule, .. } => found.push((*rule, expr.span)),
        ExprKind::Empty | ExprKind::Literal(_) | ExprKind::Regex(_) | ExprKind::Terminal(_) => {}
    }
}

/// The rules that `expr` uses.
pub(super) fn uses(expr: &Expr) -> Vec<(RuleId, Span)> {
    let mut found = Vec::new();
    expr.walk(&mut |expr| {
        if let ExprKind::Rule(rule) | ExprKind::Each { rule, .. } = expr.kind {
            found.push((rule, expr.span));
        }
    });
    found
}

/// A way from a rule back to itself.
pub(super) struct Cycle {
    /// The rules, the first one again at the end.
    pub rules: Vec<RuleId>,
    /// Where the first rule uses the second.
    pub span: Span,
}

/// A shortest cycle through each rule that has one, but none for the rules of a cycle that was found before.
pub(super) fn cycles(edges: &[Vec<(RuleId, Span)>]) -> Vec<Cycle> {
    let mut cycles = Vec::new();
    let mut reported = vec![false; edges.len()];
    for index in 0..edges.len() {
        if reported[index] {
            continue;
        }
        if let Some(cycle) = cycle(edges, RuleId(index as u32)) {
            cycle.rules.iter().for_each(|rule| reported[rule.index()] = true);
            cycles.push(cycle);
        }
    }
    cycles
}

/// A shortest way from `from` back to itself.
pub(super) fn cycle(edges: &[Vec<(RuleId, Span)>], from: RuleId) -> Option<Cycle> {
    let mut before: Vec<Option<(RuleId, Span)>> = vec![None; edges.len()];
    let mut open = VecDeque::from([from]);
    while let Some(rule) = open.pop_front() {
        for &(next, span) in &edges[rule.index()] {
            if before[next.index()].is_none() {
                before[next.index()] = Some((rule, span));
                open.push_back(next);
            }
        }
    }
    let mut rules = vec![from];
    let mut at = from;
    loop {
        let (rule, span) = before[at.index()]?;
        rules.push(rule);
        if rule == from {
            rules.reverse();
            return Some(Cycle { rules, span });
        }
        at = rule;
    }
}

/// The names of `rules`.
pub(super) fn names(grammar: &Grammar, rules: &[RuleId]) -> Vec<String> {
    rules.iter().map(|&rule| grammar.rule(rule).name.clone()).collect()
}
