//! Which cells are compared with which.

use std::collections::HashSet;

use gramask_grammar::Level;
use thiserror::Error;

use crate::evaluate::ScoreRow;
use crate::experiment::{Cell, StrategyName};

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
    /// Cells can be compared, but do not have the figure that is asked for.
    #[error(
        "the cells that can be compared do not have `{metric}`: F1 is of corpora, and `valid`, `exact` and `equal` are of tasks, the last two where an answer is expected"
    )]
    NoMetric { metric: String },
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
    pub(super) fn of<'a>(&self, cell: &Cell, cells: &'a [Cell]) -> Option<&'a Cell> {
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
    pub(super) fn wanted(&self) -> String {
        let level = self.level.map(|level| level.to_string());
        let strategy = self.strategy.map(|strategy| strategy.to_string());
        let all = [("model", &self.model), ("format", &self.format), ("level", &level), ("strategy", &strategy)];
        let named = all.iter().filter_map(|(kind, name)| name.as_ref().map(|name| format!("{kind} `{name}`")));
        named.collect::<Vec<_>>().join(" and ")
    }
}
