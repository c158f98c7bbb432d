//! What one way of reading the output so far is: a thread, its stack of frames, and the entities that it holds open.

use rustc_hash::FxHashMap;
use std::hash::Hash;

use regex_automata::util::primitives::StateID;

use crate::escape::LONGEST_UNIT;
use crate::program::Pc;
use crate::source::Prefix;

/// Not yet known.
pub(crate) const UNKNOWN: u32 = u32::MAX;
/// The empty stack.
pub(crate) const BOTTOM: u32 = 0;
/// No entity yet.
pub(crate) const NO_TUPLE: u32 = 0;

/// One way of reading the output so far. `Copy`, and equal exactly if the same can follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Thread {
    /// The operation that writes next.
    pub pc: Pc,
    /// How far that operation is.
    pub at: At,
    /// The top of the stack, interned.
    pub frame: u32,
    /// `grounded`: the element that the cursor stands before. `syntax`: how much free text may still be passed.
    pub cursor: u32,
    /// The label of the context (`@each`, `%pass label`), or `NO_LABEL`.
    pub label: u16,
    /// `grounded`: the entities before, as far as they matter, interned; cursor formats: nothing. `syntax`: how many
    /// entities may still come.
    pub last: u32,
    /// Directly behind free text: how much of a delimiter it ends with, as the delimiters' state. Else 0.
    pub tail: u16,
    /// What was read, for the reader; 0 in a matcher.
    pub trace: u32,
}

/// How far a thread is inside its operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum At {
    /// Nothing written yet.
    Begin,
    /// This many bytes of what is known beforehand: a literal, the next element.
    Offset(u32),
    Regex(StateID),
    /// The beginning of a surface: these word starts share it.
    Surface(Prefix),
    /// The beginning of a label: how many bytes, and the first label that begins so.
    Label {
        offset: u16,
        label: u16,
    },
    Number {
        value: u32,
        digits: u8,
    },
    /// Free text.
    Free(Free),
}

/// How far free text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Free {
    /// How many characters may still come.
    pub left: u32,
    /// The state of the delimiters' automaton.
    pub tail: u16,
    /// The begun unit's bytes.
    pub pending: [u8; LONGEST_UNIT],
    pub count: u8,
}

/// What is known of one fragment. Canonical: where only one stretch fits, `first` and `last` say it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Partial {
    pub first: u32,
    pub last: u32,
    /// The surface, as the words of its first occurrence.
    pub surface: Option<(u32, u32)>,
    /// Which occurrence, from 1; 0 is not known.
    pub nth: u32,
    /// `@text` wrote this fragment: the next `@text` writes the next one.
    pub written: bool,
}

impl Partial {
    pub const NOTHING: Partial = Partial { first: UNKNOWN, last: UNKNOWN, surface: None, nth: 0, written: false };

    pub fn settled(&self) -> Option<(u32, u32)> {
        (self.first != UNKNOWN && self.last != UNKNOWN).then_some((self.first, self.last))
    }
}

/// An entity that is open.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Open {
    pub label: u16,
    /// The fragments before the current one.
    pub done: Vec<Partial>,
    pub current: Partial,
    /// Cursor formats: the first word.
    pub from: u32,
    /// Cursor formats: the last closed entity inside that began at the same word, as its last word and its label.
    pub child: Option<(u32, u16)>,
}

/// One entry of a stack.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Frame {
    pub kind: FrameKind,
    /// The entry below.
    pub below: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum FrameKind {
    Bottom,
    Return(Pc),
    Open(Open),
}

/// A settled entity: fragments as first and last words, and the label's number.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Tuple {
    pub fragments: Vec<(u32, u32)>,
    pub label: u16,
}

impl Tuple {
    /// The document's order: by start, then the longer one first, then by label; then by fragments, to be total.
    pub fn key(&self) -> (u32, std::cmp::Reverse<u32>, u16, &[(u32, u32)]) {
        let first = self.fragments.first().map_or(0, |f| f.0);
        let last = self.fragments.last().map_or(0, |f| f.1);
        (first, std::cmp::Reverse(last), self.label, &self.fragments)
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
