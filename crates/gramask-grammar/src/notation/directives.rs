//! The `%` lines.

use std::collections::HashMap;

use super::ast::{Boundaries, Directives, Escape, Order, Span, Syntax};
use super::lexer::{Token, TokenKind};
use super::parser::describe;
use super::problem::{DIRECTIVES, Problem};
use super::report::{Located, line_number};

/// Reads one directive, `name` and the tokens behind it, into `directives`; `given` holds those read before and their
/// lines.
pub(super) fn read(
    source: &str,
    (name, span): (&str, Span),
    values: &[Token],
    given: &mut HashMap<&'static str, usize>,
    directives: &mut Directives,
    problems: &mut Vec<Located>,
) {
    let Some(&(directive, expected)) = DIRECTIVES.iter().find(|(known, _)| *known == name) else {
        problems.push((span, Problem::UnknownDirective { name: name.to_owned() }));
        return;
    };
    if let Some(&first_line) = given.get(directive) {
        problems.push((span, Problem::DirectiveTwice { directive, first_line }));
        return;
    }
    given.insert(directive, line_number(source, span.start));
    if values.iter().any(|token| token.kind == TokenKind::Bad) {
        return;
    }
    let mut words = Vec::new();
    for token in values {
        match &token.kind {
            TokenKind::Name(word) => words.push((word.as_str(), None)),
            TokenKind::Text(text) => words.push(("\"", Some(text.as_str()))),
            _ => words.push(("", None)),
        }
    }
    // How many of the tokens were understood: a value, for one escape two.
    let understood = set(directive, &words, directives);
    if understood == values.len() && understood > 0 {
        return;
    }
    let (at, found) = match values.get(understood) {
        Some(token) => (token.span, describe(source, token)),
        None => (Span::new(span.end, span.end), "nothing".to_owned()),
    };
    let at = if values.get(understood).is_none() && understood > 0 {
        values[understood - 1].span
    } else {
        at
    };
    problems.push((
        at,
        Problem::DirectiveValue {
            directive,
            found,
            expected,
        },
    ));
}

/// Sets what the words say, and returns how many of them were understood.
fn set(directive: &str, words: &[(&str, Option<&str>)], directives: &mut Directives) -> usize {
    let Some(&(word, _)) = words.first() else { return 0 };
    match (directive, word) {
        ("escape", "none") => directives.escape = Escape::None,
        ("escape", "json") => directives.escape = Escape::Json,
        ("escape", "xml") => directives.escape = Escape::Xml,
        ("escape", "csv") => directives.escape = Escape::Csv,
        ("escape", "backslash") => {
            let Some(&(_, Some(characters))) = words.get(1) else {
                return 1;
            };
            directives.escape = Escape::Backslash(characters.chars().filter(|&c| c != '\\').collect());
            return 2;
        }
        ("order", "document") => directives.order = Order::Document,
        ("order", "any") => directives.order = Order::Any,
        ("pass", "label") => directives.pass_label = true,
        ("boundaries", "words") => directives.boundaries = Boundaries::Words,
        ("boundaries", "characters") => directives.boundaries = Boundaries::Characters,
        ("syntax", "json") => directives.syntax = Some(Syntax::Json),
        ("syntax", "xml") => directives.syntax = Some(Syntax::Xml),
        ("syntax", "python") => directives.syntax = Some(Syntax::Python),
        ("syntax", "csv") => directives.syntax = Some(Syntax::Csv),
        ("syntax", "yaml") => directives.syntax = Some(Syntax::Yaml),
        ("syntax", "markdown") => directives.syntax = Some(Syntax::Markdown),
        _ => return 0,
    }
    1
}
