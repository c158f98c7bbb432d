//! Laws 1 and 2: what is written reads back, and is accepted however it is cut into tokens.

use std::sync::Arc;

use gramask_grammar::{Constraint, Level, Program, Reason, WriteError, Written};
use gramask_ner::{Entity, Text};
use gramask_random::Rng;
use proptest::prelude::*;

use super::documents::{self, Case, case};
use crate::support::formats;
use crate::support::walk::vocabulary;

/// What the law says of an entity that is not written: that there is a reason for it.
fn justified(program: &Program, name: &str, entity: &Entity, reason: Reason) -> bool {
    let format = program.format();
    match reason {
        Reason::NoEntities => format.grammar.entity.is_none(),
        // The formats leave no choice, so that no search is long.
        Reason::Limit => false,
        Reason::Label => program.schema().index(&entity.label).is_none(),
        Reason::Boundary => !entity.fragments.is_empty(),
        Reason::Discontinuous => entity.fragments.len() > 1 && !format.discontinuous(),
        Reason::Nested => format.is_cursor() && !format.nests(),
        Reason::Crossing => format.is_cursor() && format.nests(),
        Reason::Delimiter => formats::is_raw(name),
        Reason::Position => !format.is_cursor() && (!format.has_positions() || name == "nth-if-needed"),
    }
}

/// The labels and surfaces of entities, in a fixed order.
fn surfaces(text: &Text, entities: &[Entity]) -> Vec<(String, Vec<String>)> {
    let surface = |entity: &Entity| {
        let parts = entity.fragments.iter().map(|fragment| text.slice(*fragment).unwrap_or_default().to_owned());
        (entity.label.clone(), parts.collect())
    };
    let mut all: Vec<_> = entities.iter().map(surface).collect();
    all.sort();
    all
}

/// Holds one document to law 1; the output, if there is one.
pub fn roundtrip(program: &Arc<Program>, text: &Text, entities: &[Entity]) -> Result<Option<Written>, TestCaseError> {
    let name = program.format().name.as_str();
    let schema = program.schema();
    let written = match program.write(text, entities) {
        Ok(written) => written,
        Err(WriteError::Character { offset, character, .. }) => {
            prop_assert_eq!(text.as_str().chars().nth(offset), Some(character));
            prop_assert!(formats::refuses_some(name), "{}", name);
            return Ok(None);
        }
        Err(error @ WriteError::Limit { .. }) => return Err(TestCaseError::fail(error.to_string())),
        Err(WriteError::Impossible { entities, .. }) => {
            let two = name == "exactly-two" && entities != 2;
            prop_assert!(two || formats::is_raw(name), "{}: {:?} {:?}", name, text, entities);
            return Ok(None);
        }
    };
    let mut expected: Vec<Entity> = entities.to_vec();
    for (entity, reason) in &written.unexpressed {
        prop_assert!(justified(program, name, entity, *reason), "{}: {} is left out: {}", name, entity, reason);
        if *reason != Reason::Position {
            expected.retain(|kept| kept != entity);
        }
    }
    schema.sort(&mut expected);
    expected.dedup();
    let reading = match program.read(text, written.text.as_bytes()) {
        Ok(reading) => reading,
        Err(error) => {
            return Err(TestCaseError::fail(format!("{name}: {:?} is not read: {error}", written.text)));
        }
    };
    prop_assert!(reading.problems.is_empty(), "{}: {:?}: {:?}", name, written.text, reading.problems);
    let mut read = reading.entities;
    schema.sort(&mut read);
    prop_assert_eq!(surfaces(text, &read), surfaces(text, &expected), "{}: {:?}", name, written.text);
    let lost = |entity: &&Entity| !written.unexpressed.contains(&((*entity).clone(), Reason::Position));
    let kept: Vec<&Entity> = expected.iter().filter(lost).collect();
    for entity in &kept {
        prop_assert!(read.contains(entity), "{}: {:?} loses {}", name, written.text, entity);
    }
    if kept.len() == expected.len() {
        prop_assert_eq!(read, expected, "{}: {:?}", name, written.text);
    }
    Ok(Some(written))
}

/// Holds an output to law 2.
pub fn accepted(program: &Arc<Program>, text: &Text, output: &str, rng: &mut Rng) -> Result<(), TestCaseError> {
    let name = &program.format().name;
    let output = output.as_bytes();
    for level in [Level::Syntax, Level::Grounded] {
        let vocabulary = vocabulary(rng, &[output, text.as_str().as_bytes()], 40);
        let constraint = Constraint::new(Arc::clone(program), text, level, Arc::clone(&vocabulary));
        let mut constraint = constraint.map_err(|error| TestCaseError::fail(error.to_string()))?;
        let (mut state, mut at) = (constraint.start(), 0);
        while at < output.len() {
            let fits = |id: &u32| vocabulary.text(*id).is_some_and(|token| output[at..].starts_with(token));
            let choices: Vec<u32> = (0..vocabulary.len() as u32).filter(fits).collect();
            let mask = constraint.mask(state).to_vec();
            for id in &choices {
                let allowed = mask[*id as usize / 32] >> (id % 32) & 1 == 1;
                let token = String::from_utf8_lossy(vocabulary.text(*id).unwrap_or_default()).into_owned();
                let so_far = String::from_utf8_lossy(&output[..at]);
                prop_assert!(allowed, "{} {}: {:?} may not follow {:?}", name, level, token, so_far);
            }
            let token = *rng.pick(&choices);
            state = constraint.advance(state, token).expect("the mask allows it");
            at += vocabulary.text(token).unwrap_or_default().len();
        }
        prop_assert!(constraint.accepts(state), "{} {}: {:?}", name, level, String::from_utf8_lossy(output));
        for end in vocabulary.ends() {
            prop_assert!(constraint.mask(state)[*end as usize / 32] >> (end % 32) & 1 == 1);
        }
    }
    Ok(())
}

fn laws(case: &Case) -> Result<(), TestCaseError> {
    let mut rng = Rng::new(case.seed);
    for name in formats::some(case.seed, 2) {
        let program = formats::program(name, case.labels);
        if let Some(written) = roundtrip(&program, &case.text, &case.entities)? {
            accepted(&program, &case.text, &written.text, &mut rng)?;
        }
        if name == "exactly-two" {
            let two: Vec<Entity> = case.entities.iter().take(2).cloned().collect();
            if let Some(written) = roundtrip(&program, &case.text, &two)? {
                accepted(&program, &case.text, &written.text, &mut rng)?;
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 2000, failure_persistence: None, ..ProptestConfig::with_cases(documents::cases(300)) })]

    #[test]
    fn what_is_written_reads_back_and_is_accepted(case in case(14, 5)) {
        laws(&case)?;
    }
}
