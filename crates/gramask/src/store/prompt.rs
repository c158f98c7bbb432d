//! Prompts as records and people have them.

use gramask_decode::Prompt;
use gramask_grammar::Vocabulary;
use serde::{Deserialize, Serialize};

/// A prompt: its tokens, and their texts one after the other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WrittenPrompt {
    /// The text, with the names of special tokens in it. Bytes that are no complete character are shown as U+FFFD.
    pub text: String,
    /// The tokens.
    pub tokens: Vec<u32>,
}

/// A stretch of a prompt: a special token, or the text of all tokens up to the next one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// The text, or the name of the special token.
    pub text: String,
    /// The special token.
    pub special: Option<u32>,
}

impl WrittenPrompt {
    /// A prompt for a model with these tokens.
    pub fn of(prompt: &Prompt, vocabulary: &Vocabulary) -> WrittenPrompt {
        WrittenPrompt { text: text(&prompt.tokens, vocabulary), tokens: prompt.tokens.clone() }
    }

    /// Its text, cut where special tokens stand. A name of a special token inside the document is text.
    pub fn stretches(&self, vocabulary: &Vocabulary) -> Vec<Stretch> {
        let special = |token: u32| vocabulary.is_special(token);
        let groups = self.tokens.chunk_by(|&a, &b| !special(a) && !special(b));
        let stretch = |group: &[u32]| Stretch {
            text: text(group, vocabulary),
            special: group.first().copied().filter(|&token| special(token)),
        };
        groups.map(stretch).collect()
    }
}

fn text(tokens: &[u32], vocabulary: &Vocabulary) -> String {
    let bytes: Vec<u8> = tokens.iter().flat_map(|&token| vocabulary.bytes(token)).copied().collect();
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use gramask_decode::mock::{END, byte_vocabulary};

    #[test]
    fn special_tokens_stand_apart_from_text_that_looks_like_them() {
        let vocabulary = byte_vocabulary(&["\u{e9}"]);
        let mut tokens: Vec<u32> = "a<end>".bytes().map(u32::from).collect();
        tokens.extend([END, END, 0xc3, 0xa9, 258]);
        let prompt = WrittenPrompt { text: text(&tokens, &vocabulary), tokens };
        assert_eq!(prompt.text, "a<end><end><end>éé");
        let stretches = prompt.stretches(&vocabulary);
        let parts: Vec<_> = stretches.iter().map(|stretch| (stretch.text.as_str(), stretch.special)).collect();
        assert_eq!(parts, [("a<end>", None), ("<end>", Some(END)), ("<end>", Some(END)), ("éé", None)]);
    }
}
