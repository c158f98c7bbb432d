//! The outputs of a plain grammar, by trying everything: what translations and engines are compared with in tests.

use std::collections::BTreeSet;

use super::{Expr, PlainGrammar};
use crate::regex::{Regex, StateId};

type Language = BTreeSet<Vec<u8>>;

/// All outputs of at most `longest` bytes whose regexes match only bytes of `alphabet`. A special token counts as its name
/// between two bytes 0xff.
pub(crate) fn outputs(grammar: &PlainGrammar, alphabet: &[u8], longest: usize) -> Language {
    let mut rules: Vec<Language> = vec![Language::new(); grammar.rules().len()];
    loop {
        let mut grown = false;
        for (index, rule) in grammar.rules().iter().enumerate() {
            let language = of(&rule.body, &rules, alphabet, longest);
            grown |= language.len() > rules[index].len();
            rules[index] = language;
        }
        if !grown {
            return rules.swap_remove(grammar.start().index());
        }
    }
}

fn of(expr: &Expr, rules: &[Language], alphabet: &[u8], longest: usize) -> Language {
    let inner = |expr: &Expr| of(expr, rules, alphabet, longest);
    match expr {
        Expr::Bytes(bytes) => Some(bytes.clone()).filter(|bytes| bytes.len() <= longest).into_iter().collect(),
        Expr::Special(name) => {
            let bytes = [b"\xff", name.as_bytes(), b"\xff"].concat();
            Some(bytes).filter(|bytes| bytes.len() <= longest).into_iter().collect()
        }
        Expr::Regular(regex) => matches(regex, alphabet, longest),
        Expr::Sequence(parts) => {
            parts.iter().fold(Language::from([Vec::new()]), |before, part| then(&before, &inner(part), longest))
        }
        Expr::Choice(parts) => parts.iter().flat_map(inner).collect(),
        Expr::Repeat { body, min, max } => {
            let body = inner(body);
            let mut power = (0..*min).fold(Language::from([Vec::new()]), |before, _| then(&before, &body, longest));
            let mut all = power.clone();
            for _ in 0..max.map_or(longest, |max| (max - min) as usize) {
                power = then(&power, &body, longest);
                let before = all.len();
                all.extend(power.iter().cloned());
                if all.len() == before {
                    break;
                }
            }
            all
        }
        Expr::Rule(rule) => rules[rule.index()].clone(),
    }
}

fn then(first: &Language, second: &Language, longest: usize) -> Language {
    let pairs = first.iter().flat_map(|first| second.iter().map(move |second| (first, second)));
    let short = pairs.filter(|(first, second)| first.len() + second.len() <= longest);
    short.map(|(first, second)| [&first[..], second].concat()).collect()
}

fn matches(regex: &Regex, alphabet: &[u8], longest: usize) -> Language {
    let (mut all, mut open) = (Language::new(), vec![(StateId::START, Vec::new())]);
    while let Some((state, bytes)) = open.pop() {
        if bytes.len() < longest {
            let next = alphabet.iter().filter_map(|byte| Some((byte, regex.next(state, *byte)?)));
            open.extend(next.map(|(byte, state)| (state, [&bytes[..], &[*byte]].concat())));
        }
        if regex.matches(state) {
            all.insert(bytes);
        }
    }
    all
}

/// Whether these bytes are an output, by the places where each rule can end that begins at each place.
pub(crate) fn is_output(grammar: &PlainGrammar, bytes: &[u8]) -> bool {
    let count = grammar.rules().len();
    // `ends[place][rule]`; places are filled from the end, since what begins at a place needs only later places and itself.
    let mut ends: Vec<Vec<BTreeSet<usize>>> = vec![vec![BTreeSet::new(); count]; bytes.len() + 1];
    for place in (0..=bytes.len()).rev() {
        loop {
            let mut grown = false;
            for (index, rule) in grammar.rules().iter().enumerate() {
                let found = ends_of(&rule.body, place, bytes, &ends);
                grown |= found.len() > ends[place][index].len();
                ends[place][index] = found;
            }
            if !grown {
                break;
            }
        }
    }
    ends[0][grammar.start().index()].contains(&bytes.len())
}

fn ends_of(expr: &Expr, place: usize, bytes: &[u8], rules: &[Vec<BTreeSet<usize>>]) -> BTreeSet<usize> {
    let inner = |expr: &Expr, places: &BTreeSet<usize>| -> BTreeSet<usize> {
        places.iter().flat_map(|place| ends_of(expr, *place, bytes, rules)).collect()
    };
    match expr {
        Expr::Bytes(text) => bytes[place..].starts_with(text).then_some(place + text.len()).into_iter().collect(),
        Expr::Special(name) => {
            let text = [b"\xff", name.as_bytes(), b"\xff"].concat();
            bytes[place..].starts_with(&text).then_some(place + text.len()).into_iter().collect()
        }
        Expr::Regular(regex) => {
            let (mut state, mut found) = (StateId::START, BTreeSet::new());
            for at in place..=bytes.len() {
                if regex.matches(state) {
                    found.insert(at);
                }
                match bytes.get(at).and_then(|byte| regex.next(state, *byte)) {
                    Some(next) => state = next,
                    None => break,
                }
            }
            found
        }
        Expr::Sequence(parts) => parts.iter().fold(BTreeSet::from([place]), |places, part| inner(part, &places)),
        Expr::Choice(parts) => parts.iter().flat_map(|part| ends_of(part, place, bytes, rules)).collect(),
        Expr::Repeat { body, min, max } => {
            let mut places = (0..*min).fold(BTreeSet::from([place]), |places, _| inner(body, &places));
            let mut found = places.clone();
            for _ in 0..max.map_or(bytes.len() + 1, |max| (max - min) as usize) {
                places = inner(body, &places);
                let before = found.len();
                found.extend(&places);
                if found.len() == before {
                    break;
                }
            }
            found
        }
        Expr::Rule(rule) => rules[place][rule.index()].clone(),
    }
}
