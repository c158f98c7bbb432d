//! Experiments with tasks, and the commands with plain grammars. The model has no weights: every token is as likely as any other.

use std::path::Path;
use std::sync::atomic::AtomicBool;

use gramask::evaluate::{RecordScorer, broken_promises, journal_rows, summary_rows};
use gramask::experiment::Experiment;
use gramask::plan::Plan;
use gramask::report::{Figure, Options, compare, single};
use gramask::runner::run_plan;
use gramask::store::Journal;
use gramask_grammar::Level;

use crate::command::gramask;
use crate::mock_engine::{Nobody, engine};

const TASKS: [&str; 5] = [
    r#"{"id": "schema", "prompt": "A dose?", "json_schema": {"type": "object", "properties": {"dose": {"enum": [1, 2]}}, "required": ["dose"]}, "expected": {"dose": 1}}"#,
    r#"{"id": "sum", "prompt": "A sum?", "grammar": "root ::= root \"+\" [0-9] | [0-9]\n", "syntax": "gbnf"}"#,
    r#"{"id": "date", "prompt": [{"role": "user", "content": "A date?"}], "regex": "[0-9]{4}-[01][0-9]"}"#,
    r#"{"id": "choice", "prompt": "Yes or no?", "choice": ["yes", "no"], "expected": "yes"}"#,
    r#"{"id": "lark", "prompt": "Brackets?", "grammar": "start: \"(\" start? \")\"\n", "syntax": "lark"}"#,
];

const EXPERIMENT: &str = r#"
models  = ["mock"]
levels  = ["none", "syntax", "grounded"]
budget  = 12
batch   = 3
sampling = { temperature = 1.0, seed = 7 }
strategies = { unconstrained = {}, masked = {}, jump = {}, lazy = {}, beam = { k = 2 }, draft = {}, aligned-asap = {}, aligned-smc = {} }
[[tasks]]
path = "tasks.jsonl"
"#;

fn experiment(folder: &Path, source: &str) -> Experiment {
    std::fs::write(folder.join("tasks.jsonl"), TASKS.join("\n")).unwrap();
    Experiment::parse(&folder.join("experiment.toml"), source).unwrap()
}

#[test]
fn every_strategy_answers_tasks_in_their_grammars() {
    let folder = tempfile::tempdir().unwrap();
    let plan = Plan::new(experiment(folder.path(), EXPERIMENT)).unwrap();
    let cells = plan.experiment.cells();
    assert_eq!(cells.len(), 9, "no cell is grounded");
    assert!(cells.iter().all(|cell| cell.corpus == "tasks" && cell.format == "task"));
    let mut journal = Journal::open(&folder.path().join("records.jsonl")).unwrap();
    let complete = run_plan(&plan, &mut journal, &mut |name| engine(name), &mut Nobody, &AtomicBool::new(false));
    assert!(complete.unwrap());
    assert_eq!(journal.records().len(), cells.len() * TASKS.len());
    assert!(broken_promises(journal.records()).is_empty());
    for record in journal.records() {
        let answer = record.answer.unwrap();
        if record.cell.level == Level::Syntax {
            assert!(record.parsed && answer.valid, "{}: {:?}", record.cell, record.output);
        }
        // What the engine reads is valid for the independent validator, too.
        assert!(answer.valid || !record.parsed, "{:?}", record.output);
        assert_eq!(answer.exact.is_some(), ["schema", "choice"].contains(&record.document.as_str()));
        assert_eq!(answer.equal.is_some(), record.document == "schema");
    }
    let scores = RecordScorer::new(&plan).unwrap().score_all(&journal.records().iter().collect::<Vec<_>>());
    let rows = summary_rows(&cells, &scores);
    assert_eq!(rows, journal_rows(&plan, &journal));
    let masked = rows.iter().find(|row| row.strategy == "masked").unwrap();
    assert_eq!((masked.valid_rate, masked.valid_high), (Some(1.0), Some(1.0)));
    assert!(masked.valid_low.unwrap() < 0.6, "five answers are few");
    let free = rows.iter().find(|row| row.strategy == "unconstrained").unwrap();
    assert!(free.valid_rate.unwrap() < 1.0);
}

#[test]
fn tasks_stand_beside_corpora() {
    let folder = tempfile::tempdir().unwrap();
    let corpora = "formats = [\"lines\"]\n".to_owned() + EXPERIMENT + "[[corpora]]\nname = \"mini\"\nlimit = 1\n";
    let plan = Plan::new(experiment(folder.path(), &corpora)).unwrap();
    let of = |corpus: &str| plan.experiment.cells().iter().filter(|cell| cell.corpus == corpus).count();
    assert_eq!((of("mini"), of("tasks")), (16, 9));
    assert_eq!(plan.documents(), 16 + 9 * TASKS.len());
}

#[test]
fn what_does_not_go_with_tasks_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("experiment.toml");
    let refused = |source: &str| Experiment::parse(&path, source).unwrap_err().to_string();
    let grounded = refused(
        &EXPERIMENT.replace(r#"["none", "syntax", "grounded"]"#, r#"["grounded"]"#).replace("unconstrained = {}, ", ""),
    );
    assert!(grounded.contains("tasks refer to no document"), "{grounded}");
    let canonical = refused(&("canonical = true\n".to_owned() + EXPERIMENT));
    assert!(
        canonical.contains("experiment.toml:1:13") && canonical.contains("does not go with [[tasks]]"),
        "{canonical}"
    );
    let repair = refused(&EXPERIMENT.replace("lazy = {}", "repair = {}"));
    assert!(repair.contains("`repair` mends outputs that say entities"), "{repair}");
    let formats = refused(&("formats = [\"lines\"]\n".to_owned() + EXPERIMENT));
    assert!(formats.contains("leave `formats` out"), "{formats}");
    let nothing = refused(&EXPERIMENT.replace("[[tasks]]\npath = \"tasks.jsonl\"\n", ""));
    assert!(nothing.contains("`formats` is empty") || nothing.contains("[[tasks]]"), "{nothing}");
    let unknown = refused(&(EXPERIMENT.to_owned() + "kind = \"x\"\n"));
    assert!(unknown.contains("unknown field `kind`"), "{unknown}");
    let twice = refused(&(EXPERIMENT.to_owned() + "[[tasks]]\npath = \"other/tasks.jsonl\"\n"));
    assert!(twice.contains("another `name`"), "{twice}");
}

/// A run of tasks that is committed with its scores.
const COMMITTED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../experiments/results/tasks/grammars");

#[test]
fn cells_of_tasks_are_compared_by_their_answers() {
    let compared = |args: &[&str]| gramask(&[&["compare", COMMITTED], args].concat());
    let printed = |args: &[&str]| {
        let output = compared(args);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    let (table, note) = printed(&[]);
    assert!(!table.contains("F1") && !note.contains("F1"), "{table}{note}");
    assert!(note.contains("corrected for 12 comparison(s)") && note.contains("McNemar"), "{note}");
    let (csv, _) = printed(&["--metric", "valid", "--csv"]);
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    let column = |name: &str| csv.lines().next().unwrap().split(',').position(|head| head == name).expect(name);
    let [strategy, p, holm, difference] = ["strategy", "p", "p_holm", "difference"].map(column);
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 6);
    let masked = rows.iter().find(|row| &row[strategy] == "masked").unwrap();
    // 35 answers are valid with a mask and not without one, and none the other way round: twice one half to the 35th.
    let number = |at: usize| masked[at].parse::<f64>().unwrap();
    assert!((number(p) / 0.5f64.powi(34) - 1.0).abs() < 1e-3 && number(holm) > number(p), "{masked:?}");
    assert!((number(difference) - 35.0 / 36.0).abs() < 1e-6);
    let refused = compared(&["--metric", "f1"]);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("do not have `f1`"));
    assert!(String::from_utf8_lossy(&compared(&["--metric", "f2"]).stderr).contains("valid, exact, equal"));
}

#[test]
fn reports_of_tasks_speak_of_answers() {
    let run = Path::new(COMMITTED);
    let report = single(run, Options::default()).unwrap();
    let ids: Vec<&str> = report.page.figures.iter().map(|figure| figure.id.as_str()).collect();
    assert!(ids.contains(&"valid") && !ids.contains(&"f1"), "{ids:?}");
    let both = compare(run, run, Options::default()).unwrap();
    let ids: Vec<&str> = both.page.figures.iter().map(|figure| figure.id.as_str()).collect();
    assert_eq!(ids, ["differences-valid", "differences-exact"]);
    assert_eq!(both.page.table.rows.len(), 2 * report.page.table.rows.len());
    assert!(both.page.notes.iter().all(|note| !note.contains("not of the same documents")), "{:?}", both.page.notes);
    for page in [&report.page, &both.page] {
        let of_figure = |figure: &Figure| [figure.title.clone(), figure.caption.clone(), figure.svg.clone()];
        let columns = page.table.columns.iter().flat_map(|column| [column.head.clone(), column.meaning.clone()]);
        let mut texts: Vec<String> = page.figures.iter().flat_map(of_figure).chain(columns).collect();
        texts.extend(page.lead.clone());
        texts.push(page.table_caption.clone());
        texts.extend(page.facts.iter().map(|(name, value)| format!("{name}: {value}")));
        for text in texts {
            let words: Vec<&str> = text.split(|c: char| !c.is_alphanumeric()).collect();
            assert!(!["F1", "entity", "entities"].iter().any(|word| words.contains(word)), "{text}");
        }
    }
}

#[test]
fn the_mask_of_a_plain_grammar_is_shown() {
    let folder = tempfile::tempdir().unwrap();
    let schema = folder.path().join("dose.json");
    std::fs::write(&schema, r#"{"type": "object", "properties": {"dose": {"type": "integer"}}, "required": ["dose"]}"#)
        .unwrap();
    let schema = schema.to_str().unwrap();
    let shown = |args: &[&str]| {
        let output = gramask(&[&["mask", "--vocabulary", "bytes"], args].concat());
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let text = shown(&["--json-schema", schema, "--after", "{"]);
    assert!(text.contains("forced bytes       `\"dose\":`"), "{text}");
    assert_eq!(shown(&["--grammar", schema, "--after", "{"]), text);
    assert!(shown(&["--json-schema", schema, "--whitespace", "1", "--after", "{"]).contains("none: there is a choice"));
    assert!(shown(&["--regex", "[ab]{2}"]).contains("6 of 965 tokens"));
    assert!(shown(&["--choice", "yes", "--choice", "no", "--after", "y"]).contains("forced bytes       `es`"));
    let refused = |args: &[&str]| {
        let output = gramask(&[&["mask", "--vocabulary", "bytes"], args].concat());
        assert!(!output.status.success(), "{args:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    assert!(refused(&["--regex", "a", "--text", "x"]).contains("cannot be used with"));
    assert!(refused(&["--regex", "a", "--choice", "b"]).contains("cannot be used with"));
    assert!(refused(&["--regex", "a", "--whitespace", "1"]).contains("--whitespace goes with a JSON Schema"));
    assert!(refused(&["--json-schema", "missing.json"]).contains("missing.json"));
    assert!(refused(&[]).contains("--text"));
}
