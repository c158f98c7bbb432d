//! Merges the rules of a plain grammar that can't be told apart.
//!
//! Rules that lead to no loop are told apart from the end. The other rules begin in one class. A class is split where its
//! rules have different alternatives, seen through the classes so far. Only the rules that use a rule of a new class are
//! looked at again, and the largest part of a class keeps its number. So each rule is looked at again only a logarithmic
//! number of times for each rule that it uses.

use std::collections::{BTreeMap, HashMap};

use super::plain::{Alternative, Piece};
use super::tidy::{called, needs, renumber};

/// An alternative as the number of its pieces, seen without the rules in them, and the classes of these rules.
type Seen = (u32, Vec<usize>);

/// Makes one rule of those that can't be told apart: as few classes as their alternatives allow.
pub(super) fn merge(rules: Vec<Vec<Alternative>>) -> Vec<Vec<Alternative>> {
    let classes = first_come(&classes(&rules));
    let count = classes.iter().max().map_or(0, |last| last + 1);
    let mut merged: Vec<Option<Vec<Alternative>>> = vec![None; count];
    for (number, alternatives) in rules.iter().enumerate() {
        let place = &mut merged[classes[number]];
        if place.is_none() {
            *place = Some(renumber(alternatives, |rule| classes[rule]));
        }
    }
    merged.into_iter().flatten().collect()
}

fn classes(rules: &[Vec<Alternative>]) -> Vec<usize> {
    let shapes = shapes(rules);
    let mut users: Vec<Vec<usize>> = vec![Vec::new(); rules.len()];
    for (number, alternatives) in rules.iter().enumerate() {
        alternatives.iter().flat_map(needs).for_each(|rule| users[rule].push(number));
    }
    let see = |rule: usize, classes: &[usize]| view(&rules[rule], &shapes[rule], classes);
    let (mut classes, count, looping) = finite(rules, &users, see);
    let mut members: Vec<Vec<usize>> = vec![Vec::new(); count];
    looping.iter().for_each(|rule| classes[*rule] = count);
    let mut changed = looping.clone();
    members.push(looping);
    while !changed.is_empty() {
        changed.sort_unstable();
        changed.dedup();
        let mut of_class: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        changed.drain(..).for_each(|rule| of_class.entry(classes[rule]).or_default().push(rule));
        // All views are those of the same classes; what is split off changes them afterwards.
        let mut split: Vec<Vec<usize>> = Vec::new();
        for (class, looked_at) in of_class {
            split.extend(parts(&members[class], &looked_at, |rule| see(rule, &classes)));
        }
        for part in split {
            let (old, fresh) = (classes[part[0]], members.len());
            part.iter().for_each(|rule| classes[*rule] = fresh);
            members[old].retain(|rule| classes[*rule] == old);
            changed.extend(part.iter().flat_map(|rule| &users[*rule]));
            members.push(part);
        }
    }
    classes
}

/// The classes of the rules that lead to no loop, how many classes these are, and the other rules. A rule's class is known
/// once those of the rules that it uses are, so that each rule is looked at once.
fn finite(
    rules: &[Vec<Alternative>],
    users: &[Vec<usize>],
    see: impl Fn(usize, &[usize]) -> Vec<Seen>,
) -> (Vec<usize>, usize, Vec<usize>) {
    let mut waiting: Vec<usize> = rules.iter().map(|rule| rule.iter().flat_map(needs).count()).collect();
    let mut open: Vec<usize> = (0..rules.len()).filter(|rule| waiting[*rule] == 0).collect();
    let (mut classes, mut known) = (vec![0; rules.len()], HashMap::new());
    while let Some(rule) = open.pop() {
        let fresh = known.len();
        classes[rule] = *known.entry(see(rule, &classes)).or_insert(fresh);
        for &user in &users[rule] {
            waiting[user] -= 1;
            if waiting[user] == 0 {
                open.push(user);
            }
        }
    }
    let looping = (0..rules.len()).filter(|rule| waiting[*rule] > 0).collect();
    (classes, known.len(), looping)
}

/// The parts of a class that are split off, of which only the rules `looked_at` (sorted) may differ from the others.
fn parts(members: &[usize], looked_at: &[usize], view: impl Fn(usize) -> Vec<Seen>) -> Vec<Vec<usize>> {
    let mut groups: BTreeMap<Vec<Seen>, Vec<usize>> = BTreeMap::new();
    looked_at.iter().for_each(|rule| groups.entry(view(*rule)).or_default().push(*rule));
    let others: Vec<usize> = members.iter().copied().filter(|rule| looked_at.binary_search(rule).is_err()).collect();
    if let Some(&other) = others.first() {
        groups.entry(view(other)).or_default().extend(others);
    }
    let mut parts: Vec<Vec<usize>> = groups.into_values().collect();
    let largest = (0..parts.len()).max_by_key(|part| parts[*part].len());
    largest.map(|largest| parts.swap_remove(largest));
    parts
}

/// What a rule writes, each alternative once.
fn view(alternatives: &[Alternative], shapes: &[u32], classes: &[usize]) -> Vec<Seen> {
    let seen =
        |(alternative, shape): (&Alternative, &u32)| (*shape, needs(alternative).map(|rule| classes[rule]).collect());
    let mut view: Vec<Seen> = alternatives.iter().zip(shapes).map(seen).collect();
    view.sort_unstable();
    view.dedup();
    view
}

/// The same number for alternatives that differ only in the rules that they use.
fn shapes(rules: &[Vec<Alternative>]) -> Vec<Vec<u32>> {
    let mut known: HashMap<(Vec<Piece>, bool), u32> = HashMap::new();
    let mut shape = |alternative: &Alternative| {
        let blank = |piece: &Piece| if called(piece).is_some() { Piece::Rule(0) } else { piece.clone() };
        let fresh = known.len() as u32;
        let key = (alternative.pieces.iter().map(blank).collect(), alternative.next.is_some());
        *known.entry(key).or_insert(fresh)
    };
    rules.iter().map(|alternatives| alternatives.iter().map(&mut shape).collect()).collect()
}

/// The classes numbered in the order in which they come.
fn first_come(classes: &[usize]) -> Vec<usize> {
    let mut numbers: HashMap<usize, usize> = HashMap::new();
    classes
        .iter()
        .map(|class| {
            let fresh = numbers.len();
            *numbers.entry(*class).or_insert(fresh)
        })
        .collect()
}
