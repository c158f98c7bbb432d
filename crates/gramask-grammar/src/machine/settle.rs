//! What writes nothing: from the end of one operation to the beginnings of the next, through opened and closed entities.

use std::sync::Arc;

use super::thread::{Frame, FrameKind, NO_TUPLE, Open, Partial, Thread};
use super::{Event, Machine, less};
use crate::notation::ast::Terminal;
use crate::program::{NO_LABEL, Op, is_free};

impl Machine {
    /// Goes on from `thread`, which begins its operation, through all that writes nothing.
    pub fn settle(&mut self, thread: Thread, out: &mut Vec<Thread>) {
        let program = Arc::clone(&self.program);
        let mut stack = std::mem::take(&mut self.stack);
        stack.push(thread);
        while let Some(mut thread) = stack.pop() {
            match &program.ops[thread.pc as usize] {
                Op::Terminal(Terminal::Skip) => {
                    let passed = match self.grounded() {
                        true => self.source.pass(thread.cursor).map(|(_, behind)| behind),
                        false => less(thread.cursor),
                    };
                    if let Some(cursor) = passed {
                        self.trace(&mut thread, Event::Skip);
                        stack.push(Thread { cursor, pc: thread.pc + 1, ..thread });
                    }
                }
                Op::Literal(bytes) => {
                    if !program.delimiters.clash(thread.tail, bytes) {
                        out.push(Thread { tail: 0, ..thread });
                    }
                }
                Op::Terminal(kind) if is_free(*kind) => out.push(thread),
                Op::Regex(_) | Op::Terminal(_) => out.push(Thread { tail: 0, ..thread }),
                Op::Split(targets) => stack.extend(targets.iter().rev().map(|&pc| Thread { pc, ..thread })),
                Op::Jump(pc) => stack.push(Thread { pc: *pc, ..thread }),
                Op::Call(pc) => {
                    let frame = self.push_return(thread.pc + 1, thread.frame);
                    stack.push(Thread { pc: *pc, frame, ..thread });
                }
                Op::Return => {
                    if let Frame { kind: FrameKind::Return(pc), below } = self.frames.get(thread.frame) {
                        stack.push(Thread { pc: *pc, frame: *below, ..thread });
                    }
                }
                Op::Label(label) => {
                    let last = if self.listed() { NO_TUPLE } else { thread.last };
                    self.trace(&mut thread, Event::Label(*label));
                    stack.push(Thread { pc: thread.pc + 1, label: *label, last, ..thread });
                }
                Op::Open => {
                    if let Some(mut opened) = self.open(thread) {
                        self.trace(&mut opened, Event::Open);
                        stack.push(opened);
                    }
                }
                Op::Close => {
                    if let Some(mut closed) = self.close(thread) {
                        self.trace(&mut closed, Event::Close);
                        stack.push(closed);
                    }
                }
                Op::Accept => {
                    let end = match (self.grounded() && program.cursor, program.copies) {
                        (false, _) => true,
                        (true, true) => thread.cursor as usize == self.source.elements.len(),
                        (true, false) => self.source.next_word(thread.cursor).is_none(),
                    };
                    if end {
                        // All complete outputs are alike.
                        out.push(Thread { cursor: 0, last: 0, tail: 0, label: NO_LABEL, ..thread });
                    }
                }
            }
        }
        self.stack = stack;
    }

    /// Whether an entity is held to those before it by its tuple.
    pub(super) fn listed(&self) -> bool {
        self.grounded() && !self.program.cursor
    }

    pub(super) fn push(&mut self, kind: FrameKind, below: u32) -> u32 {
        self.frames.number(Frame { kind, below })
    }

    pub(super) fn push_return(&mut self, pc: u32, below: u32) -> u32 {
        if let Some(&frame) = self.calls.get(&(pc, below)) {
            return frame;
        }
        let frame = self.push(FrameKind::Return(pc), below);
        self.calls.insert((pc, below), frame);
        frame
    }

    pub(super) fn push_open(&mut self, open: Open, below: u32) -> u32 {
        let key = (open.label, open.from, below);
        if let Some(&frame) = self.opens.get(&key) {
            return frame;
        }
        let frame = self.push(FrameKind::Open(open), below);
        self.opens.insert(key, frame);
        frame
    }

    pub(super) fn open(&mut self, thread: Thread) -> Option<Thread> {
        let mut open = Open { label: thread.label, done: Vec::new(), current: Partial::NOTHING, from: 0, child: None };
        let last = if self.grounded() { thread.last } else { less(thread.last)? };
        if self.grounded() && self.program.cursor {
            open.from = self.source.next_word(thread.cursor)?;
            if self.program.copies && self.source.elements[thread.cursor as usize].word.is_none() {
                return None;
            }
        } else if self.grounded() && !self.possible(&open, last) {
            return None;
        }
        let frame = self.push_open(open, thread.frame);
        Some(Thread { pc: thread.pc + 1, frame, last, ..thread })
    }

    pub(super) fn close(&mut self, thread: Thread) -> Option<Thread> {
        let Frame { kind: FrameKind::Open(open), below } = self.frames.get(thread.frame).clone() else {
            return None;
        };
        let closed = Thread { pc: thread.pc + 1, frame: below, ..thread };
        if !self.grounded() {
            return Some(closed);
        }
        if open.label == NO_LABEL {
            return None;
        }
        if self.program.cursor {
            let word = self.passed(thread.cursor).filter(|word| *word >= open.from)?;
            if !self.fits_outside(&open, word, open.label) {
                return None;
            }
            let frame = self.adopt(below, open.from, (word, open.label));
            return Some(Thread { frame, ..closed });
        }
        let settled = |partial: &Partial| partial.settled().is_some();
        if self.program.positions && !(open.done.iter().all(settled) && settled(&open.current)) {
            return None;
        }
        let tuple = self.earliest(&open, thread.last)?;
        let last = self.behind(thread.last, tuple);
        Some(Thread { last, ..closed })
    }

    /// The word that the cursor passed last, where an entity may end now.
    pub(super) fn passed(&self, cursor: u32) -> Option<u32> {
        self.source.passed(cursor, self.program.copies)
    }

    /// Entities with the same fragments are nested in schema order.
    pub(super) fn fits_outside(&self, open: &Open, word: u32, label: u16) -> bool {
        open.child.is_none_or(|(last, inner)| last != word || label < inner)
    }

    /// Tells the nearest open entity below that one inside it closed, if both began at the same word.
    pub(super) fn adopt(&mut self, frame: u32, from: u32, child: (u32, u16)) -> u32 {
        let Frame { kind, below } = self.frames.get(frame).clone();
        match kind {
            FrameKind::Bottom => frame,
            FrameKind::Return(pc) => {
                let below = self.adopt(below, from, child);
                self.push(FrameKind::Return(pc), below)
            }
            FrameKind::Open(open) if open.from == from => {
                self.push(FrameKind::Open(Open { child: Some(child), ..open }), below)
            }
            FrameKind::Open(_) => frame,
        }
    }
}
