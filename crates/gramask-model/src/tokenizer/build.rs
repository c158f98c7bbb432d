//! Tokenizers from the metadata of GGUF files.

use super::alphabet::Alphabet;
use super::sentence_piece::Pieces;
use super::split::{Splitting, by_name};
use super::{END_TEXTS, Parts, Tokenizer, TokenizerError};
use std::collections::HashMap;
use tokenizers::decoders::byte_level::ByteLevel;
use tokenizers::models::bpe::{BPE, Vocab};
use tokenizers::normalizers::unicode::NFC;
use tokenizers::processors::template::TemplateProcessing;
use tokenizers::{AddedToken, Tokenizer as Inner};

/// `model`: how a GGUF file's tokenizer makes tokens of text.
#[derive(Debug, Clone, Copy)]
pub enum GgufModel<'a> {
    /// `gpt2`: byte-level BPE.
    ByteLevel {
        /// `merges`: pairs of tokens with a space between, the first to be merged first.
        merges: &'a [String],
        /// `pre`: the name of the way in which text is cut into words.
        pre: &'a str,
    },
    /// `llama`: SentencePiece's BPE.
    SentencePiece {
        /// `scores`: the score of each token. The highest is merged first.
        scores: &'a [f64],
    },
}

/// The tokenizer of a GGUF file, as its metadata describe it.
#[derive(Debug, Clone)]
pub struct GgufVocabulary<'a> {
    /// `tokens`: the text of each token, by id.
    pub tokens: &'a [String],
    /// `token_type`: 1 text, 2 unknown, 3 control, 4 user-defined, 5 unused, 6 byte. Empty: all text.
    pub kinds: &'a [i64],
    /// `model`, with what belongs to it.
    pub model: GgufModel<'a>,
    /// `add_space_prefix`.
    pub add_prefix_space: bool,
    /// `bos_token_id`.
    pub bos: Option<u32>,
    /// `add_bos_token`; files that don't say want it with SentencePiece and with Llama 3's tokenizer.
    pub adds_bos: Option<bool>,
    /// `eos_token_id`, `eot_token_id`, `eom_token_id`, as far as given.
    pub end: Vec<u32>,
    /// Rows of the embedding: at least as many as there are tokens.
    pub size: usize,
}

impl Tokenizer {
    /// Builds the tokenizer of a GGUF file.
    ///
    /// Types that contradict the tokens' texts are repaired: chat marks typed as text, and padding typed as text.
    /// [`notes`](Self::notes) names them.
    ///
    /// # Errors
    /// A [`TokenizerError`]: an unknown pre-tokenizer, merges of tokens that don't exist, more tokens than `size`,
    /// another number of types or scores than of tokens.
    pub fn from_gguf(file: &GgufVocabulary<'_>) -> Result<Tokenizer, TokenizerError> {
        let GgufVocabulary { tokens, size, .. } = *file;
        if tokens.len() > size {
            let (token, id) = (tokens[size].clone(), size as u32);
            return Err(TokenizerError::IdBeyondVocabulary { token: format!("`{token}`"), id, size });
        }
        let given = file.kinds.len();
        if given > 0 && given != tokens.len() {
            return Err(TokenizerError::WrongCount { what: "token types", found: given, expected: tokens.len() });
        }
        let mut notes = Vec::new();
        let kinds = repaired_kinds(file, &mut notes);
        let kind = |id: usize| kinds[id];
        let refused = |error: tokenizers::Error| TokenizerError::Refused { message: error.to_string() };
        let (mut inner, alphabet, wants_bos) = match file.model {
            GgufModel::ByteLevel { merges, pre } => {
                let (inner, wants_bos) = byte_level(tokens, merges, pre, file.add_prefix_space)?;
                (inner, Alphabet::ByteLevel, wants_bos)
            }
            GgufModel::SentencePiece { scores } => {
                let unknown = (0..tokens.len()).find(|&id| kind(id) == UNKNOWN).map(|id| tokens[id].as_str());
                let (is_text, add_prefix_space) = (|id: usize| kind(id) == NORMAL, file.add_prefix_space);
                let pieces = Pieces { tokens, scores, is_text: &is_text, unknown, add_prefix_space };
                (pieces.tokenizer()?, Alphabet::SentencePiece, true)
            }
        };
        let added =
            (0..tokens.len()).filter(|&id| matches!(kind(id), CONTROL | USER_DEFINED) && !tokens[id].is_empty());
        let added = added.map(|id| AddedToken::from(tokens[id].as_str(), kind(id) == CONTROL).normalized(false));
        inner.add_tokens(added.collect::<Vec<_>>()).map_err(refused)?;

        let mut writes = vec![None; size];
        for (id, (text, writes)) in tokens.iter().zip(&mut writes).enumerate() {
            *writes = match kind(id) {
                NORMAL => Some(alphabet.bytes(text)),
                USER_DEFINED => Some(text.as_bytes().to_vec()),
                BYTE => Some(Alphabet::SentencePiece.bytes(text)),
                _ => None,
            };
        }
        let bos = file.bos.filter(|_| file.adds_bos.unwrap_or(wants_bos));
        let bos = bos.and_then(|id| Some((id, tokens.get(id as usize)?)));
        if let Some((id, text)) = bos {
            inner.with_post_processor(Some(begin_with(id, text)?));
        }
        let adds_bos = bos.is_some();
        let parts = Parts { inner, writes, end: file.end.clone(), bos: file.bos, adds_bos };
        Ok(Tokenizer { notes, ..Tokenizer::from_parts(parts)? })
    }
}

/// A byte-level BPE tokenizer, without added tokens; and whether its family wants the first token before each text.
fn byte_level(
    tokens: &[String],
    merges: &[String],
    pre: &str,
    add_prefix_space: bool,
) -> Result<(Inner, bool), TokenizerError> {
    let refused = |error: tokenizers::Error| TokenizerError::Refused { message: error.to_string() };
    let Splitting { pre_tokenizer, ignore_merges, nfc } = by_name(pre, add_prefix_space)?;
    let ids: HashMap<&str, u32> = tokens.iter().enumerate().map(|(id, text)| (text.as_str(), id as u32)).collect();
    let merges = merges.iter().enumerate();
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
    Ok((inner, ignore_merges))
}

/// What puts a token before each text, where special tokens are wanted.
fn begin_with(id: u32, text: &str) -> Result<TemplateProcessing, TokenizerError> {
    let refused = |message: String| TokenizerError::Refused { message };
    let template = TemplateProcessing::builder()
        .try_single(vec![text, "$A"])
        .map_err(|error| refused(error.to_string()))?
        .special_tokens(vec![(text, id)])
        .build();
    template.map_err(|error| refused(error.to_string()))
}

/// The types of tokens that a GGUF file tells apart. Other numbers are undefined or unused tokens.
const NORMAL: i64 = 1;
const UNKNOWN: i64 = 2;
const CONTROL: i64 = 3;
const USER_DEFINED: i64 = 4;
const UNUSED: i64 = 5;
const BYTE: i64 = 6;

/// Texts of tokens that begin a turn or a text, in the model families that have published names for them.
const START_TEXTS: [&str; 11] = [
    "<|im_start|>",
    "<|begin_of_text|>",
    "<|start_header_id|>",
    "<|end_header_id|>",
    "<start_of_turn>",
    "<|startoftext|>",
    "<|start_of_role|>",
    "<|end_of_role|>",
    "<|system|>",
    "<|user|>",
    "<|assistant|>",
];

/// The type of each token, with two repairs.
///
/// - A mark of a chat that is typed as text becomes a control token, as in llama.cpp. Without the repair it is cut into
///   pieces, and the model never sees the mark. Such a mark is the token of a begin or end id of the file, or has one of
///   the texts that model families publish for their marks.
/// - `[PAD12]`, with which converters fill a vocabulary up to the size of the embedding, becomes an unused token. Without
///   the repair a constraint could allow it as text.
fn repaired_kinds(file: &GgufVocabulary<'_>, notes: &mut Vec<String>) -> Vec<i64> {
    let GgufVocabulary { tokens, kinds, bos, end, .. } = file;
    let mut repaired: Vec<i64> = (0..tokens.len()).map(|id| kinds.get(id).copied().unwrap_or(NORMAL)).collect();
    let (mut marks, mut padding) = (Vec::new(), Vec::new());
    for (id, (text, kind)) in tokens.iter().zip(&mut repaired).enumerate() {
        let named = || bos.iter().chain(end).any(|&named| named as usize == id);
        let published = || END_TEXTS.contains(&text.as_str()) || START_TEXTS.contains(&text.as_str());
        if matches!(*kind, NORMAL | USER_DEFINED) && is_padding(text) {
            *kind = UNUSED;
            padding.push(text.as_str());
        } else if *kind == NORMAL && (named() || published()) {
            *kind = CONTROL;
            marks.push(text.as_str());
        }
    }
    if !marks.is_empty() {
        notes.push(format!("typed as text, and repaired to control tokens: {}", listed(&marks)));
    }
    if !padding.is_empty() {
        notes.push(format!("typed as text, and repaired to unused tokens: {}", listed(&padding)));
    }
    repaired
}

/// Whether a text is that of a token which only fills up the vocabulary: `[PAD12]`, `[PAD 12]`.
fn is_padding(text: &str) -> bool {
    let number = text.strip_prefix("[PAD").and_then(|rest| rest.strip_suffix(']'));
    number.map(str::trim).is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()))
}

/// The first texts of a list, quoted, and how many more there are.
fn listed(texts: &[&str]) -> String {
    const SHOWN: usize = 4;
    let mut line = texts.iter().take(SHOWN).map(|text| format!("`{text}`")).collect::<Vec<_>>().join(", ");
    if texts.len() > SHOWN {
        line.push_str(&format!(" and {} more", texts.len() - SHOWN));
    }
    line
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
