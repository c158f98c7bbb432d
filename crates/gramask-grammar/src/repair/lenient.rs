//! Reads an output at increasing leniency, to find out which kind of fault it has.
//!
//! [`Program::repair`] forgives everything at once. Here it is done in steps. At `parse` an output that is not of its format
//! is read as far as possible, and text and numbers count as written. At `copy` a text that is not in the document stands for
//! the most similar one. At `count` numbers are hints, as in a repair.

use std::sync::Arc;

use gramask_ner::{Entity, Text};

use super::{Edits, LONGEST};
use crate::program::Program;
use crate::read::Problem;

/// Which faults are forgiven.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leniency {
    /// Syntax, and labels in other forms.
    Parse,
    /// Also text that is not in the document.
    Copy,
    /// Also wrong numbers, which is everything that a repair forgives.
    Count,
}

/// The entities of an output at one leniency.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lenient {
    /// The entities.
    pub entities: Vec<Entity>,
    /// The number of further mentions that have no place in the document or no label of the schema. Incomplete and repeated
    /// mentions don't count.
    pub strays: usize,
}

/// The entities of an output at each leniency.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LenientReadings {
    /// Faults of syntax are forgiven. Text and numbers count as written.
    pub parse: Lenient,
    /// A text also stands for the most similar text of the document.
    pub copy: Lenient,
    /// Numbers are also taken as hints. These are the entities of [`Program::repair`], if the format can write them all.
    pub count: Lenient,
}

impl Program {
    /// Reads any output about `text` at increasing leniency. An output that reads without a problem gives the same entities at
    /// each. An output of the format with labels of the schema gives the strict reader's entities at `parse`.
    ///
    /// ```
    /// use gramask_grammar::{Format, Program};
    /// use gramask_ner::{Entity, Schema, Text};
    ///
    /// let program = Program::compile(&Format::named("json-offsets")?, &Schema::new(["Chemical"]))?;
    /// let text = Text::new("Naloxone reverses clonidine");
    /// // It is cut off, the first mention is miscopied, and the second's offsets are wrong.
    /// let output = r#"[{"text":"Naloxon","start":0,"end":8,"label":"Chemical"},
    ///     {"text":"clonidine","start":17,"end":26,"label":"Chemical"},"#;
    /// let read = program.read_leniently(&text, output.as_bytes());
    /// let (first, second) = (Entity::new("Chemical", 0, 8), Entity::new("Chemical", 18, 27));
    /// assert_eq!((read.parse.entities.len(), read.parse.strays), (0, 2));
    /// assert_eq!((&read.copy.entities[..], read.copy.strays), (&[first.clone()][..], 1));
    /// assert_eq!((&read.count.entities[..], read.count.strays), (&[first, second][..], 0));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn read_leniently(self: &Arc<Self>, text: &Text, output: &[u8]) -> LenientReadings {
        let same = |entities: Vec<Entity>| {
            let lenient = Lenient { entities, strays: 0 };
            LenientReadings { parse: lenient.clone(), copy: lenient.clone(), count: lenient }
        };
        if self.grammar.is_some() {
            return same(Vec::new());
        }
        let strict = self.read_strictly(text, output);
        if let Some((entities, true)) = strict.as_ref().map(|(lenient, clean)| (&lenient.entities, *clean)) {
            return same(entities.clone());
        }
        let whole = String::from_utf8_lossy(&output[..output.len().min(LONGEST)]);
        let answer = self.answer(text, &whole);
        if answer.len() < whole.len()
            && let Some(entities) = self.unchanged(text, answer)
        {
            return same(entities);
        }
        let mut edits = Edits::default();
        let Some(collected) = self.collect(text, answer.as_bytes(), &mut edits) else {
            return LenientReadings::default();
        };
        let mut at = |leniency| self.place(text, &collected, leniency, &mut edits);
        LenientReadings {
            parse: strict.map_or_else(|| at(Leniency::Parse), |(lenient, _)| lenient),
            copy: at(Leniency::Copy),
            count: at(Leniency::Count),
        }
    }

    /// An output that is of the format with labels of the schema, and whether it is true of the document throughout.
    fn read_strictly(self: &Arc<Self>, text: &Text, output: &[u8]) -> Option<(Lenient, bool)> {
        let whole = std::str::from_utf8(output).is_ok() && self.admitted(output) == output.len();
        let reading = whole.then(|| self.read(text, output))?.ok()?;
        let stray = |problem: &&Problem| match problem {
            Problem::NotInDocument { .. } | Problem::Disagree { .. } | Problem::UnknownLabel { .. } => true,
            // As where outputs are scored: a failed copy says nothing, and what is said twice is said.
            Problem::CopyFailed { .. } | Problem::Duplicate { .. } => false,
        };
        let strays = reading.problems.iter().filter(stray).count();
        let clean = reading.problems.is_empty();
        let entities = reading.entities;
        Some((Lenient { entities, strays }, clean))
    }
}
