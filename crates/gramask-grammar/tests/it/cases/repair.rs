//! `repair.toml`: the mentions that repair finds in damaged outputs, and what each leniency forgives.

use gramask_grammar::Lenient;
use gramask_ner::{Entity, Text};
use serde::Deserialize;

use super::load;
use crate::repair::check;
use crate::support::formats;

#[derive(Deserialize)]
struct File {
    text: String,
    labels: Vec<String>,
    damage: Vec<Damage>,
    leniency: Vec<Leniency>,
}

#[derive(Deserialize)]
struct Damage {
    format: String,
    output: String,
    /// Surfaces and labels.
    mentions: Vec<(String, String)>,
}

#[derive(Deserialize)]
struct Leniency {
    text: String,
    format: String,
    output: String,
    syntax: Said,
    copies: Said,
    counts: Said,
}

#[derive(Debug, Deserialize, PartialEq, Eq)]
struct Said {
    entities: usize,
    strays: usize,
}

#[test]
fn the_usual_damages_are_mended() {
    let file: File = load("repair.toml");
    let (text, mut failed) = (Text::new(file.text.as_str()), Vec::new());
    let labels: Vec<&str> = file.labels.iter().map(String::as_str).collect();
    for case in &file.damage {
        let program = formats::program(&case.format, &labels);
        let repaired = check(&program, &text, case.output.as_bytes());
        let mention =
            |entity: &Entity| (text.slice(entity.extent()).unwrap_or_default().to_owned(), entity.label.clone());
        let mut found: Vec<(String, String)> = repaired.entities.iter().map(mention).collect();
        let mut expected = case.mentions.clone();
        found.sort();
        expected.sort();
        if found != expected {
            failed.push(format!("{}: {}\n  gave {found:?}\n  {:?}", case.format, case.output, repaired.edits));
        }
    }
    assert!(failed.is_empty(), "{} of {}\n{}", failed.len(), file.damage.len(), failed.join("\n"));
}

#[test]
fn each_fault_is_forgiven_where_it_belongs() {
    let file: File = load("repair.toml");
    let labels: Vec<&str> = file.labels.iter().map(String::as_str).collect();
    for case in &file.leniency {
        let program = formats::program(&case.format, &labels);
        let read = program.read_leniently(&Text::new(case.text.as_str()), case.output.as_bytes());
        let said = |lenient: &Lenient| Said { entities: lenient.entities.len(), strays: lenient.strays };
        let found = [said(&read.parse), said(&read.copy), said(&read.count)];
        assert_eq!(found.each_ref(), [&case.syntax, &case.copies, &case.counts], "{}: {}", case.format, case.output);
    }
}
