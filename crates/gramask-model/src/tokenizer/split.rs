//! How text is cut into words before merges apply, by the names that GGUF files give to it.

use super::TokenizerError;
use tokenizers::pre_tokenizers::PreTokenizerWrapper;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::digits::Digits;
use tokenizers::pre_tokenizers::sequence::Sequence;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::tokenizer::SplitDelimiterBehavior;

/// A way of cutting, and what goes with it.
pub(super) struct Splitting {
    pub pre_tokenizer: PreTokenizerWrapper,
    /// Whether a word that is a token is taken whole, without merging.
    pub ignore_merges: bool,
    /// Whether text is normalised to NFC first.
    pub nfc: bool,
}

/// The regular expression of Llama 3's tokenizer, with the given rule for numbers.
macro_rules! llama3 {
    ($numbers:literal) => {
        concat!(
            r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|",
            $numbers,
            r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
        )
    };
}

/// What GPT-2's tokenizer, which `ByteLevel` has built in, is called.
const GPT2: [&str; 2] = ["gpt-2", "gpt2"];
/// GPT-2's after single digits: StarCoder's, SmolLM's.
const DIGITS: [&str; 4] = ["smollm", "starcoder", "refact", "command-r"];
/// Llama 3's: up to three digits together.
const LLAMA3: [&str; 3] = ["llama-bpe", "llama3", "llama-v3"];
/// Qwen2's: single digits.
const QWEN2: [&str; 2] = ["qwen2", "deepseek-r1-qwen"];
/// What llama.cpp does for files that don't say.
const DEFAULT: &str = "default";

/// The way of cutting with this name in `tokenizer.ggml.pre`.
pub(super) fn by_name(name: &str, add_prefix_space: bool) -> Result<Splitting, TokenizerError> {
    let bytes = |use_regex: bool| PreTokenizerWrapper::from(ByteLevel::new(add_prefix_space, true, use_regex));
    let plain = |steps: Vec<PreTokenizerWrapper>| Splitting {
        pre_tokenizer: Sequence::new(steps).into(),
        ignore_merges: false,
        nfc: false,
    };
    if GPT2.contains(&name) {
        Ok(plain(vec![bytes(true)]))
    } else if DIGITS.contains(&name) {
        Ok(plain(vec![Digits::new(true).into(), bytes(true)]))
    } else if LLAMA3.contains(&name) {
        let steps = vec![isolated(llama3!(r"\p{N}{1,3}"))?, bytes(false)];
        Ok(Splitting { ignore_merges: true, ..plain(steps) })
    } else if QWEN2.contains(&name) {
        let steps = vec![isolated(llama3!(r"\p{N}"))?, bytes(false)];
        Ok(Splitting { nfc: true, ..plain(steps) })
    } else if name == DEFAULT {
        let steps = [
            r"[\p{P}\$\+<=>\^~\|]+",
            r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)",
            r"\p{N}+",
            r"[0-9][0-9][0-9]",
        ];
        let mut steps = steps.into_iter().map(isolated).collect::<Result<Vec<_>, _>>()?;
        steps.push(bytes(false));
        Ok(plain(steps))
    } else {
        let known = GPT2.iter().chain(&DIGITS).chain(&LLAMA3).chain(&QWEN2).chain(&[DEFAULT]);
        Err(TokenizerError::UnknownPreTokenizer {
            found: name.to_owned(),
            known: known.copied().collect::<Vec<_>>().join(", "),
        })
    }
}

/// Cuts before and after each match.
fn isolated(pattern: &str) -> Result<PreTokenizerWrapper, TokenizerError> {
    Split::new(SplitPattern::Regex(pattern.to_owned()), SplitDelimiterBehavior::Isolated, false)
        .map(PreTokenizerWrapper::from)
        .map_err(|error| TokenizerError::Refused { message: error.to_string() })
}
