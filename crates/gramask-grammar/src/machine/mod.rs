//! The machine: one step of one thread by one byte, from which matcher, engine and reader are made.
//!
//! A thread's step may end its operation; [`Machine::settle`] then goes on through the operations that write nothing, so
//! that every thread that comes out stands before or inside an operation that writes a byte, or at [`Op::Accept`].
//! Threads that can't come to accept any more are left in: [`Machine::finish`] finds out, and matchers drop them.

mod ahead;
mod ease;
mod entity;
mod finish;
mod floor;
mod life;
#[cfg(test)]
mod proof;
mod settle;
mod step;
mod thread;

use rustc_hash::FxHashMap;
use std::sync::Arc;

pub(crate) use ease::{Ease, Follow};
pub(crate) use entity::Seen;
use finish::{Finish, FreeWays};
use floor::Floor;
pub(crate) use thread::{At, BOTTOM, NO_TUPLE, Thread, Tuple};

use crate::notation::ast::Terminal;
use crate::program::{NO_LABEL, Op, Program};
use crate::source::Source;
use thread::{Frame, FrameKind, Free, Interner, Open};

/// Which part of a format's meaning a constraint holds the output to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Level {
    /// Nothing: plain decoding.
    None,
    /// The output parses.
    Syntax,
    /// It parses, and everything that refers to the document is true of it.
    Grounded,
}

impl Level {
    /// All levels.
    pub const ALL: [Level; 3] = [Level::None, Level::Syntax, Level::Grounded];

    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Level::None => "none",
            Level::Syntax => "syntax",
            Level::Grounded => "grounded",
        }
    }
}

impl std::fmt::Display for Level {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}

/// An unknown level.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown level `{0}`; a level is one of none, syntax, grounded")]
pub struct UnknownLevel(pub String);

impl std::str::FromStr for Level {
    type Err = UnknownLevel;
    fn from_str(word: &str) -> Result<Self, UnknownLevel> {
        Level::ALL.into_iter().find(|level| level.name() == word).ok_or_else(|| UnknownLevel(word.into()))
    }
}

/// How much free text an output at level `syntax` may hold.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Characters in one free text (or, in cursor formats, in all).
    pub characters: u32,
    /// Units that `@skip` passes.
    pub units: u32,
    pub entities: u32,
}

impl Limits {
    /// A reader takes what it gets.
    pub const NONE: Limits = Limits { characters: UNLIMITED, units: UNLIMITED, entities: UNLIMITED };
}

/// An allowance that nothing uses up.
pub(crate) const UNLIMITED: u32 = u32::MAX;

/// An allowance less one.
fn less(allowance: u32) -> Option<u32> {
    if allowance == UNLIMITED { Some(UNLIMITED) } else { allowance.checked_sub(1) }
}

/// What the reader is told of a thread's way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    Nothing,
    Open,
    Close,
    /// The context's label.
    Label(u16),
    Skip,
    /// A terminal's first byte stands here.
    Begin(u32),
    /// A terminal's last byte stands before here.
    End(Terminal, u32),
}

/// A program over a document at a level, with all that its threads refer to.
pub(crate) struct Machine {
    pub program: Arc<Program>,
    pub source: Arc<Source>,
    pub level: Level,
    pub limits: Limits,
    frames: Interner<Frame>,
    /// The frames that calls push, by the place to return to and the stack below.
    calls: FxHashMap<(u32, u32), u32>,
    /// The frames of entities that just opened, by label, first word and the stack below.
    opens: FxHashMap<(u16, u32, u32), u32>,
    /// The entities before: in `%order document` the last one, else all, sorted.
    pasts: Interner<Vec<Tuple>>,
    finishes: FxHashMap<Thread, Option<Finish>>,
    /// What was found for begun free text.
    free_ways: FxHashMap<Free, FreeWays>,
    floor: Arc<Floor>,
    /// No delimiter can come about in what is copied of the document, nor keep a literal from standing behind it.
    clean: bool,
    /// Room for [`Machine::settle`].
    stack: Vec<Thread>,
    /// For the reader: each thread's way, as a list from its end. Empty in a matcher.
    pub traces: Vec<(u32, Event)>,
    pub tracing: bool,
    /// For the reader: labels that the schema does not have are read too.
    pub lenient: bool,
    /// For the reader: what it reads.
    pub output: Arc<[u8]>,
    /// For the reader: how many bytes were read.
    pub position: u32,
}

impl Machine {
    pub fn new(program: Arc<Program>, source: Arc<Source>, level: Level, limits: Limits) -> Machine {
        let floor = Arc::new(Floor::new(&program, &source, level == Level::Grounded));
        Machine {
            floor,
            clean: life::is_clean(&program, &source, level),
            stack: Vec::new(),
            program,
            source,
            level,
            limits,
            frames: Interner::new(Frame { kind: FrameKind::Bottom, below: BOTTOM }),
            calls: FxHashMap::default(),
            opens: FxHashMap::default(),
            pasts: Interner::new(Vec::new()),
            finishes: FxHashMap::default(),
            free_ways: FxHashMap::default(),
            traces: vec![(0, Event::Nothing)],
            tracing: false,
            lenient: false,
            output: Arc::new([]),
            position: 0,
        }
    }

    pub fn grounded(&self) -> bool {
        self.level == Level::Grounded
    }

    /// The threads before the first byte.
    pub fn start(&mut self) -> Vec<Thread> {
        let thread = Thread {
            pc: 0,
            at: At::Begin,
            frame: BOTTOM,
            cursor: match (self.grounded(), self.program.skips) {
                (true, _) => 0,
                (false, true) => self.limits.units,
                (false, false) => self.limits.characters,
            },
            label: NO_LABEL,
            last: if self.grounded() { NO_TUPLE } else { self.limits.entities },
            tail: 0,
            trace: 0,
        };
        let mut out = Vec::new();
        self.settle(thread, &mut out);
        out
    }

    /// For each byte the first one that no operation tells from it. At `syntax`, characters that neither the grammar nor
    /// the schema nor the escape names are all alike; at `grounded` the document names them.
    pub fn alike(&self) -> [u8; 256] {
        let mut alike = std::array::from_fn(|byte| byte as u8);
        if self.grounded() || !self.program.regexes.is_empty() {
            return alike;
        }
        let mut named = [false; 256];
        let literals =
            self.program.ops.iter().filter_map(|op| if let Op::Literal(bytes) = op { Some(&**bytes) } else { None });
        let labels = self.program.labels.iter().map(Vec::as_slice);
        literals.chain(labels).chain([&b"0123456789"[..]]).flatten().for_each(|byte| named[usize::from(*byte)] = true);
        let plain = |byte: &u8| !named[usize::from(*byte)] && self.program.escape().is_plain(*byte);
        if let Some(first) = (0..128).find(plain) {
            (first..128).filter(plain).for_each(|byte| alike[usize::from(byte)] = first);
        }
        // Of bytes in UTF-8 sequences only where they may stand matters.
        if !named[128..].contains(&true) {
            for &(first, last) in self.program.escape().alike_beyond_ascii() {
                (first..=last).for_each(|byte| alike[usize::from(byte)] = first);
            }
        }
        alike
    }

    /// Whether a thread has nothing more to write.
    pub fn accepts(&self, thread: &Thread) -> bool {
        matches!(self.program.ops[thread.pc as usize], Op::Accept)
    }

    fn trace(&mut self, thread: &mut Thread, event: Event) {
        if self.tracing {
            self.traces.push((thread.trace, event));
            thread.trace = self.traces.len() as u32 - 1;
        }
    }

    /// The innermost open entity.
    fn innermost(&self, mut frame: u32) -> Option<&Open> {
        loop {
            match self.frames.get(frame) {
                Frame { kind: FrameKind::Open(open), .. } => return Some(open),
                Frame { kind: FrameKind::Return(_), below } => frame = *below,
                Frame { kind: FrameKind::Bottom, .. } => return None,
            }
        }
    }

    /// The stack with another innermost open entity.
    fn with_innermost(&mut self, frame: u32, open: Open) -> u32 {
        let Frame { kind, below } = self.frames.get(frame).clone();
        match kind {
            FrameKind::Bottom => frame,
            FrameKind::Open(_) => self.push(FrameKind::Open(open), below),
            FrameKind::Return(pc) => {
                let below = self.with_innermost(below, open);
                self.push(FrameKind::Return(pc), below)
            }
        }
    }
}
