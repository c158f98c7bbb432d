//! The register tile, and the walk over one piece of the weight rows.

use super::level::Level;
use super::simd::{Element, MAX_LANES, Padded, Simd};
use std::ops::Range;

/// Weight rows that are passed over for all activation rows before the next ones are touched, so that they are still
/// in the first-level cache on the second pass. A multiple of every tile's height (3 and 4).
pub(crate) const BLOCK: usize = 12;

/// Operands of one product, as plain addresses: `y[m, n] = x[m, k] · w[n, k]ᵀ`.
pub(crate) struct Job<W> {
    x: *const f32,
    x_stride: usize,
    w: *const W,
    y: *mut f32,
    m: usize,
    n: usize,
    k: usize,
}

// SAFETY: the addresses are used only in `Job::run`, whose caller promises that they are good for the time of the
// call and that no two threads are given the same rows.
unsafe impl<W: Sync> Send for Job<W> {}
// SAFETY: as above.
unsafe impl<W: Sync> Sync for Job<W> {}

impl<W: Element> Job<W> {
    /// Notes where the operands are. `shape` is `[m, n, k]`.
    pub fn new(x: &Padded, w: &[W], [m, n, k]: [usize; 3], y: &mut [f32]) -> Self {
        Job { x: x.as_ptr(), x_stride: x.stride, w: w.as_ptr(), y: y.as_mut_ptr(), m, n, k }
    }

    /// Computes the columns `rows` of `y` (rows of the weight).
    ///
    /// # Safety
    /// `level` is supported; `x` holds `m` rows of `k` values padded with zeros to `x_stride` (a multiple of the
    /// level's lanes), `w` holds `n * k` values and `y` `m * n`; `rows` lies within `0..n`; nobody else writes these
    /// columns of `y` or reads them meanwhile.
    pub unsafe fn run(&self, level: Level, rows: Range<usize>) {
        // SAFETY: the caller's promise covers each of these.
        unsafe {
            match level {
                #[cfg(target_arch = "x86_64")]
                Level::Avx512 => super::x86::run_avx512(self, rows),
                #[cfg(target_arch = "x86_64")]
                Level::Avx2 => super::x86::run_avx2(self, rows),
                #[cfg(target_arch = "aarch64")]
                Level::Neon => super::neon::run_neon(self, rows),
                _ => super::scalar::run_scalar(self, rows),
            }
        }
    }

    /// The walk, to be inlined into a function that enables the instructions of `S`.
    ///
    /// # Safety
    /// As for [`Job::run`], and the processor has the instructions of `S`.
    #[inline(always)]
    pub unsafe fn walk<S: Simd>(&self, rows: Range<usize>) {
        let passes = self.m.div_ceil(S::MAX_M);
        let block = if passes == 1 { rows.len() } else { BLOCK };
        let mut first = rows.start;
        while first < rows.end {
            let last = rows.end.min(first + block);
            let mut row = 0;
            for pass in 0..passes {
                // As even as can be: nine rows are five and four, not eight and one.
                let height = (self.m - row).div_ceil(passes - pass);
                // SAFETY: `row + height` is at most `m`, `first..last` lies within `rows`.
                unsafe {
                    match (height, S::MAX_M) {
                        (1, _) => self.strip::<S, 1, 4>(row, first..last),
                        (2, _) => self.strip::<S, 2, 4>(row, first..last),
                        (3, _) => self.strip::<S, 3, 4>(row, first..last),
                        (4, 4) => self.strip::<S, 4, 2>(row, first..last),
                        (4, _) => self.strip::<S, 4, 4>(row, first..last),
                        (5, _) => self.strip::<S, 5, 4>(row, first..last),
                        (6, _) => self.strip::<S, 6, 4>(row, first..last),
                        (7, _) => self.strip::<S, 7, 3>(row, first..last),
                        _ => self.strip::<S, 8, 3>(row, first..last),
                    }
                }
                row += height;
            }
            first = last;
        }
    }

    /// `M` activation rows from `row` on, times all weight rows of `rows`, `R` at a time.
    #[inline(always)]
    unsafe fn strip<S: Simd, const M: usize, const R: usize>(&self, row: usize, rows: Range<usize>) {
        let mut j = rows.start;
        // SAFETY: the tiles stay within `rows`; the rest is the caller's promise.
        unsafe {
            while j + R <= rows.end {
                self.tile::<S, M, R>(row, j);
                j += R;
            }
            while j < rows.end {
                self.tile::<S, M, 1>(row, j);
                j += 1;
            }
        }
    }

    /// `M` activation rows from `row` on, times `R` weight rows from `j` on: `R * M` sums in registers.
    #[inline(always)]
    unsafe fn tile<S: Simd, const M: usize, const R: usize>(&self, row: usize, j: usize) {
        // SAFETY: `row + M <= m` and `j + R <= n`, so all reads are within `x` and `w` and all writes within `y`; the
        // last, partial vector of a weight row is read from a copy. Prefetches may point anywhere.
        unsafe {
            let x = self.x.add(row * self.x_stride);
            let w = self.w.add(j * self.k);
            let mut sums = [[S::zero(); M]; R];
            let whole = self.k - self.k % S::LANES;
            let mut i = 0;
            while i < whole {
                let mut weights = [S::zero(); R];
                for (r, weight) in weights.iter_mut().enumerate() {
                    let at = w.add(r * self.k + i);
                    // The same place in the next tile's rows.
                    S::prefetch(at.wrapping_add(R * self.k).cast());
                    *weight = W::load::<S>(at);
                }
                for m in 0..M {
                    let value = S::load_f32(x.add(m * self.x_stride + i));
                    for r in 0..R {
                        sums[r][m] = S::multiply_add(weights[r], value, sums[r][m]);
                    }
                }
                i += S::LANES;
            }
            if whole < self.k {
                for (r, sums) in sums.iter_mut().enumerate() {
                    let mut rest = [W::ZERO; MAX_LANES];
                    let from = std::slice::from_raw_parts(w.add(r * self.k + whole), self.k - whole);
                    rest[..from.len()].copy_from_slice(from);
                    let weight = W::load::<S>(rest.as_ptr());
                    for (m, sum) in sums.iter_mut().enumerate() {
                        *sum = S::multiply_add(weight, S::load_f32(x.add(m * self.x_stride + whole)), *sum);
                    }
                }
            }
            self.store::<S, M, R>(&sums, row, j);
        }
    }

    /// Sums the lanes, four vectors at a time, and writes the results.
    #[inline(always)]
    unsafe fn store<S: Simd, const M: usize, const R: usize>(&self, sums: &[[S::V; M]; R], row: usize, j: usize) {
        // SAFETY: as for `tile`; `m < M` and `r < R` throughout.
        unsafe {
            let y = self.y.add(row * self.n + j);
            if R == 4 {
                for m in 0..M {
                    let four = S::sum4([sums[0][m], sums[1 % R][m], sums[2 % R][m], sums[3 % R][m]]);
                    y.add(m * self.n).cast::<[f32; 4]>().write_unaligned(four);
                }
                return;
            }
            for (r, sums) in sums.iter().enumerate() {
                let mut m = 0;
                while m < M {
                    // The last group of a tile whose height is no multiple of four repeats its last row.
                    let at = |i: usize| sums[(m + i).min(M - 1)];
                    let four = S::sum4([at(0), at(1), at(2), at(3)]);
                    for (i, sum) in four.into_iter().enumerate().take(M - m) {
                        *y.add((m + i) * self.n + r) = sum;
                    }
                    m += 4;
                }
            }
        }
    }
}
