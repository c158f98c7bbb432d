//! What a thread writes next: the shortcuts of walks over the trie. None of them says more than [`Machine::step`] would.

use super::thread::{Frame, Open};
use super::{At, BOTTOM, Machine, Thread, UNLIMITED};
use crate::engine::Bytes;
use crate::notation::ast::Terminal;
use crate::program::{NO_LABEL, Op, is_free};

impl Machine {
    /// The rest of a thread's operation, where it is known beforehand; else nothing.
    pub fn known(&self, thread: &Thread) -> &[u8] {
        match &self.program.ops[thread.pc as usize] {
            Op::Literal(bytes) => &bytes[thread.offset()..],
            Op::Terminal(kind @ (Terminal::Copy | Terminal::Word)) if self.grounded() => {
                match self.next_element(thread, *kind) {
                    Some((element, ..)) => {
                        &self.source.bytes[element.start as usize + thread.offset()..element.end as usize]
                    }
                    None => &[],
                }
            }
            Op::Terminal(Terminal::Label) => match (self.bound_label(thread), thread.at) {
                (Some(label), At::Begin) => &self.program.labels[usize::from(label)],
                (Some(label), At::Label { offset, .. }) => &self.program.labels[usize::from(label)][usize::from(offset)..],
                _ => &[],
            },
            _ => &[],
        }
    }

    /// Goes on by so many bytes of what is known, which are not all of it.
    pub fn pass(&self, thread: &mut Thread, bytes: u32) {
        thread.at = match self.program.ops[thread.pc as usize] {
            Op::Terminal(Terminal::Label) => {
                let offset = if let At::Label { offset, .. } = thread.at { offset } else { 0 };
                let label = self.bound_label(thread).unwrap_or(NO_LABEL);
                At::Label {
                    offset: offset + bytes as u16,
                    label,
                }
            }
            _ => At::Offset(thread.offset() as u32 + bytes),
        };
    }

    /// The one label that `@label` can write.
    fn bound_label(&self, thread: &Thread) -> Option<u16> {
        let bound = match self.innermost(thread.frame) {
            // In a list the order may forbid a label that is not yet bound.
            Some(Open { label, .. }) => *label,
            None => thread.label,
        };
        (bound != NO_LABEL && (self.program.cursor || !self.grounded())).then_some(bound)
    }

    /// Adds the bytes that a thread can write next, and perhaps some more.
    pub fn next_bytes(&self, thread: &Thread, next: &mut Bytes) {
        if let Some(&byte) = self.known(thread).first() {
            return next.insert(byte);
        }
        match &self.program.ops[thread.pc as usize] {
            Op::Terminal(Terminal::Label) if !self.lenient => {
                let offset = if let At::Label { offset, .. } = thread.at { usize::from(offset) } else { 0 };
                let bytes = self.program.labels.iter().filter_map(|label| label.get(offset));
                bytes.for_each(|byte| next.insert(*byte));
            }
            Op::Terminal(Terminal::Text) if self.grounded() => {
                let prefix = if let At::Surface(prefix) = thread.at { prefix } else { self.source.anywhere() };
                for &word in self.source.starts(prefix) {
                    if let Some(&byte) = self.source.bytes.get(self.source.start(word) + prefix.depth as usize) {
                        next.insert(byte);
                    }
                }
            }
            Op::Terminal(kind) if is_free(*kind) => *next = Bytes::ALL,
            Op::Terminal(_) => b"0123456789".iter().for_each(|byte| next.insert(*byte)),
            Op::Accept | Op::Literal(_) => {}
            _ => *next = Bytes::ALL,
        }
    }

    /// The same as [`Machine::step`], where only `onward` may be written next and only life and what comes next matter.
    pub fn step_before(&mut self, thread: Thread, byte: u8, onward: &[u8], out: &mut Vec<Thread>) {
        if matches!(self.program.ops[thread.pc as usize], Op::Terminal(Terminal::Text)) && self.grounded() {
            let follow = &self.program.ease().follow[thread.pc as usize];
            if !onward.iter().any(|byte| follow.contains(*byte)) {
                let prefix = if let At::Surface(prefix) = thread.at { prefix } else { self.source.anywhere() };
                let Some(prefix) = self.source.narrow(prefix, byte) else { return };
                let on = Thread {
                    at: At::Surface(prefix),
                    ..thread
                };
                if self.look(&on) == Some(true) {
                    return out.push(on);
                }
            }
        }
        self.step(thread, byte, out);
    }

    /// Whether a thread can write little but what is known.
    pub fn is_narrow(&self, thread: &Thread) -> bool {
        let ops = &self.program.ops;
        match self.grounded() {
            true => !matches!(ops[thread.pc as usize], Op::Regex(_)),
            false => !ops
                .iter()
                .any(|op| matches!(op, Op::Regex(_)) || matches!(op, Op::Terminal(kind) if is_free(*kind))),
        }
    }

    /// Whether all allowances of a thread are without limit.
    pub fn is_unlimited(&self, thread: &Thread) -> bool {
        let cursor = match (&self.program.ops[thread.pc as usize], thread.at) {
            (Op::Terminal(kind), At::Free(_)) if kind.is_cursor() => true,
            _ => thread.cursor == UNLIMITED,
        };
        let free = match thread.at {
            At::Free(free) => free.left == UNLIMITED,
            _ => true,
        };
        self.accepts(thread) || cursor && free && thread.last == UNLIMITED
    }

    /// A stack in another machine's numbers.
    pub fn translate(&self, frame: u32, to: &mut Machine) -> u32 {
        if frame == BOTTOM {
            return BOTTOM;
        }
        let Frame { kind, below } = self.frames.get(frame).clone();
        let below = self.translate(below, to);
        to.push(kind, below)
    }
}
