//! Where a model is computed, and in which number types.

use burn::tensor::Device;
use gramask_model::device::{DeviceError, DeviceName, Dtype, MemoryPool, OpenOptions};
use gramask_model::transformer::{Precision, UnknownWeights, WeightChoice};
use thiserror::Error;

/// Where a model is computed, and in which number types.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placement {
    /// The device.
    pub device: DeviceName,
    /// The type of the weights in memory: a [`WeightChoice`] by name. None is `file`: as the checkpoint has them, in the fewest
    /// bytes.
    pub weights: Option<String>,
    /// The float type of computations. None is `f32`.
    pub float_type: Option<Dtype>,
    /// How the device allocates memory.
    pub memory_pool: Option<MemoryPool>,
    /// Whether decoding steps are recorded and replayed. Only GPUs do so.
    pub record_steps: bool,
}

/// A weight type of this name does not exist.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "unknown weight type `{given}`: give `f32`, `f16`, `bf16`, `q8_0`, `q4_1` or `file` (as the checkpoint has them), or leave `weights` out"
)]
pub struct UnknownWeightType {
    given: String,
}

impl Placement {
    /// On a device, with the default settings.
    pub fn on(device: DeviceName) -> Placement {
        Placement { device, weights: None, float_type: None, memory_pool: None, record_steps: false }
    }

    /// The number types of weights and computations.
    ///
    /// # Errors
    /// When `weights` names no type.
    pub fn precision(&self) -> Result<Precision, UnknownWeightType> {
        let weights = self.weights.as_deref().map_or(Ok(WeightChoice::Stored), weight_choice)?;
        Ok(Precision::from(weights).with_dtype(self.float_type.unwrap_or_default()))
    }

    /// Opens the device.
    ///
    /// # Errors
    /// When it is absent, or lacks the float type or the memory pool.
    pub fn open(&self) -> Result<Device, DeviceError> {
        self.device.open_with(OpenOptions {
            memory_pool: self.memory_pool,
            float_type: self.float_type,
            record_steps: self.record_steps,
        })
    }
}

/// The type of the weights in memory.
fn weight_choice(given: &str) -> Result<WeightChoice, UnknownWeightType> {
    given.parse().map_err(|_: UnknownWeights| UnknownWeightType { given: given.into() })
}
