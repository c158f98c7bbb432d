//! The reader turns an output into entities.
//!
//! It runs the program of the format at level `syntax` and keeps the parse of the preferred thread. Then it looks up in the
//! document what was read. So it reads every output that a constraint accepts.

use rustc_hash::FxHashSet;
use std::sync::Arc;

use gramask_ner::{Entity, Fragment, Text, visible};

use crate::Level;
use crate::automaton::{Automaton, Event, Limits, Parses, PreviousId, Thread, WrittenFragment};
use crate::notation::ast::Terminal;
use crate::plain_program::read_plain;
use crate::program::{LabelId, Op, Program};
use crate::source::Source;

/// An output that is not of its format.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)] // the messages explain the fields
pub enum ReadError {
    /// A byte that can't follow.
    #[error("byte {offset}: found {found}, expected {expected}")]
    Syntax {
        /// In bytes of the output.
        offset: usize,
        /// The text from there on.
        found: String,
        /// What could have followed.
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

/// Something in the output that is not true of the document.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)] // the messages explain the fields
pub enum Problem {
    /// A mention that the document does not hold.
    #[error("`{text}` is not in the document")]
    NotInDocument { text: String },
    /// Offsets that are outside the document or don't agree with the text that was written.
    #[error("the document has {there} where the output says `{text}` at {place}")]
    Disagree {
        /// The mention that was written; empty if there was none.
        text: String,
        /// The positions that were written.
        place: String,
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
    Duplicate { entity: Entity },
}

/// The result of reading an output.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// The entities that are true of the document, in the order of the output.
    pub entities: Vec<Entity>,
    /// What is not true of the document.
    pub problems: Vec<Problem>,
}

impl Program {
    /// Reads an output of this format about `text`.
    ///
    /// # Errors
    /// The output is not of the format. An output of the format that is not true of the document has
    /// [`Reading::problems`] instead.
    pub fn read(self: &Arc<Self>, text: &Text, output: &[u8]) -> Result<Reading, ReadError> {
        if let Some(grammar) = &self.grammar {
            return read_plain(grammar, output);
        }
        // A valid output has labels of the schema. Other labels are tried only if those fail.
        let events = self.parse(output, false).or_else(|_| self.parse(output, true))?;
        Grounder::new(self, text, output).ground(&events)
    }

    fn parse(self: &Arc<Self>, output: &[u8], unknown_labels: bool) -> Result<Vec<Event>, ReadError> {
        let nothing = Source::new(&Text::new(""), self.escape(), self.format.grammar.directives.boundaries);
        let source = nothing.unwrap_or_else(|_| unreachable!("the empty text has no character that can't be written"));
        let parse = Parses::new(output, unknown_labels);
        let mut automaton =
            Automaton::recording(Arc::clone(self), Arc::new(source), Level::Syntax, Limits::NONE, parse);
        let mut threads = automaton.start();
        let mut seen = FxHashSet::default();
        for (offset, &byte) in output.iter().enumerate() {
            automaton.recorder.position = offset as u32;
            let mut next = Vec::new();
            for thread in &threads {
                automaton.step(*thread, byte, &mut next);
            }
            // The first of equal threads is the preferred one.
            seen.clear();
            next.retain(|thread| seen.insert(thread.unmarked()));
            if next.is_empty() {
                let rest = String::from_utf8_lossy(&output[offset..]);
                let found = format!("`{}`", visible(&rest.chars().take(12).collect::<String>()));
                return Err(ReadError::Syntax { offset, found, expected: self.expected(&threads) });
            }
            threads = next;
        }
        match threads.iter().find(|thread| automaton.accepts(thread)) {
            Some(thread) => Ok(automaton.recorder.events(thread.mark)),
            None => Err(ReadError::Truncated { offset: output.len(), expected: self.expected(&threads) }),
        }
    }

    /// What these threads could write next, in words.
    fn expected<M>(&self, threads: &[Thread<M>]) -> String {
        let mut names: Vec<String> = Vec::new();
        for thread in threads {
            let name = match self.op(thread.pc) {
                Op::Accept => "the end".to_string(),
                Op::Literal(bytes) => {
                    format!("`{}`", visible(&String::from_utf8_lossy(&bytes[thread.offset()..])))
                }
                Op::Terminal(Terminal::Label) => format!("a label ({})", self.schema.labels().join(", ")),
                Op::Terminal(kind) if kind.is_position() => "a number".into(),
                Op::Terminal(_) => "text".into(),
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

struct Pending {
    label: LabelId,
    /// The first label that was written, if it is not of the schema.
    unknown: Option<String>,
    /// Cursor formats: characters or words passed before.
    from: usize,
    /// The fragments as they were written.
    fragments: Vec<WrittenFragment>,
}

struct Grounder<'a> {
    program: &'a Arc<Program>,
    text: &'a Text,
    output: &'a [u8],
    /// Finds occurrences in the document's order; `None` where the document can't be written in this format.
    automaton: Option<Automaton>,
    /// The previous entity, by its number in `automaton`.
    last: PreviousId,
    label: LabelId,
    open: Vec<Pending>,
    copied: String,
    words: Vec<Option<String>>,
    reading: Reading,
}

impl<'a> Grounder<'a> {
    fn new(program: &'a Arc<Program>, text: &'a Text, output: &'a [u8]) -> Self {
        let boundaries = program.format.grammar.directives.boundaries;
        let automaton = Source::new(text, program.escape(), boundaries)
            .ok()
            .map(|source| Automaton::new(Arc::clone(program), Arc::new(source), Level::Grounded, Limits::NONE));
        Grounder {
            program,
            text,
            output,
            automaton,
            last: PreviousId::NONE,
            label: LabelId::NONE,
            open: Vec::new(),
            copied: String::new(),
            words: Vec::new(),
            reading: Reading::default(),
        }
    }

    fn ground(mut self, events: &[Event]) -> Result<Reading, ReadError> {
        let mut begin = 0;
        let mut closed: Vec<(LabelId, Fragment)> = Vec::new();
        for event in events {
            match *event {
                Event::Begin(offset) => begin = offset as usize,
                Event::Label(label) => (self.label, self.last) = (label, PreviousId::NONE),
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
        let number = || std::str::from_utf8(written).ok().and_then(|digits| digits.parse().ok()).unwrap_or(u32::MAX);
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
                let Some(open) = self.open.last_mut() else {
                    return Ok(());
                };
                match label {
                    Some(label)
                        if open.unknown.is_none() && (open.label == LabelId::NONE || open.label.index() == label) =>
                    {
                        open.label = LabelId::new(label);
                    }
                    None if open.label == LabelId::NONE
                        && open.unknown.as_deref().is_none_or(|known| known == text()) =>
                    {
                        open.unknown = Some(text());
                    }
                    _ => {
                        // The matcher binds labels of the schema alone, so that others can differ.
                        let known = self.program.schema.labels().get(open.label.index());
                        let first = open.unknown.as_ref().or(known).map_or("", String::as_str);
                        let expected = format!("`{first}` again");
                        return Err(ReadError::Syntax { offset: begin, found: format!("`{}`", text()), expected });
                    }
                }
            }
            Terminal::Text => {
                let text = Some(written.to_vec());
                if let Some(open) = self.open.last_mut() {
                    match open.fragments.last_mut() {
                        Some(seen) if seen.text.is_none() => seen.text = text,
                        _ => open.fragments.push(WrittenFragment { text, positions: Vec::new() }),
                    }
                }
            }
            position => {
                let value = number();
                if let Some(open) = self.open.last_mut() {
                    if open.fragments.is_empty() {
                        open.fragments.push(WrittenFragment::default());
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
    fn copy(&mut self, closed: Vec<(LabelId, Fragment)>) {
        let failed = if self.program.copies {
            let (mut here, mut there) = (self.copied.chars(), self.text.as_str().chars());
            (0..).find_map(|offset| match (here.next(), there.next()) {
                (None, None) => Some(None),
                (a, b) if a == b => None,
                _ => Some(Some(offset)),
            })
        } else {
            let words = self.units();
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
        let words = self.units();
        for (label, Fragment { start, end }) in closed {
            if start >= end {
                self.reading.problems.push(Problem::NotInDocument { text: String::new() });
                continue;
            }
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

    fn take(&mut self, label: LabelId, fragments: Vec<Fragment>) {
        let Some(label) = self.program.schema.labels().get(label.index()) else {
            return;
        };
        let entity = Entity::discontinuous(label, fragments);
        if self.reading.entities.contains(&entity) {
            self.reading.problems.push(Problem::Duplicate { entity });
        } else {
            self.reading.entities.push(entity);
        }
    }

    /// The tuple that agrees with what was written: the earliest that follows the previous entity, else the earliest at
    /// all. Where there is none the fragments are off word boundaries, or it is not true of the document.
    fn fragments(&mut self, pending: &Pending) -> Result<Vec<Fragment>, Problem> {
        if let Some(automaton) = &mut self.automaton
            && let Some((fragments, last)) = automaton.locate(pending.label, &pending.fragments, self.last)
        {
            self.last = last;
            return Ok(fragments.into_iter().map(|(start, end)| Fragment::new(start, end)).collect());
        }
        let mut fragments: Vec<Fragment> = Vec::new();
        for seen in &pending.fragments {
            let from = fragments.last().map_or(0, |before| before.end);
            fragments.push(self.place(seen, from)?);
        }
        Ok(fragments)
    }

    /// Places one fragment without regard to words, at or after `from` if it has no position, so that it counts as a
    /// wrong boundary.
    fn place(&self, seen: &WrittenFragment, from: usize) -> Result<Fragment, Problem> {
        let text = seen.text.as_deref().map(|text| self.program.escape().unescape(text).unwrap_or_default());
        if seen.positions.is_empty() {
            let text = text.unwrap_or_default();
            let found = self.text.byte_at(from).filter(|_| !text.is_empty()).and_then(|begin| {
                let found = begin + self.text.as_str()[begin..].find(&text)?;
                let start = self.text.char_at(found);
                Some(Fragment::new(start, start + text.chars().count()))
            });
            return found.ok_or(Problem::NotInDocument { text });
        }
        let units = self.units();
        let number = |kind| seen.positions.iter().find(|(known, _)| *known == kind).map(|(_, value)| *value as usize);
        let start = number(Terminal::Start).or_else(|| Some(units.get(number(Terminal::First)?)?.start));
        let end = number(Terminal::End).or_else(|| Some(units.get(number(Terminal::Last)?)?.end));
        let length = text.as_deref().map(|text| text.chars().count());
        let fragment = match (start, end, length) {
            (Some(start), Some(end), _) => Some(Fragment::new(start, end)),
            (Some(start), None, Some(length)) => Some(Fragment::new(start, start.saturating_add(length))),
            (None, Some(end), Some(length)) => end.checked_sub(length).map(|start| Fragment::new(start, end)),
            _ => None,
        };
        let there = fragment.and_then(|fragment| self.text.slice(fragment));
        let agrees = |fragment: &Fragment| {
            seen.positions.iter().all(|&(kind, value)| match kind {
                Terminal::Start => fragment.start == value as usize,
                Terminal::End => fragment.end == value as usize,
                // Words and occurrences have numbers only on word boundaries, where the tuple would have been found.
                _ => false,
            }) && text.as_deref().is_none_or(|text| there == Some(text))
        };
        fragment.filter(|fragment| there.is_some() && agrees(fragment)).ok_or_else(|| {
            let place = seen.positions.iter().map(|(kind, value)| format!("{} {value}", kind.name()));
            Problem::Disagree {
                text: text.clone().unwrap_or_default(),
                place: place.collect::<Vec<_>>().join(", "),
                there: there.map_or("nothing".into(), |there| format!("`{there}`")),
            }
        })
    }

    /// What fragments are made of: words, or characters.
    fn units(&self) -> Vec<Fragment> {
        match &self.automaton {
            Some(automaton) => {
                automaton.source.words.iter().map(|word| Fragment::new(word.0 as usize, word.1 as usize)).collect()
            }
            None => self.text.words().to_vec(),
        }
    }
}
