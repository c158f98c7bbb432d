//! YAML: block sequences of mappings with double-quoted values, and the empty flow sequence.
//!
//! This is the part of YAML 1.2.2 that needs no guess of a scalar's type (sections 7.3.1, 8.2.1 and 8.2.2), with the printable
//! characters and the escapes that YAML 1.1 has, too.

/// Whether the output is a list of mappings from plain keys to double-quoted strings.
pub fn is_list(output: &str) -> bool {
    if output.trim_end_matches(['\n', ' ']) == "[]" {
        return true;
    }
    let mut lines = output.strip_suffix('\n').unwrap_or(output).split('\n').peekable();
    if lines.peek().is_none_or(|line| line.is_empty()) {
        return false;
    }
    while let Some(line) = lines.next() {
        let mut keys = Vec::new();
        let Some(key) = line.strip_prefix("- ").and_then(pair) else {
            return false;
        };
        keys.push(key);
        while let Some(line) = lines.peek().and_then(|line| line.strip_prefix("  ")) {
            match pair(line) {
                // A mapping has no key twice.
                Some(key) if !keys.contains(&key) => keys.push(key),
                _ => return false,
            }
            lines.next();
        }
    }
    true
}

/// The key of `key: "value"`.
fn pair(line: &str) -> Option<&str> {
    let (key, value) = line.split_once(": ")?;
    let plain = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    (plain && is_quoted(value)).then_some(key)
}

fn is_quoted(value: &str) -> bool {
    let Some(mut rest) = value.strip_prefix('"') else {
        return false;
    };
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        match c {
            '"' => return rest.is_empty(),
            '\\' => {
                let Some(escaped) = rest.chars().next() else {
                    return false;
                };
                let digits = match escaped {
                    '0' | 'a' | 'b' | 't' | 'n' | 'v' | 'f' | 'r' | 'e' | ' ' | '"' | '\\' | 'N' | '_' | 'L' | 'P' => 0,
                    'x' => 2,
                    'u' => 4,
                    'U' => 8,
                    _ => return false,
                };
                let code = rest.get(1..1 + digits);
                if !code.is_some_and(|code| code.bytes().all(|byte| byte.is_ascii_hexdigit())) {
                    return false;
                }
                rest = &rest[1 + digits..];
            }
            c if !is_printable(c) => return false,
            _ => {}
        }
    }
    false
}

/// The characters of YAML 1.1 (section 4.1.1) that are no line break and no byte order mark.
fn is_printable(c: char) -> bool {
    matches!(c, '\t' | ' '..='~' | '\u{a0}'..='\u{2027}' | '\u{202a}'..='\u{fefe}' | '\u{ff00}'..='\u{fffd}' | '\u{10000}'..)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each was given to PyYAML.
    #[test]
    fn lists_are_told_from_what_is_none() {
        for good in [
            "[]",
            "- text: \"a\"\n  label: \"X\"",
            "- text: \"a: b \\\" \\\\ \\u2028\"\n- label: \"\"\n  text: \"é\"\n",
        ] {
            assert!(is_list(good), "{good}");
        }
        for bad in [
            "",
            "[",
            "- text: \"a",
            "- text: \"a\" b",
            "- text: \"a\"\n - label: \"X\"",
            "- text: \"a\"\n  label \"X\"",
            "- text: \"\\q\"",
            "- text: \"\\u12\"",
            "- text: \"\u{7f}\"",
            "- text: \"a\"\nlabel: \"X\"",
        ] {
            assert!(!is_list(bad), "{bad}");
        }
    }
}
