//! Python literals: lists, tuples, strings and integers, as `ast.literal_eval` reads them.

/// Whether the output is one literal, with nothing behind it but white space.
pub fn is_literal(output: &str) -> bool {
    let mut reader = Reader { rest: output, depth: 0 };
    reader.value().is_some() && reader.skip_space().rest.is_empty()
}

struct Reader<'a> {
    rest: &'a str,
    depth: usize,
}

/// Python's own parser gives up at about as many open brackets.
const DEEPEST: usize = 100;

impl Reader<'_> {
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
            _ => None,
        }
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

    /// Each was given to Python's `ast.literal_eval`.
    #[test]
    fn literals_are_told_from_what_is_none() {
        for good in [
            "[]",
            r#"[("Naloxone", "Chemical"), ("a\"b\\", "Disease")]"#,
            "[('x', 1, -20), [()], (1,),]",
            r#"["\u00e9\n"]"#,
            " [\n]  ",
            "\"α\u{1F9EC}\"",
            "0",
        ] {
            assert!(is_literal(good), "{good}");
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
            "[name]",
            "-",
        ] {
            assert!(!is_literal(bad), "{bad}");
        }
        assert!(!is_literal(&"[".repeat(5000)));
    }
}
