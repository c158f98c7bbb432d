//! `gramask verify` and `gramask mask` with the vocabulary that needs no file.

use crate::command::gramask;

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// What is printed, of a command that succeeds.
fn printed(args: &[&str]) -> String {
    let output = gramask(args);
    assert!(output.status.success(), "{args:?}: {}", text(&output.stderr));
    text(&output.stdout)
}

/// The message of a command that fails as it should.
fn refused(args: &[&str], words: &[&str]) {
    let output = gramask(args);
    let message = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{args:?}: {message}");
    assert!(output.stdout.is_empty() && message.starts_with("error: "), "{message}");
    for word in words {
        assert!(message.contains(word), "{args:?}: no `{word}` in: {message}");
    }
}

#[test]
fn constraints_are_the_oracles() {
    let args = ["verify", "--format", "json-list", "--format", "inline-xml", "--limit", "2", "--seed", "3"];
    let output = gramask(&args);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let notes = text(&output.stderr);
    assert!(
        notes.contains("2 documents of mini") && notes.contains("of bytes") && notes.contains("--all-states"),
        "the sample is told: {notes}"
    );
    let table = text(&output.stdout);
    for word in ["json-list", "inline-xml", "syntax", "grounded", "differences", "all"] {
        assert!(table.contains(word), "{table}");
    }

    let csv = printed(&[&args[..], &["--csv"]].concat());
    let lines: Vec<&str> = csv.lines().collect();
    assert_eq!(lines.len(), 5, "{csv}");
    let json = printed(&[&args[..], &["--json"]].concat());
    let rows: serde_json::Value = serde_json::from_str(&json).unwrap();
    for (row, line) in rows.as_array().unwrap().iter().zip(&lines[1..]) {
        assert_eq!((&row["differences"], &row["documents"]), (&0.into(), &2.into()), "{row}");
        let masks = row["masks"].as_u64().unwrap();
        assert!(masks >= 6, "two on the gold output and two on each walk: {row}");
        assert_eq!(row["tokens"].as_u64().unwrap(), masks * 965, "{row}");
        assert!(row["states"].as_u64().unwrap() > 2 * masks, "{row}");
        // The same seed, the same states.
        assert!(line.contains(&format!(",{},{masks},", row["states"])), "{line} {row}");
    }
}

#[test]
fn help_and_the_list_of_vocabularies() {
    for command in ["verify", "mask"] {
        assert!(printed(&[command, "--help"]).contains("--vocabulary"));
    }
    let listed = printed(&["pull"]);
    for name in ["llama-3.1-vocabulary", "qwen3-vocabulary"] {
        assert!(listed.contains(name), "{listed}");
    }
}

#[test]
fn every_state_and_every_pass() {
    let args = ["verify", "--format", "label-list", "--level", "grounded", "--limit", "3", "--walks", "0"];
    let csv = printed(&[&args[..], &["--all-states", "--csv"]].concat());
    let fields: Vec<&str> = csv.lines().nth(1).unwrap().split(',').collect();
    assert_eq!(fields[..4], ["label-list", "grounded", "3", "0"], "{csv}");
    assert_eq!(fields[4], fields[5], "as many masks as states: {csv}");
}

#[test]
fn outputs_of_a_run_are_followed() {
    let folder = tempfile::tempdir().unwrap();
    let (corpus, _) = gramask::ner::corpus::find("mini", "test").unwrap();
    let document = &corpus.into_sentences().documents[0];
    let record = |corpus: &str, output: &str| {
        serde_json::json!({
            "model": "m", "corpus": corpus, "format": "json-list", "level": "none", "strategy": "unconstrained",
            "document": document.id, "prompt": "00", "output": output, "entities": [], "gold": [],
            "tokens": {"prompt": 1, "output": 1}, "times": {"wall_s": 0.0, "mask_us": 0.0, "compile_us": 0.0},
            "finish": null, "parsed": false, "errors": [], "inexpressible": 0, "removed": 0.0, "independent": null,
        })
        .to_string()
    };
    let path = folder.path().join("records.jsonl");
    std::fs::write(&path, record("mini", "[{\"text\":\"nonsense") + "\n" + &record("other", "[]") + "\n").unwrap();
    let (file, here) = (path.to_str().unwrap(), folder.path().to_str().unwrap());
    let args = ["verify", "--format", "json-list", "--limit", "1", "--walks", "0", "--csv", "--records"];
    for given in [file, here] {
        let output = gramask(&[&args[..], &[given]].concat());
        let notes = text(&output.stderr);
        assert!(output.status.success() && notes.contains("1 outputs of models"), "{notes}");
    }
    std::fs::write(&path, record("other", "[]")).unwrap();
    refused(&[&args[..], &[file]].concat(), &["records.jsonl", "none of its 1 outputs", "--corpus"]);
    std::fs::write(&path, "{}").unwrap();
    refused(&[&args[..], &[file]].concat(), &["records.jsonl:1"]);
    refused(&[&args[..], &["no/such.jsonl"]].concat(), &["no/such.jsonl"]);
}

#[test]
fn the_mask_after_a_beginning() {
    let mask = |after: &str, more: &[&str]| {
        let args = ["mask", "--vocabulary", "bytes", "--text", "Naloxone reverses clonidine."];
        printed(&[&args[..], &["--after", after], more].concat())
    };
    let shown = mask("[{\"text\":\"Nal", &[]);
    for line in [
        "2 of 965 tokens of bytes may follow",
        "111  `o`",
        "`ox`",
        "forced bytes       `oxone`",
        "complete           no",
        "tokens to finish   ",
        "masks were known before",
    ] {
        assert!(shown.contains(line), "no `{line}` in\n{shown}");
    }
    let ended = mask("[]", &[]);
    assert!(
        ended.contains("1 of 965") && ended.contains("the end") && ended.contains("yes: it may end here"),
        "{ended}"
    );
    let free = mask("[{\"text\":\"", &["--level", "syntax"]);
    assert!(free.contains("more: --all shows them"), "{free}");
    let all = mask("[{\"text\":\"", &["--level", "syntax", "--all"]);
    assert!(all.contains("`zz`") && !all.contains("--all"), "{all}");
}

#[test]
fn what_has_no_mask_is_said() {
    let text = ["--text", "Naloxone reverses clonidine.", "--vocabulary", "bytes"];
    let mask = |more: &[&'static str]| [&["mask"], &text[..], more].concat();
    refused(&mask(&["--after", "[{\"text\":\"Nax"]), &["byte 12, `x`", "after `[{\"text\":\"Na`", "`loxone`"]);
    refused(&mask(&["--after", "[]]"]), &["byte 2, `]`", "nothing: it is complete"]);
    refused(&mask(&["--after", "]"]), &["byte 0, `]`", "`[`"]);
    refused(&mask(&["--format", "jsn-list"]), &["jsn-list", "json-list"]);
    refused(&mask(&["--labels", "A,,B"]), &["--labels"]);
    refused(&mask(&["--level", "none"]), &["`none`", "grounded"]);
    refused(&["verify", "--level", "none"], &["`none`", "grounded"]);
    refused(&["verify", "--format", "no-such.gram"], &["no-such.gram"]);
    refused(&["verify", "--corpus", "bc6cdr"], &["bc6cdr", "mini"]);
    refused(&["verify", "--vocabulary", "no-such.json"], &["no-such.json", "tokenizer.json"]);
    refused(&["verify", "--vocabulary", "no-such-name"], &["no-such-name", "llama-3.1-vocabulary"]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokenizer.json");
    std::fs::write(&path, "{\"model\":\n7}").unwrap();
    refused(&["verify", "--vocabulary", path.to_str().unwrap()], &["tokenizer.json:2:"]);
}
