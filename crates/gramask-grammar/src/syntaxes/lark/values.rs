//! What the JSON values after `%regex` and `%llguidance` say.

use super::super::error::Fault;
use super::ast::Options;
use crate::notation::ast::Span;

/// The pieces of a text of which `%regex` takes any neighbouring ones.
pub(super) fn pieces(value: &serde_json::Value, span: Span) -> Result<Vec<String>, Fault> {
    let wrong = || {
        Fault::new(span, "`%regex` has one of `substring_chars`, `substring_words` and `substring_chunks`")
            .help("write %regex {\"substring_words\": \"the text\"}")
    };
    let object = value.as_object().filter(|object| object.len() == 1).ok_or_else(wrong)?;
    let (key, value) = object.iter().next().ok_or_else(wrong)?;
    let text = || value.as_str().ok_or_else(wrong);
    Ok(match key.as_str() {
        "substring_chars" => text()?.chars().map(String::from).collect(),
        "substring_words" => words(text()?),
        "substring_chunks" => {
            let chunks = value.as_array().ok_or_else(wrong)?.iter();
            chunks.map(|chunk| chunk.as_str().map(str::to_owned).ok_or_else(wrong)).collect::<Result<_, _>>()?
        }
        _ => return Err(wrong()),
    })
}

/// Runs of letters and digits, of white space, and of other characters, as llguidance cuts words.
fn words(text: &str) -> Vec<String> {
    let kind = |c: char| match c {
        c if c.is_alphanumeric() || c == '_' => 0,
        c if c.is_whitespace() => 1,
        _ => 2,
    };
    let mut words: Vec<String> = Vec::new();
    let mut last = 2;
    for c in text.chars() {
        match words.last_mut() {
            Some(word) if kind(c) == last => word.push(c),
            _ => words.push(c.to_string()),
        }
        last = kind(c);
    }
    words
}

/// Sets what `%llguidance` says.
pub(super) fn options(value: &serde_json::Value, span: Span, options: &mut Options) -> Result<(), Fault> {
    let Some(object) = value.as_object() else {
        return Err(Fault::new(span, "`%llguidance` takes an object").help("write `%llguidance {}`"));
    };
    for (key, value) in object {
        let Some(set) = value.as_bool() else {
            return Err(Fault::new(span, format!("`{key}` of `%llguidance` is true or false")));
        };
        match key.as_str() {
            "allow_initial_skip" => options.initial_skip |= set,
            "ignore_once" => options.ignore_once |= set,
            // How llguidance makes tokens of forced text; the language is the same.
            "no_forcing" => {}
            "allow_invalid_utf8" if !set => {}
            "allow_invalid_utf8" => {
                return Err(
                    Fault::new(span, "`allow_invalid_utf8` is not supported").help("remove it: outputs are UTF-8")
                );
            }
            _ => {
                return Err(Fault::new(span, format!("`%llguidance` has no option `{key}`"))
                    .help("the options are `allow_initial_skip`, `ignore_once` and `no_forcing`"));
            }
        }
    }
    Ok(())
}
