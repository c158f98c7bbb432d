//! Directives, such as `%escape json`.

use std::collections::HashMap;

use crate::escape::LETTERS;

use super::ast::{Boundaries, Directives, Escape, Order, Span, Syntax};
use super::help::DIRECTIVES;
use super::lexer::{Token, TokenKind};
use super::parser::describe;
use super::problem::Problem;
use super::report::{Located, line_number};

/// Reads one directive, `name` and the tokens after it, into `directives`; `given` holds those read before and their
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
    let words: Vec<Word> = values
        .iter()
        .map(|token| match &token.kind {
            TokenKind::Name(name) => Word::Name(name),
            TokenKind::Text(text) => Word::Text(text),
            _ => Word::Other,
        })
        .collect();
    let Err(wrong) = set(directive, &words, directives) else {
        return;
    };
    let (at, found) = match values.get(wrong) {
        Some(token) => (token.span, Some(describe(source, token))),
        None => (values.last().map_or(span, |token| token.span), None),
    };
    problems.push((at, Problem::DirectiveValue { directive, found, expected }));
}

#[derive(Clone, Copy)]
enum Word<'a> {
    Name(&'a str),
    Text(&'a str),
    Other,
}

/// Sets what the words say. The error is the number of the word, from 0, that is wrong, missing or one too many.
fn set(directive: &str, words: &[Word], directives: &mut Directives) -> Result<(), usize> {
    let Some(&Word::Name(word)) = words.first() else {
        return Err(0);
    };
    let mut taken = 1;
    match (directive, word) {
        ("escape", "none") => directives.escape = Escape::None,
        ("escape", "json") => directives.escape = Escape::Json,
        ("escape", "xml") => directives.escape = Escape::Xml,
        ("escape", "csv") => directives.escape = Escape::Csv,
        ("escape", "yaml") => directives.escape = Escape::Yaml,
        ("escape", "markdown") => directives.escape = Escape::Markdown,
        ("escape", "backslash") => {
            let Some(Word::Text(characters)) = words.get(1) else {
                return Err(1);
            };
            // `\n` can't be a line feed and an `n`.
            let twofold = |&(c, letter): &(char, char)| characters.contains(c) && characters.contains(letter);
            if LETTERS.iter().any(twofold) {
                return Err(1);
            }
            directives.escape = Escape::Backslash(characters.chars().filter(|&c| c != '\\').collect());
            taken = 2;
        }
        ("order", "document") => directives.order = Order::Document,
        ("order", "any") => directives.order = Order::Any,
        ("pass", "label") => directives.pass_label = true,
        ("boundaries", "words") => directives.boundaries = Boundaries::Words,
        ("boundaries", "characters") => directives.boundaries = Boundaries::Characters,
        ("syntax", "json") => directives.syntax = Some(Syntax::Json),
        ("syntax", "jsonl") => directives.syntax = Some(Syntax::Jsonl),
        ("syntax", "xml") => directives.syntax = Some(Syntax::Xml),
        ("syntax", "python") => directives.syntax = Some(Syntax::Python),
        ("syntax", "csv") => directives.syntax = Some(Syntax::Csv),
        ("syntax", "yaml") => directives.syntax = Some(Syntax::Yaml),
        ("syntax", "markdown") => directives.syntax = Some(Syntax::Markdown),
        _ => return Err(0),
    }
    if words.len() > taken { Err(taken) } else { Ok(()) }
}
