//! The flat trie of a vocabulary: nodes in the order of a walk, and what is known of each.

use rustc_hash::FxHashMap;

use crate::byte_set::ByteSet;
use crate::text_loops::Utf8;

/// A node of the trie. Children follow their parent; a node's subtree ends at `next`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Node {
    /// One past the subtree.
    pub next: u32,
    /// Where this node's tokens are in `Vocabulary::ids`.
    pub ids: (u32, u32),
    /// The byte that leads here.
    pub byte: u8,
    /// How many bytes lead here.
    pub depth: u16,
}

/// A place in the trie: 0 is the root, `n + 1` is node `n`.
pub(crate) type Place = u32;

/// The children of each place, for walks that know which few bytes they want.
#[derive(Debug, Default)]
pub(super) struct Kids {
    /// By place: where its children are in the two lists below, and one more.
    pub begin: Vec<u32>,
    /// Ascending within a place.
    pub bytes: Vec<u8>,
    pub places: Vec<Place>,
    /// The root's children by byte; 0 is none.
    pub root: Vec<Place>,
    /// By node: which of `sets` holds the bytes below it.
    pub below: Vec<u32>,
    pub sets: Vec<ByteSet>,
    /// By node: a bit for each way in which a character can be begun such that all below goes on with it.
    pub characters: Vec<u8>,
    /// By node: how many bytes further the longest token below it goes.
    pub height: Vec<u16>,
}

impl Kids {
    pub fn new(nodes: &[Node]) -> Kids {
        let mut kids = Kids { begin: vec![0], root: vec![0; 256], ..Kids::default() };
        for place in 0..=nodes.len() {
            let end = match place {
                0 => nodes.len(),
                _ => nodes[place - 1].next as usize,
            };
            let mut at = place;
            while at < end {
                kids.bytes.push(nodes[at].byte);
                kids.places.push(at as Place + 1);
                at = nodes[at].next as usize;
            }
            kids.begin.push(kids.bytes.len() as u32);
        }
        for (byte, place) in kids.bytes.iter().zip(&kids.places).take(kids.begin[1] as usize) {
            kids.root[usize::from(*byte)] = *place;
        }
        kids.find_below(nodes.len());
        kids.find_characters(nodes.len());
        kids
    }

    /// Children follow their parents, so that from the end all below a node is known.
    fn find_below(&mut self, nodes: usize) {
        let mut numbers: FxHashMap<ByteSet, u32> = FxHashMap::default();
        self.below = vec![0; nodes];
        self.height = vec![0; nodes];
        for node in (0..nodes).rev() {
            let mut set = ByteSet::default();
            for at in self.begin[node + 1] as usize..self.begin[node + 2] as usize {
                set.insert(self.bytes[at]);
                self.height[node] = self.height[node].max(self.height[self.places[at] as usize - 1] + 1);
                set.union(&self.sets[self.below[self.places[at] as usize - 1] as usize]);
            }
            self.below[node] = *numbers.entry(set).or_insert_with(|| {
                self.sets.push(set);
                self.sets.len() as u32 - 1
            });
        }
    }

    /// Children follow their parents, so that from the end all below a node is known.
    fn find_characters(&mut self, nodes: usize) {
        let mut fits = vec![u8::MAX; nodes];
        for node in (0..nodes).rev() {
            for at in self.begin[node + 1] as usize..self.begin[node + 2] as usize {
                let below = fits[self.places[at] as usize - 1];
                for begun in Utf8::ALL {
                    let after = begun.next(self.bytes[at]);
                    if after.is_none_or(|after| below >> after as u8 & 1 == 0) {
                        fits[node] &= !(1 << begun as u8);
                    }
                }
            }
        }
        self.characters = fits;
    }
}
