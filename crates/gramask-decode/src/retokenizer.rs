//! Tokens for text that was not sampled.
//!
//! A language model has seen text in the tokens of its tokenizer, and in no others. So forced text is written in the tokens that
//! the tokenizer would give, also across the boundary to what was sampled before ("token healing").

use std::fmt;
use std::str;
use std::sync::Arc;

use gramask_grammar::Vocabulary;

use crate::prompt::PromptTokenizer;

/// A tokenizer with the bytes of its tokens.
#[derive(Clone)]
pub struct Retokenizer {
    tokenizer: Arc<dyn PromptTokenizer + Send + Sync>,
    vocabulary: Arc<Vocabulary>,
}

impl fmt::Debug for Retokenizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Retokenizer").field("tokens", &self.vocabulary.len()).finish_non_exhaustive()
    }
}

impl Retokenizer {
    /// Uses this tokenizer; `vocabulary` has the bytes of its tokens.
    pub fn new(tokenizer: Arc<dyn PromptTokenizer + Send + Sync>, vocabulary: Arc<Vocabulary>) -> Self {
        Retokenizer { tokenizer, vocabulary }
    }

    /// The tokens of a text.
    pub(crate) fn tokens(&self, text: &str) -> Vec<u32> {
        self.tokenizer.encode(text, false)
    }

    /// The bytes of the tokens.
    pub fn vocabulary(&self) -> &Vocabulary {
        &self.vocabulary
    }

    /// The tokens of `text` that the tokenizer gives for `before` and `text` together. `None` if one of its tokens crosses the
    /// boundary, or if the two are not whole characters.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use gramask_decode::{Retokenizer, mock::{MockTokenizer, byte_vocabulary}};
    /// let retokenizer = Retokenizer::new(Arc::new(MockTokenizer::default()), byte_vocabulary(&[]));
    /// assert_eq!(retokenizer.retokenize(b"a ", b"bc"), Some(vec![98, 99]));
    /// assert_eq!(retokenizer.retokenize(b"\xE2\x82", b"\xAC!"), Some(vec![0xAC, 33])); // together they are characters
    /// assert_eq!(retokenizer.retokenize(b"", b"\xE2\x82"), None);
    /// ```
    pub fn retokenize(&self, before: &[u8], text: &[u8]) -> Option<Vec<u32>> {
        let whole = [before, text].concat();
        let tokens = self.tokenizer.encode(str::from_utf8(&whole).ok()?, false);
        let written: usize = tokens.iter().map(|&token| self.vocabulary.bytes(token).len()).sum();
        // Some tokenizers put a space before a text's first word.
        let extra = written.checked_sub(whole.len()).filter(|&extra| extra <= 1)?;
        let (mut at, mut first) = (0, 0);
        while at < before.len() + extra {
            at += self.vocabulary.bytes(*tokens.get(first)?).len();
            first += 1;
        }
        let mut rest = text;
        for &token in &tokens[first..] {
            rest = rest.strip_prefix(self.vocabulary.bytes(token))?;
        }
        (rest.is_empty() && at == before.len() + extra).then(|| tokens[first..].to_vec())
    }
}
