//! The shortest completion of an output, and with it whether there is one.
//!
//! This is an A* search over threads that stand between operations. An edge writes the rest of one operation, and its length
//! is the number of bytes. [`LowerBound`](super::LowerBound) estimates the rest. The result is kept for every thread on the
//! path, since the rest of a shortest path is a shortest path. A thread without a path is dead.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::ControlFlow;
use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use super::Liveness;
use crate::automaton::{Automaton, FreeText, MOST_DIGITS, Progress, Thread, UNKNOWN, less};
use crate::delimiters::Tail;
use crate::escape::{LONGEST_UNIT, Unit};
use crate::notation::ast::Terminal;
use crate::program::{LabelId, Op, Program, is_free};
use crate::regex::StateId;

/// The first step of a shortest completion.
#[derive(Clone, Debug)]
pub(super) struct Completion {
    /// The bytes of the whole completion.
    length: u32,
    /// The bytes that are written first.
    piece: Box<[u8]>,
    /// Where they lead.
    next: Thread,
}

/// Bytes that complete a unit of free text, each with the tail after it.
pub(super) type UnitEnds = Arc<[(Vec<u8>, Tail)]>;

/// An allowance of free text or entities that is as good as any larger one, wherever it is enough to finish at all.
const ENOUGH: u32 = 16;

/// A thread that the search reached.
struct Node {
    thread: Thread,
    /// The bytes that lead to it.
    length: u32,
    from: usize,
    piece: Box<[u8]>,
}

/// Bytes, and the thread that they lead to.
type Edge = (Vec<u8>, Thread);

impl Liveness {
    /// The length in bytes of the shortest completion of `thread`; `None` where it has none.
    pub fn shortest_length(&mut self, automaton: &mut Automaton, thread: Thread) -> Option<u32> {
        let thread = self.representative(automaton, thread);
        self.exact_length(automaton, thread)
    }

    /// The shortest completion itself, in bytes.
    pub fn shortest_completion(&mut self, automaton: &mut Automaton, thread: Thread) -> Option<Vec<u8>> {
        let mut thread = self.representative(automaton, thread);
        self.exact_length(automaton, thread)?;
        let mut bytes = Vec::new();
        while !automaton.accepts(&thread) {
            let completion = self.completions.get(&thread)?.as_ref()?;
            bytes.extend_from_slice(&completion.piece);
            thread = completion.next;
        }
        Some(bytes)
    }

    /// A thread with the same shortest completion. Allowances of free text that are enough to finish are like any larger
    /// ones, so that many threads share one answer.
    fn representative(&mut self, automaton: &mut Automaton, thread: Thread) -> Thread {
        match cap_allowances(automaton, thread, ENOUGH) {
            capped if capped != thread && self.exact_length(automaton, capped).is_some() => capped,
            _ => thread,
        }
    }

    fn exact_length(&mut self, automaton: &mut Automaton, thread: Thread) -> Option<u32> {
        if automaton.accepts(&thread) {
            return Some(0);
        }
        if let Some(known) = self.completions.get(&thread) {
            return known.as_ref().map(|completion| completion.length);
        }
        if self.bound.surely_dead(automaton, &thread) {
            return None;
        }
        // First the nearest end of each surface alone: where a longer stretch will do, so will the shorter one that
        // begins with it, which comes later in the order. Only where that fails is every stretch tried.
        if !automaton.program.cursor
            && let Some(length) = self.search(automaton, thread, false)
        {
            return Some(length);
        }
        self.search(automaton, thread, true)
    }

    fn search(&mut self, automaton: &mut Automaton, start: Thread, wide: bool) -> Option<u32> {
        let mut nodes = vec![Node { thread: start, length: 0, from: 0, piece: Box::default() }];
        let mut best: FxHashMap<Thread, u32> = [(start, 0)].into_iter().collect();
        // (length so far and what is left at least, the length, whether completions of the node are still to be searched, node)
        // Among equal bounds the longer path comes first: it is nearer to the end.
        let mut heap = BinaryHeap::from([(Reverse(0u32), 0u32, true, 0usize)]);
        let mut done = FxHashSet::default();
        while let Some((_, length, searched, number)) = heap.pop() {
            let thread = nodes[number].thread;
            if !searched || automaton.accepts(&thread) {
                self.keep(&nodes, number, length);
                return Some(length);
            }
            if length > best[&thread] || !done.insert((thread, length)) {
                continue;
            }
            if let Some(kept) = self.completions.get(&thread) {
                if let Some(completion) = kept {
                    let whole = length + completion.length;
                    heap.push((Reverse(whole), whole, false, number));
                }
                continue;
            }
            for (piece, next) in self.edges(automaton, thread, wide) {
                let reached = length + piece.len() as u32;
                if self.bound.surely_dead(automaton, &next) {
                    continue;
                }
                if best.get(&next).is_none_or(|known| reached < *known) {
                    best.insert(next, reached);
                    nodes.push(Node { thread: next, length: reached, from: number, piece: piece.into() });
                    heap.push((Reverse(reached + self.bound.of(automaton, &next)), reached, true, nodes.len() - 1));
                }
            }
        }
        if wide {
            for (thread, _) in done {
                self.completions.entry(thread).or_insert(None);
            }
        }
        None
    }

    /// Keeps the completion of `length` bytes that goes through node `last`.
    fn keep(&mut self, nodes: &[Node], last: usize, length: u32) {
        let mut number = last;
        while number != 0 {
            let node = &nodes[number];
            let from = &nodes[node.from];
            let completion = Completion { length: length - from.length, piece: node.piece.clone(), next: node.thread };
            self.completions.insert(from.thread, Some(completion));
            number = node.from;
        }
    }

    /// What can be written to the end of a thread's operation, and the threads after it.
    fn edges(&mut self, automaton: &mut Automaton, thread: Thread, wide: bool) -> Vec<Edge> {
        let Endings { mut edges, ended } = self.endings(automaton, thread, wide);
        let mut next = Vec::new();
        for (piece, thread) in ended {
            automaton.close(Thread { pc: thread.pc.next(), at: Progress::Begin, ..thread }, &mut next);
            edges.extend(next.drain(..).map(|next| (piece.clone(), next)));
        }
        edges
    }

    fn endings(&mut self, automaton: &mut Automaton, thread: Thread, wide: bool) -> Endings {
        let mut found = Endings::default();
        let program = Arc::clone(&automaton.program);
        match program.op(thread.pc) {
            Op::Literal(bytes) => found.ended.push((bytes[thread.offset()..].to_vec(), thread)),
            Op::Regex(number) => {
                let regex = &program.regexes[*number];
                let state = if let Progress::Regex(state) = thread.at { state } else { StateId::START };
                found.ended.extend(regex.shortest_nonempty(state).map(|bytes| (bytes, thread)));
            }
            Op::Terminal(Terminal::Label) => found.ended = labels(automaton, &thread),
            Op::Terminal(kind @ (Terminal::Copy | Terminal::Word)) if automaton.grounded() => {
                if let Some((element, cursor, tail)) = automaton.next_element(&thread, *kind) {
                    let bytes = &automaton.source.bytes[element.start as usize..element.end as usize];
                    found.ended.push((bytes[thread.offset()..].to_vec(), Thread { cursor, tail, ..thread }));
                }
            }
            Op::Terminal(Terminal::Text) if automaton.grounded() => found.ended = surfaces(automaton, &thread, wide),
            Op::Terminal(kind) if is_free(*kind) => self.free_text(automaton, thread, *kind, &mut found),
            Op::Terminal(kind) if automaton.grounded() => {
                for (value, rest) in automaton.positions(&thread, *kind) {
                    if !rest.is_empty() {
                        let bound = automaton.bind_position(&thread, *kind, value);
                        found.ended.extend(bound.map(|bound| (rest, bound)));
                    }
                }
            }
            Op::Terminal(_) => match thread.at {
                Progress::Number { value: 0, .. } | Progress::Number { digits: MOST_DIGITS, .. } => {}
                _ => found.ended.push((b"0".to_vec(), thread)),
            },
            _ => {}
        }
        found
    }

    fn free_text(&mut self, automaton: &Automaton, thread: Thread, kind: Terminal, found: &mut Endings) {
        for (piece, free) in self.shortest_free_text(automaton, &thread, kind) {
            // After the beginning of a delimiter less may follow than after more text.
            if free.tail != Tail::NONE && free.left > 0 {
                let cursor_left = if kind.is_cursor() { 0 } else { thread.cursor_left };
                let on = Thread { at: Progress::FreeText(free), tail: Tail::NONE, cursor_left, ..thread };
                found.edges.push((piece.clone(), on));
            }
            let cursor_left = if kind == Terminal::Text { thread.cursor_left } else { free.left };
            found.ended.push((piece, Thread { cursor_left, tail: free.tail, ..thread }));
        }
    }

    /// The shortest ways to complete free text that is begun, and how it then stands.
    fn shortest_free_text(
        &mut self,
        automaton: &Automaton,
        thread: &Thread,
        kind: Terminal,
    ) -> Vec<(Vec<u8>, FreeText)> {
        let mut free = automaton.begin_free_text(thread, kind);
        if free.count == 0 {
            match less(free.left) {
                Some(left) => free.left = left,
                None => return Vec::new(),
            }
        }
        let begun = FreeText { left: 0, ..free };
        let ends = match self.unit_ends.get(&begun) {
            Some(ends) => Arc::clone(ends),
            None => {
                let ends: UnitEnds = find_unit_ends(&automaton.program, &begun).into();
                self.unit_ends.insert(begun, Arc::clone(&ends));
                ends
            }
        };
        let whole = |(bytes, tail): &(Vec<u8>, Tail)| {
            (bytes.clone(), FreeText { tail: *tail, pending: [0; LONGEST_UNIT], count: 0, left: free.left })
        };
        ends.iter().map(whole).collect()
    }
}

/// Where the next piece of an output leads.
#[derive(Default)]
struct Endings {
    /// The operation goes on.
    edges: Vec<Edge>,
    /// The operation ended; the thread still names it.
    ended: Vec<Edge>,
}

/// The thread with its allowances of free text and of entities cut to `limit`.
fn cap_allowances(automaton: &Automaton, mut thread: Thread, limit: u32) -> Thread {
    if automaton.grounded() {
        return thread;
    }
    // `@skip` passes units without writing, so that one byte may use up any number of them.
    if !automaton.program.skips {
        thread.cursor_left = thread.cursor_left.min(limit);
    }
    thread.entities_left = thread.entities_left.min(limit);
    if let Progress::FreeText(free) = &mut thread.at {
        free.left = free.left.min(limit);
    }
    thread
}

/// The rests of the labels that `@label` can write here, with the thread once they are bound.
fn labels(automaton: &mut Automaton, thread: &Thread) -> Vec<Edge> {
    let (offset, like) = match thread.at {
        Progress::Label { offset, label } => (usize::from(offset), label),
        _ => (0, LabelId::FIRST),
    };
    let program = Arc::clone(&automaton.program);
    let begun = &program.label(like)[..offset];
    let mut found = Vec::new();
    for label in automaton.labels(thread) {
        let rest = program.label(label).strip_prefix(begun).filter(|rest| !rest.is_empty());
        let Some(rest) = rest else { continue };
        found.extend(automaton.bind_label(thread, label).map(|bound| (rest.to_vec(), bound)));
    }
    found
}

/// The surfaces that `@text` can write here, with the thread once they are bound: for each word start the nearest end, or
/// (`wide`) every end.
fn surfaces(automaton: &mut Automaton, thread: &Thread, wide: bool) -> Vec<Edge> {
    let prefix = if let Progress::Surface(prefix) = thread.at { prefix } else { automaton.source.anywhere() };
    let Some(open) = automaton.innermost(thread).cloned() else {
        return Vec::new();
    };
    let text = automaton.before_text(&open);
    let from = text.done.last().map_or(0, |before| before.known().or(before.surface).map_or(0, |f| f.0));
    let (mut found, mut seen): (Vec<Edge>, FxHashMap<&[u8], bool>) = Default::default();
    let (source, program) = (Arc::clone(&automaton.source), Arc::clone(&automaton.program));
    // An edge that is known names the stretch's.
    let (known_first, known_last) = (text.current.first, text.current.last);
    for &first in source.starts(prefix) {
        if first < from || known_first != UNKNOWN && first != known_first {
            continue;
        }
        let lasts = match known_last {
            UNKNOWN => first..source.len(),
            last => last.max(first)..(last + 1).min(source.len()),
        };
        let _ = lasts.into_iter().try_for_each(|last| {
            let surface = source.surface(first, last);
            if surface.len() <= prefix.depth as usize {
                return ControlFlow::Continue(());
            }
            let Some(tail) = program.delimiters.run(thread.tail, surface) else {
                return ControlFlow::Break(());
            };
            if let Some(&can_follow) = seen.get(surface) {
                return if wide || !can_follow { ControlFlow::Continue(()) } else { ControlFlow::Break(()) };
            }
            let bound = automaton.bind_surface(&open, thread.previous, first, last);
            seen.insert(surface, bound.is_some());
            if let Some(bound) = bound {
                let frame = automaton.frames.with_innermost(thread.frame, bound);
                found.push((surface[prefix.depth as usize..].to_vec(), Thread { frame, tail, ..*thread }));
                if !wide {
                    return ControlFlow::Break(());
                }
            }
            ControlFlow::Continue(())
        });
    }
    found
}

/// One way to end the unit that leaves no beginning of a delimiter, or one for each beginning. The shortest ways first, and
/// letters before all other bytes, so that forced text looks like text.
fn find_unit_ends(program: &Program, free: &FreeText) -> Vec<(Vec<u8>, Tail)> {
    let begun = &free.pending[..usize::from(free.count)];
    let mut beginnings: Vec<(Vec<u8>, Tail)> = vec![(Vec::new(), free.tail)];
    for _ in begun.len()..LONGEST_UNIT {
        let (mut longer, mut found) = (Vec::new(), Vec::<(Vec<u8>, Tail)>::new());
        for (beginning, tail) in &beginnings {
            for byte in (b'x'..=b'z').chain(0..=255u8) {
                let Some(tail) = program.delimiters.step(*tail, byte) else {
                    continue;
                };
                let bytes = [beginning, &[byte][..]].concat();
                match program.escape().unit(&[begun, &bytes].concat()) {
                    Unit::Whole(_) if tail == Tail::NONE => return vec![(bytes, Tail::NONE)],
                    Unit::Whole(_) if found.iter().all(|(_, known)| *known != tail) => found.push((bytes, tail)),
                    Unit::Partial if longer.len() < 64 => longer.push((bytes, tail)),
                    _ => {}
                }
            }
        }
        if !found.is_empty() {
            return found;
        }
        beginnings = longer;
    }
    Vec::new()
}
