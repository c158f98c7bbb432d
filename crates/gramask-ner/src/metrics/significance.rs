//! How sure a figure is: intervals of F1 and of shares, tests of a difference, and what many tests at once do to them.
//!
//! All methods resample **documents**, never entities, since the entities of a document are not independent. They take the
//! counts of each document in one scheme, and compute micro-averaged figures from the counts of those drawn.
//!
//! | question | method |
//! |---|---|
//! | how far may the F1 of this corpus be off? | [`interval`]: percentile bootstrap (Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, section 13.3) |
//! | are two systems different on the same documents? | [`difference`]: paired approximate randomisation (Noreen, "Computer-Intensive Methods for Testing Hypotheses", 1989; Yeh, "More accurate tests for the statistical significance of result differences", COLING 2000) |
//! | how large is the difference? | [`difference_interval`]: the same bootstrap, with the outputs of both systems in each sample |
//! | and of outputs with several seeds? | [`mean_interval`] and [`mean_difference`]: the same with the mean of the seeds' F1, the seeds of a document kept together |
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
use gramask_random::Rng;

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

/// The difference of two systems' figures, and how likely one as great would be if there were none.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Difference {
    /// The first system's figure less the second's.
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

/// What is counted of a document: counts that can be summed, and the figure of a sum, such as the micro-averaged F1.
pub trait Tally: Copy + Default + PartialEq {
    /// Adds the counts of another document.
    fn add(&mut self, other: &Self);
    /// The figure of the sum, from 0 to 1.
    fn figure(&self) -> f64;
}

impl Tally for Counts {
    fn add(&mut self, other: &Self) {
        Counts::add(self, other);
    }

    fn figure(&self) -> f64 {
        self.score().f1
    }
}

/// The interval of the micro-averaged F1 at a confidence between 0 and 1, from so many bootstrap samples of the documents.
///
/// The ends are quantiles with linear interpolation. A seed gives the same samples on every machine. Without a document all
/// is 0.
pub fn interval<T: Tally>(documents: &[T], confidence: f64, samples: usize, seed: u64) -> Interval {
    mean_interval(&[documents], confidence, samples, seed)
}

/// The interval of the F1 of several outputs of the same documents, drawn with other seeds: the mean of the seeds' F1.
///
/// The documents are drawn, and of each of them the outputs of all seeds stay together, because they are about the same text.
/// So the interval is that of the mean over these seeds; how far the seeds are apart is another figure.
pub fn mean_interval<T: Tally>(seeds: &[&[T]], confidence: f64, samples: usize, seed: u64) -> Interval {
    let documents = shortest(seeds);
    let drawn = bootstrap(documents, samples, seed, |places| [mean_figure(seeds, places.iter().copied())]);
    let value = mean_figure(seeds, 0..documents);
    Interval::of(value, drawn.into_iter().map(|[value]| value).collect(), confidence)
}

/// The difference of the figures of two systems on the same documents, given in the same order, with its interval. A sample draws
/// documents, and of each document the outputs of both systems and of all seeds.
///
/// # Errors
/// [`Unpaired`] where the numbers of documents differ.
pub fn difference_interval<T: Tally>(
    first: &[&[T]],
    second: &[&[T]],
    confidence: f64,
    samples: usize,
    seed: u64,
) -> Result<Interval, Unpaired> {
    let documents = paired(first, second)?;
    let of =
        |places: &[usize]| mean_figure(first, places.iter().copied()) - mean_figure(second, places.iter().copied());
    let drawn = bootstrap(documents, samples, seed, |places| [of(places)]);
    let value = of(&(0..documents).collect::<Vec<usize>>());
    Ok(Interval::of(value, drawn.into_iter().map(|[value]| value).collect(), confidence))
}

/// Tests whether two systems differ on the same documents, given in the same order.
///
/// If they did not, exchanging their outputs of a document would change nothing. So each document's counts are exchanged
/// with probability one half, in so many shuffles, and p is the share of shuffles whose difference is at least as great in
/// either direction, the observed order counted as one more: `(hits + 1) / (shuffles + 1)`, which is never 0.
///
/// # Errors
/// [`Unpaired`] where the numbers of documents differ.
pub fn difference<T: Tally>(first: &[T], second: &[T], shuffles: usize, seed: u64) -> Result<Difference, Unpaired> {
    mean_difference(&[first], &[second], shuffles, seed)
}

/// The same of systems with several outputs of each document, drawn with other seeds: the difference of the means of the
/// seeds' F1. A document's outputs are exchanged all together. Of a system with fewer seeds, such as a greedy one, the outputs
/// are taken again from the first on.
///
/// # Errors
/// [`Unpaired`] where the numbers of documents differ.
pub fn mean_difference<T: Tally>(
    first: &[&[T]],
    second: &[&[T]],
    shuffles: usize,
    seed: u64,
) -> Result<Difference, Unpaired> {
    let documents = paired(first, second)?;
    let observed = mean_figure(first, 0..documents) - mean_figure(second, 0..documents);
    let count = match first.is_empty() || second.is_empty() {
        true => 0,
        false => first.len().max(second.len()),
    };
    let pairs_of = |document: usize| {
        (0..count).map(move |at| (first[at % first.len()][document], second[at % second.len()][document]))
    };
    // A document that both treat alike is the same exchanged or not.
    let (same, differing): (Vec<usize>, Vec<usize>) =
        (0..documents).partition(|&document| pairs_of(document).all(|(a, b)| a == b));
    let differing: Vec<Vec<(T, T)>> = differing.into_iter().map(|document| pairs_of(document).collect()).collect();
    let mut common = vec![T::default(); count];
    for document in same {
        common.iter_mut().zip(pairs_of(document)).for_each(|(sum, (a, _))| sum.add(&a));
    }
    let mean = |of: &[T]| of.iter().map(T::figure).sum::<f64>() / of.len().max(1) as f64;
    let mut numbers = Rng::new(seed);
    let mut hits = 0usize;
    for _ in 0..shuffles {
        let (mut left, mut right) = (common.clone(), common.clone());
        let (mut bits, mut left_over) = (0, 0);
        for pairs in &differing {
            if left_over == 0 {
                (bits, left_over) = (numbers.next(), 64);
            }
            for (at, (a, b)) in pairs.iter().enumerate() {
                let (a, b) = if bits & 1 == 1 { (b, a) } else { (a, b) };
                left[at].add(a);
                right[at].add(b);
            }
            (bits, left_over) = (bits >> 1, left_over - 1);
        }
        // The margin is for sums of the same numbers in another order.
        hits += usize::from((mean(&left) - mean(&right)).abs() >= observed.abs() - 1e-12);
    }
    Ok(Difference { difference: observed, p: (hits + 1) as f64 / (shuffles + 1) as f64 })
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

impl Interval {
    /// A figure and the interval that holds a share of what was drawn; the figure alone where nothing was.
    pub(super) fn of(value: f64, mut drawn: Vec<f64>, confidence: f64) -> Interval {
        if drawn.is_empty() {
            return Interval { value, low: value, high: value };
        }
        drawn.sort_unstable_by(f64::total_cmp);
        let tail = (1.0 - confidence.clamp(0.0, 1.0)) / 2.0;
        Interval { value, low: quantile(&drawn, tail), high: quantile(&drawn, 1.0 - tail) }
    }
}

/// Figures of so many bootstrap samples, each of as many documents as there are, drawn with replacement.
pub(super) fn bootstrap<const N: usize>(
    documents: usize,
    samples: usize,
    seed: u64,
    figures: impl Fn(&[usize]) -> [f64; N],
) -> Vec<[f64; N]> {
    if documents == 0 {
        return Vec::new();
    }
    let mut numbers = Rng::new(seed);
    let mut places = vec![0; documents];
    let sample = |_| {
        places.iter_mut().for_each(|place| *place = numbers.below(documents));
        figures(&places)
    };
    (0..samples).map(sample).collect()
}

/// The mean over the seeds of the figure of some documents.
pub(super) fn mean_figure<T: Tally>(seeds: &[&[T]], places: impl Iterator<Item = usize> + Clone) -> f64 {
    let figure = |documents: &&[T]| {
        let mut all = T::default();
        places.clone().for_each(|place| all.add(&documents[place]));
        all.figure()
    };
    seeds.iter().map(figure).sum::<f64>() / seeds.len().max(1) as f64
}

/// The number of documents of two systems, which is that of all their seeds.
pub(super) fn paired<T>(first: &[&[T]], second: &[&[T]]) -> Result<usize, Unpaired> {
    let documents = shortest(first);
    let unpaired = |of: &[&[T]]| of.iter().map(|of| of.len()).find(|&length| length != documents);
    match unpaired(first).or(unpaired(second)) {
        Some(other) => Err(Unpaired { first: documents, second: other }),
        None => Ok(documents),
    }
}

/// How many documents all seeds have.
pub(super) fn shortest<T>(seeds: &[&[T]]) -> usize {
    seeds.iter().map(|documents| documents.len()).min().unwrap_or(0)
}

/// A quantile of sorted values, linear between neighbours (Hyndman and Fan's type 7, as NumPy's default).
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let place = share * (sorted.len() - 1) as f64;
    let (below, part) = (place.floor() as usize, place.fract());
    let above = (below + 1).min(sorted.len() - 1);
    sorted[below] + part * (sorted[above] - sorted[below])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn f1<'a>(documents: impl Iterator<Item = &'a Counts>) -> f64 {
        let mut all = Counts::default();
        documents.for_each(|counts| all.add(counts));
        all.score().f1
    }

    fn counts(correct: usize, missed: usize, spurious: usize) -> Counts {
        Counts { correct, missed, spurious, ..Counts::default() }
    }

    /// Of six documents that differ, all 64 exchanges can be tried.
    #[test]
    fn shuffles_come_near_the_exact_test() {
        let first = [(3, 0, 0), (1, 1, 0), (2, 0, 1), (0, 1, 0), (2, 1, 0), (1, 0, 0), (1, 1, 1)];
        let second = [(1, 2, 1), (1, 1, 2), (0, 2, 0), (1, 0, 0), (1, 2, 1), (0, 1, 0), (1, 1, 1)];
        let [first, second] = [first, second].map(|all| all.map(|(c, m, s)| counts(c, m, s)));
        let observed = f1(first.iter()) - f1(second.iter());
        let mut hits = 0;
        for exchanged in 0..64 {
            let of = |side: bool| {
                let pick = |i: usize| {
                    if (exchanged >> i & 1 == 1) == side { second[i] } else { first[i] }
                };
                f1((0..7).map(pick).collect::<Vec<_>>().iter())
            };
            hits += usize::from((of(false) - of(true)).abs() >= observed.abs() - 1e-12);
        }
        let exact = hits as f64 / 64.0;
        let test = difference(&first, &second, 100_000, 7).unwrap();
        assert!((test.difference - observed).abs() < 1e-12);
        // Five standard errors.
        assert!((test.p - exact).abs() < 5.0 * (exact * (1.0 - exact) / 1e5).sqrt() + 2e-5, "{} {exact}", test.p);
        assert!(exact > 0.01 && exact < 0.5, "{exact}");
    }

    #[test]
    fn the_order_of_two_systems_turns_the_sign_alone() {
        let first: Vec<Counts> = (0..30).map(|i| counts(i % 3, i % 2, 1)).collect();
        let second: Vec<Counts> = (0..30).map(|i| counts(i % 3, 1, i % 2)).collect();
        let (there, back) =
            (difference(&first, &second, 999, 1).unwrap(), difference(&second, &first, 999, 1).unwrap());
        assert_eq!((there.p, there.difference), (back.p, -back.difference));
        let same = difference(&first, &first, 999, 1).unwrap();
        assert_eq!((same.p, same.difference), (1.0, 0.0));
        let unpaired = difference(&first, &second[1..], 9, 1).unwrap_err();
        assert!(unpaired.to_string().contains("30 and 29"));
        let worse: Vec<Counts> = (0..30).map(|i| counts(i % 2, 1, 1)).collect();
        let ends = difference_interval(&[&first], &[&worse], 0.95, 500, 1).unwrap();
        let back = difference_interval(&[&worse], &[&first], 0.95, 500, 1).unwrap();
        let tested = difference(&first, &worse, 999, 1).unwrap();
        assert!((ends.value - tested.difference).abs() < 1e-12 && ends.low < ends.value && ends.value < ends.high);
        assert!((ends.low + back.high).abs() < 1e-12 && (ends.high + back.low).abs() < 1e-12);
        assert!(difference_interval(&[&first], &[&second[1..]], 0.95, 500, 1).is_err());
    }

    #[test]
    fn seeds_are_averaged_and_stay_with_their_document() {
        let one: Vec<Counts> = (0..30).map(|i| counts(i % 3, i % 2, 1)).collect();
        let other: Vec<Counts> = (0..30).map(|i| counts((i + 1) % 3, i % 2, 0)).collect();
        let [a, b] = [&one, &other].map(|seed| interval(seed, 0.95, 500, 1));
        let both = mean_interval(&[&one, &other], 0.95, 500, 1);
        assert!((both.value - (a.value + b.value) / 2.0).abs() < 1e-12);
        assert_eq!(mean_interval(&[&one, &one], 0.95, 500, 1), a, "the same output twice is no more sure");
        assert!(both.low > a.low.min(b.low) && both.high < a.high.max(b.high), "{a:?} {b:?} {both:?}");

        let single = difference(&one, &other, 999, 1).unwrap();
        assert_eq!(mean_difference(&[&one, &one, &one], &[&other], 999, 1).unwrap(), single);
        let half = mean_difference(&[&one, &other], &[&other], 999, 1).unwrap();
        assert!((half.difference - single.difference / 2.0).abs() < 1e-12);
        assert!(mean_difference(&[&one, &other[1..]], &[&other], 9, 1).is_err());
    }

    #[test]
    fn intervals_are_quantiles_of_the_samples() {
        assert_eq!(quantile(&[1.0, 2.0, 4.0], 0.25), 1.5);
        assert_eq!(quantile(&[1.0, 2.0, 4.0], 1.0), 4.0);
        let all_right = vec![counts(2, 0, 0); 10];
        let sure = interval(&all_right, 0.95, 100, 1);
        assert_eq!((sure.value, sure.low, sure.high), (1.0, 1.0, 1.0));
        assert_eq!(interval::<Counts>(&[], 0.95, 100, 1).value, 0.0);
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
