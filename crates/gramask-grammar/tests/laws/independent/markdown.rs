//! A table of GitHub Flavored Markdown (its specification, sections 4.10, 6.1 and 6.2).

/// The rows below the head, each of two cells.
pub fn rows(output: &str) -> Result<Vec<(String, String)>, String> {
    // Lines end at line feeds and carriage returns (section 2.1).
    let mut lines = output.split(['\n', '\r']);
    if lines.next() != Some("| text | label |") || lines.next() != Some("| --- | --- |") {
        return Err("no head".into());
    }
    lines.map(row).collect()
}

fn row(line: &str) -> Result<(String, String), String> {
    let inner = line.strip_prefix('|').and_then(|line| line.strip_suffix('|'));
    let mut cells = vec![String::new()];
    let mut before = None;
    for c in inner.ok_or("a row without its bars")?.chars() {
        match c {
            '|' if before != Some('\\') => cells.push(String::new()),
            c => cells.last_mut().ok_or("no cell")?.push(c),
        }
        before = Some(c);
    }
    match cells.as_slice() {
        [text, label] => Ok((inline(text.trim_matches(' '))?, inline(label.trim_matches(' '))?)),
        _ => Err(format!("{} cells", cells.len())),
    }
}

/// The text of a cell. Whatever could begin markup is an error.
fn inline(cell: &str) -> Result<String, String> {
    let mut text = String::new();
    let mut rest = cell;
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        match c {
            '\\' => {
                let mark = rest.chars().next().filter(char::is_ascii_punctuation);
                text.push(mark.ok_or("a bare backslash")?);
                rest = &rest[1..];
            }
            '&' => {
                let (digits, behind) =
                    rest.strip_prefix('#').and_then(|rest| rest.split_once(';')).ok_or("a bare &")?;
                let value = digits.parse().map_err(|_| format!("&#{digits};"))?;
                text.push(char::from_u32(value).filter(|c| *c != '\0').ok_or("no character")?);
                rest = behind;
            }
            '`' | '*' | '_' | '[' | ']' | '<' | '>' | '~' | '\0' => return Err(format!("a bare {c:?}")),
            c => text.push(c),
        }
    }
    Ok(text)
}
