//! Copies within the cache on the CPU back end.

use crate::cpu::flex::contiguous;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, backend_extension};
use burn::tensor::Tensor;
use burn_flex::{Flex, FlexTensor};
use std::ops::Range;

/// The copy as an operation of the CPU back end.
#[backend_extension(Flex)]
pub trait CopyOps: Backend {
    /// `cache` is the keys or the values; the positions go from the first slot to the second.
    fn copy_positions(cache: FloatTensor<Self>, slots: [usize; 2], positions: Range<usize>) -> FloatTensor<Self>;
}

pub(super) fn copy_positions(cache: Tensor<4>, slots: [usize; 2], positions: Range<usize>) -> Tensor<4> {
    Tensor::from_dispatch(<Dispatch as CopyOps>::copy_positions(cache.into_dispatch(), slots, positions))
}

impl CopyOps for Flex {
    fn copy_positions(cache: FlexTensor, [from, to]: [usize; 2], positions: Range<usize>) -> FlexTensor {
        let mut cache = contiguous(cache);
        let shape = cache.layout().shape();
        let (heads, capacity, width) = (shape[1], shape[2], shape[3]);
        let data: &mut [f32] = cache.storage_mut();
        for head in 0..heads {
            let at = |slot: usize, position: usize| ((slot * heads + head) * capacity + position) * width;
            let part = at(from, positions.start)..at(from, positions.end);
            data.copy_within(part, at(to, positions.start));
        }
        cache
    }
}
