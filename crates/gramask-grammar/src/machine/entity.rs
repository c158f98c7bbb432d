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
use crate::source::Source;

type Flow = ControlFlow<()>;

impl Machine {
    /// Calls `visit` with each stretch of words that agrees with `partial` and begins at word `from` or later, the later
    /// starts first and the shorter stretches first (so that a question for any is answered soon).
    pub(super) fn stretches(&self, partial: &Partial, from: u32, visit: &mut dyn FnMut(u32, u32) -> Flow) -> Flow {
        let words = self.source.len();
        let agrees = |first: u32, last: u32| {
            (from..=last).contains(&first)
                && last < words
                && (partial.first == UNKNOWN || partial.first == first)
                && (partial.last == UNKNOWN || partial.last == last)
                && (partial.nth == 0 || self.source.nth(first, last) == partial.nth)
        };
        if let Some((first, last)) = partial.settled() {
            let same = |(a, b): (u32, u32)| self.source.surface(a, b) == self.source.surface(first, last);
            let fits = agrees(first, last) && partial.surface.is_none_or(same);
            return if fits { visit(first, last) } else { Flow::Continue(()) };
        }
        if let Some((first, last)) = partial.surface {
            for (first, last) in self.source.occurrences(first, last).into_iter().rev() {
                if agrees(first, last) {
                    visit(first, last)?;
                }
            }
            return Flow::Continue(());
        }
        let only = |word: u32, from: u32| {
            if word == UNKNOWN { from..words } else { word.max(from)..(word + 1).min(words) }
        };
        for first in only(partial.first, from).rev() {
            for last in only(partial.last, first) {
                if agrees(first, last) {
                    visit(first, last)?;
                }
            }
        }
        Flow::Continue(())
    }

    /// Calls `visit` with each tuple that agrees with what was written and may follow the entity `after`.
    fn tuples(&self, open: &Open, after: u32, visit: &mut dyn FnMut(&Tuple) -> Flow) -> Flow {
        let several: Vec<Partial>;
        let partials = match open.done.is_empty() {
            true => std::slice::from_ref(&open.current),
            false => {
                several = open.done.iter().chain([&open.current]).copied().collect();
                &several
            }
        };
        let mut tuple = Tuple { fragments: Vec::new(), label: NO_LABEL };
        self.extend(open, after, partials, &mut tuple, visit)
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
            let labels =
                if open.label == NO_LABEL { 0..self.program.labels.len() as u16 } else { open.label..open.label + 1 };
            for label in labels.rev() {
                tuple.label = label;
                if self.follows(tuple, after) {
                    visit(tuple)?;
                }
            }
            return Flow::Continue(());
        };
        let from = tuple.fragments.last().map_or_else(|| self.earliest_start(after), |before| before.1 + 1);
        self.stretches(partial, from, &mut |first, last| {
            tuple.fragments.push((first, last));
            let flow = self.extend(open, after, rest, tuple, visit);
            tuple.fragments.pop();
            flow
        })
    }

    /// The entity before, in document order.
    pub(super) fn past(&self, after: u32) -> Option<&Tuple> {
        self.pasts.get(after).last()
    }

    /// The first word at which an entity can begin. They come by start: none that begins before the previous one may
    /// follow it.
    pub fn earliest_start(&self, after: u32) -> u32 {
        let before = if self.program.ordered() { self.pasts.get(after).last() } else { None };
        before.map_or(0, |before| before.fragments[0].0)
    }

    fn follows(&self, tuple: &Tuple, after: u32) -> bool {
        let past = self.pasts.get(after);
        match self.program.ordered() {
            true => past.last().is_none_or(|before| tuple.key() > before.key()),
            false => past.binary_search_by(|before| before.key().cmp(&tuple.key())).is_err(),
        }
    }

    /// The entities before, once `tuple` is one of them.
    pub fn behind(&mut self, after: u32, tuple: Tuple) -> u32 {
        let mut past = Vec::new();
        if !self.program.ordered() {
            past.clone_from(self.pasts.get(after));
        }
        if let Err(place) = past.binary_search_by(|before| before.key().cmp(&tuple.key())) {
            past.insert(place, tuple);
        }
        self.pasts.number(past)
    }

    /// Whether entities can grow out of others: then an open one is not held to those before it until it closes, since it may
    /// begin as one of them does.
    pub(super) fn grows(&self) -> bool {
        !self.program.ordered() && !self.program.ease().single
    }

    /// Whether any tuple agrees.
    pub fn possible(&self, open: &Open, after: u32) -> bool {
        let after = if self.grows() { NO_TUPLE } else { after };
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
    ///
    /// A fragment that is the same in all tuples is settled. Without positions that matters to nobody, and is done only
    /// where it is cheap.
    pub fn normalise(&self, mut open: Open, after: u32) -> Option<Open> {
        let after = if self.grows() { NO_TUPLE } else { after };
        let several = !open.done.is_empty();
        let all_settled = open.done.iter().chain([&open.current]).all(|partial| partial.settled().is_some());
        if all_settled || several && !self.program.positions {
            return self.possible(&open, after).then_some(open);
        }
        // What each fragment is in all tuples so far, once there was one.
        let mut common: Vec<Option<(u32, u32)>> = Vec::new();
        let flow = self.tuples(&open, after, &mut |tuple| {
            if common.is_empty() {
                common = tuple.fragments.iter().copied().map(Some).collect();
            }
            for (common, found) in common.iter_mut().zip(&tuple.fragments) {
                *common = common.filter(|common| common == found);
            }
            let partials = open.done.iter().chain([&open.current]);
            let unknown = |(partial, common): (&Partial, &Option<_>)| partial.settled().is_none() && common.is_some();
            if partials.zip(&common).any(unknown) { Flow::Continue(()) } else { Flow::Break(()) }
        });
        if common.is_empty() {
            return None;
        }
        if flow.is_continue() {
            for (partial, common) in open.done.iter_mut().chain([&mut open.current]).zip(common) {
                if let Some((first, last)) = common {
                    *partial = Partial { first, last, surface: None, nth: 0, written: partial.written };
                }
            }
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
        open.current.place(&self.source, kind, value)?;
        self.normalise(open, after)
    }

    /// The values that a position can have, ascending.
    pub fn values(&self, open: &Open, after: u32, kind: Terminal) -> Vec<u32> {
        let after = if self.grows() { NO_TUPLE } else { after };
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
            Terminal::Start | Terminal::First if unknown && open.current.first == UNKNOWN => {
                words.filter(|&word| bound(Some(word), None)).map(|word| self.source.view(kind, word, word)).collect()
            }
            Terminal::End | Terminal::Last if unknown && open.current.last == UNKNOWN => {
                words.filter(|&word| bound(None, Some(word))).map(|word| self.source.view(kind, word, word)).collect()
            }
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

/// For the reader: one fragment as it was written.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// The text, escaped.
    pub text: Option<Vec<u8>>,
    /// The numbers.
    pub positions: Vec<(Terminal, u32)>,
}

impl Seen {
    /// What it says of a fragment; `None` where the document has none such.
    fn partial(&self, source: &Source) -> Option<Partial> {
        let mut partial = Partial { written: self.text.is_some(), ..Partial::NOTHING };
        if let Some(text) = &self.text {
            partial.surface = Some(*source.find(text).first()?);
        }
        self.positions.iter().try_for_each(|&(kind, value)| partial.place(source, kind, value))?;
        Some(partial)
    }
}

impl Partial {
    /// Takes a number; `None` where it is no word's, or another one than was written before.
    fn place(&mut self, source: &Source, kind: Terminal, value: u32) -> Option<()> {
        let (known, value, unknown) = match kind {
            Terminal::Start | Terminal::First => (&mut self.first, source.word(kind, value)?, UNKNOWN),
            Terminal::End | Terminal::Last => (&mut self.last, source.word(kind, value)?, UNKNOWN),
            _ => (&mut self.nth, Some(value).filter(|nth| *nth != 0)?, 0),
        };
        let fits = *known == unknown || *known == value;
        *known = value;
        fits.then_some(())
    }
}

impl Machine {
    /// For the reader: the earliest tuple that agrees with what was written and follows `after`, else the earliest at all,
    /// as characters; and what the next one follows.
    pub fn locate(&mut self, label: u16, seen: &[Seen], after: u32) -> Option<(Vec<(usize, usize)>, u32)> {
        let partials: Option<Vec<Partial>> = seen.iter().map(|seen| seen.partial(&self.source)).collect();
        let mut partials = partials?;
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
        let last = if moved { self.behind(after, tuple) } else { after };
        Some((fragments, last))
    }
}
