//! Comparing cells: whether their figures differ, and what a difference of F1 consists of.
//!
//! Each cell is compared with another cell on the documents that both have. A paired test with Holm's correction for all comparisons
//! tells whether they differ. Cells of corpora are compared by F1, and the difference is split into parsing, copying, counting and
//! recognition. Cells of tasks are compared by the shares of valid and of expected answers. Everything is computed from scores, without
//! a model or a corpus: see `docs/statistics.md`.

mod against;
mod metric;

use std::collections::BTreeMap;

use gramask_ner::metrics::{
    Difference, Gap, Interval, Leniencies, Share, difference_interval, gap, holm, mean_difference, mean_interval,
    share_difference, wilson,
};

pub use against::{Against, CompareError};
pub use metric::Metric;

use super::ScoreRow;
use super::metrics::{Seeds, by_seed};
use crate::experiment::Cell;

/// The confidence of an interval, the shuffles of a test, the samples of an interval, and the seed of both.
const CONFIDENCE: f64 = 0.95;
const SHUFFLES: usize = 10_000;
const SAMPLES: usize = 2_000;
const SEED: u64 = 1;

/// The comparison of two cells by a metric, on the documents that both have.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// The cell.
    pub cell: Cell,
    /// The other cell.
    pub against: Cell,
    /// What is compared.
    pub metric: Metric,
    /// The number of documents of which all seeds of both cells have the metric.
    pub documents: usize,
    /// The cell's figure, the mean of its seeds.
    pub figure: Interval,
    /// The figure of the other cell.
    pub against_figure: Interval,
    /// The difference, with the interval of a paired bootstrap.
    pub difference: Interval,
    /// The two-sided p-value of the paired test.
    pub p: f64,
    /// The p-value with Holm's correction for all comparisons.
    pub p_holm: f64,
    /// The parts of a difference of F1. None if the leniencies of a document are unknown.
    pub gap: Option<Gap>,
}

/// Compares each cell with its other cell, if there is one, in the order of the scores and by the metrics that both cells have.
///
/// # Errors
/// [`CompareError::Nothing`] if no cell has another cell; [`CompareError::NoMetric`] if none of these cells has one of the metrics.
pub fn comparisons(
    scored: &[ScoreRow],
    against: &Against,
    metrics: &[Metric],
) -> Result<Vec<Comparison>, CompareError> {
    let mut by_cell: BTreeMap<Cell, Vec<&ScoreRow>> = BTreeMap::new();
    let mut cells: Vec<Cell> = Vec::new();
    for scored in scored {
        let cell = scored.cell().seedless();
        let of_cell = by_cell.entry(cell.clone()).or_default();
        if of_cell.is_empty() {
            cells.push(cell);
        }
        of_cell.push(scored);
    }
    let seeds: BTreeMap<&Cell, Seeds<'_>> = by_cell.iter().map(|(cell, of)| (cell, by_seed(of))).collect();
    let pairs = cells.iter().filter_map(|cell| Some((cell, against.of(cell, &cells)?)));
    let pairs = pairs.filter_map(|(cell, other)| {
        Some(Pair { cell, against: other, ours: seeds.get(cell)?, theirs: seeds.get(other)? })
    });
    let (mut found, mut comparable) = (Vec::new(), false);
    for pair in pairs {
        let all: Vec<Comparison> = Metric::ALL.into_iter().filter_map(|metric| pair.compare(metric)).collect();
        comparable |= !all.is_empty();
        found.extend(all.into_iter().filter(|comparison| metrics.contains(&comparison.metric)));
    }
    if found.is_empty() && comparable {
        return Err(CompareError::NoMetric {
            metric: metrics.iter().map(|metric| metric.name()).collect::<Vec<_>>().join("`, `"),
        });
    }
    if found.is_empty() {
        let named: Vec<String> = cells.iter().take(8).map(|cell| format!("`{cell}`")).collect();
        let more = if cells.len() > named.len() { ", ..." } else { "" };
        return Err(CompareError::Nothing { wanted: against.wanted(), cells: format!("{}{more}", named.join(", ")) });
    }
    let corrected = holm(&found.iter().map(|found| found.p).collect::<Vec<_>>());
    for (comparison, p) in found.iter_mut().zip(corrected) {
        comparison.p_holm = p;
    }
    Ok(found)
}

/// Compares two cells, which may be of two runs, by all metrics that both have. Nothing if they share no document. The p-values are
/// not corrected.
pub(crate) fn between(cell: &Cell, against: &Cell, ours: &[&ScoreRow], theirs: &[&ScoreRow]) -> Vec<Comparison> {
    let pair = Pair { cell, against, ours: &by_seed(ours), theirs: &by_seed(theirs) };
    Metric::ALL.into_iter().filter_map(|metric| pair.compare(metric)).collect()
}

/// The cells of these scores in which no document could be decoded. They have no figures to compare.
pub fn cells_without_outputs(scored: &[ScoreRow]) -> Vec<Cell> {
    let mut decoded: BTreeMap<Cell, bool> = BTreeMap::new();
    for scored in scored {
        *decoded.entry(scored.cell().seedless()).or_default() |= scored.not_decoded == 0;
    }
    decoded.into_iter().filter(|(_, decoded)| !decoded).map(|(cell, _)| cell).collect()
}

/// Two cells with their scores.
struct Pair<'a> {
    cell: &'a Cell,
    against: &'a Cell,
    ours: &'a Seeds<'a>,
    theirs: &'a Seeds<'a>,
}

/// What a metric gives of two cells: their figures, the difference and its test.
struct Test {
    figures: [Interval; 2],
    difference: Interval,
    p: f64,
    gap: Option<Gap>,
}

impl Pair<'_> {
    /// None if a cell decoded nothing, or if no document has the metric in all seeds of both cells.
    fn compare(&self, metric: Metric) -> Option<Comparison> {
        let nothing = |seeds: &Seeds<'_>| rows(seeds).all(|scored| scored.not_decoded > 0);
        let of_tasks = |seeds: &Seeds<'_>| rows(seeds).any(|scored| scored.valid.is_some());
        if nothing(self.ours) || nothing(self.theirs) {
            return None;
        }
        if metric == Metric::F1 && (of_tasks(self.ours) || of_tasks(self.theirs)) {
            return None;
        }
        let has = |scored: &ScoreRow| metric == Metric::F1 || metric.hit(scored).is_some();
        let seeds = || self.ours.values().chain(self.theirs.values());
        let everywhere = |document: &&str| seeds().all(|of| of.get(document).is_some_and(|scored| has(scored)));
        let documents: Vec<&str> = self.ours.values().next()?.keys().copied().filter(everywhere).collect();
        if documents.is_empty() {
            return None;
        }
        let Test { figures: [figure, against_figure], difference, p, gap } = match metric {
            Metric::F1 => self.by_f1(&documents)?,
            Metric::Valid | Metric::Exact | Metric::Equal => self.by_share(&documents, metric)?,
        };
        Some(Comparison {
            cell: self.cell.clone(),
            against: self.against.clone(),
            metric,
            documents: documents.len(),
            figure,
            against_figure,
            difference,
            p,
            p_holm: p,
            gap,
        })
    }

    fn by_f1(&self, documents: &[&str]) -> Option<Test> {
        let [ours, theirs] = [self.ours, self.theirs].map(|seeds| pick(seeds, documents, ScoreRow::matches));
        let (ours, theirs) = (slices(&ours), slices(&theirs));
        let lenient = |seeds| -> Option<Vec<Vec<Leniencies>>> {
            let picked = pick(seeds, documents, ScoreRow::leniencies);
            picked.into_iter().map(|of| of.into_iter().collect()).collect()
        };
        let gap = match lenient(self.ours).zip(lenient(self.theirs)) {
            Some((ours, theirs)) => Some(gap(&slices(&ours), &slices(&theirs), CONFIDENCE, SAMPLES, SEED).ok()?),
            None => None,
        };
        Some(Test {
            figures: [&ours, &theirs].map(|seeds| mean_interval(seeds, CONFIDENCE, SAMPLES, SEED)),
            difference: difference_interval(&ours, &theirs, CONFIDENCE, SAMPLES, SEED).ok()?,
            p: mean_difference(&ours, &theirs, SHUFFLES, SEED).ok()?.p,
            gap,
        })
    }

    fn by_share(&self, documents: &[&str], metric: Metric) -> Option<Test> {
        let hits = |seeds| pick(seeds, documents, |scored| metric.hit(scored) == Some(true));
        let shares = |hits: &[Vec<bool>]| -> Vec<Vec<Share>> {
            hits.iter().map(|of| of.iter().map(|hit| Share::of(*hit)).collect()).collect()
        };
        let (ours, theirs) = (hits(self.ours), hits(self.theirs));
        let interval = |hits: &[Vec<bool>]| {
            let all = || hits.iter().flatten();
            wilson(all().filter(|hit| **hit).count(), all().count())
        };
        let Difference { p, .. } = share_difference(&slices(&ours), &slices(&theirs)).ok()?;
        let (our_shares, their_shares) = (shares(&ours), shares(&theirs));
        let difference =
            difference_interval(&slices(&our_shares), &slices(&their_shares), CONFIDENCE, SAMPLES, SEED).ok()?;
        Some(Test { figures: [interval(&ours)?, interval(&theirs)?], difference, p, gap: None })
    }
}

fn rows<'a>(seeds: &'a Seeds<'a>) -> impl Iterator<Item = &'a ScoreRow> {
    seeds.values().flat_map(BTreeMap::values).copied()
}

/// Seed by seed, something of these documents.
fn pick<T>(seeds: &Seeds<'_>, documents: &[&str], what: impl Fn(&ScoreRow) -> T) -> Vec<Vec<T>> {
    let of_seed = |of: &BTreeMap<&str, &ScoreRow>| {
        let scored = documents.iter().filter_map(|document| of.get(document));
        scored.map(|scored| what(scored)).collect()
    };
    seeds.values().map(of_seed).collect()
}

fn slices<T>(seeds: &[Vec<T>]) -> Vec<&[T]> {
    seeds.iter().map(Vec::as_slice).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::StrategyName;
    use crate::report::tables::{comparisons_csv, comparisons_table};
    use crate::store::{Answer, record_for_tests as record};
    use gramask_grammar::Level;
    use gramask_ner::{Entity, Schema};

    fn compared(scored: &[ScoreRow], against: &str) -> Result<Vec<Comparison>, CompareError> {
        comparisons(scored, &Against::parse(against, scored).unwrap(), &Metric::ALL)
    }

    /// Thirty documents of a cell, of which the strategy finds every `each`-th entity.
    fn cell(level: Level, strategy: StrategyName, format: &str, seed: Option<u64>, each: usize) -> Vec<ScoreRow> {
        let of = |number: usize| {
            let mut record = record(level, &format!("d{number}"));
            (record.cell.strategy, record.cell.format, record.cell.seed) = (strategy, format.into(), seed);
            record.gold = vec![Entity::new("Disease", 0, 4)];
            record.entities = if number.is_multiple_of(each) { record.gold.clone() } else { Vec::new() };
            ScoreRow::of(&record, &Schema::new(["Disease"]))
        };
        (0..30).map(of).collect()
    }

    #[test]
    fn cells_find_what_they_are_compared_with() {
        let (none, grounded) = (Level::None, Level::Grounded);
        let mut scored = cell(none, StrategyName::UNCONSTRAINED, "tuples", None, 4);
        scored.extend(cell(none, "beam".parse().unwrap(), "tuples", None, 3));
        scored.extend(cell(grounded, StrategyName::MASKED, "tuples", None, 1));
        scored.extend(cell(grounded, "beam".parse().unwrap(), "tuples", None, 2));
        scored.extend(cell(grounded, StrategyName::MASKED, "lines", None, 2));
        let pairs = |text: &str| -> Vec<String> {
            let found = compared(&scored, text).unwrap();
            let shown = |comparison: &Comparison| format!("{} <- {}", comparison.cell, comparison.against);
            found.iter().map(shown).collect()
        };
        let expected = [
            "mini tuples none beam <- mini tuples none unconstrained",
            "mini tuples grounded masked <- mini tuples none unconstrained",
            "mini tuples grounded beam <- mini tuples none beam",
        ];
        assert_eq!(pairs("none"), expected[1..], "a beam has its own beside it");
        assert_eq!(pairs("level=none,strategy=unconstrained")[0], expected[0]);
        assert_eq!(pairs("masked"), ["mini tuples grounded beam <- mini tuples grounded masked"]);
        assert_eq!(pairs("lines"), ["mini tuples grounded masked <- mini lines grounded masked"]);
        let error = Against::parse("format=beam", &scored).unwrap_err().to_string();
        assert!(error.contains("`format=beam`") && error.contains("tuples"), "{error}");
        let error = compared(&scored, "syntax").unwrap_err().to_string();
        assert!(error.contains("level `syntax`") && error.contains("mini tuples none beam"), "{error}");
    }

    #[test]
    fn figures_are_those_of_the_tests() {
        let mut scored = cell(Level::None, StrategyName::UNCONSTRAINED, "tuples", None, 3);
        for seed in [1, 2] {
            scored.extend(cell(Level::Grounded, StrategyName::MASKED, "tuples", Some(seed), seed as usize));
        }
        // A document that only one of them has is left out.
        scored.pop();
        let found = compared(&scored, "none").unwrap();
        let [one] = &found[..] else { panic!("{found:?}") };
        assert_eq!((one.documents, one.p), (29, one.p_holm));
        // All of 29; every second: 15 of 29; every third: 10 of 29.
        let f1 = |found: f64| 2.0 * (found / 29.0) / (1.0 + found / 29.0);
        assert!((one.figure.value - (1.0 + f1(15.0)) / 2.0).abs() < 1e-12, "{one:?}");
        assert!((one.difference.value - (one.figure.value - f1(10.0))).abs() < 1e-12);
        assert!(one.p < 0.01 && one.difference.low > 0.0 && one.gap.is_none());
        let text = comparisons_table(&found);
        assert!(text.contains("none unconstrained") && text.contains(" *"), "{text}");
        let csv = comparisons_csv(&found).unwrap();
        assert_eq!(csv.lines().count(), 2);
        assert!(csv.lines().nth(1).unwrap().ends_with(",,,,,,"), "{csv}");
    }

    #[test]
    fn a_gap_has_its_parts_where_the_leniencies_are_known() {
        let mut scored = cell(Level::None, StrategyName::UNCONSTRAINED, "tuples", None, 2);
        for scored in &mut scored {
            // All would be right if it were read at all.
            (scored.parse_predicted, scored.parse_right) = (Some(1), Some(1));
            (scored.copy_predicted, scored.copy_right) = (Some(1), Some(1));
            (scored.count_predicted, scored.count_right, scored.count_found) = (Some(1), Some(1), Some(1));
        }
        let mut masked = cell(Level::Grounded, StrategyName::MASKED, "tuples", None, 1);
        for (scored, other) in masked.iter_mut().zip(&scored) {
            *scored = ScoreRow {
                level: Level::Grounded,
                strategy: StrategyName::MASKED,
                strict: 1,
                predicted: 1,
                ..other.clone()
            };
        }
        scored.extend(masked);
        let found = compared(&scored, "none").unwrap();
        let gap = found[0].gap.unwrap();
        assert!((gap.parts.parse.value - found[0].difference.value).abs() < 1e-12 && gap.parts.parse.low > 0.0);
        assert_eq!((gap.parts.copy.value, gap.parts.recognition.value), (0.0, 0.0));
    }

    /// Twenty answers of a cell, of which those are valid that `valid` says. Only the first ten have an expected answer.
    fn answers(
        level: Level,
        strategy: StrategyName,
        seed: Option<u64>,
        valid: impl Fn(usize) -> bool,
    ) -> Vec<ScoreRow> {
        let of = |number: usize| {
            let mut record = record(level, &format!("t{number:02}"));
            (record.cell.strategy, record.cell.format, record.cell.seed) = (strategy, "task".into(), seed);
            let exact = (number < 10).then(|| valid(number) && number > 5);
            record.answer = Some(Answer { valid: valid(number), exact, equal: None });
            ScoreRow::of(&record, &Schema::new([""; 0]))
        };
        (0..20).map(of).collect()
    }

    #[test]
    fn tasks_are_compared_by_the_shares_of_their_answers() {
        let mut scored = answers(Level::None, StrategyName::UNCONSTRAINED, None, |number| number % 2 == 0);
        scored.extend(answers(Level::Syntax, StrategyName::MASKED, Some(1), |_| true));
        scored.extend(answers(Level::Syntax, StrategyName::MASKED, Some(2), |number| number != 1));
        // A task that could not be decoded in one cell is not compared.
        scored[19].valid = None;
        let found = compared(&scored, "none").unwrap();
        let metrics: Vec<Metric> = found.iter().map(|comparison| comparison.metric).collect();
        assert_eq!(metrics, [Metric::Valid, Metric::Exact], "no F1, and no answer is expected in JSON");
        let [valid, exact] = &found[..] else { panic!("{found:?}") };
        assert_eq!((valid.documents, exact.documents), (19, 10));
        assert!(
            (valid.figure.value - 37.0 / 38.0).abs() < 1e-12
                && (valid.against_figure.value - 10.0 / 19.0).abs() < 1e-12
        );
        assert!((valid.difference.value - (37.0 / 38.0 - 10.0 / 19.0)).abs() < 1e-12);
        assert!(valid.figure.low < 0.9 && valid.figure.high < 1.0, "Wilson's interval: {valid:?}");
        // Nine answers are better in some seed, and none is worse: of all exchanges, only none and all of them are as far apart.
        assert!((valid.p - 2.0 / 512.0).abs() < 1e-12, "{valid:?}");
        assert!((exact.p - 0.5).abs() < 1e-12 && (exact.difference.value - 0.2).abs() < 1e-12, "{exact:?}");
        assert_eq!((valid.p_holm, exact.p_holm), (2.0 * valid.p, exact.p));
        let table = comparisons_table(&found);
        assert!(table.contains("valid") && !table.contains("F1") && !table.contains("recognition"), "{table}");
        let csv = comparisons_csv(&found).unwrap();
        assert!(csv.lines().nth(2).unwrap().contains(",exact,10,0.4,"), "{csv}");

        let only = |metrics: &[Metric]| comparisons(&scored, &Against::parse("none", &scored).unwrap(), metrics);
        let exact_alone = only(&[Metric::Exact]).unwrap();
        assert_eq!((exact_alone.len(), exact_alone[0].p_holm), (1, exact.p));
        assert!(only(&[Metric::Equal]).unwrap_err().to_string().contains("do not have `equal`"));
    }
}
