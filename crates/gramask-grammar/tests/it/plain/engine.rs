//! The engine of plain grammars through the public interface: the files of `testdata/grammars`, and grammars in GBNF.
//!
//! The tests inside the crate compare it with its oracle over random grammars. Here masks are compared with both oracles, every
//! budget is tried, and deep outputs are written.

use std::sync::Arc;

use gramask_grammar::{
    CompiledGrammar, Constraint, ConstraintError, Format, Grammar, Level, NetworkLimits, Oracle, PlainOracle, Program,
    Token, Vocabulary,
};
use gramask_ner::{Schema, Text};
use gramask_random::Rng;

use super::{file, vocabulary};
use crate::support::walk::{allowed, draw};

/// Grammars of `testdata/grammars`, and pieces that their tokens join.
const FILES: [(&str, &[&str]); 8] = [
    ("expr-right.gram", &["((", "1+", "))", ")*", "12", "(1", "-("]),
    ("json-org.gram", &["[[", "{\"", "\":", "\",\"", "}]", "null,", "],[", "1,2"]),
    ("json.gram", &["[[", "{\"", "\":", "\",\"", "}]", "null,", "],[", "1,2", "1e", "\\u00"]),
    ("two-closers.gram", &["((", "(x", ")]", "])", "]]", "x)"]),
    ("amb2.gram", &["aa", "aaa", "aaaaa"]),
    ("re-alt-prefix.gram", &["Gene", "Product", "Gene!", "ct!"]),
    ("choice.gram", &["yes", "no", "ma", "ybe"]),
    ("star.gram", &["aa", "ab", "aab"]),
];

/// Grammars with left recursion, empty rules and ambiguity, in GBNF.
const WRITTEN: [&str; 6] = [
    "root ::= root \"+\" item | root \"-\" item | item\nitem ::= item \"*\" atom | atom\natom ::= \"(\" root \")\" | [0-9]+\n",
    "root ::= root root | \"a\" | \"(\" root \")\"\n",
    "root ::= other \"a\" | \"b\"\nother ::= root \"c\" | gap other \"d\" | \"(\" root \")\"\ngap ::= \" \"?\n",
    "root ::= \"(\" root \")\" root | \"\"\n",
    "root ::= \"<\" root* \">\" | \"\\\"\" [^\"]{0,20} \"\\\"\"\n",
    "root ::= \"a\"{2,5} (\",\" root)? | \"[\" (root (\",\" root)*)? \"]\"\n",
];

fn compiled(grammar: &Grammar) -> Arc<CompiledGrammar> {
    CompiledGrammar::compile(grammar, &NetworkLimits::default()).unwrap()
}

fn program(name: &str) -> Arc<Program> {
    Program::compile(&file(name).unwrap(), &Schema::new::<&str>([])).unwrap()
}

/// The masks in the states of a random walk are those of an oracle.
fn compare(constraint: &mut Constraint, rng: &mut Rng, steps: usize, mut oracle: impl FnMut(&[u8]) -> Vec<u32>) {
    let vocabulary = Arc::clone(constraint.vocabulary());
    let (mut state, mut output) = (constraint.start(), Vec::new());
    for _ in 0..steps {
        let mask = constraint.mask(state).to_vec();
        assert_eq!(allowed(&mask), allowed(&oracle(&output)), "after {:?}", String::from_utf8_lossy(&output));
        let token = draw(rng, &vocabulary, &allowed(&mask));
        output.extend_from_slice(vocabulary.text(token).unwrap_or_default());
        match constraint.advance(state, token) {
            Some(next) if next != Constraint::ENDED => state = next,
            _ => break,
        }
    }
}

#[test]
fn masks_of_files_are_those_of_both_oracles() {
    for (name, pieces) in FILES {
        let (program, vocabulary, mut rng) = (program(name), vocabulary(pieces), Rng::new(5));
        let source = std::fs::read_to_string(super::path(name)).unwrap();
        let grammar = Grammar::from_notation(&source).unwrap();
        for _ in 0..4 {
            let text = Text::new("");
            let shared = Arc::clone(&vocabulary);
            let mut constraint = Constraint::new(Arc::clone(&program), &text, Level::Syntax, shared).unwrap();
            // The oracle of documents takes exponential time in the others.
            if matches!(name, "json.gram" | "re-alt-prefix.gram" | "choice.gram" | "star.gram") {
                compare(&mut constraint, &mut rng, 9, |output| {
                    let mut oracle =
                        Oracle::new(Arc::clone(&program), &text, Level::Syntax, Arc::clone(&vocabulary)).unwrap();
                    assert!(oracle.advance(output));
                    oracle.mask()
                });
            }
            compare(&mut constraint, &mut rng, 12, |output| {
                let mut oracle = PlainOracle::of(&grammar);
                assert!(oracle.advance_bytes(output));
                oracle.mask(&vocabulary)
            });
        }
    }
}

#[test]
fn masks_of_grammars_in_gbnf_are_those_of_the_oracle() {
    let vocabulary =
        vocabulary(&["((", "))", "+(", "1+", "aa", "a)", "(a", ",a", "],", "[[", "<<", ">>", "><", "\"x", "x\"", "c "]);
    for source in WRITTEN {
        let (grammar, mut rng) = (Grammar::from_gbnf(source).unwrap(), Rng::new(9));
        let mut constraint = Constraint::of_grammar(&compiled(&grammar), Arc::clone(&vocabulary)).unwrap();
        for _ in 0..6 {
            compare(&mut constraint, &mut rng, 10, |output| {
                let mut oracle = PlainOracle::of(&grammar);
                assert!(oracle.advance_bytes(output));
                oracle.mask(&vocabulary)
            });
        }
    }
}

/// Decodes within a budget: tokens at random, or those that leave the most to write.
fn decode(constraint: &mut Constraint, budget: usize, greedy: bool, rng: &mut Rng) -> Vec<u8> {
    let vocabulary = Arc::clone(constraint.vocabulary());
    let (mut state, mut output) = (constraint.start(), Vec::new());
    for left in (1..=budget).rev() {
        let shown = |output: &[u8]| format!("{:?} with {left} of {budget} left", String::from_utf8_lossy(output));
        assert!(constraint.tokens_to_finish(state) <= left, "{}", shown(&output));
        let tokens = allowed(constraint.mask_within(state, left));
        let mask = allowed(constraint.mask(state));
        assert!(!tokens.is_empty() && tokens.iter().all(|token| mask.contains(token)), "{}", shown(&output));
        let mut token = draw(rng, &vocabulary, &tokens);
        if greedy {
            let left = |token: &u32| {
                let next = constraint.advance(state, *token).expect("an allowed token leads on");
                if next == Constraint::ENDED { 0 } else { constraint.tokens_to_finish(next) }
            };
            token = tokens.iter().copied().max_by_key(left).unwrap_or(token);
        }
        output.extend_from_slice(vocabulary.text(token).unwrap_or_default());
        state = constraint.advance(state, token).expect("an allowed token leads on");
        if state == Constraint::ENDED {
            return output;
        }
    }
    panic!("cut off at {budget}: {:?}", String::from_utf8_lossy(&output));
}

#[test]
fn no_output_is_cut_off_at_any_budget() {
    let vocabulary = vocabulary(&["((", "))", "+(", "aa", "),", "[[", "]]", "<<", ">>", "\"x", "x\"", "xx"]);
    for source in WRITTEN {
        let grammar = Grammar::from_gbnf(source).unwrap();
        let mut rng = Rng::new(2);
        for greedy in [false, true] {
            let mut constraint = Constraint::of_grammar(&compiled(&grammar), Arc::clone(&vocabulary)).unwrap();
            let start = constraint.start();
            let least = constraint.tokens_to_finish(start);
            assert!(allowed(constraint.mask_within(start, least - 1)).is_empty());
            for budget in least..least + 25 {
                let output = decode(&mut constraint, budget, greedy, &mut rng);
                let mut oracle = PlainOracle::of(&grammar);
                assert!(oracle.advance_bytes(&output) && oracle.accepts());
            }
        }
    }
}

#[test]
fn deep_outputs_of_files_are_followed() {
    // The number of bytes, which were exponential or quadratic in time before.
    for (name, open, depth) in [
        ("expr-right.gram", "(", 200),
        ("json-org.gram", "[", 200),
        ("two-closers.gram", "(", 200),
        ("amb2.gram", "a", 200),
        ("json.gram", "[", 1000),
    ] {
        let text = Text::new("");
        let mut constraint =
            Constraint::new(program(name), &text, Level::Syntax, vocabulary(&["((", "[[", "]]"])).unwrap();
        let mut state = constraint.start();
        for _ in 0..depth {
            assert!(constraint.allowed(state).count() > 0);
            state = constraint.advance(state, u32::from(open.as_bytes()[0])).expect("it may go deeper");
        }
        let rest = constraint.shortest_rest(state);
        let end = constraint.advance_bytes(state, &rest).expect("the shortest rest follows");
        assert!(constraint.accepts(end), "{name}");
        let (states, masks) = constraint.visited();
        assert!(states <= depth + 2 && masks <= depth, "{name}: {states} states");
    }
}

#[test]
fn forced_bytes_are_followed() {
    let grammar = Grammar::from_gbnf("root ::= \"begin \" (\"yes\" | \"yet\") \" end\"\n").unwrap();
    let mut constraint = Constraint::of_grammar(&compiled(&grammar), vocabulary(&["be", "ye"])).unwrap();
    let (bytes, state) = constraint.forced(constraint.start());
    assert_eq!(bytes, b"begin ye");
    let next = constraint.next_bytes(state);
    assert_eq!(next.iter().map(|(byte, _)| *byte).collect::<Vec<_>>(), b"st");
    let (bytes, end) = constraint.forced(next[0].1);
    assert!(bytes == b" end" && constraint.accepts(end));
    assert_eq!(constraint.forced(end), (Vec::new(), end));
}

#[test]
fn constraints_of_a_grammar_share_their_masks_between_threads() {
    let grammar = compiled(&Grammar::from_gbnf(WRITTEN[5]).unwrap());
    let vocabulary = vocabulary(&["aa", "[[", "]]", ",a"]);
    let outputs: Vec<Vec<u32>> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let mut constraint = Constraint::of_grammar(&grammar, Arc::clone(&vocabulary)).unwrap();
                    let mut state = constraint.start();
                    let mut rng = Rng::new(1);
                    (0..40)
                        .map(|_| {
                            let mask = constraint.mask(state).to_vec();
                            let tokens: Vec<u32> =
                                allowed(&mask).into_iter().filter(|token| !vocabulary.is_end(*token)).collect();
                            let token = draw(&mut rng, &vocabulary, &tokens);
                            state = constraint.advance(state, token).expect("an allowed token leads on");
                            token
                        })
                        .collect()
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(outputs.iter().all(|output| *output == outputs[0]));
}

#[test]
fn a_vocabulary_that_cannot_write_an_output_is_refused() {
    let grammar = compiled(&Grammar::from_gbnf("root ::= \"ab\" root? \"c\"\n").unwrap());
    let tokens = ["a", "b", "ab"].map(Token::new).into_iter().chain([Token::special("<end>")]);
    let vocabulary = Vocabulary::new(tokens.collect(), vec![3]).unwrap();
    let error = Constraint::of_grammar(&grammar, vocabulary).map(|_| ()).unwrap_err();
    assert!(matches!(error, ConstraintError::Byte { byte: b'c', .. }), "{error}");
}

#[test]
fn a_format_keeps_the_engine_of_documents() {
    // `made` counts masks of a document: a format shares them at `syntax`.
    let format = Format::named("json-list").unwrap();
    let program = Program::compile(&format, &Schema::new(["X"])).unwrap();
    let mut constraint = Constraint::new(program, &Text::new("a b"), Level::Syntax, vocabulary(&[])).unwrap();
    let state = constraint.advance_bytes(constraint.start(), b"[{\"text\":\"").unwrap();
    constraint.mask(state);
    assert_eq!(constraint.made(), 0);
}
