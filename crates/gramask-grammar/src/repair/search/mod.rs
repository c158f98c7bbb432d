//! Finds the cheapest way to read an output as one of the format. This is error-correcting recognition (Aho and Peterson 1972)
//! with the program of the format, by Dijkstra's search at each byte and a bounded beam from byte to byte.
//!
//! A configuration stands before or inside an operation that writes. It may take the next bytes of the output for the
//! operation's, leave bytes of the output out, or insert the operation's bytes. Free text takes every byte, so that only its
//! end is uncertain.

mod ops;

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use super::costs;
use super::label::Candidate;
use crate::notation::ast::Terminal;
use crate::program::{LabelId, Op, Pc, Program};

/// How many configurations all bytes together may have gone on from.
const EFFORT: usize = 32_000;
/// How many one byte may at most and at least.
const BEAM: (usize, usize) = (32, 8);
/// How much dearer than the cheapest a configuration may be.
const MARGIN: u32 = 500;
/// How deep entities and calls may nest.
const DEEPEST: u16 = 40;
/// How many operations that write nothing may follow one another.
const SILENT: usize = 400;

/// What happened on the way; places are bytes of the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    Nothing,
    Open,
    Close(u32),
    /// The context's label.
    Context(LabelId),
    /// `@skip`.
    Skip,
    /// Free text begins.
    Begin(u32),
    /// Free text ends.
    End(Terminal, u32),
    /// A text or number that is not there.
    Missing(Terminal, u32),
    Number(Terminal, u32, u32),
    /// A label that stands at these bytes; a missing one is empty.
    Label(LabelId, u32, u32),
    /// A literal is done.
    Literal(Put, u32),
    /// So many bytes were put in.
    Inserted(u32),
    /// Bytes stand for another byte.
    Substituted,
    /// A byte was left out here.
    Dropped(u32),
    /// All bytes up to here were left out, or all from here on.
    Outside(u32),
}

/// How much of a literal's end had to be put in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Put {
    Nothing,
    Rest,
    Everything,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Key {
    pc: Pc,
    /// How far the operation is: a literal's offset, a state, one more than free text's state of delimiters.
    at: u32,
    frame: u32,
    label: LabelId,
}

#[derive(Clone, Copy, Debug)]
struct Node {
    cost: u32,
    /// The earlier of two that cost the same is preferred.
    order: u32,
    key: Key,
    trace: u32,
}

impl Ord for Node {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.cost, self.order).cmp(&(other.cost, other.order))
    }
}

impl PartialOrd for Node {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Node {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Node {}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Held {
    Bottom,
    Return(Pc),
    Entity(LabelId),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Frame {
    held: Held,
    below: u32,
    depth: u16,
}

/// The events of the cheapest way; `None` where the beam lost every way.
pub(super) fn search(program: &Program, output: &[u8], breaks: bool) -> Option<Vec<Event>> {
    let mut search = Search {
        program,
        output,
        breaks,
        frames: Vec::new(),
        numbers: FxHashMap::default(),
        traces: vec![(0, Event::Nothing)],
        later: vec![Vec::new(); output.len() + 1],
        heap: BinaryHeap::new(),
        here: 0,
        order: 0,
        labels: (usize::MAX, Arc::default()),
        stack: Vec::new(),
        seen: FxHashSet::default(),
    };
    search.frame(Held::Bottom, 0);
    let mut at = search.run()?;
    let mut events = Vec::new();
    while at != 0 {
        let (before, event) = search.traces[at as usize];
        events.push(event);
        at = before;
    }
    events.reverse();

    Some(events)
}

struct Search<'a> {
    program: &'a Program,
    output: &'a [u8],
    /// The document has line breaks.
    breaks: bool,
    frames: Vec<Frame>,
    numbers: FxHashMap<Frame, u32>,
    traces: Vec<(u32, Event)>,
    /// What goes on at each byte.
    later: Vec<Vec<Node>>,
    /// What goes on at this one.
    heap: BinaryHeap<Reverse<Node>>,
    here: usize,
    order: u32,
    /// The labels that can stand at a place.
    labels: (usize, Arc<Vec<Candidate>>),
    stack: Vec<(Key, u32)>,
    /// What this byte has gone on from.
    seen: FxHashSet<Key>,
}

impl Search<'_> {
    fn run(&mut self) -> Option<u32> {
        let length = self.output.len();
        let beam = (EFFORT / (length + 1)).clamp(BEAM.1, BEAM.0);
        // The cheapest way that is done and leaves out the rest, and whether it left out anything so far.
        let mut done: Option<(u32, u32, bool)> = None;
        let mut outside = 0;
        for here in 0..=length {
            self.here = here;
            self.seen.clear();
            // The output may begin here.
            let begins = here == 0 || here == length || !costs::is_blank(self.output[here]);
            if begins {
                let trace = if here == 0 { 0 } else { self.trace(0, Event::Outside(here as u32)) };
                let key = Key { pc: Pc::START, at: 0, frame: 0, label: LabelId::NONE };
                self.settle(key, here, outside, trace);
            }
            self.heap.extend(self.later[here].drain(..).map(Reverse));
            let mut left = if here == length { 20 * BEAM.0 } else { beam };
            let dearest = self.heap.peek().map_or(0, |Reverse(node)| node.cost + MARGIN);
            while let Some(Reverse(node)) = self.heap.pop() {
                if !self.seen.insert(node.key) {
                    continue;
                }
                if matches!(self.program.op(node.key.pc), Op::Accept) {
                    if done.is_none_or(|(cost, ..)| node.cost < cost) {
                        done = Some((node.cost, node.trace, false));
                    }
                    continue;
                }
                if left == 0
                    || node.cost > dearest
                    || here == length && done.is_some_and(|(cost, ..)| cost <= node.cost)
                {
                    self.heap.clear();
                    break;
                }
                left -= 1;
                self.go_on(node);
            }
            let Some(&byte) = self.output.get(here) else { break };
            outside += costs::outside(byte)
                + if outside < costs::OUTSIDE && !costs::is_blank(byte) { costs::OUTSIDE } else { 0 };
            if let Some((cost, trace, begun)) = &mut done {
                *cost += costs::outside(byte);
                if !*begun && !costs::is_blank(byte) {
                    *cost += costs::OUTSIDE;
                    *begun = true;
                    self.traces.push((*trace, Event::Outside(here as u32)));
                    *trace = self.traces.len() as u32 - 1;
                }
            }
        }
        done.map(|(_, trace, _)| trace)
    }

    fn trace(&mut self, before: u32, event: Event) -> u32 {
        self.traces.push((before, event));
        self.traces.len() as u32 - 1
    }

    fn frame(&mut self, held: Held, below: u32) -> u32 {
        let depth = self.frames.get(below as usize).map_or(0, |frame| frame.depth + 1);
        let frame = Frame { held, below, depth };
        *self.numbers.entry(frame).or_insert_with(|| {
            self.frames.push(frame);
            self.frames.len() as u32 - 1
        })
    }

    fn push(&mut self, key: Key, at: usize, cost: u32, trace: u32) {
        self.order += 1;
        let node = Node { cost, order: self.order, key, trace };
        match at == self.here {
            true if self.seen.contains(&key) => {}
            true => self.heap.push(Reverse(node)),
            false => self.later[at].push(node),
        }
    }

    /// Goes on through all that writes nothing, from the beginning of an operation.
    fn settle(&mut self, key: Key, at: usize, cost: u32, trace: u32) {
        let mut stack = std::mem::take(&mut self.stack);
        stack.push((key, trace));
        let mut left = SILENT;
        while let Some((mut key, mut trace)) = stack.pop() {
            if left == 0 {
                stack.clear();
                break;
            }
            left -= 1;
            match self.program.op(key.pc) {
                Op::Split(targets) => stack.extend(targets.iter().rev().map(|&pc| (Key { pc, ..key }, trace))),
                Op::Jump(pc) => stack.push((Key { pc: *pc, ..key }, trace)),
                Op::Call(pc) => {
                    if self.frames[key.frame as usize].depth < DEEPEST {
                        let frame = self.frame(Held::Return(key.pc.next()), key.frame);
                        stack.push((Key { pc: *pc, frame, ..key }, trace));
                    }
                }
                Op::Return => {
                    let Frame { held, below, .. } = self.frames[key.frame as usize];
                    if let Held::Return(pc) = held {
                        stack.push((Key { pc, frame: below, ..key }, trace));
                    }
                }
                Op::Open => {
                    if self.frames[key.frame as usize].depth < DEEPEST {
                        trace = self.trace(trace, Event::Open);
                        key.frame = self.frame(Held::Entity(key.label), key.frame);
                        key.pc = key.pc.next();
                        stack.push((key, trace));
                    }
                }
                Op::Close => {
                    let Frame { held, below, .. } = self.frames[key.frame as usize];
                    if let Held::Entity(_) = held {
                        trace = self.trace(trace, Event::Close(at as u32));
                        stack.push((Key { pc: key.pc.next(), frame: below, ..key }, trace));
                    }
                }
                Op::Label(label) => {
                    trace = self.trace(trace, Event::Context(*label));
                    stack.push((Key { pc: key.pc.next(), label: *label, ..key }, trace));
                }
                Op::Terminal(Terminal::Skip) => {
                    trace = self.trace(trace, Event::Skip);
                    stack.push((Key { pc: key.pc.next(), ..key }, trace));
                }
                Op::Accept | Op::Literal(_) | Op::Regex(_) | Op::Terminal(_) => self.push(key, at, cost, trace),
            }
        }
        self.stack = stack;
    }

    /// The operation is done before byte `at`.
    fn leave(&mut self, node: &Node, at: usize, cost: u32, trace: u32) {
        let key = Key { pc: node.key.pc.next(), at: 0, ..node.key };
        self.settle(key, at, cost, trace);
    }
}
