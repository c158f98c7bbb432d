//! The shortest completions of positions, which share their ends.

use rustc_hash::FxHashMap;

use super::machine::{Machine, Nearest};
use super::network::StateId;
use super::stacks::StackId;
use crate::completions::{Completions, Letter, TextId};

/// The completions of a machine's nodes.
#[derive(Debug)]
pub(super) struct Shortest {
    pub texts: Completions,
    /// The texts that empty the stacks of a node.
    nodes: FxHashMap<StackId, TextId>,
    /// The texts from a state to the end of its rule, and a text after it.
    states: FxHashMap<(StateId, TextId), TextId>,
}

/// What is done once the rest of a text is known.
#[derive(Clone, Copy)]
enum Then {
    Put(Letter),
    /// What a rule stands for comes before it.
    Call(StateId),
    Keep,
}

impl Shortest {
    pub fn new() -> Shortest {
        Shortest { texts: Completions::new(), nodes: FxHashMap::default(), states: FxHashMap::default() }
    }

    /// The shortest string that empties one of the stacks of a node. Stacks can be deep, so this does not recurse.
    pub fn of(&mut self, machine: &Machine, node: StackId) -> TextId {
        let (mut open, mut at) = (Vec::new(), node);
        let mut text = loop {
            if let Some(known) = self.nodes.get(&at) {
                break *known;
            }
            match machine.nearest_entry(at) {
                None => break TextId::EMPTY,
                Some((state, below)) => {
                    open.push((at, state));
                    at = below;
                }
            }
        };
        while let Some((node, state)) = open.pop() {
            text = self.before(machine, state, text);
            self.nodes.insert(node, text);
        }
        text
    }

    /// The shortest string from a state to the end of its rule, with the text `after` after it.
    fn before(&mut self, machine: &Machine, mut state: StateId, mut after: TextId) -> TextId {
        let mut open: Vec<(StateId, TextId, Then)> = Vec::new();
        loop {
            let mut text = match (self.states.get(&(state, after)), machine.network().nearest(state)) {
                (Some(known), _) => *known,
                (None, Nearest::End) => after,
                (None, Nearest::Letter(letter, next)) => {
                    open.push((state, after, Then::Put(letter)));
                    state = next;
                    continue;
                }
                (None, Nearest::Call(start, next)) => {
                    open.push((state, after, Then::Call(start)));
                    state = next;
                    continue;
                }
            };
            loop {
                let Some((from, end, then)) = open.pop() else { return text };
                match then {
                    Then::Put(letter) => text = self.texts.put(letter, text),
                    Then::Keep => {}
                    Then::Call(start) => {
                        open.push((from, end, Then::Keep));
                        (state, after) = (start, text);
                        break;
                    }
                }
                self.states.insert((from, end), text);
            }
        }
    }
}
