//! The oracle of plain grammars: a recogniser by the book, byte by byte, that the engine is compared with.
//!
//! It is J. Earley's algorithm ("An efficient context-free parsing algorithm", 1970), over the expressions as they are written.
//! Rules that can be empty are passed over when they are predicted (J. Aycock and R. N. Horspool, "Practical Earley parsing",
//! 2002). It shares no code with the network, and needs no care with left recursion, ambiguity or nesting. It makes a mask
//! by trying every token. Slow, and easy to check.

use std::collections::BTreeSet;

use super::expr::{Expr, PlainGrammar};
use crate::engine::set_bit;
use crate::regex::StateId;
use crate::{Grammar, Vocabulary};

/// What an output consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Letter<'a> {
    Byte(u8),
    /// A special token, by its name.
    Special(&'a str),
}

/// A part of a production.
#[derive(Clone, Copy, Debug)]
enum Symbol<'g> {
    Byte(u8),
    Regular(&'g crate::regex::Regex),
    Special(&'g str),
    /// All productions of a nonterminal.
    Inner(usize),
}

/// A dotted production: it was predicted at `origin`, and `dot` of its symbols are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Item {
    nonterminal: usize,
    production: usize,
    dot: usize,
    origin: usize,
    /// Inside a regex that is being read.
    inside: Option<StateId>,
}

/// Follows an output of a plain grammar byte by byte, and tries every token for a mask.
///
/// ```
/// use gramask_grammar::{Grammar, PlainOracle};
///
/// let grammar = Grammar::from_gbnf("root ::= root root | \"a\"\n")?;
/// let mut oracle = PlainOracle::of(&grammar);
/// assert!(oracle.advance_bytes(b"aaa") && oracle.accepts() && !oracle.advance_bytes(b"b"));
/// # Ok::<(), gramask_grammar::GrammarErrors>(())
/// ```
#[derive(Clone, Debug)]
pub struct PlainOracle<'g> {
    /// The productions of each nonterminal, without those that never end.
    nonterminals: Vec<Vec<Vec<Symbol<'g>>>>,
    nullable: Vec<bool>,
    start: usize,
    /// The items after each letter.
    chart: Vec<BTreeSet<Item>>,
}

impl<'g> PlainOracle<'g> {
    /// The oracle of a grammar.
    pub fn of(grammar: &'g Grammar) -> PlainOracle<'g> {
        PlainOracle::new(grammar.plain())
    }

    pub(crate) fn new(grammar: &'g PlainGrammar) -> PlainOracle<'g> {
        // One nonterminal for each rule comes first.
        let mut nonterminals = vec![Vec::new(); grammar.rules().len()];
        for (number, rule) in grammar.rules().iter().enumerate() {
            let symbols = symbols(&rule.body, &mut nonterminals);
            nonterminals[number].push(symbols);
        }
        let productive = least(&nonterminals, |symbol, known| match symbol {
            Symbol::Inner(inner) => known[*inner],
            _ => true,
        });
        let ends = |symbol: &Symbol| if let Symbol::Inner(inner) = symbol { productive[*inner] } else { true };
        nonterminals.iter_mut().for_each(|all| all.retain(|symbols| symbols.iter().all(ends)));
        let nullable = least(&nonterminals, |symbol, known| match symbol {
            Symbol::Inner(inner) => known[*inner],
            Symbol::Regular(regex) => regex.matches(StateId::START),
            _ => false,
        });
        let start = grammar.start().index();
        let mut oracle = PlainOracle { nonterminals, nullable, start, chart: Vec::new() };
        let first = (0..oracle.nonterminals[start].len()).map(|production| oracle.item(start, production, 0));
        let first = first.collect();
        let first = oracle.complete(first);
        oracle.chart.push(first);
        oracle
    }

    fn item(&self, nonterminal: usize, production: usize, origin: usize) -> Item {
        Item { nonterminal, production, dot: 0, origin, inside: None }
    }

    fn symbol(&self, item: &Item) -> Option<Symbol<'g>> {
        self.nonterminals[item.nonterminal][item.production].get(item.dot).copied()
    }

    /// All items that follow from these at the end of the chart, by prediction and completion.
    fn complete(&self, mut items: BTreeSet<Item>) -> BTreeSet<Item> {
        let here = self.chart.len();
        let mut open: Vec<Item> = items.iter().copied().collect();
        while let Some(item) = open.pop() {
            let mut found = Vec::new();
            let after = Item { dot: item.dot + 1, inside: None, ..item };
            match self.symbol(&item) {
                Some(Symbol::Inner(inner)) => {
                    found.extend((0..self.nonterminals[inner].len()).map(|each| self.item(inner, each, here)));
                    if self.nullable[inner] {
                        found.push(after);
                    }
                }
                Some(Symbol::Regular(regex)) if regex.matches(item.inside.unwrap_or(StateId::START)) => {
                    found.push(after);
                }
                Some(_) => {}
                None if item.origin < here => {
                    let waiting = self.chart[item.origin].iter().filter(|waiting| {
                        matches!(self.symbol(waiting), Some(Symbol::Inner(inner)) if inner == item.nonterminal)
                    });
                    found.extend(waiting.map(|waiting| Item { dot: waiting.dot + 1, ..*waiting }));
                }
                // What was read is empty: prediction has passed over it.
                None => {}
            }
            open.extend(found.into_iter().filter(|item| items.insert(*item)));
        }
        items
    }

    /// Reads a letter; `false`, and nothing is read, where no output goes on so.
    pub(crate) fn advance(&mut self, letter: Letter) -> bool {
        let mut next = BTreeSet::new();
        for item in &self.chart[self.chart.len() - 1] {
            let after = Item { dot: item.dot + 1, inside: None, ..*item };
            match (self.symbol(item), letter) {
                (Some(Symbol::Byte(byte)), Letter::Byte(given)) if byte == given => {
                    next.insert(after);
                }
                (Some(Symbol::Special(name)), Letter::Special(given)) if name == given => {
                    next.insert(after);
                }
                (Some(Symbol::Regular(regex)), Letter::Byte(given)) => {
                    if let Some(state) = regex.next(item.inside.unwrap_or(StateId::START), given) {
                        next.insert(Item { inside: Some(state), ..*item });
                    }
                }
                _ => {}
            }
        }
        if next.is_empty() {
            return false;
        }
        let next = self.complete(next);
        self.chart.push(next);
        true
    }

    /// Reads bytes; `false`, and nothing is read, where no output goes on so.
    pub fn advance_bytes(&mut self, bytes: &[u8]) -> bool {
        let before = self.chart.len();
        let all = bytes.iter().all(|byte| self.advance(Letter::Byte(*byte)));
        if !all {
            self.chart.truncate(before);
        }
        all
    }

    /// Reads a special token; `false`, and nothing is read, where no output goes on so.
    pub fn advance_special(&mut self, name: &str) -> bool {
        self.advance(Letter::Special(name))
    }

    /// Whether the output is complete.
    pub fn accepts(&self) -> bool {
        let done = |item: &Item| item.nonterminal == self.start && item.origin == 0 && self.symbol(item).is_none();
        self.chart[self.chart.len() - 1].iter().any(done) || self.chart.len() == 1 && self.nullable[self.start]
    }

    /// The tokens that may follow: bit `i` of word `w` stands for token `32 w + i`.
    pub fn mask(&mut self, vocabulary: &Vocabulary) -> Vec<u32> {
        let mut mask = vec![0; vocabulary.words()];
        let before = self.chart.len();
        for token in 0..vocabulary.len() as u32 {
            let allowed = match vocabulary.text(token) {
                _ if vocabulary.is_end(token) => self.accepts(),
                Some(text) => self.advance_bytes(text),
                None if vocabulary.is_special(token) => {
                    let name = std::str::from_utf8(vocabulary.bytes(token));
                    name.is_ok_and(|name| self.advance_special(name))
                }
                None => false,
            };
            self.chart.truncate(before);
            if allowed {
                set_bit(&mut mask, token);
            }
        }
        mask
    }
}

/// An expression as the symbols of a production. What has several productions becomes a nonterminal.
fn symbols<'g>(expr: &'g Expr, nonterminals: &mut Vec<Vec<Vec<Symbol<'g>>>>) -> Vec<Symbol<'g>> {
    let add = |nonterminals: &mut Vec<Vec<Vec<Symbol<'g>>>>, productions| {
        nonterminals.push(productions);
        Symbol::Inner(nonterminals.len() - 1)
    };
    match expr {
        Expr::Bytes(bytes) => bytes.iter().map(|byte| Symbol::Byte(*byte)).collect(),
        Expr::Regular(regex) => vec![Symbol::Regular(regex)],
        Expr::Special(name) => vec![Symbol::Special(name)],
        Expr::Sequence(parts) => parts.iter().flat_map(|part| symbols(part, nonterminals)).collect(),
        Expr::Choice(parts) => {
            let productions = parts.iter().map(|part| symbols(part, nonterminals)).collect();
            vec![add(nonterminals, productions)]
        }
        Expr::Rule(rule) => vec![Symbol::Inner(rule.index())],
        Expr::Repeat { body, min, max } => {
            let body = symbols(body, nonterminals);
            let inner = add(nonterminals, vec![body]);
            let rest = match max {
                None => {
                    let Symbol::Inner(list) = add(nonterminals, Vec::new()) else { return Vec::new() };
                    nonterminals[list] = vec![Vec::new(), vec![inner, Symbol::Inner(list)]];
                    Some(Symbol::Inner(list))
                }
                Some(max) => (*min..*max).fold(None, |rest, _| {
                    let one_more = std::iter::once(inner).chain(rest).collect();
                    Some(add(nonterminals, vec![Vec::new(), one_more]))
                }),
            };
            std::iter::repeat_n(inner, *min as usize).chain(rest).collect()
        }
    }
}

/// The nonterminals with a production whose symbols all pass the test, which may ask for other nonterminals.
fn least(nonterminals: &[Vec<Vec<Symbol>>], test: impl Fn(&Symbol, &[bool]) -> bool) -> Vec<bool> {
    let mut known = vec![false; nonterminals.len()];
    loop {
        let passes = |all: &Vec<Vec<Symbol>>| all.iter().any(|symbols| symbols.iter().all(|one| test(one, &known)));
        let next: Vec<bool> = nonterminals.iter().map(passes).collect();
        if next == known {
            return known;
        }
        known = next;
    }
}
