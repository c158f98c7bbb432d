//! The types that a model is loaded in: of its weights, and of its activations and cache.

use std::fmt;

use super::WeightChoice;
use crate::device::Dtype;

/// The types of a model: how its weights are stored, and the float type that it computes in. A weight type alone computes in
/// `f32`.
///
/// ```
/// use gramask_model::transformer::{Dtype, Precision, WeightType};
///
/// let precision = Precision::from(WeightType::Q8_0).with_dtype(Dtype::F16);
/// assert_eq!(precision.to_string(), "q8_0 weights, f16 activations");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Precision {
    /// How weight matrices are stored.
    pub weights: WeightChoice,
    /// The float type of activations and cache.
    pub dtype: Dtype,
}

impl Precision {
    /// The same weights with other activations.
    pub fn with_dtype(self, dtype: Dtype) -> Self {
        Precision { dtype, ..self }
    }
}

impl<W: Into<WeightChoice>> From<W> for Precision {
    fn from(weights: W) -> Self {
        let dtype = Dtype::F32;
        Precision { weights: weights.into(), dtype }
    }
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} weights, {} activations", self.weights, self.dtype)
    }
}
