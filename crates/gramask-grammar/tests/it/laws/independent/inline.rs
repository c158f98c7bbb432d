//! Copied text with its mentions in it.

use serde_json::Value;

use super::{Claims, Mention};

/// XML content: strings, and elements around them.
pub fn xml(content: &Value) -> Result<Claims, String> {
    let mut claims = Claims { copied: Some(String::new()), ..Claims::default() };
    add(content, &mut claims)?;
    Ok(claims)
}

fn add(content: &Value, claims: &mut Claims) -> Result<(), String> {
    for part in content.as_array().ok_or("no content")? {
        if let (Some(text), Some(copied)) = (part.as_str(), &mut claims.copied) {
            copied.push_str(text);
            continue;
        }
        for (label, inner) in part.as_object().ok_or("neither text nor element")? {
            let from = claims.copied_length();
            add(inner, claims)?;
            let numbers = vec![("from", from), ("to", claims.copied_length())];
            claims.mentions.push(Mention { numbers, ..Mention::new(label) });
        }
    }
    Ok(())
}

pub fn bracket(output: &str) -> Result<Claims, String> {
    let (mut claims, mut copied, mut open) = (Claims::default(), String::new(), Vec::new());
    let mut rest = output.chars();
    while let Some(c) = rest.next() {
        match c {
            '\\' => match rest.next() {
                Some(c @ ('[' | ']' | '|' | '\\')) => copied.push(c),
                other => return Err(format!("a backslash before {other:?}")),
            },
            '[' => open.push(copied.chars().count()),
            '|' => {
                let (begin, label) = (open.pop().ok_or("nothing is open")?, rest.as_str().split(']').next());
                let label = label.and_then(|label| label.strip_prefix(' ')).ok_or("no label")?;
                // The blank before the bar is not the document's.
                copied.pop().filter(|c| *c == ' ').ok_or("no blank before the bar")?;
                // The blank, the label and the bracket.
                let after = rest.as_str().get(label.len() + 2..).ok_or("no bracket")?;
                rest = after.chars();
                let numbers = vec![("from", begin), ("to", copied.chars().count())];
                claims.mentions.push(Mention { numbers, ..Mention::new(label) });
            }
            ']' => return Err("nothing to close".into()),
            c => copied.push(c),
        }
    }
    claims.copied = Some(copied);
    if open.is_empty() { Ok(claims) } else { Err("brackets are open".into()) }
}

/// Text with `@@` and `##` around its mentions, all of one label.
///
/// A backslash stands before every other `@` and `#`, and before itself.
pub fn mark(output: &str, label: &str) -> Result<Claims, String> {
    let (mut claims, mut copied, mut open) = (Claims::default(), String::new(), None);
    let mut rest = output;
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        match c {
            '\\' => match rest.chars().next() {
                Some(c @ ('@' | '#' | '\\')) => {
                    copied.push(c);
                    rest = &rest[1..];
                }
                other => return Err(format!("a backslash before {other:?}")),
            },
            '@' if open.is_none() => {
                rest = rest.strip_prefix('@').ok_or("one @")?;
                open = Some(copied.chars().count());
            }
            '#' => {
                rest = rest.strip_prefix('#').ok_or("one #")?;
                let from = open.take().ok_or("nothing is open")?;
                let numbers = vec![("from", from), ("to", copied.chars().count())];
                claims.mentions.push(Mention { numbers, ..Mention::new(label) });
            }
            '@' => return Err("a mark inside a mention".into()),
            c => copied.push(c),
        }
    }
    claims.copied = Some(copied);
    if open.is_none() { Ok(claims) } else { Err("a mention is open".into()) }
}

/// A word (or none) and its tag at a time.
pub fn bio(units: impl Iterator<Item = Result<(Option<String>, String), String>>) -> Result<Claims, String> {
    let (mut mentions, mut words): (Vec<Mention>, Vec<_>) = (Vec::new(), Vec::new());
    let mut inside: Option<String> = None;
    for unit in units {
        let (word, tag) = unit?;
        words.push(word);
        inside = match tag.split_once('-') {
            None if tag == "O" => None,
            Some(("B", label)) => {
                let numbers = vec![("from", words.len() - 1), ("to", words.len())];
                mentions.push(Mention { numbers, ..Mention::new(label) });
                Some(label.to_owned())
            }
            Some(("I", label)) if inside.as_deref() == Some(label) => {
                if let Some(mention) = mentions.last_mut() {
                    mention.numbers[1].1 = words.len();
                }
                inside
            }
            _ => return Err(format!("the tag {tag}")),
        };
    }
    Ok(Claims { mentions, copied: None, words: Some(words) })
}
