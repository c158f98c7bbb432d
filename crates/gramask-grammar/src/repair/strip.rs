//! Removes what chat models put around an answer: code fences, thoughts, names of special tokens.

/// The stretch of `output` that is the answer.
pub(super) fn answer<'a>(output: &'a str, document: &str) -> &'a str {
    let mut answer = output;
    if let Some(end) = answer.rfind("</think>").filter(|_| !document.contains("</think>")) {
        answer = &answer[end + "</think>".len()..];
    }
    loop {
        let trimmed = answer.trim_end();
        let Some(rest) = without_token(trimmed, document) else {
            break;
        };
        answer = rest;
    }
    if !document.contains("```") {
        answer = inside_fence(answer);
    }
    answer
}

/// The text without a special token's name at its end: `</s>`, `<|im_end|>`, `<eos>`, `<end_of_turn>`.
fn without_token<'a>(text: &'a str, document: &str) -> Option<&'a str> {
    let begin = text.strip_suffix('>')?.rfind('<')?;
    let name = &text[begin + 1..text.len() - 1];
    let bars = name.len() > 2 && name.starts_with('|') && name.ends_with('|') && !name.contains(char::is_whitespace);
    let known = matches!(name, "/s" | "s" | "eos" | "end_of_turn" | "pad");
    ((bars || known) && !document.contains(&text[begin..])).then_some(&text[..begin])
}

/// The inside of the first code fence; a fence that is never closed goes on to the end.
fn inside_fence(text: &str) -> &str {
    let Some(fence) = text.find("```") else { return text };
    let after = &text[fence + 3..];
    // The line's rest names the language, where it is a name.
    let line = after.find('\n').unwrap_or(after.len());
    let name = after[..line].trim();
    let named = name.len() < 16 && name.chars().all(|c| c.is_ascii_alphanumeric() || "+-_.".contains(c));
    let inside = if named { after[line..].strip_prefix('\n').unwrap_or("") } else { after };
    let inside = inside.find("```").map_or(inside, |end| &inside[..end]);
    let alone = text[..fence].trim().len() > inside.trim().len() && inside.trim().is_empty();
    // A fence after the answer opens nothing.
    if alone { text[..fence].trim_end() } else { inside.trim_end_matches('\n') }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_around_is_taken_off() {
        assert_eq!(answer("Sure:\n```json\n[]\n```\nDone.", ""), "[]");
        assert_eq!(answer("```\na: b\n", ""), "a: b");
        assert_eq!(answer("[]\n```", ""), "[]");
        assert_eq!(answer("[]</s> <|im_end|>\n", ""), "[]");
        assert_eq!(answer("<think>hm</think>[]", ""), "[]");
        assert_eq!(answer("<b>", ""), "<b>");
        assert_eq!(answer("a ```b```", "a ```b```"), "a ```b```");
    }
}
