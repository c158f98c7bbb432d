//! One step of one thread by one byte.

use std::sync::Arc;

use super::{Automaton, Event, FreeText, Open, Progress, Recorder, Thread, less};
use crate::delimiters::Tail;
use crate::escape::{LONGEST_UNIT, Unit};
use crate::notation::ast::Terminal;
use crate::program::{LabelId, Op, is_free};
use crate::regex::StateId;
use crate::source::Element;

/// The most digits of a number at level `syntax`.
pub(crate) const MOST_DIGITS: u8 = 6;

/// The threads after a step.
type Threads<R> = Vec<Thread<<R as Recorder>::Mark>>;

impl<R: Recorder> Automaton<R> {
    /// The threads that `thread` becomes when `byte` is written, in order of preference.
    pub fn step(&mut self, mut thread: Thread<R::Mark>, byte: u8, out: &mut Threads<R>) {
        if thread.at == Progress::Begin {
            let begin = self.recorder.position();
            self.recorder.record(&mut thread.mark, Event::Begin(begin));
        }
        if let Op::Literal(bytes) = self.program.op(thread.pc) {
            let (offset, length) = (thread.offset(), bytes.len());
            if bytes.get(offset) == Some(&byte) {
                self.passed_one(thread, offset, length, out);
            }
            return;
        }
        let program = Arc::clone(&self.program);
        match program.op(thread.pc) {
            Op::Regex(number) => {
                let regex = &program.regexes[*number];
                let state = if let Progress::Regex(state) = thread.at { state } else { StateId::START };
                if let Some(next) = regex.next(state, byte) {
                    out.push(Thread { at: Progress::Regex(next), ..thread });
                    if regex.matches(next) {
                        self.leave(thread, None, out);
                    }
                }
            }
            Op::Terminal(Terminal::Label) => {
                self.label(thread, byte, out);
                // A reader reads labels outside the schema too, and those that differ from the bound one, to name them.
                if self.recorder.reads_unknown_labels() && self.innermost(&thread).is_some() {
                    self.free_text(thread, Terminal::Label, byte, out);
                }
            }
            Op::Terminal(kind @ (Terminal::Copy | Terminal::Word)) if self.grounded() => {
                if let Some((element, cursor, tail)) = self.next_element(&thread, *kind) {
                    let bytes = &self.source.bytes[element.start as usize..element.end as usize];
                    let (offset, length) = (thread.offset(), bytes.len());
                    if bytes[offset] == byte {
                        match offset + 1 == length {
                            true => self.leave(Thread { cursor, tail, ..thread }, Some(*kind), out),
                            false => out.push(Thread { at: Progress::Offset(offset as u32 + 1), ..thread }),
                        }
                    }
                }
            }
            Op::Terminal(Terminal::Text) if self.grounded() => self.surface(thread, byte, out),
            Op::Terminal(kind) if is_free(*kind) => self.free_text(thread, *kind, byte, out),
            Op::Terminal(kind) => self.number(thread, *kind, byte, out),
            _ => {}
        }
    }

    /// Goes on after the operation, which is complete.
    fn leave(&mut self, mut thread: Thread<R::Mark>, kind: Option<Terminal>, out: &mut Threads<R>) {
        if let Some(kind) = kind {
            let end = self.recorder.position() + 1;
            self.recorder.record(&mut thread.mark, Event::End(kind, end));
        }
        self.close(Thread { pc: thread.pc.next(), at: Progress::Begin, ..thread }, out);
    }

    /// One more byte of a literal of `length` bytes.
    fn passed_one(&mut self, thread: Thread<R::Mark>, offset: usize, length: usize, out: &mut Threads<R>) {
        match offset + 1 == length {
            true => self.leave(thread, None, out),
            false => out.push(Thread { at: Progress::Offset(offset as u32 + 1), ..thread }),
        }
    }

    /// What `@copy` or `@word` writes next, with the cursor and the tail after it.
    pub fn next_element(&self, thread: &Thread<R::Mark>, kind: Terminal) -> Option<(Element, u32, Tail)> {
        let (element, cursor) = match kind {
            Terminal::Copy => (*self.source.elements.get(thread.cursor as usize)?, thread.cursor + 1),
            _ => self.source.pass(thread.cursor)?,
        };
        let bytes = &self.source.bytes[element.start as usize..element.end as usize];
        Some((element, cursor, self.program.delimiters.run(thread.tail, bytes)?))
    }

    fn surface(&mut self, thread: Thread<R::Mark>, byte: u8, out: &mut Threads<R>) {
        let prefix = if let Progress::Surface(prefix) = thread.at { prefix } else { self.source.anywhere() };
        let Some(prefix) = self.source.narrow(prefix, byte) else {
            return;
        };
        let Some(tail) = self.program.delimiters.run(thread.tail, self.source.shared(prefix)) else {
            return;
        };
        out.push(Thread { at: Progress::Surface(prefix), ..thread });
        let whole = |&first: &u32| Some((first, self.source.last(first, prefix.depth)?));
        let Some((first, last)) = self.source.starts(prefix).iter().find_map(whole) else {
            return;
        };
        let Some(open) = self.innermost(&thread) else {
            return;
        };
        if let Some(bound) = self.bind_surface(open, thread.previous, first, last) {
            let frame = self.frames.with_innermost(thread.frame, bound);
            self.leave(Thread { frame, tail, ..thread }, Some(Terminal::Text), out);
        }
    }

    fn label(&mut self, thread: Thread<R::Mark>, byte: u8, out: &mut Threads<R>) {
        let (offset, like) = match thread.at {
            Progress::Label { offset, label } => (usize::from(offset), Some(label)),
            Progress::FreeText(_) => return,
            _ => (0, None),
        };
        let program = Arc::clone(&self.program);
        let begins = |label: &LabelId| {
            let bytes = &program.label(*label);
            bytes.get(offset) == Some(&byte) && like.is_none_or(|like| bytes[..offset] == program.label(like)[..offset])
        };
        let allowed: Vec<LabelId> = self.labels(&thread).into_iter().filter(begins).collect();
        if let Some(&label) = allowed.iter().find(|label| program.label(**label).len() > offset + 1) {
            out.push(Thread { at: Progress::Label { offset: offset as u16 + 1, label }, ..thread });
        }
        for label in allowed {
            if program.label(label).len() == offset + 1
                && let Some(bound) = self.bind_label(&thread, label)
            {
                self.leave(bound, Some(Terminal::Label), out);
            }
        }
    }

    /// The labels that `@label` can write here.
    pub fn labels(&self, thread: &Thread<R::Mark>) -> Vec<LabelId> {
        let Some(open) = self.innermost(thread) else {
            return if thread.label == LabelId::NONE { Vec::new() } else { vec![thread.label] };
        };
        let all = open.label.or_all(self.program.labels.len());
        // In a cursor format the entity's end shows which labels it can have.
        if !self.grounded() || self.program.cursor {
            return all.collect();
        }
        all.filter(|&label| self.possible(&Open { label, ..open.clone() }, thread.previous)).collect()
    }

    pub fn bind_label(&mut self, thread: &Thread<R::Mark>, label: LabelId) -> Option<Thread<R::Mark>> {
        let Some(open) = self.innermost(thread) else {
            return Some(*thread);
        };
        if open.label == label {
            return Some(*thread);
        }
        let mut bound = Open { label, ..open.clone() };
        if self.grounded() && !self.program.cursor {
            bound = self.normalise(bound, thread.previous)?;
        }
        let frame = self.frames.with_innermost(thread.frame, bound);
        Some(Thread { frame, ..*thread })
    }

    fn number(&mut self, thread: Thread<R::Mark>, kind: Terminal, byte: u8, out: &mut Threads<R>) {
        let (value, digits) = match thread.at {
            Progress::Number { value, digits } => (value, digits),
            _ => (0, 0),
        };
        // No leading zero, so that each number is written in one way.
        if !byte.is_ascii_digit() || (digits > 0 && value == 0) || digits == MOST_DIGITS {
            return;
        }
        let (mut value, digits) = (value * 10 + u32::from(byte - b'0'), digits + 1);
        if !self.grounded() {
            // Only whether it is zero matters.
            value = value.min(1);
        }
        out.push(Thread { at: Progress::Number { value, digits }, ..thread });
        match self.grounded() {
            false => self.leave(thread, Some(kind), out),
            true => {
                if let Some(bound) = self.bind_position(&thread, kind, value) {
                    self.leave(bound, Some(kind), out);
                }
            }
        }
    }

    pub fn bind_position(&mut self, thread: &Thread<R::Mark>, kind: Terminal, value: u32) -> Option<Thread<R::Mark>> {
        let open = self.innermost(thread)?;
        let bound = self.bind_number(open, thread.previous, kind, value)?;
        let frame = self.frames.with_innermost(thread.frame, bound);
        Some(Thread { frame, ..*thread })
    }

    /// The positions that can be written here and begin as `thread` did.
    pub fn positions(&self, thread: &Thread<R::Mark>, kind: Terminal) -> Vec<(u32, Vec<u8>)> {
        let begun = match thread.at {
            Progress::Number { value, .. } => value.to_string(),
            _ => String::new(),
        };
        let Some(open) = self.innermost(thread) else {
            return Vec::new();
        };
        let rest = |value: u32| Some((value, value.to_string().strip_prefix(&begun)?.as_bytes().to_vec()));
        self.values(open, thread.previous, kind).into_iter().filter_map(rest).collect()
    }

    /// Free text at level `syntax`: written through the escape, without delimiters, within its allowance.
    fn free_text(&mut self, mut thread: Thread<R::Mark>, kind: Terminal, byte: u8, out: &mut Threads<R>) {
        if matches!(thread.at, Progress::Label { .. }) {
            return;
        }
        let mut free = self.begin_free_text(&thread, kind);
        let delimiters =
            if kind == Terminal::Label { &self.program.label_delimiters } else { &self.program.delimiters };
        let Some(tail) = delimiters.step(free.tail, byte) else {
            return;
        };
        free.tail = tail;
        // The free text has these values itself. Kept twice, they would make equal threads differ.
        thread.tail = Tail::NONE;
        if kind.is_cursor() {
            thread.cursor_left = 0;
        }
        if free.count == 0 {
            let Some(left) = less(free.left) else { return };
            free.left = left;
        }
        free.pending[usize::from(free.count)] = byte;
        free.count += 1;
        match self.program.escape().unit(&free.pending[..usize::from(free.count)]) {
            Unit::Invalid => {}
            Unit::Partial => {
                self.program.escape().canonical(&mut free.pending, &mut free.count);
                out.push(Thread { at: Progress::FreeText(free), ..thread });
            }
            Unit::Whole(_) => {
                (free.count, free.pending) = (0, [0; LONGEST_UNIT]);
                self.end_unit(thread, kind, free, out);
            }
        }
    }

    /// Free text with no unit begun: it goes on, or ends here.
    fn end_unit(&mut self, thread: Thread<R::Mark>, kind: Terminal, free: FreeText, out: &mut Threads<R>) {
        if free.left > 0 {
            out.push(Thread { at: Progress::FreeText(free), ..thread });
        }
        let cursor_left = if kind.is_cursor() { free.left } else { thread.cursor_left };
        let tail = if kind == Terminal::Label { Tail::NONE } else { free.tail };
        let first = out.len();
        if kind != Terminal::Label || !self.is_schema_label(&thread) {
            self.leave(Thread { cursor_left, tail, ..thread }, Some(kind), out);
        }
        // A thread that begins the same free text anew writes no more than the one that goes on with it.
        if free.left > 0 && !R::KEEPS_PARSES_APART {
            let mut at = first;
            while at < out.len() {
                let next = &out[at];
                if next.pc == thread.pc && next.at == Progress::Begin && next.frame == thread.frame {
                    out.swap_remove(at);
                } else {
                    at += 1;
                }
            }
        }
    }

    /// For the reader: whether the text that the thread has begun is a label that can stand here, now that this byte is in
    /// it. Such a text is read as that label alone. Were it read as an unknown label too, each tag would double the threads.
    fn is_schema_label(&self, thread: &Thread<R::Mark>) -> bool {
        let Some(text) = self.recorder.begun_text(thread.mark) else {
            return false;
        };
        self.labels(thread).into_iter().any(|label| self.program.label(label) == text)
    }

    pub fn begin_free_text(&self, thread: &Thread<R::Mark>, kind: Terminal) -> FreeText {
        if let Progress::FreeText(free) = thread.at {
            return free;
        }
        let left = if kind.is_cursor() { thread.cursor_left } else { self.limits.characters };
        FreeText { left, tail: thread.tail, pending: [0; LONGEST_UNIT], count: 0 }
    }
}
