//! Any source of a format file: a format, or errors at places that are there.

use gramask_grammar::{Format, FormatErrors, Program};
use gramask_ner::{Schema, Text};

/// The longest source that is also run.
const RUN: usize = 400;

/// Parses the bytes as a format file.
pub fn notation(data: &[u8]) {
    let source = String::from_utf8_lossy(data);
    let format = match Format::parse("fuzz.gram", source.as_ref()) {
        Ok(format) => format,
        Err(errors) => return places(&source, &errors),
    };
    assert_eq!(format.source, source);
    let again = Format::parse("fuzz.gram", format.source.as_str());
    assert_eq!(again.as_ref(), Ok(&format), "the same source is another format");
    // What the format says of itself must be answered, whatever it is.
    let _ = (format.is_cursor(), format.nests(), format.has_positions(), format.discontinuous());
    if source.len() > RUN {
        return;
    }
    let labels = if format.grammar.directives.pass_label { &["X"][..] } else { &["X", "Y"] };
    let Ok(program) = Program::compile(&format, &Schema::new(labels.iter().copied())) else {
        return;
    };
    // Reading anything is an answer too, also of the format's own text.
    for output in [b"".as_slice(), b"X", &source.as_bytes()[..source.len().min(40)]] {
        let _ = program.read(&Text::new("a b"), output);
    }
}

/// Each error stands at a place of the source, in order, and shows its line.
fn places(source: &str, errors: &FormatErrors) {
    assert!(!errors.errors.is_empty(), "no format and no error");
    let lines: Vec<&str> = source.split('\n').collect();
    let mut before = (0, 0);
    for error in &errors.errors {
        let place = error.place.as_ref().expect("an error in a source has a place");
        let at = (place.line, place.column);
        assert!(before <= at, "{before:?} before {at:?}");
        before = at;
        let line = *lines.get(place.line.wrapping_sub(1)).expect("the line is there");
        let shown = line.trim_end_matches('\r').trim_start_matches('\u{feff}');
        assert_eq!(place.text, shown);
        // One past the line's last character is where something is missing.
        let characters = line.chars().count() + 1;
        assert!((1..=characters).contains(&place.column), "column {} of {characters}", place.column);
        assert!(place.width >= 1 && place.column + place.width <= characters + 1, "{place:?}");
        let message = error.to_string();
        let head = format!("fuzz.gram:{}:{}: ", place.line, place.column);
        assert!(message.starts_with(&head), "{message}");
    }
    assert!(!errors.to_string().is_empty());
}
