//! Lists of a line per mention, and UIE's pairs of parentheses.

/// Whether every line fits; no text is no line.
pub fn every_line(output: &str, fits: impl Fn(&str) -> bool) -> bool {
    output.is_empty() || output.split('\n').all(|line| !line.contains('\r') && fits(line))
}

/// `text: label`, both with a backslash before colons and backslashes and with line breaks as letters.
pub fn is_pair(line: &str) -> bool {
    let Some((text, rest)) = escaped(line, ":\n\r", Some(':')) else {
        return false;
    };
    let label = rest.strip_prefix(' ').and_then(|rest| escaped(rest, ":\n\r", None));
    !text.is_empty() && label.is_some_and(|(label, _)| !label.is_empty())
}

/// `[start:end] = label`.
pub fn is_slice(line: &str) -> bool {
    let numbers = line.strip_prefix('[').and_then(|line| line.split_once("] = "));
    let Some((numbers, label)) = numbers else { return false };
    let both = numbers.split_once(':');
    both.is_some_and(|(start, end)| is_number(start) && is_number(end)) && is_label(label)
}

/// `first-last label`.
pub fn is_span(line: &str) -> bool {
    let Some((numbers, label)) = line.split_once(' ') else {
        return false;
    };
    let both = numbers.split_once('-');
    both.is_some_and(|(first, last)| is_number(first) && is_number(last)) && is_label(label)
}

/// `"text" is a label.`, the text as a JSON string.
pub fn is_sentence(line: &str) -> bool {
    let mut values = serde_json::Deserializer::from_str(line).into_iter::<String>();
    if !matches!(values.next(), Some(Ok(text)) if !text.is_empty()) {
        return false;
    }
    let rest = line[values.byte_offset()..].strip_prefix(" is a ");
    rest.and_then(|rest| rest.strip_suffix('.')).is_some_and(|label| !label.is_empty())
}

/// `word`, a tab and its tag; the tag.
pub fn tag(line: &str) -> Option<&str> {
    let (word, tag) = escaped(line, "\t\n\r", Some('\t'))?;
    (!word.is_empty() && escaped(tag, "\t\n\r", None).is_some()).then_some(tag)
}

/// `((label: text)(label: text))`.
pub fn is_sel(output: &str) -> bool {
    let Some(mut rest) = output.strip_prefix('(') else {
        return false;
    };
    while let Some(inner) = rest.strip_prefix('(') {
        let label = escaped(inner, "():", Some(':')).filter(|(label, _)| !label.is_empty());
        let span = label
            .and_then(|(_, rest)| escaped(rest.strip_prefix(' ')?, "():", Some(')')))
            .filter(|(span, _)| !span.is_empty());
        match span {
            Some((_, behind)) => rest = behind,
            None => return false,
        }
    }
    rest == ")"
}

fn is_number(digits: &str) -> bool {
    !digits.is_empty()
        && digits.bytes().all(|byte| byte.is_ascii_digit())
        && (digits == "0" || !digits.starts_with('0'))
}

fn is_label(label: &str) -> bool {
    !label.is_empty() && escaped(label, "\n\r", None).is_some()
}

/// The text up to a bare `stop`, which is one of the marks, or the whole text, and what stands behind. `None` where there is
/// no `stop`, a mark is bare or a backslash stands before something else; line breaks and tabs come as letters.
fn escaped<'a>(text: &'a str, marks: &str, stop: Option<char>) -> Option<(&'a str, &'a str)> {
    let mut characters = text.char_indices();
    while let Some((at, c)) = characters.next() {
        match c {
            '\\' => match characters.next()?.1 {
                'n' if marks.contains('\n') => {}
                'r' if marks.contains('\r') => {}
                't' if marks.contains('\t') => {}
                c if c == '\\' || (marks.contains(c) && !c.is_control()) => {}
                _ => return None,
            },
            c if stop == Some(c) => return Some((&text[..at], &text[at + 1..])),
            c if marks.contains(c) => return None,
            _ => {}
        }
    }
    stop.is_none().then_some((text, ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_fit_or_not() {
        let pairs = |output: &str| every_line(output, is_pair);
        for good in ["", "a: X", "a b\\: c\\n: X\nd: Y", "a\\\\: X"] {
            assert!(pairs(good), "{good}");
        }
        for bad in ["a", "a:X", ": X", "a: ", "a: X\n", "a: X: Y", "a\\q: X", "a\\: X", "a: X\r", "a\\"] {
            assert!(!pairs(bad), "{bad}");
        }
        assert!(is_slice("[0:12] = X y") && is_span("0-12 X y"));
        for bad in ["[0:12] =X", "[0:] = X", "[00:1] = X", "0:1 = X", "[0:1] = ", "[-1:2] = X"] {
            assert!(!is_slice(bad), "{bad}");
        }
        for bad in ["0-1", "0-1 ", "01-2 X", "0 X", "0--1 X"] {
            assert!(!is_span(bad), "{bad}");
        }
        assert!(is_sentence("\"a\\\"b\" is a X."));
        for bad in ["\"a\" is an X.", "a is a X.", "\"a\" is a X", "\"\" is a X.", "\"a\\q\" is a X.", "\"a\" is a ."] {
            assert!(!is_sentence(bad), "{bad}");
        }
        assert_eq!(tag("a\\\\b\tB-X"), Some("B-X"));
        for bad in ["a B-X", "\tO", "a\\b\tO", "a\tO\tO", "a"] {
            assert_eq!(tag(bad), None, "{bad}");
        }
    }

    #[test]
    fn spots_fit_or_not() {
        for good in ["()", "((X: a))", "((X: a\\(b\\)\\: c)(Y\\: z: d\n))"] {
            assert!(is_sel(good), "{good}");
        }
        for bad in ["", "(", "((X: a)", "(X: a)", "((X:a))", "((X: ))", "((X: a) (Y: b))", "((X: a))x", "((X: a: b))"] {
            assert!(!is_sel(bad), "{bad}");
        }
    }
}
