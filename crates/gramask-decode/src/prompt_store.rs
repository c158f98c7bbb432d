//! Prompts that several runs of the batch loop have in common: computed once, kept, and restored.
//!
//! The cells of an experiment that differ only in level or strategy use the same prompts. On a CPU the prompt takes half of a short
//! document's time. A store keeps the cache of each prompt after the shared prefix. The time of the prompt is kept with it, and
//! counted again whenever the prompt is restored, in [`Times::restored`](crate::Times). So rates can be computed as if each
//! run had computed its prompts itself.

use std::any::Any;
use std::collections::HashMap;
use std::fmt;
use std::ops::Range;
use std::time::Duration;

/// A part of a slot of a model's cache. Only the model that made it knows its contents.
pub struct Saved {
    /// The positions.
    pub positions: Range<usize>,
    /// The memory that it takes.
    pub bytes: usize,
    /// Keys and values, or whatever the model's cache holds.
    pub state: Box<dyn Any>,
}

impl fmt::Debug for Saved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Saved").field("positions", &self.positions).field("bytes", &self.bytes).finish_non_exhaustive()
    }
}

/// Prompts by their tokens, of one model. When the memory that it may take is full, further prompts are not kept, and the loop
/// computes them each time.
#[derive(Debug)]
pub struct PromptStore {
    kept: HashMap<Vec<u32>, Kept>,
    bytes: usize,
    most: usize,
}

#[derive(Debug)]
pub(crate) struct Kept {
    pub saved: Saved,
    /// The forward passes over the prompt, as far as they were its own.
    pub spent: Duration,
}

impl PromptStore {
    /// An empty store that may take `most` bytes.
    pub fn new(most: usize) -> Self {
        PromptStore { kept: HashMap::new(), bytes: 0, most }
    }

    /// How many prompts it holds.
    pub fn len(&self) -> usize {
        self.kept.len()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// The memory that they take, in bytes; the prompts' own tokens not counted.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// A prompt, if it can be put after `shared` tokens of it.
    pub(crate) fn get(&self, prompt: &[u32], shared: usize) -> Option<&Kept> {
        self.kept.get(prompt).filter(|kept| kept.saved.positions.start <= shared && kept.saved.positions.end > shared)
    }

    /// Whether a prompt is there, or there is no room for more.
    pub(crate) fn wants(&self, prompt: &[u32]) -> bool {
        self.bytes < self.most && !self.kept.contains_key(prompt)
    }

    /// Keeps a prompt, where there is room.
    pub(crate) fn keep(&mut self, prompt: Vec<u32>, kept: Kept) {
        if self.bytes + kept.saved.bytes > self.most {
            return;
        }
        self.bytes += kept.saved.bytes;
        if let Some(before) = self.kept.insert(prompt, kept) {
            self.bytes -= before.saved.bytes;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(positions: Range<usize>, bytes: usize) -> Kept {
        let saved = Saved { positions, bytes, state: Box::new(()) };
        Kept { saved, spent: Duration::from_millis(1) }
    }

    #[test]
    fn a_store_keeps_what_fits() {
        let mut store = PromptStore::new(100);
        assert!(store.is_empty() && store.wants(&[1, 2, 3]));
        store.keep(vec![1, 2, 3], kept(1..2, 60));
        assert!(!store.wants(&[1, 2, 3]) && store.wants(&[1, 2, 4]));
        store.keep(vec![1, 2, 4], kept(1..2, 60));
        assert_eq!((store.len(), store.bytes()), (1, 60), "no room for a second one of 60");
        store.keep(vec![1, 2, 5], kept(1..2, 40));
        assert_eq!((store.len(), store.bytes()), (2, 100));
        assert!(!store.wants(&[1, 2, 6]), "full");
        store.keep(vec![1, 2, 5], kept(0..2, 30));
        assert_eq!((store.len(), store.bytes()), (2, 100), "the old one would have to go first");
    }

    #[test]
    fn a_prompt_is_taken_only_where_it_joins_and_adds_something() {
        let mut store = PromptStore::new(100);
        store.keep(vec![1, 2, 3, 4], kept(2..3, 1));
        assert!(store.get(&[1, 2, 3, 4], 1).is_none(), "a gap");
        assert!(store.get(&[1, 2, 3, 4], 2).is_some());
        assert!(store.get(&[1, 2, 3, 4], 3).is_none(), "nothing new");
        assert!(store.get(&[1, 2, 3], 2).is_none(), "another prompt");
    }
}
