//! The two searches of the writer. Both look at each attempt ([`Pen`]) once, so that a repeat that writes nothing of the
//! document ends, and both stop at a limit.
//!
//! - The output of a format, which has entities or copies the document, is the first one in the order of its alternatives. The search goes depth first. A rule is not begun
//!   inside itself before something of the document is written.
//! - Any other grammar writes its shortest output. The search is A*, with the bytes that the rest of the
//!   grammar writes at least. It also finds the rare output of a format in which a rule must be inside itself with nothing
//!   written of the document between.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use rustc_hash::{FxHashMap, FxHashSet};

use super::pen::{Desk, Pen};
use super::{Gold, WriteError};
use crate::liveness::least_bytes;
use crate::program::{Op, Program};
use crate::source::Source;

/// How many attempts a search looks at, beside some for each part of the document and each entity.
const LIMIT: usize = 200_000;
/// How many more for each of them.
const LIMIT_PER_PART: usize = 64;

/// What a search found.
enum Search {
    Found(Vec<u8>),
    /// There is no output.
    None,
    /// There is no output where a rule isn't begun inside itself; or the limit was reached.
    Unknown,
}

/// Writes one set of entities.
pub(super) struct Writer<'a> {
    pub program: &'a Program,
    pub source: &'a Source,
    pub golds: &'a [Gold],
    pub desk: Desk,
    /// The bytes from each operation to the end of its rule at least.
    pub least: Vec<i64>,
}

/// An attempt of the shortest search: where it came from, and the bytes since then.
struct Node {
    pen: Pen,
    from: usize,
    piece: Box<[u8]>,
}

impl<'a> Writer<'a> {
    pub fn new(program: &'a Program, source: &'a Source, golds: &'a [Gold]) -> Self {
        Writer { program, source, golds, desk: Desk::new(golds.len()), least: least_bytes(program) }
    }

    /// The output; `None` where there is none.
    ///
    /// # Errors
    /// The search reached its limit.
    pub fn run(mut self) -> Result<Option<Vec<u8>>, WriteError> {
        let limit = LIMIT + LIMIT_PER_PART * (self.source.elements.len() + self.golds.len());
        if self.program.format().grammar.entity.is_some() || self.program.cursor {
            match self.first(limit) {
                Search::Found(output) => return Ok(Some(output)),
                Search::None => return Ok(None),
                Search::Unknown => {}
            }
        }
        match self.shortest(limit) {
            Search::Found(output) => Ok(Some(output)),
            Search::None => Ok(None),
            Search::Unknown => {
                let format = self.program.format().name.clone();
                Err(WriteError::Limit { format, entities: self.golds.len(), limit })
            }
        }
    }

    /// The first output in the order of the alternatives.
    fn first(&mut self, limit: usize) -> Search {
        let program = self.program;
        let (mut seen, mut pruned) = (FxHashSet::default(), false);
        let mut output = Vec::new();
        // Each choice with the length to which the output is cut when it is taken.
        let mut choices = vec![(Pen::START, 0)];
        while let Some((mut pen, length)) = choices.pop() {
            output.truncate(length);
            loop {
                match program.op(pen.pc) {
                    Op::Accept if self.is_done(&pen) => return Search::Found(output),
                    Op::Split(targets) => {
                        if seen.len() == limit {
                            return Search::Unknown;
                        }
                        if !seen.insert(pen) {
                            break;
                        }
                        choices.extend(targets[1..].iter().rev().map(|&pc| (pen.at(pc), output.len())));
                        pen.pc = targets[0];
                        continue;
                    }
                    Op::Call(target) if self.desk.goes_round(&pen, *target) => {
                        pruned = true;
                        break;
                    }
                    _ => {}
                }
                if self.write(&mut pen, &mut output).is_none() {
                    break;
                }
            }
        }
        if pruned { Search::Unknown } else { Search::None }
    }

    /// The shortest output. Of equally short ones the one that the search comes to first, the earlier alternatives first.
    fn shortest(&mut self, limit: usize) -> Search {
        let program = self.program;
        let mut nodes = vec![Node { pen: Pen::START, from: 0, piece: Box::default() }];
        let mut best: FxHashMap<Pen, usize> = [(Pen::START, 0)].into_iter().collect();
        // The whole length at least, the length so far (the longer one is nearer to the end), and the node.
        let mut heap = BinaryHeap::from([(Reverse(0), 0, Reverse(0))]);
        while let Some((_, length, Reverse(number))) = heap.pop() {
            let pen = nodes[number].pen;
            if best[&pen] < length {
                continue;
            }
            match program.op(pen.pc) {
                Op::Accept => return Search::Found(spell(&nodes, number)),
                Op::Split(targets) => {
                    for &pc in targets {
                        self.reach(pen.at(pc), (number, length), &mut nodes, &mut best, &mut heap);
                    }
                }
                // Only the first node stands before another operation.
                _ => self.reach(pen, (number, length), &mut nodes, &mut best, &mut heap),
            }
            if nodes.len() > limit {
                return Search::Unknown;
            }
        }
        Search::None
    }

    /// Writes from `pen` to the next choice or to the end, and adds a node there.
    fn reach(
        &mut self,
        mut pen: Pen,
        (from, length): (usize, usize),
        nodes: &mut Vec<Node>,
        best: &mut FxHashMap<Pen, usize>,
        heap: &mut BinaryHeap<(Reverse<i64>, usize, Reverse<usize>)>,
    ) {
        let mut piece = Vec::new();
        loop {
            match self.program.op(pen.pc) {
                Op::Accept if !self.is_done(&pen) => return,
                Op::Accept | Op::Split(_) => break,
                _ if self.write(&mut pen, &mut piece).is_none() => return,
                _ => {}
            }
        }
        let reached = length + piece.len();
        if best.get(&pen).is_none_or(|known| reached < *known) {
            best.insert(pen, reached);
            let whole =
                (reached as i64).saturating_add(self.least[pen.pc.index()]).saturating_add(self.desk.rest(&pen));
            heap.push((Reverse(whole), reached, Reverse(nodes.len())));
            nodes.push(Node { pen, from, piece: piece.into() });
        }
    }
}

/// The output that leads to a node.
fn spell(nodes: &[Node], mut number: usize) -> Vec<u8> {
    let mut pieces = Vec::new();
    while number != 0 {
        pieces.push(&*nodes[number].piece);
        number = nodes[number].from;
    }
    pieces.into_iter().rev().flatten().copied().collect()
}
