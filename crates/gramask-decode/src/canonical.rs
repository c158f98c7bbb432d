//! Masks of the tokens that the tokenizer itself would produce: [`gramask_grammar::Canonical`] with a model's tokenizer.

use std::str;

use gramask_grammar::{Canonical, Place, Tokenise};

use crate::constraint::TokenConstraint;
use crate::retokenizer::Retokenizer;

impl Tokenise for Retokenizer {
    /// No tokens where the text is not UTF-8: no output is.
    fn encode(&mut self, text: &[u8]) -> Vec<u32> {
        str::from_utf8(text).map(|text| self.tokens(text)).unwrap_or_default()
    }

    /// Compares the tokens with those of their own text. Every beginning of a canonical sequence is canonical in byte-pair
    /// encoding. A pre-tokenizer can break this rule only in white space and inside characters, since it groups the white
    /// space at the end of a text in another way: there the answer is `true`.
    fn may_begin(&mut self, tokens: &[u32]) -> bool {
        let bytes: Vec<u8> = tokens.iter().flat_map(|&token| self.vocabulary().bytes(token)).copied().collect();
        match str::from_utf8(&bytes) {
            Ok(text) if !text.ends_with(char::is_whitespace) => self.tokens(text) == tokens,
            _ => true,
        }
    }
}

impl<T: Tokenise + Send> TokenConstraint for Canonical<T> {
    type State = Place;

    fn start(&self) -> Place {
        Canonical::start(self)
    }

    fn mask(&mut self, place: Place) -> &[u32] {
        Canonical::mask(self, place)
    }

    fn mask_within(&mut self, place: Place, budget: usize) -> &[u32] {
        Canonical::mask_within(self, place, budget)
    }

    fn advance(&mut self, place: Place, token: u32) -> Option<Place> {
        Canonical::advance(self, place, token)
    }

    fn accepts(&self, place: Place) -> bool {
        Canonical::accepts(self, place)
    }

    fn tokens_to_finish(&mut self, place: Place) -> usize {
        Canonical::tokens_to_finish(self, place)
    }
}
