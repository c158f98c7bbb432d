//! Finds terminals that mean nothing at their place.
//!
//! One kind of format passes over the document with a cursor (`@copy @word @skip`). The other kind refers to it (`@text` and
//! positions). Every way of writing an entity needs a label and a place, and terminals of the entity need an entity.

use super::ast::{ExprKind, Grammar, RuleId, Span, Terminal};
use super::check::{can_avoid, cycle, fixpoint, most, names, reachable, uses};
use super::problem::Problem;
use super::report::{Located, line_number};

pub(super) fn problems(source: &str, grammar: &Grammar) -> Vec<Located> {
    let checks = Checks::new(source, grammar);
    let mut problems = Vec::new();
    checks.terminals(&mut problems);
    checks.each(&mut problems);
    let mixed = checks.mixed(&mut problems);
    if let Some(entity) = grammar.entity.filter(|entity| checks.used[entity.index()]) {
        checks.entity(entity, mixed, &mut problems);
    }
    problems
}

struct Checks<'a> {
    source: &'a str,
    grammar: &'a Grammar,
    /// Rules that `start` leads to.
    used: Vec<bool>,
    /// Rules that are used outside all entities.
    outside: Vec<bool>,
    /// Rules that are used outside all entities and outside `@each`.
    unlabelled: Vec<bool>,
    /// Rules that are used inside an entity.
    inside: Vec<bool>,
}

impl<'a> Checks<'a> {
    fn new(source: &'a str, grammar: &'a Grammar) -> Self {
        let enters = |kind: &ExprKind| match kind {
            ExprKind::Rule(rule) | ExprKind::Each { rule, .. } => Some(*rule) == grammar.entity,
            _ => false,
        };
        let outside = reachable(grammar, grammar.start, |expr| !enters(&expr.kind));
        let unlabelled = reachable(grammar, grammar.start, |expr| {
            !enters(&expr.kind) && !matches!(expr.kind, ExprKind::Each { .. })
        });
        let used = reachable(grammar, grammar.start, |_| true);
        let inside = match grammar.entity.filter(|entity| used[entity.index()]) {
            Some(entity) => reachable(grammar, entity, |_| true),
            None => vec![false; grammar.rules.len()],
        };
        Checks { source, grammar, used, outside, unlabelled, inside }
    }

    /// The terminals of the rules that are used, in the order of the file, with the rule that holds them.
    fn each_terminal(&self, mut visit: impl FnMut(usize, Terminal, Span)) {
        for (index, rule) in self.grammar.rules.iter().enumerate() {
            rule.expr.walk(&mut |expr| match expr.kind {
                ExprKind::Terminal(terminal) if self.used[index] => visit(index, terminal, expr.span),
                _ => {}
            });
        }
    }

    fn terminals(&self, problems: &mut Vec<Located>) {
        self.each_terminal(|index, terminal, span| {
            let wrong = match terminal {
                Terminal::Label => self.unlabelled[index] && !self.grammar.directives.pass_label,
                terminal => terminal.is_reference() && self.outside[index],
            };
            if wrong {
                let rule = self.grammar.rules[index].name.clone();
                let problem = Problem::OutsideEntity { terminal, rule, also_inside: self.inside[index] };
                problems.push((span, problem));
            }
        });
    }

    fn each(&self, problems: &mut Vec<Located>) {
        let grammar = self.grammar;
        let mut below_each = vec![false; grammar.rules.len()];
        let mut uses_of_each = Vec::new();
        for (index, rule) in grammar.rules.iter().enumerate().filter(|(index, _)| self.used[*index]) {
            rule.expr.walk(&mut |expr| {
                if let ExprKind::Each { rule, .. } = expr.kind {
                    let below = reachable(grammar, rule, |_| true);
                    below_each.iter_mut().zip(&below).for_each(|(all, one)| *all |= one);
                    uses_of_each.push((index, rule, expr.span, below));
                }
            });
        }
        let again = most(grammar, |kind| matches!(kind, ExprKind::Each { .. }))[grammar.start.index()] > 1;
        let mut nested = false;
        for (index, rule, span, below) in &uses_of_each {
            let (index, rule, span) = (*index, *rule, *span);
            let place = if self.inside[index] {
                Some("inside an entity")
            } else if below_each[index] {
                Some("inside `@each`")
            } else if grammar.directives.pass_label {
                Some("in a format with `%pass label`")
            } else {
                None
            };
            if let Some(place) = place {
                problems.push((span, Problem::EachInside { place }));
                nested = true;
                continue;
            }
            let mut labels = grammar.entity.is_some_and(|entity| below[entity.index()]);
            self.each_terminal(|index, terminal, _| labels |= below[index] && terminal == Terminal::Label);
            if !labels {
                problems.push((span, Problem::EachWithoutLabel { rule: grammar.rule(rule).name.clone() }));
            }
        }
        if let Some((_, _, span, _)) = uses_of_each.last().filter(|_| again && !nested) {
            problems.push((*span, Problem::EachTwice));
        }
    }

    /// Whether cursor and reference are mixed, which is reported.
    fn mixed(&self, problems: &mut Vec<Located>) -> bool {
        let mut first: Option<(Terminal, usize)> = None;
        let mut reported = false;
        self.each_terminal(|_, terminal, span| {
            if terminal == Terminal::Label || reported {
                return;
            }
            match first {
                None => first = Some((terminal, line_number(self.source, span.start))),
                Some((earlier, first_line)) if earlier.is_cursor() != terminal.is_cursor() => {
                    problems.push((span, Problem::Mixed { earlier, first_line, later: terminal }));
                    reported = true;
                }
                Some(_) => {}
            }
        });
        reported
    }

    fn entity(&self, entity: RuleId, mixed: bool, problems: &mut Vec<Located>) {
        let grammar = self.grammar;
        let span = grammar.rule(entity).name_span();
        let mut cursor = false;
        self.each_terminal(|_, terminal, _| cursor |= terminal.is_cursor());

        // An entity without `@each` around it has only its own label; that of an entity inside it is not its own.
        let bare = self.unlabelled.iter().zip(&grammar.rules).any(|(&unlabelled, rule)| {
            let mut uses_entity = false;
            rule.expr.walk(&mut |expr| uses_entity |= expr.kind == ExprKind::Rule(entity));
            unlabelled && uses_entity
        });
        if bare && !grammar.directives.pass_label {
            let label = |kind: &ExprKind| *kind == ExprKind::Terminal(Terminal::Label);
            let without = fixpoint(grammar, |expr, rules| {
                let mut rules = rules.to_vec();
                rules[entity.index()] = true;
                can_avoid(expr, &rules, &|expr| label(&expr.kind))
            });
            if without[entity.index()] {
                problems.push((span, Problem::EntityWithoutLabel));
            }
        }

        // The place is settled by what the cursor passes; or by the surface, or by where it starts and where it ends.
        let avoidable = |hidden: &dyn Fn(Terminal) -> bool| {
            let hides = |kind: &ExprKind| matches!(kind, ExprKind::Terminal(terminal) if hidden(*terminal));
            fixpoint(grammar, |expr, rules| can_avoid(expr, rules, &|expr| hides(&expr.kind)))[entity.index()]
        };
        let starts = |terminal| matches!(terminal, Terminal::Text | Terminal::Start | Terminal::First);
        let ends = |terminal| matches!(terminal, Terminal::Text | Terminal::End | Terminal::Last);
        let unplaced = if cursor { avoidable(&Terminal::is_cursor) } else { avoidable(&starts) || avoidable(&ends) };
        if unplaced && !mixed {
            problems.push((span, Problem::EntityWithoutFragment { cursor }));
        }

        if !cursor {
            let edges: Vec<_> = grammar.rules.iter().map(|rule| uses(&rule.expr)).collect();
            if let Some(cycle) = cycle(&edges, entity) {
                problems.push((cycle.span, Problem::NestedReference { cycle: names(grammar, &cycle.rules) }));
            }
        }
    }
}
