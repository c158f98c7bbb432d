//! Patterns of ECMA-262, as regular languages.
//!
//! A `pattern` is searched in the string: it need not match as a whole. Its meaning is that of ECMA-262 with the flag `u`,
//! which JSON Schema recommends. Each construct is translated to the syntax of the `regex` crate, with every character as
//! `\x{..}`, so that nothing can be read as another syntax.
//!
//! | ECMA-262 | here |
//! |---|---|
//! | `.` | all but line feed, carriage return, U+2028 and U+2029 |
//! | `\d` `\w` | ASCII |
//! | `\s` | white space and line ends of ECMA-262 |
//! | `^` `$` | the ends of the string |
//! | `\p{..}` | Unicode properties |
//! | look-around, back-references, `\b`, flags | refused |

use crate::regex::{Language, RegexError, Steps};

const SPACE: &str =
    r"\t\n\x0b\x0c\r\x20\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}\x{feff}";

/// Why a pattern has no language.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum PatternError {
    /// What it has that no finite automaton or no translation can express, or what is wrong with it.
    Refused(String),
    TooLarge,
}

/// The strings in which a pattern is found.
pub(super) fn language(pattern: &str, steps: &mut Steps) -> Result<Language, PatternError> {
    let translated = Translation { rest: pattern.chars().collect(), at: 0, open: 0 }.pattern()?;
    Language::pattern(&format!("(?s:.)*(?:{translated})(?s:.)*"), steps).map_err(|error| match error {
        RegexError::TooLarge => PatternError::TooLarge,
        RegexError::Syntax(message) => PatternError::Refused(format!("`{pattern}` can't be read: {message}")),
    })
}

struct Translation {
    rest: Vec<char>,
    at: usize,
    /// Open groups.
    open: usize,
}

/// One member of a class, or an escape.
enum Atom {
    Character(char),
    /// Several characters, as members of a class in brackets.
    Class(String),
}

impl Translation {
    fn peek(&self) -> Option<char> {
        self.rest.get(self.at).copied()
    }

    fn starts(&self, text: &str) -> bool {
        text.chars().enumerate().all(|(offset, c)| self.rest.get(self.at + offset) == Some(&c))
    }

    fn pattern(mut self) -> Result<String, PatternError> {
        let mut out = String::new();
        // Whether a quantifier may come next.
        let mut atom = false;
        while let Some(next) = self.peek() {
            self.at += 1;
            let mut is_atom = true;
            match next {
                '|' | '^' | '$' => {
                    out.push_str(match next {
                        '|' => "|",
                        '^' => r"\A",
                        _ => r"\z",
                    });
                    is_atom = false;
                }
                '(' => {
                    self.group(&mut out)?;
                    is_atom = false;
                }
                ')' if self.open == 0 => return refused("a `)` without a `(`"),
                ')' => {
                    self.open -= 1;
                    out.push(')');
                }
                '.' => out.push_str(r"[^\n\r\x{2028}\x{2029}]"),
                '[' => self.class(&mut out)?,
                '\\' => match self.escape(false)? {
                    Atom::Character(character) => push(&mut out, character),
                    Atom::Class(members) => out.push_str(&format!("[{members}]")),
                },
                '*' | '+' | '?' | '{' => {
                    if !atom {
                        return refused(&format!("a `{next}` with nothing to repeat"));
                    }
                    self.at -= 1;
                    self.quantifier(&mut out)?;
                    is_atom = false;
                }
                other => push(&mut out, other),
            }
            atom = is_atom;
        }
        if self.open > 0 { refused("a `(` that is not closed") } else { Ok(out) }
    }

    fn group(&mut self, out: &mut String) -> Result<(), PatternError> {
        self.open += 1;
        if self.peek() == Some('?') {
            for (look, name) in [("?=", "ahead"), ("?!", "ahead"), ("?<=", "behind"), ("?<!", "behind")] {
                if self.starts(look) {
                    return refused(&format!("looking {name}, `({look}...)`"));
                }
            }
            if self.starts("?:") {
                self.at += 2;
            } else if self.starts("?<") {
                let end = self.rest[self.at..].iter().position(|c| *c == '>');
                let name: String = self.rest[self.at + 2..self.at + end.unwrap_or(2)].iter().collect();
                if name.is_empty() || !name.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '$') {
                    return refused("a group without a proper name after `(?<`");
                }
                self.at += end.unwrap_or(0) + 1;
            } else {
                return refused("flags within the pattern, `(?...)`, which ECMA-262 has not");
            }
        }
        out.push_str("(?:");
        Ok(())
    }

    fn quantifier(&mut self, out: &mut String) -> Result<(), PatternError> {
        let begin = self.at;
        if self.peek() == Some('{') {
            let length = self.rest[self.at..].iter().position(|c| *c == '}').unwrap_or(0);
            let inner: String = self.rest[self.at..self.at + length].iter().skip(1).collect();
            let (min, max) = inner.split_once(',').unwrap_or((&inner, &inner));
            let number = |text: &str| !text.is_empty() && text.bytes().all(|digit| digit.is_ascii_digit());
            if !number(min) || !max.is_empty() && !number(max) {
                return refused("a `{` that begins no quantifier; a brace itself is written `\\{`");
            }
            self.at += length;
        }
        self.at += 1;
        if self.peek() == Some('?') {
            self.at += 1;
        }
        if matches!(self.peek(), Some('*' | '+' | '?' | '{')) {
            return refused("two quantifiers, one after the other");
        }
        out.extend(&self.rest[begin..self.at]);
        Ok(())
    }

    /// A class in brackets, after the `[`.
    fn class(&mut self, out: &mut String) -> Result<(), PatternError> {
        let negated = self.peek() == Some('^');
        self.at += usize::from(negated);
        let mut members = String::new();
        loop {
            match self.peek() {
                None => return refused("a `[` that is not closed"),
                Some(']') => break,
                Some(_) => {}
            }
            match self.member()? {
                Atom::Class(class) => members.push_str(&class),
                Atom::Character(low) => {
                    push(&mut members, low);
                    let range = self.peek() == Some('-') && self.rest.get(self.at + 1).is_some_and(|c| *c != ']');
                    if range {
                        self.at += 1;
                        let Atom::Character(high) = self.member()? else {
                            return refused("a range in brackets that ends with a class");
                        };
                        if high < low {
                            return refused(&format!("the range `{low}-{high}`, whose end comes first"));
                        }
                        members.push('-');
                        push(&mut members, high);
                    }
                }
            }
        }
        self.at += 1;
        out.push_str(&match (members.is_empty(), negated) {
            (true, true) => r"[\x{0}-\x{10ffff}]".into(),
            // No character; `&&` is an intersection.
            (true, false) => r"[a&&b]".into(),
            (false, _) => format!("[{}{members}]", if negated { "^" } else { "" }),
        });
        Ok(())
    }

    fn member(&mut self) -> Result<Atom, PatternError> {
        let Some(next) = self.peek() else { return refused("a `[` that is not closed") };
        self.at += 1;
        if next == '\\' { self.escape(true) } else { Ok(Atom::Character(next)) }
    }

    /// An escape, after the backslash.
    fn escape(&mut self, in_class: bool) -> Result<Atom, PatternError> {
        let Some(next) = self.peek() else { return refused("a backslash at the end") };
        self.at += 1;
        let class = |members: &str| Ok(Atom::Class(members.into()));
        match next {
            'd' => class("0-9"),
            'D' => class("[^0-9]"),
            'w' => class("0-9A-Za-z_"),
            'W' => class("[^0-9A-Za-z_]"),
            's' => class(SPACE),
            'S' => class(&format!("[^{SPACE}]")),
            'p' | 'P' => self.property(next == 'P'),
            't' => Ok(Atom::Character('\t')),
            'n' => Ok(Atom::Character('\n')),
            'v' => Ok(Atom::Character('\u{b}')),
            'f' => Ok(Atom::Character('\u{c}')),
            'r' => Ok(Atom::Character('\r')),
            'b' if in_class => Ok(Atom::Character('\u{8}')),
            'b' | 'B' => refused(&format!("the word boundary `\\{next}`")),
            '0' if !self.peek().is_some_and(|digit| digit.is_ascii_digit()) => Ok(Atom::Character('\0')),
            '0'..='9' => refused(&format!("the back-reference `\\{next}`")),
            'k' => refused("the back-reference `\\k`"),
            'c' => match self.peek().filter(char::is_ascii_alphabetic) {
                Some(letter) => {
                    self.at += 1;
                    Ok(Atom::Character(char::from(letter as u8 & 0x1f)))
                }
                None => refused("`\\c` without a letter"),
            },
            'x' => match self.hexadecimal(2).and_then(char::from_u32) {
                Some(character) => Ok(Atom::Character(character)),
                None => refused("`\\x` without two hexadecimal digits"),
            },
            'u' => self.unit(),
            letter if letter.is_ascii_alphabetic() => {
                refused(&format!("the escape `\\{letter}`, which ECMA-262 has not"))
            }
            other => Ok(Atom::Character(other)),
        }
    }

    fn hexadecimal(&mut self, digits: usize) -> Option<u32> {
        let text: String = self.rest.get(self.at..self.at + digits)?.iter().collect();
        let value = u32::from_str_radix(&text, 16).ok().filter(|_| text.bytes().all(|b| b.is_ascii_hexdigit()))?;
        self.at += digits;
        Some(value)
    }

    /// `\uXXXX`, two of them as a surrogate pair, or `\u{X}`.
    fn unit(&mut self) -> Result<Atom, PatternError> {
        if self.peek() == Some('{') {
            let length = self.rest[self.at..].iter().position(|c| *c == '}').unwrap_or(0);
            self.at += 1;
            let character = self.hexadecimal(length.saturating_sub(1)).and_then(char::from_u32);
            self.at += 1;
            return match character {
                Some(character) => Ok(Atom::Character(character)),
                None => refused("`\\u{` without a character's number"),
            };
        }
        let Some(unit) = self.hexadecimal(4) else { return refused("`\\u` without four hexadecimal digits") };
        if let Some(character) = char::from_u32(unit) {
            return Ok(Atom::Character(character));
        }
        if unit < 0xdc00 && self.starts("\\u") {
            self.at += 2;
            if let Some(low @ 0xdc00..0xe000) = self.hexadecimal(4) {
                let character = char::from_u32(0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00));
                return Ok(Atom::Character(character.expect("a surrogate pair")));
            }
        }
        refused("half of a surrogate pair, which no text has")
    }

    fn property(&mut self, negated: bool) -> Result<Atom, PatternError> {
        let end = self.rest[self.at..].iter().position(|c| *c == '}');
        let name: String = match end {
            Some(end) if self.peek() == Some('{') => self.rest[self.at + 1..self.at + end].iter().collect(),
            _ => return refused("`\\p` without a property in braces"),
        };
        self.at += end.unwrap_or(0) + 1;
        if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '=') {
            return refused(&format!("the property `{name}`"));
        }
        Ok(Atom::Class(format!("\\{}{{{name}}}", if negated { 'P' } else { 'p' })))
    }
}

fn push(out: &mut String, character: char) {
    if character.is_ascii_alphanumeric() {
        out.push(character);
    } else {
        out.push_str(&format!("\\x{{{:x}}}", u32::from(character)));
    }
}

fn refused<T>(what: &str) -> Result<T, PatternError> {
    Err(PatternError::Refused(what.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(pattern: &str, text: &str) -> bool {
        language(pattern, &mut Steps::new())
            .unwrap_or_else(|error| panic!("{pattern}: {error:?}"))
            .contains(text.as_bytes())
    }

    #[test]
    fn a_pattern_is_searched() {
        for (pattern, yes, no) in [
            ("b", "abc", "ac"),
            ("^b", "bc", "abc"),
            ("b$", "ab", "ab\n"),
            ("^(?:a|b$)", "ax", "xb"),
            ("^a|b$", "xb", "xbx"),
            ("^$", "", " "),
            ("", "anything", "\u{0}never"),
            (r"^\d+$", "42", "४२"),
            (r"^\w$", "_", "é"),
            (r"^\s$", "\u{a0}", "\u{85}"),
            (r"^\S\D\W$", "éé!", "é1!"),
            (r"^[\w.-]+@\w+\.com$", "a.b-c@d.com", "a@b,com"),
            (r"^a\/b\-c$", "a/b-c", "a\\/b-c"),
            (r"^[^\n\]]*$", "a[b", "a]b"),
            (r"^[]$|^x$", "x", ""),
            (r"^[^]$", "\n", ""),
            ("^.$", "é", "\u{2028}"),
            (r"^\u00e9\x41\u{1f600}$", "éA😀", "éA"),
            (r"^\ud83d\ude00$", "😀", "x"),
            (r"^\p{Lu}\P{L}$", "É1", "é1"),
            (r"^\p{Script=Greek}+$", "αβγ", "abc"),
            (r"^(?<year>\d{4})-\d{1,2}$", "2024-1", "24-1"),
            (r"^a{2,}?$", "aaa", "a"),
            (r"^[&&~~#--]$", "#", "a"),
            (r"^[a-]$", "-", "b"),
            (r"^\cA$", "\u{1}", "A"),
        ] {
            assert!(found(pattern, yes), "{pattern} {yes:?}");
            assert!(no == "\u{0}never" || !found(pattern, no), "{pattern} {no:?}");
        }
    }

    #[test]
    fn patterns_that_are_not_regular_or_not_clear_are_refused() {
        for pattern in [
            "(?=a)",
            "(?!a)",
            "(?<=a)",
            "(?<!a)",
            r"(a)\1",
            r"\k<a>",
            r"\bword",
            "(?i)a",
            "(?P<n>a)",
            r"\Aa",
            r"a\Z",
            "a{,3}",
            "a**",
            "*a",
            "(a",
            "a)",
            "[a",
            "[z-a]",
            r"\u12",
            r"\ud800",
            r"\p{NoSuch}",
            "\\",
            r"[\d-z]x{",
            r"\01",
        ] {
            assert!(matches!(language(pattern, &mut Steps::new()), Err(PatternError::Refused(_))), "{pattern}");
        }
        assert_eq!(language("^(a{1000}){1000}$", &mut Steps::new()).unwrap_err(), PatternError::TooLarge);
    }
}
