//! The escapes: how a character of the document is written inside a format, one to one.
//!
//! [`Escape::unit`] is the one definition. It says whether a byte string is the written form of a character, the beginning of
//! one, or neither. Reading and matching use it, and writing uses [`Escape::write`]. A test compares the two for every
//! character.

use crate::notation::ast::Escape;

/// What a byte string is to an escape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// The written form of this character, whole.
    Whole(char),
    /// A proper beginning of some character's written form.
    Partial,
    /// Neither.
    Invalid,
}

/// The longest written form of a character, in bytes: JSON's `\u001f`.
pub const LONGEST_UNIT: usize = 6;

/// Characters by number, as `\u` and four digits, in ranges.
type Coded = &'static [(u16, u16)];

/// The control characters that JSON has no letter for.
const JSON_CODED: Coded = &[(0, 7), (0xb, 0xb), (0xe, 0x1f)];
/// What YAML 1.1 does not take as it stands beside them: other control characters, line breaks of its own, the byte order
/// mark and two noncharacters.
const YAML_CODED: Coded =
    &[(0, 7), (0xb, 0xb), (0xe, 0x1f), (0x7f, 0x9f), (0x2028, 0x2029), (0xfeff, 0xfeff), (0xfffe, 0xffff)];
/// What stands for markup in a line of GitHub Flavored Markdown.
const MARKDOWN_MARKS: &[u8] = b"\\`*_[]<>&|~";
/// Line breaks, which no cell of a table can hold.
const MARKDOWN: [(&str, char); 2] = [("&#10;", '\n'), ("&#13;", '\r')];
/// The letters that `%escape backslash` writes for these characters where they are listed.
pub(crate) const LETTERS: [(char, char); 3] = [('\n', 'n'), ('\r', 'r'), ('\t', 't')];
const XML: [(&str, char); 4] = [("&amp;", '&'), ("&lt;", '<'), ("&gt;", '>'), ("&#13;", '\r')];
const JSON: [(&str, char); 7] =
    [("\\\"", '"'), ("\\\\", '\\'), ("\\n", '\n'), ("\\r", '\r'), ("\\t", '\t'), ("\\b", '\u{8}'), ("\\f", '\u{c}')];

impl Escape {
    /// Appends the written form of `c`; `false` (and nothing appended) where this escape can't write it.
    ///
    /// XML 1.0 has no way to write most control characters and two noncharacters, and Markdown none to write U+0000; the
    /// other escapes write everything.
    pub fn write(&self, c: char, out: &mut Vec<u8>) -> bool {
        let named = |table: &[(&'static str, char)]| table.iter().find(|(_, named)| *named == c).map(|(text, _)| *text);
        match self {
            Escape::None => push(c, out),
            Escape::Json | Escape::Yaml => match named(&JSON) {
                Some(text) => out.extend_from_slice(text.as_bytes()),
                None if is_coded(self.coded(), c) => out.extend_from_slice(format!("\\u{:04x}", c as u32).as_bytes()),
                None => push(c, out),
            },
            Escape::Markdown => match named(&MARKDOWN) {
                _ if c == '\0' => return false,
                Some(text) => out.extend_from_slice(text.as_bytes()),
                None => {
                    if is_mark(c) {
                        out.push(b'\\');
                    }
                    push(c, out);
                }
            },
            Escape::Xml => match named(&XML) {
                Some(text) => out.extend_from_slice(text.as_bytes()),
                None if !is_xml(c) => return false,
                None => push(c, out),
            },
            Escape::Csv if c == '"' => out.extend_from_slice(b"\"\""),
            Escape::Csv => push(c, out),
            Escape::Backslash(special) => {
                let listed = c == '\\' || special.contains(&c);
                if listed {
                    out.push(b'\\');
                }
                let letter = LETTERS.iter().find(|(known, _)| listed && *known == c);
                push(letter.map_or(c, |(_, letter)| *letter), out);
            }
        }
        true
    }

    /// What `bytes` (not empty) is to this escape.
    pub fn unit(&self, bytes: &[u8]) -> Unit {
        match (self, bytes[0]) {
            (Escape::Json | Escape::Yaml, b'\\') => match bytes.get(1) {
                Some(b'u') => coded(self.coded(), &bytes[2..]),
                _ => table(&JSON, bytes),
            },
            (Escape::Json | Escape::Yaml, b'"' | ..0x20) => Unit::Invalid,
            (Escape::Yaml, _) => match utf8(bytes) {
                Unit::Whole(c) if is_coded(YAML_CODED, c) => Unit::Invalid,
                unit => unit,
            },
            (Escape::Markdown, b'&') => table(&MARKDOWN, bytes),
            (Escape::Markdown, b'\\') => match bytes {
                [_] => Unit::Partial,
                [_, mark] if MARKDOWN_MARKS.contains(mark) => Unit::Whole(char::from(*mark)),
                _ => Unit::Invalid,
            },
            (Escape::Markdown, 0 | b'\n' | b'\r') => Unit::Invalid,
            (Escape::Markdown, mark) if MARKDOWN_MARKS.contains(&mark) => Unit::Invalid,
            (Escape::Xml, b'&') => table(&XML, bytes),
            (Escape::Xml, b'<' | b'>' | b'\r') => Unit::Invalid,
            (Escape::Csv, b'"') => match bytes {
                [_] => Unit::Partial,
                [_, b'"'] => Unit::Whole('"'),
                _ => Unit::Invalid,
            },
            (Escape::Backslash(special), b'\\') => match utf8(&bytes[1..]) {
                _ if bytes.len() == 1 => Unit::Partial,
                Unit::Whole(c) if LETTERS.iter().any(|&(known, _)| known == c) => Unit::Invalid,
                Unit::Whole(c) if c == '\\' || special.contains(&c) => Unit::Whole(c),
                Unit::Whole(c) => match LETTERS.iter().find(|(_, letter)| *letter == c) {
                    Some((known, _)) if special.contains(known) => Unit::Whole(*known),
                    _ => Unit::Invalid,
                },
                Unit::Partial if special.iter().any(|c| begins(*c, &bytes[1..])) => Unit::Partial,
                _ => Unit::Invalid,
            },
            (Escape::Backslash(special), _) => match utf8(bytes) {
                Unit::Whole(c) if special.contains(&c) => Unit::Invalid,
                unit => unit,
            },
            (Escape::Xml, _) => match utf8(bytes) {
                Unit::Whole(c) if !is_xml(c) => Unit::Invalid,
                unit => unit,
            },
            _ => utf8(bytes),
        }
    }

    /// The bytes of a begun unit that stand for all begun units with the same continuations: of a begun UTF-8 sequence
    /// only how many bytes are still to come matters, but for the first bytes that narrow the second.
    pub fn canonical(&self, pending: &mut [u8; LONGEST_UNIT], count: &mut u8) {
        let special = match self {
            Escape::Backslash(special) => !special.iter().all(char::is_ascii),
            _ => false,
        };
        if special || pending[0] < 0x80 {
            return;
        }
        let (xml, yaml) = (*self == Escape::Xml, *self == Escape::Yaml);
        // Bytes that have continuations of their own, in UTF-8 or since the escape writes some characters otherwise.
        let begun = match pending[..usize::from(*count)] {
            [0xe0 | 0xed | 0xf0 | 0xf4] => return,
            [0xef] | [0xef, 0xbf] if xml || yaml => return,
            [0xc2] | [0xe2] | [0xe2, 0x80] | [0xef, 0xbb] if yaml => return,
            [0xc0..=0xdf] | [0xe0..=0xef, _] | [0xf0..=0xff, _, _] => 0xc3,
            [0xe0..=0xef] | [0xf0..=0xff, _] => 0xe1,
            [0xf0..=0xff] => 0xf1,
            _ => return,
        };
        (*pending, *count) = ([0; LONGEST_UNIT], 1);
        pending[0] = begun;
    }

    /// Whether `byte` is written for itself and occurs in no other character's written form.
    pub fn is_plain(&self, byte: u8) -> bool {
        let special = match self {
            Escape::Backslash(special) => {
                let listed = |c: char| special.contains(&c);
                let letter = |&(known, letter): &(char, char)| listed(known) && letter == char::from(byte);
                listed(char::from(byte)) || byte == b'\\' || LETTERS.iter().any(letter)
            }
            Escape::Markdown => {
                MARKDOWN_MARKS.contains(&byte) || MARKDOWN.iter().any(|(text, _)| text.as_bytes().contains(&byte))
            }
            Escape::Xml => XML.iter().any(|(text, _)| text.as_bytes().contains(&byte)),
            Escape::Json | Escape::Yaml => b"\"\\nrtbfu".contains(&byte) || byte.is_ascii_hexdigit(),
            Escape::Csv | Escape::None => false,
        };
        !special && byte.is_ascii() && self.unit(&[byte]) == Unit::Whole(char::from(byte))
    }

    /// Bytes beyond ASCII that may stand in the same places, as ranges: where UTF-8 forbids none of them it allows all, and no
    /// character that begins or goes on with one of them is written otherwise.
    pub fn alike_beyond_ascii(&self) -> &'static [(u8, u8)] {
        const UTF8: &[(u8, u8)] = &[
            (0x80, 0x8f),
            (0x90, 0x9f),
            (0xa0, 0xbf),
            (0xc2, 0xdf),
            (0xe1, 0xec),
            (0xee, 0xef),
            (0xf1, 0xf3),
            (0xf5, 0xff),
        ];
        // U+FFFE and U+FFFF, which are EF BF BE and EF BF BF, are no XML.
        const XML: &[(u8, u8)] =
            &[(0x80, 0x8f), (0x90, 0x9f), (0xa0, 0xbd), (0xc2, 0xdf), (0xe1, 0xec), (0xf1, 0xf3), (0xf5, 0xff)];
        match self {
            Escape::Yaml => &[],
            Escape::Xml => XML,
            Escape::Backslash(special) if !special.iter().all(char::is_ascii) => &[],
            Escape::None | Escape::Json | Escape::Csv | Escape::Markdown | Escape::Backslash(_) => UTF8,
        }
    }

    /// What this escape writes by number.
    fn coded(&self) -> Coded {
        if *self == Escape::Yaml { YAML_CODED } else { JSON_CODED }
    }

    /// Writes a whole string; the error is the first character that can't be written, with its character offset.
    pub fn escape(&self, text: &str) -> Result<Vec<u8>, (usize, char)> {
        let mut out = Vec::with_capacity(text.len());
        for (offset, c) in text.chars().enumerate() {
            if !self.write(c, &mut out) {
                return Err((offset, c));
            }
        }
        Ok(out)
    }

    /// Reads back what [`Escape::escape`] wrote; `None` where `bytes` is no string of whole units.
    pub fn unescape(&self, bytes: &[u8]) -> Option<String> {
        let (mut text, mut begin) = (String::new(), 0);
        for end in 1..=bytes.len() {
            match self.unit(&bytes[begin..end]) {
                Unit::Whole(c) => {
                    text.push(c);
                    begin = end;
                }
                Unit::Partial => {}
                Unit::Invalid => return None,
            }
        }
        (begin == bytes.len()).then_some(text)
    }
}

fn push(c: char, out: &mut Vec<u8>) {
    out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
}

fn begins(c: char, bytes: &[u8]) -> bool {
    c.encode_utf8(&mut [0; 4]).as_bytes().starts_with(bytes)
}

fn table(table: &[(&'static str, char)], bytes: &[u8]) -> Unit {
    for (text, c) in table {
        if text.as_bytes() == bytes {
            return Unit::Whole(*c);
        }
    }
    if table.iter().any(|(text, _)| text.as_bytes().starts_with(bytes)) { Unit::Partial } else { Unit::Invalid }
}

fn is_mark(c: char) -> bool {
    u8::try_from(c).is_ok_and(|byte| MARKDOWN_MARKS.contains(&byte))
}

fn is_coded(ranges: Coded, c: char) -> bool {
    ranges.iter().any(|&(low, high)| (u32::from(low)..=u32::from(high)).contains(&(c as u32)))
}

/// What the digits after `\u` are: four, in lower-case hexadecimal, of a character that is written so.
fn coded(ranges: Coded, digits: &[u8]) -> Unit {
    let mut value = 0u32;
    for digit in digits {
        match digit {
            b'0'..=b'9' => value = value * 16 + u32::from(digit - b'0'),
            b'a'..=b'f' => value = value * 16 + u32::from(digit - b'a') + 10,
            _ => return Unit::Invalid,
        }
    }
    let Some(open) = 4usize.checked_sub(digits.len()) else {
        return Unit::Invalid;
    };
    // The numbers that begin with these digits.
    let (first, last) = (value << (4 * open), ((value + 1) << (4 * open)) - 1);
    match ranges.iter().any(|&(low, high)| first <= u32::from(high) && u32::from(low) <= last) {
        true if open == 0 => char::from_u32(value).map_or(Unit::Invalid, Unit::Whole),
        true => Unit::Partial,
        false => Unit::Invalid,
    }
}

/// The characters of XML 1.0 (section 2.2).
fn is_xml(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

/// UTF-8 of one character.
fn utf8(bytes: &[u8]) -> Unit {
    match std::str::from_utf8(bytes) {
        Ok(text) => {
            let mut chars = text.chars();
            match (chars.next(), chars.next()) {
                (Some(c), None) => Unit::Whole(c),
                _ => Unit::Invalid,
            }
        }
        Err(error) if error.valid_up_to() == 0 && error.error_len().is_none() => Unit::Partial,
        Err(_) => Unit::Invalid,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn escapes() -> Vec<Escape> {
        vec![
            Escape::None,
            Escape::Json,
            Escape::Xml,
            Escape::Csv,
            Escape::Yaml,
            Escape::Markdown,
            Escape::Backslash(vec!['[', ']', '|', 'é']),
            Escape::Backslash(vec![':', '\n', '\r', '\t']),
        ]
    }

    #[test]
    fn unit_inverts_write_for_every_character() {
        for escape in escapes() {
            for c in (0..0x2_0000).chain(0x10_fff0..0x11_0000).filter_map(char::from_u32) {
                let mut bytes = Vec::new();
                if !escape.write(c, &mut bytes) {
                    continue;
                }
                assert!(bytes.len() <= LONGEST_UNIT);
                for end in 1..bytes.len() {
                    assert_eq!(escape.unit(&bytes[..end]), Unit::Partial, "{escape:?} {c:?} {end}");
                }
                assert_eq!(escape.unit(&bytes), Unit::Whole(c), "{escape:?} {c:?}");
            }
        }
    }

    #[test]
    fn what_is_whole_is_canonical() {
        // Every byte string of up to three bytes over a hostile alphabet, and JSON's long escapes.
        let alphabet = b"\\\"u0nt&<>l;ga[]|#\xc3\xa9\xe2\x80\x0d\x0a\x1f ";
        for escape in escapes() {
            let mut strings: Vec<Vec<u8>> = vec![vec![]];
            for _ in 0..3 {
                strings =
                    strings.iter().flat_map(|s| alphabet.iter().map(move |b| [s.as_slice(), &[*b]].concat())).collect();
                for bytes in &strings {
                    if let Unit::Whole(c) = escape.unit(bytes) {
                        let mut written = Vec::new();
                        assert!(escape.write(c, &mut written));
                        assert_eq!(&written, bytes, "{escape:?} {c:?}");
                    }
                }
            }
        }
        assert_eq!(Escape::Json.unit(b"\\u000a"), Unit::Invalid, "a line feed has a short form");
        assert_eq!(Escape::Json.unit(b"\\u001F"), Unit::Invalid, "lower case is canonical");
        assert_eq!(Escape::Json.unit(b"\\/"), Unit::Invalid);
        for (bytes, unit) in [
            (&b"\\u"[..], Unit::Partial),
            (b"\\u20", Unit::Partial),
            (b"\\u2028", Unit::Whole('\u{2028}')),
            (b"\\u202a", Unit::Invalid),
            (b"\\u21", Unit::Invalid),
            (b"\xe2\x80\xa8", Unit::Invalid),
            (b"\xe2\x80\xaa", Unit::Whole('\u{202a}')),
        ] {
            assert_eq!(Escape::Yaml.unit(bytes), unit, "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn what_is_plain_is_written_for_itself_alone() {
        for escape in escapes() {
            for byte in (0..128u8).filter(|byte| escape.is_plain(*byte)) {
                for c in (0..0x3000).chain(0xfe00..0x1_0100).filter_map(char::from_u32) {
                    let mut written = Vec::new();
                    escape.write(c, &mut written);
                    let itself = c == char::from(byte);
                    assert!(written.contains(&byte) == itself, "{escape:?} {byte} {c:?}");
                }
            }
            assert!(escape.is_plain(b'x') || matches!(escape, Escape::None | Escape::Csv));
        }
    }

    #[test]
    fn listed_line_breaks_and_tabs_are_letters() {
        let escape = Escape::Backslash(vec![':', '\n', '\t']);
        assert_eq!(escape.escape("a:\n\t\rn\\").unwrap(), b"a\\:\\n\\t\rn\\\\");
        assert_eq!(escape.unit(b"\\r"), Unit::Invalid, "a carriage return is not listed");
        assert_eq!(escape.unit(b"\\\n"), Unit::Invalid, "the letter is canonical");
    }

    #[test]
    fn canonical_beginnings_have_the_same_continuations() {
        let units = |escape: &Escape, pending: &[u8]| -> Vec<String> {
            (0..=255u8)
                .map(|byte| match escape.unit(&[pending, &[byte]].concat()) {
                    Unit::Whole(_) => "whole".into(),
                    Unit::Invalid => "invalid".into(),
                    Unit::Partial => {
                        let (mut next, mut count) = ([0; LONGEST_UNIT], pending.len() as u8 + 1);
                        next[..pending.len()].copy_from_slice(pending);
                        next[pending.len()] = byte;
                        escape.canonical(&mut next, &mut count);
                        format!("{:?}", &next[..usize::from(count)])
                    }
                })
                .collect()
        };
        for escape in escapes() {
            let mut begun: Vec<Vec<u8>> = (0x80..=255u8).map(|byte| vec![byte]).collect();
            for _ in 0..3 {
                begun.retain(|pending| escape.unit(pending) == Unit::Partial);
                for pending in &begun {
                    let (mut canonical, mut count) = ([0; LONGEST_UNIT], pending.len() as u8);
                    canonical[..pending.len()].copy_from_slice(pending);
                    escape.canonical(&mut canonical, &mut count);
                    let same = units(&escape, &canonical[..usize::from(count)]);
                    assert_eq!(units(&escape, pending), same, "{escape:?} {pending:?}");
                }
                begun = begun
                    .iter()
                    .flat_map(|p| (0x80..0xc0u8).step_by(9).chain([0xbf]).map(move |b| [p.as_slice(), &[b]].concat()))
                    .collect();
            }
        }
    }

    #[test]
    fn strings_come_back() {
        let text = "a\"b\\c<d>&e\n[x|y] \u{1F9EC}é\r\t";
        for escape in escapes() {
            let written = escape.escape(text).unwrap();
            assert_eq!(escape.unescape(&written).as_deref(), Some(text), "{escape:?}");
        }
        assert_eq!(Escape::Xml.escape("ab\u{0}"), Err((2, '\u{0}')));
        assert_eq!(Escape::Markdown.escape("ab\u{0}"), Err((2, '\u{0}')));
        assert_eq!(Escape::Json.unescape(b"a\\"), None);
    }
}
