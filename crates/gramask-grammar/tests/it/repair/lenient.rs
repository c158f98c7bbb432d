//! Gold outputs read at increasing leniency. What each leniency forgives is in `testdata/repair.toml`.

use super::{corpora, passes};
use crate::support::formats;

/// What the strict reader reads without a problem has nothing to forgive.
#[test]
fn gold_outputs_are_the_same_at_each_leniency() {
    for corpus in corpora() {
        for name in formats::names() {
            for program in passes(name, &corpus) {
                for document in corpus.documents.iter().step_by(3) {
                    let Ok(written) = program.write(&document.text, &document.entities) else {
                        continue;
                    };
                    let strict = program.read(&document.text, written.text.as_bytes()).unwrap();
                    let read = program.read_leniently(&document.text, written.text.as_bytes());
                    for lenient in [read.parse, read.copy, read.count] {
                        assert_eq!((lenient.entities, lenient.strays), (strict.entities.clone(), 0), "{name}");
                    }
                }
            }
        }
    }
}
