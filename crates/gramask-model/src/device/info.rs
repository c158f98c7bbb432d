//! The list of devices, and what is known of each without computing on it.

use serde::{Serialize, Serializer};

use super::dtype::Dtype;
use super::fault::guard;
use super::name::DeviceName;
use super::{BACK_ENDS, back_end};

/// A piece of hardware, or of software that passes for it, as its driver describes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Adapter {
    /// As it names itself: `NVIDIA H100 80GB HBM3`, `llvmpipe (LLVM 15.0.6, 256 bits)`.
    pub name: String,
    /// What it is.
    pub kind: AdapterKind,
    /// What it is spoken to in: `Vulkan`, `Metal`, `CUDA 13.0`, ...
    pub api: String,
    /// The driver and its version, where it says them.
    pub driver: Option<String>,
    /// Its own memory in bytes, where it is known; of a GPU without any, the memory that it shares.
    pub memory: Option<u64>,
    /// The number by which its back end selects it among those of its kind.
    #[serde(skip)]
    pub(super) number: usize,
}

/// What an adapter is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum AdapterKind {
    /// The processor itself.
    Cpu,
    /// A graphics API computed by the processor.
    Software,
    /// A card with memory of its own.
    Discrete,
    /// A GPU that shares the processor's memory.
    Integrated,
    /// A GPU handed to a virtual machine.
    Virtual,
    /// The driver does not say.
    Other,
}

impl AdapterKind {
    /// In words.
    pub const fn name(self) -> &'static str {
        match self {
            AdapterKind::Cpu => "CPU",
            AdapterKind::Software => "software",
            AdapterKind::Discrete => "discrete GPU",
            AdapterKind::Integrated => "integrated GPU",
            AdapterKind::Virtual => "virtual GPU",
            AdapterKind::Other => "GPU",
        }
    }
}

/// Why a back end has no device.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Absence {
    /// It is not part of this build.
    #[error("this build has no `{feature}` back end, build with `--features {feature}`")]
    NotCompiled {
        /// The Cargo feature that brings it.
        feature: &'static str,
    },
    /// Its driver is not installed.
    #[error("no driver: {what}")]
    NoDriver {
        /// What was looked for.
        what: String,
    },
    /// The driver is installed and finds no adapter.
    #[error("no adapter: {what}")]
    NoAdapter {
        /// Who was asked.
        what: String,
    },
}

impl Serialize for Absence {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A device that can be opened, or that should open and does not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DeviceInfo {
    /// What `--device` calls it.
    pub device: DeviceName,
    /// What its driver says of it.
    #[serde(flatten)]
    pub adapter: Adapter,
    /// The types that it computes in; none where it does not open.
    pub float_types: Vec<Dtype>,
    /// Why it does not open.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<String>,
}

/// A back end without a device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AbsentBackEnd {
    /// Its name, which is that of its Cargo feature.
    pub back_end: &'static str,
    /// Why it has none.
    pub reason: Absence,
}

/// All devices of this machine in this build, and the back ends that have none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Listing {
    /// In the order of their names; `flex` is first.
    pub present: Vec<DeviceInfo>,
    /// With the reason.
    pub absent: Vec<AbsentBackEnd>,
}

/// Lists the devices. Each is opened for a moment, to ask it for its float types; nothing is computed, and a device that
/// does not open is listed with what its driver says.
pub fn list() -> Listing {
    let (mut present, mut absent) = (Vec::new(), Vec::new());
    for back_end in &BACK_ENDS {
        match (back_end.adapters)() {
            Ok(adapters) => {
                let numbered = adapters.into_iter().enumerate();
                present.extend(numbered.map(|(number, adapter)| describe((back_end.device)(number), adapter)));
            }
            Err(reason) => absent.push(AbsentBackEnd { back_end: back_end.name, reason }),
        }
    }
    Listing { present, absent }
}

fn describe(name: DeviceName, adapter: Adapter) -> DeviceInfo {
    let opened = (back_end(name).open)(name.number(), &adapter, None);
    let types = opened.and_then(|device| guard(&device, || Dtype::of(&device)).map_err(|fault| fault.to_string()));
    let (float_types, fault) = match types {
        Ok(types) => (types, None),
        Err(fault) => (Vec::new(), Some(fault)),
    };
    DeviceInfo { device: name, adapter, float_types, fault }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::{memory_of, name_of};

    #[test]
    fn what_is_not_here_is_listed_with_its_reason() {
        let listing = list();
        let names: Vec<String> = listing.present.iter().map(|info| info.device.to_string()).collect();
        assert_eq!(names[0], "flex");
        let mut back_ends: Vec<&str> = names.iter().map(|name| name.split(':').next().unwrap()).collect();
        back_ends.dedup();
        back_ends.extend(listing.absent.iter().map(|absent| absent.back_end));
        back_ends.sort_unstable();
        assert_eq!(back_ends, ["cuda", "flex", "wgpu"], "each back end is in one of the lists");
        for absent in &listing.absent {
            let reason = absent.reason.to_string();
            assert!(!reason.is_empty());
            let built = [("wgpu", cfg!(feature = "wgpu")), ("cuda", cfg!(feature = "cuda"))];
            let compiled = built.contains(&(absent.back_end, true));
            assert_eq!(reason.contains("--features"), !compiled, "{reason}");
        }
    }

    #[test]
    fn every_device_is_described_and_machines_can_read_it() {
        let listing = list();
        for info in &listing.present {
            assert_eq!(info.fault, None, "{}", info.device);
            assert!(!info.adapter.name.is_empty() && !info.adapter.api.is_empty());
            assert!(info.float_types.contains(&Dtype::F32));
            assert!(info.adapter.memory.is_none_or(|bytes| bytes > 1 << 20));
        }
        let json = serde_json::to_value(&listing).unwrap();
        assert_eq!(json["present"][0]["device"], "flex");
        assert_eq!(json["present"][0]["kind"], "cpu");
        assert_eq!(json["present"][0]["float_types"][0], "f32");
    }

    #[test]
    fn an_open_device_is_known_by_name_and_memory() {
        for info in list().present {
            let device = info.device.open().unwrap();
            assert_eq!(memory_of(&device), info.adapter.memory, "{}", info.device);
            assert_eq!(name_of(&device), info.device.to_string());
        }
    }
}
