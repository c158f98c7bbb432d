//! The document as the automaton sees it: escaped bytes, words, the elements that the cursor passes, and occurrences.

use std::sync::{Arc, Mutex, PoisonError};

use gramask_ner::Text;
use rustc_hash::FxHashMap;

use crate::notation::ast::{Boundaries, Escape, Terminal};

/// No word ends here.
const NOWHERE: u32 = u32::MAX;

/// The occurrences of a surface, left to right, as first and last words.
type Occurrences = Arc<[(u32, u32)]>;

/// The occurrences of surfaces that have many, by their first place among the suffixes and their length.
#[derive(Debug, Default)]
struct Kept {
    surfaces: FxHashMap<(usize, usize), Occurrences>,
    /// How many occurrences they have together.
    occurrences: usize,
}

/// A surface with more occurrences than this has them kept, so that they are sorted once.
const MANY: usize = 16;
/// So many occurrences are kept at most, of all surfaces together.
const MOST_KEPT: usize = 1 << 20;

/// What the cursor passes: a word, or the gap before, between or after words.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Element {
    /// Escaped bytes.
    pub start: u32,
    pub end: u32,
    /// The word's number; `None` for a gap.
    pub word: Option<u32>,
}

/// A document, written through a format's escape.
#[derive(Debug)]
pub(crate) struct Source {
    /// The whole text, escaped.
    pub bytes: Vec<u8>,
    /// Where each word begins and ends in `bytes`.
    edges: Vec<(u32, u32)>,
    /// The units that fragments begin and end at, in characters: words, or single characters.
    pub words: Vec<(u32, u32)>,
    pub elements: Vec<Element>,
    /// Word numbers in the order of the escaped text that begins at them (a suffix array over word starts).
    suffixes: Vec<u32>,
    /// The word that ends at an escaped byte offset.
    end_words: Vec<u32>,
    /// For each element number (and one past the last), the number of the next word.
    next_words: Vec<u32>,
    kept: Mutex<Kept>,
}

/// A range of the suffix array whose members share `depth` bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Prefix {
    pub low: u32,
    pub high: u32,
    pub depth: u32,
}

impl Source {
    /// Escapes the text. The error is the first character that the escape can't write, with its character offset.
    pub fn new(text: &Text, escape: &Escape, boundaries: Boundaries) -> Result<Source, (usize, char)> {
        let (mut bytes, mut at) = (Vec::with_capacity(text.as_str().len() + 16), Vec::with_capacity(text.len() + 1));
        for (offset, c) in text.as_str().chars().enumerate() {
            at.push(bytes.len() as u32);
            if !escape.write(c, &mut bytes) {
                return Err((offset, c));
            }
        }
        at.push(bytes.len() as u32);
        let words: Vec<(u32, u32)> = match boundaries {
            Boundaries::Words => text.words().iter().map(|word| (word.start as u32, word.end as u32)).collect(),
            Boundaries::Characters => (0..text.len() as u32).map(|c| (c, c + 1)).collect(),
        };
        let mut source = Source {
            end_words: vec![NOWHERE; bytes.len() + 1],
            edges: words.iter().map(|&(start, end)| (at[start as usize], at[end as usize])).collect(),
            elements: Vec::with_capacity(2 * words.len() + 1),
            suffixes: (0..words.len() as u32).collect(),
            next_words: Vec::new(),
            kept: Mutex::default(),
            bytes,
            words,
        };
        source.cut();
        source.sort();
        Ok(source)
    }

    /// Whether the escape can write a text; the error is that of [`Source::new`].
    pub fn check(text: &Text, escape: &Escape) -> Result<(), (usize, char)> {
        if *escape == Escape::None {
            return Ok(());
        }
        let mut bytes = Vec::new();
        for (offset, c) in text.as_str().chars().enumerate() {
            bytes.clear();
            if !escape.write(c, &mut bytes) {
                return Err((offset, c));
            }
        }
        Ok(())
    }

    /// An empty document, for an automaton at level `syntax`.
    pub fn none() -> Source {
        Source {
            bytes: Vec::new(),
            edges: Vec::new(),
            words: Vec::new(),
            elements: Vec::new(),
            suffixes: Vec::new(),
            end_words: vec![NOWHERE],
            next_words: vec![0],
            kept: Mutex::default(),
        }
    }

    fn cut(&mut self) {
        let mut before = 0;
        for (number, &(start, end)) in self.edges.iter().enumerate() {
            if before < start {
                self.elements.push(Element { start: before, end: start, word: None });
            }
            self.elements.push(Element { start, end, word: Some(number as u32) });
            self.end_words[end as usize] = number as u32;
            before = end;
        }
        if (before as usize) < self.bytes.len() {
            self.elements.push(Element { start: before, end: self.bytes.len() as u32, word: None });
        }
        let mut next = self.words.len() as u32;
        self.next_words = vec![next; self.elements.len() + 1];
        for i in (0..self.elements.len()).rev() {
            next = self.elements[i].word.unwrap_or(next);
            self.next_words[i] = next;
        }
    }

    fn sort(&mut self) {
        let mut suffixes = std::mem::take(&mut self.suffixes);
        suffixes.sort_by(|&a, &b| self.bytes[self.start(a)..].cmp(&self.bytes[self.start(b)..]));
        self.suffixes = suffixes;
    }

    /// Where word `word` begins, in escaped bytes.
    pub fn start(&self, word: u32) -> usize {
        self.edges[word as usize].0 as usize
    }

    /// Where word `word` ends, in escaped bytes.
    pub fn end(&self, word: u32) -> usize {
        self.edges[word as usize].1 as usize
    }

    /// The escaped surface of the words `first..=last`.
    pub fn surface(&self, first: u32, last: u32) -> &[u8] {
        &self.bytes[self.start(first)..self.end(last)]
    }

    /// The number of words.
    pub fn len(&self) -> u32 {
        self.words.len() as u32
    }

    /// The next word at or after element `cursor`.
    pub fn next_word(&self, cursor: u32) -> Option<u32> {
        let word = self.next_words[cursor as usize];
        (word < self.len()).then_some(word)
    }

    /// The word that the cursor passed last, where an entity may end now: with `copies`, gaps are passed one by one too,
    /// and an entity may not end after one.
    pub fn passed(&self, cursor: u32, copies: bool) -> Option<u32> {
        if copies {
            return self.elements[cursor.checked_sub(1)? as usize].word;
        }
        self.next_word(cursor).unwrap_or(self.len()).checked_sub(1)
    }

    /// The element of a word, and the cursor after it and its gap.
    pub fn pass(&self, cursor: u32) -> Option<(Element, u32)> {
        let mut i = cursor as usize;
        while self.elements.get(i)?.word.is_none() {
            i += 1;
        }
        let after = match self.elements.get(i + 1) {
            Some(gap) if gap.word.is_none() => i + 2,
            _ => i + 1,
        };
        Some((self.elements[i], after as u32))
    }

    /// Every word start.
    pub fn anywhere(&self) -> Prefix {
        Prefix { low: 0, high: self.len(), depth: 0 }
    }

    /// The word starts of `prefix`.
    pub fn starts(&self, prefix: Prefix) -> &[u32] {
        &self.suffixes[prefix.low as usize..prefix.high as usize]
    }

    /// The bytes that all starts of `prefix` (which has one) share.
    pub fn shared(&self, prefix: Prefix) -> &[u8] {
        let start = self.start(self.suffixes[prefix.low as usize]);
        &self.bytes[start..start + prefix.depth as usize]
    }

    /// The starts of `prefix` that go on with `byte`.
    pub fn narrow(&self, prefix: Prefix, byte: u8) -> Option<Prefix> {
        let starts = self.starts(prefix);
        let at = |word: u32| self.bytes.get(self.start(word) + prefix.depth as usize).map_or(-1, |b| i32::from(*b));
        let low = starts.partition_point(|&word| at(word) < i32::from(byte));
        let high = low + starts[low..].partition_point(|&word| at(word) == i32::from(byte));
        (low < high).then(|| Prefix {
            low: prefix.low + low as u32,
            high: prefix.low + high as u32,
            depth: prefix.depth + 1,
        })
    }

    /// The last word of the surface of `length` bytes that begins at word `first`, where one ends there.
    pub fn last(&self, first: u32, length: u32) -> Option<u32> {
        let word = *self.end_words.get(self.start(first) + length as usize)?;
        (word != NOWHERE).then_some(word)
    }

    /// Calls `with` with the occurrences of the surface of `first..=last`, left to right, as words.
    pub fn occurrences<T>(&self, first: u32, last: u32, with: impl FnOnce(&[(u32, u32)]) -> T) -> T {
        let surface = self.surface(first, last);
        let head = |word: u32| {
            let start = self.start(word);
            &self.bytes[start..self.bytes.len().min(start + surface.len())]
        };
        let low = self.suffixes.partition_point(|&word| head(word) < surface);
        let high = low + self.suffixes[low..].partition_point(|&word| head(word) == surface);
        let find = || {
            let last = |&word: &u32| Some((word, self.last(word, surface.len() as u32)?));
            let mut found: Vec<_> = self.suffixes[low..high].iter().filter_map(last).collect();
            found.sort_unstable();
            found
        };
        if high - low <= MANY {
            return with(&find());
        }
        let key = (low, surface.len());
        // A thread that panicked left the table whole: it only ever adds an entry.
        let kept = || self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let known = kept().surfaces.get(&key).cloned();
        let occurrences = known.unwrap_or_else(|| {
            let found: Occurrences = find().into();
            let mut kept = kept();
            if kept.occurrences + found.len() <= MOST_KEPT {
                kept.occurrences += found.len();
                kept.surfaces.insert(key, Arc::clone(&found));
            }
            found
        });
        with(&occurrences)
    }

    /// Which occurrence of its surface a stretch of words is, from 1.
    pub fn nth(&self, first: u32, last: u32) -> u32 {
        let place = |found: &[(u32, u32)]| found.binary_search(&(first, last));
        self.occurrences(first, last, place).map_or(0, |place| place as u32 + 1)
    }

    /// The word that an offset or a number names.
    pub fn word(&self, kind: Terminal, value: u32) -> Option<u32> {
        let word = match kind {
            Terminal::Start => self.words.binary_search_by_key(&value, |word| word.0).ok()?,
            Terminal::End => self.words.binary_search_by_key(&value, |word| word.1).ok()?,
            _ => value as usize,
        };
        (word < self.words.len()).then_some(word as u32)
    }

    /// The first word from `from` on whose position is `value` or more; the number of words where there is none.
    pub fn first_word(&self, kind: Terminal, from: u32, value: u32) -> u32 {
        let rest = &self.words[(from as usize).min(self.words.len())..];
        let skipped = match kind {
            Terminal::Start => rest.partition_point(|word| word.0 < value),
            Terminal::End => rest.partition_point(|word| word.1 < value),
            _ => return from.max(value),
        };
        from + skipped as u32
    }

    /// A position of a stretch of words.
    pub fn view(&self, kind: Terminal, first: u32, last: u32) -> u32 {
        match kind {
            Terminal::Start => self.words[first as usize].0,
            Terminal::End => self.words[last as usize].1,
            Terminal::First => first,
            Terminal::Last => last,
            _ => self.nth(first, last),
        }
    }

    /// The occurrences of any escaped string.
    pub fn find(&self, surface: &[u8]) -> Vec<(u32, u32)> {
        let mut prefix = self.anywhere();
        for &byte in surface {
            match self.narrow(prefix, byte) {
                Some(narrower) => prefix = narrower,
                None => return Vec::new(),
            }
        }
        let ends = |&word: &u32| Some((word, self.last(word, prefix.depth)?));
        let mut found: Vec<_> = self.starts(prefix).iter().filter_map(ends).collect();
        found.sort_unstable();
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: &str) -> Source {
        Source::new(&Text::new(text), &Escape::Json, Boundaries::Words).unwrap()
    }

    #[test]
    fn elements_are_words_and_gaps() {
        let source = source(" a \"b\" ");
        let elements: Vec<_> =
            source.elements.iter().map(|e| (&source.bytes[e.start as usize..e.end as usize], e.word)).collect();
        assert_eq!(
            elements,
            [
                (&b" "[..], None),
                (b"a", Some(0)),
                (b" ", None),
                (b"\\\"", Some(1)),
                (b"b", Some(2)),
                (b"\\\"", Some(3)),
                (b" ", None)
            ]
        );
        assert_eq!(source.pass(0).map(|(e, c)| (e.word, c)), Some((Some(0), 3)));
        assert_eq!(source.next_word(6), None);
    }

    #[test]
    fn occurrences_are_word_aligned() {
        let source = source("ab a b ab abc a b");
        assert_eq!(source.find(b"ab"), [(0, 0), (3, 3)]);
        source.occurrences(1, 2, |found| assert_eq!(found, [(1, 2), (5, 6)]));
        assert_eq!(source.find(b"a "), []);
        assert_eq!(source.find(b"abc a"), [(4, 5)]);
    }

    #[test]
    fn many_occurrences_are_sorted_once() {
        let source = source(&"b a ".repeat(2 * MANY));
        let all: Vec<(u32, u32)> = (0..2 * MANY as u32).map(|n| (2 * n + 1, 2 * n + 1)).collect();
        for &(first, last) in &all {
            source.occurrences(first, last, |found| assert_eq!(found, all));
            assert_eq!(source.nth(first, last), first / 2 + 1);
        }
        let kept = source.kept.lock().unwrap();
        assert_eq!((kept.surfaces.len(), kept.occurrences), (1, all.len()));
    }
}
