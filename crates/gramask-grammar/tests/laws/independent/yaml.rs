//! YAML: a block sequence of block mappings whose values are double-quoted (YAML 1.2.2, sections 7.3.1 and 8.2).

/// `- text: "..."` and `label: "..."` below it, one after the other, or `[]`.
pub fn mappings(output: &str) -> Result<Vec<(String, String)>, String> {
    if output == "[]" {
        return Ok(Vec::new());
    }
    let mut rows = Vec::new();
    let mut rest = output;
    loop {
        let (text, behind) = double_quoted(rest.strip_prefix("- text: ").ok_or("no text")?)?;
        let (label, behind) = double_quoted(behind.strip_prefix("\n  label: ").ok_or("no label")?)?;
        rows.push((text, label));
        match behind.strip_prefix('\n') {
            Some(next) => rest = next,
            None if behind.is_empty() => return Ok(rows),
            None => return Err(format!("{behind:?} behind a string")),
        }
    }
}

/// A double-quoted scalar on one line, and what stands behind it.
fn double_quoted(source: &str) -> Result<(String, &str), String> {
    let mut text = String::new();
    let mut characters = source.strip_prefix('"').ok_or("no quote")?.chars();
    while let Some(c) = characters.next() {
        match c {
            '"' => return Ok((text, characters.as_str())),
            '\\' => {
                let escaped = characters.next().ok_or("an open escape")?;
                text.push(match escaped {
                    '0' => '\0',
                    'a' => '\u{7}',
                    'b' => '\u{8}',
                    't' => '\t',
                    'n' => '\n',
                    'v' => '\u{b}',
                    'f' => '\u{c}',
                    'r' => '\r',
                    'e' => '\u{1b}',
                    '"' | '\\' | '/' | ' ' => escaped,
                    'u' => {
                        let digits = characters.as_str().get(..4).ok_or("a short escape")?;
                        characters = characters.as_str()[4..].chars();
                        let value = u32::from_str_radix(digits, 16).map_err(|error| error.to_string())?;
                        char::from_u32(value).ok_or("no character")?
                    }
                    _ => return Err(format!("\\{escaped} is no escape of YAML")),
                });
            }
            // YAML 1.1 (section 4.1.1) has fewer printable characters than 1.2, and more line breaks: all must be escaped.
            '\t'
            | ' '..='~'
            | '\u{a0}'..='\u{2027}'
            | '\u{202a}'..='\u{fefe}'
            | '\u{ff00}'..='\u{fffd}'
            | '\u{10000}'.. => {
                text.push(c);
            }
            _ => return Err(format!("{c:?} stands bare")),
        }
    }
    Err("an open string".into())
}
