//! The writer turns entities into the one output that describes them.
//!
//! It runs the program of the format along the entities. An entity opens where the next one begins, a terminal writes a view
//! of the open entity, and a choice that leads nowhere is taken back. Entities that the format can't express are found
//! beforehand and returned with the output.

use std::rc::Rc;
use std::sync::Arc;

use gramask_ner::{Entity, Text};

use crate::automaton::Tuple;
use crate::delimiters::Tail;
use crate::notation::ast::{Boundaries, Terminal};
use crate::program::{LabelId, Op, Pc, Program};
use crate::source::Source;

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
    /// The label is not of the schema.
    #[error("its label is not in the schema")]
    Label,
    /// A fragment does not begin and end with a word, or lies outside the document.
    #[error("a fragment does not begin and end at word boundaries")]
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
}

/// An entity to write: its tuple and its place in the caller's list.
#[derive(Clone)]
struct Gold {
    tuple: Tuple,
    index: usize,
}

/// One attempt to write the output.
#[derive(Clone)]
struct Pen {
    pc: Pc,
    cursor: u32,
    label: LabelId,
    /// The delimiters' state after free text.
    tail: Tail,
    /// The length of the output, to which it is cut when the attempt is taken back.
    length: usize,
    stack: Option<Rc<Link>>,
    /// Which entities were opened.
    opened: Rc<Vec<bool>>,
}

struct Link {
    kind: Held,
    below: Option<Rc<Link>>,
}

#[derive(Clone, Copy)]
enum Held {
    Return(Pc),
    /// An open entity, and how many of its fragments `@text` wrote.
    Entity {
        gold: usize,
        texts: usize,
    },
}

impl Program {
    /// Writes the output of these entities about `text`, in document order.
    ///
    /// # Errors
    /// The document itself can't be written, or the grammar has no output with exactly these entities.
    pub fn write(self: &Arc<Self>, text: &Text, entities: &[Entity]) -> Result<Written, WriteError> {
        let directives = &self.format.grammar.directives;
        let name = || self.format.name.clone();
        let source = Source::new(text, &directives.escape, directives.boundaries)
            .map_err(|(offset, character)| WriteError::Character { format: name(), offset, character })?;
        let (mut golds, mut unexpressed) = self.sort_out(text, entities);
        let run = |golds: &[Gold]| Writer { program: self, source: &source, golds }.run();
        let mut output = run(&golds);
        if output.is_none() {
            // Some text may hold a delimiter: the entities that can't be written beside those before them are left out.
            let mut kept = Vec::new();
            for gold in &golds {
                kept.push(gold.clone());
                match run(&kept) {
                    Some(written) => output = Some(written),
                    None => {
                        kept.pop();
                        let reason = self.hindrance(&source, &gold.tuple);
                        unexpressed.push((entities[gold.index].clone(), reason));
                    }
                }
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

struct Writer<'a> {
    program: &'a Program,
    source: &'a Source,
    golds: &'a [Gold],
}

impl Writer<'_> {
    fn run(&self) -> Option<Vec<u8>> {
        let opened = Rc::new(vec![false; self.golds.len()]);
        let mut choices = vec![Pen {
            pc: Pc::START,
            cursor: 0,
            label: LabelId::NONE,
            tail: Tail::NONE,
            length: 0,
            stack: None,
            opened,
        }];
        let mut output = Vec::new();
        while let Some(mut pen) = choices.pop() {
            output.truncate(pen.length);
            loop {
                pen.length = output.len();
                match self.program.op(pen.pc) {
                    Op::Accept => {
                        if pen.opened.iter().all(|opened| *opened) && self.at_end(&pen) {
                            return Some(output);
                        }
                        break;
                    }
                    Op::Split(targets) => {
                        let others = targets[1..].iter().rev();
                        choices.extend(others.map(|&pc| Pen { pc, ..pen.clone() }));
                        pen.pc = targets[0];
                    }
                    Op::Jump(pc) => pen.pc = *pc,
                    _ => match self.write(&mut pen, &mut output) {
                        Some(()) => {}
                        None => break,
                    },
                }
            }
        }
        None
    }

    fn at_end(&self, pen: &Pen) -> bool {
        match (self.program.cursor, self.program.copies) {
            (false, _) => true,
            (true, true) => pen.cursor as usize == self.source.elements.len(),
            (true, false) => self.source.next_word(pen.cursor).is_none(),
        }
    }

    /// Carries out one operation; `None` where these entities can't be written so.
    fn write(&self, pen: &mut Pen, output: &mut Vec<u8>) -> Option<()> {
        let mut next = pen.pc.next();
        match self.program.op(pen.pc) {
            Op::Literal(bytes) => {
                if self.program.delimiters.clash(pen.tail, bytes) {
                    return None;
                }
                pen.tail = Tail::NONE;
                output.extend_from_slice(bytes);
            }
            Op::Regex(number) => {
                let regex = &self.program.regexes[*number];
                pen.tail = Tail::NONE;
                output.extend_from_slice(regex.shortest(regex.start)?);
            }
            Op::Call(pc) => {
                pen.push(Held::Return(next));
                next = *pc;
            }
            Op::Return => match pen.pop()? {
                Held::Return(pc) => next = pc,
                Held::Entity { .. } => return None,
            },
            Op::Label(label) => {
                self.may_leave_label(pen)?;
                pen.label = *label;
            }
            Op::Open => self.open(pen)?,
            Op::Close => self.close(pen)?,
            Op::Terminal(kind) => self.terminal(*kind, pen, output)?,
            Op::Accept | Op::Split(_) | Op::Jump(_) => {}
        }
        pen.pc = next;
        Some(())
    }

    /// Every entity of the context's label must be written before another label's context begins.
    fn may_leave_label(&self, pen: &Pen) -> Option<()> {
        let left = |(number, gold): (usize, &Gold)| !pen.opened[number] && gold.tuple.label == pen.label;
        (!self.golds.iter().enumerate().any(left)).then_some(())
    }

    /// Opens the next entity that is not yet written.
    fn open(&self, pen: &mut Pen) -> Option<()> {
        let of_label = |gold: &Gold| pen.label == LabelId::NONE || gold.tuple.label == pen.label;
        let gold = (0..self.golds.len()).find(|&n| !pen.opened[n] && of_label(&self.golds[n]))?;
        if self.program.cursor && self.source.next_word(pen.cursor) != Some(self.golds[gold].first()) {
            return None;
        }
        if self.program.copies && self.source.elements[pen.cursor as usize].word.is_none() {
            return None;
        }
        Rc::make_mut(&mut pen.opened)[gold] = true;
        pen.push(Held::Entity { gold, texts: 0 });
        Some(())
    }

    /// Closes the innermost entity, if all of it is written.
    fn close(&self, pen: &mut Pen) -> Option<()> {
        let Held::Entity { gold, texts } = pen.pop()? else {
            return None;
        };
        let gold = &self.golds[gold];
        let done = match self.program.cursor {
            true => self.passed(pen.cursor) == Some(gold.last()),
            false => texts.max(1) == gold.tuple.fragments.len(),
        };
        done.then_some(())
    }

    fn terminal(&self, kind: Terminal, pen: &mut Pen, output: &mut Vec<u8>) -> Option<()> {
        match kind {
            Terminal::Copy => {
                let element = *self.source.elements.get(pen.cursor as usize)?;
                self.may_pass(pen, element.word)?;
                self.free(pen, output, &self.source.bytes[element.start as usize..element.end as usize])?;
                pen.cursor += 1;
            }
            Terminal::Word | Terminal::Skip => {
                let (element, cursor) = self.source.pass(pen.cursor)?;
                self.may_pass(pen, element.word)?;
                if kind == Terminal::Word {
                    self.free(pen, output, &self.source.bytes[element.start as usize..element.end as usize])?;
                }
                pen.cursor = cursor;
            }
            Terminal::Label => {
                let label = pen.entity().map_or(pen.label, |(gold, _)| self.golds[gold].tuple.label);
                pen.tail = Tail::NONE;
                output.extend_from_slice(self.program.labels.get(label.index())?);
            }
            Terminal::Text => {
                let (gold, texts) = pen.entity()?;
                let (first, last) = *self.golds[gold].tuple.fragments.get(texts)?;
                self.free(pen, output, self.source.surface(first, last))?;
                pen.wrote_text();
            }
            position => {
                let (gold, texts) = pen.entity()?;
                let (first, last) = *self.golds[gold].tuple.fragments.get(texts.saturating_sub(1))?;
                pen.tail = Tail::NONE;
                output.extend_from_slice(self.source.view(position, first, last).to_string().as_bytes());
            }
        }
        Some(())
    }

    /// Writes text of the document, if it holds no delimiter.
    fn free(&self, pen: &mut Pen, output: &mut Vec<u8>, bytes: &[u8]) -> Option<()> {
        pen.tail = self.program.delimiters.run(pen.tail, bytes)?;
        output.extend_from_slice(bytes);
        Some(())
    }

    /// No entity that begins at this word may be passed unopened, and no open one may be left over.
    fn may_pass(&self, pen: &Pen, word: Option<u32>) -> Option<()> {
        let next = self.source.next_word(pen.cursor).unwrap_or(self.source.len());
        let missed = |number: usize| word.is_some() && !pen.opened[number] && self.golds[number].first() == next;
        let mut fits = !(0..self.golds.len()).any(missed);
        let mut link = pen.stack.as_ref();
        while let Some(held) = link {
            if let Held::Entity { gold, .. } = held.kind {
                fits &= next <= self.golds[gold].last();
            }
            link = held.below.as_ref();
        }
        fits.then_some(())
    }

    fn passed(&self, cursor: u32) -> Option<u32> {
        self.source.passed(cursor, self.program.copies)
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

impl Pen {
    fn push(&mut self, kind: Held) {
        self.stack = Some(Rc::new(Link { kind, below: self.stack.take() }));
    }

    fn pop(&mut self) -> Option<Held> {
        let link = self.stack.take()?;
        self.stack = link.below.clone();
        Some(link.kind)
    }

    /// The innermost open entity.
    fn entity(&self) -> Option<(usize, usize)> {
        let mut link = self.stack.as_ref();
        while let Some(held) = link {
            if let Held::Entity { gold, texts } = held.kind {
                return Some((gold, texts));
            }
            link = held.below.as_ref();
        }
        None
    }

    /// `@text` stands in the entity's own rule, whose frame is then on top.
    fn wrote_text(&mut self) {
        if let Some(Held::Entity { gold, texts }) = self.pop() {
            self.push(Held::Entity { gold, texts: texts + 1 });
        }
    }
}
