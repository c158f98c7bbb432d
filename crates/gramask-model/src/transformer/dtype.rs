//! What activations and the cache are kept in.

use std::fmt;
use std::str::FromStr;

use burn::tensor::{Device, FloatDType};

use super::WeightChoice;
use crate::device::is_flex;

/// The type of activations, keys and values on the device.
///
/// Sums, norms, softmax and the stream between the layers are in 32 bits whatever the type, and so are the logits.
///
/// ```
/// use gramask_model::transformer::Dtype;
///
/// assert_eq!("bf16".parse(), Ok(Dtype::Bf16));
/// assert_eq!(Dtype::default().to_string(), "f32");
/// assert_eq!("half".parse::<Dtype>().unwrap_err().to_string(), "unknown float type `half`: write `f32`, `f16` or `bf16`");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Dtype {
    /// 32 bits: every device.
    #[default]
    F32,
    /// 16 bits, of which 10 are the fraction's: GPUs that compute in it.
    F16,
    /// 16 bits, of which 7 are the fraction's, with the range of `f32`: GPUs that compute in it.
    Bf16,
}

/// A name that stands for no float type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown float type `{given}`: write `f32`, `f16` or `bf16`")]
pub struct UnknownDtype {
    /// The name.
    pub given: String,
}

impl Dtype {
    /// All of them.
    pub const ALL: [Dtype; 3] = [Dtype::F32, Dtype::F16, Dtype::Bf16];

    /// The name: `f32`, `f16`, `bf16`.
    pub const fn name(self) -> &'static str {
        match self {
            Dtype::F32 => "f32",
            Dtype::F16 => "f16",
            Dtype::Bf16 => "bf16",
        }
    }

    /// Bytes of one number.
    pub const fn bytes(self) -> usize {
        match self {
            Dtype::F32 => 4,
            Dtype::F16 | Dtype::Bf16 => 2,
        }
    }

    /// As Burn calls it.
    pub(crate) fn float(self) -> FloatDType {
        match self {
            Dtype::F32 => FloatDType::F32,
            Dtype::F16 => FloatDType::F16,
            Dtype::Bf16 => FloatDType::BF16,
        }
    }

    /// True if a model can run in it on this device. The CPU's operations are written for `f32`.
    pub fn is_supported(self, device: &Device) -> bool {
        self == Dtype::F32 || (!is_flex(device) && device.supports_dtype(self.float()))
    }

    /// All that are supported on this device, by name.
    pub fn supported(device: &Device) -> Vec<&'static str> {
        let all = Dtype::ALL.into_iter().filter(|dtype| dtype.is_supported(device));
        all.map(Dtype::name).collect()
    }
}

impl fmt::Display for Dtype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Dtype {
    type Err = UnknownDtype;

    fn from_str(given: &str) -> Result<Self, UnknownDtype> {
        Dtype::ALL
            .into_iter()
            .find(|dtype| dtype.name() == given)
            .ok_or_else(|| UnknownDtype { given: given.into() })
    }
}

/// What a model is loaded in: how its weights are kept, and what it computes in. Made of a weight type alone, it computes
/// in `f32`.
///
/// ```
/// use gramask_model::transformer::{Dtype, Precision, WeightType};
///
/// let precision = Precision::from(WeightType::Q8_0).with_dtype(Dtype::F16);
/// assert_eq!(precision.to_string(), "q8_0 weights, f16 activations");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Precision {
    /// How weight matrices are kept.
    pub weights: WeightChoice,
    /// What activations and the cache are kept in.
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
        Precision {
            weights: weights.into(),
            dtype,
        }
    }
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} weights, {} activations", self.weights, self.dtype)
    }
}
