//! Rules over bytes, multiplied by what may not come first and what may not follow.
//!
//! A [`Side`] is what is known between two lexemes: the bytes that must not come next. Each part of a rule leads from a side
//! to some sides, and the translation of a part is an expression for each of these. It is the product of the grammar with a
//! finite automaton whose states are the sides.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use super::super::super::error::Fault;
use super::super::tokens::{Lexeme, Tree};
use super::split::Named;
use super::{Lexer, Texts};
use crate::byte_set::ByteSet;
use crate::plain::{Builder, Expr, RuleId};
use crate::regex::{Regex, StateId};

/// So many states may a cut automaton have.
const MOST_STATES: usize = 5_000;
/// So many different sides may a grammar have.
const MOST_SIDES: usize = 100;
/// So often may a counted repeat be written out.
const MOST_COPIES: u32 = 200;

/// What must not come next, by its place in [`Restriction::sides`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Side(usize);

impl Side {
    /// Before the first lexeme, where nothing is ignored.
    const BEGIN: Side = Side(0);
    /// Anything may come.
    const FREE: Side = Side(1);
}

/// An expression for each side that a part leads to.
type Parts = BTreeMap<Side, Expr>;
/// The texts of a lexeme after a side, by the side that they lead to.
type Cut = Vec<(Side, Arc<Regex>)>;

/// Defines the rules over bytes.
pub(super) fn translate(
    lexer: &Lexer,
    beside: (&[Vec<usize>], &[ByteSet]),
    (rules, output): (&[Named], &Tree),
    builder: &mut Builder,
) -> Result<RuleId, Vec<Fault>> {
    let start = lexer.tokens.rules[lexer.tokens.start].span;
    let mut restriction = Restriction::new(lexer, beside, rules, builder);
    restriction.find_exits(output);
    let begin = restriction.begin();
    let outputs: Vec<Expr> = restriction.of(output, begin).into_values().collect();
    restriction.define();
    if !restriction.taken.is_empty() {
        return Err(restriction.taken);
    }
    if restriction.too_large {
        let fault = Fault::new(start, "the lexer makes this grammar too large");
        return Err(vec![fault.help("use fewer terminals that begin alike, and repeat less")]);
    }
    if outputs.is_empty() && lexer.tokens.finished()[lexer.tokens.start] {
        let fault = Fault::new(start, "the lexer leaves no output: some lexeme always takes the text of the next one");
        return Err(vec![fault.help("let what follows a terminal begin with another character")]);
    }
    Ok(builder.rule("start", choice(outputs)))
}

struct Restriction<'a, 'b> {
    lexer: &'a Lexer<'a>,
    /// For each place, and for ignored text as the last, the lexemes beside it, and the bytes that may follow.
    active: &'a [Vec<usize>],
    after: &'a [ByteSet],
    rules: &'a [Named],
    builder: &'b mut Builder,
    sides: Vec<ByteSet>,
    /// Where each rule leads from each side.
    exits: HashMap<(usize, Side), BTreeSet<Side>>,
    /// The texts of a place after a side, with the side that they lead to.
    cuts: HashMap<(usize, Side), Cut>,
    /// The rules over bytes: of a rule between two sides, and of ignored text between two sides.
    made: HashMap<(usize, Side, Side), RuleId>,
    open: VecDeque<(usize, Side)>,
    ignored: HashMap<(Side, Side), RuleId>,
    /// The rule of each JSON Schema's instances, and the instances whose first byte the text before would take.
    instances: HashMap<usize, RuleId>,
    taken: Vec<Fault>,
    too_large: bool,
}

impl<'a, 'b> Restriction<'a, 'b> {
    fn new(
        lexer: &'a Lexer<'a>,
        (active, after): (&'a [Vec<usize>], &'a [ByteSet]),
        rules: &'a [Named],
        builder: &'b mut Builder,
    ) -> Restriction<'a, 'b> {
        Restriction {
            lexer,
            active,
            after,
            rules,
            builder,
            sides: vec![ByteSet::default(), ByteSet::default()],
            exits: HashMap::new(),
            cuts: HashMap::new(),
            made: HashMap::new(),
            open: VecDeque::new(),
            ignored: HashMap::new(),
            instances: HashMap::new(),
            taken: Vec::new(),
            too_large: false,
        }
    }

    /// The side before an output.
    fn begin(&self) -> Side {
        let ignores = self.lexer.tokens.ignored.is_some() && !self.lexer.tokens.options.initial_skip;
        if ignores { Side::BEGIN } else { Side::FREE }
    }

    fn side(&mut self, bytes: ByteSet) -> Side {
        if bytes.is_empty() {
            return Side::FREE;
        }
        if let Some(known) = self.sides.iter().skip(2).position(|side| *side == bytes) {
            return Side(known + 2);
        }
        self.too_large |= self.sides.len() >= MOST_SIDES;
        self.sides.push(bytes);
        Side(self.sides.len() - 1)
    }

    /// The texts of a place, or of ignored text, after a side.
    fn cut(&mut self, place: usize, side: Side) -> Cut {
        if let Some(known) = self.cuts.get(&(place, side)) {
            return known.clone();
        }
        let tokens = self.lexer.tokens;
        let number = tokens.places.get(place).map_or(self.lexer.ignored(), |place| place.lexeme);
        let Some(texts) = &self.lexer.texts[number] else { return Vec::new() };
        let others = self.active[place].iter().filter_map(|other| self.lexer.texts[*other].as_ref());
        let others: Vec<&Texts> = others.collect();
        let closed = number == self.lexer.ignored() && self.is_single();
        let mask = if closed || self.lexer.is_lazy(number) { ByteSet::default() } else { self.after[place] };
        let Some(cut) = texts.cut(&others, &self.sides[side.0], &mask, MOST_STATES) else {
            self.too_large = true;
            return Vec::new();
        };
        let whole = match tokens.lexemes.get(number) {
            Some(Lexeme::Text(regex) | Lexeme::Lazy(regex)) => Some(regex),
            Some(Lexeme::Special(_) | Lexeme::Json(_)) => None,
            None => tokens.ignored.as_ref().map(|(regex, _)| regex),
        };
        let free = self.sides[side.0].and(&texts.first()).is_empty();
        let mut all = Vec::new();
        let count = cut.len();
        for (after, regex) in cut {
            let side = self.side(after);
            // The whole language is the lexeme's own, which other places share.
            let own = whole.filter(|whole| count == 1 && free && !whole.matches(StateId::START));
            all.push((side, own.cloned().unwrap_or(regex)));
        }
        self.cuts.insert((place, side), all.clone());
        all
    }

    /// Whether pieces of ignored text in a row are as one piece, and no lexeme begins with what continues one.
    fn is_single(&self) -> bool {
        let Some(texts) = &self.lexer.texts[self.lexer.ignored()] else { return false };
        let lexemes = self.lexer.texts[..self.lexer.ignored()].iter().flatten();
        let mut first = ByteSet::default();
        lexemes.for_each(|texts| first.union(&texts.first()));
        texts.is_closed() && !self.lexer.tokens.options.ignore_once && texts.all_onward().and(&first).is_empty()
    }

    /// The sides after ignored text.
    fn after_ignored(&mut self, side: Side) -> BTreeSet<Side> {
        let mut all = BTreeSet::from([side]);
        if side == Side::BEGIN || self.lexer.tokens.ignored.is_none() {
            return all;
        }
        let mut open = vec![side];
        while let Some(side) = open.pop() {
            for (next, _) in self.cut(self.lexer.tokens.places.len(), side) {
                if all.insert(next) && !self.lexer.tokens.options.ignore_once {
                    open.push(next);
                }
            }
        }
        all
    }

    /// Where a part leads.
    fn exit(&mut self, tree: &Tree, side: Side) -> BTreeSet<Side> {
        let all = |restriction: &mut Self, tree: &Tree, sides: BTreeSet<Side>| -> BTreeSet<Side> {
            sides.into_iter().flat_map(|side| restriction.exit(tree, side)).collect()
        };
        match tree {
            Tree::Ignored => self.after_ignored(side),
            Tree::Place(place) => {
                let sides = self.after_ignored(side);
                if self.lexer.texts[self.lexer.tokens.places[*place].lexeme].is_none() {
                    return BTreeSet::from([Side::FREE]);
                }
                sides.into_iter().flat_map(|side| self.cut(*place, side)).map(|(side, _)| side).collect()
            }
            Tree::Sequence(parts) => parts.iter().fold(BTreeSet::from([side]), |sides, part| all(self, part, sides)),
            Tree::Choice(parts) => parts.iter().flat_map(|part| self.exit(part, side)).collect(),
            Tree::Rule(rule) => self.exits.entry((*rule, side)).or_default().clone(),
            Tree::Repeat { body, min, max } => {
                let mut sides = BTreeSet::from([side]);
                for _ in 0..*min {
                    sides = all(self, body, sides);
                }
                let mut found = sides.clone();
                for _ in *min..max.unwrap_or(u32::MAX) {
                    sides = all(self, body, sides);
                    let before = found.len();
                    found.extend(&sides);
                    if max.is_none() && found.len() == before {
                        break;
                    }
                    // For an unbounded repeat all sides that were found go on.
                    sides = if max.is_none() { found.clone() } else { sides };
                    if sides.is_empty() {
                        break;
                    }
                }
                found
            }
        }
    }

    /// Computes where the rules lead, until nothing is added.
    fn find_exits(&mut self, output: &Tree) {
        let begin = self.begin();
        loop {
            let before: (usize, usize) = (self.exits.len(), self.exits.values().map(BTreeSet::len).sum());
            self.exit(output, begin);
            for (rule, side) in self.exits.keys().copied().collect::<Vec<_>>() {
                let rules = self.rules;
                let exit = self.exit(&rules[rule].1, side);
                self.exits.entry((rule, side)).or_default().extend(exit);
            }
            let after = (self.exits.len(), self.exits.values().map(BTreeSet::len).sum());
            if before == after || self.too_large {
                return;
            }
        }
    }

    /// The expressions of a part after a side.
    fn of(&mut self, tree: &Tree, side: Side) -> Parts {
        match tree {
            Tree::Ignored => {
                let sides = self.after_ignored(side);
                sides.into_iter().map(|to| (to, self.ignored_between(side, to))).collect()
            }
            Tree::Place(place) => self.place(*place, side),
            Tree::Sequence(parts) => {
                let begin = Parts::from([(side, Expr::empty())]);
                parts.iter().fold(begin, |before, part| self.then(before, |all, side| all.of(part, side)))
            }
            Tree::Choice(parts) => {
                let mut all: BTreeMap<Side, Vec<Expr>> = BTreeMap::new();
                for part in parts {
                    self.of(part, side).into_iter().for_each(|(side, expr)| all.entry(side).or_default().push(expr));
                }
                all.into_iter().map(|(side, exprs)| (side, choice(exprs))).collect()
            }
            Tree::Rule(rule) => {
                let exits = self.exits.get(&(*rule, side)).cloned().unwrap_or_default();
                exits.into_iter().map(|to| (to, self.rule(*rule, side, to))).collect()
            }
            Tree::Repeat { body, min, max } => self.repeat(body, *min, *max, side),
        }
    }

    /// One part after another.
    fn then(&mut self, before: Parts, mut next: impl FnMut(&mut Self, Side) -> Parts) -> Parts {
        let mut all: BTreeMap<Side, Vec<Expr>> = BTreeMap::new();
        for (side, first) in before {
            for (to, second) in next(self, side) {
                all.entry(to).or_default().push(sequence(first.clone(), second));
            }
        }
        all.into_iter().map(|(side, exprs)| (side, choice(exprs))).collect()
    }

    fn place(&mut self, place: usize, side: Side) -> Parts {
        let tokens = self.lexer.tokens;
        let lexeme = &tokens.lexemes[tokens.places[place].lexeme];
        let before = self.of(&Tree::Ignored, side);
        self.then(before, |all, side| match lexeme {
            Lexeme::Special(name) => Parts::from([(Side::FREE, Expr::Special(name.clone()))]),
            Lexeme::Json(json) => {
                let taken = all.sides[side.0].and(&json.first);
                if !taken.is_empty() {
                    all.taken.push(all.lexer.taken(place, &taken));
                }
                let number = tokens.places[place].lexeme;
                let instance = *all.instances.entry(number).or_insert_with(|| json.define(all.builder));
                Parts::from([(Side::FREE, Expr::Rule(instance))])
            }
            Lexeme::Text(_) | Lexeme::Lazy(_) => {
                let mut parts: BTreeMap<Side, Vec<Expr>> = BTreeMap::new();
                for (to, regex) in all.cut(place, side) {
                    parts.entry(to).or_default().push(Expr::Regular(regex));
                }
                parts.into_iter().map(|(to, exprs)| (to, choice(exprs))).collect()
            }
        })
    }

    /// Ignored text between two sides.
    fn ignored_between(&mut self, from: Side, to: Side) -> Expr {
        let once = self.lexer.tokens.options.ignore_once;
        let ignored = self.lexer.tokens.places.len();
        if from == Side::BEGIN || self.lexer.tokens.ignored.is_none() {
            return Expr::empty();
        }
        if let Some(known) = self.ignored.get(&(from, to)) {
            return Expr::Rule(*known);
        }
        let rule = self.builder.declare("ignored");
        self.ignored.insert((from, to), rule);
        let cut = self.cut(ignored, from);
        let loops = cut.iter().all(|(side, _)| *side == from);
        let mut ways = Vec::new();
        if loops && from == to {
            let max = if once || self.is_single() { Some(1) } else { None };
            ways.extend(cut.into_iter().map(|(_, regex)| Expr::Regular(regex).repeat(0, max)));
        } else {
            if from == to {
                ways.push(Expr::empty());
            }
            for (side, regex) in cut {
                if once && side == to {
                    ways.push(Expr::Regular(regex));
                } else if !once && self.after_ignored(side).contains(&to) {
                    let rest = self.ignored_between(side, to);
                    ways.push(sequence(Expr::Regular(regex), rest));
                }
            }
        }
        self.builder.define(rule, if ways.is_empty() { Expr::empty() } else { choice(ways) });
        Expr::Rule(rule)
    }

    fn rule(&mut self, rule: usize, from: Side, to: Side) -> Expr {
        if !self.made.contains_key(&(rule, from, to)) {
            // All sides that the rule leads to are made at once.
            for to in self.exits.get(&(rule, from)).cloned().unwrap_or_default() {
                let id = self.builder.declare(self.rules[rule].0.clone());
                self.made.insert((rule, from, to), id);
            }
            self.open.push_back((rule, from));
        }
        Expr::Rule(self.made[&(rule, from, to)])
    }

    fn define(&mut self) {
        while let Some((rule, from)) = self.open.pop_front() {
            let rules = self.rules;
            let parts = self.of(&rules[rule].1, from);
            for to in self.exits.get(&(rule, from)).cloned().unwrap_or_default() {
                let body = parts.get(&to).cloned().unwrap_or(Expr::Choice(Vec::new()));
                self.builder.define(self.made[&(rule, from, to)], body);
            }
        }
    }

    fn repeat(&mut self, body: &Tree, min: u32, max: Option<u32>, side: Side) -> Parts {
        if max == Some(0) {
            return Parts::from([(side, Expr::empty())]);
        }
        let once = self.of(body, side);
        if max == Some(1) {
            let mut parts = once;
            if min == 0 {
                let here = parts.remove(&side);
                parts.insert(side, here.map_or(Expr::empty(), Expr::optional));
            }
            return parts;
        }
        // Where the body leads to one side, and from there to the same, it is repeated as it is.
        if let Some((to, first)) = single(&once) {
            if to == side {
                return Parts::from([(side, first.repeat(min, max))]);
            }
            let again = self.of(body, to);
            if let Some((last, rest)) = single(&again)
                && last == to
            {
                let rest = rest.repeat(min.saturating_sub(1), max.map(|max| max - 1));
                let mut parts = Parts::from([(to, sequence(first, rest))]);
                if min == 0 {
                    parts.insert(side, Expr::empty());
                }
                return parts;
            }
        }
        if min.max(max.unwrap_or(0)) > MOST_COPIES {
            self.too_large = true;
            return Parts::new();
        }
        let mut parts = Parts::from([(side, Expr::empty())]);
        for _ in 0..min {
            parts = self.then(parts, |all, side| all.of(body, side));
        }
        match max {
            None => self.then(parts, |all, side| all.any_number(body, side)),
            Some(max) => {
                let mut all: BTreeMap<Side, Vec<Expr>> = BTreeMap::new();
                for times in min..=max {
                    parts.clone().into_iter().for_each(|(side, expr)| all.entry(side).or_default().push(expr));
                    if times < max {
                        // What was written so often becomes a rule, so that it is not copied.
                        let named = parts.into_iter().map(|(side, expr)| (side, self.named(expr)));
                        let named: Parts = named.collect();
                        parts = self.then(named, |all, side| all.of(body, side));
                    }
                }
                all.into_iter().map(|(side, exprs)| (side, choice(exprs))).collect()
            }
        }
    }

    fn named(&mut self, expr: Expr) -> Expr {
        match expr {
            Expr::Rule(_) => expr,
            expr => Expr::Rule(self.builder.rule("repeat", expr)),
        }
    }

    /// Any number of times, by rules between the sides that the body leads to.
    fn any_number(&mut self, body: &Tree, side: Side) -> Parts {
        let repeat = Tree::Repeat { body: Box::new(body.clone()), min: 0, max: None };
        let sides: Vec<Side> = self.exit(&repeat, side).into_iter().collect();
        let rules: BTreeMap<(Side, Side), RuleId> = sides
            .iter()
            .flat_map(|from| sides.iter().map(move |to| (*from, *to)))
            .map(|pair| (pair, self.builder.declare("repeat")))
            .collect();
        for from in &sides {
            let once = self.of(body, *from);
            for to in &sides {
                let mut ways = if from == to { vec![Expr::empty()] } else { Vec::new() };
                for (via, expr) in &once {
                    ways.push(sequence(expr.clone(), Expr::Rule(rules[&(*via, *to)])));
                }
                self.builder.define(rules[&(*from, *to)], choice(ways));
            }
        }
        sides.iter().map(|to| (*to, Expr::Rule(rules[&(side, *to)]))).collect()
    }
}

/// The only side that parts lead to.
fn single(parts: &Parts) -> Option<(Side, Expr)> {
    let (side, expr) = parts.first_key_value().filter(|_| parts.len() == 1)?;
    Some((*side, expr.clone()))
}

/// One after the other, without empty parts.
fn sequence(first: Expr, second: Expr) -> Expr {
    let mut parts = Vec::new();
    for expr in [first, second] {
        match expr {
            Expr::Sequence(inner) => parts.extend(inner),
            expr => parts.push(expr),
        }
    }
    if parts.len() == 1 { parts.remove(0) } else { Expr::Sequence(parts) }
}

/// One of several.
fn choice(mut exprs: Vec<Expr>) -> Expr {
    if exprs.len() == 1 { exprs.remove(0) } else { Expr::Choice(exprs) }
}
