//! The texts that lead from a state of an automaton to itself, as nearly all texts do where text is free.
//!
//! If all tokens below a place of the vocabulary's trie are such texts, they are allowed without a walk. Bytes are known one by
//! one. A character beyond ASCII leads through states of its own, so characters are looked at as a whole.

use std::hash::Hash;

use rustc_hash::FxHashMap;

use crate::Vocabulary;
use crate::byte_set::ByteSet;

/// How far a character in UTF-8 is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Utf8 {
    Begin,
    /// So many bytes are missing.
    One,
    Two,
    Three,
    /// After these bytes the next one has a smaller range.
    AfterE0,
    AfterEd,
    AfterF0,
    AfterF4,
}

impl Utf8 {
    pub const ALL: [Utf8; 8] =
        [Utf8::Begin, Utf8::One, Utf8::Two, Utf8::Three, Utf8::AfterE0, Utf8::AfterEd, Utf8::AfterF0, Utf8::AfterF4];

    /// How far the character is after a byte; `None` where the byte can't follow.
    pub fn next(self, byte: u8) -> Option<Utf8> {
        Some(match (self, byte) {
            (Utf8::Begin, 0x00..=0x7F) | (Utf8::One, 0x80..=0xBF) => Utf8::Begin,
            (Utf8::Begin, 0xC2..=0xDF) => Utf8::One,
            (Utf8::Begin, 0xE0) => Utf8::AfterE0,
            (Utf8::Begin, 0xED) => Utf8::AfterEd,
            (Utf8::Begin, 0xE1..=0xEF) => Utf8::Two,
            (Utf8::Begin, 0xF0) => Utf8::AfterF0,
            (Utf8::Begin, 0xF1..=0xF3) => Utf8::Three,
            (Utf8::Begin, 0xF4) => Utf8::AfterF4,
            (Utf8::Two, 0x80..=0xBF) | (Utf8::AfterE0, 0xA0..=0xBF) | (Utf8::AfterEd, 0x80..=0x9F) => Utf8::One,
            (Utf8::Three, 0x80..=0xBF) | (Utf8::AfterF0, 0x90..=0xBF) | (Utf8::AfterF4, 0x80..=0x8F) => Utf8::Two,
            _ => return None,
        })
    }
}

/// What leads from a state to itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct TextLoops {
    /// Bytes that do.
    bytes: ByteSet,
    /// Those of them in ASCII, the bytes that begin only characters that do, and the bytes that go on with these.
    texts: ByteSet,
}

impl TextLoops {
    /// The loops of a state. `next` gives the state after a byte, and `None` where nothing can follow.
    pub fn find<S: Copy + Eq + Hash>(state: S, mut next: impl FnMut(S, u8) -> Option<S>) -> TextLoops {
        let mut bytes = ByteSet::default();
        (0..=255).filter(|byte| next(state, *byte) == Some(state)).for_each(|byte| bytes.insert(byte));
        let mut texts = ByteSet::default();
        bytes.iter().filter(u8::is_ascii).for_each(|byte| texts.insert(byte));
        let (ascii, mut known) = (texts, FxHashMap::default());
        for first in 0x80..=0xFF {
            if let Some(begun) = Utf8::Begin.next(first)
                && let Some(after) = next(state, first)
                && all_characters(&mut next, state, (after, begun), &mut known)
            {
                texts.insert(first);
            }
        }
        if texts != ascii {
            (0x80..=0xBF).for_each(|byte| texts.insert(byte));
        }
        TextLoops { bytes, texts }
    }

    /// The bytes that lead to the state itself.
    pub fn bytes(&self) -> &ByteSet {
        &self.bytes
    }

    /// The same with bytes alone.
    pub fn without_characters(self) -> TextLoops {
        TextLoops { texts: ByteSet::default(), ..self }
    }

    /// Whether all texts below a node of the trie lead from the state to itself, up to a character that is cut at the end and
    /// can be completed.
    pub fn hold_below(&self, vocabulary: &Vocabulary, node: usize) -> bool {
        let below = vocabulary.below(node);
        below.is_within(&self.bytes) || below.is_within(&self.texts) && vocabulary.goes_on(node, Utf8::Begin)
    }

    /// The same where the node's own byte is read first.
    pub fn hold_from(&self, vocabulary: &Vocabulary, node: usize) -> bool {
        let (byte, below) = (vocabulary.nodes()[node].byte, vocabulary.below(node));
        self.bytes.contains(byte) && below.is_within(&self.bytes)
            || self.texts.contains(byte)
                && below.is_within(&self.texts)
                && Utf8::Begin.next(byte).is_some_and(|begun| vocabulary.goes_on(node, begun))
    }

    /// Whether all bytes below a node of the trie lead from the state to itself.
    pub fn bytes_hold_below(&self, vocabulary: &Vocabulary, node: usize) -> bool {
        vocabulary.below(node).is_within(&self.bytes)
    }
}

/// Whether the character that is begun `at` a state leads to `text`, however it goes on.
fn all_characters<S: Copy + Eq + Hash>(
    next: &mut impl FnMut(S, u8) -> Option<S>,
    text: S,
    at: (S, Utf8),
    known: &mut FxHashMap<(S, Utf8), bool>,
) -> bool {
    if let Some(known) = known.get(&at) {
        return *known;
    }
    let all = (0x80..=0xFF).all(|byte| match at.1.next(byte) {
        None => true,
        Some(Utf8::Begin) => next(at.0, byte) == Some(text),
        Some(utf8) => next(at.0, byte).is_some_and(|state| all_characters(next, text, (state, utf8), known)),
    });
    known.insert(at, all);
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn utf8_is_that_of_the_standard_library() {
        let whole = |bytes: &[u8]| bytes.iter().try_fold(Utf8::Begin, |at, byte| at.next(*byte)) == Some(Utf8::Begin);
        for first in 0..=255u8 {
            assert_eq!(whole(&[first]), std::str::from_utf8(&[first]).is_ok());
            for second in 0..=255 {
                assert_eq!(whole(&[first, second]), std::str::from_utf8(&[first, second]).is_ok());
                for third in [0x00, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xFF] {
                    let bytes = [first, second, third];
                    assert_eq!(whole(&bytes), std::str::from_utf8(&bytes).is_ok());
                    let bytes = [first, second, third, 0x80];
                    assert_eq!(whole(&bytes), std::str::from_utf8(&bytes).is_ok());
                }
            }
        }
    }

    #[test]
    fn characters_loop_where_all_do() {
        // Text without quotes: how far a character is is the state.
        let text = |at: Utf8, byte: u8| at.next(byte).filter(|_| byte != b'"');
        let loops = TextLoops::find(Utf8::Begin, text);
        assert!(loops.bytes.contains(b'a') && !loops.bytes.contains(b'"') && !loops.bytes.contains(0xC3));
        assert!(loops.texts.contains(0xC3) && !loops.texts.contains(b'"'));
        // Without one of them.
        let some = |at: Utf8, byte: u8| text(at, byte).filter(|_| (at, byte) != (Utf8::AfterF4, 0x8F));
        let loops = TextLoops::find(Utf8::Begin, some);
        assert!(loops.texts.contains(b'a') && loops.texts.contains(0xC3) && !loops.texts.contains(0xF4));
        // A byte that loops by itself is no character, and text need not be UTF-8.
        let bytes = |at: Utf8, byte: u8| if (at, byte) == (Utf8::Begin, 0xC3) { Some(at) } else { text(at, byte) };
        let loops = TextLoops::find(Utf8::Begin, bytes);
        assert!(loops.bytes.contains(0xC3) && !loops.texts.contains(0xC3) && loops.texts.contains(0xC4));
    }
}
