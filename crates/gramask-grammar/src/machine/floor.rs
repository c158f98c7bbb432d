//! How many bytes are left at least, from the grammar alone: what keeps the search for shortest ways short.
//!
//! Without a bound from below the search would try every way of opening brackets that is not yet longer than closing
//! those that are open. The bound ignores the document, but for the bytes that the cursor has still to copy.

use std::sync::Arc;

use super::thread::{Frame, FrameKind};
use super::{At, BOTTOM, Machine, Thread};
use crate::notation::ast::Terminal;
use crate::program::{NO_LABEL, Op, Pc, Program};
use crate::source::Source;

const INFINITE: u32 = u32::MAX / 4;

/// Lower bounds, by operation.
#[derive(Debug)]
pub(crate) struct Floor {
    /// Bytes from here to the end of the rule's body (or of the output), cursor terminals at `grounded` left out.
    body: Vec<u32>,
    /// Bytes from here to the next terminal that moves the cursor.
    near: Vec<u32>,
    /// How often the cursor must move from here to the end of the rule's body.
    moves: Vec<u32>,
    /// The largest number of moves, or of entities, that the rest of a rule's body needs.
    most: u32,
    /// Bytes between two such terminals.
    gap: u32,
    /// Bytes that the cursor has still to write, from each element on.
    left: Vec<u32>,
    /// Words that it has still to pass.
    words: Vec<u32>,
}

impl Floor {
    pub fn new(program: &Program, source: &Source, grounded: bool) -> Floor {
        let ops = &program.ops;
        let moves = |op: &Op| matches!(op, Op::Terminal(kind) if kind.is_cursor());
        let label = program.labels.iter().map(Vec::len).min().unwrap_or(0) as u32;
        let weight = |op: &Op| match op {
            Op::Literal(bytes) => bytes.len() as u32,
            Op::Terminal(Terminal::Label) => label,
            Op::Terminal(Terminal::Skip) => 0,
            Op::Terminal(Terminal::Copy | Terminal::Word) if grounded => 0,
            Op::Terminal(_) | Op::Regex(_) => 1,
            _ => 0,
        };
        let mut body = vec![INFINITE; ops.len()];
        settle(&mut body, |body, pc| match &ops[pc] {
            Op::Accept | Op::Return => 0,
            Op::Split(targets) => targets.iter().map(|t| body[*t as usize]).min().unwrap_or(INFINITE),
            Op::Jump(target) => body[*target as usize],
            Op::Call(target) => body[*target as usize] + body[pc + 1],
            op => weight(op) + body[pc + 1],
        });
        let calls: Vec<Pc> = (0..ops.len()).filter(|pc| matches!(ops[*pc], Op::Call(_))).map(|pc| pc as Pc).collect();
        let mut near = vec![INFINITE; ops.len()];
        settle(&mut near, |near, pc| match &ops[pc] {
            op if moves(op) => 0,
            Op::Accept => INFINITE,
            Op::Return => calls.iter().map(|call| near[*call as usize + 1]).min().unwrap_or(INFINITE),
            Op::Split(targets) => targets.iter().map(|t| near[*t as usize]).min().unwrap_or(INFINITE),
            Op::Jump(target) => near[*target as usize],
            Op::Call(target) => near[*target as usize].min(body[*target as usize] + near[pc + 1]),
            op => weight(op) + near[pc + 1],
        });
        let count = |counts: &dyn Fn(&Op) -> bool| {
            let mut needed = vec![INFINITE; ops.len()];
            settle(&mut needed, |needed, pc| match &ops[pc] {
                Op::Accept | Op::Return => 0,
                Op::Split(targets) => targets.iter().map(|t| needed[*t as usize]).min().unwrap_or(INFINITE),
                Op::Jump(target) => needed[*target as usize],
                Op::Call(target) => needed[*target as usize] + needed[pc + 1],
                op => u32::from(counts(op)) + needed[pc + 1],
            });
            needed
        };
        let needed = count(&moves);
        let opens = count(&|op| matches!(op, Op::Open));
        let most = needed.iter().chain(&opens).filter(|needed| **needed < INFINITE).max().map_or(0, |needed| *needed);
        let gap = (0..ops.len()).filter(|pc| moves(&ops[*pc])).map(|pc| near[pc + 1]).min().unwrap_or(0);
        let (mut left, mut words) = (vec![0; source.elements.len() + 1], vec![0; source.elements.len() + 1]);
        for (i, element) in source.elements.iter().enumerate().rev() {
            let written = !program.skips && (program.copies || element.word.is_some());
            left[i] = left[i + 1] + if written { element.end - element.start } else { 0 };
            words[i] = words[i + 1] + u32::from(element.word.is_some());
        }
        Floor { body, near, moves: needed, most, gap: if gap == INFINITE { 0 } else { gap }, left, words }
    }
}

/// Repeats `at` for all places until nothing changes.
fn settle(values: &mut [u32], at: impl Fn(&[u32], usize) -> u32) {
    loop {
        let mut changed = false;
        for pc in (0..values.len()).rev() {
            let value = at(values, pc).min(INFINITE);
            changed |= value < values[pc];
            values[pc] = value.min(values[pc]);
        }
        if !changed {
            return;
        }
    }
}

impl Machine {
    /// Whether a thread is dead for a reason that needs no search: what is open can't be closed any more. Only a
    /// shortcut, but a search would try all ways of opening still more entities before it gave up.
    pub(super) fn hopeless(&self, thread: &Thread) -> bool {
        if !self.program.cursor || self.accepts(thread) {
            return false;
        }
        if self.grounded() {
            return !self.can_close_all(thread);
        }
        let (mut needed, allowance) = match (&self.program.ops[thread.pc as usize], thread.at) {
            (Op::Terminal(kind), At::Free(free)) if kind.is_cursor() => {
                (self.floor.moves[thread.pc as usize + 1], free.left)
            }
            (_, At::Begin) => (self.floor.moves[thread.pc as usize], thread.cursor),
            _ => (self.floor.moves[thread.pc as usize + 1], thread.cursor),
        };
        let mut frame = thread.frame;
        while frame != BOTTOM {
            let Frame { kind, below } = self.frames.get(frame);
            if let FrameKind::Return(pc) = kind {
                needed += self.floor.moves[*pc as usize];
            }
            frame = *below;
        }
        needed > allowance
    }

    /// Whether the open entities can end without two of them having the same fragments and label, and those with the
    /// same fragments nested in schema order.
    ///
    /// Of the entities that began at one word, those that end at one word too have rising labels from the outside in.
    /// So from the inside out each one ends where the last one did, if its label is (or can be) less, else at a later
    /// word; it is enough to count how many later words that takes.
    fn can_close_all(&self, thread: &Thread) -> bool {
        let labels = self.program.labels.len() as u32;
        let ahead = self.floor.words[thread.cursor as usize];
        let next = self.source.next_word(thread.cursor).unwrap_or(self.source.len());
        // The current end is the last word that was passed; it counts as later word 0.
        let (mut later, mut from, mut below_label) = (0, None, labels);
        let mut frame = thread.frame;
        while frame != BOTTOM {
            let Frame { kind, below } = self.frames.get(frame);
            frame = *below;
            let FrameKind::Open(open) = kind else { continue };
            if from != Some(open.from) {
                from = Some(open.from);
                below_label = labels;
                if open.from >= next {
                    later = later.max(1);
                }
            }
            if let Some((last, label)) = open.child
                && later == 0
                && last + 1 == next
            {
                below_label = below_label.min(u32::from(label));
            }
            let label = if open.label == NO_LABEL { None } else { Some(u32::from(open.label)) };
            match label {
                None if below_label > 0 => below_label -= 1,
                None => (later, below_label) = (later + 1, labels - 1),
                Some(label) if label < below_label => below_label = label,
                Some(label) => (later, below_label) = (later + 1, label),
            }
        }
        later <= ahead
    }

    /// An allowance of free text and of entities that is as good as any larger one for as long as `bytes` more are
    /// written: the bytes may use up one each, and open rules, each of which needs some more to end.
    pub fn plenty(&self, thread: &Thread, bytes: u32) -> u32 {
        let (mut depth, mut frame) = (1, thread.frame);
        while frame != BOTTOM {
            depth += 1;
            frame = self.frames.get(frame).below;
        }
        bytes + 1 + self.floor.most.saturating_mul(depth + bytes)
    }

    /// A lower bound on [`Machine::finish`].
    pub(super) fn at_least(&self, thread: &Thread) -> u32 {
        let floor = Arc::clone(&self.floor);
        let pc = thread.pc as usize;
        let rest = |after: &[u32]| match (&self.program.ops[pc], thread.at) {
            (_, At::Begin) => after[pc],
            (Op::Literal(bytes), At::Offset(offset)) => bytes.len() as u32 - offset + after[pc + 1],
            _ => after[pc + 1],
        };
        let (mut bytes, mut frame) = (rest(&floor.body), thread.frame);
        while frame != BOTTOM {
            let Frame { kind, below } = self.frames.get(frame);
            if let FrameKind::Return(pc) = kind {
                bytes += floor.body[*pc as usize];
            }
            frame = *below;
        }
        if !(self.grounded() && self.program.cursor) || self.accepts(thread) {
            return bytes;
        }
        let cursor = thread.cursor as usize;
        let begun = if self.program.copies || !matches!(thread.at, At::Offset(_)) { 0 } else { thread.offset() as u32 };
        let copy = floor.left[cursor].saturating_sub(begun);
        let words = floor.words[cursor];
        let between = match words {
            0 => 0,
            // From one word to the next at least the gap; the first is as near as the operation says.
            _ => rest(&floor.near).min(INFINITE / 2) * u32::from(thread.at == At::Begin) + (words - 1) * floor.gap,
        };
        copy.saturating_sub(thread.offset() as u32) + bytes.max(if self.program.copies { 0 } else { between })
    }
}
