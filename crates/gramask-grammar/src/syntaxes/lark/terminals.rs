//! Terminals: each is one regular language, written as a pattern without flags.

use std::collections::HashMap;

use regex_automata::util::syntax;

use super::super::error::{Fault, did_you_mean};
use super::ast::{Definition, Node, NodeKind};
use super::common;
use crate::notation::ast::Span;

/// So many pieces may a text of `%regex` have: its pattern grows with their square.
const MOST_PIECES: usize = 200;
/// A pattern is at most so long, in bytes.
const LONGEST: usize = 1 << 20;

/// The terminals that a grammar defines and imports.
pub(super) struct Terminals<'a> {
    defined: HashMap<&'a str, &'a Node>,
    imported: HashMap<&'a str, &'static str>,
    /// The patterns that were made; `None` while one is made.
    known: HashMap<&'a str, Option<String>>,
}

impl<'a> Terminals<'a> {
    /// Notes a name that is defined twice, and an import that `common` does not have.
    pub fn new(
        terminals: &'a [Definition],
        imports: &'a [(String, String, Span)],
        faults: &mut Vec<Fault>,
    ) -> Terminals<'a> {
        let mut all = Terminals { defined: HashMap::new(), imported: HashMap::new(), known: HashMap::new() };
        let twice = |name: &str, span| {
            Fault::new(span, format!("the terminal `{name}` is defined twice")).help("write its alternatives with `|`")
        };
        for Definition { name, span, body, .. } in terminals {
            if all.defined.insert(name, body).is_some() {
                faults.push(twice(name, *span));
            }
        }
        for (name, local, span) in imports {
            match common::pattern(name) {
                Some(pattern) if !all.defined.contains_key(local.as_str()) => {
                    all.imported.insert(local, pattern);
                }
                Some(_) => faults.push(twice(local, *span)),
                None => {
                    let known = common::names().collect::<Vec<_>>().join(", ");
                    let help = did_you_mean(name, common::names()).unwrap_or(format!("it has {known}"));
                    faults.push(Fault::new(*span, format!("`common` has no terminal `{name}`")).help(help));
                }
            }
        }
        all
    }

    pub fn has(&self, name: &str) -> bool {
        self.defined.contains_key(name) || self.imported.contains_key(name)
    }

    pub fn names(&self) -> impl Iterator<Item = &'a str> + '_ {
        self.defined.keys().chain(self.imported.keys()).copied()
    }

    /// The pattern of a part of a terminal, or of a terminal that stands in a rule.
    pub fn pattern(&mut self, node: &'a Node) -> Result<String, Fault> {
        let pattern = match &node.kind {
            NodeKind::Text { text, any_case } => {
                format!("({}:{})", if *any_case { "?i" } else { "?" }, escaped(text))
            }
            NodeKind::Regex { pattern, flags } => regex(pattern, flags, node.span)?,
            NodeKind::Range(first, last) => format!("[\\x{{{:x}}}-\\x{{{:x}}}]", *first as u32, *last as u32),
            NodeKind::Name(name) => return self.named(name, node.span),
            NodeKind::Pieces(pieces) => neighbours(pieces, node.span)?,
            NodeKind::Sequence(parts) => self.all(parts)?.concat(),
            NodeKind::Choice(parts) => format!("(?:{})", self.all(parts)?.join("|")),
            NodeKind::Repeat { max: Some(0), .. } => String::new(),
            NodeKind::Repeat { body, min, max } => {
                let max = max.map_or(String::new(), |max| max.to_string());
                format!("(?:{}){{{min},{max}}}", self.pattern(body)?)
            }
            NodeKind::Special(name) => {
                return Err(Fault::new(node.span, format!("the special token `{name}` stands in a terminal"))
                    .help("a special token is no text: name it in a rule"));
            }
            NodeKind::Json(_) => {
                return Err(Fault::new(node.span, "`%json` stands in a terminal").help("use it in a rule"));
            }
        };
        if pattern.len() > LONGEST {
            return Err(Fault::new(node.span, format!("this terminal is a regex of more than {LONGEST} bytes"))
                .help("repeat less in it"));
        }
        Ok(pattern)
    }

    fn all(&mut self, parts: &'a [Node]) -> Result<Vec<String>, Fault> {
        parts.iter().map(|part| self.pattern(part)).collect()
    }

    fn named(&mut self, name: &'a str, span: Span) -> Result<String, Fault> {
        match self.known.get(name) {
            Some(Some(pattern)) => return Ok(pattern.clone()),
            Some(None) => {
                return Err(Fault::new(span, format!("the terminal `{name}` holds itself"))
                    .help("terminals are regular: write a rule, whose name has small letters"));
            }
            None => {}
        }
        if let Some(pattern) = self.imported.get(name) {
            return Ok(format!("(?:{pattern})"));
        }
        let Some(body) = self.defined.get(name).copied() else {
            let fault = Fault::new(span, format!("there is no terminal `{name}`"));
            let rule = name.starts_with(|c: char| c.is_ascii_lowercase());
            let help =
                if rule { Some("a terminal can't use rules".to_owned()) } else { did_you_mean(name, self.names()) };
            return Err(fault.help(help.unwrap_or(format!("define it with `{name}: ...`"))));
        };
        self.known.insert(name, None);
        let pattern = self.pattern(body)?;
        self.known.insert(name, Some(pattern.clone()));
        Ok(pattern)
    }
}

/// A regex without flags and without the anchors around it.
fn regex(pattern: &str, flags: &str, span: Span) -> Result<String, Fault> {
    if flags.contains('l') {
        return Err(Fault::new(span, "the flag `l` is not supported").help("remove it: text is Unicode"));
    }
    if pattern.contains("(?P<stop>") || pattern.contains("(?<stop>") {
        return Err(Fault::new(span, "a look-ahead (`(?P<stop>...)`) is not supported")
            .help("let the regex end before the text that follows it, and write that text after the regex"));
    }
    let mut inner = pattern;
    // Where nothing else could be meant, `^` and `$` say that the whole is meant, which it is.
    if !pattern.contains('|') {
        inner = inner.strip_prefix('^').unwrap_or(inner);
        inner = inner.strip_suffix('$').filter(|rest| !rest.ends_with('\\')).unwrap_or(inner);
    }
    let flagged = if flags.is_empty() { inner.to_owned() } else { format!("(?{flags}){inner}") };
    let hir = syntax::parse(&flagged).map_err(|error| {
        let message = error.to_string();
        let reason = message.lines().find_map(|line| line.strip_prefix("error: ")).unwrap_or(&message).to_owned();
        Fault::new(span, format!("this is not a regex: {reason}"))
    })?;
    let properties = hir.properties();
    if !properties.look_set().is_empty() {
        return Err(Fault::new(span, "this regex has an assertion (`^`, `$`, `\\b` and the like)")
            .help("it always matches whole where it stands: remove the assertion"));
    }
    if properties.minimum_len().is_none() {
        return Err(Fault::new(span, "this regex matches nothing").help("remove it"));
    }
    Ok(format!("(?:{hir})"))
}

fn escaped(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_ascii_alphanumeric() { c.to_string() } else { format!("\\x{{{:x}}}", c as u32) })
        .collect()
}

/// Any neighbouring pieces, or none.
fn neighbours(pieces: &[String], span: Span) -> Result<String, Fault> {
    if pieces.len() > MOST_PIECES {
        return Err(Fault::new(span, format!("the text has {} pieces; the limit is {MOST_PIECES}", pieces.len()))
            .help("take a shorter text, or larger pieces: `substring_words`"));
    }
    // From the last piece on: a piece, and then what may follow it.
    let (mut from, mut all) = (String::new(), Vec::new());
    for piece in pieces.iter().rev() {
        from = format!("{}(?:{from})?", escaped(piece));
        all.push(from.clone());
    }
    Ok(format!("(?:{})?", all.join("|")))
}
