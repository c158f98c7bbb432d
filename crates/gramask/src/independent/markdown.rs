//! Tables of GitHub Flavored Markdown (its specification, section 4.10), whose cells hold text alone.

/// Whether the output is one table and every cell is text: what could be markup has a backslash before it (section 6.1) or is
/// a numeric character reference (section 6.2).
pub fn is_table(output: &str) -> bool {
    let mut lines = output.strip_suffix('\n').unwrap_or(output).split(['\n', '\r']);
    let Some(head) = lines.next().and_then(cells) else {
        return false;
    };
    let rule = lines.next().and_then(cells).unwrap_or_default();
    let dashes = |cell: &&str| {
        let cell = cell.strip_prefix(':').unwrap_or(cell);
        let cell = cell.strip_suffix(':').unwrap_or(cell);
        !cell.is_empty() && cell.bytes().all(|byte| byte == b'-')
    };
    let ruled = rule.len() == head.len() && rule.iter().all(dashes);
    let row = |cells: &Vec<&str>| cells.len() == head.len() && cells.iter().all(|cell| is_text(cell));
    ruled && row(&head) && lines.all(|line| cells(line).as_ref().is_some_and(row))
}

/// The cells of a row, without the blanks around them. A bar behind a backslash is no border.
fn cells(line: &str) -> Option<Vec<&str>> {
    let inner = line.trim_matches(' ').strip_prefix('|')?.strip_suffix('|')?;
    let bytes = inner.as_bytes();
    let border = |at: &usize| bytes[*at] == b'|' && (*at == 0 || bytes[at - 1] != b'\\');
    let mut begin = 0;
    let mut cells = Vec::new();
    for at in (0..bytes.len()).filter(border) {
        cells.push(inner[begin..at].trim_matches(' '));
        begin = at + 1;
    }
    // The last border was taken off: it may not have been escaped.
    if inner.ends_with('\\') {
        return None;
    }
    cells.push(inner[begin..].trim_matches(' '));
    Some(cells)
}

fn is_text(cell: &str) -> bool {
    let mut rest = cell;
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        match c {
            '\\' => match rest.chars().next() {
                Some(mark) if mark.is_ascii_punctuation() => rest = &rest[1..],
                _ => return false,
            },
            '&' => {
                let reference = rest.strip_prefix('#').and_then(|rest| rest.split_once(';'));
                let Some((digits, behind)) = reference else {
                    return false;
                };
                let valid = digits.parse().is_ok_and(|code: u32| code != 0 && char::from_u32(code).is_some());
                if !valid || digits.len() > 7 {
                    return false;
                }
                rest = behind;
            }
            '`' | '*' | '_' | '[' | ']' | '<' | '>' | '~' | '|' | '\0' => return false,
            _ => {}
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each was given to cmark-gfm: the good ones are tables of plain text, the bad ones are none, lose a cell or
    /// a character, or hold markup.
    #[test]
    fn tables_are_told_from_what_is_none() {
        const HEAD: &str = "| text | label |\n| --- | --- |";
        for rows in ["", "\n| a | X |", "\n| a\\|b \\\\ c\\*\\_ | Gene\\_or\\_protein |\n| &#10;\\& | Y |\n"] {
            assert!(is_table(&format!("{HEAD}{rows}")), "{rows}");
        }
        for rows in [
            "\n| a | b | X |",
            "\n| a",
            "\n| *a* | X |",
            "\n| `a` | X |",
            "\n| a & &amp; | X |",
            "\n| &#0; | X |",
            "\n| a | X \\|",
            "\n\n| a | X |",
        ] {
            assert!(!is_table(&format!("{HEAD}{rows}")), "{rows}");
        }
        for bad in ["", "| a | b |", "| a | b |\n| --- |", "| a | b |\n| - | x |"] {
            assert!(!is_table(bad), "{bad}");
        }
    }
}
