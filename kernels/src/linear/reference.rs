//! The linear layer in plain tensor operations.

use super::check;
use crate::error::KernelError;
use crate::weight::{Weight, WeightType};
use burn::tensor::{FloatDType, Tensor};

/// [`linear`](super::linear) on every back end, with gradients for `x`.
/// The whole weight is widened to 32 bits on each call.
///
/// # Errors
/// As for [`try_linear`](super::try_linear).
pub fn linear_reference(x: Tensor<2>, weight: &Weight) -> Result<Tensor<2>, KernelError> {
    check(&x, weight)?;
    Ok(reference(x, weight))
}

pub(super) fn reference(x: Tensor<2>, weight: &Weight) -> Tensor<2> {
    let values = match weight.kind() {
        WeightType::F32 | WeightType::Q8_0 | WeightType::Q4_1 => weight.as_tensor(),
        WeightType::F16 | WeightType::Bf16 => weight.as_tensor().cast(FloatDType::F32),
    };
    x.matmul(values.transpose())
}

/// [`linear_as`](super::linear_as) in the back end's own operations, and in the weight's type where that is a float.
pub fn linear_as_reference(x: Tensor<2>, weight: &Weight, dtype: FloatDType) -> Tensor<2> {
    #[cfg(feature = "gpu")]
    if crate::has_gpu_kernels(&x.device()) {
        let wide = match weight.packed() {
            Some(packed) => packed.widened(dtype),
            None => weight.as_tensor(),
        };
        let common: FloatDType = wide.dtype().into();
        return x.cast(common).matmul(wide.transpose()).cast(dtype);
    }
    super::linear(x, weight).cast(dtype)
}
