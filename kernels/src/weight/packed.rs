//! Weights in blocks of 4 and 8 bits on a GPU: in words of 32 bits, since a shading language reads nothing smaller.
//!
//! The numbers are those of the file ([`WeightType`]), in as many bytes; only their order changes. A block's whole numbers stay
//! together, four or eight to a word. Its 16-bit scale (and minimum) goes to a table of its own, two halves to a word. For `q8_0`
//! these are the scales of two neighbouring blocks of a row, for `q4_1` scale and minimum of one block.

use super::WeightType;
use burn::tensor::{DType, Device, FloatDType, Int, Tensor, TensorData};

/// A weight `[out, input]` in blocks, on a GPU.
#[derive(Clone, Debug)]
pub(crate) struct Packed {
    /// `[out * input / 4]` for `q8_0`, `[out * input / 8]` for `q4_1`
    pub numbers: Tensor<1, Int>,
    /// `[out * scale words of a row]`
    pub scales: Tensor<1, Int>,
    pub kind: WeightType,
    pub out: usize,
    pub input: usize,
}

/// Words of the table of scales per row of so many blocks.
pub(crate) fn scale_words(kind: WeightType, blocks: usize) -> usize {
    match kind {
        WeightType::Q4_1 => blocks,
        _ => blocks.div_ceil(2),
    }
}

impl Packed {
    /// From blocks as a file has them; there are as many bytes as the shape needs.
    pub fn new(bytes: &[u8], [out, input]: [usize; 2], kind: WeightType, device: &Device) -> Self {
        let (block, blocks) = (kind.bytes(32), input / 32);
        let head = if kind == WeightType::Q4_1 { 4 } else { 2 };
        let word = |bytes: &[u8]| {
            let mut all = [0; 4];
            all[..bytes.len()].copy_from_slice(bytes);
            i32::from_le_bytes(all)
        };
        let numbers: Vec<i32> =
            bytes.chunks_exact(block).flat_map(|block| block[head..].chunks_exact(4).map(word)).collect();
        let mut scales = Vec::with_capacity(out * scale_words(kind, blocks));
        for row in bytes.chunks_exact((block * blocks).max(1)) {
            let heads: Vec<u8> = row.chunks_exact(block).flat_map(|block| &block[..head]).copied().collect();
            scales.extend(heads.chunks(4).map(word));
        }
        let upload = |words: Vec<i32>| {
            let shape = [words.len()];
            Tensor::from_data(TensorData::new(words, shape), (device, DType::I32))
        };
        Self { numbers: upload(numbers), scales: upload(scales), kind, out, input }
    }

    /// The rows `ids`, in 32 bits.
    ///
    /// # Shapes
    /// `ids` `[n]` -> `[n, input]`
    pub fn rows(&self, ids: Tensor<1, Int>) -> Tensor<2> {
        gpu::rows(self, ids, FloatDType::F32)
    }

    /// All rows, in this type.
    pub fn widened(&self, dtype: FloatDType) -> Tensor<2> {
        let ids = Tensor::arange(0..self.out as i64, (&self.numbers.device(), DType::I32));
        gpu::rows(self, ids, dtype)
    }
}

pub(crate) mod gpu {
    use super::{Packed, scale_words};
    use crate::gpu::{cubes, dims, element_of, empty, units};
    use crate::weight::WeightType;
    use burn::backend::tensor::{FloatTensor, IntTensor};
    use burn::backend::{Backend, Dispatch, backend_extension};
    use burn::tensor::{DType, FloatDType, Int, IntDType, Tensor};
    use burn_cubecl::CubeBackend;
    use burn_cubecl::kernel::into_contiguous;
    use cubecl::ir::ElemType;
    use cubecl::prelude::*;

    #[backend_extension(Cube)]
    pub trait PackedOps: Backend {
        fn packed_rows(
            numbers: IntTensor<Self>,
            scales: IntTensor<Self>,
            ids: IntTensor<Self>,
            kind: WeightType,
            input: usize,
            dtype: FloatDType,
        ) -> FloatTensor<Self>;
    }

    pub fn rows(packed: &Packed, ids: Tensor<1, Int>, dtype: FloatDType) -> Tensor<2> {
        Tensor::from_dispatch(<Dispatch as PackedOps>::packed_rows(
            packed.numbers.clone().into_dispatch(),
            packed.scales.clone().into_dispatch(),
            ids.cast(IntDType::I32).into_dispatch(),
            packed.kind,
            packed.input,
            dtype,
        ))
    }

    /// The value of a 16-bit float in the low half of a word. (Not every device has the type.)
    #[cube]
    pub fn half(word: u32) -> f32 {
        let exponent = (word >> 10u32) & 31u32;
        let fraction = word & 1023u32;
        let mut size = f32::cast_from(fraction) * f32::new(5.960_464_5e-8); // 2^-24: below the smallest exponent
        if exponent != 0u32 {
            size = f32::reinterpret(((exponent + 112u32) << 23u32) | (fraction << 13u32));
        }
        if (word & 32768u32) != 0u32 {
            size = -size;
        }
        size
    }

    /// Scale of the `block`-th block of a row of the `q8_0` table.
    #[cube]
    pub fn scale_of(scales: &[u32], row: u32, block: u32, words: u32) -> f32 {
        let word = scales[(row * words + (block >> 1u32)) as usize];
        half(word >> ((block & 1u32) * 16u32))
    }

    /// The signed byte `n` of a word.
    #[cube]
    pub fn byte(word: u32, #[comptime] n: u32) -> f32 {
        let signed = i32::reinterpret(word << comptime!(24 - 8 * n));
        f32::cast_from(signed >> 24i32)
    }

    /// The number `n` of four bits of a word.
    #[cube]
    pub fn nibble(word: u32, #[comptime] n: u32) -> f32 {
        f32::cast_from((word >> comptime!(4 * n)) & 15u32)
    }

    /// One unit per word of numbers.
    #[cube(launch_unchecked)]
    fn rows_kernel<O: Float>(
        numbers: &[u32],
        scales: &[u32],
        ids: &[i32],
        out: &mut [O],
        count: u32,
        input: u32,
        scale_words: u32,
        #[comptime] four_bits: bool,
        #[define(O)] _dtype: ElemType,
    ) {
        let at = ABSOLUTE_POS as u32;
        let per_row = input >> comptime!(if four_bits { 3u32 } else { 2u32 });
        if at >= count * per_row {
            terminate!();
        }
        let place = at / per_row;
        let inside = at - place * per_row;
        let row = ids[place as usize] as u32;
        let word = numbers[(row * per_row + inside) as usize];
        if comptime!(four_bits) {
            let block = inside >> 2u32;
            let head = scales[(row * scale_words + block) as usize];
            let scale = half(head);
            let least = half(head >> 16u32);
            let start = (place * input + block * 32u32 + (inside & 3u32) * 4u32) as usize;
            #[unroll]
            for n in 0..4usize {
                out[start + n] = O::cast_from(nibble(word, comptime!(2 * n as u32)) * scale + least);
                out[start + 16 + n] = O::cast_from(nibble(word, comptime!(2 * n as u32 + 1)) * scale + least);
            }
        } else {
            let scale = scale_of(scales, row, inside >> 3u32, scale_words);
            let start = (place * input + inside * 4u32) as usize;
            #[unroll]
            for n in 0..4usize {
                out[start + n] = O::cast_from(byte(word, comptime!(n as u32)) * scale);
            }
        }
    }

    impl PackedOps for CubeBackend {
        fn packed_rows(
            numbers: IntTensor<Self>,
            scales: IntTensor<Self>,
            ids: IntTensor<Self>,
            kind: WeightType,
            input: usize,
            dtype: FloatDType,
        ) -> FloatTensor<Self> {
            let ids = into_contiguous(ids);
            let [count] = dims(&ids);
            let dtype = DType::from(dtype);
            let out = empty(&numbers, [count, input], dtype);
            let four_bits = kind == WeightType::Q4_1;
            let client = numbers.client.clone();
            let words = count * input / if four_bits { 8 } else { 4 };
            let units = units(&client, 256);
            // SAFETY: ids are below `out`, the caller says; units beyond the last word do nothing.
            unsafe {
                rows_kernel::launch_unchecked(
                    &client,
                    cubes(words.div_ceil(units)),
                    CubeDim::new_1d(units as u32),
                    numbers.into_buffer_arg(),
                    scales.into_buffer_arg(),
                    ids.into_buffer_arg(),
                    out.clone().into_buffer_arg(),
                    count as u32,
                    input as u32,
                    scale_words(kind, input / 32) as u32,
                    four_bits,
                    element_of(dtype),
                );
            }
            out
        }
    }
}
