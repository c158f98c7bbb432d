//! What each parser takes and refuses.

use serde_json::{Value, json};

use super::{Syntax, check, parse};
use crate::Format;
use crate::docs::Example;

fn good(syntax: Syntax, output: &str, value: Value) {
    assert_eq!(parse(syntax, output), Ok(value), "{output}");
}

fn bad(syntax: Syntax, outputs: &[&str]) {
    for output in outputs {
        let parsed = parse(syntax, output);
        assert!(parsed.is_err(), "{output:?} is {parsed:?}");
    }
}

/// Every built-in format that names a syntax is read as its writer writes it.
#[test]
fn what_is_written_is_read() {
    let mut read = 0;
    for name in Format::builtin() {
        let format = Format::named(name).unwrap();
        for (_, output) in [Example::plain(), Example::hard()].iter().flat_map(|it| it.write(&format).unwrap().outputs)
        {
            match check(&format, &output) {
                Some(checked) => checked.unwrap_or_else(|error| panic!("{name}: {output}: {error}")),
                None => continue,
            }
            read += 1;
        }
    }
    assert!(read >= 2 * 14, "{read}");
}

/// A format of one's own is checked by its `%syntax`, and the error says what is wrong.
#[test]
fn the_directive_decides() {
    let format = |directive: &str| {
        Format::parse("mine", format!("{directive}start: \"<\" entity \">\"\nentity: @text \"=\" @label\n")).unwrap()
    };
    assert_eq!(check(&format(""), "<a=X>"), None);
    assert!(check(&format("%syntax markdown\n"), "a=X").is_some_and(|checked| checked.is_ok()));
    let error = check(&format("%syntax json\n"), "<a=X>").unwrap().unwrap_err();
    assert_eq!(error.to_string(), "this is not JSON: expected value at line 1 column 1");
}

#[test]
fn json() {
    good(Syntax::Json, " [1,{\"a\":\"\\u00e9\"}] ", json!([1, {"a": "é"}]));
    bad(Syntax::Json, &["", "[", "[],", "[\"\\x\"]", "[\"\n\"]"]);
    good(Syntax::Jsonl, "", json!([]));
    good(Syntax::Jsonl, "{\"a\":1}\n2", json!([{"a": 1}, 2]));
    bad(Syntax::Jsonl, &["{}\n", "{}\n\n{}", "{} {}"]);
    let error = parse(Syntax::Jsonl, "{}\n{").unwrap_err();
    assert_eq!(error.to_string(), "this is not JSON Lines: line 2: EOF while parsing an object at line 1 column 1");
}

#[test]
fn csv() {
    good(Syntax::Csv, "a,\"b,c\"\nd,e\n", json!([["a", "b,c"], ["d", "e"]]));
    good(Syntax::Csv, "\"\"\"a\"\"\",b\r\n,\"\"\nc,\"\n\"", json!([["\"a\"", "b"], ["", ""], ["c", "\n"]]));
    bad(Syntax::Csv, &["a,b\nc\n", "a,\"b", "a,b\"", "a,\"b\"c", "\"a\"\",b"]);
}

/// Each was given to Python's `compile`.
#[test]
fn python() {
    good(Syntax::Python, "[]", json!([]));
    good(Syntax::Python, r#"[("Nal", "X"), ("a\"b\\", "Y")]"#, json!([["Nal", "X"], ["a\"b\\", "Y"]]));
    good(Syntax::Python, "[('x', 1, -20), [()], (1,),]", json!([["x", 1, -20], [[]], [1]]));
    good(Syntax::Python, r#"["\u00e9\n"]"#, json!(["é\n"]));
    good(Syntax::Python, "\"α\u{1F9EC}\"", json!("α🧬"));
    good(Syntax::Python, "{'a': None, 'b': 1.5}", json!({"a": null, "b": 1.5}));
    good(Syntax::Python, "[\n]\n", json!([]));
    good(
        Syntax::Python,
        "result = [A(b=\"c\"), _D(e=True,)]",
        json!({"result": [{"A": {"b": "c"}}, {"_D": {"e": true}}]}),
    );
    bad(Syntax::Python, &["", "[", "[(\"a\", \"b\")", "[\"a\nb\"]", "[\"a\" \"b\" 1]", "[] []", "[]\n[]", "[,]"]);
    bad(Syntax::Python, &["[\"\\u00g0\"]", "[\"\\U00110000\"]", "[007]", "[\"a]", "[name", "[name]", "[],[]", "[],"]);
    bad(Syntax::Python, &["result = ", "result == []", "class = []", "x = [in(a=1)]", "x = [A(a=1, a=2)]", "x =\n[]"]);
    bad(
        Syntax::Python,
        &["x = [A(1a=2)]", "x = [A(a=1]", "x = [A(1)]", "x = [a.b(c=1)]", "1 = 2", "-", "-'a'", "1 + 2"],
    );
    bad(Syntax::Python, &[&"[".repeat(5000), &["[".repeat(500), "]".repeat(500)].concat()]);
}

/// Each was given to PyYAML.
#[test]
fn yaml() {
    good(Syntax::Yaml, "[]", json!([]));
    let row = json!([{"text": "a", "label": "X"}]);
    good(Syntax::Yaml, "- text: \"a\"\n  label: \"X\"", row.clone());
    good(Syntax::Yaml, "[{text: a, \"label\": 'X'}]\n", row);
    good(
        Syntax::Yaml,
        "- text: \"a: b \\\" \\\\ \\u2028\"\n- label: \"\"",
        json!([{"text": "a: b \" \\ \u{2028}"}, {"label": ""}]),
    );
    bad(Syntax::Yaml, &["", "[", "- text: \"a", "- text: \"a\" b", "- text: \"a\"\n - label: \"X\""]);
    bad(
        Syntax::Yaml,
        &["- text: \"a\"\n  label \"X\"", "- text: \"\\q\"", "- text: \"\\u12\"", "- text: \"a\"\nlabel: \"X\""],
    );
    bad(Syntax::Yaml, &["a: 1\na: 2", "--- a\n--- b", &"[".repeat(5000)]);
}

/// Each was given to cmark-gfm.
#[test]
fn markdown() {
    const HEAD: &str = "| text | label |\n| --- | --- |";
    let table = |rows: &[[&str; 2]]| {
        let row = |cells: &[&str; 2]| json!({"row": cells.map(|cell| json!({"cell": [cell]}))});
        let rows: Vec<Value> = [["text", "label"]].iter().chain(rows).map(row).collect();
        json!([{ "table": rows }])
    };
    good(Syntax::Markdown, HEAD, table(&[]));
    good(Syntax::Markdown, &format!("{HEAD}\n| a | X |\n"), table(&[["a", "X"]]));
    good(Syntax::Markdown, &format!("{HEAD}\n| a\\|b \\\\ c\\*\\_ | G\\_p |"), table(&[["a|b \\ c*_", "G_p"]]));
    good(Syntax::Markdown, &format!("{HEAD}\n| &#10;\\& | Y |"), table(&[["\n&", "Y"]]));
    let emphasis = json!([{"markup": ["a ", {"markup": ["b"]}]}]);
    good(Syntax::Markdown, "a *b*", emphasis);
    for row in ["| a | b | X |", "| a", "| <b>a</b> | X |", "| a | X | |x"] {
        bad(Syntax::Markdown, &[&format!("{HEAD}\n{row}")]);
    }
    bad(Syntax::Markdown, &["<p>a</p>", "a <br> b"]);
    // No table, so no cells.
    assert_ne!(parse(Syntax::Markdown, "| a | b |\n| --- |").unwrap()[0]["markup"], Value::Null);
}

#[test]
fn xml() {
    good(Syntax::Xml, "", json!([]));
    good(Syntax::Xml, "a <D>b <G>c</G></D> d", json!(["a ", {"D": ["b ", {"G": ["c"]}]}, " d"]));
    good(Syntax::Xml, "p &lt; 0.05 &amp; q &#955;&#x3BB;", json!(["p < 0.05 & q λλ"]));
    good(Syntax::Xml, "a > b<Empty/>", json!(["a > b", {"Empty": []}]));
    bad(Syntax::Xml, &["<D>a", "a</D>", "<A><B>c</A></B>", "p < 0.05", "a & b", "a &nbsp; b", "<1a>b</1a>", "a ]]> b"]);
    bad(Syntax::Xml, &["</gramask-root><gramask-root>", "</gramask-root>", "bell \u{7}", "&#0;", "<a b=1/>"]);
}
