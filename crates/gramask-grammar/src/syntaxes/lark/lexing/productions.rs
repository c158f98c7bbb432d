//! The rules as productions, repeats and choices written out: what follows what is computed on them.

use super::super::tokens::{Tokens, Tree};
use super::bits::Bits;

#[derive(Clone, Copy, Debug)]
pub(super) enum Symbol {
    /// A lexeme at a place.
    Place(usize),
    /// One of [`Productions::rules`].
    Rule(usize),
}

/// So many symbols may the productions have.
const MOST: usize = 20_000;

pub(super) struct Productions {
    /// The productions of each rule: the rules of the grammar first, then those of its parts.
    pub rules: Vec<Vec<Vec<Symbol>>>,
    /// Whether a rule can stand for no lexeme at all.
    pub empty: Vec<bool>,
    /// The places that each rule can begin with.
    pub first: Vec<Bits>,
    places: usize,
    symbols: usize,
}

impl Productions {
    /// `None` where repeats written out take too many symbols.
    pub fn new(tokens: &Tokens) -> Option<Productions> {
        let count = tokens.rules.len();
        let places = tokens.places.len();
        let mut all =
            Productions { rules: vec![Vec::new(); count], empty: Vec::new(), first: Vec::new(), places, symbols: 0 };
        for (index, rule) in tokens.rules.iter().enumerate() {
            all.rules[index] = all.alternatives(&rule.body);
            if all.symbols > MOST {
                return None;
            }
        }
        all.begin();
        Some(all)
    }

    fn alternatives(&mut self, tree: &Tree) -> Vec<Vec<Symbol>> {
        match tree {
            Tree::Choice(parts) => parts.iter().map(|part| self.sequence(part)).collect(),
            tree => vec![self.sequence(tree)],
        }
    }

    fn sequence(&mut self, tree: &Tree) -> Vec<Symbol> {
        self.symbols += 1;
        if self.symbols > MOST {
            return Vec::new();
        }
        match tree {
            Tree::Place(place) => vec![Symbol::Place(*place)],
            Tree::Rule(rule) => vec![Symbol::Rule(*rule)],
            Tree::Ignored => Vec::new(),
            Tree::Sequence(parts) => parts.iter().flat_map(|part| self.sequence(part)).collect(),
            Tree::Choice(_) => {
                let alternatives = self.alternatives(tree);
                vec![self.rule(alternatives)]
            }
            Tree::Repeat { body, min, max } => {
                let mut all: Vec<Symbol> = (0..*min).flat_map(|_| self.sequence(body)).collect();
                match max {
                    None => {
                        let again = self.rule(vec![Vec::new()]);
                        let Symbol::Rule(number) = again else { return all };
                        let once = self.sequence(body);
                        self.rules[number].push([once, vec![again]].concat());
                        all.push(again);
                    }
                    Some(max) => {
                        let mut rest = Vec::new();
                        for _ in *min..*max {
                            let once = self.sequence(body);
                            rest = vec![self.rule(vec![Vec::new(), [once, rest].concat()])];
                        }
                        all.extend(rest);
                    }
                }
                all
            }
        }
    }

    fn rule(&mut self, productions: Vec<Vec<Symbol>>) -> Symbol {
        self.rules.push(productions);
        Symbol::Rule(self.rules.len() - 1)
    }

    /// Computes which rules can be empty and what they can begin with.
    fn begin(&mut self) {
        self.empty = vec![false; self.rules.len()];
        self.first = vec![Bits::none(self.places); self.rules.len()];
        loop {
            let mut grown = false;
            for rule in 0..self.rules.len() {
                for production in 0..self.rules[rule].len() {
                    let (first, empty) = self.first_of(&self.rules[rule][production]);
                    grown |= self.first[rule].add(&first) || (empty && !self.empty[rule]);
                    self.empty[rule] |= empty;
                }
            }
            if !grown {
                return;
            }
        }
    }

    /// The places that symbols can begin with, and whether they can be empty.
    pub fn first_of(&self, symbols: &[Symbol]) -> (Bits, bool) {
        let mut first = Bits::none(self.places);
        for symbol in symbols {
            match symbol {
                Symbol::Place(place) => {
                    first.insert(*place);
                    return (first, false);
                }
                Symbol::Rule(rule) => {
                    first.add(&self.first[*rule]);
                    if !self.empty[*rule] {
                        return (first, false);
                    }
                }
            }
        }
        (first, true)
    }

    /// Each production with its rule.
    pub fn iter(&self) -> impl Iterator<Item = (usize, &[Symbol])> {
        let all = self.rules.iter().enumerate();
        all.flat_map(|(rule, productions)| productions.iter().map(move |production| (rule, production.as_slice())))
    }

    /// For each rule the places that left recursion allows after a text of it, wherever the rule is used: those that follow it in
    /// productions that begin where it begins.
    pub fn left(&self) -> Vec<Bits> {
        let corners: Vec<Vec<usize>> = (0..self.rules.len()).map(|rule| self.corners(rule)).collect();
        let mut left = vec![Bits::none(self.places); self.rules.len()];
        for (rule, (left, corners)) in left.iter_mut().zip(&corners).enumerate() {
            let mut complete = vec![rule];
            let mut at = 0;
            while let Some(&inner) = complete.get(at) {
                at += 1;
                for &outer in corners {
                    for production in &self.rules[outer] {
                        for (place, symbol) in production.iter().enumerate() {
                            let Symbol::Rule(found) = symbol else { break };
                            if *found == inner {
                                let (after, empty) = self.first_of(&production[place + 1..]);
                                left.add(&after);
                                if empty && !complete.contains(&outer) {
                                    complete.push(outer);
                                }
                            }
                            if !self.empty[*found] {
                                break;
                            }
                        }
                    }
                }
            }
        }
        left
    }

    /// The rules that begin where a rule begins, itself included.
    fn corners(&self, rule: usize) -> Vec<usize> {
        let mut corners = vec![rule];
        let mut at = 0;
        while let Some(&corner) = corners.get(at) {
            at += 1;
            for symbol in self.rules[corner].iter().flat_map(|production| {
                let hard = production.iter().position(|symbol| match symbol {
                    Symbol::Place(_) => true,
                    Symbol::Rule(rule) => !self.empty[*rule],
                });
                &production[..hard.map_or(production.len(), |hard| hard + 1)]
            }) {
                if let Symbol::Rule(next) = symbol
                    && !corners.contains(next)
                {
                    corners.push(*next);
                }
            }
        }
        corners
    }

    /// The places that may follow each rule.
    pub fn follow(&self) -> Vec<Bits> {
        let mut follow = vec![Bits::none(self.places); self.rules.len()];
        loop {
            let mut grown = false;
            for (rule, production) in self.iter() {
                for (at, symbol) in production.iter().enumerate() {
                    let Symbol::Rule(inner) = symbol else { continue };
                    let (mut after, empty) = self.first_of(&production[at + 1..]);
                    if empty {
                        after.add(&follow[rule]);
                    }
                    grown |= follow[*inner].add(&after);
                }
            }
            if !grown {
                return follow;
            }
        }
    }

    /// The places that each rule can end with.
    pub fn last(&self) -> Vec<Bits> {
        let mut last = vec![Bits::none(self.places); self.rules.len()];
        loop {
            let mut grown = false;
            for (rule, production) in self.iter() {
                for symbol in production.iter().rev() {
                    match symbol {
                        Symbol::Place(place) => {
                            grown |= !last[rule].contains(*place);
                            last[rule].insert(*place);
                            break;
                        }
                        Symbol::Rule(inner) => {
                            let inner_last = last[*inner].clone();
                            grown |= last[rule].add(&inner_last);
                            if !self.empty[*inner] {
                                break;
                            }
                        }
                    }
                }
            }
            if !grown {
                return last;
            }
        }
    }
}
