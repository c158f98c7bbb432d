//! The lexer: source text to tokens.
//!
//! A piece that can't be read is reported and becomes [`TokenKind::Bad`]. The parser takes that for an expression, so that
//! one mistake gives one error.

use super::ast::Span;
use super::problem::Problem;

#[derive(Debug, Clone, PartialEq)]
pub(super) enum TokenKind {
    Name(String),
    Terminal(String),
    Directive(String),
    Text(String),
    Regex(String),
    Number(u32),
    Colon,
    Bar,
    Comma,
    Open(char),
    Close(char),
    Star,
    Plus,
    Question,
    Tilde,
    Range,
    Bad,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Token {
    pub kind: TokenKind,
    pub span: Span,
    /// The first token of its line.
    pub first_in_line: bool,
    /// And nothing stands before it, white space included.
    pub flush_left: bool,
}

/// The tokens of `source`, and what could not be read.
pub(super) fn tokens(source: &str) -> (Vec<Token>, Vec<(Span, Problem)>) {
    let mut lexer = Lexer { source, at: 0, tokens: Vec::new(), problems: Vec::new() };
    // A byte order mark is no text.
    if source.starts_with('\u{feff}') {
        lexer.at = '\u{feff}'.len_utf8();
    }
    lexer.run();
    (lexer.tokens, lexer.problems)
}

fn is_name_start(c: char) -> bool {
    c.is_ascii_alphabetic() || c == '_'
}

fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

struct Lexer<'a> {
    source: &'a str,
    at: usize,
    tokens: Vec<Token>,
    problems: Vec<(Span, Problem)>,
}

impl<'a> Lexer<'a> {
    fn rest(&self) -> &'a str {
        &self.source[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn take_while(&mut self, test: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let length = rest.find(|c| !test(c)).unwrap_or(rest.len());
        self.at += length;
        &rest[..length]
    }

    fn run(&mut self) {
        let mut line_start = self.at;
        let mut first_in_line = true;
        while let Some(c) = self.peek() {
            let start = self.at;
            if c == '\n' {
                self.at += 1;
                line_start = self.at;
                first_in_line = true;
            } else if c.is_whitespace() {
                self.at += c.len_utf8();
            } else if self.rest().starts_with("//") {
                self.take_while(|c| c != '\n');
            } else {
                let kind = self.token(c);
                let span = Span::new(start, self.at);
                self.tokens.push(Token { kind, span, first_in_line, flush_left: start == line_start });
                first_in_line = false;
            }
        }
    }

    fn token(&mut self, c: char) -> TokenKind {
        let start = self.at;
        self.at += c.len_utf8();
        match c {
            ':' => TokenKind::Colon,
            '|' => TokenKind::Bar,
            ',' => TokenKind::Comma,
            '(' | '[' => TokenKind::Open(c),
            ')' | ']' => TokenKind::Close(c),
            '*' => TokenKind::Star,
            '+' => TokenKind::Plus,
            '?' => TokenKind::Question,
            '~' => TokenKind::Tilde,
            '.' if self.peek() == Some('.') => {
                self.at += 1;
                TokenKind::Range
            }
            '"' => self.text(start),
            '/' => self.regex(start),
            '@' | '%' => {
                let name = self.take_while(is_name).to_owned();
                if name.is_empty() {
                    let problem = if c == '@' { Problem::LoneAt } else { Problem::LonePercent };
                    self.bad(start, problem)
                } else if c == '@' {
                    TokenKind::Terminal(name)
                } else {
                    TokenKind::Directive(name)
                }
            }
            c if c.is_ascii_digit() => {
                let digits = (c, self.take_while(|c| c.is_ascii_digit()));
                match format!("{}{}", digits.0, digits.1).parse() {
                    Ok(number) => TokenKind::Number(number),
                    Err(_) => {
                        self.bad(start, Problem::RepeatTooLarge { given: self.source[start..self.at].to_owned() })
                    }
                }
            }
            c if is_name_start(c) => {
                self.take_while(is_name);
                TokenKind::Name(self.source[start..self.at].to_owned())
            }
            '-' if self.peek() == Some('>') => {
                self.at += 1;
                self.take_while(|c| c == ' ');
                self.take_while(is_name);
                let (what, instead) =
                    ("an alias `-> name`", "leave it out: a format has no tree whose nodes bear names");
                self.bad(start, Problem::NotSupported { what, instead })
            }
            '{' => {
                self.skip_after('}');
                let (what, instead) =
                    ("`{`", "write a repeat as `~2` or `~2..5`, and a brace of the output in quotes: \"{\"");
                self.bad(start, Problem::NotSupported { what, instead })
            }
            '.' => {
                let (what, instead) =
                    ("`.`", "leave it out: rules have no priority; a dot of the output stands in quotes: \".\"");
                self.bad(start, Problem::NotSupported { what, instead })
            }
            '!' => {
                let (what, instead) = ("the modifier `!`", "leave it out: a format has no tree to shape");
                self.bad(start, Problem::NotSupported { what, instead })
            }
            '\'' => {
                self.skip_after('\'');
                self.bad(start, Problem::SingleQuote)
            }
            '#' => self.bad_line(start, Problem::HashComment),
            _ => self.bad(start, Problem::UnexpectedCharacter { found: c }),
        }
    }

    /// Goes on after the next `close`, if this line has one.
    fn skip_after(&mut self, close: char) {
        let line = self.rest().lines().next().unwrap_or_default();
        if let Some(length) = line.find(close) {
            self.at += length + close.len_utf8();
        }
    }

    fn bad(&mut self, start: usize, problem: Problem) -> TokenKind {
        self.problems.push((Span::new(start, self.at), problem));
        TokenKind::Bad
    }

    /// Reports `problem` at `start` and gives up on the rest of the line.
    fn bad_line(&mut self, start: usize, problem: Problem) -> TokenKind {
        self.problems.push((Span::new(start, self.at), problem));
        self.take_while(|c| c != '\n');
        TokenKind::Bad
    }

    /// The rest of a string whose opening quote, at `start`, has been read.
    fn text(&mut self, start: usize) -> TokenKind {
        let mut text = String::new();
        let mut good = true;
        loop {
            match self.peek() {
                None | Some('\n') => {
                    self.at = start + 1;
                    return self.bad_line(start, Problem::UnterminatedString);
                }
                Some('"') => {
                    self.at += 1;
                    break;
                }
                Some('\\') => match self.escape() {
                    Ok(c) => text.push(c),
                    // The quote after it would close the string; the end of the line is reported above.
                    Err((span, problem)) => {
                        self.problems.push((span, problem));
                        good = false;
                    }
                },
                Some(c) => {
                    text.push(c);
                    self.at += c.len_utf8();
                }
            }
        }
        if self.rest().starts_with('i') && !self.rest()[1..].starts_with(is_name) {
            let flag = self.at;
            self.at += 1;
            self.bad(flag, Problem::Flags { flags: "i".to_owned() });
            good = false;
        }
        if good { TokenKind::Text(text) } else { TokenKind::Bad }
    }

    /// An escape in a string, from its backslash on.
    fn escape(&mut self) -> Result<char, (Span, Problem)> {
        let start = self.at;
        self.at += 1;
        let letter = self.peek();
        if let Some(c) = letter.filter(|&c| c != '\n') {
            self.at += c.len_utf8();
        }
        let value = match letter {
            Some('"') => Some('"'),
            Some('\\') => Some('\\'),
            Some('n') => Some('\n'),
            Some('t') => Some('\t'),
            Some('r') => Some('\r'),
            Some('x') => self.hex(2).and_then(char::from_u32),
            Some('u') if self.peek() == Some('{') => {
                self.at += 1;
                let digits = self.take_while(|c| c.is_ascii_hexdigit());
                let closed = self.peek() == Some('}');
                self.at += usize::from(closed);
                u32::from_str_radix(digits, 16).ok().filter(|_| closed).and_then(char::from_u32)
            }
            Some('u') => self.hex(4).and_then(char::from_u32),
            _ => None,
        };
        value.ok_or_else(|| {
            let escape = self.source[start..self.at].to_owned();
            (Span::new(start, self.at), Problem::BadEscape { escape })
        })
    }

    fn hex(&mut self, digits: usize) -> Option<u32> {
        let found = self.rest().chars().take(digits).take_while(char::is_ascii_hexdigit).count();
        let text = &self.rest()[..found];
        self.at += found;
        u32::from_str_radix(text, 16).ok().filter(|_| found == digits)
    }

    /// The rest of a regex whose opening slash, at `start`, has been read.
    fn regex(&mut self, start: usize) -> TokenKind {
        loop {
            match self.peek() {
                None | Some('\n') => {
                    self.at = start + 1;
                    return self.bad_line(start, Problem::UnterminatedRegex);
                }
                Some('/') => break,
                Some(c) => self.at += c.len_utf8(),
            }
            // A backslash keeps the character after it, a slash as well, from ending the regex.
            if self.source[..self.at].ends_with('\\') {
                match self.peek() {
                    Some(c) if c != '\n' => self.at += c.len_utf8(),
                    _ => {}
                }
            }
        }
        let pattern = self.source[start + 1..self.at].to_owned();
        self.at += 1;
        let flag = self.at;
        let flags = self.take_while(is_name);
        if flags.is_empty() {
            return TokenKind::Regex(pattern);
        }
        if flags.chars().all(|c| "imslux".contains(c)) {
            return self.bad(flag, Problem::Flags { flags: flags.to_owned() });
        }
        self.at = flag;
        TokenKind::Regex(pattern)
    }
}
