//! No format lets a model write anything without end: neither white space nor lists, at neither level.

use std::collections::HashMap;

use gramask_grammar::notation::ast::{Expr, ExprKind, Grammar};
use gramask_grammar::{Constraint, Format, Level, Program, State, Token, Vocabulary};
use gramask_ner::{Schema, Text};

/// Whether an expression has a finite output that neither passes over the document nor names an entity. Both are used up:
/// the document has an end, and no entity is named twice. A text alone is not, at level `syntax`.
fn idles(expr: &Expr, rules: &[bool]) -> bool {
    match &expr.kind {
        ExprKind::Terminal(terminal) => !terminal.is_cursor(),
        ExprKind::Sequence(parts) => parts.iter().all(|part| idles(part, rules)),
        ExprKind::Choice(parts) => parts.iter().any(|part| idles(part, rules)),
        ExprKind::Repeat { body, min, .. } => *min == 0 || idles(body, rules),
        ExprKind::Rule(rule) | ExprKind::Each { rule, .. } => rules[rule.index()],
        ExprKind::Empty | ExprKind::Literal(_) | ExprKind::Regex(_) => true,
    }
}

/// Loops and regular expressions that can go on for ever.
fn endless(grammar: &Grammar) -> Vec<&Expr> {
    let mut rules = vec![false; grammar.rules.len()];
    loop {
        let mut next: Vec<bool> = grammar.rules.iter().map(|rule| idles(&rule.expr, &rules)).collect();
        if let Some(entity) = grammar.entity {
            next[entity.index()] = false;
        }
        if next == rules {
            break;
        }
        rules = next;
    }
    let mut found = Vec::new();
    for rule in &grammar.rules {
        rule.expr.walk(&mut |expr| {
            let bad = match &expr.kind {
                ExprKind::Repeat { body, max, .. } => max.is_none() && idles(body, &rules),
                ExprKind::Regex(regex) => {
                    let hir = regex_automata::util::syntax::parse(regex).expect("checked by the format's parser");
                    hir.properties().maximum_len().is_none()
                }
                _ => false,
            };
            if bad {
                found.push(expr);
            }
        });
    }
    found
}

#[test]
fn every_loop_passes_the_document_or_names_an_entity() {
    for name in Format::builtin() {
        let format = Format::named(name).unwrap();
        assert_eq!(endless(&format.grammar), Vec::<&Expr>::new(), "{name}");
    }
    // The test can fail.
    for (rules, loops) in [
        ("start: \" \"* entity", 1),
        ("start: /[ \\n]+/ entity", 1),
        ("start: /[ \\n]{1,3}/ entity*", 0),
        ("start: (entity | blank)*\nblank: \" \" | \"\\t\"", 1),
        ("start: (entity blank)*\nblank: \" \" | \"\\t\"", 0),
    ] {
        let source = format!("{rules}\nentity: @label (\": \" @text)+\n");
        let format = Format::parse("test", source).unwrap();
        // The texts of an entity are one more.
        assert_eq!(endless(&format.grammar).len(), loops + 1, "{rules}");
    }
}

/// Follows every byte from every state. The longest output in bytes; `None` where a state leads back to itself.
fn longest(constraint: &mut Constraint) -> Option<usize> {
    enum Known {
        Open,
        Longest(usize),
    }
    let mut known: HashMap<State, Known> = HashMap::new();
    let mut stack = vec![(constraint.start(), Vec::new(), 0)];
    known.insert(constraint.start(), Known::Open);
    while let Some((state, targets, at)) = stack.last_mut() {
        if *at == 0 {
            *targets = (0..=255u8).filter_map(|byte| constraint.advance_bytes(*state, &[byte])).collect();
            targets.sort_unstable();
            targets.dedup();
        }
        match targets.get(*at) {
            Some(&target) => {
                *at += 1;
                match known.get(&target) {
                    Some(Known::Open) => return None,
                    Some(Known::Longest(_)) => {}
                    None => {
                        known.insert(target, Known::Open);
                        stack.push((target, Vec::new(), 0));
                    }
                }
            }
            None => {
                let below = |target: &State| match known[target] {
                    Known::Longest(length) => length + 1,
                    Known::Open => 0,
                };
                let length = targets.iter().map(below).max().unwrap_or(0);
                known.insert(*state, Known::Longest(length));
                stack.pop();
            }
        }
    }
    match known[&constraint.start()] {
        Known::Longest(length) => Some(length),
        Known::Open => None,
    }
}

/// The longest output over a document.
fn longest_of(format: &Format, text: &str, labels: &[&str], level: Level) -> Option<usize> {
    let mut tokens: Vec<Token> = (0..=255u8).map(|byte| Token::new([byte])).collect();
    tokens.push(Token::special("<end>"));
    let vocabulary = Vocabulary::new(tokens, vec![256]).unwrap();
    let labels = if format.grammar.directives.pass_label { &labels[..1] } else { labels };
    let program = Program::compile(format, &Schema::new(labels.iter().copied())).unwrap();
    longest(&mut Constraint::with_slack(program, &Text::new(text), level, vocabulary, 0).unwrap())
}

#[test]
fn every_output_ends() {
    for name in Format::builtin() {
        let format = Format::named(name).unwrap();
        for (text, labels, level, most) in [
            ("", &["X"][..], Level::Grounded, 40),
            ("a b a", &["X", "Y"][..], Level::Grounded, 1000),
            ("", &["X"][..], Level::Syntax, 40),
            ("a", &["X"][..], Level::Syntax, 120),
        ] {
            // Where entities have several parts the list is bounded by a million of them: too many to follow.
            if format.discontinuous() && level == Level::Syntax {
                continue;
            }
            let longest = longest_of(&format, text, labels, level);
            let longest = longest.unwrap_or_else(|| panic!("{name} {level}: an output of {text:?} never ends"));
            assert!(longest <= most, "{name} {level}: an output of {text:?} has {longest} bytes");
        }
    }
}

#[test]
fn an_endless_output_is_found() {
    let format = Format::parse("test", "start: \" \"* entity*\nentity: @label \": \" @text\n").unwrap();
    assert_eq!(longest_of(&format, "a", &["X"], Level::Grounded), None);
}
