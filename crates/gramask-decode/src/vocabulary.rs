//! The tokens of a model as bytes, and the constraint's vocabulary made of them.

use std::sync::Arc;

use gramask_grammar::{Token, Vocabulary, VocabularyError};
use thiserror::Error;

/// The bytes of each token, which of them are special, and which end an output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenTable {
    bytes: Vec<Box<[u8]>>,
    special: Vec<bool>,
    end_tokens: Vec<u32>,
}

/// A table that cannot be.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TokenTableError {
    /// No end token.
    #[error("there is no end token, so that no output could ever end")]
    NoEnd,
    /// An end token beyond the table.
    #[error("end token {token} does not exist: there are {tokens} tokens")]
    End {
        /// The end token.
        token: u32,
        /// How many tokens there are.
        tokens: usize,
    },
}

impl TokenTable {
    /// A table of tokens, each its bytes and whether it is special, and the tokens that end an output.
    ///
    /// # Errors
    /// Where there is no end token, or one beyond the table.
    pub fn new(
        tokens: impl IntoIterator<Item = (Vec<u8>, bool)>,
        end_tokens: Vec<u32>,
    ) -> Result<Self, TokenTableError> {
        let (bytes, special): (Vec<Box<[u8]>>, Vec<bool>) =
            tokens.into_iter().map(|(bytes, special)| (bytes.into_boxed_slice(), special)).unzip();
        if end_tokens.is_empty() {
            return Err(TokenTableError::NoEnd);
        }
        if let Some(&token) = end_tokens.iter().find(|&&token| token as usize >= bytes.len()) {
            return Err(TokenTableError::End { token, tokens: bytes.len() });
        }
        Ok(TokenTable { bytes, special, end_tokens })
    }

    /// How many tokens there are.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether there is none; never so, since there is an end token.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The bytes of a token; none for one beyond the table (models may have more logits than tokens).
    pub fn bytes(&self, token: u32) -> &[u8] {
        self.bytes.get(token as usize).map_or(&[], |bytes| bytes)
    }

    /// Whether a token is special: a mark of the chat template, not text.
    pub fn is_special(&self, token: u32) -> bool {
        self.special.get(token as usize).is_some_and(|&special| special)
    }

    /// The tokens that end an output.
    pub fn end_tokens(&self) -> &[u32] {
        &self.end_tokens
    }

    /// The vocabulary that constraints are compiled against. Special tokens are never allowed in it, and end tokens exactly
    /// where an output is complete.
    ///
    /// # Errors
    /// Where the tokens make no vocabulary.
    pub fn vocabulary(&self) -> Result<Arc<Vocabulary>, VocabularyError> {
        let tokens = self.bytes.iter().zip(&self.special);
        let tokens = tokens.map(|(bytes, &special)| Token { bytes: bytes.to_vec(), special }).collect();
        Vocabulary::new(tokens, self.end_tokens.clone())
    }

    /// The text of tokens, end tokens left out, and whether it is lossy: whether the bytes were not UTF-8 and have been
    /// replaced by U+FFFD.
    ///
    /// Other special tokens are written out (`<|im_start|>`): an unconstrained model that wrote one has not written the
    /// format, and that must be seen.
    pub fn text(&self, tokens: impl IntoIterator<Item = u32>) -> (String, bool) {
        let bytes: Vec<u8> = tokens
            .into_iter()
            .filter(|token| !self.end_tokens.contains(token))
            .flat_map(|token| self.bytes(token).iter().copied())
            .collect();
        match String::from_utf8(bytes) {
            Ok(text) => (text, false),
            Err(error) => (String::from_utf8_lossy(error.as_bytes()).into_owned(), true),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts() {
        let tokens = [(b"ab".to_vec(), false), ("é".as_bytes()[..1].to_vec(), false), (b"<end>".to_vec(), true)];
        let table = TokenTable::new(tokens.clone(), vec![2]).unwrap();
        assert_eq!(table.text([0, 0, 2]), ("abab".to_owned(), false));
        assert_eq!(table.text([0, 1]), ("ab\u{FFFD}".to_owned(), true));
        assert_eq!(table.text([0, 77]), ("ab".to_owned(), false));
        assert!(table.is_special(2) && !table.is_special(0) && !table.is_special(77));
        assert_eq!(TokenTable::new(tokens.clone(), vec![]), Err(TokenTableError::NoEnd));
        assert_eq!(TokenTable::new(tokens, vec![3]), Err(TokenTableError::End { token: 3, tokens: 3 }));
    }
}
