//! Where tensors come from, and the memory map that all sources read from.

use super::{BlockType, CheckpointError};
use half::f16;
use half::slice::HalfFloatSliceExt;
use memmap2::Mmap;
use rayon::prelude::*;
use std::fs::File;
use std::path::Path;

/// Tensors by Hugging Face name, converted to a float type when they are asked for.
pub trait TensorSource {
    /// The names of all tensors, sorted.
    fn names(&self) -> Vec<String>;

    /// The shape of a tensor, `[out, in]` for matrices; `None` if there is no such tensor.
    fn shape(&self, name: &str) -> Option<Vec<usize>>;

    /// How a tensor's elements are stored, for people to read (`F32`, `BF16`, `Q4_1`, ...).
    fn stored_as(&self, name: &str) -> Option<&'static str>;

    /// A tensor's elements as `f32`, row-major, dequantised.
    ///
    /// # Errors
    /// [`CheckpointError::NoSuchTensor`].
    fn read_f32(&self, name: &str) -> Result<Vec<f32>, CheckpointError>;

    /// A tensor's elements as `f16`, row-major, dequantised; rounded to nearest where the stored type is wider.
    ///
    /// # Errors
    /// [`CheckpointError::NoSuchTensor`].
    fn read_f16(&self, name: &str) -> Result<Vec<f16>, CheckpointError>;

    /// The blocks of a quantised tensor, row after row, as [`dequantise`](super::dequantise) reads them; `None` where
    /// there is no such tensor, or not in blocks.
    fn read_blocks(&self, _name: &str) -> Option<(BlockType, Vec<u8>)> {
        None
    }
}

/// Maps a file into memory.
pub(super) fn map_file(path: &Path) -> Result<Mmap, CheckpointError> {
    let io = |source| CheckpointError::Io { path: path.to_owned(), source };
    let file = File::open(path).map_err(io)?;
    // SAFETY: the map is read-only and private to this process. Another process that changes or cuts the file while
    // it is mapped could change the bytes under us; the module's documentation says not to. All reads are of plain
    // bytes, bounds-checked against the length at the time of mapping.
    let map = unsafe { Mmap::map(&file) }.map_err(io)?;
    refuse_pointer(path, &map)?;
    Ok(map)
}

/// Refuses the short text that Git LFS leaves in place of a large file that was not downloaded.
pub(super) fn refuse_pointer(path: &Path, bytes: &[u8]) -> Result<(), CheckpointError> {
    match bytes.starts_with(b"version https://git-lfs") {
        true => Err(CheckpointError::LfsPointer { path: path.to_owned() }),
        false => Ok(()),
    }
}

/// An element type that tensors can be read as.
pub(super) trait Element: Copy + Default + Send {
    /// Fills `target` by letting `fill` write f32 values; `scratch` has the length of `target`.
    fn fill(target: &mut [Self], scratch: &mut Vec<f32>, fill: impl FnOnce(&mut [f32]));
}

impl Element for f32 {
    fn fill(target: &mut [f32], _: &mut Vec<f32>, fill: impl FnOnce(&mut [f32])) {
        fill(target);
    }
}

impl Element for f16 {
    fn fill(target: &mut [f16], scratch: &mut Vec<f32>, fill: impl FnOnce(&mut [f32])) {
        scratch.resize(target.len(), 0.0);
        fill(scratch);
        target.convert_from_f32_slice(scratch);
    }
}

/// Builds a tensor of `rows` x `columns` from a function that writes one row, on all cores.
pub(super) fn by_rows<T: Element>(rows: usize, columns: usize, row: impl Fn(usize, &mut [f32]) + Sync) -> Vec<T> {
    let mut elements = vec![T::default(); rows * columns];
    if columns > 0 {
        elements
            .par_chunks_mut(columns)
            .enumerate()
            .for_each_init(Vec::new, |scratch, (index, target)| T::fill(target, scratch, |out| row(index, out)));
    }
    elements
}
