//! SentencePiece's byte-pair encoding (Kudo and Richardson 2018, "SentencePiece", section 3.1), as GGUF files describe it.
//!
//! SentencePiece joins the two neighbours whose union has the highest score, until no union is a token. The `tokenizers`
//! crate joins by a list of merges. So each token gives one merge for each of its divisions into two tokens, and the merges are
//! sorted by the token's score. That is how `transformers` converts such models (`generate_merges`). Characters without a
//! token become the tokens of their bytes.

use super::TokenizerError;
use std::collections::HashMap;
use tokenizers::decoders::byte_fallback::ByteFallback;
use tokenizers::decoders::fuse::Fuse;
use tokenizers::decoders::sequence::Sequence as Decoders;
use tokenizers::models::bpe::{BPE, Vocab};
use tokenizers::normalizers::{Prepend, Replace, Sequence};
use tokenizers::{NormalizerWrapper, Tokenizer as Inner};

/// What SentencePiece writes in place of a space.
const SPACE: &str = "▁";

/// The pieces of a vocabulary.
pub(super) struct Pieces<'a> {
    /// The text of each token, by id.
    pub tokens: &'a [String],
    /// The score of each token.
    pub scores: &'a [f64],
    /// Which tokens are pieces of text: neither bytes nor marks.
    pub is_text: &'a dyn Fn(usize) -> bool,
    /// The token of what has no other.
    pub unknown: Option<&'a str>,
    /// Whether a space is put before the text.
    pub add_prefix_space: bool,
}

impl Pieces<'_> {
    /// The tokenizer, without added tokens.
    pub fn tokenizer(&self) -> Result<Inner, TokenizerError> {
        let refused = |error: tokenizers::Error| TokenizerError::Refused { message: error.to_string() };
        let (found, expected) = (self.scores.len(), self.tokens.len());
        if found != expected {
            return Err(TokenizerError::WrongCount { what: "token scores", found, expected });
        }
        let vocabulary = self.tokens.iter().enumerate().map(|(id, text)| (text.clone(), id as u32));
        let mut model = BPE::builder().vocab_and_merges(vocabulary.collect::<Vocab>(), self.merges());
        model = model.byte_fallback(true).fuse_unk(true);
        if let Some(unknown) = self.unknown {
            model = model.unk_token(unknown.to_owned());
        }
        let mut inner = Inner::new(model.build().map_err(refused)?);
        let mut steps: Vec<NormalizerWrapper> = Vec::new();
        if self.add_prefix_space {
            steps.push(Prepend::new(SPACE.to_owned()).into());
        }
        steps.push(Replace::new(" ", SPACE).map_err(refused)?.into());
        inner.with_normalizer(Some(Sequence::new(steps))).map_err(refused)?;
        let spaces = Replace::new(SPACE, " ").map_err(refused)?;
        inner.with_decoder(Some(Decoders::new(vec![
            spaces.into(),
            ByteFallback::default().into(),
            Fuse::new().into(),
        ])));
        Ok(inner)
    }

    /// The merges, the first to be merged first.
    fn merges(&self) -> Vec<(String, String)> {
        let texts = self.tokens.iter().enumerate().filter(|(id, _)| (self.is_text)(*id));
        let ids: HashMap<&str, usize> = texts.clone().map(|(id, text)| (text.as_str(), id)).collect();
        let mut merges: Vec<(f64, usize, &str, &str)> = Vec::new();
        for (id, text) in texts {
            for (at, _) in text.char_indices().skip(1) {
                let (left, right) = text.split_at(at);
                if ids.contains_key(left) && ids.contains_key(right) {
                    merges.push((self.scores[id], id, left, right));
                }
            }
        }
        // Of one score, first the tokens with lower ids, and of one token the division with the longer left part.
        merges.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)).then(b.2.len().cmp(&a.2.len())));
        merges.into_iter().map(|(_, _, left, right)| (left.to_owned(), right.to_owned())).collect()
    }
}
