//! Whether the tokens of an output are those that the tokenizer produces for its text.
//!
//! A model was trained on the tokens of its tokenizer and hardly saw any others. A mask, forced text or a draft can make it write
//! the same text in other tokens. Their number is a part of the distortion by the strategy.

use gramask_decode::PromptTokenizer;
use gramask_grammar::Vocabulary;

/// Counts the tokens of an output that the tokenizer does not produce for the output's text.
///
/// Special tokens, such as the end token, separate stretches of ordinary tokens. The bytes of each stretch are encoded again. A token
/// is **canonical** if the encoding has the same token at the same bytes. All other tokens are counted. `None` if the bytes are not
/// UTF-8 (an output that was cut off within a character), or if the encoding has other bytes.
///
/// ```
/// use gramask::decode::mock::{MockTokenizer, byte_vocabulary};
/// use gramask::evaluate::non_canonical;
/// // The tokenizer cuts into bytes, and token 258 is written for two of them.
/// let vocabulary = byte_vocabulary(&["ab"]);
/// let tokens = [258, u32::from(b'c'), 256];
/// assert_eq!(non_canonical(&tokens, &vocabulary, &MockTokenizer::default()), Some(1));
/// ```
pub fn non_canonical<T: PromptTokenizer + ?Sized>(
    tokens: &[u32],
    vocabulary: &Vocabulary,
    tokenizer: &T,
) -> Option<usize> {
    let special = |token: &u32| vocabulary.is_special(*token) || vocabulary.ends().contains(token);
    tokens.split(special).map(|stretch| others(stretch, vocabulary, tokenizer)).sum()
}

/// The number of tokens of a stretch that are not canonical.
fn others<T: PromptTokenizer + ?Sized>(tokens: &[u32], vocabulary: &Vocabulary, tokenizer: &T) -> Option<usize> {
    let bytes: Vec<u8> = tokens.iter().flat_map(|&token| vocabulary.bytes(token)).copied().collect();
    if bytes.is_empty() {
        return Some(0);
    }
    let encoded = tokenizer.encode(std::str::from_utf8(&bytes).ok()?, false);
    let spelt: Vec<u8> = encoded.iter().flat_map(|&token| vocabulary.bytes(token)).copied().collect();
    // Some tokenizers put a space before the first word. Then the first token begins before the text.
    let before = spelt.len().checked_sub(bytes.len()).filter(|&before| before <= 1)?;
    if !spelt.ends_with(&bytes) {
        return None;
    }
    let canonical: Vec<(usize, u32)> = starts(&encoded, vocabulary).collect();
    let same = starts(tokens, vocabulary).filter(|&(start, token)| {
        let place = canonical.binary_search_by_key(&(start + before), |&(start, _)| start);
        let joined = || start == 0 && vocabulary.bytes(canonical[0].1).get(before..) == Some(vocabulary.bytes(token));
        place.is_ok_and(|place| canonical[place].1 == token) || before > 0 && joined()
    });
    Some(tokens.len() - same.count())
}

/// The tokens with the byte at which each begins.
fn starts<'a>(tokens: &'a [u32], vocabulary: &'a Vocabulary) -> impl Iterator<Item = (usize, u32)> + 'a {
    tokens.iter().scan(0, |at, &token| {
        let start = *at;
        *at += vocabulary.bytes(token).len();
        Some((start, token))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use gramask_decode::mock::{END, SPECIAL, byte_vocabulary};

    /// Takes `ab` for one token wherever it stands, else bytes; puts a space before a text where it is told to.
    struct Pairs {
        space: bool,
    }

    impl PromptTokenizer for Pairs {
        fn encode(&self, text: &str, _parse_special: bool) -> Vec<u32> {
            let text = format!("{}{text}", if self.space { " " } else { "" });
            let mut tokens = Vec::new();
            let mut rest = text.as_bytes();
            while let Some(&first) = rest.first() {
                let pair = rest.starts_with(b"ab");
                tokens.push(if pair { 258 } else { u32::from(first) });
                rest = &rest[if pair { 2 } else { 1 }..];
            }
            tokens
        }

        fn is_special(&self, token: u32) -> bool {
            token == END || token == SPECIAL
        }

        fn opening(&self) -> Option<u32> {
            None
        }
    }

    fn count(tokens: &[u32]) -> Option<usize> {
        let plain = non_canonical(tokens, &byte_vocabulary(&["ab"]), &Pairs { space: false });
        assert_eq!(plain, non_canonical(tokens, &byte_vocabulary(&["ab"]), &Pairs { space: true }));
        plain
    }

    #[test]
    fn tokens_are_held_against_the_encoding_of_their_text() {
        let [a, b, c] = [b'a', b'b', b'c'].map(u32::from);
        assert_eq!(count(&[258, c, 258, END]), Some(0));
        assert_eq!(count(&[a, b, c, 258]), Some(2), "both halves of a pair");
        assert_eq!(count(&[c, a, a, b]), Some(2), "after them the tokens are the same again");
        assert_eq!(count(&[END]), Some(0));
        assert_eq!(count(&[]), Some(0));
        // Special tokens part the text: here no pair stands in it.
        assert_eq!(count(&[a, SPECIAL, b, END]), Some(0));
        // A character that is not complete.
        assert_eq!(count(&[a, 0xC3, END]), None);
    }
}
