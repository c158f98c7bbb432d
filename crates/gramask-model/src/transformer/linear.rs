//! Matrix products, with a bias where a family has one.

use burn::tensor::{DType, Device, Int, Tensor, TensorData};
use gramask_kernels::{KernelError, Weight, WeightType, linear};

/// `y = x * weight^T + bias`
#[derive(Debug)]
pub(crate) struct Linear {
    /// `[outputs, inputs]`
    weight: Weight,
    /// `[outputs]`
    bias: Option<Tensor<1>>,
}

impl Linear {
    /// From `weight` `[outputs, inputs]`, row-major, and `bias` `[outputs]`.
    pub fn new(
        weight: Vec<f32>,
        [outputs, inputs]: [usize; 2],
        bias: Option<Vec<f32>>,
        weights: WeightType,
        device: &Device,
    ) -> Result<Self, KernelError> {
        let weight = Weight::new(weight, outputs, inputs, weights, device)?;
        let bias = bias.map(|b| Tensor::from_data(TensorData::new(b, [outputs]), (device, DType::F32)));
        Ok(Self { weight, bias })
    }

    /// # Shapes
    /// `x` `[rows, inputs]` -> `[rows, outputs]`
    pub fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let y = linear(x, &self.weight);
        match &self.bias {
            Some(bias) => y + bias.clone().unsqueeze(),
            None => y,
        }
    }

    /// Rows of the weight by number: an embedding whose matrix is also the head.
    ///
    /// # Shapes
    /// `rows` `[n]` -> `[n, inputs]`
    pub fn rows(&self, rows: Tensor<1, Int>) -> Tensor<2> {
        self.weight.rows(rows)
    }
}
