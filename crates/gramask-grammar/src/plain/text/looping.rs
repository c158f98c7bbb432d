//! The tokens that stay in a loop.

use crate::Vocabulary;
use crate::engine::set_bit;
use crate::text_loops::TextLoops;
use crate::vocabulary::Place;

/// The tokens of which each prefix leads from a state to itself, and where other tokens leave the loop.
#[derive(Debug)]
pub(crate) struct LoopTokens {
    /// The tokens that stay, as a bit row.
    pub row: Box<[u32]>,
    /// The places of the first bytes that leave the loop, ascending. All between lies in the loop.
    pub leaves: Box<[Place]>,
}

impl LoopTokens {
    pub fn find(vocabulary: &Vocabulary, loops: &TextLoops) -> LoopTokens {
        let (mut row, mut leaves) = (vec![0; vocabulary.words()], Vec::new());
        let (nodes, mut at) = (vocabulary.nodes(), 0);
        while let Some(node) = nodes.get(at) {
            if loops.hold_from(vocabulary, at) {
                vocabulary.subtree(node).iter().for_each(|token| set_bit(&mut row, *token));
                at = node.next as usize;
            } else if loops.bytes().contains(node.byte) {
                vocabulary.ids(node).iter().for_each(|token| set_bit(&mut row, *token));
                at += 1;
            } else {
                leaves.push(at as Place + 1);
                at = node.next as usize;
            }
        }
        LoopTokens { row: row.into(), leaves: leaves.into() }
    }
}
