//! Errors of tokenizers.

/// Why a tokenizer can't be built.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenizerError {
    /// The description is not JSON, or not the JSON of a tokenizer.
    #[error("line {line}, column {column}: {message}")]
    Json {
        /// Line, from 1; 0 if it is not known.
        line: usize,
        /// Column, from 1; 0 if it is not known.
        column: usize,
        /// What the parser said.
        message: String,
    },
    /// The way of cutting text into words is not known.
    #[error("unknown pre-tokenizer `{found}`; known are {known}")]
    UnknownPreTokenizer {
        /// Its name.
        found: String,
        /// The names that would be accepted.
        known: String,
    },
    /// It is not clear which bytes the tokens write.
    #[error("the tokens' alphabet is unknown: {found}; expected a byte-level or a SentencePiece-style decoder")]
    UnknownAlphabet {
        /// What the description says.
        found: String,
    },
    /// A merge is malformed, or made of tokens that are not in the vocabulary.
    #[error("merge {index}, `{merge}`: {problem}")]
    BadMerge {
        /// Its number, from 0.
        index: usize,
        /// Its text.
        merge: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A list has another length than the list that it belongs to.
    #[error("there are {found} {what}, expected {expected}, one per token")]
    WrongCount {
        /// What is counted.
        what: &'static str,
        /// How many there are.
        found: usize,
        /// How many there should be.
        expected: usize,
    },
    /// A token's id is not below the model's vocabulary size.
    #[error("{token} has the id {id}, but the model's vocabulary ends at {size}")]
    IdBeyondVocabulary {
        /// The token.
        token: String,
        /// Its id.
        id: u32,
        /// The size of the vocabulary.
        size: usize,
    },
    /// The `tokenizers` crate refused the description.
    #[error("{message}")]
    Refused {
        /// What it said.
        message: String,
    },
}
