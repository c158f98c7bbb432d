//! The formats under test: those that come with Gramask, and some that use the rest of the notation.

use std::sync::Arc;

use gramask_grammar::{Format, Program};
use gramask_ner::Schema;

/// What only tests use, as name and source.
const TEST_FORMATS: [(&str, &str); 16] = [
    (
        "offsets-first",
        r###"
%escape json
%syntax json
start:  "[" (entity ("," entity)*)? "]"
entity: "{\"start\":" @start ",\"end\":" @end ",\"text\":\"" @text "\",\"label\":\"" @label "\"}"
"###,
    ),
    (
        "word-numbers",
        r###"
start:  (entity (";" entity)*)?
entity: @first "-" @last ":" @label
"###,
    ),
    (
        "nth",
        r###"
%escape json
%syntax json
start:  "[" (entity ("," entity)*)? "]"
entity: "{\"label\":\"" @label "\",\"nth\":" @nth ",\"text\":\"" @text "\"}"
"###,
    ),
    (
        "nth-if-needed",
        r###"
%escape json
start:  "[" (entity ("," entity)*)? "]"
entity: "\"" @text "\"" ("#" @nth)? " " @label
"###,
    ),
    (
        "any-order",
        r###"
%escape json
%syntax json
%order any
start:  "[" (entity ("," entity)*)? "]"
entity: "{\"text\":\"" @text "\",\"label\":\"" @label "\"}"
"###,
    ),
    (
        "pass",
        r###"
%escape json
%syntax json
%pass label
start:  "[" (entity ("," entity)*)? "]"
entity: "\"" @text "\""
"###,
    ),
    (
        "characters",
        r###"
%escape json
%boundaries characters
start:  "[" (entity ("," entity)*)? "]"
entity: @start "-" @end " \"" @text "\" " @label
"###,
    ),
    (
        "inline-characters",
        r###"
%escape backslash "<>"
%boundaries characters
start:  (@copy | entity)*
entity: "<" @label ":" @copy+ ">"
"###,
    ),
    (
        "json-parts",
        r###"
%escape json
%syntax json
start:  "[" (entity ("," entity)*)? "]"
entity: "{\"parts\":[\"" @text ("\",\"" @text)* "\"],\"label\":\"" @label "\"}"
"###,
    ),
    (
        "parts-offsets",
        r###"
%escape json
start:  "[" (entity ("," entity)*)? "]"
entity: "{" part ("," part)* "}" @label
part:   "\"" @text "\"@" @start
"###,
    ),
    (
        "csv",
        r###"
%escape csv
%syntax csv
start:  "text,label\n" entity*
entity: "\"" @text "\",\"" @label "\"\n"
"###,
    ),
    (
        "lines",
        r###"
%escape none
start:  entity*
entity: @label ": " @text "\n"
"###,
    ),
    (
        "reasoned",
        r###"
%escape json
%syntax json
start:  "{\"why\":\"" /[a-z]{1,8}( [a-z]{1,8}){0,3}\./ "\",\"entities\":[" (entity ("," entity)*)? "]}"
entity: "[\"" @text "\",\"" @label "\"]"
"###,
    ),
    (
        "exactly-two",
        r###"
%escape json
start:  entity ~ 2
entity: "<" @label "|" @text ">"
"###,
    ),
    (
        "nested-words",
        r###"
%escape backslash "/<>"
start:  (unit (" " unit)*)?
unit:   @word "/" | entity
entity: "<" @label " " unit (" " unit)* ">"
"###,
    ),
    (
        "at-signs",
        r###"
start:  (@copy | entity)*
entity: "@@" @label "=" @copy+ "##"
"###,
    ),
];

/// All names, the built-in formats first.
pub fn names() -> Vec<&'static str> {
    Format::builtin().chain(TEST_FORMATS.iter().map(|(name, _)| *name)).collect()
}

/// The format of this name.
pub fn format(name: &str) -> Format {
    match TEST_FORMATS.iter().find(|(known, _)| *known == name) {
        Some((name, source)) => Format::parse(*name, *source).unwrap(),
        None => Format::named(name).unwrap(),
    }
}

/// The format compiled for a schema, or for its first label where it takes one a pass.
pub fn program(name: &str, labels: &[&str]) -> Arc<Program> {
    let format = format(name);
    let labels = if format.grammar.directives.pass_label { &labels[..1] } else { labels };
    Program::compile(&format, &Schema::new(labels.iter().copied())).unwrap()
}

/// Formats without an escape, in which some text can't be written.
pub fn is_raw(name: &str) -> bool {
    matches!(name, "lines" | "at-signs")
}
