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

/// One token of the batch: it sees the first `length` positions of `slot`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The sequence's place in the cache.
    pub slot: usize,
    /// Positions that it attends to, at least 1.
    pub length: usize,
    /// Another place that holds its first positions.
    pub prefix: Prefix,
}

impl Span {
    /// A token that reads its own slot alone.
    pub fn new(slot: usize, length: usize) -> Self {
        let prefix = Prefix { slot, length: 0 };
        Span { slot, length, prefix }
    }

    /// Whether it lies within a cache of so many slots and positions; `sequence` is its number in the batch.
    pub(crate) fn check(&self, sequence: usize, [slots, capacity]: [usize; 2]) -> Result<(), KernelError> {
        let &Span { slot, length, prefix } = self;
        if slot >= slots || length == 0 || length > capacity {
            return Err(KernelError::Positions { sequence, slot, length, slots, capacity });
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
