//! Whole runs over the mini corpus, with a model without weights: every token is as likely as any other.

use std::sync::atomic::{AtomicBool, Ordering};

use gramask::evaluate::{broken_promises, journal_rows};
use gramask::experiment::{Cell, Experiment};
use gramask::grammar::Format;
use gramask::plan::Plan;
use gramask::runner::{Engine, RunError, Watch, run_plan};
use gramask::store::{Journal, Record};
use gramask_grammar::Level;

use crate::mock_engine::{engine, sayings};

const EXPERIMENT: &str = r#"
models  = ["mock"]
formats = FORMATS
levels  = ["none", "syntax", "grounded"]
budget  = 40
batch   = 3
examples = { n = 0 }
sampling = { temperature = 1.0, seed = 7 }
strategies = { unconstrained = {}, masked = {} }
[[corpora]]
name  = "mini"
limit = 4
"#;

/// Of each kind one: a list, a copy, tags, and one with a pass for each label.
const SOME: [&str; 4] = ["json-list", "inline-bracket", "bio-tags", "label-list"];

/// The experiment with these formats.
fn with(formats: &[&str]) -> String {
    EXPERIMENT.replace("FORMATS", &format!("{formats:?}"))
}

/// Sets `stop` once so many documents are done.
struct StopAfter<'a> {
    left: usize,
    stop: &'a AtomicBool,
    cells: Vec<(Cell, usize)>,
}

impl Watch for StopAfter<'_> {
    fn cell(&mut self, cell: &Cell, _documents: usize, done: usize) {
        self.cells.push((cell.clone(), done));
    }

    fn record(&mut self, _record: &Record) {
        self.left = self.left.saturating_sub(1);
        if self.left == 0 {
            self.stop.store(true, Ordering::Relaxed);
        }
    }
}

fn plan(source: &str) -> Plan {
    Plan::new(Experiment::parse("mock.toml".as_ref(), source).unwrap()).unwrap()
}

/// Carries on with what is in the folder, for so many documents.
fn session(plan: &Plan, folder: &std::path::Path, documents: usize) -> (bool, Vec<(Cell, usize)>, Journal) {
    let mut journal = Journal::open(&folder.join("records.jsonl")).unwrap();
    let stop = AtomicBool::new(false);
    let mut watch = StopAfter { left: documents, stop: &stop, cells: Vec::new() };
    let complete = run_plan(plan, &mut journal, &mut |name| engine(name), &mut watch, &stop).unwrap();
    (complete, watch.cells, journal)
}

#[test]
fn masked_outputs_keep_their_promises_in_every_format() {
    let folder = tempfile::tempdir().unwrap();
    let formats: Vec<&str> = Format::builtin().collect();
    let plan = plan(&with(&formats));
    let (complete, cells, journal) = session(&plan, folder.path(), usize::MAX);
    assert!(complete);
    assert_eq!(cells.len(), formats.len() * 3);
    assert_eq!(journal.records().len(), formats.len() * 3 * 4);
    let broken = broken_promises(journal.records());
    assert!(broken.is_empty(), "{:#?}", broken.first());
    let rows = journal_rows(&plan, &journal);
    for row in &rows {
        assert_eq!(row.not_decoded, 0, "{}", row.format);
        if row.level != "none" {
            assert_eq!(row.parse_rate, 1.0, "{} {}", row.format, row.level);
            // An independent parser reads the four outputs of each format that names its syntax.
            let syntax = Format::named(&row.format).unwrap().grammar.directives.syntax;
            let read = if syntax.is_some() { 4 } else { 0 };
            assert_eq!((row.truncation_rate, row.independent_read), (0.0, read), "{} {}", row.format, row.level);
            assert!(row.removed_nats > 0.0 && row.mask_us_per_token > 0.0);
        }
        if row.level == "grounded" {
            assert_eq!((row.not_in_document_rate, row.copy_failure_rate), (0.0, 0.0), "{}", row.format);
        }
    }
    // A format with a pass for each label has an output for each.
    let all = plan.corpora[0].schema.len();
    for record in journal.records() {
        let by_label = matches!(record.cell.format.as_str(), "label-list" | "inline-mark");
        let passes = if by_label { all } else { 0 };
        assert_eq!(record.passes.len(), passes, "{}", record.cell.format);
        assert!(passes == 0 || record.output == record.passes.join("\n"));
    }
    let labels = |format: &str| {
        let of_format = journal.records().iter().filter(|record| record.cell.format == format);
        let mut labels: Vec<&str> =
            of_format.flat_map(|record| record.entities.iter().map(|entity| entity.label.as_str())).collect();
        labels.sort_unstable();
        labels.dedup();
        labels.len()
    };
    assert!(labels("label-list") > 1, "the entities of both passes are in the record");
    // Random bytes are no JSON: the test can fail.
    assert!(rows.iter().any(|row| row.level == "none" && row.parse_rate == 0.0));
}

#[test]
fn a_run_in_pieces_is_the_same_run() {
    let plan = plan(&with(&["json-list", "label-list"]));
    let whole = tempfile::tempdir().unwrap();
    let (complete, _, journal) = session(&plan, whole.path(), usize::MAX);
    assert!(complete);
    let expected = sayings(&journal);
    assert_eq!(expected.len(), 2 * 3 * 4);

    let pieces = tempfile::tempdir().unwrap();
    let (complete, cells, _) = session(&plan, pieces.path(), 6);
    assert!(!complete);
    assert_eq!(cells[0].1, 0);
    // The machine stops in the middle of a line.
    let path = pieces.path().join("records.jsonl");
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() - 7]).unwrap();
    let (complete, cells, journal) = session(&plan, pieces.path(), 5);
    assert!(!complete && journal.was_torn());
    assert!(cells[0].1 > 0, "the first cell was done before: {cells:?}");
    drop(journal);
    let (complete, _, journal) = session(&plan, pieces.path(), usize::MAX);
    assert!(complete);
    assert_eq!(sayings(&journal), expected);
    drop(journal);

    // Nothing is left to do, and no model is asked for.
    let mut journal = Journal::open(&path).unwrap();
    let stop = AtomicBool::new(false);
    let mut none = StopAfter { left: usize::MAX, stop: &stop, cells: Vec::new() };
    let mut refuse = |_: &str| -> Result<Engine, RunError> { panic!("a model was loaded for nothing") };
    assert!(run_plan(&plan, &mut journal, &mut refuse, &mut none, &stop).unwrap());
    assert!(none.cells.is_empty());
}

#[test]
fn the_batch_changes_no_output() {
    let one = tempfile::tempdir().unwrap();
    let three = tempfile::tempdir().unwrap();
    let (_, _, batch_3) = session(&plan(&with(&SOME)), three.path(), usize::MAX);
    let (_, _, batch_1) = session(&plan(&with(&SOME).replace("batch   = 3", "batch = 1")), one.path(), usize::MAX);
    assert_eq!(sayings(&batch_1), sayings(&batch_3));
}

#[test]
fn shared_prompts_change_no_output_and_are_counted_in_each_cell() {
    let (alone, shared) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (_, _, expected) = session(&plan(&with(&SOME)), alone.path(), usize::MAX);
    let sharing = plan(&format!("share_prompts = true\n{}", with(&SOME)));
    let (_, _, journal) = session(&sharing, shared.path(), usize::MAX);
    assert_eq!(sayings(&journal), sayings(&expected));
    assert!(expected.records().iter().all(|record| record.times.restored_s == 0.0));
    // The first cell of a format computes the prompts, the others take them over.
    for record in journal.records() {
        let first = record.cell.level == Level::None;
        assert_eq!(record.times.restored_s == 0.0, first, "{} {}", record.cell, record.document);
    }
    for (row, alone) in journal_rows(&sharing, &journal).iter().zip(journal_rows(&sharing, &expected)) {
        assert_eq!((row.restored_s == 0.0, alone.restored_s), (row.level == "none", 0.0));
        let seconds = row.documents as f64 / row.documents_per_second;
        assert!((seconds - row.wall_s - row.restored_s).abs() < 1e-9);
    }
}

#[test]
fn a_document_that_cannot_be_decoded_is_recorded_and_the_others_go_on() {
    // Longer than the mock's context of 4096 tokens: an accented letter is two of them.
    let folder = tempfile::tempdir().unwrap();
    let corpus = folder.path().join("own.jsonl");
    let line = |id: &str, text: &str| format!("{{\"id\":\"{id}\",\"text\":\"{text}\",\"entities\":[]}}\n");
    let entity = "{\"id\":\"c\",\"text\":\"Aspirin\",\"entities\":[{\"label\":\"Chemical\",\"fragments\":[[0,7]]}]}\n";
    std::fs::write(&corpus, line("a", &"é".repeat(2100)) + &line("b", "short") + entity).unwrap();
    let path = corpus.to_str().unwrap();
    let source = with(&SOME).replace("name  = \"mini\"", &format!("path = '{path}'\nunit = \"document\""));
    let plan = plan(&source);
    let (complete, _, journal) = session(&plan, folder.path(), usize::MAX);
    assert!(complete);
    let of = |id: &str| journal.records().iter().filter(|record| record.document == id).collect::<Vec<_>>();
    for record in of("a") {
        assert_eq!(record.finish, None);
        assert!(record.errors[0].message.contains("context"), "{}", record.errors[0].message);
    }
    assert!(of("b").iter().all(|record| record.finish.is_some()));
    assert!(broken_promises(journal.records()).is_empty(), "what was not decoded breaks no promise");
    let rows = journal_rows(&plan, &journal);
    assert!(rows.iter().all(|row| (row.documents, row.not_decoded, row.decoded) == (3, 1, 2)));
    let grounded = rows.iter().filter(|row| row.level == Level::Grounded.name());
    assert!(grounded.map(|row| row.parse_rate).all(|rate| rate == 1.0), "rates are of what was decoded");
}

/// All strategies that need no constraint, and all that have one.
const ALL: &str = "{ unconstrained = {}, repair = {}, retry = { n = 2 }, masked = {}, lazy = {}, jump = {}, draft = {}, \
    beam = { k = 2 }, aligned-asap = { iterations = 2 }, aligned-smc = { particles = 4 }, \
    free-then-masked = { trigger = \"=>\", free = 5 } }";

fn with_all(formats: &[&str]) -> String {
    with(formats).replace("{ unconstrained = {}, masked = {} }", ALL)
}

#[test]
fn every_strategy_keeps_the_promises_of_its_level() {
    let folder = tempfile::tempdir().unwrap();
    let plan = plan(&with_all(&SOME));
    let (complete, cells, journal) = session(&plan, folder.path(), usize::MAX);
    assert!(complete);
    assert_eq!(cells.len(), SOME.len() * (4 + 8 + 8));
    let broken = broken_promises(journal.records());
    assert!(broken.is_empty(), "{:#?}", broken.first());
    let rows = journal_rows(&plan, &journal);
    for row in &rows {
        let name = format!("{} {} {}", row.format, row.level, row.strategy);
        assert_eq!((row.not_decoded, row.documents), (0, 4), "{name}");
        let masked = row.level != "none";
        assert!(row.parse_rate == 1.0 || !masked && row.strategy != "repair", "{name}: {}", row.parse_rate);
        assert!(!masked || row.truncation_rate == 0.0, "{name}");
        let forces = matches!(row.strategy.as_str(), "jump" | "free-then-masked");
        assert!(row.forced_rate == 0.0 || forces, "{name}");
        // The keys of a JSON object are forced.
        assert!(row.forced_rate > 0.0 || !forces || row.format != "json-list" || row.level != "grounded", "{name}");
        assert!(row.drafted_rate == 0.0 || row.strategy == "draft", "{name}");
        assert_eq!(row.changed_documents.is_some(), masked && row.strategy != "masked", "{name}");
        // The model is asked about all of these, under a mask.
        if matches!(row.strategy.as_str(), "masked" | "draft") {
            assert_eq!(row.log_weight_known, 4, "{name}");
            let weight = row.log_weight.unwrap();
            assert!((weight + row.removed_nats).abs() < 1e-9 && weight < 0.0, "{name}: {weight}");
            assert!(row.removed_mass.unwrap() > 0.0, "{name}");
        }
        if row.strategy == "draft" {
            assert_eq!(row.changed_documents, Some(0), "{name}: drafts change nothing");
        }
        if row.strategy == "unconstrained" {
            assert_eq!((row.log_weight, row.removed_mass), (Some(0.0), Some(0.0)), "{name}");
        }
        let several = matches!(row.strategy.as_str(), "aligned-asap" | "aligned-smc");
        assert!(row.attempts_per_document > 1.0 || !several, "{name}");
        // A byte is a token, and the tokenizer knows no other cut.
        assert!(row.non_canonical_rate.is_none_or(|rate| rate == 0.0), "{name}");
    }
    let drafted = rows.iter().filter(|row| row.strategy == "draft");
    assert!(drafted.map(|row| row.drafted_rate).sum::<f64>() > 0.0, "drafts are confirmed at all");
    for record in journal.records() {
        let counted = record.tokens.sampled + record.tokens.forced + record.tokens.drafted;
        assert_eq!(counted, record.tokens.output);
        let free = record.cell.strategy.as_str() == "free-then-masked";
        assert_eq!(record.preamble.is_some(), free);
        assert!(!free || record.preamble.as_ref().unwrap().contains("=>"), "{:?}", record.preamble);
        assert_eq!(record.repaired.is_some(), record.cell.strategy.as_str() == "repair");
        assert!(record.trace.is_none());
    }
}

#[test]
fn a_trace_tells_each_token_and_may_be_asked_for_at_any_time() {
    let folder = tempfile::tempdir().unwrap();
    let source = with(&["json-list", "label-list"]).replace("masked = {}", "masked = {}, lazy = {}, jump = {}");
    let mut plan = plan(&source);
    let (complete, _, _) = session(&plan, folder.path(), 5);
    assert!(!complete);
    plan.trace = true;
    let (complete, _, journal) = session(&plan, folder.path(), usize::MAX);
    assert!(complete);
    let (with, without): (Vec<&Record>, Vec<&Record>) =
        journal.records().iter().partition(|record| record.trace.is_some());
    assert!(without.len() >= 5 && without.len() < 10, "{}", without.len());
    for record in with {
        let trace = record.trace.as_ref().unwrap();
        assert_eq!(trace.len(), record.tokens.output);
        // The text of the tokens is the output, in each pass.
        let passes = if record.passes.is_empty() { vec![record.output.clone()] } else { record.passes.clone() };
        for (pass, output) in passes.iter().enumerate() {
            let mut bytes = Vec::new();
            for token in trace.iter().filter(|token| token.pass == pass) {
                match token.token {
                    byte @ 0..256 => bytes.push(byte as u8),
                    256 => assert_eq!(token.text, "<end>"),
                    _ => bytes.extend_from_slice(token.text.as_bytes()),
                }
            }
            assert_eq!(&String::from_utf8_lossy(&bytes), output);
        }
        let known = trace.iter().filter(|token| token.removed.is_some());
        assert_eq!(known.count(), record.distortion.known_steps);
        let strategy = record.cell.strategy.as_str();
        let scored = trace.iter().all(|token| token.log_probability.is_some());
        let masked = trace.iter().all(|token| token.removed.is_some() && token.entropy_after.is_some());
        match strategy {
            "jump" => assert_eq!(scored, record.tokens.forced == 0),
            "lazy" => assert!(scored),
            _ => assert!(scored && masked),
        }
        // A uniform model over 258 tokens.
        for token in trace.iter().filter(|token| token.log_probability.is_some()) {
            assert!((token.log_probability.unwrap() + 258f64.ln()).abs() < 1e-6);
            assert!((token.entropy.unwrap() - 258f64.ln()).abs() < 1e-6 && token.rank == Some(0));
        }
        let removed: f64 = trace.iter().filter_map(|token| token.removed).sum();
        assert!((removed - record.distortion.removed_mass).abs() < 1e-9);
        let changed = trace.iter().filter(|token| token.changed_best == Some(true)).count();
        assert_eq!(changed, record.distortion.changed_best);
        assert!(strategy != "unconstrained" || removed == 0.0 && changed == 0);
        // The constraint, walked anew, allows every token that stands there, and the model wanted what it refused.
        for token in trace {
            assert_eq!(token.allowed.is_some(), strategy != "unconstrained");
            assert!(token.allowed != Some(0) && token.wanted.is_some() == (token.changed_best == Some(true)));
        }
    }
    // Traces change no figure.
    let whole = tempfile::tempdir().unwrap();
    plan.trace = false;
    let (_, _, plain) = session(&plan, whole.path(), usize::MAX);
    let bare = |journal: &Journal| -> Vec<String> {
        let mut all: Vec<String> = journal
            .records()
            .iter()
            .map(|record| {
                let mut record = record.clone();
                (record.trace, record.prompts, record.times) = (None, Default::default(), Default::default());
                serde_json::to_string(&record).unwrap()
            })
            .collect();
        all.sort();
        all
    };
    assert_eq!(bare(&journal), bare(&plain));
}
