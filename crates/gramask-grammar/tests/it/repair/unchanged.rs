//! What is read without a problem comes back as it is.

use gramask_grammar::Edits;

use super::{check, corpora, passes};
use crate::support::formats;

#[test]
fn gold_outputs_come_back_as_they_are() {
    for corpus in corpora() {
        for name in formats::names() {
            for program in passes(name, &corpus) {
                for document in &corpus.documents {
                    let Ok(written) = program.write(&document.text, &document.entities) else {
                        continue;
                    };
                    let repaired = check(&program, &document.text, written.text.as_bytes());
                    assert_eq!(repaired.text, written.text, "{name}");
                    assert_eq!(repaired.edits, Edits::default(), "{name}: {}", written.text);
                }
            }
        }
    }
}

/// The search itself finds nothing to mend either: with blanks around it the output is no longer read strictly.
#[test]
fn blanks_around_an_output_change_nothing() {
    for corpus in corpora() {
        for name in formats::names().into_iter().filter(|name| !formats::is_raw(name)) {
            for program in passes(name, &corpus) {
                for document in corpus.documents.iter().step_by(5) {
                    let Ok(written) = program.write(&document.text, &document.entities) else {
                        continue;
                    };
                    let gold = program.read(&document.text, written.text.as_bytes()).unwrap().entities;
                    let output = format!(" \n{}\n\n ", written.text);
                    let repaired = check(&program, &document.text, output.as_bytes());
                    assert_eq!(repaired.entities, gold, "{name}: {output}");
                    assert_eq!(repaired.edits.lost, 0, "{name}: {output}");
                }
            }
        }
    }
}
