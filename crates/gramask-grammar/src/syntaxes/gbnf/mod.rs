//! GBNF, the notation of grammars in llama.cpp.
//!
//! ```text
//! # A list of numbers.                    `#` begins a comment
//! root   ::= "[" (number ("," number)*)? "]"
//! number ::= "-"? [0-9]+
//! ```
//!
//! | written | meaning |
//! |---|---|
//! | `"text"` | that text; escapes `\" \\ \[ \] \n \r \t \x41 \u0041 \U0001F600`, the numbers are those of characters |
//! | `[a-z_]`, `[^"\\]`, `.` | one character of the class, one that is not in it, any character |
//! | `a b`, `a \| b`, `( )` | one after the other, one of the two, grouping |
//! | `a*`, `a+`, `a?`, `a{3}`, `a{2,}`, `a{2,5}` | how often |
//! | `name` | what that rule stands for; letters, digits and `-` |
//! | `<think>` | the special token of this name |
//!
//! The output is what the rule `root` stands for. A rule ends with its line, except inside parentheses, after `|` and after
//! `::=`, as in llama.cpp. A line that begins with `|` goes on with the rule too, which llama.cpp refuses.
//!
//! There is no lexer: a grammar is read character by character, so that the translation is rule by rule. Left recursion is
//! taken, which llama.cpp refuses.

mod parser;

use std::collections::HashMap;

use super::error::{Fault, did_you_mean};
use super::limits;
use super::regexes::Regexes;
use super::translated::{Translated, finish};
use crate::notation::ast::Span;
use crate::plain::{Builder, Expr, RuleId};
use parser::{Node, NodeKind, Rule};

/// Translates a source.
///
/// # Errors
/// All faults of the parser; else those of the rules.
pub(super) fn translate(source: &str) -> Result<Translated, Vec<Fault>> {
    let rules = parser::parse(source).map_err(|fault| vec![fault])?;
    let mut faults = limits::rules(rules.iter().map(|rule| rule.span));
    let mut names: HashMap<&str, RuleId> = HashMap::new();
    let mut builder = Builder::new();
    let mut ids = Vec::new();
    for rule in &rules {
        let id = builder.declare(rule.name.clone());
        ids.push((id, rule.span));
        if names.insert(&rule.name, id).is_some() {
            let fault = Fault::new(rule.span, format!("the rule `{}` is defined twice", rule.name));
            faults.push(fault.help("write alternatives of one rule with `|`"));
        }
    }
    let mut translation = Translation { names: &names, regexes: Regexes::new(), faults };
    for (rule, (id, _)) in rules.iter().zip(&ids) {
        let body = translation.of(&rule.body);
        builder.define(*id, body);
    }
    let mut faults = translation.faults;
    let Some(root) = names.get("root") else {
        let fault = Fault::new(rules.first().map_or(Span::new(0, 0), |rule| rule.span), "there is no rule `root`");
        let help = did_you_mean("root", names.keys().copied());
        faults.push(fault.help(help.unwrap_or("the output is what `root` stands for: add `root ::= ...`".to_owned())));
        return Err(faults);
    };
    if faults.is_empty() { finish(builder, *root, &ids) } else { Err(faults) }
}

struct Translation<'a> {
    names: &'a HashMap<&'a str, RuleId>,
    regexes: Regexes,
    faults: Vec<Fault>,
}

impl Translation<'_> {
    /// The expression of a node; faults are noted, and stand for the empty string.
    fn of(&mut self, node: &Node) -> Expr {
        match &node.kind {
            NodeKind::Text(text) => Expr::bytes(text.as_bytes()),
            NodeKind::Class { ranges, negated } => {
                let class = class(ranges, *negated);
                self.regexes.expr(&class, node.span).unwrap_or_else(|fault| {
                    self.faults.push(fault);
                    Expr::empty()
                })
            }
            NodeKind::Sequence(parts) => Expr::Sequence(parts.iter().map(|part| self.of(part)).collect()),
            NodeKind::Choice(parts) => Expr::Choice(parts.iter().map(|part| self.of(part)).collect()),
            NodeKind::Repeat { body, min, max } => {
                self.faults.extend(limits::repeat(*min, *max, node.span));
                let body = self.of(body);
                if *max == Some(0) { Expr::empty() } else { body.repeat(*min, *max) }
            }
            NodeKind::Special(name) => Expr::Special(name.clone()),
            NodeKind::Name(name) => match self.names.get(name.as_str()) {
                Some(rule) => Expr::Rule(*rule),
                None => {
                    let fault = Fault::new(node.span, format!("there is no rule `{name}`"));
                    let help = did_you_mean(name, self.names.keys().copied());
                    self.faults.push(fault.help(help.unwrap_or(format!("define it with `{name} ::= ...`"))));
                    Expr::empty()
                }
            },
        }
    }
}

/// A class of characters as a pattern.
fn class(ranges: &[(char, char)], negated: bool) -> String {
    let range = |(first, last): &(char, char)| format!("\\x{{{:x}}}-\\x{{{:x}}}", *first as u32, *last as u32);
    let ranges: String = ranges.iter().map(range).collect();
    match (negated, ranges.is_empty()) {
        (true, true) => "(?s:.)".to_owned(),
        (true, false) => format!("[^{ranges}]"),
        (false, _) => format!("[{ranges}]"),
    }
}

impl Rule {
    /// Used by the parser when a rule is complete.
    fn new(name: &str, span: Span, body: Node) -> Rule {
        Rule { name: name.to_owned(), span, body }
    }
}
