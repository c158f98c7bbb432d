//! The scores of a cell, and the sums and means that its metrics are made of.

use std::collections::BTreeMap;

use gramask_ner::metrics::{Counts, Interval, Leniencies, Matches, Schemes, Score, Tally as _, mean_interval, wilson};

use super::ScoreRow;

/// Bootstrap samples of an interval, and the seed that they are drawn with.
const SAMPLES: (usize, u64) = (2_000, 1);

/// The scores of each seed, by document.
pub type Seeds<'a> = BTreeMap<Option<u64>, BTreeMap<&'a str, &'a ScoreRow>>;

/// Sorts the scores of a cell by seed and document.
pub fn by_seed<'a>(of_cell: &[&'a ScoreRow]) -> Seeds<'a> {
    let mut seeds = Seeds::new();
    for scored in of_cell {
        seeds.entry(scored.seed).or_default().insert(&scored.document, scored);
    }
    seeds
}

/// All scores of a cell, of all its seeds: what the formulas of [`COLUMNS`](super::COLUMNS) are given.
pub struct CellScores<'a> {
    rows: Vec<&'a ScoreRow>,
    seeds: Seeds<'a>,
    /// The micro-averaged scores of each seed.
    schemes: Vec<Schemes<Score>>,
    f1_interval: Interval,
}

impl<'a> CellScores<'a> {
    /// Of a cell's scores, in any order.
    pub fn new(mut rows: Vec<&'a ScoreRow>) -> CellScores<'a> {
        // Sums of floating-point numbers, and bootstrap samples, depend on an order.
        rows.sort_by(|a, b| (a.seed, &a.document).cmp(&(b.seed, &b.document)));
        let seeds = by_seed(&rows);
        let strict: Vec<Vec<Matches>> = of_common(&seeds, ScoreRow::matches);
        let strict: Vec<&[Matches]> = strict.iter().map(Vec::as_slice).collect();
        let f1_interval = mean_interval(&strict, 0.95, SAMPLES.0, SAMPLES.1);
        let schemes = seeds.values().map(schemes).collect();
        CellScores { rows, seeds, schemes, f1_interval }
    }

    /// Documents, each with an output for each seed.
    pub fn documents(&self) -> usize {
        self.seeds.values().map(BTreeMap::len).max().unwrap_or(0)
    }

    /// Seeds; one where the cell has none of its own.
    pub fn seeds(&self) -> usize {
        self.seeds.len()
    }

    /// The bootstrap interval of strict F1.
    pub fn f1_interval(&self) -> &Interval {
        &self.f1_interval
    }

    /// How many documents, times seeds, something holds of.
    pub fn count(&self, is: impl Fn(&ScoreRow) -> bool) -> usize {
        self.rows.iter().filter(|row| is(row)).count()
    }

    /// A sum of counts over the outputs.
    pub fn sum(&self, count: impl Fn(&ScoreRow) -> usize) -> usize {
        self.rows.iter().map(|row| count(row)).sum()
    }

    /// A sum of quantities over the outputs.
    pub fn total(&self, quantity: impl Fn(&ScoreRow) -> f64) -> f64 {
        // Not `sum`, which begins with -0.
        self.rows.iter().fold(0.0, |sum, row| sum + quantity(row))
    }

    /// The outputs: what was decoded. A document that could not be decoded has none.
    pub fn outputs(&self) -> usize {
        self.count(|row| row.not_decoded == 0)
    }

    /// Something per output; 0 where there is no output.
    pub fn per_output(&self, sum: f64) -> f64 {
        per(sum, self.outputs() as f64)
    }

    /// The share of the outputs of which something holds.
    pub fn share(&self, is: impl Fn(&ScoreRow) -> bool) -> f64 {
        self.per_output(self.count(is) as f64)
    }

    /// The share of the outputs of which something holds, among those of which it is known; none where it is of none.
    pub fn known_share(&self, is: impl Fn(&ScoreRow) -> Option<bool>) -> Option<f64> {
        ratio(self.count(|row| is(row) == Some(true)) as f64, self.count(|row| is(row).is_some()))
    }

    /// That share with its 95 % interval; none where it is known of no output.
    pub fn wilson(&self, is: impl Fn(&ScoreRow) -> Option<bool>) -> Option<Interval> {
        wilson(self.count(|row| is(row) == Some(true)), self.count(|row| is(row).is_some()))
    }

    /// Something per output token; 0 where there is no token.
    pub fn per_token(&self, sum: f64) -> f64 {
        per(sum, self.sum(|row| row.output_tokens) as f64)
    }

    /// Something per second of work, the shared prompts included; 0 where no time was taken.
    pub fn per_second(&self, sum: f64) -> f64 {
        per(sum, self.total(|row| row.wall_s) + self.total(|row| row.restored_s))
    }

    /// The mean over the outputs of which it is known; none where of no output.
    pub fn mean_known(&self, quantity: impl Fn(&ScoreRow) -> Option<f64>) -> Option<f64> {
        let known = self.count(|row| quantity(row).is_some());
        ratio(self.total(|row| quantity(row).unwrap_or(0.0)), known)
    }

    /// The mean of a score over the seeds.
    pub fn seed_mean(&self, score: impl Fn(&Schemes<Score>) -> f64) -> f64 {
        self.schemes.iter().map(score).sum::<f64>() / self.schemes.len().max(1) as f64
    }

    /// The standard deviation of a score over the seeds; none of one seed.
    pub fn seed_deviation(&self, score: impl Fn(&Schemes<Score>) -> f64) -> Option<f64> {
        let mean = self.seed_mean(&score);
        let squares = || self.schemes.iter().map(|schemes| (score(schemes) - mean).powi(2)).sum::<f64>();
        (self.schemes.len() > 1).then(|| (squares() / (self.schemes.len() - 1) as f64).sqrt())
    }

    /// The mean over the seeds of the F1 at a leniency; none where that is not known of all outputs.
    pub fn lenient_f1(&self, pick: impl Fn(&Leniencies) -> Matches) -> Option<f64> {
        let of_seed = |of: &BTreeMap<&str, &ScoreRow>| {
            let mut all = Matches::default();
            for scored in of.values() {
                all.add(&pick(&scored.leniencies()?));
            }
            Some(all.figure())
        };
        let f1: Vec<f64> = self.seeds.values().map(of_seed).collect::<Option<_>>()?;
        (!f1.is_empty()).then(|| f1.iter().sum::<f64>() / f1.len() as f64)
    }
}

/// A quotient; 0 where there is nothing to divide by.
pub fn per(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole } else { 0.0 }
}

/// A mean; none of nothing.
pub fn ratio(sum: f64, of: usize) -> Option<f64> {
    (of > 0).then(|| sum / of as f64)
}

/// Seed by seed, something of the documents that all seeds have, in one order.
fn of_common<T>(seeds: &Seeds<'_>, pick: impl Fn(&ScoreRow) -> T) -> Vec<Vec<T>> {
    let everywhere = |document: &str| seeds.values().all(|of| of.contains_key(document));
    let of_seed = |of: &BTreeMap<&str, &ScoreRow>| {
        let kept = of.iter().filter(|(document, _)| everywhere(document));
        kept.map(|(_, scored)| pick(scored)).collect()
    };
    seeds.values().map(of_seed).collect()
}

/// The micro-averaged scores of a seed.
fn schemes(scored: &BTreeMap<&str, &ScoreRow>) -> Schemes<Score> {
    let sum = |correct: fn(&ScoreRow) -> usize, partial: fn(&ScoreRow) -> usize| {
        let mut all = Counts::default();
        for scored in scored.values() {
            let (correct, partial) = (correct(scored), partial(scored));
            all.add(&Counts {
                correct,
                incorrect: 0,
                partial,
                missed: scored.gold.saturating_sub(correct + partial),
                spurious: scored.predicted.saturating_sub(correct + partial),
            });
        }
        all.score()
    };
    Schemes {
        strict: sum(|scored| scored.strict, |_| 0),
        exact: sum(|scored| scored.exact, |_| 0),
        partial: sum(|scored| scored.exact, |scored| scored.overlapping),
        type_: sum(|scored| scored.type_, |_| 0),
    }
}
