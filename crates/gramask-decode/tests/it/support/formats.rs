//! The built-in formats over hostile documents and a small vocabulary.

use std::sync::Arc;

use gramask_decode::TokenConstraint;
use gramask_decode::mock::byte_vocabulary;
use gramask_grammar::{Constraint, Format, Level, Program, Vocabulary};
use gramask_ner::{Schema, Text};

pub const DOCUMENTS: [&str; 5] =
    ["Aspirin causes asthma.", "No entity here", "", "[<b>\"α\"\\ {1},\n(B-D)] &amp; \u{1F9EC}", "a a a a, a"];

/// Bytes, and tokens that straddle what a format and a document write.
pub fn tokens() -> Arc<Vocabulary> {
    byte_vocabulary(&[
        "[{",
        "\"text\":\"",
        "\",\"",
        "\"label\":\"",
        "\"}",
        "\"}]",
        "]",
        "Chemical",
        "Disease",
        "Chem",
        "(B-",
        ")",
        "(O) ",
        "Asp",
        "irin",
        " causes",
        " asthma",
        "</Disease>",
        "<Disease>",
        " a",
        "a,",
        " a a",
        "},{",
        "[]",
    ])
}

pub struct Case {
    pub program: Arc<Program>,
    pub text: Text,
    pub level: Level,
    pub vocabulary: Arc<Vocabulary>,
    pub id: String,
}

impl Case {
    pub fn constraint(&self) -> Constraint {
        Constraint::new(Arc::clone(&self.program), &self.text, self.level, Arc::clone(&self.vocabulary)).unwrap()
    }

    pub fn least(&self) -> usize {
        let mut constraint = self.constraint();
        let start = TokenConstraint::start(&constraint);
        TokenConstraint::tokens_to_finish(&mut constraint, start)
    }
}

pub fn cases() -> Vec<Case> {
    let schema = Schema::new(["Chemical", "Disease"]);
    let vocabulary = tokens();
    let mut cases = Vec::new();
    for name in Format::builtin() {
        // Of a format with a pass for each label the first pass.
        let program = Program::passes(&Format::named(name).unwrap(), &schema).unwrap().swap_remove(0);
        for (number, document) in DOCUMENTS.iter().enumerate() {
            for level in [Level::Syntax, Level::Grounded] {
                let id = format!("{name} {level} {number}");
                let text = Text::new(*document);
                let (program, vocabulary) = (Arc::clone(&program), Arc::clone(&vocabulary));
                cases.push(Case { program, text, level, vocabulary, id });
            }
        }
    }
    cases
}
