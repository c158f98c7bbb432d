//! The part of a position in a text by a walk over the trie.
//!
//! It is the last resort where a text is near its end, so that most tokens are too long. And it is the way for a text that begins
//! inside a token, of which few tokens remain. Positions become the states of an automaton as the walks meet them.

use rustc_hash::FxHashMap;

use super::automaton::NONE;
use super::builder::{PartBuilder, Written};
use super::position::{NotText, Position, PositionEdge};
use crate::Vocabulary;
use crate::plain::network::Network;
use crate::vocabulary::Place;

/// The positions that walks met, and the steps between them.
#[derive(Debug, Default)]
pub(super) struct Exact {
    positions: Vec<Position>,
    accepts: Vec<bool>,
    numbers: FxHashMap<Position, u16>,
    /// By state, where a walk was there already.
    rows: Vec<Option<Box<[u16; 256]>>>,
    room: Vec<PositionEdge>,
}

/// When there are so many states, the next walk begins without any.
const MOST_STATES: usize = 20_000;

impl Exact {
    fn number(&mut self, network: &Network, position: Position) -> Result<u16, NotText> {
        if let Some(number) = self.numbers.get(&position) {
            return Ok(*number);
        }
        let number = u16::try_from(self.positions.len()).ok().filter(|number| *number != NONE).ok_or(NotText)?;
        self.numbers.insert(position, number);
        self.positions.push(position);
        self.accepts.push(position.accepts(network));
        self.rows.push(None);
        Ok(number)
    }

    fn step(&mut self, network: &Network, state: u16, byte: u8) -> Result<u16, NotText> {
        if let Some(row) = &self.rows[usize::from(state)] {
            return Ok(row[usize::from(byte)]);
        }
        let mut edges = std::mem::take(&mut self.room);
        self.positions[usize::from(state)].edges(network, &mut edges)?;
        let mut row = Box::new([NONE; 256]);
        for &(first, last, next) in &edges {
            row[usize::from(first)..=usize::from(last)].fill(self.number(network, next)?);
        }
        self.room = edges;
        Ok(self.rows[usize::from(state)].insert(row)[usize::from(byte)])
    }

    /// What can be written from a position, below each of these places.
    pub fn part(
        &mut self,
        vocabulary: &Vocabulary,
        network: &Network,
        places: &[Place],
        start: Position,
    ) -> Result<Written, NotText> {
        if self.positions.len() > MOST_STATES {
            *self = Exact::default();
        }
        let start = self.number(network, start)?;
        let mut path = vec![start; vocabulary.longest() + 1];
        let mut part = PartBuilder::empty(vocabulary).whole();
        let nodes = vocabulary.nodes();
        for &place in places {
            let (below, base) = vocabulary.nodes_below(place);
            let (mut at, end) = (below.start, below.end);
            path[base] = start;
            while at < end {
                let node = &nodes[at];
                let depth = usize::from(node.depth);
                let next = self.step(network, path[depth - 1], node.byte)?;
                if next == NONE {
                    at = node.next as usize;
                    continue;
                }
                part.allow(vocabulary.ids(node));
                if self.accepts[usize::from(next)] {
                    part.set_exit(at as Place + 1, true);
                }
                path[depth] = next;
                at += 1;
            }
        }
        Ok(part.finish())
    }
}
