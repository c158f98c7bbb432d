//! Whether a complete output can follow a thread, and how short it can be.
//!
//! The automaton's threads include some that can't come to accept any more: a document has no third occurrence, or an open
//! entity has no label left. Masks are exact only if those threads are dropped. [`Liveness::alive`] decides it in two stages.
//!
//! - [`Liveness::quick_check`] looks at the thread, the program and the document, and answers `Some` only where the answer
//!   is certain. It answers nearly always.
//! - The search for the shortest completion ([`shortest_completion`]) answers the rest. It is exact, and remembers what it
//!   found.
//!
//! A test compares both with brute force over all threads of small documents. The quick check rests on three observations.
//!
//! - At `syntax` every thread can be completed for as long as the allowances last.
//! - In a format that lists entities, an open entity has a tuple that agrees with everything that was written. (The
//!   automaton drops threads without one.) So its remaining views can be written, and only a view that is half written must
//!   be looked at.
//! - In a cursor format the rest of the document can be copied once the open entities are closed. Each one can close after a
//!   later word than the one inside it. That takes some more words, and far from the document's end they are there.

mod list;
#[cfg(test)]
mod liveness_tests;
mod lower_bound;
mod shortest_completion;
mod static_facts;

use rustc_hash::FxHashMap;

pub(crate) use static_facts::{Follow, StaticFacts};

use crate::Level;
use crate::automaton::{Automaton, Frame, FrameKind, FreeText, Open, Progress, Thread};
use crate::completions::Completions;
use crate::delimiters::Tail;
use crate::notation::ast::Terminal;
use crate::program::{LabelId, Op, Program, is_free};
use crate::source::{Element, Source};
use list::ListCheck;
use lower_bound::LowerBound;
pub(crate) use lower_bound::least_bytes;
use shortest_completion::{Completion, Room, UnitEnds};

/// What is known of the completions of an automaton's threads.
pub(crate) struct Liveness {
    bound: LowerBound,
    /// Copied text can be written without regard to delimiters: it holds none, and none keeps a literal from following it.
    copies_freely: bool,
    /// The shortest completion of each thread that a search found one for; `None` for dead threads.
    completions: FxHashMap<Thread, Option<Completion>>,
    texts: Completions,
    room: Room,
    /// How free text that is begun can end its unit.
    unit_ends: FxHashMap<FreeText, UnitEnds>,
}

impl Liveness {
    pub fn new(automaton: &Automaton) -> Liveness {
        Liveness {
            bound: LowerBound::new(&automaton.program, &automaton.source, automaton.grounded()),
            copies_freely: copies_freely(&automaton.program, &automaton.source, automaton.level),
            completions: FxHashMap::default(),
            texts: Completions::new(),
            room: Room::default(),
            unit_ends: FxHashMap::default(),
        }
    }

    /// Whether a complete output can follow.
    pub fn alive(&mut self, automaton: &mut Automaton, thread: Thread) -> bool {
        match self.quick_check(automaton, &thread) {
            Some(alive) => alive,
            None => self.shortest(automaton, thread).is_some(),
        }
    }

    /// The texts of completions.
    pub fn texts(&self) -> &Completions {
        &self.texts
    }

    /// A thread with its allowances of free text and of entities lifted, where no `bytes` more can use them up.
    pub fn lift_allowances(&self, automaton: &Automaton, thread: Thread, bytes: u32) -> Thread {
        self.bound.lift_allowances(automaton, thread, bytes)
    }

    /// Whether a complete output can follow, where that is certain without a search.
    pub fn quick_check(&self, automaton: &Automaton, thread: &Thread) -> Option<bool> {
        if automaton.accepts(thread) {
            return Some(true);
        }
        match (automaton.grounded(), automaton.program.cursor) {
            (false, _) => self.check_syntax(automaton, thread),
            _ if !self.copies_freely || matches!(thread.at, Progress::Regex(_)) => None,
            (true, true) => self.check_cursor(automaton, thread),
            (true, false) => ListCheck(automaton).check(thread),
        }
    }

    fn check_syntax(&self, automaton: &Automaton, thread: &Thread) -> Option<bool> {
        let facts = automaton.program.static_facts();
        let enough = self.bound.ample(automaton, thread, 0);
        let characters = match thread.at {
            Progress::FreeText(free) => free.left,
            _ if automaton.program.cursor => thread.cursor_left,
            _ => automaton.limits.characters,
        };
        let begun = match (automaton.program.op(thread.pc), thread.at) {
            (Op::Terminal(kind), Progress::Begin) => !is_free(*kind) || thread.tail == Tail::NONE,
            (_, Progress::FreeText(free)) if free.count == 0 => free.tail == Tail::NONE,
            (_, Progress::FreeText(free)) => facts.completes.is_some_and(|least| free.pending[0] >= least),
            (_, Progress::Number { .. } | Progress::Regex(_)) => false,
            _ => true,
        };
        (thread.entities_left >= enough && characters >= enough && begun && facts.plain).then_some(true)
    }

    /// Cursor formats at `grounded`. Each open entity ends where the entity inside it ended, if that is certainly allowed, and
    /// else after the next word.
    fn check_cursor(&self, automaton: &Automaton, thread: &Thread) -> Option<bool> {
        let program = &automaton.program;
        let facts = program.static_facts();
        let (mut cursor, mut pc, mut frame) = (thread.cursor, thread.pc, thread.frame);
        let labels = program.labels.len();
        // Whether no call surrounds the outermost entity; where the entity inside the current one began, and its label, if it
        // ends at the cursor too.
        let (mut flat, mut inner) = (false, None);
        loop {
            let Frame { kind, below } = automaton.frames.get(frame);
            match kind {
                FrameKind::Open(open) => {
                    // Entities with the same fragments have rising labels from the outside in.
                    let limit = match inner {
                        None => may_end(automaton, open, cursor).then(|| inner_label(automaton, open, cursor)),
                        Some((from, label)) => Some(if from == open.from { label } else { labels }),
                    };
                    let half = matches!(thread.at, Progress::Label { .. }) && frame == thread.frame;
                    let label = limit.filter(|_| facts.now[pc.index()]).and_then(|limit| match open.label {
                        // Which label is half written is not examined.
                        LabelId::NONE if half => (limit == labels).then_some(0),
                        LabelId::NONE => limit.checked_sub(1),
                        label => (label.index() < limit).then_some(label.index()),
                    });
                    inner = Some((open.from, label.unwrap_or(labels)));
                    if label.is_none() {
                        let mut moves = 0;
                        while moves == 0 || moves < facts.inside[pc.index()] {
                            let after = after_word(automaton, cursor)?;
                            moves += if automaton.program.copies { after - cursor } else { 1 };
                            cursor = after;
                        }
                        let last = if half { 0 } else { labels - 1 };
                        inner = Some((open.from, if open.label == LabelId::NONE { last } else { open.label.index() }));
                    }
                    flat = true;
                }
                FrameKind::Return(back) => (pc, flat) = (*back, false),
                FrameKind::Bottom => break,
            }
            frame = *below;
        }
        let ahead = match automaton.program.copies {
            true => automaton.source.elements.len() as u32 - cursor,
            false => self.bound.words[cursor as usize],
        };
        let needed = if flat { facts.after_entity } else { facts.outside[pc.index()] };
        (needed <= ahead).then_some(true)
    }
}

/// The cursor after the next word; with `@copy` not yet after its gap.
fn after_word(automaton: &Automaton, cursor: u32) -> Option<u32> {
    let (_, after) = automaton.source.pass(cursor)?;
    match automaton.program.copies {
        true if automaton.source.elements[after as usize - 1].word.is_none() => Some(after - 1),
        _ => Some(after),
    }
}

/// Whether an entity may end at the cursor as far as its words are concerned.
fn may_end(automaton: &Automaton, open: &Open, cursor: u32) -> bool {
    automaton.passed(cursor).is_some_and(|word| word >= open.from)
}

/// The place in the schema that an entity must stay before to end at the cursor: that of the entity inside with the same
/// fragments.
fn inner_label(automaton: &Automaton, open: &Open, cursor: u32) -> usize {
    match open.child {
        Some((last, label)) if automaton.passed(cursor) == Some(last) => label.index(),
        _ => automaton.program.labels.len(),
    }
}

/// Whether the document can be copied at `grounded` without regard to delimiters.
fn copies_freely(program: &Program, source: &Source, level: Level) -> bool {
    let delimiters = &program.delimiters;
    if delimiters.is_empty() || level != Level::Grounded {
        return delimiters.is_empty();
    }
    // Formats with adjacent words or with picked texts are not examined.
    let apart = |(pc, op): (usize, &Op)| match op {
        Op::Terminal(Terminal::Word) => matches!(program.static_facts().follow[pc], Follow::Few(_)),
        op => !matches!(op, Op::Terminal(Terminal::Text)),
    };
    let literals = || program.ops.iter().filter_map(|op| if let Op::Literal(bytes) = op { Some(bytes) } else { None });
    let mut tail = Tail::NONE;
    let mut holds = |element: &Element| {
        let bytes = &source.bytes[element.start as usize..element.end as usize];
        // After a literal the text begins anew. That forbids less than text that goes on.
        match delimiters.run(if program.copies { tail } else { Tail::NONE }, bytes) {
            Some(after) => {
                tail = after;
                after == Tail::NONE || !literals().any(|literal| delimiters.clash(after, literal))
            }
            None => false,
        }
    };
    program.ops.iter().enumerate().all(apart) && source.elements.iter().all(&mut holds)
}
