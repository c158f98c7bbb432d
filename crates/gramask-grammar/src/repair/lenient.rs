//! An output read at increasing leniency, so that it can be told at which it begins to be right.
//!
//! [`Program::repair`] forgives all that it can at once. Here the same is done in steps: at `parse` an output that is not of its
//! format is read as far as can be, with text and numbers held to what they say, as the strict reader holds them; at `copy`
//! text that is not the document's stands for the document's nearest; at `count` numbers are hints, as in a repair.

use std::sync::Arc;

use gramask_ner::{Entity, Text};

use super::{Edits, LONGEST};
use crate::program::Program;
use crate::read::Problem;

/// What is forgiven.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leniency {
    /// Syntax, and labels in other dress.
    Parse,
    /// And text that is not the document's.
    Copy,
    /// And numbers that are wrong: all that a repair forgives.
    Count,
}

/// What an output says at one leniency.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lenient {
    /// The entities.
    pub entities: Vec<Entity>,
    /// Further entities that it says, which have no place in the document or no label of the schema. What is not whole, and
    /// what is said twice, is not among them.
    pub strays: usize,
}

/// What an output says at each leniency.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LenientReadings {
    /// As far as it can be read; text and numbers mean what they say.
    pub parse: Lenient,
    /// And text means the document's text that it is nearest to.
    pub copy: Lenient,
    /// And numbers are hints. The same entities as those of [`Program::repair`], where the format can write them all.
    pub count: Lenient,
}

impl Program {
    /// Reads any output about `text` at increasing leniency. What the strict reader reads without a problem is the same at
    /// each; what is of the format with labels of the schema is at `parse` as the strict reader has it.
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
