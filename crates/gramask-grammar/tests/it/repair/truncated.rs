//! Outputs that are cut off at any byte lose what is cut, and gain nothing.

use std::sync::Arc;

use gramask_grammar::Program;
use gramask_ner::{Document, Entity};

use super::{check, corpora, passes};
use crate::support::formats;

fn common(a: &str, b: &str) -> usize {
    a.bytes().zip(b.bytes()).take_while(|(a, b)| a == b).count()
}

fn common_end(a: &str, b: &str) -> usize {
    a.bytes().rev().zip(b.bytes().rev()).take_while(|(a, b)| a == b).count()
}

/// By which byte each entity is certainly written: what the output has in common with one that ends with it, and what it
/// has not in common with one without it.
fn written_by(program: &Arc<Program>, document: &Document, output: &str, gold: &[Entity]) -> Vec<usize> {
    let write = |entities: &[Entity]| program.write(&document.text, entities).map(|written| written.text);
    let by = |number: usize| {
        let without: Vec<Entity> =
            gold.iter().enumerate().filter(|(n, _)| *n != number).map(|(_, e)| e.clone()).collect();
        let (Ok(so_far), Ok(without)) = (write(&gold[..=number]), write(&without)) else {
            return output.len();
        };
        // What holds another entity ends after it.
        let holds = |other: &Entity| {
            *other != gold[number] && other.start() >= gold[number].start() && other.end() <= gold[number].end()
        };
        if program.format().is_cursor() && gold.iter().any(holds) {
            return output.len();
        }
        common(&so_far, output).max(output.len() - common_end(&without, output))
    };
    (0..gold.len()).map(by).collect()
}

fn cut(program: &Arc<Program>, document: &Document) {
    let name = &program.format().name;
    let Ok(written) = program.write(&document.text, &document.entities) else {
        return;
    };
    let output = written.text;
    let gold = program.read(&document.text, output.as_bytes()).unwrap().entities;
    let by = written_by(program, document, &output, &gold);
    for end in 0..output.len() {
        let cut = &output.as_bytes()[..end];
        let shown = String::from_utf8_lossy(cut);
        let repaired = check(program, &document.text, cut);
        for (entity, by) in gold.iter().zip(&by) {
            assert!(end < *by || repaired.entities.contains(entity), "{name}: {shown:?} loses {entity}");
        }
        // What reads without a problem may be wrong all the same: nothing shows that it was cut.
        if repaired.edits.rewritten {
            for entity in &repaired.entities {
                assert!(gold.contains(entity), "{name}: {shown:?} gains {entity}");
            }
        }
    }
}

/// Each format has documents of its own, so that all of them take part; `LAWS=20` takes twenty times as many.
#[test]
fn what_is_cut_off_is_lost_and_nothing_else() {
    for corpus in corpora() {
        let times: usize = std::env::var("LAWS").ok().and_then(|times| times.parse().ok()).unwrap_or(1);
        let each = (corpus.documents.len() / (2 * times)).max(1);
        for (number, name) in formats::names()
            .into_iter()
            .enumerate()
            .filter(|(_, name)| !formats::is_raw(name) && *name != "exactly-two")
        {
            for program in passes(name, &corpus) {
                for document in corpus.documents.iter().skip(number % each).step_by(each) {
                    cut(&program, document);
                }
            }
        }
    }
}
