//! The reader: an output back to entities.
//!
//! It runs the format's own program at level `syntax`, keeps the way of the preferred thread, and then grounds what was
//! read in the document. So whatever the matcher accepts the reader reads, by construction.

use rustc_hash::FxHashSet;
use std::sync::Arc;

use gramask_ner::{Entity, Fragment, Text};

use crate::machine::{Event, Level, Limits, Machine, NO_TUPLE, Thread};
use crate::notation::ast::Terminal;
use crate::program::{NO_LABEL, Op, Program};
use crate::source::Source;

/// An output was not of its format.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// A byte that can't stand where it stands.
    #[error("byte {offset}: found {found}, expected {expected}")]
    Syntax {
        /// In bytes of the output.
        offset: usize,
        /// What stands there.
        found: String,
        /// What could stand there.
        expected: String,
    },
    /// The output ends too soon.
    #[error("the output ends at byte {offset}, expected {expected}")]
    Truncated {
        /// The output's length in bytes.
        offset: usize,
        /// What could follow.
        expected: String,
    },
}

/// Something that was read and is not true of the document.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// A mention that the document does not hold.
    #[error("`{text}` is not in the document")]
    NotInDocument {
        /// The mention.
        text: String,
    },
    /// Offsets that are outside the document or don't agree with the text that was written.
    #[error("the document has {there} where the output says `{text}` at {place}")]
    Disagree {
        /// The mention that was written; empty if there was none.
        text: String,
        /// The positions that were written.
        place: String,
        /// The document's text there.
        there: String,
    },
    /// A cursor format's text is not the document.
    #[error("the copied text leaves the document at character {offset}")]
    CopyFailed {
        /// In characters (`@copy`) or words (`@word`, `@skip`).
        offset: usize,
    },
    /// A label that the schema does not have.
    #[error("unknown label `{label}`")]
    UnknownLabel {
        /// The label as it was written.
        label: String,
    },
    /// The same entity again.
    #[error("{entity} stands twice")]
    Duplicate {
        /// The entity.
        entity: Entity,
    },
}

/// What was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// The entities that are true of the document, in the order of the output.
    pub entities: Vec<Entity>,
    /// What is not.
    pub problems: Vec<Problem>,
}

impl Program {
    /// Reads an output of this format about `text`.
    ///
    /// # Errors
    /// Where the output is not of the format; what is of the format but not true of the document is in
    /// [`Reading::problems`].
    pub fn read(self: &Arc<Self>, text: &Text, output: &[u8]) -> Result<Reading, ReadError> {
        let events = self.parse(output)?;
        Grounder::new(self, text, output).ground(&events)
    }

    fn parse(self: &Arc<Self>, output: &[u8]) -> Result<Vec<Event>, ReadError> {
        let nothing = Source::new(&Text::default(), self.escape(), self.format.grammar.directives.boundaries);
        let source = nothing.unwrap_or_else(|_| unreachable!("the empty text has no character that can't be written"));
        let mut machine = Machine::new(Arc::clone(self), Arc::new(source), Level::Syntax, Limits::NONE);
        machine.tracing = true;
        let mut threads = machine.start();
        let mut seen = FxHashSet::default();
        for (offset, &byte) in output.iter().enumerate() {
            machine.position = offset as u32;
            let mut next = Vec::new();
            for thread in &threads {
                machine.step(*thread, byte, &mut next);
            }
            // The first of equal threads is the preferred one.
            seen.clear();
            next.retain(|thread| seen.insert(Thread { trace: 0, ..*thread }));
            if next.is_empty() {
                let rest = String::from_utf8_lossy(&output[offset..]);
                let found = format!("`{}`", rest.chars().take(12).collect::<String>());
                return Err(ReadError::Syntax { offset, found, expected: self.expected(&machine, &threads) });
            }
            threads = next;
        }
        let Some(thread) = threads.iter().find(|thread| machine.accepts(thread)) else {
            return Err(ReadError::Truncated { offset: output.len(), expected: self.expected(&machine, &threads) });
        };
        let (mut events, mut at) = (Vec::new(), thread.trace);
        while at != 0 {
            let (before, event) = machine.traces[at as usize];
            events.push(event);
            at = before;
        }
        events.reverse();
        Ok(events)
    }

    /// What these threads could write next, in words.
    fn expected(&self, machine: &Machine, threads: &[Thread]) -> String {
        let mut names: Vec<String> = Vec::new();
        for thread in threads {
            let name = match &self.ops[thread.pc as usize] {
                _ if machine.accepts(thread) => "the end".to_string(),
                Op::Literal(bytes) => {
                    let offset = if let crate::machine::At::Offset(offset) = thread.at { offset as usize } else { 0 };
                    format!("`{}`", String::from_utf8_lossy(&bytes[offset..]).escape_debug())
                }
                Op::Terminal { kind: Terminal::Label, .. } => format!("a label ({})", self.schema.labels().join(", ")),
                Op::Terminal { kind, .. } if kind.is_position() => "a number".into(),
                Op::Terminal { .. } => "text".into(),
                Op::Regex(_) => "what a regular expression matches".into(),
                _ => continue,
            };
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names.truncate(5);
        names.join(" or ")
    }
}

/// One fragment as it was written.
#[derive(Default)]
struct Seen {
    text: Option<String>,
    positions: Vec<(Terminal, usize)>,
}

struct Pending {
    label: u16,
    /// The first label that was written, if it is not of the schema.
    unknown: Option<String>,
    /// Cursor formats: characters or words passed before.
    from: usize,
    fragments: Vec<Seen>,
}

struct Grounder<'a> {
    program: &'a Arc<Program>,
    text: &'a Text,
    output: &'a [u8],
    /// Finds occurrences in the document's order; `None` where the document can't be written in this format.
    machine: Option<Machine>,
    /// The previous entity, interned in `machine`.
    last: u32,
    label: u16,
    open: Vec<Pending>,
    copied: String,
    words: Vec<Option<String>>,
    reading: Reading,
}

impl<'a> Grounder<'a> {
    fn new(program: &'a Arc<Program>, text: &'a Text, output: &'a [u8]) -> Self {
        let boundaries = program.format.grammar.directives.boundaries;
        let machine = Source::new(text, program.escape(), boundaries)
            .ok()
            .map(|source| Machine::new(Arc::clone(program), Arc::new(source), Level::Grounded, Limits::NONE));
        Grounder {
            program,
            text,
            output,
            machine,
            last: NO_TUPLE,
            label: NO_LABEL,
            open: Vec::new(),
            copied: String::new(),
            words: Vec::new(),
            reading: Reading::default(),
        }
    }

    fn ground(mut self, events: &[Event]) -> Result<Reading, ReadError> {
        let mut begin = 0;
        let mut closed: Vec<(u16, Fragment)> = Vec::new();
        for event in events {
            match *event {
                Event::Nothing => {}
                Event::Begin(offset) => begin = offset as usize,
                Event::Label(label) => (self.label, self.last) = (label, NO_TUPLE),
                Event::Skip => self.words.push(None),
                Event::Open => {
                    let from = self.passed();
                    self.open.push(Pending { label: self.label, unknown: None, from, fragments: Vec::new() });
                }
                Event::End(kind, end) => self.piece(kind, begin, end as usize)?,
                Event::Close => {
                    let Some(pending) = self.open.pop() else { continue };
                    if let Some(label) = pending.unknown {
                        self.reading.problems.push(Problem::UnknownLabel { label });
                        continue;
                    }
                    match self.program.cursor {
                        true => closed.push((pending.label, Fragment::new(pending.from, self.passed()))),
                        false => self.resolve(pending),
                    }
                }
            }
        }
        if self.program.cursor {
            self.copy(closed);
        }
        Ok(self.reading)
    }

    /// How much the cursor passed: characters, or words where gaps are not written.
    fn passed(&self) -> usize {
        if self.program.copies { self.copied.chars().count() } else { self.words.len() }
    }

    fn piece(&mut self, kind: Terminal, begin: usize, end: usize) -> Result<(), ReadError> {
        let written = &self.output[begin..end];
        let text = || self.program.escape().unescape(written).unwrap_or_default();
        let number = || std::str::from_utf8(written).ok().and_then(|digits| digits.parse().ok()).unwrap_or(usize::MAX);
        match kind {
            Terminal::Copy => self.copied.push_str(&text()),
            Terminal::Word => {
                let word = text();
                if self.program.copies {
                    self.copied.push_str(&word);
                }
                self.words.push(Some(word));
            }
            Terminal::Skip => {}
            Terminal::Label => {
                let label = self.program.labels.iter().position(|label| label == written);
                let Some(open) = self.open.last_mut() else { return Ok(()) };
                match label {
                    Some(label) if open.unknown.is_none() => open.label = label as u16,
                    None if open.label == NO_LABEL && open.unknown.as_deref().is_none_or(|known| known == text()) => {
                        open.unknown = Some(text());
                    }
                    _ => {
                        // Only an unknown label can differ: a known one holds the later ones to it.
                        let expected = format!("`{}` again", open.unknown.as_deref().unwrap_or_default());
                        return Err(ReadError::Syntax { offset: begin, found: format!("`{}`", text()), expected });
                    }
                }
            }
            Terminal::Text => {
                let text = text();
                if let Some(open) = self.open.last_mut() {
                    match open.fragments.last_mut() {
                        Some(seen) if seen.text.is_none() => seen.text = Some(text),
                        _ => open.fragments.push(Seen { text: Some(text), positions: Vec::new() }),
                    }
                }
            }
            position => {
                let value = number();
                if let Some(open) = self.open.last_mut() {
                    if open.fragments.is_empty() {
                        open.fragments.push(Seen::default());
                    }
                    if let Some(seen) = open.fragments.last_mut() {
                        seen.positions.push((position, value));
                    }
                }
            }
        }
        Ok(())
    }

    /// Cursor formats: the text must be the document's.
    fn copy(&mut self, closed: Vec<(u16, Fragment)>) {
        let failed = if self.program.copies {
            let (mut here, mut there) = (self.copied.chars(), self.text.as_str().chars());
            (0..).find_map(|offset| match (here.next(), there.next()) {
                (None, None) => Some(None),
                (a, b) if a == b => None,
                _ => Some(Some(offset)),
            })
        } else {
            let words = self.text.words();
            let differ = |(number, word): (usize, &Option<String>)| match (word, words.get(number)) {
                (Some(word), Some(there)) if self.text.slice(*there) == Some(word) => None,
                (None, Some(_)) => None,
                _ => Some(number),
            };
            let first = self.words.iter().enumerate().find_map(differ);
            Some(first.or((self.words.len() < words.len()).then_some(self.words.len())))
        };
        if let Some(offset) = failed.flatten() {
            self.reading.problems.push(Problem::CopyFailed { offset });
            return;
        }
        for (label, Fragment { start, end }) in closed {
            if start >= end {
                self.reading.problems.push(Problem::NotInDocument { text: String::new() });
                continue;
            }
            let words = self.text.words();
            let fragment = match self.program.copies {
                true => Fragment::new(start, end),
                // The words were compared above, so that both are words of the document.
                false => Fragment::new(words[start].start, words[end - 1].end),
            };
            self.take(label, vec![fragment]);
        }
        let schema = &self.program.schema;
        schema.sort(&mut self.reading.entities);
    }

    fn resolve(&mut self, pending: Pending) {
        match self.fragments(&pending) {
            Ok(fragments) => self.take(pending.label, fragments),
            Err(problem) => self.reading.problems.push(problem),
        }
    }

    fn take(&mut self, label: u16, fragments: Vec<Fragment>) {
        let Some(label) = self.program.schema.labels().get(usize::from(label)) else { return };
        let entity = Entity::discontinuous(label, fragments);
        if self.reading.entities.contains(&entity) {
            self.reading.problems.push(Problem::Duplicate { entity });
        } else {
            self.reading.entities.push(entity);
        }
    }

    /// Positions if there are any; else the occurrences that follow the previous entity; else the earliest ones.
    fn fragments(&mut self, pending: &Pending) -> Result<Vec<Fragment>, Problem> {
        if pending.fragments.iter().all(|seen| seen.positions.is_empty()) {
            let texts: Vec<&str> = pending.fragments.iter().map(|seen| seen.text.as_deref().unwrap_or("")).collect();
            return self.occurrences(pending.label, &texts);
        }
        let mut fragments: Vec<Fragment> = Vec::new();
        for seen in &pending.fragments {
            let from = fragments.last().map_or(0, |before| before.end);
            fragments.push(self.place(seen, from)?);
        }
        Ok(fragments)
    }

    fn place(&self, seen: &Seen, from: usize) -> Result<Fragment, Problem> {
        let get = |kind| seen.positions.iter().find(|(known, _)| *known == kind).map(|(_, value)| *value);
        let word = |number: usize| self.text.words().get(number).copied();
        let length = seen.text.as_ref().map(|text| text.chars().count());
        let mut start = get(Terminal::Start).or_else(|| word(get(Terminal::First)?).map(|word| word.start));
        let mut end = get(Terminal::End).or_else(|| word(get(Terminal::Last)?).map(|word| word.end));
        if let Some(text) = &seen.text
            && start.is_none()
            && end.is_none()
        {
            let nth = get(Terminal::Nth).unwrap_or(1);
            let found = self.aligned(text).into_iter().filter(|found| found.start >= from || nth > 1);
            start = found.skip(nth.saturating_sub(1)).map(|found| found.start).next();
        }
        start = start.or_else(|| end?.checked_sub(length?));
        end = end.or_else(|| Some(start? + length?));
        let fragment = Fragment::new(start.unwrap_or(usize::MAX), end.unwrap_or(usize::MAX));
        let there = self.text.slice(fragment);
        let agrees = |(kind, value): &(Terminal, usize)| match kind {
            Terminal::Start => fragment.start == *value,
            Terminal::End => fragment.end == *value,
            Terminal::First => word(*value).is_some_and(|word| word.start == fragment.start),
            Terminal::Last => word(*value).is_some_and(|word| word.end == fragment.end),
            _ => {
                let all = there.map(|there| self.aligned(there)).unwrap_or_default();
                all.iter().position(|found| *found == fragment).is_some_and(|nth| nth + 1 == *value)
            }
        };
        let same = seen.text.as_deref().is_none_or(|text| there == Some(text));
        if there.is_some() && same && seen.positions.iter().all(agrees) {
            return Ok(fragment);
        }
        let place: Vec<String> = seen.positions.iter().map(|(kind, value)| format!("{} {value}", kind.name())).collect();
        Err(Problem::Disagree {
            text: seen.text.clone().unwrap_or_default(),
            place: place.join(", "),
            there: there.map_or("nothing".into(), |there| format!("`{there}`")),
        })
    }

    /// The word-aligned occurrences of a text, left to right.
    fn aligned(&self, text: &str) -> Vec<Fragment> {
        let Some(machine) = &self.machine else { return Vec::new() };
        let Ok(written) = self.program.escape().escape(text) else { return Vec::new() };
        let fragment = |(first, last): (u32, u32)| {
            Fragment::new(
                machine.source.words[first as usize].0 as usize,
                machine.source.words[last as usize].1 as usize,
            )
        };
        machine.source.find(&written).into_iter().map(fragment).collect()
    }

    fn occurrences(&mut self, label: u16, texts: &[&str]) -> Result<Vec<Fragment>, Problem> {
        let escape = self.program.escape();
        let written: Option<Vec<Vec<u8>>> = texts.iter().map(|text| escape.escape(text).ok()).collect();
        if let (Some(machine), Some(written)) = (&mut self.machine, written)
            && let Some((fragments, last)) = machine.locate(label, &written, self.last)
        {
            self.last = last;
            return Ok(fragments.into_iter().map(|(start, end)| Fragment::new(start, end)).collect());
        }
        // Not aligned to words: the earliest place all the same, so that it counts as a wrong boundary.
        let (mut fragments, mut from) = (Vec::new(), 0);
        for text in texts {
            let missing = || Problem::NotInDocument { text: text.to_string() };
            let begin = self.text.byte_at(from).ok_or_else(missing)?;
            let found = self.text.as_str()[begin..].find(text).filter(|_| !text.is_empty()).ok_or_else(missing)?;
            let start = self.text.char_at(begin + found);
            from = start + text.chars().count();
            fragments.push(Fragment::new(start, from));
        }
        Ok(fragments)
    }
}
