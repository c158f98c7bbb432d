use super::{Regex, RegexError, StateId, Steps};

fn regex(pattern: &str) -> Regex {
    Regex::new(pattern, &mut Steps::new()).unwrap()
}

fn states(pattern: &str) -> usize {
    regex(pattern).distance.len()
}

fn accepts(regex: &Regex, text: &str) -> bool {
    let mut state = StateId::START;
    text.bytes().all(|byte| regex.next(state, byte).map(|next| state = next).is_some()) && regex.matches(state)
}

#[test]
fn a_regex_stands_for_all_strings_that_it_matches_as_a_whole() {
    let gene = regex("Gene|GeneProduct");
    assert!(accepts(&gene, "Gene") && accepts(&gene, "GeneProduct") && !accepts(&gene, "GeneP"));
    let day = regex("[1-9]|[12][0-9]|3[01]");
    assert!((0..40).all(|number: u32| accepts(&day, &number.to_string()) == (1..=31).contains(&number)));
    let lazy = regex("a+?b??");
    assert!(["a", "aa", "ab", "aaab"].iter().all(|text| accepts(&lazy, text)) && !accepts(&lazy, "b"));
}

#[test]
fn the_automaton_is_minimal() {
    // The last four letters must be remembered; before them it is as if all of them were `b`.
    assert_eq!(states("(a|b)*a(a|b){3}"), 16);
    assert_eq!(states("Gene|GeneProduct"), 12);
    // The order of alternatives and laziness don't change the language.
    assert_eq!(states("ab|ac|a"), states("a[bc]??"));
    assert_eq!(states("(aa)+|a(aa)*"), 2);
    // One character of UTF-8: the beginnings that need one, two and three more bytes, and the four that restrict the next.
    assert_eq!(states("(?s)."), 9);
}

#[test]
fn states_know_the_shortest_way_to_a_match() {
    let regex = regex("x(abc|de|f*gg)");
    assert_eq!((regex.shortest_length(StateId::START), regex.shortest(StateId::START)), (3, b"xde".to_vec()));
    let after = |text: &str| text.bytes().fold(StateId::START, |state, byte| regex.next(state, byte).unwrap());
    assert_eq!(regex.shortest(after("xa")), b"bc");
    assert_eq!(regex.shortest_nonempty(after("xde")), None);
    let more = super::Regex::new("a(bbb|cc)?", &mut Steps::new()).unwrap();
    let after_a = more.next(StateId::START, b'a').unwrap();
    assert_eq!((more.shortest(after_a), more.shortest_nonempty(after_a)), (Vec::new(), Some(b"cc".to_vec())));
}

#[test]
fn a_pattern_that_takes_too_many_steps_is_refused() {
    let too_large = |pattern: &str| matches!(Regex::new(pattern, &mut Steps::new()), Err(RegexError::TooLarge));
    assert!(too_large("(a|b)*a(a|b){20}"));
    assert!(too_large("((\\w{100}){100}){100}"));
    assert!(!too_large("[a-z]{3000}"));
    // All regexes of a grammar share one allowance.
    let mut steps = Steps::new();
    let refused = (0..1000).find(|_| Regex::new("(a|b)*a(a|b){8}", &mut steps).is_err());
    assert!(refused.is_some_and(|number| number > 10));
}
