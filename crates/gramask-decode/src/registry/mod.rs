//! What the program knows of each strategy.
//!
//! A strategy's name, its levels, its parameters and its constructor stand together in one [`StrategyDefinition`], in the
//! strategy's own file. The list of all definitions is in [`crate::strategies`]. Everything else follows from that list:
//! the parser of experiment files, the help, the error messages, and the table in `docs/strategies.md`.
//!
//! ```
//! use gramask_decode::{StrategyChoice, StrategyName};
//! let beam: StrategyName = "beam".parse()?;
//! assert_eq!(StrategyChoice::from(beam).hypotheses(), 4);
//! assert!("beem".parse::<StrategyName>().unwrap_err().to_string().contains("`beam`"));
//! # Ok::<(), gramask_decode::UnknownStrategy>(())
//! ```

mod build;
mod page;
mod parameters;

use std::fmt;
use std::str::FromStr;

use gramask_grammar::Level;
use gramask_kernels::sampling::Sampling;
use gramask_ner::did_you_mean;
use serde::de::{DeserializeSeed, Deserializer, Error as _};
use serde::{Deserialize, Serialize, Serializer};
use thiserror::Error;

pub(crate) use build::with_constraint;
pub use build::{BuildError, SharedTokenizer, StrategyBuilder, StrategyContext, StrategyTask};
pub use page::{parameter_lines, strategy_table};
pub use parameters::{Count, Flag, Least, Number, Parameter, ParameterSet, Text, Value};

use crate::strategies::ALL;
use crate::strategy::Strategy;

/// Makes a strategy of its parameters, for one document.
pub type Constructor = fn(&ParameterSet, &StrategyContext<'_>) -> Result<Box<dyn Strategy>, BuildError>;

/// A strategy as the rest of the program sees it.
pub struct StrategyDefinition {
    /// The name in experiment files, records and tables.
    pub name: &'static str,
    /// The levels of a constraint that it goes with.
    pub levels: Levels,
    /// What it does, in Markdown.
    pub summary: &'static str,
    /// What it costs, in Markdown.
    pub cost: &'static str,
    /// Its parameters, in the order in which they are written.
    pub parameters: &'static [Parameter],
    /// Whether another seed can give another output.
    pub randomness: Randomness,
    /// Whether its output is repaired before it is read.
    pub repairs: bool,
    /// Whether the constraint sees every token that it writes, so that it can be restricted to canonical tokens.
    pub canonical: bool,
    /// How many versions of an output it follows at once. A document takes so many slots of the cache.
    pub hypotheses: fn(&ParameterSet) -> usize,
    /// How many tokens it may write in addition to the answer.
    pub extra_budget: fn(&ParameterSet, &SharedTokenizer) -> usize,
    /// Makes the strategy for one pass over a document.
    pub build: Constructor,
}

impl StrategyDefinition {
    /// What most strategies have in common: no parameters, one hypothesis, no extra tokens. A definition overrides the rest.
    pub(crate) const COMMON: StrategyDefinition = StrategyDefinition {
        name: "",
        levels: Levels::Constrained,
        summary: "",
        cost: "",
        parameters: &[],
        randomness: Randomness::AsSampled,
        repairs: false,
        canonical: true,
        hypotheses: |_| 1,
        extra_budget: |_, _| 0,
        build: |_, _| Ok(Box::new(crate::Unconstrained)),
    };

    fn parameter_set(&self) -> ParameterSet {
        ParameterSet::defaults(self.parameters)
    }
}

/// The levels of a constraint that a strategy goes with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Levels {
    /// `none`: it needs no constraint.
    Unconstrained,
    /// `syntax` and `grounded`: it needs a constraint.
    Constrained,
    /// All.
    All,
}

/// Whether another seed can give another output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Randomness {
    /// It samples as the run says: only a temperature above 0 makes its output random.
    AsSampled,
    /// It samples at a temperature of its own.
    Always,
    /// It takes the likeliest output.
    Never,
}

/// The name of a registered strategy. Names are ordered as strategies are run and shown.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StrategyName(usize); // an index into `ALL`

impl StrategyName {
    /// Plain decoding.
    pub const UNCONSTRAINED: StrategyName = StrategyName::known("unconstrained");
    /// Plain decoding with a repaired output.
    pub const REPAIR: StrategyName = StrategyName::known("repair");
    /// A mask at each step: what other constrained strategies are compared with.
    pub const MASKED: StrategyName = StrategyName::known("masked");

    /// Looks a name up at compile time.
    const fn known(name: &str) -> StrategyName {
        let mut index = 0;
        while index < ALL.len() {
            if is_same(ALL[index].name, name) {
                return StrategyName(index);
            }
            index += 1;
        }
        panic!("no strategy of this name is registered")
    }

    /// All names, in the order in which strategies are run and shown.
    pub fn all() -> impl DoubleEndedIterator<Item = StrategyName> + Clone {
        (0..ALL.len()).map(StrategyName)
    }

    /// The names of the strategies that go with a level.
    pub fn of(level: impl Into<Level>) -> impl DoubleEndedIterator<Item = StrategyName> + Clone {
        let level = level.into();
        StrategyName::all().filter(move |name| name.goes_with(level))
    }

    /// What is registered under the name.
    pub fn definition(self) -> &'static StrategyDefinition {
        ALL[self.0]
    }

    /// The name as written in files and tables.
    pub fn as_str(self) -> &'static str {
        self.definition().name
    }

    /// Whether the strategy goes with a level.
    pub fn goes_with(self, level: impl Into<Level>) -> bool {
        match self.definition().levels {
            Levels::Unconstrained => level.into() == Level::None,
            Levels::Constrained => level.into() != Level::None,
            Levels::All => true,
        }
    }

    /// Whether another seed can give another output.
    pub fn draws(self, sampling: &Sampling) -> bool {
        match self.definition().randomness {
            Randomness::AsSampled => !sampling.is_greedy(),
            Randomness::Always => true,
            Randomness::Never => false,
        }
    }

    /// Whether the output is repaired before it is read.
    pub fn repairs(self) -> bool {
        self.definition().repairs
    }

    /// The names in backquotes, with commas and a last `or` between them.
    pub fn list(names: impl IntoIterator<Item = StrategyName>) -> String {
        let names: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
        match names.split_last() {
            Some((last, others)) if !others.is_empty() => format!("{} or {last}", others.join(", ")),
            _ => names.concat(),
        }
    }
}

/// Whether two strings are the same; `==` is not available at compile time.
const fn is_same(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let mut at = 0;
    while at < a.len() && at < b.len() && a[at] == b[at] {
        at += 1;
    }
    at == a.len() && at == b.len()
}

/// A name that no strategy has.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "unknown strategy `{name}`: give {}{}",
    StrategyName::list(StrategyName::all()),
    did_you_mean(name, StrategyName::all().map(StrategyName::as_str))
)]
pub struct UnknownStrategy {
    /// The name.
    pub name: String,
}

impl FromStr for StrategyName {
    type Err = UnknownStrategy;

    fn from_str(name: &str) -> Result<Self, UnknownStrategy> {
        let unknown = || UnknownStrategy { name: name.into() };
        StrategyName::all().find(|known| known.as_str() == name).ok_or_else(unknown)
    }
}

impl fmt::Display for StrategyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for StrategyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for StrategyName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for StrategyName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// Reads the parameters that a file has under the name: all that are not given have their defaults.
impl<'de> DeserializeSeed<'de> for StrategyName {
    type Value = StrategyChoice;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<StrategyChoice, D::Error> {
        let definition = self.definition();
        let parameters = ParameterSet::read(definition.name, definition.parameters, deserializer)?;
        Ok(StrategyChoice { name: self, parameters })
    }
}

/// A strategy and its parameters.
#[derive(Clone, Debug, PartialEq)]
pub struct StrategyChoice {
    name: StrategyName,
    parameters: ParameterSet,
}

/// The strategy with its default parameters.
impl From<StrategyName> for StrategyChoice {
    fn from(name: StrategyName) -> Self {
        StrategyChoice { name, parameters: name.definition().parameter_set() }
    }
}

impl StrategyChoice {
    /// The strategy's name.
    pub fn name(&self) -> StrategyName {
        self.name
    }

    /// Its parameters: all of them, given or not.
    pub fn parameters(&self) -> &ParameterSet {
        &self.parameters
    }

    /// How many versions of an output it follows at once. A document takes so many slots of the cache.
    pub fn hypotheses(&self) -> usize {
        (self.name.definition().hypotheses)(&self.parameters)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_definition_is_complete() {
        for name in StrategyName::all() {
            let definition = name.definition();
            assert!(!definition.summary.is_empty() && !definition.cost.is_empty(), "{name}");
            assert_eq!(name.as_str().parse(), Ok(name), "two strategies have the name {name}");
            assert!(StrategyChoice::from(name).hypotheses() >= 1, "{name}");
            for parameter in definition.parameters {
                assert!(!parameter.help().is_empty(), "{name}.{}", parameter.name());
                let same = definition.parameters.iter().filter(|other| other.name() == parameter.name());
                assert_eq!(same.count(), 1, "{name} has two parameters {}", parameter.name());
            }
        }
        assert_eq!(StrategyName::MASKED.as_str(), "masked");
    }

    #[test]
    fn an_unknown_name_lists_the_known_ones() {
        let error = "greedy".parse::<StrategyName>().unwrap_err().to_string();
        assert!(
            error.contains("`greedy`") && error.contains("`lazy`") && error.ends_with("or `free-then-masked`"),
            "{error}"
        );
    }

    #[test]
    fn each_goes_with_its_levels() {
        let names = |level: Level| StrategyName::of(level).map(StrategyName::as_str).collect::<Vec<_>>();
        assert_eq!(names(Level::None), ["unconstrained", "repair", "retry", "beam"]);
        let masked = ["masked", "lazy", "jump", "draft", "beam", "aligned-asap", "aligned-smc", "free-then-masked"];
        assert_eq!(names(Level::Syntax), masked);
        assert_eq!(names(Level::Grounded), masked);
    }

    #[test]
    fn randomness_follows_the_sampling_or_not() {
        let draws =
            |name: &str, temperature| name.parse::<StrategyName>().unwrap().draws(&Sampling::at(temperature, 0));
        assert!(!draws("masked", 0.0) && draws("masked", 1.0));
        assert!(!draws("beam", 1.0));
        assert!(draws("retry", 0.0) && draws("aligned-asap", 0.0) && draws("aligned-smc", 0.0));
    }
}
