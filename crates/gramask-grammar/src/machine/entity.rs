//! The open entity: which tuples (label, fragments) agree with all that was written of it.
//!
//! The set is never listed. What was written is kept as bindings ([`Partial`]), and the few questions that matter are
//! answered from them: does any tuple agree that comes after the previous entity; which values can a view have; which is
//! the earliest tuple.

use std::ops::ControlFlow;

use super::Machine;
use super::thread::{NO_TUPLE, Open, Partial, Tuple, UNKNOWN};
use crate::notation::ast::Terminal;
use crate::program::NO_LABEL;

type Flow = ControlFlow<()>;

impl Machine {
    /// Calls `visit` with each stretch of words that agrees with `partial` and begins at word `from` or later, the later
    /// starts first and the shorter stretches first (so that a question for any is answered soon).
    fn stretches(&self, partial: &Partial, from: u32, visit: &mut dyn FnMut(u32, u32) -> Flow) -> Flow {
        let agrees = |first: u32, last: u32| {
            first >= from
                && (partial.first == UNKNOWN || partial.first == first)
                && (partial.last == UNKNOWN || partial.last == last)
                && (partial.nth == 0 || self.source.nth(first, last) == partial.nth)
        };
        if let Some((first, last)) = partial.settled() {
            return if agrees(first, last) { visit(first, last) } else { Flow::Continue(()) };
        }
        if let Some((first, last)) = partial.surface {
            for (first, last) in self.source.occurrences(first, last).into_iter().rev() {
                if agrees(first, last) {
                    visit(first, last)?;
                }
            }
            return Flow::Continue(());
        }
        let words = self.source.len();
        for first in (from..words).rev().filter(|first| partial.first == UNKNOWN || partial.first == *first) {
            for last in (first..words).filter(|last| partial.last == UNKNOWN || partial.last == *last) {
                if agrees(first, last) {
                    visit(first, last)?;
                }
            }
        }
        Flow::Continue(())
    }

    /// Calls `visit` with each tuple that agrees with what was written and may follow the entity `after`.
    fn tuples(&self, open: &Open, after: u32, visit: &mut dyn FnMut(&Tuple) -> Flow) -> Flow {
        let partials: Vec<Partial> = open.done.iter().chain([&open.current]).copied().collect();
        let mut tuple = Tuple { fragments: Vec::new(), label: NO_LABEL };
        self.extend(open, after, &partials, &mut tuple, visit)
    }

    fn extend(
        &self,
        open: &Open,
        after: u32,
        partials: &[Partial],
        tuple: &mut Tuple,
        visit: &mut dyn FnMut(&Tuple) -> Flow,
    ) -> Flow {
        let Some((partial, rest)) = partials.split_first() else {
            let labels = if open.label == NO_LABEL { 0..self.program.labels.len() as u16 } else { open.label..open.label + 1 };
            for label in labels.rev() {
                tuple.label = label;
                if self.follows(tuple, after) {
                    visit(tuple)?;
                }
            }
            return Flow::Continue(());
        };
        // Entities come by start: none that begins before the previous one may follow it.
        let from = match tuple.fragments.last() {
            Some(before) => before.1 + 1,
            None if after != NO_TUPLE && self.program.ordered() => self.tuples.get(after).fragments[0].0,
            None => 0,
        };
        self.stretches(partial, from, &mut |first, last| {
            tuple.fragments.push((first, last));
            let flow = self.extend(open, after, rest, tuple, visit);
            tuple.fragments.pop();
            flow
        })
    }

    fn follows(&self, tuple: &Tuple, after: u32) -> bool {
        !self.program.ordered() || after == NO_TUPLE || tuple.key() > self.tuples.get(after).key()
    }

    /// Whether any tuple agrees.
    pub fn possible(&self, open: &Open, after: u32) -> bool {
        self.tuples(open, after, &mut |_| Flow::Break(())).is_break()
    }

    /// The earliest tuple that agrees.
    pub fn earliest(&self, open: &Open, after: u32) -> Option<Tuple> {
        let mut best: Option<Tuple> = None;
        let _ = self.tuples(open, after, &mut |tuple| {
            if best.as_ref().is_none_or(|best| tuple.key() < best.key()) {
                best = Some(tuple.clone());
            }
            Flow::Continue(())
        });
        best
    }

    /// Puts the bindings in canonical form; `None` where no tuple agrees.
    pub fn normalise(&self, mut open: Open, after: u32) -> Option<Open> {
        if !open.done.is_empty() || open.current.settled().is_some() {
            return self.possible(&open, after).then_some(open);
        }
        let mut only = None;
        let flow = self.tuples(&open, after, &mut |tuple| {
            let found = tuple.fragments[0];
            match only {
                Some(known) if known != found => Flow::Break(()),
                _ => {
                    only = Some(found);
                    Flow::Continue(())
                }
            }
        });
        let (first, last) = only?;
        if flow.is_continue() {
            open.current = Partial { first, last, surface: None, nth: 0, written: open.current.written };
        }
        Some(open)
    }

    /// The open entity before `@text` writes: a second `@text` writes the next fragment.
    pub fn before_text(&self, open: &Open) -> Open {
        let mut open = open.clone();
        if open.current.written {
            open.done.push(open.current);
            open.current = Partial::NOTHING;
        }
        open
    }

    /// The open entity once `@text` wrote the surface of `first..=last`.
    pub fn bind_surface(&self, open: &Open, after: u32, first: u32, last: u32) -> Option<Open> {
        let mut open = self.before_text(open);
        open.current.written = true;
        if let Some((known_first, known_last)) = open.current.settled() {
            let same = self.source.surface(known_first, known_last) == self.source.surface(first, last);
            return same.then_some(open);
        }
        let canonical = *self.source.occurrences(first, last).first()?;
        if open.current.surface.is_some_and(|known| known != canonical) {
            return None;
        }
        open.current.surface = Some(canonical);
        self.normalise(open, after)
    }

    /// The open entity once a position was written.
    pub fn bind_number(&self, open: &Open, after: u32, kind: Terminal, value: u32) -> Option<Open> {
        let mut open = open.clone();
        if let Some((first, last)) = open.current.settled() {
            return (self.source.view(kind, first, last) == value).then_some(open);
        }
        let find = |edge: fn(&(u32, u32)) -> u32| self.source.words.iter().position(|word| edge(word) == value);
        match kind {
            Terminal::Start => open.current.first = find(|word| word.0)? as u32,
            Terminal::End => open.current.last = find(|word| word.1)? as u32,
            Terminal::First => open.current.first = value,
            Terminal::Last => open.current.last = value,
            _ => open.current.nth = value,
        }
        self.normalise(open, after)
    }

    /// The values that a position can have, ascending.
    pub fn values(&self, open: &Open, after: u32, kind: Terminal) -> Vec<u32> {
        let unknown = open.current.settled().is_none() && open.current.surface.is_none() && open.current.nth == 0;
        let words = 0..self.source.len();
        let bound = |first: Option<u32>, last: Option<u32>| {
            let mut open = open.clone();
            open.current.first = first.unwrap_or(open.current.first);
            open.current.last = last.unwrap_or(open.current.last);
            self.possible(&open, after)
        };
        let mut values: Vec<u32> = match kind {
            // One edge of an otherwise unknown stretch: one question a word, instead of all stretches.
            Terminal::Start | Terminal::First if unknown && open.current.first == UNKNOWN => words
                .filter(|&word| bound(Some(word), None))
                .map(|word| self.source.view(kind, word, word))
                .collect(),
            Terminal::End | Terminal::Last if unknown && open.current.last == UNKNOWN => words
                .filter(|&word| bound(None, Some(word)))
                .map(|word| self.source.view(kind, word, word))
                .collect(),
            _ => {
                let mut values = Vec::new();
                let _ = self.tuples(open, after, &mut |tuple| {
                    if let Some(&(first, last)) = tuple.fragments.last() {
                        values.push(self.source.view(kind, first, last));
                    }
                    Flow::Continue(())
                });
                values
            }
        };
        values.sort_unstable();
        values.dedup();
        values
    }
}

impl Machine {
    /// For the reader: the earliest tuple of these surfaces that follows `after`, else the earliest at all, as characters;
    /// and the tuple that the next one follows.
    pub fn locate(&mut self, label: u16, surfaces: &[Vec<u8>], after: u32) -> Option<(Vec<(usize, usize)>, u32)> {
        let mut partials = Vec::new();
        for surface in surfaces {
            let canonical = *self.source.find(surface).first()?;
            partials.push(Partial { surface: Some(canonical), written: true, ..Partial::NOTHING });
        }
        let current = partials.pop()?;
        let open = Open { label, done: partials, current, from: 0, child: None };
        let (tuple, moved) = match self.earliest(&open, after) {
            Some(tuple) => (tuple, true),
            None => (self.earliest(&open, NO_TUPLE)?, false),
        };
        let characters = |&(first, last): &(u32, u32)| {
            (self.source.words[first as usize].0 as usize, self.source.words[last as usize].1 as usize)
        };
        let fragments = tuple.fragments.iter().map(characters).collect();
        let last = if moved && self.program.ordered() { self.tuples.number(tuple) } else { after };
        Some((fragments, last))
    }
}
