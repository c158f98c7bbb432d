//! Text with its words, and the one place where character offsets become byte offsets.
//!
//! Corpora count characters; Rust slices bytes. Everything outside this file counts characters.

use std::sync::LazyLock;

use regex::Regex;

use crate::Fragment;

/// A word as the corpora's gold boundaries see it: a run of letters and digits, or one mark.
static WORD: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"[^\W_]+|[^\w\s]|_").expect("the word pattern is valid"));

/// A string that knows its words and converts offsets.
///
/// The words are the matches of `[^\W_]+|[^\w\s]|_` (Unicode): what lies between them, the gaps, is white space and
/// characters that are neither (combining marks on their own, for one).
///
/// ```
/// use gramask_ner::{Fragment, Text};
/// let text = Text::new("α-actin, 5 µg");
/// assert_eq!(text.words().len(), 6);
/// assert_eq!(text.slice(text.words()[2]), Some("actin"));
/// assert_eq!(text.slice(Fragment::new(11, 13)), Some("µg"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    string: String,
    /// `bytes[c]` is the byte offset of character `c`; one more entry for the end.
    bytes: Vec<u32>,
    words: Vec<Fragment>,
}

impl Default for Text {
    fn default() -> Self {
        Text::new("")
    }
}

impl Text {
    /// Takes the string and cuts it into words.
    pub fn new(string: impl Into<String>) -> Self {
        let string = string.into();
        let mut bytes: Vec<u32> = string.char_indices().map(|(byte, _)| byte as u32).collect();
        bytes.push(string.len() as u32);
        let mut text = Text { string, bytes, words: Vec::new() };
        text.words = WORD
            .find_iter(&text.string)
            .map(|word| Fragment::new(text.char_at(word.start()), text.char_at(word.end())))
            .collect();
        text
    }

    /// The whole string.
    pub fn as_str(&self) -> &str {
        &self.string
    }

    /// The length in characters.
    pub fn len(&self) -> usize {
        self.bytes.len() - 1
    }

    /// Whether there is no character.
    pub fn is_empty(&self) -> bool {
        self.string.is_empty()
    }

    /// The words, left to right, in characters.
    pub fn words(&self) -> &[Fragment] {
        &self.words
    }

    /// The byte offset of character `offset`; `None` beyond the end.
    pub fn byte_at(&self, offset: usize) -> Option<usize> {
        self.bytes.get(offset).map(|&byte| byte as usize)
    }

    /// The number of characters that begin before byte `byte`: the character offset of a character boundary.
    pub fn char_at(&self, byte: usize) -> usize {
        self.bytes.partition_point(|&start| (start as usize) < byte)
    }

    /// The string of a fragment; `None` where it lies outside the text or is empty or reversed.
    pub fn slice(&self, fragment: Fragment) -> Option<&str> {
        if fragment.start >= fragment.end {
            return None;
        }
        self.string.get(self.byte_at(fragment.start)?..self.byte_at(fragment.end)?)
    }

    /// The word that begins at character `offset`.
    pub fn word_starting_at(&self, offset: usize) -> Option<usize> {
        self.words.binary_search_by_key(&offset, |word| word.start).ok()
    }

    /// The word that ends at character `offset`.
    pub fn word_ending_at(&self, offset: usize) -> Option<usize> {
        self.words.binary_search_by_key(&offset, |word| word.end).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_convert_both_ways() {
        let text = Text::new("a\u{1F9EC}β c");
        assert_eq!(text.len(), 5);
        for offset in 0..=5 {
            assert_eq!(text.char_at(text.byte_at(offset).unwrap()), offset);
        }
        assert_eq!(text.byte_at(6), None);
        assert_eq!(text.slice(Fragment::new(1, 3)), Some("\u{1F9EC}β"));
        assert_eq!(text.slice(Fragment::new(3, 3)), None);
        assert_eq!(text.slice(Fragment::new(4, 6)), None);
    }

    #[test]
    fn the_default_is_the_empty_text() {
        let text = Text::default();
        assert_eq!((text.len(), text.words().len(), text.byte_at(0)), (0, 0, Some(0)));
    }

    #[test]
    fn words_are_runs_of_letters_and_digits_or_single_marks() {
        let text = Text::new("IL-2_mRNA (p<0.05)");
        let words: Vec<_> = text.words().iter().map(|&w| text.slice(w).unwrap()).collect();
        assert_eq!(words, ["IL", "-", "2", "_", "mRNA", "(", "p", "<", "0", ".", "05", ")"]);
        assert_eq!(text.word_starting_at(10), Some(5));
        assert_eq!(text.word_ending_at(9), Some(4));
        assert_eq!(text.word_starting_at(9), None);
    }
}
