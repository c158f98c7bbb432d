//! The options that a device is opened with.

use std::fmt;
use std::str::FromStr;

use burn::tensor::Device;

use super::dtype::Dtype;
use super::name::{DeviceError, DeviceName};

/// What a device is opened with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OpenOptions {
    /// How it hands out its memory; the back end's own choice where none is given.
    pub memory_pool: Option<MemoryPool>,
    /// A float type that it has to compute in.
    pub float_type: Option<Dtype>,
    /// Whether it has to record decoding steps and replay them. (The model that is loaded on it does the recording:
    /// [`Transformer::with_recorded_steps`](crate::transformer::Transformer::with_recorded_steps).)
    pub record_steps: bool,
}

impl OpenOptions {
    /// Checks an open device.
    pub(super) fn check(self, name: DeviceName, device: &Device) -> Result<(), DeviceError> {
        if let Some(wanted) = self.float_type.filter(|wanted| !wanted.is_supported(device)) {
            return Err(DeviceError::Dtype { name, wanted, supported: Dtype::of(device) });
        }
        if self.record_steps && !gramask_kernels::has_gpu_kernels(device) {
            return Err(DeviceError::RecordSteps { name });
        }
        Ok(())
    }
}

/// How a GPU's memory is handed out to tensors.
///
/// It changes speed and how much memory is held, never a result.
///
/// ```
/// use gramask_model::device::MemoryPool;
///
/// assert_eq!("exclusive".parse(), Ok(MemoryPool::Exclusive));
/// let error = "buddy".parse::<MemoryPool>().unwrap_err().to_string();
/// assert_eq!(error, "unknown memory pool `buddy`: write `sliced` or `exclusive`");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MemoryPool {
    /// Tensors are slices of large pages: few allocations, and pages that are held. The back ends' own choice.
    Sliced,
    /// A page for each tensor: more allocations, and nothing is held beside them. WGPU only.
    Exclusive,
}

/// A name that stands for no memory pool.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown memory pool `{given}`: write `sliced` or `exclusive`")]
pub struct UnknownMemoryPool {
    /// The name.
    pub given: String,
}

impl MemoryPool {
    /// All of them.
    pub const ALL: [MemoryPool; 2] = [MemoryPool::Sliced, MemoryPool::Exclusive];

    /// The name, in lower case.
    pub const fn name(self) -> &'static str {
        match self {
            MemoryPool::Sliced => "sliced",
            MemoryPool::Exclusive => "exclusive",
        }
    }
}

impl fmt::Display for MemoryPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for MemoryPool {
    type Err = UnknownMemoryPool;

    fn from_str(given: &str) -> Result<Self, UnknownMemoryPool> {
        MemoryPool::ALL
            .into_iter()
            .find(|pool| pool.name() == given)
            .ok_or_else(|| UnknownMemoryPool { given: given.into() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cpu_has_no_pool_and_says_so() {
        for memory_pool in MemoryPool::ALL {
            let options = OpenOptions { memory_pool: Some(memory_pool), ..OpenOptions::default() };
            let error = DeviceName::Flex.open_with(options).unwrap_err().to_string();
            assert_eq!(
                error,
                format!(
                    "device `flex` has no memory pool `{memory_pool}`: its memory is the process's own, leave --memory-pool out"
                )
            );
        }
    }

    #[test]
    fn steps_are_recorded_on_gpus_alone() {
        for name in super::super::available() {
            let opened = name.open_with(OpenOptions { record_steps: true, ..OpenOptions::default() });
            if name == DeviceName::Flex {
                assert_eq!(
                    opened.unwrap_err().to_string(),
                    "device `flex` does not record decoding steps: GPUs do, leave --record-steps out"
                );
            } else {
                assert!(opened.is_ok(), "{name}");
            }
        }
    }

    #[test]
    fn every_device_computes_in_32_bits_and_in_what_it_says() {
        for name in super::super::available() {
            let device = name.open().unwrap();
            let supported = Dtype::of(&device);
            assert!(supported.contains(&Dtype::F32), "{name}");
            for float_type in Dtype::ALL {
                let options = OpenOptions { float_type: Some(float_type), ..OpenOptions::default() };
                let opened = name.open_with(options);
                assert_eq!(opened.is_ok(), supported.contains(&float_type), "{name} {float_type}");
                if let Err(error) = opened {
                    let message = error.to_string();
                    assert!(message.contains(&format!("does not compute in {float_type}: it has f32")), "{message}");
                }
            }
        }
    }
}
