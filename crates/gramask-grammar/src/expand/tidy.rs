//! Makes a plain grammar smaller: removes dead ends, merges equal rules, and joins chains.

use std::collections::{HashMap, HashSet};

use super::merge::merge;
use super::plain::{Alternative, Piece};

type Rules = Vec<Vec<Alternative>>;

/// Tidies rules whose start is rule 0; `None` where they derive nothing.
pub(super) fn tidy(rules: Rules) -> Option<Rules> {
    let rules = productive(rules)?;
    let rules = merge(rules);
    let rules = chains(rules);
    // What became a chain may be equal to another now.
    Some(reachable(merge(rules)))
}

/// The other rules that a piece needs.
pub(super) fn called(piece: &Piece) -> Option<usize> {
    match piece {
        Piece::Rule(rule) => Some(*rule),
        _ => None,
    }
}

pub(super) fn needs(alternative: &Alternative) -> impl Iterator<Item = usize> {
    alternative.pieces.iter().filter_map(called).chain(alternative.next)
}

/// Drops the alternatives that can't come to an end.
fn productive(mut rules: Rules) -> Option<Rules> {
    let mut users: Vec<Vec<usize>> = vec![Vec::new(); rules.len()];
    for (number, alternatives) in rules.iter().enumerate() {
        for rule in alternatives.iter().flat_map(needs) {
            users[rule].push(number);
        }
    }
    let mut good = vec![false; rules.len()];
    let mut open: Vec<usize> = (0..rules.len()).collect();
    while let Some(number) = open.pop() {
        if !good[number] && rules[number].iter().any(|alternative| needs(alternative).all(|rule| good[rule])) {
            good[number] = true;
            open.extend(&users[number]);
        }
    }
    for alternatives in &mut rules {
        alternatives.retain(|alternative| needs(alternative).all(|rule| good[rule]));
    }
    good[0].then(|| reachable(rules))
}

/// Keeps what the start needs, in the order in which it comes.
fn reachable(rules: Rules) -> Rules {
    let mut numbers: HashMap<usize, usize> = HashMap::from([(0, 0)]);
    let mut order = vec![0];
    let mut at = 0;
    while at < order.len() {
        for rule in rules[order[at]].iter().flat_map(needs) {
            numbers.entry(rule).or_insert_with(|| {
                order.push(rule);
                order.len() - 1
            });
        }
        at += 1;
    }
    order.iter().map(|&rule| renumber(&rules[rule], |rule| numbers[&rule])).collect()
}

/// The alternatives with other numbers of rules, each once.
pub(super) fn renumber(alternatives: &[Alternative], number: impl Fn(usize) -> usize) -> Vec<Alternative> {
    let renumbered = |alternative: &Alternative| Alternative {
        pieces: alternative
            .pieces
            .iter()
            .map(|piece| match piece {
                Piece::Rule(rule) => Piece::Rule(number(*rule)),
                piece => piece.clone(),
            })
            .collect(),
        next: alternative.next.map(&number),
    };
    let mut seen = HashSet::new();
    alternatives.iter().map(renumbered).filter(|alternative| seen.insert(alternative.clone())).collect()
}

/// Puts a rule of one alternative where it is used, and joins literals that meet.
fn chains(mut rules: Rules) -> Rules {
    // From the end: what is after a rule is whole when it is put into it. A visit in postorder does that, and comes
    // back to itself only in a loop, which stays.
    let (mut done, mut begun) = (vec![false; rules.len()], vec![false; rules.len()]);
    let mut stack = vec![(0, false)];
    while let Some((number, after)) = stack.pop() {
        if after {
            for at in 0..rules[number].len() {
                let mut alternative = rules[number][at].clone();
                if let Some(next) = alternative.next.filter(|next| done[*next])
                    && let [only] = rules[next].as_slice()
                    && alternative.pieces.len() + only.pieces.len() <= LONGEST
                {
                    let only = only.clone();
                    alternative.pieces.extend(only.pieces);
                    alternative.next = only.next;
                }
                alternative.pieces = joined(alternative.pieces);
                rules[number][at] = alternative;
            }
            done[number] = true;
        } else if !std::mem::replace(&mut begun[number], true) {
            stack.push((number, true));
            stack.extend(rules[number].iter().flat_map(needs).map(|rule| (rule, false)));
        }
    }
    reachable(rules)
}

/// An alternative has at most so many pieces: chains are copied to each place that leads into them.
const LONGEST: usize = 64;

fn joined(pieces: Vec<Piece>) -> Vec<Piece> {
    let mut joined: Vec<Piece> = Vec::new();
    for piece in pieces {
        match (joined.last_mut(), piece) {
            (Some(Piece::Literal(before)), Piece::Literal(text)) => before.push_str(&text),
            (_, piece) => joined.push(piece),
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alternative(text: &str, next: Option<usize>) -> Alternative {
        Alternative { pieces: vec![Piece::Literal(text.into())], next }
    }

    #[test]
    fn dead_ends_go_equal_rules_merge_and_chains_join() {
        // 0: a 1 | b 2 | c 3    1: x 4    2: x 5    3: d 3    4 and 5 end with y
        let rules = vec![
            vec![alternative("a", Some(1)), alternative("b", Some(2)), alternative("c", Some(3))],
            vec![alternative("x", Some(4))],
            vec![alternative("x", Some(5))],
            vec![alternative("d", Some(3))],
            vec![alternative("y", None)],
            vec![alternative("y", None)],
        ];
        assert_eq!(tidy(rules), Some(vec![vec![alternative("axy", None), alternative("bxy", None)]]));
        assert_eq!(tidy(vec![vec![alternative("a", Some(0))]]), None);
    }

    #[test]
    fn loops_stay() {
        // 0: a 1    1: b 0 | c
        let rules = vec![vec![alternative("a", Some(1))], vec![alternative("b", Some(0)), alternative("c", None)]];
        assert_eq!(tidy(rules.clone()), Some(rules));
    }
}
