//! What a tile needs of a vector instruction set, and of a weight's type.

use half::f16;

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
    /// Weight rows and vectors of activations of a [panel](crate::linear::cpu::panel)'s tile where there is one vector in all.
    const PANEL_OF_ONE: [usize; 2];
    /// The same where there are more.
    const PANEL: [usize; 2];

    /// The 16 values that a 4-bit number stands for.
    type Table: Copy;
    /// Whether [`look_up`](Simd::look_up) reads the table, and does not compute `d q + m` anew.
    const LOOKS_UP: bool;

    /// All lanes zero.
    unsafe fn zero() -> Self::V;
    unsafe fn load_f32(from: *const f32) -> Self::V;
    unsafe fn load_f16(from: *const f16) -> Self::V;
    unsafe fn store_f32(to: *mut f32, vector: Self::V);
    /// A vector whose lanes are all `value`.
    unsafe fn splat(value: f32) -> Self::V;
    /// Loads signed bytes as floats.
    unsafe fn load_i8(from: *const u8) -> Self::V;
    /// A vector whose lanes are all the 16-bit float at `from` (2 bytes, little-endian).
    unsafe fn scale(from: *const u8) -> Self::V;
    /// From the two 16-bit floats `d` and `m` at `from` (4 bytes): number `q` stands for `d * q + m`.
    unsafe fn table(from: *const u8) -> Self::Table;
    /// What the low (or high) halves of the bytes at `from` stand for.
    unsafe fn look_up<const HIGH: bool>(table: Self::Table, from: *const u8) -> Self::V;
    /// The low halves of the bytes at `from`, and 16 times their high halves, as floats.
    unsafe fn halves(from: *const u8) -> [Self::V; 2];
    /// `a * b`.
    unsafe fn multiply(a: Self::V, b: Self::V) -> Self::V;
    /// `a * b + sum`.
    unsafe fn multiply_add(a: Self::V, b: Self::V, sum: Self::V) -> Self::V;
    /// The sum of each vector's lanes.
    unsafe fn sum4(vectors: [Self::V; 4]) -> [f32; 4];
    /// Asks for the cache line at `at`, which may lie outside of any allocation.
    unsafe fn prefetch(at: *const u8);
    /// The same for what is needed so much later that only the second-level cache should hold it.
    unsafe fn prefetch_later(at: *const u8);
}

/// A cache line, so that rows of activations start on one: a vector that straddles two lines takes two loads.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub(crate) struct Line([f32; MAX_LANES]);

impl Line {
    pub const ZERO: Line = Line([0.0; MAX_LANES]);
}

/// A copy of the activation rows in which each row starts on a cache line and is followed by zeros up to a whole number
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
        Padded { lines, stride: line_count * MAX_LANES }
    }

    /// Where the first row starts.
    pub fn as_ptr(&self) -> *const f32 {
        self.lines.as_ptr().cast()
    }
}
