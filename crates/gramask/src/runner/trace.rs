//! Making traces: what is known of each token of an output.

use gramask_decode::{ByteConstraint, Output, TokenRecord};
use gramask_grammar::Vocabulary;

use crate::store::{TraceToken, WantedToken};

/// The tokens of all passes of a document, one pass after the other.
pub fn trace(outputs: &[Output], vocabulary: &Vocabulary) -> Vec<TraceToken> {
    let passes = outputs.iter().enumerate();
    let tokens = passes.flat_map(|(pass, output)| output.tokens.iter().map(move |record| (pass, record)));
    tokens.map(|(pass, record)| token(pass, record, vocabulary)).collect()
}

/// Adds to each token of a pass how many tokens the constraint allowed at its step, and which text it forced there. The first `free`
/// tokens precede the constrained answer.
///
/// The constraint is stepped over the finished output, so that a trace does not slow decoding down.
pub(super) fn follow<C: ByteConstraint>(tokens: &mut [TraceToken], pass: usize, free: usize, constraint: &mut C) {
    let mut state = constraint.start();
    for token in tokens.iter_mut().filter(|token| token.pass == pass).skip(free) {
        let mask = constraint.mask(state);
        token.allowed = Some(mask.iter().map(|word| word.count_ones() as usize).sum());
        let (bytes, _) = constraint.forced(state);
        token.forced_text = (!bytes.is_empty()).then(|| String::from_utf8_lossy(&bytes).into_owned());
        match constraint.advance(state, token.token) {
            Some(next) => state = next,
            None => return,
        }
    }
}

fn token(pass: usize, record: &TokenRecord, vocabulary: &Vocabulary) -> TraceToken {
    let (scores, mask) = (record.scores, record.mask());
    let text = |token| String::from_utf8_lossy(vocabulary.bytes(token)).into_owned();
    TraceToken {
        pass,
        token: record.token,
        text: text(record.token),
        chosen: record.chosen,
        log_probability: scores.map(|scores| scores.log_probability),
        // Adding 0 turns -0 into 0.
        removed: record.removed_mass().map(|removed| removed + 0.0),
        removed_by_budget: mask.map(|mask| mask.removed_by_budget()).filter(|&removed| removed > 0.0),
        entropy: scores.map(|scores| scores.entropy),
        entropy_after: mask.map(|mask| mask.entropy),
        rank: scores.map(|scores| scores.rank),
        changed_best: mask.map(|mask| mask.changed_best),
        wanted: mask.and_then(|mask| mask.wanted).map(|wanted| WantedToken {
            token: wanted.token,
            text: text(wanted.token),
            log_probability: wanted.log_probability,
            by_budget: mask.is_some_and(|mask| mask.changed_best_by_budget()),
        }),
        allowed: None,
        forced_text: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gramask_decode::Chosen;
    use gramask_decode::mock::{END, MockConstraint, byte_vocabulary};
    use gramask_decode::{BudgetScores, MaskScores, Scores, Wanted};

    #[test]
    fn what_is_not_known_is_null() {
        let vocabulary = byte_vocabulary(&["xyz"]);
        let mut record = TokenRecord::unscored(258, Chosen::Forced);
        let line = serde_json::to_string(&token(0, &record, &vocabulary)).unwrap();
        assert_eq!(
            line,
            r#"{"token":258,"text":"xyz","chosen":"forced","log_probability":null,"removed":null,"entropy":null,"entropy_after":null,"rank":null,"changed_best":null}"#
        );
        record.chosen = Chosen::Sampled;
        record.scores = Some(Scores {
            log_probability: -1.5,
            entropy: 2.0,
            rank: 3,
            mask: Some(MaskScores {
                kept_log_mass: 0.25f64.ln(),
                entropy: 1.0,
                changed_best: true,
                wanted: Some(Wanted { token: 258, log_probability: -0.5 }),
                budget: None,
            }),
        });
        let known = token(1, &record, &vocabulary);
        assert_eq!(known.removed_by_budget, None);
        assert_eq!((known.log_probability, known.rank), (Some(-1.5), Some(3)));
        assert!((known.removed.unwrap() - 0.75).abs() < 1e-12);
        assert_eq!((known.entropy, known.entropy_after), (Some(2.0), Some(1.0)));
        assert_eq!(known.changed_best, Some(true));
        let wanted = known.wanted.clone().unwrap();
        assert_eq!((wanted.text.as_str(), wanted.log_probability), ("xyz", -0.5));
        let line = serde_json::to_string(&known).unwrap();
        assert!(line.starts_with("{\"pass\":1,"), "{line}");
        assert_eq!(serde_json::from_str::<TraceToken>(&line).unwrap(), known);
        assert!(!line.contains("by_budget"), "{line}");

        // The grammar would have left 3/4, with the token that the model wanted.
        let mask = record.scores.as_mut().unwrap().mask.as_mut().unwrap();
        mask.budget = Some(BudgetScores { grammar_log_mass: 0.75f64.ln(), changed_best: true, squeezed: true });
        let squeezed = token(1, &record, &vocabulary);
        assert!((squeezed.removed_by_budget.unwrap() - 0.5).abs() < 1e-12);
        assert!((squeezed.removed.unwrap() - 0.75).abs() < 1e-12);
        assert!(squeezed.wanted.unwrap().by_budget);
        assert_eq!(token(0, &TokenRecord::unscored(END, Chosen::Forced), &vocabulary).text, "<end>");
    }

    #[test]
    fn a_constraint_says_what_it_forced_and_how_much_it_allowed() {
        let vocabulary = byte_vocabulary(&[]);
        let records = b"-a]".iter().map(|&byte| TokenRecord::unscored(byte.into(), Chosen::Sampled));
        let mut tokens: Vec<TraceToken> = records.map(|record| token(1, &record, &vocabulary)).collect();
        let mut constraint = MockConstraint::new(vocabulary.clone(), &["a]", "b!"]);
        follow(&mut tokens, 0, 0, &mut constraint);
        assert!(tokens.iter().all(|token| token.allowed.is_none()), "another pass");
        follow(&mut tokens, 1, 1, &mut constraint);
        let known: Vec<_> = tokens.iter().map(|t| (t.allowed, t.forced_text.as_deref())).collect();
        assert_eq!(known, [(None, None), (Some(2), None), (Some(1), Some("]"))]);
    }
}
