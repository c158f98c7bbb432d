//! The choices at one operation: take bytes of the output, leave them out, or insert bytes of the format.

use std::sync::Arc;

use super::{Event, Frame, Held, Key, Node, Put, Search};
use crate::delimiters::Tail;
use crate::notation::ast::Terminal;
use crate::program::{LabelId, Op, is_free};
use crate::regex::StateId;
use crate::repair::costs;
use crate::repair::label::{self, Candidate};
use crate::repair::unit::{self, Character};

impl Search<'_> {
    pub(super) fn go_on(&mut self, node: Node) {
        let program = self.program;
        let free = match program.op(node.key.pc) {
            Op::Literal(bytes) => {
                self.literal(&node, bytes);
                false
            }
            Op::Regex(number) => {
                self.regex(&node, *number);
                false
            }
            Op::Terminal(Terminal::Label) => {
                self.label(&node);
                false
            }
            Op::Terminal(kind) if is_free(*kind) => {
                self.free(&node, *kind);
                true
            }
            Op::Terminal(kind) => {
                self.number(&node, *kind);
                false
            }
            _ => true,
        };
        if let Some(&byte) = self.output.get(self.here).filter(|_| !free) {
            let trace = match costs::is_blank(byte) {
                true => node.trace,
                false => self.trace(node.trace, Event::Dropped(self.here as u32)),
            };
            self.push(node.key, self.here + 1, node.cost + costs::drop(byte), trace);
        }
    }

    /// What it costs that only the output's end shows where the text or the entity before ends: it may be anything.
    fn open(&self, trace: u32) -> u32 {
        let (before, event) = self.traces[trace as usize];
        match (event, self.traces[before as usize].1) {
            _ if self.here < self.output.len() => 0,
            (Event::End(..), Event::Begin(at)) => costs::OPEN + costs::OPEN_BYTE * (self.here as u32 - at),
            (Event::End(..) | Event::Close(_), _) => costs::OPEN,
            _ => 0,
        }
    }

    /// What putting something in costs here.
    fn late(&self, cost: u32) -> u32 {
        if self.here == self.output.len() { cost.div_ceil(costs::AT_END) } else { cost }
    }

    /// Puts in what it takes until the output's next byte fits, at each place where it does, and the rest.
    fn literal(&mut self, node: &Node, bytes: &[u8]) {
        let (begun, mut put) = (node.key.at as usize, 0);
        // In a copied text what follows text at once ends an entity, which does not end with a blank.
        let ends = begun == 0 && matches!(self.traces[node.trace as usize].1, Event::End(Terminal::Copy, _));
        let gap = ends && costs::is_blank(self.output[self.here - 1]) && !costs::is_blank(bytes[0]);
        let node = &Node { cost: node.cost + if gap { costs::GAP } else { 0 }, ..*node };
        for (offset, &expected) in bytes.iter().enumerate().skip(begun) {
            if let Some((length, cost)) = costs::stands_for(expected, &self.output[self.here..]) {
                let mut trace = node.trace;
                if begun < offset {
                    trace = self.trace(trace, Event::Inserted((offset - begun) as u32));
                }
                if cost > 2 {
                    trace = self.trace(trace, Event::Substituted);
                }
                let (at, cost) = (self.here + length, node.cost + put + cost);
                if offset + 1 == bytes.len() {
                    let trace = self.trace(trace, Event::Literal(Put::Nothing, at as u32));
                    self.leave(node, at, cost, trace);
                } else {
                    let key = Key { at: offset as u32 + 1, ..node.key };
                    self.push(key, at, cost, trace);
                }
            }
            put = (put + costs::insert(expected)).min(costs::LITERAL);
        }
        let trace = self.trace(node.trace, Event::Inserted((bytes.len() - begun) as u32));
        let whole = if begun == 0 { Put::Everything } else { Put::Rest };
        let trace = self.trace(trace, Event::Literal(whole, self.here as u32));
        let cost = self.late(put) + if whole == Put::Everything { self.open(node.trace) } else { 0 };
        self.leave(node, self.here, node.cost + cost, trace);
    }

    fn regex(&mut self, node: &Node, number: usize) {
        let regex = &self.program.regexes[number];
        // The state is kept as one more than its number, so that 0 is the beginning.
        let state = node.key.at.checked_sub(1).map_or(StateId::START, |at| StateId::new(at as usize));
        if let Some(next) = self.output.get(self.here).and_then(|byte| regex.next(state, *byte)) {
            let key = Key { at: next.index() as u32 + 1, ..node.key };
            self.push(key, self.here + 1, node.cost, node.trace);
        }
        match regex.matches(state) {
            true => self.leave(node, self.here, node.cost, node.trace),
            false => {
                let trace = self.trace(node.trace, Event::Inserted(1));
                self.leave(node, self.here, node.cost + costs::REGEX, trace);
            }
        }
    }

    fn free(&mut self, node: &Node, kind: Terminal) {
        let (begun, here) = (node.key.at != 0, self.here);
        if begun {
            let trace = self.trace(node.trace, Event::End(kind, here as u32));
            self.leave(node, here, node.cost, trace);
        } else {
            let trace = self.trace(node.trace, Event::Missing(kind, here as u32));
            self.leave(node, here, node.cost + self.late(costs::NO_TEXT), trace);
        }
        if here == self.output.len() {
            return;
        }
        let Character { length, mut cost, .. } = unit::character(self.program.escape(), &self.output[here..]);
        let byte = self.output[here];
        if kind == Terminal::Text {
            cost += costs::TEXT_BYTE * length as u32;
        }
        if kind == Terminal::Word && costs::is_blank(byte) {
            cost += costs::WORD_BLANK;
        }
        if byte == b'\n' && !self.breaks {
            cost = cost.max(costs::BREAK);
        }
        // What stands after a literal at once begins an entity.
        if !begun
            && kind == Terminal::Copy
            && costs::is_blank(byte)
            && matches!(self.traces[node.trace as usize].1, Event::Literal(..))
        {
            cost += costs::GAP;
        }
        let mut tail = Tail::new(node.key.at.saturating_sub(1));
        for &byte in &self.output[here..here + length] {
            tail = self.program.delimiters.step(tail, byte).unwrap_or_else(|| {
                cost += costs::DELIMITER;
                Tail::NONE
            });
        }
        let trace = if begun { node.trace } else { self.trace(node.trace, Event::Begin(here as u32)) };
        let key = Key { at: tail.index() + 1, ..node.key };
        self.push(key, here + length, node.cost + cost, trace);
    }

    fn number(&mut self, node: &Node, kind: Terminal) {
        let here = self.here;
        let digits = self.output[here..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        if digits > 0 {
            let end = here + digits;
            let trace = self.trace(node.trace, Event::Number(kind, here as u32, end as u32));
            self.leave(node, end, node.cost, trace);
        }
        let trace = self.trace(node.trace, Event::Missing(kind, here as u32));
        self.leave(node, here, node.cost + self.late(costs::NO_NUMBER), trace);
    }

    fn label(&mut self, node: &Node) {
        let here = self.here;
        if self.labels.0 != here {
            let found = label::candidates(&self.program.labels, self.output, here);
            self.labels = (here, Arc::new(found));
        }
        let bound = self.bound(node.key.frame).unwrap_or(node.key.label);
        let found = Arc::clone(&self.labels.1);
        for &Candidate { label, end, mut cost } in found.iter() {
            if bound != LabelId::NONE && label != bound {
                let head = self.bound(node.key.frame).is_none();
                cost = cost.max(if head { costs::OTHER_HEAD } else { costs::OTHER_LABEL });
            }
            let trace = self.trace(node.trace, Event::Label(label, here as u32, end as u32));
            let frame = if bound == LabelId::NONE { self.bind(node.key.frame, label) } else { node.key.frame };
            let bound = Node { key: Key { frame, ..node.key }, ..*node };
            self.leave(&bound, end, node.cost + cost, trace);
        }
        let only = if self.program.labels.len() == 1 { LabelId::FIRST } else { LabelId::NONE };
        let label = if bound == LabelId::NONE { only } else { bound };
        let cost = match (bound, label) {
            (_, LabelId::NONE) => costs::UNKNOWN_LABEL,
            (LabelId::NONE, _) => costs::NO_LABEL,
            _ if self.bound(node.key.frame).is_none() && self.in_word() => costs::NO_HEAD,
            _ => costs::SAME_LABEL,
        };
        let trace = self.trace(node.trace, Event::Label(label, here as u32, here as u32));
        let frame = if bound == LabelId::NONE { self.bind(node.key.frame, label) } else { node.key.frame };
        let inserted = Node { key: Key { frame, ..node.key }, ..*node };
        self.leave(&inserted, here, node.cost + self.late(cost), trace);
    }

    /// Whether a word stands before or after here.
    fn in_word(&self) -> bool {
        let around = self.here.saturating_sub(1)..(self.here + 1).min(self.output.len());
        self.output[around].iter().any(u8::is_ascii_alphanumeric)
    }

    /// The label of the innermost open entity.
    fn bound(&self, mut frame: u32) -> Option<LabelId> {
        loop {
            let Frame { held, below, .. } = self.frames[frame as usize];
            match held {
                Held::Entity(label) => return Some(label),
                Held::Return(_) => frame = below,
                Held::Bottom => return None,
            }
        }
    }

    /// The stack with a label for the innermost open entity.
    fn bind(&mut self, frame: u32, label: LabelId) -> u32 {
        let Frame { held, below, .. } = self.frames[frame as usize];
        match held {
            Held::Bottom => frame,
            Held::Entity(_) => self.frame(Held::Entity(label), below),
            Held::Return(_) => {
                let below = self.bind(below, label);
                self.frame(held, below)
            }
        }
    }
}
