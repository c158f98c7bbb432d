//! One byte.

use std::sync::Arc;

use super::thread::{Free, Open};
use super::{At, Event, Machine, Thread, less};
use crate::escape::{LONGEST_UNIT, Unit};
use crate::notation::ast::Terminal;
use crate::program::{NO_LABEL, Op, is_free};
use crate::source::Element;

/// Numbers at level `syntax` have at most so many digits.
pub(super) const DIGITS: u8 = 6;

impl Machine {
    /// The threads that `thread` becomes when `byte` is written, in order of preference.
    pub fn step(&mut self, mut thread: Thread, byte: u8, out: &mut Vec<Thread>) {
        if thread.at == At::Begin {
            self.trace(&mut thread, Event::Begin(self.position));
        }
        if let Op::Literal(bytes) = &self.program.ops[thread.pc as usize] {
            let (offset, length) = (thread.offset(), bytes.len());
            if bytes.get(offset) == Some(&byte) {
                self.passed_one(thread, offset, length, out);
            }
            return;
        }
        let program = Arc::clone(&self.program);
        match &program.ops[thread.pc as usize] {
            Op::Regex(number) => {
                let regex = &program.regexes[*number];
                let state = if let At::Regex(state) = thread.at { state } else { regex.start };
                if let Some(next) = regex.next(state, byte) {
                    out.push(Thread { at: At::Regex(next), ..thread });
                    if regex.matches(next) {
                        self.leave(thread, None, out);
                    }
                }
            }
            Op::Terminal(Terminal::Label) => {
                self.label(thread, byte, out);
                // A reader goes on over a label that is not of the schema, or not the one before, to name it.
                if self.lenient && self.innermost(thread.frame).is_some() {
                    self.free(thread, Terminal::Label, byte, out);
                }
            }
            Op::Terminal(kind @ (Terminal::Copy | Terminal::Word)) if self.grounded() => {
                if let Some((element, cursor, tail)) = self.next_element(&thread, *kind) {
                    let bytes = &self.source.bytes[element.start as usize..element.end as usize];
                    let (offset, length) = (thread.offset(), bytes.len());
                    if bytes[offset] == byte {
                        match offset + 1 == length {
                            true => self.leave(Thread { cursor, tail, ..thread }, Some(*kind), out),
                            false => out.push(Thread { at: At::Offset(offset as u32 + 1), ..thread }),
                        }
                    }
                }
            }
            Op::Terminal(Terminal::Text) if self.grounded() => self.surface(thread, byte, out),
            Op::Terminal(kind) if is_free(*kind) => self.free(thread, *kind, byte, out),
            Op::Terminal(kind) => self.number(thread, *kind, byte, out),
            _ => {}
        }
    }

    /// The operation is done: goes on behind it.
    fn leave(&mut self, mut thread: Thread, kind: Option<Terminal>, out: &mut Vec<Thread>) {
        if let Some(kind) = kind {
            self.trace(&mut thread, Event::End(kind, self.position + 1));
        }
        self.settle(Thread { pc: thread.pc + 1, at: At::Begin, ..thread }, out);
    }

    /// One more byte of a literal of so many.
    fn passed_one(&mut self, thread: Thread, offset: usize, length: usize, out: &mut Vec<Thread>) {
        match offset + 1 == length {
            true => self.leave(thread, None, out),
            false => out.push(Thread { at: At::Offset(offset as u32 + 1), ..thread }),
        }
    }

    /// What `@copy` or `@word` writes next, with the cursor and the delimiters' state behind it.
    pub(super) fn next_element(&self, thread: &Thread, kind: Terminal) -> Option<(Element, u32, u16)> {
        let (element, cursor) = match kind {
            Terminal::Copy => (*self.source.elements.get(thread.cursor as usize)?, thread.cursor + 1),
            _ => self.source.pass(thread.cursor)?,
        };
        let bytes = &self.source.bytes[element.start as usize..element.end as usize];
        Some((element, cursor, self.program.delimiters.run(thread.tail, bytes)?))
    }

    fn surface(&mut self, thread: Thread, byte: u8, out: &mut Vec<Thread>) {
        let prefix = if let At::Surface(prefix) = thread.at { prefix } else { self.source.anywhere() };
        let Some(prefix) = self.source.narrow(prefix, byte) else {
            return;
        };
        let Some(tail) = self.program.delimiters.run(thread.tail, self.source.shared(prefix)) else {
            return;
        };
        out.push(Thread { at: At::Surface(prefix), ..thread });
        let whole = |&first: &u32| Some((first, self.source.last(first, prefix.depth)?));
        let Some((first, last)) = self.source.starts(prefix).iter().find_map(whole) else {
            return;
        };
        let Some(open) = self.innermost(thread.frame) else {
            return;
        };
        if let Some(bound) = self.bind_surface(open, thread.last, first, last) {
            let frame = self.with_innermost(thread.frame, bound);
            self.leave(Thread { frame, tail, ..thread }, Some(Terminal::Text), out);
        }
    }

    fn label(&mut self, thread: Thread, byte: u8, out: &mut Vec<Thread>) {
        let (offset, like) = match thread.at {
            At::Label { offset, label } => (usize::from(offset), Some(label)),
            At::Free(_) => return,
            _ => (0, None),
        };
        let program = Arc::clone(&self.program);
        let begins = |label: &u16| {
            let bytes = &program.labels[usize::from(*label)];
            bytes.get(offset) == Some(&byte)
                && like.is_none_or(|like| bytes[..offset] == program.labels[usize::from(like)][..offset])
        };
        let allowed: Vec<u16> = self.labels(&thread).into_iter().filter(begins).collect();
        if let Some(&label) = allowed.iter().find(|label| program.labels[usize::from(**label)].len() > offset + 1) {
            out.push(Thread { at: At::Label { offset: offset as u16 + 1, label }, ..thread });
        }
        for label in allowed {
            if program.labels[usize::from(label)].len() == offset + 1
                && let Some(bound) = self.bind_label(&thread, label)
            {
                self.leave(bound, Some(Terminal::Label), out);
            }
        }
    }

    /// The labels that `@label` can write here.
    pub(super) fn labels(&self, thread: &Thread) -> Vec<u16> {
        let Some(open) = self.innermost(thread.frame) else {
            return if thread.label == NO_LABEL { Vec::new() } else { vec![thread.label] };
        };
        let all = if open.label == NO_LABEL { 0..self.program.labels.len() as u16 } else { open.label..open.label + 1 };
        // In a cursor format the entity's end shows which labels it can have.
        if !self.grounded() || self.program.cursor {
            return all.collect();
        }
        all.filter(|&label| self.possible(&Open { label, ..open.clone() }, thread.last)).collect()
    }

    pub(super) fn bind_label(&mut self, thread: &Thread, label: u16) -> Option<Thread> {
        let Some(open) = self.innermost(thread.frame) else {
            return Some(*thread);
        };
        if open.label == label {
            return Some(*thread);
        }
        let mut bound = Open { label, ..open.clone() };
        if self.grounded() && !self.program.cursor {
            bound = self.normalise(bound, thread.last)?;
        }
        let frame = self.with_innermost(thread.frame, bound);
        Some(Thread { frame, ..*thread })
    }

    fn number(&mut self, thread: Thread, kind: Terminal, byte: u8, out: &mut Vec<Thread>) {
        let (value, digits) = match thread.at {
            At::Number { value, digits } => (value, digits),
            _ => (0, 0),
        };
        // No leading zero, so that each number is written in one way.
        if !byte.is_ascii_digit() || (digits > 0 && value == 0) || digits == DIGITS {
            return;
        }
        let (mut value, digits) = (value * 10 + u32::from(byte - b'0'), digits + 1);
        if !self.grounded() {
            // Only whether it is zero matters.
            value = value.min(1);
        }
        out.push(Thread { at: At::Number { value, digits }, ..thread });
        match self.grounded() {
            false => self.leave(thread, Some(kind), out),
            true => {
                if let Some(bound) = self.bind_position(&thread, kind, value) {
                    self.leave(bound, Some(kind), out);
                }
            }
        }
    }

    pub(super) fn bind_position(&mut self, thread: &Thread, kind: Terminal, value: u32) -> Option<Thread> {
        let open = self.innermost(thread.frame)?;
        let bound = self.bind_number(open, thread.last, kind, value)?;
        let frame = self.with_innermost(thread.frame, bound);
        Some(Thread { frame, ..*thread })
    }

    /// The positions that can be written here and begin as `thread` did.
    pub(super) fn positions(&self, thread: &Thread, kind: Terminal) -> Vec<(u32, Vec<u8>)> {
        let begun = match thread.at {
            At::Number { value, .. } => value.to_string(),
            _ => String::new(),
        };
        let Some(open) = self.innermost(thread.frame) else {
            return Vec::new();
        };
        let rest = |value: u32| Some((value, value.to_string().strip_prefix(&begun)?.as_bytes().to_vec()));
        self.values(open, thread.last, kind).into_iter().filter_map(rest).collect()
    }

    /// Free text at level `syntax`: written through the escape, without the delimiters, not longer than the document.
    fn free(&mut self, mut thread: Thread, kind: Terminal, byte: u8, out: &mut Vec<Thread>) {
        if matches!(thread.at, At::Label { .. }) {
            return;
        }
        let mut free = self.begin_free(&thread, kind);
        let delimiters =
            if kind == Terminal::Label { &self.program.label_delimiters } else { &self.program.delimiters };
        let Some(tail) = delimiters.step(free.tail, byte) else {
            return;
        };
        free.tail = tail;
        // What the free text knows itself is not kept twice, so that equal threads are equal.
        thread.tail = 0;
        if kind.is_cursor() {
            thread.cursor = 0;
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
                out.push(Thread { at: At::Free(free), ..thread });
            }
            Unit::Whole(_) => {
                (free.count, free.pending) = (0, [0; LONGEST_UNIT]);
                if free.left > 0 {
                    out.push(Thread { at: At::Free(free), ..thread });
                }
                let cursor = if kind.is_cursor() { free.left } else { thread.cursor };
                let tail = if kind == Terminal::Label { 0 } else { tail };
                let behind = out.len();
                if kind != Terminal::Label || !self.is_right_label(&thread) {
                    self.leave(Thread { cursor, tail, ..thread }, Some(kind), out);
                }
                // What begins the same free text anew writes no more than what goes on with it. (A reader tells them apart.)
                if free.left > 0 && !self.tracing {
                    let mut at = behind;
                    while at < out.len() {
                        let anew = out[at].pc == thread.pc && out[at].at == At::Begin && out[at].frame == thread.frame;
                        if anew {
                            out.swap_remove(at);
                        } else {
                            at += 1;
                        }
                    }
                }
            }
        }
    }

    /// For the reader: whether the text that the thread has begun is a label that can stand here, now that this byte is in
    /// it. Such a text is read as that label alone: read as a wrong one besides, each tag would double the threads.
    fn is_right_label(&self, thread: &Thread) -> bool {
        let Some((_, Event::Begin(start))) = self.traces.get(thread.trace as usize) else {
            return false;
        };
        let text = self.output.get(*start as usize..=self.position as usize);
        let labels = self.labels(thread).into_iter().map(|label| &self.program.labels[usize::from(label)]);
        text.is_some_and(|text| labels.into_iter().any(|label| label[..] == *text))
    }

    pub(super) fn begin_free(&self, thread: &Thread, kind: Terminal) -> Free {
        if let At::Free(free) = thread.at {
            return free;
        }
        let left = if kind.is_cursor() { thread.cursor } else { self.limits.characters };
        Free { left, tail: thread.tail, pending: [0; LONGEST_UNIT], count: 0 }
    }
}

impl Thread {
    pub(super) fn offset(&self) -> usize {
        if let At::Offset(offset) = self.at { offset as usize } else { 0 }
    }
}
