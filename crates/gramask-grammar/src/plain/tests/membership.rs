//! Which strings a network accepts, and which of them are beginnings: as the oracle says, for all short strings.

use std::sync::Arc;

use proptest::prelude::*;

use super::grammars::{all, random};
use crate::completions::Letter;
use crate::plain::expr::PlainGrammar;
use crate::plain::machine::Machine;
use crate::plain::network::{Network, NetworkLimits};
use crate::plain::oracle::PlainOracle;
use crate::plain::shortest::Shortest;
use crate::plain::stacks::StackId;

/// The bytes that are tried: those that the grammar names, and one more.
fn letters(grammar: &PlainGrammar, machine: &Machine) -> Vec<u8> {
    let mut letters: Vec<u8> =
        (0..=255).filter(|byte| machine.network().classes()[usize::from(*byte)] == *byte).collect();
    for rule in grammar.rules() {
        rule.body.walk(&mut |expr| {
            if let crate::plain::Expr::Bytes(bytes) = expr {
                letters.extend(bytes);
            }
        });
    }
    letters.sort_unstable();
    letters.dedup();
    letters
}

/// Compares all strings of up to `most` letters, as long as both agree that one can go on.
fn compare(grammar: &PlainGrammar, limits: &NetworkLimits, unions: usize, most: usize) -> Result<usize, String> {
    let network = Network::compile(grammar, limits).map_err(|error| error.to_string())?;
    let mut machine = Machine::with_unions(network, unions);
    let letters = letters(grammar, &machine);
    let mut open = vec![(machine.start(), PlainOracle::new(grammar), Vec::new())];
    let mut compared = 0;
    while let Some((node, oracle, text)) = open.pop() {
        let shown = || String::from_utf8_lossy(&text).into_owned();
        if machine.accepts(node) != oracle.accepts() {
            return Err(format!("{:?}: accepted by the oracle: {}", shown(), oracle.accepts()));
        }
        let next_bytes = machine.next_bytes(node);
        check_shortest(&mut machine, node, &oracle, text.len() < 3)
            .map_err(|error| format!("{:?}: {error}", shown()))?;
        for &letter in &letters {
            compared += 1;
            let next = machine.step(node, letter);
            let mut after = oracle.clone();
            let goes_on = after.advance_bytes(&[letter]);
            if (next != StackId::NONE, next_bytes.contains(letter)) != (goes_on, goes_on) {
                return Err(format!("{:?}: goes on with {:?}: {goes_on}", shown(), char::from(letter)));
            }
            if goes_on && text.len() < most {
                open.push((next, after, [text.as_slice(), &[letter]].concat()));
            }
        }
    }
    Ok(compared)
}

/// The shortest string that completes a node does so for the oracle too, and where asked, none is shorter.
fn check_shortest(machine: &mut Machine, node: StackId, oracle: &PlainOracle, search: bool) -> Result<(), String> {
    let mut shortest = Shortest::new();
    let text = shortest.of(machine, node);
    let byte = |letter| if let Letter::Byte(byte) = letter { byte } else { b'?' };
    let rest: Vec<u8> = shortest.texts.letters(text).map(byte).collect();
    if machine.stacks().rest(node) as usize != rest.len() {
        return Err(format!("the rest {rest:?} has not {} bytes", machine.stacks().rest(node)));
    }
    let mut ended = oracle.clone();
    if !ended.advance_bytes(&rest) || !ended.accepts() {
        return Err(format!("{:?} does not complete it", String::from_utf8_lossy(&rest)));
    }
    // Breadth first over all strings that are shorter, where there are few.
    let mut strings = vec![oracle.clone()];
    for _ in 0..rest.len().min(if search { 4 } else { 0 }) {
        if strings.iter().any(PlainOracle::accepts) {
            return Err(format!("{rest:?} is not the shortest rest"));
        }
        let letters: Vec<u8> = (b'a'..=b'e').chain(*b"xyz()[]1;\"<>").collect();
        let next = strings.iter().flat_map(|string| {
            letters.iter().filter_map(|letter| {
                let mut next = string.clone();
                next.advance_bytes(&[*letter]).then_some(next)
            })
        });
        strings = next.take(300).collect();
    }
    Ok(())
}

#[test]
fn a_network_accepts_what_the_oracle_accepts() {
    for (name, grammar) in all() {
        let compared = compare(&grammar, &NetworkLimits::default(), 1 << 16, 5);
        assert!(compared.unwrap_or_else(|error| panic!("{name}: {error}")) > 3, "{name}");
    }
}

#[test]
fn the_language_stays_where_automata_are_not_made_deterministic() {
    for (name, grammar) in all() {
        let limits = NetworkLimits { steps: 0, ..NetworkLimits::default() };
        compare(&grammar, &limits, 1 << 16, 4).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}

#[test]
fn the_language_stays_where_stacks_are_not_united() {
    for (name, grammar) in all() {
        compare(&grammar, &NetworkLimits::default(), 0, 4).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    #[test]
    fn random_grammars_accept_what_the_oracle_accepts(grammar in random()) {
        let compared = compare(&grammar, &NetworkLimits::default(), 1 << 16, 4);
        prop_assert!(compared.is_ok(), "{}", compared.unwrap_err());
    }

    #[test]
    fn random_grammars_keep_their_language_at_small_limits(grammar in random(), steps in 0..60usize, unions in 0..3usize) {
        let compared = compare(&grammar, &NetworkLimits { steps, ..NetworkLimits::default() }, unions, 4);
        prop_assert!(compared.is_ok(), "{}", compared.unwrap_err());
    }
}

#[test]
fn equal_positions_have_the_same_number() {
    let grammar = super::grammar("s: \"(\" s \")\" | \"[\" s \"]\" | t\n t: \"x\" | \"y\" t");
    let mut machine = Machine::new(Arc::clone(&Network::compile(&grammar, &NetworkLimits::default()).unwrap()));
    let start = machine.start();
    let at = |machine: &mut Machine, text: &str| machine.pass(start, text.as_bytes());
    assert_eq!(at(&mut machine, "(x)"), at(&mut machine, "[yyx]"));
    assert_eq!(at(&mut machine, "([x]"), at(&mut machine, "(x"));
    assert_ne!(at(&mut machine, "([x"), at(&mut machine, "(x"));
    assert_eq!(at(&mut machine, "x"), StackId::BOTTOM);
}
