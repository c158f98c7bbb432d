//! XML content, read by `quick-xml`.

use quick_xml::Reader;
use quick_xml::events::Event;
use serde_json::{Value, json};

/// The content between the tags of a root element.
///
/// `quick-xml` accepts more than XML 1.0, so the rest is checked here: open elements, names, references to unknown
/// entities, and characters that XML cannot hold.
pub fn content(output: &str) -> Result<Value, String> {
    if let Some(c) = output.chars().find(|c| !is_character(*c)) {
        return Err(format!("the character {c:?} cannot stand in XML"));
    }
    let root = format!("<gramask-root>{output}</gramask-root>");
    let mut reader = Reader::from_str(&root);
    // Per open element its name and its content so far.
    let mut open: Vec<(String, Vec<Value>)> = Vec::new();
    let mut closed: Option<Vec<Value>> = None;
    loop {
        let event = reader.read_event().map_err(|error| error.to_string())?;
        if closed.is_some() && event != Event::Eof {
            return Err("text follows the end of the content".into());
        }
        match event {
            Event::Eof if open.is_empty() => return closed.map(Value::from).ok_or_else(|| "no content".into()),
            Event::Eof => return Err("an element is open at the end".into()),
            Event::Start(tag) => {
                check_attributes(tag.attributes())?;
                open.push((name(tag.name().as_ref())?, Vec::new()));
            }
            Event::Empty(tag) => {
                check_attributes(tag.attributes())?;
                let element = json!({ name(tag.name().as_ref())?: [] });
                push(&mut open, element);
            }
            // The reader has compared the names of both tags.
            Event::End(_) => {
                let (name, content) = open.pop().ok_or("an end tag closes nothing")?;
                match open.is_empty() {
                    true => closed = Some(content),
                    false => push(&mut open, json!({ name: content })),
                }
            }
            Event::Text(text) => {
                // XML 1.0, section 2.4.
                if text.contains("]]>") {
                    return Err("`]]>` cannot stand in text".into());
                }
                push_text(&mut open, &text);
            }
            Event::CData(text) => push_text(&mut open, &text),
            Event::GeneralRef(reference) => {
                let c = match &*reference {
                    "amp" => '&',
                    "lt" => '<',
                    "gt" => '>',
                    "quot" => '"',
                    "apos" => '\'',
                    _ => match reference.resolve_char_ref() {
                        Ok(Some(c)) if is_character(c) => c,
                        _ => return Err(format!("`&{};` refers to nothing", &*reference)),
                    },
                };
                push_text(&mut open, c.encode_utf8(&mut [0; 4]));
            }
            Event::Comment(_) | Event::PI(_) => {}
            Event::Decl(_) | Event::DocType(_) => return Err("a declaration cannot stand in content".into()),
        }
    }
}

fn check_attributes(mut attributes: quick_xml::events::attributes::Attributes) -> Result<(), String> {
    attributes.try_for_each(|attribute| attribute.map(|_| ())).map_err(|error| error.to_string())
}

fn push(open: &mut [(String, Vec<Value>)], value: Value) {
    if let Some((_, content)) = open.last_mut() {
        content.push(value);
    }
}

/// Adds text, to the text before it if there is one.
fn push_text(open: &mut [(String, Vec<Value>)], text: &str) {
    match open.last_mut().and_then(|(_, content)| content.last_mut()) {
        Some(Value::String(before)) => before.push_str(text),
        _ => push(open, text.into()),
    }
}

/// XML 1.0, production 2.
fn is_character(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..)
}

/// XML 1.0, production 5, as far as letters, digits and marks go.
fn name(name: &str) -> Result<String, String> {
    let first = name.starts_with(|c: char| c.is_alphabetic() || c == '_' || c == ':');
    match first && name.chars().all(|c| c.is_alphanumeric() || "_:-.".contains(c)) {
        true => Ok(name.to_owned()),
        false => Err(format!("`{name}` is no name of an element")),
    }
}
