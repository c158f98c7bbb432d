//! The engine of plain grammars against its oracle.

mod depth;
mod first_visits;
mod grammars;
mod masks;
mod membership;
mod texts;

use super::expr::{Builder, Expr, PlainGrammar, RuleId};

/// A small notation for grammars of these tests: `s: "(" s ")" | "x"`, one rule a line, the first one is the start.
///
/// A part is a text in quotes, `/regex/`, `<special>`, or a rule. `*`, `+` and `?` may follow it, as may `{m,n}`. There are
/// groups in parentheses. An alternative without parts is the empty string.
pub(super) fn grammar(source: &str) -> PlainGrammar {
    let mut builder = Builder::new();
    let lines: Vec<(&str, &str)> = source
        .lines()
        .map(|line| line.trim())
        .filter(|line| !line.is_empty())
        .map(|line| line.split_once(':').expect("a rule has a colon"))
        .collect();
    let rules: Vec<(&str, RuleId)> = lines.iter().map(|(name, _)| (*name, builder.declare(*name))).collect();
    for ((_, body), (_, rule)) in lines.iter().zip(&rules) {
        let mut reader = Reader { rest: body, rules: &rules };
        let body = reader.choice();
        assert!(reader.rest.trim().is_empty(), "left over: {}", reader.rest);
        builder.define(*rule, body);
    }
    builder.finish(rules[0].1).expect("the grammar accepts some text")
}

struct Reader<'a> {
    rest: &'a str,
    rules: &'a [(&'a str, RuleId)],
}

impl<'a> Reader<'a> {
    fn eats(&mut self, sign: &str) -> bool {
        self.rest = self.rest.trim_start();
        let rest = self.rest.strip_prefix(sign);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn until(&mut self, end: char) -> &'a str {
        let (text, rest) = self.rest.split_once(end).expect("a part ends");
        self.rest = rest;
        text
    }

    fn choice(&mut self) -> Expr {
        let mut parts = vec![self.sequence()];
        while self.eats("|") {
            parts.push(self.sequence());
        }
        if parts.len() == 1 { parts.remove(0) } else { Expr::Choice(parts) }
    }

    fn sequence(&mut self) -> Expr {
        let mut parts = Vec::new();
        while let Some(part) = self.part() {
            parts.push(self.repeat(part));
        }
        if parts.len() == 1 { parts.remove(0) } else { Expr::Sequence(parts) }
    }

    fn repeat(&mut self, part: Expr) -> Expr {
        if self.rest.starts_with('*') {
            self.rest = &self.rest[1..];
            part.repeat(0, None)
        } else if self.rest.starts_with('+') {
            self.rest = &self.rest[1..];
            part.repeat(1, None)
        } else if self.rest.starts_with('?') {
            self.rest = &self.rest[1..];
            part.optional()
        } else if self.rest.starts_with('{') {
            self.rest = &self.rest[1..];
            let (min, max) = self.until('}').split_once(',').expect("two bounds");
            part.repeat(min.parse().expect("a number"), max.parse().ok())
        } else {
            part
        }
    }

    fn part(&mut self) -> Option<Expr> {
        if self.eats("\"") {
            Some(Expr::bytes(self.until('"')))
        } else if self.eats("'") {
            Some(Expr::bytes(self.until('\'')))
        } else if self.eats("/") {
            let pattern = self.until('/');
            Some(Expr::Regular(crate::regex::Regex::new(pattern, &mut crate::regex::Steps::new()).unwrap().into()))
        } else if self.eats("<") {
            Some(Expr::Special(format!("<{}>", self.until('>'))))
        } else if self.eats("(") {
            let inner = self.choice();
            assert!(self.eats(")"), "a group ends");
            Some(inner)
        } else {
            let length = self.rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(self.rest.len());
            let (name, rest) = self.rest.split_at(length);
            let (_, rule) = self.rules.iter().find(|(known, _)| *known == name && length > 0)?;
            self.rest = rest;
            Some(Expr::Rule(*rule))
        }
    }
}
