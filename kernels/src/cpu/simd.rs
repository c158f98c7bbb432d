//! What a tile needs of a vector instruction set, and of a weight's type.

use half::f16;
use std::ops::Range;

/// The longest vector of any level, in lanes.
pub(crate) const MAX_LANES: usize = 16;

/// One vector instruction set. All methods must be inlined into a function that enables its instructions.
///
/// # Safety
/// Every method may be called only where the processor has the instructions; pointers must be good for `LANES`
/// elements (no alignment is needed).
pub(crate) trait Simd: Copy + 'static {
    /// A vector of `LANES` 32-bit floats.
    type V: Copy;
    /// Lanes of a vector.
    const LANES: usize;
    /// Activation rows that a tile may hold at once: 8 where there are 32 registers, else 4.
    const MAX_M: usize;
    /// Weight rows and vectors of activations of a [panel](super::panel)'s tile where there is one vector in all.
    const PANEL_OF_ONE: [usize; 2];
    /// The same where there are more.
    const PANEL: [usize; 2];

    /// All lanes zero.
    unsafe fn zero() -> Self::V;
    unsafe fn load_f32(from: *const f32) -> Self::V;
    unsafe fn load_f16(from: *const f16) -> Self::V;
    unsafe fn store_f32(to: *mut f32, vector: Self::V);
    /// A vector whose lanes are all `value`.
    unsafe fn splat(value: f32) -> Self::V;
    /// `a * b + sum`.
    unsafe fn multiply_add(a: Self::V, b: Self::V, sum: Self::V) -> Self::V;
    /// The sum of each vector's lanes.
    unsafe fn sum4(vectors: [Self::V; 4]) -> [f32; 4];
    /// Asks for the cache line at `at`, which may lie outside of any allocation.
    unsafe fn prefetch(at: *const u8);
    /// The same for what is needed so much later that only the second-level cache should hold it.
    unsafe fn prefetch_later(at: *const u8);
}

/// A type that weights are stored in.
pub(crate) trait Element: Copy + Send + Sync + 'static {
    const ZERO: Self;
    /// Loads `S::LANES` weights as 32-bit floats.
    ///
    /// # Safety
    /// As for [`Simd`].
    unsafe fn load<S: Simd>(from: *const Self) -> S::V;
}

impl Element for f32 {
    const ZERO: Self = 0.0;
    #[inline(always)]
    unsafe fn load<S: Simd>(from: *const Self) -> S::V {
        // SAFETY: the caller's promise is the same.
        unsafe { S::load_f32(from) }
    }
}

impl Element for f16 {
    const ZERO: Self = f16::ZERO;
    #[inline(always)]
    unsafe fn load<S: Simd>(from: *const Self) -> S::V {
        // SAFETY: the caller's promise is the same.
        unsafe { S::load_f16(from) }
    }
}

/// A weight `[n, k]` from which rows can be read as 32-bit floats. A plain address: whoever uses it sees to it that the
/// values are there.
pub(crate) trait Matrix: Copy + Send + Sync + 'static {
    /// Writes the values of a row's `columns`, widened, and up to `LANES - 1` more of any value behind them.
    ///
    /// # Safety
    /// As for [`Simd`]; the row and the columns are there, and there is room for what is written.
    unsafe fn widen<S: Simd>(&self, row: usize, columns: Range<usize>, to: *mut f32);

    /// Where a row starts, which may be beyond the last; rows lie one after the other.
    fn address(&self, row: usize) -> *const u8;
}

/// Values row after row.
pub(crate) struct Plain<W> {
    values: *const W,
    k: usize,
}

impl<W> Plain<W> {
    /// Rows of `k` values.
    pub fn new(values: &[W], k: usize) -> Self {
        let values = values.as_ptr();
        Plain { values, k }
    }
}

impl<W> Clone for Plain<W> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<W> Copy for Plain<W> {}

// SAFETY: an address of values that are only read, under the promise of `Matrix::widen`.
unsafe impl<W: Sync> Send for Plain<W> {}
// SAFETY: as above.
unsafe impl<W: Sync> Sync for Plain<W> {}

impl<W: Element> Matrix for Plain<W> {
    #[inline(always)]
    unsafe fn widen<S: Simd>(&self, row: usize, columns: Range<usize>, to: *mut f32) {
        // SAFETY: the caller's promise; the last, partial vector is read from a copy.
        unsafe {
            let from = self.values.add(row * self.k + columns.start);
            let count = columns.len();
            let whole = count - count % S::LANES;
            let mut i = 0;
            while i < whole {
                S::store_f32(to.add(i), W::load::<S>(from.add(i)));
                i += S::LANES;
            }
            if whole < count {
                let mut rest = [W::ZERO; MAX_LANES];
                let last = std::slice::from_raw_parts(from.add(whole), count - whole);
                rest[..last.len()].copy_from_slice(last);
                S::store_f32(to.add(whole), W::load::<S>(rest.as_ptr()));
            }
        }
    }

    fn address(&self, row: usize) -> *const u8 {
        self.values.wrapping_add(row * self.k).cast()
    }
}

/// A cache line, so that rows of activations start on one: a vector that straddles two lines takes two loads.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub(crate) struct Line([f32; MAX_LANES]);

impl Line {
    pub const ZERO: Line = Line([0.0; MAX_LANES]);
}

/// A copy of the activation rows in which each row starts on a cache line and has zeros behind it up to a whole number
/// of vectors. Some tens of kilobytes, written once and read once per weight row.
pub(crate) struct Padded {
    lines: Vec<Line>,
    /// Elements from one row to the next.
    pub stride: usize,
}

impl Padded {
    /// Copies the rows `[m, k]` of `x`.
    pub fn new(x: &[f32], m: usize, k: usize) -> Self {
        // An odd number of lines, so that the rows of a tile do not fall on the same sets of the cache.
        let line_count = k.div_ceil(MAX_LANES) | 1;
        let mut lines = Vec::with_capacity(m * line_count);
        for row in x.chunks_exact(k.max(1)) {
            let (whole, rest) = row.as_chunks::<MAX_LANES>();
            lines.extend(whole.iter().map(|values| Line(*values)));
            if whole.len() < line_count {
                let mut last = Line::ZERO;
                last.0[..rest.len()].copy_from_slice(rest);
                lines.push(last);
            }
            lines.resize(lines.len().next_multiple_of(line_count), Line::ZERO);
        }
        lines.resize(m * line_count, Line::ZERO); // rows of no values at all
        Padded {
            lines,
            stride: line_count * MAX_LANES,
        }
    }

    /// Where the first row starts.
    pub fn as_ptr(&self) -> *const f32 {
        self.lines.as_ptr().cast()
    }
}
