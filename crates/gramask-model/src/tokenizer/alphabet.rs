//! The alphabets in which vocabularies write bytes.

/// How a vocabulary writes bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Alphabet {
    /// GPT-2's: one printable character per byte.
    ByteLevel,
    /// SentencePiece's: `▁` is a space, `<0x0A>` a single byte, all else is UTF-8.
    SentencePiece,
}

impl Alphabet {
    /// The bytes that a token of the vocabulary writes.
    pub fn bytes(self, token: &str) -> Vec<u8> {
        match self {
            // A token with a character from outside the alphabet stands for its own text.
            Alphabet::ByteLevel => {
                token.chars().map(byte_of).collect::<Option<Vec<u8>>>().unwrap_or_else(|| token.as_bytes().to_vec())
            }
            Alphabet::SentencePiece => match byte_fallback(token) {
                Some(byte) => vec![byte],
                None => token.replace('▁', " ").into_bytes(),
            },
        }
    }
}

/// Whether a byte is written as the character with its own number.
fn is_printed(byte: u8) -> bool {
    matches!(byte, b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff)
}

/// The byte of a character of GPT-2's alphabet.
///
/// Printable bytes of Latin-1 stand for themselves; the other 68 are numbered from `U+0100` in their order.
fn byte_of(c: char) -> Option<u8> {
    match u32::from(c) {
        code @ 0..=0xff => u8::try_from(code).ok().filter(|&byte| is_printed(byte)),
        code => (0..=u8::MAX).filter(|&byte| !is_printed(byte)).nth((code - 0x100) as usize),
    }
}

/// The byte of a SentencePiece token like `<0x0A>`.
fn byte_fallback(token: &str) -> Option<u8> {
    let digits = token.strip_prefix("<0x")?.strip_suffix('>')?;
    if digits.len() == 2 && digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        u8::from_str_radix(digits, 16).ok()
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_alphabet_is_gpt_2s() {
        for (character, byte) in
            [('Ġ', b' '), ('Ċ', b'\n'), ('ĉ', b'\t'), ('Ā', 0), ('!', b'!'), ('ÿ', 0xff), ('Ń', 0xad)]
        {
            assert_eq!(byte_of(character), Some(byte), "{character}");
        }
        assert_eq!(byte_of(' '), None);
        assert_eq!(byte_of('\u{144}'), None);
    }

    #[test]
    fn each_byte_has_one_character() {
        let mut bytes: Vec<u8> = (0..0x200).filter_map(char::from_u32).filter_map(byte_of).collect();
        bytes.sort_unstable();
        assert_eq!(bytes, (0..=u8::MAX).collect::<Vec<_>>());
    }

    #[test]
    fn tokens_become_bytes() {
        assert_eq!(Alphabet::ByteLevel.bytes("ĠÃ©"), " é".as_bytes());
        assert_eq!(Alphabet::ByteLevel.bytes("a b"), b"a b");
        assert_eq!(Alphabet::SentencePiece.bytes("▁▁é"), "  é".as_bytes());
        assert_eq!(Alphabet::SentencePiece.bytes("<0xE2>"), [0xe2]);
        assert_eq!(Alphabet::SentencePiece.bytes("<0x+1>"), b"<0x+1>");
    }
}
