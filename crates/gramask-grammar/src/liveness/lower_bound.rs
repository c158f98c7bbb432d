//! A lower bound on the bytes that complete an output, mostly from the grammar alone. It keeps the search for the shortest
//! completion short.
//!
//! Without it the search would try every way of opening more brackets that is not yet longer than closing the open ones.
//! The bound ignores the document, except for the bytes that the cursor has still to copy.

use crate::automaton::{Automaton, Frame, FrameKind, Open, Progress, Thread, UNKNOWN, UNLIMITED};
use crate::notation::ast::Terminal;
use crate::program::{LabelId, Op, Program};
use crate::regex::StateId;
use crate::source::Source;

const INFINITE: i64 = i64::MAX / 1024;

/// Lower bounds, by operation.
#[derive(Debug)]
pub(super) struct LowerBound {
    /// Bytes from each operation to the end of the rule's body (or of the output), without cursor terminals at `grounded`,
    /// less `gap` for each of them. By the open entity's label; the last entry is for no label.
    body: Vec<Vec<i64>>,
    /// How often the cursor must move from here to the end of the rule's body.
    moves: Vec<i64>,
    /// The largest number of moves, or of entities, that the rest of a rule's body needs.
    most: u32,
    /// How often each of `@text`, `@start` or `@first`, and `@end` or `@last` must still be written in the entity.
    views: [Vec<i64>; 3],
    /// Bytes between two moves of the cursor at least, in `@word` and `@skip` formats at `grounded`.
    gap: i64,
    /// Bytes that the cursor has still to write, from each element on.
    left: Vec<u32>,
    /// Words that it has still to pass.
    pub words: Vec<u32>,
}

impl LowerBound {
    pub fn new(program: &Program, source: &Source, grounded: bool) -> LowerBound {
        let bounds = Bounds::new(program, grounded);
        let moves = bounds.count(is_move);
        let opens = bounds.count(|op| matches!(op, Op::Open));
        let finite = moves.iter().chain(&opens).filter(|needed| **needed < INFINITE);
        let most = finite.max().map_or(0, |needed| *needed as u32);
        let gap = if grounded && program.cursor && !program.copies { bounds.gap() } else { 0 };
        // Inside an entity with a label that label is written; before it, inside other entities and after it any label may be written.
        let any = bounds.bodies(None, bounds.shortest_label(), gap);
        let of_label = |label: &Vec<u8>| bounds.bodies(Some(&any), label.len() as i64, gap);
        let mut body: Vec<_> = program.labels.iter().map(of_label).collect();
        body.push(any);
        let view = |kinds: &[Terminal]| {
            bounds.fixed_point(|needed, pc| match &program.ops[pc] {
                Op::Close => 0,
                Op::Call(target) => needed[target.index()] + needed[pc + 1],
                op => i64::from(matches!(op, Op::Terminal(kind) if kinds.contains(kind))) + needed[pc + 1],
            })
        };
        let views = [
            view(&[Terminal::Text]),
            view(&[Terminal::Start, Terminal::First]),
            view(&[Terminal::End, Terminal::Last]),
        ];
        let (mut left, mut words) = (vec![0; source.elements.len() + 1], vec![0; source.elements.len() + 1]);
        for (i, element) in source.elements.iter().enumerate().rev() {
            let written = !program.skips && (program.copies || element.word.is_some());
            left[i] = left[i + 1] + if written { element.end - element.start } else { 0 };
            words[i] = words[i + 1] + u32::from(element.word.is_some());
        }
        LowerBound { body, moves, most, views, gap, left, words }
    }
}

/// The bytes from each operation to the end of its rule at least, whatever the document.
pub(crate) fn least_bytes(program: &Program) -> Vec<i64> {
    let bounds = Bounds::new(program, false);
    bounds.bodies(None, bounds.shortest_label(), 0)
}

fn is_move(op: &Op) -> bool {
    matches!(op, Op::Terminal(kind) if kind.is_cursor())
}

/// Finds the bounds that depend on the grammar and the schema alone.
struct Bounds<'a> {
    program: &'a Program,
    grounded: bool,
    /// The label of the context of each operation, where `@each` or `%pass label` fixes one.
    labels: Vec<LabelId>,
}

impl<'a> Bounds<'a> {
    fn new(program: &'a Program, grounded: bool) -> Self {
        // Rules are compiled in place, up to the end of the output; those that call themselves follow.
        let mut label = LabelId::NONE;
        let context = |op: &Op| {
            match op {
                Op::Label(known) => label = *known,
                Op::Accept => label = LabelId::NONE,
                _ => {}
            }
            label
        };
        Bounds { labels: program.ops.iter().map(context).collect(), program, grounded }
    }

    fn shortest_label(&self) -> i64 {
        self.program.labels.iter().map(Vec::len).min().unwrap_or(0) as i64
    }

    /// The bytes that an operation writes at least.
    fn weight(&self, pc: usize, label: i64) -> i64 {
        match &self.program.ops[pc] {
            Op::Literal(bytes) => bytes.len() as i64,
            Op::Terminal(Terminal::Label) => match self.labels[pc] {
                LabelId::NONE => label,
                known => self.program.label(known).len() as i64,
            },
            Op::Terminal(Terminal::Skip) => 0,
            Op::Terminal(Terminal::Copy | Terminal::Word) if self.grounded => 0,
            Op::Regex(number) => i64::from(self.program.regexes[*number].shortest_length(StateId::START)),
            Op::Terminal(_) => 1,
            _ => 0,
        }
    }

    /// [`LowerBound::body`] for an entity whose label has so many bytes, given that for none.
    fn bodies(&self, any: Option<&[i64]>, label: i64, gap: i64) -> Vec<i64> {
        self.fixed_point(|body, pc| match &self.program.ops[pc] {
            Op::Call(target) => any.unwrap_or(body)[target.index()] + body[pc + 1],
            Op::Close => any.unwrap_or(body)[pc + 1],
            // A cycle writes at least `gap` for each of its moves, so that this has a least value.
            op => self.weight(pc, label) - if is_move(op) { gap } else { 0 } + body[pc + 1],
        })
    }

    /// How many operations of a kind there are at least from each one to the end of the rule's body.
    fn count(&self, counts: impl Fn(&Op) -> bool) -> Vec<i64> {
        self.fixed_point(|needed, pc| match &self.program.ops[pc] {
            Op::Call(target) => needed[target.index()] + needed[pc + 1],
            op => i64::from(counts(op)) + needed[pc + 1],
        })
    }

    /// Bytes between two moves of the cursor.
    fn gap(&self) -> i64 {
        let ops = &self.program.ops;
        let plain = self.bodies(None, self.shortest_label(), 0);
        let calls: Vec<usize> = (0..ops.len()).filter(|pc| matches!(ops[*pc], Op::Call(_))).collect();
        let mut near = vec![INFINITE; ops.len()];
        relax(&mut near, |near, pc| match &ops[pc] {
            op if is_move(op) => 0,
            Op::Accept => INFINITE,
            Op::Return => calls.iter().map(|call| near[call + 1]).min().unwrap_or(INFINITE),
            Op::Split(targets) => targets.iter().map(|target| near[target.index()]).min().unwrap_or(INFINITE),
            Op::Jump(target) => near[target.index()],
            Op::Call(target) => near[target.index()].min(plain[target.index()] + near[pc + 1]),
            _ => self.weight(pc, self.shortest_label()) + near[pc + 1],
        });
        let gap = (0..ops.len()).filter(|pc| is_move(&ops[*pc])).map(|pc| near[pc + 1]).min();
        gap.filter(|gap| *gap < INFINITE).unwrap_or(0)
    }

    /// The least values to the end of each rule's body.
    fn fixed_point(&self, at: impl Fn(&[i64], usize) -> i64) -> Vec<i64> {
        let mut values = vec![INFINITE; self.program.ops.len()];
        relax(&mut values, |values, pc| match &self.program.ops[pc] {
            Op::Accept | Op::Return => 0,
            Op::Split(targets) => targets.iter().map(|target| values[target.index()]).min().unwrap_or(INFINITE),
            Op::Jump(target) => values[target.index()],
            _ => at(values, pc),
        });
        values
    }
}

/// Repeats `at` for all places until nothing changes.
fn relax(values: &mut [i64], at: impl Fn(&[i64], usize) -> i64) {
    loop {
        let mut changed = false;
        for pc in (0..values.len()).rev() {
            let value = at(values, pc).min(INFINITE);
            changed |= value < values[pc];
            values[pc] = value.min(values[pc]);
        }
        if !changed {
            return;
        }
    }
}

impl LowerBound {
    /// Whether a thread is dead for a reason that needs no search: the open entities can't be closed any more. It is a
    /// shortcut. Without it a search would try all ways of opening still more entities before it gave up.
    pub fn surely_dead(&self, automaton: &Automaton, thread: &Thread) -> bool {
        if !automaton.program.cursor || automaton.accepts(thread) {
            return false;
        }
        if automaton.grounded() {
            return !self.can_close_all(automaton, thread);
        }
        let (mut needed, allowance) = match (automaton.program.op(thread.pc), thread.at) {
            (Op::Terminal(kind), Progress::FreeText(free)) if kind.is_cursor() => {
                (self.moves[thread.pc.index() + 1], free.left)
            }
            (_, Progress::Begin) => (self.moves[thread.pc.index()], thread.cursor_left),
            _ => (self.moves[thread.pc.index() + 1], thread.cursor_left),
        };
        for (_, frame) in automaton.frames.entries(thread.frame) {
            if let FrameKind::Return(pc) = &frame.kind {
                needed += self.moves[pc.index()];
            }
        }
        needed > i64::from(allowance)
    }

    /// Whether the open entities can end without two of them having the same fragments and label, and those with the
    /// same fragments nested in schema order.
    ///
    /// Of the entities that began at one word, those that end at one word too have rising labels from the outside in.
    /// So from the inside out each one ends where the last one did, if its label is (or can be) less, else at a later
    /// word; it is enough to count how many later words that takes.
    fn can_close_all(&self, automaton: &Automaton, thread: &Thread) -> bool {
        let labels = automaton.program.labels.len();
        let ahead = self.words[thread.cursor as usize];
        let next = automaton.source.next_word(thread.cursor).unwrap_or(automaton.source.len());
        // The current end is the last word that was passed; it counts as later word 0.
        let (mut later, mut from, mut below_label) = (0, None, labels);
        for (_, frame) in automaton.frames.entries(thread.frame) {
            let FrameKind::Open(open) = &frame.kind else { continue };
            if from != Some(open.from) {
                from = Some(open.from);
                below_label = labels;
                if open.from >= next {
                    later = later.max(1);
                }
            }
            if let Some((last, label)) = open.child
                && later == 0
                && last + 1 == next
            {
                below_label = below_label.min(label.index());
            }
            let label = Some(open.label).filter(|label| *label != LabelId::NONE);
            match label.map(LabelId::index) {
                None if below_label > 0 => below_label -= 1,
                None => (later, below_label) = (later + 1, labels - 1),
                Some(label) if label < below_label => below_label = label,
                Some(label) => (later, below_label) = (later + 1, label),
            }
        }
        later <= ahead
    }

    /// A thread with its allowances of free text and of entities lifted, where no `bytes` more can use them up.
    pub fn lift_allowances(&self, automaton: &Automaton, mut thread: Thread, bytes: u32) -> Thread {
        if automaton.grounded() {
            return thread;
        }
        let plenty = self.ample(automaton, &thread, bytes);
        let lift = |allowance: &mut u32| {
            if *allowance >= plenty {
                *allowance = UNLIMITED;
            }
        };
        // `@skip` passes units without writing, so that one byte may use up any number of them.
        if !automaton.program.skips {
            lift(&mut thread.cursor_left);
        }
        lift(&mut thread.entities_left);
        if let Progress::FreeText(free) = &mut thread.at {
            lift(&mut free.left);
        }
        thread
    }

    /// An allowance of free text and of entities that is as good as any larger one while at most `bytes` more are written.
    /// Each byte uses up at most one, and each open rule needs some more to end.
    pub fn ample(&self, automaton: &Automaton, thread: &Thread, bytes: u32) -> u32 {
        let depth = 1 + automaton.frames.entries(thread.frame).count() as u32;
        bytes + 1 + self.most.saturating_mul(depth + bytes)
    }

    /// A lower bound on [`Liveness::shortest`](super::Liveness::shortest).
    pub fn of(&self, automaton: &Automaton, thread: &Thread) -> u32 {
        let pc = thread.pc.index();
        let op = automaton.program.op(thread.pc);
        let rest = |after: &[i64]| match (op, thread.at) {
            (_, Progress::Begin) => after[pc],
            (Op::Literal(bytes), Progress::Offset(offset)) => bytes.len() as i64 - i64::from(offset) + after[pc + 1],
            // The move is not yet made, and part of it is written.
            (Op::Regex(number), Progress::Regex(state)) => {
                i64::from(automaton.program.regexes[*number].shortest_length(state).max(1)) + after[pc + 1]
            }
            (op, _) if is_move(op) => after[pc + 1] - self.gap - thread.offset() as i64,
            _ => after[pc + 1],
        };
        let labels = &automaton.program.labels;
        let open = automaton.innermost(thread);
        let mut bytes = match (open, thread.at) {
            // Each label that begins so has its own rest, and is written again later.
            (Some(Open { label: LabelId::NONE, .. }), Progress::Label { offset, label }) => {
                let begun = &labels[label.index()][..usize::from(offset)];
                let rest = |(label, bytes): (usize, &Vec<u8>)| {
                    let rest = bytes.strip_prefix(begun)?.len();
                    (rest > 0).then_some(rest as i64 + self.body[label][pc + 1])
                };
                labels.iter().enumerate().filter_map(rest).min().unwrap_or(INFINITE)
            }
            _ => rest(self.body_of(open)),
        };
        bytes += self.callers(automaton, thread);
        if automaton.grounded() && !automaton.accepts(thread) {
            if automaton.program.cursor {
                let cursor = thread.cursor as usize;
                bytes += i64::from(self.left[cursor]) + self.gap * i64::from(self.words[cursor]);
            } else if let Some(open) = open {
                bytes += self.views_at_least(automaton, open, thread);
            }
        }
        bytes.clamp(0, INFINITE / 2).try_into().unwrap_or(u32::MAX / 4)
    }

    /// A lower bound on what follows `@text`, which `thread` writes, where it writes the surface of the words `first..=last`.
    pub fn after_surface(&self, automaton: &Automaton, thread: &Thread, first: u32, last: u32) -> u32 {
        let after = thread.pc.index() + 1;
        let bytes = self.body_of(automaton.innermost(thread))[after] + self.callers(automaton, thread);
        let starts = self.views[1][after] * digits_beyond_one(automaton, Terminal::Start, Terminal::First, first);
        let ends = self.views[2][after] * digits_beyond_one(automaton, Terminal::End, Terminal::Last, last);
        (bytes + starts + ends).clamp(0, INFINITE / 2).try_into().unwrap_or(u32::MAX / 4)
    }

    /// The bounds inside an entity.
    fn body_of(&self, open: Option<&Open>) -> &[i64] {
        let label = open.map_or(LabelId::NONE, |open| open.label);
        &self.body[label.index().min(self.body.len() - 1)]
    }

    /// A lower bound on what the rules take to their ends that called the thread's.
    fn callers(&self, automaton: &Automaton, thread: &Thread) -> i64 {
        let rest = |(_, frame): (_, &Frame)| match &frame.kind {
            FrameKind::Return(pc) => self.body_of(automaton.frames.innermost(frame.below))[pc.index()],
            _ => 0,
        };
        automaton.frames.entries(thread.frame).map(rest).sum()
    }

    /// What the views of an open entity take at least beyond one byte each, from what is known of the fragment.
    fn views_at_least(&self, automaton: &Automaton, open: &Open, thread: &Thread) -> i64 {
        let begun = usize::from(thread.at != Progress::Begin);
        let must = |view: usize| self.views[view][thread.pc.index() + begun];
        let (first, last) = (open.current.first, open.current.last);
        // No entity begins before the previous one.
        let from = match open.done.is_empty() {
            true => automaton.earliest_start(thread.previous),
            false => 0,
        };
        let at = if first == UNKNOWN { from } else { first };
        if at >= automaton.source.len() {
            return 0;
        }
        let text = match () {
            () if open.current.written || automaton.source.len() == 0 => 1,
            () if first != UNKNOWN && last != UNKNOWN && first <= last => automaton.source.surface(first, last).len(),
            () if first != UNKNOWN => automaton.source.surface(first, first).len(),
            () => 1,
        };
        let end = if last == UNKNOWN { at } else { last };
        must(0) * (text as i64 - 1)
            + must(1) * digits_beyond_one(automaton, Terminal::Start, Terminal::First, at)
            + must(2) * digits_beyond_one(automaton, Terminal::End, Terminal::Last, end)
    }
}

/// The digits of a word's offset or number, whichever has fewer, less one.
fn digits_beyond_one(automaton: &Automaton, offset: Terminal, number: Terminal, word: u32) -> i64 {
    let value = automaton.source.view(offset, word, word).min(automaton.source.view(number, word, word));
    i64::from(value.checked_ilog10().unwrap_or(0))
}
