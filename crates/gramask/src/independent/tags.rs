//! Tagged words, tag sequences and bracketed text.

/// Whether every piece between blanks is `WORD(TAG)` and the tags are a BIO sequence; nothing at all is one, too.
pub fn is_tagged_words(output: &str) -> bool {
    let Some(pieces) = pieces(output) else { return false };
    let mut tags = Vec::new();
    for piece in pieces {
        // The word may be a parenthesis itself: the tag stands in the last pair.
        let Some((word, tag)) = piece.strip_suffix(')').and_then(|piece| piece.rsplit_once('(')) else {
            return false;
        };
        if word.is_empty() {
            return false;
        }
        tags.push(tag);
    }
    is_bio(&tags)
}

/// Whether the output is a BIO sequence with blanks between.
pub fn is_tags(output: &str) -> bool {
    pieces(output).is_some_and(|tags| is_bio(&tags))
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
        for good in ["", "a(O)", "((O) a(B-Gene) b(I-Gene) )(O)", "a(B-X) b(B-X) c(I-X)"] {
            assert!(is_tagged_words(good), "{good}");
        }
        for bad in [
            "a",
            "a(O) ",
            "a(O)  b(O)",
            "a(O)b",
            "(O)",
            "a(B-)",
            "a(I-X)",
            "a(B-X) b(I-Y)",
            "a(B-X) b(O) c(I-X)",
            "a(o)",
        ] {
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
    fn brackets() {
        for good in [
            "",
            "plain",
            r"a \[b\] \| \\",
            "[a | Gene] b [[c | Gene] d | Disease]",
            "[[a | X] | Y]",
        ] {
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
