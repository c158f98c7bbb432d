//! Which lexemes are allowed together: bounds from above and from below.
//!
//! llguidance's lexer looks for all lexemes that the parser allows at a place, a *row*. The rows depend on the whole text
//! before. Here they are enclosed: [`Rows::may`] has all lexemes that any row with a place can have, and [`Rows::must`] only
//! such lexemes as each row with the place has.

use super::super::tokens::Tokens;
use super::bits::Bits;
use super::productions::{Productions, Symbol};

/// Whether output can go on once it is complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    Always,
    Never,
    /// That differs, and the productions say where: one symbol of lookahead decides between them.
    Decided,
    Unknown,
}

pub(super) struct Rows {
    /// For each place the places that can follow it.
    pub next: Vec<Bits>,
    /// For each place the lexemes that can be allowed where it is.
    pub may: Vec<Bits>,
    /// For each place the lexemes that are allowed wherever it is. The number after the last lexeme is ignored text.
    pub must: Vec<Bits>,
    /// The places that can come first.
    pub first: Bits,
    pub ending: Ending,
}

impl Rows {
    /// `overlaps` says whether two lexemes have a text in common.
    pub fn new(tokens: &Tokens, productions: &Productions, overlaps: &dyn Fn(usize, usize) -> bool) -> Rows {
        let places = tokens.places.len();
        let follow = productions.follow();
        let mut next = vec![Bits::none(places); places];
        for (rule, production) in productions.iter() {
            for (at, symbol) in production.iter().enumerate() {
                let Symbol::Place(place) = symbol else { continue };
                let (after, empty) = productions.first_of(&production[at + 1..]);
                next[*place].add(&after);
                if empty {
                    next[*place].add(&follow[rule]);
                }
            }
        }
        let first = productions.first[tokens.start].clone();
        let together = together(tokens, &next, &first, overlaps);
        let lexemes = |places: &Bits| {
            let mut lexemes = Bits::none(tokens.lexemes.len() + 1);
            places.iter().for_each(|place| lexemes.insert(tokens.places[place].lexeme));
            lexemes
        };
        let may = together.iter().map(lexemes).collect();
        let must = Guaranteed::new(tokens, productions).places();
        let ending = ending(tokens, productions, (&next, &together, &follow), overlaps);
        Rows { next, may, must, first, ending }
    }
}

/// For each place the places that can be in the same row. The rows after two places of one row are one row, if a text can be
/// both of their lexemes.
fn together(tokens: &Tokens, next: &[Bits], first: &Bits, overlaps: &dyn Fn(usize, usize) -> bool) -> Vec<Bits> {
    let places = tokens.places.len();
    let mut together = vec![Bits::none(places); places];
    let mut done = vec![Bits::none(places); places];
    first.iter().for_each(|place| _ = together[place].add(first));
    loop {
        let mut grown = false;
        for (one, done) in done.iter_mut().enumerate() {
            let others: Vec<usize> = together[one].iter().filter(|other| !done.contains(*other)).collect();
            for other in others {
                done.insert(other);
                if !overlaps(tokens.places[one].lexeme, tokens.places[other].lexeme) {
                    continue;
                }
                let row = next[one].clone().or(&next[other]);
                for place in row.iter() {
                    grown |= together[place].add(&row);
                }
            }
        }
        if !grown {
            return together;
        }
    }
}

fn ending(
    tokens: &Tokens,
    productions: &Productions,
    (next, together, follow): (&[Bits], &[Bits], &[Bits]),
    overlaps: &dyn Fn(usize, usize) -> bool,
) -> Ending {
    // One number that says whether there is anything at all.
    let anything = |first: &Bits| if first.is_empty() { Bits::none(1) } else { Bits::all(1) };
    if productions.first[tokens.start].is_empty() {
        return Ending::Never;
    }
    if !Inside::new(productions, anything, Bits::all(1), Bits::and).rules[tokens.start].is_empty() {
        return Ending::Always;
    }
    // Whatever else a last lexeme could be, nothing follows it.
    let alike = |place: usize| {
        let same = move |other: &usize| overlaps(tokens.places[place].lexeme, tokens.places[*other].lexeme);
        together[place].iter().filter(same)
    };
    let last = &productions.last()[tokens.start];
    if last.iter().all(|place| alike(place).all(|other| next[other].is_empty())) {
        return Ending::Never;
    }
    if !is_decided(tokens, productions, follow, overlaps) {
        return Ending::Unknown;
    }
    let can_go_on = Inside::new(productions, anything, Bits::none(1), Bits::or);
    if can_go_on.rules[tokens.start].is_empty() { Ending::Never } else { Ending::Decided }
}

/// Whether the next lexeme always decides between the productions of a rule: the grammar is LL(1), where lexemes with a text in
/// common count as one.
fn is_decided(
    tokens: &Tokens,
    productions: &Productions,
    follow: &[Bits],
    overlaps: &dyn Fn(usize, usize) -> bool,
) -> bool {
    let apart = |one: &Bits, other: &Bits| {
        let lexeme = |place: usize| tokens.places[place].lexeme;
        one.iter().all(|one| other.iter().all(|other| !overlaps(lexeme(one), lexeme(other))))
    };
    productions.rules.iter().enumerate().all(|(rule, all)| {
        let firsts: Vec<(Bits, bool)> = all.iter().map(|production| productions.first_of(production)).collect();
        let pairs = (0..firsts.len()).flat_map(|one| (0..one).map(move |other| (one, other)));
        let mut pairs = pairs.map(|(one, other)| (&firsts[one], &firsts[other]));
        let empty = firsts.iter().any(|(_, empty)| *empty);
        pairs.all(|(one, other)| apart(&one.0, &other.0) && !(one.1 && other.1))
            && (!empty || apart(&productions.first[rule], &follow[rule]))
    })
}

/// For each rule what a text of it can go on with, where it is complete and not empty: what each such text goes on with, or what
/// any goes on with, as `join` says.
struct Inside<'a> {
    productions: &'a Productions,
    /// What each rule can begin with.
    first: Vec<Bits>,
    rules: Vec<Bits>,
    join: fn(Bits, &Bits) -> Bits,
    /// What joined with anything gives that.
    neutral: Bits,
}

impl Inside<'_> {
    /// `view` says in what sets the beginnings are given.
    fn new(
        productions: &Productions,
        view: impl Fn(&Bits) -> Bits + Copy,
        neutral: Bits,
        join: fn(Bits, &Bits) -> Bits,
    ) -> Inside<'_> {
        let first = productions.first.iter().map(view).collect();
        let left: Vec<Bits> = productions.left().iter().map(view).collect();
        let rules = vec![neutral.clone(); productions.rules.len()];
        let mut inside = Inside { productions, first, rules, join, neutral };
        loop {
            let mut changed = false;
            for (rule, left) in left.iter().enumerate() {
                let all = productions.rules[rule].iter().map(|production| inside.after(production));
                let joined = all.fold(inside.neutral.clone(), |joined, one| (inside.join)(joined, &one)).or(left);
                changed |= std::mem::replace(&mut inside.rules[rule], joined.clone()) != joined;
            }
            if !changed {
                return inside;
            }
        }
    }

    /// The same after symbols that were read, at least one lexeme of them.
    fn after(&self, symbols: &[Symbol]) -> Bits {
        let Some((last, before)) = symbols.split_last() else { return self.neutral.clone() };
        let Symbol::Rule(last) = last else { return self.neutral.cleared() };
        let mut all = self.neutral.clone();
        if !self.productions.first[*last].is_empty() {
            all = (self.join)(all, &self.rules[*last]);
        }
        if self.productions.empty[*last] {
            all = (self.join)(all, &self.after(before).or(&self.first[*last]));
        }
        all
    }
}

/// What each row has that has an item.
struct Guaranteed<'a> {
    tokens: &'a Tokens,
    productions: &'a Productions,
    /// From inside: what a text of each rule goes on with.
    inside: Inside<'a>,
    /// From above: what follows each rule, whatever uses it.
    above: Vec<Bits>,
    /// What a row has that begins each rule.
    begun: Vec<Bits>,
}

impl<'a> Guaranteed<'a> {
    fn new(tokens: &'a Tokens, productions: &'a Productions) -> Guaranteed<'a> {
        let count = productions.rules.len();
        let everything = Bits::all(tokens.lexemes.len() + 1);
        let mut all = Guaranteed {
            tokens,
            productions,
            inside: Inside::new(productions, |first| lexemes(tokens, first), everything.clone(), Bits::and),
            above: vec![everything.clone(); count],
            begun: vec![everything; count],
        };
        all.above[tokens.start] = Bits::none(tokens.lexemes.len() + 1);
        all.begun[tokens.start] = all.first_row();
        loop {
            let (mut above, mut begun) = (all.above.clone(), all.begun.clone());
            for (rule, production) in productions.iter() {
                for (at, symbol) in production.iter().enumerate() {
                    let Symbol::Rule(inner) = symbol else { continue };
                    above[*inner] = above[*inner].clone().and(&all.rest(rule, &production[at + 1..]));
                    begun[*inner] = begun[*inner].clone().and(&all.item(rule, production, at));
                }
            }
            let changed = above != all.above || begun != all.begun;
            (all.above, all.begun) = (above, begun);
            if !changed {
                return all;
            }
        }
    }

    /// What the first row has.
    fn first_row(&self) -> Bits {
        let mut row = lexemes(self.tokens, &self.productions.first[self.tokens.start]);
        if self.tokens.options.initial_skip {
            row.insert(self.tokens.lexemes.len());
        }
        row
    }

    /// What the rest of a production allows.
    fn rest(&self, rule: usize, rest: &[Symbol]) -> Bits {
        let (first, empty) = self.productions.first_of(rest);
        let first = lexemes(self.tokens, &first);
        if empty { first.or(&self.above[rule]) } else { first }
    }

    /// What a row has that has this production, read up to a symbol.
    fn item(&self, rule: usize, production: &[Symbol], at: usize) -> Bits {
        let (before, empty) = self.productions.first_of(&production[..at]);
        let mut context = Bits::all(self.tokens.lexemes.len() + 1);
        if !before.is_empty() {
            let mut read = self.inside.after(&production[..at]);
            read.insert(self.tokens.lexemes.len());
            context = context.and(&read);
        }
        if empty {
            let first = lexemes(self.tokens, &self.productions.first_of(production).0);
            context = context.and(&self.begun[rule].clone().or(&first));
        }
        context.or(&self.rest(rule, &production[at..]))
    }

    /// For each place what each row with it has.
    fn places(&self) -> Vec<Bits> {
        let mut places = vec![Bits::all(self.tokens.lexemes.len() + 1); self.tokens.places.len()];
        for (rule, production) in self.productions.iter() {
            for (at, symbol) in production.iter().enumerate() {
                if let Symbol::Place(place) = symbol {
                    places[*place] = places[*place].clone().and(&self.item(rule, production, at));
                }
            }
        }
        places
    }
}

fn lexemes(tokens: &Tokens, places: &Bits) -> Bits {
    let mut lexemes = Bits::none(tokens.lexemes.len() + 1);
    places.iter().for_each(|place| lexemes.insert(tokens.places[place].lexeme));
    lexemes
}
