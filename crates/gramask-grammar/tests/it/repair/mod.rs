//! The strategy `repair`. Outputs that are fine stay as they are, and outputs that are cut off lose only what is cut. The usual
//! damages are mended (`testdata/repair.toml`), and anything at all is read.
//!
//! `records` is a look at the outputs of a run, and `speed` prints how long repairs take; both are run by hand.

mod hostile;
mod lenient;
mod records;
mod truncated;
mod unchanged;

use std::collections::HashSet;
use std::sync::Arc;

use gramask_grammar::{Program, Repaired};
use gramask_ner::{Corpus, Entity, Text, corpus};

/// The small corpora, as sentences.
pub fn corpora() -> Vec<Corpus> {
    let find = |(name, split)| corpus::find(name, split).unwrap().0.into_sentences();
    [("mini", "test"), ("mini-nested", "all")].map(find).into()
}

/// The passes of a format over a corpus.
pub fn passes(name: &str, corpus: &Corpus) -> Vec<Arc<Program>> {
    let labels: Vec<&str> = corpus.schema.labels().iter().map(String::as_str).collect();
    crate::support::formats::passes(name, &labels)
}

/// What holds of every repair: the strict reader reads the mended output as the same entities, and these are those of the
/// most lenient reading wherever the format can write them all (a list of texts can't name the second place of a text alone).
pub fn check(program: &Arc<Program>, text: &Text, output: &[u8]) -> Repaired {
    let repaired = program.repair(text, output);
    // One in four: it takes as long again.
    if output.len().is_multiple_of(4) {
        let lenient = program.read_leniently(text, output).count.entities;
        let written = program.write(text, &lenient).ok();
        let again = written.and_then(|written| program.read(text, written.text.as_bytes()).ok());
        let set = |entities: &[Entity]| entities.iter().cloned().collect::<HashSet<_>>();
        if again.is_some_and(|again| again.problems.is_empty() && set(&again.entities) == set(&lenient)) {
            let shown = String::from_utf8_lossy(output);
            assert_eq!(set(&repaired.entities), set(&lenient), "{shown:?}");
        }
    }
    let shown = String::from_utf8_lossy(output);
    if program.write(text, &repaired.entities).is_err() {
        // The document has no output in the format.
        assert_eq!((repaired.text.as_str(), repaired.entities.len()), ("", 0), "{shown:?}");
        return repaired;
    }
    let reading = program.read(text, repaired.text.as_bytes());
    let reading = reading.unwrap_or_else(|error| panic!("{shown:?} became {:?}: {error}", repaired.text));
    assert!(reading.problems.is_empty(), "{shown:?} became {:?}: {:?}", repaired.text, reading.problems);
    assert_eq!(reading.entities, repaired.entities, "{shown:?}");
    repaired
}
