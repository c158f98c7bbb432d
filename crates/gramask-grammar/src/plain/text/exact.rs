//! The part of a position in a text by a walk over the whole trie.
//!
//! The last resort, where a text is near its end, so that most tokens are too long. Positions become the states of an automaton
//! as the walk meets them.

use rustc_hash::FxHashMap;

use super::automaton::NONE;
use super::builder::{PartBuilder, Written};
use super::position::{NotText, Position, PositionEdge};
use crate::Vocabulary;
use crate::plain::network::Network;
use crate::vocabulary::Place;

struct Lazy<'n> {
    network: &'n Network,
    positions: Vec<Position>,
    numbers: FxHashMap<Position, u16>,
    /// By state, where the walk was there already.
    rows: Vec<Option<Box<[u16; 256]>>>,
    room: Vec<PositionEdge>,
}

impl Lazy<'_> {
    fn number(&mut self, position: Position) -> Result<u16, NotText> {
        if let Some(number) = self.numbers.get(&position) {
            return Ok(*number);
        }
        let number = u16::try_from(self.positions.len()).ok().filter(|number| *number != NONE).ok_or(NotText)?;
        self.numbers.insert(position, number);
        self.positions.push(position);
        self.rows.push(None);
        Ok(number)
    }

    fn step(&mut self, state: u16, byte: u8) -> Result<u16, NotText> {
        if let Some(row) = &self.rows[usize::from(state)] {
            return Ok(row[usize::from(byte)]);
        }
        let mut edges = std::mem::take(&mut self.room);
        self.positions[usize::from(state)].edges(self.network, &mut edges)?;
        let mut row = Box::new([NONE; 256]);
        for &(first, last, next) in &edges {
            row[usize::from(first)..=usize::from(last)].fill(self.number(next)?);
        }
        self.room = edges;
        Ok(self.rows[usize::from(state)].insert(row)[usize::from(byte)])
    }
}

/// What can be written from a position.
pub(super) fn exact(vocabulary: &Vocabulary, network: &Network, start: Position) -> Result<Written, NotText> {
    let mut lazy =
        Lazy { network, positions: Vec::new(), numbers: FxHashMap::default(), rows: Vec::new(), room: Vec::new() };
    let start = lazy.number(start)?;
    let mut path = vec![start; vocabulary.longest() + 1];
    let mut part = PartBuilder::empty(vocabulary);
    let (nodes, mut at) = (vocabulary.nodes(), 0);
    while let Some(node) = nodes.get(at) {
        let depth = usize::from(node.depth);
        let next = lazy.step(path[depth - 1], node.byte)?;
        if next == NONE {
            at = node.next as usize;
            continue;
        }
        part.allow(vocabulary.ids(node));
        if lazy.positions[usize::from(next)].accepts(network) {
            part.set_exit(at as Place + 1, true);
        }
        path[depth] = next;
        at += 1;
    }
    Ok(part.finish())
}
