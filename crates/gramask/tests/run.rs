//! Whole runs over the mini corpus, with a model without weights: every token is as likely as any other.

use std::sync::atomic::{AtomicBool, Ordering};

use gramask::decode::mock::MockModel;
use gramask::decode::{LanguageModel, PromptTokenizer};
use gramask::experiment::{Cell, Experiment, LevelName};
use gramask::grammar::Format;
use gramask::run::{Backbone, Engine, Journal, Plan, Record, RunError, Watch, broken_promises, carry_out, rows};

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

/// Gives each cell a mock of its own.
struct Mocks;

impl Backbone for Mocks {
    fn language_model(&mut self) -> Box<dyn LanguageModel + '_> {
        Box::new(MockModel::uniform(4096))
    }
}

/// A byte is a token.
struct Bytes;

impl PromptTokenizer for Bytes {
    fn encode(&self, text: &str, _parse_special: bool) -> Vec<u32> {
        text.bytes().map(u32::from).collect()
    }

    fn is_special(&self, token: u32) -> bool {
        token >= 256
    }

    fn opening(&self) -> Option<u32> {
        None
    }
}

fn engine(name: &str) -> Result<Engine, RunError> {
    let table = MockModel::uniform(4096).table().clone();
    Engine::new(name.into(), Box::new(Mocks), table, Box::new(Bytes), None)
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
    let mut watch = StopAfter {
        left: documents,
        stop: &stop,
        cells: Vec::new(),
    };
    let complete = carry_out(plan, &mut journal, &mut |name| engine(name), &mut watch, &stop).unwrap();
    (complete, watch.cells, journal)
}

/// What a record says, times left out, in an order that sessions do not change.
fn sayings(journal: &Journal) -> Vec<String> {
    let mut sayings: Vec<String> = journal
        .records()
        .iter()
        .map(|record| {
            let mut record = record.clone();
            record.times = Default::default();
            serde_json::to_string(&record).unwrap()
        })
        .collect();
    sayings.sort();
    sayings
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
    let rows = rows(&plan, &journal);
    for row in &rows {
        assert_eq!(row.not_decoded, 0, "{}", row.format);
        if row.level != "none" {
            assert_eq!(row.parse_rate, 1.0, "{} {}", row.format, row.level);
            assert_eq!(
                (row.truncation_rate, row.independent_read),
                (0.0, 4),
                "{} {}",
                row.format,
                row.level
            );
            assert!(row.removed_nats > 0.0 && row.mask_us_per_token > 0.0);
        }
        if row.level == "grounded" {
            assert_eq!(
                (row.not_in_document_rate, row.copy_failure_rate),
                (0.0, 0.0),
                "{}",
                row.format
            );
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
        let mut labels: Vec<&str> = of_format
            .flat_map(|record| record.entities.iter().map(|entity| entity.label.as_str()))
            .collect();
        labels.sort_unstable();
        labels.dedup();
        labels.len()
    };
    assert!(
        labels("label-list") > 1,
        "the entities of both passes are in the record"
    );
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
    let (complete, _, journal) = session(&plan, pieces.path(), usize::MAX);
    assert!(complete);
    assert_eq!(sayings(&journal), expected);

    // Nothing is left to do, and no model is asked for.
    let mut journal = Journal::open(&path).unwrap();
    let stop = AtomicBool::new(false);
    let mut none = StopAfter {
        left: usize::MAX,
        stop: &stop,
        cells: Vec::new(),
    };
    let mut refuse = |_: &str| -> Result<Engine, RunError> { panic!("a model was loaded for nothing") };
    assert!(carry_out(&plan, &mut journal, &mut refuse, &mut none, &stop).unwrap());
    assert!(none.cells.is_empty());
}

#[test]
fn the_batch_changes_no_output() {
    let one = tempfile::tempdir().unwrap();
    let three = tempfile::tempdir().unwrap();
    let (_, _, batch_3) = session(&plan(&with(&SOME)), three.path(), usize::MAX);
    let (_, _, batch_1) = session(
        &plan(&with(&SOME).replace("batch   = 3", "batch = 1")),
        one.path(),
        usize::MAX,
    );
    assert_eq!(sayings(&batch_1), sayings(&batch_3));
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
    let of = |id: &str| {
        journal
            .records()
            .iter()
            .filter(|record| record.document == id)
            .collect::<Vec<_>>()
    };
    for record in of("a") {
        assert_eq!(record.finish, None);
        assert!(
            record.errors[0].message.contains("context"),
            "{}",
            record.errors[0].message
        );
    }
    assert!(of("b").iter().all(|record| record.finish.is_some()));
    assert!(
        broken_promises(journal.records()).is_empty(),
        "what was not decoded breaks no promise"
    );
    let rows = rows(&plan, &journal);
    assert!(rows.iter().all(|row| row.not_decoded == 1 && row.documents == 3));
    assert!(
        rows.iter()
            .filter(|row| row.level == LevelName::Grounded.as_str())
            .all(|row| row.parse_rate < 1.0)
    );
}
