//! A constraint and the oracle, stepped over the same output.

use std::sync::Arc;

use gramask_grammar::{Constraint, ConstraintError, Mask, Oracle, State, tokens_of};
use gramask_random::Rng;

use super::{Case, ENDED, Found, KEPT, Sample, Walk, What, difference};

/// The number of tokens that are stepped over at each state whose mask is compared, to compare steps with masks.
const STEPS: usize = 16;

/// The number of tokens of a difference that are named.
const NAMED: usize = 6;

/// A constraint and the oracle of the same case, in the same state.
pub(super) struct Follower<'a> {
    case: &'a Case<'a>,
    constraint: Constraint,
    oracle: Oracle,
    state: State,
    written: Vec<u8>,
    walk: Walk,
    pub(super) found: Found,
}

impl<'a> Follower<'a> {
    pub(super) fn new(case: &'a Case<'a>) -> Result<Self, ConstraintError> {
        let vocabulary = &case.vocabulary.vocabulary;
        let text = &case.document.text;
        let constraint = Constraint::new(Arc::clone(case.program), text, case.level, Arc::clone(vocabulary))?;
        Ok(Follower {
            case,
            state: constraint.start(),
            constraint,
            oracle: oracle(case)?,
            written: Vec::new(),
            walk: Walk::Gold,
            found: Found::default(),
        })
    }

    /// Both before the first byte. The constraint keeps what it remembers: that is what is tested.
    fn restart(&mut self, walk: Walk) {
        if !self.written.is_empty()
            && let Ok(oracle) = oracle(self.case)
        {
            self.oracle = oracle;
        }
        self.state = self.constraint.start();
        self.written.clear();
        self.walk = walk;
    }

    /// Follows tokens as far as they go, and compares the masks at so many of the states, the last one among the others.
    pub(super) fn along(&mut self, walk: Walk, tokens: &[u32], masks: usize, rng: &mut Rng) {
        self.restart(walk);
        let compared = rng.sample(masks, tokens.len() + 1);
        for (at, compare) in compared.into_iter().enumerate() {
            self.look(compare, rng);
            let Some(&token) = tokens.get(at) else { break };
            let before = self.found.tally.differences;
            if !self.step(token) {
                // After a difference, the two are no longer in the same state.
                if before < self.found.tally.differences {
                    break;
                }
                if walk == Walk::Gold {
                    self.tell(What::Gold);
                }
                // Where a wrong output leaves the language the mask is worth a look.
                if !compare {
                    self.look(true, rng);
                }
                break;
            }
        }
    }

    /// Goes to the end of `from`, then wherever the mask allows.
    pub(super) fn random(&mut self, from: &[u32], sample: &Sample, rng: &mut Rng) {
        self.restart(Walk::Random);
        for &token in from {
            if !self.step(token) {
                return;
            }
        }
        for compare in rng.sample(sample.states, sample.steps) {
            self.look(compare, rng);
            let allowed: Vec<u32> = tokens_of(self.constraint.mask(self.state)).collect();
            if allowed.is_empty() {
                return self.tell(What::Empty);
            }
            let token = self.draw(&allowed, rng);
            if self.case.vocabulary.vocabulary.is_end(token) || !self.step(token) {
                return;
            }
        }
    }

    /// Draws a token: the longest of three more often than their share, so that walks get somewhere, and the end seldom.
    fn draw(&self, allowed: &[u32], rng: &mut Rng) -> u32 {
        let length = |token: u32| self.case.vocabulary.vocabulary.text(token).map_or(0, <[u8]>::len);
        let mut best = allowed[rng.below(allowed.len())];
        for _ in 0..2 {
            let other = allowed[rng.below(allowed.len())];
            if rng.below(3) > 0 && length(other) > length(best) {
                best = other;
            }
        }
        best
    }

    /// Both take a token; `false` where it can't follow.
    fn step(&mut self, token: u32) -> bool {
        let vocabulary = Arc::clone(&self.case.vocabulary.vocabulary);
        let Some(bytes) = vocabulary.text(token) else {
            return false;
        };
        let next = self.constraint.advance(self.state, token);
        let taken = self.oracle.advance(bytes);
        if next.is_some() != taken {
            self.tell(What::Next { bytes: bytes.escape_ascii().to_string(), constraint: next.is_some() });
            // One of them is somewhere else now: this walk is over.
            if taken && let Ok(oracle) = oracle(self.case) {
                self.oracle = oracle;
                self.written.clear();
            }
            return false;
        }
        if let Some(next) = next {
            self.state = next;
            self.written.extend_from_slice(bytes);
        }
        taken
    }

    /// Compares what both say of the state.
    fn look(&mut self, whole_mask: bool, rng: &mut Rng) {
        self.found.tally.states += 1;
        let complete = self.constraint.accepts(self.state);
        if complete != self.oracle.accepts() {
            self.tell(What::Complete { constraint: complete });
        }
        if !whole_mask {
            return;
        }
        let vocabulary = Arc::clone(&self.case.vocabulary.vocabulary);
        let mask = self.constraint.mask(self.state).to_vec();
        let exact = self.oracle.mask();
        self.found.tally.masks += 1;
        self.found.tally.tokens += vocabulary.len();
        if mask.iter().all(|word| *word == 0) && self.state != ENDED {
            self.tell(What::Empty);
        }
        if mask != exact {
            self.tell(What::Mask { only_constraint: self.only(&mask, &exact), only_oracle: self.only(&exact, &mask) });
        }
        for _ in 0..STEPS {
            let token = rng.below(vocabulary.len()) as u32;
            let allowed = Mask::Row(&mask).contains(token);
            if self.constraint.advance(self.state, token).is_some() != allowed {
                let token = self.name(token);
                self.tell(What::Step { token, allowed });
            }
        }
    }

    /// The first tokens that are in one mask and not in the other.
    fn only(&self, a: &[u32], b: &[u32]) -> Vec<String> {
        let only: Vec<u32> = a.iter().zip(b).map(|(a, b)| a & !b).collect();
        tokens_of(&only).take(NAMED).map(|token| self.name(token)).collect()
    }

    fn name(&self, token: u32) -> String {
        match self.case.vocabulary.vocabulary.token(token) {
            Some(known) => format!("{token} `{}`", known.bytes.escape_ascii()),
            None => token.to_string(),
        }
    }

    fn tell(&mut self, what: What) {
        self.found.tally.differences += 1;
        if self.found.differences.len() < KEPT {
            let difference = difference(self.case, self.walk, &self.written, what);
            self.found.differences.push(difference);
        }
    }
}

fn oracle(case: &Case<'_>) -> Result<Oracle, ConstraintError> {
    let vocabulary = Arc::clone(&case.vocabulary.vocabulary);
    Oracle::new(Arc::clone(case.program), &case.document.text, case.level, vocabulary)
}

#[cfg(test)]
mod tests {
    use super::super::Difference;
    use super::*;
    use crate::pull::NamedVocabulary;
    use gramask_grammar::{Format, Level, Program};
    use gramask_ner::{Document, Entity, Schema};

    /// A constraint beside the oracle of another document: whatever differs between the two must be told.
    fn against(other: &str, masks: usize) -> Found {
        let program = Program::compile(&Format::named("json-list").unwrap(), &Schema::new(["Chemical"])).unwrap();
        let vocabulary = NamedVocabulary::bytes().unwrap();
        let entities = vec![Entity::new("Chemical", 0, 3)];
        let case = |document| Case { program: &program, document, level: Level::Grounded, vocabulary: &vocabulary };
        let (document, other) = (Document::new("d", "IL2 x"), Document::new("o", other));
        let document = document.with_entities(entities);
        let (case, other) = (case(&document), case(&other));
        let mut follower = Follower::new(&case).unwrap();
        follower.oracle = oracle(&other).unwrap();
        let written = program.write(&document.text, &document.entities).unwrap();
        let gold = vocabulary.tokens(&written.text);
        follower.along(Walk::Gold, &gold, masks, &mut Rng::new(0));
        follower.found
    }

    #[test]
    fn differences_are_told() {
        let same = against("IL2 x", usize::MAX);
        assert_eq!(same.tally.differences, 0, "{:?}", same.differences);
        assert_eq!(same.tally.masks, same.tally.states);

        // The mask shows it before the token does.
        let masks = against("IL2 y", usize::MAX);
        let Difference { written, what, .. } = &masks.differences[0];
        let What::Mask { only_constraint, only_oracle } = what else { panic!("{what:?}") };
        assert_eq!(written, r#"[{\"text\":\""#);
        assert_eq!(
            (only_constraint.as_slice(), only_oracle.as_slice()),
            (&["120 `x`".into()][..], &["121 `y`".into()][..])
        );
        let shown = masks.differences[0].to_string();
        assert!(
            shown.contains("document d, the gold output") && shown.contains("only the oracle allows 121 `y`"),
            "{shown}"
        );

        // Without masks the next token that only one of them takes.
        let steps = against("CD4 x", 0);
        let next = What::Next { bytes: "I".into(), constraint: true };
        assert_eq!((steps.tally.differences, &steps.differences[0].what), (1, &next));
        assert_eq!(steps.tally.masks, 0);
    }
}
