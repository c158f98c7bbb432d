//! Law 4: the mask is the brute-force mask, bit for bit.

use std::sync::Arc;

use gramask_grammar::{Constraint, Level, Oracle, Vocabulary};
use gramask_random::Rng;
use proptest::prelude::*;

use super::documents::{self, Case, case};
use crate::support::formats;
use crate::support::walk::{allowed, draw, vocabulary};

/// Compares the masks at the state that both are in.
fn compare(
    constraint: &mut Constraint,
    oracle: &mut Oracle,
    state: gramask_grammar::State,
    vocabulary: &Vocabulary,
    place: impl Fn() -> String,
) -> Result<Vec<u32>, TestCaseError> {
    let mask = constraint.mask(state).to_vec();
    let brute = oracle.mask();
    if mask != brute {
        let (a, b) = (allowed(&mask), allowed(&brute));
        let name = |id: &u32| String::from_utf8_lossy(vocabulary.text(*id).unwrap_or(b"<special>")).into_owned();
        let only = |a: &[u32], b: &[u32]| a.iter().filter(|id| !b.contains(id)).map(name).collect::<Vec<_>>();
        return Err(TestCaseError::fail(format!(
            "{}: only engine {:?}, only oracle {:?}",
            place(),
            only(&a, &b),
            only(&b, &a)
        )));
    }
    for id in 0..vocabulary.len() as u32 {
        if vocabulary.text(id).is_none() {
            let set = mask[id as usize / 32] >> (id % 32) & 1 == 1;
            prop_assert_eq!(set, vocabulary.is_end(id) && constraint.accepts(state), "{}: token {}", place(), id);
        }
    }
    prop_assert_eq!(constraint.accepts(state), oracle.accepts());
    prop_assert_eq!(constraint.shortest_rest(state).len(), oracle.shortest_rest().len(), "{}", place());
    Ok(allowed(&mask))
}

fn laws(case: &Case) -> Result<(), TestCaseError> {
    let mut rng = Rng::new(case.seed);
    let names = formats::names();
    // A third of the formats each time: the oracle is slow.
    for name in names.iter().skip(case.seed as usize % 3).step_by(3) {
        let program = formats::program(name, case.labels);
        let written = program.write(&case.text, &case.entities).map(|written| written.text).unwrap_or_default();
        for level in [Level::Syntax, Level::Grounded] {
            let vocabulary = vocabulary(
                &mut rng,
                &[written.as_bytes(), case.text.as_str().as_bytes(), program.format().source.as_bytes()],
                40,
            );
            // Without slack the allowances end within the walk, and masks are the document's own.
            let slack = *rng.pick(&[0, 10, Constraint::SLACK]);
            let made = (Arc::clone(&program), Arc::clone(&vocabulary));
            let new = Constraint::with_slack(made.0, &case.text, level, made.1, slack);
            let Ok(mut constraint) = new else { continue };
            let fresh = || {
                let made = (Arc::clone(&program), Arc::clone(&vocabulary));
                Oracle::with_slack(made.0, &case.text, level, made.1, slack).unwrap()
            };
            let mut oracle = fresh();
            // Along the gold output, then along a walk.
            let mut state = constraint.start();
            for (at, byte) in written.bytes().enumerate() {
                if rng.below(6) == 0 {
                    compare(&mut constraint, &mut oracle, state, &vocabulary, || {
                        format!("{name} {level} after {:?}", &written.as_bytes()[..at].escape_ascii().to_string())
                    })?;
                }
                let Some(next) = constraint.advance_bytes(state, &[byte]) else {
                    break;
                };
                prop_assert!(oracle.advance(&[byte]));
                state = next;
            }
            oracle = fresh();
            state = constraint.start();
            let mut output: Vec<u8> = Vec::new();
            for _ in 0..12 {
                let tokens = compare(&mut constraint, &mut oracle, state, &vocabulary, || {
                    format!("{name} {level} after {:?}", output.escape_ascii().to_string())
                })?;
                prop_assert!(!tokens.is_empty(), "{} {}", name, level);
                let token = draw(&mut rng, &vocabulary, &tokens);
                state = constraint.advance(state, token).expect("an allowed token leads on");
                if state == Constraint::ENDED {
                    prop_assert!(allowed(constraint.mask(state)).is_empty());
                    break;
                }
                let bytes = vocabulary.text(token).unwrap_or_default();
                prop_assert!(oracle.advance(bytes));
                output.extend_from_slice(bytes);
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 500, failure_persistence: None, ..ProptestConfig::with_cases(documents::cases(100)) })]

    #[test]
    fn masks_are_the_brute_force_masks(case in case(7, 3)) {
        laws(&case)?;
    }
}
