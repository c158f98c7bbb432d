//! The open entity: which tuples (label, fragments) agree with everything that was written of it.
//!
//! The set is never listed. What was written is kept as bindings ([`Binding`]). From them the automaton answers three questions.
//! Does any tuple agree that comes after the previous entity? Which values can a view have? Which tuple is the earliest?

use std::cmp::Reverse;
use std::ops::ControlFlow;

use super::{Automaton, Recorder};
use crate::notation::ast::Terminal;
use crate::program::LabelId;
use crate::source::Source;

/// A word that is not known yet.
pub(crate) const UNKNOWN: u32 = u32::MAX;

/// What is known of one fragment, from what was written of it. Canonical: where only one stretch fits, `first` and `last` name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Binding {
    pub first: u32,
    pub last: u32,
    /// The surface, as the words of its first occurrence.
    pub surface: Option<(u32, u32)>,
    /// Which occurrence, from 1; 0 is not known.
    pub nth: u32,
    /// `@text` wrote this fragment: the next `@text` writes the next one.
    pub written: bool,
}

impl Binding {
    pub const UNKNOWN: Binding = Binding { first: UNKNOWN, last: UNKNOWN, surface: None, nth: 0, written: false };

    /// The words, where both are known.
    pub fn known(&self) -> Option<(u32, u32)> {
        (self.first != UNKNOWN && self.last != UNKNOWN).then_some((self.first, self.last))
    }

    /// Binds a number. `None` if no word has it, or if another number is bound already.
    pub(super) fn place(&mut self, source: &Source, kind: Terminal, value: u32) -> Option<()> {
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

/// An entity that is open.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Open {
    pub label: LabelId,
    /// The fragments before the current one.
    pub done: Vec<Binding>,
    pub current: Binding,
    /// Cursor formats: the first word.
    pub from: u32,
    /// Cursor formats: the last closed entity inside that began at the same word, as its last word and its label.
    pub child: Option<(u32, LabelId)>,
}

impl Open {
    /// An entity of which nothing is written.
    pub fn new(label: LabelId) -> Open {
        Open { label, done: Vec::new(), current: Binding::UNKNOWN, from: 0, child: None }
    }

    fn bindings(&self) -> impl Iterator<Item = &Binding> {
        self.done.iter().chain([&self.current])
    }

    fn bindings_mut(&mut self) -> impl Iterator<Item = &mut Binding> {
        self.done.iter_mut().chain([&mut self.current])
    }
}

/// An entity that is known: fragments as first and last words, and the label's number.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Tuple {
    pub fragments: Vec<(u32, u32)>,
    pub label: LabelId,
}

impl Tuple {
    /// The key of document order: by start, then the longer one first, then by label. Fragments make the order total.
    pub fn key(&self) -> (u32, Reverse<u32>, LabelId, &[(u32, u32)]) {
        let first = self.fragments.first().map_or(0, |f| f.0);
        let last = self.fragments.last().map_or(0, |f| f.1);
        (first, Reverse(last), self.label, &self.fragments)
    }
}

/// A set of previous entities, by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct PreviousId(u32);

impl PreviousId {
    /// No entity yet.
    pub const NONE: PreviousId = PreviousId(0);
}

type Flow = ControlFlow<()>;

impl<R: Recorder> Automaton<R> {
    /// Calls `visit` with each stretch of words that agrees with `binding` and begins at word `from` or later, the later
    /// starts first and the shorter stretches first. In this order a question for any stretch is answered soon.
    pub fn stretches(&self, binding: &Binding, from: u32, visit: &mut dyn FnMut(u32, u32) -> Flow) -> Flow {
        let words = self.source.len();
        let edges_agree = |first: u32, last: u32| {
            (from..=last).contains(&first)
                && last < words
                && (binding.first == UNKNOWN || binding.first == first)
                && (binding.last == UNKNOWN || binding.last == last)
        };
        let agrees = |first: u32, last: u32| {
            edges_agree(first, last) && (binding.nth == 0 || self.source.nth(first, last) == binding.nth)
        };
        if let Some((first, last)) = binding.known() {
            let same = |(a, b): (u32, u32)| self.source.surface(a, b) == self.source.surface(first, last);
            let fits = agrees(first, last) && binding.surface.is_none_or(same);
            return if fits { visit(first, last) } else { Flow::Continue(()) };
        }
        if let Some((first, last)) = binding.surface {
            return self.source.occurrences(first, last, |found| {
                let found = match binding.nth as usize {
                    0 => found,
                    nth => found.get(nth - 1..nth).unwrap_or_default(),
                };
                let mut agreeing = found.iter().rev().filter(|(first, last)| edges_agree(*first, *last));
                agreeing.try_for_each(|&(first, last)| visit(first, last))
            });
        }
        let only = |word: u32, from: u32| {
            if word == UNKNOWN { from..words } else { word.max(from)..(word + 1).min(words) }
        };
        for first in only(binding.first, from).rev() {
            for last in only(binding.last, first) {
                if agrees(first, last) {
                    visit(first, last)?;
                }
            }
        }
        Flow::Continue(())
    }

    /// Calls `visit` with each tuple that agrees with what was written and may follow the entity `after`.
    fn tuples(&self, open: &Open, after: PreviousId, visit: &mut dyn FnMut(&Tuple) -> Flow) -> Flow {
        let several: Vec<Binding>;
        let bindings = match open.done.is_empty() {
            true => std::slice::from_ref(&open.current),
            false => {
                several = open.bindings().copied().collect();
                &several
            }
        };
        let mut tuple = Tuple { fragments: Vec::new(), label: LabelId::NONE };
        self.extend(open, after, bindings, &mut tuple, visit)
    }

    fn extend(
        &self,
        open: &Open,
        after: PreviousId,
        bindings: &[Binding],
        tuple: &mut Tuple,
        visit: &mut dyn FnMut(&Tuple) -> Flow,
    ) -> Flow {
        let Some((binding, rest)) = bindings.split_first() else {
            for label in open.label.or_all(self.program.labels.len()).rev() {
                tuple.label = label;
                if self.follows(tuple, after) {
                    visit(tuple)?;
                }
            }
            return Flow::Continue(());
        };
        let from = tuple.fragments.last().map_or_else(|| self.earliest_start(after), |before| before.1 + 1);
        self.stretches(binding, from, &mut |first, last| {
            tuple.fragments.push((first, last));
            let flow = self.extend(open, after, rest, tuple, visit);
            tuple.fragments.pop();
            flow
        })
    }

    /// The last of the previous entities, in document order.
    pub fn last_entity(&self, after: PreviousId) -> Option<&Tuple> {
        self.previous.get(after.0).last()
    }

    /// The first word at which an entity can begin. In document order that is the start of the previous entity.
    pub fn earliest_start(&self, after: PreviousId) -> u32 {
        let before = if self.program.ordered() { self.last_entity(after) } else { None };
        before.map_or(0, |before| before.fragments[0].0)
    }

    fn follows(&self, tuple: &Tuple, after: PreviousId) -> bool {
        let previous = self.previous.get(after.0);
        match self.program.ordered() {
            true => previous.last().is_none_or(|before| tuple.key() > before.key()),
            false => previous.binary_search_by(|before| before.key().cmp(&tuple.key())).is_err(),
        }
    }

    /// The previous entities, once `tuple` is one of them.
    pub fn with_previous(&mut self, after: PreviousId, tuple: Tuple) -> PreviousId {
        let mut previous = Vec::new();
        if !self.program.ordered() {
            previous.clone_from(self.previous.get(after.0));
        }
        if let Err(place) = previous.binary_search_by(|before| before.key().cmp(&tuple.key())) {
            previous.insert(place, tuple);
        }
        PreviousId(self.previous.number(previous))
    }

    /// Whether an open entity may begin as a previous one does and go on beyond it. Then it is compared with the previous
    /// entities only when it closes.
    pub fn grows(&self) -> bool {
        !self.program.ordered() && !self.program.static_facts().single
    }

    /// Whether any tuple agrees.
    pub fn possible(&self, open: &Open, after: PreviousId) -> bool {
        let after = if self.grows() { PreviousId::NONE } else { after };
        self.tuples(open, after, &mut |_| Flow::Break(())).is_break()
    }

    /// The earliest tuple that agrees.
    pub fn earliest(&self, open: &Open, after: PreviousId) -> Option<Tuple> {
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
    /// A fragment that is the same in all tuples is known. Formats without positions don't need that, so that it is found
    /// only where it is cheap.
    pub fn normalise(&self, mut open: Open, after: PreviousId) -> Option<Open> {
        let after = if self.grows() { PreviousId::NONE } else { after };
        let several = !open.done.is_empty();
        let all_known = open.bindings().all(|binding| binding.known().is_some());
        if all_known || several && !self.program.positions {
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
            let mut bindings = open.bindings().zip(&common);
            let unknown = |(binding, common): (&Binding, &Option<_>)| binding.known().is_none() && common.is_some();
            if bindings.any(unknown) { Flow::Continue(()) } else { Flow::Break(()) }
        });
        if common.is_empty() {
            return None;
        }
        if flow.is_continue() {
            for (binding, common) in open.bindings_mut().zip(common) {
                if let Some((first, last)) = common {
                    *binding = Binding { first, last, surface: None, nth: 0, written: binding.written };
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
            open.current = Binding::UNKNOWN;
        }
        open
    }

    /// The open entity once `@text` wrote the surface of `first..=last`.
    pub fn bind_surface(&self, open: &Open, after: PreviousId, first: u32, last: u32) -> Option<Open> {
        let mut open = self.before_text(open);
        open.current.written = true;
        if let Some((known_first, known_last)) = open.current.known() {
            let same = self.source.surface(known_first, known_last) == self.source.surface(first, last);
            return same.then_some(open);
        }
        let canonical = self.source.occurrences(first, last, |found| found.first().copied())?;
        if open.current.surface.is_some_and(|known| known != canonical) {
            return None;
        }
        open.current.surface = Some(canonical);
        self.normalise(open, after)
    }

    /// The open entity once a position was written.
    pub fn bind_number(&self, open: &Open, after: PreviousId, kind: Terminal, value: u32) -> Option<Open> {
        let mut open = open.clone();
        if let Some((first, last)) = open.current.known() {
            return (self.source.view(kind, first, last) == value).then_some(open);
        }
        open.current.place(&self.source, kind, value)?;
        self.normalise(open, after)
    }

    /// The values that a position can have, ascending.
    pub fn values(&self, open: &Open, after: PreviousId, kind: Terminal) -> Vec<u32> {
        let after = if self.grows() { PreviousId::NONE } else { after };
        let unknown = open.current.known().is_none() && open.current.surface.is_none() && open.current.nth == 0;
        let words = 0..self.source.len();
        let bound = |first: Option<u32>, last: Option<u32>| {
            let mut open = open.clone();
            open.current.first = first.unwrap_or(open.current.first);
            open.current.last = last.unwrap_or(open.current.last);
            self.possible(&open, after)
        };
        let mut values: Vec<u32> = match kind {
            // One edge of an otherwise unknown stretch: one question for each word is enough.
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
