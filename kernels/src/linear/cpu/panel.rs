//! Many activation rows: a product that is bound by arithmetic.
//!
//! Prompts and drafts have a dozen rows and more. Every weight is then used so often that memory no longer limits the speed.
//! The [tile](super::tile) of dot products would spend its time on other work than multiplying: it widens each weight once per
//! eight rows, and sums lanes. Here the lanes of a vector are activation rows:
//!
//! 1. the activations are [turned](Turned) once per product, so that a column of up to `LANES` rows is one vector;
//! 2. a *panel* of weight rows is [widened](Rows::widen) once, a slice of columns at a time, into a buffer that stays
//!    in the first-level cache, whatever type the weights have;
//! 3. each widened weight is broadcast and multiplied by the vectors of a column; the sums, `R` weight rows times `C`
//!    vectors, stay in registers for the whole slice, and nothing is ever summed across lanes.

use super::weight_layout::{BLOCK_WEIGHTS, Rows, WeightLayout, Widening};
use crate::cpu::Level;
use crate::cpu::parallel;
use crate::cpu::simd::{Line, MAX_LANES, Simd};
use std::ops::Range;

/// Whether a product of `m` activation rows is faster this way. (Measured: with few rows, the lanes that stay empty cost
/// more than the tile of dot products does, which has to widen weights anew for every four or eight rows.)
pub(crate) fn is_better(level: Level, m: usize, widening: Widening) -> bool {
    match (level, widening) {
        (Level::Avx512, Widening::WithTheLoad) => matches!(m, 15 | 16 | 27..),
        (Level::Avx512, _) => matches!(m, 11..=16 | 20..),
        (Level::Avx2, Widening::WithTheLoad) => matches!(m, 14..=16 | 21..),
        (Level::Avx2, Widening::Short) => m >= 11,
        (Level::Avx2, Widening::Long) => m >= 5,
        (Level::Neon, _) => m >= 12,
        // Widening is most of the work where there is no instruction for it.
        (Level::Scalar, _) => m >= 4,
    }
}

/// Activation rows of one pass: what is turned of them should stay in the second-level cache.
pub(crate) const MOST_ROWS: usize = 384;

/// Columns of a slice, at most: with it, a panel's widened weights take 10 or 20 KB.
const SLICE: usize = 192;

/// Elements from one row of the widened panel to the next: an odd number of cache lines, so that rows do not fall on
/// the same sets, and a constant, so that one address register is enough for all of them.
const STRIDE: usize = SLICE + MAX_LANES;

/// Activations by column: `[vectors, k, lanes]`, where a vector holds the same column of `lanes` rows.
pub(crate) struct Turned {
    lines: Vec<Line>,
    vectors: usize,
}

impl Turned {
    /// Turns the rows `[m, k]` of `x`. Rows that are missing for a whole vector are zeros.
    pub fn new(x: &[f32], m: usize, k: usize, level: Level) -> Self {
        let lanes = level.lanes();
        let vectors = m.div_ceil(lanes);
        let mut lines: Vec<Line> = Vec::with_capacity((vectors * k * lanes).div_ceil(MAX_LANES));
        let to = Start(lines.as_mut_ptr().cast::<f32>());
        let x = Source { start: x.as_ptr(), m, k };
        let helpers = parallel::threads_for(m * k * size_of::<f32>()).min(vectors) - 1;
        parallel::for_pieces(vectors, helpers, move |vector| {
            let (x, to) = (&x, &to); // the whole, which may be shared, and not their fields
            // SAFETY: `x` and `lines` outlive this call, because `for_pieces` returns only when every piece is done;
            // `x` has `m * k` values (the caller checked), there is room for `vectors * k * lanes`, and each piece
            // writes its own `k * lanes`.
            unsafe { x.turn(vector, lanes, to.0.add(vector * k * lanes)) }
        });
        // SAFETY: as many lines have been reserved, and the pieces have written all but the end of the last one, which
        // is zeroed here.
        unsafe {
            let written = vectors * k * lanes;
            lines.set_len(written.div_ceil(MAX_LANES));
            let all = lines.as_mut_ptr().cast::<f32>();
            all.add(written).write_bytes(0, lines.len() * MAX_LANES - written);
        }
        Turned { lines, vectors }
    }
}

struct Start(*mut f32);

// SAFETY: used only as `Turned::new` says.
unsafe impl Send for Start {}
// SAFETY: as above.
unsafe impl Sync for Start {}

struct Source {
    start: *const f32,
    m: usize,
    k: usize,
}

// SAFETY: the activations are only read, and only as `Turned::new` says.
unsafe impl Send for Source {}
// SAFETY: as above.
unsafe impl Sync for Source {}

impl Source {
    /// Writes the columns of the rows of one vector, `[k, lanes]`, four by four values at a time.
    ///
    /// # Safety
    /// `start` is good for `m * k` elements, `to` for `k * lanes`; `lanes` is a multiple of four.
    unsafe fn turn(&self, vector: usize, lanes: usize, to: *mut f32) {
        let &Source { start, m, k } = self;
        for lane in (0..lanes).step_by(4) {
            let first = vector * lanes + lane;
            // SAFETY: rows are read below `m` only, columns below `k`; writes are at `column * lanes + lane + 0..4`.
            unsafe {
                let mut column = 0;
                if first + 4 <= m {
                    let row = |r: usize| start.add((first + r) * k);
                    while column + 4 <= k {
                        let rows: [[f32; 4]; 4] =
                            std::array::from_fn(|r| row(r).add(column).cast::<[f32; 4]>().read_unaligned());
                        for (c, turned) in turned(rows).into_iter().enumerate() {
                            let to = to.add((column + c) * lanes + lane);
                            to.cast::<[f32; 4]>().write_unaligned(turned);
                        }
                        column += 4;
                    }
                }
                for column in column..k {
                    for r in 0..4 {
                        let exists = first + r < m;
                        let value = if exists { *start.add((first + r) * k + column) } else { 0.0 };
                        *to.add(column * lanes + lane + r) = value;
                    }
                }
            }
        }
    }
}

/// Rows become columns.
#[inline(always)]
fn turned(rows: [[f32; 4]; 4]) -> [[f32; 4]; 4] {
    std::array::from_fn(|c| std::array::from_fn(|r| rows[r][c]))
}

/// Operands of one product, as plain addresses: `y[m, n] = x[m, k] · w[n, k]ᵀ`.
pub(crate) struct Panels<W> {
    x: *const f32,
    vectors: usize,
    w: Rows<W>,
    y: *mut f32,
    m: usize,
    n: usize,
    k: usize,
}

// SAFETY: the addresses are used only in `Panels::run`, whose caller promises that they are good for the time of the
// call and that no two threads are given the same rows.
unsafe impl<W: WeightLayout> Send for Panels<W> {}
// SAFETY: as above.
unsafe impl<W: WeightLayout> Sync for Panels<W> {}

impl<W: WeightLayout> Panels<W> {
    /// Notes where the operands are. `shape` is `[m, n, k]`.
    pub fn new(x: &Turned, w: Rows<W>, [m, n, k]: [usize; 3], y: *mut f32) -> Self {
        Panels { x: x.lines.as_ptr().cast(), vectors: x.vectors, w, y, m, n, k }
    }

    /// Computes the columns `rows` of `y` (rows of the weight).
    ///
    /// # Safety
    /// `level` is supported and the one that `x` was turned for; the operands are as large as `[m, n, k]` says; `rows`
    /// lies within `0..n`; nobody else writes these columns of `y` or reads them meanwhile.
    pub unsafe fn run(&self, level: Level, rows: Range<usize>) {
        // SAFETY: the caller's promise covers each of these.
        unsafe {
            match level {
                #[cfg(target_arch = "x86_64")]
                Level::Avx512 => crate::cpu::x86::panels_avx512(self, rows),
                #[cfg(target_arch = "x86_64")]
                Level::Avx2 => crate::cpu::x86::panels_avx2(self, rows),
                #[cfg(target_arch = "aarch64")]
                Level::Neon => crate::cpu::neon::panels_neon(self, rows),
                _ => crate::cpu::scalar::panels_scalar(self, rows),
            }
        }
    }

    /// The walk over the panels of `rows`, to be inlined into a function that enables the instructions of `S`.
    ///
    /// # Safety
    /// As for [`Panels::run`], and the processor has the instructions of `S`.
    #[inline(always)]
    pub unsafe fn walk<S: Simd>(&self, rows: Range<usize>) {
        let [height, width] = if self.vectors == 1 { S::PANEL_OF_ONE } else { S::PANEL };
        let slice = self.k.div_ceil(self.k.div_ceil(SLICE).max(1)).next_multiple_of(BLOCK_WEIGHTS);
        let sums_stride = self.vectors * S::LANES;
        let mut panel: Vec<Line> = Vec::with_capacity(height * STRIDE / MAX_LANES);
        let mut sums: Vec<Line> = Vec::with_capacity((height * sums_stride).div_ceil(MAX_LANES));
        let (panel, sums) = (panel.as_mut_ptr().cast::<f32>(), sums.as_mut_ptr().cast::<f32>());
        for first in rows.clone().step_by(height) {
            let present = height.min(rows.end - first);
            let mut from = 0;
            let next = self.w.address(first + height);
            let ahead = height * self.w.stride / self.k.max(1);
            // SAFETY: rows of the weight are read below `first + present`, which is at most `rows.end`, columns below
            // `k`; a row of the panel has room for a slice and one vector more, a row of the sums for all vectors.
            unsafe {
                loop {
                    let to = self.k.min(from + slice);
                    for r in 0..present {
                        self.w.widen::<S>(first + r, from..to, panel.add(r * STRIDE));
                    }
                    for r in present..height {
                        panel.add(r * STRIDE).write_bytes(0, to - from);
                    }
                    let mut vector = 0;
                    while vector < self.vectors {
                        let count = width.min(self.vectors - vector);
                        let x = self.x.add((vector * self.k + from) * S::LANES);
                        let tile = Tile {
                            panel,
                            x,
                            x_stride: self.k * S::LANES,
                            columns: to - from,
                            sums: sums.add(vector * S::LANES),
                            sums_stride,
                            add: from > 0,
                            next: next.wrapping_add(from * ahead),
                            ahead,
                        };
                        tile.dispatch::<S>(height, count);
                        vector += count;
                    }
                    from = to;
                    if from == self.k {
                        break;
                    }
                }
                self.write(sums, sums_stride, first..first + present);
            }
        }
    }

    /// Writes the sums `[rows, stride]` to the columns `rows` of `y`, four by four values at a time.
    #[inline(always)]
    unsafe fn write(&self, sums: *const f32, stride: usize, rows: Range<usize>) {
        let mut row = rows.start;
        // SAFETY: `sums` has as many rows as `rows`, each of at least `m` values; `rows` lies within `0..n`.
        unsafe {
            while row < rows.end {
                let sums = sums.add((row - rows.start) * stride);
                let many = (rows.end - row).min(4);
                let mut t = 0;
                if many == 4 {
                    while t + 4 <= self.m {
                        let four: [[f32; 4]; 4] =
                            std::array::from_fn(|r| sums.add(r * stride + t).cast::<[f32; 4]>().read_unaligned());
                        for (i, turned) in turned(four).into_iter().enumerate() {
                            let to = self.y.add((t + i) * self.n + row);
                            to.cast::<[f32; 4]>().write_unaligned(turned);
                        }
                        t += 4;
                    }
                }
                for t in t..self.m {
                    for r in 0..many {
                        *self.y.add(t * self.n + row + r) = *sums.add(r * stride + t);
                    }
                }
                row += many;
            }
        }
    }
}

/// One slice of a panel times some vectors of activations.
struct Tile {
    /// Widened weights, `[R, STRIDE]`.
    panel: *const f32,
    /// `[C, x_stride]`, of which the first `columns` vectors count.
    x: *const f32,
    x_stride: usize,
    columns: usize,
    /// `[R, sums_stride]`
    sums: *mut f32,
    sums_stride: usize,
    /// Whether the sums of the previous columns exist.
    add: bool,
    /// A part of the next panel's weights that should be under way by the end of this tile.
    next: *const u8,
    /// Bytes of it per column.
    ahead: usize,
}

impl Tile {
    #[inline(always)]
    unsafe fn dispatch<S: Simd>(&self, height: usize, count: usize) {
        // SAFETY: the caller's promise.
        unsafe {
            match (height, count) {
                (24, _) => self.multiply::<S, 24, 1>(),
                (12, 1) => self.multiply::<S, 12, 1>(),
                (12, _) => self.multiply::<S, 12, 2>(),
                (6, 1) => self.multiply::<S, 6, 1>(),
                (6, _) => self.multiply::<S, 6, 2>(),
                (8, 1) => self.multiply::<S, 8, 1>(),
                (8, 2) => self.multiply::<S, 8, 2>(),
                (8, _) => self.multiply::<S, 8, 3>(),
                _ => self.multiply::<S, 4, 1>(),
            }
        }
    }

    #[inline(always)]
    unsafe fn multiply<S: Simd, const R: usize, const C: usize>(&self) {
        // SAFETY: the caller's promise: the operands are as large as their fields say.
        unsafe {
            let mut sums = [[S::zero(); C]; R];
            if self.add {
                for (r, sums) in sums.iter_mut().enumerate() {
                    for (c, sum) in sums.iter_mut().enumerate() {
                        *sum = S::load_f32(self.sums.add(r * self.sums_stride + c * S::LANES));
                    }
                }
            }
            for i in 0..self.columns {
                let mut x = [S::zero(); C];
                for (c, x) in x.iter_mut().enumerate() {
                    *x = S::load_f32(self.x.add(c * self.x_stride + i * S::LANES));
                }
                S::prefetch_later(self.next.wrapping_add(i * self.ahead));
                for (r, sums) in sums.iter_mut().enumerate() {
                    let weight = S::splat(*self.panel.add(r * STRIDE + i));
                    for (sum, x) in sums.iter_mut().zip(&x) {
                        *sum = S::multiply_add(weight, *x, *sum);
                    }
                }
            }
            for (r, sums) in sums.iter().enumerate() {
                for (c, sum) in sums.iter().enumerate() {
                    S::store_f32(self.sums.add(r * self.sums_stride + c * S::LANES), *sum);
                }
            }
        }
    }
}
