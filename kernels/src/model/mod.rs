//! What a transformer does around and in its matrix products, each in one launch on a GPU.
//!
//! A decoding step of a small model is a few hundred operations on a few thousand numbers, and a GPU spends more time
//! on starting them than on computing them. So the operations between two products are one kernel each, written once
//! in CubeCL for CUDA and WGPU:
//!
//! | operation | launches | what it is instead of |
//! |---|---|---|
//! | [`add_norm`] | 1 | residual sum, square, mean, root, quotient, weight |
//! | [`rotate_store`] | 1 | bias, norms of heads, rotation of queries and keys, a write into the cache per sequence and tensor |
//! | [`attend`] | 1, or 2 where the keys are split | gather, scores, mask, softmax, weighted sum |
//! | [`swiglu`] | 1 | sigmoid and two products |
//! | [`product`] | 1 for few rows | casts, a product made for square problems; in blocks also the widening of the weight |
//!
//! Sums are in 32 bits whatever the operands are stored in.
//!
//! **Where a token goes is read on the device.** Slots and positions are a tensor ([`Places`]), so that the sequence of
//! launches of a decoding step, and all that is passed to them, is the same at every step: a step can be recorded once
//! and replayed.
//!
//! Each has a reference in plain tensor operations (`*_reference`), which is also what runs on devices without the
//! kernels. Operands are the caller's own: their shapes are not checked again here.

#![allow(
    clippy::too_many_arguments,
    clippy::assign_op_pattern,
    clippy::needless_range_loop,
    reason = "the notation of kernels, which is Rust in form alone"
)]

mod attend;
mod copy;
#[cfg(feature = "gpu")]
mod launch;
mod norm;
#[cfg(feature = "gpu")]
pub(crate) mod packed;
mod places;
mod product;
mod rotary;
mod swiglu;

pub use attend::{attend, attend_reference};
pub use copy::{copy_positions, copy_positions_reference};
pub use norm::{Norm, add_norm, add_norm_reference};
pub use places::Places;
pub use product::{product, product_reference};
pub use rotary::{Heads, Rotated, angles, rotate_store, rotate_store_reference};
pub use swiglu::{swiglu, swiglu_reference};

use burn::tensor::Device;

/// True on devices for which the kernels of this module are compiled in, outside of training.
pub fn has_kernels(device: &Device) -> bool {
    #[cfg(feature = "gpu")]
    {
        use burn::backend::DispatchDevice;
        !device.is_autodiff() && matches!(device.as_dispatch(), DispatchDevice::Cube(_))
    }
    #[cfg(not(feature = "gpu"))]
    {
        let _ = device;
        false
    }
}
