use super::*;
use crate::report::tables::summary_csv;
use crate::store::{Distortion, Effort, Fault, FaultKind, RepairedOutput, Tokens, record_for_tests as record};
use gramask_decode::Finish;
use gramask_grammar::Level;
use gramask_ner::Entity;

fn fault(kind: FaultKind) -> Fault {
    Fault { kind, label: Some("Disease".into()), message: String::new() }
}

/// Four documents: a hit beside an invented mention, a truncated output, a failed copy, a clean empty one.
fn records() -> Vec<Record> {
    let mut hit = record(Level::None, "d1");
    hit.gold = vec![Entity::new("Disease", 0, 4), Entity::new("Disease", 9, 12)];
    hit.entities = vec![Entity::new("Disease", 0, 4)];
    hit.errors = vec![fault(FaultKind::NotInDocument)];
    hit.tokens.output = 14;
    let mut cut = record(Level::None, "d2");
    cut.finish = Some(Finish::Budget);
    cut.parsed = false;
    cut.errors = vec![fault(FaultKind::Syntax)];
    cut.independent = Some(false);
    let mut copy = record(Level::None, "d3");
    copy.errors = vec![fault(FaultKind::CopyFailed)];
    copy.independent = None;
    vec![hit, cut, copy, record(Level::None, "d4"), record(Level::Grounded, "d1")]
}

#[test]
fn the_figures_are_those_that_a_hand_computes() {
    let records = records();
    let row = summarise(&records[0].cell, &Schema::new(["Disease"]), &records);
    assert_eq!(row.documents, 4, "the other cell's record is passed over");
    assert_eq!((row.parse_rate, row.truncation_rate, row.copy_failure_rate), (0.75, 0.25, 0.25));
    assert_eq!((row.precision, row.recall, row.f1), (0.5, 0.5, 0.5));
    // One document has all the entities: without it there is nothing to find.
    assert_eq!((row.f1_low, row.f1_high), (0.0, 0.5));
    assert_eq!(row.not_in_document_rate, 0.5);
    assert_eq!((row.output_tokens, row.wall_s), (20, 2.0));
    assert_eq!((row.tokens_per_second, row.documents_per_second), (10.0, 2.0));
    assert_eq!((row.mask_us_per_token, row.compile_us_per_document), (12.0 / 20.0, 1.0));
    assert_eq!((row.independent_read, row.independent_asked), (2, 3));
    assert_eq!(row.squeezed_rate, 0.0);

    // A squeezed output is complete, and is not cut off.
    let mut records = records;
    records[0].finish = Some(Finish::Squeezed);
    let row = summarise(&records[0].cell, &Schema::new(["Disease"]), &records);
    assert_eq!((row.squeezed_rate, row.truncation_rate), (0.25, 0.25));
}

#[test]
fn distortion_and_effort_are_those_that_a_hand_computes() {
    let mut records = records();
    // 20 tokens in 4 outputs: 14, 2, 2 and 2.
    records[0].tokens = Tokens { prompt: 10, output: 14, sampled: 6, forced: 5, drafted: 3 };
    records[0].distortion = Distortion {
        log_weight: None,
        known_steps: 6,
        removed_mass: 2.5,
        removed_by_budget: Some(0.6),
        mean_removed: 0.5,
        changed_best: 3,
        changed_best_by_budget: Some(2),
        non_canonical: Some(4),
    };
    records[1].distortion = Distortion {
        log_weight: Some(-3.0),
        known_steps: 2,
        removed_mass: 0.5,
        removed_by_budget: None, // a record of an earlier version
        mean_removed: 1.5,
        changed_best: 1,
        changed_best_by_budget: None,
        non_canonical: None,
    };
    records[2].distortion.log_weight = Some(-1.0);
    (records[0].removed, records[1].removed) = (3.0, 3.0);
    records[0].effort = Effort { attempts: 5, discarded: 8, refused_drafts: 2, log_valid: Some(-0.5) };
    records[3].repaired = Some(RepairedOutput { text: "[]".into(), edits: Default::default(), rewritten: true });
    let row = summarise(&records[0].cell, &Schema::new(["Disease"]), &records);
    assert_eq!((row.forced_rate, row.drafted_rate), (5.0 / 20.0, 3.0 / 20.0));
    // The fourth and third have two known steps each at which nothing was removed.
    assert_eq!((row.known_steps, row.removed_mass), (12, Some(3.0 / 12.0)));
    assert_eq!(row.removed_nats, 6.0 / 4.0);
    assert_eq!((row.log_weight, row.log_weight_known), (Some(-4.0 / 3.0), 3));
    assert_eq!(row.changed_best_per_output, 1.0);
    // Of the first record alone the budget's part is known.
    assert_eq!((row.removed_by_budget, row.changed_best_by_budget), (Some(0.6 / 6.0), Some(2.0)));
    assert_eq!(row.non_canonical_rate, Some(4.0 / 18.0));
    assert_eq!((row.attempts_per_document, row.discarded_per_document), (2.0, 2.0));
    assert_eq!((row.refused_drafts_per_document, row.log_valid), (0.5, Some(-0.5)));
    assert_eq!((row.repaired_rate, row.changed_documents), (0.25, None));

    let csv = summary_csv(&[row]).unwrap();
    let values: Vec<Vec<&str>> = csv.lines().map(|line| line.split(',').collect()).collect();
    let value = |name: &str| values[1][values[0].iter().position(|column| *column == name).unwrap()];
    assert_eq!((value("log_weight"), value("removed_mass")), ("-1.333333", "0.25"));
    assert_eq!((value("changed_documents"), value("non_canonical_rate")), ("", "0.222222"));
}

/// Two seeds: the mean of their F1, not the F1 of all outputs together.
#[test]
fn seeds_are_averaged() {
    let with = |seed, document: &str, found: usize| {
        let mut record = record(Level::Grounded, document);
        record.cell.seed = Some(seed);
        record.gold = (0..4).map(|at| Entity::new("Disease", 10 * at, 10 * at + 4)).collect();
        record.entities = record.gold[..found].to_vec();
        record
    };
    let records = [with(1, "a", 4), with(1, "b", 4), with(2, "b", 1), with(2, "a", 1)];
    let schema = Schema::new(["Disease"]);
    let row = summarise(&records[0].cell, &schema, &records);
    assert_eq!((row.documents, row.seeds, row.gold), (2, 2, 16));
    assert!((row.f1 - (1.0 + 0.4) / 2.0).abs() < 1e-12 && (row.precision, row.recall) == (1.0, 0.625));
    assert!((row.f1_seeds_sd.unwrap() - (0.18f64).sqrt()).abs() < 1e-12, "{:?}", row.f1_seeds_sd);
    // All documents are alike, so that the seeds' mean is the same in each sample.
    assert!((row.f1_low - row.f1).abs() < 1e-12 && (row.f1_high - row.f1).abs() < 1e-12);
    assert_eq!((row.documents_per_second, row.tokens_per_second), (2.0, 4.0));
    let mut turned = records.clone();
    turned.reverse();
    assert_eq!(summarise(&records[3].cell, &schema, &turned), row, "neither order nor seed matters");
}

#[test]
fn the_csv_has_its_columns_in_order() {
    let records = records();
    let row = summarise(&records[0].cell, &Schema::new(["Disease"]), &records);
    let csv = summary_csv(&[row]).unwrap();
    let columns = "model,corpus,format,level,strategy,documents,parse_rate,precision,recall,f1,not_in_document_rate,\
                       truncation_rate,tokens_per_second,documents_per_second,mask_us_per_token,";
    assert!(csv.starts_with(columns), "{csv}");
    assert!(csv.lines().nth(1).unwrap().starts_with("m,mini,json-list,none,unconstrained,4,0.75,0.5,"), "{csv}");
}

#[test]
fn a_cell_without_records_has_no_figures() {
    let cell = records().remove(0).cell;
    let row = summarise(&cell, &Schema::new(["Disease"]), &[]);
    assert_eq!((row.documents, row.parse_rate, row.tokens_per_second), (0, 0.0, 0.0));
    assert_eq!((row.removed_mass, row.log_weight, row.non_canonical_rate), (None, None, None));
}
