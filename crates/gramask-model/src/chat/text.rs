//! Values as Python writes them: `str`, `repr` and `json.dumps`.

use minijinja::value::{Value, ValueKind};
use std::fmt::Write;

/// `str(value)`, which is what `{{ value }}` prints.
pub(super) fn to_text(value: &Value) -> String {
    match value.as_str() {
        Some(text) => text.to_owned(),
        None if value.is_undefined() => String::new(),
        None => representation(value),
    }
}

/// `repr(value)`, which is how a value stands in a printed list.
pub(super) fn representation(value: &Value) -> String {
    if let Some(text) = value.as_str() {
        return quoted(text);
    }
    let items = || value.try_iter().into_iter().flatten();
    match value.kind() {
        ValueKind::None => "None".to_owned(),
        ValueKind::Bool => String::from(if value.is_true() { "True" } else { "False" }),
        ValueKind::Seq => format!("[{}]", items().map(|item| representation(&item)).collect::<Vec<_>>().join(", ")),
        ValueKind::Map => {
            let pair = |key: Value| {
                let item = value.get_item(&key).unwrap_or_default();
                format!("{}: {}", representation(&key), representation(&item))
            };
            format!("{{{}}}", items().map(pair).collect::<Vec<_>>().join(", "))
        }
        _ => value.to_string(),
    }
}

/// A string in quotes: double ones where it holds single ones only.
fn quoted(text: &str) -> String {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    let mut written = String::from(quote);
    for c in text.chars() {
        match c {
            '\n' => written.push_str("\\n"),
            '\r' => written.push_str("\\r"),
            '\t' => written.push_str("\\t"),
            '\\' => written.push_str("\\\\"),
            c if c == quote => {
                written.push('\\');
                written.push(c);
            }
            c if c.is_control() => {
                let _ = write!(written, "\\x{:02x}", u32::from(c));
            }
            c => written.push(c),
        }
    }
    written.push(quote);
    written
}

/// The options of `json.dumps` that templates use.
#[derive(Debug, Default)]
pub(super) struct Json {
    /// Spaces per level; all on one line where none is given.
    pub indent: Option<usize>,
    /// What stands between items, and after a key; Python's own where none is given.
    pub separators: Option<(String, String)>,
    /// Whether keys are sorted.
    pub sort_keys: bool,
    /// Whether other characters than ASCII are escaped.
    pub ensure_ascii: bool,
}

impl Json {
    /// `json.dumps(value, ...)`.
    ///
    /// # Errors
    /// The kind of the value that is not JSON.
    pub(super) fn dumps(&self, value: &Value) -> Result<String, String> {
        let mut written = String::new();
        self.write(value, 0, &mut written)?;
        Ok(written)
    }

    fn write(&self, value: &Value, depth: usize, out: &mut String) -> Result<(), String> {
        if let Some(text) = value.as_str() {
            self.string(text, out);
            return Ok(());
        }
        match value.kind() {
            ValueKind::None => out.push_str("null"),
            ValueKind::Bool => out.push_str(if value.is_true() { "true" } else { "false" }),
            ValueKind::Number => out.push_str(&value.to_string()),
            ValueKind::Seq | ValueKind::Iterable => {
                let items: Vec<Value> = value.try_iter().map_err(|error| error.to_string())?.collect();
                self.items(&items, ['[', ']'], depth, out, |item, out| self.write(item, depth + 1, out))?;
            }
            ValueKind::Map => {
                let mut keys: Vec<Value> = value.try_iter().map_err(|error| error.to_string())?.collect();
                if self.sort_keys {
                    keys.sort();
                }
                let after_key = self.separators.as_ref().map_or(": ", |(_, after_key)| after_key.as_str());
                self.items(&keys, ['{', '}'], depth, out, |key, out| {
                    self.string(&to_text(key), out);
                    out.push_str(after_key);
                    self.write(&value.get_item(key).map_err(|error| error.to_string())?, depth + 1, out)
                })?;
            }
            kind => return Err(format!("a value of the kind {kind} is not JSON")),
        }
        Ok(())
    }

    fn items(
        &self,
        items: &[Value],
        [open, close]: [char; 2],
        depth: usize,
        out: &mut String,
        mut write: impl FnMut(&Value, &mut String) -> Result<(), String>,
    ) -> Result<(), String> {
        // With an indent, Python puts no space after the comma.
        let between = match (&self.separators, self.indent) {
            (Some((between, _)), _) => between.as_str(),
            (None, Some(_)) => ",",
            (None, None) => ", ",
        };
        let line = |depth: usize, out: &mut String| {
            if let Some(indent) = self.indent {
                out.push('\n');
                out.push_str(&" ".repeat(indent * depth));
            }
        };
        out.push(open);
        for (number, item) in items.iter().enumerate() {
            if number > 0 {
                out.push_str(between);
            }
            line(depth + 1, out);
            write(item, out)?;
        }
        if !items.is_empty() {
            line(depth, out);
        }
        out.push(close);
        Ok(())
    }

    fn string(&self, text: &str, out: &mut String) {
        out.push('"');
        for c in text.chars() {
            match c {
                '"' => out.push_str("\\\""),
                '\\' => out.push_str("\\\\"),
                '\n' => out.push_str("\\n"),
                '\r' => out.push_str("\\r"),
                '\t' => out.push_str("\\t"),
                '\u{8}' => out.push_str("\\b"),
                '\u{c}' => out.push_str("\\f"),
                c if c < ' ' || self.ensure_ascii && !c.is_ascii() => {
                    for unit in c.encode_utf16(&mut [0; 2]) {
                        let _ = write!(out, "\\u{unit:04x}");
                    }
                }
                c => out.push(c),
            }
        }
        out.push('"');
    }
}
