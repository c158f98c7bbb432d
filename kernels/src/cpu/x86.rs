//! AVX-512 and AVX2.

use super::attention;
use super::panel::Panels;
use super::simd::{Element, Matrix, Simd};
use super::tile::Job;
use half::f16;
use std::arch::asm;
use std::arch::x86_64::*;
use std::ops::Range;

/// AVX-512F: 16 lanes, 32 registers.
#[derive(Clone, Copy)]
struct Avx512;

// Each method below is inlined into `run_avx512`, which enables the instructions.
impl Simd for Avx512 {
    type V = __m512;
    const LANES: usize = 16;
    const MAX_M: usize = 8;
    const PANEL_OF_ONE: [usize; 2] = [24, 1];
    const PANEL: [usize; 2] = [12, 2];

    #[inline(always)]
    unsafe fn zero() -> __m512 {
        // SAFETY: the trait's contract: the processor has AVX-512F. (So below.)
        unsafe { _mm512_setzero_ps() }
    }
    #[inline(always)]
    unsafe fn load_f32(from: *const f32) -> __m512 {
        // SAFETY: as above, and `from` is good for 16 elements.
        unsafe { _mm512_loadu_ps(from) }
    }
    #[inline(always)]
    unsafe fn load_f16(from: *const f16) -> __m512 {
        // SAFETY: as above, and `from` is good for 16 elements.
        unsafe { widen_16(from) }
    }
    #[inline(always)]
    unsafe fn store_f32(to: *mut f32, vector: __m512) {
        // SAFETY: as above, and `to` is good for 16 elements.
        unsafe { _mm512_storeu_ps(to, vector) }
    }
    #[inline(always)]
    unsafe fn splat(value: f32) -> __m512 {
        // SAFETY: as above.
        unsafe { _mm512_set1_ps(value) }
    }
    #[inline(always)]
    unsafe fn multiply_add(a: __m512, b: __m512, sum: __m512) -> __m512 {
        // SAFETY: as above.
        unsafe { _mm512_fmadd_ps(a, b, sum) }
    }
    #[inline(always)]
    unsafe fn sum4([a, b, c, d]: [__m512; 4]) -> [f32; 4] {
        // SAFETY: as above.
        unsafe {
            // Pairs are interleaved and added until one vector holds a b c d in each of its four quarters.
            let ab = _mm512_add_ps(_mm512_unpacklo_ps(a, b), _mm512_unpackhi_ps(a, b)); // a b a b | ...
            let cd = _mm512_add_ps(_mm512_unpacklo_ps(c, d), _mm512_unpackhi_ps(c, d));
            let (ab, cd) = (_mm512_castps_pd(ab), _mm512_castps_pd(cd));
            let (low, high) = (_mm512_unpacklo_pd(ab, cd), _mm512_unpackhi_pd(ab, cd));
            let abcd = _mm512_add_ps(_mm512_castpd_ps(low), _mm512_castpd_ps(high)); // a b c d | ...
            let top = _mm256_castpd_ps(_mm512_extractf64x4_pd::<1>(_mm512_castps_pd(abcd)));
            let half = _mm256_add_ps(_mm512_castps512_ps256(abcd), top);
            let sum = _mm_add_ps(_mm256_castps256_ps128(half), _mm256_extractf128_ps::<1>(half));
            std::mem::transmute::<__m128, [f32; 4]>(sum)
        }
    }
    #[inline(always)]
    unsafe fn prefetch(at: *const u8) {
        // SAFETY: a prefetch never faults.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(at.cast()) }
    }
    #[inline(always)]
    unsafe fn prefetch_later(at: *const u8) {
        // SAFETY: a prefetch never faults.
        unsafe { _mm_prefetch::<_MM_HINT_T1>(at.cast()) }
    }
}

/// Sixteen 16-bit floats, widened. Written out because the intrinsic first loads and then converts from a register, which
/// takes the port that every other multiplication needs.
///
/// # Safety
/// The processor has AVX-512F, and `from` is good for 16 elements.
#[target_feature(enable = "avx512f")]
#[inline]
unsafe fn widen_16(from: *const f16) -> __m512 {
    let wide: __m512;
    // SAFETY: the caller's promise.
    unsafe {
        asm!(
            "vcvtph2ps {wide}, ymmword ptr [{from}]",
            wide = out(zmm_reg) wide,
            from = in(reg) from,
            options(pure, readonly, nostack, preserves_flags),
        );
    }
    wide
}

/// AVX2 with FMA and F16C: 8 lanes, 16 registers.
#[derive(Clone, Copy)]
struct Avx2;

// Each method below is inlined into `run_avx2`, which enables the instructions.
impl Simd for Avx2 {
    type V = __m256;
    const LANES: usize = 8;
    const MAX_M: usize = 4;
    const PANEL_OF_ONE: [usize; 2] = [12, 1];
    const PANEL: [usize; 2] = [6, 2];

    #[inline(always)]
    unsafe fn zero() -> __m256 {
        // SAFETY: the trait's contract: the processor has AVX2, FMA and F16C. (So below.)
        unsafe { _mm256_setzero_ps() }
    }
    #[inline(always)]
    unsafe fn load_f32(from: *const f32) -> __m256 {
        // SAFETY: as above, and `from` is good for 8 elements.
        unsafe { _mm256_loadu_ps(from) }
    }
    #[inline(always)]
    unsafe fn load_f16(from: *const f16) -> __m256 {
        // SAFETY: as above, and `from` is good for 8 elements.
        unsafe { _mm256_cvtph_ps(_mm_loadu_si128(from.cast())) }
    }
    #[inline(always)]
    unsafe fn store_f32(to: *mut f32, vector: __m256) {
        // SAFETY: as above, and `to` is good for 8 elements.
        unsafe { _mm256_storeu_ps(to, vector) }
    }
    #[inline(always)]
    unsafe fn splat(value: f32) -> __m256 {
        // SAFETY: as above.
        unsafe { _mm256_set1_ps(value) }
    }
    #[inline(always)]
    unsafe fn multiply_add(a: __m256, b: __m256, sum: __m256) -> __m256 {
        // SAFETY: as above.
        unsafe { _mm256_fmadd_ps(a, b, sum) }
    }
    #[inline(always)]
    unsafe fn sum4([a, b, c, d]: [__m256; 4]) -> [f32; 4] {
        // SAFETY: as above.
        unsafe {
            let abcd = _mm256_hadd_ps(_mm256_hadd_ps(a, b), _mm256_hadd_ps(c, d)); // a b c d | a b c d
            let sum = _mm_add_ps(_mm256_castps256_ps128(abcd), _mm256_extractf128_ps::<1>(abcd));
            std::mem::transmute::<__m128, [f32; 4]>(sum)
        }
    }
    #[inline(always)]
    unsafe fn prefetch(at: *const u8) {
        // SAFETY: a prefetch never faults.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(at.cast()) }
    }
    #[inline(always)]
    unsafe fn prefetch_later(at: *const u8) {
        // SAFETY: a prefetch never faults.
        unsafe { _mm_prefetch::<_MM_HINT_T1>(at.cast()) }
    }
}

/// [`Job::run`] at `Level::Avx512`.
///
/// # Safety
/// As for [`Job::run`], and the processor has AVX-512F.
#[target_feature(enable = "avx512f")]
pub(crate) unsafe fn run_avx512<W: Element>(job: &Job<W>, rows: Range<usize>) {
    // SAFETY: the caller's promise.
    unsafe { job.walk::<Avx512>(rows) }
}

/// [`Job::run`] at `Level::Avx2`.
///
/// # Safety
/// As for [`Job::run`], and the processor has AVX2, FMA and F16C.
#[target_feature(enable = "avx2,fma,f16c")]
pub(crate) unsafe fn run_avx2<W: Element>(job: &Job<W>, rows: Range<usize>) {
    // SAFETY: the caller's promise.
    unsafe { job.walk::<Avx2>(rows) }
}

/// [`mix`](attention::mix) at `Level::Avx512`.
///
/// # Safety
/// As for [`mix`](attention::mix), and the processor has AVX-512F.
#[target_feature(enable = "avx512f")]
pub(crate) unsafe fn mix_avx512(scores: &mut [f32], values: &[f32], shape: [usize; 3], output: &mut [f32]) {
    // SAFETY: the caller's promise.
    unsafe { attention::mix::<Avx512>(scores, values, shape, output) }
}

/// [`mix`](attention::mix) at `Level::Avx2`.
///
/// # Safety
/// As for [`mix`](attention::mix), and the processor has AVX2, FMA and F16C.
#[target_feature(enable = "avx2,fma,f16c")]
pub(crate) unsafe fn mix_avx2(scores: &mut [f32], values: &[f32], shape: [usize; 3], output: &mut [f32]) {
    // SAFETY: the caller's promise.
    unsafe { attention::mix::<Avx2>(scores, values, shape, output) }
}

/// [`Panels::run`] at `Level::Avx512`.
///
/// # Safety
/// As for [`Panels::run`], and the processor has AVX-512F.
#[target_feature(enable = "avx512f")]
pub(crate) unsafe fn panels_avx512<X: Matrix>(panels: &Panels<X>, rows: Range<usize>) {
    // SAFETY: the caller's promise.
    unsafe { panels.walk::<Avx512>(rows) }
}

/// [`Panels::run`] at `Level::Avx2`.
///
/// # Safety
/// As for [`Panels::run`], and the processor has AVX2, FMA and F16C.
#[target_feature(enable = "avx2,fma,f16c")]
pub(crate) unsafe fn panels_avx2<X: Matrix>(panels: &Panels<X>, rows: Range<usize>) {
    // SAFETY: the caller's promise.
    unsafe { panels.walk::<Avx2>(rows) }
}
