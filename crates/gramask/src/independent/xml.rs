//! XML content, read by `quick-xml`.

use quick_xml::Reader;
use quick_xml::events::Event;

/// Whether the output stands well-formed between the tags of a root element.
///
/// `quick-xml` is lenient where XML 1.0 is not, so what it lets pass is checked here: unclosed elements, names, references
/// to unknown entities, a bare `<` or `&`, and characters that XML cannot hold.
pub fn is_content(output: &str) -> bool {
    let wrapped = format!("<gramask-root>{output}</gramask-root>");
    if !output.chars().all(is_character) {
        return false;
    }
    let mut reader = Reader::from_str(&wrapped);
    let mut depth = 0;
    let mut roots = 0;
    loop {
        match reader.read_event() {
            Err(_) => return false,
            Ok(Event::Eof) => return depth == 0 && roots == 1,
            Ok(Event::Start(tag)) => {
                roots += usize::from(depth == 0);
                depth += 1;
                let attributes_read = tag.attributes().all(|attribute| attribute.is_ok());
                if roots > 1 || !is_name(tag.name().as_ref()) || !attributes_read {
                    return false;
                }
            }
            Ok(Event::End(_)) => depth -= 1,
            Ok(Event::Empty(tag)) => {
                if depth == 0 || !is_name(tag.name().as_ref()) {
                    return false;
                }
            }
            Ok(Event::GeneralRef(reference)) => {
                let named = matches!(&*reference, "amp" | "lt" | "gt" | "quot" | "apos");
                let numbered = || matches!(reference.resolve_char_ref(), Ok(Some(c)) if is_character(c));
                if !named && !numbered() {
                    return false;
                }
            }
            Ok(Event::Text(text)) => {
                // XML 1.0, section 2.4: `]]>` may not stand in text.
                if text.contains("]]>") {
                    return false;
                }
            }
            Ok(_) => {}
        }
    }
}

/// XML 1.0, production 2.
fn is_character(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..)
}

/// XML 1.0, production 5, as far as letters, digits and marks go.
fn is_name(name: &str) -> bool {
    let mut characters = name.chars();
    let first = characters.next().is_some_and(|c| c.is_alphabetic() || c == '_' || c == ':');
    first && characters.all(|c| c.is_alphanumeric() || "_:-.".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_is_told_from_what_is_none() {
        for good in [
            "",
            "plain text",
            "a <Disease>b <Gene>c</Gene></Disease> d",
            "p &lt; 0.05 &amp; q &#955; &#x3BB;",
            "a > b",
            "<Empty/>",
        ] {
            assert!(is_content(good), "{good}");
        }
        for bad in [
            "<Disease>a",
            "a</Disease>",
            "<A><B>c</A></B>",
            "p < 0.05",
            "a & b",
            "a &nbsp; b",
            "</gramask-root><gramask-root>",
            "</gramask-root>",
            "<1a>b</1a>",
            "a ]]> b",
            "bell \u{7}",
            "&#0;",
        ] {
            assert!(!is_content(bad), "{bad}");
        }
    }
}
