//! From the characters of a string to its JSON text.
//!
//! A string is written as `JSON.stringify` writes it: a character is escaped only where JSON asks for it, and in the shortest
//! way. So each string has exactly one notation, and equal keys are equal texts.

use crate::regex::{Language, RegexError, StateId, Steps, joint};

/// What the two-letter escapes stand for.
const SHORT: [(u8, u8); 7] =
    [(b'"', b'"'), (b'\\', b'\\'), (b'b', 8), (b'f', 12), (b'n', b'\n'), (b'r', b'\r'), (b't', b'\t')];

/// Where the JSON text stands, and the state of the automaton over characters.
#[derive(Clone, PartialEq, Eq, Hash)]
enum At {
    /// Before the opening quote.
    Start,
    /// Between characters, or within one that stands for itself.
    Text(StateId),
    /// After a backslash.
    Escape(StateId),
    /// After `\u` and these many digits, with their value.
    Unit(StateId, u8, u8),
    /// After the closing quote.
    End,
}

/// The JSON texts of these strings, with the quotes around them.
pub(super) fn encoded(language: &Language, steps: &mut Steps) -> Result<Language, RegexError> {
    let classes = joint(language.classes(), &letters());
    Language::explore(classes, At::Start, steps, |at, byte| next(language, at, byte), |at| *at == At::End)
}

/// The same without the quotes.
pub(super) fn unquoted(language: &Language, steps: &mut Steps) -> Result<Language, RegexError> {
    let classes = joint(language.classes(), &letters());
    let ends = |at: &At| matches!(at, At::Text(state) if language.accepts(*state));
    Language::explore(classes, At::Text(StateId::START), steps, |at, byte| next(language, at, byte), ends)
}

fn next(language: &Language, at: &At, byte: u8) -> Option<At> {
    match *at {
        At::Start => (byte == b'"').then_some(At::Text(StateId::START)),
        At::End => None,
        At::Text(state) => match byte {
            b'\\' => Some(At::Escape(state)),
            b'"' => language.accepts(state).then_some(At::End),
            0..=0x1f => None,
            _ => language.next(state, byte).map(At::Text),
        },
        At::Escape(state) if byte == b'u' => Some(At::Unit(state, 0, 0)),
        At::Escape(state) => {
            let (_, meant) = SHORT.iter().find(|(letter, _)| *letter == byte)?;
            language.next(state, *meant).map(At::Text)
        }
        At::Unit(state, digits, value) => control(language, state, digits, value, byte),
    }
}

/// `\u00XX` in lower case, for a control character without an escape of two letters.
fn control(language: &Language, state: StateId, digits: u8, value: u8, byte: u8) -> Option<At> {
    let digit = char::from(byte).to_digit(16).filter(|_| !byte.is_ascii_uppercase())? as u8;
    match digits {
        0 | 1 => (digit == 0).then_some(At::Unit(state, digits + 1, 0)),
        2 => (digit <= 1).then_some(At::Unit(state, 3, digit)),
        _ => {
            let meant = value << 4 | digit;
            let short = SHORT.iter().any(|(_, other)| *other == meant);
            if short { None } else { language.next(state, meant).map(At::Text) }
        }
    }
}

/// The bytes that escapes are made of each have their class.
fn letters() -> [u8; 256] {
    let mut classes = [0; 256];
    (0..0x20).for_each(|byte| classes[byte] = 1);
    b"\"\\bfnrtu0123456789acde".iter().zip(2..).for_each(|(byte, class)| classes[usize::from(*byte)] = class);
    classes
}

#[cfg(test)]
mod tests {
    use super::super::value::quote;
    use super::*;

    #[test]
    fn escapes_are_those_of_stringify() {
        let all = encoded(&Language::text(), &mut Steps::new()).unwrap();
        for character in (0..0x300).chain(0x2020..0x2030).chain(0x1f600..0x1f610).filter_map(char::from_u32) {
            let quoted = quote(&character.to_string());
            assert!(all.contains(quoted.as_bytes()), "{quoted}");
        }
        for text in [r"\/", r"\u0041", r"\u000a", r"\u001F", r"\u0022", r"\x", "\\", "\"", "\n", r"\u00", r"\u0020"] {
            assert!(!all.contains(format!("\"{text}\"").as_bytes()), "{text}");
        }
        assert!(all.contains(br#""\u001f\u0000\b""#) && all.contains("\"\u{7f}é😀\"".as_bytes()));
        assert!(!all.contains(b"a") && !all.contains(b"\"a") && !all.contains(b"\"a\"\""));
    }

    #[test]
    fn the_strings_stay_the_same() {
        let steps = &mut Steps::new();
        let words = ["", "a\"b", "\\", "é\n", "\u{1}"];
        let language = encoded(&Language::words(words, steps).unwrap(), steps).unwrap();
        let mut quoted: Vec<String> = words.iter().map(|word| quote(word)).collect();
        let mut found: Vec<String> =
            language.all_words(100).unwrap().into_iter().map(|word| String::from_utf8(word).unwrap()).collect();
        quoted.sort();
        found.sort();
        assert_eq!(found, quoted);
    }
}
