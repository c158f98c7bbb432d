//! Laws 1 and 2 over corpora: the small ones that come with Gramask, and, on demand, the real ones.

#![allow(clippy::print_stdout)]

use std::collections::BTreeMap;

use gramask_grammar::Reason;
use gramask_ner::{Corpus, corpus};

use crate::formats;
use crate::roundtrip::{accepted, roundtrip};
use crate::walk::Dice;

/// Holds every document to both laws in every format; prints what is not expressed.
fn laws(corpus: &Corpus, each: usize) {
    let labels: Vec<&str> = corpus.schema.labels().iter().map(String::as_str).collect();
    let mut dice = Dice(3);
    for name in formats::names() {
        let program = formats::program(name, &labels);
        let (mut written, mut entities, mut reasons) = (0, 0, BTreeMap::<String, usize>::new());
        for (number, document) in corpus.documents.iter().enumerate() {
            let place = || format!("{} {}: {name}", corpus.name, document.id);
            let output = roundtrip(&program, &document.text, &document.entities)
                .unwrap_or_else(|error| panic!("{}: {error}", place()));
            let Some(output) = output else { continue };
            written += 1;
            entities += document.entities.len();
            for (_, reason) in &output.unexpressed {
                *reasons.entry(format!("{reason:?}")).or_default() += 1;
            }
            if number % each == 0 {
                accepted(&program, &document.text, &output.text, &mut dice)
                    .unwrap_or_else(|error| panic!("{}: {error}", place()));
            }
            // No corpus has a delimiter of these formats in a mention.
            let held = output
                .unexpressed
                .iter()
                .any(|(_, reason)| *reason == Reason::Delimiter);
            assert!(!held || formats::is_raw(name), "{}", place());
        }
        let documents = corpus.documents.len();
        assert!(
            name == "exactly-two" || written * 10 > documents * 9,
            "{}: {name}: {written} of {documents} can be written",
            corpus.name
        );
        println!(
            "{} {name}: {written} of {documents} documents, {entities} entities, not expressed: {reasons:?}",
            corpus.name
        );
    }
}

#[test]
fn the_mini_corpora_keep_the_laws() {
    for (name, split, each) in [("mini", "test", 4), ("mini-nested", "all", 4)] {
        let (corpus, _) = corpus::find(name, split).unwrap();
        laws(&corpus.into_sentences(), each);
    }
}

/// Minutes: `cargo test --release -- --ignored the_real_corpora --nocapture`.
#[test]
#[ignore = "takes minutes, and needs corpora that are not part of the project"]
fn the_real_corpora_keep_the_laws() {
    for name in ["ncbi-disease", "bc5cdr", "pgxcorpus", "bc2gm"] {
        match corpus::find(name, "test") {
            Ok((corpus, _)) => laws(&corpus.into_sentences(), 25),
            Err(error) => println!("skipped: {name}: {error}"),
        }
    }
}
