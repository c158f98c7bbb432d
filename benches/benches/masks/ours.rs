//! The engine of this project, on the same walks as the others and on the whole of a corpus.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use gramask_grammar::{Constraint, ConstraintError, Format, Level, Mask, Program, State, Vocabulary};
use gramask_ner::{Schema, Text};
use serde_json::{Value, json};

use crate::peer::Walk;
use crate::stats::{Times, micros};
use crate::texts;

/// So often a warm walk is repeated for the mean, so that the clock's own time does not count.
const AGAIN: usize = 50;

/// What was measured of the engine on some walks.
pub struct Ours {
    compile: Times,
    cold: Times,
    /// The same, of lists and of bit rows.
    sparse: Times,
    dense: Times,
    borrowed: Times,
    copied: Times,
    advance: Times,
    /// Time and masks of warm walks without a look at the clock in between.
    borrowed_all: (f64, usize),
    copied_all: (f64, usize),
    states: usize,
}

impl Ours {
    pub fn new(overhead: f64) -> Ours {
        let times = Times::new(overhead);
        Ours {
            compile: times.clone(),
            cold: times.clone(),
            sparse: times.clone(),
            dense: times.clone(),
            borrowed: times.clone(),
            copied: times.clone(),
            advance: times,
            borrowed_all: (0.0, 0),
            copied_all: (0.0, 0),
            states: 0,
        }
    }

    /// Walks along an output twice, and keeps the masks for the comparison with the others'.
    pub fn walk(
        &mut self,
        program: &Arc<Program>,
        text: &Text,
        level: Level,
        vocabulary: &Arc<Vocabulary>,
        tokens: &[u32],
    ) -> Result<Walk, ConstraintError> {
        let new = || Constraint::new(Arc::clone(program), text, level, Arc::clone(vocabulary));
        let mut constraint = self.compile.time(new)?;
        let mut masks = Vec::new();
        let states = self.cold(&mut constraint, tokens, |mask| masks.push(mask.to_vec()));
        let mut row = vec![0u32; vocabulary.words()];
        for &state in &states {
            self.borrowed.time(|| matches!(black_box(constraint.allowed(state)), Mask::Few(_)));
        }
        for &state in &states {
            self.copied.time(|| constraint.copy_mask(state, &mut row));
        }
        let begin = Instant::now();
        for &state in states.iter().cycle().take(AGAIN * states.len()) {
            black_box(constraint.allowed(black_box(state)));
        }
        self.borrowed_all.0 += micros(begin.elapsed());
        let begin = Instant::now();
        for &state in states.iter().cycle().take(AGAIN * states.len()) {
            constraint.copy_mask(black_box(state), &mut row);
            black_box(&mut row);
        }
        self.copied_all.0 += micros(begin.elapsed());
        self.borrowed_all.1 += AGAIN * states.len();
        self.copied_all.1 += AGAIN * states.len();
        for (&state, &token) in states.iter().zip(tokens) {
            self.advance.time(|| constraint.advance(state, token));
        }
        self.states += states.len();
        Ok(Walk { tokens: tokens[..states.len()].to_vec(), masks })
    }

    /// The first walk: the states on the way, each met for the first time.
    fn cold(&mut self, constraint: &mut Constraint, tokens: &[u32], mut keep: impl FnMut(&[u32])) -> Vec<State> {
        let mut states = Vec::new();
        let mut state = constraint.start();
        for &token in tokens {
            let few = self.cold.time(|| matches!(black_box(constraint.allowed(state)), Mask::Few(_)));
            // A first visit of a state whose mask is dense costs more than one of a sparse one.
            let times = if few { &mut self.sparse } else { &mut self.dense };
            times.push(self.cold.last());
            keep(constraint.mask(state));
            states.push(state);
            match constraint.advance(state, token) {
                Some(next) if next != Constraint::ENDED => state = next,
                _ => break,
            }
        }
        states
    }

    pub fn to_json(&self) -> Value {
        let mean = |(time, masks): (f64, usize)| (masks > 0).then(|| time / masks as f64);
        let with_mean = |times: &Times, all| {
            let mut summary = times.summary();
            summary["mean"] = json!(mean(all));
            summary
        };
        json!({
            "compile": self.compile.summary(), "cold": self.cold.summary(),
            "sparse": self.sparse.summary(), "dense": self.dense.summary(),
            "warm": with_mean(&self.borrowed, self.borrowed_all), "copied": with_mean(&self.copied, self.copied_all),
            "advance": self.advance.summary(), "documents": self.compile.len(), "states": self.states,
            "different": 0, "notes": [],
        })
    }
}

/// How long a format takes to compile, and a document's constraint, by the document's length; milliseconds.
pub fn compile_times(format: &Format, schema: &Schema, vocabulary: &Arc<Vocabulary>, overhead: f64) -> Value {
    let program = texts::program(format, schema);
    let schema = program.schema();
    let mut compile = Times::new(overhead);
    for _ in 0..20 {
        // The file is read anew each time: what is timed is all that a format needs.
        let _ = compile.time(|| {
            let format = Format::parse(format.name.as_str(), format.source.as_str());
            format.map(|format| Program::compile(&format, schema).map(drop))
        });
    }
    let mut documents = serde_json::Map::new();
    for (name, text) in texts::lengths() {
        let mut levels = serde_json::Map::new();
        for level in [Level::Syntax, Level::Grounded] {
            let mut times = Times::new(overhead);
            let begin = Instant::now();
            while times.len() < 10 && micros(begin.elapsed()) < 1e6 {
                let made = times.time(|| Constraint::new(Arc::clone(&program), &text, level, Arc::clone(vocabulary)));
                if made.is_err() {
                    times = Times::new(overhead);
                    break;
                }
            }
            levels.insert(level.to_string(), times.summary()["p50"].clone());
        }
        documents.insert(name.into(), Value::Object(levels));
    }
    json!({ "format": format.name, "compile": compile.summary()["p50"], "documents": documents })
}
