//! Intervals and p-values beside those of SciPy (`scripts/significance-fixtures.py` writes them).

use gramask_ner::metrics::{Counts, difference, interval};
use serde::Deserialize;

#[derive(Deserialize)]
struct Fixture {
    resamples: usize,
    confidence: f64,
    cases: Vec<Case>,
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
    let of = |&[correct, missed, spurious]: &[usize; 3]| Counts {
        correct,
        missed,
        spurious,
        ..Counts::default()
    };
    documents.iter().map(of).collect()
}

#[test]
fn scipy_finds_the_same() {
    let fixture: Fixture = serde_json::from_str(include_str!("fixtures/significance.json")).unwrap();
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
        assert!(
            (test.difference - case.difference).abs() < 1e-12,
            "case {number}: {test:?}"
        );
        let error = (2.0 * case.p * (1.0 - case.p) / fixture.resamples as f64).sqrt();
        assert!(
            (test.p - case.p).abs() < 5.0 * error + 1e-4,
            "case {number}: {} and not {}",
            test.p,
            case.p
        );
    }
}
