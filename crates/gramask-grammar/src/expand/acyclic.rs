//! Turns the loops of a right-linear grammar into stars.
//!
//! The rules of a loop are equations: `X = a X | b Y | c`. They are solved one by one with Arden's rule (`X = a X | r` is
//! `X = a* r`). The rules that remain lead out of the loop only. The result has no cycle, so that it can be printed as
//! terminals that name each other, or as one regular expression.

use std::collections::{BTreeMap, HashSet};

use super::plain::{Alternative, Piece};

type Rules = Vec<Vec<Alternative>>;

/// The rest of an equation: what is written, and the rule outside the loop that goes on.
type Rest = Vec<(Piece, Option<usize>)>;

/// `X = Σ loops[Y] Y | rest`.
#[derive(Clone, Debug, Default)]
struct Equation {
    loops: BTreeMap<usize, Piece>,
    rest: Rest,
}

/// Solves the loops of right-linear rules; `None` where the expressions would have more than `limit` pieces.
pub(super) fn acyclic(rules: &Rules, limit: usize) -> Option<Rules> {
    let components = components(rules);
    let mut solved: Rules = rules.clone();
    let mut spent = 0;
    for (number, alternatives) in rules.iter().enumerate() {
        let inside = |rule: usize| components[rule] == components[number];
        if !alternatives.iter().any(|alternative| alternative.next.is_some_and(inside)) {
            continue;
        }
        // Solved anew for each rule of the loop that something outside needs.
        let entered = number == 0
            || rules.iter().enumerate().any(|(from, alternatives)| {
                !inside(from) && alternatives.iter().any(|alternative| alternative.next == Some(number))
            });
        solved[number] = Vec::new();
        if entered {
            solved[number] = solve(rules, &components, number, limit, &mut spent)?;
        }
    }
    Some(solved)
}

/// The strongly connected component of each rule (Tarjan 1972, without recursion).
fn components(rules: &Rules) -> Vec<usize> {
    const NEW: usize = usize::MAX;
    let (mut index, mut low) = (vec![NEW; rules.len()], vec![0; rules.len()]);
    let (mut component, mut path, mut count) = (vec![NEW; rules.len()], Vec::new(), 0);
    for root in 0..rules.len() {
        // A rule and which of its alternatives comes next.
        let mut stack = vec![(root, 0)];
        while let Some((rule, at)) = stack.pop() {
            if at == 0 {
                if index[rule] != NEW {
                    continue;
                }
                (index[rule], low[rule]) = (count, count);
                count += 1;
                path.push(rule);
            }
            let next = rules[rule].get(at).map(|alternative| alternative.next);
            match next {
                Some(next) => {
                    stack.push((rule, at + 1));
                    if let Some(next) = next.filter(|next| index[*next] == NEW) {
                        stack.push((next, 0));
                    }
                }
                None => {
                    for next in rules[rule].iter().filter_map(|alternative| alternative.next) {
                        if component[next] == NEW {
                            low[rule] = low[rule].min(low[next]).min(index[next]);
                        }
                    }
                    if low[rule] == index[rule] {
                        while let Some(member) = path.pop() {
                            component[member] = rule;
                            if member == rule {
                                break;
                            }
                        }
                    }
                }
            }
        }
    }
    component
}

fn solve(
    rules: &Rules,
    components: &[usize],
    entry: usize,
    limit: usize,
    spent: &mut usize,
) -> Option<Vec<Alternative>> {
    let members: Vec<usize> = (0..rules.len()).filter(|&rule| components[rule] == components[entry]).collect();
    let inside: HashSet<usize> = members.iter().copied().collect();
    let mut equations: BTreeMap<usize, Equation> = BTreeMap::new();
    for &member in &members {
        let mut equation = Equation::default();
        for alternative in &rules[member] {
            let piece = Piece::Sequence(alternative.pieces.clone());
            match alternative.next.filter(|next| inside.contains(next)) {
                Some(next) => add(&mut equation.loops, next, sequence(vec![piece])),
                None => equation.rest.push((sequence(vec![piece]), alternative.next)),
            }
        }
        equations.insert(member, equation);
    }
    // The rule that adds least to the others goes first.
    while equations.len() > 1 {
        let uses = |rule: usize| equations.values().filter(|e| e.loops.contains_key(&rule)).count();
        let cost = |rule: &usize| uses(*rule) * (equations[rule].loops.len() + equations[rule].rest.len());
        let cheapest = equations.keys().copied().filter(|rule| *rule != entry).min_by_key(cost)?;
        let found = starred(equations.remove(&cheapest)?, cheapest);
        for equation in equations.values_mut() {
            let Some(before) = equation.loops.remove(&cheapest) else {
                continue;
            };
            for (&next, piece) in &found.loops {
                let piece = sequence(vec![before.clone(), piece.clone()]);
                *spent += size(&piece);
                add(&mut equation.loops, next, piece);
            }
            for (piece, next) in &found.rest {
                let piece = sequence(vec![before.clone(), piece.clone()]);
                *spent += size(&piece);
                push(&mut equation.rest, piece, *next);
            }
            if *spent > limit {
                return None;
            }
        }
    }
    let solved = starred(equations.remove(&entry)?, entry);
    let alternative = |(piece, next): (Piece, Option<usize>)| Alternative {
        pieces: match piece {
            Piece::Sequence(parts) => parts,
            piece => vec![piece],
        },
        next,
    };
    Some(solved.rest.into_iter().map(alternative).collect())
}

/// The equation of `rule` without `rule` itself on its right side.
fn starred(mut equation: Equation, rule: usize) -> Equation {
    let Some(body) = equation.loops.remove(&rule) else {
        return equation;
    };
    let star = Piece::Repeat(Box::new(body), 0, None);
    let after = |piece: Piece| sequence(vec![star.clone(), piece]);
    Equation {
        loops: equation.loops.into_iter().map(|(next, piece)| (next, after(piece))).collect(),
        rest: equation.rest.into_iter().map(|(piece, next)| (after(piece), next)).collect(),
    }
}

fn add(loops: &mut BTreeMap<usize, Piece>, next: usize, piece: Piece) {
    let both = match loops.remove(&next) {
        Some(before) => choice(vec![before, piece]),
        None => piece,
    };
    loops.insert(next, both);
}

fn push(rest: &mut Rest, piece: Piece, next: Option<usize>) {
    match rest.iter_mut().find(|known| known.1 == next) {
        Some(known) => known.0 = choice(vec![known.0.clone(), piece]),
        None => rest.push((piece, next)),
    }
}

/// One after the other, flat.
pub(super) fn sequence(parts: Vec<Piece>) -> Piece {
    let mut flat = Vec::new();
    for part in parts {
        match part {
            Piece::Sequence(parts) => flat.extend(parts),
            part => flat.push(part),
        }
    }
    match <[Piece; 1]>::try_from(flat) {
        Ok([only]) => only,
        Err(flat) => Piece::Sequence(flat),
    }
}

/// One of several, flat and each once.
pub(super) fn choice(parts: Vec<Piece>) -> Piece {
    let mut flat: Vec<Piece> = Vec::new();
    for part in parts {
        let parts = match part {
            Piece::Choice(parts) => parts,
            part => vec![part],
        };
        for part in parts {
            if !flat.contains(&part) {
                flat.push(part);
            }
        }
    }
    match <[Piece; 1]>::try_from(flat) {
        Ok([only]) => only,
        Err(flat) => Piece::Choice(flat),
    }
}

fn size(piece: &Piece) -> usize {
    match piece {
        Piece::Choice(parts) | Piece::Sequence(parts) => 1 + parts.iter().map(size).sum::<usize>(),
        Piece::Repeat(body, ..) => 1 + size(body),
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loop_becomes_a_star() {
        let way = |text: &str, next| Alternative { pieces: vec![Piece::Literal(text.into())], next };
        // A list: 0: [ 1    1: a 2 | ]    2: , 3 | ]    3: a 2
        let rules = vec![
            vec![way("[", Some(1))],
            vec![way("a", Some(2)), way("]", None)],
            vec![way(",", Some(3)), way("]", None)],
            vec![way("a", Some(2))],
        ];
        let solved = acyclic(&rules, 100).unwrap();
        let literal = |text: &str| Piece::Literal(text.into());
        let star = Piece::Repeat(Box::new(sequence(vec![literal(","), literal("a")])), 0, None);
        assert_eq!(solved[2], vec![Alternative { pieces: vec![star, literal("]")], next: None }]);
        assert_eq!(solved[0], rules[0]);
        assert!(acyclic(&rules, 0).is_none());
    }
}
