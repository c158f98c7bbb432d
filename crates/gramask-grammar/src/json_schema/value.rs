//! JSON as it is written: members in their order, numbers with all of their digits.
//!
//! `serde_json` reads numbers as 64-bit floats and merges members of one name. Here `18446744073709551616` as a bound stays
//! exact, and a keyword that is written twice is an error.

use super::decimal::Decimal;

/// A JSON value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Null,
    Bool(bool),
    Number(Decimal),
    String(String),
    Array(Vec<Value>),
    Object(Vec<(String, Value)>),
}

impl Value {
    /// The member of this name.
    pub fn get(&self, name: &str) -> Option<&Value> {
        match self {
            Value::Object(members) => members.iter().find(|(key, _)| key == name).map(|(_, value)| value),
            _ => None,
        }
    }

    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    /// Whether the values are equal as JSON Schema defines it: numbers by value, members in any order.
    pub fn equals(&self, other: &Value) -> bool {
        match (self, other) {
            (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.equals(b)),
            (Value::Object(a), Value::Object(b)) => {
                a.len() == b.len() && a.iter().all(|(key, a)| other.get(key).is_some_and(|b| a.equals(b)))
            }
            _ => self == other,
        }
    }

    /// How an error calls a value of this kind.
    pub fn kind(&self) -> &'static str {
        match self {
            Value::Null => "null",
            Value::Bool(_) => "a boolean",
            Value::Number(_) => "a number",
            Value::String(_) => "a string",
            Value::Array(_) => "an array",
            Value::Object(_) => "an object",
        }
    }
}

/// Why a text is not JSON, and the line and column where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ParseError {
    pub message: String,
    pub line: usize,
    pub column: usize,
}

/// Values nested deeper are refused.
const DEEPEST: usize = 200;

/// Reads a JSON text.
pub(super) fn parse(text: &str) -> Result<Value, ParseError> {
    let mut parser = Parser { text, at: 0 };
    let value = parser.value(0).and_then(|value| {
        parser.space();
        if parser.at < text.len() { Err("the text goes on after the value".into()) } else { Ok(value) }
    });
    value.map_err(|message| {
        let before = &text[..parser.at.min(text.len())];
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().map_or(0, |line| line.chars().count()) + 1;
        ParseError { message, line, column }
    })
}

struct Parser<'t> {
    text: &'t str,
    /// Always between two characters.
    at: usize,
}

impl Parser<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn eat(&mut self, token: &str) -> bool {
        let found = self.text[self.at..].starts_with(token);
        self.at += if found { token.len() } else { 0 };
        found
    }

    fn value(&mut self, depth: usize) -> Result<Value, String> {
        self.space();
        if depth > DEEPEST {
            return Err(format!("values are nested deeper than {DEEPEST}"));
        }
        match self.peek() {
            Some(b'{') => self.object(depth),
            Some(b'[') => self.array(depth),
            Some(b'"') => self.string().map(Value::String),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ if self.eat("null") => Ok(Value::Null),
            _ if self.eat("true") => Ok(Value::Bool(true)),
            _ if self.eat("false") => Ok(Value::Bool(false)),
            Some(_) => Err("a JSON value is expected".into()),
            None => Err("the text ends where a JSON value is expected".into()),
        }
    }

    fn object(&mut self, depth: usize) -> Result<Value, String> {
        self.at += 1;
        let mut members: Vec<(String, Value)> = Vec::new();
        let mut names = rustc_hash::FxHashSet::default();
        loop {
            self.space();
            if self.eat("}") {
                return Ok(Value::Object(members));
            }
            if !members.is_empty() {
                if !self.eat(",") {
                    return Err("`,` or `}` is expected".into());
                }
                self.space();
            }
            if self.peek() != Some(b'"') {
                return Err("a member's name in double quotes is expected".into());
            }
            let begin = self.at;
            let name = self.string()?;
            if !names.insert(name.clone()) {
                self.at = begin;
                return Err(format!("the object has two members `{name}`; keep one"));
            }
            self.space();
            if !self.eat(":") {
                return Err("`:` is expected".into());
            }
            members.push((name, self.value(depth + 1)?));
        }
    }

    fn array(&mut self, depth: usize) -> Result<Value, String> {
        self.at += 1;
        let mut items = Vec::new();
        loop {
            self.space();
            if self.eat("]") {
                return Ok(Value::Array(items));
            }
            if !items.is_empty() && !self.eat(",") {
                return Err("`,` or `]` is expected".into());
            }
            items.push(self.value(depth + 1)?);
        }
    }

    fn string(&mut self) -> Result<String, String> {
        self.at += 1;
        let mut text = String::new();
        loop {
            let Some(next) = self.text[self.at..].chars().next() else {
                return Err("the text ends within a string".into());
            };
            match next {
                '"' => {
                    self.at += 1;
                    return Ok(text);
                }
                '\\' => text.push(self.escape()?),
                '\0'..='\x1f' => return Err("a control character in a string must be escaped".into()),
                _ => {
                    text.push(next);
                    self.at += next.len_utf8();
                }
            }
        }
    }

    fn escape(&mut self) -> Result<char, String> {
        let letter = self.text.as_bytes().get(self.at + 1).copied();
        let plain = match letter {
            Some(letter @ (b'"' | b'\\' | b'/')) => char::from(letter),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.unit_escape(),
            _ => return Err("this is no escape of JSON".into()),
        };
        self.at += 2;
        Ok(plain)
    }

    fn unit_escape(&mut self) -> Result<char, String> {
        let unit = |parser: &Self, at: usize| {
            let digits = parser.text.get(at..at + 6).filter(|escape| escape.starts_with("\\u"))?;
            let digits = &digits[2..];
            digits.bytes().all(|digit| digit.is_ascii_hexdigit()).then(|| u32::from_str_radix(digits, 16).ok())?
        };
        let first = unit(self, self.at).ok_or("`\\u` needs four hexadecimal digits")?;
        if let Some(character) = char::from_u32(first) {
            self.at += 6;
            return Ok(character);
        }
        let second = unit(self, self.at + 6).filter(|unit| first < 0xdc00 && (0xdc00..0xe000).contains(unit));
        let second = second.ok_or("half of a surrogate pair is no character")?;
        self.at += 12;
        Ok(char::from_u32(0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00)).expect("a surrogate pair"))
    }

    fn number(&mut self) -> Result<Value, String> {
        let rest = &self.text[self.at..];
        let length = rest.find(|c: char| !matches!(c, '0'..='9' | '+' | '-' | '.' | 'e' | 'E')).unwrap_or(rest.len());
        let number = Decimal::parse(&rest[..length])?;
        self.at += length;
        Ok(Value::Number(number))
    }
}

/// Writes a string as `JSON.stringify` does: only what must be escaped is, the shortest way.
pub(super) fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for character in text.chars() {
        match character {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\u{8}' => quoted.push_str("\\b"),
            '\u{c}' => quoted.push_str("\\f"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            '\0'..='\x1f' => quoted.push_str(&format!("\\u{:04x}", u32::from(character))),
            _ => quoted.push(character),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_as_written() {
        let value = parse(r#" {"b": [1.50, "\ud83d\ude00\u00e9\n"], "a": {}} "#).unwrap();
        let Value::Object(members) = &value else { panic!("an object") };
        assert_eq!(members.iter().map(|(key, _)| key.as_str()).collect::<Vec<_>>(), ["b", "a"]);
        assert_eq!(members[0].1, parse("[15e-1,\"😀é\\u000a\"]").unwrap());
    }

    #[test]
    fn values_are_equal_in_any_order() {
        let equal = |a: &str, b: &str| parse(a).unwrap().equals(&parse(b).unwrap());
        assert!(equal(r#"{"a":1,"b":[2]}"#, r#"{"b":[2.0],"a":1}"#));
        assert!(!equal(r#"{"a":1}"#, r#"{"a":1,"b":1}"#) && !equal("[1,2]", "[2,1]") && !equal("0", "false"));
    }

    #[test]
    fn errors_say_where() {
        let error = |text: &str| parse(text).map_err(|error| (error.message, error.line, error.column)).unwrap_err();
        assert_eq!(error("{\n \"a\": tru}"), ("a JSON value is expected".into(), 2, 7));
        assert_eq!(error(r#"{"a":1,"a":2}"#).0, "the object has two members `a`; keep one");
        assert_eq!(error("[1 2]").0, "`,` or `]` is expected");
        assert_eq!(error("1 1").0, "the text goes on after the value");
        assert_eq!(error(r#""\ud800""#).0, "half of a surrogate pair is no character");
        assert!(error(&"[".repeat(100_000)).0.contains("nested deeper"));
        for text in
            ["", "[", "{", "\"", "{\"a\"", "01", "1.", "-", "1e", "+1", "\"\\x\"", "\"\\u12\"", "[1,]", "{\"a\":1,}"]
        {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn quoting_is_read_back() {
        let text = "a\"\\/\n\t\u{1}\u{7f}é😀";
        assert_eq!(quote(text), "\"a\\\"\\\\/\\n\\t\\u0001\u{7f}é😀\"");
        assert_eq!(parse(&quote(text)).unwrap(), Value::String(text.into()));
    }
}
