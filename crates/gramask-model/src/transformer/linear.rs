//! Matrix products, with the bias that some families have.

use burn::tensor::{DType, Int, Tensor, TensorData};
use gramask_kernels::{Weight, linear};

/// `y = x * weight^T + bias`
#[derive(Debug)]
pub(crate) struct Linear {
    /// `[outputs, inputs]`
    weight: Weight,
    /// `[outputs]`
    bias: Option<Tensor<1>>,
}

impl Linear {
    /// From a weight and `bias` `[outputs]`.
    pub fn new(weight: Weight, bias: Option<Vec<f32>>) -> Self {
        let bias = bias.map(|b| {
            let outputs = [b.len()];
            Tensor::from_data(TensorData::new(b, outputs), (&weight.device(), DType::F32))
        });
        Self { weight, bias }
    }

    /// The weight.
    pub fn weight(&self) -> &Weight {
        &self.weight
    }

    /// `[outputs]`
    pub fn bias(&self) -> Option<&Tensor<1>> {
        self.bias.as_ref()
    }

    /// Memory that the weight takes, in bytes.
    pub fn bytes(&self) -> usize {
        self.weight.bytes()
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
