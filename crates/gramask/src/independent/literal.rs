//! Python: literals (lists, tuples, strings and integers, as `ast.literal_eval` reads them) and calls with keywords, alone or
//! assigned to a name.

/// Whether the output is one expression, or an assignment of one, with nothing behind it but white space.
pub fn is_python(output: &str) -> bool {
    // A statement begins in the first column.
    let mut reader = Reader { rest: output, depth: 0 };
    let assigned = reader.name().is_some() && reader.skip_blanks().take('=').is_some();
    if !assigned {
        reader.rest = output.trim_start_matches([' ', '\t']);
    }
    // What is assigned begins on the same line.
    let here = !reader.skip_blanks().rest.starts_with(['\n', '\r']);
    (here || !assigned) && reader.value().is_some() && reader.skip_space().rest.is_empty()
}

struct Reader<'a> {
    rest: &'a str,
    depth: usize,
}

/// Python's own parser gives up at about as many open brackets.
const DEEPEST: usize = 100;

/// What Python 3 keeps for itself.
const KEYWORDS: [&str; 35] = [
    "False", "None", "True", "and", "as", "assert", "async", "await", "break", "class", "continue", "def", "del",
    "elif", "else", "except", "finally", "for", "from", "global", "if", "import", "in", "is", "lambda", "nonlocal",
    "not", "or", "pass", "raise", "return", "try", "while", "with", "yield",
];

impl Reader<'_> {
    fn skip_blanks(&mut self) -> &mut Self {
        self.rest = self.rest.trim_start_matches([' ', '\t']);
        self
    }

    fn skip_space(&mut self) -> &mut Self {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\n', '\r']);
        self
    }

    fn take(&mut self, mark: char) -> Option<()> {
        self.rest = self.rest.strip_prefix(mark)?;
        Some(())
    }

    fn value(&mut self) -> Option<()> {
        match self.skip_space().rest.chars().next()? {
            '[' => self.items('[', ']'),
            '(' => self.items('(', ')'),
            '"' => self.string('"'),
            '\'' => self.string('\''),
            c if c.is_ascii_digit() || c == '-' => self.integer(),
            _ => self.call(),
        }
    }

    /// An identifier that is no keyword.
    fn name(&mut self) -> Option<()> {
        let part = |c: char| c.is_alphanumeric() || c == '_';
        let length = self.rest.find(|c| !part(c)).unwrap_or(self.rest.len());
        let (name, rest) = self.rest.split_at(length);
        let first = name.chars().next()?;
        if !(first.is_alphabetic() || first == '_') || KEYWORDS.contains(&name) {
            return None;
        }
        self.rest = rest;
        Some(())
    }

    /// `Name(keyword=value, ...)`.
    fn call(&mut self) -> Option<()> {
        self.name()?;
        self.take('(')?;
        self.depth += 1;
        if self.depth > DEEPEST {
            return None;
        }
        let mut seen = Vec::new();
        while self.skip_space().take(')').is_none() {
            let before = self.rest;
            self.name()?;
            let keyword = &before[..before.len() - self.rest.len()];
            // A keyword that comes twice is an error of syntax.
            if seen.contains(&keyword) {
                return None;
            }
            seen.push(keyword);
            self.skip_space().take('=')?;
            self.value()?;
            if self.skip_space().take(',').is_none() {
                self.take(')')?;
                break;
            }
        }
        self.depth -= 1;
        Some(())
    }

    fn items(&mut self, open: char, close: char) -> Option<()> {
        self.take(open)?;
        self.depth += 1;
        if self.depth > DEEPEST {
            return None;
        }
        loop {
            if self.skip_space().take(close).is_some() {
                self.depth -= 1;
                return Some(());
            }
            self.value()?;
            if self.skip_space().take(',').is_none() {
                self.take(close)?;
                self.depth -= 1;
                return Some(());
            }
        }
    }

    fn string(&mut self, quote: char) -> Option<()> {
        self.take(quote)?;
        loop {
            let c = self.rest.chars().next()?;
            self.take(c)?;
            match c {
                '\n' | '\0' => return None,
                '\\' => self.escape()?,
                c if c == quote => return Some(()),
                _ => {}
            }
        }
    }

    /// What stands behind a backslash. An unknown escape stands for itself in Python, with a warning: it is refused here.
    fn escape(&mut self) -> Option<()> {
        let c = self.rest.chars().next()?;
        self.take(c)?;
        let digits = match c {
            '\\' | '\'' | '"' | 'a' | 'b' | 'f' | 'n' | 'r' | 't' | 'v' | '\n' | '0'..='7' => 0,
            'x' => 2,
            'u' => 4,
            'U' => 8,
            _ => return None,
        };
        let code = self.rest.get(..digits)?;
        if !code.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        self.rest = &self.rest[digits..];
        // Beyond U+10FFFF there is no character, in Python neither.
        (digits < 8 || u32::from_str_radix(code, 16).ok()? <= 0x10_FFFF).then_some(())
    }

    fn integer(&mut self) -> Option<()> {
        let digits = self.rest.strip_prefix('-').unwrap_or(self.rest);
        let length = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
        let number = &digits[..length];
        self.rest = &digits[length..];
        // `007` is an error in Python, `0` and `00` are not.
        let led_by_zero = number.starts_with('0') && number.bytes().any(|byte| byte != b'0');
        (!number.is_empty() && !led_by_zero).then_some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each was given to Python's `compile`.
    #[test]
    fn python_is_told_from_what_is_none() {
        for good in [
            "[]",
            r#"[("Naloxone", "Chemical"), ("a\"b\\", "Disease")]"#,
            "[('x', 1, -20), [()], (1,),]",
            r#"["\u00e9\n"]"#,
            " [\n]  ",
            "\"α\u{1F9EC}\"",
            "0",
            "result = []",
            r#"result = [Chemical(mention="a\n"), _X1(mention="b", label='c',)]"#,
            "x=(1,)\n",
            "a = b()",
        ] {
            assert!(is_python(good), "{good}");
        }
        for bad in [
            "",
            "[",
            "[(\"a\", \"b\")",
            "[\"a\nb\"]",
            "[\"a\" \"b\" 1]",
            "[] []",
            "[,]",
            "[\"\\u00g0\"]",
            "[\"\\U00110000\"]",
            "[007]",
            "[\"a]",
            "[name",
            "[]\n = 1",
            "result = ",
            "result == []",
            "class = []",
            "x = [in(a=1)]",
            "x = [A(a=1, a=2)]",
            "x = [A(1a=2)]",
            "x = [A(a=1]",
            "x = [A(a=)]",
            "x =\n[]",
            "1 = 2",
            "-",
        ] {
            assert!(!is_python(bad), "{bad}");
        }
        assert!(!is_python(&"[".repeat(5000)));
    }
}
