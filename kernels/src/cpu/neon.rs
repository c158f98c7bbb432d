//! NEON, which every 64-bit ARM processor has.

use super::simd::Simd;
use crate::attention::cpu::{self as attention, BlockShape, Cached};
use crate::linear::cpu::panel::Panels;
use crate::linear::cpu::tile::Job;
use crate::linear::cpu::weight_layout::WeightLayout;
use half::f16;
use std::arch::aarch64::*;
use std::ops::Range;

/// NEON: 4 lanes, 32 registers.
#[derive(Clone, Copy)]
struct Neon;

// Each method below is inlined into `run_neon`, which enables the instructions.
impl Simd for Neon {
    type V = float32x4_t;
    type Table = [float32x4_t; 2];
    const LOOKS_UP: bool = false;
    const LANES: usize = 4;
    const MAX_M: usize = 8;
    const PANEL_OF_ONE: [usize; 2] = [24, 1];
    const PANEL: [usize; 2] = [8, 3];

    #[inline(always)]
    unsafe fn zero() -> float32x4_t {
        // SAFETY: the trait's contract: the processor has NEON. (So below.)
        unsafe { vdupq_n_f32(0.0) }
    }
    #[inline(always)]
    unsafe fn load_f32(from: *const f32) -> float32x4_t {
        // SAFETY: as above, and `from` is good for 4 elements.
        unsafe { vld1q_f32(from) }
    }
    #[inline(always)]
    unsafe fn load_f16(from: *const f16) -> float32x4_t {
        let wide: float32x4_t;
        // SAFETY: as above, and `from` is good for 4 elements. `fcvtl` is part of the base instruction set; its
        // intrinsic needs the unstable type `f16`, so it is written out.
        unsafe {
            let narrow = vld1_u16(from.cast());
            std::arch::asm!(
                "fcvtl {wide:v}.4s, {narrow:v}.4h",
                wide = out(vreg) wide,
                narrow = in(vreg) narrow,
                options(pure, nomem, nostack, preserves_flags),
            );
        }
        wide
    }
    #[inline(always)]
    unsafe fn store_f32(to: *mut f32, vector: float32x4_t) {
        // SAFETY: as above, and `to` is good for 4 elements.
        unsafe { vst1q_f32(to, vector) }
    }
    #[inline(always)]
    unsafe fn splat(value: f32) -> float32x4_t {
        // SAFETY: as above.
        unsafe { vdupq_n_f32(value) }
    }
    #[inline(always)]
    unsafe fn load_i8(from: *const u8) -> float32x4_t {
        // SAFETY: as above, and `from` is good for 4 bytes.
        unsafe {
            let bytes = vreinterpret_s8_u32(vdup_n_u32(from.cast::<u32>().read_unaligned()));
            vcvtq_f32_s32(vmovl_s16(vget_low_s16(vmovl_s8(bytes))))
        }
    }
    #[inline(always)]
    unsafe fn scale(from: *const u8) -> float32x4_t {
        // SAFETY: as above, and `from` is good for 2 bytes, of which four copies are widened.
        unsafe { Self::load_f16([from.cast::<f16>().read_unaligned(); 4].as_ptr()) }
    }
    #[inline(always)]
    unsafe fn table(from: *const u8) -> [float32x4_t; 2] {
        // SAFETY: as above, and `from` is good for 4 bytes.
        unsafe { [Self::scale(from), Self::scale(from.add(2))] }
    }
    #[inline(always)]
    unsafe fn look_up<const HIGH: bool>([d, m]: [float32x4_t; 2], from: *const u8) -> float32x4_t {
        // SAFETY: as above, and `from` is good for 4 bytes.
        unsafe {
            let both = from.cast::<u32>().read_unaligned();
            let halves = if HIGH { both >> 4 } else { both } & 0x0f0f_0f0f;
            let bytes = vreinterpret_u8_u32(vdup_n_u32(halves));
            vfmaq_f32(m, vcvtq_f32_u32(vmovl_u16(vget_low_u16(vmovl_u8(bytes)))), d)
        }
    }
    #[inline(always)]
    unsafe fn halves(from: *const u8) -> [float32x4_t; 2] {
        // SAFETY: as above, and `from` is good for 4 bytes.
        unsafe {
            let bytes = vreinterpret_u8_u32(vdup_n_u32(from.cast::<u32>().read_unaligned()));
            let both = vmovl_u16(vget_low_u16(vmovl_u8(bytes)));
            [15, 240].map(|half| vcvtq_f32_u32(vandq_u32(both, vdupq_n_u32(half))))
        }
    }
    #[inline(always)]
    unsafe fn multiply(a: float32x4_t, b: float32x4_t) -> float32x4_t {
        // SAFETY: as above.
        unsafe { vmulq_f32(a, b) }
    }
    #[inline(always)]
    unsafe fn multiply_add(a: float32x4_t, b: float32x4_t, sum: float32x4_t) -> float32x4_t {
        // SAFETY: as above.
        unsafe { vfmaq_f32(sum, a, b) }
    }
    #[inline(always)]
    unsafe fn sum4([a, b, c, d]: [float32x4_t; 4]) -> [f32; 4] {
        // SAFETY: as above.
        unsafe {
            let sum = vpaddq_f32(vpaddq_f32(a, b), vpaddq_f32(c, d));
            std::mem::transmute::<float32x4_t, [f32; 4]>(sum)
        }
    }
    #[inline(always)]
    unsafe fn prefetch(_at: *const u8) {
        // The intrinsic is unstable; these processors prefetch plain streams well.
    }
    #[inline(always)]
    unsafe fn prefetch_later(_at: *const u8) {}
}

/// [`Job::run`] at `Level::Neon`.
///
/// # Safety
/// As for [`Job::run`], and the processor has NEON.
#[target_feature(enable = "neon")]
pub(crate) unsafe fn run_neon<W: WeightLayout>(job: &Job<W>, rows: Range<usize>) {
    // SAFETY: the caller's promise.
    unsafe { job.walk::<Neon>(rows) }
}

/// [`mix`](attention::mix) at `Level::Neon`.
///
/// # Safety
/// As for [`mix`](attention::mix), and the processor has NEON.
#[target_feature(enable = "neon")]
pub(crate) unsafe fn mix_neon(scores: &mut [f32], values: Cached<'_>, shape: BlockShape, output: &mut [f32]) {
    // SAFETY: the caller's promise.
    unsafe { attention::mix::<Neon>(scores, values, shape, output) }
}

/// [`Panels::run`] at `Level::Neon`.
///
/// # Safety
/// As for [`Panels::run`], and the processor has NEON.
#[target_feature(enable = "neon")]
pub(crate) unsafe fn panels_neon<W: WeightLayout>(panels: &Panels<W>, rows: Range<usize>) {
    // SAFETY: the caller's promise.
    unsafe { panels.walk::<Neon>(rows) }
}
