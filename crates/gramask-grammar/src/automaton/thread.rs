//! One way of reading the output so far: a thread.

use std::hash::Hash;

use super::entities::PreviousId;
use super::frames::FrameId;
use crate::delimiters::Tail;
use crate::escape::LONGEST_UNIT;
use crate::program::{LabelId, Pc};
use crate::regex::StateId;
use crate::source::Prefix;

/// An allowance that nothing uses up.
pub(crate) const UNLIMITED: u32 = u32::MAX;

/// An allowance less one; `None` where it is used up.
pub(crate) fn less(allowance: u32) -> Option<u32> {
    if allowance == UNLIMITED { Some(UNLIMITED) } else { allowance.checked_sub(1) }
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
    /// A reader takes outputs of any length.
    pub const NONE: Limits = Limits { characters: UNLIMITED, units: UNLIMITED, entities: UNLIMITED };
}

/// One way of reading the output so far. `Copy`, and two threads are equal exactly if the same output can follow.
///
/// `M` is what a [`Recorder`](super::Recorder) keeps in each thread; nothing in a matcher. The order of the fields is the
/// order in which the threads of a state are sorted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Thread<M = ()> {
    /// The operation that writes next.
    pub pc: Pc,
    /// How far that operation is.
    pub at: Progress,
    /// The top of the stack.
    pub frame: FrameId,
    /// The element of the document that the cursor stands before. Always 0 at `syntax`, where nothing is held to the
    /// document, and in formats without a cursor.
    pub cursor: u32,
    /// How far the cursor may still move at `syntax`: characters, or units in formats with `@skip`. At `grounded` the
    /// document limits the cursor, and this is [`UNLIMITED`].
    pub cursor_left: u32,
    /// The label of the context (`@each`, `%pass label`), or none.
    pub label: LabelId,
    /// The entities that the next one is compared with. Only lists at `grounded` have any.
    pub previous: PreviousId,
    /// How many entities may still come at `syntax`; [`UNLIMITED`] at `grounded`.
    pub entities_left: u32,
    /// Directly after free text: how much of a delimiter the text ends with.
    pub tail: Tail,
    /// How the thread came about, for the reader.
    pub mark: M,
}

impl<M> Thread<M> {
    /// The thread without its mark, by which threads are compared.
    pub fn unmarked(&self) -> Thread {
        Thread {
            pc: self.pc,
            at: self.at,
            frame: self.frame,
            cursor: self.cursor,
            cursor_left: self.cursor_left,
            label: self.label,
            previous: self.previous,
            entities_left: self.entities_left,
            tail: self.tail,
            mark: (),
        }
    }

    /// How many bytes are written of an operation whose bytes are known beforehand.
    pub fn offset(&self) -> usize {
        if let Progress::Offset(offset) = self.at { offset as usize } else { 0 }
    }
}

/// How far a thread is inside its operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Progress {
    /// Nothing is written yet.
    Begin,
    /// This many bytes of something that is known beforehand: a literal, the next element.
    Offset(u32),
    Regex(StateId),
    /// The beginning of a surface: these word starts share it.
    Surface(Prefix),
    /// The beginning of a label: how many bytes, and the first label that begins so.
    Label {
        offset: u16,
        label: LabelId,
    },
    Number {
        value: u32,
        digits: u8,
    },
    FreeText(FreeText),
}

/// How far free text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct FreeText {
    /// How many characters may still come.
    pub left: u32,
    /// How much of a delimiter the text ends with.
    pub tail: Tail,
    /// The bytes of the unit that is begun.
    pub pending: [u8; LONGEST_UNIT],
    pub count: u8,
}
