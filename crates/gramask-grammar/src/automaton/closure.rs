//! The epsilon closure: from the end of one operation to the beginnings of the next, through opened and closed entities.

use std::sync::Arc;

use super::{Automaton, Binding, Event, Frame, FrameKind, Open, PreviousId, Recorder, Thread, less};
use crate::delimiters::Tail;
use crate::notation::ast::Terminal;
use crate::program::{LabelId, Op, is_free};

impl<R: Recorder> Automaton<R> {
    /// Goes on from `thread`, which begins its operation, through all operations that write nothing.
    pub fn close(&mut self, thread: Thread<R::Mark>, out: &mut Vec<Thread<R::Mark>>) {
        let program = Arc::clone(&self.program);
        let mut stack = std::mem::take(&mut self.stack);
        stack.push(thread);
        while let Some(mut thread) = stack.pop() {
            match program.op(thread.pc) {
                Op::Terminal(Terminal::Skip) => {
                    if let Some(mut skipped) = self.skip(thread) {
                        self.recorder.record(&mut skipped.mark, Event::Skip);
                        stack.push(skipped);
                    }
                }
                Op::Literal(bytes) => {
                    if !program.delimiters.clash(thread.tail, bytes) {
                        out.push(Thread { tail: Tail::NONE, ..thread });
                    }
                }
                Op::Terminal(kind) if is_free(*kind) => out.push(thread),
                Op::Regex(_) | Op::Terminal(_) => out.push(Thread { tail: Tail::NONE, ..thread }),
                Op::Split(targets) => stack.extend(targets.iter().rev().map(|&pc| Thread { pc, ..thread })),
                Op::Jump(pc) => stack.push(Thread { pc: *pc, ..thread }),
                Op::Call(pc) => {
                    let frame = self.frames.push_return(thread.pc.next(), thread.frame);
                    stack.push(Thread { pc: *pc, frame, ..thread });
                }
                Op::Return => {
                    if let Frame { kind: FrameKind::Return(pc), below } = self.frames.get(thread.frame) {
                        stack.push(Thread { pc: *pc, frame: *below, ..thread });
                    }
                }
                Op::Label(label) => {
                    self.recorder.record(&mut thread.mark, Event::Label(*label));
                    let previous = PreviousId::NONE;
                    stack.push(Thread { pc: thread.pc.next(), label: *label, previous, ..thread });
                }
                Op::Open => {
                    if let Some(mut opened) = self.open_entity(thread) {
                        self.recorder.record(&mut opened.mark, Event::Open);
                        stack.push(opened);
                    }
                }
                Op::Close => {
                    if let Some(mut closed) = self.close_entity(thread) {
                        self.recorder.record(&mut closed.mark, Event::Close);
                        stack.push(closed);
                    }
                }
                Op::Accept => {
                    if self.may_accept(&thread) {
                        // All complete outputs are alike.
                        let (previous, label) = (PreviousId::NONE, LabelId::NONE);
                        let cleared =
                            Thread { cursor: 0, cursor_left: 0, entities_left: 0, tail: Tail::NONE, ..thread };
                        out.push(Thread { previous, label, ..cleared });
                    }
                }
            }
        }
        self.stack = stack;
    }

    fn skip(&self, thread: Thread<R::Mark>) -> Option<Thread<R::Mark>> {
        let pc = thread.pc.next();
        Some(match self.grounded() {
            true => Thread { cursor: self.source.pass(thread.cursor)?.1, pc, ..thread },
            false => Thread { cursor_left: less(thread.cursor_left)?, pc, ..thread },
        })
    }

    /// Whether the output may end where the cursor is.
    fn may_accept(&self, thread: &Thread<R::Mark>) -> bool {
        match (self.grounded() && self.program.cursor, self.program.copies) {
            (false, _) => true,
            (true, true) => thread.cursor as usize == self.source.elements.len(),
            (true, false) => self.source.next_word(thread.cursor).is_none(),
        }
    }

    fn open_entity(&mut self, thread: Thread<R::Mark>) -> Option<Thread<R::Mark>> {
        let mut open = Open::new(thread.label);
        let entities_left = less(thread.entities_left)?;
        if self.grounded() && self.program.cursor {
            open.from = self.source.next_word(thread.cursor)?;
            if self.program.copies && self.source.elements[thread.cursor as usize].word.is_none() {
                return None;
            }
        } else if self.grounded() && !self.possible(&open, thread.previous) {
            return None;
        }
        let frame = self.frames.push_open(open, thread.frame);
        Some(Thread { pc: thread.pc.next(), frame, entities_left, ..thread })
    }

    fn close_entity(&mut self, thread: Thread<R::Mark>) -> Option<Thread<R::Mark>> {
        let Frame { kind: FrameKind::Open(open), below } = self.frames.get(thread.frame).clone() else {
            return None;
        };
        let closed = Thread { pc: thread.pc.next(), frame: below, ..thread };
        if !self.grounded() {
            return Some(closed);
        }
        if open.label == LabelId::NONE {
            return None;
        }
        if self.program.cursor {
            let word = self.passed(thread.cursor).filter(|word| *word >= open.from)?;
            // Entities with the same fragments are nested in schema order.
            if open.child.is_some_and(|(last, inner)| last == word && open.label >= inner) {
                return None;
            }
            let frame = self.frames.note_child(below, open.from, (word, open.label));
            return Some(Thread { frame, ..closed });
        }
        let known = |binding: &Binding| binding.known().is_some();
        if self.program.positions && !(open.done.iter().all(known) && known(&open.current)) {
            return None;
        }
        let tuple = self.earliest(&open, thread.previous)?;
        let previous = self.with_previous(thread.previous, tuple);
        Some(Thread { previous, ..closed })
    }

    /// The word that the cursor passed last, where an entity may end now.
    pub fn passed(&self, cursor: u32) -> Option<u32> {
        self.source.passed(cursor, self.program.copies)
    }
}
