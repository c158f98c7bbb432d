//! The metrics against what `nervaluate` computes (`scripts/ner-fixtures.py` wrote the fixtures), against set
//! arithmetic for nested and discontinuous entities, and against cases that can be counted by hand.

use std::collections::BTreeMap;
use std::path::Path;

use gramask_ner::metrics::{Counts, FaultKind, Outcome, Prediction, Schemes, Score, Scorer, Summary};
use gramask_ner::{Entity, Fragment, Schema};
use serde::Deserialize;
use serde::de::DeserializeOwned;

#[derive(Deserialize)]
struct Cases<T> {
    cases: Vec<T>,
}

fn fixture<T: DeserializeOwned>(name: &str) -> Vec<T> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name);
    let cases: Cases<T> = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    assert!(cases.cases.len() >= 30);
    cases.cases
}

fn schema() -> Schema {
    Schema::new(["Chemical", "Disease", "Gene"])
}

fn close(a: f64, b: f64) -> bool {
    (a - b).abs() < 1e-12
}

fn same(ours: &Score, theirs: &Score) -> bool {
    ours.counts == theirs.counts
        && close(ours.precision, theirs.precision)
        && close(ours.recall, theirs.recall)
        && close(ours.f1, theirs.f1)
}

fn same_schemes(ours: &Schemes<Score>, theirs: &Schemes<Score>) -> bool {
    same(&ours.strict, &theirs.strict)
        && same(&ours.exact, &theirs.exact)
        && same(&ours.partial, &theirs.partial)
        && same(&ours.type_, &theirs.type_)
}

/// Every entity is accounted for once in the errors.
fn balanced(summary: &Summary) {
    let (e, hits) = (summary.errors, summary.overall.strict.counts.correct);
    let wrong = e.wrong_boundary + e.wrong_type + e.wrong_both;
    let ungrounded = e.not_in_document + e.unknown_label + e.disagreeing;
    assert_eq!(hits + wrong + e.missing, summary.gold);
    assert_eq!(hits + wrong + e.spurious + ungrounded, summary.predicted);
}

#[derive(Deserialize)]
struct FlatDocument {
    gold: Vec<(String, usize, usize)>,
    predicted: Vec<(String, usize, usize)>,
}

#[derive(Deserialize)]
struct FlatCase {
    documents: Vec<FlatDocument>,
    overall: Schemes<Score>,
    labels: BTreeMap<String, Schemes<Score>>,
}

fn flat(entities: &[(String, usize, usize)]) -> Vec<Entity> {
    entities.iter().map(|(label, start, end)| Entity::new(label.as_str(), *start, *end)).collect()
}

#[test]
fn flat_entities_score_as_in_nervaluate() {
    for (number, case) in fixture::<FlatCase>("nervaluate.json").into_iter().enumerate() {
        let mut scorer = Scorer::new(&schema());
        for document in &case.documents {
            let mut predicted = flat(&document.predicted);
            predicted.reverse(); // the order of the list is no matter
            scorer.add(&flat(&document.gold), predicted);
        }
        let summary = scorer.summary();
        assert!(
            same_schemes(&summary.overall, &case.overall),
            "case {number}: {:?} {:?}",
            summary.overall,
            case.overall
        );
        for label in &summary.labels {
            let theirs = case.labels.get(&label.label).copied().unwrap_or_default();
            assert!(
                same_schemes(&label.scores, &theirs),
                "case {number}, {}: {:?} {theirs:?}",
                label.label,
                label.scores
            );
        }
        balanced(&summary);
    }
}

#[derive(Deserialize)]
struct SetDocument {
    gold: Vec<(String, Vec<(usize, usize)>)>,
    predicted: Vec<(String, Vec<(usize, usize)>)>,
}

#[derive(Deserialize)]
struct SetCase {
    documents: Vec<SetDocument>,
    correct: usize,
    precision: f64,
    recall: f64,
    f1: f64,
}

#[test]
fn nested_and_discontinuous_entities_score_as_sets() {
    for case in fixture::<SetCase>("sets.json") {
        let mut scorer = Scorer::new(&schema());
        for SetDocument { gold, predicted } in &case.documents {
            let entities = |list: &[(String, Vec<(usize, usize)>)]| -> Vec<Entity> {
                let fragments = |f: &[(usize, usize)]| f.iter().map(|&(s, e)| Fragment::new(s, e)).collect();
                list.iter().map(|(label, f)| Entity::discontinuous(label.as_str(), fragments(f))).collect()
            };
            scorer.add(&entities(gold), entities(predicted));
        }
        let summary = scorer.summary();
        let strict = summary.overall.strict;
        assert_eq!(strict.counts.correct, case.correct);
        assert!(
            close(strict.precision, case.precision) && close(strict.recall, case.recall) && close(strict.f1, case.f1)
        );
        balanced(&summary);
    }
}

/// One gold entity, one prediction, and the one error that must be counted.
#[test]
fn each_error_is_counted_once() {
    let gold = [Entity::new("Gene", 10, 20)];
    let count = |prediction: Prediction| {
        let mut scorer = Scorer::new(&schema());
        scorer.add(&gold, prediction);
        let summary = scorer.summary();
        balanced(&summary);
        summary
    };
    let one = |label: &str, start, end| Prediction::from(vec![Entity::new(label, start, end)]);
    let hit = count(one("Gene", 10, 20));
    assert_eq!(hit.errors, Default::default());
    assert_eq!((hit.overall.strict.f1, hit.parse_rate), (1.0, 1.0));
    assert_eq!(count(one("Gene", 10, 19)).errors.wrong_boundary, 1);
    assert_eq!(count(one("Disease", 10, 20)).errors.wrong_type, 1);
    assert_eq!(count(one("Disease", 10, 19)).errors.wrong_both, 1);
    let apart = count(one("Gene", 20, 22)).errors;
    assert_eq!((apart.spurious, apart.missing), (1, 1));
    let unknown = count(one("Protein", 10, 20));
    assert_eq!((unknown.errors.unknown_label, unknown.errors.missing, unknown.overall.exact.counts.correct), (1, 1, 0));
    let absent = count(one("Gene", 10, 20).with_fault(FaultKind::NotInDocument, Some("Gene")));
    assert_eq!((absent.not_in_document_rate, absent.overall.strict.precision), (0.5, 0.5));
    assert_eq!(absent.labels[2].scores.strict.counts.spurious, 1);
    let failed = count(Outcome::ParseFailure.into());
    assert_eq!((failed.errors.parse_failure, failed.errors.missing, failed.parse_rate), (1, 1, 0.0));
    let cut = count(Outcome::Truncated.into());
    assert_eq!((cut.errors.truncated, cut.truncation_rate, cut.parse_rate), (1, 1.0, 0.0));
    let twice = count(Prediction::from(vec![Entity::new("Gene", 10, 20), Entity::new("Gene", 10, 20)]));
    assert_eq!((twice.overall.strict.precision, twice.errors.spurious), (0.5, 1));
}

#[test]
fn a_near_miss_does_not_use_up_the_gold_entity_of_a_hit() {
    // The inner prediction comes later, but matches; nervaluate would give the gold entity to the outer one.
    let mut scorer = Scorer::new(&schema());
    scorer.add(&[Entity::new("Gene", 5, 9)], vec![Entity::new("Gene", 0, 9), Entity::new("Gene", 5, 9)]);
    let counts = scorer.summary().overall.strict.counts;
    assert_eq!(counts, Counts { correct: 1, spurious: 1, ..Counts::default() });
}

#[test]
fn a_discontinuous_entity_overlaps_only_where_it_has_characters() {
    let gold = [Entity::discontinuous("Gene", vec![Fragment::new(0, 5), Fragment::new(20, 25)])];
    let score = |start, end| {
        let mut scorer = Scorer::new(&schema());
        scorer.add(&gold, vec![Entity::new("Gene", start, end)]);
        scorer.summary().overall
    };
    assert_eq!(score(8, 15).type_.counts.correct, 0); // in the gap
    assert_eq!(score(20, 25).type_.counts.correct, 1);
    assert_eq!(score(0, 25).exact.counts.correct, 0); // the extent is not the fragments
    assert_eq!(score(0, 25).partial.counts.partial, 1);
}

#[test]
fn a_summary_survives_json() {
    let mut scorer = Scorer::new(&schema());
    scorer.add(&[Entity::new("Gene", 5, 9)], vec![Entity::new("Gene", 0, 9)]);
    let summary = scorer.summary();
    let json = serde_json::to_string(&summary).unwrap();
    assert!(json.contains("\"type\":{\"correct\":1"), "{json}");
    assert_eq!(serde_json::from_str::<Summary>(&json).unwrap(), summary);
    assert_eq!(Scorer::new(&schema()).summary().parse_rate, 0.0);
}
