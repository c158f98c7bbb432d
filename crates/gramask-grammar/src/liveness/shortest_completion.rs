//! The shortest completion of an output, and with it whether there is one.
//!
//! This is an A* search over threads that stand between operations. An edge writes the rest of one operation, and its length
//! is the number of bytes. [`LowerBound`](super::LowerBound) estimates the rest. The result is kept for every thread on the
//! path, since the rest of a shortest path is a shortest path. A thread without a path is dead.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::Range;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::Liveness;
use crate::automaton::{Automaton, FreeText, MOST_DIGITS, Progress, Thread, UNKNOWN, less};
use crate::completions::TextId;
use crate::delimiters::Tail;
use crate::escape::{LONGEST_UNIT, Unit};
use crate::notation::ast::Terminal;
use crate::program::{LabelId, Op, Program, is_free};
use crate::regex::StateId;

/// A shortest completion.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Completion {
    /// In bytes.
    pub length: u32,
    pub text: TextId,
}

impl Completion {
    const EMPTY: Completion = Completion { length: 0, text: TextId::EMPTY };
}

/// Bytes that complete a unit of free text, each with the tail after it.
pub(super) type UnitEnds = Arc<[(Vec<u8>, Tail)]>;

/// An allowance of free text or entities that is as good as any larger one, wherever it is enough to finish at all.
const ENOUGH: u32 = 16;

/// A thread that the search reached.
struct Node {
    thread: Thread,
    from: usize,
    piece: Piece,
    /// The thread still stands before `@text`, and the piece writes the surface of these words. What follows is found when the
    /// node's turn comes: of all surfaces of a document few are as short as the shortest that will do.
    surface: Option<(u32, u32)>,
}

/// Bytes of [`Endings::bytes`].
type Piece = Range<usize>;

/// Bytes, and the thread that they lead to.
type Edge = (Piece, Thread);

/// Room for a search.
#[derive(Default)]
pub(super) struct Room {
    nodes: Vec<Node>,
    /// The fewest bytes that lead to each thread, and whether its edges were followed from there.
    best: FxHashMap<Thread, (u32, bool)>,
    /// (The length so far and what is left at least, the length, whether completions of the node are still to be searched, node.)
    /// Among equal bounds the longer path comes first: it is nearer to the end.
    heap: BinaryHeap<(Reverse<u32>, u32, bool, usize)>,
    endings: Endings,
    /// Threads after an operation.
    next: Vec<Thread>,
}

impl Room {
    fn begin(&mut self, start: Thread) {
        self.nodes.clear();
        self.best.clear();
        self.heap.clear();
        self.endings.bytes.clear();
        self.nodes.push(Node { thread: start, from: 0, piece: 0..0, surface: None });
        self.best.insert(start, (0, false));
        self.heap.push((Reverse(0), 0, true, 0));
    }
}

impl Liveness {
    /// The shortest completion of `thread`; `None` where it has none.
    pub fn shortest(&mut self, automaton: &mut Automaton, thread: Thread) -> Option<Completion> {
        // Allowances of free text that are enough to finish are like any larger ones, so that many threads share one answer.
        match cap_allowances(automaton, thread, ENOUGH) {
            capped if capped != thread => self.exact(automaton, capped).or_else(|| self.exact(automaton, thread)),
            _ => self.exact(automaton, thread),
        }
    }

    fn exact(&mut self, automaton: &mut Automaton, thread: Thread) -> Option<Completion> {
        if automaton.accepts(&thread) {
            return Some(Completion::EMPTY);
        }
        if let Some(known) = self.completions.get(&thread) {
            return *known;
        }
        if self.bound.surely_dead(automaton, &thread) {
            return None;
        }
        let mut room = std::mem::take(&mut self.room);
        // First the nearest end of each surface alone: where a longer stretch will do, so will the shorter one that
        // begins with it, which comes later in the order. Only where that fails is every stretch tried.
        let narrow = if automaton.program.cursor { None } else { self.search(automaton, &mut room, thread, false) };
        let found = narrow.or_else(|| self.search(automaton, &mut room, thread, true));
        self.room = room;
        found
    }

    fn search(&mut self, automaton: &mut Automaton, room: &mut Room, start: Thread, wide: bool) -> Option<Completion> {
        room.begin(start);
        while let Some((_, length, searched, number)) = room.heap.pop() {
            let Node { thread, surface, .. } = room.nodes[number];
            if !searched {
                return Some(self.keep(room, number));
            }
            if surface.is_some() {
                self.bind_surface(automaton, room, (number, length), wide);
                continue;
            }
            match room.best.get_mut(&thread) {
                Some((best, followed)) if length == *best && !*followed => *followed = true,
                _ => continue,
            }
            self.edges(automaton, room, thread);
            let mut edges = std::mem::take(&mut room.endings.edges);
            for (piece, next) in edges.drain(..) {
                self.reach(automaton, room, (number, length), piece, next);
            }
            room.endings.edges = edges;
            let mut surfaces = std::mem::take(&mut room.endings.surfaces);
            for words in surfaces.drain(..) {
                self.reach_surface(automaton, room, (number, length), words);
            }
            room.endings.surfaces = surfaces;
        }
        if wide {
            for thread in room.best.keys() {
                self.completions.entry(*thread).or_insert(None);
            }
        }
        None
    }

    /// A thread is reached by an edge of node `from`, which is so many bytes from the start.
    fn reach(
        &mut self,
        automaton: &mut Automaton,
        room: &mut Room,
        (from, length): (usize, u32),
        piece: Piece,
        thread: Thread,
    ) {
        let reached = length + piece.len() as u32;
        if room.best.get(&thread).is_some_and(|(known, _)| *known <= reached)
            || self.bound.surely_dead(automaton, &thread)
        {
            return;
        }
        let rest = match self.completions.get(&thread) {
            _ if automaton.accepts(&thread) => Some(0),
            Some(Some(completion)) => Some(completion.length),
            Some(None) => return,
            None => None,
        };
        room.best.insert(thread, (reached, false));
        room.nodes.push(Node { thread, from, piece, surface: None });
        let number = room.nodes.len() - 1;
        room.heap.push(match rest {
            Some(rest) => (Reverse(reached + rest), reached + rest, false, number),
            None => (Reverse(reached + self.bound.of(automaton, &thread)), reached, true, number),
        });
    }

    /// The thread of node `from` writes the surface of some words next.
    fn reach_surface(
        &mut self,
        automaton: &Automaton,
        room: &mut Room,
        (from, length): (usize, u32),
        (first, last): (u32, u32),
    ) {
        let thread = room.nodes[from].thread;
        let begun = if let Progress::Surface(prefix) = thread.at { prefix.depth as usize } else { 0 };
        let piece = room.endings.piece(&automaton.source.surface(first, last)[begun..]);
        let reached = length + piece.len() as u32;
        let least = reached + self.bound.after_surface(automaton, &thread, first, last);
        room.nodes.push(Node { thread, from, piece, surface: Some((first, last)) });
        room.heap.push((Reverse(least), reached, true, room.nodes.len() - 1));
    }

    /// Finds what follows the surface of a node. Where nothing does, or where every end is tried (`wide`), a longer surface is next.
    fn bind_surface(&mut self, automaton: &mut Automaton, room: &mut Room, (number, length): (usize, u32), wide: bool) {
        let Node { thread, from, ref piece, surface: Some((first, last)) } = room.nodes[number] else { return };
        let (piece, before) = (piece.clone(), length - piece.len() as u32);
        let Some(tail) = automaton.program.delimiters.run(thread.tail, automaton.source.surface(first, last)) else {
            return;
        };
        let Some(open) = automaton.innermost(&thread).cloned() else { return };
        let bound = automaton.bind_surface(&open, thread.previous, first, last);
        let fixed = !open.current.written && open.current.last != UNKNOWN;
        if (wide || bound.is_none()) && !fixed && last + 1 < automaton.source.len() {
            self.reach_surface(automaton, room, (from, before), (first, last + 1));
        }
        if let Some(bound) = bound {
            let frame = automaton.frames.with_innermost(thread.frame, bound);
            let mut next = std::mem::take(&mut room.next);
            automaton.close(Thread { pc: thread.pc.next(), at: Progress::Begin, frame, tail, ..thread }, &mut next);
            for thread in next.drain(..) {
                self.reach(automaton, room, (from, before), piece.clone(), thread);
            }
            room.next = next;
        }
    }

    /// Keeps the completions of the threads on the way to node `last`, whose own completion is known. Gives that of the first.
    fn keep(&mut self, room: &Room, last: usize) -> Completion {
        let known = self.completions.get(&room.nodes[last].thread);
        let mut completion = known.copied().flatten().unwrap_or(Completion::EMPTY);
        let mut number = last;
        while number != 0 {
            let Node { from, piece, .. } = &room.nodes[number];
            let text = self.texts.put_bytes(&room.endings.bytes[piece.clone()], completion.text);
            completion = Completion { length: completion.length + piece.len() as u32, text };
            self.completions.insert(room.nodes[*from].thread, Some(completion));
            number = *from;
        }
        completion
    }

    /// What can be written to the end of a thread's operation, and the threads after it, as edges of `room`.
    fn edges(&mut self, automaton: &mut Automaton, room: &mut Room, thread: Thread) {
        let Room { endings, next, .. } = room;
        self.endings(automaton, thread, endings);
        for (piece, thread) in endings.ended.drain(..) {
            automaton.close(Thread { pc: thread.pc.next(), at: Progress::Begin, ..thread }, next);
            endings.edges.extend(next.drain(..).map(|next| (piece.clone(), next)));
        }
    }

    fn endings(&mut self, automaton: &mut Automaton, thread: Thread, found: &mut Endings) {
        let program = Arc::clone(&automaton.program);
        match program.op(thread.pc) {
            Op::Literal(bytes) => found.end(&bytes[thread.offset()..], thread),
            Op::Regex(number) => {
                let regex = &program.regexes[*number];
                let state = if let Progress::Regex(state) = thread.at { state } else { StateId::START };
                if let Some(bytes) = regex.shortest_nonempty(state) {
                    found.end(&bytes, thread);
                }
            }
            Op::Terminal(Terminal::Label) => labels(automaton, &thread, found),
            Op::Terminal(kind @ (Terminal::Copy | Terminal::Word)) if automaton.grounded() => {
                if let Some((element, cursor, tail)) = automaton.next_element(&thread, *kind) {
                    let bytes = &automaton.source.bytes[element.start as usize..element.end as usize];
                    found.end(&bytes[thread.offset()..], Thread { cursor, tail, ..thread });
                }
            }
            Op::Terminal(Terminal::Text) if automaton.grounded() => surfaces(automaton, &thread, found),
            Op::Terminal(kind) if is_free(*kind) => self.free_text(automaton, thread, *kind, found),
            Op::Terminal(kind) if automaton.grounded() => {
                for (value, rest) in automaton.positions(&thread, *kind) {
                    if !rest.is_empty()
                        && let Some(bound) = automaton.bind_position(&thread, *kind, value)
                    {
                        found.end(&rest, bound);
                    }
                }
            }
            Op::Terminal(_) => match thread.at {
                Progress::Number { value: 0, .. } | Progress::Number { digits: MOST_DIGITS, .. } => {}
                _ => found.end(b"0", thread),
            },
            _ => {}
        }
    }

    fn free_text(&mut self, automaton: &Automaton, thread: Thread, kind: Terminal, found: &mut Endings) {
        for (bytes, free) in self.shortest_free_text(automaton, &thread, kind) {
            // After the beginning of a delimiter less may follow than after more text.
            if free.tail != Tail::NONE && free.left > 0 {
                let cursor_left = if kind.is_cursor() { 0 } else { thread.cursor_left };
                let on = Thread { at: Progress::FreeText(free), tail: Tail::NONE, cursor_left, ..thread };
                let piece = found.piece(&bytes);
                found.edges.push((piece, on));
            }
            let cursor_left = if kind == Terminal::Text { thread.cursor_left } else { free.left };
            found.end(&bytes, Thread { cursor_left, tail: free.tail, ..thread });
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
    /// The words of surfaces that may end the operation.
    surfaces: Vec<(u32, u32)>,
    /// The bytes of all pieces.
    bytes: Vec<u8>,
}

impl Endings {
    fn piece(&mut self, bytes: &[u8]) -> Piece {
        let begin = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        begin..self.bytes.len()
    }

    /// These bytes end the operation.
    fn end(&mut self, bytes: &[u8], thread: Thread) {
        let piece = self.piece(bytes);
        self.ended.push((piece, thread));
    }
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
fn labels(automaton: &mut Automaton, thread: &Thread, found: &mut Endings) {
    let (offset, like) = match thread.at {
        Progress::Label { offset, label } => (usize::from(offset), label),
        _ => (0, LabelId::FIRST),
    };
    let program = Arc::clone(&automaton.program);
    let begun = &program.label(like)[..offset];
    for label in automaton.labels(thread) {
        let rest = program.label(label).strip_prefix(begun).filter(|rest| !rest.is_empty());
        if let Some(rest) = rest
            && let Some(bound) = automaton.bind_label(thread, label)
        {
            found.end(rest, bound);
        }
    }
}

/// The surfaces that `@text` may write here: for each word start the nearest end.
fn surfaces(automaton: &Automaton, thread: &Thread, found: &mut Endings) {
    let prefix = if let Progress::Surface(prefix) = thread.at { prefix } else { automaton.source.anywhere() };
    let Some(open) = automaton.innermost(thread) else { return };
    let text = automaton.before_text(open);
    // An entity does not begin before the previous one, nor a fragment before the one before it.
    let from = match text.done.last() {
        Some(before) => before.known().or(before.surface).map_or(0, |words| words.0),
        None => automaton.earliest_start(thread.previous),
    };
    // An edge that is known names the stretch's.
    let (known_first, known_last) = (text.current.first, text.current.last);
    let source = &automaton.source;
    for &first in source.starts(prefix) {
        if first < from || known_first != UNKNOWN && first != known_first {
            continue;
        }
        let goes_on = |last: &u32| source.end(*last) > source.start(first) + prefix.depth as usize;
        let last = match known_last {
            UNKNOWN => (first..source.len()).find(goes_on),
            last => Some(last).filter(|last| *last >= first && goes_on(last)),
        };
        found.surfaces.extend(last.map(|last| (first, last)));
    }
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
