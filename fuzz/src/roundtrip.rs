//! Any document and entities: what is written reads back. Any output: it is read, or refused at a place that is there.

use std::sync::Arc;

use gramask_grammar::{Constraint, ConstraintError, Level, Program, ReadError, Reason, Token, Vocabulary, WriteError};
use gramask_ner::{Entity, Text};

use super::input;

/// The longest document and output.
const LONGEST: usize = 120;

/// Writes, reads back, and reads anything.
pub fn roundtrip(data: &[u8]) {
    let (mut choices, document, output) = input::parts(data);
    let program = input::program(&mut choices);
    let text = input::document(document, LONGEST);
    let entities = input::entities(&mut choices, &text, program.schema());
    written(&program, &text, &entities);
    read(&program, &text, &output[..output.len().min(4 * LONGEST)]);
}

/// What is written says exactly what the format can express.
fn written(program: &Arc<Program>, text: &Text, entities: &[Entity]) {
    let name = &program.format().name;
    let written = match program.write(text, entities) {
        Ok(written) => written,
        Err(WriteError::Character { offset, character, .. }) => {
            assert_eq!(text.as_str().chars().nth(offset), Some(character), "{name}");
            return;
        }
        // A document that holds a delimiter of a format without an escape.
        Err(WriteError::Impossible { .. } | WriteError::Limit { .. }) => return,
    };
    let mut expected = entities.to_vec();
    for (entity, reason) in &written.unexpressed {
        assert!(entities.contains(entity), "{name}: {entity} was never asked for");
        if *reason != Reason::Position {
            expected.retain(|kept| kept != entity);
        }
    }
    let schema = program.schema();
    schema.sort(&mut expected);
    expected.dedup();
    let reading = program.read(text, written.text.as_bytes());
    let reading = reading.unwrap_or_else(|error| panic!("{name}: {:?}: {error}", written.text));
    assert_eq!(reading.problems, [], "{name}: {:?}", written.text);
    let mut read = reading.entities;
    schema.sort(&mut read);
    assert_eq!(surfaces(text, &read), surfaces(text, &expected), "{name}: {:?}", written.text);
    let elsewhere = |entity: &Entity| written.unexpressed.contains(&(entity.clone(), Reason::Position));
    for entity in expected.iter().filter(|entity| !elsewhere(entity)) {
        assert!(read.contains(entity), "{name}: {:?} loses {entity}", written.text);
    }
    for level in [Level::Syntax, Level::Grounded] {
        let accepted = accepts(program, text, level, written.text.as_bytes());
        assert!(accepted == Some(true), "{name} {level}: {:?} is refused", written.text);
    }
}

/// The labels and surfaces of entities, in a fixed order.
fn surfaces<'a>(text: &'a Text, entities: &'a [Entity]) -> Vec<(&'a str, Vec<&'a str>)> {
    let surface = |entity: &'a Entity| {
        let parts = entity.fragments.iter().map(|part| text.slice(*part).unwrap_or_default());
        (entity.label.as_str(), parts.collect())
    };
    let mut all: Vec<_> = entities.iter().map(surface).collect();
    all.sort();
    all
}

/// Any bytes are read, or refused at one of their places; the constraint agrees.
fn read(program: &Arc<Program>, text: &Text, output: &[u8]) {
    let name = &program.format().name;
    let shown = output.escape_ascii();
    let accepted = |level| accepts(program, text, level, output) == Some(true);
    let reading = match program.read(text, output) {
        Ok(reading) => reading,
        Err(error) => {
            let (ReadError::Syntax { offset, .. } | ReadError::Truncated { offset, .. }) = error;
            assert!(offset <= output.len(), "{name}: {offset}");
            assert!(!accepted(Level::Syntax), "{name}: `{shown}` is accepted and not read: {error}");
            return;
        }
    };
    for entity in &reading.entities {
        assert!(program.schema().index(&entity.label).is_some(), "{name}: `{shown}`: {entity}");
        for fragment in &entity.fragments {
            assert!(text.slice(*fragment).is_some(), "{name}: `{shown}`: {entity} is not in the document");
        }
    }
    if accepted(Level::Grounded) {
        assert_eq!(reading.problems, [], "{name}: `{shown}` is accepted");
        assert!(accepted(Level::Syntax), "{name}: `{shown}` is accepted as grounded alone");
    }
}

/// Whether the constraint accepts these bytes; `None` where the document has no output.
fn accepts(program: &Arc<Program>, text: &Text, level: Level, output: &[u8]) -> Option<bool> {
    let mut tokens: Vec<Token> = (0..=255u8).map(|byte| Token::new([byte])).collect();
    tokens.push(Token::special("<end>"));
    let vocabulary = Vocabulary::new(tokens, vec![256]).expect("there is an end");
    let mut constraint = match Constraint::new(Arc::clone(program), text, level, vocabulary) {
        Ok(constraint) => constraint,
        Err(ConstraintError::Character { .. } | ConstraintError::NoOutput { .. }) => return None,
        Err(error) => panic!("{error}"),
    };
    let start = constraint.start();
    let end = constraint.advance_bytes(start, output);
    Some(end.is_some_and(|end| constraint.accepts(end)))
}
