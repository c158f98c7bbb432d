//! The stacks of threads: calls to return from, and open entities. Equal stacks have the same number.

use rustc_hash::FxHashMap;
use std::hash::Hash;

use super::entities::Open;
use crate::program::{LabelId, Pc};

/// A stack, as the number of its top frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct FrameId(u32);

impl FrameId {
    /// The empty stack.
    pub const BOTTOM: FrameId = FrameId(0);
}

/// One entry of a stack.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Frame {
    pub kind: FrameKind,
    /// The entry below.
    pub below: FrameId,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum FrameKind {
    Bottom,
    Return(Pc),
    Open(Open),
}

/// All stacks of an automaton.
pub(crate) struct Frames {
    frames: Interner<Frame>,
    /// Frames of calls, by the place to return to and the stack below.
    calls: FxHashMap<(Pc, FrameId), FrameId>,
    /// Frames of entities that just opened, by label, first word and the stack below.
    opens: FxHashMap<(LabelId, u32, FrameId), FrameId>,
}

impl Frames {
    pub fn new() -> Frames {
        Frames {
            frames: Interner::new(Frame { kind: FrameKind::Bottom, below: FrameId::BOTTOM }),
            calls: FxHashMap::default(),
            opens: FxHashMap::default(),
        }
    }

    pub fn get(&self, frame: FrameId) -> &Frame {
        self.frames.get(frame.0)
    }

    /// The entries of a stack from the top down, without its bottom, each with the stack that it is the top of.
    pub fn entries(&self, frame: FrameId) -> impl Iterator<Item = (FrameId, &Frame)> {
        let mut at = frame;
        std::iter::from_fn(move || {
            let (here, frame) = (at, self.get(at));
            at = frame.below;
            (here != FrameId::BOTTOM).then_some((here, frame))
        })
    }

    pub fn push(&mut self, kind: FrameKind, below: FrameId) -> FrameId {
        FrameId(self.frames.number(Frame { kind, below }))
    }

    pub fn push_return(&mut self, pc: Pc, below: FrameId) -> FrameId {
        if let Some(&frame) = self.calls.get(&(pc, below)) {
            return frame;
        }
        let frame = self.push(FrameKind::Return(pc), below);
        self.calls.insert((pc, below), frame);
        frame
    }

    /// Pushes an entity of which nothing is written.
    pub fn push_open(&mut self, open: Open, below: FrameId) -> FrameId {
        let key = (open.label, open.from, below);
        if let Some(&frame) = self.opens.get(&key) {
            return frame;
        }
        let frame = self.push(FrameKind::Open(open), below);
        self.opens.insert(key, frame);
        frame
    }

    /// The innermost open entity.
    pub fn innermost(&self, frame: FrameId) -> Option<&Open> {
        self.entries(frame)
            .find_map(|(_, frame)| if let FrameKind::Open(open) = &frame.kind { Some(open) } else { None })
    }

    /// The stack with another innermost open entity.
    pub fn with_innermost(&mut self, frame: FrameId, open: Open) -> FrameId {
        let Frame { kind, below } = self.get(frame).clone();
        match kind {
            FrameKind::Bottom => frame,
            FrameKind::Open(_) => self.push(FrameKind::Open(open), below),
            FrameKind::Return(pc) => {
                let below = self.with_innermost(below, open);
                self.push(FrameKind::Return(pc), below)
            }
        }
    }

    /// Tells the nearest open entity that one inside it closed, as its last word and its label, if both began at word `from`.
    pub fn note_child(&mut self, frame: FrameId, from: u32, child: (u32, LabelId)) -> FrameId {
        let Frame { kind, below } = self.get(frame).clone();
        match kind {
            FrameKind::Bottom => frame,
            FrameKind::Return(pc) => {
                let below = self.note_child(below, from, child);
                self.push(FrameKind::Return(pc), below)
            }
            FrameKind::Open(open) if open.from == from => {
                self.push(FrameKind::Open(Open { child: Some(child), ..open }), below)
            }
            FrameKind::Open(_) => frame,
        }
    }

    /// The same stack among the frames of another automaton.
    pub fn translate(&self, frame: FrameId, to: &mut Frames) -> FrameId {
        if frame == FrameId::BOTTOM {
            return frame;
        }
        let Frame { kind, below } = self.get(frame).clone();
        let below = self.translate(below, to);
        to.push(kind, below)
    }
}

/// Gives equal values the same small number.
#[derive(Debug)]
pub(crate) struct Interner<T> {
    values: Vec<T>,
    numbers: FxHashMap<T, u32>,
}

impl<T: Clone + Eq + Hash> Interner<T> {
    /// An interner in which `first` has the number 0.
    pub fn new(first: T) -> Self {
        Interner { values: vec![first.clone()], numbers: [(first, 0)].into_iter().collect() }
    }

    pub fn number(&mut self, value: T) -> u32 {
        if let Some(&number) = self.numbers.get(&value) {
            return number;
        }
        let number = self.values.len() as u32;
        self.values.push(value.clone());
        self.numbers.insert(value, number);
        number
    }

    pub fn get(&self, number: u32) -> &T {
        &self.values[number as usize]
    }
}
