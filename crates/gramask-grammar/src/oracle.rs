//! The oracle: the obvious matcher, which every faster one is compared with.
//!
//! Its state is the list of live threads. It makes a mask by trying every token, byte by byte. From one byte to the next it
//! remembers nothing but the lengths of shortest completions, which have tests of their own.

use std::sync::Arc;

use gramask_ner::Text;

use crate::automaton::Thread;
use crate::constraint::{Constraint, ConstraintError, matcher};
use crate::engine::set_bit;
use crate::matcher::Matcher;
use crate::program::Program;
use crate::{Level, Vocabulary};

/// Follows an output token by token, and tries every token for a mask.
///
/// Slow, and right by construction: the answers of a [`Constraint`] are compared with the oracle's.
pub struct Oracle {
    matcher: Matcher,
    vocabulary: Arc<Vocabulary>,
    /// The live threads.
    threads: Vec<Thread>,
}

impl Oracle {
    /// The oracle of a document.
    ///
    /// # Errors
    /// As [`Constraint::new`], but for documents without a valid output: there the mask is empty.
    pub fn new(
        program: Arc<Program>,
        text: &Text,
        level: Level,
        vocabulary: Arc<Vocabulary>,
    ) -> Result<Oracle, ConstraintError> {
        Oracle::with_slack(program, text, level, vocabulary, Constraint::SLACK)
    }

    /// The oracle of a [`Constraint::with_slack`].
    ///
    /// # Errors
    /// As [`Oracle::new`].
    pub fn with_slack(
        program: Arc<Program>,
        text: &Text,
        level: Level,
        vocabulary: Arc<Vocabulary>,
        slack: u32,
    ) -> Result<Oracle, ConstraintError> {
        let mut matcher = matcher(program, text, level, slack)?;
        let mut threads = matcher.start();
        matcher.keep_live(&mut threads);
        Ok(Oracle { matcher, vocabulary, threads })
    }

    /// The tokens that may follow: bit `i` of word `w` stands for token `32 w + i`.
    pub fn mask(&mut self) -> Vec<u32> {
        let mut mask = vec![0; self.vocabulary.words()];
        let vocabulary = Arc::clone(&self.vocabulary);
        for token in 0..vocabulary.len() as u32 {
            let allowed = match vocabulary.text(token) {
                _ if vocabulary.is_end(token) => self.accepts(),
                Some(text) => self.after(text).is_some(),
                None => false,
            };
            if allowed {
                set_bit(&mut mask, token);
            }
        }
        mask
    }

    /// Whether the output so far is complete.
    pub fn accepts(&self) -> bool {
        self.threads.iter().any(|thread| self.matcher.accepts(thread))
    }

    /// Writes bytes; `false`, and nothing is written, where no valid output goes on so.
    pub fn advance(&mut self, bytes: &[u8]) -> bool {
        let next = self.after(bytes);
        if let Some(threads) = next {
            self.threads = threads;
            return true;
        }
        false
    }

    /// The shortest completion of the output, in bytes.
    pub fn shortest_rest(&mut self) -> Vec<u8> {
        self.matcher.shortest_completion(&self.threads)
    }

    /// The live threads after these bytes; `None` where there is none.
    fn after(&mut self, bytes: &[u8]) -> Option<Vec<Thread>> {
        let mut threads = self.threads.clone();
        for &byte in bytes {
            let mut next = Vec::new();
            for thread in threads {
                self.matcher.step(thread, byte, &mut next);
            }
            self.matcher.keep_live(&mut next);
            if next.is_empty() {
                return None;
            }
            threads = next;
        }
        Some(threads)
    }
}
