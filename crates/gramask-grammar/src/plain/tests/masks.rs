//! Masks, forced bytes and shortest completions, in all states of random walks: those of the oracle.

use std::sync::{Arc, PoisonError};

use proptest::prelude::*;

use super::grammars::{GRAMMARS, all, random};
use crate::engine::{State, tokens_of};
use crate::plain::expr::PlainGrammar;
use crate::plain::network::{Network, NetworkLimits};
use crate::plain::{PlainEngine, PlainOracle};
use crate::{Token, Vocabulary};

/// A small generator of numbers, so that walks need no crate (G. Marsaglia, "Xorshift RNGs", 2003).
pub(super) struct Draws(u64);

impl Draws {
    pub fn new(seed: u64) -> Draws {
        Draws(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % limit
    }
}

/// All bytes, and pieces of texts that the grammar can write, cut and joined anywhere.
pub(super) fn vocabulary(texts: &[Vec<u8>], pieces: usize, draws: &mut Draws) -> Arc<Vocabulary> {
    let mut tokens: Vec<Token> = (0..=255u8).map(|byte| Token::new([byte])).collect();
    let joined: Vec<u8> = texts.concat();
    for _ in 0..if joined.len() < 2 { 0 } else { pieces } {
        let begin = draws.below(joined.len() - 1);
        let end = (begin + 2 + draws.below(6)).min(joined.len());
        tokens.push(Token::new(&joined[begin..end]));
    }
    tokens.extend([Token::new(""), Token::special("<tool>"), Token::special("<call>"), Token::special("<end>")]);
    let end = tokens.len() as u32 - 1;
    Vocabulary::new(tokens, vec![end]).unwrap()
}

fn bytes_only() -> Arc<Vocabulary> {
    vocabulary(&[], 0, &mut Draws::new(1))
}

fn engine(grammar: &PlainGrammar, vocabulary: &Vocabulary, limits: &NetworkLimits) -> PlainEngine {
    let network = Network::compile(grammar, limits).unwrap();
    let named = |name: &String| {
        (0..vocabulary.len() as u32)
            .filter(|token| vocabulary.is_special(*token) && vocabulary.bytes(*token) == name.as_bytes())
            .collect()
    };
    let specials = network.specials().iter().map(named).collect();
    PlainEngine::new(&network, vocabulary, specials)
}

/// Some texts of a grammar: random bytes, then the shortest rest.
pub(super) fn texts(grammar: &PlainGrammar, draws: &mut Draws, count: usize) -> Vec<Vec<u8>> {
    let vocabulary = bytes_only();
    let mut engine = engine(grammar, &vocabulary, &NetworkLimits::default());
    let mut one = |draws: &mut Draws| {
        let (mut state, mut text) = (engine.start(), Vec::new());
        for _ in 0..draws.below(16) {
            let mut next = Vec::new();
            engine.followers(state, |byte, after| {
                next.push((byte, after));
                true
            });
            if next.is_empty() {
                break;
            }
            let (byte, after) = next[draws.below(next.len())];
            text.push(byte);
            state = after;
        }
        text.extend(engine.shortest_completion(state));
        text
    };
    (0..count)
        .map(|_| draws.below(usize::MAX))
        .map(|seed| Draws::new(seed as u64))
        .map(|mut draws| one(&mut draws))
        .collect()
}

/// Compares masks in the states of random walks.
fn compare(grammar: &PlainGrammar, limits: &NetworkLimits, seed: u64, walks: usize) -> Result<(), String> {
    let mut draws = Draws::new(seed);
    let texts = texts(grammar, &mut draws, 6);
    let vocabulary = vocabulary(&texts, 60, &mut draws);
    let mut engine = engine(grammar, &vocabulary, limits);
    for _ in 0..walks {
        let (mut state, mut oracle, mut written) = (engine.start(), PlainOracle::new(grammar), Vec::new());
        for _ in 0..12 {
            let shown = || String::from_utf8_lossy(&written).into_owned();
            let right: Vec<u32> = tokens_of(&oracle.mask(&vocabulary)).collect();
            let mut row = vec![0; vocabulary.words()];
            engine.mask(state, &vocabulary).copy_to(&mut row);
            let found: Vec<u32> = tokens_of(&row).collect();
            if found != right {
                let wrong = found
                    .iter()
                    .filter(|token| !right.contains(token))
                    .chain(right.iter().filter(|token| !found.contains(token)));
                let wrong: Vec<_> = wrong.map(|token| String::from_utf8_lossy(vocabulary.bytes(*token))).collect();
                return Err(format!("after {:?} the masks differ in {wrong:?}", shown()));
            }
            compare_walk(&mut engine, state, &vocabulary, &right).map_err(|error| format!("{:?}: {error}", shown()))?;
            let going_on: Vec<u32> = right.iter().copied().filter(|token| !vocabulary.is_end(*token)).collect();
            if going_on.is_empty() {
                break;
            }
            let token = going_on[draws.below(going_on.len())];
            let name = String::from_utf8_lossy(vocabulary.bytes(token)).into_owned();
            let advanced = match vocabulary.text(token) {
                Some(text) => oracle.advance_bytes(text),
                None => oracle.advance_special(&name),
            };
            assert!(advanced);
            written.extend_from_slice(vocabulary.bytes(token));
            state = engine.advance_token(state, token, &vocabulary).ok_or("an allowed token does not lead on")?;
        }
    }
    Ok(())
}

/// The walk over whole positions reaches the same tokens, and the same states as single tokens do. Forced bytes are the only ones.
fn compare_walk(engine: &mut PlainEngine, state: State, vocabulary: &Vocabulary, right: &[u32]) -> Result<(), String> {
    let mut reached: Vec<(u32, State)> = Vec::new();
    engine.walk(state, vocabulary, |tokens, next| reached.extend(tokens.iter().map(|token| (*token, next))));
    reached.sort_unstable();
    let tokens: Vec<u32> = reached.iter().map(|(token, _)| *token).collect();
    let expected: Vec<u32> = right.iter().copied().filter(|token| !vocabulary.is_end(*token)).collect();
    if tokens != expected {
        return Err("the walk reaches other tokens".into());
    }
    if reached.iter().any(|(token, next)| engine.advance_token(state, *token, vocabulary) != Some(*next)) {
        return Err("a token leads to another state than the walk".into());
    }
    let single = || right.iter().filter(|token| **token < 256);
    let only =
        (single().count() == 1 && right.iter().all(|token| vocabulary.text(*token).is_some())).then(|| single().next());
    let forced = engine.forced(state).map(|(byte, _)| u32::from(byte));
    match forced == only.flatten().copied() {
        true => Ok(()),
        false => Err(format!("forced is {forced:?}, where the only byte is {only:?}")),
    }
}

#[test]
fn masks_are_those_of_the_oracle() {
    for (name, grammar) in all() {
        for seed in 0..2 {
            compare(&grammar, &NetworkLimits::default(), seed, 3).unwrap_or_else(|error| panic!("{name}: {error}"));
        }
        let nondeterministic = NetworkLimits { steps: 0, ..NetworkLimits::default() };
        compare(&grammar, &nondeterministic, 9, 2).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}

#[test]
fn special_tokens_are_allowed_where_the_grammar_names_them() {
    let source = "s: \"a\" <tool> s? <call> | <call> t | \"b<tool>\"\n t: <tool>* \"b\" /[^<]+/ s?";
    let grammar = super::grammar(source);
    for seed in 0..12 {
        compare(&grammar, &NetworkLimits::default(), seed, 6).unwrap();
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(150) })]

    #[test]
    fn masks_of_random_grammars_are_those_of_the_oracle(grammar in random(), seed in any::<u64>(), steps in 0..200usize) {
        let limits = NetworkLimits { steps: if steps < 40 { steps } else { 1 << 20 }, ..NetworkLimits::default() };
        let compared = compare(&grammar, &limits, seed, 2);
        prop_assert!(compared.is_ok(), "{}", compared.unwrap_err());
    }
}

/// A vocabulary in which free text is wide enough to be shared: all pairs of letters, and longer words with each sign after.
fn words() -> Arc<Vocabulary> {
    let mut tokens: Vec<Token> = (0..=255u8).map(|byte| Token::new([byte])).collect();
    for first in b'a'..=b'z' {
        for second in b'a'..=b'z' {
            tokens.push(Token::new([first, second]));
        }
        for sign in ["\"", "\",", "\",\"", "\"]", "\"}", "é\"", "\\n", "\\\"x", "\":\""] {
            tokens.push(Token::new([&[first, first, first], sign.as_bytes()].concat()));
        }
    }
    tokens.extend(["\"", "\",\"", "\"]]", "]]", "[[\"", "]],", "\"],["].map(Token::new));
    tokens.push(Token::special("<end>"));
    let end = tokens.len() as u32 - 1;
    Vocabulary::new(tokens, vec![end]).unwrap()
}

const TEXTS: [&str; 4] = [
    "s: \"[\" (v (\",\" v)*)? \"]\"\n v: s | q\n q: /\"([^\"\\\\\\x00-\\x1f]|\\\\[\"n])*\"/",
    "s: \"{\" (q \":\" v (\",\" q \":\" v)*)? \"}\"\n v: s | q\n q: /\"([^\"\\\\\\x00-\\x1f]|\\\\[\"n])*\"/",
    "s: \"[\" q \"]\"\n q: '\"' c{0,40} '\"'\n c: /[^\"\\\\\\x00-\\x1f]/",
    "s: \"[\" /\"[^\"]{0,25}\"/ \"]\" | \"x\" /\"[^\"]{0,12}\"/",
];

#[test]
fn parts_of_free_text_are_shared_and_stay_those_of_the_oracle() {
    let vocabulary = words();
    for (at, source) in TEXTS.iter().enumerate() {
        let grammar = super::grammar(source);
        let mut engine = engine(&grammar, &vocabulary, &NetworkLimits::default());
        let mut draws = Draws::new(at as u64 + 5);
        for _ in 0..3 {
            let (mut state, mut oracle) = (engine.start(), PlainOracle::new(&grammar));
            for _ in 0..14 {
                let right = oracle.mask(&vocabulary);
                let mut row = vec![0; vocabulary.words()];
                engine.mask(state, &vocabulary).copy_to(&mut row);
                assert_eq!(row, right, "{source}");
                let tokens: Vec<u32> = tokens_of(&right).filter(|token| vocabulary.text(*token).is_some()).collect();
                if tokens.is_empty() {
                    break;
                }
                let token = tokens[draws.below(tokens.len())];
                oracle.advance_bytes(vocabulary.bytes(token));
                state = engine.advance_token(state, token, &vocabulary).unwrap();
            }
        }
    }
    // The first two grammars have the same strings: the second one walks over no text.
    let fresh = words();
    let walked = |source: &str, opened: &[u8]| {
        let grammar = super::grammar(source);
        let network = Network::compile(&grammar, &NetworkLimits::default()).unwrap();
        let mut engine = PlainEngine::new(&network, &fresh, Vec::new());
        let start = engine.start();
        let inside = engine.advance(start, opened);
        engine.mask(inside.expect("text may follow"), &fresh);
        fresh.parts(&network).lock().unwrap_or_else(PoisonError::into_inner).made().1
    };
    assert_eq!((walked(TEXTS[0], b"[\"ab"), walked(TEXTS[1], b"{\"ab")), (1, 0));
}

#[test]
fn a_grammar_of_the_empty_text_alone_ends_at_once() {
    let grammar = super::grammar("s: n n\n n: |");
    let vocabulary = bytes_only();
    let mut engine = engine(&grammar, &vocabulary, &NetworkLimits::default());
    let start = engine.start();
    assert!(engine.accepts(start) && start != State::DEAD);
    let mut row = vec![0; vocabulary.words()];
    engine.mask(start, &vocabulary).copy_to(&mut row);
    assert!(tokens_of(&row).eq(vocabulary.ends().iter().copied()));
}

#[test]
fn all_test_grammars_have_different_names() {
    let mut names: Vec<&str> = GRAMMARS.iter().map(|(name, _)| *name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), GRAMMARS.len());
}
