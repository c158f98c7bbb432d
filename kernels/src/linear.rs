//! The linear layer, on every back end.

use crate::blocks::linear_blocks;
use crate::cpu::{self, Level, Values};
use crate::error::KernelError;
use crate::weight::{Weight, WeightType};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, DispatchDevice, backend_extension};
use burn::tensor::{DType, FloatDType, Tensor, TensorData};
use burn_flex::{Flex, FlexTensor};
use half::f16;

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
/// [`cpu`](crate::cpu). On a GPU this is the back end's own matrix product, in the weight's type.
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
            false => Ok(linear_blocks(x, blocks)),
        };
    }
    // Gradients flow through Burn's own operations only.
    if x.device().is_autodiff() || !has_kernel(x.device().as_dispatch()) {
        return Ok(reference(x, weight));
    }
    let y = <Dispatch as LinearOps>::linear_rows(x.into_dispatch(), weight.as_tensor().into_dispatch());
    Ok(Tensor::from_dispatch(y))
}

/// The same in plain tensor operations, on any back end and with gradients for `x`: what [`linear`] is tested against.
/// The whole weight is widened to 32 bits on each call.
///
/// # Errors
/// As for [`try_linear`].
pub fn linear_reference(x: Tensor<2>, weight: &Weight) -> Result<Tensor<2>, KernelError> {
    check(&x, weight)?;
    Ok(reference(x, weight))
}

fn reference(x: Tensor<2>, weight: &Weight) -> Tensor<2> {
    let values = match weight.kind() {
        WeightType::F32 | WeightType::Q8_0 | WeightType::Q4_1 => weight.as_tensor(),
        WeightType::F16 | WeightType::Bf16 => weight.as_tensor().cast(FloatDType::F32),
    };
    x.matmul(values.transpose())
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

impl LinearOps for Flex {
    fn linear_rows(x: FlexTensor, weight: FlexTensor) -> FlexTensor {
        let (x, weight) = (x.to_contiguous(), weight.to_contiguous());
        let [m, n, k] = [x.layout().shape()[0], weight.layout().shape()[0], x.layout().shape()[1]];
        let values = match weight.dtype() {
            DType::F16 => Values::F16(weight.storage::<f16>()),
            _ => Values::F32(weight.storage::<f32>()),
        };
        let y = product(x.storage::<f32>(), values, [m, n, k]);
        FlexTensor::from_data(TensorData::new(y, [m, n]))
    }
}

/// The product of contiguous operands, on this processor.
pub(crate) fn product(x: &[f32], weight: Values<'_>, [m, n, k]: [usize; 3]) -> Vec<f32> {
    let mut y: Vec<f32> = Vec::with_capacity(m * n);
    // SAFETY: there is room for `m * n` values, and all of them have been written if there was no error.
    unsafe {
        if let Err(error) = cpu::linear_into(Level::best(), x, weight, [m, n, k], y.as_mut_ptr()) {
            // Unreachable: contiguous tensors are as long as their shapes say, and the level is this processor's own.
            panic!("linear: {error}");
        }
        y.set_len(m * n);
    }
    y
}

#[cfg(feature = "gpu")]
impl LinearOps for burn_cubecl::CubeBackend {
    fn linear_rows(x: FloatTensor<Self>, weight: FloatTensor<Self>) -> FloatTensor<Self> {
        use burn::backend::TensorMetadata;
        use burn::backend::ops::FloatTensorOps;
        let kind = weight.dtype();
        let weight = <Self as FloatTensorOps<Self>>::float_transpose(weight);
        if kind == DType::F32 {
            return Self::float_matmul(x, weight);
        }
        // Tensor cores take both operands in 16 bits, and sum in 32.
        let x = Self::float_cast(x, kind.into());
        Self::float_cast(Self::float_matmul(x, weight), FloatDType::F32)
    }
}
