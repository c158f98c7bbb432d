//! GBNF: grammars in the style of llama.cpp's examples, against recognisers that are written by hand.

use super::{parse, shown};
use crate::plain::enumerate::{is_output, outputs};
use crate::{Grammar, GrammarSyntax};

fn example(name: &str) -> Grammar {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata/grammars/gbnf");
    let grammar = Grammar::read(format!("{folder}/{name}.gbnf")).unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!(grammar.warnings(), []);
    grammar
}

fn enumerated(source: &str, alphabet: &str, longest: usize) -> Vec<String> {
    shown(outputs(parse(GrammarSyntax::Gbnf, source).plain(), alphabet.as_bytes(), longest))
}

/// All texts over an alphabet up to a length.
fn texts(alphabet: &str, longest: usize) -> Vec<String> {
    let mut all = vec![String::new()];
    let mut last = all.clone();
    for _ in 0..longest {
        last = last.iter().flat_map(|text| alphabet.chars().map(move |c| format!("{text}{c}"))).collect();
        all.extend(last.iter().cloned());
    }
    all
}

/// Compares the outputs over an alphabet with the texts that a recogniser takes.
fn compare(grammar: &Grammar, alphabet: &str, longest: usize, takes: impl Fn(&str) -> bool) {
    let mut expected: Vec<String> = texts(alphabet, longest).into_iter().filter(|text| takes(text)).collect();
    expected.sort();
    assert!(expected.len() > 3, "{}: {expected:?}", grammar.name());
    let mut found = shown(outputs(grammar.plain(), alphabet.as_bytes(), longest));
    found.retain(|text| text.chars().all(|c| alphabet.contains(c)));
    assert_eq!(found, expected, "{}", grammar.name());
}

#[test]
fn json_is_what_serde_takes() {
    // The grammar has no number with an exponent and no white space before the value.
    let strict = |text: &str| {
        serde_json::from_str::<serde_json::Value>(text).is_ok_and(|value| value.is_object()) && text.starts_with('{')
    };
    compare(&example("json"), "{}\":1-", 7, strict);
    let json = example("json");
    for text in ["{\"a\": [1, -0.5e+7, true, null, \"\\u00e9\\n\"]}", "{}", "{ \"k\" : { \"l\" : [ ] } }"] {
        assert!(is_output(json.plain(), text.as_bytes()) && strict(text), "{text}");
        for cut in 0..text.len() {
            assert!(!is_output(json.plain(), &text.as_bytes()[..cut]), "{text} up to {cut}");
        }
    }
    for text in ["[1]", "{\"a\": 01}", "{\"a\" 1}", "{\"a\": \"\\x\"}", "{\"\n\": 1}"] {
        assert!(!is_output(json.plain(), text.as_bytes()) && !strict(text), "{text}");
    }
}

/// `sum ("=" sum "\n")`, each sum left associative; by a parser of the usual kind.
fn is_equation(text: &str) -> bool {
    fn sum(rest: &mut &[u8]) -> bool {
        loop {
            let inner = match rest.first() {
                Some(b'(') => {
                    *rest = &rest[1..];
                    if !sum(rest) || rest.first() != Some(&b')') {
                        return false;
                    }
                    *rest = &rest[1..];
                    true
                }
                _ => {
                    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
                    *rest = &rest[digits..];
                    digits > 0
                }
            };
            if !inner {
                return false;
            }
            match rest.first() {
                Some(b'+' | b'*') => *rest = &rest[1..],
                _ => return true,
            }
        }
    }
    let mut rest = text.as_bytes();
    sum(&mut rest) && rest == b"=" || {
        let mut rest = text.as_bytes();
        sum(&mut rest) && rest.first() == Some(&b'=') && {
            rest = &rest[1..];
            sum(&mut rest) && rest.is_empty()
        }
    }
}

#[test]
fn arithmetic_is_what_a_recursive_parser_takes() {
    compare(&example("arithmetic"), "1+*()=", 7, is_equation);
}

#[test]
fn lists_and_moves_are_what_simple_checks_take() {
    compare(&example("list"), "-a \n", 8, |text| {
        let item = |line: &str| line.strip_prefix("- ").is_some_and(|item| !item.is_empty());
        text.strip_suffix('\n').is_some_and(|text| text.split('\n').all(item))
    });
    let chess = example("chess");
    for game in ["1. e4 e5\n", "1. e4 c5\n2. Nf3 d6\n3. d4 cxd4\n", "1. O-O-O Qh4+\n", "1. e8=Q# Rad1\n"] {
        assert!(is_output(chess.plain(), game.as_bytes()), "{game}");
    }
    for game in ["1. e4\n", "1. e4 e5", "1. e9 e5\n", "1. Kf3 O-O-O-O\n", "01. e4 e5\n", "1. e4  e5\n"] {
        assert!(!is_output(chess.plain(), game.as_bytes()), "{game}");
    }
}

#[test]
fn a_subset_of_c_is_taken_and_its_mutations_are_not() {
    let c = example("c");
    let program =
        "int main(int argc) {\n  int x = 1;\n  while (x < 10) { x = x + f(x, 2) * 3; }\n  // done\n  return x;\n}\n";
    assert!(is_output(c.plain(), program.as_bytes()));
    for (old, new) in
        [("(x < 10)", "x < 10"), ("= 1;", "= ;"), ("2)", "2,)"), ("int main", "main"), ("}\n", "\n"), ("3;", "3")]
    {
        let broken = program.replacen(old, new, 1);
        assert!(broken != program && !is_output(c.plain(), broken.as_bytes()), "{broken}");
    }
}

#[test]
fn notation_means_what_llama_says() {
    assert_eq!(
        enumerated("root ::= \"a\"{2} | [b-c]{1,2} \"x\"? | d{0,1}\nd ::= \"d\" | \"\"", "bc", 3).len(),
        1 + 12 + 2
    );
    // A repeat after a string repeats all of it.
    assert_eq!(enumerated("root ::= \"ab\"+", "", 6), ["ab", "abab", "ababab"]);
    // Lines go on inside parentheses, after `|` and `::=`, and where the next one begins with `|`.
    let lines = "# Comment\nroot ::=\n  (\n \"a\" # one\n | \"b\"\n) end |\n \"c\"\n | \"d\"\n\nend ::= \"!\"\r\n";
    assert_eq!(enumerated(lines, "", 3), ["a!", "b!", "c", "d"]);
    // Escapes and classes are those of characters.
    let escapes = "root ::= \"\\x41\\u00e9\\U0001F600\\t\\\"\\\\\" | [\\x30-\\]] [^\\x00-\\x7f]{0}";
    assert!(enumerated(escapes, "0]^", 20).iter().eq(&[
        "0".to_owned(),
        "A\u{e9}\u{1F600}\t\"\\".to_owned(),
        "]".to_owned()
    ]));
    assert_eq!(enumerated("root ::= [a-] | [-b]", "ab-]", 2), ["-", "a", "b"]);
    // Any character, a line feed too, and nothing but characters.
    let any = parse(GrammarSyntax::Gbnf, "root ::= .");
    assert!(is_output(any.plain(), "\n".as_bytes()) && is_output(any.plain(), "\u{1F600}".as_bytes()));
    assert!(!is_output(any.plain(), b"\xff") && !is_output(any.plain(), b""));
    let special = parse(GrammarSyntax::Gbnf, "root ::= <think> [a-z]* </think>");
    assert_eq!(special.facts().special, ["</think>", "<think>"]);
}

#[test]
fn left_recursion_is_taken() {
    let left = enumerated("root ::= root \"+\" t | t\nt ::= t \"*\" [1] | [1]", "1", 7);
    assert_eq!(left, enumerated("root ::= t (\"+\" t)*\nt ::= [1] (\"*\" [1])*", "1", 7));
    assert!(left.len() > 10);
}

#[test]
fn mistakes_are_named_with_their_places() {
    for (source, expected) in [
        ("root ::= itme\nitem ::= \"a\"\n", "test:1:10: there is no rule `itme`"),
        ("start ::= \"a\"\n", "test:1:1: there is no rule `root`"),
        ("root ::= \"a\nb\n", "test:1:10: this string has no closing quote"),
        ("root ::= \"a\" )\n", "test:1:14: this `)` was never opened"),
        ("root ::= (\"a\" | \"b\"\n", "test:1:10: this `(` is never closed"),
        ("root ::= [abc\n", "test:1:10: this `[` is never closed"),
        ("root ::= \"\\q\"\n", "test:1:11: `\\q` is not an escape"),
        ("root = \"a\"\n", "expected `::=` after the rule's name, found `=`"),
        ("my_rule ::= \"a\"\n", "names have letters, digits and `-`"),
        ("root ::= \"a\"{2001}\n", "a repeat of 2001 is over the limit of 1000"),
        ("root ::= \"a\"{5,2}\n", "ends before it begins"),
        ("root ::= [z-a]\n", "test:1:11: this range ends before it begins"),
        ("root ::= * \"a\"\n", "test:1:10: `*` has nothing to repeat"),
        ("root ::= <[1000]>\n", "test:1:10: a token by its number is not supported"),
        ("root ::= !<think>\n", "any token but one"),
        ("root ::= \"a\"\nroot ::= \"b\"\n", "test:2:1: the rule `root` is defined twice"),
        ("root ::= \"a\" root\n", "test:1:1: the grammar accepts no text"),
        ("root ::= /a/\n", "there are no regexes"),
        ("", "the file has no rule"),
    ] {
        let error = Grammar::parse("test", GrammarSyntax::Gbnf, source).map(|_| ()).unwrap_err().to_string();
        assert!(error.contains(expected), "{source}: {error}");
    }
    let odd = parse(GrammarSyntax::Gbnf, "root ::= \"a\" | lost\nlost ::= \"(\" lost\nalone ::= \"b\"\n");
    let warnings: Vec<String> = odd.warnings().iter().map(|warning| warning.message.clone()).collect();
    assert_eq!(warnings, ["the rule `lost` can't be finished", "the rule `alone` is never used"]);
}
