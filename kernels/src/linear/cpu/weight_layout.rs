//! How weights are stored, and how vectors of 32-bit floats are made of them.
//!
//! A row of a weight is a sequence of *units*: as many floats as a vector has lanes, or one block of a quantised type.
//! The products see only this: the head of a unit (a block's scale), and its parts, each one vector.
//!
//! The block types are those of ggml (`ggml-common.h`, `ggml-quants.c`), byte for byte as they lie in a GGUF file. A block has 32
//! weights. Their scale `d` (and a minimum `m`), as 16-bit floats, comes first. A weight is widened to exactly what it stands
//! for, so products are those of the dequantised matrix up to the rounding of sums.

use crate::cpu::simd::{MAX_LANES, Simd};
use half::f16;
use std::marker::PhantomData;
use std::ops::Range;

/// Weights in a block.
pub(crate) const BLOCK_WEIGHTS: usize = 32;

/// How much work it is to make a vector of floats from stored weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Widening {
    /// Nothing, or an instruction that comes with the load: floats.
    WithTheLoad,
    /// Few instructions: whole bytes.
    Short,
    /// More of them: parts of bytes.
    Long,
}

/// A way to store weights.
///
/// # Safety
/// The methods that are unsafe may be called only where the processor has the instructions of `S`, with addresses that
/// are good for a whole unit.
pub(crate) trait WeightLayout: Copy + Send + Sync + 'static {
    /// The work to widen them: more than the load if a unit is a block instead of a vector of floats.
    const WIDENING: Widening;
    /// What the parts of a unit share: the scale of a block.
    type Head<S: Simd>: Copy;

    /// Weights of a unit.
    fn unit<S: Simd>() -> usize;
    /// Bytes of so many weights, a whole number of units or of the row's rest.
    fn bytes(weights: usize) -> usize;
    unsafe fn head<S: Simd>(unit: *const u8) -> Self::Head<S>;
    /// The unit's weights from `part * LANES` on.
    unsafe fn part<S: Simd>(head: Self::Head<S>, unit: *const u8, part: usize) -> S::V;

    /// `sum`, to whose lanes the products of the unit's weights with as many floats at `x` are added.
    #[inline(always)]
    unsafe fn dot<S: Simd>(unit: *const u8, x: *const f32, sum: S::V) -> S::V {
        // SAFETY: the caller's promise.
        unsafe { part_by_part::<S, Self>(unit, x, sum) }
    }
}

/// [`WeightLayout::dot`] with each weight widened by itself.
#[inline(always)]
unsafe fn part_by_part<S: Simd, W: WeightLayout>(unit: *const u8, x: *const f32, mut sum: S::V) -> S::V {
    // SAFETY: the caller's promise: `unit` starts a unit, and `x` is good for as many floats.
    unsafe {
        let head = W::head::<S>(unit);
        for part in 0..W::unit::<S>() / S::LANES {
            let x = S::load_f32(x.add(part * S::LANES));
            sum = S::multiply_add(W::part::<S>(head, unit, part), x, sum);
        }
    }
    sum
}

impl WeightLayout for f32 {
    const WIDENING: Widening = Widening::WithTheLoad;
    type Head<S: Simd> = ();

    #[inline(always)]
    fn unit<S: Simd>() -> usize {
        S::LANES
    }
    #[inline(always)]
    fn bytes(weights: usize) -> usize {
        4 * weights
    }
    #[inline(always)]
    unsafe fn head<S: Simd>(_unit: *const u8) {}
    #[inline(always)]
    unsafe fn part<S: Simd>(_head: (), unit: *const u8, _part: usize) -> S::V {
        // SAFETY: the caller's promise is the same.
        unsafe { S::load_f32(unit.cast()) }
    }
}

impl WeightLayout for f16 {
    const WIDENING: Widening = Widening::WithTheLoad;
    type Head<S: Simd> = ();

    #[inline(always)]
    fn unit<S: Simd>() -> usize {
        S::LANES
    }
    #[inline(always)]
    fn bytes(weights: usize) -> usize {
        2 * weights
    }
    #[inline(always)]
    unsafe fn head<S: Simd>(_unit: *const u8) {}
    #[inline(always)]
    unsafe fn part<S: Simd>(_head: (), unit: *const u8, _part: usize) -> S::V {
        // SAFETY: the caller's promise is the same.
        unsafe { S::load_f16(unit.cast()) }
    }
}

/// Blocks of 34 bytes: `d`, then 32 signed bytes `q`; a weight is `d q`.
#[derive(Clone, Copy)]
#[allow(non_camel_case_types, reason = "the name that everyone knows it by")]
pub(crate) struct Q8_0;

impl WeightLayout for Q8_0 {
    const WIDENING: Widening = Widening::Short;
    type Head<S: Simd> = S::V;

    #[inline(always)]
    fn unit<S: Simd>() -> usize {
        BLOCK_WEIGHTS
    }
    #[inline(always)]
    fn bytes(weights: usize) -> usize {
        weights / BLOCK_WEIGHTS * 34
    }
    #[inline(always)]
    unsafe fn head<S: Simd>(unit: *const u8) -> S::V {
        // SAFETY: the caller's promise: `unit` starts a block. (So below.)
        unsafe { S::scale(unit) }
    }
    #[inline(always)]
    unsafe fn part<S: Simd>(head: S::V, unit: *const u8, part: usize) -> S::V {
        // SAFETY: as above; there are `32 / LANES` parts.
        unsafe { S::multiply(S::load_i8(unit.add(2 + part * S::LANES)), head) }
    }
    /// `d` times the sum of `q x`: one multiplication by `d` in place of one for each vector.
    #[inline(always)]
    unsafe fn dot<S: Simd>(unit: *const u8, x: *const f32, sum: S::V) -> S::V {
        // SAFETY: as above, and `x` is good for 32 floats.
        unsafe {
            let mut products = S::multiply(S::load_i8(unit.add(2)), S::load_f32(x));
            for at in (S::LANES..BLOCK_WEIGHTS).step_by(S::LANES) {
                products = S::multiply_add(S::load_i8(unit.add(2 + at)), S::load_f32(x.add(at)), products);
            }
            S::multiply_add(products, S::scale(unit), sum)
        }
    }
}

/// Blocks of 20 bytes: `d`, `m`, then 16 bytes, of which the low halves are the first 16 numbers `q` and the high halves
/// the others; a weight is `d q + m`.
#[derive(Clone, Copy)]
#[allow(non_camel_case_types, reason = "the name that everyone knows it by")]
pub(crate) struct Q4_1;

impl WeightLayout for Q4_1 {
    const WIDENING: Widening = Widening::Long;
    type Head<S: Simd> = S::Table;

    #[inline(always)]
    fn unit<S: Simd>() -> usize {
        BLOCK_WEIGHTS
    }
    #[inline(always)]
    fn bytes(weights: usize) -> usize {
        weights / BLOCK_WEIGHTS * 20
    }
    #[inline(always)]
    unsafe fn head<S: Simd>(unit: *const u8) -> S::Table {
        // SAFETY: the caller's promise: `unit` starts a block. (So below.)
        unsafe { S::table(unit) }
    }
    #[inline(always)]
    unsafe fn part<S: Simd>(head: S::Table, unit: *const u8, part: usize) -> S::V {
        // SAFETY: as above; a part lies within one half of the block, since vectors have at most 16 lanes.
        unsafe {
            let (at, half) = (part * S::LANES % 16, part * S::LANES / 16);
            let numbers = unit.add(4 + at);
            if half == 0 { S::look_up::<false>(head, numbers) } else { S::look_up::<true>(head, numbers) }
        }
    }
    /// `d` times the sum of `q x`, and `m` times the sum of `x`: the numbers themselves are multiplied, the high halves
    /// where they stand (as 16 times what they are, by a sixteenth of `x`, which is exact for all but subnormal numbers),
    /// and what is of the activations alone is computed once for all rows of a tile.
    #[inline(always)]
    unsafe fn dot<S: Simd>(unit: *const u8, x: *const f32, sum: S::V) -> S::V {
        if S::LOOKS_UP {
            // SAFETY: the caller's promise.
            return unsafe { part_by_part::<S, Self>(unit, x, sum) };
        }
        // SAFETY: as above, and `x` is good for 32 floats.
        unsafe {
            let (mut products, mut whole) = (S::zero(), S::zero());
            for at in (0..BLOCK_WEIGHTS / 2).step_by(S::LANES) {
                let [low, high] = S::halves(unit.add(4 + at));
                let (first, second) = (S::load_f32(x.add(at)), S::load_f32(x.add(BLOCK_WEIGHTS / 2 + at)));
                products = S::multiply_add(low, first, products);
                products = S::multiply_add(high, S::multiply(second, S::splat(1.0 / 16.0)), products);
                whole = S::multiply_add(first, S::splat(1.0), whole);
                whole = S::multiply_add(second, S::splat(1.0), whole);
            }
            let sum = S::multiply_add(products, S::scale(unit), sum);
            S::multiply_add(whole, S::scale(unit.add(2)), sum)
        }
    }
}

/// A weight `[n, k]`, row after row. A plain address: whoever reads it guarantees that the weights exist.
pub(crate) struct Rows<W> {
    start: *const u8,
    /// Bytes of a row.
    pub stride: usize,
    kind: PhantomData<W>,
}

impl<W> Clone for Rows<W> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<W> Copy for Rows<W> {}

// SAFETY: an address of weights that are only read, under the promises of the methods that read.
unsafe impl<W: Sync> Send for Rows<W> {}
// SAFETY: as above.
unsafe impl<W: Sync> Sync for Rows<W> {}

impl<W: WeightLayout> Rows<W> {
    /// Rows of `k` weights, a whole number of blocks where they are stored in blocks.
    pub fn new<T>(weights: &[T], k: usize) -> Self {
        Rows { start: weights.as_ptr().cast(), stride: W::bytes(k), kind: PhantomData }
    }

    /// Where a row starts, which may be beyond the last.
    #[inline(always)]
    pub fn address(&self, row: usize) -> *const u8 {
        self.start.wrapping_add(row * self.stride)
    }

    /// Writes the weights of a row's `columns`, widened, and after them up to `LANES - 1` numbers of any value. Columns
    /// start with a unit.
    ///
    /// # Safety
    /// The processor has the instructions of `S`; row and columns are there, and there is room for what is written.
    #[inline(always)]
    pub unsafe fn widen<S: Simd>(&self, row: usize, columns: Range<usize>, to: *mut f32) {
        // SAFETY: the caller's promise; the last, partial vector of floats is read from a copy.
        unsafe {
            let mut from = self.address(row).add(W::bytes(columns.start));
            let count = columns.len();
            let whole = count - count % W::unit::<S>();
            let mut i = 0;
            while i < whole {
                let head = W::head::<S>(from);
                for part in 0..W::unit::<S>() / S::LANES {
                    S::store_f32(to.add(i + part * S::LANES), W::part::<S>(head, from, part));
                }
                from = from.add(W::bytes(W::unit::<S>()));
                i += W::unit::<S>();
            }
            if whole < count {
                S::store_f32(to.add(whole), rest::<S, W>(from, count - whole));
            }
        }
    }
}

/// The last floats of a row, fewer than a vector has lanes, and zeros.
///
/// # Safety
/// The processor has the instructions of `S`; `from` is good for `count` weights, which are floats.
#[inline(always)]
pub(crate) unsafe fn rest<S: Simd, W: WeightLayout>(from: *const u8, count: usize) -> S::V {
    let mut copy = [0u8; 4 * MAX_LANES];
    // SAFETY: the caller's promise; floats of zero bytes are zeros, and there are fewer than fit.
    unsafe {
        std::ptr::copy_nonoverlapping(from, copy.as_mut_ptr(), W::bytes(count));
        W::part::<S>(W::head::<S>(copy.as_ptr()), copy.as_ptr(), 0)
    }
}
