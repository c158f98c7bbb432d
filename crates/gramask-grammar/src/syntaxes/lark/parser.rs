//! The parser of Lark's notation, by recursive descent. What has no equal meaning here is refused where it stands.

use super::super::error::Fault;
use super::super::limits;
use super::ast::{Definition, Lazy, Node, NodeKind, Source};
use super::lexer::{Kind, Token, tokens};
use super::values::{options, pieces};
use crate::notation::ast::Span;

/// Reads a source.
pub(super) fn parse(source: &str) -> Result<Source, Fault> {
    let tokens = tokens(source)?;
    let mut parser = Parser { text: source, tokens: &tokens, at: 0, source: Source::default() };
    loop {
        parser.newlines();
        if parser.peek().is_none() {
            return Ok(parser.source);
        }
        parser.item()?;
        match parser.peek() {
            None | Some(Kind::Newline) => {}
            Some(Kind::Sign(close @ (")" | "]" | "}"))) => {
                return Err(Fault::new(parser.here(), format!("this `{close}` was never opened"))
                    .help(format!("remove it; in the output it stands in quotes: \"{close}\"")));
            }
            Some(_) => return Err(parser.expected("the end of the line")),
        }
    }
}

struct Parser<'a> {
    text: &'a str,
    tokens: &'a [Token],
    at: usize,
    source: Source,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Option<&'a Kind> {
        self.tokens.get(self.at).map(|token| &token.kind)
    }

    fn is(&self, sign: &str) -> bool {
        matches!(self.peek(), Some(Kind::Sign(found)) if *found == sign)
    }

    fn eat(&mut self, sign: &str) -> bool {
        let here = self.is(sign);
        self.at += usize::from(here);
        here
    }

    fn newlines(&mut self) {
        while self.peek() == Some(&Kind::Newline) {
            self.at += 1;
        }
    }

    /// Where the next token stands.
    fn here(&self) -> Span {
        self.tokens.get(self.at).map_or(Span::new(self.text.len(), self.text.len()), |token| token.span)
    }

    /// From `start` to the last token that was read.
    fn from(&self, start: Span) -> Span {
        match self.at.checked_sub(1).and_then(|last| self.tokens.get(last)) {
            Some(last) if last.span.end >= start.start => Span::new(start.start, last.span.end.max(start.start)),
            _ => Span::new(start.start, start.start),
        }
    }

    fn expected(&self, what: &str) -> Fault {
        let found = match self.peek() {
            None => "the end of the file".to_owned(),
            Some(Kind::Newline) => "the end of the line".to_owned(),
            Some(Kind::Text { .. }) => "a string".to_owned(),
            Some(Kind::Regex { .. }) => "a regex".to_owned(),
            Some(_) => format!("`{}`", &self.text[self.here().start..self.here().end]),
        };
        Fault::new(self.here(), format!("expected {what}, found {found}"))
    }

    fn expect(&mut self, sign: &str) -> Result<(), Fault> {
        if self.eat(sign) { Ok(()) } else { Err(self.expected(&format!("`{sign}`"))) }
    }

    /// A rule, a terminal or a directive.
    fn item(&mut self) -> Result<(), Fault> {
        let span = self.here();
        match self.peek() {
            Some(Kind::Rule(name)) => {
                self.at += 1;
                let lazy = self.before_colon(true)?;
                let body = self.body()?;
                self.source.rules.push(Definition { name: name.clone(), span, body, lazy });
                Ok(())
            }
            Some(Kind::Terminal(name)) => {
                self.at += 1;
                let lazy = self.before_colon(false)?;
                let body = self.body()?;
                self.source.terminals.push(Definition { name: name.clone(), span, body, lazy });
                Ok(())
            }
            Some(Kind::Directive(name)) => {
                self.at += 1;
                self.directive(name, span)
            }
            Some(Kind::Sign("|")) => Err(Fault::new(span, "this `|` goes on with no rule")),
            _ => Err(self.expected("a rule (`name: ...`), a terminal (`NAME: ...`) or a directive (`%name ...`)")),
        }
    }

    fn body(&mut self) -> Result<Node, Fault> {
        self.expect(":")?;
        self.choice(0)
    }

    /// What may stand between a name and its colon.
    fn before_colon(&mut self, rule: bool) -> Result<Option<Lazy>, Fault> {
        let start = self.here();
        match self.peek() {
            Some(Kind::Sign("::")) => {
                return Err(Fault::new(start, "parameters of rules (`::`) are not supported")
                    .help("write a rule for each value of the parameter"));
            }
            Some(Kind::Sign("{")) => {
                return Err(Fault::new(start, "templates (`name{...}`) are not supported")
                    .help("write a rule for each use of the template"));
            }
            Some(Kind::Sign(".")) => {
                return Err(Fault::new(start, "priorities are not supported")
                    .help("remove the priority: all lexemes that match are followed, as llguidance does"));
            }
            Some(Kind::Sign("[")) if rule => self.at += 1,
            _ => return Ok(None),
        }
        let mut lazy = None;
        loop {
            let span = self.here();
            let Some(Kind::Rule(attribute)) = self.peek() else { return Err(self.expected("an attribute")) };
            self.at += 1;
            let help = match attribute.as_str() {
                "capture" => {
                    // It names what was written, and allows nothing else.
                    if self.eat("=") && !matches!(self.peek(), Some(Kind::Text { any_case: false, .. })) {
                        return Err(self.expected("a string"));
                    }
                    self.at += usize::from(matches!(self.peek(), Some(Kind::Text { .. })));
                    None
                }
                "lazy" => {
                    lazy = lazy.or(Some(Lazy { suffix: None }));
                    None
                }
                "suffix" => {
                    self.expect("=")?;
                    let suffix = self.atom(0)?;
                    if matches!(&suffix.kind, NodeKind::Text { text, .. } if text.is_empty()) {
                        Some("write `lazy`, or a text")
                    } else {
                        lazy = Some(Lazy { suffix: Some(suffix) });
                        None
                    }
                }
                "max_tokens" => Some("bound the text itself, as in /.{1,80}/"),
                "temperature" => Some("set the temperature of the whole run: --temperature"),
                "stop" | "stop_capture" => Some("write `suffix`, whose text belongs to the output"),
                _ => return Err(Fault::new(span, format!("unknown attribute `{attribute}`"))),
            };
            let Some(help) = help else {
                if self.eat(",") {
                    continue;
                }
                self.expect("]")?;
                return Ok(lazy);
            };
            return Err(Fault::new(span, format!("the attribute `{attribute}` is not supported")).help(help));
        }
    }

    fn directive(&mut self, name: &str, span: Span) -> Result<(), Fault> {
        match name {
            "ignore" => {
                let body = self.choice(0)?;
                self.source.ignored.push(body);
                Ok(())
            }
            "import" => self.import(),
            "llguidance" => {
                let Some(Kind::Json(value)) = self.peek() else { return Err(self.expected("JSON")) };
                let at = self.here();
                self.at += 1;
                options(value, at, &mut self.source.options)
            }
            "declare" => Err(Fault::new(span, "`%declare` is not supported")
                .help("a terminal needs a meaning: write `NAME: /.../`, or name a special token as <|name|>")),
            "override" | "extend" => Err(Fault::new(span, format!("`%{name}` is not supported"))
                .help("write the rule once, with all its alternatives")),
            _ => Err(Fault::new(span, format!("unknown directive `%{name}`"))
                .help("the directives are %ignore, %import and %llguidance")),
        }
    }

    /// `common.NAME`, `common.NAME -> OTHER` or `common (NAME, OTHER)`.
    fn import(&mut self) -> Result<(), Fault> {
        let start = self.here();
        let library = self.name();
        if library.as_deref() != Some("common") {
            return Err(Fault::new(start, "only terminals of Lark's `common` can be imported")
                .help("write `%import common.NUMBER`, or define the terminal in this file"));
        }
        if self.eat("(") {
            loop {
                let span = self.here();
                let name = self.name().ok_or_else(|| self.expected("the name of a terminal"))?;
                self.source.imports.push((name.clone(), name, span));
                if !self.eat(",") {
                    return self.expect(")");
                }
            }
        }
        self.expect(".")?;
        let span = self.here();
        let name = self.name().ok_or_else(|| self.expected("the name of a terminal"))?;
        let local = if self.eat("->") {
            self.name().ok_or_else(|| self.expected("the name of a terminal"))?
        } else {
            name.clone()
        };
        self.source.imports.push((name, local, span));
        Ok(())
    }

    fn name(&mut self) -> Option<String> {
        let (Kind::Rule(name) | Kind::Terminal(name)) = self.peek()? else { return None };
        self.at += 1;
        Some(name.clone())
    }

    fn choice(&mut self, depth: usize) -> Result<Node, Fault> {
        let start = self.here();
        let mut alternatives = vec![self.alternative(depth)?];
        loop {
            let before = self.at;
            self.newlines();
            if !self.eat("|") {
                self.at = before;
                break;
            }
            alternatives.push(self.alternative(depth)?);
        }
        let span = self.from(start);
        Ok(joined(alternatives, span, NodeKind::Choice))
    }

    /// A sequence, and the name that Lark gives its tree, which says nothing of the language.
    fn alternative(&mut self, depth: usize) -> Result<Node, Fault> {
        let start = self.here();
        let mut parts = Vec::new();
        loop {
            match self.peek() {
                None | Some(Kind::Newline) | Some(Kind::Sign("|" | "->" | ")" | "]" | "}")) => break,
                Some(Kind::Sign("&")) => {
                    return Err(Fault::new(self.here(), "the intersection of terminals (`&`) is not supported")
                        .help("write one regex that both would match"));
                }
                Some(Kind::Directive(name)) if name == "if" => {
                    return Err(Fault::new(self.here(), "conditions (`%if`) are not supported"));
                }
                Some(_) => parts.push(self.item_with_repeat(depth)?),
            }
        }
        if self.eat("->") && self.name().is_none() {
            return Err(self.expected("a name after `->`"));
        }
        let span = self.from(start);
        Ok(joined(parts, span, NodeKind::Sequence))
    }

    fn item_with_repeat(&mut self, depth: usize) -> Result<Node, Fault> {
        let body = self.atom(depth)?;
        let Some((min, max)) = self.repeat()? else { return Ok(body) };
        let span = self.from(body.span);
        if max.is_some_and(|max| max < min) {
            return Err(Fault::new(span, "this repeat ends before it begins").help("write the smaller number first"));
        }
        if let Some(fault) = limits::repeat(min, max, span) {
            return Err(fault);
        }
        if let Some(Kind::Sign(sign @ ("*" | "+" | "?"))) = self.peek() {
            return Err(Fault::new(self.here(), format!("`{sign}` repeats a repeat"))
                .help("write parentheses around the inner one"));
        }
        Ok(Node { kind: NodeKind::Repeat { body: Box::new(body), min, max }, span })
    }

    /// `*`, `+`, `?`, `~n`, `~n..m`, `{n}`, `{n,}`, `{,m}` or `{n,m}`.
    fn repeat(&mut self) -> Result<Option<(u32, Option<u32>)>, Fault> {
        for (sign, bounds) in [("*", (0, None)), ("+", (1, None)), ("?", (0, Some(1)))] {
            if self.eat(sign) {
                return Ok(Some(bounds));
            }
        }
        if self.is("~") && matches!(self.tokens.get(self.at + 1).map(|token| &token.kind), Some(Kind::Number(_))) {
            self.at += 1;
            let min = self.number()?;
            let max = if self.eat("..") { self.number()? } else { min };
            return Ok(Some((min, Some(max))));
        }
        if !self.eat("{") {
            return Ok(None);
        }
        let min = if self.is(",") { 0 } else { self.number()? };
        let mut max = Some(min);
        if self.eat(",") {
            max = if self.is("}") { None } else { Some(self.number()?) };
        }
        self.expect("}")?;
        Ok(Some((min, max)))
    }

    fn number(&mut self) -> Result<u32, Fault> {
        let Some(Kind::Number(digits)) = self.peek() else { return Err(self.expected("a number")) };
        let span = self.here();
        self.at += 1;
        match digits.parse() {
            Ok(number) => Ok(number),
            Err(_) if digits.starts_with('-') => Err(Fault::new(span, "a repeat can't be negative")),
            Err(_) => Err(limits::repeat_fault(digits, span)),
        }
    }

    fn atom(&mut self, depth: usize) -> Result<Node, Fault> {
        let span = self.here();
        let Some(kind) = self.peek() else { return Err(self.expected("an expression")) };
        self.at += 1;
        let kind = match kind {
            Kind::Sign(open @ ("(" | "[")) => {
                limits::depth(depth, span)?;
                let body = self.choice(depth + 1)?;
                let close = if *open == "(" { ")" } else { "]" };
                if !self.eat(close) {
                    return Err(match self.peek() {
                        Some(Kind::Newline) | None => {
                            Fault::new(span, format!("this `{open}` is not closed on its line"))
                                .help("a line goes on only where the next one begins with `|`")
                        }
                        _ => self.expected(&format!("`{close}`")),
                    });
                }
                match *open {
                    "(" => return Ok(Node { span: self.from(span), ..body }),
                    _ => NodeKind::Repeat { body: Box::new(body), min: 0, max: Some(1) },
                }
            }
            Kind::Text { text, any_case } if self.eat("..") => self.range(text, *any_case, span)?,
            Kind::Text { text, any_case } => NodeKind::Text { text: text.clone(), any_case: *any_case },
            Kind::Regex { pattern, flags } => NodeKind::Regex { pattern: pattern.clone(), flags: flags.clone() },
            Kind::Rule(name) | Kind::Terminal(name) => {
                if self.is("::") {
                    return Err(Fault::new(self.here(), "parameters of rules (`::`) are not supported"));
                }
                let next = self.tokens.get(self.at + 1).map(|token| &token.kind);
                if self.is("{") && !matches!(next, Some(Kind::Number(_) | Kind::Sign(","))) {
                    return Err(Fault::new(self.here(), "templates (`name{...}`) are not supported"));
                }
                NodeKind::Name(name.clone())
            }
            Kind::Special(name) => {
                if name.starts_with("<[") {
                    return Err(Fault::new(span, "a token by its number is not supported")
                        .help("numbers differ between vocabularies: name the special token, as in <|name|>, or write the text"));
                }
                NodeKind::Special(name.clone())
            }
            Kind::Directive(name) if name == "json" || name == "regex" => return self.value(name, span),
            Kind::Directive(name) if name == "lark" => {
                return Err(Fault::new(span, "a grammar inside a grammar (`%lark`) is not supported")
                    .help("write its rules in this grammar"));
            }
            Kind::Reference => {
                return Err(Fault::new(span, "a reference to another grammar (`@name`) is not supported")
                    .help("write its rules in this grammar"));
            }
            Kind::Sign("~") => {
                return Err(Fault::new(span, "the complement of a terminal (`~`) is not supported")
                    .help("write a regex of what is meant, such as /[^a-z]+/"));
            }
            Kind::Sign(sign @ ("*" | "+" | "?")) => {
                return Err(Fault::new(span, format!("`{sign}` has nothing to repeat"))
                    .help(format!("write it after what it repeats; in the output it stands in quotes: \"{sign}\"")));
            }
            _ => {
                self.at -= 1;
                return Err(self.expected("an expression"));
            }
        };
        Ok(Node { kind, span: self.from(span) })
    }

    /// `"a".."z"`, after the two dots.
    fn range(&mut self, first: &str, any_case: bool, span: Span) -> Result<NodeKind, Fault> {
        let first = one(first).filter(|_| !any_case);
        let last = match self.peek() {
            Some(Kind::Text { text, any_case: false }) => one(text),
            _ => None,
        };
        self.at += 1;
        match (first, last) {
            (Some(first), Some(last)) if first <= last => Ok(NodeKind::Range(first, last)),
            (Some(_), Some(_)) => {
                Err(Fault::new(self.from(span), "this range ends before it begins").help("write the smaller one first"))
            }
            _ => {
                Err(Fault::new(self.from(span), "a range has one character on each side")
                    .help("write it as \"a\"..\"z\""))
            }
        }
    }

    /// `%json {...}` or `%regex {...}`, after the directive.
    fn value(&mut self, name: &str, span: Span) -> Result<Node, Fault> {
        let Some(Kind::Json(value)) = self.peek() else { return Err(self.expected("JSON")) };
        let at = self.here();
        self.at += 1;
        let kind = match name {
            // As it is written: a JSON Schema counts with all digits of its numbers, and with its members in order.
            "json" => NodeKind::Json(self.text[at.start..at.end].trim_start_matches("%json").trim().to_owned()),
            _ => NodeKind::Pieces(pieces(value, at)?),
        };
        Ok(Node { kind, span: self.from(span) })
    }
}

fn one(text: &str) -> Option<char> {
    let mut characters = text.chars();
    characters.next().filter(|_| characters.next().is_none())
}

/// One part is itself.
fn joined(mut parts: Vec<Node>, span: Span, kind: impl Fn(Vec<Node>) -> NodeKind) -> Node {
    if parts.len() == 1 {
        return parts.remove(0);
    }
    Node { kind: kind(parts), span }
}
