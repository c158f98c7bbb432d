//! Deep outputs: work and memory grow with the output, and not exponentially. Work is counted, and no clock is read.

use super::masks::{Draws, vocabulary};
use crate::plain::PlainEngine;
use crate::plain::machine::Machine;
use crate::plain::network::{Network, NetworkLimits};
use crate::plain::shortest::Shortest;
use crate::plain::stacks::StackId;

const ARITHMETIC: &str = "e: t \"+\" e | t \"-\" e | t\n t: f \"*\" t | f \"/\" t | f\n f: \"(\" e \")\" | /[0-9]+/";
const LEFT: &str = "e: e \"+\" t | e \"-\" t | t\n t: t \"*\" f | t \"/\" f | f\n f: \"(\" e \")\" | /[0-9]+/";
const JSON_ORG: &str = "s: v
    v: \"null\" | \"true\" | /[0-9]+/ | q | o | a
    q: /\"[^\"\\\\]*\"/
    o: \"{\" \"}\" | \"{\" ms \"}\"
    ms: m | m \",\" ms
    m: q \":\" v
    a: \"[\" \"]\" | \"[\" es \"]\"
    es: v | v \",\" es";
const JSON: &str = "s: o | a | q | n | \"true\"
    o: \"{\" (q \":\" s (\",\" q \":\" s)*)? \"}\"
    a: \"[\" (s (\",\" s)*)? \"]\"
    q: /\"([^\"\\\\\\x00-\\x1f]|\\\\[\"\\\\bfnrt])*\"/
    n: /-?(0|[1-9][0-9]*)(\\.[0-9]+)?/";
const TWO_CLOSERS: &str = "s: \"(\" s \")\" | \"(\" s \"]\" | \"x\"";
const AMB2: &str = "s: \"a\" s \"a\" | \"a\" s | \"a\"";
const OPTIONAL_END: &str = "s: \"a\" s \"b\"? | \"a\"";
const DIFFERENT_LENGTHS: &str = "s: \"a\" \"a\"? s \"b\" | \"a\" s \"c\" | \"a\" t | \"x\"\n t: s \"b\" | \"b\" t s";

/// The nodes that an output makes.
fn nodes(source: &str, output: &[u8]) -> usize {
    let network = Network::compile(&super::grammar(source), &NetworkLimits::default()).unwrap();
    let mut machine = Machine::new(network);
    let start = machine.start();
    let end = machine.pass(start, output);
    assert_ne!(end, StackId::NONE, "{source}");
    machine.stacks().len()
}

#[test]
fn deep_outputs_make_a_few_nodes_a_byte() {
    let cases: [(&str, &str, usize); 8] = [
        (ARITHMETIC, "(", 6),
        (ARITHMETIC, "(1+", 6),
        (LEFT, "(1+", 6),
        (JSON_ORG, "[", 6),
        (JSON_ORG, "{\"a\":[1,", 4),
        (JSON, "[1,{\"k\":", 4),
        (TWO_CLOSERS, "(", 4),
        (AMB2, "a", 6),
    ];
    for (source, piece, most) in cases {
        for depth in [200, 1000, 10_000] {
            let output = piece.repeat(depth);
            let made = nodes(source, output.as_bytes());
            assert!(made <= most * output.len() + 20, "{piece} {depth} times: {made} nodes");
        }
    }
}

#[test]
fn right_recursion_that_may_end_anywhere_is_linear() {
    for depth in [1000, 10_000] {
        let made = nodes(OPTIONAL_END, "a".repeat(depth).as_bytes());
        assert!(made <= 6 * depth, "{made}");
        let closed = format!("{}{}", "a".repeat(depth), "b".repeat(depth / 2));
        let made = nodes(OPTIONAL_END, closed.as_bytes());
        assert!(made <= 12 * depth, "{made}");
    }
}

#[test]
fn ambiguity_over_different_lengths_stays_polynomial() {
    // Cubic at the most.
    let made: Vec<usize> =
        [25, 50, 100].iter().map(|depth| nodes(DIFFERENT_LENGTHS, "a".repeat(*depth).as_bytes())).collect();
    assert!(made[1] <= 8 * made[0] && made[2] <= 8 * made[1] && made[2] < 1_000_000, "{made:?}");
}

#[test]
fn deep_outputs_close_again() {
    let closed = |source: &str, open: &str, inner: &str, close: &str, depth: usize| {
        let network = Network::compile(&super::grammar(source), &NetworkLimits::default()).unwrap();
        let mut machine = Machine::new(network);
        let start = machine.start();
        let opened = machine.pass(start, open.repeat(depth).as_bytes());
        let mut shortest = Shortest::new();
        let text = shortest.of(&machine, opened);
        assert_eq!(machine.stacks().rest(opened) as usize, shortest.texts.letters(text).count());
        let middle = machine.pass(opened, inner.as_bytes());
        let end = machine.pass(middle, close.repeat(depth).as_bytes());
        machine.accepts(end)
    };
    assert!(closed(ARITHMETIC, "(", "1", ")", 5000));
    assert!(closed(LEFT, "(1+", "1", ")", 5000));
    assert!(closed(JSON, "[", "", "]", 5000));
    assert!(closed(JSON_ORG, "{\"a\":", "1", "}", 5000));
    assert!(closed(TWO_CLOSERS, "(", "x", "]", 5000));
    assert!(!closed(TWO_CLOSERS, "(", "", "]", 10));
}

/// A new depth has a mask of parts that are there already.
#[test]
fn masks_of_deep_states_need_no_walk() {
    let mut draws = Draws::new(3);
    let texts = ["[1,{\"k\":\"v\"},[[2]]]", "{\"a\":{\"b\":[]},\"c\":[true,1.5]}"].map(|text| text.as_bytes().to_vec());
    let vocabulary = vocabulary(&texts, 200, &mut draws);
    for source in [JSON, JSON_ORG] {
        let network = Network::compile(&super::grammar(source), &NetworkLimits::default()).unwrap();
        let mut engine = PlainEngine::new(&network, &vocabulary, Vec::new());
        let mut state = engine.start();
        let mut parts = Vec::new();
        for _ in 0..300 {
            for piece in ["[1", ",{", "\"k", "\":"] {
                state = engine.advance(state, piece.as_bytes()).unwrap();
                engine.mask(state, &vocabulary);
            }
            parts.push(vocabulary.parts(&network).lock().unwrap().made().0);
        }
        assert_eq!(engine.kept_masks(), 1200);
        assert_eq!(parts[20], parts[299], "{parts:?}");
        assert!(engine.nodes() < 20 * 1200);
    }
}

#[test]
fn large_grammars_compile_or_are_refused_with_the_limit() {
    let states = |source: &str| {
        Network::compile(&super::grammar(source), &NetworkLimits::default()).map(|network| network.states())
    };
    // A thousand copies of a call each, and a shortest output of 10^9 bytes.
    let repeats =
        states("s: c \".\"\n c: b{1000,1000}\n b: a{1000,1000}\n a: \"x\"{1000,1000}").unwrap_err().to_string();
    assert!(repeats.contains("the shortest text of `b` has 1000000 bytes; the limit is 100000"), "{repeats}");
    let optional = states("s: c{0,1000} \".\"\n c: b{0,1000}\n b: a{0,1000}\n a: \"x\"{0,1000} \"y\"").unwrap();
    assert!(optional < 5000, "{optional}");
    let doubled: String = (0..30).map(|n| format!("d{n}: d{m} d{m}\n", m = n + 1)).collect();
    let error = states(&format!("{doubled}d30: \"a\"")).unwrap_err().to_string();
    assert!(error.contains("bytes; the limit is 100000, so repeat less"), "{error}");
    let too_many = states("s: \"abcd\"{0,200000}").unwrap_err().to_string();
    assert!(too_many.contains("800001 states with repeats written out; the limit is 400000"), "{too_many}");
    let think = "s: /[^~#]{1,400}/ (\"~\" /[^~#]{1,400}/){0,9} \"~#### \" /-?[0-9]+(\\.[0-9]+)?/";
    assert!(states(think).unwrap() < 20_000);
}
