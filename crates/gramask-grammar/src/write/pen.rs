//! One attempt to write an output: its place in the program, and what is open.

use super::Gold;
use super::search::Writer;
use crate::automaton::Interner;
use crate::delimiters::Tail;
use crate::notation::ast::Terminal;
use crate::program::{LabelId, Op, Pc};
use crate::regex::StateId;

/// One attempt. `Copy`, and equal pens can write the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Pen {
    pub pc: Pc,
    /// The element of the document that comes next.
    pub cursor: u32,
    label: LabelId,
    /// The delimiters' state after free text.
    tail: Tail,
    stack: StackId,
    opened: OpenedId,
}

impl Pen {
    /// Before the first operation.
    pub const START: Pen = Pen {
        pc: Pc::START,
        cursor: 0,
        label: LabelId::NONE,
        tail: Tail::NONE,
        stack: StackId::BOTTOM,
        opened: OpenedId(0),
    };

    /// The same attempt at another operation.
    pub fn at(self, pc: Pc) -> Pen {
        Pen { pc, ..self }
    }
}

/// A stack, by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct StackId(u32);

impl StackId {
    const BOTTOM: StackId = StackId(0);
}

/// Which entities were opened, by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct OpenedId(u32);

/// The top of a stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Link {
    held: Held,
    below: StackId,
    /// The bytes that the rules below still write at least.
    rest: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Held {
    Bottom,
    /// A rule was called: where it begins, where it returns to, and what was written of the document before.
    Rule {
        target: Pc,
        back: Pc,
        progress: Progress,
    },
    /// An open entity, and how many of its fragments `@text` wrote.
    Entity {
        gold: usize,
        texts: usize,
    },
}

/// What is written of the document and of the entities.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Progress {
    cursor: u32,
    label: LabelId,
    opened: OpenedId,
    texts: usize,
}

/// The stacks and the sets of opened entities of all attempts.
pub(super) struct Desk {
    stacks: Interner<Link>,
    /// Sets as bits, 64 in each number.
    opened: Interner<Vec<u64>>,
}

impl Desk {
    pub fn new(golds: usize) -> Desk {
        let bottom = Link { held: Held::Bottom, below: StackId::BOTTOM, rest: 0 };
        Desk { stacks: Interner::new(bottom), opened: Interner::new(vec![0; golds.div_ceil(64)]) }
    }

    fn link(&self, stack: StackId) -> Link {
        *self.stacks.get(stack.0)
    }

    fn push(&mut self, pen: &mut Pen, held: Held, more: i64) {
        let rest = self.link(pen.stack).rest.saturating_add(more);
        pen.stack = StackId(self.stacks.number(Link { held, below: pen.stack, rest }));
    }

    fn pop(&self, pen: &mut Pen) -> Held {
        let link = self.link(pen.stack);
        pen.stack = link.below;
        link.held
    }

    /// What is on the stack, from the top.
    fn held(&self, pen: &Pen) -> impl Iterator<Item = Held> {
        let mut at = pen.stack;
        std::iter::from_fn(move || {
            let link = self.link(at);
            at = link.below;
            (link.held != Held::Bottom).then_some(link.held)
        })
    }

    /// The innermost open entity.
    fn entity(&self, pen: &Pen) -> Option<(usize, usize)> {
        self.held(pen).find_map(|held| if let Held::Entity { gold, texts } = held { Some((gold, texts)) } else { None })
    }

    fn progress(&self, pen: &Pen) -> Progress {
        let texts = self.entity(pen).map_or(0, |(_, texts)| texts);
        Progress { cursor: pen.cursor, label: pen.label, opened: pen.opened, texts }
    }

    /// Whether a call at the pen's place would begin a rule that is already open, with nothing written of the document since.
    pub fn goes_round(&self, pen: &Pen, target: Pc) -> bool {
        let now = self.progress(pen);
        let since = |held: &Held| matches!(held, Held::Rule { progress, .. } if *progress == now);
        self.held(pen).take_while(since).any(|held| matches!(held, Held::Rule { target: open, .. } if open == target))
    }

    /// The bytes that the open rules still write at least, after the current one.
    pub fn rest(&self, pen: &Pen) -> i64 {
        self.link(pen.stack).rest
    }
}

impl Writer<'_> {
    /// Whether everything is written.
    pub fn is_done(&self, pen: &Pen) -> bool {
        (0..self.golds.len()).all(|gold| self.is_open(pen, gold))
            && match (self.program.cursor, self.program.copies) {
                (false, _) => true,
                (true, true) => pen.cursor as usize == self.source.elements.len(),
                (true, false) => self.source.next_word(pen.cursor).is_none(),
            }
    }

    /// Whether an entity is or was open.
    fn is_open(&self, pen: &Pen, gold: usize) -> bool {
        self.desk.opened.get(pen.opened.0)[gold / 64] >> (gold % 64) & 1 == 1
    }

    /// Carries out one operation; `None` where these entities can't be written so.
    pub fn write(&mut self, pen: &mut Pen, output: &mut Vec<u8>) -> Option<()> {
        let program = self.program;
        let mut next = pen.pc.next();
        match program.op(pen.pc) {
            Op::Literal(bytes) => {
                if program.delimiters.clash(pen.tail, bytes) {
                    return None;
                }
                pen.tail = Tail::NONE;
                output.extend_from_slice(bytes);
            }
            Op::Regex(number) => {
                pen.tail = Tail::NONE;
                output.extend_from_slice(&program.regexes[*number].shortest(StateId::START));
            }
            Op::Call(target) => {
                let held = Held::Rule { target: *target, back: next, progress: self.desk.progress(pen) };
                self.desk.push(pen, held, self.least[next.index()]);
                next = *target;
            }
            Op::Return => match self.desk.pop(pen) {
                Held::Rule { back, .. } => next = back,
                Held::Entity { .. } | Held::Bottom => return None,
            },
            Op::Label(label) => {
                self.may_leave_label(pen)?;
                pen.label = *label;
            }
            Op::Open => self.open(pen)?,
            Op::Close => self.close(pen)?,
            Op::Terminal(kind) => self.terminal(*kind, pen, output)?,
            Op::Jump(target) => next = *target,
            Op::Accept | Op::Split(_) => return None,
        }
        pen.pc = next;
        Some(())
    }

    /// Every entity of the context's label must be written before another label's context begins.
    fn may_leave_label(&self, pen: &Pen) -> Option<()> {
        let left = |(number, gold): (usize, &Gold)| !self.is_open(pen, number) && gold.tuple.label == pen.label;
        (!self.golds.iter().enumerate().any(left)).then_some(())
    }

    /// Opens the next entity that is not yet written.
    fn open(&mut self, pen: &mut Pen) -> Option<()> {
        let of_label = |gold: &Gold| pen.label == LabelId::NONE || gold.tuple.label == pen.label;
        let gold = (0..self.golds.len()).find(|&n| !self.is_open(pen, n) && of_label(&self.golds[n]))?;
        if self.program.cursor && self.source.next_word(pen.cursor) != Some(self.golds[gold].first()) {
            return None;
        }
        if self.program.copies && self.source.elements[pen.cursor as usize].word.is_none() {
            return None;
        }
        let mut opened = self.desk.opened.get(pen.opened.0).clone();
        opened[gold / 64] |= 1 << (gold % 64);
        pen.opened = OpenedId(self.desk.opened.number(opened));
        self.desk.push(pen, Held::Entity { gold, texts: 0 }, 0);
        Some(())
    }

    /// Closes the innermost entity, if all of it is written.
    fn close(&self, pen: &mut Pen) -> Option<()> {
        let Held::Entity { gold, texts } = self.desk.pop(pen) else {
            return None;
        };
        let gold = &self.golds[gold];
        let done = match self.program.cursor {
            true => self.passed(pen.cursor) == Some(gold.last()),
            false => texts.max(1) == gold.tuple.fragments.len(),
        };
        done.then_some(())
    }

    fn terminal(&mut self, kind: Terminal, pen: &mut Pen, output: &mut Vec<u8>) -> Option<()> {
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
                let label = self.desk.entity(pen).map_or(pen.label, |(gold, _)| self.golds[gold].tuple.label);
                pen.tail = Tail::NONE;
                output.extend_from_slice(self.program.labels.get(label.index())?);
            }
            Terminal::Text => {
                let (gold, texts) = self.desk.entity(pen)?;
                let (first, last) = *self.golds[gold].tuple.fragments.get(texts)?;
                self.free(pen, output, self.source.surface(first, last))?;
                self.wrote_text(pen);
            }
            position => {
                let (gold, texts) = self.desk.entity(pen)?;
                let (first, last) = *self.golds[gold].tuple.fragments.get(texts.saturating_sub(1))?;
                pen.tail = Tail::NONE;
                output.extend_from_slice(self.source.view(position, first, last).to_string().as_bytes());
            }
        }
        Some(())
    }

    /// One more fragment of the innermost entity is written. Rules that are called inside the entity stay open.
    fn wrote_text(&mut self, pen: &mut Pen) {
        let (top, rest) = (pen.stack, self.desk.rest(pen));
        match self.desk.pop(pen) {
            Held::Bottom => pen.stack = top,
            Held::Entity { gold, texts } => self.desk.push(pen, Held::Entity { gold, texts: texts + 1 }, 0),
            held @ Held::Rule { .. } => {
                let more = rest - self.desk.rest(pen);
                self.wrote_text(pen);
                self.desk.push(pen, held, more);
            }
        }
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
        let missed = |number: usize| word.is_some() && !self.is_open(pen, number) && self.golds[number].first() == next;
        let over = |held: Held| matches!(held, Held::Entity { gold, .. } if next > self.golds[gold].last());
        (!(0..self.golds.len()).any(missed) && !self.desk.held(pen).any(over)).then_some(())
    }

    fn passed(&self, cursor: u32) -> Option<u32> {
        self.source.passed(cursor, self.program.copies)
    }
}
