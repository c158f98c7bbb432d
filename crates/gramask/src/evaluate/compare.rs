//! Comparing cells: whether their F1 differs, and what the difference consists of.
//!
//! Each cell is compared with another cell on the documents that both have. A paired test with Holm's correction for all comparisons
//! tells whether they differ. The difference is split into parsing, copying, counting and recognition. Everything is computed from
//! scores, without a model or a corpus: see `docs/statistics.md`.

use std::collections::{BTreeMap, HashSet};

use gramask_grammar::Level;
use gramask_ner::metrics::{Gap, Interval, Leniencies, Matches, gap, holm, mean_difference, mean_interval};
use thiserror::Error;

use super::ScoreRow;
use super::metrics::{Seeds, by_seed};
use crate::experiment::{Cell, StrategyName};

/// The shuffles of a test, the samples of an interval, and the seed of both.
const SHUFFLES: usize = 10_000;
const SAMPLES: usize = 2_000;
const SEED: u64 = 1;

/// What to compare each cell with: the cell of the same corpus that has these names and is equal otherwise.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Against {
    model: Option<String>,
    format: Option<String>,
    level: Option<Level>,
    strategy: Option<StrategyName>,
}

/// Why nothing can be compared.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[allow(missing_docs, reason = "the messages name the fields")]
pub enum CompareError {
    /// A word names nothing in the scores.
    #[error("`{word}` is no model, format, level or strategy of these scores: give one of {known}")]
    Unknown { word: String, known: String },
    /// No cell has a cell to be compared with.
    #[error("no cell can be compared with one that has {wanted}: the cells are {cells}")]
    Nothing { wanted: String, cells: String },
}

/// The comparison of two cells on the documents that both have.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// The cell.
    pub cell: Cell,
    /// The other cell.
    pub against: Cell,
    /// The number of documents that all seeds of both cells have.
    pub documents: usize,
    /// The cell's strict F1, the mean of its seeds.
    pub f1: Interval,
    /// The strict F1 of the other cell.
    pub f1_against: Interval,
    /// The difference, with the interval of a paired bootstrap.
    pub difference: Interval,
    /// The two-sided p-value of the paired test.
    pub p: f64,
    /// The p-value with Holm's correction for all comparisons.
    pub p_holm: f64,
    /// The parts of the difference. None if the leniencies of a document are unknown.
    pub gap: Option<Gap>,
}

impl Against {
    /// Parses names separated by commas: of a model, a format, a level or a strategy that the scores have, or `model=...`,
    /// `format=...`, `level=...`, `strategy=...`.
    ///
    /// # Errors
    /// [`CompareError::Unknown`], with what there is.
    pub fn parse(text: &str, scored: &[ScoreRow]) -> Result<Against, CompareError> {
        let mut against = Against::default();
        let models: HashSet<&str> = scored.iter().map(|scored| scored.model.as_str()).collect();
        let formats: HashSet<&str> = scored.iter().map(|scored| scored.format.as_str()).collect();
        for word in text.split(',').map(str::trim) {
            let (key, name) = match word.split_once('=') {
                Some((key, name)) => (Some(key.trim()), name.trim()),
                None => (None, word),
            };
            let is = |kind| key.is_none_or(|key| key == kind);
            let level = name.parse::<Level>().ok();
            if is("level") && level.is_some() {
                against.level = level;
            } else if is("strategy")
                && let Ok(strategy) = name.parse()
            {
                against.strategy = Some(strategy);
            } else if is("format") && formats.contains(name) {
                against.format = Some(name.into());
            } else if is("model") && models.contains(name) {
                against.model = Some(name.into());
            } else {
                let mut known: Vec<&str> = models.into_iter().chain(formats).collect();
                known.extend(["none", "syntax", "grounded"]);
                known.extend(StrategyName::all().map(|name| name.as_str()));
                known.sort_unstable();
                return Err(CompareError::Unknown { word: word.into(), known: known.join(", ") });
            }
        }
        Ok(against)
    }

    /// The cell that this one is compared with. If the level changes and no strategy is named, it has the same strategy if there is
    /// such a cell, or otherwise `unconstrained` or `masked`.
    fn of<'a>(&self, cell: &Cell, cells: &'a [Cell]) -> Option<&'a Cell> {
        let level = self.level.unwrap_or(cell.level);
        let plain = match level {
            Level::None => StrategyName::UNCONSTRAINED,
            Level::Syntax | Level::Grounded => StrategyName::MASKED,
        };
        let with = |strategy| Cell {
            model: self.model.clone().unwrap_or(cell.model.clone()),
            corpus: cell.corpus.clone(),
            format: self.format.clone().unwrap_or(cell.format.clone()),
            level,
            strategy,
            seed: None,
        };
        let find = |strategy| cells.iter().find(|other| **other == with(strategy));
        let found = match self.strategy {
            Some(strategy) => find(strategy),
            None if self.level.is_some() => find(cell.strategy).or_else(|| find(plain)),
            None => find(cell.strategy),
        };
        found.filter(|other| *other != cell)
    }

    /// In words.
    fn wanted(&self) -> String {
        let level = self.level.map(|level| level.to_string());
        let strategy = self.strategy.map(|strategy| strategy.to_string());
        let all = [("model", &self.model), ("format", &self.format), ("level", &level), ("strategy", &strategy)];
        let named = all.iter().filter_map(|(kind, name)| name.as_ref().map(|name| format!("{kind} `{name}`")));
        named.collect::<Vec<_>>().join(" and ")
    }
}

/// Compares each cell with its other cell, if there is one, in the order of the scores.
///
/// # Errors
/// [`CompareError::Nothing`] if no cell has another cell.
pub fn comparisons(scored: &[ScoreRow], against: &Against) -> Result<Vec<Comparison>, CompareError> {
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
    let mut found: Vec<Comparison> =
        pairs.filter_map(|(cell, other)| one(cell, other, seeds.get(cell)?, seeds.get(other)?)).collect();
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

/// Compares two cells, which may be of two runs. None if they share no document. The p-value is not corrected.
pub(crate) fn between(cell: &Cell, against: &Cell, ours: &[&ScoreRow], theirs: &[&ScoreRow]) -> Option<Comparison> {
    one(cell, against, &by_seed(ours), &by_seed(theirs))
}

/// The cells of these scores in which no document could be decoded. They have no figures to compare.
pub fn cells_without_outputs(scored: &[ScoreRow]) -> Vec<Cell> {
    let mut decoded: BTreeMap<Cell, bool> = BTreeMap::new();
    for scored in scored {
        *decoded.entry(scored.cell().seedless()).or_default() |= scored.not_decoded == 0;
    }
    decoded.into_iter().filter(|(_, decoded)| !decoded).map(|(cell, _)| cell).collect()
}

fn decoded_nothing(seeds: &Seeds<'_>) -> bool {
    seeds.values().flat_map(BTreeMap::values).all(|scored| scored.not_decoded > 0)
}

fn one(cell: &Cell, against: &Cell, first: &Seeds<'_>, second: &Seeds<'_>) -> Option<Comparison> {
    let seeds = || first.values().chain(second.values());
    let everywhere = |document: &&&str| seeds().all(|of| of.contains_key(**document));
    let documents: Vec<&str> = first.values().next()?.keys().filter(everywhere).copied().collect();
    if documents.is_empty() || decoded_nothing(first) || decoded_nothing(second) {
        return None;
    }
    let (ours, theirs) = (pick(first, &documents, ScoreRow::matches), pick(second, &documents, ScoreRow::matches));
    let (ours, theirs) = (slices(&ours), slices(&theirs));
    let test = mean_difference(&ours, &theirs, SHUFFLES, SEED).ok()?;
    let lenient = |seeds| -> Option<Vec<Vec<Leniencies>>> {
        let picked = pick(seeds, &documents, ScoreRow::leniencies);
        picked.into_iter().map(|of| of.into_iter().collect()).collect()
    };
    // Without leniencies, the strict matches alone give the interval of the difference.
    let strictly = |matches: &[&[Matches]]| -> Vec<Vec<Leniencies>> {
        let same = |&strict: &Matches| Leniencies { strict, ..Leniencies::default() };
        matches.iter().map(|of| of.iter().map(same).collect()).collect()
    };
    let known = lenient(first).zip(lenient(second));
    let (one, other) = known.clone().unwrap_or_else(|| (strictly(&ours), strictly(&theirs)));
    let parts = gap(&slices(&one), &slices(&other), 0.95, SAMPLES, SEED).ok()?;
    Some(Comparison {
        cell: cell.clone(),
        against: against.clone(),
        documents: documents.len(),
        f1: mean_interval(&ours, 0.95, SAMPLES, SEED),
        f1_against: mean_interval(&theirs, 0.95, SAMPLES, SEED),
        difference: parts.difference,
        p: test.p,
        p_holm: test.p,
        gap: known.map(|_| parts),
    })
}

/// Seed by seed, something of these documents.
fn pick<T>(seeds: &Seeds<'_>, documents: &[&str], what: fn(&ScoreRow) -> T) -> Vec<Vec<T>> {
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
    use crate::report::tables::{comparisons_csv, comparisons_table};
    use crate::store::record_for_tests as record;
    use gramask_ner::{Entity, Schema};

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
            let found = comparisons(&scored, &Against::parse(text, &scored).unwrap()).unwrap();
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
        let error = comparisons(&scored, &Against::parse("syntax", &scored).unwrap()).unwrap_err().to_string();
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
        let found = comparisons(&scored, &Against::parse("none", &scored).unwrap()).unwrap();
        let [one] = &found[..] else { panic!("{found:?}") };
        assert_eq!((one.documents, one.p), (29, one.p_holm));
        // All of 29; every second: 15 of 29; every third: 10 of 29.
        let f1 = |found: f64| 2.0 * (found / 29.0) / (1.0 + found / 29.0);
        assert!((one.f1.value - (1.0 + f1(15.0)) / 2.0).abs() < 1e-12, "{one:?}");
        assert!((one.difference.value - (one.f1.value - f1(10.0))).abs() < 1e-12);
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
        let found = comparisons(&scored, &Against::parse("none", &scored).unwrap()).unwrap();
        let gap = found[0].gap.unwrap();
        assert!((gap.parts.parse.value - found[0].difference.value).abs() < 1e-12 && gap.parts.parse.low > 0.0);
        assert_eq!((gap.parts.copy.value, gap.parts.recognition.value), (0.0, 0.0));
    }
}
