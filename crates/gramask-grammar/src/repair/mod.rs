//! The strategy `repair`: mends an output that was written without a mask.
//!
//! A fair comparison gives plain decoding everything that can be had afterwards. [`Program::repair`] takes any bytes. An
//! output that reads without a problem is returned as it is. Any other output goes through five steps:
//!
//! 1. `strip` removes what chat models put around an answer: code fences, thoughts, names of special tokens;
//! 2. `search` finds the cheapest way to read the rest as an output of the format, with the prices of `costs`, labels of
//!    `label` and escapes of `unit`;
//! 3. `collect` collects the mentions, without those that the end of the output cuts;
//! 4. `mentions` and `distance` place mentions that are not in the document, and `copy` aligns copies of the document;
//! 5. the writer writes the entities again, so that the result is an output like any other.
//!
//! Nothing here knows a format, so that new format files are repaired too. `docs/repair.md` says what is mended and what is
//! not.

mod collect;
mod copy;
mod costs;
mod distance;
mod label;
mod lenient;
mod mentions;
mod search;
mod strip;
mod unit;

pub use lenient::{Lenient, LenientReadings};

use std::sync::Arc;

use collect::Collected;
use gramask_ner::{Entity, Fragment, Text};
use lenient::Leniency;
use rustc_hash::FxHashSet;

use crate::Level;
use crate::automaton::{Automaton, Limits};
use crate::program::Program;
use crate::source::Source;

/// Outputs are read up to this many bytes.
const LONGEST: usize = 1 << 15;

/// An output that was mended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Repaired {
    /// An output that the strict reader reads as [`Repaired::entities`], without a problem. It is empty, without an entity, if
    /// the document has no output in the format.
    pub text: String,
    /// The entities of the output, in its order.
    pub entities: Vec<Entity>,
    /// What was mended.
    pub edits: Edits,
}

/// What was mended, counted by kind. All counts are zero if the output was returned as it was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Edits {
    /// Literals that were completed or inserted at the end of the output.
    pub closed: usize,
    /// Bytes of literals that were inserted elsewhere.
    pub inserted: usize,
    /// Bytes that were left out, without white space between characters of the format.
    pub dropped: usize,
    /// Characters that were replaced: single quotes for double ones, other escapes or none.
    pub substituted: usize,
    /// Labels that were mended or inserted.
    pub relabelled: usize,
    /// Mentions that were placed elsewhere than the output said.
    pub realigned: usize,
    /// Entities of a copy that differs from the document, moved to the document's words.
    pub carried: usize,
    /// Entities that were dropped.
    pub lost: usize,
    /// Whether the output was written again and differs in any way, white space and order included.
    pub rewritten: bool,
}

impl Edits {
    /// The sum of all counts.
    pub fn total(&self) -> usize {
        self.closed
            + self.inserted
            + self.dropped
            + self.substituted
            + self.relabelled
            + self.realigned
            + self.carried
            + self.lost
    }

    /// The counts and their names, for tables.
    pub fn by_kind(&self) -> [(&'static str, usize); 8] {
        [
            ("closed", self.closed),
            ("inserted", self.inserted),
            ("dropped", self.dropped),
            ("substituted", self.substituted),
            ("relabelled", self.relabelled),
            ("realigned", self.realigned),
            ("carried", self.carried),
            ("lost", self.lost),
        ]
    }
}

impl Program {
    /// Mends any output about `text`. It never fails. In the worst case the result has no entity.
    ///
    /// The time is bounded: some milliseconds for a kilobyte, and bytes beyond 32 KB are left out.
    ///
    /// ```
    /// use gramask_grammar::{Format, Program};
    /// use gramask_ner::{Entity, Schema, Text};
    ///
    /// let program = Program::compile(&Format::named("json-list")?, &Schema::new(["Chemical", "Disease"]))?;
    /// let text = Text::new("Naloxone reverses clonidine");
    /// let output = "Here you are: [{'text': 'naloxone', 'label': 'chemical'}, {'text': 'cloni";
    /// let repaired = program.repair(&text, output.as_bytes());
    /// assert_eq!(repaired.text, r#"[{"text":"Naloxone","label":"Chemical"}]"#);
    /// assert_eq!(repaired.entities, [Entity::new("Chemical", 0, 8)]);
    /// assert_eq!((repaired.edits.realigned, repaired.edits.relabelled), (1, 1));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn repair(self: &Arc<Self>, text: &Text, output: &[u8]) -> Repaired {
        if self.grammar.is_some() {
            let text = String::from_utf8_lossy(output).into_owned();
            return Repaired { text, entities: Vec::new(), edits: Edits::default() };
        }
        if let Ok(output) = std::str::from_utf8(output)
            && let Some(entities) = self.unchanged(text, output)
        {
            return Repaired { text: output.to_owned(), entities, edits: Edits::default() };
        }
        let mut edits = Edits { rewritten: true, dropped: output.len().saturating_sub(LONGEST), ..Edits::default() };
        let whole = String::from_utf8_lossy(&output[..output.len().min(LONGEST)]);
        let answer = self.answer(text, &whole);
        edits.dropped += whole.len() - answer.len();
        if answer.len() < whole.len()
            && let Some(entities) = self.unchanged(text, answer)
        {
            return Repaired { text: answer.to_owned(), entities, edits };
        }
        let entities = self.mend(text, answer.as_bytes(), &mut edits);
        self.anew(text, &entities, edits)
    }

    /// The entities of an output that is read without a problem.
    fn unchanged(self: &Arc<Self>, text: &Text, output: &str) -> Option<Vec<Entity>> {
        let whole = self.admitted(output.as_bytes()) == output.len();
        let reading = whole.then(|| self.read(text, output.as_bytes()))?.ok()?;
        reading.problems.is_empty().then_some(reading.entities)
    }

    /// An output without what stands around the answer.
    fn answer<'a>(self: &Arc<Self>, text: &Text, whole: &'a str) -> &'a str {
        let answer = strip::answer(whole, text.as_str());
        // What stands after a complete output is no part of it.
        match self.admitted(answer.as_bytes()) {
            0 => answer,
            admitted => answer.get(..admitted).unwrap_or(answer),
        }
    }

    /// How many bytes of an output are of the format with labels of the schema. That is all of it, or a beginning that nothing
    /// can follow, or 0. (The reader would try other labels too. In formats that nest, that can take unbounded time.)
    fn admitted(self: &Arc<Self>, output: &[u8]) -> usize {
        let mut automaton = Automaton::new(Arc::clone(self), Arc::new(Source::none()), Level::Syntax, Limits::NONE);
        let (mut threads, mut next) = (automaton.start(), Vec::new());
        let mut seen = FxHashSet::default();
        for (at, &byte) in output.iter().enumerate() {
            seen.clear();
            for thread in &threads {
                automaton.step(*thread, byte, &mut next);
            }
            next.retain(|thread| seen.insert(*thread));
            if next.is_empty() {
                let complete = threads.iter().all(|thread| automaton.accepts(thread));
                return if complete { at } else { 0 };
            }
            std::mem::swap(&mut threads, &mut next);
            next.clear();
        }
        let complete = threads.iter().any(|thread| automaton.accepts(thread));
        if complete { output.len() } else { 0 }
    }

    /// The entities of an output, by the cheapest way of reading it.
    fn mend(self: &Arc<Self>, text: &Text, output: &[u8], edits: &mut Edits) -> Vec<Entity> {
        match self.collect(text, output, edits) {
            Some(collected) => self.place(text, &collected, Leniency::Count, edits).entities,
            None => Vec::new(),
        }
    }

    /// What the cheapest way of reading an output says.
    fn collect(self: &Arc<Self>, text: &Text, output: &[u8], edits: &mut Edits) -> Option<Collected> {
        let Some(events) = search::search(self, output, text.as_str().contains('\n')) else {
            edits.dropped += output.len();
            return None;
        };
        Some(collect::collect(self, output, &events, edits))
    }

    /// What was said, in the document.
    fn place(self: &Arc<Self>, text: &Text, collected: &Collected, leniency: Leniency, edits: &mut Edits) -> Lenient {
        let Ok(source) = Source::new(text, self.escape(), self.format.grammar.directives.boundaries) else {
            return Lenient::default();
        };
        let unit = |&(start, end): &(u32, u32)| Fragment::new(start as usize, end as usize);
        let units: Vec<Fragment> = source.words.iter().map(unit).collect();
        let haystack = distance::Haystack::new(text, &units);
        if self.cursor {
            return copy::carry(self, collected, text, &units, &haystack, leniency, edits);
        }
        let automaton = Automaton::new(Arc::clone(self), Arc::new(source), Level::Grounded, Limits::NONE);
        mentions::Placer::new(self, automaton, text, &units, &haystack, leniency).place(&collected.mentions, edits)
    }

    /// The output that says these entities, as far as the format can say them.
    fn anew(self: &Arc<Self>, text: &Text, entities: &[Entity], mut edits: Edits) -> Repaired {
        let written = self.write(text, entities).or_else(|_| self.write(text, &[]));
        let text_of = written.map(|written| written.text).unwrap_or_default();
        let read = self.read(text, text_of.as_bytes()).ok().filter(|read| read.problems.is_empty());
        let Some(read) = read else {
            edits.lost += entities.len();
            return Repaired { edits, ..Repaired::default() };
        };
        edits.lost += entities.len().saturating_sub(read.entities.len());
        Repaired { text: text_of, entities: read.entities, edits }
    }
}
