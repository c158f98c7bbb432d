//! RMSNorm (Zhang and Sennrich 2019, "Root Mean Square Layer Normalization", equation 4).

use burn::tensor::Tensor;
use gramask_kernels::norm::{rms_norm, rms_norm_reference};

use super::step::LayerPath;

/// Divides each row by its root mean square and multiplies by a weight per column.
#[derive(Debug)]
pub(crate) struct RmsNorm {
    /// `[width]`
    pub weight: Tensor<1>,
    pub epsilon: f64,
}

impl RmsNorm {
    /// # Shapes
    /// `x` `[rows, width]` -> `[rows, width]`
    pub fn forward(&self, x: Tensor<2>, path: &LayerPath) -> Tensor<2> {
        match path {
            LayerPath::Native => rms_norm(x, &self.weight, self.epsilon),
            LayerPath::Portable(_) => rms_norm_reference(x, &self.weight, self.epsilon),
        }
    }
}
