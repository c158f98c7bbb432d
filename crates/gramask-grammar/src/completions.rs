//! Shortest completions that share their ends.
//!
//! The completion of a state nearly always ends like that of an earlier state: the rest of a document, or what closes the open
//! brackets. So each letter is kept once, together with the text after it, and a text is the number of its first letter.

/// A letter of an output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Letter {
    Byte(u8),
    /// A special token, by its number in the network of a plain grammar.
    Special(u32),
}

/// A text: the number of its first letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct TextId(u32);

impl TextId {
    /// The empty text.
    pub const EMPTY: TextId = TextId(0);

    pub fn new(index: usize) -> TextId {
        TextId(index as u32)
    }

    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// Texts. The number of a text is greater than those of its ends.
#[derive(Debug)]
pub(crate) struct Completions {
    /// The first letter of each text, and the text after it. The first entry stands for the empty text and is never read.
    letters: Vec<(Letter, TextId)>,
}

impl Completions {
    pub fn new() -> Completions {
        Completions { letters: vec![(Letter::Byte(0), TextId::EMPTY)] }
    }

    /// The first letter of a text and the text after it; `None` for the empty text.
    pub fn first(&self, text: TextId) -> Option<(Letter, TextId)> {
        (text != TextId::EMPTY).then(|| self.letters[text.index()])
    }

    /// The text of a letter and a text after it.
    pub fn put(&mut self, letter: Letter, after: TextId) -> TextId {
        self.letters.push((letter, after));
        TextId(self.letters.len() as u32 - 1)
    }

    /// The text of some bytes and a text after them.
    pub fn put_bytes(&mut self, bytes: &[u8], after: TextId) -> TextId {
        bytes.iter().rev().fold(after, |after, byte| self.put(Letter::Byte(*byte), after))
    }

    /// The letters of a text.
    pub fn letters(&self, text: TextId) -> impl Iterator<Item = Letter> {
        let mut at = text;
        std::iter::from_fn(move || {
            let (letter, after) = self.first(at)?;
            at = after;
            Some(letter)
        })
    }

    /// The text after these bytes, if it begins with them.
    pub fn after(&self, text: TextId, bytes: &[u8]) -> Option<TextId> {
        let mut at = text;
        for &byte in bytes {
            match self.first(at)? {
                (Letter::Byte(first), after) if first == byte => at = after,
                _ => return None,
            }
        }
        Some(at)
    }
}
