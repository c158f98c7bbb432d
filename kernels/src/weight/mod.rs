//! Weight matrices, resident on a device.

pub(crate) mod blocks;
#[cfg(feature = "gpu")]
pub(crate) mod packed;

use crate::error::KernelError;
use crate::has_gpu_kernels;
use blocks::Blocks;
use burn::backend::DispatchDevice;
use burn::tensor::{DType, Device, FloatDType, Int, Tensor, TensorData};
use half::{bf16, f16};
#[cfg(feature = "gpu")]
use packed::Packed;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// What a weight's values are stored as. Computation is in 32 bits whatever the type.
///
/// The block types are those of GGUF files, number for number. They work on the CPU back end and on GPUs, and where rows
/// are a multiple of 32 long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(non_camel_case_types, reason = "the names that everyone knows them by")]
pub enum WeightType {
    /// 32-bit floats: exact, twice the memory traffic.
    F32,
    /// 16-bit floats (5 exponent, 10 mantissa bits): a checkpoint in `bf16` has 7 mantissa bits, so its values are
    /// exact in this type too as long as their magnitude lies between 2⁻¹⁴ and 65504.
    F16,
    /// 16-bit floats (8 exponent, 7 mantissa bits): the type that most checkpoints are trained in. For GPUs that compute in it. The
    /// CPU back end refuses it, because it would widen the whole weight at every product.
    Bf16,
    /// Blocks of 32 signed bytes and a 16-bit scale, 34 bytes in all: half the traffic of `F16`, and a rounding error of
    /// at most 1/254 of the block's largest magnitude.
    Q8_0,
    /// Blocks of 32 numbers of four bits, a 16-bit scale and a 16-bit minimum, 20 bytes in all.
    Q4_1,
}

impl WeightType {
    /// All types.
    pub const ALL: [WeightType; 5] =
        [WeightType::F32, WeightType::F16, WeightType::Bf16, WeightType::Q8_0, WeightType::Q4_1];

    /// Bytes of so many values; of a whole number of blocks where the type has blocks.
    pub const fn bytes(self, values: usize) -> usize {
        match self {
            WeightType::F32 => 4 * values,
            WeightType::F16 | WeightType::Bf16 => 2 * values,
            WeightType::Q8_0 => values / 32 * 34,
            WeightType::Q4_1 => values / 32 * 20,
        }
    }

    /// Bytes of a block of 32 values; `None` where the type has no blocks.
    pub(crate) const fn block_bytes(self) -> Option<usize> {
        match self {
            WeightType::F32 | WeightType::F16 | WeightType::Bf16 => None,
            WeightType::Q8_0 | WeightType::Q4_1 => Some(self.bytes(32)),
        }
    }

    /// The name, in lower case: `f32`, `f16`, `bf16`, `q8_0`, `q4_1`.
    pub const fn name(self) -> &'static str {
        match self {
            WeightType::F32 => "f32",
            WeightType::F16 => "f16",
            WeightType::Bf16 => "bf16",
            WeightType::Q8_0 => "q8_0",
            WeightType::Q4_1 => "q4_1",
        }
    }
}

impl fmt::Display for WeightType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for WeightType {
    type Err = KernelError;

    fn from_str(given: &str) -> Result<Self, KernelError> {
        WeightType::ALL
            .into_iter()
            .find(|kind| kind.name() == given)
            .ok_or_else(|| KernelError::UnknownType { given: given.into() })
    }
}

/// The weight of a linear layer, `[out, in]` as checkpoints have it, on one device. Clones share the values.
#[derive(Clone, Debug)]
pub struct Weight {
    values: Storage,
    kind: WeightType,
}

#[derive(Clone, Debug)]
enum Storage {
    Floats(Box<Tensor<2>>),
    Blocks(Arc<Blocks>),
    #[cfg(feature = "gpu")]
    Packed(Box<Packed>),
}

impl Weight {
    /// Moves the row-major values `[out, input]` to the device, stored as `kind`: rounded to it where they are others.
    ///
    /// # Errors
    /// [`KernelError::Length`] unless there are `out * input` values; [`KernelError::Overflow`] for a finite value
    /// that 16 bits, or a block, cannot hold; [`KernelError::Blocks`] if rows are no whole number of blocks;
    /// [`KernelError::Unsupported`] if the device does not compute in `kind`.
    pub fn new(
        data: Vec<f32>,
        out: usize,
        input: usize,
        kind: WeightType,
        device: &Device,
    ) -> Result<Self, KernelError> {
        match kind {
            WeightType::F32 => Self::place(data, out, input, FloatDType::F32, device),
            WeightType::F16 => {
                if let Some(at) = data.iter().position(|v| v.is_finite() && f16::from_f32(*v).is_infinite()) {
                    return Err(KernelError::Overflow {
                        row: at / input.max(1),
                        column: at % input.max(1),
                        value: data[at],
                    });
                }
                let narrow = data.iter().map(|v| f16::from_f32(*v)).collect();
                Self::from_f16(narrow, out, input, device)
            }
            WeightType::Bf16 => {
                if matches!(device.as_dispatch(), DispatchDevice::Flex(_)) {
                    return Err(unsupported(kind, device));
                }
                let narrow = data.iter().map(|v| bf16::from_f32(*v)).collect();
                Self::place(narrow, out, input, FloatDType::BF16, device)
            }
            WeightType::Q8_0 | WeightType::Q4_1 => {
                check_length(data.len(), out, input)?;
                let bytes = blocks::quantise(&data, kind).map_err(|at| KernelError::Overflow {
                    row: at / input.max(1),
                    column: at % input.max(1),
                    value: data[at],
                })?;
                Self::from_blocks(bytes, kind, out, input, device)
            }
        }
    }

    /// From the blocks of `out` rows as a GGUF file has them. Their numbers are kept as they are; on a GPU in an order of its
    /// own.
    ///
    /// # Errors
    /// [`KernelError::NoBlocks`] if the type has none; [`KernelError::Blocks`] if rows are no whole number of blocks;
    /// [`KernelError::Length`] unless there are as many bytes as blocks need; [`KernelError::Unsupported`] on
    /// devices that have no kernels, and in training.
    pub fn from_blocks(
        bytes: Vec<u8>,
        kind: WeightType,
        out: usize,
        input: usize,
        device: &Device,
    ) -> Result<Self, KernelError> {
        let blocks = Blocks::new(bytes, [out, input], kind, device)?;
        #[cfg(feature = "gpu")]
        if has_gpu_kernels(device) {
            let values = Storage::Packed(Box::new(Packed::new(&blocks.bytes, [out, input], kind, device)));
            return Ok(Weight { values, kind });
        }
        let values = if !device.is_autodiff() && matches!(device.as_dispatch(), DispatchDevice::Flex(_)) {
            Storage::Blocks(Arc::new(blocks))
        } else {
            return Err(unsupported(kind, device));
        };
        Ok(Weight { values, kind })
    }

    /// As [`Weight::new`], from values that are 16-bit floats already.
    ///
    /// # Errors
    /// [`KernelError::Length`], [`KernelError::Unsupported`].
    pub fn from_f16(data: Vec<f16>, out: usize, input: usize, device: &Device) -> Result<Self, KernelError> {
        Self::place(data, out, input, FloatDType::F16, device)
    }

    fn place<E: burn::tensor::Element>(
        data: Vec<E>,
        out: usize,
        input: usize,
        dtype: FloatDType,
        device: &Device,
    ) -> Result<Self, KernelError> {
        let kind = match dtype {
            FloatDType::F16 => WeightType::F16,
            FloatDType::BF16 => WeightType::Bf16,
            _ => WeightType::F32,
        };
        check_length(data.len(), out, input)?;
        if !device.supports_dtype(dtype) {
            return Err(unsupported(kind, device));
        }
        let dtype: DType = dtype.into();
        let values = Tensor::from_data(TensorData::new(data, [out, input]), (device, dtype));
        let values = Storage::Floats(Box::new(values));
        Ok(Weight { values, kind })
    }

    /// `[out, in]`.
    pub fn shape(&self) -> [usize; 2] {
        match &self.values {
            Storage::Floats(values) => values.dims(),
            Storage::Blocks(blocks) => [blocks.out, blocks.input],
            #[cfg(feature = "gpu")]
            Storage::Packed(packed) => [packed.out, packed.input],
        }
    }

    /// What the values are stored as.
    pub fn kind(&self) -> WeightType {
        self.kind
    }

    /// Memory that the values take, in bytes.
    pub fn bytes(&self) -> usize {
        let [out, input] = self.shape();
        self.kind.bytes(out * input)
    }

    /// The device that holds the values.
    pub fn device(&self) -> Device {
        match &self.values {
            Storage::Floats(values) => values.device(),
            Storage::Blocks(blocks) => blocks.device.clone(),
            #[cfg(feature = "gpu")]
            Storage::Packed(packed) => packed.numbers.device(),
        }
    }

    /// The values as a tensor `[out, in]`: of the stored type and without a copy where they are floats, in 32 bits where
    /// they are blocks.
    pub fn as_tensor(&self) -> Tensor<2> {
        match &self.values {
            Storage::Floats(values) => (**values).clone(),
            Storage::Blocks(blocks) => widened(blocks, 0..blocks.out),
            #[cfg(feature = "gpu")]
            Storage::Packed(packed) => packed.widened(FloatDType::F32),
        }
    }

    /// The blocks, where the values are stored in blocks, on the CPU.
    pub(crate) fn blocks(&self) -> Option<&Arc<Blocks>> {
        match &self.values {
            Storage::Blocks(blocks) => Some(blocks),
            _ => None,
        }
    }

    /// The same on a GPU.
    #[cfg(feature = "gpu")]
    pub(crate) fn packed(&self) -> Option<&Packed> {
        match &self.values {
            Storage::Packed(packed) => Some(packed),
            Storage::Floats(_) | Storage::Blocks(_) => None,
        }
    }

    /// The rows `ids`, in 32 bits: the embedding look-up of a model whose head is tied to its embeddings.
    ///
    /// # Shapes
    /// - `ids`: `[tokens]`, each below `out`
    /// - result: `[tokens, in]`
    pub fn rows(&self, ids: Tensor<1, Int>) -> Tensor<2> {
        match &self.values {
            Storage::Floats(values) if self.kind == WeightType::F32 => (**values).clone().select(0, ids),
            Storage::Floats(values) => (**values).clone().select(0, ids).cast(FloatDType::F32),
            Storage::Blocks(blocks) => {
                let ids: Vec<usize> = ids.into_data().iter::<i64>().map(|id| id as usize).collect();
                widened(blocks, ids.into_iter())
            }
            #[cfg(feature = "gpu")]
            Storage::Packed(packed) => packed.rows(ids),
        }
    }
}

fn unsupported(kind: WeightType, device: &Device) -> KernelError {
    let floats = [WeightType::F32, WeightType::F16, WeightType::Bf16];
    let dtypes = [FloatDType::F32, FloatDType::F16, FloatDType::BF16];
    let is_flex = matches!(device.as_dispatch(), DispatchDevice::Flex(_));
    let has = |(kind, dtype): &(WeightType, FloatDType)| {
        device.supports_dtype(*dtype) && !(is_flex && *kind == WeightType::Bf16)
    };
    let mut available: Vec<_> = floats.into_iter().zip(dtypes).filter(has).map(|(kind, _)| kind).collect();
    if !device.is_autodiff() && (is_flex || has_gpu_kernels(device)) {
        available.extend([WeightType::Q8_0, WeightType::Q4_1]);
    }
    KernelError::Unsupported {
        kind: kind.name(),
        device: format!("{device:?}"),
        available: available.into_iter().map(WeightType::name).collect(),
    }
}

/// Rows of a weight in blocks, as floats.
fn widened(blocks: &Blocks, rows: impl ExactSizeIterator<Item = usize>) -> Tensor<2> {
    let shape = [rows.len(), blocks.input];
    Tensor::from_data(TensorData::new(blocks.rows(rows), shape), (&blocks.device, DType::F32))
}

fn check_length(len: usize, out: usize, input: usize) -> Result<(), KernelError> {
    if out.checked_mul(input) != Some(len) {
        return Err(KernelError::Length { name: "weight", rows: out, columns: input, len });
    }
    Ok(())
}
