//! A device under test beside its reference, and seeded numbers for both.

use burn::tensor::{Device, Int, Tensor};
use gramask_kernels::checks::{self, Devices};
pub(super) use gramask_kernels::checks::{Numbers, floats_of, upload, upload_integers};
use gramask_model::device::{DeviceFault, Dtype};

use super::check::Failure;
use super::tolerance::Tolerances;
use crate::pull::Model;

/// A device under test, beside the one that references are computed on.
#[derive(Clone, Debug)]
pub struct Pair {
    /// The device under test.
    pub device: Device,
    /// Where references are computed.
    pub reference: Device,
    /// What models are computed in.
    pub float_type: Dtype,
    /// What the device has.
    pub float_types: Vec<Dtype>,
    /// How far apart the two may be.
    pub tolerances: Tolerances,
    /// Whether models on the device under test record their decoding steps.
    pub record_steps: bool,
    /// Whether cases are fewer and smaller.
    pub quick: bool,
    /// A model to compute beside the seeded ones.
    pub model: Option<Model>,
}

impl Pair {
    /// The devices, for the checks of kernels.
    pub(super) fn devices(&self) -> Devices {
        let tolerances = checks::Tolerances { sums: self.tolerances.sums, products: self.tolerances.products };
        Devices { device: self.device.clone(), reference: self.reference.clone(), tolerances, quick: self.quick }
    }
}

/// Whole numbers of a tensor on the host.
pub(super) fn integers_of<const D: usize>(device: &Device, tensor: Tensor<D, Int>) -> Result<Vec<i64>, Failure> {
    let data = tensor.try_into_data().map_err(|error| DeviceFault::of_execution(device, &error))?;
    Ok(data.iter::<i64>().collect())
}
