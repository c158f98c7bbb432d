//! A place in a source that is read character by character.

use crate::notation::ast::Span;

pub(super) struct Cursor<'a> {
    source: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    /// The beginning; a byte order mark is no text.
    pub fn new(source: &'a str) -> Cursor<'a> {
        Cursor { source, at: if source.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 } }
    }

    pub fn at(&self) -> usize {
        self.at
    }

    pub fn go_to(&mut self, at: usize) {
        self.at = at;
    }

    pub fn rest(&self) -> &'a str {
        &self.source[self.at..]
    }

    pub fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    pub fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        Some(c)
    }

    pub fn bump(&mut self) {
        self.next();
    }

    /// Passes over this text, if it stands here.
    pub fn eat(&mut self, text: &str) -> bool {
        let here = self.rest().starts_with(text);
        self.at += if here { text.len() } else { 0 };
        here
    }

    pub fn take_while(&mut self, test: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let length = rest.find(|c| !test(c)).unwrap_or(rest.len());
        self.at += length;
        &rest[..length]
    }

    /// The character of exactly so many hexadecimal digits.
    pub fn hex(&mut self, digits: usize) -> Option<char> {
        let found = self.rest().chars().take(digits).take_while(char::is_ascii_hexdigit).count();
        let text = &self.rest()[..found];
        self.at += found;
        u32::from_str_radix(text, 16).ok().filter(|_| found == digits).and_then(char::from_u32)
    }

    /// Passes over exactly so many hexadecimal digits, if they stand here.
    pub fn take_digits(&mut self, digits: usize) -> bool {
        let found = self.rest().chars().take(digits).take_while(char::is_ascii_hexdigit).count();
        self.at += found;
        found == digits
    }

    /// From `start` to here.
    pub fn from(&self, start: usize) -> Span {
        Span::new(start, self.at)
    }

    /// The character that stands here.
    pub fn here(&self) -> Span {
        Span::new(self.at, self.at + self.peek().map_or(0, char::len_utf8))
    }

    pub fn text(&self, span: Span) -> &'a str {
        &self.source[span.start..span.end]
    }

    /// What stands here, for messages.
    pub fn found(&self) -> String {
        match self.peek() {
            None => "the end of the file".to_owned(),
            Some('\n' | '\r') => "the end of the line".to_owned(),
            Some(c) => format!("`{}`", gramask_ner::visible(&c.to_string())),
        }
    }
}
