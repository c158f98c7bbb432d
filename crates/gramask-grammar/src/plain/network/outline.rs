//! Makes rules of parts of rules: of what would otherwise be compiled too often, and of free text with the bytes around it.
//!
//! Masks of free text are large, and depend on what can be read before the rule ends. If the rule holds the text alone, all that
//! write the same text share its masks, in this grammar and in others. So `":\"" character* "\","` is compiled as `":" text ","`,
//! where `text` is `"\"" character* "\""`. With the byte before it the text begins inside of its rule, and not at the call.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::automaton::Automaton;
use super::{NetworkError, NetworkLimits};
use crate::plain::expr::{Expr, PlainGrammar, Rule, RuleId};
use crate::regex::Regex;

/// A regex with more states is compiled once, if it is used more than once.
const LARGE_REGEX: usize = 16;

/// A repeat whose copies have more states in all becomes calls of one rule.
const LARGE_REPEAT: usize = 256;

/// A regex or a repeat that can begin with so many bytes is free text.
const WIDE: usize = 64;

/// The rules of a grammar with such parts taken out.
pub(super) struct Outlined {
    pub rules: Vec<Rule>,
    /// Rules that were made of parts: they are called, and not compiled in place.
    pub parts: usize,
}

/// Takes large parts out of the rules that are `used`.
///
/// # Errors
/// Rules that still have more states in all than the limit.
pub(super) fn outline(grammar: &PlainGrammar, used: &[bool], limits: &NetworkLimits) -> Result<Outlined, NetworkError> {
    let mut outliner =
        Outliner { grammar, parts: Vec::new(), regexes: FxHashMap::default(), texts: FxHashMap::default() };
    let live = || grammar.rules().iter().zip(used).filter(|(_, used)| **used).map(|(rule, _)| rule);
    for rule in live() {
        rule.body.walk(&mut |expr| {
            if let Expr::Regular(regex) = expr {
                outliner.regexes.entry(Arc::as_ptr(regex)).or_default().uses += 1;
            }
        });
    }
    let mut rules = Vec::with_capacity(grammar.rules().len());
    let mut total = 0usize;
    for (rule, used) in grammar.rules().iter().zip(used) {
        let body = match &rule.body {
            body @ Expr::Regular(_) if *used => body.clone(),
            body if *used => outliner.rewrite(&rule.name, body),
            // What is not used stands for no text.
            _ => Expr::Choice(Vec::new()),
        };
        rules.push(Rule { name: rule.name.clone(), body });
    }
    rules.append(&mut outliner.parts);
    for rule in &rules {
        total = total.saturating_add(states(&rule.body));
        if total > limits.states {
            return Err(NetworkError::States { rule: rule.name.clone(), states: total, limit: limits.states });
        }
    }
    Ok(Outlined { parts: rules.len() - grammar.rules().len(), rules })
}

/// What is known of a regex.
#[derive(Debug, Default)]
struct RegexUse {
    uses: usize,
    /// The rule made of it; `Some(None)` if it stays where it is.
    rule: Option<Option<RuleId>>,
}

struct Outliner<'g> {
    grammar: &'g PlainGrammar,
    parts: Vec<Rule>,
    regexes: FxHashMap<*const Regex, RegexUse>,
    /// The rules of regexes with the bytes around them.
    texts: FxHashMap<(*const Regex, (Option<u8>, u8)), RuleId>,
}

impl Outliner<'_> {
    fn part(&mut self, name: String, body: Expr) -> RuleId {
        self.parts.push(Rule { name, body });
        RuleId::new(self.grammar.rules().len() + self.parts.len() - 1)
    }

    fn rewrite(&mut self, rule: &str, expr: &Expr) -> Expr {
        match expr {
            Expr::Regular(regex) => self.regex(regex),
            Expr::Sequence(parts) => self.sequence(rule, parts),
            Expr::Choice(parts) => Expr::Choice(parts.iter().map(|part| self.rewrite(rule, part)).collect()),
            Expr::Repeat { body, min, max } => {
                let body = self.rewrite(rule, body);
                let (size, copies) = (states(&body), copies(*min, *max));
                let large = copies > 1 && size > 4 && size.saturating_mul(copies) > LARGE_REPEAT;
                let body = match large && !matches!(body, Expr::Rule(_)) {
                    true => Expr::Rule(self.part(format!("{rule}, repeated"), body)),
                    false => body,
                };
                Expr::Repeat { body: Box::new(body), min: *min, max: *max }
            }
            Expr::Bytes(_) | Expr::Special(_) | Expr::Rule(_) => expr.clone(),
        }
    }

    fn sequence(&mut self, rule: &str, parts: &[Expr]) -> Expr {
        let (mut written, mut left) = (Vec::new(), parts.iter());
        while let Some(part) = left.next() {
            let text = matches!(part, Expr::Regular(_) | Expr::Repeat { .. }) && self.is_wide(part);
            match left.as_slice() {
                [Expr::Bytes(bytes), ..] if text && !bytes.is_empty() => {
                    let before = if let Some(Expr::Bytes(before)) = written.last_mut() { before.pop() } else { None };
                    written.push(Expr::Rule(self.text(rule, part, (before, bytes[0]))));
                    written.push(Expr::bytes(&bytes[1..]));
                    left.next();
                }
                _ => written.push(self.rewrite(rule, part)),
            }
        }
        Expr::Sequence(written)
    }

    /// The rule of a free text with the bytes around it.
    fn text(&mut self, rule: &str, text: &Expr, around: (Option<u8>, u8)) -> RuleId {
        let key = if let Expr::Regular(regex) = text { Some((Arc::as_ptr(regex), around)) } else { None };
        if let Some(known) = key.and_then(|key| self.texts.get(&key)) {
            return *known;
        }
        let body = if key.is_some() { text.clone() } else { self.rewrite(rule, text) };
        let (before, after) = around;
        let parts = vec![Expr::bytes(before.as_slice()), body, Expr::bytes([after])];
        let made = self.part(format!("{rule}, text"), Expr::Sequence(parts));
        if let Some(key) = key {
            self.texts.insert(key, made);
        }
        made
    }

    /// Whether an expression can begin with so many bytes that it is free text.
    fn is_wide(&self, expr: &Expr) -> bool {
        match expr {
            Expr::Regular(regex) => {
                let ranges = regex.ranges(crate::regex::StateId::START);
                ranges.map(|(first, last, _)| usize::from(last - first) + 1).sum::<usize>() >= WIDE
            }
            Expr::Choice(parts) => parts.iter().any(|part| self.is_wide(part)),
            Expr::Sequence(parts) => parts.first().is_some_and(|part| self.is_wide(part)),
            Expr::Repeat { body, .. } => self.is_wide(body),
            // Of rules only regexes with a name are looked into, so that recursion is no matter.
            Expr::Rule(rule) => {
                let body = self.grammar.rules().get(rule.index()).map(|rule| &rule.body);
                body.is_some_and(|body| matches!(body, Expr::Regular(_)) && self.is_wide(body))
            }
            Expr::Bytes(_) | Expr::Special(_) => false,
        }
    }

    fn regex(&mut self, regex: &Arc<Regex>) -> Expr {
        let known = self.regexes.get(&Arc::as_ptr(regex));
        let uses = known.map_or(1, |known| known.uses);
        let rule = match known.and_then(|known| known.rule) {
            Some(rule) => rule,
            None => {
                let apart = regex.states() > LARGE_REGEX && uses > 1
                    || regex.shortest_length(crate::regex::StateId::START) > 0
                        && Automaton::of_regex(regex).is_closed_text();
                let rule = apart.then(|| self.part(format!("/{}/", regex.pattern), Expr::Regular(Arc::clone(regex))));
                self.regexes.entry(Arc::as_ptr(regex)).or_default().rule = Some(rule);
                rule
            }
        };
        rule.map_or_else(|| Expr::Regular(Arc::clone(regex)), Expr::Rule)
    }
}

/// How often the body of a repeat is compiled.
fn copies(min: u32, max: Option<u32>) -> usize {
    max.unwrap_or(min + 1).max(1) as usize
}

/// About how many states an expression has, where rules are called.
fn states(expr: &Expr) -> usize {
    let sum = |parts: &[Expr]| parts.iter().fold(1usize, |sum, part| sum.saturating_add(states(part)));
    match expr {
        Expr::Bytes(bytes) => bytes.len(),
        Expr::Regular(regex) => regex.states(),
        Expr::Special(_) | Expr::Rule(_) => 1,
        Expr::Sequence(parts) | Expr::Choice(parts) => sum(parts),
        Expr::Repeat { body, min, max } => states(body).saturating_mul(copies(*min, *max)).saturating_add(1),
    }
}
