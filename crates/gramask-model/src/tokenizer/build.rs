//! Tokenizers from the metadata of GGUF files.

use super::alphabet::Alphabet;
use super::split::{Splitting, by_name};
use super::{Parts, Tokenizer, TokenizerError};
use std::collections::HashMap;
use tokenizers::decoders::byte_level::ByteLevel;
use tokenizers::models::bpe::{BPE, Vocab};
use tokenizers::normalizers::unicode::NFC;
use tokenizers::{AddedToken, Tokenizer as Inner};

/// The tokenizer of a GGUF file with `tokenizer.ggml.model = gpt2`, as its metadata describe it.
#[derive(Debug, Clone)]
pub struct GgufVocabulary<'a> {
    /// `tokens`: the text of each token, by id.
    pub tokens: &'a [String],
    /// `token_type`: 1 text, 2 unknown, 3 control, 4 user-defined, 5 unused, 6 byte. Empty: all text.
    pub kinds: &'a [i64],
    /// `merges`: pairs of tokens with a space between, the first to be merged first.
    pub merges: &'a [String],
    /// `pre`: the name of the way in which text is cut into words.
    pub pre: &'a str,
    /// `add_space_prefix`.
    pub add_prefix_space: bool,
    /// `bos_token_id`.
    pub bos: Option<u32>,
    /// `add_bos_token`; files that don't say want it with Llama 3's tokenizer only.
    pub adds_bos: Option<bool>,
    /// `eos_token_id`, `eot_token_id`, `eom_token_id`, as far as given.
    pub end: Vec<u32>,
    /// Rows of the embedding: at least as many as there are tokens.
    pub size: usize,
}

impl Tokenizer {
    /// Builds the byte-level BPE tokenizer of a GGUF file.
    ///
    /// # Errors
    /// A [`TokenizerError`]: an unknown pre-tokenizer, merges of tokens that don't exist, more tokens than `size`,
    /// another number of types than of tokens.
    pub fn from_gguf(file: &GgufVocabulary<'_>) -> Result<Tokenizer, TokenizerError> {
        let GgufVocabulary { tokens, kinds, size, .. } = *file;
        if tokens.len() > size {
            let (token, id) = (tokens[size].clone(), size as u32);
            return Err(TokenizerError::IdBeyondVocabulary { token: format!("`{token}`"), id, size });
        }
        if !kinds.is_empty() && kinds.len() != tokens.len() {
            return Err(TokenizerError::WrongCount { what: "token types", found: kinds.len(), expected: tokens.len() });
        }
        let kind = |id: usize| kinds.get(id).copied().unwrap_or(1);
        let Splitting { pre_tokenizer, ignore_merges, nfc } = by_name(file.pre, file.add_prefix_space)?;
        let refused = |error: tokenizers::Error| TokenizerError::Refused { message: error.to_string() };

        let ids: HashMap<&str, u32> = tokens.iter().enumerate().map(|(id, text)| (text.as_str(), id as u32)).collect();
        let merges = file.merges.iter().enumerate();
        let merges = merges.map(|(index, merge)| split_merge(index, merge, |text| ids.contains_key(text)));
        let merges = merges.collect::<Result<Vec<_>, _>>()?;
        let vocabulary = ids.iter().map(|(&text, &id)| (text.to_owned(), id));
        let model = BPE::builder()
            .vocab_and_merges(vocabulary.collect::<Vocab>(), merges)
            .ignore_merges(ignore_merges)
            .build()
            .map_err(refused)?;
        let mut inner = Inner::new(model);
        if nfc {
            inner.with_normalizer(Some(NFC)).map_err(refused)?;
        }
        inner.with_pre_tokenizer(Some(pre_tokenizer)).with_decoder(Some(ByteLevel::default()));
        let added = (0..tokens.len()).filter(|&id| matches!(kind(id), 3 | 4) && !tokens[id].is_empty());
        let added = added.map(|id| AddedToken::from(tokens[id].as_str(), kind(id) == 3).normalized(false));
        inner.add_tokens(added.collect::<Vec<_>>()).map_err(refused)?;

        let mut writes = vec![None; size];
        for (id, (text, writes)) in tokens.iter().zip(&mut writes).enumerate() {
            *writes = match kind(id) {
                1 => Some(Alphabet::ByteLevel.bytes(text)),
                4 => Some(text.as_bytes().to_vec()),
                6 => Some(Alphabet::SentencePiece.bytes(text)),
                _ => None,
            };
        }
        let adds_bos = file.adds_bos.unwrap_or(ignore_merges) && file.bos.is_some();
        Tokenizer::from_parts(Parts { inner, writes, end: file.end.clone(), bos: file.bos, adds_bos })
    }
}

/// Takes a merge apart, and checks that both sides and their concatenation are tokens: the `tokenizers` crate relies on
/// that.
fn split_merge(index: usize, merge: &str, is_token: impl Fn(&str) -> bool) -> Result<(String, String), TokenizerError> {
    let bad = |problem: String| TokenizerError::BadMerge { index, merge: merge.to_owned(), problem };
    // The first character may itself be a space, in vocabularies that are not quite byte-level.
    let space = merge.char_indices().skip(1).find(|&(_, c)| c == ' ');
    let (left, right) = space
        .map(|(at, _)| (&merge[..at], &merge[at + 1..]))
        .ok_or_else(|| bad("expected two tokens with a space between".to_owned()))?;
    check_merge(index, left, right, is_token)?;
    Ok((left.to_owned(), right.to_owned()))
}

/// Checks that both sides of a merge and their concatenation are tokens.
pub(super) fn check_merge(
    index: usize,
    left: &str,
    right: &str,
    is_token: impl Fn(&str) -> bool,
) -> Result<(), TokenizerError> {
    let whole = format!("{left}{right}");
    match [left, right, &whole].into_iter().find(|text| !is_token(text)) {
        None => Ok(()),
        Some(text) => Err(TokenizerError::BadMerge {
            index,
            merge: format!("{left} {right}"),
            problem: format!("`{text}` is not a token"),
        }),
    }
}
