//! A line per mention or word, and UIE's pairs of parentheses.

use super::{Mention, number};

/// A text and its label.
type Pair = (String, String);

/// The lines; none where there is no text.
pub fn rows(output: &str) -> Result<Vec<&str>, String> {
    let rows: Vec<&str> = output.split('\n').filter(|_| !output.is_empty()).collect();
    match rows.iter().any(|row| row.is_empty() || row.contains('\r')) {
        true => Err("an empty line, or a carriage return".into()),
        false => Ok(rows),
    }
}

/// Text in which a backslash stands before each of `marks` (which come as letters where they are line breaks or tabs), up to
/// a bare `stop`, which is one of them, or to the end; and what stands after.
fn text<'a>(source: &'a str, marks: &str, stop: Option<char>) -> Result<(String, &'a str), String> {
    let mut text = String::new();
    let mut rest = source.chars();
    while let Some(c) = rest.next() {
        text.push(match c {
            '\\' => match rest.next() {
                Some('n') if marks.contains('\n') => '\n',
                Some('r') if marks.contains('\r') => '\r',
                Some('t') if marks.contains('\t') => '\t',
                Some(c) if c == '\\' || marks.contains(c) && !c.is_control() => c,
                other => return Err(format!("a backslash before {other:?}")),
            },
            c if Some(c) == stop => return Ok((text, rest.as_str())),
            c if marks.contains(c) => return Err(format!("a bare {c:?}")),
            c => c,
        });
    }
    match stop {
        Some(stop) => Err(format!("no {stop:?} after {text:?}")),
        None => Ok((text, "")),
    }
}

/// `text: label`.
pub fn pair(line: &str) -> Result<Pair, String> {
    let (mention, label) = text(line, ":\n\r", Some(':'))?;
    let label = label.strip_prefix(' ').ok_or("no blank after the colon")?;
    Ok((mention, text(label, ":\n\r", None)?.0))
}

/// `label: text` lines, each with its end, in which nothing is escaped.
pub fn raw(output: &str) -> Result<Vec<Pair>, String> {
    if !output.is_empty() && !output.ends_with('\n') {
        return Err("an open line".into());
    }
    let pair = |line: &str| {
        let (label, text) = line.split_once(": ").ok_or("a line without a colon")?;
        Ok((text.to_owned(), label.to_owned()))
    };
    output.split_terminator('\n').map(pair).collect()
}

/// `"text" is a label.`
pub fn sentence(line: &str) -> Result<Pair, String> {
    let mut values = serde_json::Deserializer::from_str(line).into_iter::<String>();
    let mention = values.next().ok_or("no mention")?.map_err(|error| error.to_string())?;
    let rest = &line[values.byte_offset()..];
    let label = rest.strip_prefix(" is a ").and_then(|rest| rest.strip_suffix('.'));
    Ok((mention, label.ok_or("no such sentence")?.to_owned()))
}

/// `((label: text)(label: text))`.
pub fn spots(output: &str) -> Result<Vec<Pair>, String> {
    let mut rest = output.strip_prefix('(').ok_or("no list")?;
    let mut found = Vec::new();
    while let Some(inner) = rest.strip_prefix('(') {
        let (label, after) = text(inner, "():", Some(':'))?;
        let (span, after) = text(after.strip_prefix(' ').ok_or("no blank")?, "():", Some(')'))?;
        found.push((span, label));
        rest = after;
    }
    match rest {
        ")" => Ok(found),
        _ => Err(format!("{rest:?} at the end")),
    }
}

/// `[start:end] = label`.
pub fn slice(line: &str) -> Result<Mention, String> {
    let (numbers, label) = line.strip_prefix('[').and_then(|line| line.split_once("] = ")).ok_or("no slice")?;
    let (start, end) = numbers.split_once(':').ok_or("no colon")?;
    Ok(Mention {
        numbers: vec![("start", number(start)?), ("end", number(end)?)],
        ..Mention::new(text(label, "\n\r", None)?.0)
    })
}

/// `first-last label`.
pub fn indices(line: &str) -> Result<Mention, String> {
    let (numbers, label) = line.split_once(' ').ok_or("no blank")?;
    let (first, last) = numbers.split_once('-').ok_or("no hyphen")?;
    Ok(Mention {
        numbers: vec![("first", number(first)?), ("last", number(last)?)],
        ..Mention::new(text(label, "\n\r", None)?.0)
    })
}

/// A word, a tab and its tag.
pub fn tagged(line: &str) -> Result<(Option<String>, String), String> {
    let (word, tag) = text(line, "\t\n\r", Some('\t'))?;
    Ok((Some(word), text(tag, "\t\n\r", None)?.0))
}
