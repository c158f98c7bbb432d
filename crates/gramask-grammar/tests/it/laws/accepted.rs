//! Law 3: what a constraint accepts is read, by this crate and by parsers that know nothing of it.

use std::sync::Arc;

use gramask_grammar::{Constraint, ConstraintError, Level, syntax_check};
use gramask_random::Rng;
use proptest::prelude::*;

use super::documents::{self, Case, case};
use super::{independent, truth};
use crate::support::formats;
use crate::support::walk::{output, vocabulary};

fn laws(case: &Case) -> Result<(), TestCaseError> {
    let mut rng = Rng::new(case.seed);
    for name in formats::some(case.seed, 3) {
        let program = formats::program(name, case.labels);
        let written = program.write(&case.text, &case.entities).map(|written| written.text).unwrap_or_default();
        for level in [Level::Syntax, Level::Grounded] {
            let sources = [written.as_bytes(), case.text.as_str().as_bytes(), program.format().source.as_bytes()];
            let vocabulary = vocabulary(&mut rng, &sources, 60);
            let mut constraint = match Constraint::new(Arc::clone(&program), &case.text, level, vocabulary) {
                Ok(constraint) => constraint,
                Err(ConstraintError::NoOutput { .. }) => {
                    prop_assert!(name == "exactly-two" || formats::is_raw(name), "{} {}: no output", name, level);
                    continue;
                }
                Err(ConstraintError::Character { .. }) => {
                    prop_assert!(formats::refuses_some(name), "{}", name);
                    continue;
                }
                Err(error) => return Err(TestCaseError::fail(error.to_string())),
            };
            for _ in 0..3 {
                let steps = rng.below(40);
                let output = output(&mut constraint, &mut rng, steps);
                let shown = output.escape_ascii().to_string();
                let reading = program.read(&case.text, &output);
                let reading =
                    reading.map_err(|error| TestCaseError::fail(format!("{name} {level}: {shown}: {error}")))?;
                let string = std::str::from_utf8(&output);
                let string =
                    string.map_err(|error| TestCaseError::fail(format!("{name} {level}: {shown}: {error}")))?;
                if level == Level::Grounded {
                    prop_assert!(reading.problems.is_empty(), "{}: {}: {:?}", name, shown, reading.problems);
                }
                if let Some(Err(error)) = syntax_check::check(program.format(), string) {
                    return Err(TestCaseError::fail(format!("{name} {level}: {shown}: {error}")));
                }
                if independent::knows(name, level == Level::Grounded) {
                    let claims = independent::claims(name, program.schema(), string);
                    let claims =
                        claims.map_err(|error| TestCaseError::fail(format!("{name} {level}: {shown}: {error}")))?;
                    if level == Level::Grounded {
                        truth::check(&claims, &case.text, program.schema(), &reading.entities)
                            .map_err(|error| TestCaseError::fail(format!("{name}: {shown}: {error}")))?;
                    }
                }
                // What is read can be written, and says the same.
                if level == Level::Grounded {
                    let again = program.write(&case.text, &reading.entities);
                    let again = again.map_err(|error| TestCaseError::fail(format!("{name}: {shown}: {error}")))?;
                    prop_assert!(again.unexpressed.is_empty(), "{}: {}: {:?}", name, shown, again.unexpressed);
                }
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 500, failure_persistence: None, ..ProptestConfig::with_cases(documents::cases(300)) })]

    #[test]
    fn what_is_accepted_is_read(case in case(12, 4)) {
        laws(&case)?;
    }
}
