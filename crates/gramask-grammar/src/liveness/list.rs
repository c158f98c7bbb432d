//! The quick check for formats that list entities, at level `grounded`.

use std::cmp::Ordering;
use std::ops::ControlFlow;

use crate::automaton::{
    Automaton, Frame, FrameId, FrameKind, MOST_DIGITS, Open, PreviousId, Progress, Thread, UNKNOWN,
};
use crate::notation::ast::Terminal;
use crate::program::{LabelId, Op};
use crate::source::Prefix;

/// The digits of a number that is begun: its value so far, and how many there are.
type Digits = (u32, u8);

/// See [`Liveness::quick_check`](super::Liveness::quick_check).
pub(super) struct ListCheck<'a>(pub &'a Automaton);

impl ListCheck<'_> {
    /// Whether a complete output can follow, where that is certain.
    pub fn check(&self, thread: &Thread) -> Option<bool> {
        let facts = self.0.program.static_facts();
        let pc = thread.pc.index();
        let Frame { kind, below } = self.0.frames.get(thread.frame);
        let open = match kind {
            FrameKind::Bottom if facts.ends[pc] => return Some(true),
            _ if self.0.grows() => return None,
            FrameKind::Bottom if facts.opens[pc] && facts.ends_after_entity && facts.identifies => {
                return self.check_next_entity(thread);
            }
            FrameKind::Open(open) if *below == FrameId::BOTTOM => open,
            _ => return None,
        };
        if !facts.ends_after_entity || !facts.identifies || !facts.single && self.0.program.positions {
            return None;
        }
        let rest = if thread.at == Progress::Begin { pc } else { pc + 1 };
        let texts = facts.texts[rest];
        match (self.0.program.op(thread.pc), thread.at) {
            (_, Progress::Begin | Progress::Offset(_) | Progress::Label { .. })
                if texts == 0 || texts == 1 && !open.current.written =>
            {
                Some(true)
            }
            (_, Progress::Begin | Progress::Offset(_)) if texts == 1 => {
                Some(self.0.possible(&self.0.before_text(open), thread.previous))
            }
            (_, Progress::Surface(prefix)) if texts == 0 => self.check_surface(open, thread.previous, prefix),
            (Op::Terminal(kind), Progress::Number { value, digits }) if facts.single && texts <= 1 => {
                self.check_number(open, thread.previous, *kind, (value, digits))
            }
            _ => None,
        }
    }

    /// Whether another entity can follow, where one must.
    fn check_next_entity(&self, thread: &Thread) -> Option<bool> {
        Some(self.0.possible(&Open::new(thread.label), thread.previous))
    }

    /// Whether a longer surface than `prefix` can be an entity's.
    fn check_surface(&self, open: &Open, after: PreviousId, prefix: Prefix) -> Option<bool> {
        let current = &open.current;
        if current.written {
            return self.check_further_fragment(open, after, prefix);
        }
        if let Some((first, last)) = current.known() {
            let surface = self.0.source.surface(first, last);
            let shared = self.0.source.shared(prefix);
            return Some(surface.len() > shared.len() && surface.starts_with(shared));
        }
        if !self.0.program.ordered() || current.last != UNKNOWN || current.nth != 0 || current.surface.is_some() {
            return None;
        }
        let fits = |first: u32| current.first == UNKNOWN || current.first == first;
        let goes_on = |first: u32| {
            let reaches = |last| self.reaches(first, last, prefix.depth);
            fits(first) && self.can_follow(open, after, first, reaches)
        };
        let starts = self.0.source.starts(prefix);
        if starts.iter().any(|first| goes_on(*first)) {
            return Some(true);
        }
        // A further fragment could put the entity in its place.
        let earliest = self.0.earliest_start(after);
        (self.0.program.static_facts().single || starts.iter().all(|first| *first < earliest)).then_some(false)
    }

    /// The same for a further fragment.
    fn check_further_fragment(&self, open: &Open, after: PreviousId, prefix: Prefix) -> Option<bool> {
        let first = open.done.first().unwrap_or(&open.current).known()?.0;
        let (_, before) = open.current.known()?;
        if !self.0.program.ordered() || self.0.last_entity(after).is_some_and(|past| past.fragments[0].0 >= first) {
            return None;
        }
        let last = self.0.source.len() - 1;
        let goes_on = |start: &u32| *start > before && self.reaches(*start, last, prefix.depth);
        Some(self.0.source.starts(prefix).iter().any(goes_on))
    }

    /// Whether the surface of `first..=last` has more than `depth` bytes.
    fn reaches(&self, first: u32, last: u32, depth: u32) -> bool {
        self.0.source.end(last) > self.0.source.start(first) + depth as usize
    }

    /// Whether an entity that begins at word `first` and ends at one that `fits`, as all words after such a one do, may
    /// follow in document order.
    fn can_follow(&self, open: &Open, after: PreviousId, first: u32, fits: impl Fn(u32) -> bool) -> bool {
        let words = self.0.source.len();
        if words == 0 {
            return false;
        }
        let Some(before) = self.0.last_entity(after) else {
            return fits(words - 1);
        };
        let (start, end) = (before.fragments[0].0, before.fragments[before.fragments.len() - 1].1);
        match first.cmp(&start) {
            Ordering::Greater => fits(words - 1),
            Ordering::Less => false,
            Ordering::Equal => {
                let later_label = match open.label {
                    LabelId::NONE => before.label.index() + 1 < self.0.program.labels.len(),
                    label => label > before.label,
                };
                end > first && fits(end - 1) || later_label && fits(end)
            }
        }
    }

    /// Whether a number that goes on with more digits can be the entity's.
    fn check_number(&self, open: &Open, after: PreviousId, kind: Terminal, begun: Digits) -> Option<bool> {
        let current = &open.current;
        let goes_on = |number: u32| begins_with(number, begun);
        if let Some((first, last)) = current.known() {
            return Some(goes_on(self.0.source.view(kind, first, last)));
        }
        if !self.0.program.ordered() {
            return None;
        }
        let from = self.0.earliest_start(after);
        let known = current.last != UNKNOWN || current.surface.is_some() || current.nth != 0;
        match (kind, current.first) {
            (Terminal::Start | Terminal::First, UNKNOWN) if !known => {
                // Any entity that begins at a later word than the one before it may follow.
                let ends = |first| self.can_follow(open, after, first, |last| last >= first);
                return Some(
                    self.word_with(kind, from + 1, begun).is_some()
                        || self.word_goes_on(kind, from, begun) && ends(from),
                );
            }
            (Terminal::End | Terminal::Last, first) if !known && first != UNKNOWN => {
                // If the shortest can't follow, no longer one can.
                let last = self.word_with(kind, first, begun);
                return Some(last.is_some_and(|last| self.stretch_can_follow(open, after, first, last)));
            }
            (_, UNKNOWN) if !known => return None,
            _ => {}
        }
        let flow = self.0.stretches(current, from, &mut |first, last| {
            let found =
                goes_on(self.0.source.view(kind, first, last)) && self.stretch_can_follow(open, after, first, last);
            if found { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        Some(flow.is_break())
    }

    fn word_goes_on(&self, kind: Terminal, word: u32, begun: Digits) -> bool {
        word < self.0.source.len() && begins_with(self.0.source.view(kind, word, word), begun)
    }

    /// The first word from `from` on whose position goes on with more digits.
    fn word_with(&self, kind: Terminal, from: u32, begun: Digits) -> Option<u32> {
        if begun.1 == 0 {
            return (from < self.0.source.len()).then_some(from);
        }
        let words = self.0.source.len();
        let mut low = begun.0;
        let mut found = None;
        // With one more digit, with two, ..: a range of numbers each, and positions ascend.
        for power in 1..=u32::from(MOST_DIGITS.saturating_sub(begun.1)) {
            low = low.saturating_mul(10);
            let high = low.saturating_add(10u32.pow(power));
            let word = self.0.source.first_word(kind, from, low);
            if low > 0 && word < words && self.0.source.view(kind, word, word) < high {
                found = Some(found.map_or(word, |known: u32| known.min(word)));
            }
        }
        found
    }

    /// Whether an entity of one fragment may follow in document order.
    fn stretch_can_follow(&self, open: &Open, after: PreviousId, first: u32, last: u32) -> bool {
        let Some(before) = self.0.last_entity(after) else { return true };
        let (start, end) = (before.fragments[0].0, before.fragments[before.fragments.len() - 1].1);
        let later_label = match open.label {
            LabelId::NONE => before.label.index() + 1 < self.0.program.labels.len(),
            label => label > before.label,
        };
        first > start || first == start && (last < end || last == end && later_label)
    }
}

/// Whether a number's decimal digits go on after these, of which there are `digits` with the value `value`.
fn begins_with(mut number: u32, (value, digits): Digits) -> bool {
    let length = number.checked_ilog10().map_or(1, |log| log + 1);
    if digits == 0 {
        return true;
    }
    if length <= u32::from(digits) {
        return false;
    }
    for _ in u32::from(digits)..length {
        number /= 10;
    }
    number == value
}

#[cfg(test)]
mod tests {
    use super::begins_with;

    #[test]
    fn digits_go_on() {
        assert!(begins_with(120, (12, 2)) && begins_with(120, (1, 1)) && begins_with(7, (0, 0)));
        assert!(!begins_with(12, (12, 2)) && !begins_with(120, (2, 1)) && !begins_with(0, (0, 1)));
    }
}
