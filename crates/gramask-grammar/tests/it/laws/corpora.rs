//! Laws 1 to 3 over corpora: the small ones that come with Gramask, and, on demand, the real ones.

use std::collections::BTreeMap;
use std::sync::Arc;

use gramask_grammar::{Program, Reason};
use gramask_ner::{Corpus, Document, corpus};
use gramask_random::Rng;

use super::roundtrip::{accepted, roundtrip};
use super::{independent, truth};
use crate::support::formats;

/// Holds every document to both laws in every format, in each pass of it; prints what is not expressed.
fn laws(corpus: &Corpus, each: usize) {
    let labels: Vec<&str> = corpus.schema.labels().iter().map(String::as_str).collect();
    let mut rng = Rng::new(3);
    for name in formats::names() {
        let passes = formats::passes(name, &labels);
        let (mut written, mut entities, mut reasons) = (0, 0, BTreeMap::<String, usize>::new());
        for (number, document) in corpus.documents.iter().enumerate() {
            let place = || format!("{} {}: {name}", corpus.name, document.id);
            let mut whole = true;
            for program in &passes {
                let output = roundtrip(program, &document.text, &document.entities)
                    .unwrap_or_else(|error| panic!("{}: {error}", place()));
                let Some(output) = output else {
                    whole = false;
                    continue;
                };
                for (_, reason) in &output.unexpressed {
                    // An entity of another label has its own pass.
                    if passes.len() == 1 || *reason != Reason::Label {
                        *reasons.entry(format!("{reason:?}")).or_default() += 1;
                    }
                    // No corpus has a delimiter of these formats in a mention.
                    assert!(*reason != Reason::Delimiter || formats::is_raw(name), "{}", place());
                }
                if number % each == 0 {
                    accepted(program, &document.text, &output.text, &mut rng)
                        .unwrap_or_else(|error| panic!("{}: {error}", place()));
                    independently(program, document, &output.text)
                        .unwrap_or_else(|error| panic!("{}: {error}", place()));
                }
            }
            written += usize::from(whole);
            entities += if whole { document.entities.len() } else { 0 };
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

/// Holds a gold output to law 3, with the parser that knows nothing of this crate.
fn independently(program: &Arc<Program>, document: &Document, output: &str) -> Result<(), String> {
    let name = &program.format().name;
    if !independent::knows(name, true) {
        return Ok(());
    }
    let claims = independent::claims(name, program.schema(), output)?;
    let read = program.read(&document.text, output.as_bytes());
    let read = read.map_err(|error| error.to_string())?;
    truth::check(&claims, &document.text, program.schema(), &read.entities)
}

#[test]
fn the_mini_corpora_keep_the_laws() {
    for (name, split, each) in [("mini", "test", 4), ("mini-nested", "all", 4)] {
        let (corpus, _) = corpus::find(name, split).unwrap();
        laws(&corpus.into_sentences(), each);
    }
}

/// Every sentence in every format at both levels. An hour or so: `cargo test --release -- --ignored the_real_corpora
/// --nocapture`; `CORPUS=bc5cdr` takes one of them, `EACH=25` one sentence in 25 to be accepted token by token.
#[test]
#[ignore = "takes long, and needs corpora that are not part of the project"]
fn the_real_corpora_keep_the_laws() {
    let each = std::env::var("EACH").ok().and_then(|each| each.parse().ok()).unwrap_or(1);
    let only = std::env::var("CORPUS").ok();
    for name in ["ncbi-disease", "bc5cdr", "pgxcorpus", "bc2gm"] {
        if only.as_deref().is_some_and(|only| only != name) {
            continue;
        }
        match corpus::find(name, "test") {
            Ok((corpus, _)) => laws(&corpus.into_sentences(), each),
            Err(error) => println!("skipped: {name}: {error}"),
        }
    }
}
