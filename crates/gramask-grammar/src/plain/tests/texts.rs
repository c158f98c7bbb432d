//! Masks of free text, which are made of known ones, beside steps by each token, which are not.

use std::sync::Arc;

use gramask_random::Rng;

use crate::json_schema::{JsonSchemaOptions, Whitespace};
use crate::{CompiledGrammar, Constraint, Grammar, NetworkLimits, State, Token, Vocabulary};

/// JSON Schemas, each with a beginning of an instance.
const SCHEMAS: [(&str, &str); 16] = [
    (r#"{"type": "string"}"#, ""),
    (r#"{"type": "string", "maxLength": 5}"#, "\"a"),
    (r#"{"type": "string", "maxLength": 5}"#, "\"a\\"),
    (r#"{"type": "string", "minLength": 3, "maxLength": 40}"#, "\""),
    (r#"{"type": "string", "minLength": 1, "maxLength": 300}"#, "\""),
    (r#"{"type": "string", "maxLength": 300}"#, "\"\u{e9} \\u0"),
    (r#"{"type": "string", "minLength": 2}"#, "\""),
    (r#"{"type": "string", "pattern": "^[a-z0-9 é-]{1,12}$"}"#, "\"na"),
    (r#"{"type": "string", "pattern": "type:[a-z]+"}"#, "\"x ty"),
    (r#"{"type": "string", "pattern": "^name|text$", "maxLength": 9}"#, "\"n"),
    (r#"{"type": "object", "properties": {"name": {"type": "string"}, "names": {"type": "integer"}}}"#, "{\"na"),
    (
        r#"{"type": "object", "properties": {"id": {"type": "string", "maxLength": 4}}, "additionalProperties": {"type": "string"}}"#,
        "{\"id\": \"a\", \"",
    ),
    (r#"{"type": "object", "propertyNames": {"maxLength": 6}, "additionalProperties": {"maxLength": 300}}"#, "{\""),
    (r#"{"type": "array", "items": {"type": "string", "maxLength": 30}, "maxItems": 3}"#, "[\"ab\", \""),
    (r#"{"enum": ["name", "text with"]}"#, ""),
    (r#"{}"#, "[\"te"),
];

const GBNF: [(&str, &str); 8] = [
    (r#"root ::= "x" [^"\\]{0,9} "x""#, "xa"),
    (r#"root ::= [^\n]{2,400}"#, "a"),
    (r#"root ::= ([a-z] [a-z0-9]{0,30} | "\"" [^"]* "\"")+"#, "name\"t"),
    (r#"root ::= "\"" ([^"\\] | "\\" [nt"])* "\"" root?"#, "\"a\""),
    (
        r#"root ::= word (" " word)*
word ::= [^ "]{1,20}"#,
        "text w",
    ),
    // A chain beside free text, and a chain that ends where another begins.
    (r#"root ::= ("12345" | "abcde"){0,99} [ -/:-`f-~]{1,90}"#, "12345abcde"),
    (r#"root ::= ("\\" [nrt"\\/bfu] | [^"\\]){2,90} "\"" ("\\" [nrt"\\/bfu] | [^"\\]){0,30} "\"""#, "ab\\n\"\\"),
    // Calls inside tokens.
    (
        r#"root ::= " " name (", " name | " text " value)* ";"
name ::= [a-z] [a-z0-9_]{0,30}
value ::= "\"" [^"]{0,9} "\"" | "[" value (", " value)* "]" | " " name"#,
        " a, ab",
    ),
];

/// All bytes, the short pieces of a text, also such as cut a character, and runs of a letter.
fn vocabulary() -> Arc<Vocabulary> {
    let text = "\"name\": \"Ünï 日本 text with \\n \\u00e9\", \"id\": 12345}, {\"type:\": [\"ab\", \"cd\"]}";
    let mut tokens: Vec<Vec<u8>> = (0..=255).map(|byte| vec![byte]).collect();
    for length in 2..=7 {
        tokens.extend(text.as_bytes().windows(length).map(<[u8]>::to_vec));
    }
    for length in 2..=24 {
        tokens.push(vec![b'a'; length]);
        tokens.push(vec![b' '; length]);
        tokens.push([vec![b'a'; length], b"\", \"".to_vec()].concat());
    }
    tokens.sort_unstable();
    tokens.dedup();
    let end = tokens.len() as u32;
    let tokens = tokens.into_iter().map(Token::new).chain([Token::special("<end>")]);
    Vocabulary::new(tokens.collect(), vec![end]).unwrap()
}

/// Compares the mask of a state with a step by each token. Gives the tokens that may follow.
fn check(constraint: &mut Constraint, vocabulary: &Vocabulary, state: State, what: &str, so_far: &[u8]) -> Vec<u32> {
    let mut row = vec![0; vocabulary.words()];
    constraint.copy_mask(state, &mut row);
    let mut allowed = Vec::new();
    for token in (0..vocabulary.len() as u32).filter(|token| !vocabulary.is_end(*token)) {
        let follows = constraint.advance(state, token).is_some();
        let is_set = row[token as usize / 32] >> (token % 32) & 1 == 1;
        let (so_far, token) = (String::from_utf8_lossy(so_far), String::from_utf8_lossy(vocabulary.bytes(token)));
        assert_eq!(is_set, follows, "{what}: after {so_far:?} the token {token:?}");
    }
    allowed.extend(crate::tokens_of(&row).filter(|token| !vocabulary.is_end(*token)));
    allowed
}

fn walk(grammar: &Grammar, vocabulary: &Arc<Vocabulary>, begun: &str, random: &mut Rng) {
    let compiled = CompiledGrammar::compile(grammar, &NetworkLimits::default()).unwrap();
    let mut constraint = Constraint::of_grammar(&compiled, Arc::clone(vocabulary)).unwrap();
    for begun in ["", "", begun, begun, begun] {
        let mut so_far = begun.as_bytes().to_vec();
        let begin = constraint.advance_bytes(constraint.start(), &so_far);
        let mut state = begin.unwrap_or_else(|| panic!("{begun:?} is no beginning of {}", grammar.name()));
        for _ in 0..20 {
            let allowed = check(&mut constraint, vocabulary, state, grammar.name(), &so_far);
            if allowed.is_empty() {
                break;
            }
            let token = allowed[random.below(allowed.len())];
            so_far.extend_from_slice(vocabulary.bytes(token));
            state = constraint.advance(state, token).unwrap();
        }
    }
}

#[test]
fn masks_of_text_are_the_steps() {
    // One vocabulary for all: what one grammar made is used by the next.
    let (vocabulary, mut random) = (vocabulary(), Rng::new(1));
    for most in [0, 1] {
        for (schema, begun) in SCHEMAS {
            let options = JsonSchemaOptions { whitespace: Whitespace::Any { most }, ..JsonSchemaOptions::default() };
            let grammar = Grammar::from_json_schema(schema, &options).unwrap();
            let begun = if most == 0 { begun.replace(": ", ":").replace(", ", ",") } else { begun.to_owned() };
            walk(&grammar, &vocabulary, &begun, &mut random);
        }
    }
    for (source, begun) in GBNF {
        walk(&Grammar::from_gbnf(source).unwrap(), &vocabulary, begun, &mut random);
    }
}
