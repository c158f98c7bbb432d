//! How far apart two devices may be that both compute rightly.

use gramask_kernels::WeightType;
use gramask_kernels::checks::weight_rounding;
use gramask_model::device::{DeviceName, Dtype};
use serde::Serialize;

/// The largest errors that pass, for a float type on a device.
///
/// Two devices add the same numbers in another order, and each addition rounds. The error of a sum is therefore measured
/// against the sum of the magnitudes of what is added, of which a rounding is a fixed part. What a whole model makes of
/// such errors is measured, not derived: the bounds on logits are some ten times what right devices differ by.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Tolerances {
    /// Of sums in 32 bits: reductions, softmax, attention; in units of the magnitudes added.
    pub sums: f64,
    /// Of matrix products, likewise. CUDA may round their 32-bit operands to TF32's ten bits.
    pub products: f64,
    /// Of a model's logits, in units of the logits' standard deviation.
    pub logits: f64,
}

impl Tolerances {
    /// The tolerances of models that are computed in a float type.
    pub fn of(device: DeviceName, float_type: Dtype) -> Tolerances {
        let sums = 1e-5;
        let (products, logits) = match (device, float_type) {
            (DeviceName::Cuda(_), Dtype::F32) => (2e-3, 5e-2),
            (_, Dtype::F32) => (1e-5, 1e-3),
            (_, Dtype::F16) => (4e-3, 5e-2),
            (_, Dtype::Bf16) => (3e-2, 3e-1),
        };
        Tolerances { sums, products, logits }
    }

    /// The same for weights in 16 bits: a GPU may round the activations that meet them in a product to the weights' type.
    pub fn with_weights(self, kind: WeightType) -> Tolerances {
        let products = weight_rounding(kind);
        let logits = match kind {
            WeightType::F16 => 2e-2,
            WeightType::Bf16 => 2e-1,
            WeightType::F32 | WeightType::Q8_0 | WeightType::Q4_1 => 0.0,
        };
        Tolerances { products: self.products.max(products), logits: self.logits.max(logits), ..self }
    }
}
