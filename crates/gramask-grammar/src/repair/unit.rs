//! Free text as models escape it: forms that a strict reader refuses, and the characters they mean.

use crate::escape::{LONGEST_UNIT, Unit};
use crate::notation::ast::Escape;

/// One character of free text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Character {
    /// What is meant.
    pub meant: char,
    /// How many bytes stand for it.
    pub length: usize,
    /// What mending its escape costs.
    pub cost: u32,
}

/// The character that `rest` (not empty) begins with.
pub(super) fn character(escape: &Escape, rest: &[u8]) -> Character {
    for length in 1..=rest.len().min(LONGEST_UNIT) {
        match escape.unit(&rest[..length]) {
            Unit::Whole(meant) => return Character { meant, length, cost: 0 },
            Unit::Partial => {}
            Unit::Invalid => break,
        }
    }
    if let Some((meant, length)) = foreign(escape, rest) {
        return Character { meant, length, cost: 5 };
    }
    let (meant, length) = plain(rest);
    let cost = match meant {
        '\n' | '"' => 80,
        // What looks like a tag is one.
        '<' if rest.get(1).is_some_and(|next| next.is_ascii_alphabetic() || *next == b'/') => 150,
        '<' => 60,
        '>' | '&' | '\\' => 30,
        _ => 60,
    };
    Character { meant, length, cost }
}

/// What the bytes mean, with all escapes undone, and how many of them had to be mended.
pub(super) fn decode(escape: &Escape, bytes: &[u8]) -> (String, usize) {
    let (mut text, mut mended, mut at) = (String::with_capacity(bytes.len()), 0, 0);
    while at < bytes.len() {
        let Character { meant, length, cost } = character(escape, &bytes[at..]);
        text.push(meant);
        mended += usize::from(cost > 0);
        at += length;
    }
    (text, mended)
}

/// Escapes that mean something, but are not the one way that the format writes it.
fn foreign(escape: &Escape, rest: &[u8]) -> Option<(char, usize)> {
    match (escape, rest) {
        (Escape::Json | Escape::Yaml, [b'\\', b'u', ..]) => {
            let value = u32::from_str_radix(std::str::from_utf8(rest.get(2..6)?).ok()?, 16).ok()?;
            Some((char::from_u32(value).unwrap_or('\u{fffd}'), 6))
        }
        (Escape::Json | Escape::Yaml, [b'\\', mark @ (b'\'' | b'/' | b'`'), ..]) => Some((char::from(*mark), 2)),
        (Escape::Backslash(_) | Escape::Markdown, [b'\\', mark, ..]) if mark.is_ascii_punctuation() => {
            Some((char::from(*mark), 2))
        }
        (Escape::Xml | Escape::Markdown, [b'&', ..]) => {
            let end = rest.iter().take(10).position(|byte| *byte == b';')?;
            let name = std::str::from_utf8(&rest[1..end]).ok()?;
            let meant = match name {
                "amp" => '&',
                "lt" => '<',
                "gt" => '>',
                "quot" => '"',
                "apos" => '\'',
                "nbsp" => '\u{a0}',
                _ => {
                    let number = name.strip_prefix('#')?;
                    let value = match number.strip_prefix(['x', 'X']) {
                        Some(digits) => u32::from_str_radix(digits, 16),
                        None => number.parse(),
                    };
                    char::from_u32(value.ok()?)?
                }
            };
            Some((meant, end + 1))
        }
        _ => None,
    }
}

/// The character as it stands; U+FFFD for a byte that is no UTF-8.
fn plain(rest: &[u8]) -> (char, usize) {
    let longest = (1..=rest.len().min(4)).find_map(|length| {
        let text = std::str::from_utf8(&rest[..length]).ok()?;
        Some((text.chars().next()?, length))
    });
    longest.unwrap_or(('\u{fffd}', 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meant(escape: &Escape, bytes: &[u8]) -> String {
        decode(escape, bytes).0
    }

    #[test]
    fn other_ways_to_escape_are_undone() {
        assert_eq!(meant(&Escape::Json, br#"\u00e9\'\/ "x" \q"#), "é'/ \"x\" \\q");
        assert_eq!(meant(&Escape::Xml, b"&quot;a&#x41;&nbsp;<b> AT&T &amp;"), "\"aA\u{a0}<b> AT&T &");
        assert_eq!(meant(&Escape::Backslash(vec!['|']), br"a\|b|\_c"), "a|b|_c");
        assert_eq!(meant(&Escape::None, b"\xff\xc3\xa9"), "\u{fffd}é");
    }

    #[test]
    fn what_the_format_writes_costs_nothing() {
        assert_eq!(character(&Escape::Json, b"\\\"x"), Character { meant: '"', length: 2, cost: 0 });
        assert!(character(&Escape::Json, b"\"x").cost > 0);
    }
}
