//! SwiGLU in plain tensor operations.

use burn::tensor::activation::silu;
use burn::tensor::{FloatDType, Tensor};

/// [`swiglu`](super::swiglu) on every back end, computed in 32 bits.
pub fn swiglu_reference(gate_up: Tensor<2>) -> Tensor<2> {
    let (hidden, dtype) = (gate_up.dims()[1] / 2, gate_up.dtype());
    let wide = gate_up.cast(FloatDType::F32);
    let product = silu(wide.clone().narrow(1, 0, hidden)) * wide.narrow(1, hidden, hidden);
    product.cast(dtype)
}
