//! The parser: recursive descent over characters, as that of llama.cpp.

use super::super::cursor::Cursor;
use super::super::error::Fault;
use super::super::limits;
use crate::notation::ast::Span;

/// `name ::= body`.
pub(super) struct Rule {
    pub name: String,
    /// Where the name stands.
    pub span: Span,
    pub body: Node,
}

pub(super) struct Node {
    pub kind: NodeKind,
    pub span: Span,
}

pub(super) enum NodeKind {
    Text(String),
    /// One character within these ranges, both ends included; or one outside of them.
    Class {
        ranges: Vec<(char, char)>,
        negated: bool,
    },
    Sequence(Vec<Node>),
    Choice(Vec<Node>),
    Repeat {
        body: Box<Node>,
        min: u32,
        max: Option<u32>,
    },
    Name(String),
    Special(String),
}

fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '-'
}

/// The rules of a source, in its order.
pub(super) fn parse(source: &str) -> Result<Vec<Rule>, Fault> {
    let mut parser = Parser { cursor: Cursor::new(source) };
    let mut rules = Vec::new();
    parser.space(true);
    while parser.cursor.peek().is_some() {
        rules.push(parser.rule()?);
        parser.space(true);
    }
    if rules.is_empty() {
        let fault = Fault::new(Span::new(0, 0), "the file has no rule");
        return Err(fault.help("a rule is `name ::= ...`, and the output is what `root` stands for"));
    }
    Ok(rules)
}

struct Parser<'a> {
    cursor: Cursor<'a>,
}

impl Parser<'_> {
    /// Passes over white space and comments, and over the ends of lines if those may come here.
    fn space(&mut self, lines: bool) {
        loop {
            match self.cursor.peek() {
                Some(' ' | '\t') => self.cursor.bump(),
                Some('\r' | '\n') if lines => self.cursor.bump(),
                Some('#') => {
                    self.cursor.take_while(|c| c != '\n' && c != '\r');
                }
                _ => return,
            }
        }
    }

    fn rule(&mut self) -> Result<Rule, Fault> {
        let start = self.cursor.at();
        let name = self.cursor.take_while(is_name).to_owned();
        if name.is_empty() {
            let fault = Fault::new(self.here(), format!("expected the name of a rule, found {}", self.found()));
            return Err(fault.help("a rule is `name ::= ...`; a rule ends with its line, except inside parentheses"));
        }
        let span = self.cursor.from(start);
        self.space(false);
        if !self.cursor.eat("::=") {
            let mut fault =
                Fault::new(self.here(), format!("expected `::=` after the rule's name, found {}", self.found()));
            if self.cursor.peek() == Some('_') {
                fault = fault.help("names have letters, digits and `-`; write `-` for `_`");
            }
            return Err(fault);
        }
        self.space(true);
        let body = self.choice(0)?;
        match self.cursor.peek() {
            None | Some('\n' | '\r') => Ok(Rule::new(&name, span, body)),
            Some(')') => Err(Fault::new(self.here(), "this `)` was never opened")
                .help("remove it; in the output it stands in quotes: \")\"")),
            Some('\'') => {
                Err(Fault::new(self.here(), "strings are not written in single quotes").help("write \"...\""))
            }
            Some('_') => Err(Fault::new(self.here(), "unexpected `_`").help("names have letters, digits and `-`")),
            Some('/') => {
                Err(Fault::new(self.here(), "unexpected `/`")
                    .help("there are no regexes; write classes, such as [a-z]+"))
            }
            Some(_) => Err(Fault::new(self.here(), format!("unexpected {}", self.found()))
                .help("text of the output stands in double quotes")),
        }
    }

    fn choice(&mut self, depth: usize) -> Result<Node, Fault> {
        let start = self.cursor.at();
        let mut alternatives = vec![self.sequence(depth)?];
        loop {
            let before = self.cursor.at();
            self.space(true);
            if self.cursor.peek() != Some('|') {
                // The end of a line ends the rule.
                self.cursor.go_to(before);
                break;
            }
            self.cursor.bump();
            self.space(true);
            alternatives.push(self.sequence(depth)?);
        }
        let span = self.cursor.from(start);
        Ok(joined(alternatives, span, NodeKind::Choice))
    }

    fn sequence(&mut self, depth: usize) -> Result<Node, Fault> {
        let start = self.cursor.at();
        let mut parts: Vec<Node> = Vec::new();
        while let Some(c) = self.cursor.peek() {
            let at = self.cursor.at();
            let kind = match c {
                '"' => self.text()?,
                '[' => self.class()?,
                '.' => {
                    self.cursor.bump();
                    NodeKind::Class { ranges: Vec::new(), negated: true }
                }
                '(' => self.group(depth)?,
                '<' | '!' => self.special()?,
                c if is_name(c) => NodeKind::Name(self.cursor.take_while(is_name).to_owned()),
                '*' | '+' | '?' | '{' => {
                    let (min, max) = self.repeat()?;
                    let Some(body) = parts.pop() else {
                        return Err(Fault::new(self.cursor.from(at), format!("`{c}` has nothing to repeat")).help(
                            format!("write it after what it repeats; in the output it stands in quotes: \"{c}\""),
                        ));
                    };
                    let span = body.span.to(self.cursor.from(at));
                    parts.push(Node { kind: NodeKind::Repeat { body: Box::new(body), min, max }, span });
                    self.space(depth > 0);
                    continue;
                }
                _ => break,
            };
            parts.push(Node { kind, span: self.cursor.from(at) });
            self.space(depth > 0);
        }
        let span = self.cursor.from(start);
        Ok(joined(parts, span, NodeKind::Sequence))
    }

    fn group(&mut self, depth: usize) -> Result<NodeKind, Fault> {
        let open = self.here();
        limits::depth(depth, open)?;
        self.cursor.bump();
        self.space(true);
        let inner = self.choice(depth + 1)?;
        self.space(true);
        match self.cursor.peek() {
            Some(')') => {
                self.cursor.bump();
                Ok(inner.kind)
            }
            None => Err(Fault::new(open, "this `(` is never closed").help("add the `)`")),
            Some(_) => Err(Fault::new(self.here(), format!("expected `)`, found {}", self.found()))),
        }
    }

    fn text(&mut self) -> Result<NodeKind, Fault> {
        let open = self.here();
        self.cursor.bump();
        let mut text = String::new();
        loop {
            match self.cursor.peek() {
                Some('"') => {
                    self.cursor.bump();
                    return Ok(NodeKind::Text(text));
                }
                None => {
                    return Err(Fault::new(open, "this string has no closing quote").help("a quote inside is `\\\"`"));
                }
                Some(_) => text.push(self.character()?),
            }
        }
    }

    fn class(&mut self) -> Result<NodeKind, Fault> {
        let open = self.cursor.at();
        self.cursor.bump();
        let negated = self.cursor.eat("^");
        let mut ranges = Vec::new();
        loop {
            match self.cursor.peek() {
                None => {
                    return Err(Fault::new(Span::new(open, open + 1), "this `[` is never closed")
                        .help("add the `]`; in the output a bracket stands in quotes: \"[\""));
                }
                Some(']') => {
                    self.cursor.bump();
                    break;
                }
                Some(_) => {}
            }
            let at = self.cursor.at();
            let first = self.character()?;
            let ranged = self.cursor.rest().starts_with('-') && !self.cursor.rest().starts_with("-]");
            let mut last = first;
            if ranged && self.cursor.rest().len() > 1 {
                self.cursor.bump();
                last = self.character()?;
            }
            if last < first {
                let span = self.cursor.from(at);
                return Err(Fault::new(span, "this range ends before it begins").help("write the smaller one first"));
            }
            ranges.push((first, last));
        }
        if ranges.is_empty() {
            let span = self.cursor.from(open);
            return Err(Fault::new(span, "this class is empty").help("`.` is any character, \"\" is no text"));
        }
        Ok(NodeKind::Class { ranges, negated })
    }

    /// One character of a string or of a class, which may be written as an escape.
    fn character(&mut self) -> Result<char, Fault> {
        let start = self.cursor.at();
        let Some(c) = self.cursor.next() else {
            return Err(Fault::new(self.here(), "the file ends inside a string or class"));
        };
        if c != '\\' {
            return Ok(c);
        }
        let character = match self.cursor.next() {
            Some('x') => self.cursor.hex(2),
            Some('u') => self.cursor.hex(4),
            Some('U') => self.cursor.hex(8),
            Some('t') => Some('\t'),
            Some('r') => Some('\r'),
            Some('n') => Some('\n'),
            Some(same @ ('\\' | '"' | '[' | ']')) => Some(same),
            _ => None,
        };
        character.ok_or_else(|| {
            let span = self.cursor.from(start);
            Fault::new(span, format!("`{}` is not an escape", self.cursor.text(span))).help(
                "the escapes are \\\" \\\\ \\[ \\] \\n \\r \\t \\x41 \\u0041 and \\U0001F600; a backslash is `\\\\`",
            )
        })
    }

    /// How often, from the operator on.
    fn repeat(&mut self) -> Result<(u32, Option<u32>), Fault> {
        let start = self.cursor.at();
        match self.cursor.next() {
            Some('*') => return Ok((0, None)),
            Some('+') => return Ok((1, None)),
            Some('?') => return Ok((0, Some(1))),
            _ => {}
        }
        let expected = |parser: &Self| {
            Fault::new(parser.here(), format!("expected a number of times, found {}", parser.found()))
                .help("a repeat is {3}, {2,} or {2,5}; in the output a brace stands in quotes: \"{\"")
        };
        self.space(true);
        let min = self.number()?.ok_or_else(|| expected(self))?;
        self.space(true);
        let mut max = Some(min);
        if self.cursor.eat(",") {
            self.space(true);
            max = self.number()?;
            self.space(true);
        }
        if !self.cursor.eat("}") {
            return Err(Fault::new(self.here(), format!("expected `}}`, found {}", self.found())));
        }
        if max.is_some_and(|max| max < min) {
            let span = self.cursor.from(start);
            return Err(Fault::new(span, "this repeat ends before it begins").help("write the smaller number first"));
        }
        Ok((min, max))
    }

    fn number(&mut self) -> Result<Option<u32>, Fault> {
        let start = self.cursor.at();
        let digits = self.cursor.take_while(|c| c.is_ascii_digit());
        if digits.is_empty() {
            return Ok(None);
        }
        match digits.parse() {
            Ok(number) => Ok(Some(number)),
            Err(_) => Err(limits::repeat_fault(digits, self.cursor.from(start))),
        }
    }

    /// `<name>`; other ways to name tokens are refused.
    fn special(&mut self) -> Result<NodeKind, Fault> {
        let start = self.cursor.at();
        if self.cursor.eat("!") {
            self.cursor.take_while(|c| !c.is_whitespace());
            return Err(Fault::new(self.cursor.from(start), "any token but one (`!<...>`) is not supported")
                .help("write the text that may follow; special tokens are never in it"));
        }
        let name = self.cursor.take_while(|c| c != '>' && !c.is_whitespace()).to_owned() + ">";
        if !self.cursor.eat(">") {
            return Err(Fault::new(self.cursor.from(start), "this `<` is never closed")
                .help("a special token is named as <|name|>; in the output the sign stands in quotes: \"<\""));
        }
        if name.starts_with("<[") {
            return Err(Fault::new(self.cursor.from(start), "a token by its number is not supported").help(
                "numbers differ between vocabularies: name the special token, as in <|name|>, or write the text",
            ));
        }
        Ok(NodeKind::Special(name))
    }

    fn here(&self) -> Span {
        self.cursor.here()
    }

    /// What stands here, for messages.
    fn found(&self) -> String {
        self.cursor.found()
    }
}

/// One part is itself.
fn joined(mut parts: Vec<Node>, span: Span, kind: impl Fn(Vec<Node>) -> NodeKind) -> Node {
    if parts.len() == 1 {
        return parts.remove(0);
    }
    Node { kind: kind(parts), span }
}
