//! The price of each kind of mending, in hundredths of an inserted structural character.
//!
//! The prices are set by hand, and their order matters. White space is nearly free. A quote of another kind is cheaper than a
//! missing one. Letters are cheaper than punctuation, since models rename keys and rarely invent brackets. A whole literal has
//! a price that does not grow with its length. Text before or after the output is cheaper to leave out than to explain.

/// The most that putting in the rest of one literal costs.
pub(super) const LITERAL: u32 = 120;
/// Leaving out anything before the output, or after it.
pub(super) const OUTSIDE: u32 = 50;
/// The same for each byte of it.
pub(super) const OUTSIDE_BYTE: u32 = 12;
/// A text that is missing; its entity is lost.
pub(super) const NO_TEXT: u32 = 200;
/// Free text, or an entity, of which nothing shows where it ends, beside what is put in after it; and each byte of the
/// text.
pub(super) const OPEN: u32 = 20;
pub(super) const OPEN_BYTE: u32 = 6;
/// An entity of a copied text that begins or ends with a blank.
pub(super) const GAP: u32 = 80;
/// Each byte of a mention, so that a mention does not take up what stands after it.
pub(super) const TEXT_BYTE: u32 = 6;
/// A blank inside one word.
pub(super) const WORD_BLANK: u32 = 40;
/// A line break in free text, where the document has none.
pub(super) const BREAK: u32 = 150;
/// A number that is missing.
pub(super) const NO_NUMBER: u32 = 80;
/// A label that is missing.
pub(super) const NO_LABEL: u32 = 60;
/// A second label that is missing, where the first one says which it would be.
pub(super) const SAME_LABEL: u32 = 30;
/// The same where a list's head stands there all the same.
pub(super) const NO_HEAD: u32 = 200;
/// A label other than the one that was bound before, as in `<A>x</B>`.
pub(super) const OTHER_LABEL: u32 = 70;
/// The same where it heads a list (`@each`): more likely that list is missing.
pub(super) const OTHER_HEAD: u32 = 400;
/// A label that is like none of the schema's.
pub(super) const UNKNOWN_LABEL: u32 = 150;
/// Each edit between a label and what stands for it.
pub(super) const LABEL_EDIT: u32 = 40;
/// Letters of the other case.
pub(super) const CASE: u32 = 3;
/// A delimiter inside free text, where it should have ended.
pub(super) const DELIMITER: u32 = 100;
/// The rest of a regular expression's match.
pub(super) const REGEX: u32 = 100;

/// Putting something in where the output ends costs so many times less: that it was cut off is what one expects.
pub(super) const AT_END: u32 = 15;

/// Putting in a byte of a literal.
pub(super) fn insert(byte: u8) -> u32 {
    match byte {
        b' ' => 5,
        b'"' | b'[' | b']' | b',' => 25,
        b'\n' | b'\t' | b'\r' => 30,
        _ if byte.is_ascii_alphanumeric() => 10,
        _ => 50,
    }
}

/// Leaving out a byte of the output between two of the format's.
pub(super) fn drop(byte: u8) -> u32 {
    match byte {
        _ if is_blank(byte) => 1,
        _ if byte.is_ascii_alphanumeric() => 18,
        b',' => 20,
        _ => 40,
    }
}

/// Leaving out a byte before the output or after it.
pub(super) fn outside(byte: u8) -> u32 {
    if is_blank(byte) { 1 } else { OUTSIDE_BYTE }
}

pub(super) fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

/// How many bytes at the beginning of `rest` stand for `expected`, and at what cost; `None` where they don't.
pub(super) fn stands_for(expected: u8, rest: &[u8]) -> Option<(usize, u32)> {
    let byte = *rest.first()?;
    if byte == expected {
        return Some((1, 0));
    }
    let cost = match (expected, byte) {
        (b' ', _) if is_blank(byte) => 2,
        (b'\t', _) if is_blank(byte) => 20,
        (b'\n', _) if is_blank(byte) => 30,
        (b'#', b'@') => 30,
        (b'"', b'\'' | b'`') => 10,
        (b'[', b'(' | b'{') | (b']', b')' | b'}') | (b'(', b'[' | b'{') | (b')', b']' | b'}') => 30,
        (b':', b'=') | (b',', b';') | (b'-', b'_') | (b'_', b'-') => 20,
        _ if byte.eq_ignore_ascii_case(&expected) => CASE,
        _ => return typographic(expected, rest),
    };
    Some((1, cost))
}

/// Curly quotes, long dashes and no-break spaces.
fn typographic(expected: u8, rest: &[u8]) -> Option<(usize, u32)> {
    let same: &[&str] = match expected {
        b'"' => &["“", "”", "„", "«", "»", "‘", "’"],
        b'-' => &["–", "—", "‑", "−"],
        b' ' => &["\u{a0}", "\u{202f}"],
        _ => return None,
    };
    let found = same.iter().find(|text| rest.starts_with(text.as_bytes()))?;
    Some((found.len(), 15))
}
