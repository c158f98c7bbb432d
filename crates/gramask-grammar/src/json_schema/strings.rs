//! Sets of strings: a regular language over characters and bounds for the length.
//!
//! The two stay apart as long as possible. A length alone becomes a counted repeat of the grammar, which costs nothing; as an
//! automaton it would have several states for each character.

use super::encode::encoded;
use crate::regex::{Language, RegexError, StateId, Steps};

/// A set of strings.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Strings {
    /// Any text if absent.
    language: Option<Language>,
    /// The least number of characters.
    min: u32,
    /// The greatest.
    max: Option<u32>,
}

/// How an output writes a string of a set.
pub(super) enum StringForm {
    /// Any text.
    Any,
    /// Any text of so many characters at least and at most.
    Length(u32, Option<u32>),
    /// These, as JSON writes them, with the quotes.
    Language(Language),
}

impl Strings {
    pub fn all() -> Strings {
        Strings { language: None, min: 0, max: None }
    }

    pub fn none() -> Strings {
        Strings::of(Language::none())
    }

    pub fn of(language: Language) -> Strings {
        Strings { language: Some(language), min: 0, max: None }
    }

    /// The texts of so many characters.
    pub fn length(min: u32, max: Option<u32>) -> Strings {
        Strings { language: None, min, max }.tidy()
    }

    /// Takes bounds away that say nothing, and finds the empty set.
    fn tidy(mut self) -> Strings {
        if self.max.is_some_and(|max| max < self.min) {
            return Strings::none();
        }
        if let Some(language) = &self.language
            && (self.min > 0 || self.max.is_some())
        {
            let (least, greatest) = language.lengths();
            if language.is_empty()
                || self.max.is_some_and(|max| max < least)
                || greatest.is_some_and(|greatest| greatest < self.min)
            {
                return Strings::none();
            }
            if self.min <= least {
                self.min = 0;
            }
            if greatest.is_some_and(|greatest| self.max.is_some_and(|max| greatest <= max)) {
                self.max = None;
            }
        }
        self
    }

    pub fn is_all(&self) -> bool {
        *self == Strings::all()
    }

    /// Whether it is plainly empty. Bounds within a language may hide it.
    fn is_visibly_none(&self) -> bool {
        self.language.as_ref().is_some_and(Language::is_empty)
    }

    /// The set as one language, with its bounds.
    pub fn language(&self, steps: &mut Steps) -> Result<Language, RegexError> {
        let text = self.language.clone().unwrap_or_else(Language::text);
        if self.min == 0 && self.max.is_none() {
            return Ok(text);
        }
        // After the last bound characters need not be counted.
        let most = self.max.unwrap_or(self.min);
        let next = |&(state, count): &(StateId, u32), byte: u8| {
            let count = count + u32::from(byte & 0xc0 != 0x80);
            let count = if self.max.is_none() { count.min(most) } else { count };
            text.next(state, byte).filter(|_| count <= most).map(|state| (state, count))
        };
        let accepts = |&(state, count): &(StateId, u32)| count >= self.min && text.accepts(state);
        // Bytes within a character must not share a class with others.
        let classes = std::array::from_fn(|byte| text.classes()[byte]);
        let within: [u8; 256] = std::array::from_fn(|byte| u8::from(byte & 0xc0 == 0x80));
        Language::explore(crate::regex::joint(&classes, &within), (StateId::START, 0), steps, next, accepts)
    }

    /// Whether no string belongs to it.
    pub fn is_none(&self) -> bool {
        self.language.as_ref().is_some_and(|language| match (self.min, self.max) {
            (0, None) => language.is_empty(),
            (min, max) => !language.has_length(min, max),
        })
    }

    pub fn contains(&self, text: &str) -> bool {
        let length = text.chars().count() as u64;
        u64::from(self.min) <= length
            && self.max.is_none_or(|max| length <= u64::from(max))
            && self.language.as_ref().is_none_or(|language| language.contains(text.as_bytes()))
    }

    pub fn and(&self, other: &Strings, steps: &mut Steps) -> Result<Strings, RegexError> {
        let language = match (&self.language, &other.language) {
            (None, same) | (same, None) => same.clone(),
            (Some(a), Some(b)) => Some(a.and(b, steps)?),
        };
        let max = match (self.max, other.max) {
            (None, same) | (same, None) => same,
            (Some(a), Some(b)) => Some(a.min(b)),
        };
        Ok(Strings { language, min: self.min.max(other.min), max }.tidy())
    }

    pub fn or(&self, other: &Strings, steps: &mut Steps) -> Result<Strings, RegexError> {
        if self.is_all() || other.is_visibly_none() || self == other {
            return Ok(self.clone());
        }
        if other.is_all() || self.is_visibly_none() {
            return Ok(other.clone());
        }
        Ok(Strings::of(self.language(steps)?.or(&other.language(steps)?, steps)?))
    }

    pub fn minus(&self, other: &Strings, steps: &mut Steps) -> Result<Strings, RegexError> {
        if other.is_all() || self.is_visibly_none() {
            return Ok(Strings::none());
        }
        if other.is_visibly_none() {
            return Ok(self.clone());
        }
        let rest = Strings::of(other.language(steps)?.complement(steps)?);
        self.and(&rest, steps)
    }

    /// How an output writes them.
    pub fn form(&self, steps: &mut Steps) -> Result<StringForm, RegexError> {
        Ok(match (&self.language, self.min, self.max) {
            (None, 0, None) => StringForm::Any,
            (None, min, max) => StringForm::Length(min, max),
            _ => StringForm::Language(encoded(&self.language(steps)?, steps)?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(pattern: &str) -> Strings {
        Strings::of(Language::pattern(pattern, &mut Steps::new()).unwrap())
    }

    #[test]
    fn lengths_count_characters() {
        let steps = &mut Steps::new();
        let two = Strings::length(2, Some(2));
        assert!(two.contains("é😀") && !two.contains("é") && !two.contains("abc"));
        let language = two.language(steps).unwrap();
        assert!(language.contains("é😀".as_bytes()) && !language.contains("é".as_bytes()));
        let long = Strings::length(3, None).language(steps).unwrap();
        assert!(long.contains(b"abcdef") && long.contains("日本語".as_bytes()) && !long.contains(b"ab"));
    }

    #[test]
    fn sets_are_those_of_their_members() {
        let steps = &mut Steps::new();
        let texts = ["", "a", "ab", "abc", "b", "bb", "é", "éa", "aaaa"];
        let sets =
            [Strings::all(), Strings::none(), Strings::length(1, Some(2)), pattern("a+|é.?"), pattern("[ab]*"), {
                pattern("[ab]*").and(&Strings::length(2, None), steps).unwrap()
            }];
        for a in &sets {
            for b in &sets {
                let (and, or) = (a.and(b, steps).unwrap(), a.or(b, steps).unwrap());
                let minus = a.minus(b, steps).unwrap();
                for text in texts {
                    let (in_a, in_b) = (a.contains(text), b.contains(text));
                    assert_eq!(and.contains(text), in_a && in_b);
                    assert_eq!(or.contains(text), in_a || in_b);
                    assert_eq!(minus.contains(text), in_a && !in_b);
                }
                assert!(!minus.is_none() || texts.iter().all(|text| !a.contains(text) || b.contains(text)));
            }
        }
        assert!(pattern("aaa").and(&Strings::length(0, Some(2)), steps).unwrap().is_none());
        // The bounds of language and length overlap, and yet nothing fits both.
        let gap = pattern("a|aaa").and(&Strings::length(2, Some(2)), steps).unwrap();
        assert!(gap.is_none());
    }
}
