//! Shares: of how many documents something holds, such as that the answer is valid.
//!
//! | question | method |
//! |---|---|
//! | how far may a share be off? | [`wilson`] |
//! | how large is the difference of two shares? | [`difference_interval`](super::difference_interval) of [`Share`]s |
//! | do two systems differ on the same documents? | [`share_difference`]: paired randomisation, computed exactly |
//!
//! ```
//! use gramask_ner::metrics::share_difference;
//! // The first system is right about ten documents that the second is wrong about, and wrong about two that it is right about.
//! let first: Vec<bool> = (0..30).map(|document| document < 10 || document >= 12).collect();
//! let second: Vec<bool> = (0..30).map(|document| document >= 10).collect();
//! let test = share_difference(&[&first], &[&second]).unwrap();
//! assert!((test.p - 0.0386).abs() < 1e-4, "McNemar's exact test");
//! ```

use super::significance::{Difference, Interval, Tally, Unpaired, paired};

/// Of how many outputs something holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Share {
    /// The outputs of which it holds.
    pub hits: usize,
    /// The outputs.
    pub outputs: usize,
}

impl Share {
    /// Of one output.
    pub fn of(hit: bool) -> Share {
        Share { hits: usize::from(hit), outputs: 1 }
    }
}

impl Tally for Share {
    fn add(&mut self, other: &Self) {
        self.hits += other.hits;
        self.outputs += other.outputs;
    }

    fn figure(&self) -> f64 {
        if self.outputs == 0 { 0.0 } else { self.hits as f64 / self.outputs as f64 }
    }
}

/// A share with its 95 % interval: E. B. Wilson, "Probable inference, the law of succession, and statistical inference", 1927. None
/// without an output.
pub fn wilson(hits: usize, outputs: usize) -> Option<Interval> {
    const Z: f64 = 1.959_963_985;
    if outputs == 0 {
        return None;
    }
    let n = outputs as f64;
    let share = hits as f64 / n;
    let (scale, centre) = (1.0 + Z * Z / n, share + Z * Z / (2.0 * n));
    let half = Z * (share * (1.0 - share) / n + Z * Z / (4.0 * n * n)).sqrt();
    Some(Interval { value: share, low: ((centre - half) / scale).max(0.0), high: ((centre + half) / scale).min(1.0) })
}

/// Tests whether the shares of two systems differ on the same documents, given in the same order: `first[seed][document]` tells
/// whether something holds of an output. Of several seeds, the mean of their shares counts.
///
/// If the systems did not differ, exchanging their outputs of a document, all seeds together, would change nothing. p is the
/// probability that random exchanges give a difference at least as great in either direction. It is computed over all exchanges, not
/// estimated by shuffles. With one seed each this is McNemar's exact test ("Note on the sampling error of the difference between
/// correlated proportions or percentages", 1947, with the binomial distribution).
///
/// # Errors
/// [`Unpaired`] where the numbers of documents differ.
pub fn share_difference(first: &[&[bool]], second: &[&[bool]]) -> Result<Difference, Unpaired> {
    let documents = paired(first, second)?;
    if first.is_empty() || second.is_empty() || documents == 0 {
        return Ok(Difference { difference: 0.0, p: 1.0 });
    }
    // In units of one output of `common` seeds, every document's difference is a whole number.
    let common = first.len() / gcd(first.len(), second.len()) * second.len();
    let hits =
        |seeds: &[&[bool]], document: usize| seeds.iter().filter(|of| of[document]).count() * (common / seeds.len());
    let differences: Vec<i64> =
        (0..documents).map(|document| hits(first, document) as i64 - hits(second, document) as i64).collect();
    let observed: i64 = differences.iter().sum();
    Ok(Difference { difference: observed as f64 / (common * documents) as f64, p: exchanged(&differences, observed) })
}

/// The probability that the sum of these numbers, each with a random sign, is as far from 0 as the observed one.
fn exchanged(differences: &[i64], observed: i64) -> f64 {
    let sizes: Vec<usize> =
        differences.iter().map(|size| size.unsigned_abs() as usize).filter(|&size| size > 0).collect();
    let unit = sizes.iter().copied().fold(0, gcd).max(1);
    let sizes: Vec<usize> = sizes.into_iter().map(|size| size / unit).collect();
    let whole: usize = sizes.iter().sum();
    // `probability[sum]` that the numbers with a positive sign have this sum; all numbers together then have 2 * sum - whole.
    let mut probability = vec![0.0; whole + 1];
    probability[0] = 1.0;
    let mut reached = 0;
    for size in sizes {
        reached += size;
        for sum in (0..=reached).rev() {
            let with = if sum >= size { probability[sum - size] } else { 0.0 };
            probability[sum] = (probability[sum] + with) / 2.0;
        }
    }
    let least = observed.unsigned_abs() as usize / unit;
    let far = probability.iter().enumerate().filter(|(sum, _)| (2 * sum).abs_diff(whole) >= least);
    far.map(|(_, probability)| probability).sum::<f64>().min(1.0)
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::mean_difference;

    #[test]
    fn one_seed_gives_the_exact_test_of_mcnemar() {
        // The second is right `gained` times where the first is wrong, the other way round `lost` times, and both are right thrice.
        let p = |gained: usize, lost: usize| {
            let only = |right: bool, count| std::iter::repeat_n(right, count);
            let first: Vec<bool> = only(false, gained).chain(only(true, lost + 3)).collect();
            let second: Vec<bool> = only(true, gained).chain(only(false, lost)).chain(only(true, 3)).collect();
            let test = share_difference(&[&first], &[&second]).unwrap();
            let expected = (lost as f64 - gained as f64) / (gained + lost + 3) as f64;
            assert!((test.difference - expected).abs() < 1e-12);
            test.p
        };
        // Twice the binomial tail: 1 + 12 + 66 of 4,096; 1 of 2^34; never above 1.
        assert!((p(10, 2) - 2.0 * 79.0 / 4096.0).abs() < 1e-12);
        assert_eq!(p(10, 2), p(2, 10));
        assert!((p(35, 0) / 0.5f64.powi(34) - 1.0).abs() < 1e-9);
        assert_eq!((p(3, 3), p(0, 0), p(1, 0)), (1.0, 1.0, 1.0));
    }

    #[test]
    fn seeds_are_exchanged_together() {
        let first: [&[bool]; 2] = [&[true, true, false, true, true], &[true, false, false, true, true]];
        let second: [&[bool]; 3] = [
            &[false, false, false, true, false],
            &[true, false, true, false, false],
            &[false, false, false, false, false],
        ];
        let test = share_difference(&first, &second).unwrap();
        assert!((test.difference - (0.7 - 0.2)).abs() < 1e-12);
        // All 32 exchanges, with the documents' differences in sixths.
        let sixths = [4, 3, -2, 4, 6];
        let sums = (0..32).map(|signs: i32| -> i32 {
            sixths.iter().enumerate().map(|(at, size)| if signs >> at & 1 == 1 { *size } else { -size }).sum()
        });
        let exact = sums.filter(|sum: &i32| sum.abs() >= 15).count() as f64 / 32.0;
        assert!((test.p - exact).abs() < 1e-12, "{} {exact}", test.p);
        assert!(share_difference(&first, &[&[true; 4]]).is_err());
    }

    #[test]
    fn shuffles_come_near() {
        let first: Vec<bool> = (0..60).map(|document| document % 3 > 0).collect();
        let second: Vec<bool> = (0..60).map(|document| document % 4 == 1).collect();
        let exact = share_difference(&[&first], &[&second]).unwrap();
        let [first, second] = [&first, &second].map(|of| of.iter().map(|hit| Share::of(*hit)).collect::<Vec<Share>>());
        let shuffled = mean_difference(&[&first], &[&second], 100_000, 1).unwrap();
        assert!((shuffled.difference - exact.difference).abs() < 1e-12);
        assert!((shuffled.p - exact.p).abs() < 5.0 * (exact.p / 1e5).sqrt() + 2e-5, "{} {}", shuffled.p, exact.p);
    }

    #[test]
    fn intervals_of_shares_are_those_of_the_textbook() {
        let interval = wilson(36, 36).unwrap();
        assert!((interval.low - 0.9036).abs() < 1e-4 && interval.high == 1.0);
        let interval = wilson(1, 36).unwrap();
        assert!((interval.low - 0.0049).abs() < 1e-4 && (interval.high - 0.1417).abs() < 1e-4);
        assert_eq!(wilson(0, 0), None);
    }
}
