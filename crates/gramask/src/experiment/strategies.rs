//! The strategies of an experiment file.
//!
//! What a strategy is called and which parameters it takes is registered in [`gramask_decode`]; here a table of them is read
//! and written.

use std::fmt;

use gramask_decode::{StrategyChoice, StrategyName};
use gramask_grammar::Level;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Serialize, Serializer};

use super::{ExperimentError, Place};

/// The strategies of an experiment; one that is not named is not run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Strategies {
    chosen: Vec<StrategyChoice>, // each name once, in the order of the names
}

impl Strategies {
    /// The strategies that are named, in the order in which they are run.
    pub fn chosen(&self) -> &[StrategyChoice] {
        &self.chosen
    }

    /// A strategy and its parameters, where it is named.
    pub fn get(&self, name: StrategyName) -> Option<&StrategyChoice> {
        self.chosen.iter().find(|choice| choice.name() == name)
    }

    /// The strategies that go with a level.
    pub fn of(&self, level: Level) -> Vec<StrategyName> {
        self.chosen.iter().map(StrategyChoice::name).filter(|name| name.goes_with(level)).collect()
    }

    /// Only those of these names; one that was not named gets its default parameters.
    pub fn only(&self, names: &[StrategyName]) -> Strategies {
        let mut only = Strategies::default();
        for &name in names {
            only.set(self.get(name).cloned().unwrap_or_else(|| name.into()));
        }
        only
    }

    /// Puts a strategy in its place among the others; one of the same name goes.
    fn set(&mut self, choice: StrategyChoice) {
        match self.chosen.binary_search_by_key(&choice.name(), StrategyChoice::name) {
            Ok(index) => self.chosen[index] = choice,
            Err(index) => self.chosen.insert(index, choice),
        }
    }
}

impl Serialize for Strategies {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.chosen.len()))?;
        for choice in &self.chosen {
            map.serialize_entry(&choice.name(), choice.parameters())?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Strategies {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Table)
    }
}

/// Reads a table of strategies.
struct Table;

impl<'de> Visitor<'de> for Table {
    type Value = Strategies;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a table of strategies, such as `masked = {}`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Strategies, A::Error> {
        let mut strategies = Strategies::default();
        while let Some(name) = map.next_key::<StrategyName>()? {
            if strategies.get(name).is_some() {
                return Err(A::Error::custom(format!("strategy `{name}` is given twice")));
            }
            strategies.set(map.next_value_seed(name)?);
        }
        Ok(strategies)
    }
}

/// Reads one strategy as the command line has it: its name, or the name and its parameters as a line under `[strategies]`
/// would have them.
///
/// # Errors
/// When it is no strategy, with its place in `text`; when it is not one alone.
///
/// ```
/// use gramask::experiment::parse_strategy;
/// assert_eq!(parse_strategy("lazy")?.name().as_str(), "lazy");
/// assert_eq!(parse_strategy("beam = { k = 8 }")?.hypotheses(), 8);
/// assert!(parse_strategy("beam = { k = 0 }").is_err());
/// # Ok::<(), gramask::experiment::ExperimentError>(())
/// ```
pub fn parse_strategy(text: &str) -> Result<StrategyChoice, ExperimentError> {
    let source = match text.contains('=') {
        true => text.to_string(),
        false => format!("{} = {{}}", text.trim()),
    };
    let wrong = |span, message: &str| ExperimentError::Wrong {
        place: Box::new(Place::new("--strategy".as_ref(), &source, span, message)),
    };
    let given: Strategies = toml::from_str(&source)
        .map_err(|error| wrong(error.span().unwrap_or(0..0), &error.message().replace('\n', " ")))?;
    match <[StrategyChoice; 1]>::try_from(given.chosen) {
        Ok([choice]) => Ok(choice),
        Err(_) => {
            let message = "give one strategy, such as `masked` or `beam = { k = 8 }`";
            Err(wrong(0..source.len(), message))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(name: &str) -> StrategyName {
        name.parse().unwrap()
    }

    #[test]
    fn names_are_the_same_in_files_records_and_tables() {
        for name in StrategyName::all() {
            assert_eq!(serde_json::to_string(&name).unwrap(), format!("\"{name}\""));
            let one: Strategies = toml::from_str(&format!("{name} = {{}}")).unwrap();
            assert_eq!(one.of(Level::None).len().max(one.of(Level::Syntax).len()), 1);
            assert_eq!(one.chosen()[0].name(), name);
            assert_eq!(one, Strategies::default().only(&[name]), "the defaults are those of an empty table");
            assert_eq!(toml::from_str::<Strategies>(&toml::to_string(&one).unwrap()).unwrap(), one);
            let json = serde_json::to_string(&one).unwrap();
            assert_eq!(serde_json::from_str::<Strategies>(&json).unwrap(), one);
        }
    }

    #[test]
    fn a_choice_keeps_its_parameters() {
        let given: Strategies = toml::from_str("beam = { k = 3 }\nretry = { temperature = 1 }").unwrap();
        let names: Vec<&str> = given.chosen().iter().map(|choice| choice.name().as_str()).collect();
        assert_eq!(names, ["retry", "beam"]);
        let written = serde_json::to_string(&given).unwrap();
        assert_eq!(written, r#"{"retry":{"n":4,"temperature":1.0},"beam":{"k":3,"alpha":1.0,"exact":false}}"#);
        let only = given.only(&[name("beam"), StrategyName::MASKED]);
        assert_eq!(only.chosen().len(), 2);
        assert_eq!(only.get(name("beam")).unwrap().hypotheses(), 3);
    }

    #[test]
    fn a_strategy_of_the_command_line() {
        assert_eq!(parse_strategy(" draft ").unwrap().name(), name("draft"));
        assert_eq!(parse_strategy("aligned-smc={particles=2}").unwrap().hypotheses(), 2);
        for (text, words) in [
            ("beem", &["beem", "`beam`"][..]),
            ("", &["--strategy"]),
            ("beam = { k = 0 }", &["`k` is 0", "1 to 64", "1:14"]),
            ("beam = { k = -1 }", &["`k` is -1", "1 to 64"]),
            ("beam = { width = 3 }", &["`width`", "`beam`", "`alpha`", "1:10"]),
            ("beam = 3", &["parameters of `beam`", "1:8"]),
            ("lazy = { k = 3 }", &["`k`", "`lazy`", "takes none"]),
            ("retry = { temperature = 0 }", &["`temperature` is 0", "above 0 and at most 10"]),
            ("aligned-smc = { resample = 1.5 }", &["`resample` is 1.5", "at least 0 and at most 1"]),
            ("free-then-masked = { trigger = '' }", &["`trigger` is empty", "\"Answer:\""]),
            ("beam = {}\nlazy = {}", &["one strategy"]),
            ("#=", &["one strategy"]),
        ] {
            let error = parse_strategy(text).unwrap_err().to_string();
            assert!(words.iter().all(|word| error.contains(word)), "{text}: {error}");
        }
    }
}
