//! Operations on languages against sets of strings: all strings over `a` and `b` up to a length.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::{Language, RegexError, Steps};

const LONGEST: usize = 6;

/// The strings of a language, up to the length.
type Strings = BTreeSet<String>;

fn all() -> Vec<String> {
    let mut strings = vec![String::new()];
    for _ in 0..LONGEST {
        let longer: Vec<String> = strings.iter().flat_map(|text| [format!("{text}a"), format!("{text}b")]).collect();
        strings.extend(longer);
    }
    strings.sort();
    strings.dedup();
    strings
}

fn strings(language: &Language) -> Strings {
    all().into_iter().filter(|text| language.contains(text.as_bytes())).collect()
}

fn joined(first: &Strings, second: &Strings) -> Strings {
    let pairs = first.iter().flat_map(|first| second.iter().map(move |second| format!("{first}{second}")));
    pairs.filter(|text| text.len() <= LONGEST).collect()
}

/// A language and how it is made.
#[derive(Clone, Debug)]
enum Made {
    Words(Vec<String>),
    And(Box<Made>, Box<Made>),
    Or(Box<Made>, Box<Made>),
    Minus(Box<Made>, Box<Made>),
    Then(Box<Made>, Box<Made>),
    Star(Box<Made>),
    Repeat(Box<Made>, u32, u32),
}

impl Made {
    fn language(&self, steps: &mut Steps) -> Language {
        let made = match self {
            Made::Words(words) => Language::words(words, steps),
            Made::And(a, b) => a.language(steps).and(&b.language(steps), steps),
            Made::Or(a, b) => a.language(steps).or(&b.language(steps), steps),
            Made::Minus(a, b) => a.language(steps).minus(&b.language(steps), steps),
            Made::Then(a, b) => a.language(steps).then(&b.language(steps), steps),
            Made::Star(a) => a.language(steps).star(steps),
            Made::Repeat(a, min, max) => a.language(steps).repeat(*min, Some(*max), steps),
        };
        made.expect("small languages take few steps")
    }

    fn strings(&self) -> Strings {
        match self {
            Made::Words(words) => words.iter().cloned().collect(),
            Made::And(a, b) => &a.strings() & &b.strings(),
            Made::Or(a, b) => &a.strings() | &b.strings(),
            Made::Minus(a, b) => &a.strings() - &b.strings(),
            Made::Then(a, b) => joined(&a.strings(), &b.strings()),
            Made::Star(a) => repeated(&a.strings(), 0, LONGEST as u32),
            Made::Repeat(a, min, max) => repeated(&a.strings(), *min, *max),
        }
    }
}

fn repeated(body: &Strings, min: u32, max: u32) -> Strings {
    let mut found = Strings::new();
    let mut power: Strings = [String::new()].into();
    for count in 0..=max {
        if count >= min {
            found.extend(power.iter().cloned());
        }
        power = joined(&power, body);
    }
    found
}

fn made() -> impl Strategy<Value = Made> {
    let word = proptest::collection::vec(prop_oneof![Just('a'), Just('b')], 0..4)
        .prop_map(|letters| letters.into_iter().collect::<String>());
    let leaf = proptest::collection::vec(word, 0..4).prop_map(Made::Words);
    leaf.prop_recursive(4, 16, 2, |inner| {
        let pair = (inner.clone(), inner.clone()).prop_map(|(a, b)| (Box::new(a), Box::new(b)));
        prop_oneof![
            pair.clone().prop_map(|(a, b)| Made::And(a, b)),
            pair.clone().prop_map(|(a, b)| Made::Or(a, b)),
            pair.clone().prop_map(|(a, b)| Made::Minus(a, b)),
            pair.prop_map(|(a, b)| Made::Then(a, b)),
            inner.clone().prop_map(|a| Made::Star(Box::new(a))),
            (inner, 0..3u32, 0..3u32).prop_map(|(a, min, more)| Made::Repeat(Box::new(a), min, min + more)),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    #[test]
    fn operations_are_those_on_sets(a in made(), b in made()) {
        let mut steps = Steps::new();
        let (first, second) = (a.language(&mut steps), b.language(&mut steps));
        let (all_first, all_second) = (a.strings(), b.strings());
        prop_assert_eq!(&strings(&first), &all_first);
        let rest: Strings = all().into_iter().filter(|text| !all_first.contains(text)).collect();
        prop_assert_eq!(strings(&first.complement(&mut steps).unwrap()), rest);
        // De Morgan, as equality of canonical forms.
        let both = first.and(&second, &mut steps).unwrap();
        let neither = first.complement(&mut steps).unwrap().or(&second.complement(&mut steps).unwrap(), &mut steps);
        prop_assert_eq!(&both.complement(&mut steps).unwrap(), &neither.unwrap());
        prop_assert_eq!(&first.complement(&mut steps).unwrap().complement(&mut steps).unwrap(), &first);
        prop_assert_eq!(first.is_disjoint(&second, &mut steps).unwrap(), both.is_empty());
        if first.is_disjoint(&second, &mut steps).unwrap() {
            prop_assert!(all_first.is_disjoint(&all_second));
        }
        if first.is_within(&second, &mut steps).unwrap() {
            prop_assert!(all_first.is_subset(&all_second));
        }
        if let Some(words) = first.all_words(60) {
            let words: Strings = words.into_iter().map(|word| String::from_utf8(word).unwrap()).collect();
            prop_assert_eq!(words.iter().filter(|word| word.len() <= LONGEST).cloned().collect::<Strings>(), all_first);
            let lengths = words.iter().map(|word| word.len() as u32);
            let range = (lengths.clone().min().unwrap_or(0), Some(lengths.max().unwrap_or(0)));
            prop_assert_eq!(first.lengths(), range);
        }
    }
}

fn pattern(pattern: &str) -> Language {
    Language::pattern(pattern, &mut Steps::new()).unwrap()
}

#[test]
fn equal_languages_are_equal_however_they_are_made() {
    assert_eq!(pattern("(?:a|b)*abb|a{2}"), pattern("aa|[ab]*?abb"));
    assert_eq!(pattern("a*").then(&pattern("a*"), &mut Steps::new()).unwrap(), pattern("a*"));
    assert_ne!(pattern("a*"), pattern("a+"));
}

#[test]
fn assertions_hold_at_the_ends_of_the_text() {
    let search = |inner: &str| pattern(&format!("(?s:.)*(?:{inner})(?s:.)*"));
    assert_eq!(search(r"\Aab\z"), pattern("ab"));
    assert_eq!(search(r"\Aa|b\z"), pattern("a(?s:.)*|(?s:.)*b"));
    assert_eq!(search(r"(?:\A|,)x(?:,|\z)"), pattern("(?:(?s:.)*,)?x(?:,(?s:.)*)?"));
    assert_eq!(search(r"\z\A"), pattern(""));
    assert_eq!(search(r"\A\z"), pattern(""));
    assert!(search(r"a\Ab").is_empty() && search(r"a\zb").is_empty());
    assert_eq!(search(r"(?:\z)?b"), pattern("(?s:.)*b(?s:.)*"));
    assert!(matches!(Language::pattern(r"a\b", &mut Steps::new()), Err(RegexError::Syntax(_))));
}

#[test]
fn lengths_count_characters() {
    assert_eq!(pattern("é|日本").lengths(), (1, Some(2)));
    assert_eq!(pattern("(?s:.){3,}").lengths(), (3, None));
}

#[test]
fn the_complement_is_of_texts() {
    let rest = pattern("a").complement(&mut Steps::new()).unwrap();
    assert!(rest.contains("é".as_bytes()) && !rest.contains(b"\xff") && !rest.contains(b"\xc3"));
}

#[test]
fn some_text_of_a_length_is_found() {
    let words = pattern("a|éaa|(?:aaaa)*b");
    for length in 0..12 {
        let expected = [1, 3, 5, 9].contains(&length);
        assert_eq!(words.has_length(length, Some(length)), expected, "{length}");
        assert!(words.has_length(length, None));
    }
    assert!(!words.has_length(2, Some(2)) && !words.has_length(6, Some(8)) && words.has_length(6, Some(9)));
    assert!(!Language::none().has_length(0, None) && !pattern("ab").has_length(3, None));
}
