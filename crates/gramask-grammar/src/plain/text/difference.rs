//! The walk over the places of the trie at which two positions differ.

use super::agreement::TextPair;
use super::automaton::{NONE, TextAutomaton};
use super::builder::{PartBuilder, Written};
use super::position::{Position, PositionEdge};
use crate::Vocabulary;
use crate::plain::machine::Machine;
use crate::plain::network::{Network, StateId};
use crate::plain::stacks::StackId;
use crate::vocabulary::Place;

/// A walk gives up after so many places. The small vocabularies of tests reach a smaller number only.
const MOST_PLACES: usize = if cfg!(test) { 300 } else { 8_000 };

/// What is compared: a position, whose part is wanted, and another one, whose part is known.
pub(in crate::plain) trait Pairs {
    type Pair: Copy;

    /// The pair before the first byte.
    fn start(&mut self) -> Self::Pair;
    /// The pair after the first byte; `None` where that can't be told.
    fn first(&mut self, byte: u8) -> Option<Self::Pair> {
        let start = self.start();
        self.step(start, byte)
    }
    /// The pair after a further byte; `None` where that can't be told.
    fn step(&mut self, pair: Self::Pair, byte: u8) -> Option<Self::Pair>;
    /// Whether both read the same strings of up to so many bytes.
    fn same(&mut self, pair: Self::Pair, bytes: usize) -> bool;
    /// Whether each of the two goes on.
    fn lives(&self, pair: Self::Pair) -> (bool, bool);
    /// Whether the rule may have ended in each.
    fn accepts(&self, pair: Self::Pair) -> (bool, bool);
    /// The states in which rules are called, if each of the two is one. The known part then has a call, and nothing below it.
    fn calls(&self, _: Self::Pair) -> (Option<StateId>, Option<StateId>) {
        (None, None)
    }
    /// The pair without the second position.
    fn alone(&self, pair: Self::Pair) -> Self::Pair;
}

/// The part of the first position of a pair, from that of the second one. `None` where they differ too much.
pub(in crate::plain) fn differ<P: Pairs>(pairs: &mut P, vocabulary: &Vocabulary, known: &Written) -> Option<Written> {
    let mut part = PartBuilder::of_part(vocabulary, known);
    let nodes = vocabulary.nodes();
    let mut path = vec![pairs.start(); vocabulary.longest() + 1];
    let (mut at, mut visited) = (0, 0);
    while let Some(node) = nodes.get(at) {
        let depth = usize::from(node.depth);
        let pair = match depth {
            1 => pairs.first(node.byte)?,
            _ => pairs.step(path[depth - 1], node.byte)?,
        };
        let place = at as Place + 1;
        let lives = pairs.lives(pair);
        if lives == (false, false) || pairs.same(pair, usize::from(vocabulary.height(place))) {
            at = node.next as usize;
            continue;
        }
        visited += 1;
        if visited > MOST_PLACES {
            return None;
        }
        if !lives.0 {
            part.forbid_from(place);
            at = node.next as usize;
            continue;
        }
        if !lives.1 {
            part.allow(vocabulary.ids(node));
        }
        let (accepts, known) = pairs.accepts(pair);
        if accepts != known {
            part.set_exit(place, accepts);
        }
        let (calls, known) = pairs.calls(pair);
        if known.is_some() {
            part.no_call(place);
        }
        if let Some(state) = calls {
            part.call(state, place);
            if lives.1 && known.is_none() {
                part.forbid_below(place);
            }
            at = node.next as usize;
            continue;
        }
        path[depth] = if known.is_some() { pairs.alone(pair) } else { pair };
        at += 1;
    }
    Some(part.finish())
}

/// A position of a network, and a text.
pub(super) struct TextPairs<'a, S> {
    pub network: &'a Network,
    pub text: &'a TextAutomaton,
    pub start: TextPair,
    /// Whether a pair agrees for so many bytes.
    pub same: S,
    /// Room for transitions, and of which position they are.
    room: (Option<Position>, Vec<PositionEdge>),
}

impl<'a, S: FnMut(TextPair, usize) -> bool> TextPairs<'a, S> {
    pub fn new(network: &'a Network, text: &'a TextAutomaton, start: TextPair, same: S) -> TextPairs<'a, S> {
        TextPairs { network, text, start, same, room: (None, Vec::new()) }
    }

    /// The position after a byte; `None` where the network is no text.
    fn after(&mut self, position: Option<Position>, byte: u8) -> Option<Option<Position>> {
        let Some(position) = position else { return Some(None) };
        if self.room.0 != Some(position) {
            self.room.0 = None;
            position.edges(self.network, &mut self.room.1).ok()?;
            self.room.0 = Some(position);
        }
        let edge = self.room.1.iter().find(|(first, last, _)| *first <= byte && byte <= *last);
        Some(edge.map(|(_, _, next)| *next))
    }
}

impl<S: FnMut(TextPair, usize) -> bool> Pairs for TextPairs<'_, S> {
    type Pair = TextPair;

    fn start(&mut self) -> TextPair {
        self.start
    }

    fn step(&mut self, (position, other): TextPair, byte: u8) -> Option<TextPair> {
        Some((self.after(position, byte)?, if other == NONE { NONE } else { self.text.step(other, byte) }))
    }

    fn same(&mut self, pair: TextPair, bytes: usize) -> bool {
        (self.same)(pair, bytes)
    }

    fn lives(&self, (position, other): TextPair) -> (bool, bool) {
        (position.is_some(), other != NONE)
    }

    fn accepts(&self, (position, other): TextPair) -> (bool, bool) {
        (position.is_some_and(|position| position.accepts(self.network)), other != NONE && self.text.accepts(other))
    }

    fn alone(&self, (position, _): TextPair) -> TextPair {
        (position, NONE)
    }
}

/// A state above what is not known, which reads the first byte itself, and a position of the same machine.
pub(in crate::plain) struct Nodes<'a> {
    pub machine: &'a mut Machine,
    pub state: StateId,
    pub other: StackId,
}

impl Pairs for Nodes<'_> {
    type Pair = (StackId, StackId);

    fn start(&mut self) -> (StackId, StackId) {
        (StackId::NONE, StackId::NONE)
    }

    fn first(&mut self, byte: u8) -> Option<(StackId, StackId)> {
        let first = self.machine.step_alone(self.state, byte);
        let table = self.machine.table(self.other);
        Some((first, self.machine.step_in(self.other, table, byte)))
    }

    fn step(&mut self, (node, other): (StackId, StackId), byte: u8) -> Option<(StackId, StackId)> {
        let mut step = |node: StackId| match node {
            StackId::NONE | StackId::BOTTOM => StackId::NONE,
            node => {
                let table = self.machine.table(node);
                self.machine.step_in(node, table, byte)
            }
        };
        Some((step(node), step(other)))
    }

    fn same(&mut self, (node, other): (StackId, StackId), _: usize) -> bool {
        node == other
    }

    fn lives(&self, (node, other): (StackId, StackId)) -> (bool, bool) {
        (node != StackId::NONE, other != StackId::NONE)
    }

    fn accepts(&self, (node, other): (StackId, StackId)) -> (bool, bool) {
        (self.machine.accepts(node), self.machine.accepts(other))
    }

    fn calls(&self, (node, other): (StackId, StackId)) -> (Option<StateId>, Option<StateId>) {
        (self.machine.calls_at(node), self.machine.calls_at(other))
    }

    fn alone(&self, (node, _): (StackId, StackId)) -> (StackId, StackId) {
        (node, StackId::NONE)
    }
}
