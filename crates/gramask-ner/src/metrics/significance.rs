//! How sure a figure is: intervals of F1, tests of a difference, and what many tests at once do to them.
//!
//! All methods resample **documents**, never entities, since the entities of a document are not independent. They take the
//! counts of each document in one scheme, and compute micro-averaged figures from the counts of those drawn.
//!
//! | question | method |
//! |---|---|
//! | how far may the F1 of this corpus be off? | [`interval`]: percentile bootstrap (Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, section 13.3) |
//! | are two systems different on the same documents? | [`difference`]: paired approximate randomisation (Noreen, "Computer-Intensive Methods for Testing Hypotheses", 1989; Yeh, "More accurate tests for the statistical significance of result differences", COLING 2000) |
//! | how far may that difference be off? | [`difference_interval`]: percentile bootstrap over the documents, of both systems together |
//! | which of many differences stand? | [`holm`]: Holm's step-down correction ("A simple sequentially rejective multiple test procedure", 1979) |
//!
//! ```
//! use gramask_ner::metrics::{Counts, difference, holm, interval};
//! let document = |correct, missed| Counts { correct, missed, ..Counts::default() };
//! let good: Vec<Counts> = (0..40).map(|i| document(2, i % 2)).collect();
//! let bad: Vec<Counts> = (0..40).map(|i| document(1, 1 + i % 2)).collect();
//!
//! let interval = interval(&good, 0.95, 2_000, 1);
//! assert!(interval.low < interval.value && interval.value < interval.high);
//! let test = difference(&good, &bad, 2_000, 1).unwrap();
//! assert!(test.difference > 0.2 && test.p < 0.001);
//! // Two tests at once: the smaller p counts double.
//! assert_eq!(holm(&[0.04, 0.01]), [0.04, 0.02]);
//! ```

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::schemes::Counts;

/// A figure and the interval that holds it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// The figure of all documents.
    pub value: f64,
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

/// The difference of two systems' F1, and how likely one as great would be if there were none.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Difference {
    /// The first system's F1 less the second's.
    pub difference: f64,
    /// The two-sided p-value.
    pub p: f64,
}

/// Systems that cannot be compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a paired test needs the same documents of both systems, but there are {first} and {second}")]
pub struct Unpaired {
    /// Documents of the first system.
    pub first: usize,
    /// Documents of the second system.
    pub second: usize,
}

/// The interval of the micro-averaged F1 at a confidence between 0 and 1, from so many bootstrap samples of the documents.
///
/// The ends are quantiles with linear interpolation. A seed gives the same samples on every machine. Without a document all
/// is 0.
pub fn interval(documents: &[Counts], confidence: f64, samples: usize, seed: u64) -> Interval {
    let value = f1(documents.iter());
    if documents.is_empty() || samples == 0 {
        return Interval {
            value,
            low: value,
            high: value,
        };
    }
    let mut numbers = Numbers(seed);
    let mut drawn: Vec<f64> = (0..samples)
        .map(|_| f1((0..documents.len()).map(|_| &documents[numbers.below(documents.len())])))
        .collect();
    drawn.sort_unstable_by(f64::total_cmp);
    let tail = (1.0 - confidence.clamp(0.0, 1.0)) / 2.0;
    Interval {
        value,
        low: quantile(&drawn, tail),
        high: quantile(&drawn, 1.0 - tail),
    }
}

/// Tests whether two systems differ on the same documents, given in the same order.
///
/// If they did not, exchanging their outputs of a document would change nothing. So each document's counts are exchanged
/// with probability one half, in so many shuffles, and p is the share of shuffles whose difference is at least as great in
/// either direction, the observed order counted as one more: `(hits + 1) / (shuffles + 1)`, which is never 0.
///
/// # Errors
/// [`Unpaired`] where the numbers of documents differ.
pub fn difference(first: &[Counts], second: &[Counts], shuffles: usize, seed: u64) -> Result<Difference, Unpaired> {
    if first.len() != second.len() {
        return Err(Unpaired {
            first: first.len(),
            second: second.len(),
        });
    }
    let observed = f1(first.iter()) - f1(second.iter());
    // A document that both treat alike is the same exchanged or not.
    let pairs: Vec<(&Counts, &Counts)> = first.iter().zip(second).filter(|(a, b)| a != b).collect();
    let mut common = Counts::default();
    first
        .iter()
        .zip(second)
        .filter(|(a, b)| a == b)
        .for_each(|(a, _)| common.add(a));
    let mut numbers = Numbers(seed);
    let mut hits = 0usize;
    for _ in 0..shuffles {
        let (mut left, mut right) = (common, common);
        let (mut bits, mut left_over) = (0, 0);
        for (a, b) in &pairs {
            if left_over == 0 {
                (bits, left_over) = (numbers.next(), 64);
            }
            let (a, b) = if bits & 1 == 1 { (b, a) } else { (a, b) };
            left.add(a);
            right.add(b);
            (bits, left_over) = (bits >> 1, left_over - 1);
        }
        // The margin is for sums of the same numbers in another order.
        hits += usize::from((left.score().f1 - right.score().f1).abs() >= observed.abs() - 1e-12);
    }
    Ok(Difference {
        difference: observed,
        p: (hits + 1) as f64 / (shuffles + 1) as f64,
    })
}

/// The interval of the difference of two systems' F1 on the same documents, given in the same order: each bootstrap sample
/// draws documents, and takes both systems' counts of them.
///
/// # Errors
/// [`Unpaired`] where the numbers of documents differ.
pub fn difference_interval(
    first: &[Counts],
    second: &[Counts],
    confidence: f64,
    samples: usize,
    seed: u64,
) -> Result<Interval, Unpaired> {
    if first.len() != second.len() {
        return Err(Unpaired {
            first: first.len(),
            second: second.len(),
        });
    }
    let value = f1(first.iter()) - f1(second.iter());
    let mut numbers = Numbers(seed);
    let mut drawn: Vec<f64> = (0..if first.is_empty() { 0 } else { samples })
        .map(|_| {
            let (mut a, mut b) = (Counts::default(), Counts::default());
            for _ in 0..first.len() {
                let document = numbers.below(first.len());
                a.add(&first[document]);
                b.add(&second[document]);
            }
            a.score().f1 - b.score().f1
        })
        .collect();
    drawn.sort_unstable_by(f64::total_cmp);
    let tail = (1.0 - confidence.clamp(0.0, 1.0)) / 2.0;
    let end = |share| {
        if drawn.is_empty() {
            value
        } else {
            quantile(&drawn, share)
        }
    };
    Ok(Interval {
        value,
        low: end(tail),
        high: end(1.0 - tail),
    })
}

/// The p-values of several tests, adjusted so that rejecting those below a level makes any false rejection at most as likely
/// as the level: the smallest is multiplied by the number of tests, the next by one less, and so on; none falls below one
/// before it, nor exceeds 1. In the order given.
pub fn holm(p: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|&a, &b| p[a].total_cmp(&p[b]));
    let mut adjusted = vec![0.0; p.len()];
    let mut least: f64 = 0.0;
    for (rank, &test) in order.iter().enumerate() {
        least = least.max((p[test] * (p.len() - rank) as f64).min(1.0));
        adjusted[test] = least;
    }
    adjusted
}

/// The micro-averaged F1.
fn f1<'a>(documents: impl Iterator<Item = &'a Counts>) -> f64 {
    let mut all = Counts::default();
    documents.for_each(|counts| all.add(counts));
    all.score().f1
}

/// A quantile of sorted values, linear between neighbours (Hyndman and Fan's type 7, as NumPy's default).
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let place = share * (sorted.len() - 1) as f64;
    let (below, part) = (place.floor() as usize, place.fract());
    let above = (below + 1).min(sorted.len() - 1);
    sorted[below] + part * (sorted[above] - sorted[below])
}

/// SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014, figure 16).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let x = (self.0 ^ self.0 >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let x = (x ^ x >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        x ^ x >> 31
    }

    /// A number below `n`, by multiplication: its bias is below `n / 2^64`.
    fn below(&mut self, n: usize) -> usize {
        ((u128::from(self.next()) * n as u128) >> 64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(correct: usize, missed: usize, spurious: usize) -> Counts {
        Counts {
            correct,
            missed,
            spurious,
            ..Counts::default()
        }
    }

    /// Of six documents that differ, all 64 exchanges can be tried.
    #[test]
    fn shuffles_come_near_the_exact_test() {
        let first = [
            (3, 0, 0),
            (1, 1, 0),
            (2, 0, 1),
            (0, 1, 0),
            (2, 1, 0),
            (1, 0, 0),
            (1, 1, 1),
        ];
        let second = [
            (1, 2, 1),
            (1, 1, 2),
            (0, 2, 0),
            (1, 0, 0),
            (1, 2, 1),
            (0, 1, 0),
            (1, 1, 1),
        ];
        let [first, second] = [first, second].map(|all| all.map(|(c, m, s)| counts(c, m, s)));
        let observed = f1(first.iter()) - f1(second.iter());
        let mut hits = 0;
        for exchanged in 0..64 {
            let of = |side: bool| {
                let pick = |i: usize| {
                    if (exchanged >> i & 1 == 1) == side {
                        second[i]
                    } else {
                        first[i]
                    }
                };
                f1((0..7).map(pick).collect::<Vec<_>>().iter())
            };
            hits += usize::from((of(false) - of(true)).abs() >= observed.abs() - 1e-12);
        }
        let exact = hits as f64 / 64.0;
        let test = difference(&first, &second, 100_000, 7).unwrap();
        assert!((test.difference - observed).abs() < 1e-12);
        // Five standard errors.
        assert!(
            (test.p - exact).abs() < 5.0 * (exact * (1.0 - exact) / 1e5).sqrt() + 2e-5,
            "{} {exact}",
            test.p
        );
        assert!(exact > 0.01 && exact < 0.5, "{exact}");
    }

    #[test]
    fn the_order_of_two_systems_turns_the_sign_alone() {
        let first: Vec<Counts> = (0..30).map(|i| counts(i % 3, i % 2, 1)).collect();
        let second: Vec<Counts> = (0..30).map(|i| counts(i % 3, 1, i % 2)).collect();
        let (there, back) = (
            difference(&first, &second, 999, 1).unwrap(),
            difference(&second, &first, 999, 1).unwrap(),
        );
        assert_eq!((there.p, there.difference), (back.p, -back.difference));
        let same = difference(&first, &first, 999, 1).unwrap();
        assert_eq!((same.p, same.difference), (1.0, 0.0));
        let unpaired = difference(&first, &second[1..], 9, 1).unwrap_err();
        assert!(unpaired.to_string().contains("30 and 29"));
    }

    #[test]
    fn intervals_of_differences_are_paired() {
        // One hit in each document, and a second one in every other document of the first system.
        let second: Vec<Counts> = (0..200).map(|_| counts(1, 1, 0)).collect();
        let first: Vec<Counts> = (0..200).map(|i| counts(1 + i % 2, 1 - i % 2, 0)).collect();
        let found = difference_interval(&first, &second, 0.95, 2_000, 3).unwrap();
        assert!((found.value - (6.0 / 7.0 - 2.0 / 3.0)).abs() < 1e-12, "{found:?}");
        assert!(found.low > 0.15 && found.low < found.value && found.value < found.high && found.high < 0.23);
        let same = difference_interval(&first, &first, 0.95, 100, 3).unwrap();
        assert_eq!((same.low, same.value, same.high), (0.0, 0.0, 0.0));
        assert!(difference_interval(&first, &first[1..], 0.95, 100, 3).is_err());
        let empty = difference_interval(&[], &[], 0.95, 100, 3).unwrap();
        assert_eq!((empty.low, empty.high), (0.0, 0.0));
    }

    #[test]
    fn intervals_are_quantiles_of_the_samples() {
        assert_eq!(quantile(&[1.0, 2.0, 4.0], 0.25), 1.5);
        assert_eq!(quantile(&[1.0, 2.0, 4.0], 1.0), 4.0);
        let all_right = vec![counts(2, 0, 0); 10];
        let sure = interval(&all_right, 0.95, 100, 1);
        assert_eq!((sure.value, sure.low, sure.high), (1.0, 1.0, 1.0));
        assert_eq!(interval(&[], 0.95, 100, 1).value, 0.0);
        // More documents of the same kind make it narrower, by about the square root.
        let mixed = |n: usize| (0..n).map(|i| counts(i % 3, (i + 1) % 2, i % 2)).collect::<Vec<_>>();
        let width = |n| {
            let interval = interval(&mixed(n), 0.95, 4_000, 3);
            interval.high - interval.low
        };
        let ratio = width(60) / width(960);
        assert!((3.2..4.8).contains(&ratio), "{ratio}");
    }

    /// The example of Holm's procedure in most textbooks.
    #[test]
    fn many_tests_are_corrected() {
        let adjusted = holm(&[0.01, 0.04, 0.03, 0.005]);
        for (got, wanted) in adjusted.iter().zip([0.03, 0.06, 0.06, 0.02]) {
            assert!((got - wanted).abs() < 1e-12, "{adjusted:?}");
        }
        assert_eq!(holm(&[0.9, 0.8]), [1.0, 1.0]);
        assert_eq!(holm(&[]), Vec::<f64>::new());
    }
}
