//! The slots that begin with the same keys and values because these were copied: mostly a prompt's instruction and examples.
//!
//! Attention can then read the source of the copy once for all sequences ([`gramask_kernels::attention::Prefix`]). Each slot also has
//! its own copy, so no result depends on this. What is noted here must be true, but need not be complete.

use std::ops::Range;

use gramask_kernels::attention::Prefix;

/// For each slot, another slot that holds the same first positions. That other one refers to no third.
#[derive(Clone, Debug)]
pub(super) struct SharedPrefixes(Vec<Prefix>);

impl SharedPrefixes {
    /// Slots that have nothing in common.
    pub fn new(slots: usize) -> Self {
        SharedPrefixes((0..slots).map(|slot| Prefix { slot, length: 0 }).collect())
    }

    /// Where the first positions of a slot, which exists, can be read as well.
    pub fn of(&self, slot: usize) -> Prefix {
        self.0[slot]
    }

    /// Positions of a slot from `first` on change, or are given up.
    pub fn change(&mut self, slot: usize, first: usize) {
        for (other, origin) in self.0.iter_mut().enumerate() {
            if other == slot || origin.slot == slot {
                origin.length = origin.length.min(first);
            }
        }
    }

    /// Slot `to`, which had the positions before the range in common with slot `from`, has become what `from` is up to the
    /// range's end.
    pub fn copy(&mut self, from: usize, to: usize, range: Range<usize>) {
        if from == to {
            return self.change(to, range.end);
        }
        self.change(to, range.start);
        if range.start > 0 {
            return;
        }
        let origin = self.of(from);
        self.0[to] = match origin.length {
            0 => Prefix { slot: from, length: range.end },
            shared => Prefix { slot: origin.slot, length: shared.min(range.end) },
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What can be done to slots, as far as it matters here.
    #[derive(Clone, Debug)]
    enum Deed {
        Append(usize, usize),
        Truncate(usize, usize),
        /// The positions of a range, from one slot to another that has those before it.
        Copy([usize; 2], usize, usize),
    }

    fn deeds() -> impl Strategy<Value = Vec<Deed>> {
        let slot = 0usize..4;
        prop::collection::vec(
            prop_oneof![
                (slot.clone(), 1usize..5).prop_map(|(slot, count)| Deed::Append(slot, count)),
                (slot.clone(), 0usize..12).prop_map(|(slot, length)| Deed::Truncate(slot, length)),
                (slot.clone(), slot, 0usize..12, 0usize..12).prop_map(|(from, to, start, end)| Deed::Copy(
                    [from, to],
                    start,
                    end
                )),
            ],
            1..40,
        )
    }

    proptest! {
        /// Slots as lists of numbers of which each write makes new ones: what is said to be the same is the same.
        #[test]
        fn what_is_noted_is_true(deeds in deeds()) {
            let mut slots: Vec<Vec<u32>> = vec![Vec::new(); 4];
            let mut shared_prefixes = SharedPrefixes::new(4);
            let mut fresh = 0..;
            for deed in deeds {
                match deed {
                    Deed::Append(slot, count) => slots[slot].extend(fresh.by_ref().take(count)),
                    Deed::Truncate(slot, length) if length <= slots[slot].len() => {
                        slots[slot].truncate(length);
                        shared_prefixes.change(slot, length);
                    }
                    // As a beam does: what stands before the range is the same in both.
                    Deed::Copy([from, to], start, end)
                        if end <= slots[from].len() && start <= end
                            && slots[to].len() >= start && slots[to][..start] == slots[from][..start] =>
                    {
                        slots[to] = slots[from][..end].to_vec();
                        shared_prefixes.copy(from, to, start..end);
                    }
                    _ => {}
                }
                for (slot, held) in slots.iter().enumerate() {
                    let Prefix { slot: other, length } = shared_prefixes.of(slot);
                    prop_assert!(length <= held.len() && length <= slots[other].len());
                    prop_assert_eq!(&held[..length], &slots[other][..length]);
                }
            }
        }
    }

    #[test]
    fn copies_of_a_copy_refer_to_the_first() {
        let mut shared_prefixes = SharedPrefixes::new(4);
        shared_prefixes.copy(3, 0, 0..9);
        shared_prefixes.copy(0, 1, 0..12);
        shared_prefixes.copy(0, 2, 0..5);
        let of =
            |shared_prefixes: &SharedPrefixes, slot| (shared_prefixes.of(slot).slot, shared_prefixes.of(slot).length);
        assert_eq!(of(&shared_prefixes, 0), (3, 9));
        assert_eq!(of(&shared_prefixes, 1), (3, 9));
        assert_eq!(of(&shared_prefixes, 2), (3, 5));
        // The first changes, and with it all that is said of the others.
        shared_prefixes.change(3, 4);
        assert_eq!(of(&shared_prefixes, 1), (3, 4));
        shared_prefixes.change(1, 2);
        assert_eq!((of(&shared_prefixes, 1), of(&shared_prefixes, 2)), ((3, 2), (3, 4)));
        // A copy of what refers to it makes a slot refer to that, and never to itself.
        shared_prefixes.copy(0, 3, 0..4);
        assert_eq!(of(&shared_prefixes, 3), (0, 4));
        assert_eq!([0, 1, 2].map(|slot| shared_prefixes.of(slot).length), [0; 3]);
    }
}
