//! Which part of a format's meaning a constraint enforces.

use gramask_ner::did_you_mean;
use serde::de::{Deserializer, Visitor};
use serde::{Deserialize, Serialize};

/// Which part of a format's meaning a constraint enforces.
///
/// ```
/// use gramask_grammar::Level;
/// assert_eq!("syntax".parse(), Ok(Level::Syntax));
/// assert_eq!(Level::Grounded.to_string(), "grounded");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Nothing: plain decoding.
    None,
    /// The output parses.
    Syntax,
    /// It parses, and everything that refers to the document is true of it.
    Grounded,
}

impl Level {
    /// All levels, the weakest first.
    pub const ALL: [Level; 3] = [Level::None, Level::Syntax, Level::Grounded];

    /// The name in commands, experiment files and results.
    pub fn name(self) -> &'static str {
        match self {
            Level::None => "none",
            Level::Syntax => "syntax",
            Level::Grounded => "grounded",
        }
    }
}

impl std::fmt::Display for Level {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}

/// An unknown level.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown level `{0}`: give `none`, `syntax` or `grounded`{near}", near = did_you_mean(.0, Level::ALL.map(Level::name)))]
pub struct UnknownLevel(pub String);

impl std::str::FromStr for Level {
    type Err = UnknownLevel;
    fn from_str(word: &str) -> Result<Self, UnknownLevel> {
        Level::ALL.into_iter().find(|level| level.name() == word).ok_or_else(|| UnknownLevel(word.into()))
    }
}

impl<'de> Deserialize<'de> for Level {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // A visitor, so that an error in a file has the place of the name.
        struct Name;
        impl Visitor<'_> for Name {
            type Value = Level;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a level: none, syntax or grounded")
            }

            fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<Level, E> {
                name.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_str(Name)
    }
}
