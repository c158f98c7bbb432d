//! The official test suite of JSON Schema: each case is right or refused, none is wrong.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::super::value::{Value, parse};
use super::super::{Draft, Formats, JsonSchema, JsonSchemaErrorKind, JsonSchemaOptions};
use super::{data, orders, recogniser, written};

/// Where the suite lies, or the reason why there is nothing to test.
fn folder() -> Option<PathBuf> {
    data("json-schema-test-suite/tests")
}

#[derive(Default, Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counts {
    right: usize,
    refused: usize,
    /// Valid instances that are not written, by choice.
    narrower: usize,
}

/// Valid instances that an output never has: the formats say so.
fn is_narrower(file: &str, text: &str) -> bool {
    match file {
        "hostname" => text.contains("xn--") || text.len() > 190,
        "time" | "date-time" => text.contains(":60") && !text.contains("23:59:60"),
        "email" => text.contains("@["),
        _ => false,
    }
}

/// Runs the cases of a file. The wrong ones are described.
fn run(path: &Path, options: &JsonSchemaOptions, wrong: &mut Vec<String>, reasons: &mut Vec<String>) -> Counts {
    let groups = parse(&std::fs::read_to_string(path).unwrap());
    let mut counts = Counts::default();
    // A file with half a surrogate pair is no text.
    let Ok(Value::Array(groups)) = groups else { return counts };
    for group in &groups {
        let schema = group.get("schema").unwrap();
        let Some(Value::Array(cases)) = group.get("tests") else { panic!("{}: a group without tests", path.display()) };
        let compiled = JsonSchema { root: schema.clone() }.grammar(options);
        let name = format!("{}: {:?}", path.file_name().unwrap().display(), group.get("description").unwrap());
        match &compiled {
            Err(error) if matches!(error.kind, JsonSchemaErrorKind::Unsupported | JsonSchemaErrorKind::TooLarge) => {
                counts.refused += cases.len();
                reasons.push(format!("{name}: {error}"));
                continue;
            }
            Err(error) if error.kind != JsonSchemaErrorKind::NoInstance => wrong.push(format!("{name}: {error}")),
            _ => {}
        }
        let orders = orders(schema);
        for case in cases {
            let text = written(case.get("data").unwrap(), &orders);
            let accepted =
                compiled.as_ref().is_ok_and(|compiled| recogniser::accepts(&compiled.grammar, text.as_bytes()));
            if case.get("valid") == Some(&Value::Bool(accepted)) {
                counts.right += 1;
            } else if !accepted && is_narrower(&path.file_stem().unwrap().display().to_string(), &text) {
                counts.narrower += 1;
            } else {
                wrong.push(format!("{name}: {:?}: {text} {accepted}", case.get("description").unwrap()));
            }
        }
    }
    counts
}

/// The counts of each file of a draft, and of its optional tests of formats.
fn draft(folder: &Path, name: &str, draft: Draft, wrong: &mut Vec<String>) -> BTreeMap<String, Counts> {
    let (mut table, mut reasons) = (BTreeMap::new(), Vec::new());
    for (below, formats) in [("", Formats::Annotate), ("optional/format", Formats::Enforce)] {
        let files = std::fs::read_dir(folder.join(name).join(below)).unwrap();
        let mut files: Vec<PathBuf> = files.map(|file| file.unwrap().path()).collect();
        files.retain(|file| file.extension().is_some_and(|extension| extension == "json"));
        for file in files {
            let stem = file.file_stem().unwrap().display().to_string();
            let options = JsonSchemaOptions { draft, formats, ..JsonSchemaOptions::default() };
            let key = if below.is_empty() { format!("`{stem}`") } else { format!("format `{stem}`") };
            table.insert(key, run(&file, &options, wrong, &mut reasons));
        }
    }
    if std::env::var_os("GRAMASK_SHOW").is_some() {
        reasons.iter().for_each(|reason| println!("refused {reason}"));
    }
    table
}

/// The table of `docs/json-schema.md`.
fn shown(latest: &BTreeMap<String, Counts>, seven: &BTreeMap<String, Counts>) -> String {
    let cells = |counts: Option<&Counts>| match counts {
        None => "| | | ".to_owned(),
        Some(counts) => format!("| {} | {} | {} ", counts.right, counts.refused, counts.narrower),
    };
    let sum = |table: &BTreeMap<String, Counts>| {
        table.values().fold(Counts::default(), |sum, counts| Counts {
            right: sum.right + counts.right,
            refused: sum.refused + counts.refused,
            narrower: sum.narrower + counts.narrower,
        })
    };
    let mut keywords: Vec<&String> = latest.keys().chain(seven.keys()).collect();
    keywords.sort();
    keywords.dedup();
    let row = |name: &str, a: Option<&Counts>, b: Option<&Counts>| format!("| {name} {}{}|\n", cells(a), cells(b));
    let rows: String = keywords.iter().map(|name| row(name, latest.get(*name), seven.get(*name))).collect();
    let head = "| file | 2020-12: right | refused | narrower | draft 7: right | refused | narrower |\n|---|---|---|---|---|---|---|\n";
    format!("{head}{rows}{}", row("all", Some(&sum(latest)), Some(&sum(seven))))
}

#[test]
fn no_case_of_the_official_suite_is_wrong() {
    let Some(folder) = folder() else { return };
    let mut wrong = Vec::new();
    let latest = draft(&folder, "draft2020-12", Draft::V2020, &mut wrong);
    let seven = draft(&folder, "draft7", Draft::Seven, &mut wrong);
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
    let table = shown(&latest, &seven);
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/json-schema.md");
    let page = std::fs::read_to_string(page).unwrap();
    assert!(page.contains(&table), "docs/json-schema.md must have this table:\n{table}");
}
