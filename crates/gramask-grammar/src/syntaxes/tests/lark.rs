//! Lark: the translation against llguidance itself.

use std::collections::BTreeSet;

use gramask_random::Rng;

use super::llguidance::peer;
use super::{parse, shown};
use crate::plain::enumerate::{is_output, outputs};
use crate::{Grammar, GrammarSyntax};

/// So many random grammars are tried.
const RANDOM: usize = 400;

/// Compares all outputs up to a length with those of llguidance; there must be this many at least.
fn compare(source: &str, alphabet: &str, longest: usize, least: usize) {
    let grammar = parse(GrammarSyntax::Lark, source);
    let theirs = peer(source).unwrap_or_else(|error| panic!("{source}\n{error}")).outputs(alphabet.as_bytes(), longest);
    let ours = outputs(grammar.plain(), alphabet.as_bytes(), longest);
    let only: Vec<String> = shown(ours.difference(&theirs).cloned().collect());
    let missing: Vec<String> = shown(theirs.difference(&ours).cloned().collect());
    assert!(ours == theirs, "{source}\nonly ours: {only:?}\nonly llguidance: {missing:?}");
    assert!(ours.len() >= least, "{source}: {} outputs", ours.len());
}

fn refusal(source: &str) -> String {
    let error = Grammar::parse("test", GrammarSyntax::Lark, source).map(|_| ()).unwrap_err();
    error.to_string()
}

#[test]
fn notation_means_what_llguidance_says() {
    for (source, alphabet, longest, least) in [
        ("start: \"a\" | \"b\" start \"c\"?", "abc", 6, 10),
        ("start: \"x\"~2..3 (\"y\" | \"z\"){,2} [\"!\"]", "xyz!", 6, 20),
        ("start: \"x\"{2,} \"y\"~2", "xy", 6, 3),
        ("?start: a -> first\n  | B -> second\n!a: \"a\"+\nB: \"b\"i \"c\"*", "abcB", 5, 15),
        ("start: A \"-\" B\nA: \"a\"..\"c\"\nB: /[x-z]{2}/i | \"\\x41\\u0042\\n\"", "abcxYA-B\n", 5, 15),
        ("start: /x y#z\n/x | /a.b/s", "xyab\n", 3, 3),
        ("start: S\nS: (\"a\" | T)~2..3 [\"!\"]\nT: /b+/", "ab!", 5, 40),
        (
            "%import common.INT\n%import common (LETTER, DIGIT)\n%import common.WORD -> W\nstart: INT | LETTER \":\" DIGIT | \"#\" W",
            "a1:#",
            3,
            6,
        ),
        ("start: %regex { \"substring_words\": \"ab c, d\" } \"!\"", "abcd, !", 7, 20),
        ("start: %regex { \"substring_chunks\": [\"ab\", \"b\", \"a\"] } \"!\"", "ab!", 5, 5),
        ("start: e\ne: e \"+\" t | t\nt: t \"*\" f | f\nf: \"1\" | \"(\" e \")\"", "1+*()", 6, 15),
        // Anchors around the whole are no assertions.
        ("start: /^ab?$/ \"c\"", "abc", 3, 2),
        // A terminal that can be empty.
        ("start: \"(\" A \")\" A\nA: /a*/", "a()", 5, 10),
        ("// Head\nstart[capture=\"x\"]: a b # end\na[capture]: \"a\"\n  | \"b\"\nb: | \"!\"\n", "ab!", 3, 4),
    ] {
        compare(source, alphabet, longest, least);
    }
}

#[test]
fn special_tokens_are_letters_of_their_own() {
    compare("start: \"a\" <|call|> \"b\"* <|end|> | \"c\"", "abc", 24, 4);
    compare("%ignore \" \"\nstart: /[a-z]+/ (<|call|> /[a-z]+/)*", "a ", 14, 20);
    let error = refusal("start: A\nA: <|call|>\n");
    assert!(error.starts_with("test:2:4: the special token `<|call|>` stands in a terminal"), "{error}");
}

#[test]
fn the_lexer_takes_the_longest_text() {
    for (source, alphabet, longest, least) in [
        // A terminal does not end before a character that it could take.
        ("start: A \"b\"? \"a\"?\nA: /a+/", "ab", 5, 8),
        ("start: N A\nN: /[0-9]+/\nA: /[a-z0-9]+/", "1a", 5, 5),
        ("start: (W | N)+\nW: /[a-c]+/\nN: /[c-e]+/", "ace", 5, 50),
        // A keyword and a name are taken together, where both are allowed.
        ("start: \"if\" N | N \"=\" N\nN: /[a-z]+/", "ifx=", 5, 10),
        ("start: (\"if\" \" \" N | N) \";\"\nN: /[a-z]+/", "if ;", 6, 10),
        // The dot of a number and the dot of an ending.
        ("start: F \".\"? \"x\"\nF: /[0-9]+(\\.[0-9]+)?/", "1.x", 6, 8),
        ("start: OP X\nOP: \"<\" | \"<=\" | \"=\"\nX: /=?x/", "<=x", 5, 4),
        ("start: A A\nA: \"a\" | \"aab\"", "ab", 7, 1),
        ("start: \"a\" \"ab\" | \"aa\" \"c\"", "abc", 4, 1),
    ] {
        compare(source, alphabet, longest, least);
    }
    let error = refusal("start: WORD \"s\"\nWORD: /[a-z]+/\n");
    assert!(error.contains("test:1:1: the lexer leaves no output"), "{error}");
}

#[test]
fn lazy_rules_end_where_they_first_match() {
    for (source, alphabet, longest, least) in [
        ("start: t \"a\"\nt[suffix=\"b\"]: /[ab]*/", "ab", 6, 5),
        ("start: t+ \"c\"?\nt[lazy, capture]: /[ab]*b|aa/", "abc", 5, 15),
        ("start: t \"!\" t\nt[suffix=/b+|!c/]: /[a!]*/", "ab!c", 6, 5),
        ("start: \"<\" t \"d\"\nt[suffix=S]: /(.|\\n)*/\nS: \"ab\"", "<abd\n", 6, 10),
        // Beside other terminals that do not begin alike.
        ("start: (t | N)+\nt[suffix=\"b\"]: \"a\"+\nN: /[0-9]+/", "ab1", 5, 15),
        ("%ignore / +/\nstart: \"a\" t \"a\"\nt[suffix=\"bb\"]: /[ab]*/", "ab ", 6, 10),
        ("start: N t\nN: /a+/\nt[suffix=\"!\"]: /[b!]/", "ab!", 6, 5),
    ] {
        compare(source, alphabet, longest, least);
    }
    let error = refusal("start: t | N\nt[suffix=\"b\"]: /a*/\nN: /[a-z]+/\n");
    assert!(
        error.contains("test:1:12: this could begin with `b`, where the lexer stops for a lazy terminal"),
        "{error}"
    );
    let error = refusal("%ignore / +/\nstart: \"a\" t \"a\"\nt[suffix=\"bb\"]: /[ab ]*/\n");
    assert!(error.contains("test:1:9: the lexer takes ` ` here, or reads on for"), "{error}");
    // After another terminal, llguidance overlooks that the first byte is a text.
    let error = refusal("start: N t\nN: /a+/\nt[suffix=\"!\"]: /b*/\n");
    assert!(error.contains("test:3:1: this lazy terminal can be one byte"), "{error}");
}

#[test]
fn ignored_text_stands_where_llguidance_takes_it() {
    for (source, alphabet, longest, least) in [
        ("%ignore \" \"\nstart: \"a\" \"b\"", "ab ", 5, 4),
        ("%ignore \" \"\nstart: \"a\" \"b\"*", "ab ", 5, 15),
        ("%ignore /[ \\t]+/\nstart: \"a\"+", "a \t", 4, 15),
        ("%ignore /[ ]+/\n%ignore /#[^\\n]*\\n/\nstart: N (\"+\" N)*\nN: /[0-9]+/", "1+ #\n", 5, 40),
        ("%ignore /[ ]+/\nstart: v\nv: \"1\" | \"[\" [v (\",\" v)*] \"]\"", "1[], ", 6, 20),
        ("%ignore /[ ]+/\nstart: \"S\" N \"F\" N\nN: /[a-zF]+/", "SFa ", 7, 20),
        ("%ignore /[ ]+/\nstart: \"S\" N (\"W\" N \"=\" N)?\nN: /[a-z]+/", "SWa= ", 7, 20),
        ("%ignore /[ ]+/\nstart: \"a\" | \"b\" \"c\"~1..2 | \"d\" \"e\"? \"f\"?", "abcdef ", 5, 20),
        ("%ignore /[ ]+/\nstart: item+\nitem: \"if\" N | N\nN: /[a-z]+/", "ifx ", 5, 50),
        ("%llguidance {\"allow_initial_skip\": true}\n%ignore /[ ]/\nstart: \"a\" [\"b\"]", "ab ", 5, 15),
        ("%llguidance {\"ignore_once\": true, \"no_forcing\": true}\n%ignore \" \"\nstart: \"a\"+", "a ", 6, 15),
        ("%ignore / +/\n%ignore /\\/\\/[^\\n]*/\nstart: e\ne: e \"/\" N | N\nN: \"1\"", "1/ \n", 6, 15),
        // `else` beside a name wherever a statement may follow.
        ("%ignore / +/\nstart: s*\ns: \"i\" s [\"e\" s] | N \";\" | \"{\" s* \"}\"\nN: /[a-z]+/", "ie{};", 5, 15),
        ("%ignore /[ ]+/\nstart: n \".\"\nn: n \",\" N | N\nN: /[0-9]+(,[0-9]{2})?/", "1,. ", 6, 15),
    ] {
        compare(source, alphabet, longest, least);
    }
}

/// A grammar of three rules over a few terminals that begin alike, perhaps with ignored text.
fn random(rng: &mut Rng) -> String {
    let terminals = ["/a+/", "/ab?/", "/[ab]+/", "\"a\"", "\"b\"", "\"ab\"", "\"aa\"", "/b+a/", "/(ab)+/", "/b*/"];
    let chosen: Vec<&str> = (0..3).map(|_| *rng.pick(&terminals)).collect();
    let item = |rng: &mut Rng| {
        let operator = *rng.pick(&["", "", "", "*", "+", "?", "~0..2"]);
        let atom = match rng.below(8) {
            0 => "r".to_owned(),
            1 => "s".to_owned(),
            2 => "\"b\"".to_owned(),
            3 => "(r | T0)".to_owned(),
            number => format!("T{}", number % 3),
        };
        atom + operator
    };
    let mut source = String::new();
    for rule in ["start", "r", "s"] {
        let alternatives: Vec<String> = (0..1 + rng.below(2))
            .map(|_| (0..1 + rng.below(3)).map(|_| item(rng)).collect::<Vec<_>>().join(" "))
            .collect();
        let lazy = ["s[suffix=\"ab\"]: /[ab]*/\n", "s[lazy]: T0 \"b\"\n", "s[suffix=/b+/]: \"a\"~1..2\n"];
        match rule {
            "s" if rng.below(4) == 0 => source += *rng.pick(&lazy),
            _ => source += &format!("{rule}: {}\n", alternatives.join(" | ")),
        }
    }
    for (number, terminal) in chosen.iter().enumerate() {
        source += &format!("T{number}: {terminal}\n");
    }
    source += *rng.pick(&["", "", "%ignore \" \"\n", "%ignore / +/\n", "%ignore / +|#/\n", "%ignore / b?/\n"]);
    source
}

#[test]
fn random_grammars_are_read_as_llguidance_reads_them() {
    let mut rng = Rng::new(18);
    let (mut compared, mut large) = (0, 0);
    for _ in 0..RANDOM {
        let source = random(&mut rng);
        let Ok(grammar) = Grammar::from_lark(&source) else { continue };
        let Ok(peer) = peer(&source) else { continue };
        let theirs = peer.outputs(b"ab ", 4);
        let ours: BTreeSet<Vec<u8>> = outputs(grammar.plain(), b"ab ", 4);
        let only: Vec<String> = shown(ours.difference(&theirs).cloned().collect());
        let missing: Vec<String> = shown(theirs.difference(&ours).cloned().collect());
        assert!(ours == theirs, "{source}only ours: {only:?}\nonly llguidance: {missing:?}");
        compared += 1;
        large += usize::from(ours.len() > 5);
    }
    assert!(
        compared > RANDOM / 4 && large > RANDOM / 10,
        "{compared} of {RANDOM} grammars are translated, {large} of them with more than 5 outputs"
    );
}

/// A JSON Schema that llguidance, too, takes to be without white space.
fn compact(schema: &str) -> String {
    schema.replacen('{', "{\"x-guidance\": {\"whitespace_flexible\": false}, ", 1)
}

#[test]
fn json_schemas_in_rules_mean_what_llguidance_says() {
    let words = compact(r#"{"type": "array", "items": {"enum": [1, "b", null]}, "maxItems": 2}"#);
    let member =
        compact(r#"{"type": "object", "properties": {"a": {"type": "boolean"}}, "additionalProperties": false}"#);
    let number = compact(r#"{"enum": [1, 11, true]}"#);
    let nested = compact(
        r##"{"$ref": "#/$defs/t", "$defs": {"t": {"type": "array", "items": {"$ref": "#/$defs/t"}, "maxItems": 2}}}"##,
    );
    for (source, alphabet, longest, least) in [
        (format!("start: \"<\" %json {words} \">\""), "<[1,\"bnul]>", 9, 7),
        (format!("start: \"x\"? a | \"y\"\na: %json {member} \"!\"?"), "xy{\"a:truefls}!", 13, 10),
        (format!("start: /[a-c]+/ %json {words} %json {member} | \"c\""), "ac[]1{}", 7, 10),
        (format!("start: %json {number} (\";\" %json {number})*"), "1true;", 6, 8),
        (format!("start: %json {number} \"+\" | %json {words} \"-\""), "1true[]+-", 5, 5),
        (format!("start: <|call|> %json {nested} <|end|> start?"), "[],", 30, 8),
        (format!("start: t %json {nested}\nt[suffix=\"!\"]: /[a!]*/"), "a![],", 8, 10),
    ] {
        compare(&source, alphabet, longest, least);
    }
}

#[test]
fn an_instance_in_a_rule_is_an_instance_of_the_schema() {
    let schema = r##"{"type": "object", "properties": {"next": {"$ref": "#"}, "n": {"type": "integer", "minimum": 8}}, "required": ["n"], "additionalProperties": false}"##;
    let alone = Grammar::from_json_schema(schema, &Default::default()).unwrap();
    let source = format!("start: \"(\" %json {schema} \")\" | %json {schema}\n");
    let inside = parse(GrammarSyntax::Lark, &source);
    assert_eq!(inside.facts().shortest, br#"{"n":8}"#);
    for (text, valid) in [
        (r#"{"n":8}"#, true),
        (r#"{"next":{"next":{"n":9},"n":10},"n":12}"#, true),
        (r#"{"n":7}"#, false),
        (r#"{"n":8,"next":{"n":8}}"#, false),
        (r#"{"next":{},"n":8}"#, false),
        (r#"{ "n":8}"#, false),
        ("", false),
    ] {
        assert_eq!(is_output(alone.plain(), text.as_bytes()), valid, "{text}");
        for (around, whole) in [(format!("({text})"), valid), (text.to_owned(), valid), (format!("({text}"), false)] {
            assert_eq!(is_output(inside.plain(), around.as_bytes()), whole, "{around}");
        }
    }
    // The same names of parts in two schemas are two rules.
    let two = r##"start: %json {"$ref": "#/$defs/a", "$defs": {"a": {"enum": ["x"]}}} ":" %json {"$ref": "#/$defs/a", "$defs": {"a": {"enum": ["y"]}}}"##;
    assert_eq!(shown(outputs(parse(GrammarSyntax::Lark, two).plain(), b"\"xy:", 7)), ["\"x\":\"y\""]);
}

#[test]
fn the_example_of_the_documentation_is_a_grammar() {
    let page = include_str!("../../../../../docs/grammars.md");
    let example = page.split("### JSON Schemas in rules").nth(1).and_then(|rest| rest.split("```").nth(1)).unwrap();
    let grammar = parse(GrammarSyntax::Lark, example.strip_prefix("text").unwrap());
    assert_eq!(grammar.warnings(), []);
    assert_eq!(grammar.facts().special, ["<|tool_call|>"]);
    assert!(is_output(grammar.plain(), b"Give 2 mg.") && !is_output(grammar.plain(), b"{\"mg\":2}"));
}

#[test]
fn json_schemas_that_have_no_equal_in_a_rule_are_refused() {
    for (source, expected) in [
        (
            r#"start: "a" b
b: "x" %json {"type": "string", "pattern": "(?=a)"}"#,
            "test:2:8: the JSON Schema can't be enforced at `/pattern`",
        ),
        (r#"start: %json {"type": "objekt"}"#, "test:1:8: the JSON Schema is not valid at `/type`"),
        (r#"start: %json {"a": 1, "a": 2}"#, "test:1:8: the JSON Schema is not JSON"),
        (
            r#"start: %json {"type": "null", "x-guidance": {"whitespace_flexible": true}}"#,
            "test:1:8: the options at `/x-guidance` are not supported",
        ),
        ("%ignore \" \"\nstart: \"a\" %json {}", "test:2:12: `%json` in a grammar with `%ignore`"),
        (r#"start: /[a-z]+/ %json {"type": "null"}"#, "test:1:17: the text before this instance would go on with `n`"),
        (
            r#"start: %json {"type": "integer"} /[0-9]/"#,
            "test:1:8: the number at the end of an instance would go on with `0`",
        ),
        (
            r#"start: %json {"type": "integer"} "." | %json {"type": "number"} "!""#,
            "test:1:8: the number at the end of an instance would go on with `.`",
        ),
        (
            r#"start: NAME | %json {"type": "boolean"}
NAME: /[a-z]+/"#,
            "test:1:15: `NAME` is allowed here too, and begins as an instance can",
        ),
    ] {
        let error = refusal(source);
        assert!(error.contains(expected), "{source}: {error}");
    }
    let odd = parse(GrammarSyntax::Lark, "start: %json {\"enum\": [1], \"colour\": 2}\n");
    let warnings: Vec<String> = odd.warnings().iter().map(ToString::to_string).collect();
    assert!(warnings.len() == 1 && warnings[0].starts_with("test:1:8: at `/colour`"), "{warnings:?}");
}

#[test]
fn what_the_lexer_decides_by_context_is_refused() {
    // `else` begins a name only where a statement may follow.
    let error = refusal(
        "start: stmt\nstmt: \"if\" \"1\" stmt [\"else\" stmt] | NAME \";\" | \"{\" stmt* \"}\"\nNAME: /[a-z]+/\n%ignore \" \"\n",
    );
    assert!(error.contains("test:2:22: the lexer takes `else` here, or reads on for `NAME`"), "{error}");
    let error = refusal("start: \"a\" NL \"b\"\nNL: /\\n/\n%ignore /[ \\n]+/\n");
    assert!(error.contains("test:1:12: `\\n` would always be ignored here"), "{error}");
    let error = refusal("start: A \"b\"\nA: /a*/\n%ignore \" \"\n");
    assert!(error.contains("test:1:8: this terminal can be empty at the beginning"), "{error}");
}

#[test]
fn what_has_no_equal_is_refused_with_its_place() {
    for (source, expected) in [
        ("start: A\nA.2: \"a\"", "test:2:2: priorities are not supported"),
        ("start.1: \"a\"", "test:1:6: priorities are not supported"),
        ("start: \"a\"\n%declare X", "test:2:1: `%declare` is not supported"),
        ("%override start: \"a\"", "`%override` is not supported"),
        ("%import python.NAME\nstart: NAME", "test:1:9: only terminals of Lark's `common`"),
        ("%import common.NUMER\nstart: NUMER", "did you mean `NUMBER`?"),
        ("start: @other", "test:1:8: a reference to another grammar"),
        ("start: %lark { start: \"a\" }", "test:1:8: a grammar inside a grammar"),
        ("start: a::0x0\na::_: \"x\"", "parameters of rules"),
        ("start: sep{\"a\", \",\"}", "test:1:11: templates"),
        ("start: A & B\nA: /a/\nB: /b/", "test:1:10: the intersection"),
        ("start: A\nA: ~/a/", "test:2:4: the complement"),
        ("start[max_tokens=5]: /.*/", "test:1:7: the attribute `max_tokens` is not supported"),
        ("start[stop=\"x\"]: /.*/", "the attribute `stop` is not supported"),
        ("start[lazy]: /.*/", "this rule is lazy and can be empty"),
        ("start[temperature=0.5]: /.*/", "the attribute `temperature` is not supported"),
        ("start[wrong]: /.*/", "unknown attribute `wrong`"),
        ("start: <[5-7]>", "test:1:8: a token by its number"),
        ("start: A\nA: %json {\"type\": \"object\"}", "test:2:4: `%json` stands in a terminal"),
        ("start: %json {\"type\" \"object\"}", "the value of `%json` is not JSON"),
        ("%llguidance {\"allow_invalid_utf8\": true}\nstart: \"a\"", "`allow_invalid_utf8` is not supported"),
        ("%llguidance {\"fast\": true}\nstart: \"a\"", "no option `fast`"),
        ("start: /a/l", "the flag `l`"),
        ("start: /a\\b/", "this regex has an assertion"),
        ("start: /a(?P<stop>b)/", "a look-ahead"),
    ] {
        let error = refusal(source);
        assert!(error.contains(expected), "{source}: {error}");
    }
}

#[test]
fn mistakes_are_named_with_their_places() {
    for (source, expected) in [
        ("start: itme\nitem: \"a\"", "test:1:8: there is no rule `itme`"),
        ("start: NMAE\nNAME: /a/", "did you mean `NAME`?"),
        ("begin: \"a\"", "test:1:1: there is no rule `start`"),
        ("start: \"a\nb: \"c\"", "test:1:8: this string has no closing quote"),
        ("start: 'a'", "strings are not written in single quotes"),
        ("start: /abc", "test:1:8: this regex has no closing slash"),
        ("start: (\"a\"\n", "test:1:8: this `(` is not closed on its line"),
        ("start: \"a\")", "test:1:11: this `)` was never opened"),
        ("start: \"\\q\"", "test:1:9: `\\q` is not an escape"),
        ("start: \"a\"~5..2", "ends before it begins"),
        ("start: \"a\"~2000", "a repeat of 2000 is over the limit"),
        ("start: \"b\"..\"a\"", "this range ends before it begins"),
        ("start: \"ab\"..\"c\"", "a range has one character on each side"),
        ("start: * \"a\"", "test:1:8: `*` has nothing to repeat"),
        ("start: \"a\" ?b\nb: \"c\"", "this sign stands directly before a name"),
        ("start: fooBar", "a name in capitals and in small letters"),
        ("start: A\nA: B\nB: A \"x\"", "holds itself"),
        ("start: A\nA: rule\nrule: \"x\"", "a terminal can't use rules"),
        ("start: \"a\"\nstart: \"b\"", "test:2:1: the rule `start` is defined twice"),
        ("start: A\nA: \"a\"\nA: \"b\"", "test:3:1: the terminal `A` is defined twice"),
        ("start: \"a\" start", "the grammar accepts no text"),
        ("start: /[/", "this is not a regex"),
        ("start \"a\"", "expected `:`, found a string"),
        ("%ingore \" \"\nstart: \"a\"", "unknown directive `%ingore`"),
        ("", "there is no rule `start`"),
    ] {
        let error = refusal(source);
        assert!(error.contains(expected), "{source}: {error}");
    }
    let odd = parse(GrammarSyntax::Lark, "start: \"a\" | lost\nlost: \"(\" lost\nalone: \"b\"\n");
    let warnings: Vec<String> = odd.warnings().iter().map(|warning| warning.message.clone()).collect();
    assert_eq!(warnings, ["the rule `lost` can't be finished", "the rule `alone` is never used"]);
}

/// A grammar of the corpus, texts that it accepts, and edits of them that it may not.
fn example(name: &str, texts: &[&str]) {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata/grammars/lark");
    let path = format!("{folder}/{name}.lark");
    let grammar = Grammar::read(&path).unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!(grammar.warnings(), []);
    let peer = peer(&std::fs::read_to_string(path).unwrap()).unwrap();
    let mut refused = 0;
    for text in texts {
        assert!(is_output(grammar.plain(), text.as_bytes()), "{name}: {text}");
        assert!(peer.takes(text.as_bytes()), "{name}: {text}");
        // One character less, one twice, and two in the other order.
        let characters: Vec<char> = text.chars().collect();
        for at in 0..characters.len() {
            let mut edits = vec![characters.clone(), characters.clone(), characters.clone()];
            edits[0].remove(at);
            edits[1].insert(at, characters[at]);
            edits[2].swap(at, (at + 1) % characters.len());
            for edit in edits {
                let edit: String = edit.into_iter().collect();
                let takes = peer.takes(edit.as_bytes());
                assert_eq!(is_output(grammar.plain(), edit.as_bytes()), takes, "{name}: {edit}");
                refused += usize::from(!takes);
            }
        }
    }
    assert!(refused > 10, "{name}");
}

#[test]
fn the_corpus_is_read_as_llguidance_reads_it() {
    example("arithmetic", &["1 + 2*(3 - x1)", "-(a/b) * 2.5e3 "]);
    example("json", &["{\"a\": [1, -0.5e7, true], \"b\\n\": null}", "[ ]"]);
    example("sql", &["SELECT a, b FROM t WHERE a = 'x' AND b < 3;", "SELECT * FROM users;"]);
    example("call", &["get(city=\"Ulm\", days=3)", "now()"]);
    example("lists", &["- milk\n- eggs\n  - large\n"]);
    example("c", &["int f(int a) { return a + g(1, a); }", "int x; x = 1; while (x < 10) { x = x * 2; }"]);
}
