//! How document text is written inside a format: a bijection from characters to what is written.
//!
//! [`Escape::unit`] is the one definition: it says of a byte string whether it is the written form of one character, the
//! beginning of one, or neither. Writing, reading and matching all go through it or through [`Escape::write`], and a
//! test holds the two together for every character.

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

const XML: [(&str, char); 4] = [("&amp;", '&'), ("&lt;", '<'), ("&gt;", '>'), ("&#13;", '\r')];
const JSON: [(&str, char); 7] = [
    ("\\\"", '"'),
    ("\\\\", '\\'),
    ("\\n", '\n'),
    ("\\r", '\r'),
    ("\\t", '\t'),
    ("\\b", '\u{8}'),
    ("\\f", '\u{c}'),
];

impl Escape {
    /// Appends the written form of `c`; `false` (and nothing appended) where this escape can't write it.
    ///
    /// XML 1.0 has no way to write most control characters and two noncharacters; the other escapes write everything.
    pub fn write(&self, c: char, out: &mut Vec<u8>) -> bool {
        let named = |table: &[(&'static str, char)]| table.iter().find(|(_, named)| *named == c).map(|(text, _)| *text);
        match self {
            Escape::None => push(c, out),
            Escape::Json => match named(&JSON) {
                Some(text) => out.extend_from_slice(text.as_bytes()),
                None if (c as u32) < 0x20 => out.extend_from_slice(format!("\\u{:04x}", c as u32).as_bytes()),
                None => push(c, out),
            },
            Escape::Xml => match named(&XML) {
                Some(text) => out.extend_from_slice(text.as_bytes()),
                None if !is_xml(c) => return false,
                None => push(c, out),
            },
            Escape::Csv if c == '"' => out.extend_from_slice(b"\"\""),
            Escape::Csv => push(c, out),
            Escape::Backslash(special) => {
                if c == '\\' || special.contains(&c) {
                    out.push(b'\\');
                }
                push(c, out);
            }
        }
        true
    }

    /// What `bytes` (not empty) is to this escape.
    pub fn unit(&self, bytes: &[u8]) -> Unit {
        match (self, bytes[0]) {
            (Escape::Json, b'\\') => self.json(bytes),
            (Escape::Json, b'"' | ..0x20) => Unit::Invalid,
            (Escape::Xml, b'&') => table(&XML, bytes),
            (Escape::Xml, b'<' | b'>' | b'\r') => Unit::Invalid,
            (Escape::Csv, b'"') => match bytes {
                [_] => Unit::Partial,
                [_, b'"'] => Unit::Whole('"'),
                _ => Unit::Invalid,
            },
            (Escape::Backslash(special), b'\\') => match utf8(&bytes[1..]) {
                _ if bytes.len() == 1 => Unit::Partial,
                Unit::Whole(c) if c == '\\' || special.contains(&c) => Unit::Whole(c),
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
        let narrows = |first: u8| matches!(first, 0xe0 | 0xed | 0xf0 | 0xf4) || (first == 0xef && *self == Escape::Xml);
        let begun = match (pending[0], *count) {
            (0xef, 2) if *self == Escape::Xml && pending[1] == 0xbf => return,
            (first, 1) if narrows(first) => return,
            (0xc0..=0xdf, 1) | (0xe0..=0xef, 2) | (0xf0.., 3) => 0xc2,
            (0xe0..=0xef, 1) | (0xf0.., 2) => 0xe1,
            (0xf0.., 1) => 0xf1,
            _ => return,
        };
        (*pending, *count) = ([0; LONGEST_UNIT], 1);
        pending[0] = begun;
    }

    /// Whether `byte` is written for itself and occurs in no other character's written form.
    pub fn is_plain(&self, byte: u8) -> bool {
        let special = match self {
            Escape::Backslash(special) => special.contains(&char::from(byte)) || byte == b'\\',
            Escape::Xml => XML.iter().any(|(text, _)| text.as_bytes().contains(&byte)),
            Escape::Json => b"\"\\nrtbfu".contains(&byte) || byte.is_ascii_hexdigit(),
            Escape::Csv | Escape::None => false,
        };
        !special && byte.is_ascii() && self.unit(&[byte]) == Unit::Whole(char::from(byte))
    }

    fn json(&self, bytes: &[u8]) -> Unit {
        if bytes.len() >= 2 && bytes[1] == b'u' {
            // Canonical: only control characters without a short form, in lower-case hexadecimal.
            let candidates = (0u8..0x20).filter(|c| !JSON.iter().any(|(_, named)| *named == char::from(*c)));
            for c in candidates {
                let text = format!("\\u{c:04x}");
                if text.as_bytes() == bytes {
                    return Unit::Whole(char::from(c));
                }
                if text.as_bytes().starts_with(bytes) {
                    return Unit::Partial;
                }
            }
            return Unit::Invalid;
        }
        table(&JSON, bytes)
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
    if table.iter().any(|(text, _)| text.as_bytes().starts_with(bytes)) {
        Unit::Partial
    } else {
        Unit::Invalid
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
            Escape::Backslash(vec!['[', ']', '|', 'é']),
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
        let alphabet = b"\\\"u0nt&<>l;ga[]|\xc3\xa9\xe2\x80\x0d\x1f ";
        for escape in escapes() {
            let mut strings: Vec<Vec<u8>> = vec![vec![]];
            for _ in 0..3 {
                strings = strings
                    .iter()
                    .flat_map(|s| alphabet.iter().map(move |b| [s.as_slice(), &[*b]].concat()))
                    .collect();
                for bytes in &strings {
                    if let Unit::Whole(c) = escape.unit(bytes) {
                        let mut written = Vec::new();
                        assert!(escape.write(c, &mut written));
                        assert_eq!(&written, bytes, "{escape:?} {c:?}");
                    }
                }
            }
        }
        assert_eq!(
            Escape::Json.unit(b"\\u000a"),
            Unit::Invalid,
            "a line feed has a short form"
        );
        assert_eq!(Escape::Json.unit(b"\\u001F"), Unit::Invalid, "lower case is canonical");
        assert_eq!(Escape::Json.unit(b"\\/"), Unit::Invalid);
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
                    .flat_map(|p| {
                        (0x80..0xc0u8)
                            .step_by(9)
                            .chain([0xbf])
                            .map(move |b| [p.as_slice(), &[b]].concat())
                    })
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
        assert_eq!(Escape::Json.unescape(b"a\\"), None);
    }
}
