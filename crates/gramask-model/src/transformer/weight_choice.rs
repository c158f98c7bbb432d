//! How a checkpoint's weight matrices are stored on the device.

use std::fmt;
use std::str::FromStr;

use burn::tensor::{Device, FloatDType};
use gramask_kernels::{KernelError, WeightType};

use crate::checkpoint::{BlockType, TensorSource};

/// How weight matrices are stored on the device: all in one type, or as in the checkpoint's file.
///
/// ```
/// use gramask_model::transformer::{WeightChoice, WeightType};
///
/// assert_eq!("q8_0".parse(), Ok(WeightChoice::As(WeightType::Q8_0)));
/// assert_eq!("file".parse(), Ok(WeightChoice::Stored));
/// assert_eq!(WeightChoice::from(WeightType::F16).to_string(), "f16");
/// let error = "int8".parse::<WeightChoice>().unwrap_err();
/// assert_eq!(error.to_string(), "unknown weight type `int8`: write `f32`, `f16`, `bf16`, `q8_0`, `q4_1` or `file`");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WeightChoice {
    /// In this type, rounded where the checkpoint's is another.
    As(WeightType),
    /// Matrices in `Q8_0`, `Q4_1` and `F32` as they are. The others, which the kernels have no products for, are kept in
    /// `F16` (in `F32` where the device has no 16-bit floats); and so is a product that is made of several tensors (queries, keys and values; gate and up) if their types
    /// differ.
    Stored,
}

/// A name that stands for no way to keep weights.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown weight type `{given}`: write `f32`, `f16`, `bf16`, `q8_0`, `q4_1` or `file`")]
pub struct UnknownWeights {
    /// The name.
    pub given: String,
}

impl WeightChoice {
    /// The type of the product that these tensors are together.
    pub(crate) fn resolve(self, tensors: &dyn TensorSource, names: &[String], device: &Device) -> WeightType {
        let stored = |kind: BlockType| names.iter().all(|name| tensors.stored_as(name) == Some(kind.name()));
        match self {
            WeightChoice::As(kind) => kind,
            WeightChoice::Stored if stored(BlockType::Q8_0) => WeightType::Q8_0,
            WeightChoice::Stored if stored(BlockType::Q4_1) => WeightType::Q4_1,
            WeightChoice::Stored if stored(BlockType::F32) => WeightType::F32,
            WeightChoice::Stored if device.supports_dtype(FloatDType::F16) => WeightType::F16,
            WeightChoice::Stored => WeightType::F32,
        }
    }
}

impl From<WeightType> for WeightChoice {
    fn from(kind: WeightType) -> Self {
        WeightChoice::As(kind)
    }
}

impl fmt::Display for WeightChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WeightChoice::As(kind) => kind.fmt(f),
            WeightChoice::Stored => f.write_str("file"),
        }
    }
}

impl FromStr for WeightChoice {
    type Err = UnknownWeights;

    fn from_str(given: &str) -> Result<Self, UnknownWeights> {
        if given == "file" {
            return Ok(WeightChoice::Stored);
        }
        given.parse().map(WeightChoice::As).map_err(|_: KernelError| UnknownWeights { given: given.into() })
    }
}
