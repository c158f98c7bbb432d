//! What takes too long to compile is refused, with the place, the size and the limit.

use super::{accepts, constraint, file, plain};
use gramask_grammar::notation::{MAX_OPERATIONS, MAX_SHORTEST};
use gramask_grammar::{ExpandLimits, Format, Level, Program, expand};
use gramask_ner::{Schema, Text};

fn refusal(source: &str) -> String {
    Format::parse("bad.gram", source).unwrap_err().to_string()
}

#[test]
fn rules_that_multiply_are_refused() {
    let repeats = file("rep-3rules.gram").unwrap_err().to_string();
    assert!(repeats.contains("rep-3rules.gram:3:4: written out, this has 1002000 operations"), "{repeats}");
    let doubled = file("double-30.gram").unwrap_err().to_string();
    assert!(doubled.contains("written out, this has 1") && doubled.contains(&MAX_OPERATIONS.to_string()), "{doubled}");
    // The same sizes inside rules that hold themselves.
    let called = refusal("start: a\na: \"(\" a \")\" | b~0..500\nb: \"x\" c~500\nc: \"yz\"\n");
    assert!(called.contains("bad.gram:2:16: written out, this has 752000 operations"), "{called}");
}

#[test]
fn an_output_that_must_be_long_is_refused() {
    let doubled: String = (0..30).map(|n| format!("d{n}: d{m} d{m} | \"(\" d{n} \")\"\n", m = n + 1)).collect();
    let error = refusal(&format!("start: d0\n{doubled}d30: \"a\"\n"));
    // The first rule over the limit: 2^17 letters.
    assert!(error.contains("the shortest that this rule can write has 131072 bytes"), "{error}");
    assert!(error.contains("bad.gram:15:1:") && error.contains(&MAX_SHORTEST.to_string()), "{error}");
}

#[test]
fn a_regex_that_takes_long_is_refused() {
    let error = refusal("start: \"x\" /(a|b)*a(a|b){25}/\n");
    assert!(error.contains("bad.gram:1:12: to compile the regexes up to this one takes more than"), "{error}");
    // Many regexes that are each small enough.
    let many: String = (0..300).map(|n| format!(" | /x{n}(a|b)*a(a|b){{9}}/")).collect();
    let error = refusal(&format!("start: \"y\"{many}\n"));
    assert!(error.contains("to compile the regexes up to this one"), "{error}");
}

#[test]
fn large_grammars_compile() {
    let mut letters = constraint(&plain("start: /[a-z]{3000}/\n"));
    let start = letters.start();
    assert_eq!(letters.tokens_to_finish(start), 3001);
    let program = Program::compile(&file("think.gram").unwrap(), &Schema::new::<&str>([])).unwrap();
    assert!(accepts(&program, "First.\nThen.\n#### 12.5") && !accepts(&program, "#### 12"));
    // Each of 400 letters can be the last one, or lead to any later place.
    let many = plain("start: (\"k\"?)~1..400\n");
    let limits = ExpandLimits { rules: 1000, counted: 0 };
    let expanded = expand(&many, &Text::new(""), Level::Syntax, limits).unwrap();
    assert!((399..=401).contains(&expanded.rules().len()), "{}", expanded.rules().len());
    assert!(accepts(&many, "") && accepts(&many, "kkk") && !accepts(&many, "kx"));
}
