//! Numbers that look random, the same on every machine.

/// SplitMix64 (Steele, Lea and Flood 2014).
pub(super) struct Dice(u64);

impl Dice {
    /// Dice of a seed and of what they are thrown for, so that the order of the work does not matter.
    pub(super) fn of(seed: u64, names: &[&str]) -> Dice {
        // FNV-1a, with a byte that no text holds between the names.
        let bytes = names.iter().flat_map(|name| name.bytes().chain([0xff]));
        let hash =
            bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        Dice(seed ^ hash)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Below `limit`; 0 where that is 0.
    pub(super) fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit.max(1) as u64) as usize
    }

    /// Which `number` of `0..of` are drawn; all where there are no more.
    pub(super) fn draw(&mut self, number: usize, of: usize) -> Vec<bool> {
        let mut left = number.min(of);
        let mut drawn = vec![false; of];
        for (at, drawn) in drawn.iter_mut().enumerate() {
            // Each is taken with the chance that makes all subsets alike (Knuth, TAOCP 2, 3.4.2, algorithm S).
            if left > 0 && self.below(of - at) < left {
                *drawn = true;
                left -= 1;
            }
        }
        drawn
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_as_asked_are_drawn() {
        let mut dice = Dice::of(1, &["a", "b"]);
        for (number, of) in [(0, 5), (3, 5), (5, 5), (usize::MAX, 7), (2, 0)] {
            let drawn = dice.draw(number, of);
            assert_eq!(drawn.len(), of);
            assert_eq!(drawn.iter().filter(|drawn| **drawn).count(), number.min(of));
        }
        let first = |names: &[&str]| Dice::of(7, names).next();
        assert_eq!(first(&["ab", "c"]), first(&["ab", "c"]));
        assert_ne!(first(&["ab", "c"]), first(&["a", "bc"]));
    }
}
