//! Cuts the text of a nesting format into lexemes, for a parser that never takes a cut back.
//!
//! A cut is certain if no lexeme is a proper beginning of another one, since then only one lexeme can end at each place.
//! Literals stay whole where that allows it. Other literals are cut into characters, which never begin each other.
//! Characters of free text become one long lexeme where nothing else can begin like them.

use std::collections::{BTreeMap, BTreeSet};

use super::plain::{Alternative, Characters, Piece};

/// The lexemes of a set of rules.
pub(super) struct Lexemes {
    /// How many characters at the beginning of each literal stand alone; the rest is one lexeme.
    alone: BTreeMap<String, usize>,
    /// The one piece of free text, where a run of it may be one lexeme.
    pub text: Option<Piece>,
}

impl Lexemes {
    /// Every character alone.
    pub fn characters() -> Lexemes {
        Lexemes { alone: BTreeMap::new(), text: None }
    }

    /// The longest lexemes that are cut in one way only; `None` where the rules have more than literals and characters.
    pub fn of(rules: &[Vec<Alternative>]) -> Option<Lexemes> {
        let (mut literals, mut units) = (BTreeSet::new(), BTreeSet::new());
        for piece in rules.iter().flatten().flat_map(|alternative| &alternative.pieces) {
            match piece {
                Piece::Literal(text) => {
                    literals.insert(text.clone());
                }
                Piece::Rule(_) => {}
                unit => {
                    units.insert(unit);
                }
            }
        }
        let mut classes: Vec<&Characters> = Vec::new();
        let mut escapes: BTreeSet<String> = BTreeSet::new();
        for unit in &units {
            let parts = match unit {
                Piece::Choice(parts) => parts.as_slice(),
                unit => std::slice::from_ref(*unit),
            };
            for part in parts {
                match part {
                    Piece::Class(class) => classes.push(class),
                    Piece::Literal(text) => {
                        escapes.insert(text.clone());
                    }
                    _ => return None,
                }
            }
        }
        let begins = |text: &String| text.chars().next();
        let in_text = |c: char| classes.iter().any(|class| class.contains(c));
        let unlike = |text: &String| {
            begins(text).is_none_or(|c| !in_text(c) && escapes.iter().all(|escape| begins(escape) != Some(c)))
        };
        let text = match Vec::from_iter(&units).as_slice() {
            [only] if literals.iter().all(unlike) && absorbed(rules, only) => Some((**only).clone()),
            _ => None,
        };
        let all: BTreeSet<String> = literals.union(&escapes).cloned().collect();
        Some(Lexemes { alone: cut(&all, in_text), text })
    }

    /// The lexemes of a literal.
    pub fn cut<'t>(&self, literal: &'t str) -> Vec<&'t str> {
        let alone = self.alone.get(literal).copied().unwrap_or(usize::MAX);
        let (mut parts, mut rest) = (Vec::new(), literal);
        while let Some(c) = rest.chars().next().filter(|_| parts.len() < alone) {
            let (first, after) = rest.split_at(c.len_utf8());
            parts.push(first);
            rest = after;
        }
        if !rest.is_empty() {
            parts.push(rest);
        }
        parts
    }
}

/// Whether free text always comes to a rule that takes any more of it, so that a run of it is whole when it ends.
fn absorbed(rules: &[Vec<Alternative>], unit: &Piece) -> bool {
    let takes_more = |rule: usize| {
        let more =
            |alternative: &Alternative| alternative.next == Some(rule) && alternative.pieces[..] == [unit.clone()];
        rules[rule].iter().any(more)
    };
    rules.iter().flatten().all(|alternative| {
        let inner = alternative.pieces.iter().rev().skip(1).any(|piece| piece == unit);
        let last = alternative.pieces.last() == Some(unit);
        !inner && (!last || alternative.next.is_some_and(takes_more))
    })
}

/// How many characters of each literal must stand alone.
fn cut(literals: &BTreeSet<String>, in_text: impl Fn(char) -> bool) -> BTreeMap<String, usize> {
    let mut alone: BTreeMap<String, usize> = literals.iter().map(|text| (text.clone(), 0)).collect();
    let mut single: BTreeSet<char> = BTreeSet::new();
    loop {
        let mut changed = false;
        // Where the rest begins like a single character.
        for (text, count) in &mut alone {
            for c in text.chars().skip(*count) {
                if !in_text(c) && !single.contains(&c) {
                    break;
                }
                (*count, changed) = (*count + 1, true);
                single.insert(c);
            }
        }
        // Where one rest begins with another: neighbours, in order.
        let mut rests: Vec<(String, String)> = alone
            .iter()
            .map(|(text, count)| (text.chars().skip(*count).collect(), text.clone()))
            .filter(|(rest, _): &(String, _)| !rest.is_empty())
            .collect();
        rests.sort_unstable();
        for pair in rests.windows(2) {
            if pair[0].0 != pair[1].0 && pair[1].0.starts_with(&pair[0].0) {
                single.extend(pair[0].0.chars().next());
                changed = true;
            }
        }
        if !changed {
            return alone;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lexemes(literals: &[&str], class: Option<Characters>) -> Lexemes {
        let way = |piece: Piece, next| Alternative { pieces: vec![piece], next };
        let mut rule: Vec<Alternative> =
            literals.iter().map(|text| way(Piece::Literal((*text).into()), None)).collect();
        rule.extend(class.map(|class| way(Piece::Class(class), Some(0))));
        Lexemes::of(&[rule]).unwrap()
    }

    #[test]
    fn literals_stay_whole_where_nothing_begins_like_them() {
        let found = lexemes(&["<X>", "</X>", "<XY>"], Some(Characters::except(&['<', '>'])));
        assert_eq!(found.cut("</X>"), ["</X>"]);
        assert!(found.text.is_some());
    }

    #[test]
    fn what_text_could_begin_with_stands_alone() {
        let found = lexemes(&[" | X]", "["], Some(Characters::except(&['[', ']', '|'])));
        assert_eq!(found.cut(" | X]"), [" ", "| X]"]);
        assert_eq!(found.cut("["), ["["]);
        assert!(found.text.is_none());
    }

    #[test]
    fn a_beginning_of_another_is_cut() {
        let found = lexemes(&["ab", "abc", "cd", "ed"], None);
        assert_eq!(found.cut("abc"), ["a", "b", "c"]);
        assert_eq!(found.cut("ab"), ["a", "b"]);
        assert_eq!(found.cut("cd"), ["c", "d"]);
        assert_eq!(found.cut("ed"), ["ed"]);
    }
}
