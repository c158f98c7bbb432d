//! Anything at all is read, as something that is of the format and true of the document.

use std::sync::Arc;
use std::time::Instant;

use gramask_grammar::Program;
use gramask_ner::Entity;
use proptest::prelude::*;

use super::{check, corpora, passes};
use crate::support::formats;

fn program(number: usize) -> Arc<Program> {
    let names = formats::names();
    formats::program(names[number % names.len()], &["Chemical", "Disease"])
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

    #[test]
    fn any_bytes_are_read(number in 0usize..40, text in ".{0,60}", output in prop::collection::vec(any::<u8>(), 0..200)) {
        check(&program(number), &gramask_ner::Text::new(text), &output);
    }

    #[test]
    fn any_marks_and_words_are_read(
        number in 0usize..40,
        text in "([a-c ]|\\PC){0,40}",
        output in "([a-c]|Chemical|Disease|text|label|[0-9]|[ \n\t]|[\\[\\]{}()<>/\"':,|@#.=\\\\-]|\\(B-|I-|O|\\PC){0,80}",
    ) {
        check(&program(number), &gramask_ner::Text::new(text), output.as_bytes());
    }

    /// Gold outputs with stretches lost, doubled and moved.
    #[test]
    fn damaged_outputs_are_read(number in 0usize..40, document in 0usize..100, edits in prop::collection::vec((0usize..4, any::<u16>(), 0usize..30), 1..5)) {
        let corpus = &corpora()[document % 2];
        let names = formats::names();
        let programs = passes(names[number % names.len()], corpus);
        let document = &corpus.documents[document % corpus.documents.len()];
        for program in programs {
            let Ok(written) = program.write(&document.text, &document.entities) else { continue };
            let mut output = written.text.into_bytes();
            for &(kind, at, length) in &edits {
                let at = usize::from(at) % (output.len() + 1);
                let end = (at + length).min(output.len());
                let stretch = output[at..end].to_vec();
                match kind {
                    0 => drop(output.drain(at..end)),
                    1 => drop(output.splice(at..at, stretch)),
                    2 => output.truncate(end),
                    _ => output.splice(at..end, stretch.into_iter().rev()).for_each(drop),
                }
            }
            check(&program, &document.text, &output);
        }
    }
}

/// A reading may mean the second place of a text, which a list of texts can't name without the first.
#[test]
fn a_place_that_cannot_be_written_becomes_one_that_can() {
    let text = "After rituximab, hepatitis B reactivated in four of 60 carriers; with entecavir given beforehand, \
        hepatitis B reactivated in none.";
    let text = gramask_ner::Text::new(text);
    let program = formats::program("json-grouped", &["Chemical", "Disease", "Gene"]);
    let output = br#"{"Chemical":["rituximab","entecavir"],"Dis","B sititapeh"[:"esaehepatitis B"],"Gene":[]}"#;
    let disease = |entities: &[Entity]| {
        let found = entities.iter().find(|entity| entity.label == "Disease");
        found.map(Entity::start)
    };
    assert_eq!(disease(&program.read_leniently(&text, output).count.entities), Some(96));
    assert_eq!(disease(&check(&program, &text, output).entities), Some(15));
}

#[test]
fn long_outputs_are_read() {
    let text = gramask_ner::Text::new("Naloxone reverses clonidine".repeat(40));
    for name in formats::names() {
        let program = formats::program(name, &["Chemical", "Disease"]);
        for piece in [
            "[",
            "(B",
            "<Disease>",
            "(O) x",
            "\"",
            "{\"text\":\"",
            "@@",
            "| ",
            "a: ",
            "\\",
            "- text: \"",
            "\u{fffd}",
            "[[",
        ] {
            check(&program, &text, piece.repeat(6_000 / piece.len()).as_bytes());
        }
        check(&program, &text, "Naloxone ".repeat(20_000).as_bytes());
    }
}

/// How long a repair of a kilobyte takes, per format: `cargo test --release -p gramask-grammar -- --ignored repair::hostile::speed --nocapture`.
#[test]
#[ignore = "prints times"]
#[allow(clippy::print_stdout)]
fn speed() {
    let corpus = &corpora()[0];
    for name in formats::names() {
        let program = passes(name, corpus).swap_remove(0);
        // A document of about a kilobyte, and its output with something wrong in each entity.
        let (mut text, mut entities) = (String::new(), Vec::new());
        for document in corpus.documents.iter().cycle() {
            let offset = text.chars().count();
            if text.len() > 700 {
                break;
            }
            for entity in &document.entities {
                entities.push(gramask_ner::Entity::new(&entity.label, offset + entity.start(), offset + entity.end()));
            }
            text.push_str(document.text.as_str());
            text.push(' ');
        }
        let text = gramask_ner::Text::new(text);
        let Ok(written) = program.write(&text, &entities) else {
            continue;
        };
        let damaged = written.text.replace('"', "'").replace("Dis", "dis").replace("Chemical", "Chemicals");
        let mut output = damaged.clone();
        while output.len() < 1000 {
            output += &damaged;
        }
        output.truncate((0..=1024.min(output.len())).rev().find(|at| output.is_char_boundary(*at)).unwrap_or(0));
        let mut best = f64::MAX;
        for _ in 0..5 {
            let start = Instant::now();
            let repaired = check(&program, &text, output.as_bytes());
            best = best.min(start.elapsed().as_secs_f64());
            std::hint::black_box(repaired);
        }
        println!("{name}: {} bytes, {:.2} ms", output.len(), 1e3 * best);
    }
}
