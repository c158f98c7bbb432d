// Formats that only tests use, as name and source. The tests inside the crate include this file too.
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
