//! Shards: parts of the documents of a run, for several machines.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

/// One of several parts: `3/16` is the third of sixteen. It has every sixteenth document of each cell, starting with the third, so
/// that all shards have about the same work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Shard {
    number: usize,
    of: usize,
}

/// A text that names no shard.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{text}` is no shard: give its number and the number of all shards, such as 3/16 (1/16 to 16/16)")]
pub struct NoShard {
    text: String,
}

impl Shard {
    /// Whether the shard has the document at this place of its corpus, from 0.
    pub fn has(&self, place: usize) -> bool {
        place % self.of == self.number - 1
    }

    /// The name of its folder: `03-of-16`.
    pub fn folder(&self) -> String {
        let digits = self.of.to_string().len();
        format!("{:0digits$}-of-{}", self.number, self.of)
    }
}

impl FromStr for Shard {
    type Err = NoShard;

    fn from_str(text: &str) -> Result<Self, NoShard> {
        let parsed = text.split_once('/').and_then(|(number, of)| Some((number.parse().ok()?, of.parse().ok()?)));
        match parsed {
            Some((number, of)) if (1..=of).contains(&number) => Ok(Shard { number, of }),
            _ => Err(NoShard { text: text.into() }),
        }
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.of)
    }
}

impl Serialize for Shard {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Shard {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_have_each_document_once() {
        let parts: Vec<Shard> = (1..=3).map(|number| format!("{number}/3").parse().unwrap()).collect();
        for place in 0..20 {
            assert_eq!(parts.iter().filter(|part| part.has(place)).count(), 1);
        }
        assert_eq!((parts[1].to_string(), parts[1].folder()), ("2/3".into(), "2-of-3".into()));
        assert_eq!("3/16".parse::<Shard>().unwrap().folder(), "03-of-16");
        let json = serde_json::to_string(&parts[0]).unwrap();
        assert_eq!((json.as_str(), serde_json::from_str::<Shard>(&json).unwrap()), ("\"1/3\"", parts[0]));
        for wrong in ["0/3", "4/3", "3", "a/b", "-1/3", "1/0", ""] {
            let error = wrong.parse::<Shard>().unwrap_err().to_string();
            assert!(error.contains(&format!("`{wrong}`")) && error.contains("3/16"), "{error}");
        }
    }
}
