//! Weight matrices, resident on a device.

use crate::error::KernelError;
use burn::tensor::{DType, Device, FloatDType, Int, Tensor, TensorData};
use half::f16;
use std::fmt;

/// What a weight's values are stored as. Computation is in 32 bits whatever the type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WeightType {
    /// 32-bit floats: exact, twice the memory traffic.
    F32,
    /// 16-bit floats (5 exponent, 10 mantissa bits): a checkpoint in `bf16` has 7 mantissa bits, so its values are
    /// exact in this type too as long as their magnitude lies between 2⁻¹⁴ and 65504.
    F16,
}

impl WeightType {
    /// Bytes of one value.
    pub const fn size(self) -> usize {
        match self {
            WeightType::F32 => 4,
            WeightType::F16 => 2,
        }
    }

    fn dtype(self) -> FloatDType {
        match self {
            WeightType::F32 => FloatDType::F32,
            WeightType::F16 => FloatDType::F16,
        }
    }
}

impl fmt::Display for WeightType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            WeightType::F32 => "f32",
            WeightType::F16 => "f16",
        })
    }
}

/// The weight of a linear layer, `[out, in]` as checkpoints have it, on one device. Clones share the values.
#[derive(Clone, Debug)]
pub struct Weight {
    values: Tensor<2>,
    kind: WeightType,
}

impl Weight {
    /// Moves the row-major values `[out, input]` to the device, stored as `kind`.
    ///
    /// # Errors
    /// [`KernelError::Length`] unless there are `out * input` values; [`KernelError::Overflow`] for a finite value
    /// that 16 bits cannot hold; [`KernelError::Unsupported`] if the device does not compute in `kind`.
    pub fn new(
        data: Vec<f32>,
        out: usize,
        input: usize,
        kind: WeightType,
        device: &Device,
    ) -> Result<Self, KernelError> {
        match kind {
            WeightType::F32 => Self::place(data, out, input, kind, device),
            WeightType::F16 => {
                if let Some(at) = data
                    .iter()
                    .position(|v| v.is_finite() && f16::from_f32(*v).is_infinite())
                {
                    return Err(KernelError::Overflow {
                        row: at / input.max(1),
                        column: at % input.max(1),
                        value: data[at],
                    });
                }
                let narrow = data.iter().map(|v| f16::from_f32(*v)).collect();
                Self::from_f16(narrow, out, input, device)
            }
        }
    }

    /// As [`Weight::new`], from values that are 16-bit floats already.
    ///
    /// # Errors
    /// [`KernelError::Length`], [`KernelError::Unsupported`].
    pub fn from_f16(data: Vec<f16>, out: usize, input: usize, device: &Device) -> Result<Self, KernelError> {
        Self::place(data, out, input, WeightType::F16, device)
    }

    fn place<E: burn::tensor::Element>(
        data: Vec<E>,
        out: usize,
        input: usize,
        kind: WeightType,
        device: &Device,
    ) -> Result<Self, KernelError> {
        if out.checked_mul(input) != Some(data.len()) {
            return Err(KernelError::Length {
                name: "weight",
                rows: out,
                columns: input,
                len: data.len(),
            });
        }
        if !device.supports_dtype(kind.dtype()) {
            let kind = if kind == WeightType::F16 { "f16" } else { "f32" };
            return Err(KernelError::Unsupported {
                kind,
                device: format!("{device:?}"),
            });
        }
        let dtype: DType = kind.dtype().into();
        let values = Tensor::from_data(TensorData::new(data, [out, input]), (device, dtype));
        Ok(Weight { values, kind })
    }

    /// `[out, in]`.
    pub fn shape(&self) -> [usize; 2] {
        self.values.dims()
    }

    /// What the values are stored as.
    pub fn kind(&self) -> WeightType {
        self.kind
    }

    /// Memory that the values take, in bytes.
    pub fn bytes(&self) -> usize {
        let [out, input] = self.shape();
        out * input * self.kind.size()
    }

    /// The device that holds the values.
    pub fn device(&self) -> Device {
        self.values.device()
    }

    /// The values as a tensor `[out, in]` of the stored type; no copy.
    pub fn as_tensor(&self) -> Tensor<2> {
        self.values.clone()
    }

    /// The rows `ids`, in 32 bits: the embedding look-up of a model whose head is tied to its embeddings.
    ///
    /// # Shapes
    /// - `ids`: `[tokens]`, each below `out`
    /// - result: `[tokens, in]`
    pub fn rows(&self, ids: Tensor<1, Int>) -> Tensor<2> {
        let rows = self.values.clone().select(0, ids);
        match self.kind {
            WeightType::F32 => rows,
            WeightType::F16 => rows.cast(FloatDType::F32),
        }
    }
}
