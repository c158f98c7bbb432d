//! Tokenizers: text to token ids and back, and the exact bytes that each token writes.
//!
//! The algorithm is that of the `tokenizers` crate. This module builds it from a `tokenizer.json` or from the metadata of a GGUF
//! file. It also inverts each vocabulary to bytes, which a constraint is compiled against.
//!
//! - A **special** token stands for no text (start of turn, end of text, padding). It writes no bytes; it is read from
//!   text only where the caller asks for it, and no constraint allows it.
//! - The **end tokens** are the special tokens by which a model says that its turn is over.
//! - The **size** of a tokenizer is the model's: embeddings are often padded, and ids without a token count as special.
//!
//! Two alphabets are known. In GPT-2's, each byte is a printable character (`Ġ` is the space). In SentencePiece's, `▁` is the
//! space, and `<0x0A>` is a byte that no token has.

mod alphabet;
mod build;
mod error;
mod json;
mod sentence_piece;
mod split;

pub use build::{GgufModel, GgufVocabulary};
pub use error::TokenizerError;

use tokenizers::Tokenizer as Inner;

/// Texts of special tokens that end a turn or a text, in the model families that have published names for them.
const END_TEXTS: [&str; 11] = [
    "<|im_end|>",
    "<|endoftext|>",
    "<|eot_id|>",
    "<|eom_id|>",
    "<|end_of_text|>",
    "<|end|>",
    "<|eot|>",
    "<end_of_turn>",
    "<end_of_utterance>",
    "<EOT>",
    "</s>",
];

/// A model's tokenizer.
#[derive(Clone)]
pub struct Tokenizer {
    /// Reads special tokens from text.
    parsing: Inner,
    /// Reads the text of special tokens as any other text.
    plain: Inner,
    /// The bytes of all tokens, one after the other.
    bytes: Vec<u8>,
    /// Where each token's bytes begin, and one more. `[size + 1]`
    starts: Vec<usize>,
    /// Which ids write no text. `[size]`
    special: Vec<bool>,
    /// The token of each single byte, where there is one.
    byte_tokens: Vec<Option<u32>>,
    end: Vec<u32>,
    bos: Option<u32>,
    adds_bos: bool,
    notes: Vec<String>,
}

impl std::fmt::Debug for Tokenizer {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Tokenizer").field("size", &self.size()).field("end", &self.end).finish_non_exhaustive()
    }
}

/// What building a tokenizer settles, whatever file it comes from.
struct Parts {
    inner: Inner,
    /// The bytes of each token; `None` for special tokens.
    writes: Vec<Option<Vec<u8>>>,
    end: Vec<u32>,
    bos: Option<u32>,
    adds_bos: bool,
}

impl Tokenizer {
    fn from_parts(parts: Parts) -> Result<Tokenizer, TokenizerError> {
        let Parts { inner, writes, mut end, bos, adds_bos } = parts;
        let size = writes.len();
        for text in END_TEXTS {
            end.extend(inner.token_to_id(text).filter(|&id| writes.get(id as usize).is_some_and(Option::is_none)));
        }
        let mut seen = std::collections::HashSet::new();
        end.retain(|&id| seen.insert(id));
        if let Some(&id) = end.iter().chain(&bos).find(|&&id| id as usize >= size) {
            return Err(TokenizerError::IdBeyondVocabulary { token: "a begin or end token".to_owned(), id, size });
        }
        let mut special: Vec<bool> = writes.iter().map(Option::is_none).collect();
        // A text that ends the model's turn must not be written by a constraint, whatever the file calls it.
        end.iter().for_each(|&id| special[id as usize] = true);
        let mut byte_tokens = vec![None; 256];
        let (mut bytes, mut starts) = (Vec::new(), Vec::with_capacity(size + 1));
        for (id, written) in writes.iter().enumerate() {
            starts.push(bytes.len());
            if let Some(written) = written.as_deref().filter(|_| !special[id]) {
                bytes.extend_from_slice(written);
                if let [byte] = *written {
                    byte_tokens[usize::from(byte)].get_or_insert(id as u32);
                }
            }
        }
        starts.push(bytes.len());
        let mut plain = inner.clone();
        plain.set_encode_special_tokens(true);
        Ok(Tokenizer {
            parsing: inner,
            plain,
            bytes,
            starts,
            special,
            byte_tokens,
            end,
            bos,
            adds_bos,
            notes: Vec::new(),
        })
    }

    /// The ids of a text. No special token is added before or after them.
    ///
    /// With `parse_special` the text of a special token (`<|im_start|>`) becomes that token, as a rendered chat
    /// template needs; without it, it is text like any other, as a document needs.
    pub fn encode(&self, text: &str, parse_special: bool) -> Vec<u32> {
        let inner = if parse_special { &self.parsing } else { &self.plain };
        match inner.encode_fast(text, false) {
            Ok(encoding) => encoding.get_ids().to_vec(),
            // The vocabulary was checked, so that only a regular expression that gives up on a huge text gets here.
            // The tokens of its single bytes mean the same text.
            Err(_) => text.bytes().filter_map(|byte| self.byte_tokens[usize::from(byte)]).collect(),
        }
    }

    /// The text that tokens write; special tokens write none, and bytes that are not UTF-8 become `U+FFFD`.
    ///
    /// This is the concatenation of [`token_bytes`](Self::token_bytes), so that the space that SentencePiece puts
    /// before a text's first word is still there.
    pub fn decode(&self, ids: &[u32]) -> String {
        String::from_utf8_lossy(&self.decode_bytes(ids)).into_owned()
    }

    /// The bytes that tokens write.
    pub fn decode_bytes(&self, ids: &[u32]) -> Vec<u8> {
        ids.iter().flat_map(|&id| self.token_bytes(id)).copied().collect()
    }

    /// The bytes that a token writes; none for special tokens and for ids without a token.
    pub fn token_bytes(&self, id: u32) -> &[u8] {
        match (self.starts.get(id as usize), self.starts.get(id as usize + 1)) {
            (Some(&start), Some(&end)) => self.bytes.get(start..end).unwrap_or_default(),
            _ => &[],
        }
    }

    /// Whether an id stands for no text: special tokens, ids without a token, ids beyond the size.
    pub fn is_special(&self, id: u32) -> bool {
        self.special.get(id as usize).copied().unwrap_or(true)
    }

    /// The tokens by which the model ends its turn; the file's own choice first. May be empty.
    pub fn end_tokens(&self) -> &[u32] {
        &self.end
    }

    /// The token that begins a text, if there is one.
    pub fn bos(&self) -> Option<u32> {
        self.bos
    }

    /// Whether the model wants [`bos`](Self::bos) in front of each prompt. Chat templates write it themselves.
    pub fn adds_bos(&self) -> bool {
        self.adds_bos
    }

    /// The tokenizer as a `tokenizer.json`.
    ///
    /// # Errors
    /// [`TokenizerError::Refused`] when the `tokenizers` crate cannot write it.
    pub fn to_json(&self) -> Result<String, TokenizerError> {
        self.parsing.to_string(false).map_err(|error| TokenizerError::Refused { message: error.to_string() })
    }

    /// What in the tokenizer's description was repaired, one sentence each.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// The number of ids, those without a token included: the model's vocabulary.
    pub fn size(&self) -> usize {
        self.special.len()
    }

    /// The id of a token by its text as the vocabulary has it (`<|im_end|>`, `Ġthe`).
    pub fn token_id(&self, text: &str) -> Option<u32> {
        self.parsing.token_to_id(text)
    }

    /// A token's text as the vocabulary has it; for special tokens, the text that stands for them.
    pub fn token_text(&self, id: u32) -> Option<String> {
        self.parsing.id_to_token(id)
    }
}
