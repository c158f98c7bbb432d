//! The parser of expressions, by recursive descent.

use std::collections::HashMap;

use gramask_ner::nearest;

use super::ast::{Expr, ExprKind, RuleId, Span, Terminal};
use super::lexer::{Token, TokenKind};
use super::pattern;
use super::problem::{MAX_DEPTH, MAX_REPEAT, Problem};
use super::report::Located;

/// A token as messages show it.
pub(super) fn describe(source: &str, token: &Token) -> String {
    match token.kind {
        TokenKind::Text(_) => "a string".to_owned(),
        TokenKind::Regex(_) => "a regex".to_owned(),
        _ => format!("`{}`", &source[token.span.start..token.span.end]),
    }
}

/// `Err(None)`: the place has been reported already.
pub(super) type Parse<T> = Result<T, Option<Located>>;

pub(super) struct Parser<'a> {
    source: &'a str,
    tokens: &'a [Token],
    at: usize,
    ids: &'a HashMap<&'a str, RuleId>,
    indented: &'a [&'a str],
    problems: &'a mut Vec<Located>,
}

impl<'a> Parser<'a> {
    /// A parser of the tokens of one rule, its name first; with the rules that there are, and the names of those that
    /// stand in the wrong column and are reported as that.
    pub fn new(
        source: &'a str,
        tokens: &'a [Token],
        (ids, indented): (&'a HashMap<&'a str, RuleId>, &'a [&'a str]),
        problems: &'a mut Vec<Located>,
    ) -> Self {
        Parser { source, tokens, at: 1, ids, indented, problems }
    }

    fn peek(&self) -> Option<&'a Token> {
        self.tokens.get(self.at)
    }

    fn peek_kind(&self) -> Option<&'a TokenKind> {
        self.peek().map(|token| &token.kind)
    }

    fn next(&mut self) -> Option<&'a Token> {
        let token = self.peek();
        self.at += usize::from(token.is_some());
        token
    }

    /// After the last token that was read.
    fn after(&self) -> Span {
        let end = self.tokens[self.at - 1].span.end;
        Span::new(end, end)
    }

    fn expected<T>(&self, expected: &str) -> Parse<T> {
        let expected = expected.to_owned();
        match self.peek() {
            Some(token) if token.kind == TokenKind::Bad => Err(None),
            Some(token) => Err(Some((token.span, Problem::Expected { expected, found: describe(self.source, token) }))),
            None => {
                let found = "the end of the line".to_owned();
                Err(Some((self.after(), Problem::Expected { expected, found })))
            }
        }
    }

    /// `: expression`, after the name.
    pub fn rule(&mut self, name: &str) -> Parse<Expr> {
        match self.peek_kind() {
            Some(TokenKind::Colon) => self.at += 1,
            _ => return self.expected(&format!("`:` after the rule's name `{name}`")),
        }
        if self.peek().is_none() {
            return Err(Some((self.tokens[0].span, Problem::EmptyRule { name: name.to_owned() })));
        }
        let expr = self.choice(0)?;
        match self.peek() {
            None => Ok(expr),
            Some(Token { kind: TokenKind::Close(close), span, .. }) => {
                Err(Some((*span, Problem::Unopened { close: *close })))
            }
            Some(_) => self.expected("an expression"),
        }
    }

    fn choice(&mut self, depth: usize) -> Parse<Expr> {
        let mut alternatives = vec![self.sequence(depth)?];
        while self.peek_kind() == Some(&TokenKind::Bar) {
            self.at += 1;
            alternatives.push(self.sequence(depth)?);
        }
        Ok(joined(alternatives, ExprKind::Choice))
    }

    fn sequence(&mut self, depth: usize) -> Parse<Expr> {
        let here = self.after();
        let mut parts = Vec::new();
        while let Some(token) = self.peek() {
            match &token.kind {
                TokenKind::Bar | TokenKind::Close(_) => break,
                TokenKind::Name(name)
                    if self.tokens.get(self.at + 1).is_some_and(|next| next.kind == TokenKind::Colon) =>
                {
                    return Err(Some((token.span, Problem::IndentedRule { name: name.clone() })));
                }
                _ => parts.push(self.item(depth)?),
            }
        }
        if parts.is_empty() {
            return Ok(Expr { kind: ExprKind::Empty, span: here });
        }
        Ok(joined(parts, ExprKind::Sequence))
    }

    /// An atom and the repeat operator after it.
    fn item(&mut self, depth: usize) -> Parse<Expr> {
        let body = self.atom(depth)?;
        let Some((min, max, operator)) = self.repeat()? else {
            return Ok(body);
        };
        let span = body.span.to(operator);
        if let Some(second) = self.peek().and_then(|token| operator_name(&token.kind)) {
            let span = self.peek().map_or(span, |token| token.span);
            return Err(Some((span, Problem::DoubleRepeat { operator: second })));
        }
        Ok(Expr { kind: ExprKind::Repeat { body: Box::new(body), min, max }, span })
    }

    fn repeat(&mut self) -> Parse<Option<(u32, Option<u32>, Span)>> {
        let Some(token) = self.peek() else { return Ok(None) };
        let bounds = match token.kind {
            TokenKind::Star => (0, None),
            TokenKind::Plus => (1, None),
            TokenKind::Question => (0, Some(1)),
            TokenKind::Tilde => {
                self.at += 1;
                return self.counted(token.span).map(Some);
            }
            _ => return Ok(None),
        };
        self.at += 1;
        Ok(Some((bounds.0, bounds.1, token.span)))
    }

    /// `m` or `m..n`, after the `~` at `start`.
    fn counted(&mut self, start: Span) -> Parse<(u32, Option<u32>, Span)> {
        let min = self.number("a number after `~`")?;
        let mut max = min;
        if self.peek_kind() == Some(&TokenKind::Range) {
            self.at += 1;
            max = self.number("a number after `..` (`+` and `*` repeat without bound)")?;
        }
        let span = start.to(self.after());
        let problem = if max < min {
            Problem::RepeatReversed { min, max }
        } else if max == 0 {
            Problem::RepeatZero
        } else if max > MAX_REPEAT {
            Problem::RepeatTooLarge { given: max.to_string() }
        } else {
            return Ok((min, Some(max), span));
        };
        Err(Some((span, problem)))
    }

    fn number(&mut self, expected: &str) -> Parse<u32> {
        match self.peek_kind() {
            Some(TokenKind::Number(number)) => {
                self.at += 1;
                Ok(*number)
            }
            _ => self.expected(expected),
        }
    }

    fn atom(&mut self, depth: usize) -> Parse<Expr> {
        let Some(token) = self.next() else {
            return self.expected("an expression");
        };
        let span = token.span;
        let kind = match &token.kind {
            TokenKind::Open(open) => return self.group(*open, span, depth),
            TokenKind::Text(text) if text.is_empty() => return Err(Some((span, Problem::EmptyString))),
            TokenKind::Text(text) => ExprKind::Literal(text.clone().into_bytes()),
            TokenKind::Regex(regex) => {
                pattern::check(regex, span, self.problems);
                ExprKind::Regex(regex.clone())
            }
            TokenKind::Name(name) => return Ok(self.reference(name, span)),
            TokenKind::Terminal(name) if name == "each" => return self.each(span),
            TokenKind::Terminal(name) => match Terminal::from_name(name) {
                Some(terminal) => ExprKind::Terminal(terminal),
                None => {
                    self.problems.push((span, Problem::UnknownTerminal { name: name.clone() }));
                    ExprKind::Empty
                }
            },
            TokenKind::Bad => ExprKind::Empty,
            TokenKind::Range => {
                let (what, instead) = ("a range of characters", "write a regex: /[a-z]/");
                return Err(Some((span, Problem::NotSupported { what, instead })));
            }
            kind => {
                if let Some(operator) = operator_name(kind) {
                    return Err(Some((span, Problem::NothingToRepeat { operator })));
                }
                self.at -= 1;
                return self.expected("an expression");
            }
        };
        Ok(Expr { kind, span })
    }

    /// What stands in `( )` or `[ ]`, and the closing one.
    fn group(&mut self, open: char, start: Span, depth: usize) -> Parse<Expr> {
        if depth == MAX_DEPTH {
            return Err(Some((start, Problem::TooDeep)));
        }
        let close = if open == '(' { ')' } else { ']' };
        if let Some(token) = self.peek().filter(|token| token.kind == TokenKind::Close(close)) {
            return Err(Some((start.to(token.span), Problem::EmptyGroup)));
        }
        let mut expr = self.choice(depth + 1)?;
        match self.peek() {
            Some(token) if token.kind == TokenKind::Close(close) => {
                self.at += 1;
                let span = start.to(token.span);
                if open == '[' {
                    let body = Box::new(expr);
                    return Ok(Expr { kind: ExprKind::Repeat { body, min: 0, max: Some(1) }, span });
                }
                expr.span = span;
                Ok(expr)
            }
            _ => Err(Some((start, Problem::Unclosed { open }))),
        }
    }

    /// A use of a rule.
    fn reference(&mut self, name: &str, span: Span) -> Expr {
        let kind = match self.ids.get(name) {
            Some(&id) => ExprKind::Rule(id),
            None => {
                if !self.indented.contains(&name) {
                    let near = nearest(name, self.ids.keys().copied()).map(str::to_owned);
                    self.problems.push((span, Problem::UndefinedRule { name: name.to_owned(), near }));
                }
                ExprKind::Empty
            }
        };
        Expr { kind, span }
    }

    /// `(rule, "separator")`, after the `@each` at `start`.
    fn each(&mut self, start: Span) -> Parse<Expr> {
        let shape = "`@each(rule, \"separator\")`";
        let Some(TokenKind::Open('(')) = self.peek_kind() else {
            return self.expected(shape);
        };
        self.at += 1;
        let Some(Token { kind: TokenKind::Name(name), span, .. }) = self.peek() else {
            return self.expected(shape);
        };
        self.at += 1;
        let rule = self.reference(name, *span);
        let Some(TokenKind::Comma) = self.peek_kind() else {
            return self.expected(shape);
        };
        self.at += 1;
        let Some(TokenKind::Text(separator)) = self.peek_kind() else {
            return self.expected(shape);
        };
        self.at += 1;
        let Some(TokenKind::Close(')')) = self.peek_kind() else {
            return self.expected(shape);
        };
        self.at += 1;
        let kind = match rule.kind {
            ExprKind::Rule(rule) => ExprKind::Each { rule, separator: separator.clone().into_bytes() },
            _ => ExprKind::Empty,
        };
        Ok(Expr { kind, span: start.to(self.after()) })
    }
}

fn operator_name(kind: &TokenKind) -> Option<&'static str> {
    match kind {
        TokenKind::Star => Some("*"),
        TokenKind::Plus => Some("+"),
        TokenKind::Question => Some("?"),
        TokenKind::Tilde => Some("~"),
        _ => None,
    }
}

/// One part is itself; several are `kind` of them. The caller gives at least one.
fn joined(mut parts: Vec<Expr>, kind: impl Fn(Vec<Expr>) -> ExprKind) -> Expr {
    if parts.len() > 1 {
        let span = parts.iter().fold(parts[0].span, |span, part| span.to(part.span));
        return Expr { kind: kind(parts), span };
    }
    parts.remove(0)
}
