//! What an automaton records of each thread: nothing for a matcher, the parse for the reader.

use std::fmt::Debug;
use std::hash::Hash;
use std::sync::Arc;

use crate::notation::ast::Terminal;
use crate::program::LabelId;

/// One event of a thread's parse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    Open,
    Close,
    /// The context's label.
    Label(LabelId),
    Skip,
    /// An operation's first byte is at this offset.
    Begin(u32),
    /// A terminal's last byte is before this offset.
    End(Terminal, u32),
}

/// Observes the steps of an automaton.
pub(crate) trait Recorder {
    /// The parse of a thread, as the thread keeps it.
    type Mark: Copy + Debug + Default + Eq + Hash + Ord;
    /// Whether threads with the same continuations but different parses are kept apart.
    const KEEPS_PARSES_APART: bool;

    fn record(&mut self, mark: &mut Self::Mark, event: Event);
    /// The offset of the byte that is stepped over.
    fn position(&self) -> u32;
    /// Whether labels that the schema does not have are read too.
    fn reads_unknown_labels(&self) -> bool;
    /// The text from the last event, if that is [`Event::Begin`], to the byte that is stepped over.
    fn begun_text(&self, mark: Self::Mark) -> Option<&[u8]>;
}

/// Records nothing.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct NoRecord;

impl Recorder for NoRecord {
    type Mark = ();
    const KEEPS_PARSES_APART: bool = false;

    fn record(&mut self, _: &mut (), _: Event) {}

    fn position(&self) -> u32 {
        0
    }

    fn reads_unknown_labels(&self) -> bool {
        false
    }

    fn begun_text(&self, _: ()) -> Option<&[u8]> {
        None
    }
}

/// The parse of one thread, as the number of its last event in [`Parses`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct ParseId(u32);

/// Records the parses of all threads. Each is a linked list of events from its end, so that threads share beginnings.
pub(crate) struct Parses {
    /// The last event of each parse, and the parse before it. Parses 0 is empty and has no entry, so that parse `n` is entry
    /// `n - 1`.
    events: Vec<(ParseId, Event)>,
    /// The output that is read.
    output: Arc<[u8]>,
    /// The offset of the byte that is stepped over.
    pub position: u32,
    unknown_labels: bool,
}

impl Parses {
    pub fn new(output: &[u8], unknown_labels: bool) -> Parses {
        Parses { events: Vec::new(), output: output.into(), position: 0, unknown_labels }
    }

    fn last(&self, parse: ParseId) -> Option<&(ParseId, Event)> {
        self.events.get((parse.0 as usize).checked_sub(1)?)
    }

    /// The events of a parse, from its beginning.
    pub fn events(&self, mut parse: ParseId) -> Vec<Event> {
        let mut events = Vec::new();
        while let Some(&(before, event)) = self.last(parse) {
            events.push(event);
            parse = before;
        }
        events.reverse();
        events
    }
}

impl Recorder for Parses {
    type Mark = ParseId;
    const KEEPS_PARSES_APART: bool = true;

    fn record(&mut self, mark: &mut ParseId, event: Event) {
        self.events.push((*mark, event));
        *mark = ParseId(self.events.len() as u32);
    }

    fn position(&self) -> u32 {
        self.position
    }

    fn reads_unknown_labels(&self) -> bool {
        self.unknown_labels
    }

    fn begun_text(&self, mark: ParseId) -> Option<&[u8]> {
        match self.last(mark) {
            Some((_, Event::Begin(start))) => self.output.get(*start as usize..=self.position as usize),
            _ => None,
        }
    }
}
