//! The figures that cells are compared by.

use std::fmt;
use std::str::FromStr;

use crate::evaluate::ScoreRow;

/// A figure that cells are compared by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Metric {
    /// Strict F1, of corpora.
    F1,
    /// The share of valid answers, of tasks.
    Valid,
    /// The share of answers that are the expected text, of tasks.
    Exact,
    /// The share of answers that are JSON of the expected value, of tasks.
    Equal,
}

impl Metric {
    /// All metrics.
    pub const ALL: [Metric; 4] = [Metric::F1, Metric::Valid, Metric::Exact, Metric::Equal];

    /// Its name on the command line and in files.
    pub fn name(self) -> &'static str {
        match self {
            Metric::F1 => "f1",
            Metric::Valid => "valid",
            Metric::Exact => "exact",
            Metric::Equal => "equal",
        }
    }

    /// Its name in tables.
    pub fn title(self) -> &'static str {
        match self {
            Metric::F1 => "F1",
            other => other.name(),
        }
    }

    /// In words.
    pub fn meaning(self) -> &'static str {
        match self {
            Metric::F1 => "strict F1",
            Metric::Valid => "the share of valid answers",
            Metric::Exact => "the share of answers that are the expected text",
            Metric::Equal => "the share of answers that are JSON of the expected value",
        }
    }

    /// Whether an answer counts as a hit. None if that is not known, as always of F1, which is no share of answers.
    pub fn hit(self, scored: &ScoreRow) -> Option<bool> {
        match self {
            Metric::F1 => None,
            Metric::Valid => scored.valid,
            Metric::Exact => scored.exact_answer,
            Metric::Equal => scored.equal_answer,
        }
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Metric {
    type Err = String;

    fn from_str(name: &str) -> Result<Metric, String> {
        let found = Metric::ALL.into_iter().find(|metric| metric.name() == name);
        found.ok_or_else(|| {
            format!(
                "`{name}` is no figure that cells are compared by: give {}",
                Metric::ALL.map(Metric::name).join(", ")
            )
        })
    }
}
