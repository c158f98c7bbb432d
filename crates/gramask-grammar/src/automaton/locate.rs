//! Where the document has a mention that an output wrote: for the reader and for repair.

use super::entities::Binding;
use super::{Automaton, Open, PreviousId, Recorder};
use crate::notation::ast::Terminal;
use crate::program::LabelId;
use crate::source::Source;

/// One fragment as it was written.
#[derive(Debug, Default)]
pub(crate) struct WrittenFragment {
    /// The text, escaped.
    pub text: Option<Vec<u8>>,
    /// The numbers.
    pub positions: Vec<(Terminal, u32)>,
}

impl WrittenFragment {
    /// What it says of the fragment; `None` where the document has no such fragment.
    fn binding(&self, source: &Source) -> Option<Binding> {
        let mut binding = Binding { written: self.text.is_some(), ..Binding::UNKNOWN };
        if let Some(text) = &self.text {
            binding.surface = Some(*source.find(text).first()?);
        }
        self.positions.iter().try_for_each(|&(kind, value)| binding.place(source, kind, value))?;
        Some(binding)
    }
}

impl<R: Recorder> Automaton<R> {
    /// The fragments, in characters, of the earliest tuple that agrees with what was written and follows `after`, or of the
    /// earliest one at all; and the previous entities of the next mention.
    pub fn locate(
        &mut self,
        label: LabelId,
        written: &[WrittenFragment],
        after: PreviousId,
    ) -> Option<(Vec<(usize, usize)>, PreviousId)> {
        let bindings: Option<Vec<Binding>> = written.iter().map(|fragment| fragment.binding(&self.source)).collect();
        let mut bindings = bindings?;
        let current = bindings.pop()?;
        let open = Open { label, done: bindings, current, from: 0, child: None };
        let (tuple, moved) = match self.earliest(&open, after) {
            Some(tuple) => (tuple, true),
            None => (self.earliest(&open, PreviousId::NONE)?, false),
        };
        let characters = |&(first, last): &(u32, u32)| {
            (self.source.words[first as usize].0 as usize, self.source.words[last as usize].1 as usize)
        };
        let fragments = tuple.fragments.iter().map(characters).collect();
        let last = if moved { self.with_previous(after, tuple) } else { after };
        Some((fragments, last))
    }
}
