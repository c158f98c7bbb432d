//! Matrix products over slices, for the native operations.

use std::ops::Range;

use gemm::{Parallelism, gemm};
use rayon::prelude::*;

/// A matrix that is read, with any strides.
#[derive(Clone, Copy)]
pub(super) struct Matrix<'a> {
    data: &'a [f32],
    rows: usize,
    columns: usize,
    row_stride: usize,
    column_stride: usize,
}

impl<'a> Matrix<'a> {
    /// A row-major matrix whose rows are `stride` apart.
    pub fn new(data: &'a [f32], rows: usize, columns: usize, stride: usize) -> Self {
        Matrix { data, rows, columns, row_stride: stride, column_stride: 1 }
    }

    /// A row-major matrix without gaps.
    pub fn dense(data: &'a [f32], rows: usize, columns: usize) -> Self {
        Matrix::new(data, rows, columns, columns)
    }

    /// Calls with each row of a row-major matrix.
    pub fn each_row(&self, mut call: impl FnMut(&[f32])) {
        for row in 0..self.rows {
            call(&self.data[row * self.row_stride..][..self.columns]);
        }
    }

    /// Rows become columns.
    pub fn transposed(self) -> Self {
        Matrix {
            rows: self.columns,
            columns: self.rows,
            row_stride: self.column_stride,
            column_stride: self.row_stride,
            ..self
        }
    }

    /// How many numbers of `data` are looked at.
    fn reach(&self) -> usize {
        match self.rows * self.columns {
            0 => 0,
            _ => (self.rows - 1) * self.row_stride + (self.columns - 1) * self.column_stride + 1,
        }
    }
}

/// Where a product goes: a row-major matrix whose rows are `stride` apart.
pub(super) struct Output<'a> {
    pub data: &'a mut [f32],
    pub stride: usize,
    /// Whether the product is added to what is there.
    pub add: bool,
}

impl<'a> Output<'a> {
    /// A matrix that is written anew.
    pub fn new(data: &'a mut [f32], stride: usize) -> Self {
        let add = false;
        Output { data, stride, add }
    }

    /// A matrix that is added to.
    pub fn sum(data: &'a mut [f32], stride: usize) -> Self {
        let add = true;
        Output { data, stride, add }
    }
}

/// Products below this many multiplications are computed on one core.
const WORTH_SHARING: usize = 1 << 20;
/// Pieces of a product for each core: a core that was interrupted leaves little for the others to wait for.
const PIECES_PER_CORE: usize = 2;
/// Pieces are multiples of this many rows or columns, which suits the inner loops of `gemm`.
const PIECE_STEP: usize = 48;

/// `target = factor * a * b`, or that added to it. `cores`: on all of them, or on this one alone.
///
/// On several cores the longer side of the result is cut into pieces, each of which is a product of its own. (Measured on
/// two cores, with shapes of a layer: 120 to 147 GFLOP/s, where `gemm`'s own parallel loops reach 67 to 124.)
pub(super) fn multiply(target: Output<'_>, factor: f32, a: Matrix<'_>, b: Matrix<'_>, cores: bool) {
    let (rows, columns) = (a.rows, b.columns);
    if rows * columns == 0 {
        return;
    }
    // Shapes come from one configuration; a slip here would read beyond a slice, so that it must stop the program.
    let reach = (rows - 1) * target.stride + columns;
    assert!(
        a.columns == b.rows && target.data.len() >= reach && target.stride >= columns,
        "shapes of a product disagree"
    );
    assert!(a.data.len() >= a.reach() && b.data.len() >= b.reach(), "a factor is cut off");
    let whole = Piece { start: target.data.as_mut_ptr(), stride: target.stride, add: target.add, factor, a, b };
    let longer = rows.max(columns);
    let length = match cores && rows * columns * a.columns >= WORTH_SHARING {
        true => longer.div_ceil(rayon::current_num_threads() * PIECES_PER_CORE).next_multiple_of(PIECE_STEP),
        false => longer,
    };
    let pieces = (0..longer).into_par_iter().step_by(length).with_max_len(1);
    match length < longer {
        // SAFETY: the whole lies within the slices, as checked above; the target is borrowed alone, so that it overlaps
        // neither factor.
        false => unsafe { whole.multiply() },
        true => pieces.for_each(|from| {
            let range = from..longer.min(from + length);
            // SAFETY: as above; pieces have no place of the target in common.
            unsafe {
                match rows >= columns {
                    true => whole.rows(range).multiply(),
                    false => whole.columns(range).multiply(),
                }
            }
        }),
    }
}

/// A product, or a part of one.
struct Piece<'a> {
    start: *mut f32,
    stride: usize,
    add: bool,
    factor: f32,
    a: Matrix<'a>,
    b: Matrix<'a>,
}

// SAFETY: pieces that run at the same time write different places, see `multiply`.
unsafe impl Sync for Piece<'_> {}

impl Piece<'_> {
    /// Some rows of the result.
    ///
    /// # Safety
    /// The rows are among those of the whole.
    unsafe fn rows(&self, rows: Range<usize>) -> Self {
        // SAFETY: within the target, by the promise.
        let start = unsafe { self.start.add(rows.start * self.stride) };
        let data = &self.a.data[rows.start * self.a.row_stride..];
        let a = Matrix { data, rows: rows.len(), ..self.a };
        Piece { start, a, ..*self }
    }

    /// Some columns of the result.
    ///
    /// # Safety
    /// The columns are among those of the whole.
    unsafe fn columns(&self, columns: Range<usize>) -> Self {
        // SAFETY: within the target, by the promise.
        let start = unsafe { self.start.add(columns.start) };
        let data = &self.b.data[columns.start * self.b.column_stride..];
        let b = Matrix { data, columns: columns.len(), ..self.b };
        Piece { start, b, ..*self }
    }

    /// Computes it on this core.
    ///
    /// # Safety
    /// All elements that strides and shapes lead to lie within the factors and the target, which nobody else uses.
    unsafe fn multiply(&self) {
        let Piece { start, stride, add, factor, ref a, ref b } = *self;
        // SAFETY: by the promise.
        unsafe {
            gemm(
                a.rows,
                b.columns,
                a.columns,
                start,
                1,
                stride as isize,
                add,
                a.data.as_ptr(),
                a.column_stride as isize,
                a.row_stride as isize,
                b.data.as_ptr(),
                b.column_stride as isize,
                b.row_stride as isize,
                1.0,
                factor,
                false,
                false,
                false,
                Parallelism::None,
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_with_strides_and_sums() {
        let a = [1.0, 2.0, 9.0, 3.0, 4.0, 9.0]; // [2, 2], rows 3 apart
        let b = [1.0, 10.0, 100.0, 1000.0]; // [2, 2]
        let (a, b) = (Matrix::new(&a, 2, 2, 3), Matrix::dense(&b, 2, 2));
        let mut out = [7.0; 6];
        multiply(Output::new(&mut out, 3), 1.0, a, b, false);
        assert_eq!(out, [201.0, 2010.0, 7.0, 403.0, 4030.0, 7.0]);
        multiply(Output::sum(&mut out, 3), 2.0, a.transposed(), b, false);
        assert_eq!(out, [803.0, 8030.0, 7.0, 1207.0, 12070.0, 7.0]);
    }

    #[test]
    fn pieces_give_the_whole() {
        for (rows, inner, columns) in [(500, 40, 70), (70, 50, 400), (3, 700, 600), (600, 300, 16)] {
            let number = |i: usize| ((i * 7919) % 13) as f32 - 6.0;
            let a: Vec<f32> = (0..rows * inner).map(number).collect();
            let b: Vec<f32> = (0..columns * inner).map(number).collect();
            for turned in [false, true] {
                let left = match turned {
                    false => Matrix::dense(&a, rows, inner),
                    true => Matrix::dense(&a, inner, rows).transposed(),
                };
                let right = Matrix::dense(&b, columns, inner).transposed();
                let [one, all] = [false, true].map(|cores| {
                    let mut out = vec![1.0; rows * columns];
                    multiply(Output::sum(&mut out, columns), 0.5, left, right, cores);
                    out
                });
                // Small integers and halves: every order of summation is exact.
                assert_eq!(one, all);
            }
        }
    }
}
