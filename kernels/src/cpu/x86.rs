//! AVX-512 and AVX2.

use super::simd::Simd;
use crate::attention::cpu::{self as attention, BlockShape, Cached};
use crate::linear::cpu::panel::Panels;
use crate::linear::cpu::tile::Job;
use crate::linear::cpu::weight_layout::WeightLayout;
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
    type Table = __m512;
    const LOOKS_UP: bool = true;
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
    unsafe fn load_i8(from: *const u8) -> __m512 {
        // SAFETY: as above, and `from` is good for 16 bytes.
        unsafe { _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(from.cast()))) }
    }
    #[inline(always)]
    unsafe fn scale(from: *const u8) -> __m512 {
        // SAFETY: as above (AVX-512F implies F16C), and `from` is good for 2 bytes.
        unsafe {
            let half = i32::from(from.cast::<u16>().read_unaligned());
            _mm512_broadcastss_ps(_mm_cvtph_ps(_mm_cvtsi32_si128(half)))
        }
    }
    #[inline(always)]
    unsafe fn table(from: *const u8) -> __m512 {
        // SAFETY: as above, and `from` is good for 4 bytes.
        unsafe {
            let both = _mm_cvtph_ps(_mm_cvtsi32_si128(from.cast::<i32>().read_unaligned()));
            let (d, m) = (_mm512_broadcastss_ps(both), _mm512_broadcastss_ps(_mm_movehdup_ps(both)));
            let q =
                _mm512_setr_ps(0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 11.0, 12.0, 13.0, 14.0, 15.0);
            _mm512_fmadd_ps(q, d, m)
        }
    }
    #[inline(always)]
    unsafe fn look_up<const HIGH: bool>(table: __m512, from: *const u8) -> __m512 {
        // SAFETY: as above, and `from` is good for 16 bytes. The permutation looks at the low four bits only.
        unsafe {
            let q = _mm512_cvtepu8_epi32(_mm_loadu_si128(from.cast()));
            _mm512_permutexvar_ps(if HIGH { _mm512_srli_epi32::<4>(q) } else { q }, table)
        }
    }
    #[inline(always)]
    unsafe fn halves(from: *const u8) -> [__m512; 2] {
        // SAFETY: as above, and `from` is good for 16 bytes.
        unsafe {
            let both = _mm512_cvtepu8_epi32(_mm_loadu_si128(from.cast()));
            [15, 240].map(|half| _mm512_cvtepi32_ps(_mm512_and_si512(both, _mm512_set1_epi32(half))))
        }
    }
    #[inline(always)]
    unsafe fn multiply(a: __m512, b: __m512) -> __m512 {
        // SAFETY: as above.
        unsafe { _mm512_mul_ps(a, b) }
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
    type Table = [__m256; 2];
    const LOOKS_UP: bool = false;
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
    unsafe fn load_i8(from: *const u8) -> __m256 {
        // SAFETY: as above, and `from` is good for 8 bytes.
        unsafe { _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64(from.cast()))) }
    }
    #[inline(always)]
    unsafe fn scale(from: *const u8) -> __m256 {
        // SAFETY: as above, and `from` is good for 2 bytes.
        unsafe {
            let half = i32::from(from.cast::<u16>().read_unaligned());
            _mm256_broadcastss_ps(_mm_cvtph_ps(_mm_cvtsi32_si128(half)))
        }
    }
    #[inline(always)]
    unsafe fn table(from: *const u8) -> [__m256; 2] {
        // SAFETY: as above, and `from` is good for 4 bytes.
        unsafe { [Self::scale(from), Self::scale(from.add(2))] }
    }
    #[inline(always)]
    unsafe fn look_up<const HIGH: bool>([d, m]: [__m256; 2], from: *const u8) -> __m256 {
        // SAFETY: as above, and `from` is good for 8 bytes.
        unsafe {
            let both = _mm256_cvtepu8_epi32(_mm_loadl_epi64(from.cast()));
            let q = if HIGH { _mm256_srli_epi32::<4>(both) } else { _mm256_and_si256(both, _mm256_set1_epi32(15)) };
            _mm256_fmadd_ps(_mm256_cvtepi32_ps(q), d, m)
        }
    }
    #[inline(always)]
    unsafe fn halves(from: *const u8) -> [__m256; 2] {
        // SAFETY: as above, and `from` is good for 8 bytes.
        unsafe {
            let both = _mm256_cvtepu8_epi32(_mm_loadl_epi64(from.cast()));
            [15, 240].map(|half| _mm256_cvtepi32_ps(_mm256_and_si256(both, _mm256_set1_epi32(half))))
        }
    }
    #[inline(always)]
    unsafe fn multiply(a: __m256, b: __m256) -> __m256 {
        // SAFETY: as above.
        unsafe { _mm256_mul_ps(a, b) }
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
pub(crate) unsafe fn run_avx512<W: WeightLayout>(job: &Job<W>, rows: Range<usize>) {
    // SAFETY: the caller's promise.
    unsafe { job.walk::<Avx512>(rows) }
}

/// [`Job::run`] at `Level::Avx2`.
///
/// # Safety
/// As for [`Job::run`], and the processor has AVX2, FMA and F16C.
#[target_feature(enable = "avx2,fma,f16c")]
pub(crate) unsafe fn run_avx2<W: WeightLayout>(job: &Job<W>, rows: Range<usize>) {
    // SAFETY: the caller's promise.
    unsafe { job.walk::<Avx2>(rows) }
}

/// [`mix`](attention::mix) at `Level::Avx512`.
///
/// # Safety
/// As for [`mix`](attention::mix), and the processor has AVX-512F.
#[target_feature(enable = "avx512f")]
pub(crate) unsafe fn mix_avx512(scores: &mut [f32], values: Cached<'_>, shape: BlockShape, output: &mut [f32]) {
    // SAFETY: the caller's promise.
    unsafe { attention::mix::<Avx512>(scores, values, shape, output) }
}

/// [`mix`](attention::mix) at `Level::Avx2`.
///
/// # Safety
/// As for [`mix`](attention::mix), and the processor has AVX2, FMA and F16C.
#[target_feature(enable = "avx2,fma,f16c")]
pub(crate) unsafe fn mix_avx2(scores: &mut [f32], values: Cached<'_>, shape: BlockShape, output: &mut [f32]) {
    // SAFETY: the caller's promise.
    unsafe { attention::mix::<Avx2>(scores, values, shape, output) }
}

/// [`Panels::run`] at `Level::Avx512`.
///
/// # Safety
/// As for [`Panels::run`], and the processor has AVX-512F.
#[target_feature(enable = "avx512f")]
pub(crate) unsafe fn panels_avx512<W: WeightLayout>(panels: &Panels<W>, rows: Range<usize>) {
    // SAFETY: the caller's promise.
    unsafe { panels.walk::<Avx512>(rows) }
}

/// [`Panels::run`] at `Level::Avx2`.
///
/// # Safety
/// As for [`Panels::run`], and the processor has AVX2, FMA and F16C.
#[target_feature(enable = "avx2,fma,f16c")]
pub(crate) unsafe fn panels_avx2<W: WeightLayout>(panels: &Panels<W>, rows: Range<usize>) {
    // SAFETY: the caller's promise.
    unsafe { panels.walk::<Avx2>(rows) }
}
