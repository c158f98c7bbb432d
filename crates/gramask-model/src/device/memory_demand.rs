//! The memory that decoding needs on a device, and what would fit.

use crate::checkpoint::ModelConfig;

/// The memory that a model and its cache take, by arithmetic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Demand {
    /// Weights, in bytes.
    pub weights: u64,
    /// Keys and values of one position over all layers, in bytes.
    pub position: u64,
    /// Sequences in the cache.
    pub slots: usize,
    /// Positions of each.
    pub length: usize,
    /// What a forward pass of one token per sequence holds besides, in bytes: its logits, twice, and its widest activations.
    pub pass: u64,
}

/// What would fit in place of what was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fits {
    /// So many sequences of the length that was asked for.
    pub slots: usize,
    /// So many positions for the number of sequences that was asked for.
    pub length: usize,
}

impl Demand {
    /// What a model of this shape takes with so many sequences. `weights` is what its weights take, in bytes, and `element`
    /// the bytes of a number in the cache.
    pub fn of(config: &ModelConfig, weights: usize, element: usize, slots: usize, length: usize) -> Demand {
        let heads = 2 * config.layers * config.kv_heads * config.head_width;
        let row = 2 * config.vocabulary + 4 * config.width + 3 * config.hidden;
        Demand {
            weights: weights as u64,
            position: (heads * element) as u64,
            slots,
            length,
            pass: (slots * row * size_of::<f32>()) as u64,
        }
    }

    /// The cache alone, in bytes.
    pub fn cache(&self) -> u64 {
        (self.slots as u64).saturating_mul(self.length as u64).saturating_mul(self.position)
    }

    /// All of it, in bytes.
    pub fn total(&self) -> u64 {
        self.weights.saturating_add(self.cache()).saturating_add(self.pass)
    }

    /// What would fit into so many bytes.
    pub fn fits(&self, memory: u64) -> Fits {
        let left = memory.saturating_sub(self.weights.saturating_add(self.pass));
        let times = |unit: u64| usize::try_from(left / unit.max(1)).unwrap_or(usize::MAX);
        Fits {
            slots: times(self.position.saturating_mul(self.length as u64)),
            length: times(self.position.saturating_mul(self.slots as u64)),
        }
    }

    /// What was asked, and what would fit, in words.
    pub(super) fn told(&self, memory: Option<u64>) -> String {
        let Demand { slots, length, .. } = *self;
        let mut text = format!(
            "{slots} sequences of {length} positions take {} (weights {}, keys and values {}, a pass {})",
            size(self.total()),
            size(self.weights),
            size(self.cache()),
            size(self.pass),
        );
        let Some(memory) = memory else {
            return text + "; fewer sequences (--batch), or shorter prompts and budgets, take less";
        };
        text += &format!(", and it has {}", size(memory));
        let fits = self.fits(memory);
        text += &match fits {
            Fits { slots: 0, length: 0 } => "; not even one short sequence fits beside these weights".into(),
            Fits { slots, length: 0 } => {
                format!("; {slots} sequences of {length} positions would fit", length = self.length)
            }
            Fits { slots: 0, length } => format!("; {} sequences of {length} positions would fit", self.slots),
            // It fits by this arithmetic, and yet it did not: others use the device, or its pages are torn.
            Fits { slots, .. } if slots >= self.slots => {
                "; other programs, or pages that are held, use the rest: take fewer sequences (--batch)".into()
            }
            Fits { slots: fewer, length: shorter } => {
                format!("; {fewer} sequences of {length} positions would fit, or {slots} of {shorter}")
            }
        };
        text
    }
}

/// Bytes for people: in the largest unit that leaves a number above 1.
fn size(bytes: u64) -> String {
    let units = [(30, "GiB"), (20, "MiB"), (10, "KiB")];
    units.into_iter().find(|(shift, _)| bytes >> shift > 0).map_or_else(
        || format!("{bytes} B"),
        |(shift, unit)| format!("{:.1} {unit}", bytes as f64 / (1u64 << shift) as f64),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::Cache;
    use crate::cache::tests::config;
    use burn::tensor::Device;

    #[test]
    fn the_arithmetic_is_that_of_the_cache() {
        let config = config();
        for (slots, length) in [(1, 1), (2, 16), (7, 5)] {
            let demand = Demand::of(&config, 1000, 4, slots, length);
            let cache = Cache::new(&config, slots, length, &Device::flex()).unwrap();
            assert_eq!(demand.cache(), cache.bytes() as u64);
            assert_eq!(demand.total(), 1000 + demand.cache() + demand.pass);
        }
    }

    #[test]
    fn what_fits_fits_and_one_more_does_not() {
        let asked = Demand { weights: 1000, position: 48, slots: 100, length: 64, pass: 500 };
        let memory = 200_000;
        assert!(asked.total() > memory);
        let Fits { slots, length } = asked.fits(memory);
        let total = |slots, length| Demand { slots, length, ..asked }.total();
        assert!(total(slots, 64) <= memory && total(slots + 1, 64) > memory);
        assert!(total(100, length) <= memory && total(100, length + 1) > memory);
        assert_eq!(asked.fits(1200), Fits { slots: 0, length: 0 });
        assert!(asked.told(Some(1200)).contains("not even one"));
        assert!(asked.told(None).contains("--batch"));
    }

    #[test]
    fn sizes_for_people() {
        let sizes = [0, 1023, 1024, 1 << 20, 3 << 29].map(size);
        assert_eq!(sizes, ["0 B", "1023 B", "1.0 KiB", "1.0 MiB", "1.5 GiB"]);
    }
}
