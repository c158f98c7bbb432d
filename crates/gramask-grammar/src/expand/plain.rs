//! A plain grammar: rules of alternatives of literals, characters, repeats and other rules.

use super::Approximation;

/// A set of characters, as sorted ranges that don't touch.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Characters(pub Vec<(char, char)>);

impl Characters {
    /// All characters but these.
    pub fn except(excluded: &[char]) -> Characters {
        let mut excluded = excluded.to_vec();
        excluded.sort_unstable();
        excluded.dedup();
        let (mut ranges, mut from) = (Vec::new(), Some('\0'));
        for c in excluded {
            if let (Some(first), Some(last)) = (from, before(c))
                && first <= last
            {
                ranges.push((first, last));
            }
            from = after(c);
        }
        ranges.extend(from.map(|first| (first, char::MAX)));
        Characters(ranges)
    }

    /// These characters.
    pub fn of(included: &[char]) -> Characters {
        let mut included = included.to_vec();
        included.sort_unstable();
        included.dedup();
        let mut ranges: Vec<(char, char)> = Vec::new();
        for c in included {
            match ranges.last_mut() {
                Some(range) if after(range.1) == Some(c) => range.1 = c,
                _ => ranges.push((c, c)),
            }
        }
        Characters(ranges)
    }

    /// Whether `c` is one of them.
    pub fn contains(&self, c: char) -> bool {
        self.0.iter().any(|&(first, last)| (first..=last).contains(&c))
    }

    /// What is not in the set.
    pub fn complement(&self) -> Characters {
        let (mut ranges, mut from) = (Vec::new(), Some('\0'));
        for &(first, last) in &self.0 {
            if let (Some(start), Some(end)) = (from, before(first))
                && start <= end
            {
                ranges.push((start, end));
            }
            from = after(last);
        }
        ranges.extend(from.map(|start| (start, char::MAX)));
        Characters(ranges)
    }

    /// Whether the complement is the shorter way to write it: where the last character is in the set.
    pub fn is_open(&self) -> bool {
        self.0.last().is_some_and(|range| range.1 == char::MAX)
    }
}

fn after(c: char) -> Option<char> {
    (c as u32 + 1..=char::MAX as u32).take(0x801).find_map(char::from_u32)
}

fn before(c: char) -> Option<char> {
    (0..c as u32).rev().take(0x801).find_map(char::from_u32)
}

/// A part of a rule.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Piece {
    /// Text; never empty.
    Literal(String),
    /// One character of a set.
    Class(Characters),
    /// One of several.
    Choice(Vec<Piece>),
    /// One after the other; nothing at all where it is empty.
    Sequence(Vec<Piece>),
    /// So often at least and at most; `None` is without bound.
    Repeat(Box<Piece>, u32, Option<u32>),
    /// A regular expression of the format file, in the syntax of the `regex` crate.
    Regex(String),
    /// What another rule writes: where a format nests.
    Rule(usize),
}

/// One way to go through a rule: pieces, and the rule that goes on after them.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Alternative {
    /// In order.
    pub pieces: Vec<Piece>,
    /// Where it goes on; `None` where the rule ends.
    pub next: Option<usize>,
}

/// A grammar without `@terminals` that accepts the outputs of one format over one document.
///
/// Rule 0 is the start. Where no alternative holds a [`Piece::Rule`] the grammar is right-linear, and its language
/// regular.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plain {
    pub(super) title: String,
    pub(super) rules: Vec<Vec<Alternative>>,
    pub(super) approximations: Vec<Approximation>,
}

impl Plain {
    /// The rules; the first one is the start.
    pub fn rules(&self) -> &[Vec<Alternative>] {
        &self.rules
    }

    /// What the grammar doesn't say: empty where it accepts exactly the format's outputs.
    pub fn approximations(&self) -> &[Approximation] {
        &self.approximations
    }

    /// Whether the language is regular: the format does not nest.
    pub fn is_regular(&self) -> bool {
        let calls = |piece: &Piece| matches!(piece, Piece::Rule(_));
        !self.rules.iter().flatten().any(|alternative| alternative.pieces.iter().any(calls))
    }

    /// The lines that a printed grammar opens with, without comment signs.
    pub(super) fn header(&self) -> Vec<String> {
        let left_out = self.approximations.iter().map(|left_out| format!("Left out: {left_out}."));
        std::iter::once(format!("Plain grammar of {}.", self.title)).chain(left_out).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_and_their_complements() {
        let vowels = Characters::of(&['a', 'e', 'b', '\u{d7ff}', '\u{e000}']);
        assert_eq!(vowels.0, [('a', 'b'), ('e', 'e'), ('\u{d7ff}', '\u{e000}')]);
        let rest = Characters::except(&['e', 'a', 'b', '\u{d7ff}', '\u{e000}']);
        assert_eq!(vowels.complement(), rest);
        assert_eq!(rest.complement(), vowels);
        assert_eq!(rest.0[0], ('\0', '`'));
        assert!(rest.is_open() && !vowels.is_open());
        assert_eq!(Characters::except(&['\0', char::MAX]).0, [('\u{1}', '\u{10fffe}')]);
    }
}
