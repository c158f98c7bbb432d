//! Compiles the rules of a grammar, each after those that it calls.

use super::automaton::{Automaton, Edge, Label};
use super::left::{Body, LeftCorners};
use super::nfa::{Nfa, Rules, Use};
use super::outline::{Outlined, outline};
use super::subsets::{Closure, Task, determinise, without_links};
use super::{NetworkError, NetworkLimits};
use crate::plain::expr::{Expr, PlainGrammar, Rule, RuleId, finishes};

/// A rule with at most so many states is compiled in place.
const SMALL: usize = 8;

/// A rule that is used once is compiled in place if it has at most so many states.
const SMALL_IF_USED_ONCE: usize = 64;

/// The automata of a grammar.
pub(super) struct Compiled {
    pub names: Vec<String>,
    /// By rule, in the order of compilation; nothing where a rule is not used or is compiled in place.
    pub automata: Vec<Option<Automaton>>,
    order: Vec<usize>,
    pub start: RuleId,
    pub nullable: bool,
    pub recursive: bool,
    pub specials: Vec<String>,
}

impl Compiled {
    pub fn automaton(&self, rule: usize) -> &Automaton {
        static NOTHING: std::sync::LazyLock<Automaton> = std::sync::LazyLock::new(Automaton::new);
        self.automata[rule].as_ref().unwrap_or(&NOTHING)
    }

    /// The rules that the start calls, itself included, in the order in which they were compiled.
    pub fn called(&self) -> Vec<usize> {
        let mut seen = vec![false; self.automata.len()];
        let mut stack = vec![self.start.index()];
        while let Some(rule) = stack.pop() {
            if std::mem::replace(&mut seen[rule], true) {
                continue;
            }
            stack.extend(self.automaton(rule).all_edges().iter().filter_map(|edge| match edge.label {
                Label::Call(rule) => Some(rule.index()),
                _ => None,
            }));
        }
        self.order.iter().copied().filter(|rule| seen[*rule]).collect()
    }
}

/// Compiles all rules that the start leads to.
pub(super) fn compile(grammar: &PlainGrammar, limits: &NetworkLimits) -> Result<Compiled, NetworkError> {
    let productive = grammar.productive();
    let used = used(grammar.rules(), grammar.start(), &productive);
    let Outlined { rules, parts } = outline(grammar, &used, limits)?;
    let productive = fixpoint(&rules, finishes);
    let mut compiler = Compiler::new(&rules, grammar.start(), productive, rules.len() - parts, limits);
    let edges: Vec<Vec<usize>> = rules.iter().map(|rule| callees(&rule.body, &compiler.productive)).collect();
    let live = self::used(&rules, grammar.start(), &compiler.productive);
    let (mut order, mut recursive) = (Vec::new(), false);
    for component in components(&edges) {
        if !live[component[0]] {
            continue;
        }
        let cycle = component.len() > 1 || edges[component[0]].contains(&component[0]);
        recursive |= cycle;
        compiler.component(&component, cycle)?;
        order.extend(component);
    }
    Ok(Compiled {
        names: rules.iter().map(|rule| rule.name.clone()).collect(),
        nullable: compiler.nullable[grammar.start().index()],
        automata: compiler.automata,
        order,
        start: grammar.start(),
        recursive,
        specials: compiler.specials,
    })
}

struct Compiler<'a> {
    rules: &'a [Rule],
    start: usize,
    productive: Vec<bool>,
    nullable: Vec<bool>,
    solid: Vec<bool>,
    /// How often the bodies of rules name each rule; a repeat counts twice.
    counts: Vec<usize>,
    /// Rules from here on were made of parts.
    first_part: usize,
    uses: Vec<Use>,
    automata: Vec<Option<Automaton>>,
    specials: Vec<String>,
    limits: &'a NetworkLimits,
    states: usize,
    steps: usize,
}

impl<'a> Compiler<'a> {
    fn new(
        rules: &'a [Rule],
        start: RuleId,
        productive: Vec<bool>,
        first_part: usize,
        limits: &'a NetworkLimits,
    ) -> Compiler<'a> {
        let (mut counts, mut specials) = (vec![0; rules.len()], Vec::new());
        rules.iter().for_each(|rule| count(&rule.body, 1, &mut counts));
        for rule in rules {
            rule.body.walk(&mut |expr| match expr {
                Expr::Special(name) if !specials.contains(name) => specials.push(name.clone()),
                _ => {}
            });
        }
        let nullable = fixpoint(rules, is_nullable);
        let solid = fixpoint(rules, |expr, known| is_solid(expr, known, &productive));
        Compiler {
            rules,
            start: start.index(),
            nullable,
            solid,
            productive,
            counts,
            first_part,
            uses: rules.iter().map(|_| Use::Call).collect(),
            automata: vec![None; rules.len()],
            specials,
            limits,
            states: 0,
            steps: limits.steps,
        }
    }

    /// Compiles rules that call each other, or one rule.
    fn component(&mut self, component: &[usize], cycle: bool) -> Result<(), NetworkError> {
        if !cycle && let Expr::Regular(regex) = &self.rules[component[0]].body {
            return self.finish(component[0], Automaton::of_regex(regex), false);
        }
        if !cycle && let Some(automaton) = self.counted(&self.rules[component[0]].body) {
            return self.finish(component[0], automaton, false);
        }
        let mut nfa = Nfa::default();
        let context = Rules {
            productive: &self.productive,
            nullable: &self.nullable,
            solid: &self.solid,
            uses: &self.uses,
            specials: &self.specials,
        };
        let mut bodies = Vec::new();
        for &rule in component.iter().filter(|rule| self.productive[**rule]) {
            let (start, end) = (nfa.state(), nfa.state());
            nfa.expr(&context, &self.rules[rule].body, start, end);
            bodies.push(Body { rule, start, end });
        }
        let corners = cycle.then(|| LeftCorners::remove(&mut nfa, &bodies));
        let ends: Vec<u32> = bodies.iter().map(|body| body.end).collect();
        let mut closure = Closure::new(&nfa, &ends);
        for (number, body) in bodies.iter().enumerate() {
            let group = corners.as_ref().map_or(&[][..], |corners| &corners.groups[number]);
            let automaton = self.automaton(&mut closure, &bodies, body, group)?;
            self.finish(body.rule, automaton, cycle)?;
        }
        Ok(())
    }

    /// The automaton of bytes, calls of one rule whose number is limited, and bytes: a text of limited length. The general way
    /// gives the same automaton, and takes much longer for 65,535 characters.
    fn counted(&self, body: &Expr) -> Option<Automaton> {
        let Expr::Sequence(parts) = body else { return None };
        let at = parts.iter().position(|part| !matches!(part, Expr::Bytes(_)))?;
        let Expr::Repeat { body, min, max: Some(max) } = &parts[at] else { return None };
        let Expr::Rule(rule) = **body else { return None };
        let calls = matches!(self.uses[rule.index()], Use::Call)
            && self.solid[rule.index()]
            && !self.nullable[rule.index()]
            && self.productive[rule.index()];
        let bytes = |parts: &[Expr]| -> Option<Vec<u8>> {
            let mut found = Vec::new();
            for part in parts {
                let Expr::Bytes(bytes) = part else { return None };
                found.extend_from_slice(bytes);
            }
            Some(found)
        };
        let (before, after) = (bytes(&parts[..at])?, bytes(&parts[at + 1..])?);
        if !calls || *max == 0 {
            return None;
        }
        let mut automaton = Automaton::new();
        let reads = |byte: u8, next: u32| Edge { label: Label::Bytes(byte, byte), next };
        for (number, &byte) in before.iter().enumerate() {
            automaton.push(false, &[reads(byte, number as u32 + 1)]);
        }
        let first = before.len() as u32;
        let mut edges = Vec::with_capacity(2);
        for count in 0..=*max {
            edges.clear();
            if let (true, Some(&byte)) = (count >= *min, after.first()) {
                edges.push(reads(byte, first + max + 1));
            }
            if count < *max {
                edges.push(Edge { label: Label::Call(rule), next: first + count + 1 });
            }
            automaton.push(count >= *min && after.is_empty(), &edges);
        }
        for (number, &byte) in after.iter().enumerate().skip(1) {
            automaton.push(false, &[reads(byte, first + max + 1 + number as u32)]);
        }
        if !after.is_empty() {
            automaton.push(true, &[]);
        }
        Some(automaton)
    }

    /// The automaton of a body, which is left recursive through the bodies of its group.
    fn automaton(
        &mut self,
        closure: &mut Closure,
        bodies: &[Body],
        body: &Body,
        group: &[usize],
    ) -> Result<Automaton, NetworkError> {
        let starts: Vec<u32> = match group.is_empty() {
            true => vec![body.start],
            false => group.iter().map(|member| bodies[*member].start).collect(),
        };
        // What the empty string reaches is another question where other rules of the group start too.
        let start = closure.of(starts);
        let barred = |label: Label| match label {
            Label::Call(rule) => group.iter().any(|member| bodies[*member].rule == rule.index()),
            _ => false,
        };
        let task = Task { start: &start, barred: &barred, end: body.end };
        let mut automaton = match determinise(closure, &task, &mut self.steps) {
            Some(automaton) => automaton,
            None => without_links(closure, &task, self.limits.states).ok_or_else(|| NetworkError::States {
                rule: self.rules[body.rule].name.clone(),
                states: self.limits.states,
                limit: self.limits.states,
            })?,
        };
        automaton.accepts[0] = self.nullable[body.rule];
        if !group.is_empty() {
            automaton = automaton.trimmed();
        }
        Ok(automaton.merged())
    }

    /// Decides how the rule is used, and keeps its automaton.
    fn finish(&mut self, rule: usize, automaton: Automaton, cycle: bool) -> Result<(), NetworkError> {
        let small = automaton.len() <= SMALL || automaton.len() <= SMALL_IF_USED_ONCE && self.counts[rule] <= 1;
        if !cycle && rule < self.first_part && small && !automaton.is_closed_text() || !self.solid[rule] {
            self.uses[rule] = Use::Copy(automaton.clone());
            if rule != self.start {
                return Ok(());
            }
        }
        self.states += automaton.len();
        if self.states > self.limits.states {
            return Err(NetworkError::States {
                rule: self.rules[rule].name.clone(),
                states: self.states,
                limit: self.limits.states,
            });
        }
        self.automata[rule] = Some(automaton.without_empty());
        Ok(())
    }
}

/// The rules that the start leads to.
fn used(rules: &[Rule], start: RuleId, productive: &[bool]) -> Vec<bool> {
    let mut used = vec![false; rules.len()];
    let mut stack = vec![start.index()];
    while let Some(rule) = stack.pop() {
        if !std::mem::replace(&mut used[rule], true) {
            stack.extend(callees(&rules[rule].body, productive));
        }
    }
    used
}

/// The rules that an expression can lead to.
fn callees(expr: &Expr, productive: &[bool]) -> Vec<usize> {
    let mut found = Vec::new();
    expr.walk(&mut |expr| match expr {
        Expr::Rule(rule) if productive[rule.index()] => found.push(rule.index()),
        _ => {}
    });
    found
}

fn count(expr: &Expr, times: usize, counts: &mut [usize]) {
    match expr {
        Expr::Sequence(parts) | Expr::Choice(parts) => parts.iter().for_each(|part| count(part, times, counts)),
        Expr::Repeat { body, min: 0, max: Some(1) } => count(body, times, counts),
        Expr::Repeat { body, .. } => count(body, 2, counts),
        Expr::Rule(rule) => counts[rule.index()] += times,
        Expr::Bytes(_) | Expr::Regular(_) | Expr::Special(_) => {}
    }
}

/// The least answers for all rules, of which each may depend on those of others.
fn fixpoint(rules: &[Rule], test: impl Fn(&Expr, &[bool]) -> bool) -> Vec<bool> {
    let mut known = vec![false; rules.len()];
    loop {
        let mut changed = false;
        for (index, rule) in rules.iter().enumerate().rev() {
            if !known[index] && test(&rule.body, &known) {
                (known[index], changed) = (true, true);
            }
        }
        if !changed {
            return known;
        }
    }
}

/// Whether an expression stands for the empty string.
fn is_nullable(expr: &Expr, rules: &[bool]) -> bool {
    match expr {
        Expr::Bytes(bytes) => bytes.is_empty(),
        Expr::Regular(regex) => regex.matches(crate::regex::StateId::START),
        Expr::Special(_) => false,
        Expr::Sequence(parts) => parts.iter().all(|part| is_nullable(part, rules)),
        Expr::Choice(parts) => parts.iter().any(|part| is_nullable(part, rules)),
        Expr::Repeat { body, min, .. } => *min == 0 || is_nullable(body, rules),
        Expr::Rule(rule) => rules[rule.index()],
    }
}

/// Whether an expression stands for a string that is not empty.
fn is_solid(expr: &Expr, rules: &[bool], productive: &[bool]) -> bool {
    match expr {
        Expr::Bytes(bytes) => !bytes.is_empty(),
        Expr::Regular(regex) => regex.shortest_nonempty(crate::regex::StateId::START).is_some(),
        Expr::Special(_) => true,
        Expr::Sequence(parts) => {
            parts.iter().all(|part| finishes(part, productive))
                && parts.iter().any(|part| is_solid(part, rules, productive))
        }
        Expr::Choice(parts) => parts.iter().any(|part| is_solid(part, rules, productive)),
        Expr::Repeat { body, max, .. } => *max != Some(0) && is_solid(body, rules, productive),
        Expr::Rule(rule) => rules[rule.index()],
    }
}

/// The strongly connected components of a graph, each after those that it leads to (R. Tarjan, 1972).
pub(super) fn components(edges: &[Vec<usize>]) -> Vec<Vec<usize>> {
    const NEW: usize = usize::MAX;
    let (mut found, mut open) = (Vec::new(), Vec::new());
    let (mut number, mut low) = (vec![NEW; edges.len()], vec![0; edges.len()]);
    let mut closed = vec![false; edges.len()];
    let mut count = 0;
    for root in 0..edges.len() {
        let mut path = if number[root] == NEW { vec![(root, 0)] } else { Vec::new() };
        while let Some((node, at)) = path.last_mut() {
            let node = *node;
            if *at == 0 {
                (number[node], low[node]) = (count, count);
                count += 1;
                open.push(node);
            }
            match edges[node].get(*at) {
                Some(&next) => {
                    *at += 1;
                    if number[next] == NEW {
                        path.push((next, 0));
                    } else if !closed[next] {
                        low[node] = low[node].min(number[next]);
                    }
                }
                None => {
                    path.pop();
                    if let Some((parent, _)) = path.last() {
                        low[*parent] = low[*parent].min(low[node]);
                    }
                    if low[node] == number[node] {
                        let from = open.iter().rposition(|other| *other == node).unwrap_or(0);
                        let component = open.split_off(from);
                        component.iter().for_each(|member| closed[*member] = true);
                        found.push(component);
                    }
                }
            }
        }
    }
    found
}
