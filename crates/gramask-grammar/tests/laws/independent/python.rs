//! Python's lists, tuples, strings and calls, as far as lists of pairs and of objects need them.

struct Python<'a> {
    rest: &'a str,
}

/// `[("text", "label"), ...]`.
pub fn tuples(output: &str) -> Result<Vec<(String, String)>, String> {
    Python { rest: output }.list(|python| {
        python.take("(")?;
        let text = python.string()?;
        python.take(", ")?;
        let label = python.string()?;
        python.take(")")?;
        Ok((text, label))
    })
}

/// `result = [Label(mention="text"), ...]`.
pub fn objects(output: &str) -> Result<Vec<(String, String)>, String> {
    let list = output.strip_prefix("result = ").ok_or("no result")?;
    Python { rest: list }.list(|python| {
        let label = python.name()?;
        python.take("(mention=")?;
        let text = python.string()?;
        python.take(")")?;
        Ok((text, label))
    })
}

impl Python<'_> {
    fn take(&mut self, text: &str) -> Result<(), String> {
        self.rest = self.rest.strip_prefix(text).ok_or_else(|| format!("expected {text:?} at {:?}", self.rest))?;
        Ok(())
    }

    /// A list, behind which nothing stands.
    fn list<T>(&mut self, item: impl Fn(&mut Self) -> Result<T, String>) -> Result<Vec<T>, String> {
        let mut items = Vec::new();
        self.take("[")?;
        while self.take("]").is_err() {
            if !items.is_empty() {
                self.take(", ")?;
            }
            items.push(item(self)?);
        }
        if self.rest.is_empty() { Ok(items) } else { Err(format!("{:?} behind the end", self.rest)) }
    }

    fn name(&mut self) -> Result<String, String> {
        let part = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let length = self.rest.find(|c| !part(c)).unwrap_or(self.rest.len());
        let (name, rest) = self.rest.split_at(length);
        self.rest = rest;
        match name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
            true => Ok(name.to_owned()),
            false => Err(format!("{name:?} is no identifier")),
        }
    }

    fn string(&mut self) -> Result<String, String> {
        self.take("\"")?;
        let mut text = String::new();
        loop {
            let c = self.rest.chars().next().ok_or("an open string")?;
            self.rest = &self.rest[c.len_utf8()..];
            match c {
                '"' => return Ok(text),
                '\n' | '\0' => return Err("a bare control character".into()),
                '\\' => {
                    let escaped = self.rest.chars().next().ok_or("an open escape")?;
                    self.rest = &self.rest[escaped.len_utf8()..];
                    text.push(match escaped {
                        'n' => '\n',
                        'r' => '\r',
                        't' => '\t',
                        'b' => '\u{8}',
                        'f' => '\u{c}',
                        '"' | '\\' | '\'' => escaped,
                        'u' => {
                            let digits = self.rest.get(..4).ok_or("a short escape")?;
                            self.rest = &self.rest[4..];
                            u32::from_str_radix(digits, 16).ok().and_then(char::from_u32).ok_or("no character")?
                        }
                        _ => return Err(format!("\\{escaped} stands for itself")),
                    });
                }
                c => text.push(c),
            }
        }
    }
}
