//! The writer turns entities into the one output that describes them.
//!
//! It runs the program of the format along the entities ([`pen`]). An entity opens where the next one begins, a terminal
//! writes a view of the open entity, and a choice that leads nowhere is taken back ([`search`]). Entities that the format
//! can't express are found beforehand and returned with the output.

mod pen;
mod search;

use std::sync::Arc;

use gramask_ner::{Entity, Text};

use crate::automaton::Tuple;
use crate::delimiters::Tail;
use crate::notation::ast::Boundaries;
use crate::plain_program::shortest_plain;
use crate::program::{LabelId, Program};
use crate::source::Source;
use search::Writer;

/// An output, and the entities that it does not express.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// The output itself.
    pub text: String,
    /// The entities that are not in the output, or read back at another place ([`Reason::Position`]).
    pub unexpressed: Vec<(Entity, Reason)>,
}

/// Why a format can't express an entity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[allow(missing_docs)] // the messages explain the fields
pub enum Reason {
    /// The grammar is not about entities: it has no rule `entity`.
    #[error("the grammar writes no entities")]
    NoEntities,
    /// The label is not of the schema.
    #[error("its label is not in the schema")]
    Label,
    /// A fragment does not begin and end with a word, or lies outside the document.
    #[error("a fragment does not begin and end at word boundaries of the document")]
    Boundary,
    /// More fragments than the format can write.
    #[error("it is discontinuous")]
    Discontinuous,
    /// It overlaps another one in a flat format.
    #[error("it overlaps another entity")]
    Nested,
    /// It overlaps another one, and neither holds the other.
    #[error("it crosses another entity")]
    Crossing,
    /// Its text holds a delimiter, which ends texts in this format.
    #[error("its text holds a delimiter of the format")]
    Delimiter,
    /// The grammar has too many ways to write a text for the search to end.
    #[error("no output with it was found before the search was given up")]
    Limit,
    /// It is written, but reads back as another occurrence of the same text, since the format has no positions.
    #[error("the format can't tell which occurrence it is")]
    Position,
}

/// A document has no output in a format.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)] // the messages explain the fields
pub enum WriteError {
    /// A character that the format's escape can't write.
    #[error("format `{format}`: character {offset} of the document, {character:?}, can't be written in this format")]
    Character {
        format: String,
        /// In characters of the document.
        offset: usize,
        character: char,
    },
    /// The grammar has no output for these entities.
    #[error("format `{format}`: no output says exactly these {entities} entities")]
    Impossible {
        format: String,
        /// How many there are.
        entities: usize,
    },
    /// The grammar has too many ways to write a text for the search to end.
    #[error(
        "format `{format}`: the search for an output of {entities} entities was given up after {limit} places in the grammar; \
         give the grammar fewer ways to write the same text"
    )]
    Limit {
        format: String,
        /// How many entities there are.
        entities: usize,
        /// How many places were looked at.
        limit: usize,
    },
}

/// An entity to write: its tuple and its place in the caller's list.
#[derive(Clone)]
struct Gold {
    tuple: Tuple,
    index: usize,
}

impl Program {
    /// Writes the output of these entities about `text`, in document order.
    ///
    /// Where a format can write them in several ways, the earlier alternatives are taken. A grammar that
    /// neither has entities nor copies the document writes its shortest output.
    ///
    /// # Errors
    /// The document itself can't be written, the grammar has no output with the entities that are left, or the search for it
    /// takes too long.
    pub fn write(self: &Arc<Self>, text: &Text, entities: &[Entity]) -> Result<Written, WriteError> {
        if let Some(grammar) = &self.grammar {
            let unexpressed = entities.iter().map(|entity| (entity.clone(), Reason::NoEntities)).collect();
            return Ok(Written { text: shortest_plain(grammar), unexpressed });
        }
        let directives = &self.format.grammar.directives;
        let name = || self.format.name.clone();
        let source = Source::new(text, &directives.escape, directives.boundaries)
            .map_err(|(offset, character)| WriteError::Character { format: name(), offset, character })?;
        let (mut golds, mut unexpressed) = self.sort_out(text, entities);
        let run = |golds: &[Gold]| Writer::new(self, &source, golds).run();
        let mut output = match run(&golds) {
            // Without some of the entities the search may end.
            Err(_) if !golds.is_empty() => None,
            result => result?,
        };
        if output.is_none() && !golds.is_empty() {
            // Some text may hold a delimiter: the entities that can't be written beside those before them are left out.
            let (mut kept, mut limit) = (Vec::new(), false);
            output = run(&kept)?;
            for gold in &golds {
                kept.push(gold.clone());
                let found = if limit { Ok(None) } else { run(&kept) };
                limit |= found.is_err();
                if let Ok(Some(written)) = found {
                    output = Some(written);
                    continue;
                }
                kept.pop();
                let reason = if limit { Reason::Limit } else { self.hindrance(&source, &gold.tuple) };
                unexpressed.push((entities[gold.index].clone(), reason));
            }
            golds = kept;
        }
        let output = output.ok_or_else(|| WriteError::Impossible { format: name(), entities: golds.len() })?;
        if let Ok(reading) = self.read(text, &output) {
            let lost = golds.iter().map(|gold| &entities[gold.index]).filter(|gold| !reading.entities.contains(gold));
            unexpressed.extend(lost.map(|gold| (gold.clone(), Reason::Position)));
        }
        Ok(Written { text: String::from_utf8_lossy(&output).into_owned(), unexpressed })
    }

    /// Why this one can't be written: a text holds a delimiter, or the format has not as many parts.
    fn hindrance(&self, source: &Source, tuple: &Tuple) -> Reason {
        let holds =
            |&(first, last): &(u32, u32)| self.delimiters.run(Tail::NONE, source.surface(first, last)).is_none();
        match tuple.fragments.len() > 1 && !tuple.fragments.iter().any(holds) {
            true => Reason::Discontinuous,
            false => Reason::Delimiter,
        }
    }

    /// What can be said, in order, and what can't.
    fn sort_out(&self, text: &Text, entities: &[Entity]) -> (Vec<Gold>, Vec<(Entity, Reason)>) {
        if self.format.grammar.entity.is_none() {
            return (Vec::new(), entities.iter().map(|entity| (entity.clone(), Reason::NoEntities)).collect());
        }
        let (mut golds, mut unexpressed): (Vec<Gold>, _) = (Vec::new(), Vec::new());
        for (index, entity) in entities.iter().enumerate() {
            match self.tuple(text, entity) {
                Ok(tuple) => golds.push(Gold { tuple, index }),
                Err(reason) => unexpressed.push((entity.clone(), reason)),
            }
        }
        golds.sort_by(|a, b| a.tuple.key().cmp(&b.tuple.key()));
        golds.dedup_by(|a, b| a.tuple == b.tuple);
        if self.cursor {
            // In document order an entity comes after all that hold it, so the outermost stay.
            let mut kept: Vec<Gold> = Vec::new();
            for gold in golds {
                let (first, last) = gold.tuple.fragments[0];
                let clash = kept.iter().find_map(|before| {
                    let (_, end) = before.tuple.fragments[0];
                    match (first <= end, self.format.nests(), last <= end) {
                        (false, ..) | (_, true, true) => None,
                        (_, true, false) => Some(Reason::Crossing),
                        (_, false, _) => Some(Reason::Nested),
                    }
                });
                match clash {
                    Some(reason) => unexpressed.push((entities[gold.index].clone(), reason)),
                    None => kept.push(gold),
                }
            }
            golds = kept;
        }
        (golds, unexpressed)
    }

    fn tuple(&self, text: &Text, entity: &Entity) -> Result<Tuple, Reason> {
        let label = self.schema.index(&entity.label).ok_or(Reason::Label)?;
        let characters = self.format.grammar.directives.boundaries == Boundaries::Characters;
        let mut fragments: Vec<(u32, u32)> = Vec::new();
        for fragment in &entity.fragments {
            let (first, last) = match characters {
                true if fragment.start < fragment.end && fragment.end <= text.len() => {
                    (Some(fragment.start), Some(fragment.end - 1))
                }
                true => (None, None),
                false => (text.word_starting_at(fragment.start), text.word_ending_at(fragment.end)),
            };
            match (first, last) {
                (Some(first), Some(last))
                    if first <= last && fragments.last().is_none_or(|before| before.1 < first as u32) =>
                {
                    fragments.push((first as u32, last as u32));
                }
                _ => return Err(Reason::Boundary),
            }
        }
        if fragments.is_empty() {
            return Err(Reason::Boundary);
        }
        if fragments.len() > 1 && (self.cursor || !self.format.discontinuous()) {
            return Err(Reason::Discontinuous);
        }
        Ok(Tuple { fragments, label: LabelId::new(label) })
    }
}

impl Gold {
    fn first(&self) -> u32 {
        self.tuple.fragments[0].0
    }

    fn last(&self) -> u32 {
        self.tuple.fragments[0].1
    }
}
