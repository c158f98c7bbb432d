//! Which positions of the cache a token attends to.

use crate::error::KernelError;

/// The sizes of a cache: keys and values are each `[slots, kv_heads, capacity, dim]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CacheShape {
    /// The number of sequences.
    pub slots: usize,
    /// Key heads; the query heads are split evenly among them.
    pub kv_heads: usize,
    /// Positions of a slot.
    pub capacity: usize,
    /// Length of a key, and of a value.
    pub dim: usize,
}

impl CacheShape {
    /// Rows of the keys, and of the values.
    pub(crate) fn rows(&self) -> usize {
        self.slots.saturating_mul(self.kv_heads).saturating_mul(self.capacity)
    }
}

/// One token of the batch: it sees the positions `start..length` of `slot`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The sequence's place in the cache.
    pub slot: usize,
    /// The first position that it attends to: 0, or more under a sliding window.
    pub start: usize,
    /// One past the last position that it attends to.
    pub length: usize,
    /// Another place that holds its first positions.
    pub prefix: Prefix,
}

impl Span {
    /// A token that sees the first `length` positions of its slot, and reads that slot alone.
    pub fn new(slot: usize, length: usize) -> Self {
        let prefix = Prefix { slot, length: 0 };
        Span { slot, start: 0, length, prefix }
    }

    /// The same token under a sliding window: it sees the last `window` positions of them.
    pub fn within(self, window: Option<usize>) -> Self {
        Span { start: window.map_or(0, |window| self.length.saturating_sub(window)), ..self }
    }

    /// Whether it lies within a cache of so many slots and positions; `sequence` is its number in the batch.
    pub(crate) fn check(&self, sequence: usize, [slots, capacity]: [usize; 2]) -> Result<(), KernelError> {
        let &Span { slot, start, length, prefix } = self;
        if slot >= slots || start >= length || length > capacity {
            return Err(KernelError::Positions { sequence, slot, start, length, slots, capacity });
        }
        if prefix.length > length || prefix.slot >= slots {
            return Err(KernelError::Prefix { sequence, slot: prefix.slot, shared: prefix.length, length, slots });
        }
        Ok(())
    }
}

/// The first `length` positions of `slot`, which hold the same keys and values as those of another slot that refers to them.
/// The caller promises that they do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prefix {
    /// The slot that they are read from.
    pub slot: usize,
    /// The number of positions; 0 for none.
    pub length: usize,
}
