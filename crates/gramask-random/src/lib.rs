//! Pseudorandom numbers that follow from a seed, and the hash that turns names into seeds. Both are the same on every machine.
//!
//! Everything that is drawn on the host uses this one generator. This covers bootstraps and shuffles of statistics, initial
//! weights, dropout, the order of training documents, and the inputs of tests. Sampled tokens do not: they are drawn by place, on
//! every device alike (`gramask_kernels::sampling::Draw`).

/// SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014, figure 16).
///
/// Not for secrets.
///
/// ```
/// use gramask_random::Rng;
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
        let mut hash = Fnv::new();
        for name in names {
            hash.write(name.as_bytes());
            // A byte that no text holds.
            hash.write(&[0xff]);
        }
        Rng(seed ^ hash.get())
    }

    /// The sequence at an address, such as a run's seed, a step and a layer. Each address has a sequence of its own.
    pub fn at(address: &[u64]) -> Rng {
        let mut state = Rng(0);
        for &part in address {
            state.0 ^= part;
            state.0 = state.next();
        }
        state
    }

    /// The next 64 bits.
    #[allow(clippy::should_implement_trait)] // it never ends
    pub fn next(&mut self) -> u64 {
        let next = mix(self.0);
        self.0 = self.0.wrapping_add(GOLDEN);
        next
    }

    /// A number below `n`, or 0 where `n` is 0. By multiplication: the bias is below `n / 2^64`.
    pub fn below(&mut self, n: usize) -> usize {
        ((u128::from(self.next()) * n as u128) >> 64) as usize
    }

    /// Uniform in `[0, 1)`, in steps of 2^-53.
    pub fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// From the standard normal distribution (Box and Muller 1958).
    pub fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.unit()).cos()
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

    /// Shuffles in place (Fisher and Yates, as in Knuth, TAOCP 2, 3.4.2, algorithm P).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            let other = self.below(last + 1);
            items.swap(last, other);
        }
    }
}

/// 2^64 divided by the golden ratio, as an odd number.
const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

/// The output function of SplitMix64: a bijection that scatters bits. `mix(seed)` is the first number of the sequence of `seed`.
pub fn mix(x: u64) -> u64 {
    let x = x.wrapping_add(GOLDEN);
    let x = (x ^ x >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let x = (x ^ x >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ x >> 31
}

/// The 64-bit FNV-1a hash of bytes that come in pieces (Fowler, Noll and Vo). It tells names apart; it is not cryptographic.
#[derive(Clone, Copy, Debug)]
pub struct Fnv(u64);

impl Fnv {
    /// Of no bytes.
    pub const fn new() -> Fnv {
        Fnv(0xCBF2_9CE4_8422_2325)
    }

    /// The 64-bit FNV-1a hash of these bytes.
    pub fn hash(bytes: &[u8]) -> u64 {
        let mut hash = Fnv::new();
        hash.write(bytes);
        hash.get()
    }

    /// Adds bytes.
    pub fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3);
        }
    }

    /// The hash of all bytes so far.
    pub fn get(self) -> u64 {
        self.0
    }
}

impl Default for Fnv {
    fn default() -> Self {
        Fnv::new()
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
        assert_eq!(mix(1_234_567), expected[0]);
    }

    /// The published values.
    #[test]
    fn the_hash_is_fnv_1a() {
        let known = [("", 0xCBF2_9CE4_8422_2325), ("a", 0xAF63_DC4C_8601_EC8C), ("foobar", 0x8594_4171_F739_67E8)];
        for (text, hash) in known {
            assert_eq!(Fnv::hash(text.as_bytes()), hash, "{text:?}");
        }
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
    fn purposes_and_addresses_have_sequences_of_their_own() {
        let first = |names: &[&str]| Rng::for_purpose(7, names).next();
        assert_eq!(first(&["ab", "c"]), first(&["ab", "c"]));
        assert_ne!(first(&["ab", "c"]), first(&["a", "bc"]));
        let first = |address: &[u64]| Rng::at(address).next();
        assert_eq!(first(&[1, 2]), first(&[1, 2]));
        assert_ne!(first(&[1, 2]), first(&[2, 1]));
        assert_ne!(first(&[1]), first(&[1, 0]));
    }

    #[test]
    fn normal_numbers_have_mean_0_and_variance_1() {
        let mut rng = Rng::at(&[7]);
        let drawn: Vec<f64> = (0..20_000).map(|_| rng.normal()).collect();
        let mean = drawn.iter().sum::<f64>() / 20_000.0;
        let variance = drawn.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 20_000.0;
        assert!(mean.abs() < 0.03 && (variance - 1.0).abs() < 0.05, "{mean} {variance}");
    }

    #[test]
    fn a_shuffle_keeps_all() {
        let mut items: Vec<usize> = (0..50).collect();
        Rng::at(&[3]).shuffle(&mut items);
        assert_ne!(items, (0..50).collect::<Vec<_>>());
        items.sort();
        assert_eq!(items, (0..50).collect::<Vec<_>>());
    }
}
