//! The values of a GGUF file's metadata.

use super::cursor::Cursor;
use crate::checkpoint::CheckpointError;

/// A value of the metadata. Numbers of all widths are held in the widest type of their kind.
#[derive(Debug, Clone, PartialEq)]
pub enum GgufValue {
    /// `u8` to `u64`.
    Unsigned(u64),
    /// `i8` to `i64`.
    Signed(i64),
    /// `f32` and `f64`.
    Float(f64),
    /// A flag.
    Flag(bool),
    /// UTF-8 text.
    Text(String),
    /// An array of unsigned numbers.
    UnsignedList(Vec<u64>),
    /// An array of signed numbers.
    SignedList(Vec<i64>),
    /// An array of floats.
    FloatList(Vec<f64>),
    /// An array of flags.
    FlagList(Vec<bool>),
    /// An array of texts.
    TextList(Vec<String>),
    /// An array of arrays.
    Lists(Vec<GgufValue>),
}

impl GgufValue {
    /// The number, if this is a whole number that is not negative.
    pub fn as_unsigned(&self) -> Option<u64> {
        match self {
            GgufValue::Unsigned(number) => Some(*number),
            GgufValue::Signed(number) => u64::try_from(*number).ok(),
            _ => None,
        }
    }

    /// The number, if this is one.
    pub fn as_float(&self) -> Option<f64> {
        match self {
            GgufValue::Float(number) => Some(*number),
            GgufValue::Unsigned(number) => Some(*number as f64),
            GgufValue::Signed(number) => Some(*number as f64),
            _ => None,
        }
    }

    /// The flag, if this is one.
    pub fn as_flag(&self) -> Option<bool> {
        match self {
            GgufValue::Flag(flag) => Some(*flag),
            _ => None,
        }
    }

    /// The text, if this is one.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            GgufValue::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The floats, if this is an array of them.
    pub fn as_floats(&self) -> Option<&[f64]> {
        match self {
            GgufValue::FloatList(floats) => Some(floats),
            _ => None,
        }
    }

    /// The texts, if this is an array of them.
    pub fn as_texts(&self) -> Option<&[String]> {
        match self {
            GgufValue::TextList(texts) => Some(texts),
            _ => None,
        }
    }
}

impl std::fmt::Display for GgufValue {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            GgufValue::Unsigned(number) => write!(out, "{number}"),
            GgufValue::Signed(number) => write!(out, "{number}"),
            GgufValue::Float(number) => write!(out, "{number}"),
            GgufValue::Flag(flag) => write!(out, "{flag}"),
            GgufValue::Text(text) => write!(out, "`{text}`"),
            GgufValue::UnsignedList(items) => write!(out, "an array of {} unsigned numbers", items.len()),
            GgufValue::SignedList(items) => write!(out, "an array of {} signed numbers", items.len()),
            GgufValue::FloatList(items) => write!(out, "an array of {} floats", items.len()),
            GgufValue::FlagList(items) => write!(out, "an array of {} flags", items.len()),
            GgufValue::TextList(items) => write!(out, "an array of {} texts", items.len()),
            GgufValue::Lists(items) => write!(out, "an array of {} arrays", items.len()),
        }
    }
}

/// The codes of value types.
mod code {
    pub const U8: u32 = 0;
    pub const I8: u32 = 1;
    pub const U16: u32 = 2;
    pub const I16: u32 = 3;
    pub const U32: u32 = 4;
    pub const I32: u32 = 5;
    pub const F32: u32 = 6;
    pub const BOOL: u32 = 7;
    pub const STRING: u32 = 8;
    pub const ARRAY: u32 = 9;
    pub const U64: u32 = 10;
    pub const I64: u32 = 11;
    pub const F64: u32 = 12;
}

/// Arrays may hold arrays; a file that nests them deeper than any real one is refused before the stack is at risk.
const DEEPEST: u32 = 4;

/// Reads a type code and a value of that type.
pub(super) fn read(cursor: &mut Cursor<'_>, key: &str) -> Result<GgufValue, CheckpointError> {
    let what = format!("the value of `{key}`");
    let at = cursor.position();
    let kind = cursor.u32(&what)?;
    if kind == code::ARRAY { read_array(cursor, &what, 1) } else { read_scalar(cursor, &what, at, kind) }
}

/// An unsigned number of 1, 2, 4 or 8 bytes.
fn unsigned(cursor: &mut Cursor<'_>, what: &str, width: u64) -> Result<u64, CheckpointError> {
    let bytes = cursor.bytes(width, what)?;
    Ok(bytes.iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte)))
}

/// A signed number of 1, 2, 4 or 8 bytes.
fn signed(cursor: &mut Cursor<'_>, what: &str, width: u64) -> Result<i64, CheckpointError> {
    let above = 64 - 8 * width;
    // Shifted up and down again, so that the sign bit is copied.
    Ok((unsigned(cursor, what, width)? << above).cast_signed() >> above)
}

fn float(cursor: &mut Cursor<'_>, what: &str, kind: u32) -> Result<f64, CheckpointError> {
    Ok(if kind == code::F32 { f64::from(f32::from_bits(cursor.u32(what)?)) } else { f64::from_bits(cursor.u64(what)?) })
}

/// Whether a type is unsigned or signed, and its width in bytes.
fn integer(kind: u32) -> Option<(bool, u64)> {
    Some(match kind {
        code::U8 => (false, 1),
        code::U16 => (false, 2),
        code::U32 => (false, 4),
        code::U64 => (false, 8),
        code::I8 => (true, 1),
        code::I16 => (true, 2),
        code::I32 => (true, 4),
        code::I64 => (true, 8),
        _ => return None,
    })
}

fn flag(cursor: &mut Cursor<'_>, what: &str) -> Result<bool, CheckpointError> {
    let at = cursor.position();
    match cursor.bytes(1, what)? {
        [0] => Ok(false),
        [1] => Ok(true),
        other => Err(cursor.bad(at, what, format!("the flag {other:?}"), "0 or 1")),
    }
}

fn read_scalar(cursor: &mut Cursor<'_>, what: &str, at: u64, kind: u32) -> Result<GgufValue, CheckpointError> {
    Ok(match (kind, integer(kind)) {
        (_, Some((false, width))) => GgufValue::Unsigned(unsigned(cursor, what, width)?),
        (_, Some((true, width))) => GgufValue::Signed(signed(cursor, what, width)?),
        (code::F32 | code::F64, _) => GgufValue::Float(float(cursor, what, kind)?),
        (code::BOOL, _) => GgufValue::Flag(flag(cursor, what)?),
        (code::STRING, _) => GgufValue::Text(cursor.text(what)?),
        _ => return Err(cursor.bad(at, what, format!("the value type {kind}"), "0 to 12")),
    })
}

fn read_array(cursor: &mut Cursor<'_>, what: &str, depth: u32) -> Result<GgufValue, CheckpointError> {
    let at = cursor.position();
    let kind = cursor.u32(what)?;
    let count_at = cursor.position();
    let count = cursor.u64(what)?;
    let least_bytes = match (kind, integer(kind)) {
        (_, Some((_, width))) => width,
        (code::F32, _) => 4,
        (code::F64 | code::STRING, _) => 8,
        (code::BOOL, _) => 1,
        (code::ARRAY, _) if depth < DEEPEST => 12,
        (code::ARRAY, _) => {
            return Err(cursor.bad(
                at,
                what,
                "arrays nested too deep".to_owned(),
                &format!("at most {DEEPEST} levels"),
            ));
        }
        _ => return Err(cursor.bad(at, what, format!("the element type {kind}"), "0 to 12")),
    };
    cursor.check_count(count_at, &format!("the number of elements in {what}"), count, least_bytes)?;
    let items = 0..count;
    Ok(match (kind, integer(kind)) {
        (_, Some((false, width))) => {
            GgufValue::UnsignedList(items.map(|_| unsigned(cursor, what, width)).collect::<Result<_, _>>()?)
        }
        (_, Some((true, width))) => {
            GgufValue::SignedList(items.map(|_| signed(cursor, what, width)).collect::<Result<_, _>>()?)
        }
        (code::STRING, _) => GgufValue::TextList(items.map(|_| cursor.text(what)).collect::<Result<_, _>>()?),
        (code::BOOL, _) => GgufValue::FlagList(items.map(|_| flag(cursor, what)).collect::<Result<_, _>>()?),
        (code::ARRAY, _) => {
            GgufValue::Lists(items.map(|_| read_array(cursor, what, depth + 1)).collect::<Result<_, _>>()?)
        }
        _ => GgufValue::FloatList(items.map(|_| float(cursor, what, kind)).collect::<Result<_, _>>()?),
    })
}
