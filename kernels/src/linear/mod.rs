//! The linear layer: `y = x · Wᵀ`, on every back end.
//!
//! A decoding step multiplies one row of activations per sequence by every weight, so its cost is the reading of the weights.
//!
//! | where | few rows | many rows |
//! |---|---|---|
//! | CPU | `cpu/tile.rs`: dot products in a tile of registers | `cpu/panel.rs`: weights widened once into the cache |
//! | GPU | `gpu.rs`: each weight is read once and widened in registers | the matrix product of the back end |

pub mod cpu;
#[cfg(feature = "gpu")]
mod gpu;
mod reference;

pub use reference::{linear_as_reference, linear_reference};

use crate::error::KernelError;
use crate::weight::Weight;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, DispatchDevice, backend_extension};
use burn::tensor::{DType, FloatDType, Tensor};
use reference::reference;

/// `x · Wᵀ` as an operation that each back end implements in its own way.
#[backend_extension(Cube: cfg(feature = "gpu"), Flex)]
pub trait LinearOps: Backend {
    /// `x` is `[m, in]` in f32, `weight` is `[out, in]` in a float type; the result is `[m, out]` in f32.
    /// [`try_linear`] has checked that.
    fn linear_rows(x: FloatTensor<Self>, weight: FloatTensor<Self>) -> FloatTensor<Self>;
}

/// `y = x · Wᵀ` with 32-bit activations, products and sums.
///
/// On the CPU the weights are read once per call, from all cores, with the widest vectors that the processor has; see
/// [`cpu`]. On a GPU this is the back end's own matrix product, in the weight's type.
///
/// # Shapes
/// - `x`: `[m, in]`, f32
/// - `weight`: `[out, in]`
/// - result: `[m, out]`, f32
///
/// # Panics
/// As Burn's own operations do, if the rows of `x` are not as long as the weight's; [`try_linear`] returns the error.
pub fn linear(x: Tensor<2>, weight: &Weight) -> Tensor<2> {
    match try_linear(x, weight) {
        Ok(y) => y,
        Err(error) => panic!("linear: {error}"),
    }
}

/// As [`linear`], with an error in place of a panic.
///
/// # Errors
/// [`KernelError::Shape`] if the rows of `x` are not as long as the weight's.
pub fn try_linear(x: Tensor<2>, weight: &Weight) -> Result<Tensor<2>, KernelError> {
    check(&x, weight)?;
    let x = if x.dtype() == DType::F32 { x } else { x.cast(FloatDType::F32) };
    if let Some(blocks) = weight.blocks() {
        return match x.device().is_autodiff() {
            true => Ok(reference(x, weight)),
            false => Ok(cpu::linear_blocks(x, blocks)),
        };
    }
    // Gradients flow through Burn's own operations only.
    if x.device().is_autodiff() || !has_kernel(x.device().as_dispatch()) {
        return Ok(reference(x, weight));
    }
    let y = <Dispatch as LinearOps>::linear_rows(x.into_dispatch(), weight.as_tensor().into_dispatch());
    Ok(Tensor::from_dispatch(y))
}

/// `x · Wᵀ` for activations of any float type, with the result in `dtype`.
///
/// # Shapes
/// `x` `[rows, in]`, `weight` `[out, in]` -> `[rows, out]`
pub fn linear_as(x: Tensor<2>, weight: &Weight, dtype: FloatDType) -> Tensor<2> {
    #[cfg(feature = "gpu")]
    if crate::has_gpu_kernels(&x.device()) && x.dims()[0] <= gpu::most_rows(weight) {
        return gpu::linear_few_rows(x, weight, dtype);
    }
    linear_as_reference(x, weight, dtype)
}

fn check(x: &Tensor<2>, weight: &Weight) -> Result<(), KernelError> {
    let (x, weight) = (x.dims(), weight.shape());
    if x[1] != weight[1] {
        return Err(KernelError::Shape { x, weight });
    }
    Ok(())
}

/// Whether the back end of this device implements [`LinearOps`].
fn has_kernel(device: &DispatchDevice) -> bool {
    match device {
        DispatchDevice::Flex(_) => true,
        #[cfg(feature = "gpu")]
        DispatchDevice::Cube(_) => true,
        #[allow(unreachable_patterns)] // which back ends exist depends on Burn's features
        _ => false,
    }
}
