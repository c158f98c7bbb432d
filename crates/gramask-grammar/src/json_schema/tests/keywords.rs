//! Keywords by hand: what is accepted, what is not, and what is refused where.

use super::super::{JsonSchema, JsonSchemaErrorKind, JsonSchemaOptions, Unknown, Whitespace};
use super::{accepts, recogniser, refused};

#[track_caller]
fn check(schema: &str, yes: &[&str], no: &[&str]) {
    for (texts, expected) in [(yes, true), (no, false)] {
        texts.iter().for_each(|text| assert_eq!(accepts(schema, text), expected, "{schema} {text}"));
    }
}

#[test]
fn any_value_is_any_json() {
    let yes = ["null", "true", "-1.5e-7", "\"a\\n\"", "[]", "[1,[]]", "{}", "{\"a\":{\"b\":[null]}}"];
    check("true", &yes, &["", "nul", "[1,]", "{\"a\"}", "01", "[ 1]", "\"\n\"", "{\"a\":1,}"]);
    check("{}", &yes, &[]);
}

#[test]
fn properties_come_in_order_and_once() {
    let schema = r#"{"type":"object","properties":{"a":{"type":"integer"},"b":{"type":"boolean"},"c":{"type":"null"}},
        "required":["b"],"additionalProperties":false}"#;
    check(
        schema,
        &[r#"{"b":true}"#, r#"{"a":1,"b":true}"#, r#"{"a":1,"b":false,"c":null}"#, r#"{"b":true,"c":null}"#],
        &[
            "{}",
            r#"{"a":1}"#,
            r#"{"b":true,"a":1}"#,
            r#"{"a":1,"a":2,"b":true}"#,
            r#"{"b":true,"d":1}"#,
            r#"{"b":true,}"#,
        ],
    );
    let all_optional = r#"{"type":"object","properties":{"a":{"type":"integer"},"b":{"type":"integer"},
        "c":{"type":"integer"}},"additionalProperties":false}"#;
    for set in 0..8 {
        let names = ["a", "b", "c"].iter().enumerate().filter(|(bit, _)| set >> bit & 1 == 1);
        let members: Vec<String> = names.map(|(_, name)| format!("\"{name}\":1")).collect();
        check(all_optional, &[&format!("{{{}}}", members.join(","))], &[&format!("{{,{}}}", members.join(","))]);
    }
}

#[test]
fn other_members_never_have_a_known_name() {
    let schema =
        r#"{"type":"object","properties":{"a":{"type":"integer"},"ab\n":{}},"additionalProperties":{"type":"string"}}"#;
    check(
        schema,
        &["{}", r#"{"a":1,"x":"y"}"#, r#"{"x":"y"}"#, r#"{"ab\n":1,"ab":"y","":"z","aa":"1"}"#],
        &[r#"{"x":"y","a":1}"#, r#"{"a":"y"}"#, r#"{"x":1}"#, r#"{"\u0061":"y"}"#, r#"{"x":"y","ab\n":"y"}"#],
    );
    let patterns = r#"{"patternProperties":{"^x":{"type":"integer"},"y$":{"minimum":5}},"additionalProperties":false,
        "type":"object","properties":{"xa":{"maximum":3}}}"#;
    check(
        patterns,
        &["{}", r#"{"xa":3,"xb":1,"xy":7,"y":"text"}"#],
        &[r#"{"xa":4}"#, r#"{"xy":4}"#, r#"{"xa":"s"}"#, r#"{"z":1}"#, r#"{"xb":1.5}"#],
    );
}

#[test]
fn numbers_of_members_are_counted() {
    let closed = r#"{"type":"object","properties":{"a":{},"b":{},"c":{}},"additionalProperties":false,
        "minProperties":2,"maxProperties":2}"#;
    check(closed, &[r#"{"a":1,"c":1}"#, r#"{"b":1,"c":1}"#], &["{}", r#"{"a":1}"#, r#"{"a":1,"b":1,"c":1}"#]);
    check(r#"{"type":"object","maxProperties":1}"#, &["{}", r#"{"a":1}"#], &[r#"{"a":1,"b":1}"#]);
    check(r#"{"type":"object","minProperties":1}"#, &[r#"{"a":1}"#, r#"{"a":1,"b":1}"#], &["{}"]);
    let named = r#"{"type":"object","propertyNames":{"enum":["p","q","r"]},"minProperties":2}"#;
    check(named, &[r#"{"p":1,"q":1}"#, r#"{"p":1,"r":1}"#], &[r#"{"p":1}"#, r#"{"p":1,"p":1}"#, r#"{"p":1,"s":1}"#]);
    let error = refused(r#"{"type":"object","minProperties":2}"#);
    assert_eq!((error.pointer.as_str(), error.kind), ("/minProperties", JsonSchemaErrorKind::Unsupported));
    let one_required = r#"{"type":"object","properties":{"a":{}},"required":["a"],"minProperties":2}"#;
    check(one_required, &[r#"{"a":1,"b":1}"#], &[r#"{"a":1}"#, r#"{"b":1,"c":1}"#]);
}

#[test]
fn arrays_are_counted_and_tupled() {
    check(
        r#"{"type":"array","items":{"type":"integer"},"minItems":1,"maxItems":3}"#,
        &["[1]", "[1,2,3]"],
        &["[]", "[1,2,3,4]", "[true]", "[1,]"],
    );
    let tuple = r#"{"type":"array","prefixItems":[{"type":"integer"},{"type":"null"}],"items":{"type":"boolean"},"minItems":1}"#;
    check(tuple, &["[1]", "[1,null]", "[1,null,true,false]"], &["[]", "[null]", "[1,true]", "[1,null,1]"]);
    check(r#"{"type":"array","prefixItems":[{"type":"integer"}],"items":false}"#, &["[]", "[1]"], &["[1,1]", "[true]"]);
    let contains = r#"{"type":"array","items":{"type":"integer"},"contains":{"minimum":5},"maxContains":2}"#;
    check(contains, &["[5]", "[1,5,2,6]"], &["[]", "[1]", "[5,6,7]", "[5,true]"]);
    let unique = r#"{"type":"array","items":{"enum":["a","b",1]},"uniqueItems":true,"minItems":1}"#;
    check(unique, &[r#"["a"]"#, r#"[1,"b","a"]"#], &["[]", r#"["a","a"]"#, r#"[1,"a",1]"#]);
    let error = refused(r#"{"type":"array","items":{"type":"integer"},"uniqueItems":true}"#);
    assert_eq!((error.pointer.as_str(), error.kind), ("/uniqueItems", JsonSchemaErrorKind::Unsupported));
}

#[test]
fn combinations_are_exact() {
    check(r#"{"anyOf":[{"type":"integer","minimum":5},{"type":"string"}]}"#, &["5", "\"a\""], &["4", "5.5", "null"]);
    check(r#"{"allOf":[{"minimum":2},{"maximum":4},{"type":"integer"}]}"#, &["2", "4"], &["1", "5", "2.5"]);
    check(r#"{"oneOf":[{"type":"integer"},{"type":"number","minimum":2}]}"#, &["1", "2.5"], &["3", "1.5"]);
    check(r#"{"type":"string","not":{"enum":["a","b"]}}"#, &["\"\"", "\"ab\"", "\"c\""], &["\"a\"", "\"b\"", "1"]);
    let exclusive = r#"{"type":"object","properties":{"a":{},"b":{}},"additionalProperties":false,
        "oneOf":[{"required":["a"]},{"required":["b"]}]}"#;
    check(exclusive, &[r#"{"a":1}"#, r#"{"b":1}"#], &["{}", r#"{"a":1,"b":1}"#]);
    let tagged = r#"{"oneOf":[{"type":"object","properties":{"t":{"const":"x"},"v":{"type":"integer"}},"required":["t"]},
        {"type":"object","properties":{"t":{"const":"y"},"v":{"type":"string"}},"required":["t"]}]}"#;
    check(tagged, &[r#"{"t":"x","v":1}"#, r#"{"t":"y","v":"s"}"#], &[r#"{"t":"x","v":"s"}"#, r#"{"v":1}"#]);
    let condition = r#"{"type":"object","properties":{"k":{"enum":["n","s"]},"v":{}},"required":["k","v"],
        "if":{"properties":{"k":{"const":"n"}}},"then":{"properties":{"v":{"type":"integer"}}},
        "else":{"properties":{"v":{"type":"string"}}},"additionalProperties":false}"#;
    check(condition, &[r#"{"k":"n","v":1}"#, r#"{"k":"s","v":"a"}"#], &[r#"{"k":"n","v":"a"}"#, r#"{"k":"s","v":1}"#]);
    let dependent = r#"{"type":"object","properties":{"a":{},"b":{}},"dependentRequired":{"a":["b"]},"additionalProperties":false}"#;
    check(dependent, &["{}", r#"{"b":1}"#, r#"{"a":1,"b":1}"#], &[r#"{"a":1}"#]);
}

#[test]
fn references_may_recurse() {
    let list = r##"{"$ref":"#/$defs/list","$defs":{"list":{"type":"object","properties":{"head":{"type":"integer"},
        "tail":{"anyOf":[{"$ref":"#/$defs/list"},{"type":"null"}]}},"required":["head","tail"],"additionalProperties":false}}}"##;
    check(list, &[r#"{"head":1,"tail":{"head":2,"tail":null}}"#], &[r#"{"head":1,"tail":{}}"#, "null"]);
    let error = refused(r##"{"type":"object","properties":{"n":{"$ref":"#"}},"required":["n"]}"##);
    assert_eq!(error.kind, JsonSchemaErrorKind::NoInstance);
    let error = refused(r##"{"anyOf":[{"$ref":"#"},{"type":"null"}]}"##);
    assert_eq!((error.pointer.as_str(), error.kind), ("", JsonSchemaErrorKind::Invalid));
    let error = refused(r##"{"properties":{"a/b":{"$ref":"#/$defs/no"}}}"##);
    assert_eq!((error.pointer.as_str(), error.kind), ("/properties/a~1b/$ref", JsonSchemaErrorKind::Invalid));
    let anchors = r##"{"$ref":"item#x","$defs":{"i":{"$id":"http://h/item","$anchor":"x","type":"null"}},"$id":"http://h/root"}"##;
    check(anchors, &["null"], &["1"]);
}

#[test]
fn contradictions_are_told() {
    for schema in [
        "false",
        r#"{"type":"integer","minimum":3,"maximum":2}"#,
        r#"{"enum":[]}"#,
        r#"{"type":"string","pattern":"^a$","minLength":2}"#,
    ] {
        assert_eq!(refused(schema).kind, JsonSchemaErrorKind::NoInstance, "{schema}");
    }
    let optional = r#"{"type":"object","properties":{"a":{"type":"string","enum":[1]}},"additionalProperties":false}"#;
    check(optional, &["{}"], &[r#"{"a":1}"#]);
}

#[test]
fn what_is_not_understood_is_an_error_at_its_place() {
    for (schema, pointer, kind) in [
        (r#"{"type":"strin"}"#, "/type", JsonSchemaErrorKind::Invalid),
        (r#"{"properties":{"a":{"minimum":"1"}}}"#, "/properties/a/minimum", JsonSchemaErrorKind::Invalid),
        (r#"{"items":{"pattern":"(?=a)"}}"#, "/items/pattern", JsonSchemaErrorKind::Unsupported),
        (r#"{"$ref":"http://elsewhere/x"}"#, "/$ref", JsonSchemaErrorKind::Unsupported),
        (r#"{"format":"regex"}"#, "/format", JsonSchemaErrorKind::Unsupported),
        (r#"{"$schema":"http://x"}"#, "/$schema", JsonSchemaErrorKind::Unsupported),
        (r#"{"minLength":-1}"#, "/minLength", JsonSchemaErrorKind::Invalid),
        (r#"{"anyOf":[]}"#, "/anyOf", JsonSchemaErrorKind::Invalid),
        (r#"{"required":true}"#, "/required", JsonSchemaErrorKind::Invalid),
        (r#"[]"#, "", JsonSchemaErrorKind::Invalid),
        (r#"{"type":"integer","multipleOf":123456789}"#, "/multipleOf", JsonSchemaErrorKind::Unsupported),
    ] {
        let error = refused(schema);
        assert_eq!((error.pointer.as_str(), error.kind), (pointer, kind), "{schema}: {error}");
    }
    assert_eq!(JsonSchema::parse("{").unwrap_err().kind, JsonSchemaErrorKind::Json);
    let schema = JsonSchema::parse(r#"{"additonalProperties":false,"x-y":1,"title":"t"}"#).unwrap();
    let warnings = schema.grammar(&JsonSchemaOptions::default()).unwrap().warnings;
    assert_eq!(warnings.iter().map(|warning| warning.pointer.as_str()).collect::<Vec<_>>(), ["/additonalProperties"]);
    let strict = JsonSchemaOptions { unknown: Unknown::Refuse, ..JsonSchemaOptions::default() };
    assert_eq!(schema.grammar(&strict).unwrap_err().pointer, "/additonalProperties");
}

#[test]
fn white_space_is_bounded() {
    let options = JsonSchemaOptions { whitespace: Whitespace::Any { most: 3 }, ..JsonSchemaOptions::default() };
    let schema = JsonSchema::parse(r#"{"properties":{"a":{}}}"#).unwrap();
    let grammar = schema.grammar(&options).unwrap().grammar;
    let accepts = |text: &str| recogniser::accepts(&grammar, text.as_bytes());
    assert!(accepts("{\n  \"a\" : [ 1 ,\t2 ] }") && accepts("{\"a\":1}") && accepts("[ ]"));
    assert!(!accepts("{    \"a\":1}") && !accepts("{\"a\":1 2}"));
}

#[test]
fn large_schemas_end_in_an_error() {
    let chain = |link: &dyn Fn(usize) -> String| {
        let definitions: Vec<String> = (0..5000).map(|at| format!("\"d{at}\":{}", link(at))).collect();
        format!("{{\"$ref\":\"#/$defs/d0\",\"$defs\":{{{},\"d5000\":true}}}}", definitions.join(","))
    };
    let in_place = chain(&|at| format!("{{\"$ref\":\"#/$defs/d{}\"}}", at + 1));
    let required = chain(&|at| {
        format!(
            "{{\"type\":\"object\",\"properties\":{{\"a\":{{\"$ref\":\"#/$defs/d{}\"}}}},\"required\":[\"a\"]}}",
            at + 1
        )
    });
    let items = format!("{{\"type\":\"array\",\"prefixItems\":[{}{{}}]}}", "{\"type\":\"null\"},".repeat(5000));
    let names: Vec<String> = (0..200).map(|at| format!("\"n{at}\":{{}}")).collect();
    let counted = format!("{{\"type\":\"object\",\"properties\":{{{}}},\"maxProperties\":100}}", names.join(","));
    let pattern = r#"{"type":"string","pattern":"^(?:\\S+\\s+){0,49}\\S+$","maxLength":500}"#.to_owned();
    for schema in [in_place, required, items, counted, pattern] {
        assert_eq!(refused(&schema).kind, JsonSchemaErrorKind::TooLarge, "{}", &schema[..60]);
    }
    assert_eq!(JsonSchema::parse(&"[".repeat(100_000)).unwrap_err().kind, JsonSchemaErrorKind::Json);
}
