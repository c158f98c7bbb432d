//! Random numbers that are a function of where they are used, not of when.
//!
//! A generator with a state gives other numbers to a document when its batch changes. Here the number is Philox-4x32-10 (Salmon,
//! Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011, section 3.3). It depends on the key *seed* and
//! the counter *(document, position)*, and on nothing else.

/// The two multipliers of Philox-4x32.
pub(super) const MULTIPLIERS: [u32; 2] = [0xD251_1F53, 0xCD9E_8D57];
/// The Weyl constants that are added to the key after each round: the golden ratio, and the square root of 3 less 1.
pub(super) const WEYL: [u32; 2] = [0x9E37_79B9, 0xBB67_AE85];

/// Ten rounds of Philox-4x32 on one counter.
fn philox(mut counter: [u32; 4], mut key: [u32; 2]) -> [u32; 4] {
    for _ in 0..10 {
        let left = u64::from(MULTIPLIERS[0]) * u64::from(counter[0]);
        let right = u64::from(MULTIPLIERS[1]) * u64::from(counter[2]);
        counter = [
            (right >> 32) as u32 ^ counter[1] ^ key[0],
            right as u32,
            (left >> 32) as u32 ^ counter[3] ^ key[1],
            left as u32,
        ];
        key = [key[0].wrapping_add(WEYL[0]), key[1].wrapping_add(WEYL[1])];
    }
    counter
}

/// The place of one random number: which document, and which token of its output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Draw {
    /// A number that stands for the document.
    pub document: u64,
    /// The number of tokens of the output that come before, below 2^32.
    pub position: u64,
}

impl Draw {
    /// An independent second draw for the same token.
    pub fn again(self) -> Draw {
        Draw { position: self.position | 1 << 63, ..self }
    }

    /// The draw of the same position in another lane, of 65,536; lane 0 is this one.
    pub fn lane(self, lane: usize) -> Draw {
        Draw { position: self.position | (lane as u64 & 0xFFFF) << 32, ..self }
    }

    /// The draw of the same position in another attempt at the output, of 16,384; attempt 0 is this one.
    pub fn attempt(self, attempt: usize) -> Draw {
        Draw { position: self.position | (attempt as u64 & 0x3FFF) << 48, ..self }
    }

    /// The 64 random bits of this place under a seed.
    pub fn bits(self, seed: u64) -> u64 {
        let counter =
            [self.document as u32, (self.document >> 32) as u32, self.position as u32, (self.position >> 32) as u32];
        let [low, high, ..] = philox(counter, [seed as u32, (seed >> 32) as u32]);
        u64::from(high) << 32 | u64::from(low)
    }

    /// The same as a number in `[0, 1)`, in steps of 2^-53.
    pub fn uniform(self, seed: u64) -> f64 {
        (self.bits(seed) >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The known answers of the authors' own test suite (Random123, `kat_vectors`, philox4x32 with 10 rounds).
    #[test]
    fn known_answers() {
        assert_eq!(philox([0; 4], [0; 2]), [0x6627_E8D5, 0xE169_C58D, 0xBC57_AC4C, 0x9B00_DBD8]);
        assert_eq!(philox([u32::MAX; 4], [u32::MAX; 2]), [0x408F_276D, 0x41C8_3B0E, 0xA20B_C7C6, 0x6D54_51FD]);
        assert_eq!(
            philox([0x243F_6A88, 0x85A3_08D3, 0x1319_8A2E, 0x0370_7344], [0xA409_3822, 0x299F_31D0]),
            [0xD16C_FE09, 0x94FD_CCEB, 0x5001_E420, 0x2412_6EA1]
        );
    }

    /// Mean and variance of a uniform variable are 1/2 and 1/12; five standard errors of either side.
    #[test]
    fn draws_are_uniform_over_documents_and_positions() {
        let n = 40_000u64;
        for by_document in [false, true] {
            let draws: Vec<f64> =
                (0..n)
                    .map(|i| {
                        if by_document { Draw { document: i, position: 3 } } else { Draw { document: 7, position: i } }
                    })
                    .map(|draw| draw.uniform(42))
                    .collect();
            assert!(draws.iter().all(|draw| (0.0..1.0).contains(draw)));
            let mean = draws.iter().sum::<f64>() / n as f64;
            let variance = draws.iter().map(|draw| (draw - mean).powi(2)).sum::<f64>() / n as f64;
            assert!((mean - 0.5).abs() < 5.0 * (1.0 / 12.0 / n as f64).sqrt(), "mean {mean}");
            assert!((variance - 1.0 / 12.0).abs() < 5.0 * (1.0 / 180.0 / n as f64).sqrt(), "variance {variance}");
        }
    }

    #[test]
    fn seed_document_and_position_all_count() {
        let draw = Draw { document: 1, position: 1 };
        assert_eq!(draw.uniform(1), draw.uniform(1));
        assert_ne!(draw.uniform(1), draw.uniform(2));
        assert_ne!(draw.uniform(1), draw.uniform(1 << 32));
        assert_ne!(draw.uniform(1), draw.again().uniform(1));
        assert_eq!(draw.lane(0).attempt(0), draw);
        assert_ne!(draw.uniform(1), draw.lane(1).uniform(1));
        assert_ne!(draw.lane(1).uniform(1), draw.attempt(1).uniform(1));
        assert_ne!(draw.attempt(1).uniform(1), draw.attempt(2).uniform(1));
        assert_ne!(draw.uniform(1), Draw { document: 1 << 32, position: 1 }.uniform(1));
        assert_ne!(draw.uniform(1), Draw { document: 1, position: 1 << 32 }.uniform(1));
    }
}
