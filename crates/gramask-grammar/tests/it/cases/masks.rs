//! `masks.toml`: engine and oracle allow exactly the tokens that are listed.

use std::sync::Arc;

use gramask_grammar::{Constraint, Format, Level, Oracle, Program, Token, Vocabulary};
use gramask_ner::{Schema, Text};
use serde::Deserialize;

use super::load;
use crate::support::walk::allowed;

const END: &str = "<end>";

/// The file.
#[derive(Deserialize)]
pub struct Masks {
    pub document: String,
    pub labels: Vec<String>,
    pub tokens: Vec<String>,
    format: Vec<Grammar>,
}

#[derive(Deserialize)]
struct Grammar {
    name: String,
    source: String,
    level: String,
    masks: Vec<Mask>,
}

#[derive(Deserialize)]
struct Mask {
    after: String,
    allowed: Vec<String>,
}

impl Masks {
    pub fn load() -> Masks {
        load("masks.toml")
    }

    /// A format of the file, compiled for its labels.
    pub fn program(&self, name: &str) -> Arc<Program> {
        let found = self.format.iter().find(|format| format.name == name);
        let source = &found.unwrap_or_else(|| panic!("no format `{name}`")).source;
        let format = Format::parse(name, source.as_str()).unwrap_or_else(|errors| panic!("{errors}"));
        Program::compile(&format, &Schema::new(self.labels.iter().cloned())).unwrap()
    }

    /// The file's tokens, and the end token.
    pub fn vocabulary(&self) -> Arc<Vocabulary> {
        let mut tokens: Vec<Token> = self.tokens.iter().map(|text| Token::new(text.as_str())).collect();
        tokens.push(Token::special(END));
        let end = tokens.len() as u32 - 1;
        Vocabulary::new(tokens, vec![end]).unwrap()
    }

    /// The text of a token.
    pub fn name(&self, id: u32) -> &str {
        self.tokens.get(id as usize).map_or(END, String::as_str)
    }
}

#[test]
fn engine_and_oracle_allow_the_listed_tokens() {
    let file = Masks::load();
    let (text, vocabulary) = (Text::new(file.document.as_str()), file.vocabulary());
    for format in &file.format {
        let (program, level) = (file.program(&format.name), format.level.parse::<Level>().unwrap());
        let mut constraint = Constraint::new(Arc::clone(&program), &text, level, Arc::clone(&vocabulary)).unwrap();
        for Mask { after, allowed: expected } in &format.masks {
            let place = format!("{} after `{after}`", format.name);
            let start = constraint.start();
            let state = constraint.advance_bytes(start, after.as_bytes()).unwrap_or_else(|| panic!("{place}"));
            let mask = constraint.mask(state).to_vec();
            let found: Vec<&str> = allowed(&mask).into_iter().map(|id| file.name(id)).collect();
            assert_eq!(found, *expected, "{place}");
            let mut oracle = Oracle::new(Arc::clone(&program), &text, level, Arc::clone(&vocabulary)).unwrap();
            assert!(oracle.advance(after.as_bytes()), "{place}: the oracle");
            assert_eq!(oracle.mask(), mask, "{place}: the oracle");
            // Each allowed token leads on, and no other.
            for id in 0..vocabulary.len() as u32 {
                let listed = expected.iter().any(|name| name == file.name(id));
                assert_eq!(constraint.advance(state, id).is_some(), listed, "{place}: `{}`", file.name(id));
            }
        }
    }
}
