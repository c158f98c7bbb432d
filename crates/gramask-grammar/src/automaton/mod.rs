//! The automaton: a program over a document at a level, and one step of one thread by one byte.
//!
//! A program is a Thompson automaton with a stack, and its threads are the ways of reading the output so far, as in Pike's
//! matcher. A step that ends its operation goes on through the operations that write nothing ([`Automaton::close`], the
//! epsilon closure). So every thread that comes out stands before or inside an operation that writes a byte, or at
//! [`Op::Accept`](crate::program::Op::Accept).
//!
//! Oracle, engine and reader all step this automaton, so that they can't disagree about the language. Some threads that it
//! returns can't come to accept any more: [`Liveness`](crate::liveness::Liveness) finds them, and matchers drop them.

mod closure;
mod entities;
mod frames;
mod locate;
mod lookahead;
mod recorder;
mod step;
mod thread;

use std::sync::Arc;

pub(crate) use entities::{Binding, Open, PreviousId, Tuple, UNKNOWN};
use frames::Frames;
pub(crate) use frames::{Frame, FrameId, FrameKind, Interner};
pub(crate) use locate::WrittenFragment;
pub(crate) use recorder::{Event, NoRecord, Parses, Recorder};
pub(crate) use step::MOST_DIGITS;
pub(crate) use thread::{FreeText, Limits, Progress, Thread, UNLIMITED, less};

use crate::Level;
use crate::delimiters::Tail;
use crate::program::{LabelId, Op, Pc, Program};
use crate::source::Source;

/// A program over a document at a level, with everything that its threads refer to.
pub(crate) struct Automaton<R: Recorder = NoRecord> {
    pub program: Arc<Program>,
    pub source: Arc<Source>,
    pub level: Level,
    pub limits: Limits,
    pub frames: Frames,
    /// Sets of previous entities: in `%order document` the last one, else all, sorted.
    previous: Interner<Vec<Tuple>>,
    pub recorder: R,
    /// Room for [`Automaton::close`].
    stack: Vec<Thread<R::Mark>>,
}

impl Automaton {
    pub fn new(program: Arc<Program>, source: Arc<Source>, level: Level, limits: Limits) -> Automaton {
        Automaton::recording(program, source, level, limits, NoRecord)
    }
}

impl<R: Recorder> Automaton<R> {
    /// An automaton that records the parses of its threads.
    pub fn recording(
        program: Arc<Program>,
        source: Arc<Source>,
        level: Level,
        limits: Limits,
        recorder: R,
    ) -> Automaton<R> {
        Automaton {
            program,
            source,
            level,
            limits,
            frames: Frames::new(),
            previous: Interner::new(Vec::new()),
            recorder,
            stack: Vec::new(),
        }
    }

    pub fn grounded(&self) -> bool {
        self.level == Level::Grounded
    }

    /// The threads before the first byte.
    pub fn start(&mut self) -> Vec<Thread<R::Mark>> {
        let (cursor_left, entities_left) = match (self.grounded(), self.program.skips) {
            (true, _) => (UNLIMITED, UNLIMITED),
            (false, true) => (self.limits.units, self.limits.entities),
            (false, false) => (self.limits.characters, self.limits.entities),
        };
        let thread = Thread {
            pc: Pc::START,
            at: Progress::Begin,
            frame: FrameId::BOTTOM,
            cursor: 0,
            cursor_left,
            label: LabelId::NONE,
            previous: PreviousId::NONE,
            entities_left,
            tail: Tail::NONE,
            mark: R::Mark::default(),
        };
        let mut out = Vec::new();
        self.close(thread, &mut out);
        out
    }

    /// Whether a thread has nothing more to write.
    pub fn accepts(&self, thread: &Thread<R::Mark>) -> bool {
        matches!(self.program.op(thread.pc), Op::Accept)
    }

    /// For each byte the first byte that all operations treat alike. At `syntax` these are the characters that neither the
    /// grammar nor the schema nor the escape names; at `grounded` the document names characters too.
    pub fn byte_classes(&self) -> [u8; 256] {
        let mut classes = std::array::from_fn(|byte| byte as u8);
        if self.grounded() || !self.program.regexes.is_empty() {
            return classes;
        }
        let mut named = [false; 256];
        let literals =
            self.program.ops.iter().filter_map(|op| if let Op::Literal(bytes) = op { Some(&**bytes) } else { None });
        let labels = self.program.labels.iter().map(Vec::as_slice);
        literals.chain(labels).chain([&b"0123456789"[..]]).flatten().for_each(|byte| named[usize::from(*byte)] = true);
        let plain = |byte: &u8| !named[usize::from(*byte)] && self.program.escape().is_plain(*byte);
        if let Some(first) = (0..128).find(plain) {
            (first..128).filter(plain).for_each(|byte| classes[usize::from(byte)] = first);
        }
        // Of bytes in UTF-8 sequences only where they may stand matters.
        if !named[128..].contains(&true) {
            for &(first, last) in self.program.escape().alike_beyond_ascii() {
                (first..=last).for_each(|byte| classes[usize::from(byte)] = first);
            }
        }
        classes
    }

    /// The innermost open entity of a thread.
    pub fn innermost(&self, thread: &Thread<R::Mark>) -> Option<&Open> {
        self.frames.innermost(thread.frame)
    }
}
