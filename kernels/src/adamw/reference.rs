//! The step in plain tensor operations.

use super::{Factors, Learnt, total};
use burn::tensor::{ExecutionError, Tensor};

/// [`adamw`](super::adamw) on every back end.
pub fn adamw_reference(learnt: Learnt, gradient: Tensor<2>, factors: &Factors) -> Learnt {
    let Factors { scale, beta1, beta2, unbias1, unbias2, epsilon, rate, kept } = *factors;
    let gradient = gradient.mul_scalar(scale);
    let mean = learnt.mean.mul_scalar(beta1) + gradient.clone().mul_scalar(1.0 - beta1);
    let square = learnt.square.mul_scalar(beta2) + gradient.square().mul_scalar(1.0 - beta2);
    let root = square.clone().div_scalar(unbias2).sqrt().add_scalar(epsilon);
    let change = mean.clone().div_scalar(unbias1) / root;
    let value = learnt.value.mul_scalar(kept) - change.mul_scalar(rate);
    Learnt { value, mean, square }
}

/// [`sum_of_squares`](super::sum_of_squares) on every back end.
///
/// # Errors
/// If the device fails.
pub fn sum_of_squares_reference(tensors: &[Tensor<2>]) -> Result<f64, ExecutionError> {
    let sums: Vec<Tensor<1>> = tensors.iter().map(|x| x.clone().square().sum()).collect();
    if sums.is_empty() {
        return Ok(0.0);
    }
    total(Tensor::cat(sums, 0))
}
