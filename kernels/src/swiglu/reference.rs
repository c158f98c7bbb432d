//! The gate in plain tensor operations.

use super::{GELU_CUBE, GELU_SLOPE, Gate};
use burn::tensor::activation::{sigmoid, silu};
use burn::tensor::{FloatDType, Tensor};

/// [`gated`](super::gated) on every back end, computed in 32 bits.
pub fn gated_reference(gate_up: Tensor<2>, gate: Gate) -> Tensor<2> {
    let (hidden, dtype) = (gate_up.dims()[1] / 2, gate_up.dtype());
    let wide = gate_up.cast(FloatDType::F32);
    let (x, up) = (wide.clone().narrow(1, 0, hidden), wide.narrow(1, hidden, hidden));
    let opened = match gate {
        Gate::Silu => silu(x),
        Gate::GeluTanh => {
            let cube = x.clone().square().mul_scalar(GELU_CUBE).add_scalar(1.0) * x.clone();
            x * sigmoid(cube.mul_scalar(GELU_SLOPE))
        }
    };
    (opened * up).cast(dtype)
}
