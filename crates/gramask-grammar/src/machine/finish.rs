//! The shortest way to a complete output, and with it whether there is one.
//!
//! An A* search over threads that stand between operations: an edge writes the rest of one operation, its length is the
//! number of bytes, and [`Floor`] bounds the rest of the way from below. What is found is kept for every thread on the
//! way, since the rest of a shortest way is a shortest way. A thread without a way is dead: the masks drop it, and that
//! is what makes every mask exact.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::ControlFlow;
use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use super::thread::{Free, UNKNOWN};
use super::{At, Machine, Thread, less};
use crate::escape::{LONGEST_UNIT, Unit};
use crate::notation::ast::Terminal;
use crate::program::{Op, is_free};

/// The first step of a shortest way.
#[derive(Clone, Debug)]
pub(crate) struct Finish {
    /// The bytes of the whole way.
    pub length: u32,
    /// What is written first.
    pub piece: Box<[u8]>,
    /// Where that leads; `None` at the end.
    pub next: Option<Thread>,
}

/// Ways to complete a unit of free text, each with the delimiters' state behind it.
pub(crate) type FreeWays = Arc<[(Vec<u8>, u16)]>;

/// So much free text, and so many entities, are as good as any more, wherever that is enough to finish at all.
const ENOUGH: u32 = 16;

/// A thread that the search came to.
struct Node {
    thread: Thread,
    length: u32,
    from: usize,
    piece: Box<[u8]>,
}

type Edge = (Vec<u8>, Thread);

impl Machine {
    /// The length in bytes of the shortest way from `thread` to a complete output; `None` where there is none.
    pub fn finish(&mut self, thread: Thread) -> Option<u32> {
        // A long allowance of free text is like any longer one, for all who need less of it.
        let thread = match self.saturated(thread, ENOUGH) {
            near if near != thread && self.finish_exactly(near).is_some() => near,
            _ => thread,
        };
        self.finish_exactly(thread)
    }

    fn finish_exactly(&mut self, thread: Thread) -> Option<u32> {
        if self.accepts(&thread) {
            return Some(0);
        }
        if let Some(known) = self.finishes.get(&thread) {
            return known.as_ref().map(|finish| finish.length);
        }
        if self.hopeless(&thread) {
            return None;
        }
        // First the nearest end of each surface alone: where a longer stretch will do, so will the shorter one that
        // begins with it, which comes later in the order. Only where that fails is every stretch tried.
        if !self.program.cursor
            && let Some(length) = self.search(thread, false)
        {
            return Some(length);
        }
        self.search(thread, true)
    }

    /// The shortest way itself.
    pub fn way(&mut self, thread: Thread) -> Option<Vec<u8>> {
        let near = self.saturated(thread, ENOUGH);
        let thread = if self.finish_exactly(near).is_some() { near } else { thread };
        self.finish_exactly(thread)?;
        let (mut way, mut at) = (Vec::new(), Some(thread));
        while let Some(thread) = at.filter(|thread| !self.accepts(thread)) {
            let finish = self.finishes.get(&thread)?.as_ref()?;
            way.extend_from_slice(&finish.piece);
            at = finish.next;
        }
        Some(way)
    }

    /// The thread with its allowances of free text and of entities cut to `limit`.
    pub fn saturated(&self, mut thread: Thread, limit: u32) -> Thread {
        if self.grounded() {
            return thread;
        }
        // `@skip` passes units without writing, so that one byte may use up any number of them.
        if !self.program.skips {
            thread.cursor = thread.cursor.min(limit);
        }
        thread.last = thread.last.min(limit);
        if let At::Free(free) = &mut thread.at {
            free.left = free.left.min(limit);
        }
        thread
    }

    fn search(&mut self, start: Thread, wide: bool) -> Option<u32> {
        let mut nodes = vec![Node { thread: start, length: 0, from: 0, piece: Box::default() }];
        let mut best: FxHashMap<Thread, u32> = [(start, 0)].into_iter().collect();
        // (length so far and what is left at least, the length, is it the whole length of a known way, node)
        // Among equal bounds the longer way comes first: it is nearer to the end.
        let mut heap = BinaryHeap::from([(Reverse(0u32), 0u32, true, 0usize)]);
        let mut done = FxHashSet::default();
        while let Some((_, length, searched, number)) = heap.pop() {
            let thread = nodes[number].thread;
            if !searched || self.accepts(&thread) {
                self.keep(&nodes, number, length);
                return Some(length);
            }
            if length > best[&thread] || !done.insert((thread, length)) {
                continue;
            }
            if let Some(kept) = self.finishes.get(&thread) {
                if let Some(finish) = kept {
                    let whole = length + finish.length;
                    heap.push((Reverse(whole), whole, false, number));
                }
                continue;
            }
            for (piece, next) in self.edges(thread, wide) {
                let reached = length + piece.len() as u32;
                if self.hopeless(&next) {
                    continue;
                }
                if best.get(&next).is_none_or(|known| reached < *known) {
                    best.insert(next, reached);
                    nodes.push(Node { thread: next, length: reached, from: number, piece: piece.into() });
                    heap.push((Reverse(reached + self.at_least(&next)), reached, true, nodes.len() - 1));
                }
            }
        }
        if wide {
            for (thread, _) in done {
                self.finishes.entry(thread).or_insert(None);
            }
        }
        None
    }

    /// Keeps the way of `length` bytes that leads over node `last`.
    fn keep(&mut self, nodes: &[Node], last: usize, length: u32) {
        let mut number = last;
        while number != 0 {
            let node = &nodes[number];
            let from = &nodes[node.from];
            let finish = Finish { length: length - from.length, piece: node.piece.clone(), next: Some(node.thread) };
            self.finishes.insert(from.thread, Some(finish));
            number = node.from;
        }
    }

    /// What can be written to the end of a thread's operation, and the threads behind it.
    fn edges(&mut self, thread: Thread, wide: bool) -> Vec<Edge> {
        let (mut behind, mut on): (Vec<Edge>, Vec<Edge>) = (Vec::new(), Vec::new());
        let rest = |bytes: &[u8]| bytes[thread.offset()..].to_vec();
        let program = Arc::clone(&self.program);
        match &program.ops[thread.pc as usize] {
            Op::Literal(bytes) => behind.push((rest(bytes), thread)),
            Op::Regex(number) => {
                let regex = &program.regexes[*number];
                let state = if let At::Regex(state) = thread.at { state } else { regex.start };
                // A match is not empty, and a thread that has one already has left the operation beside this one.
                let way = match regex.finish(state) {
                    Some(way) if !way.is_empty() => Some(way.to_vec()),
                    Some(_) => (0..=255u8).find_map(|byte| {
                        let next = regex.next(state, byte)?;
                        Some([&[byte], regex.finish(next)?].concat())
                    }),
                    None => None,
                };
                behind.extend(way.map(|way| (way, thread)));
            }
            Op::Terminal(Terminal::Label) => {
                let (offset, like) = match thread.at {
                    At::Label { offset, label } => (usize::from(offset), label),
                    _ => (0, 0),
                };
                for label in self.labels(&thread) {
                    let bytes = &program.labels[usize::from(label)];
                    let begun = &program.labels[usize::from(like)][..offset];
                    let Some(rest) = bytes.strip_prefix(begun).filter(|rest| !rest.is_empty()) else {
                        continue;
                    };
                    let rest = rest.to_vec();
                    behind.extend(self.bind_label(&thread, label).map(|bound| (rest, bound)));
                }
            }
            Op::Terminal(kind @ (Terminal::Copy | Terminal::Word)) if self.grounded() => {
                if let Some((element, cursor, tail)) = self.next_element(&thread, *kind) {
                    let bytes = &self.source.bytes[element.start as usize..element.end as usize];
                    behind.push((rest(bytes), Thread { cursor, tail, ..thread }));
                }
            }
            Op::Terminal(Terminal::Text) if self.grounded() => {
                let found = self.surfaces(&thread, wide);
                behind.extend(found);
            }
            Op::Terminal(kind) if is_free(*kind) => {
                for (way, free) in self.shortest_free(&thread, *kind) {
                    let cursor = if *kind == Terminal::Text { thread.cursor } else { free.left };
                    // Behind a beginning of a delimiter less may follow than behind more text.
                    if free.tail != 0 && free.left > 0 {
                        on.push((
                            way.clone(),
                            Thread {
                                at: At::Free(free),
                                tail: 0,
                                cursor: if kind.is_cursor() { 0 } else { thread.cursor },
                                ..thread
                            },
                        ));
                    }
                    behind.push((way, Thread { cursor, tail: free.tail, ..thread }));
                }
            }
            Op::Terminal(kind) if self.grounded() => {
                for (value, rest) in self.positions(&thread, *kind) {
                    if !rest.is_empty() {
                        behind.extend(self.bind_position(&thread, *kind, value).map(|bound| (rest, bound)));
                    }
                }
            }
            Op::Terminal(_) => match thread.at {
                At::Number { value: 0, .. } | At::Number { digits: 6, .. } => {}
                _ => behind.push((b"0".to_vec(), thread)),
            },
            _ => {}
        }
        let (mut edges, mut settled) = (on, Vec::new());
        for (piece, thread) in behind {
            self.settle(Thread { pc: thread.pc + 1, at: At::Begin, ..thread }, &mut settled);
            edges.extend(settled.drain(..).map(|next| (piece.clone(), next)));
        }
        edges
    }

    /// The surfaces that `@text` can write here, with the thread once they are bound: for each word start the nearest
    /// end, or (`wide`) every end.
    fn surfaces(&mut self, thread: &Thread, wide: bool) -> Vec<Edge> {
        let prefix = if let At::Surface(prefix) = thread.at { prefix } else { self.source.anywhere() };
        let Some(open) = self.innermost(thread.frame).cloned() else {
            return Vec::new();
        };
        let text = self.before_text(&open);
        let from = text.done.last().map_or(0, |before| before.settled().or(before.surface).map_or(0, |f| f.0));
        let (mut found, mut seen): (Vec<Edge>, FxHashMap<&[u8], bool>) = Default::default();
        let (source, program) = (Arc::clone(&self.source), Arc::clone(&self.program));
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
                let bound = self.bind_surface(&open, thread.last, first, last);
                seen.insert(surface, bound.is_some());
                if let Some(bound) = bound {
                    let frame = self.with_innermost(thread.frame, bound);
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

    /// The shortest ways to complete a begun free text, and how it then stands.
    fn shortest_free(&mut self, thread: &Thread, kind: Terminal) -> Vec<(Vec<u8>, Free)> {
        let mut free = self.begin_free(thread, kind);
        if free.count == 0 {
            match less(free.left) {
                Some(left) => free.left = left,
                None => return Vec::new(),
            }
        }
        let begun = Free { left: 0, ..free };
        let ways = match self.free_ways.get(&begun) {
            Some(ways) => Arc::clone(ways),
            None => {
                let ways: FreeWays = self.find_free_ways(&begun).into();
                self.free_ways.insert(begun, Arc::clone(&ways));
                ways
            }
        };
        let whole = |(way, tail): &(Vec<u8>, u16)| {
            (way.clone(), Free { tail: *tail, pending: [0; LONGEST_UNIT], count: 0, left: free.left })
        };
        ways.iter().map(whole).collect()
    }

    /// One way that ends with no beginning of a delimiter, or one for each beginning. The shortest units first, and letters
    /// before all others, so that what is forced looks like text.
    fn find_free_ways(&self, free: &Free) -> Vec<(Vec<u8>, u16)> {
        let begun = &free.pending[..usize::from(free.count)];
        let mut ways: Vec<(Vec<u8>, u16)> = vec![(Vec::new(), free.tail)];
        for _ in begun.len()..LONGEST_UNIT {
            let (mut longer, mut found) = (Vec::new(), Vec::<(Vec<u8>, u16)>::new());
            for (way, tail) in &ways {
                for byte in (b'x'..=b'z').chain(0..=255u8) {
                    let Some(tail) = self.program.delimiters.step(*tail, byte) else {
                        continue;
                    };
                    let way = [way, &[byte][..]].concat();
                    match self.program.escape().unit(&[begun, &way].concat()) {
                        Unit::Whole(_) if tail == 0 => return vec![(way, 0)],
                        Unit::Whole(_) if found.iter().all(|(_, known)| *known != tail) => found.push((way, tail)),
                        Unit::Partial if longer.len() < 64 => longer.push((way, tail)),
                        _ => {}
                    }
                }
            }
            if !found.is_empty() {
                return found;
            }
            ways = longer;
        }
        Vec::new()
    }
}
