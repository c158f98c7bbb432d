//! Devices by name: `flex`, `wgpu`, `wgpu:1`, `cuda:0`.
//!
//! Which back ends exist is decided twice: at compile time by the Cargo features `wgpu` and `cuda`, and at run time
//! by the hardware. A name that fails either test is an error that lists the names that would have worked. Burn's own
//! default device is never used: it names CUDA as soon as that feature is compiled in, whether or not there is a GPU.

use std::fmt;
use std::str::FromStr;

use burn::tensor::Device;
#[cfg(any(feature = "wgpu", feature = "cuda"))]
use burn::tensor::DeviceType;

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
    /// The CPU, with Burn's pure Rust back end. Always there.
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
    /// The back end is not part of this build.
    #[error("device `{name}`: this build has no `{feature}` back end, build with `--features {feature}` (available here: {})", list(.available))]
    NotCompiled {
        /// What was asked for.
        name: DeviceName,
        /// The Cargo feature that brings it.
        feature: &'static str,
        /// What could be opened here.
        available: Vec<DeviceName>,
    },
    /// The back end is there, the hardware is not.
    #[error("device `{name}` is not present on this machine (available here: {})", list(.available))]
    NotPresent {
        /// What was asked for.
        name: DeviceName,
        /// What could be opened here.
        available: Vec<DeviceName>,
    },
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
        let unknown = || DeviceError::Unknown {
            given: given.to_owned(),
            available: available(),
        };
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
    /// Opens the device.
    ///
    /// # Errors
    /// [`DeviceError::NotCompiled`] or [`DeviceError::NotPresent`], both with the names that can be opened.
    pub fn open(self) -> Result<Device, DeviceError> {
        let (found, feature) = match self {
            Self::Flex => return Ok(Device::flex()),
            Self::Wgpu(n) => (wgpu_devices().map(|all| all.into_iter().nth(n)), "wgpu"),
            Self::Cuda(n) => (cuda_devices().map(|all| all.into_iter().nth(n)), "cuda"),
        };
        match found {
            Some(Some(device)) => Ok(device),
            Some(None) => Err(DeviceError::NotPresent {
                name: self,
                available: available(),
            }),
            None => Err(DeviceError::NotCompiled {
                name: self,
                feature,
                available: available(),
            }),
        }
    }
}

/// Every device that [`DeviceName::open`] can open in this build on this machine; `flex` is first and always there.
pub fn available() -> Vec<DeviceName> {
    let count = |devices: Option<Vec<Device>>| devices.map_or(0, |d| d.len());
    let mut names = vec![DeviceName::Flex];
    names.extend((0..count(wgpu_devices())).map(DeviceName::Wgpu));
    names.extend((0..count(cuda_devices())).map(DeviceName::Cuda));
    names
}

/// True when the device is the CPU back end `flex`, for which the hot operations have native code.
pub fn is_flex(device: &Device) -> bool {
    *device == Device::flex()
}

/// `None`: not compiled in.
#[cfg(feature = "wgpu")]
fn wgpu_devices() -> Option<Vec<Device>> {
    Some(Device::enumerate(DeviceType::Wgpu).into_vec())
}
#[cfg(not(feature = "wgpu"))]
fn wgpu_devices() -> Option<Vec<Device>> {
    None
}

#[cfg(feature = "cuda")]
fn cuda_devices() -> Option<Vec<Device>> {
    Some(Device::enumerate(DeviceType::Cuda).into_vec())
}
#[cfg(not(feature = "cuda"))]
fn cuda_devices() -> Option<Vec<Device>> {
    None
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
        for given in [
            "", "cpu", "flex:0", "cuda:", "cuda:-1", "cuda:+1", "wgpu:a", "CUDA", "cuda:1:2",
        ] {
            let message = given.parse::<DeviceName>().unwrap_err().to_string();
            assert!(
                message.contains(&format!("`{given}`")) && message.contains("available here: flex"),
                "{message}"
            );
        }
    }

    #[test]
    fn a_device_that_is_not_there_is_an_error_that_lists_those_that_are() {
        for name in [DeviceName::Wgpu(999), DeviceName::Cuda(999)] {
            let message = name.open().unwrap_err().to_string();
            assert!(
                message.contains(&name.to_string()) && message.contains("available here: flex"),
                "{message}"
            );
        }
        assert!(is_flex(&DeviceName::Flex.open().unwrap()));
        assert_eq!(available()[0], DeviceName::Flex);
    }
}
