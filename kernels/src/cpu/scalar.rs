//! Plain Rust for any processor, written in groups of eight so that the compiler can use what the target has.

use super::simd::Simd;
use crate::attention::cpu::{self as attention, BlockShape, Cached};
use crate::linear::cpu::panel::Panels;
use crate::linear::cpu::tile::Job;
use crate::linear::cpu::weight_layout::WeightLayout;
use half::f16;
use std::array;
use std::ops::Range;

/// Eight 32-bit floats, multiplied and added one by one (no fused operation: it is a library call on some targets).
#[derive(Clone, Copy)]
struct Scalar;

impl Simd for Scalar {
    type V = [f32; 8];
    type Table = [f32; 2];
    const LOOKS_UP: bool = false;
    const LANES: usize = 8;
    const MAX_M: usize = 4;
    const PANEL_OF_ONE: [usize; 2] = [4, 1];
    const PANEL: [usize; 2] = [4, 1];

    #[inline(always)]
    unsafe fn zero() -> [f32; 8] {
        [0.0; 8]
    }
    #[inline(always)]
    unsafe fn load_f32(from: *const f32) -> [f32; 8] {
        // SAFETY: the trait's contract: `from` is good for 8 elements.
        unsafe { from.cast::<[f32; 8]>().read_unaligned() }
    }
    #[inline(always)]
    unsafe fn load_f16(from: *const f16) -> [f32; 8] {
        // SAFETY: the trait's contract: `from` is good for 8 elements.
        let narrow = unsafe { from.cast::<[f16; 8]>().read_unaligned() };
        narrow.map(f16::to_f32)
    }
    #[inline(always)]
    unsafe fn store_f32(to: *mut f32, vector: [f32; 8]) {
        // SAFETY: the trait's contract: `to` is good for 8 elements.
        unsafe { to.cast::<[f32; 8]>().write_unaligned(vector) }
    }
    #[inline(always)]
    unsafe fn splat(value: f32) -> [f32; 8] {
        [value; 8]
    }
    #[inline(always)]
    unsafe fn load_i8(from: *const u8) -> [f32; 8] {
        // SAFETY: the trait's contract: `from` is good for 8 bytes.
        unsafe { from.cast::<[i8; 8]>().read_unaligned() }.map(f32::from)
    }
    #[inline(always)]
    unsafe fn scale(from: *const u8) -> [f32; 8] {
        // SAFETY: the trait's contract: `from` is good for 2 bytes.
        [f16::from_le_bytes(unsafe { from.cast::<[u8; 2]>().read_unaligned() }).to_f32(); 8]
    }
    #[inline(always)]
    unsafe fn table(from: *const u8) -> [f32; 2] {
        // SAFETY: the trait's contract: `from` is good for 4 bytes.
        unsafe { [Self::scale(from)[0], Self::scale(from.add(2))[0]] }
    }
    #[inline(always)]
    unsafe fn look_up<const HIGH: bool>([d, m]: [f32; 2], from: *const u8) -> [f32; 8] {
        // SAFETY: the trait's contract: `from` is good for 8 bytes.
        let both = unsafe { from.cast::<[u8; 8]>().read_unaligned() };
        both.map(|byte| f32::from(if HIGH { byte >> 4 } else { byte & 15 }) * d + m)
    }
    #[inline(always)]
    unsafe fn halves(from: *const u8) -> [[f32; 8]; 2] {
        // SAFETY: the trait's contract: `from` is good for 8 bytes.
        let both = unsafe { from.cast::<[u8; 8]>().read_unaligned() };
        [15, 240].map(|half| both.map(|byte| f32::from(byte & half)))
    }
    #[inline(always)]
    unsafe fn multiply(a: [f32; 8], b: [f32; 8]) -> [f32; 8] {
        array::from_fn(|i| a[i] * b[i])
    }
    #[inline(always)]
    unsafe fn multiply_add(a: [f32; 8], b: [f32; 8], sum: [f32; 8]) -> [f32; 8] {
        array::from_fn(|i| a[i] * b[i] + sum[i])
    }
    #[inline(always)]
    unsafe fn sum4(vectors: [[f32; 8]; 4]) -> [f32; 4] {
        vectors.map(|v| ((v[0] + v[4]) + (v[1] + v[5])) + ((v[2] + v[6]) + (v[3] + v[7])))
    }
    #[inline(always)]
    unsafe fn prefetch(_at: *const u8) {}
    #[inline(always)]
    unsafe fn prefetch_later(_at: *const u8) {}
}

/// [`Job::run`] at `Level::Scalar`.
///
/// # Safety
/// As for [`Job::run`].
pub(crate) unsafe fn run_scalar<W: WeightLayout>(job: &Job<W>, rows: Range<usize>) {
    // SAFETY: the caller's promise.
    unsafe { job.walk::<Scalar>(rows) }
}

/// [`mix`](attention::mix) at `Level::Scalar`.
///
/// # Safety
/// As for [`mix`](attention::mix).
pub(crate) unsafe fn mix_scalar(scores: &mut [f32], values: Cached<'_>, shape: BlockShape, output: &mut [f32]) {
    // SAFETY: the caller's promise.
    unsafe { attention::mix::<Scalar>(scores, values, shape, output) }
}

/// [`Panels::run`] at `Level::Scalar`.
///
/// # Safety
/// As for [`Panels::run`].
pub(crate) unsafe fn panels_scalar<W: WeightLayout>(panels: &Panels<W>, rows: Range<usize>) {
    // SAFETY: the caller's promise.
    unsafe { panels.walk::<Scalar>(rows) }
}
