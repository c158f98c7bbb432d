//! Rules over lexemes: names are looked up, and every terminal that stands in a rule is a lexeme.

use std::collections::HashMap;
use std::sync::Arc;

use super::super::error::{Fault, did_you_mean};
use super::super::regexes::Regexes;
use super::ast::{Definition, Lazy, Node, NodeKind, Options, Source};
use super::json::Json;
use super::terminals::Terminals;
use crate::notation::ast::Span;
use crate::regex::{Regex, StateId};

/// What a rule stands for, over lexemes.
#[derive(Clone, Debug)]
pub(super) enum Tree {
    /// A lexeme at this place ([`Tokens::places`]).
    Place(usize),
    Sequence(Vec<Tree>),
    Choice(Vec<Tree>),
    Repeat {
        body: Box<Tree>,
        min: u32,
        max: Option<u32>,
    },
    Rule(usize),
    /// Ignored text, as often as it may stand here. The translation of the lexer adds it; no source has it.
    Ignored,
}

impl Tree {
    pub fn empty() -> Tree {
        Tree::Sequence(Vec::new())
    }

    fn each_rule(&self, visit: &mut impl FnMut(usize)) {
        match self {
            Tree::Rule(rule) => visit(*rule),
            Tree::Sequence(parts) | Tree::Choice(parts) => parts.iter().for_each(|part| part.each_rule(visit)),
            Tree::Repeat { body, .. } => body.each_rule(visit),
            Tree::Place(_) | Tree::Ignored => {}
        }
    }

    fn finishes(&self, rules: &[bool]) -> bool {
        match self {
            Tree::Rule(rule) => rules[*rule],
            Tree::Sequence(parts) => parts.iter().all(|part| part.finishes(rules)),
            Tree::Choice(parts) => parts.iter().any(|part| part.finishes(rules)),
            Tree::Repeat { body, min, .. } => *min == 0 || body.finishes(rules),
            Tree::Place(_) | Tree::Ignored => true,
        }
    }
}

/// A lexeme where a rule uses it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub lexeme: usize,
    pub span: Span,
}

/// What the lexer knows by one name.
#[derive(Clone, Debug)]
pub(super) enum Lexeme {
    /// Text that the regex matches; the empty text is no lexeme.
    Text(Arc<Regex>),
    /// Text that ends where the regex first matches.
    Lazy(Arc<Regex>),
    Special(String),
    /// The instances of a JSON Schema. To the lexer they are as one lexeme, whose end is known without the next byte, unless it
    /// is that of a number.
    Json(Arc<Json>),
}

pub(super) struct Rule {
    pub name: String,
    pub span: Span,
    pub body: Tree,
}

/// A grammar over lexemes.
pub(super) struct Tokens {
    pub rules: Vec<Rule>,
    pub start: usize,
    pub places: Vec<Place>,
    pub lexemes: Vec<Lexeme>,
    /// The text that is ignored between lexemes; empty text is not ignored.
    pub ignored: Option<(Arc<Regex>, Span)>,
    pub options: Options,
    /// What is ignored in the JSON Schemas.
    pub warnings: Vec<Fault>,
}

impl Tokens {
    /// Which rules the start leads to.
    pub fn used(&self) -> Vec<bool> {
        let mut used = vec![false; self.rules.len()];
        used[self.start] = true;
        let mut open = vec![self.start];
        while let Some(rule) = open.pop() {
            self.rules[rule].body.each_rule(&mut |next| {
                if !std::mem::replace(&mut used[next], true) {
                    open.push(next);
                }
            });
        }
        used
    }

    /// Which rules stand for any lexemes at all, or for none.
    pub fn finished(&self) -> Vec<bool> {
        let mut finished = vec![false; self.rules.len()];
        loop {
            let before = finished.iter().filter(|known| **known).count();
            for (index, rule) in self.rules.iter().enumerate() {
                finished[index] = finished[index] || rule.body.finishes(&finished);
            }
            if finished.iter().filter(|known| **known).count() == before {
                return finished;
            }
        }
    }
}

/// Looks up all names and compiles all terminals.
pub(super) fn tokens(source: Source) -> Result<Tokens, Vec<Fault>> {
    let Source { rules, terminals, ignored, imports, options } = source;
    let mut faults = super::super::limits::rules(rules.iter().map(|rule| rule.span));
    let mut names: HashMap<&str, usize> = HashMap::new();
    for (index, rule) in rules.iter().enumerate() {
        if names.insert(&rule.name, index).is_some() {
            faults.push(
                Fault::new(rule.span, format!("the rule `{}` is defined twice", rule.name))
                    .help("write alternatives of one rule with `|`"),
            );
        }
    }
    let terminals_by_name = Terminals::new(&terminals, &imports, &mut faults);
    let mut lookup = Lookup {
        names: &names,
        terminals: terminals_by_name,
        regexes: Regexes::new(),
        lexemes: Vec::new(),
        by_pattern: HashMap::new(),
        places: Vec::new(),
        warnings: Vec::new(),
        faults,
    };
    let bodies: Vec<Tree> = rules.iter().map(|rule| lookup.rule(rule)).collect();
    // All terminals are compiled, so that mistakes in unused ones are found.
    for Definition { body, .. } in &terminals {
        if let Err(fault) = lookup.terminals.pattern(body) {
            lookup.faults.push(fault);
        }
    }
    let skip = lookup.ignored(&ignored);
    let Lookup { lexemes, places, warnings, mut faults, .. } = lookup;
    if skip.is_some() {
        let json = places.iter().find(|place| matches!(lexemes[place.lexeme], Lexeme::Json(_)));
        faults.extend(json.map(|place| {
            Fault::new(place.span, "`%json` in a grammar with `%ignore` is not supported").help(
                "llguidance ignores text before an instance in some places only: write the white space as a terminal",
            )
        }));
    }
    let Some(start) = names.get("start").copied() else {
        let span = rules.first().map_or(Span::new(0, 0), |rule| rule.span);
        let help = did_you_mean("start", names.keys().copied());
        let help = help.unwrap_or("the output is what `start` stands for: add `start: ...`".to_owned());
        faults.push(Fault::new(span, "there is no rule `start`").help(help));
        return Err(faults);
    };
    if !faults.is_empty() {
        return Err(faults);
    }
    let rules = rules.iter().zip(bodies);
    let rules = rules.map(|(rule, body)| Rule { name: rule.name.clone(), span: rule.span, body }).collect();
    Ok(Tokens { rules, start, places, lexemes, ignored: skip, options, warnings })
}

struct Lookup<'a> {
    names: &'a HashMap<&'a str, usize>,
    terminals: Terminals<'a>,
    regexes: Regexes,
    lexemes: Vec<Lexeme>,
    /// The lexemes by pattern, special tokens by name.
    by_pattern: HashMap<String, usize>,
    places: Vec<Place>,
    warnings: Vec<Fault>,
    faults: Vec<Fault>,
}

impl<'a> Lookup<'a> {
    fn rule(&mut self, rule: &'a Definition) -> Tree {
        let Some(lazy) = &rule.lazy else { return self.tree(&rule.body) };
        self.lazy(&rule.body, lazy, rule.span).unwrap_or_else(|fault| {
            self.faults.push(fault);
            Tree::empty()
        })
    }

    /// A rule that is one terminal, without the texts that go on after one of its texts.
    fn lazy(&mut self, body: &'a Node, lazy: &'a Lazy, span: Span) -> Result<Tree, Fault> {
        let mut pattern = self.terminals.pattern(body)?;
        if let Some(suffix) = &lazy.suffix {
            pattern += &self.terminals.pattern(suffix)?;
        }
        let whole = self.regexes.compile(&pattern, span)?;
        if whole.matches(StateId::START) {
            return Err(Fault::new(span, "this rule is lazy and can be empty, so that it always is")
                .help("let it match at least one character, or give it a `suffix`"));
        }
        let shortest = whole.shortest_matches(&format!("{pattern}, lazy"));
        Ok(self.place(format!("lazy {pattern}"), || Lexeme::Lazy(Arc::new(shortest)), span))
    }

    /// Faults are noted, and stand for nothing.
    fn tree(&mut self, node: &'a Node) -> Tree {
        match &node.kind {
            NodeKind::Sequence(parts) => Tree::Sequence(parts.iter().map(|part| self.tree(part)).collect()),
            NodeKind::Choice(parts) => Tree::Choice(parts.iter().map(|part| self.tree(part)).collect()),
            NodeKind::Repeat { max: Some(0), .. } => Tree::empty(),
            NodeKind::Repeat { body, min, max } => {
                Tree::Repeat { body: Box::new(self.tree(body)), min: *min, max: *max }
            }
            NodeKind::Name(name) if self.names.contains_key(name.as_str()) => Tree::Rule(self.names[name.as_str()]),
            NodeKind::Name(name) if !self.terminals.has(name) => {
                let known = self.names.keys().copied().chain(self.terminals.names());
                let help = did_you_mean(name, known).unwrap_or(format!("define it with `{name}: ...`"));
                let kind = if name.starts_with(|c: char| c.is_ascii_lowercase()) { "rule" } else { "terminal" };
                self.faults.push(Fault::new(node.span, format!("there is no {kind} `{name}`")).help(help));
                Tree::empty()
            }
            NodeKind::Text { text, .. } if text.is_empty() => Tree::empty(),
            NodeKind::Special(name) => self.place(name.clone(), || Lexeme::Special(name.clone()), node.span),
            NodeKind::Json(schema) => self.json(schema, node.span).unwrap_or_else(|fault| {
                self.faults.push(fault);
                Tree::empty()
            }),
            _ => self.lexeme(node).unwrap_or_else(|fault| {
                self.faults.push(fault);
                Tree::empty()
            }),
        }
    }

    fn lexeme(&mut self, node: &'a Node) -> Result<Tree, Fault> {
        let pattern = self.terminals.pattern(node)?;
        let regex = self.regexes.compile(&pattern, node.span)?;
        let optional = regex.matches(StateId::START);
        let only_empty = (0..=255).all(|byte| regex.next(StateId::START, byte).is_none());
        if only_empty {
            return Ok(Tree::empty());
        }
        let place = self.place(pattern, || Lexeme::Text(regex), node.span);
        Ok(if optional { Tree::Repeat { body: Box::new(place), min: 0, max: Some(1) } } else { place })
    }

    /// The instances of a JSON Schema. The same text is compiled once.
    fn json(&mut self, schema: &str, span: Span) -> Result<Tree, Fault> {
        let key = format!("%json {schema}");
        let json = match self.by_pattern.get(&key).map(|known| &self.lexemes[*known]) {
            Some(Lexeme::Json(json)) => Arc::clone(json),
            _ => Arc::new(Json::new(schema, span, &mut self.warnings)?),
        };
        Ok(self.place(key, || Lexeme::Json(json), span))
    }

    fn place(&mut self, key: String, lexeme: impl FnOnce() -> Lexeme, span: Span) -> Tree {
        let lexemes = &mut self.lexemes;
        let lexeme = *self.by_pattern.entry(key).or_insert_with(|| {
            lexemes.push(lexeme());
            lexemes.len() - 1
        });
        self.places.push(Place { lexeme, span });
        Tree::Place(self.places.len() - 1)
    }

    /// One regex of all that is ignored.
    fn ignored(&mut self, ignored: &'a [Node]) -> Option<(Arc<Regex>, Span)> {
        let span = ignored.first()?.span;
        let mut patterns = Vec::new();
        for node in ignored {
            match self.terminals.pattern(node) {
                Ok(pattern) => patterns.push(pattern),
                Err(fault) => self.faults.push(fault),
            }
        }
        match self.regexes.compile(&format!("(?:{})", patterns.join("|")), span) {
            Ok(regex) => Some((regex, span)),
            Err(fault) => {
                self.faults.push(fault);
                None
            }
        }
    }
}
