//! The float types that a model can compute in.

use std::fmt;
use std::str::FromStr;

use burn::tensor::{Device, FloatDType};
use serde::{Serialize, Serializer};

use super::is_flex;

/// A float type, as written after `--dtype`.
///
/// ```
/// use gramask_model::device::{DeviceName, FloatType};
///
/// assert_eq!("bf16".parse(), Ok(FloatType::Bf16));
/// assert!(FloatType::F32.is_supported_by(&DeviceName::Flex.open()?));
/// # Ok::<(), gramask_model::device::DeviceError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FloatType {
    /// 32 bits. Every device has it.
    F32,
    /// 16 bits: 5 exponent, 10 mantissa bits.
    F16,
    /// 16 bits: 8 exponent, 7 mantissa bits.
    Bf16,
}

/// A name that stands for no float type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown float type `{given}`: write `f32`, `f16` or `bf16`")]
pub struct UnknownFloatType {
    /// The name.
    pub given: String,
}

impl FloatType {
    /// All of them.
    pub const ALL: [FloatType; 3] = [FloatType::F32, FloatType::F16, FloatType::Bf16];

    /// The name, in lower case.
    pub const fn name(self) -> &'static str {
        match self {
            FloatType::F32 => "f32",
            FloatType::F16 => "f16",
            FloatType::Bf16 => "bf16",
        }
    }

    /// Bytes of a value.
    pub const fn bytes(self) -> usize {
        match self {
            FloatType::F32 => 4,
            FloatType::F16 | FloatType::Bf16 => 2,
        }
    }

    /// As Burn names it.
    pub const fn to_burn(self) -> FloatDType {
        match self {
            FloatType::F32 => FloatDType::F32,
            FloatType::F16 => FloatDType::F16,
            FloatType::Bf16 => FloatDType::BF16,
        }
    }

    /// Whether models can be computed in this type on the device. The CPU's operations are written for `f32`.
    pub fn is_supported_by(self, device: &Device) -> bool {
        self == FloatType::F32 || (!is_flex(device) && device.supports_dtype(self.to_burn()))
    }

    /// The types of a device.
    pub fn of(device: &Device) -> Vec<FloatType> {
        let mut all = FloatType::ALL.to_vec();
        all.retain(|float_type| float_type.is_supported_by(device));
        all
    }
}

/// Several of them, for a sentence.
pub(super) fn names(types: &[FloatType]) -> String {
    types.iter().map(|kind| kind.name()).collect::<Vec<_>>().join(", ")
}

impl fmt::Display for FloatType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Serialize for FloatType {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl FromStr for FloatType {
    type Err = UnknownFloatType;

    fn from_str(given: &str) -> Result<Self, UnknownFloatType> {
        FloatType::ALL
            .into_iter()
            .find(|float_type| float_type.name() == given)
            .ok_or_else(|| UnknownFloatType { given: given.into() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip() {
        for float_type in FloatType::ALL {
            assert_eq!(float_type.to_string().parse(), Ok(float_type));
        }
        let error = "fp16".parse::<FloatType>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "unknown float type `fp16`: write `f32`, `f16` or `bf16`"
        );
    }
}
