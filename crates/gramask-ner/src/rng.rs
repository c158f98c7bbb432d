//! Pseudorandom numbers, the same on every machine.

/// SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014, figure 16).
///
/// For resampling and for tests, not for secrets.
///
/// ```
/// use gramask_ner::Rng;
/// let (mut first, mut second) = (Rng::new(7), Rng::new(7));
/// assert_eq!(first.next(), second.next());
/// assert!(first.below(6) < 6);
/// ```
#[derive(Clone, Debug)]
pub struct Rng(u64);

impl Rng {
    /// The sequence of a seed.
    pub fn new(seed: u64) -> Rng {
        Rng(seed)
    }

    /// The sequence of a seed and a purpose, so that it does not depend on the order in which purposes come.
    pub fn for_purpose(seed: u64, names: &[&str]) -> Rng {
        // FNV-1a, with a byte that no text holds after each name.
        let bytes = names.iter().flat_map(|name| name.bytes().chain([0xff]));
        let hash =
            bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        Rng(seed ^ hash)
    }

    /// The next 64 bits.
    #[allow(clippy::should_implement_trait)] // it never ends
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    /// A number below `n`, or 0 where `n` is 0. By multiplication: the bias is below `n / 2^64`.
    pub fn below(&mut self, n: usize) -> usize {
        ((u128::from(self.next()) * n as u128) >> 64) as usize
    }

    /// One of `items`, which must not be empty.
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }

    /// Which `number` of `0..of` are drawn; all where there are no more.
    pub fn sample(&mut self, number: usize, of: usize) -> Vec<bool> {
        let mut left = number.min(of);
        let mut drawn = vec![false; of];
        for (at, drawn) in drawn.iter_mut().enumerate() {
            // With this chance for each, all subsets are equally likely (Knuth, TAOCP 2, 3.4.2, algorithm S).
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

    /// The first numbers of seed 1234567, as the reference implementation prints them.
    #[test]
    fn agrees_with_the_reference_implementation() {
        let mut rng = Rng::new(1_234_567);
        let expected = [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423];
        assert_eq!([rng.next(), rng.next(), rng.next()], expected);
    }

    #[test]
    fn as_many_as_asked_are_drawn() {
        let mut rng = Rng::for_purpose(1, &["a", "b"]);
        for (number, of) in [(0, 5), (3, 5), (5, 5), (usize::MAX, 7), (2, 0)] {
            let drawn = rng.sample(number, of);
            assert_eq!(drawn.len(), of);
            assert_eq!(drawn.iter().filter(|drawn| **drawn).count(), number.min(of));
        }
    }

    #[test]
    fn purposes_have_sequences_of_their_own() {
        let first = |names: &[&str]| Rng::for_purpose(7, names).next();
        assert_eq!(first(&["ab", "c"]), first(&["ab", "c"]));
        assert_ne!(first(&["ab", "c"]), first(&["a", "bc"]));
    }
}
