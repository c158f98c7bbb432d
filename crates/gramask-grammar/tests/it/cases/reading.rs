//! `reading.toml`: what the reader makes of an output, and whether constraints accept it.

use gramask_grammar::{Level, Problem};
use gramask_ner::{Entity, Text};
use serde::Deserialize;

use super::{accepts, load};
use crate::repair::check;
use crate::support::formats;

#[derive(Deserialize)]
struct File {
    labels: Vec<String>,
    case: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    format: String,
    document: String,
    output: String,
    #[serde(default)]
    entities: Vec<String>,
    #[serde(default)]
    problems: Vec<String>,
    error: Option<String>,
    accepted: String,
}

#[test]
fn the_reader_says_what_is_listed() {
    let file: File = load("reading.toml");
    let labels: Vec<&str> = file.labels.iter().map(String::as_str).collect();
    for case in &file.case {
        let (program, text) = (formats::program(&case.format, &labels), Text::new(case.document.as_str()));
        let place = format!("{}: {}", case.format, case.output);
        match (program.read(&text, case.output.as_bytes()), &case.error) {
            (Ok(reading), None) => {
                let entities: Vec<String> = reading.entities.iter().map(Entity::to_string).collect();
                let problems: Vec<String> = reading.problems.iter().map(Problem::to_string).collect();
                assert_eq!((&entities, &problems), (&case.entities, &case.problems), "{place}");
                let repaired = check(&program, &text, case.output.as_bytes());
                if reading.problems.is_empty() {
                    assert_eq!(repaired.entities, reading.entities, "{place}: repaired");
                }
            }
            (Err(error), Some(expected)) => {
                assert_eq!(error.to_string(), *expected, "{place}");
                check(&program, &text, case.output.as_bytes());
            }
            (found, expected) => panic!("{place}: {found:?}, expected error {expected:?}"),
        }
    }
}

#[test]
fn constraints_accept_what_is_listed() {
    let file: File = load("reading.toml");
    let labels: Vec<&str> = file.labels.iter().map(String::as_str).collect();
    for case in &file.case {
        let program = formats::program(&case.format, &labels);
        let strictest = case.accepted.parse::<Level>().unwrap();
        for level in [Level::Syntax, Level::Grounded] {
            let accepted = accepts(&program, &case.document, level, &case.output);
            assert_eq!(accepted, level <= strictest, "{} at {level}: {}", case.format, case.output);
        }
    }
}
