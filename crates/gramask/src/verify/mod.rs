//! Comparing masks with the oracle.
//!
//! A [`Constraint`] remembers and shares; the [`Oracle`] does neither, and tries every token byte by byte. Both follow the same
//! outputs here, and at every state must agree on whether the output is complete and on whether the next bytes may follow. At a
//! sample of the states they must agree on the whole mask, bit for bit. The oracle's mask takes as long as there are tokens, so
//! that [`Sample`] says how many states. The outputs are of three kinds: the document's gold output ([`Walk::Gold`]), walks drawn
//! at random through the mask ([`Walk::Random`]), and whatever a model wrote ([`Walk::Output`]), right or wrong. Half of the
//! random walks leave the gold output somewhere.
//!
//! ```
//! use gramask::grammar::{Format, Level, Program};
//! use gramask::ner::{Document, Entity, Schema};
//! use gramask::pull::NamedVocabulary;
//! use gramask::verify::{Case, Sample, verify};
//!
//! let mut document = Document::new("d1", "Naloxone reverses clonidine.");
//! document.entities.push(Entity::new("Chemical", 0, 8));
//! let program = Program::compile(&Format::named("inline-xml")?, &Schema::new(["Chemical", "Disease"]))?;
//! let vocabulary = NamedVocabulary::bytes()?;
//! let case = Case { program: &program, document: &document, level: Level::Grounded, vocabulary: &vocabulary };
//! let found = verify(&case, &[], &Sample { states: 4, walks: 2, steps: 20, seed: 1 });
//! assert!(found.tally.masks > 4 && found.tally.differences == 0, "{:?}", found.tally);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod report;
mod walk;

use std::fmt;
use std::sync::Arc;

use gramask_grammar::{Constraint, ConstraintError, Level, Oracle, Program};
use gramask_ner::Document;
use gramask_random::Rng;
use serde::Serialize;

use crate::pull::NamedVocabulary;
use walk::Follower;

pub use report::{Row, to_csv, to_table};

/// What is compared.
#[derive(Clone, Copy)]
pub struct Case<'a> {
    /// Format and schema.
    pub program: &'a Arc<Program>,
    /// The document.
    pub document: &'a Document,
    /// The level.
    pub level: Level,
    /// The tokens.
    pub vocabulary: &'a NamedVocabulary,
}

/// How much is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Whole masks per output or walk, at states drawn at random; `usize::MAX` takes every state.
    pub states: usize,
    /// Random walks per document.
    pub walks: usize,
    /// At most so many tokens per random walk.
    pub steps: usize,
    /// Decides walks and samples, with the case.
    pub seed: u64,
}

/// Which output a state was on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Walk {
    /// The gold output.
    Gold,
    /// A walk through the mask.
    Random,
    /// What a model wrote.
    Output,
}

impl fmt::Display for Walk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Walk::Gold => "the gold output",
            Walk::Random => "a random walk",
            Walk::Output => "a model's output",
        })
    }
}

/// What was compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// Documents that have a constraint.
    pub documents: usize,
    /// Documents that have none in this format, which the oracle confirms.
    pub without: usize,
    /// States at which completeness and the next token were compared.
    pub states: usize,
    /// States of which the whole mask was.
    pub masks: usize,
    /// Tokens in those masks, allowed or not.
    pub tokens: usize,
    /// Differences.
    pub differences: usize,
}

impl std::ops::AddAssign for Tally {
    fn add_assign(&mut self, other: Tally) {
        self.documents += other.documents;
        self.without += other.without;
        self.states += other.states;
        self.masks += other.masks;
        self.tokens += other.tokens;
        self.differences += other.differences;
    }
}

/// A state at which constraint and oracle say different things.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The format.
    pub format: String,
    /// The level.
    pub level: String,
    /// The document.
    pub document: String,
    /// On which output.
    pub walk: Walk,
    /// What was written so far, bytes that are no ASCII as `\x..`.
    pub written: String,
    /// What differs.
    pub what: What,
}

/// What constraint and oracle say differently.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// The masks.
    Mask {
        /// Tokens that only the constraint allows, the first ones.
        only_constraint: Vec<String>,
        /// Tokens that only the oracle allows, the first ones.
        only_oracle: Vec<String>,
    },
    /// The constraint's own mask and its step disagree about a token.
    Step {
        /// The token.
        token: String,
        /// Whether the mask allows it.
        allowed: bool,
    },
    /// Whether the output is complete.
    Complete {
        /// As the constraint says.
        constraint: bool,
    },
    /// Whether these bytes may follow.
    Next {
        /// The bytes.
        bytes: String,
        /// As the constraint says.
        constraint: bool,
    },
    /// The constraint's mask is empty although the output has not ended.
    Empty,
    /// The gold output is refused.
    Gold,
    /// The constraint says that the document has no output, the oracle knows one.
    NoOutput,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Difference { format, level, document, walk, written, .. } = self;
        write!(f, "{format} {level}, document {document}, {walk}, after `{written}`: ")?;
        match &self.what {
            What::Mask { only_constraint, only_oracle } => {
                let list = |tokens: &[String]| {
                    if tokens.is_empty() { "none".into() } else { tokens.join(" ") }
                };
                write!(
                    f,
                    "only the constraint allows {}; only the oracle allows {}",
                    list(only_constraint),
                    list(only_oracle)
                )
            }
            What::Step { token, allowed: true } => write!(f, "{token} is in the mask, but can't follow"),
            What::Step { token, allowed: false } => write!(f, "{token} is not in the mask, but can follow"),
            What::Complete { constraint: true } => write!(f, "complete for the constraint, not for the oracle"),
            What::Complete { constraint: false } => write!(f, "complete for the oracle, not for the constraint"),
            What::Next { bytes, constraint: true } => {
                write!(f, "the constraint goes on with `{bytes}`, the oracle does not")
            }
            What::Next { bytes, constraint: false } => {
                write!(f, "the oracle goes on with `{bytes}`, the constraint does not")
            }
            What::Empty => write!(f, "the mask is empty"),
            What::Gold => write!(f, "the gold output can't go on"),
            What::NoOutput => write!(f, "the constraint knows no output, the oracle does"),
        }
    }
}

/// What was found of a document.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// How much was compared.
    pub tally: Tally,
    /// The differences, at most [`KEPT`] of them.
    pub differences: Vec<Difference>,
}

/// The differences that are kept of each document. The tally counts all.
pub const KEPT: usize = 5;

/// Compares constraint and oracle along a document's gold output, along random walks, and along `outputs`.
pub fn verify(case: &Case<'_>, outputs: &[&str], sample: &Sample) -> Found {
    let program = case.program;
    let format = &program.format().name;
    let mut rng = Rng::for_purpose(sample.seed, &[format, &case.level.to_string(), &case.document.id]);
    let mut follower = match Follower::new(case) {
        Ok(follower) => follower,
        Err(error) => return without(case, &error),
    };
    follower.found.tally.documents = 1;

    // Where the gold output can't be written nothing is lost but this walk: random ones go on from the start.
    let written = program.write(&case.document.text, &case.document.entities);
    let gold = written.map(|written| case.vocabulary.tokens(&written.text)).unwrap_or_default();
    follower.along(Walk::Gold, &gold, sample.states, &mut rng);
    for walk in 0..sample.walks {
        let from = if walk % 2 == 0 { 0 } else { rng.below(gold.len() + 1) };
        follower.random(&gold[..from], sample, &mut rng);
    }
    for output in outputs {
        let tokens = case.vocabulary.tokens(output);
        follower.along(Walk::Output, &tokens, sample.states, &mut rng);
    }
    follower.found
}

/// No constraint: the oracle must know no output, either.
fn without(case: &Case<'_>, error: &ConstraintError) -> Found {
    let mut found = Found::default();
    found.tally.without = 1;
    if matches!(error, ConstraintError::NoOutput { .. }) {
        let vocabulary = Arc::clone(&case.vocabulary.vocabulary);
        let oracle = Oracle::new(Arc::clone(case.program), &case.document.text, case.level, vocabulary);
        if oracle.is_ok_and(|mut oracle| oracle.accepts() || oracle.mask().iter().any(|word| *word != 0)) {
            found.tally.differences = 1;
            found.differences.push(difference(case, Walk::Gold, &[], What::NoOutput));
        }
    }
    found
}

fn difference(case: &Case<'_>, walk: Walk, written: &[u8], what: What) -> Difference {
    Difference {
        format: case.program.format().name.clone(),
        level: case.level.to_string(),
        document: case.document.id.clone(),
        walk,
        written: written.escape_ascii().to_string(),
        what,
    }
}

/// The state at which a sequence has ended is the only one with an empty mask.
const ENDED: gramask_grammar::State = Constraint::ENDED;
