//! Finds the place in the document where a mention stands, or the most similar one.

use std::sync::Arc;

use gramask_ner::{Entity, Fragment, Text};
use rustc_hash::FxHashMap;

use super::Edits;
use super::collect::{Mention, Part};
use super::distance::{Haystack, Place};
use super::lenient::{Leniency, Lenient};
use crate::automaton::{Automaton, PreviousId, WrittenFragment};
use crate::notation::ast::Terminal;
use crate::program::Program;

/// Places mentions one after the other.
pub(super) struct Placer<'a> {
    pub program: &'a Arc<Program>,
    /// The document at level `grounded`.
    pub automaton: Automaton,
    pub text: &'a Text,
    /// The units that fragments begin and end at.
    pub units: &'a [Fragment],
    pub haystack: &'a Haystack,
    leniency: Leniency,
    /// The previous entities of the next mention.
    last: PreviousId,
    /// What was found for texts that are not in the document.
    near: FxHashMap<String, Vec<Place>>,
    entities: Vec<Entity>,
}

/// What became of a mention.
enum Placed {
    At(Entity),
    /// It says again what another one said.
    Again,
    /// It says nothing that is in the document.
    Nowhere,
    /// It is not whole.
    Lost,
}

impl<'a> Placer<'a> {
    pub fn new(
        program: &'a Arc<Program>,
        automaton: Automaton,
        text: &'a Text,
        units: &'a [Fragment],
        haystack: &'a Haystack,
        leniency: Leniency,
    ) -> Self {
        Placer {
            program,
            automaton,
            text,
            units,
            haystack,
            leniency,
            last: PreviousId::NONE,
            near: FxHashMap::default(),
            entities: Vec::new(),
        }
    }

    /// The entities of mentions that refer to the document by text or by number.
    pub fn place(mut self, mentions: &[Mention], edits: &mut Edits) -> Lenient {
        let mut strays = 0;
        for mention in mentions {
            if mention.fresh {
                self.last = PreviousId::NONE;
            }
            match self.one(mention, edits) {
                Placed::At(entity) => self.entities.push(entity),
                Placed::Again | Placed::Lost => edits.lost += 1,
                Placed::Nowhere => {
                    strays += 1;
                    edits.lost += 1;
                }
            }
        }
        Lenient { entities: self.entities, strays }
    }

    fn one(&mut self, mention: &Mention, edits: &mut Edits) -> Placed {
        if mention.lost {
            return Placed::Lost;
        }
        let Some(label) = self.program.schema.labels().get(mention.label.index()).cloned() else {
            return Placed::Nowhere;
        };
        match self.leniency {
            Leniency::Parse | Leniency::Copy => self.held(mention, &label),
            Leniency::Count => self.anywhere(mention, &label, edits),
        }
    }

    /// As the strict reader has it: numbers are held to what they say, and so is text, for which at most the document's
    /// nearest text stands in.
    fn held(&mut self, mention: &Mention, label: &str) -> Placed {
        if mention.vague {
            return Placed::Lost;
        }
        let seen = |part: &Part, program: &Program| part.seen(program);
        let written: Option<Vec<WrittenFragment>> = mention.parts.iter().map(|part| seen(part, self.program)).collect();
        let mut located = written.and_then(|written| self.automaton.locate(mention.label, &written, self.last));
        if located.is_none() && self.leniency == Leniency::Copy {
            for parts in self.nearest(mention) {
                let written: Option<Vec<WrittenFragment>> = parts.iter().map(|part| seen(part, self.program)).collect();
                located = written.and_then(|written| self.automaton.locate(mention.label, &written, self.last));
                if located.is_some() {
                    break;
                }
            }
        }
        let Some((fragments, last)) = located else {
            return Placed::Nowhere;
        };
        let fragments = fragments.into_iter().map(|(start, end)| Fragment::new(start, end));
        let entity = Entity::discontinuous(label, fragments.collect());
        if self.entities.contains(&entity) {
            return Placed::Again;
        }
        self.last = last;
        Placed::At(entity)
    }

    /// The parts of a mention with the document's texts that are nearest to its own: of one part all those that are equally
    /// near, of several the first of each.
    fn nearest(&mut self, mention: &Mention) -> Vec<Vec<Part>> {
        let mut choices: Vec<Vec<Part>> = Vec::new();
        for part in &mention.parts {
            let with = |text: Option<String>| Part { text, positions: part.positions.clone() };
            let Some(text) = part.text.as_deref() else {
                choices.push(vec![with(None)]);
                continue;
            };
            let mut texts: Vec<String> = Vec::new();
            for place in self.candidates(text) {
                let there = self.text.slice(place).unwrap_or_default();
                if !texts.iter().any(|known| known == there) {
                    texts.push(there.to_owned());
                }
            }
            choices.push(texts.into_iter().map(|text| with(Some(text))).collect());
        }
        match <[Vec<Part>; 1]>::try_from(choices) {
            Ok([single]) => single.into_iter().map(|part| vec![part]).collect(),
            Err(several) => {
                let first: Option<Vec<Part>> = several.into_iter().map(|of| of.into_iter().next()).collect();
                first.into_iter().collect()
            }
        }
    }

    /// Where it is or may be meant: a number is a hint.
    fn anywhere(&mut self, mention: &Mention, label: &str, edits: &mut Edits) -> Placed {
        if mention.vague {
            // Only a text that stands in one place needs no number.
            let [Part { text: Some(text), .. }] = &mention.parts[..] else {
                return Placed::Lost;
            };
            if self.exactly(text).len() != 1 {
                return Placed::Lost;
            }
        } else {
            let seen: Option<Vec<WrittenFragment>> = mention.parts.iter().map(|part| part.seen(self.program)).collect();
            let located = seen.and_then(|seen| self.automaton.locate(mention.label, &seen, self.last));
            if let Some((fragments, last)) = located {
                let fragments = fragments.into_iter().map(|(start, end)| Fragment::new(start, end)).collect();
                let entity = Entity::discontinuous(label, fragments);
                if !self.entities.contains(&entity) {
                    self.last = last;
                    return Placed::At(entity);
                }
            }
        }
        let entity = match &mention.parts[..] {
            [part] => self.near(part, label).map(|found| Entity::discontinuous(label, vec![found])),
            parts => self.parts(parts).map(|found| Entity::discontinuous(label, found)),
        };
        match entity.filter(|entity| !self.entities.contains(entity)) {
            Some(entity) => {
                edits.realigned += 1;
                Placed::At(entity)
            }
            // All places of its text are taken: it is said too often.
            None if mention.parts.iter().all(|part| self.somewhere(part)) => Placed::Again,
            None => Placed::Nowhere,
        }
    }

    /// Whether a part is in the document at all, whatever its numbers say.
    fn somewhere(&mut self, part: &Part) -> bool {
        match &part.text {
            Some(text) => !self.candidates(text).is_empty(),
            None => self.near(part, "").is_some(),
        }
    }

    /// Where a text stands as it is, left to right.
    fn exactly(&self, text: &str) -> Vec<Fragment> {
        let Ok(written) = self.program.escape().escape(text) else {
            return Vec::new();
        };
        if written.is_empty() {
            return Vec::new();
        }
        let found = self.automaton.source.find(&written);
        let fragment = |&(first, last): &(u32, u32)| {
            Fragment::new(self.units[first as usize].start, self.units[last as usize].end)
        };
        found.iter().map(fragment).collect()
    }

    /// Where a text stands as it is, else where it most nearly stands.
    fn candidates(&mut self, text: &str) -> Vec<Fragment> {
        let exact = self.exactly(text);
        if !exact.is_empty() {
            return exact;
        }
        let marks =
            |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '`' | '*' | '“' | '”' | '-' | '•' | ',' | ';');
        let bare = text.trim_matches(marks);
        if !self.near.contains_key(bare) {
            let places = self.haystack.places(bare);
            self.near.insert(bare.to_owned(), places);
        }
        self.near[bare].iter().map(|place| place.fragment).collect()
    }

    /// One fragment: the text's place that is nearest to the numbers, or what the numbers alone say.
    fn near(&mut self, part: &Part, label: &str) -> Option<Fragment> {
        let number = |kind| part.positions.iter().find(|(known, _)| *known == kind).map(|(_, value)| *value as usize);
        let Some(text) = &part.text else {
            return self.snapped(
                number(Terminal::Start).or_else(|| Some(self.units.get(number(Terminal::First)?)?.start)),
                number(Terminal::End).or_else(|| {
                    let last = number(Terminal::Last)?.min(self.units.len().checked_sub(1)?);
                    Some(self.units[last].end)
                }),
            );
        };
        let candidates = self.candidates(text);
        let new = |place: &&Fragment| !self.entities.contains(&Entity::new(label, place.start, place.end));
        let stated = number(Terminal::Start)
            .or_else(|| Some(self.units.get(number(Terminal::First)?)?.start))
            .or_else(|| number(Terminal::End)?.checked_sub(text.chars().count()))
            .or_else(|| Some(self.units.get(number(Terminal::Last)?)?.start));
        if let Some(stated) = stated {
            return candidates.iter().filter(new).min_by_key(|place| place.start.abs_diff(stated)).copied();
        }
        if let Some(nth) = number(Terminal::Nth) {
            let wanted = nth.saturating_sub(1).min(candidates.len().saturating_sub(1));
            let wanted = candidates.get(wanted).filter(|place| new(place));
            return wanted.or_else(|| candidates.iter().find(new)).copied();
        }
        let from = self.entities.last().map_or(0, Entity::start);
        let after = candidates.iter().filter(new).find(|place| place.start >= from);
        after.or_else(|| candidates.iter().find(new)).copied()
    }

    /// The whole words that a stretch of characters touches; `None` where it touches none.
    fn snapped(&self, start: Option<usize>, end: Option<usize>) -> Option<Fragment> {
        let (start, end) = (start?, end?);
        let first = self.units.partition_point(|unit| unit.end <= start);
        let last = self.units.partition_point(|unit| unit.start < end).checked_sub(1)?;
        (first <= last).then(|| Fragment::new(self.units[first].start, self.units[last].end))
    }

    /// Several fragments, each to the right of the one before.
    fn parts(&mut self, parts: &[Part]) -> Option<Vec<Fragment>> {
        let mut places = Vec::new();
        for part in parts {
            places.push(self.candidates(part.text.as_deref()?));
        }
        let (first, rest) = places.split_first()?;
        first.iter().find_map(|first| {
            let mut found = vec![*first];
            for candidates in rest {
                let from = found[found.len() - 1].end;
                found.push(*candidates.iter().find(|place| place.start >= from)?);
            }
            Some(found)
        })
    }
}
