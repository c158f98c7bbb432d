//! A step of the optimiser AdamW over one parameter (Loshchilov and Hutter 2019, "Decoupled weight decay regularization",
//! algorithm 2), and the sum of squares that the clipping of gradients needs.
//!
//! In tensor operations a step takes 16 launches for each parameter, and a model has some hundred parameters. A kernel takes
//! one, and writes in place.

mod cpu;
#[cfg(feature = "gpu")]
mod gpu;
mod reference;

pub use reference::{adamw_reference, sum_of_squares_reference};

use burn::backend::Dispatch;
use burn::backend::tensor::FloatTensor;
use burn::tensor::{ExecutionError, Tensor};

/// A parameter with the optimiser's memory of its gradients, `[rows, columns]` each, in f32.
#[derive(Clone, Debug)]
pub struct Learnt {
    /// The parameter.
    pub value: Tensor<2>,
    /// The mean of its gradients.
    pub mean: Tensor<2>,
    /// The mean of their squares.
    pub square: Tensor<2>,
}

/// What all numbers of a parameter are updated with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Factors {
    /// Of the gradient.
    pub scale: f64,
    /// The share that the mean of the gradients keeps of itself.
    pub beta1: f64,
    /// The share that the mean of their squares keeps of itself.
    pub beta2: f64,
    /// What the mean is divided by, since it began with 0: `1 - beta1^steps`.
    pub unbias1: f64,
    /// What the mean of the squares is divided by.
    pub unbias2: f64,
    /// Added to the square root, against division by zero.
    pub epsilon: f64,
    /// The learning rate.
    pub rate: f64,
    /// The share of the parameter that weight decay leaves.
    pub kept: f64,
}

/// [`Factors`] in the type of the numbers, as the CPU path and the GPU kernel take them. Divisions are made factors.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Narrow {
    scale: f32,
    beta1: f32,
    rest1: f32,
    beta2: f32,
    rest2: f32,
    unbias1: f32,
    unbias2: f32,
    epsilon: f32,
    rate: f32,
    kept: f32,
}

impl From<&Factors> for Narrow {
    fn from(factors: &Factors) -> Narrow {
        Narrow {
            scale: factors.scale as f32,
            beta1: factors.beta1 as f32,
            rest1: (1.0 - factors.beta1) as f32,
            beta2: factors.beta2 as f32,
            rest2: (1.0 - factors.beta2) as f32,
            unbias1: (1.0 / factors.unbias1) as f32,
            unbias2: (1.0 / factors.unbias2) as f32,
            epsilon: factors.epsilon as f32,
            rate: factors.rate as f32,
            kept: factors.kept as f32,
        }
    }
}

/// A tensor of whatever back end.
type AnyTensor = FloatTensor<Dispatch>;

/// The step as an operation of back ends: takes the parameter, both means and the gradient, and returns the first three.
type Step = fn(AnyTensor, AnyTensor, AnyTensor, AnyTensor, Narrow) -> (AnyTensor, AnyTensor, AnyTensor);

fn stepped(step: Step, learnt: Learnt, gradient: Tensor<2>, factors: &Factors) -> Learnt {
    let Learnt { value, mean, square } = learnt;
    let [value, mean, square, gradient] = [value, mean, square, gradient].map(Tensor::into_dispatch);
    let (value, mean, square) = step(value, mean, square, gradient, factors.into());
    let [value, mean, square] = [value, mean, square].map(Tensor::from_dispatch);
    Learnt { value, mean, square }
}

/// The parameter and both means after a step with this gradient. They are changed in place where no other tensor shares their
/// memory.
///
/// # Shapes
/// `gradient`: as the parameter, f32; it need not lie row after row
pub fn adamw(learnt: Learnt, gradient: Tensor<2>, factors: &Factors) -> Learnt {
    #[cfg(feature = "gpu")]
    if crate::gpu::has_kernels(&gradient) {
        return stepped(<Dispatch as gpu::AdamwOps>::adamw, learnt, gradient, factors);
    }
    match crate::cpu::has_native_path(&gradient) {
        true => stepped(<Dispatch as cpu::AdamwOps>::adamw, learnt, gradient, factors),
        false => adamw_reference(learnt, gradient, factors),
    }
}

/// The sum of the squares of all numbers of these tensors, which are in f32 and on one device. The host waits for the device
/// once.
///
/// # Errors
/// If the device fails.
pub fn sum_of_squares(tensors: &[Tensor<2>]) -> Result<f64, ExecutionError> {
    #[cfg(feature = "gpu")]
    if tensors.iter().all(crate::gpu::has_kernels) {
        return gpu::sum_of_squares(tensors);
    }
    match tensors.iter().all(crate::cpu::has_native_path) {
        true => cpu::sum_of_squares(tensors),
        false => sum_of_squares_reference(tensors),
    }
}

/// The sum of partial sums. In 64 bits and in order, so that it is the same every time.
fn total(sums: Tensor<1>) -> Result<f64, ExecutionError> {
    Ok(sums.try_into_data()?.iter::<f64>().sum())
}
