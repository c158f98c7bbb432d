//! Intervals and p-values beside those of SciPy (`scripts/significance-fixtures.py` writes them).

use std::collections::BTreeMap;

use gramask_ner::metrics::{
    Counts, Interval, Leniencies, Matches, difference, gap, interval, mean_difference, mean_interval,
};
use serde::Deserialize;

#[derive(Deserialize)]
struct Fixture {
    resamples: usize,
    confidence: f64,
    cases: Vec<Case>,
    seeds: Vec<Seeds>,
    gaps: Vec<Parted>,
}

/// Systems with several outputs of each document.
#[derive(Deserialize)]
struct Seeds {
    first: Vec<Vec<[usize; 3]>>,
    second: Vec<Vec<[usize; 3]>>,
    interval: Interval,
    difference: f64,
    p: f64,
}

/// Systems at four leniencies, document by document: gold, predicted, found, right.
#[derive(Deserialize)]
struct Parted {
    first: [Vec<[usize; 4]>; 4],
    second: [Vec<[usize; 4]>; 4],
    parts: BTreeMap<String, Interval>,
}

#[derive(Deserialize)]
struct Case {
    first: Vec<[usize; 3]>,
    second: Vec<[usize; 3]>,
    difference: f64,
    p: f64,
    value: f64,
    low: f64,
    high: f64,
}

fn counts(documents: &[[usize; 3]]) -> Vec<Counts> {
    let of = |&[correct, missed, spurious]: &[usize; 3]| Counts { correct, missed, spurious, ..Counts::default() };
    documents.iter().map(of).collect()
}

fn fixture() -> Fixture {
    serde_json::from_str(include_str!("fixtures/significance.json")).unwrap()
}

/// The ends are quantiles of random samples on both sides: a fiftieth of the interval is more than five errors.
fn near(got: Interval, wanted: Interval) -> bool {
    let margin = (wanted.high - wanted.low) / 50.0 + 1e-12;
    (got.value - wanted.value).abs() < 1e-12
        && (got.low - wanted.low).abs() < margin
        && (got.high - wanted.high).abs() < margin
}

#[test]
fn scipy_finds_the_same_of_several_seeds() {
    let fixture = fixture();
    for (number, case) in fixture.seeds.iter().enumerate() {
        let [first, second] =
            [&case.first, &case.second].map(|seeds| seeds.iter().map(|seed| counts(seed)).collect::<Vec<_>>());
        let [first, second] = [&first, &second].map(|seeds| seeds.iter().map(Vec::as_slice).collect::<Vec<_>>());
        let got = mean_interval(&first, fixture.confidence, fixture.resamples, 1);
        assert!(near(got, case.interval), "case {number}: {got:?}, not {:?}", case.interval);
        let test = mean_difference(&first, &second, fixture.resamples, 1).unwrap();
        assert!((test.difference - case.difference).abs() < 1e-12, "case {number}: {test:?}");
        let error = (2.0 * case.p * (1.0 - case.p) / fixture.resamples as f64).sqrt();
        assert!((test.p - case.p).abs() < 5.0 * error + 1e-4, "case {number}: {} and not {}", test.p, case.p);
    }
}

#[test]
fn scipy_finds_the_same_parts_of_a_gap() {
    let fixture = fixture();
    let matches = |[gold, predicted, found, right]: [usize; 4]| Matches { gold, predicted, found, right };
    let system = |levels: &[Vec<[usize; 4]>; 4]| -> Vec<Leniencies> {
        let document = |at: usize| Leniencies {
            strict: matches(levels[0][at]),
            parse: matches(levels[1][at]),
            copy: matches(levels[2][at]),
            count: matches(levels[3][at]),
        };
        (0..levels[0].len()).map(document).collect()
    };
    for (number, case) in fixture.gaps.iter().enumerate() {
        let (first, second) = (system(&case.first), system(&case.second));
        let got = gap(&[&first], &[&second], fixture.confidence, fixture.resamples / 2, 1).unwrap().parts;
        for (name, got) in
            [("parse", got.parse), ("copy", got.copy), ("count", got.count), ("recognition", got.recognition)]
        {
            let wanted = case.parts[name];
            assert!(near(got, wanted), "case {number}, {name}: {got:?}, not {wanted:?}");
        }
    }
}

#[test]
fn scipy_finds_the_same() {
    let fixture = fixture();
    assert!(fixture.cases.iter().any(|case| case.p < 0.01) && fixture.cases.iter().any(|case| case.p > 0.1));
    for (number, case) in fixture.cases.iter().enumerate() {
        let (first, second) = (counts(&case.first), counts(&case.second));
        let got = interval(&first, fixture.confidence, fixture.resamples, 1);
        assert!((got.value - case.value).abs() < 1e-12, "case {number}: {got:?}");
        // The ends are quantiles of random samples on both sides: a fiftieth of the interval is more than five errors.
        let margin = (case.high - case.low) / 50.0;
        let near = (got.low - case.low).abs() < margin && (got.high - case.high).abs() < margin;
        assert!(near, "case {number}: {got:?}, and not {} to {}", case.low, case.high);

        let test = difference(&first, &second, fixture.resamples, 1).unwrap();
        assert!((test.difference - case.difference).abs() < 1e-12, "case {number}: {test:?}");
        let error = (2.0 * case.p * (1.0 - case.p) / fixture.resamples as f64).sqrt();
        assert!((test.p - case.p).abs() < 5.0 * error + 1e-4, "case {number}: {} and not {}", test.p, case.p);
    }
}
