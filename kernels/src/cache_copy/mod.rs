//! Copies of positions from one slot of the cache to another.

mod cpu;
#[cfg(feature = "gpu")]
mod gpu;
mod reference;

pub use reference::copy_positions_reference;

use burn::tensor::Tensor;
use std::ops::Range;

/// Copies these positions of every head's keys and values from slot `from` to slot `to`, which are two different slots. The
/// copy is in place where no other tensor shares the cache's memory.
///
/// # Shapes
/// `keys`, `values`: `[slots, kv_heads, capacity, width]`, one float type -> the same
pub fn copy_positions(
    keys: Tensor<4>,
    values: Tensor<4>,
    from: usize,
    to: usize,
    positions: Range<usize>,
) -> (Tensor<4>, Tensor<4>) {
    #[cfg(feature = "gpu")]
    if crate::has_gpu_kernels(&keys.device()) {
        return gpu::copy_positions(keys, values, [from, to], positions);
    }
    match crate::cpu::has_native_path(&keys) {
        true => {
            let copied = |cache| cpu::copy_positions(cache, [from, to], positions.clone());
            (copied(keys), copied(values))
        }
        false => copy_positions_reference(keys, values, from, to, positions),
    }
}
