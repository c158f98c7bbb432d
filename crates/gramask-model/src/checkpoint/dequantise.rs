//! The block formats of quantised tensors, as ggml lays them out.
//!
//! A row of a quantised matrix is a sequence of blocks. A block holds the small integers of 32 or 256 weights, and the scales
//! that make floats of them again. Source: `ggml-common.h` and `ggml-quants.c` of the ggml project. All numbers are
//! little-endian; `d` and `m` are f16.
//!
//! | type | weights | bytes | layout | weight |
//! |---|---|---|---|---|
//! | `Q4_0` | 32 | 18 | `d`, 16 bytes of nibbles | `d (q - 8)` |
//! | `Q4_1` | 32 | 20 | `d`, `m`, 16 bytes of nibbles | `d q + m` |
//! | `Q5_0` | 32 | 22 | `d`, 32 high bits, 16 bytes of nibbles | `d (q - 16)` |
//! | `Q5_1` | 32 | 24 | `d`, `m`, 32 high bits, 16 bytes of nibbles | `d q + m` |
//! | `Q8_0` | 32 | 34 | `d`, 32 signed bytes | `d q` |
//! | `Q4_K` | 256 | 144 | `d`, `m`, 12 bytes of scales, 128 bytes of nibbles | `d s q - m t` |
//! | `Q5_K` | 256 | 176 | `d`, `m`, 12 bytes of scales, 256 high bits, 128 bytes of nibbles | `d s q - m t` |
//! | `Q6_K` | 256 | 210 | 128 bytes of low nibbles, 64 bytes of high bit pairs, 16 signed scales, `d` | `d s (q - 32)` |
//!
//! In the blocks of 32 the low nibbles are the first 16 weights, the high nibbles the last 16.

use half::{bf16, f16};

/// How the elements of a GGUF tensor are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(non_camel_case_types, reason = "the names that everyone knows them by")]
pub enum BlockType {
    /// 32-bit floats.
    F32,
    /// 16-bit floats.
    F16,
    /// The upper halves of 32-bit floats.
    BF16,
    /// 4 bits and a scale per 32.
    Q4_0,
    /// 4 bits, a scale and a minimum per 32.
    Q4_1,
    /// 5 bits and a scale per 32.
    Q5_0,
    /// 5 bits, a scale and a minimum per 32.
    Q5_1,
    /// 8 bits and a scale per 32.
    Q8_0,
    /// 4 bits, 6-bit scales and minima per 32, two floats per 256.
    Q4_K,
    /// 5 bits, 6-bit scales and minima per 32, two floats per 256.
    Q5_K,
    /// 6 bits, 8-bit scales per 16, one float per 256.
    Q6_K,
}

impl BlockType {
    /// All types.
    pub const ALL: [BlockType; 11] = [
        BlockType::F32,
        BlockType::F16,
        BlockType::BF16,
        BlockType::Q4_0,
        BlockType::Q4_1,
        BlockType::Q5_0,
        BlockType::Q5_1,
        BlockType::Q8_0,
        BlockType::Q4_K,
        BlockType::Q5_K,
        BlockType::Q6_K,
    ];

    /// The type with this code in a GGUF file.
    pub fn from_code(code: u32) -> Option<BlockType> {
        BlockType::ALL.into_iter().find(|kind| kind.code() == code)
    }

    /// The code in a GGUF file.
    pub fn code(self) -> u32 {
        match self {
            BlockType::F32 => 0,
            BlockType::F16 => 1,
            BlockType::Q4_0 => 2,
            BlockType::Q4_1 => 3,
            BlockType::Q5_0 => 6,
            BlockType::Q5_1 => 7,
            BlockType::Q8_0 => 8,
            BlockType::Q4_K => 12,
            BlockType::Q5_K => 13,
            BlockType::Q6_K => 14,
            BlockType::BF16 => 30,
        }
    }

    /// The name that everyone knows it by.
    pub fn name(self) -> &'static str {
        match self {
            BlockType::F32 => "F32",
            BlockType::F16 => "F16",
            BlockType::BF16 => "BF16",
            BlockType::Q4_0 => "Q4_0",
            BlockType::Q4_1 => "Q4_1",
            BlockType::Q5_0 => "Q5_0",
            BlockType::Q5_1 => "Q5_1",
            BlockType::Q8_0 => "Q8_0",
            BlockType::Q4_K => "Q4_K",
            BlockType::Q5_K => "Q5_K",
            BlockType::Q6_K => "Q6_K",
        }
    }

    /// Weights in one block.
    pub fn block_weights(self) -> usize {
        match self {
            BlockType::F32 | BlockType::F16 | BlockType::BF16 => 1,
            BlockType::Q4_0 | BlockType::Q4_1 | BlockType::Q5_0 | BlockType::Q5_1 | BlockType::Q8_0 => 32,
            BlockType::Q4_K | BlockType::Q5_K | BlockType::Q6_K => 256,
        }
    }

    /// Bytes of one block.
    pub fn block_bytes(self) -> usize {
        match self {
            BlockType::F32 => 4,
            BlockType::F16 | BlockType::BF16 => 2,
            BlockType::Q4_0 => 18,
            BlockType::Q4_1 => 20,
            BlockType::Q5_0 => 22,
            BlockType::Q5_1 => 24,
            BlockType::Q8_0 => 34,
            BlockType::Q4_K => 144,
            BlockType::Q5_K => 176,
            BlockType::Q6_K => 210,
        }
    }
}

/// Writes the weights of whole blocks as floats.
///
/// `blocks` holds `n * kind.block_bytes()` bytes and `weights` has `n * kind.block_weights()` places; what is beyond
/// the shorter of the two stays as it was.
pub fn dequantise(kind: BlockType, blocks: &[u8], weights: &mut [f32]) {
    let blocks = blocks.chunks_exact(kind.block_bytes());
    let weights = weights.chunks_exact_mut(kind.block_weights());
    let pairs = blocks.zip(weights);
    match kind {
        BlockType::F32 => pairs.for_each(|(b, w)| w[0] = f32::from_le_bytes([b[0], b[1], b[2], b[3]])),
        BlockType::F16 => pairs.for_each(|(b, w)| w[0] = half_at(b, 0)),
        BlockType::BF16 => pairs.for_each(|(b, w)| w[0] = bf16::from_le_bytes([b[0], b[1]]).to_f32()),
        BlockType::Q4_0 => pairs.for_each(|(b, w)| q4(half_at(b, 0), 8, NO_MINIMUM, &b[2..], w)),
        BlockType::Q4_1 => pairs.for_each(|(b, w)| q4(half_at(b, 0), 0, half_at(b, 2), &b[4..], w)),
        BlockType::Q5_0 => pairs.for_each(|(b, w)| q5(half_at(b, 0), 16, NO_MINIMUM, &b[2..], w)),
        BlockType::Q5_1 => pairs.for_each(|(b, w)| q5(half_at(b, 0), 0, half_at(b, 2), &b[4..], w)),
        BlockType::Q8_0 => pairs.for_each(|(b, w)| q8_0(b, w)),
        BlockType::Q4_K => pairs.for_each(|(b, w)| q4_k(b, w)),
        BlockType::Q5_K => pairs.for_each(|(b, w)| q5_k(b, w)),
        BlockType::Q6_K => pairs.for_each(|(b, w)| q6_k(b, w)),
    }
}

/// Added to any number, this leaves it as it is; adding 0.0 would make 0.0 of -0.0.
const NO_MINIMUM: f32 = -0.0;

/// The f16 at a byte offset, widened.
fn half_at(bytes: &[u8], at: usize) -> f32 {
    f16::from_le_bytes([bytes[at], bytes[at + 1]]).to_f32()
}

/// `quants`: 16 bytes; the low nibbles are weights 0..16, the high nibbles 16..32.
fn q4(scale: f32, middle: i32, minimum: f32, quants: &[u8], weights: &mut [f32]) {
    let (low, high) = weights.split_at_mut(16);
    for ((&quant, low), high) in quants.iter().zip(low).zip(high) {
        *low = (i32::from(quant & 15) - middle) as f32 * scale + minimum;
        *high = (i32::from(quant >> 4) - middle) as f32 * scale + minimum;
    }
}

/// `quants`: 32 fifth bits in weight order, then nibbles as in [`q4`].
fn q5(scale: f32, middle: i32, minimum: f32, quants: &[u8], weights: &mut [f32]) {
    let fifths = u32::from_le_bytes([quants[0], quants[1], quants[2], quants[3]]);
    let fifth = |index: usize| ((fifths >> index & 1) << 4) as i32;
    let (low, high) = weights.split_at_mut(16);
    for (index, ((&quant, low), high)) in quants[4..].iter().zip(low).zip(high).enumerate() {
        *low = ((i32::from(quant & 15) | fifth(index)) - middle) as f32 * scale + minimum;
        *high = ((i32::from(quant >> 4) | fifth(index + 16)) - middle) as f32 * scale + minimum;
    }
}

fn q8_0(block: &[u8], weights: &mut [f32]) {
    let scale = half_at(block, 0);
    for (&quant, weight) in block[2..].iter().zip(weights) {
        *weight = f32::from(quant.cast_signed()) * scale;
    }
}

/// The 6-bit scale and minimum of one of the eight groups of a `Q4_K` or `Q5_K` block.
///
/// Of the 12 bytes, 0..4 hold the low six bits of scales 0..4 and 4..8 those of minima 0..4; the low nibbles of 8..12
/// are the low bits of scales 4..8, the high nibbles those of minima 4..8, whose top bits are the top bits of 0..8.
fn k_scale(scales: &[u8], group: usize) -> (f32, f32) {
    let (scale, minimum) = if group < 4 {
        (scales[group] & 63, scales[group + 4] & 63)
    } else {
        (scales[group + 4] & 15 | scales[group - 4] >> 6 << 4, scales[group + 4] >> 4 | scales[group] >> 6 << 4)
    };
    (f32::from(scale), f32::from(minimum))
}

/// Eight groups of 32; 32 bytes of nibbles hold two groups, the low nibbles the first.
fn q4_k(block: &[u8], weights: &mut [f32]) {
    let (scale, minimum) = (half_at(block, 0), half_at(block, 2));
    for (pair, weights) in weights.chunks_exact_mut(64).enumerate() {
        let quants = &block[16 + 32 * pair..][..32];
        for (half, weights) in weights.chunks_exact_mut(32).enumerate() {
            let (s, m) = k_scale(&block[4..16], 2 * pair + half);
            for (&quant, weight) in quants.iter().zip(weights) {
                *weight = scale * s * f32::from(quant >> (4 * half) & 15) - minimum * m;
            }
        }
    }
}

/// As `Q4_K`, with the fifth bit of weight `i` of group `g` in bit `g` of byte `i` of the high bits.
fn q5_k(block: &[u8], weights: &mut [f32]) {
    let (scale, minimum) = (half_at(block, 0), half_at(block, 2));
    let fifths = &block[16..48];
    for (pair, weights) in weights.chunks_exact_mut(64).enumerate() {
        let quants = &block[48 + 32 * pair..][..32];
        for (half, weights) in weights.chunks_exact_mut(32).enumerate() {
            let group = 2 * pair + half;
            let (s, m) = k_scale(&block[4..16], group);
            for ((&quant, &fifth), weight) in quants.iter().zip(fifths).zip(weights) {
                let quant = quant >> (4 * half) & 15 | (fifth >> group & 1) << 4;
                *weight = scale * s * f32::from(quant) - minimum * m;
            }
        }
    }
}

/// Two halves of 128; in each, four runs of 32 share 64 bytes of low nibbles and 32 bytes of high bit pairs.
fn q6_k(block: &[u8], weights: &mut [f32]) {
    let scale = half_at(block, 208);
    for (half, weights) in weights.chunks_exact_mut(128).enumerate() {
        let lows = &block[64 * half..][..64];
        let highs = &block[128 + 32 * half..][..32];
        let scales = &block[192 + 8 * half..][..8];
        for (run, weights) in weights.chunks_exact_mut(32).enumerate() {
            // Runs 0 and 1 are the low nibbles of the two halves of the 64 bytes, runs 2 and 3 the high ones.
            let (lows, shift) = (&lows[32 * (run % 2)..][..32], 4 * (run / 2));
            for (index, ((&low, &high), weight)) in lows.iter().zip(highs).zip(weights).enumerate() {
                let quant = i32::from(low >> shift & 15 | (high >> (2 * run) & 3) << 4) - 32;
                let group = f32::from(scales[2 * run + index / 16].cast_signed());
                *weight = scale * group * quant as f32;
            }
        }
    }
}
