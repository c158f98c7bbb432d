//! Cuts the tokens into statements, and reads rules and directives from them.
//!
//! A rule or directive begins in the first column. Lines that are indented or begin with `|` continue the rule above. A
//! mistake ends its statement only, so that one file can report several.

use std::collections::HashMap;

use gramask_ner::nearest;

use super::ast::{Directives, Rule, RuleId, Span};
use super::directives;
use super::lexer::{Token, TokenKind};
use super::parser::{Parser, describe};
use super::problem::{MAX_RULES, Problem};
use super::report::{Located, line_number};

/// A file's rules, in order, with every name resolved. Where problems were found, some are missing.
pub(super) struct Parsed {
    pub directives: Directives,
    pub rules: Vec<Rule>,
    pub problems: Vec<Located>,
}

pub(super) fn parse(source: &str, tokens: &[Token]) -> Parsed {
    let statements = statements(tokens);
    let mut problems = Vec::new();
    let mut directives = Directives::default();
    let mut given = HashMap::new();

    // Names first, since a rule may be used before its line.
    let mut ids: HashMap<&str, RuleId> = HashMap::new();
    let mut first_line: HashMap<&str, usize> = HashMap::new();
    let mut bodies: Vec<(&str, &[Token])> = Vec::new();
    for &statement in &statements {
        match statement {
            [Token { kind: TokenKind::Directive(name), span, .. }, values @ ..] => {
                directives::read(source, (name, *span), values, &mut given, &mut directives, &mut problems);
            }
            [Token { kind: TokenKind::Name(name), span, .. }, ..] => {
                let line = line_number(source, span.start);
                if let Some(&first_line) = first_line.get(name.as_str()) {
                    problems.push((*span, Problem::RuleTwice { name: name.clone(), first_line }));
                } else {
                    first_line.insert(name, line);
                    ids.insert(name, RuleId(bodies.len() as u32));
                }
                bodies.push((name, statement));
            }
            [token, ..] if token.kind != TokenKind::Bad => {
                let expected = "a rule (`name: ...`) or a directive (`%name ...`)".to_owned();
                problems.push((token.span, Problem::Expected { expected, found: describe(source, token) }));
            }
            _ => {}
        }
    }
    if bodies.len() > MAX_RULES {
        let (_, statement) = bodies[MAX_RULES];
        problems.push((statement[0].span, Problem::TooManyRules { given: bodies.len() }));
        return Parsed { directives, rules: Vec::new(), problems };
    }
    // A rule that was written in the wrong column is reported as that, not as missing wherever it is used.
    let indented: Vec<&str> = tokens
        .windows(2)
        .filter(|pair| pair[1].kind == TokenKind::Colon)
        .filter_map(|pair| match &pair[0].kind {
            TokenKind::Name(name) => Some(name.as_str()),
            _ => None,
        })
        .collect();

    let mut rules = Vec::new();
    for (name, statement) in bodies {
        let mut parser = Parser::new(source, statement, (&ids, &indented), &mut problems);
        match parser.rule(name) {
            Ok(expr) => {
                let span = statement[0].span.to(expr.span);
                rules.push(Rule { name: name.to_owned(), expr, span });
            }
            Err(problem) => problems.extend(problem),
        }
    }
    if !ids.contains_key("start") && !indented.contains(&"start") {
        let near = nearest("start", ids.keys().copied()).map(str::to_owned);
        // Shown at the rule of the near name, else at the first rule, else at the file's end.
        let at = rules.iter().find(|rule| near.as_ref() == Some(&rule.name)).or(rules.first());
        let span = at.map_or(Span::new(source.len(), source.len()), Rule::name_span);
        problems.push((span, Problem::MissingStart { near }));
    }
    Parsed { directives, rules, problems }
}

/// Cuts the tokens at each line that begins a rule or a directive.
fn statements(tokens: &[Token]) -> Vec<&[Token]> {
    let mut statements = Vec::new();
    let mut start = 0;
    for (at, token) in tokens.iter().enumerate() {
        let in_directive = matches!(tokens[start].kind, TokenKind::Directive(_));
        let goes_on = matches!(token.kind, TokenKind::Bar | TokenKind::Close(_)) && !in_directive;
        let directive = token.first_in_line && matches!(token.kind, TokenKind::Directive(_));
        let cut = directive || (token.flush_left && !goes_on) || (token.first_in_line && in_directive);
        if cut && at > start {
            statements.push(&tokens[start..at]);
            start = at;
        }
    }
    if start < tokens.len() {
        statements.push(&tokens[start..]);
    }
    statements
}
