//! What a thread writes next: the shortcuts of walks over the trie. None of them says more than [`Machine::step`] would.

use super::ease::Follow;
use super::thread::{Frame, Open};
use super::{At, BOTTOM, Machine, Thread, UNLIMITED};
use crate::engine::Bytes;
use crate::notation::ast::Terminal;
use crate::program::{NO_LABEL, Op, is_free};
use crate::source::Prefix;

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
                (Some(label), At::Label { offset, .. }) => {
                    &self.program.labels[usize::from(label)][usize::from(offset)..]
                }
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
                At::Label { offset: offset + bytes as u16, label }
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
                self.surfaces_on(thread, |byte, _| next.insert(byte));
            }
            Op::Terminal(kind) if is_free(*kind) => *next = Bytes::ALL,
            Op::Terminal(_) => b"0123456789".iter().for_each(|byte| next.insert(*byte)),
            Op::Accept | Op::Literal(_) => {}
            _ => *next = Bytes::ALL,
        }
    }

    /// Where a thread that writes a surface of the document can go on with it: each byte, and the thread behind. Nothing for
    /// other threads.
    pub fn surfaces_on(&self, thread: &Thread, mut visit: impl FnMut(u8, Thread)) {
        let Some(prefix) = self.prefix(thread) else { return };
        let starts = self.source.starts(prefix);
        let byte_of = |word: u32| self.source.bytes.get(self.source.start(word) + prefix.depth as usize);
        let mut low = 0;
        while low < starts.len() {
            let Some(&byte) = byte_of(starts[low]) else {
                low += 1;
                continue;
            };
            let mut high = low + 1;
            while high < starts.len() && byte_of(starts[high]) == Some(&byte) {
                high += 1;
            }
            let narrow =
                Prefix { low: prefix.low + low as u32, high: prefix.low + high as u32, depth: prefix.depth + 1 };
            let at = At::Surface(narrow);
            visit(byte, Thread { at, ..*thread });
            low = high;
        }
    }

    /// Whether a thread writes a surface of the document.
    pub fn is_surface(&self, thread: &Thread) -> bool {
        self.prefix(thread).is_some()
    }

    fn prefix(&self, thread: &Thread) -> Option<Prefix> {
        match (&self.program.ops[thread.pc as usize], thread.at) {
            (Op::Terminal(Terminal::Text), At::Surface(prefix)) => Some(prefix),
            (Op::Terminal(Terminal::Text), At::Begin) if self.grounded() => Some(self.source.anywhere()),
            _ => None,
        }
    }

    /// What can be written once a thread's operation is done.
    pub fn follow(&self, thread: &Thread) -> &Follow {
        &self.program.ease().follow[thread.pc as usize]
    }

    /// Whether a thread can write little but what is known.
    pub fn is_narrow(&self, thread: &Thread) -> bool {
        let ops = &self.program.ops;
        match self.grounded() {
            true => !matches!(ops[thread.pc as usize], Op::Regex(_)),
            false => {
                !ops.iter().any(|op| matches!(op, Op::Regex(_)) || matches!(op, Op::Terminal(kind) if is_free(*kind)))
            }
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
