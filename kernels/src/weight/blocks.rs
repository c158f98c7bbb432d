//! Weights in blocks: made of floats, made into floats, and multiplied as they are.
//!
//! Layouts: `ggml-common.h` and `ggml-quants.c` of the ggml project; see [`WeightType`].

use super::WeightType;
use crate::error::KernelError;
use crate::linear::cpu::Values;
use burn::tensor::Device;
use half::f16;

/// Weights of a block.
const WEIGHTS: usize = 32;

/// A weight `[out, input]` in blocks, row after row, in the memory of this machine.
#[derive(Debug)]
pub(crate) struct Blocks {
    pub bytes: Vec<u8>,
    pub kind: WeightType,
    pub out: usize,
    pub input: usize,
    pub device: Device,
}

impl Blocks {
    /// Checks that there are so many blocks.
    pub fn new(
        bytes: Vec<u8>,
        [out, input]: [usize; 2],
        kind: WeightType,
        device: &Device,
    ) -> Result<Self, KernelError> {
        if kind.block_bytes().is_none() {
            return Err(KernelError::NoBlocks { kind: kind.name() });
        }
        if !input.is_multiple_of(WEIGHTS) {
            let kind = kind.name();
            return Err(KernelError::Blocks { kind, input });
        }
        let columns = kind.bytes(input);
        if out.checked_mul(columns) != Some(bytes.len()) {
            return Err(KernelError::Length { name: "weight (bytes)", rows: out, columns, len: bytes.len() });
        }
        Ok(Blocks { bytes, kind, out, input, device: device.clone() })
    }

    /// The rows `ids` as floats, row after row. Each is below `out`.
    pub fn rows(&self, ids: impl Iterator<Item = usize>) -> Vec<f32> {
        let row = self.kind.bytes(self.input);
        ids.flat_map(|id| floats(&self.bytes[id * row..(id + 1) * row], self.kind)).collect()
    }

    /// The blocks as an operand of the CPU kernel.
    pub fn values(&self) -> Values<'_> {
        match self.kind {
            WeightType::Q4_1 => Values::Q4_1(&self.bytes),
            _ => Values::Q8_0(&self.bytes),
        }
    }
}

/// Rounds each block's values to the nearest of those that it can hold. A whole number of blocks; the first value that no
/// block can hold is the error, by its number.
pub(crate) fn quantise(values: &[f32], kind: WeightType) -> Result<Vec<u8>, usize> {
    let mut bytes = Vec::with_capacity(kind.bytes(values.len()));
    for (number, block) in values.chunks_exact(WEIGHTS).enumerate() {
        let worst = || {
            let size = |i: &usize| {
                if block[*i].is_finite() { block[*i].abs() } else { f32::INFINITY }
            };
            let largest = (0..WEIGHTS).max_by(|a, b| size(a).total_cmp(&size(b)));
            number * WEIGHTS + largest.unwrap_or(0)
        };
        if !block.iter().all(|value| value.is_finite()) {
            return Err(worst());
        }
        let (low, high) =
            block.iter().fold((f32::MAX, f32::MIN), |(low, high), value| (low.min(*value), high.max(*value)));
        // Whole numbers are taken of the rounded scale, which is the one that they will be multiplied by.
        let whole = |value: f32, scale: f16| match scale.to_f32() {
            0.0 => 0.0,
            scale => (value / scale).round(),
        };
        if kind == WeightType::Q4_1 {
            let (d, m) = (f16::from_f32((high - low) / 15.0), f16::from_f32(low));
            if d.is_infinite() || m.is_infinite() {
                return Err(worst());
            }
            bytes.extend(d.to_le_bytes());
            bytes.extend(m.to_le_bytes());
            let number = |value: f32| whole(value - m.to_f32(), d).clamp(0.0, 15.0) as u8;
            let (low, high) = block.split_at(WEIGHTS / 2);
            bytes.extend(low.iter().zip(high).map(|(a, b)| number(*a) | number(*b) << 4));
        } else {
            let d = f16::from_f32(high.abs().max(low.abs()) / 127.0);
            if d.is_infinite() {
                return Err(worst());
            }
            bytes.extend(d.to_le_bytes());
            bytes.extend(block.iter().map(|value| whole(*value, d).clamp(-127.0, 127.0) as i8 as u8));
        }
    }
    Ok(bytes)
}

/// The values that whole blocks stand for.
fn floats(bytes: &[u8], kind: WeightType) -> Vec<f32> {
    let half = |bytes: &[u8]| f16::from_le_bytes([bytes[0], bytes[1]]).to_f32();
    let block_bytes = kind.block_bytes().unwrap_or(1);
    let mut values = Vec::with_capacity(bytes.len() / block_bytes * WEIGHTS);
    for block in bytes.chunks_exact(block_bytes) {
        if kind == WeightType::Q4_1 {
            let (d, m) = (half(block), half(&block[2..]));
            values.extend(block[4..].iter().map(|byte| f32::from(byte & 15) * d + m));
            values.extend(block[4..].iter().map(|byte| f32::from(byte >> 4) * d + m));
        } else {
            let d = half(block);
            values.extend(block[2..].iter().map(|byte| f32::from(byte.cast_signed()) * d));
        }
    }
    values
}
