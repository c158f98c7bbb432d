//! Matrix products over slices, for the native operations.

use gemm::{Parallelism, gemm};

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

    /// Rows become columns.
    pub fn turned(self) -> Self {
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
pub(super) struct Target<'a> {
    pub data: &'a mut [f32],
    pub stride: usize,
    /// Whether the product is added to what is there.
    pub add: bool,
}

impl<'a> Target<'a> {
    /// A matrix that is written anew.
    pub fn new(data: &'a mut [f32], stride: usize) -> Self {
        let add = false;
        Target { data, stride, add }
    }

    /// A matrix that is added to.
    pub fn sum(data: &'a mut [f32], stride: usize) -> Self {
        let add = true;
        Target { data, stride, add }
    }
}

/// `target = factor * a * b`, or that added to it. `cores`: on all of them, or on this one alone.
pub(super) fn multiply(target: Target<'_>, factor: f32, a: Matrix<'_>, b: Matrix<'_>, cores: bool) {
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
    let parallelism = match cores {
        true => Parallelism::Rayon(0),
        false => Parallelism::None,
    };
    // SAFETY: all elements that strides and shapes lead to lie within the slices, as checked above; the target is
    // borrowed alone, so that it overlaps neither factor.
    unsafe {
        gemm(
            rows,
            columns,
            a.columns,
            target.data.as_mut_ptr(),
            1,
            target.stride as isize,
            target.add,
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
            parallelism,
        );
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
        multiply(Target::new(&mut out, 3), 1.0, a, b, false);
        assert_eq!(out, [201.0, 2010.0, 7.0, 403.0, 4030.0, 7.0]);
        multiply(Target::sum(&mut out, 3), 2.0, a.turned(), b, false);
        assert_eq!(out, [803.0, 8030.0, 7.0, 1207.0, 12070.0, 7.0]);
    }
}
