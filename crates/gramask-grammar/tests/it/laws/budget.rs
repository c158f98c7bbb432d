//! Law 5: a budget that suffices at the start suffices, whatever is chosen within it.

use std::sync::Arc;

use gramask_grammar::{Constraint, Level};
use gramask_random::Rng;
use proptest::prelude::*;

use super::documents::{self, Case, case};
use crate::support::formats;
use crate::support::walk::{allowed, vocabulary};

fn laws(case: &Case) -> Result<(), TestCaseError> {
    let mut rng = Rng::new(case.seed);
    for name in formats::names() {
        let program = formats::program(name, case.labels);
        let written = program.write(&case.text, &case.entities).map(|written| written.text).unwrap_or_default();
        for level in [Level::Syntax, Level::Grounded] {
            let vocabulary = vocabulary(&mut rng, &[written.as_bytes(), case.text.as_str().as_bytes()], 30);
            let new = Constraint::new(Arc::clone(&program), &case.text, level, Arc::clone(&vocabulary));
            let Ok(mut constraint) = new else { continue };
            let mut state = constraint.start();
            let needed = constraint.tokens_to_finish(state);
            if needed > 1 {
                prop_assert!(
                    allowed(constraint.mask_within(state, needed - 1)).len() <= allowed(constraint.mask(state)).len()
                );
            }
            let budget = needed + rng.below(12);
            // Always the token that leaves most to write, or any.
            let adverse = rng.below(2) == 0;
            let mut remaining = budget;
            while state != Constraint::ENDED {
                prop_assert!(remaining > 0, "{} {}: {} tokens were not enough", name, level, budget);
                let left = constraint.tokens_to_finish(state);
                prop_assert!(left <= remaining, "{} {}: {} are needed and {} are left", name, level, left, remaining);
                let tokens = allowed(constraint.mask_within(state, remaining));
                prop_assert!(!tokens.is_empty(), "{} {}: nothing may follow with {} left", name, level, remaining);
                let mask = constraint.mask(state).to_vec();
                prop_assert!(tokens.iter().all(|id| mask[*id as usize / 32] >> (id % 32) & 1 == 1));
                let mut token = *rng.pick(&tokens);
                if adverse {
                    for _ in 0..4 {
                        let other = *rng.pick(&tokens);
                        let mut left = |id| {
                            constraint.advance(state, id).map_or(0, |next| {
                                if next == Constraint::ENDED { 0 } else { constraint.tokens_to_finish(next) }
                            })
                        };
                        if left(other) > left(token) {
                            token = other;
                        }
                    }
                }
                state = constraint.advance(state, token).expect("an allowed token leads on");
                remaining -= 1;
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 500, failure_persistence: None, ..ProptestConfig::with_cases(documents::cases(60)) })]

    #[test]
    fn a_budget_that_suffices_suffices(case in case(10, 4)) {
        laws(&case)?;
    }
}
