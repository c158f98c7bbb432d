//! Ignored text at the end of an output. llguidance takes it where the output could go on.

use std::collections::HashMap;

use super::super::tokens::{Tokens, Tree};
use super::productions::Productions;
use super::rows::Ending;

/// A rule's name and what it stands for.
pub(super) type Named = (String, Tree);

/// The rules, and what an output is, with ignored text at its end where that may stand.
pub(super) fn with_ending(tokens: &Tokens, productions: &Productions, ending: Ending) -> (Vec<Named>, Tree) {
    let rules: Vec<Named> = tokens.rules.iter().map(|rule| (rule.name.clone(), rule.body.clone())).collect();
    let start = Tree::Rule(tokens.start);
    if tokens.ignored.is_none() {
        return (rules, start);
    }
    match ending {
        Ending::Never | Ending::Unknown => (rules, start),
        Ending::Always => (rules, Tree::Sequence(vec![start, Tree::Ignored])),
        Ending::Decided => {
            let mut split = Split { tokens, productions, rules, made: HashMap::new(), open: Vec::new() };
            let goes_on = split.rule(tokens.start, true);
            let ends = split.rule(tokens.start, false);
            split.define();
            let mut outputs = vec![Tree::Sequence(vec![goes_on, Tree::Ignored]), ends];
            if productions.empty[tokens.start] {
                outputs.push(Tree::Ignored);
            }
            (split.rules, Tree::Choice(outputs))
        }
    }
}

/// Divides the texts of rules that are not empty into those that could go on within the rule and those that could not.
struct Split<'a> {
    tokens: &'a Tokens,
    productions: &'a Productions,
    rules: Vec<Named>,
    /// The rules for the texts of a rule that go on, or for those that do not.
    made: HashMap<(usize, bool), usize>,
    /// Those that are not defined yet.
    open: Vec<(usize, bool)>,
}

impl Split<'_> {
    fn rule(&mut self, rule: usize, goes_on: bool) -> Tree {
        if let Some(made) = self.made.get(&(rule, goes_on)) {
            return Tree::Rule(*made);
        }
        let number = self.rules.len();
        self.rules.push((self.tokens.rules[rule].name.clone(), Tree::Choice(Vec::new())));
        self.made.insert((rule, goes_on), number);
        self.open.push((rule, goes_on));
        Tree::Rule(number)
    }

    fn define(&mut self) {
        while let Some((rule, goes_on)) = self.open.pop() {
            let (on, ends) = self.of(&self.tokens.rules[rule].body.clone());
            let number = self.made[&(rule, goes_on)];
            self.rules[number].1 = if goes_on { on } else { ends };
        }
    }

    /// The texts that go on, and those that do not.
    fn of(&mut self, tree: &Tree) -> (Tree, Tree) {
        match tree {
            Tree::Place(_) => (none(), tree.clone()),
            Tree::Ignored => (none(), none()),
            Tree::Rule(rule) => (self.rule(*rule, true), self.rule(*rule, false)),
            Tree::Choice(parts) => {
                let (on, ends) = parts.iter().map(|part| self.of(part)).unzip();
                (Tree::Choice(on), Tree::Choice(ends))
            }
            Tree::Sequence(parts) => self.sequence(parts),
            Tree::Repeat { body, min, max } => {
                let (on, ends) = self.of(body);
                let repeat = |min: u32, max: Option<u32>| Tree::Repeat { body: body.clone(), min, max };
                let Some(max) = *max else {
                    let last = Tree::Choice(vec![on, ends]);
                    return (Tree::Sequence(vec![repeat(min.saturating_sub(1), None), last]), none());
                };
                // The last time goes on as its body does; after fewer times there could be more.
                let before = repeat(max - 1, Some(max - 1));
                let mut goes_on = vec![Tree::Sequence(vec![before.clone(), on.clone()])];
                if max > 1 && *min < max {
                    let fewer = repeat(min.saturating_sub(1), Some(max - 2));
                    goes_on.push(Tree::Sequence(vec![fewer, Tree::Choice(vec![on, ends.clone()])]));
                }
                (Tree::Choice(goes_on), Tree::Sequence(vec![before, ends]))
            }
        }
    }

    fn sequence(&mut self, parts: &[Tree]) -> (Tree, Tree) {
        let (mut goes_on, mut ends) = (Vec::new(), Vec::new());
        // Whether a part after the last one that was written could begin.
        let mut later = false;
        for (at, part) in parts.iter().enumerate().rev() {
            let (part_on, part_ends) = self.of(part);
            let with = |last: Tree| Tree::Sequence(parts[..at].iter().cloned().chain([last]).collect());
            goes_on.push(with(part_on));
            if later {
                goes_on.push(with(part_ends))
            } else {
                ends.push(with(part_ends))
            }
            if !self.can_be_empty(part) {
                break;
            }
            later |= self.can_begin(part);
        }
        (Tree::Choice(goes_on), Tree::Choice(ends))
    }

    fn can_be_empty(&self, tree: &Tree) -> bool {
        match tree {
            Tree::Place(_) => false,
            Tree::Ignored => true,
            Tree::Rule(rule) => self.productions.empty[*rule],
            Tree::Sequence(parts) => parts.iter().all(|part| self.can_be_empty(part)),
            Tree::Choice(parts) => parts.iter().any(|part| self.can_be_empty(part)),
            Tree::Repeat { body, min, .. } => *min == 0 || self.can_be_empty(body),
        }
    }

    /// Whether it can write a lexeme.
    fn can_begin(&self, tree: &Tree) -> bool {
        match tree {
            Tree::Place(_) => true,
            Tree::Ignored => false,
            Tree::Rule(rule) => !self.productions.first[*rule].is_empty(),
            Tree::Sequence(parts) | Tree::Choice(parts) => parts.iter().any(|part| self.can_begin(part)),
            Tree::Repeat { body, .. } => self.can_begin(body),
        }
    }
}

/// No text at all.
fn none() -> Tree {
    Tree::Choice(Vec::new())
}
