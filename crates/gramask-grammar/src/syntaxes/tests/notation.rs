//! The project's own notation, against the oracle of formats.

use std::collections::BTreeSet;

use gramask_ner::{Schema, Text};

use super::{parse, shown};
use crate::plain::enumerate::outputs;
use crate::{Format, Grammar, GrammarSyntax, Level, Oracle, Program, Token, Vocabulary};

/// All outputs of a file in the notation.
fn enumerated(source: &str, alphabet: &str, longest: usize) -> Vec<String> {
    shown(outputs(parse(GrammarSyntax::Notation, source).plain(), alphabet.as_bytes(), longest))
}

/// The same by the oracle of formats, which shares neither rules nor expressions with plain grammars.
fn accepted(source: &str, alphabet: &str, longest: usize) -> Vec<String> {
    let tokens = (0..=255u8).map(|byte| Token::new([byte])).chain([Token::special("<end>")]);
    let vocabulary = Vocabulary::new(tokens.collect(), vec![256]).unwrap();
    let program = Program::compile(&Format::parse("test", source).unwrap(), &Schema::new::<&str>([])).unwrap();
    let start = || Oracle::new(program.clone(), &Text::new(""), Level::Syntax, vocabulary.clone()).unwrap();
    let (mut all, mut open) = (BTreeSet::new(), vec![Vec::new()]);
    while let Some(bytes) = open.pop() {
        let mut oracle = start();
        assert!(oracle.advance(&bytes));
        if oracle.accepts() {
            all.insert(bytes.clone());
        }
        let next = alphabet.bytes().filter(|_| bytes.len() < longest).map(|byte| [&bytes[..], &[byte]].concat());
        open.extend(next.filter(|bytes| start().advance(bytes)));
    }
    shown(all)
}

#[test]
fn outputs_of_the_notation_are_those_of_formats() {
    for (source, alphabet, longest) in [
        ("start: \"a\" | \"b\" start \"c\"?\n", "abc", 7),
        ("start: \"x\"~2..3 (\"y\" | /[ab]{1,2}c?/)*\n", "abcxy", 6),
        ("start: value\nvalue: \"1\" | \"[\" (value (\",\" value)*)? \"]\"\n", "1[],", 7),
        ("start: [\"-\"] /[0-9]+/ (\".\" /[0-9]+/)?\n", "-01.", 5),
        (
            "start: sum\nsum: product (\"+\" product)*\nproduct: one (\"*\" one)*\none: \"1\" | \"(\" sum \")\"\n",
            "1+*()",
            6,
        ),
    ] {
        let all = enumerated(source, alphabet, longest);
        assert!(all.len() > 5, "{source}: {all:?}");
        assert_eq!(all, accepted(source, alphabet, longest), "{source}");
    }
}

#[test]
fn left_recursion_is_the_language_that_its_transformation_is() {
    for (left, right, alphabet) in [
        ("start: start \"+\" \"1\" | \"1\"\n", "start: \"1\" (\"+\" \"1\")*\n", "1+"),
        (
            "start: e\ne: e \"+\" t | t\nt: t \"*\" f | f\nf: \"1\" | \"(\" e \")\"\n",
            "start: t (\"+\" t)*\nt: f (\"*\" f)*\nf: \"1\" | \"(\" start \")\"\n",
            "1+*()",
        ),
        // Through another rule, and after a part that can be empty.
        ("start: a \"x\" | \"y\"\na: start \"z\" | \"w\"\n", "start: (\"w\" \"x\" | \"y\") (\"z\" \"x\")*\n", "wxyz"),
        ("start: s\ns: \"-\"? s \"!\" | \"1\"\n", "start: \"1\" \"!\"* | \"-\" start \"!\"\n", "-1!"),
        // Hidden by a repeat of what can be empty.
        ("start: (\"a\"?)* \"b\"\n", "start: \"a\"* \"b\"\n", "ab"),
    ] {
        assert!(Format::parse("test", left).is_err(), "{left}");
        assert_eq!(enumerated(left, alphabet, 7), enumerated(right, alphabet, 7), "{left}");
        assert_eq!(enumerated(right, alphabet, 7), accepted(right, alphabet, 7), "{right}");
    }
}

#[test]
fn what_never_ends_is_refused_with_its_place() {
    let refusal = |source: &str| Grammar::parse("bad.gram", GrammarSyntax::Notation, source).unwrap_err().to_string();
    let endless = refusal("start: start \"a\"\n");
    assert!(endless.contains("bad.gram:1:1: the rule `start` never comes to an end: start -> start"), "{endless}");
    let format = refusal("start: entity*\nentity: entity @text @label | @text @label\n");
    assert!(format.contains("left recursion"), "{format}");
}

#[test]
fn a_format_is_no_plain_grammar() {
    let errors = Grammar::from_notation("start: entity*\nentity: @text \":\" @label\n").unwrap_err();
    assert!(errors.is_format() && errors.to_string().starts_with("grammar:2:1: this is a format"), "{errors}");
    assert!(!Grammar::from_notation("start: b\n").unwrap_err().is_format());
    let label = Grammar::parse("x.gram", GrammarSyntax::Notation, "start: @each(a, \",\")\na: @label\n").unwrap_err();
    assert!(label.to_string().starts_with("x.gram:1:8: this is a format"), "{label}");
}
