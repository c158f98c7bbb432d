//! Tagged words, tag sequences, and text with brackets or marks in it.

/// Whether the output is `WORD(TAG)` after `WORD(TAG)` with a blank between, and the tags are a BIO sequence; nothing at all
/// is one, too.
///
/// A word ends at the first tag that can stand there: at level `syntax` words are any text, with blanks and parentheses.
pub fn is_tagged_words(output: &str) -> bool {
    let mut rest = output;
    let mut open: Option<&str> = None;
    while !rest.is_empty() {
        let Some((tag, behind)) = first_tag(rest, open) else {
            return false;
        };
        open = tag.split_once('-').map(|(_, label)| label);
        rest = match behind.strip_prefix(' ') {
            // Behind a blank there is another word.
            Some("") => return false,
            Some(next) => next,
            None if behind.is_empty() => behind,
            None => return false,
        };
    }
    true
}

/// The first `(O)` or `(B-LABEL)` behind a word, or `(I-LABEL)` of the label that is open, before a blank or the end; and
/// what comes behind it.
fn first_tag<'a>(text: &'a str, open: Option<&str>) -> Option<(&'a str, &'a str)> {
    text.match_indices('(').find_map(|(at, _)| {
        let (tag, behind) = text[at + 1..].split_once(')')?;
        let good = match tag.split_once('-') {
            None => tag == "O",
            Some(("B", label)) => !label.is_empty(),
            Some(("I", label)) => open == Some(label),
            Some(_) => false,
        };
        (at > 0 && good && (behind.is_empty() || behind.starts_with(' '))).then_some((tag, behind))
    })
}

/// Whether the output is a BIO sequence with blanks between.
pub fn is_tags(output: &str) -> bool {
    pieces(output).is_some_and(|tags| is_bio(&tags))
}

/// Whether each line is a word, a tab and a tag, and the tags are a BIO sequence.
pub fn is_columns(output: &str) -> bool {
    let tags: Option<Vec<&str>> = match output {
        "" => Some(Vec::new()),
        _ => output.split('\n').map(super::lines::tag).collect(),
    };
    tags.is_some_and(|tags| is_bio(&tags))
}

/// Whether the output is text with `@@` before each mention and `##` behind it, with a backslash before every other `@`, `#`
/// and backslash.
pub fn is_marked(output: &str) -> bool {
    // Whether a mention is open, and anything of it was written.
    let (mut open, mut something) = (false, false);
    let mut rest = output;
    while let Some(c) = rest.chars().next() {
        if let Some(behind) = rest.strip_prefix("@@").filter(|_| !open) {
            (open, something, rest) = (true, false, behind);
            continue;
        }
        if let Some(behind) = rest.strip_prefix("##").filter(|_| open && something) {
            (open, rest) = (false, behind);
            continue;
        }
        let length = match c {
            '\\' if rest[1..].starts_with(['@', '#', '\\']) => 2,
            '\\' | '@' | '#' => return false,
            c => c.len_utf8(),
        };
        rest = &rest[length..];
        something = true;
    }
    !open
}

/// The pieces between single blanks; `None` where a blank or another white space is too many.
fn pieces(output: &str) -> Option<Vec<&str>> {
    if output.is_empty() {
        return Some(Vec::new());
    }
    let by_blank: Vec<&str> = output.split(' ').collect();
    (by_blank == output.split_whitespace().collect::<Vec<_>>()).then_some(by_blank)
}

/// Whether each tag is `O`, `B-LABEL` or `I-LABEL`, the last only behind a tag of its label.
fn is_bio(tags: &[&str]) -> bool {
    let mut open = None;
    tags.iter().all(|tag| {
        let (good, label) = match (*tag, tag.split_once('-')) {
            ("O", _) => (true, None),
            (_, Some(("B", label))) => (!label.is_empty(), Some(label)),
            (_, Some(("I", label))) => (open == Some(label), Some(label)),
            _ => (false, None),
        };
        open = label;
        good
    })
}

/// Whether the output is text with mentions as `[mention | LABEL]`, nested or not, with a backslash before every bracket,
/// bar and backslash of the text.
pub fn is_bracketed(output: &str) -> bool {
    // Per open bracket: whether its bar has come, and whether anything has since.
    let mut open: Vec<(bool, bool)> = Vec::new();
    let mut escaped = false;
    for c in output.chars() {
        let plain = match c {
            _ if escaped => {
                escaped = false;
                if !r"[]|\".contains(c) {
                    return false;
                }
                true
            }
            '\\' => {
                escaped = true;
                continue;
            }
            '[' => {
                if open.last().is_some_and(|(bar, _)| *bar) {
                    return false;
                }
                open.push((false, false));
                false
            }
            '|' => {
                match open.last_mut() {
                    Some(top) if *top == (false, true) => *top = (true, false),
                    _ => return false,
                }
                false
            }
            ']' => {
                if open.pop() != Some((true, true)) {
                    return false;
                }
                // A mention is something inside the one around it.
                true
            }
            _ => true,
        };
        if plain && let Some((_, something)) = open.last_mut() {
            *something = true;
        }
    }
    !escaped && open.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tagged_words() {
        let loose = ["a b(O)", "a\n(O)", "x(I-Y)(O)", " (O)", "a(O)  b(O)"];
        for good in ["", "a(O)", "((O) a(B-Gene) b(I-Gene) )(O)", "a(B-X) b(B-X) c(I-X)"].into_iter().chain(loose) {
            assert!(is_tagged_words(good), "{good}");
        }
        for bad in ["a", "a(O) ", "a(O)b", "(O)", "a(B-)", "a(I-X)", "a(B-X) b(I-Y)", "a(B-X) b(O) c(I-X)", "a(o)"] {
            assert!(!is_tagged_words(bad), "{bad}");
        }
    }

    #[test]
    fn tags() {
        for good in ["", "O", "B-Disease I-Disease O B-Disease", "B-a-b I-a-b"] {
            assert!(is_tags(good), "{good}");
        }
        for bad in [" O", "O\nO", "I-Disease", "B", "O B-", "B-A I-B", "BO"] {
            assert!(!is_tags(bad), "{bad}");
        }
    }

    #[test]
    fn columns_and_marks() {
        for good in ["", "a\tO", "a\tB-X\nb\tI-X\n\\\\\tO"] {
            assert!(is_columns(good), "{good}");
        }
        for bad in ["a", "a\tO\n", "a O", "a\tI-X", "a\tB-X\n\nb\tO", "\\\tO"] {
            assert!(!is_columns(bad), "{bad}");
        }
        for good in ["", "a", "@@a## b @@c d##@@e##", "a\\@b \\#1 \\\\", "@@\\#a##"] {
            assert!(is_marked(good), "{good}");
        }
        for bad in ["@@a", "a##", "@@##", "@@a@@b####", "a@b", "a #1", "\\a", "a\\", "@@a# #"] {
            assert!(!is_marked(bad), "{bad}");
        }
    }

    #[test]
    fn brackets() {
        for good in ["", "plain", r"a \[b\] \| \\", "[a | Gene] b [[c | Gene] d | Disease]", "[[a | X] | Y]"] {
            assert!(is_bracketed(good), "{good}");
        }
        for bad in [
            "[a",
            "a]",
            "[a]",
            "[ | ",
            "[a | ]x[",
            "a | b",
            r"a\",
            r"\a",
            "[a | b | c]",
            "[|X]",
            "[a | [b | c]]",
            "[a |]",
        ] {
            assert!(!is_bracketed(bad), "{bad}");
        }
    }
}
