//! Vocabularies by name: tokens without weights.
//!
//! A mask needs a model's tokens and nothing else of it. So a vocabulary can be opened from whatever holds a tokenizer: a
//! `tokenizer.json`, a folder with one, a GGUF file; and [`BYTES`] needs no file at all.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gramask_decode::vocabulary_of;
use gramask_grammar::{Token, Vocabulary, VocabularyError};
use gramask_model::checkpoint::{Checkpoint, CheckpointError};
use gramask_model::tokenizer::{Tokenizer, TokenizerError};
use serde::Deserialize;
use thiserror::Error;

use super::Model;

/// The name of the vocabulary that needs no file: every byte, and pieces of what formats write.
pub const BYTES: &str = "bytes";

/// A vocabulary with the tokenizer that it belongs to.
pub struct NamedVocabulary {
    /// As it was asked for.
    pub name: String,
    /// The tokens.
    pub vocabulary: Arc<Vocabulary>,
    /// Cuts a text into tokens as the model's own would; `None` for [`BYTES`].
    tokenizer: Option<Tokenizer>,
}

/// Why a file holds no vocabulary.
#[derive(Debug, Error)]
#[allow(missing_docs, reason = "the messages name variants and fields")]
pub enum VocabularyFault {
    /// The file can't be read.
    #[error("cannot read {}: {source}", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    /// A file of another kind.
    #[error("{} holds no vocabulary: give a tokenizer.json, a folder with one, or a .gguf file", path.display())]
    Kind { path: PathBuf },
    /// A JSON file that is no tokenizer's.
    #[error("{}:{line}:{column}: this is not the JSON of a tokenizer: {message}", path.display())]
    Json { path: PathBuf, line: usize, column: usize, message: String },
    /// A tokenizer that can't be built.
    #[error("{}: {source}", path.display())]
    Tokenizer { path: PathBuf, source: TokenizerError },
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// Tokens that make no vocabulary.
    #[error("the tokens of {name}: {source}")]
    Vocabulary { name: String, source: VocabularyError },
}

impl NamedVocabulary {
    /// The vocabulary of what [`Model::resolve`] found.
    ///
    /// # Errors
    /// A file that can't be read, of another kind, or with a fault.
    pub fn open(model: &Model) -> Result<NamedVocabulary, VocabularyFault> {
        let path = &model.path;
        let extension = path.extension().map(|extension| extension.to_ascii_lowercase());
        let tokenizer = match extension.as_deref().and_then(|extension| extension.to_str()) {
            _ if path.is_dir() => from_json(&path.join("tokenizer.json"))?,
            Some("json") => from_json(path)?,
            Some("gguf") => Checkpoint::open(path)?.tokenizer,
            _ => return Err(VocabularyFault::Kind { path: path.clone() }),
        };
        let name = model.name.clone();
        let vocabulary =
            vocabulary_of(&tokenizer).map_err(|source| VocabularyFault::Vocabulary { name: name.clone(), source })?;
        Ok(NamedVocabulary { name, vocabulary, tokenizer: Some(tokenizer) })
    }

    /// The vocabulary [`BYTES`]: the 256 bytes, every two lower-case letters, what formats often write in one piece, and
    /// an end token. Small enough that all of it can be tried byte by byte at every state.
    ///
    /// # Errors
    /// None in practice: the tokens are fixed.
    pub fn bytes() -> Result<NamedVocabulary, VocabularyFault> {
        const PIECES: [&str; 32] = [
            "{\"", "\":\"", "\",\"", "\"}", "},{\"", "\"]", "[]", "[\"", "[{\"", "</", "><", "/>", " [", "](", " |",
            "| ", "(B-", "(O)", "(I-", ") ", " O", "\tO\n", "B-", "I-", ", ", ": ", "(\"", "\", \"", "\")", " the",
            "é", "\n\n",
        ];
        let letters = b'a'..=b'z';
        let pairs = letters.clone().flat_map(|a| letters.clone().map(move |b| vec![a, b]));
        let tokens = (0..=255u8).map(|byte| vec![byte]).chain(pairs);
        let tokens = tokens.chain(PIECES.iter().map(|piece| piece.as_bytes().to_vec()));
        let mut tokens: Vec<Token> = tokens.map(Token::new).collect();
        tokens.push(Token::special("<end>"));
        let end = tokens.len() as u32 - 1;
        let vocabulary = Vocabulary::new(tokens, vec![end])
            .map_err(|source| VocabularyFault::Vocabulary { name: BYTES.into(), source })?;
        Ok(NamedVocabulary { name: BYTES.into(), vocabulary, tokenizer: None })
    }

    /// The tokens that a model would write a text in: those of its tokenizer, else the longest first.
    pub fn tokens(&self, text: &str) -> Vec<u32> {
        let tokens = self.tokenizer.as_ref().map(|tokenizer| tokenizer.encode(text, false));
        // A tokenizer may normalise, or put a space in front; then its tokens are those of another text.
        let same = |tokens: &Vec<u32>| {
            let written = tokens.iter().map(|&id| self.vocabulary.text(id).unwrap_or_default());
            written.collect::<Vec<_>>().concat() == text.as_bytes()
        };
        let longest = || self.vocabulary.cut(text.as_bytes()).unwrap_or_default();
        tokens.filter(same).unwrap_or_else(longest)
    }
}

/// What has to be known of a `tokenizer.json` to know its largest id.
#[derive(Deserialize)]
struct Description {
    model: DescribedModel,
    #[serde(default)]
    added_tokens: Vec<Added>,
}

#[derive(Deserialize)]
struct DescribedModel {
    vocab: Pieces,
}

/// By text, or, in Unigram models, in the order of the ids.
#[derive(Deserialize)]
#[serde(untagged)]
enum Pieces {
    ByText(HashMap<String, u32>),
    InOrder(Vec<serde::de::IgnoredAny>),
}

#[derive(Deserialize)]
struct Added {
    id: u32,
}

fn from_json(path: &Path) -> Result<Tokenizer, VocabularyFault> {
    let json = std::fs::read(path).map_err(|source| VocabularyFault::Read { path: path.into(), source })?;
    let description: Description = serde_json::from_slice(&json).map_err(|error| VocabularyFault::Json {
        path: path.into(),
        line: error.line(),
        column: error.column(),
        message: error.to_string(),
    })?;
    let pieces = match description.model.vocab {
        Pieces::ByText(ids) => ids.values().max().map_or(0, |id| *id as usize + 1),
        Pieces::InOrder(pieces) => pieces.len(),
    };
    let added = description.added_tokens.iter().map(|token| token.id as usize + 1).max();
    let size = pieces.max(added.unwrap_or(0));
    Tokenizer::from_json(&json, size, None, &[], &[])
        .map_err(|source| VocabularyFault::Tokenizer { path: path.into(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model(path: &Path) -> Model {
        Model { name: "tiny".into(), path: path.into(), expected: None, adapter: None }
    }

    /// Byte-level BPE of three tokens; `Ġ` is the space.
    const TINY: &str = r#"{"version":"1.0","truncation":null,"padding":null,"normalizer":null,"post_processor":null,
        "added_tokens":[{"id":4,"content":"<|im_end|>","special":true,"single_word":false,"lstrip":false,"rstrip":false,"normalized":false}],
        "pre_tokenizer":{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":true},
        "decoder":{"type":"ByteLevel","add_prefix_space":true,"trim_offsets":true,"use_regex":true},
        "model":{"type":"BPE","dropout":null,"unk_token":null,"continuing_subword_prefix":null,"end_of_word_suffix":null,
        "fuse_unk":false,"byte_fallback":false,"vocab":{"a":0,"b":1,"Ġ":2,"Ġa":3},"merges":["Ġ a"]}}"#;

    #[test]
    fn a_tokenizer_file_and_its_folder() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("tokenizer.json");
        std::fs::write(&file, TINY).unwrap();
        for path in [file.as_path(), folder.path()] {
            let opened = NamedVocabulary::open(&model(path)).unwrap();
            assert_eq!(opened.vocabulary.len(), 5);
            assert_eq!(opened.vocabulary.ends(), [4]);
            assert_eq!(opened.vocabulary.text(3), Some(&b" a"[..]));
            assert_eq!(opened.tokens("b ab"), [1, 3, 1]);
            assert!(opened.tokens("c").is_empty(), "what cannot be written has no tokens");
        }
    }

    #[test]
    fn what_is_no_vocabulary_is_said_with_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, contents: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, contents).unwrap();
            NamedVocabulary::open(&model(&path)).err().unwrap().to_string()
        };
        let error = write("a.json", "{\n\"model\": 3}");
        assert!(error.contains("a.json:2:"), "{error}");
        let error = write("a.txt", "a");
        assert!(error.contains("a.txt") && error.contains("tokenizer.json"), "{error}");
        let error = write("a.gguf", "none");
        assert!(error.contains("a.gguf"), "{error}");
        let error = NamedVocabulary::open(&model(folder.path()));
        assert!(matches!(error, Err(VocabularyFault::Read { .. })));
    }

    #[test]
    fn the_vocabulary_of_bytes_cuts_anything() {
        let bytes = NamedVocabulary::bytes().unwrap();
        assert_eq!(bytes.vocabulary.len(), 256 + 26 * 26 + 32 + 1);
        let tokens = bytes.tokens("[{\"text\":\"é\u{0}");
        let text: Vec<u8> = tokens.iter().flat_map(|&id| bytes.vocabulary.text(id).unwrap().to_vec()).collect();
        assert_eq!(text, "[{\"text\":\"é\u{0}".as_bytes());
    }
}
