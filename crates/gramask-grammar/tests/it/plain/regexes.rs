//! Masks of regexes against Brzozowski's derivatives (J. A. Brzozowski, "Derivatives of regular expressions", 1964).
//!
//! The derivative of a regex by a byte matches what may follow that byte. It is computed on the tree of a generated regex, so
//! that parser, automaton, minimiser and mask are all held to it.

use std::rc::Rc;

use proptest::prelude::*;

use super::{accepts, constraint, file, plain};
use gramask_grammar::{ExpandLimits, Level, Program, expand};
use gramask_ner::{Schema, Text};

/// A regex as it is written.
#[derive(Clone, Debug)]
enum Written {
    Byte(u8),
    Class(Vec<u8>),
    Sequence(Vec<Written>),
    Choice(Vec<Written>),
    Repeat { body: Box<Written>, min: u32, max: Option<u32>, lazy: bool },
}

impl Written {
    fn pattern(&self) -> String {
        let join = |parts: &[Written], between: &str| {
            let parts: Vec<String> = parts.iter().map(Written::pattern).collect();
            format!("(?:{})", parts.join(between))
        };
        match self {
            Written::Byte(byte) => char::from(*byte).to_string(),
            Written::Class(bytes) => format!("[{}]", bytes.iter().map(|byte| char::from(*byte)).collect::<String>()),
            Written::Sequence(parts) => join(parts, ""),
            Written::Choice(parts) => join(parts, "|"),
            Written::Repeat { body, min, max, lazy } => {
                let max = max.map_or(String::new(), |max| max.to_string());
                format!("(?:{}){{{min},{max}}}{}", body.pattern(), if *lazy { "?" } else { "" })
            }
        }
    }

    fn language(&self) -> Rc<Language> {
        match self {
            Written::Byte(byte) => Rc::new(Language::Byte(vec![*byte])),
            Written::Class(bytes) => Rc::new(Language::Byte(bytes.clone())),
            Written::Sequence(parts) => {
                parts.iter().rev().fold(Rc::new(Language::Empty), |rest, part| then(part.language(), rest))
            }
            Written::Choice(parts) => parts.iter().map(Written::language).fold(Rc::new(Language::None), or),
            Written::Repeat { body, min, max, .. } => {
                let body = body.language();
                let optional = match max {
                    None => Rc::new(Language::Star(Rc::clone(&body))),
                    Some(max) => (*min..*max).fold(Rc::new(Language::Empty), |rest, _| {
                        or(Rc::new(Language::Empty), then(Rc::clone(&body), rest))
                    }),
                };
                (0..*min).fold(optional, |rest, _| then(Rc::clone(&body), rest))
            }
        }
    }
}

/// A regular language.
#[derive(Debug, PartialEq)]
enum Language {
    /// No string.
    None,
    /// The empty string.
    Empty,
    /// One of these bytes.
    Byte(Vec<u8>),
    Then(Rc<Language>, Rc<Language>),
    Or(Rc<Language>, Rc<Language>),
    Star(Rc<Language>),
}

fn then(first: Rc<Language>, second: Rc<Language>) -> Rc<Language> {
    match (&*first, &*second) {
        (Language::None, _) | (_, Language::Empty) => first,
        (_, Language::None) | (Language::Empty, _) => second,
        _ => Rc::new(Language::Then(first, second)),
    }
}

fn or(first: Rc<Language>, second: Rc<Language>) -> Rc<Language> {
    match (&*first, &*second) {
        (Language::None, _) => second,
        (_, Language::None) => first,
        _ if first == second => first,
        _ => Rc::new(Language::Or(first, second)),
    }
}

impl Language {
    fn holds_empty(&self) -> bool {
        match self {
            Language::None | Language::Byte(_) => false,
            Language::Empty | Language::Star(_) => true,
            Language::Then(first, second) => first.holds_empty() && second.holds_empty(),
            Language::Or(first, second) => first.holds_empty() || second.holds_empty(),
        }
    }
}

/// What may follow `byte`. Only [`Language::None`] is the language without a string.
fn derivative(language: &Rc<Language>, byte: u8) -> Rc<Language> {
    match &**language {
        Language::None | Language::Empty => Rc::new(Language::None),
        Language::Byte(bytes) if bytes.contains(&byte) => Rc::new(Language::Empty),
        Language::Byte(_) => Rc::new(Language::None),
        Language::Then(first, second) => {
            let through = then(derivative(first, byte), Rc::clone(second));
            if first.holds_empty() { or(through, derivative(second, byte)) } else { through }
        }
        Language::Or(first, second) => or(derivative(first, byte), derivative(second, byte)),
        Language::Star(body) => then(derivative(body, byte), Rc::clone(language)),
    }
}

/// Regexes over the letters a to c.
fn regexes() -> impl Strategy<Value = Written> {
    let letter = b'a'..=b'c';
    let leaf = prop_oneof![
        letter.clone().prop_map(Written::Byte),
        proptest::collection::btree_set(letter, 1..3).prop_map(|bytes| Written::Class(bytes.into_iter().collect())),
    ];
    leaf.prop_recursive(4, 24, 3, |inner| {
        let parts = proptest::collection::vec(inner.clone(), 1..4);
        prop_oneof![
            parts.clone().prop_map(Written::Sequence),
            parts.prop_map(Written::Choice),
            (inner, 0..3u32, proptest::option::of(0..3u32), any::<bool>()).prop_map(|(body, min, more, lazy)| {
                let max = more.map(|more| (min + more).max(1));
                Written::Repeat { body: Box::new(body), min, max, lazy }
            }),
        ]
    })
}

/// Compares the masks after every string of at most `depth` letters.
fn compare(regex: &Written, depth: usize) -> Result<(), TestCaseError> {
    // A regex that matches the empty string is refused, so that an `a` stands before each.
    let pattern = format!("a{}", regex.pattern());
    let program = plain(&format!("start: /{pattern}/\n"));
    let mut constraint = constraint(&program);
    let start = constraint.start();
    let language = then(Rc::new(Language::Byte(vec![b'a'])), regex.language());
    let mut open = vec![(start, language, String::new())];
    while let Some((state, language, text)) = open.pop() {
        let mask = constraint.mask(state).to_vec();
        let bit = |token: usize| mask[token / 32] >> (token % 32) & 1 == 1;
        prop_assert_eq!(bit(256), language.holds_empty(), "/{}/ after {:?}", pattern, text);
        for byte in 0..=255u8 {
            let next = derivative(&language, byte);
            let possible = *next != Language::None;
            prop_assert_eq!(bit(usize::from(byte)), possible, "/{}/ after {:?}: {}", pattern, text, char::from(byte));
            if possible && text.len() < depth {
                let on = constraint.advance_bytes(state, &[byte]).expect("the mask allows the byte");
                open.push((on, next, format!("{text}{}", char::from(byte))));
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

    #[test]
    fn masks_are_those_of_the_derivatives(regex in regexes()) {
        compare(&regex, 5)?;
    }
}

#[test]
fn the_order_of_alternatives_does_not_matter() {
    let program = Program::compile(&file("re-alt-prefix.gram").unwrap(), &Schema::new::<&str>([])).unwrap();
    assert!(accepts(&program, "Gene!") && accepts(&program, "GeneProduct!"));
    let day = plain("start: /[1-9]|[12][0-9]|3[01]/\n");
    assert!((0..=40).all(|number: u32| accepts(&day, &number.to_string()) == (1..=31).contains(&number)));
}

#[test]
fn laziness_does_not_matter() {
    for (lazy, greedy) in [("a+?", "a+"), ("a{2,4}?b", "a{2,4}b"), ("ab??c*?", "ab?c*"), ("(?U)a+", "a+")] {
        let (lazy, greedy) =
            (plain(&format!("start: /{lazy}/ \"a\"?\n")), plain(&format!("start: /{greedy}/ \"a\"?\n")));
        for text in ["a", "aa", "aaa", "aaaaa", "aab", "ab", "abcc", "abcca", "aaaaab"] {
            assert_eq!(accepts(&lazy, text), accepts(&greedy, text), "{text}");
        }
    }
}

#[test]
fn a_comment_ends_with_its_line() {
    let program = plain("start: /(?x) a b # two letters/ \"!\"\n");
    assert!(accepts(&program, "ab!") && !accepts(&program, "a b!"));
    // As part of a larger regex too.
    let limits = ExpandLimits { rules: 100, counted: 0 };
    let written = expand(&program, &Text::new(""), Level::Syntax, limits).unwrap().to_regex(1000).unwrap();
    let regex = regex_automata::meta::Regex::new(&format!("^(?:{written})$")).unwrap();
    assert!(regex.is_match("ab!") && !regex.is_match("a b!"), "{written}");
}
