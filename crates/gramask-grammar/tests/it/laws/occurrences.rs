//! Law 6: a format without positions accepts exactly the lists that some choice of occurrences satisfies.
//!
//! The matcher keeps the earliest occurrence that is still possible. Here all choices are tried.

use std::sync::Arc;

use gramask_grammar::{Constraint, Level, Token, Vocabulary};
use gramask_ner::{Entity, Text};
use gramask_random::Rng;
use proptest::prelude::*;

use super::documents;
use crate::support::formats;
use crate::support::walk::vocabulary;

/// Every entity that the document can have.
fn entities(text: &Text, labels: &[&str]) -> Vec<Entity> {
    let words = text.words();
    let mut all = Vec::new();
    for first in 0..words.len() {
        for last in first..words.len() {
            all.extend(labels.iter().map(|label| Entity::new(*label, words[first].start, words[last].end)));
        }
    }
    all
}

/// Whether these mentions, in this order, can be entities of which each comes after the one before (or, `any`, of which no
/// two are the same).
fn possible(mentions: &[(String, &str)], all: &[Entity], text: &Text, taken: &mut Vec<usize>, any: bool) -> bool {
    let Some(((surface, label), rest)) = mentions.split_first() else {
        return true;
    };
    (0..all.len()).any(|number| {
        let entity = &all[number];
        let follows = if any { !taken.contains(&number) } else { taken.last().is_none_or(|last| number > *last) };
        if !follows || entity.label != *label || text.slice(entity.fragments[0]) != Some(surface) {
            return false;
        }
        taken.push(number);
        let found = possible(rest, all, text, taken, any);
        taken.pop();
        found
    })
}

fn law(words: &[&str], labels: &[&str], seed: u64) -> Result<(), TestCaseError> {
    let text = Text::new(words.join(" "));
    let mut rng = Rng::new(seed);
    let mut all = entities(&text, labels);
    gramask_ner::Schema::new(labels.iter().copied()).sort(&mut all);
    let mut surfaces: Vec<String> =
        all.iter().map(|entity| text.slice(entity.fragments[0]).unwrap().to_owned()).collect();
    surfaces.extend(["c".to_owned(), "a ".to_owned()]);
    surfaces.sort();
    surfaces.dedup();
    for (name, any) in [("json-list", false), ("any-order", true), ("tuples", false)] {
        let program = formats::program(name, labels);
        let vocabulary = vocabulary(&mut rng, &[b"ab"], 1);
        let mut constraint = Constraint::new(program, &text, Level::Grounded, Arc::clone(&vocabulary)).unwrap();
        let (mut accepted, mut refused) = (0, 0);
        for _ in 0..400 {
            let length = rng.below(5);
            let mentions: Vec<(String, &str)> =
                (0..length).map(|_| (rng.pick(&surfaces).clone(), *rng.pick(labels))).collect();
            let items = mentions.iter().map(|(surface, label)| match name {
                "tuples" => format!("(\"{surface}\", \"{label}\")"),
                _ => format!("{{\"text\":\"{surface}\",\"label\":\"{label}\"}}"),
            });
            let separator = if name == "tuples" { ", " } else { "," };
            let output = format!("[{}]", items.collect::<Vec<_>>().join(separator));
            let state = constraint.advance_bytes(constraint.start(), output.as_bytes());
            let is_accepted = state.is_some_and(|state| constraint.accepts(state));
            let is_possible = possible(&mentions, &all, &text, &mut Vec::new(), any);
            prop_assert_eq!(is_accepted, is_possible, "{}: {} over {:?}", name, output, text.as_str());
            *if is_accepted { &mut accepted } else { &mut refused } += 1;
        }
        prop_assert!(accepted > 0 && refused > 0);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(documents::cases(60)) })]

    #[test]
    fn lists_are_those_that_some_occurrences_satisfy(
        words in prop::collection::vec(prop::sample::select(&["a", "a", "b"][..]), 1..=5),
        labels in prop::sample::select(vec![&["X"][..], &["X", "Y"], &["Y", "X"]]),
        seed in any::<u64>(),
    ) {
        law(&words, labels, seed)?;
    }
}

/// Each of thousands of equal words has a number. Their search must not go over all of them for each one.
#[test]
fn equal_words_are_counted_once() {
    let text = Text::new("a ".repeat(2000));
    let tokens = (0..=255u8).map(|byte| Token::new([byte])).chain([Token::special("<end>")]);
    let vocabulary = Vocabulary::new(tokens.collect(), vec![256]).unwrap();
    let program = formats::program("json-occurrence", &["X"]);
    let mut constraint = Constraint::new(program, &text, Level::Grounded, vocabulary).unwrap();
    let mut written = String::from("[");
    // The shortest number that may follow has as many digits as the one after the previous entity's.
    for (number, digits) in [(9, 1), (99, 2), (999, 3), (1999, 4)] {
        written.push_str("{\"text\":\"a\",\"occurrence\":");
        let start = constraint.start();
        let state = constraint.advance_bytes(start, written.as_bytes()).unwrap();
        assert_eq!(constraint.tokens_to_finish(state), digits + ",\"label\":\"X\"}]".len() + 1);
        written.push_str(&format!("{number},\"label\":\"X\"}},"));
    }
}
