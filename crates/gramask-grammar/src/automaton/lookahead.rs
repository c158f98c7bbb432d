//! What a thread writes next: shortcuts for walks over the trie. They return the same threads as [`Automaton::step`], only
//! faster.

use super::{Automaton, Open, Progress, Thread, UNLIMITED};
use crate::byte_set::ByteSet;
use crate::liveness::Follow;
use crate::notation::ast::Terminal;
use crate::program::{LabelId, Op, is_free};
use crate::source::Prefix;

impl Automaton {
    /// The bytes that complete a thread's operation, if only one continuation exists; else none.
    pub fn known(&self, thread: &Thread) -> &[u8] {
        match self.program.op(thread.pc) {
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
                (Some(label), Progress::Begin) => self.program.label(label),
                (Some(label), Progress::Label { offset, .. }) => &self.program.label(label)[usize::from(offset)..],
                _ => &[],
            },
            _ => &[],
        }
    }

    /// Goes on by some bytes of [`Automaton::known`], but not by all of them.
    pub fn pass(&self, thread: &mut Thread, bytes: u32) {
        thread.at = match self.program.op(thread.pc) {
            Op::Terminal(Terminal::Label) => {
                let offset = if let Progress::Label { offset, .. } = thread.at { offset } else { 0 };
                let label = self.bound_label(thread).unwrap_or(LabelId::NONE);
                Progress::Label { offset: offset + bytes as u16, label }
            }
            _ => Progress::Offset(thread.offset() as u32 + bytes),
        };
    }

    /// The one label that `@label` can write.
    fn bound_label(&self, thread: &Thread) -> Option<LabelId> {
        let bound = match self.innermost(thread) {
            // In a list the order may forbid a label that is not yet bound.
            Some(Open { label, .. }) => *label,
            None => thread.label,
        };
        (bound != LabelId::NONE && (self.program.cursor || !self.grounded())).then_some(bound)
    }

    /// Adds a superset of the bytes that a thread can write next.
    pub fn next_bytes(&self, thread: &Thread, next: &mut ByteSet) {
        if let Some(&byte) = self.known(thread).first() {
            return next.insert(byte);
        }
        match self.program.op(thread.pc) {
            Op::Terminal(Terminal::Label) => {
                let offset = if let Progress::Label { offset, .. } = thread.at { usize::from(offset) } else { 0 };
                let bytes = self.program.labels.iter().filter_map(|label| label.get(offset));
                bytes.for_each(|byte| next.insert(*byte));
            }
            Op::Terminal(Terminal::Text) if self.grounded() => {
                self.surfaces_on(thread, |byte, _| next.insert(byte));
            }
            Op::Terminal(kind) if is_free(*kind) => *next = ByteSet::ALL,
            Op::Terminal(_) => b"0123456789".iter().for_each(|byte| next.insert(*byte)),
            Op::Accept | Op::Literal(_) => {}
            _ => *next = ByteSet::ALL,
        }
    }

    /// Calls `visit` with each byte that continues a surface of the document, and the thread after it. Threads that write no
    /// surface have none.
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
            let at = Progress::Surface(narrow);
            visit(byte, Thread { at, ..*thread });
            low = high;
        }
    }

    /// Whether a thread writes a surface of the document.
    pub fn is_surface(&self, thread: &Thread) -> bool {
        self.prefix(thread).is_some()
    }

    fn prefix(&self, thread: &Thread) -> Option<Prefix> {
        match (self.program.op(thread.pc), thread.at) {
            (Op::Terminal(Terminal::Text), Progress::Surface(prefix)) => Some(prefix),
            (Op::Terminal(Terminal::Text), Progress::Begin) if self.grounded() => Some(self.source.anywhere()),
            _ => None,
        }
    }

    /// What can be written once a thread's operation is done.
    pub fn follow(&self, thread: &Thread) -> &Follow {
        &self.program.static_facts().follow[thread.pc.index()]
    }

    /// Whether a thread writes little beside what is known beforehand.
    pub fn is_narrow(&self, thread: &Thread) -> bool {
        match self.grounded() {
            true => !matches!(self.program.op(thread.pc), Op::Regex(_)),
            false => {
                let wide = |op: &Op| matches!(op, Op::Regex(_)) || matches!(op, Op::Terminal(kind) if is_free(*kind));
                !self.program.ops.iter().any(wide)
            }
        }
    }

    /// Whether all allowances of a thread are without limit.
    pub fn is_unlimited(&self, thread: &Thread) -> bool {
        let cursor = match (self.program.op(thread.pc), thread.at) {
            (Op::Terminal(kind), Progress::FreeText(_)) if kind.is_cursor() => true,
            _ => thread.cursor_left == UNLIMITED,
        };
        let free = match thread.at {
            Progress::FreeText(free) => free.left == UNLIMITED,
            _ => true,
        };
        self.accepts(thread) || cursor && free && thread.entities_left == UNLIMITED
    }
}
