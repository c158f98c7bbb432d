//! Whether a thread can still come to accept, without a search where a look is enough.
//!
//! [`Machine::look`] answers `Some` only where the answer is certain; the search of [`super::finish`] answers the rest. That
//! both agree is tested over all threads of small documents. The look goes by three observations.
//!
//! - At `syntax` everything can be finished for as long as the allowances last.
//! - In a format that lists entities, an open entity has a tuple that agrees with all that was written (a thread without one
//!   is dropped where it is made), so that its remaining views can be written; only a view that is half written must be
//!   looked at.
//! - In a cursor format the rest of the document can be copied, once the open entities are closed, each behind a later word
//!   than the one inside it; that takes some words more, and far from the document's end they are there.

use std::ops::ControlFlow;

use super::step::DIGITS;
use super::thread::{Frame, FrameKind, Open, Partial, UNKNOWN};
use super::{At, BOTTOM, Follow, Level, Machine, Thread};
use crate::notation::ast::Terminal;
use crate::program::{NO_LABEL, Op, Program, is_free};
use crate::source::{Element, Prefix, Source};

impl Machine {
    /// Whether a complete output can follow.
    pub fn alive(&mut self, thread: Thread) -> bool {
        match self.look(&thread) {
            Some(alive) => alive,
            None => self.finish(thread).is_some(),
        }
    }

    /// What is certain at a look.
    pub fn look(&self, thread: &Thread) -> Option<bool> {
        if self.accepts(thread) {
            return Some(true);
        }
        match (self.grounded(), self.program.cursor) {
            (false, _) => self.look_at_syntax(thread),
            _ if !self.clean || matches!(thread.at, At::Regex(_)) => None,
            (true, true) => self.look_ahead(thread),
            (true, false) => self.look_at_list(thread),
        }
    }

    fn look_at_syntax(&self, thread: &Thread) -> Option<bool> {
        let ease = self.program.ease();
        let enough = self.plenty(thread, 0);
        let characters = match thread.at {
            At::Free(free) => free.left,
            _ if self.program.cursor => thread.cursor,
            _ => self.limits.characters,
        };
        let begun = match (&self.program.ops[thread.pc as usize], thread.at) {
            (Op::Terminal(kind), At::Begin) => !is_free(*kind) || thread.tail == 0,
            (_, At::Free(free)) if free.count == 0 => free.tail == 0,
            (_, At::Free(free)) => ease.completes.is_some_and(|least| free.pending[0] >= least),
            (_, At::Number { .. } | At::Regex(_)) => false,
            _ => true,
        };
        (thread.last >= enough && characters >= enough && begun && ease.plain).then_some(true)
    }

    /// Cursor formats at `grounded`: each open entity ends where the one inside it did, if that can be seen to be allowed, else
    /// behind the next word.
    fn look_ahead(&self, thread: &Thread) -> Option<bool> {
        let ease = self.program.ease();
        let (mut cursor, mut pc, mut frame) = (thread.cursor, thread.pc as usize, thread.frame);
        let labels = self.program.labels.len() as u16;
        // Whether no call surrounds the outermost entity; where the entity inside the current one began, and its label, if it
        // ends at the cursor too.
        let (mut flat, mut inner) = (false, None);
        loop {
            let Frame { kind, below } = self.frames.get(frame);
            match kind {
                FrameKind::Open(open) => {
                    // Entities with the same fragments have rising labels from the outside in.
                    let limit = match inner {
                        None => self.may_end(open, cursor).then(|| self.inner_label(open, cursor)),
                        Some((from, label)) => Some(if from == open.from { label } else { labels }),
                    };
                    let half = matches!(thread.at, At::Label { .. }) && frame == thread.frame;
                    let label = limit.filter(|_| ease.now[pc]).and_then(|limit| match open.label {
                        // Which one is half written is not looked into.
                        NO_LABEL if half => (limit == labels).then_some(0),
                        NO_LABEL => limit.checked_sub(1),
                        label => (label < limit).then_some(label),
                    });
                    inner = Some((open.from, label.unwrap_or(labels)));
                    if label.is_none() {
                        let mut moves = 0;
                        while moves == 0 || moves < ease.inside[pc] {
                            let behind = self.behind_word(cursor)?;
                            moves += if self.program.copies { behind - cursor } else { 1 };
                            cursor = behind;
                        }
                        let last = if half { 0 } else { labels - 1 };
                        inner = Some((open.from, if open.label == NO_LABEL { last } else { open.label }));
                    }
                    flat = true;
                }
                FrameKind::Return(back) => (pc, flat) = (*back as usize, false),
                FrameKind::Bottom => break,
            }
            frame = *below;
        }
        let ahead = match self.program.copies {
            true => self.source.elements.len() as u32 - cursor,
            false => self.floor.words[cursor as usize],
        };
        let needed = if flat { ease.behind } else { ease.outside[pc] };
        (needed <= ahead).then_some(true)
    }

    /// The cursor behind the next word; with `@copy` not yet behind its gap.
    fn behind_word(&self, cursor: u32) -> Option<u32> {
        let (_, behind) = self.source.pass(cursor)?;
        match self.program.copies {
            true if self.source.elements[behind as usize - 1].word.is_none() => Some(behind - 1),
            _ => Some(behind),
        }
    }

    /// Whether an entity may end at the cursor, for all that its words say.
    fn may_end(&self, open: &Open, cursor: u32) -> bool {
        self.passed(cursor).is_some_and(|word| word >= open.from)
    }

    /// The label that an entity must stay below to end at the cursor: that of the one inside with the same fragments.
    fn inner_label(&self, open: &Open, cursor: u32) -> u16 {
        match open.child {
            Some((last, label)) if self.passed(cursor) == Some(last) => label,
            _ => self.program.labels.len() as u16,
        }
    }

    /// List formats at `grounded`.
    fn look_at_list(&self, thread: &Thread) -> Option<bool> {
        let ease = self.program.ease();
        let pc = thread.pc as usize;
        let Frame { kind, below } = self.frames.get(thread.frame);
        let open = match kind {
            FrameKind::Bottom if ease.ends[pc] => return Some(true),
            _ if self.grows() => return None,
            FrameKind::Bottom if ease.opens[pc] && ease.ends_behind && ease.settles => {
                return self.look_for_entity(thread);
            }
            FrameKind::Open(open) if *below == BOTTOM => open,
            _ => return None,
        };
        if !ease.ends_behind || !ease.settles || !ease.single && self.program.positions {
            return None;
        }
        let rest = if thread.at == At::Begin { pc } else { pc + 1 };
        let texts = ease.texts[rest];
        match (&self.program.ops[pc], thread.at) {
            (_, At::Begin | At::Offset(_) | At::Label { .. }) if texts == 0 || texts == 1 && !open.current.written => {
                Some(true)
            }
            (_, At::Begin | At::Offset(_)) if texts == 1 => Some(self.possible(&self.before_text(open), thread.last)),
            (_, At::Surface(prefix)) if texts == 0 => self.look_at_surface(open, thread.last, prefix),
            (Op::Terminal(kind), At::Number { value, digits }) if ease.single && texts <= 1 => {
                self.look_at_number(open, thread.last, *kind, (value, digits))
            }
            _ => None,
        }
    }

    /// Whether another entity can follow, where one must.
    fn look_for_entity(&self, thread: &Thread) -> Option<bool> {
        let open = Open { label: thread.label, done: Vec::new(), current: Partial::NOTHING, from: 0, child: None };
        Some(self.possible(&open, thread.last))
    }

    /// Whether a longer surface than `prefix` can be an entity's.
    fn look_at_surface(&self, open: &Open, after: u32, prefix: Prefix) -> Option<bool> {
        let current = &open.current;
        if current.written {
            return self.look_at_part(open, after, prefix);
        }
        if let Some((first, last)) = current.settled() {
            let surface = self.source.surface(first, last);
            let shared = self.source.shared(prefix);
            return Some(surface.len() > shared.len() && surface.starts_with(shared));
        }
        if !self.program.ordered() || current.last != UNKNOWN || current.nth != 0 || current.surface.is_some() {
            return None;
        }
        let fits = |first: u32| current.first == UNKNOWN || current.first == first;
        let goes_on = |first: u32| {
            let reaches = |last| self.reaches(first, last, prefix.depth);
            fits(first) && self.can_follow(open, after, first, reaches)
        };
        let starts = self.source.starts(prefix);
        if starts.iter().any(|first| goes_on(*first)) {
            return Some(true);
        }
        // A further fragment could put the entity in its place.
        let earliest = self.earliest_start(after);
        (self.program.ease().single || starts.iter().all(|first| *first < earliest)).then_some(false)
    }

    /// The same for a further fragment.
    fn look_at_part(&self, open: &Open, after: u32, prefix: Prefix) -> Option<bool> {
        let first = open.done.first().unwrap_or(&open.current).settled()?.0;
        let (_, before) = open.current.settled()?;
        if !self.program.ordered() || self.past(after).is_some_and(|past| past.fragments[0].0 >= first) {
            return None;
        }
        let last = self.source.len() - 1;
        let goes_on = |start: &u32| *start > before && self.reaches(*start, last, prefix.depth);
        Some(self.source.starts(prefix).iter().any(goes_on))
    }

    /// Whether the surface of `first..=last` has more than `depth` bytes.
    fn reaches(&self, first: u32, last: u32, depth: u32) -> bool {
        self.source.end(last) > self.source.start(first) + depth as usize
    }

    /// Whether an entity that begins at word `first` and ends at one that `fits`, as all words behind such a one do, may
    /// follow in document order.
    fn can_follow(&self, open: &Open, after: u32, first: u32, fits: impl Fn(u32) -> bool) -> bool {
        let words = self.source.len();
        if words == 0 {
            return false;
        }
        let Some(before) = self.past(after) else {
            return fits(words - 1);
        };
        let (start, end) = (before.fragments[0].0, before.fragments[before.fragments.len() - 1].1);
        match first.cmp(&start) {
            std::cmp::Ordering::Greater => fits(words - 1),
            std::cmp::Ordering::Less => false,
            std::cmp::Ordering::Equal => {
                let later_label = match open.label {
                    NO_LABEL => usize::from(before.label) + 1 < self.program.labels.len(),
                    label => label > before.label,
                };
                end > first && fits(end - 1) || later_label && fits(end)
            }
        }
    }

    /// Whether a number that goes on with more digits can be the entity's.
    fn look_at_number(&self, open: &Open, after: u32, kind: Terminal, begun: (u32, u8)) -> Option<bool> {
        let current = &open.current;
        let goes_on = |number: u32| begins_with(number, begun);
        if let Some((first, last)) = current.settled() {
            return Some(goes_on(self.source.view(kind, first, last)));
        }
        if !self.program.ordered() {
            return None;
        }
        let from = self.earliest_start(after);
        let known = current.last != UNKNOWN || current.surface.is_some() || current.nth != 0;
        match (kind, current.first) {
            (Terminal::Start | Terminal::First, UNKNOWN) if !known => {
                // Any entity that begins at a later word than the one before it may follow.
                let ends = |first| self.can_follow(open, after, first, |last| last >= first);
                return Some(
                    self.word_with(kind, from + 1, begun).is_some() || self.goes_on(kind, from, begun) && ends(from),
                );
            }
            (Terminal::End | Terminal::Last, first) if !known && first != UNKNOWN => {
                // If the shortest can't follow, no longer one can.
                let last = self.word_with(kind, first, begun);
                return Some(last.is_some_and(|last| self.stretch_follows(open, after, first, last)));
            }
            (_, UNKNOWN) if !known => return None,
            _ => {}
        }
        let flow = self.stretches(current, from, &mut |first, last| {
            let found = goes_on(self.source.view(kind, first, last)) && self.stretch_follows(open, after, first, last);
            if found { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        Some(flow.is_break())
    }

    fn goes_on(&self, kind: Terminal, word: u32, begun: (u32, u8)) -> bool {
        word < self.source.len() && begins_with(self.source.view(kind, word, word), begun)
    }

    /// The first word from `from` on whose position goes on with more digits.
    fn word_with(&self, kind: Terminal, from: u32, begun: (u32, u8)) -> Option<u32> {
        if begun.1 == 0 {
            return (from < self.source.len()).then_some(from);
        }
        let words = self.source.len();
        let mut low = begun.0;
        let mut found = None;
        // With one more digit, with two, ..: a range of numbers each, and positions ascend.
        for power in 1..=u32::from(DIGITS.saturating_sub(begun.1)) {
            low = low.saturating_mul(10);
            let high = low.saturating_add(10u32.pow(power));
            let word = self.source.first_word(kind, from, low);
            if low > 0 && word < words && self.source.view(kind, word, word) < high {
                found = Some(found.map_or(word, |known: u32| known.min(word)));
            }
        }
        found
    }

    /// Whether an entity of one fragment may follow in document order.
    fn stretch_follows(&self, open: &Open, after: u32, first: u32, last: u32) -> bool {
        let Some(before) = self.past(after) else { return true };
        let (start, end) = (before.fragments[0].0, before.fragments[before.fragments.len() - 1].1);
        let later_label = match open.label {
            NO_LABEL => usize::from(before.label) + 1 < self.program.labels.len(),
            label => label > before.label,
        };
        first > start || first == start && (last < end || last == end && later_label)
    }
}

/// Whether the document can be copied at `grounded` without a thought of delimiters.
pub(super) fn is_clean(program: &Program, source: &Source, level: Level) -> bool {
    let delimiters = &program.delimiters;
    if delimiters.is_empty() || level != Level::Grounded {
        return delimiters.is_empty();
    }
    // Where words follow each other without a literal between them, or texts are picked, it is not looked into.
    let apart = |(pc, op): (usize, &Op)| match op {
        Op::Terminal(Terminal::Word) => matches!(program.ease().follow[pc], Follow::Few(_)),
        op => !matches!(op, Op::Terminal(Terminal::Text)),
    };
    let literals = || program.ops.iter().filter_map(|op| if let Op::Literal(bytes) = op { Some(bytes) } else { None });
    let mut tail = 0;
    let mut holds = |element: &Element| {
        let bytes = &source.bytes[element.start as usize..element.end as usize];
        // Behind a literal the text begins anew; that holds less than what goes on from before it.
        match delimiters.run(if program.copies { tail } else { 0 }, bytes) {
            Some(behind) => {
                tail = behind;
                behind == 0 || !literals().any(|literal| delimiters.clash(behind, literal))
            }
            None => false,
        }
    };
    program.ops.iter().enumerate().all(apart) && source.elements.iter().all(&mut holds)
}

/// Whether a number's decimal digits go on behind these, of which there are `digits` with the value `value`.
fn begins_with(mut number: u32, (value, digits): (u32, u8)) -> bool {
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
