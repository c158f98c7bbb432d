//! Checks of every kernel: what it computes on one device, compared with a reference on another.
//!
//! Two programs use them. The property tests of this crate call the `outcomes` of the submodules with random shapes. The
//! command `gramask conform` runs [`all`], which has fixed shapes, to find out whether a driver computes correctly. No
//! reference is computed on the device under test.
//!
//! To add a kernel: a submodule with a case, its outcomes on both devices, and a line in [`all`].
//!
//! ```
//! use burn::tensor::Device;
//! use gramask_kernels::checks::{self, Devices, Tolerances};
//!
//! let tolerances = Tolerances { sums: 1e-5, products: 1e-5 };
//! let devices = Devices { device: Device::flex(), reference: Device::flex(), tolerances, quick: true };
//! let check = checks::all().into_iter().find(|check| check.name == "swiglu in f32").unwrap();
//! assert_eq!(check.run(&devices)?.wrong, None);
//! # Ok::<(), gramask_kernels::checks::CheckError>(())
//! ```

mod numbers;
mod tally;

pub mod adamw;
pub mod attention;
pub mod linear;
pub mod norm;
pub mod rotary;
pub mod sampling;
pub mod swiglu;
pub mod training;

pub use numbers::{Numbers, floats_of, upload, upload_integers};
pub use tally::Tally;

use crate::error::KernelError;
use crate::sampling::SamplingError;
use burn::backend::DispatchDevice;
use burn::tensor::{Device, ExecutionError, FloatDType};
use std::fmt;

/// A device under test, and the device that computes its references.
#[derive(Clone, Debug)]
pub struct Devices {
    /// The device under test.
    pub device: Device,
    /// The device of the references.
    pub reference: Device,
    /// The largest errors that pass.
    pub tolerances: Tolerances,
    /// Fewer and smaller cases.
    pub quick: bool,
}

/// The largest errors that pass, in units of the magnitudes that are added.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tolerances {
    /// Of sums in 32 bits.
    pub sums: f64,
    /// Of matrix products.
    pub products: f64,
}

/// The error of a product with weights of this type: a GPU may round the activations to the weights' type.
pub fn weight_rounding(kind: crate::WeightType) -> f64 {
    match kind {
        crate::WeightType::F16 => 2.5e-4,
        crate::WeightType::Bf16 => 2e-3,
        crate::WeightType::F32 | crate::WeightType::Q8_0 | crate::WeightType::Q4_1 => 0.0,
    }
}

/// Why nothing could be compared.
#[derive(Clone, Debug)]
pub enum CheckError {
    /// The operands of a kernel were refused.
    Kernel(KernelError),
    /// The operands of a choice were refused.
    Sampling(SamplingError),
    /// A result could not be read from this device.
    Read(Device, ExecutionError),
}

impl fmt::Display for CheckError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CheckError::Kernel(error) => error.fmt(f),
            CheckError::Sampling(error) => error.fmt(f),
            CheckError::Read(device, error) => write!(f, "no result from {device:?}: {error}"),
        }
    }
}

impl std::error::Error for CheckError {}

impl From<KernelError> for CheckError {
    fn from(error: KernelError) -> Self {
        CheckError::Kernel(error)
    }
}

impl From<SamplingError> for CheckError {
    fn from(error: SamplingError) -> Self {
        CheckError::Sampling(error)
    }
}

/// A result of the device under test beside the reference's.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What was computed.
    pub what: String,
    /// By the device under test.
    pub got: Vec<f32>,
    /// By the reference.
    pub expected: Vec<f32>,
}

impl Outcome {
    fn new(what: impl Into<String>, got: Vec<f32>, expected: Vec<f32>) -> Self {
        Outcome { what: what.into(), got, expected }
    }
}

/// Both results are compared in units of the largest expected number.
fn compare(tally: &mut Tally, case: &str, outcomes: &[Outcome]) {
    for Outcome { what, got, expected } in outcomes {
        tally.compare_to_largest(&format!("{case}, {what}"), got, expected);
    }
}

type Run = dyn Fn(&Devices) -> Result<Tally, CheckError>;

/// A check with its name, which is unique.
pub struct KernelCheck {
    /// What is compared.
    pub name: String,
    run: Box<Run>,
}

impl KernelCheck {
    fn new(name: impl Into<String>, run: impl Fn(&Devices) -> Result<Tally, CheckError> + 'static) -> Self {
        KernelCheck { name: name.into(), run: Box::new(run) }
    }

    /// Runs it.
    ///
    /// # Errors
    /// If a kernel refuses its operands or a device fails. A wrong result is in the tally.
    pub fn run(&self, devices: &Devices) -> Result<Tally, CheckError> {
        (self.run)(devices)
    }
}

/// All checks, with fixed shapes.
pub fn all() -> Vec<KernelCheck> {
    let mut checks = linear::checks();
    checks.extend(attention::checks());
    checks.extend(sampling::checks());
    checks.extend(adamw::checks());
    checks.extend(training::checks());
    for dtype in FLOATS {
        for (name, run) in IN_EACH_TYPE {
            checks.push(KernelCheck::new(format!("{name} in {}", name_of(dtype)), move |devices| {
                match computes_in(&devices.device, dtype) {
                    true => run(devices, dtype),
                    false => Ok(Tally::skipped("the device does not compute in this type")),
                }
            }));
        }
    }
    checks
}

/// The float types of activations.
pub const FLOATS: [FloatDType; 3] = [FloatDType::F32, FloatDType::F16, FloatDType::BF16];

type RunIn = fn(&Devices, FloatDType) -> Result<Tally, CheckError>;

/// The checks that each float type of a device has.
const IN_EACH_TYPE: [(&str, RunIn); 4] = [
    ("add_norm", norm::check),
    ("swiglu", swiglu::check),
    ("product of few rows", linear::check_few_rows),
    ("rotate_store, attend", rotary::check),
];

fn name_of(dtype: FloatDType) -> &'static str {
    match dtype {
        FloatDType::F16 => "f16",
        FloatDType::BF16 => "bf16",
        _ => "f32",
    }
}

/// Whether activations can have this type on the device. The CPU kernels are written for 32 bits.
pub fn computes_in(device: &Device, dtype: FloatDType) -> bool {
    let is_cpu = matches!(device.as_dispatch(), DispatchDevice::Flex(_));
    dtype == FloatDType::F32 || (!is_cpu && device.supports_dtype(dtype))
}

impl Devices {
    /// The error of one rounding to the type, with room for a second.
    fn rounding(&self, dtype: FloatDType) -> f64 {
        match dtype {
            FloatDType::F16 => 2e-3,
            FloatDType::BF16 => 1.6e-2,
            _ => self.tolerances.sums,
        }
    }

    /// Numbers that the type can represent, so that both devices begin with the same numbers. The reference rounds them.
    fn rounded(&self, from: &mut Numbers, count: usize, size: f32, dtype: FloatDType) -> Result<Vec<f32>, CheckError> {
        let values = from.floats(count, size);
        floats_of(&self.reference, upload(&values, [count], &self.reference).cast(dtype))
    }
}
