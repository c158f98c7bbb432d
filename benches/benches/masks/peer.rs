//! What an engine must be able to do to be timed, and the timing.

use std::time::Instant;

use gramask_grammar::{Plain, Vocabulary};
use serde_json::{Value, json};

use crate::stats::{Times, micros};

/// An engine with the vocabulary in its own form.
pub trait Engine {
    /// Gets ready for a format, of whose free text this regular expression matches a character.
    fn prepare(&mut self, _free: &str) -> Result<(), String> {
        Ok(())
    }

    /// A document's language in the notation that the engine takes, if it has one that can say it.
    fn print(&self, plain: &Plain) -> Result<String, String>;

    /// Compiles a language.
    fn compile(&self, grammar: &str) -> Result<Box<dyn Walker>, String>;
}

/// An engine at some place in an output.
pub trait Walker {
    /// Back to the beginning; what was remembered may be kept.
    fn reset(&mut self);
    /// Works out the mask, in the form that the engine gives it to its caller.
    fn mask(&mut self) -> Result<(), String>;
    /// Writes the mask that was worked out last into a row of bits.
    fn row(&self, row: &mut [u32]);
    /// Takes a token; `false` where it refuses.
    fn advance(&mut self, token: u32) -> bool;
}

/// Tokens of an output, and our masks before each.
pub struct Walk {
    pub tokens: Vec<u32>,
    pub masks: Vec<Vec<u32>>,
}

/// A byte that documents don't hold, and that stands for the end of an output in an engine without end tokens.
pub const END: u8 = 3;

/// So long a walk may take, in seconds, before the rest of it is left out.
const PATIENCE: f64 = 4.0;

/// What was measured of an engine.
pub struct Measured {
    pub compile: Times,
    pub cold: Times,
    pub warm: Times,
    pub advance: Times,
    /// States whose mask was compared, and those where it differs from ours.
    pub states: usize,
    pub different: usize,
    /// What was found of the first difference, and what else is to be said.
    pub notes: Vec<String>,
}

impl Measured {
    pub fn new(overhead: f64) -> Measured {
        let times = Times::new(overhead);
        Measured {
            compile: times.clone(),
            cold: times.clone(),
            warm: times.clone(),
            advance: times,
            states: 0,
            different: 0,
            notes: Vec::new(),
        }
    }

    pub fn to_json(&self) -> Value {
        json!({
            "compile": self.compile.summary(), "cold": self.cold.summary(), "warm": self.warm.summary(),
            "advance": self.advance.summary(), "documents": self.compile.len(), "states": self.states,
            "different": self.different, "notes": self.notes,
        })
    }

    pub fn note(&mut self, note: String) {
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }

    /// Compiles a language and walks along an output twice.
    pub fn measure(
        &mut self,
        engine: &dyn Engine,
        grammar: &str,
        walk: &Walk,
        vocabulary: &Vocabulary,
        alive: impl Fn(),
    ) -> Result<(), String> {
        let compiled = self.compile.time(|| engine.compile(grammar));
        let mut walker = compiled?;
        alive();
        let taken = self.walk(&mut *walker, walk, Some(vocabulary))?;
        alive();
        walker.reset();
        let again = Walk { tokens: walk.tokens[..taken].to_vec(), masks: Vec::new() };
        self.walk(&mut *walker, &again, None)?;
        Ok(())
    }

    /// Walks as far as the engine and the time allow; the first time masks are compared and times are those of first visits.
    fn walk(&mut self, walker: &mut dyn Walker, walk: &Walk, compare: Option<&Vocabulary>) -> Result<usize, String> {
        let mut row = vec![0u32; walk.masks.first().map_or(0, Vec::len)];
        let begin = Instant::now();
        for (at, &token) in walk.tokens.iter().enumerate() {
            let times = if compare.is_some() { &mut self.cold } else { &mut self.warm };
            times.time(|| walker.mask())?;
            if let (Some(vocabulary), Some(ours)) = (compare, walk.masks.get(at)) {
                row.fill(0);
                walker.row(&mut row);
                self.compare(&row, ours, vocabulary);
            }
            if vocabulary_ends(compare, token) || at + 1 == walk.tokens.len() {
                break;
            }
            if !self.advance.time(|| walker.advance(token)) {
                self.note("refuses the gold output".into());
                return Ok(at + 1);
            }
            if micros(begin.elapsed()) > PATIENCE * 1e6 {
                self.note(format!("walks of more than {PATIENCE} s are cut off"));
                return Ok(at + 1);
            }
        }
        Ok(walk.tokens.len())
    }

    fn compare(&mut self, theirs: &[u32], ours: &[u32], vocabulary: &Vocabulary) {
        self.states += 1;
        // Engines know one end token or several: what counts is whether the output may end.
        let ends = |mask: &[u32]| vocabulary.ends().iter().any(|&end| bit(mask, end));
        let differs = |&id: &u32| asked(vocabulary, id) && bit(theirs, id) != bit(ours, id);
        let first = (0..vocabulary.len() as u32).find(differs);
        if first.is_none() && ends(theirs) == ends(ours) {
            return;
        }
        self.different += 1;
        if self.different > 1 {
            return;
        }
        let count = (0..vocabulary.len() as u32).filter(differs).count();
        let note = match first {
            Some(id) => {
                let bytes = vocabulary.text(id).unwrap_or_default().escape_ascii();
                let which = if bit(theirs, id) { "allows" } else { "lacks" };
                format!("first difference: {count} tokens, {which} `{bytes}`")
            }
            None => format!("first difference: {} end", if ends(theirs) { "allows the" } else { "lacks the" }),
        };
        self.note(note);
    }
}

fn vocabulary_ends(vocabulary: Option<&Vocabulary>, token: u32) -> bool {
    vocabulary.is_some_and(|vocabulary| vocabulary.is_end(token))
}

/// Whether every engine can be asked for a token: not for what begins with the byte that stands for the end in one of them.
fn asked(vocabulary: &Vocabulary, id: u32) -> bool {
    vocabulary.text(id).is_some_and(|text| text.first() != Some(&END))
}

fn bit(mask: &[u32], id: u32) -> bool {
    mask.get(id as usize / 32).is_some_and(|word| word >> (id % 32) & 1 == 1)
}
