//! The lexer of Lark's notation, with the tokens of llguidance's.

use super::super::cursor::Cursor;
use super::super::error::Fault;
use crate::notation::ast::Span;

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    /// A name in lower case, without `!` and `?` before it.
    Rule(String),
    /// A name in capitals.
    Terminal(String),
    Text {
        text: String,
        any_case: bool,
    },
    Regex {
        pattern: String,
        flags: String,
    },
    Number(String),
    /// `<name>`, brackets included.
    Special(String),
    /// `@name`.
    Reference,
    /// `%name`.
    Directive(String),
    /// The JSON value after `%json`, `%regex` or `%llguidance`.
    Json(serde_json::Value),
    /// A sign: one of `: | ( ) [ ] { } ~ & = , . * + ?`, or `..`, `->`, `::`, `_`.
    Sign(&'static str),
    Newline,
}

#[derive(Clone, Debug)]
pub(super) struct Token {
    pub kind: Kind,
    pub span: Span,
}

/// The signs, longer ones before those that begin them.
const SIGNS: [&str; 19] =
    ["->", "..", "::", ":", "|", "(", ")", "[", "]", "{", "}", "~", "&", "=", ",", ".", "*", "+", "?"];

fn is_rule(c: char) -> bool {
    c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-'
}

fn is_terminal(c: char) -> bool {
    c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_' || c == '-'
}

/// The tokens of a source. White space and comments are left out.
pub(super) fn tokens(source: &str) -> Result<Vec<Token>, Fault> {
    let mut lexer = Lexer { cursor: Cursor::new(source), tokens: Vec::new() };
    while let Some(c) = lexer.cursor.peek() {
        let start = lexer.cursor.at();
        let rest = lexer.cursor.rest();
        if c == ' ' || c == '\t' {
            lexer.cursor.bump();
        } else if c == '#' || rest.starts_with("//") {
            lexer.cursor.take_while(|c| c != '\n');
        } else if c == '\n' || c == '\r' {
            lexer.cursor.take_while(|c| c == '\n' || c == '\r');
            lexer.push(Kind::Newline, start);
        } else {
            let kind = lexer.token(c)?;
            lexer.push(kind, start);
        }
    }
    Ok(lexer.tokens)
}

struct Lexer<'a> {
    cursor: Cursor<'a>,
    tokens: Vec<Token>,
}

impl Lexer<'_> {
    fn push(&mut self, kind: Kind, start: usize) {
        self.tokens.push(Token { kind, span: self.cursor.from(start) });
    }

    fn token(&mut self, c: char) -> Result<Kind, Fault> {
        let start = self.cursor.at();
        match c {
            '"' => self.text(),
            '/' => self.regex(),
            '<' => self.special(),
            '@' => {
                self.cursor.bump();
                self.cursor.take_while(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
                Ok(Kind::Reference)
            }
            '%' => self.directive(),
            '\'' => {
                Err(Fault::new(self.cursor.here(), "strings are not written in single quotes").help("write \"...\""))
            }
            '0'..='9' => Ok(Kind::Number(self.cursor.take_while(|c| c.is_ascii_digit()).to_owned())),
            '-' if self.cursor.rest()[1..].starts_with(|c: char| c.is_ascii_digit()) => {
                self.cursor.bump();
                self.cursor.take_while(|c| c.is_ascii_digit());
                Ok(Kind::Number(self.cursor.text(self.cursor.from(start)).to_owned()))
            }
            '!' | '?' | '_' | 'a'..='z' | 'A'..='Z' => self.name(),
            _ => match SIGNS.iter().find(|sign| self.cursor.eat(sign)) {
                Some(sign) => Ok(Kind::Sign(sign)),
                None => Err(Fault::new(self.cursor.here(), format!("unexpected {}", self.cursor.found()))
                    .help("text of the output stands in double quotes")),
            },
        }
    }

    /// A name with `!` and `?` before it; or one of these signs alone.
    fn name(&mut self) -> Result<Kind, Fault> {
        let start = self.cursor.at();
        self.cursor.eat("!");
        let first = self.cursor.rest().trim_start_matches(['_', '?']).chars().next();
        if !first.is_some_and(|c| c.is_ascii_alphabetic()) {
            self.cursor.go_to(start);
            if let Some(sign) = ["?", "_"].into_iter().find(|sign| self.cursor.eat(sign)) {
                return Ok(Kind::Sign(sign));
            }
            return Err(Fault::new(self.cursor.here(), "`!` without a rule's name after it").help("remove it"));
        }
        let modified = self.cursor.eat("?") || self.cursor.at() > start;
        let name = self.cursor.at();
        self.cursor.take_while(|c| c == '_');
        let lower = self.cursor.peek().is_some_and(|c| c.is_ascii_lowercase());
        self.cursor.take_while(if lower { is_rule } else { is_terminal });
        let span = self.cursor.from(name);
        if self.cursor.peek().is_some_and(|c| c.is_ascii_alphanumeric()) {
            return Err(Fault::new(self.cursor.here(), "a name in capitals and in small letters")
                .help("the names of rules have small letters, those of terminals have capitals"));
        }
        let text = self.cursor.text(span).to_owned();
        let begins = self.tokens.last().is_none_or(|token| token.kind == Kind::Newline);
        if modified && (!begins || !lower) {
            return Err(Fault::new(Span::new(start, name), "this sign stands directly before a name").help(
                "`?` and `!` may stand before the rule's name in its definition; a repeat needs a space after it",
            ));
        }
        Ok(if lower { Kind::Rule(text) } else { Kind::Terminal(text) })
    }

    fn directive(&mut self) -> Result<Kind, Fault> {
        let start = self.cursor.at();
        self.cursor.bump();
        let name = self.cursor.take_while(|c| c.is_ascii_alphabetic()).to_owned();
        if !matches!(name.as_str(), "json" | "regex" | "llguidance") {
            return Ok(Kind::Directive(name));
        }
        self.push(Kind::Directive(name.clone()), start);
        self.cursor.take_while(char::is_whitespace);
        let value = self.cursor.at();
        let mut values = serde_json::Deserializer::from_str(self.cursor.rest()).into_iter::<serde_json::Value>();
        match values.next() {
            Some(Ok(json)) => {
                self.cursor.go_to(value + values.byte_offset());
                Ok(Kind::Json(json))
            }
            Some(Err(error)) => {
                let line = self.cursor.rest().lines().nth(error.line().saturating_sub(1)).unwrap_or_default();
                let before: usize =
                    self.cursor.rest().split_inclusive('\n').take(error.line().saturating_sub(1)).map(str::len).sum();
                let column = line.char_indices().nth(error.column().saturating_sub(1)).map_or(line.len(), |(at, _)| at);
                let at = value + before + column;
                Err(Fault::new(Span::new(at, at + 1), format!("the value of `%{name}` is not JSON: {error}")))
            }
            None => Err(Fault::new(self.cursor.from(start), format!("`%{name}` lacks a value"))
                .help(format!("write JSON after it: `%{name} {{ ... }}`"))),
        }
    }

    fn special(&mut self) -> Result<Kind, Fault> {
        let start = self.cursor.at();
        self.cursor.bump();
        self.cursor.take_while(|c| c != '<' && c != '>' && !c.is_whitespace());
        if !self.cursor.eat(">") || self.cursor.at() == start + 2 {
            return Err(Fault::new(self.cursor.from(start), "this `<` begins no special token")
                .help("a special token is named as <|name|>; in the output the sign stands in quotes: \"<\""));
        }
        Ok(Kind::Special(self.cursor.text(self.cursor.from(start)).to_owned()))
    }

    fn text(&mut self) -> Result<Kind, Fault> {
        let start = self.cursor.at();
        self.cursor.bump();
        // The string as JSON has it, which lacks `\x41`.
        let mut json = "\"".to_owned();
        loop {
            match self.cursor.next() {
                Some('"') => break,
                Some('\\') => {
                    let at = self.cursor.at() - 1;
                    let good = match self.cursor.next() {
                        Some('"' | '\\' | '/' | 'b' | 'f' | 'n' | 'r' | 't') => true,
                        Some('u') => self.cursor.take_digits(4),
                        Some('x') => self.cursor.take_digits(2),
                        _ => false,
                    };
                    if !good {
                        let span = self.cursor.from(at);
                        return Err(Fault::new(
                            span,
                            format!("`{}` is not an escape of a string", self.cursor.text(span)),
                        )
                        .help("the escapes are those of JSON and \\x41; a backslash is `\\\\`"));
                    }
                    let escape = self.cursor.text(self.cursor.from(at));
                    match escape.strip_prefix("\\x") {
                        Some(digits) => json.extend(["\\u00", digits]),
                        None => json.push_str(escape),
                    }
                }
                Some(c) if c >= ' ' && c != '\x7f' => json.push(c),
                _ => {
                    return Err(Fault::new(Span::new(start, start + 1), "this string has no closing quote")
                        .help("close it on the same line; inside, a quote is `\\\"` and a line break `\\n`"));
                }
            }
        }
        let span = self.cursor.from(start);
        json.push('"');
        let text = serde_json::from_str(&json).map_err(|_| {
            Fault::new(span, "this string holds half of a surrogate pair").help("write both halves, or the character")
        })?;
        let any_case = self.cursor.eat("i");
        Ok(Kind::Text { text, any_case })
    }

    fn regex(&mut self) -> Result<Kind, Fault> {
        let start = self.cursor.at();
        self.cursor.bump();
        loop {
            match self.cursor.next() {
                Some('/') => break,
                Some('\\') if self.cursor.next().is_some() => {}
                Some(c) if c != '\\' => {}
                _ => {
                    return Err(Fault::new(Span::new(start, start + 1), "this regex has no closing slash")
                        .help("inside, a slash is `\\/`; in the output it stands in quotes: \"/\""));
                }
            }
        }
        let span = self.cursor.from(start);
        let pattern = self.cursor.text(Span::new(span.start + 1, span.end - 1)).to_owned();
        let flags = self.cursor.take_while(|c| "imslux".contains(c)).to_owned();
        Ok(Kind::Regex { pattern, flags })
    }
}
