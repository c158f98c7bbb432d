// Formats that only tests use, as name and source. The tests inside the crate include this file too.
const TEST_FORMATS: [(&str, &str); 10] = [
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
        "parts-offsets",
        r###"
%escape json
start:  "[" (entity ("," entity)*)? "]"
entity: "{" part ("," part)* "}" @label
part:   "\"" @text "\"@" @start
"###,
    ),
    (
        "raw-lines",
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
