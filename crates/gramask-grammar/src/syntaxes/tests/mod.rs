//! Translations compared with other ways to the same language.

mod gbnf;
mod lark;
mod llguidance;
mod notation;

use std::collections::BTreeSet;

use super::{Grammar, GrammarSyntax};
use crate::plain::enumerate::outputs;

fn parse(syntax: GrammarSyntax, source: &str) -> Grammar {
    Grammar::parse("test", syntax, source).unwrap_or_else(|errors| panic!("{errors}"))
}

fn shown(outputs: BTreeSet<Vec<u8>>) -> Vec<String> {
    outputs.into_iter().map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).collect()
}

#[test]
fn a_regex_is_its_whole_language() {
    let all = |pattern: &str, alphabet: &str| {
        shown(outputs(parse(GrammarSyntax::Regex, pattern).plain(), alphabet.as_bytes(), 4))
    };
    assert_eq!(all("Gene|Gen", "Gen"), ["Gen", "Gene"]);
    assert_eq!(all("(ab?)*", "ab").len(), 1 + 1 + 2 + 3 + 5);
    let error = Grammar::from_regex("a\\b").unwrap_err().to_string();
    assert!(error.contains("assertion"), "{error}");
    let error = Grammar::from_regex("(a").unwrap_err().to_string();
    assert!(error.starts_with("regex:1:1: this is not a regex"), "{error}");
}

#[test]
fn a_choice_is_its_texts() {
    let grammar = Grammar::from_choice(&["yes", "no", "n/a", "no"]).unwrap();
    assert_eq!(shown(outputs(grammar.plain(), b"", 9)), ["n/a", "no", "yes"]);
    assert_eq!(grammar.facts().shortest, b"no");
    assert!(Grammar::from_choice::<&str>(&[]).unwrap_err().to_string().contains("no text to choose"));
}

#[test]
fn facts_are_those_of_the_rules() {
    let facts = |source: &str| parse(GrammarSyntax::Notation, source).facts();
    let list = facts("start: list\nlist: \"(\" list* \")\" | list \"!\" | /[a-z]{2}/ /[a-z]{2}/\n");
    assert_eq!(list.recursion.as_deref(), Some(&["list".to_owned(), "list".to_owned()][..]));
    assert_eq!((list.rules, list.regexes, list.shortest.as_slice()), (2, 1, &b"()"[..]));
    let flat = facts("start: a~3 | b b b\na: \"xy\"\nb: \"long\"\n");
    assert_eq!((flat.recursion, flat.shortest), (None, b"xyxyxy".to_vec()));
    // An alternative that is as short leads back to the rule.
    assert_eq!(facts("start: a\na: a | b\nb: a | \"x\"\n").shortest, b"x");
}

#[test]
fn a_file_is_read_by_its_ending() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata/grammars");
    let json = Grammar::read(format!("{folder}/json.gram")).unwrap();
    assert_eq!((json.name(), json.syntax()), ("json", GrammarSyntax::Notation));
    let list = Grammar::read(format!("{folder}/gbnf/list.gbnf")).unwrap();
    assert_eq!((list.name(), list.description()), ("list", "A list of one or more items, each on its line."));
    let error = Grammar::read("x.bnf").unwrap_err().to_string();
    assert!(error.contains(".gbnf"), "{error}");
    assert!(Grammar::read(format!("{folder}/none.gbnf")).unwrap_err().to_string().contains("can't be read"));
}

#[test]
fn what_is_too_large_is_refused_with_the_limit() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata/grammars");
    let doubled = Grammar::read(format!("{folder}/double-30.gram")).unwrap_err().to_string();
    assert!(doubled.contains("the shortest output has 1073741824 bytes; the limit is 100000"), "{doubled}");
    let regex = "start: \"x\" /(a|b)*a(a|b){25}/\n";
    for syntax in [GrammarSyntax::Notation, GrammarSyntax::Lark] {
        let error = Grammar::parse("x", syntax, regex).unwrap_err().to_string();
        assert!(error.contains("x:1:12: to compile the regexes up to this one takes more than"), "{error}");
    }
    let many: String = (0..10_001).map(|n| format!("r{n} ::= \"x\"\n")).collect();
    let error = Grammar::from_gbnf(&format!("root ::= r1\n{many}")).unwrap_err().to_string();
    assert!(error.contains("there are 10002 rules; the limit is 10000"), "{error}");
    let nested = Grammar::from_lark("start: ((\"a\"~0..200 \"b\")~0..200 \"c\")~0..200\n").unwrap_err().to_string();
    assert!(nested.contains("grammar:1:1: with all repeats written out"), "{nested}");
    for deep in
        [format!("root ::= {}\"x\"{}", "(".repeat(200), ")".repeat(200)), format!("root ::= {}", "(".repeat(100_000))]
    {
        assert!(Grammar::from_gbnf(&deep).unwrap_err().to_string().contains("nest deeper than 100"));
        assert!(
            Grammar::from_lark(&deep.replace("root ::=", "start:")).unwrap_err().to_string().contains("nest deeper")
        );
    }
}
