//! Byte-pair encoding, of which more is known than its answer for one text.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::{CanonicalError, Tokenise};
use crate::Vocabulary;

/// Byte-pair encoding without a pre-tokenizer: the tokens of the bytes, and the merges in order of their rank.
///
/// A pre-tokenizer first splits a text into pieces, and pairs across two pieces follow other rules. Give
/// [`Canonical`](super::Canonical) the tokenizer's own `encode` then.
#[derive(Clone, Debug)]
pub struct BytePairs {
    vocabulary: Arc<Vocabulary>,
    bytes: [u32; 256],
    /// The rank of a merge and its result.
    merges: FxHashMap<(u32, u32), (u32, u32)>,
    pairs: FxHashMap<(u32, u32), bool>,
}

impl BytePairs {
    /// The encoding of these merges, of which the first is applied first.
    ///
    /// # Errors
    /// Where a byte has no token, or the result of a merge has none.
    pub fn new(vocabulary: &Arc<Vocabulary>, merges: &[(u32, u32)]) -> Result<Self, CanonicalError> {
        let mut tokens: FxHashMap<&[u8], u32> = FxHashMap::default();
        for id in (0..vocabulary.len() as u32).rev() {
            if let Some(text) = vocabulary.text(id) {
                tokens.insert(text, id);
            }
        }
        let mut bytes = [0; 256];
        for (byte, id) in (0..=255u8).zip(&mut bytes) {
            *id = *tokens.get(&[byte][..]).ok_or(CanonicalError::Byte { byte })?;
        }
        let mut made = FxHashMap::default();
        for (rank, &(first, second)) in merges.iter().enumerate() {
            let error = CanonicalError::Merge { rank, first, second };
            let (left, right) = vocabulary.text(first).zip(vocabulary.text(second)).ok_or(error.clone())?;
            let id = *tokens.get(&[left, right].concat()[..]).ok_or(error)?;
            made.entry((first, second)).or_insert((rank as u32, id));
        }
        Ok(BytePairs { vocabulary: Arc::clone(vocabulary), bytes, merges: made, pairs: FxHashMap::default() })
    }

    /// Merges the pair of the lowest rank, the leftmost of equals, until there is none.
    fn tokenise(&self, text: &[u8]) -> Vec<u32> {
        let mut tokens: Vec<u32> = text.iter().map(|byte| self.bytes[usize::from(*byte)]).collect();
        loop {
            let ranks = tokens.windows(2).enumerate();
            let joined = ranks.filter_map(|(at, pair)| Some((self.merges.get(&(pair[0], pair[1]))?, at)));
            let Some((&(_, token), at)) = joined.min() else {
                return tokens;
            };
            tokens[at] = token;
            tokens.remove(at + 1);
        }
    }
}

impl Tokenise for BytePairs {
    fn encode(&mut self, text: &[u8]) -> Vec<u32> {
        self.tokenise(text)
    }

    fn settled(&mut self, tokens: &[u32]) -> usize {
        tokens.len().saturating_sub(1)
    }

    fn adjacent(&mut self, first: u32, second: u32) -> bool {
        if let Some(&known) = self.pairs.get(&(first, second)) {
            return known;
        }
        let texts = self.vocabulary.text(first).zip(self.vocabulary.text(second));
        let canonical = texts.is_some_and(|(left, right)| self.tokenise(&[left, right].concat()) == [first, second]);
        self.pairs.insert((first, second), canonical);
        canonical
    }
}
