//! Few activation rows: the register tile of dot products, and the walk over one piece of the weight rows.

use super::weight_layout::{BLOCK_WEIGHTS, Rows, WeightLayout, Widening, rest};
use crate::cpu::Level;
use crate::cpu::simd::{Padded, Simd};
use std::ops::Range;

/// Rows of a piece are a multiple of this, which is a multiple of every tile's and panel's height. Where one pass over
/// them is not enough for all activation rows, half of it is passed over for all before the next ones are touched, so that
/// they are still in the first-level cache on the second pass.
pub(crate) const BLOCK: usize = 24;

/// How much of the first-level cache (32 KB and more) a tile's activations may take; the weights pass through the
/// rest.
const TILE_BYTES: usize = 24 * 1024;

/// Operands of one product, as plain addresses: `y[m, n] = x[m, k] · w[n, k]ᵀ`.
pub(crate) struct Job<W> {
    x: *const f32,
    x_stride: usize,
    w: Rows<W>,
    y: *mut f32,
    m: usize,
    n: usize,
    k: usize,
}

// SAFETY: the addresses are used only in `Job::run`, whose caller promises that they are good for the time of the
// call and that no two threads are given the same rows.
unsafe impl<W: WeightLayout> Send for Job<W> {}
// SAFETY: as above.
unsafe impl<W: WeightLayout> Sync for Job<W> {}

impl<W: WeightLayout> Job<W> {
    /// Notes where the operands are. `shape` is `[m, n, k]`.
    pub fn new(x: &Padded, w: Rows<W>, [m, n, k]: [usize; 3], y: *mut f32) -> Self {
        Job { x: x.as_ptr(), x_stride: x.stride, w, y, m, n, k }
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
                Level::Avx512 => crate::cpu::x86::run_avx512(self, rows),
                #[cfg(target_arch = "x86_64")]
                Level::Avx2 => crate::cpu::x86::run_avx2(self, rows),
                #[cfg(target_arch = "aarch64")]
                Level::Neon => crate::cpu::neon::run_neon(self, rows),
                _ => crate::cpu::scalar::run_scalar(self, rows),
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
        let slices = self.slices(self.m.div_ceil(passes));
        let block = if passes == 1 && slices == 1 { rows.len() } else { BLOCK / 2 };
        let slice = self.k.div_ceil(slices).next_multiple_of(BLOCK_WEIGHTS);
        let mut first = rows.start;
        while first < rows.end {
            let last = rows.end.min(first + block);
            for number in 0..slices {
                let columns = number * slice..self.k.min((number + 1) * slice);
                let mut row = 0;
                for pass in 0..passes {
                    // As even as can be: nine rows are five and four, not eight and one.
                    let height = (self.m - row).div_ceil(passes - pass);
                    // SAFETY: `row + height` is at most `m`, `first..last` lies within `rows`, `columns` in `0..k`.
                    unsafe { self.dispatch::<S>(height, row, first..last, columns.clone()) }
                    row += height;
                }
            }
            first = last;
        }
    }

    /// Into how many slices long rows are cut, so that a tile's activations stay in the first-level cache while the
    /// weight rows pass by.
    #[inline(always)]
    fn slices(&self, height: usize) -> usize {
        (self.k * height * size_of::<f32>()).div_ceil(TILE_BYTES).max(1)
    }

    #[inline(always)]
    unsafe fn dispatch<S: Simd>(&self, height: usize, row: usize, rows: Range<usize>, columns: Range<usize>) {
        // SAFETY: the caller's promise.
        unsafe {
            match (height, S::MAX_M) {
                (1, _) => self.strip::<S, 1, 4>(row, rows, columns),
                (2, _) => self.strip::<S, 2, 4>(row, rows, columns),
                (3, 4) => self.strip::<S, 3, 3>(row, rows, columns), // a fourth row's sums would not fit in 16 registers
                (3, _) => self.strip::<S, 3, 4>(row, rows, columns),
                (4, 4) => self.strip::<S, 4, 2>(row, rows, columns),
                (4, _) => self.strip::<S, 4, 4>(row, rows, columns),
                (5, _) => self.strip::<S, 5, 4>(row, rows, columns),
                (6, _) => self.strip::<S, 6, 4>(row, rows, columns),
                (7, _) => self.strip::<S, 7, 3>(row, rows, columns),
                _ => self.strip::<S, 8, 3>(row, rows, columns),
            }
        }
    }

    /// `M` activation rows from `row` on, times all weight rows of `rows`, `R` at a time.
    #[inline(always)]
    unsafe fn strip<S: Simd, const M: usize, const R: usize>(
        &self,
        row: usize,
        rows: Range<usize>,
        columns: Range<usize>,
    ) {
        let mut j = rows.start;
        // SAFETY: the tiles stay within `rows`; the rest is the caller's promise.
        unsafe {
            while j + R <= rows.end {
                self.tile::<S, M, R>(row, j, columns.start, columns.end);
                j += R;
            }
            while j < rows.end {
                self.tile::<S, M, 1>(row, j, columns.start, columns.end);
                j += 1;
            }
        }
    }

    /// `M` activation rows from `row` on, times `R` weight rows from `j` on: `R * M` sums in registers, over the
    /// columns `from..to`; `from` is a whole number of vectors, and so is `to` unless it is the end of the row.
    #[inline(always)]
    unsafe fn tile<S: Simd, const M: usize, const R: usize>(&self, row: usize, j: usize, from: usize, to: usize) {
        // SAFETY: `row + M <= m` and `j + R <= n`, so all reads are within `x` and `w` and all writes within `y`; the
        // last, partial vector of a weight row is read from a copy. Prefetches may point anywhere.
        unsafe {
            let x = self.x.add(row * self.x_stride);
            let (unit, unit_bytes) = (W::unit::<S>(), W::bytes(W::unit::<S>()));
            let mut w = self.w.address(j).add(W::bytes(from));
            let stride = self.w.stride;
            let mut sums = [[S::zero(); R]; M];
            let whole = to - (to - from) % unit;
            let mut i = from;
            if M == 1 && W::WIDENING != Widening::WithTheLoad {
                // Nobody else uses the widened weights, so that they need not be made: blocks know a shorter way.
                while i < whole {
                    for (r, sum) in sums[0].iter_mut().enumerate() {
                        let at = w.add(r * stride);
                        S::prefetch(at.wrapping_add(2 * R * stride));
                        *sum = W::dot::<S>(at, x.add(i), *sum);
                    }
                    w = w.add(unit_bytes);
                    i += unit;
                }
            }
            while i < whole {
                let heads: [W::Head<S>; R] = std::array::from_fn(|r| W::head::<S>(w.add(r * stride)));
                for part in 0..unit / S::LANES {
                    let mut weights = [S::zero(); R];
                    for (r, weight) in weights.iter_mut().enumerate() {
                        let at = w.add(r * stride);
                        if part == 0 {
                            // The same place in the rows of the tile after the next.
                            S::prefetch(at.wrapping_add(2 * R * stride));
                        }
                        *weight = W::part::<S>(heads[r], at, part);
                    }
                    for (m, sums) in sums.iter_mut().enumerate() {
                        let value = S::load_f32(x.add(m * self.x_stride + i + part * S::LANES));
                        for (sum, weight) in sums.iter_mut().zip(&weights) {
                            *sum = S::multiply_add(*weight, value, *sum);
                        }
                    }
                }
                w = w.add(unit_bytes);
                i += unit;
            }
            if whole < to {
                for r in 0..R {
                    let weight = rest::<S, W>(w.add(r * stride), to - whole);
                    for (m, sums) in sums.iter_mut().enumerate() {
                        sums[r] = S::multiply_add(weight, S::load_f32(x.add(m * self.x_stride + whole)), sums[r]);
                    }
                }
            }
            self.store::<S, M, R>(&sums, row, j, from > 0);
        }
    }

    /// Sums the lanes, four vectors at a time, and writes the results, or adds them to what the columns before gave.
    #[inline(always)]
    unsafe fn store<S: Simd, const M: usize, const R: usize>(
        &self,
        sums: &[[S::V; R]; M],
        row: usize,
        j: usize,
        add: bool,
    ) {
        // SAFETY: as for `tile`; `m < M` and `r < R` throughout.
        unsafe {
            let y = self.y.add(row * self.n + j);
            if R == 4 {
                for (m, sums) in sums.iter().enumerate() {
                    let mut four = S::sum4([sums[0], sums[1 % R], sums[2 % R], sums[3 % R]]);
                    let to = y.add(m * self.n).cast::<[f32; 4]>();
                    if add {
                        let before = to.read_unaligned();
                        four = std::array::from_fn(|r| before[r] + four[r]);
                    }
                    to.write_unaligned(four);
                }
                return;
            }
            let mut r = 0;
            while r < R {
                let mut m = 0;
                while m < M {
                    // The last group of a tile whose height is no multiple of four repeats its last row.
                    let at = |i: usize| sums[(m + i).min(M - 1)][r];
                    let four = S::sum4([at(0), at(1), at(2), at(3)]);
                    for (i, sum) in four.into_iter().enumerate().take(M - m) {
                        let to = y.add((m + i) * self.n + r);
                        *to = if add { *to + sum } else { sum };
                    }
                    m += 4;
                }
                r += 1;
            }
        }
    }
}
