//! Bad format files and the messages that they get.
//!
//! The cases are in `testdata/format-errors/*.txt`: `=== name`, then `--- source` with the file's text, then `--- error` with the whole
//! message. With `GRAMASK_BLESS=1` the messages are written anew; look at the difference before you believe it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use gramask_grammar::notation::Problem;
use gramask_grammar::{Format, FormatErrors};
use proptest::prelude::*;

struct Case {
    name: String,
    source: String,
    error: String,
}

fn files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/format-errors");
    let mut files: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn cases(text: &str) -> Vec<Case> {
    let parts = text.split("=== ").skip(1).map(|part| {
        let (name, rest) = part.split_once("\n--- source\n").expect("--- source");
        let (source, error) = rest.split_once("--- error\n").expect("--- error");
        Case { name: name.to_owned(), source: source.to_owned(), error: error.trim_end().to_owned() }
    });
    parts.collect()
}

fn errors(case: &Case) -> FormatErrors {
    match Format::parse("bad.gram", case.source.as_str()) {
        Ok(format) => panic!("case `{}` was accepted: {:?}", case.name, format.grammar),
        Err(errors) => errors,
    }
}

/// The name of the variant.
fn kind(problem: &Problem) -> String {
    format!("{problem:?}").split([' ', '{', '(']).next().unwrap_or_default().to_owned()
}

#[test]
fn messages_are_as_written() {
    let bless = std::env::var_os("GRAMASK_BLESS").is_some();
    let mut wrong = Vec::new();
    for file in files() {
        let mut cases = cases(&fs::read_to_string(&file).unwrap());
        for case in &mut cases {
            let found = errors(case).to_string();
            if found != case.error {
                wrong.push(format!("case `{}`\n- expected:\n{}\n- found:\n{found}\n", case.name, case.error));
                case.error = found;
            }
        }
        if bless {
            let text = cases
                .iter()
                .map(|case| format!("=== {}\n--- source\n{}--- error\n{}\n\n", case.name, case.source, case.error));
            fs::write(&file, text.collect::<String>().trim_end().to_owned() + "\n").unwrap();
        }
    }
    assert!(bless || wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Each case is named for the kind of error it shows, so that each kind has one.
#[test]
fn every_kind_of_problem_has_a_case() {
    let mut shown: BTreeSet<String> = BTreeSet::new();
    for file in files() {
        for case in cases(&fs::read_to_string(&file).unwrap()) {
            shown.extend(errors(&case).errors.iter().map(|error| kind(&error.problem)));
        }
    }
    // Tested below, since they need a file.
    shown.extend(["Unreadable", "NotUtf8", "UnknownFormat", "TooManyRules", "TooDeep"].map(str::to_owned));
    let source = include_str!("../../src/notation/problem.rs");
    let kinds: BTreeSet<String> = source
        .split("    #[error(")
        .skip(1)
        .filter_map(|part| part.split_once(")]\n    ").map(|(_, rest)| rest))
        .map(|rest| rest.chars().take_while(|c| c.is_alphanumeric()).collect())
        .collect();
    assert!(kinds.len() > 40, "the variants of `Problem` were not found: {kinds:?}");
    assert_eq!(kinds.difference(&shown).collect::<Vec<_>>(), Vec::<&String>::new());
}

#[test]
fn an_error_on_line_3_is_located() {
    let source = "// A list.\nstart: \"[\" entity* \"]\"\nentity: \"é\" @text \":\" @lable\n";
    let errors = Format::parse("my.gram", source).unwrap_err().errors;
    let [error] = errors.as_slice() else { panic!("one error: {errors:?}") };
    let place = error.place.as_ref().expect("a place");
    // Columns count characters: the é is one, though it is two bytes.
    assert_eq!((place.line, place.column, place.width), (3, 23, 6));
    assert_eq!(place.text.chars().skip(place.column - 1).collect::<String>(), "@lable");
    assert_eq!(error.problem, Problem::UnknownTerminal { name: "lable".to_owned() });
    let caret = "    |                       ^^^^^^";
    assert_eq!(error.to_string().lines().nth(2), Some(caret));
    assert!(error.to_string().contains("did you mean `@label`?"));
}

#[test]
fn limits() {
    let deep = |depth| format!("start: {}\"a\"{}\n", "(".repeat(depth), ")".repeat(depth));
    assert!(Format::parse("f", deep(100)).is_ok());
    let errors = Format::parse("f", deep(101)).unwrap_err();
    assert_eq!(errors.errors[0].problem, Problem::TooDeep);
    // Far deeper than the stack of a parser that calls itself would bear.
    assert!(Format::parse("f", deep(1_000_000)).is_err());

    let chain = |rules: usize| {
        let links = (1..rules - 1).map(|rule| format!("r{rule}: \"a\" r{}\n", rule + 1));
        format!("start: r1\n{}r{}: \"z\"\n", links.collect::<String>(), rules - 1)
    };
    assert!(Format::parse("f", chain(1000)).is_ok());
    let errors = Format::parse("f", chain(1001)).unwrap_err();
    assert_eq!(errors.errors[0].problem, Problem::TooManyRules { given: 1001 });
}

#[test]
fn files_that_are_no_format() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let path = folder.join("latin1.gram");
    fs::write(&path, b"start: @copy*\n// caf\xe9\n").unwrap();
    let error = Format::load(&path).unwrap_err().to_string();
    let expected = "latin1.gram:2:7: this is not UTF-8: byte 0xe9 at offset 20\n  2 | // caf\u{fffd}\n    |       ^\n";
    assert!(error.contains(expected), "{error}");

    let missing = folder.join("missing.gram");
    let error = Format::named(&missing.to_string_lossy()).unwrap_err();
    assert!(matches!(error.errors[0].problem, Problem::Unreadable { .. }));
    assert!(error.to_string().contains("missing.gram: the file can't be read: "), "{error}");

    let good = folder.join("mine.gram");
    fs::write(&good, "// Mine.\nstart: @copy*\n").unwrap();
    let format = Format::named(&good.to_string_lossy()).unwrap();
    assert_eq!((format.name.as_str(), format.description.as_str()), ("mine", "Mine."));

    let error = Format::named("json-lists").unwrap_err().to_string();
    let known = Format::builtin().collect::<Vec<_>>().join(", ");
    assert_eq!(
        error,
        format!(
            "there is no format `json-lists`\n  help: did you mean `json-list`? The formats are {known}; or give the path of a .gram file"
        )
    );
    let error = Format::named("sonnet").unwrap_err().to_string();
    assert!(error.contains("help: the formats are bio-lines, "), "{error}");
}

/// Pieces of which bad files are made: every token, whole rules, and what breaks them.
#[rustfmt::skip]
const PIECES: [&str; 48] = [
    "start", "entity", "start:", "entity:", "\nstart: ", "\nentity: ", "\n", "\n  ", "\t", " ", "\r\n", ":", "|", "(", ")", "[",
    "]", "*", "+", "?", "~", "~2", "..", "3", ",", "\"", "\"a\"", "\"\\", "\\u{", "\\x4", "é", "😀", "/", "/a+/", "/[", "//", "@", "@text",
    "@label", "@copy", "@each(", "@each(entity, \",\")", "%", "%escape", " json", " backslash \"[]\"", "'", "{",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    /// Whatever the file holds, it is a format or gets errors, each with a place that exists.
    #[test]
    fn any_text_is_answered(pieces in prop::collection::vec(prop::sample::select(&PIECES[..]), 0..30)) {
        let source = pieces.concat();
        if let Err(errors) = Format::parse("any.gram", source.as_str()) {
            prop_assert!(!errors.errors.is_empty());
            prop_assert!(errors.to_string().starts_with("any.gram:"));
            for error in &errors.errors {
                let place = error.place.as_ref().expect("a place");
                prop_assert!(place.line <= source.lines().count() + 1);
                prop_assert!(place.column <= place.text.chars().count() + 2);
            }
        }
    }
}
