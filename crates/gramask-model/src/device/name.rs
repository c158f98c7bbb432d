//! The names of devices, and the errors of a device that cannot be opened.

use std::fmt;
use std::str::FromStr;

use burn::tensor::Device;
use serde::{Serialize, Serializer};

use super::dtype::{Dtype, names};
use super::info::Absence;
use super::opened::note;
use super::options::{MemoryPool, OpenOptions};
use super::{available, back_end};

/// The name of a device, as written after `--device`.
///
/// ```
/// use gramask_model::device::DeviceName;
///
/// assert_eq!("flex".parse(), Ok(DeviceName::Flex));
/// assert_eq!("cuda:1".parse(), Ok(DeviceName::Cuda(1)));
/// assert_eq!("wgpu".parse::<DeviceName>()?.to_string(), "wgpu:0");
/// assert!("tpu".parse::<DeviceName>().is_err());
/// # Ok::<(), gramask_model::device::DeviceError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DeviceName {
    /// The CPU, with Burn's pure Rust back end. Every build has it.
    Flex,
    /// The n-th adapter that wgpu finds: Vulkan, Metal, DirectX or WebGPU.
    Wgpu(usize),
    /// The n-th NVIDIA GPU.
    Cuda(usize),
}

/// Why a device could not be opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeviceError {
    /// The name is none of the known forms.
    #[error("unknown device `{given}`: write `flex`, `wgpu`, `wgpu:N`, `cuda` or `cuda:N` (available here: {})", list(.available))]
    Unknown {
        /// What was given.
        given: String,
        /// What could be opened here.
        available: Vec<DeviceName>,
    },
    /// The back end is not part of this build, or finds nothing to compute on.
    #[error("device `{name}`: {reason} (available here: {})", list(.available))]
    Absent {
        /// What was asked for.
        name: DeviceName,
        /// Why the whole back end is absent.
        reason: Absence,
        /// What could be opened here.
        available: Vec<DeviceName>,
    },
    /// The back end has devices, but not so many.
    #[error("device `{name}` is not present on this machine (available here: {})", list(.available))]
    NotPresent {
        /// What was asked for.
        name: DeviceName,
        /// What could be opened here.
        available: Vec<DeviceName>,
    },
    /// The device exists and does not open.
    #[error("device `{name}` does not open: {reason}")]
    Broken {
        /// What was asked for.
        name: DeviceName,
        /// What the driver says.
        reason: String,
    },
    /// The back end has no such memory pool.
    #[error("device `{name}` has no memory pool `{pool}`: {}", pools(.known))]
    MemoryPool {
        /// The device.
        name: DeviceName,
        /// What was asked for.
        pool: MemoryPool,
        /// What its back end has.
        known: &'static [MemoryPool],
    },
    /// The device has no launches that could be recorded.
    #[error("device `{name}` does not record decoding steps: GPUs do, leave --record-steps out")]
    RecordSteps {
        /// The device.
        name: DeviceName,
    },
    /// The device does not compute in this type.
    #[error("device `{name}` does not compute in {wanted}: it has {}", names(.supported))]
    Dtype {
        /// The device.
        name: DeviceName,
        /// What was asked for.
        wanted: Dtype,
        /// What it has.
        supported: Vec<Dtype>,
    },
}

fn pools(known: &[MemoryPool]) -> String {
    if known.is_empty() {
        return "its memory is the process's own, leave --memory-pool out".into();
    }
    let names: Vec<String> = known.iter().map(|pool| format!("`{pool}`")).collect();
    format!("take {}", names.join(" or "))
}

fn list(names: &[DeviceName]) -> String {
    names.iter().map(DeviceName::to_string).collect::<Vec<_>>().join(", ")
}

impl fmt::Display for DeviceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flex => f.write_str("flex"),
            Self::Wgpu(n) => write!(f, "wgpu:{n}"),
            Self::Cuda(n) => write!(f, "cuda:{n}"),
        }
    }
}

impl FromStr for DeviceName {
    type Err = DeviceError;

    fn from_str(given: &str) -> Result<Self, DeviceError> {
        let unknown = || DeviceError::Unknown { given: given.to_owned(), available: available() };
        let (kind, number) = match given.split_once(':') {
            // `parse` alone would also take "+1".
            Some((kind, n)) if !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()) => {
                (kind, Some(n.parse::<usize>().map_err(|_| unknown())?))
            }
            Some(_) => return Err(unknown()),
            None => (given, None),
        };
        match (kind, number) {
            ("flex", None) => Ok(Self::Flex),
            ("wgpu", n) => Ok(Self::Wgpu(n.unwrap_or(0))),
            ("cuda", n) => Ok(Self::Cuda(n.unwrap_or(0))),
            _ => Err(unknown()),
        }
    }
}

impl DeviceName {
    /// Opens the device with its usual options.
    ///
    /// # Errors
    /// [`DeviceError::Absent`] or [`DeviceError::NotPresent`], both with the names that can be opened;
    /// [`DeviceError::Broken`].
    pub fn open(self) -> Result<Device, DeviceError> {
        self.open_with(OpenOptions::default())
    }

    /// Opens the device. Options hold from the first time that a process opens the device, and for all of it.
    ///
    /// # Errors
    /// As [`DeviceName::open`]; [`DeviceError::MemoryPool`], [`DeviceError::Dtype`] and
    /// [`DeviceError::RecordSteps`] if the device lacks what the options ask for.
    pub fn open_with(self, options: OpenOptions) -> Result<Device, DeviceError> {
        let back_end = back_end(self);
        match (back_end.adapters)() {
            Err(reason) => Err(DeviceError::Absent { name: self, reason, available: available() }),
            Ok(adapters) if self.number() >= adapters.len() => {
                Err(DeviceError::NotPresent { name: self, available: available() })
            }
            Ok(adapters) => {
                let known = back_end.pools;
                if let Some(pool) = options.memory_pool.filter(|pool| !known.contains(pool)) {
                    return Err(DeviceError::MemoryPool { name: self, pool, known });
                }
                let device = (back_end.open)(self.number(), &adapters[self.number()], options.memory_pool)
                    .map_err(|reason| DeviceError::Broken { name: self, reason })?;
                note(&device, self, adapters[self.number()].memory);
                options.check(self, &device)?;
                Ok(device)
            }
        }
    }

    /// Which of its back end's devices it is.
    pub fn number(self) -> usize {
        match self {
            Self::Flex => 0,
            Self::Wgpu(number) | Self::Cuda(number) => number,
        }
    }
}

impl Serialize for DeviceName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip() {
        for (given, name) in [
            ("flex", DeviceName::Flex),
            ("wgpu", DeviceName::Wgpu(0)),
            ("wgpu:2", DeviceName::Wgpu(2)),
            ("cuda:11", DeviceName::Cuda(11)),
        ] {
            assert_eq!(given.parse(), Ok(name));
            assert_eq!(name.to_string().parse(), Ok(name));
        }
    }

    #[test]
    fn wrong_names_say_what_would_be_right() {
        for given in ["", "cpu", "flex:0", "cuda:", "cuda:-1", "cuda:+1", "wgpu:a", "CUDA", "cuda:1:2"] {
            let message = given.parse::<DeviceName>().unwrap_err().to_string();
            assert!(message.contains(&format!("`{given}`")) && message.contains("available here: flex"), "{message}");
        }
    }

    #[test]
    fn a_device_that_is_not_there_is_an_error_that_lists_those_that_are() {
        for name in [DeviceName::Wgpu(999), DeviceName::Cuda(999)] {
            let message = name.open().unwrap_err().to_string();
            assert!(message.contains(&name.to_string()) && message.contains("available here: flex"), "{message}");
        }
        assert!(super::super::is_flex(&DeviceName::Flex.open().unwrap()));
        assert_eq!(available()[0], DeviceName::Flex);
    }
}
