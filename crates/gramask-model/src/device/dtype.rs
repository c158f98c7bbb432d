//! The float types that a model can compute in.

use std::fmt;
use std::str::FromStr;

use burn::tensor::{Device, FloatDType};
use serde::{Serialize, Serializer};

use super::is_flex;

/// The type of activations, keys and values on a device, as written after `--dtype`.
///
/// Sums, norms, softmax and the stream between the layers are in 32 bits whatever the type, and so are the logits.
///
/// ```
/// use gramask_model::device::{DeviceName, Dtype};
///
/// assert_eq!("bf16".parse(), Ok(Dtype::Bf16));
/// assert!(Dtype::F32.is_supported(&DeviceName::Flex.open()?));
/// # Ok::<(), gramask_model::device::DeviceError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Dtype {
    /// 32 bits. Every device has it.
    #[default]
    F32,
    /// 16 bits: 5 exponent, 10 mantissa bits.
    F16,
    /// 16 bits: 8 exponent, 7 mantissa bits.
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

    /// The name, in lower case.
    pub const fn name(self) -> &'static str {
        match self {
            Dtype::F32 => "f32",
            Dtype::F16 => "f16",
            Dtype::Bf16 => "bf16",
        }
    }

    /// Bytes of a value.
    pub const fn bytes(self) -> usize {
        match self {
            Dtype::F32 => 4,
            Dtype::F16 | Dtype::Bf16 => 2,
        }
    }

    /// As Burn names it.
    pub const fn float(self) -> FloatDType {
        match self {
            Dtype::F32 => FloatDType::F32,
            Dtype::F16 => FloatDType::F16,
            Dtype::Bf16 => FloatDType::BF16,
        }
    }

    /// Whether models can be computed in this type on the device. The CPU's operations are written for `f32`.
    pub fn is_supported(self, device: &Device) -> bool {
        self == Dtype::F32 || (!is_flex(device) && device.supports_dtype(self.float()))
    }

    /// The names of a device's types.
    pub fn supported(device: &Device) -> Vec<&'static str> {
        Dtype::of(device).into_iter().map(Dtype::name).collect()
    }

    /// The types of a device.
    pub fn of(device: &Device) -> Vec<Dtype> {
        let mut all = Dtype::ALL.to_vec();
        all.retain(|float_type| float_type.is_supported(device));
        all
    }
}

/// Several of them, for a sentence.
pub(super) fn names(types: &[Dtype]) -> String {
    types.iter().map(|kind| kind.name()).collect::<Vec<_>>().join(", ")
}

impl fmt::Display for Dtype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Serialize for Dtype {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl FromStr for Dtype {
    type Err = UnknownDtype;

    fn from_str(given: &str) -> Result<Self, UnknownDtype> {
        Dtype::ALL
            .into_iter()
            .find(|float_type| float_type.name() == given)
            .ok_or_else(|| UnknownDtype { given: given.into() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip() {
        for float_type in Dtype::ALL {
            assert_eq!(float_type.to_string().parse(), Ok(float_type));
        }
        let error = "fp16".parse::<Dtype>().unwrap_err();
        assert_eq!(error.to_string(), "unknown float type `fp16`: write `f32`, `f16` or `bf16`");
    }
}
